package store

import (
	"cmp"
	"iter"
	"slices"

	"github.com/stdbgo/spacetime/internal/schema"
)

// A Tx is the open transaction. It changes the tables at once and keeps what it
// needs to undo that. Every read sees its writes.
type Tx struct {
	s      *Store
	open   bool
	tables []*table  // those with touched rows
	seqs   []seqUndo // sequences whose row was rewritten

	undo    []func()        // of schema changes, to be run backwards
	reindex map[*table]bool // tables whose indexes a rollback builds anew

	reads *ReadSet // notes what is read, if not nil
	scans Scans    // since TakeScans

	onCommit []func()

	row       []byte // scratch: a row with generated values
	generated []byte
	catalogue []byte   // scratch: a catalogue row
	found     []rowPtr // scratch: rows to delete
}

// Begin opens the transaction. It panics if one is open, as there is one writer.
func (s *Store) Begin() *Tx {
	if s.tx.open {
		panic("store: Begin while a transaction is open")
	}
	if s.replay != nil {
		panic("store: Begin before FinishReplay")
	}
	s.tx.scans = Scans{}
	s.mu.Lock()
	s.tx.open = true
	s.mu.Unlock()
	return &s.tx
}

// Scans count the reads of functions, as their host notes them.
type Scans struct{ Rows, Bytes, Seeks uint64 }

// CountScan notes that so many rows were read, by way of an index if seek is set.
func (tx *Tx) CountScan(rows, bytes int, seek bool) {
	tx.scans.Rows += uint64(rows)
	tx.scans.Bytes += uint64(bytes)
	if seek {
		tx.scans.Seeks++
	}
}

// TakeScans returns what was noted and begins anew.
func (tx *Tx) TakeScans() Scans {
	s := tx.scans
	tx.scans = Scans{}
	return s
}

// mustBeOpen catches use after Commit or Rollback.
func (tx *Tx) mustBeOpen() {
	if !tx.open {
		panic("store: use of a closed transaction")
	}
}

// Rollback undoes everything but consumed sequence values. See [Store.SequencesBehind].
func (tx *Tx) Rollback() {
	tx.mustBeOpen()
	s := tx.s
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, undo := range slices.Backward(tx.undo) {
		undo()
	}
	for _, u := range slices.Backward(tx.seqs) {
		u.seq.stored = u.stored
		s.behind = true
	}
	for _, t := range tx.tables {
		t.rollback(tx.reindex[t])
		delete(tx.reindex, t)
	}
	for t := range tx.reindex {
		t.reindex()
	}
	if len(tx.undo) > 0 {
		s.cat = s.committed
	}
	tx.end()
}

// end closes the transaction, whose tables are settled.
func (tx *Tx) end() {
	clear(tx.tables)
	tx.tables = recycle(tx.tables)
	tx.seqs = recycle(tx.seqs)
	clear(tx.undo)
	tx.undo = tx.undo[:0]
	clear(tx.onCommit)
	tx.onCommit = tx.onCommit[:0]
	tx.reindex, tx.reads = nil, nil
	tx.row, tx.generated = recycle(tx.row), recycle(tx.generated)
	tx.catalogue, tx.found = recycle(tx.catalogue), recycle(tx.found)
	tx.open = false
}

// sortTables puts the touched tables in id order.
func (tx *Tx) sortTables() {
	if len(tx.tables) > 1 {
		slices.SortFunc(tx.tables, func(a, b *table) int { return cmp.Compare(a.def.ID, b.def.ID) })
	}
}

func (tx *Tx) table(id schema.TableID) *table {
	tx.mustBeOpen()
	if e := tx.s.catalog().byID.get(uint32(id)); e != nil {
		return e.t
	}
	return nil
}

func (tx *Tx) index(id schema.IndexID) *index {
	tx.mustBeOpen()
	if x := tx.s.catalog().indexes.get(uint32(id)); x != nil {
		return x.ix
	}
	return nil
}

func (tx *Tx) Table(id schema.TableID) *schema.Table {
	return tx.s.catalog().byID.get(uint32(id)).defOf()
}

func (tx *Tx) TableByName(name string) *schema.Table { return tx.s.catalog().table(name).defOf() }

func (tx *Tx) IndexByName(name string) (*schema.Table, *schema.Index) {
	return tx.s.catalog().indexByName(name).defs()
}

func (tx *Tx) IndexByID(id schema.IndexID) (*schema.Table, *schema.Index) {
	return tx.s.catalog().indexes.get(uint32(id)).defs()
}

func (tx *Tx) Tables() []*schema.Table { return tx.s.catalog().defs }

func (tx *Tx) RowCount(id schema.TableID) uint64 {
	t := tx.table(id)
	if t == nil {
		return 0
	}
	if tx.reads != nil {
		tx.reads.AddTable(id)
	}
	return uint64(t.count)
}

// DistinctKeys returns the number of different keys in an index, 0 if there is no
// such index. It does not count as reading the table.
func (tx *Tx) DistinctKeys(id schema.IndexID) uint64 {
	if ix := tx.index(id); ix != nil {
		return uint64(ix.keys())
	}
	return 0
}

func (tx *Tx) Scan(id schema.TableID) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		t := tx.table(id)
		if t == nil {
			return
		}
		if tx.reads != nil {
			tx.reads.AddTable(id)
		}
		t.eachVisible(func(_ rowPtr, row []byte) bool { return yield(row) })
	}
}

func (tx *Tx) Point(id schema.IndexID, key []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		if ix := tx.index(id); ix != nil {
			if tx.reads != nil {
				tx.reads.addPoint(ix, key)
			}
			ix.eachPoint(key, func(p rowPtr) bool { return yield(ix.t.rows.get(p)) })
		}
	}
}

func (tx *Tx) Range(id schema.IndexID, r Range) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		if ix := tx.index(id); ix != nil {
			if tx.reads != nil {
				tx.reads.addRange(ix, &r)
			}
			tx.eachRange(ix, &r, func(p rowPtr) bool { return yield(ix.t.rows.get(p)) })
		}
	}
}

// eachRange calls fn for the rows of a range in its order.
func (tx *Tx) eachRange(ix *index, r *Range, fn func(p rowPtr) bool) {
	if ix.def.Algo == schema.Hash {
		for _, p := range ix.scanRange(r) {
			if !fn(p) {
				return
			}
		}
		return
	}
	if ix.ordered == nil {
		tx.s.mu.Lock() // views look into the index
		ix.tree()
		tx.s.mu.Unlock()
	}
	ix.eachRange(r, fn)
}

// Ordered reports whether a range of the index is read in order without looking at
// every row.
func (tx *Tx) Ordered(id schema.IndexID) bool {
	ix := tx.index(id)
	return ix != nil && ix.def.Algo == schema.BTree
}

func (tx *Tx) FindUnique(id schema.IndexID, key []byte) ([]byte, bool) {
	ix := tx.index(id)
	if ix == nil || !ix.def.Unique {
		return nil, false
	}
	if tx.reads != nil {
		tx.reads.addPoint(ix, key)
	}
	if p := ix.find(key); p != 0 {
		return ix.t.rows.get(p), true
	}
	return nil, false
}

// scanRange finds the rows of a range without a tree, in its order.
func (ix *index) scanRange(r *Range) []rowPtr {
	f := ix.filter(r)
	var found []rowPtr
	ix.t.eachVisible(func(p rowPtr, row []byte) bool {
		if f.contains(row) {
			found = append(found, p)
		}
		return true
	})
	slices.SortFunc(found, func(a, b rowPtr) int {
		if r.Desc {
			a, b = b, a
		}
		return ix.compareRows(a, b)
	})
	return found
}

// A rangeFilter tells whether a row lies in a range.
type rangeFilter struct {
	ix     *index
	lo, hi *treeProbe
}

func (ix *index) filter(r *Range) rangeFilter {
	lo, hi := ix.rangeProbes(r)
	return rangeFilter{ix, lo, hi}
}

func (f rangeFilter) contains(row []byte) bool {
	if f.lo != nil {
		if c := f.ix.compareKey(row, f.lo.full, f.lo.cols); c < 0 || c == 0 && f.lo.side == sideAfter {
			return false
		}
	}
	if f.hi != nil {
		if c := f.ix.compareKey(row, f.hi.full, f.hi.cols); c > 0 || c == 0 && f.hi.side == sideBefore {
			return false
		}
	}
	return true
}
