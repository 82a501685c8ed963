package store

import (
	"iter"

	"github.com/stdbgo/spacetime/internal/schema"
)

// A View sees one committed state of the database, whatever the writer does. It is
// for one goroutine and must be closed: while it is open the writer copies each slab
// before its first change.
//
// Rows are read from the slabs of the view's epoch, without a lock. Indexes are the
// writer's, so what they say is checked against those slabs, and what they have lost
// since is found in the table's list of removed rows; each look into an index is a
// short one under the store's lock.
type View struct {
	s      *Store
	cat    *catalog
	epoch  uint64
	offset uint64
	next   uint64               // offset of the transaction after it
	tables []viewTable          // like cat.entries
	lost   map[*index]*lostRows // made on first use
	closed bool
}

// A viewTable is a table at the moment the view was opened.
type viewTable struct {
	dir     []*slab
	fixed   bool // as arena.fixed
	count   int
	bytes   uint64 // of rows, what the open transaction does and free slots included
	removed int    // position in the table's list of removed rows
}

// View opens a view of the last committed state. It may be called at any time, also
// while a transaction is open.
func (s *Store) View() *View {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := &View{s: s, cat: s.committed, epoch: s.epochs.pin(), offset: s.lastOffset(), next: s.next}
	v.tables = make([]viewTable, len(v.cat.entries))
	for i, e := range v.cat.entries {
		t := e.t
		// What the open transaction deleted so far belongs to the view: it is in
		// removed, behind the position.
		v.tables[i] = viewTable{
			dir:     t.rows.dir[:len(t.rows.dir):len(t.rows.dir)],
			fixed:   t.rows.fixed,
			count:   t.count - t.inserted + t.deleted,
			bytes:   t.rows.bytes,
			removed: t.removedBase + len(t.removed) - t.removedInTx,
		}
	}
	return v
}

// Close ends the view; rows got from it must not be used any more. Closing twice
// does nothing.
func (v *View) Close() {
	if v.closed {
		return
	}
	v.closed = true
	s := v.s
	s.mu.Lock()
	defer s.mu.Unlock()
	s.epochs.unpin(v.epoch)
	if s.epochs.pinned == 0 && !s.tx.open {
		for _, e := range s.committed.entries {
			e.t.trimRemoved()
		}
	}
}

// Offset returns the offset of the last logged transaction the view sees, 0 if there
// is none.
func (v *View) Offset() uint64 { return v.offset }

func (v *View) Table(id schema.TableID) *schema.Table { return v.cat.byID.get(uint32(id)).defOf() }

func (v *View) TableByName(name string) *schema.Table { return v.cat.table(name).defOf() }

func (v *View) IndexByName(name string) (*schema.Table, *schema.Index) {
	return v.cat.indexByName(name).defs()
}

func (v *View) IndexByID(id schema.IndexID) (*schema.Table, *schema.Index) {
	return v.cat.indexes.get(uint32(id)).defs()
}

func (v *View) Tables() []*schema.Table { return v.cat.defs }

func (v *View) RowCount(id schema.TableID) uint64 {
	if e := v.cat.byID.get(uint32(id)); e != nil {
		return uint64(v.tables[e.at].count)
	}
	return 0
}

// Ordered reports whether a range of the index is read in order without looking at
// every row; see [Store.OrderIndex].
func (v *View) Ordered(id schema.IndexID) bool {
	x := v.cat.indexes.get(uint32(id))
	if x == nil || x.ix.def.Algo != schema.BTree {
		return false
	}
	v.s.mu.Lock()
	defer v.s.mu.Unlock()
	return x.ix.alive && x.ix.ordered != nil
}

// RowBytes is how many bytes the rows of a table take: no fewer than their encodings
// have.
func (v *View) RowBytes(id schema.TableID) uint64 {
	if e := v.cat.byID.get(uint32(id)); e != nil {
		return v.tables[e.at].bytes
	}
	return 0
}

// DistinctKeys is the number of different keys in an index, 0 if there is no such
// index. It is that of the last commit, which may be newer than the view, but not
// more than the view has rows, and not 0 if it has any.
func (v *View) DistinctKeys(id schema.IndexID) uint64 {
	x := v.cat.indexes.get(uint32(id))
	if x == nil {
		return 0
	}
	rows := v.tables[x.e.at].count
	if x.def.Unique {
		return uint64(rows)
	}
	v.s.mu.Lock()
	defer v.s.mu.Unlock()
	return uint64(min(max(x.ix.committedKeys, 1), rows))
}

func (v *View) Scan(id schema.TableID) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		if e := v.cat.byID.get(uint32(id)); e != nil {
			v.tables[e.at].each(func(_ rowPtr, row []byte) bool { return yield(row) })
		}
	}
}

// each calls fn for the rows of the view, in the order of a scan, until it returns
// false.
func (vt *viewTable) each(fn func(p rowPtr, row []byte) bool) {
	visible := func(p rowPtr, state uint32, row []byte) bool {
		return state == slotInserted || fn(p, row)
	}
	if !vt.fixed {
		eachInOrder(vt.dir, visible)
		return
	}
	for n, s := range vt.dir {
		if s != nil && !s.each(uint32(n), visible) {
			return
		}
	}
}

// get returns the row that the view has in a place, if any.
func (vt *viewTable) get(p rowPtr) ([]byte, bool) {
	n, slot := p.slab(), p.slot()
	if uint64(n) >= uint64(len(vt.dir)) {
		return nil, false
	}
	s := vt.dir[n]
	if s == nil || slot >= s.slots {
		return nil, false
	}
	if st := s.slotState(slot); st != slotLive && st != slotDeleted {
		return nil, false
	}
	return s.row(slot), true
}
