package store

import (
	"container/heap"
	"iter"
	"slices"

	"github.com/stdbgo/spacetime/internal/schema"
)

// A lostRows holds the rows of a view that left an index since the view was opened,
// or in the transaction that was open then.
type lostRows struct {
	seen  int // position in the table's list of removed rows
	order []rowPtr
	byKey map[uint64][]rowPtr
	all   map[rowPtr]int // place in order
}

func (l *lostRows) has(p rowPtr) bool { _, ok := l.all[p]; return ok }

// catchUp brings the view's lost rows of an index nearly up to date, without holding the
// store's lock for long, however many there are; [lostRows.finish] does the rest under
// the lock.
func (v *View) catchUp(ix *index, vt *viewTable) *lostRows {
	l := v.lost[ix]
	if l == nil {
		if v.lost == nil {
			v.lost = map[*index]*lostRows{}
		}
		l = &lostRows{seen: vt.removed, all: map[rowPtr]int{}, byKey: map[uint64][]rowPtr{}}
		v.lost[ix] = l
	}
	for range 16 { // a writer that is faster than this has to wait
		v.s.mu.Lock()
		removed := l.unseen(ix.t)
		v.s.mu.Unlock()
		if len(removed) <= v.s.rangeSlice {
			break
		}
		l.add(ix, vt, removed)
	}
	return l
}

// finish brings lost rows up to date. The caller holds the store's lock.
func (l *lostRows) finish(ix *index, vt *viewTable) { l.add(ix, vt, l.unseen(ix.t)) }

// unseen returns the end of the list of removed rows. While a view is open the list only
// grows, so that what is returned stays as it is.
func (l *lostRows) unseen(t *table) []rowPtr { return t.removed[l.seen-t.removedBase:] }

func (l *lostRows) add(ix *index, vt *viewTable, removed []rowPtr) {
	for _, p := range removed {
		row, ok := vt.get(p)
		if !ok || l.has(p) {
			continue
		}
		k := ix.slotKeyOf(row)
		l.all[p] = len(l.order)
		l.byKey[k] = append(l.byKey[k], p)
		l.order = append(l.order, p)
	}
	l.seen += len(removed)
}

func (v *View) FindUnique(id schema.IndexID, key []byte) ([]byte, bool) {
	x := v.cat.indexes.get(uint32(id))
	if x == nil || !x.def.Unique {
		return nil, false
	}
	vt := &v.tables[x.e.at]
	row, ok := v.findUnique(x.ix, vt, key)
	if !ok {
		vt.each(func(_ rowPtr, r []byte) bool {
			if x.ix.matches(r, key) {
				row = r
			}
			return row == nil
		})
	}
	return row, row != nil
}

// findUnique looks a key up; ok is false if the index follows the table no longer.
func (v *View) findUnique(ix *index, vt *viewTable, key []byte) (row []byte, ok bool) {
	lost := v.catchUp(ix, vt)
	v.s.mu.Lock()
	defer v.s.mu.Unlock()
	if !ix.alive {
		return nil, false
	}
	if p := ix.find(key); p != 0 {
		if row, ok := vt.get(p); ok && ix.matches(row, key) {
			return row, true
		}
	}
	lost.finish(ix, vt)
	for _, p := range lost.byKey[ix.slotKey(key)] {
		if row, ok := vt.get(p); ok && ix.matches(row, key) {
			return row, true
		}
	}
	return nil, true
}

func (v *View) Point(id schema.IndexID, key []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		x := v.cat.indexes.get(uint32(id))
		switch {
		case x == nil:
		case x.def.Unique:
			if row, ok := v.FindUnique(id, key); ok {
				yield(row)
			}
		default:
			w := v.walk(x)
			p := w.ix.probeOf(key, 0)
			lo, hi := p, p
			lo.side, hi.side = sideBefore, sideAfter
			w.key, w.lo, w.hi = key, &lo, &hi
			w.run(yield)
		}
	}
}

func (v *View) Range(id schema.IndexID, r Range) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		if x := v.cat.indexes.get(uint32(id)); x != nil {
			w := v.walk(x)
			w.desc = r.Desc
			w.lo, w.hi = w.ix.rangeProbes(&r)
			w.run(yield)
		}
	}
}

// defaultRangeSlice is how many entries of an index a view reads at a time under the
// lock.
const defaultRangeSlice = 256

// A rangeWalk reads a part of an index slice by slice, in order. After a slice it
// goes on behind the last entry it has read, whatever the writer did in between.
type rangeWalk struct {
	v  *View
	ix *index
	vt *viewTable

	key    []byte     // if not nil: only rows with this key
	lo, hi *treeProbe // what is left of the range; nil: no bound
	desc   bool       // from hi to lo

	last    *treeProbe // the last entry read
	pending []lostRow  // in the range and not given yet: a heap by key
	seen    int        // of lostRows.order
}

// Len and the others make the walk the heap of its pending rows.
func (w *rangeWalk) Len() int { return len(w.pending) }
func (w *rangeWalk) Less(i, j int) bool {
	return w.key == nil && w.inOrder(w.pending[i].row, w.pending[j].row) < 0
}
func (w *rangeWalk) Swap(i, j int) { w.pending[i], w.pending[j] = w.pending[j], w.pending[i] }
func (w *rangeWalk) Push(x any)    { w.pending = append(w.pending, x.(lostRow)) }
func (w *rangeWalk) Pop() any {
	last := len(w.pending) - 1
	x := w.pending[last]
	w.pending = w.pending[:last]
	return x
}

// compareByKey orders two rows of the view by their keys.
func (w *rangeWalk) compareByKey(a, b []byte) int {
	var buf [64]byte
	return w.ix.compareKey(a, w.ix.keyOf(b, buf[:0]), len(w.ix.parts))
}

// inOrder is compareByKey in the order of the walk.
func (w *rangeWalk) inOrder(a, b []byte) int {
	if w.desc {
		a, b = b, a
	}
	return w.compareByKey(a, b)
}

type lostRow struct {
	p   rowPtr
	row []byte
}

func (v *View) walk(x *indexEntry) *rangeWalk {
	return &rangeWalk{v: v, ix: x.ix, vt: &v.tables[x.e.at]}
}

func (w *rangeWalk) run(yield func([]byte) bool) {
	for more := true; more; {
		var rows [][]byte
		var ok bool
		if rows, more, ok = w.slice(); !ok {
			rows = w.scan()
		}
		for _, row := range rows {
			if !yield(row) {
				return
			}
		}
	}
}

// wants reports whether a row of the view lies in what is left of the range.
func (w *rangeWalk) wants(p rowPtr, row []byte) bool {
	if w.key != nil && !w.ix.matches(row, w.key) {
		return false
	}
	if w.key == nil && !(rangeFilter{w.ix, w.lo, w.hi}).contains(row) {
		return false
	}
	if w.last != nil {
		c := w.compareTo(row, w.last)
		return c > 0 || c == 0 && p != w.last.ptr && p > w.last.ptr != w.desc
	}
	return true
}

// compareTo orders a row of the view against a place in the order of the walk, by key.
func (w *rangeWalk) compareTo(row []byte, p *treeProbe) int {
	if w.key != nil {
		return 0
	}
	c := w.ix.compareKey(row, p.full, p.cols)
	if w.desc {
		c = -c
	}
	return c
}

// scan reads the rest of the range without the index.
func (w *rangeWalk) scan() (rows [][]byte) {
	pending := make(map[rowPtr]bool, len(w.pending))
	for _, l := range w.pending {
		pending[l.p] = true
	}
	w.vt.each(func(p rowPtr, row []byte) bool {
		if pending[p] || w.wants(p, row) && !w.given(p) {
			rows = append(rows, row)
		}
		return true
	})
	w.sort(rows)
	return rows
}

// given reports whether a row behind the last entry has been given already: lost
// rows are given with their key, before the live ones of that key that come later.
func (w *rangeWalk) given(p rowPtr) bool {
	l := w.v.lost[w.ix]
	if w.last == nil || l == nil {
		return false
	}
	at, ok := l.all[p]
	return ok && at < w.seen
}

func (w *rangeWalk) sort(rows [][]byte) {
	if w.key != nil {
		return
	}
	slices.SortStableFunc(rows, w.inOrder)
}

// slice returns the rows of the next entries of the index's tree, and the lost ones among
// them. ok is false if there is no tree.
func (w *rangeWalk) slice() (rows [][]byte, more, ok bool) {
	lost := w.v.catchUp(w.ix, w.vt)
	w.addLost(lost)
	if rows, more, ok = w.read(lost); ok {
		rows = w.merge(rows, more)
	}
	return rows, more, ok
}

// read is the part of slice that needs the store's lock.
func (w *rangeWalk) read(lost *lostRows) (rows [][]byte, more, ok bool) {
	w.v.s.mu.Lock()
	defer w.v.s.mu.Unlock()
	ix := w.ix
	if !ix.alive || ix.ordered == nil || w.key == nil && ix.def.Algo == schema.Hash {
		return nil, false, false
	}
	lost.finish(ix, w.vt)
	w.addLost(lost)
	next := w.entries(ix.ordered)
	for n := 0; ; n++ {
		e, ok := next()
		if !ok {
			break
		}
		if row, ok := w.vt.get(e.ptr); ok && !lost.has(e.ptr) && w.sameKey(e.ptr, row) {
			rows = append(rows, row)
		}
		if n+1 == w.v.s.rangeSlice {
			w.last = w.placeOf(&e)
			more = true
			break
		}
	}
	return rows, more, true
}

// entries returns what yields the tree's entries in what is left of the range.
func (w *rangeWalk) entries(t *btree) func() (entry, bool) {
	from, to := w.lo, w.hi
	if w.desc {
		from, to = to, from
		if w.last != nil {
			from = w.last
		}
		c := t.last(from)
		return func() (entry, bool) {
			e, ok := c.prev()
			return e, ok && (to == nil || t.compare(&e, to) >= 0)
		}
	}
	if w.last != nil {
		next := *w.last
		next.ptr++
		from = &next
	}
	c := t.seek(from)
	return func() (entry, bool) {
		e, ok := c.next()
		return e, ok && (to == nil || t.compare(&e, to) <= 0)
	}
}

// addLost enters newly lost rows that belong to what is left of the range. Those up
// to the last entry read were given when they were still in the index.
func (w *rangeWalk) addLost(lost *lostRows) {
	for _, p := range lost.order[w.seen:] {
		if row, ok := w.vt.get(p); ok && w.wants(p, row) {
			heap.Push(w, lostRow{p, row})
		}
	}
	w.seen = len(lost.order)
}

// merge adds the pending rows whose keys the slice has reached, all of them at the
// end of the range.
func (w *rangeWalk) merge(rows [][]byte, more bool) [][]byte {
	n := len(rows)
	for len(w.pending) > 0 && (!more || w.compareTo(w.pending[0].row, w.last) <= 0) {
		rows = append(rows, heap.Pop(w).(lostRow).row)
	}
	if len(rows) > n {
		w.sort(rows)
	}
	return rows
}

// sameKey reports whether the view's row in a place has the key of the writer's row
// there, by which it was found.
func (w *rangeWalk) sameKey(p rowPtr, row []byte) bool {
	if w.key != nil {
		return w.ix.matches(row, w.key)
	}
	var buf [64]byte
	return w.ix.matches(w.ix.t.rows.get(p), w.ix.keyOf(row, buf[:0]))
}

// placeOf returns the place of an entry.
func (w *rangeWalk) placeOf(e *entry) *treeProbe {
	var buf [64]byte
	key := slices.Clone(w.ix.keyOf(w.ix.t.rows.get(e.ptr), buf[:0]))
	p := w.ix.probeOf(key, e.ptr)
	return &p
}
