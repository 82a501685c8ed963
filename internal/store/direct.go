package store

// A directIndex is an array from small dense unsigned keys to rows, in pages so
// that it grows without copying. It refuses a key that would leave it mostly empty;
// its owner then falls back on a hash.
type directIndex struct {
	pages []*[directPage]rowPtr
	used  int // pages allocated
}

const directPage = 256

func (d *directIndex) get(k uint64) rowPtr {
	if n := k / directPage; n < uint64(len(d.pages)) && d.pages[n] != nil {
		return d.pages[n][k%directPage]
	}
	return 0
}

// set enters a key of a table with so many rows and reports whether it accepts it.
// An array may have eight times as many entries as rows, and 64 pages anyway; its
// list of pages may be as long as sixteen times that.
func (d *directIndex) set(k uint64, p rowPtr, rows int) bool {
	n := k / directPage
	limit := uint64(64 + rows*8/directPage)
	if n >= uint64(len(d.pages)) || d.pages[n] == nil {
		if n >= 16*limit || uint64(d.used) >= limit {
			return false
		}
		if n >= uint64(len(d.pages)) {
			d.pages = append(d.pages, make([]*[directPage]rowPtr, n+1-uint64(len(d.pages)))...)
		}
		d.pages[n] = new([directPage]rowPtr)
		d.used++
	}
	d.pages[n][k%directPage] = p
	return true
}

func (d *directIndex) clear(k uint64, p rowPtr) bool { return d.replace(k, p, 0) }

// replace reports whether the key stood for old.
func (d *directIndex) replace(k uint64, old, p rowPtr) bool {
	if d.get(k) != old {
		return false
	}
	d.pages[k/directPage][k%directPage] = p
	return true
}

// each calls fn for the entries from key on in ascending order until it returns
// false.
func (d *directIndex) each(from uint64, fn func(k uint64, p rowPtr) bool) {
	for n := from / directPage; n < uint64(len(d.pages)); n++ {
		if d.pages[n] == nil {
			continue
		}
		for i, p := range d.pages[n] {
			if k := n*directPage + uint64(i); p != 0 && k >= from && !fn(k, p) {
				return
			}
		}
	}
}

func (d *directIndex) bytes() uint64 { return uint64(len(d.pages))*8 + uint64(d.used)*directPage*8 }
