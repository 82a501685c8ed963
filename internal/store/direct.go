package store

// A directIndex is an array from small dense unsigned keys to rows, in pages so
// that it grows without copying. It refuses a key that would leave it mostly empty;
// its owner then falls back on a hash.
type directIndex struct {
	pages []*directPage
	used  int // pages allocated
}

const directKeys = 64

// A directPage is gone when its last row is.
type directPage struct {
	rows [directKeys]rowPtr
	n    int
}

func (d *directIndex) get(k uint64) rowPtr {
	if n := k / directKeys; n < uint64(len(d.pages)) && d.pages[n] != nil {
		return d.pages[n].rows[k%directKeys]
	}
	return 0
}

// set enters a new key of a table with so many rows and reports whether it accepts it.
// An array may have three times as many entries as rows, and 16 pages anyway; its
// list of pages may be as long as sixteen times that.
func (d *directIndex) set(k uint64, p rowPtr, rows int) bool {
	n := k / directKeys
	limit := uint64(16 + rows*3/directKeys)
	if n >= uint64(len(d.pages)) || d.pages[n] == nil {
		if n >= 16*limit || uint64(d.used) >= limit {
			return false
		}
		if n >= uint64(len(d.pages)) {
			d.pages = append(d.pages, make([]*directPage, n+1-uint64(len(d.pages)))...)
		}
		d.pages[n] = new(directPage)
		d.used++
	}
	d.pages[n].rows[k%directKeys] = p
	d.pages[n].n++
	return true
}

// clear takes a key out and reports whether it stood for old.
func (d *directIndex) clear(k uint64, old rowPtr) bool {
	if !d.replace(k, old, 0) {
		return false
	}
	page := d.pages[k/directKeys]
	if page.n--; page.n == 0 {
		d.pages[k/directKeys] = nil
		d.used--
	}
	return true
}

// replace reports whether the key stood for old.
func (d *directIndex) replace(k uint64, old, p rowPtr) bool {
	if old == 0 || d.get(k) != old {
		return false
	}
	d.pages[k/directKeys].rows[k%directKeys] = p
	return true
}

// each calls fn for the entries from key on in ascending order until it returns
// false.
func (d *directIndex) each(from uint64, fn func(k uint64, p rowPtr) bool) {
	for n := from / directKeys; n < uint64(len(d.pages)); n++ {
		if d.pages[n] == nil {
			continue
		}
		for i, p := range d.pages[n].rows {
			if k := n*directKeys + uint64(i); p != 0 && k >= from && !fn(k, p) {
				return
			}
		}
	}
}

func (d *directIndex) bytes() uint64 {
	return uint64(cap(d.pages))*8 + uint64(d.used)*(directKeys*8+8)
}
