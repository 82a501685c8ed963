package store

import (
	"iter"
	"sync"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/sats"
)

// Options say what a store is for. The zero value works.
type Options struct {
	// DatabaseID is written into snapshots, and a snapshot of another database is
	// refused. Zero: not checked.
	DatabaseID sats.Identity

	// HashSeed makes hash tables hard to fill with colliding keys by somebody who
	// does not know it. It shows nowhere.
	HashSeed uint64

	// Together runs functions that do not depend on each other, beside each other as
	// far as there are processors, and returns when all have ended; the indexes of a
	// store that recovers are built so. nil: one after the other.
	Together func([]func())
}

// A Store holds the tables of one database.
//
// All methods belong to the writer, whoever that is at the moment, but for View,
// NextOffset and what a View offers.
type Store struct {
	opts Options
	seed uint64

	// mu guards what the indexes and the lists of removed rows hold, the epochs
	// and the catalogues. The writer takes it for each change; a view for each
	// short look into an index. Rows are not guarded: see arena.
	mu        sync.Mutex
	epochs    epochs
	committed *catalog // of the last commit
	next      uint64   // offset of the next logged transaction

	tables map[schema.TableID]*table
	cat    *catalog // of tables as the writer sees them; nil: to be built
	tx     Tx
	behind bool               // see SequencesBehind
	kept   map[keptColumn]int // how often each is asked for; the writer's
	pool   commitPool
	replay *replay // nil once recovery is over

	rangeSlice int // entries a view reads at a time; tests make it small
}

// New returns an empty store that has the system tables (spec 08 §9).
func New(o Options) *Store {
	s := &Store{opts: o, seed: o.HashSeed, tables: map[schema.TableID]*table{}, rangeSlice: defaultRangeSlice}
	s.epochs.now, s.epochs.open = 1, map[uint64]int{}
	s.tx.s = s
	s.bootstrap()
	for _, t := range s.tables {
		t.settle()
	}
	s.committed = s.catalog()
	return s
}

// catalog returns the catalogue as the writer sees it.
func (s *Store) catalog() *catalog {
	if s.cat == nil {
		s.cat = newCatalog(s.tables)
	}
	return s.cat
}

// NextOffset returns the offset the next logged transaction will have.
func (s *Store) NextOffset() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.next
}

// lastOffset returns the offset of the last logged transaction, 0 if there is none.
func (s *Store) lastOffset() uint64 { return max(s.next, 1) - 1 }

// A Reader sees the rows of one state of the database: the open transaction's, or
// the committed one a view was opened on.
//
// Ids that name nothing give nil, zero and no rows. Rows are BSATN, must not be
// changed, and are valid until the next write of the transaction or the end of the
// view; a transaction must not write while it iterates.
type Reader interface {
	Table(id schema.TableID) *schema.Table
	// TableByName looks for a canonical name, then for an accessor.
	TableByName(name string) *schema.Table
	IndexByName(name string) (*schema.Table, *schema.Index)
	IndexByID(id schema.IndexID) (*schema.Table, *schema.Index)
	Tables() []*schema.Table // in id order; shared
	RowCount(id schema.TableID) uint64
	// Scan yields rows as they came, as long as no row was deleted or updated. A
	// new row may stand where such a row stood.
	Scan(id schema.TableID) iter.Seq[[]byte]
	// Point yields the rows whose index columns have the values key, their BSATN
	// back to back, which must be valid (see Tx.ParsePoint).
	Point(id schema.IndexID, key []byte) iter.Seq[[]byte]
	// Range yields rows in key order, or backwards. An index that is not ordered is
	// scanned.
	Range(id schema.IndexID, r Range) iter.Seq[[]byte]
	// FindUnique is Point for a unique index.
	FindUnique(id schema.IndexID, key []byte) ([]byte, bool)
}

var (
	_ Reader = (*Tx)(nil)
	_ Reader = (*View)(nil)
)

// A Range selects the rows whose first PrefixCols index columns have the values in
// Prefix, and whose next column lies between Lo and Hi. Columns behind are free
// (spec 03 §6).
type Range struct {
	Prefix     []byte // BSATN of the values back to back
	PrefixCols int
	Lo, Hi     Bound
	Desc       bool // from Hi to Lo
}

// A Bound is one end of a range.
type Bound struct {
	Kind  BoundKind
	Value []byte // BSATN of the column's type, unless Unbounded
}

// BoundKind says whether a bound counts itself.
type BoundKind uint8

// The zero value is no bound.
const (
	Unbounded BoundKind = iota
	Included
	Excluded
)

// MemoryBytes returns the bytes that rows and indexes occupy, free slots included.
func (s *Store) MemoryBytes() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	var n uint64
	for _, e := range s.committed.entries {
		n += e.t.bytes()
	}
	return n
}

func (t *table) bytes() uint64 {
	n := t.rows.bytes + t.indexBytes()
	if t.set != nil {
		n += t.set.bytes()
	}
	return n
}

// indexBytes is what the indexes of the schema take, and those that are kept for live
// queries.
func (t *table) indexBytes() (n uint64) {
	for _, ix := range t.indexes {
		n += ix.bytes()
	}
	for _, ix := range t.kept {
		n += ix.bytes()
	}
	return n
}

// TableStats counts what one table holds.
type TableStats struct {
	Table *schema.Table
	Rows  uint64
	Bytes uint64 // rows and indexes
	// IndexBytes is the part of Bytes that indexes take: keys, and pointers to rows.
	IndexBytes uint64
	// Large rows have memory of their own, and so many bytes.
	Large, LargeBytes uint64
}

// Stats returns the statistics of every table in id order.
func (s *Store) Stats() []TableStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	stats := make([]TableStats, len(s.committed.entries))
	for i, e := range s.committed.entries {
		r := &e.t.rows
		stats[i] = TableStats{
			Table: e.def, Rows: uint64(e.t.count), Bytes: e.t.bytes(), IndexBytes: e.t.indexBytes(),
			Large: uint64(r.large), LargeBytes: r.largest,
		}
	}
	return stats
}
