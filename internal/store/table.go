package store

import (
	"bytes"
	"slices"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/sats"
)

// A table holds the rows of one table and what finds them.
//
// Invariants, when no operation is running:
//
//	every slot in state live or inserted is in every index, no other slot is
//	count is the number of those slots
//	set is nil iff some index is unique
//	outside a transaction no slot is inserted or deleted, and touched is empty
//	inserted and deleted count the slots in these states
type table struct {
	store   *Store
	def     *schema.Table
	rows    arena
	count   int
	indexes []*index    // in the order of def.Indexes
	kept    []*index    // beside the schema, see Store.KeepIndex
	ident   *index      // the unique index that finds equal rows; nil: set does
	set     *hashMap    // rows by the hash of their bytes
	seqs    []*sequence // in column order

	ephemeral bool // never logged (spec 08 §2.3)

	// Of the open transaction. A slot may be in touched more than once and may
	// have become free again; its state says what there is to do at the end.
	touched     []rowPtr
	inserted    int
	deleted     int
	changed     int      // bytes of the rows of both
	undelete    *hashMap // deleted rows by the hash of their bytes, where hasUndelete
	hasUndelete bool     // the transaction looked for one

	// removed lists committed rows that left the indexes, in order, while a view
	// is open or a transaction is. A view finds in it what the indexes have no
	// longer. removedBase counts entries dropped from its front.
	removed     []rowPtr
	removedBase int
	removedInTx int // entries of the open transaction
}

func (s *Store) newTable(def *schema.Table) *table {
	t := &table{store: s, def: def, ephemeral: isEphemeral(def)}
	size, fixed := def.Layout.FixedSize()
	t.rows.init(&s.epochs, size, fixed)
	for _, d := range def.Indexes {
		t.indexes = append(t.indexes, newIndex(d, def.Layout, t))
	}
	t.chooseIdent()
	return t
}

// isEphemeral reports whether the table's rows are neither logged nor kept in
// snapshots.
func isEphemeral(def *schema.Table) bool {
	return def.IsView || def.ID == schema.StViewSub || def.ID == schema.StViewArg
}

// chooseIdent decides what finds equal rows, and builds the row set if that is it.
func (t *table) chooseIdent() {
	t.ident = nil
	for _, ix := range t.indexes {
		if ix.def.Unique {
			t.ident, t.set = ix, nil
			return
		}
	}
	if t.set == nil {
		t.buildSet()
	}
}

func (t *table) buildSet() {
	t.set = t.newSet()
	t.set.fill(t.hashEntries(t.rowHash), func(p, q rowPtr) bool { return false })
}

// newSet returns an empty set of rows.
func (t *table) newSet() *hashMap {
	return newHashMap(t.store.seed, func(p rowPtr) uint64 { return t.rowHash(t.rows.get(p)) })
}

func (t *table) rowHash(row []byte) uint64 { return sats.HashBytesSeed(t.store.seed, row) }

// lookup returns the visible row with exactly these bytes, 0 if there is none, or
// else a unique index that has the row's key for another row.
func (t *table) lookup(row []byte) (same rowPtr, clash *index) {
	if t.ident == nil {
		return t.findIn(t.set, t.rowHash(row), row), nil
	}
	for _, ix := range t.indexes {
		if !ix.def.Unique {
			continue
		}
		var buf [64]byte
		if p := ix.find(ix.keyOf(row, buf[:0])); p != 0 {
			if bytes.Equal(t.rows.get(p), row) {
				return p, nil
			}
			return 0, ix
		}
	}
	return 0, nil
}

// find returns the visible row with exactly these bytes, 0 if there is none.
func (t *table) find(row []byte) rowPtr {
	if t.ident == nil {
		return t.findIn(t.set, t.rowHash(row), row)
	}
	var buf [64]byte
	p := t.ident.find(t.ident.keyOf(row, buf[:0]))
	if p != 0 && !bytes.Equal(t.rows.get(p), row) {
		return 0
	}
	return p
}

func (t *table) findIn(set *hashMap, hash uint64, row []byte) rowPtr {
	for it := set.probe(hash); ; {
		p := it.next()
		if p == 0 || bytes.Equal(t.rows.get(p), row) {
			return p
		}
	}
}

// link enters a stored row into the indexes, unlink takes it out.
func (t *table) link(p rowPtr, row []byte) {
	t.count++
	for _, ix := range t.indexes {
		ix.add(row, p)
	}
	for _, ix := range t.kept {
		ix.add(row, p)
	}
	if t.set != nil {
		t.set.add(t.rowHash(row), p)
	}
}

func (t *table) unlink(p rowPtr, row []byte) {
	t.count--
	for _, ix := range t.indexes {
		ix.remove(row, p)
	}
	for _, ix := range t.kept {
		ix.remove(row, p)
	}
	if t.set != nil {
		t.set.remove(t.rowHash(row), p)
	}
}

// eachVisible calls fn for the rows the writer sees until it returns false.
func (t *table) eachVisible(fn func(p rowPtr, row []byte) bool) {
	t.rows.each(func(p rowPtr, state uint32, row []byte) bool {
		return state == slotDeleted || fn(p, row)
	})
}

// conflict returns a unique index other than except that has the row's key for
// another row than old, or nil.
func (t *table) conflict(row []byte, except *index, old rowPtr) *index {
	for _, ix := range t.indexes {
		if !ix.def.Unique || ix == except {
			continue
		}
		var buf [64]byte
		if p := ix.find(ix.keyOf(row, buf[:0])); p != 0 && p != old {
			return ix
		}
	}
	return nil
}

// restore brings a row back that the transaction deleted, if there is one with
// exactly these bytes.
func (t *table) restore(row []byte) rowPtr {
	if t.deleted == 0 {
		return 0
	}
	hash := t.rowHash(row)
	p := t.findIn(t.deletedRows(), hash, row)
	if p == 0 {
		return 0
	}
	t.undelete.remove(hash, p)
	t.deleted--
	t.changed -= len(row)
	t.rows.setState(p, slotLive)
	t.link(p, t.rows.get(p))
	return p
}

// deletedRows returns undelete, which is filled when it is first needed: most
// transactions that delete do not insert afterwards.
func (t *table) deletedRows() *hashMap {
	if !t.hasUndelete {
		t.hasUndelete = true
		if t.undelete == nil {
			t.undelete = t.newSet()
		}
		for _, p := range t.touched {
			if t.slotIs(p, slotDeleted) {
				if hash := t.rowHash(t.rows.get(p)); !t.undelete.has(hash, p) {
					t.undelete.add(hash, p)
				}
			}
		}
	}
	return t.undelete
}

// insert stores a row that is not in the table and conflicts with none.
func (t *table) insert(row []byte) rowPtr {
	if p := t.restore(row); p != 0 {
		return p
	}
	p := t.rows.put(row, slotInserted)
	t.touch(p)
	t.inserted++
	t.changed += len(row)
	t.link(p, t.rows.get(p))
	return p
}

// delete removes a visible row.
func (t *table) delete(p rowPtr) {
	row := t.rows.get(p)
	t.unlink(p, row)
	t.vacate(p, row)
}

// vacate ends the visible life of a row that is in no index any more.
func (t *table) vacate(p rowPtr, row []byte) {
	if t.rows.stateOf(p) == slotInserted {
		t.inserted--
		t.changed -= len(row)
		t.rows.release(p)
		return
	}
	t.touch(p)
	t.deleted++
	t.changed += len(row)
	t.rows.setState(p, slotDeleted)
	t.removed = append(t.removed, p)
	t.removedInTx++
	if t.hasUndelete {
		t.undelete.add(t.rowHash(row), p)
	}
}

// update replaces a visible row by one that is not in the table and conflicts with
// no other row. Indexes whose key stays the same are only pointed to the new place.
func (t *table) update(old rowPtr, row []byte) rowPtr {
	if t.deleted > 0 && t.findIn(t.deletedRows(), t.rowHash(row), row) != 0 {
		t.delete(old)
		return t.restore(row)
	}
	p := t.rows.put(row, slotInserted)
	t.touch(p)
	t.inserted++
	t.changed += len(row)
	stored, was := t.rows.get(p), t.rows.get(old)
	for _, ix := range t.indexes {
		ix.replace(was, stored, old, p)
	}
	for _, ix := range t.kept {
		ix.replace(was, stored, old, p)
	}
	if t.set != nil {
		t.set.remove(t.rowHash(was), old)
		t.set.add(t.rowHash(stored), p)
	}
	t.vacate(old, was)
	return p
}

// replace enters a row that takes the place of another.
func (ix *index) replace(was, row []byte, old, p rowPtr) {
	var a, b [64]byte
	if bytes.Equal(ix.keyOf(was, a[:0]), ix.keyOf(row, b[:0])) {
		ix.move(row, old, p)
		return
	}
	ix.remove(was, old)
	ix.add(row, p)
}

// touch notes that the transaction changed the slot.
func (t *table) touch(p rowPtr) {
	if len(t.touched) == 0 {
		t.store.tx.tables = append(t.store.tx.tables, t)
	}
	t.touched = append(t.touched, p)
}

// rollback undoes the transaction's changes of rows. With reindex the indexes are
// built anew instead of followed, as schema changes may have made them stale.
func (t *table) rollback(reindex bool) {
	for _, p := range slices.Backward(t.touched) { // gives the slots back as they came
		if t.slotIs(p, slotInserted) {
			if row := t.rows.get(p); !reindex {
				t.unlink(p, row)
			}
			t.rows.release(p)
		}
	}
	for _, p := range t.touched {
		if t.slotIs(p, slotDeleted) {
			t.rows.setState(p, slotLive)
			if !reindex {
				t.link(p, t.rows.get(p))
			}
		}
	}
	t.endTx()
	if reindex {
		t.reindex()
	}
}

// slotIs reports the state of a slot whose slab may be gone.
func (t *table) slotIs(p rowPtr, state uint32) bool {
	s := t.rows.dir[p.slab()]
	return s != nil && p.slot() < s.slots && s.slotState(p.slot()) == state
}

// endTx forgets the transaction, whose slots have their final states.
func (t *table) endTx() {
	t.touched = recycle(t.touched)
	t.inserted, t.deleted, t.changed, t.removedInTx = 0, 0, 0, 0
	t.hasUndelete = false
	if t.undelete != nil && !t.undelete.clear() {
		t.undelete = nil
	}
	t.trimRemoved()
}

// recycle empties a buffer for reuse, or drops it if an unusual transaction made
// it large.
func recycle[T any](s []T) []T {
	if cap(s) > 1<<11 {
		return nil
	}
	return s[:0]
}

// trimRemoved drops entries of removed that no open view needs.
func (t *table) trimRemoved() {
	if t.store.epochs.pinned == 0 {
		t.removedBase += len(t.removed)
		t.removed = recycle(t.removed)
	}
}

// reindex builds count, indexes and row set from the rows.
func (t *table) reindex() {
	for _, ix := range t.indexes {
		ix.reset()
	}
	t.count, t.set = 0, nil
	t.chooseIdent()
	t.eachVisible(func(rowPtr, []byte) bool {
		t.count++
		return true
	})
	for _, ix := range t.indexes {
		ix.build()
	}
	for _, ix := range t.kept {
		ix.reset()
		ix.fill()
	}
}

// fill builds the tree of an index that is not unique from all visible rows.
func (ix *index) fill() {
	es := make([]entry, 0, ix.t.count)
	ix.t.eachVisible(func(p rowPtr, row []byte) bool {
		var buf [64]byte
		probe := ix.probeOf(ix.keyOf(row, buf[:0]), p)
		es = append(es, entry{probe.key, p})
		return true
	})
	ix.ordered.fill(es)
}

// indexByID returns the table's index with this id, or nil.
func (t *table) indexByID(id schema.IndexID) *index {
	i := slices.IndexFunc(t.indexes, func(ix *index) bool { return ix.def.ID == id })
	if i < 0 {
		return nil
	}
	return t.indexes[i]
}
