package store

import (
	"iter"
	"slices"

	"github.com/stdbgo/spacetime/internal/schema"
)

// A keptColumn is a column whose rows the writer looks up although no index of the
// schema begins with it.
type keptColumn struct {
	table schema.TableID
	col   schema.ColID
}

// KeepIndex lets Tx.PointBy look rows of a table up by a column, until DropKept has
// been called as often. The index is no part of the schema: nobody else sees it. It is
// built when it is first looked into and follows the table from then on. Both functions
// belong to the writer.
func (s *Store) KeepIndex(id schema.TableID, col schema.ColID) {
	if s.kept == nil {
		s.kept = map[keptColumn]int{}
	}
	s.kept[keptColumn{id, col}]++
}

// DropKept ends one KeepIndex.
func (s *Store) DropKept(id schema.TableID, col schema.ColID) {
	k := keptColumn{id, col}
	if s.kept[k]--; s.kept[k] > 0 {
		return
	}
	delete(s.kept, k)
	if t := s.tables[id]; t != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		t.kept = slices.DeleteFunc(slices.Clone(t.kept), func(ix *index) bool { return ix.cols[0] == int(col) })
	}
}

// PointBy yields the rows that have a value, in BSATN, in a column. ok is false if
// nobody has asked for that with KeepIndex.
func (tx *Tx) PointBy(id schema.TableID, col schema.ColID, value []byte) (rows iter.Seq[[]byte], ok bool) {
	ix := tx.keptIndex(id, col)
	if ix == nil {
		return nil, false
	}
	return func(yield func([]byte) bool) {
		ix.eachPoint(value, func(p rowPtr) bool { return yield(ix.t.rows.get(p)) })
	}, true
}

func (tx *Tx) keptIndex(id schema.TableID, col schema.ColID) *index {
	t := tx.table(id)
	if t == nil || tx.reads != nil {
		return nil
	}
	for _, ix := range t.kept {
		if ix.cols[0] == int(col) {
			return ix
		}
	}
	if tx.s.kept[keptColumn{id, col}] == 0 || int(col) >= len(t.def.Cols) {
		return nil
	}
	def := &schema.Index{Name: t.def.Name + " by " + t.def.Cols[col].Name, Algo: schema.Hash, Cols: []schema.ColID{col}}
	ix := newIndex(def, t.def.Layout, t)
	ix.fill()
	tx.s.mu.Lock() // statistics look at the indexes
	defer tx.s.mu.Unlock()
	t.kept = append(slices.Clone(t.kept), ix)
	return ix
}
