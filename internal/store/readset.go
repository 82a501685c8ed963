package store

import (
	"bytes"
	"slices"

	"github.com/stdbgo/spacetime/internal/schema"
)

// A ReadSet is what a function has read (spec 08 §14.3): whole tables, and keys of
// indexes, whether or not rows had them. The zero value has nothing and is ready.
type ReadSet struct {
	tables map[schema.TableID]struct{}
	points map[schema.IndexID]map[string]schema.TableID
}

// AddTable notes that the whole table was read.
func (r *ReadSet) AddTable(id schema.TableID) {
	if r.tables == nil {
		r.tables = map[schema.TableID]struct{}{}
	}
	r.tables[id] = struct{}{}
}

// maxPoints bounds the keys of one index that are noted. A function that reads more has
// read the table.
const maxPoints = 1 << 16

func (r *ReadSet) addPoint(ix *index, key []byte) {
	if _, whole := r.tables[ix.t.def.ID]; whole {
		return
	}
	if len(r.points[ix.def.ID]) >= maxPoints {
		delete(r.points, ix.def.ID)
		r.AddTable(ix.t.def.ID)
		return
	}
	if r.points == nil {
		r.points = map[schema.IndexID]map[string]schema.TableID{}
	}
	m := r.points[ix.def.ID]
	if m == nil {
		m = map[string]schema.TableID{}
		r.points[ix.def.ID] = m
	}
	m[string(ix.comparable(key))] = ix.t.def.ID
}

// comparable returns bytes that are equal exactly for equal keys.
func (ix *index) comparable(key []byte) []byte {
	if ix.floats {
		return ix.normal(key)
	}
	return key
}

// addRange notes a range scan: a point if both bounds are one key, else the table.
func (r *ReadSet) addRange(ix *index, rg *Range) {
	if rg.PrefixCols == len(ix.parts)-1 && rg.Lo.Kind == Included && rg.Hi.Kind == Included && bytes.Equal(rg.Lo.Value, rg.Hi.Value) {
		r.addPoint(ix, slices.Concat(rg.Prefix, rg.Lo.Value))
		return
	}
	r.AddTable(ix.t.def.ID)
}

// ReadTable notes that the whole table was read, if the transaction notes its reads.
func (tx *Tx) ReadTable(id schema.TableID) {
	if tx.reads != nil {
		tx.reads.AddTable(id)
	}
}

// TrackReads makes the transaction note its reads in r from now on; nil ends that.
func (tx *Tx) TrackReads(r *ReadSet) {
	tx.mustBeOpen()
	tx.reads = r
}

// A ReadIndex finds, among many owners of read sets, those whose reads a
// transaction has touched. The zero value is ready.
type ReadIndex struct {
	sets   map[uint64]*ReadSet
	tables map[schema.TableID]owners
	points map[schema.TableID]map[schema.IndexID]map[string]owners
}

type owners map[uint64]struct{}

// Replace makes r, which must not change any more, the reads of an owner.
func (x *ReadIndex) Replace(owner uint64, r *ReadSet) {
	x.Remove(owner)
	if x.sets == nil {
		*x = ReadIndex{
			sets: map[uint64]*ReadSet{}, tables: map[schema.TableID]owners{},
			points: map[schema.TableID]map[schema.IndexID]map[string]owners{},
		}
	}
	x.sets[owner] = r
	for id := range r.tables {
		enter(x.tables, id, owner)
	}
	for id, keys := range r.points {
		for key, table := range keys {
			if x.points[table] == nil {
				x.points[table] = map[schema.IndexID]map[string]owners{}
			}
			if x.points[table][id] == nil {
				x.points[table][id] = map[string]owners{}
			}
			enter(x.points[table][id], key, owner)
		}
	}
}

func enter[K comparable](m map[K]owners, k K, owner uint64) {
	if m[k] == nil {
		m[k] = owners{}
	}
	m[k][owner] = struct{}{}
}

// leave takes an owner out and reports whether m is empty now.
func leave[K comparable](m map[K]owners, k K, owner uint64) bool {
	if delete(m[k], owner); len(m[k]) == 0 {
		delete(m, k)
	}
	return len(m) == 0
}

// Remove forgets an owner.
func (x *ReadIndex) Remove(owner uint64) {
	r := x.sets[owner]
	if r == nil {
		return
	}
	delete(x.sets, owner)
	for id := range r.tables {
		leave(x.tables, id, owner)
	}
	for id, keys := range r.points {
		for key, table := range keys {
			if leave(x.points[table][id], key, owner) {
				delete(x.points[table], id)
			}
			if len(x.points[table]) == 0 {
				delete(x.points, table)
			}
		}
	}
}

// Empty reports whether no owner has reads, and so nothing is ever stale.
func (x *ReadIndex) Empty() bool { return len(x.sets) == 0 }

// Stale returns the owners whose reads the transaction's changes touch so far, in
// ascending order. Changes without net effect do not count.
func (tx *Tx) Stale(x *ReadIndex) []uint64 {
	tx.mustBeOpen()
	var stale []uint64
	for _, t := range tx.tables {
		if t.inserted+t.deleted == 0 {
			continue
		}
		stale = x.tables[t.def.ID].appendTo(stale)
		for id, keys := range x.points[t.def.ID] {
			stale = t.staleKeys(id, keys, stale)
		}
	}
	slices.Sort(stale)
	return slices.Compact(stale)
}

func (o owners) appendTo(list []uint64) []uint64 {
	for owner := range o {
		list = append(list, owner)
	}
	return list
}

// staleKeys appends the owners of keys that a changed row has. If the index is gone,
// all keys count.
func (t *table) staleKeys(id schema.IndexID, keys map[string]owners, stale []uint64) []uint64 {
	ix := t.indexByID(id)
	if ix == nil || t.store.tables[t.def.ID] != t {
		for _, o := range keys {
			stale = o.appendTo(stale)
		}
		return stale
	}
	for _, p := range t.touched {
		if !t.slotIs(p, slotInserted) && !t.slotIs(p, slotDeleted) {
			continue
		}
		var buf [64]byte
		stale = keys[string(ix.comparable(ix.keyOf(t.rows.get(p), buf[:0])))].appendTo(stale)
	}
	return stale
}
