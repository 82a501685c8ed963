package client

import (
	"iter"
	"sync"
	"sync/atomic"
)

// A Bound is one end of a range of keys. The zero Bound is no bound: the range is open
// at this end.
type Bound[K any] struct {
	kind boundKind
	key  K
}

type boundKind uint8

const (
	unbounded boundKind = iota
	included
	excluded
)

// Incl returns a bound that counts key itself.
func Incl[K any](key K) Bound[K] { return Bound[K]{included, key} }

// Excl returns a bound that leaves key itself out.
func Excl[K any](key K) Bound[K] { return Bound[K]{excluded, key} }

// between tells where a key stands: below the range, in it, or above.
func between[K any](compare func(a, b K) int, lo, hi Bound[K]) func(K) int {
	return func(k K) int {
		if lo.kind != unbounded {
			if n := compare(k, lo.key); n < 0 || n == 0 && lo.kind == excluded {
				return -1
			}
		}
		if hi.kind != unbounded {
			if n := compare(k, hi.key); n > 0 || n == 0 && hi.kind == excluded {
				return 1
			}
		}
		return 0
	}
}

// An index is kept up to date with a table.
type index[R any] interface {
	add(slot uint32, row *R)
	remove(slot uint32, row *R)
}

// A lazy is the part of an index that tells whether it is kept up to date: from its
// first use on. So an index that nobody uses costs nothing.
type lazy struct {
	used atomic.Bool
	mu   sync.Mutex
}

// use begins to keep an index up to date, unless that has happened. The cache is
// locked for reading, so nobody changes the rows.
func (t *table[R]) use(l *lazy, x index[R]) {
	if l.used.Load() {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.used.Load() {
		return
	}
	for i := range t.slots {
		if s := &t.slots[i]; s.total > 0 {
			x.add(uint32(i), s.row)
		}
	}
	t.attaching.Lock()
	t.indexes = append(t.indexes, x)
	t.attaching.Unlock()
	l.used.Store(true)
}

// collect returns the rows that search finds, as a snapshot.
func (t *table[R]) collect(search func(found func(slot uint32))) iter.Seq[*R] {
	return func(yield func(*R) bool) {
		for _, row := range t.snapshot(search) {
			if !yield(row) {
				return
			}
		}
	}
}

func (t *table[R]) snapshot(search func(found func(slot uint32))) (rows []*R) {
	t.cache.lock.rlock()
	defer t.cache.lock.runlock()
	search(func(slot uint32) { rows = append(rows, t.slots[slot].row) })
	return rows
}

// A UniqueIndex finds the row of a key; no two rows have the same.
type UniqueIndex[R any, K comparable] struct{ x *uniqueIndex[R, K] }

type uniqueIndex[R any, K comparable] struct {
	lazy
	t       *table[R]
	key     func(*R) K
	compare func(a, b K) int
	slots   map[K]uint32

	// The order of the keys, from its first use on.
	orderMu sync.Mutex
	order   *sorted[K]
}

// UniqueOf returns an index of a table by a unique column. compare orders its keys
// for Range; nil if they have no order. Generated packages use it.
func UniqueOf[R any, K comparable](t Table[R], key func(*R) K, compare func(a, b K) int) UniqueIndex[R, K] {
	return UniqueIndex[R, K]{&uniqueIndex[R, K]{t: t.t, key: key, compare: compare, slots: map[K]uint32{}}}
}

func (x *uniqueIndex[R, K]) add(slot uint32, row *R) {
	k := x.key(row)
	x.slots[k] = slot
	if x.order != nil {
		x.order.add(entry[K]{k, slot})
	}
}

func (x *uniqueIndex[R, K]) remove(slot uint32, row *R) {
	k := x.key(row)
	if x.slots[k] == slot {
		delete(x.slots, k)
	}
	if x.order != nil {
		x.order.remove(entry[K]{k, slot})
	}
}

// Find returns the row with the key; nil and false if there is none.
func (u UniqueIndex[R, K]) Find(key K) (*R, bool) {
	t := u.x.t
	t.cache.lock.rlock()
	defer t.cache.lock.runlock()
	t.use(&u.x.lazy, u.x)
	slot, ok := u.x.slots[key]
	if !ok {
		return nil, false
	}
	return t.slots[slot].row, true
}

// Range yields the rows with from <= key < to, by ascending key.
func (u UniqueIndex[R, K]) Range(from, to K) iter.Seq[*R] { return u.RangeOf(Incl(from), Excl(to)) }

// RangeOf yields the rows between two bounds, by ascending key.
func (u UniqueIndex[R, K]) RangeOf(from, to Bound[K]) iter.Seq[*R] {
	return u.Search(between(u.x.compare, from, to))
}

// Search is Index.Search.
func (u UniqueIndex[R, K]) Search(at func(K) int) iter.Seq[*R] {
	return u.x.t.collect(func(found func(slot uint32)) {
		u.x.t.use(&u.x.lazy, u.x)
		if order := u.x.sorted(); order != nil {
			order.from(at, found)
		}
	})
}

// sorted returns the order of the keys, and makes it the first time. The cache is
// locked for reading.
func (x *uniqueIndex[R, K]) sorted() *sorted[K] {
	x.orderMu.Lock()
	defer x.orderMu.Unlock()
	if x.order == nil && x.compare != nil {
		order := &sorted[K]{compare: x.compare}
		for k, slot := range x.slots {
			order.add(entry[K]{k, slot})
		}
		x.order = order
	}
	return x.order
}

// An Index finds the rows of a key, of which there may be many.
type Index[R, K any] struct{ x *orderedIndex[R, K] }

type orderedIndex[R, K any] struct {
	lazy
	t     *table[R]
	key   func(*R) K
	order sorted[K]
}

// IndexOf returns an index of a table by one or several columns, whose keys compare
// orders. Generated packages use it.
func IndexOf[R, K any](t Table[R], key func(*R) K, compare func(a, b K) int) Index[R, K] {
	return Index[R, K]{&orderedIndex[R, K]{t: t.t, key: key, order: sorted[K]{compare: compare}}}
}

func (x *orderedIndex[R, K]) add(slot uint32, row *R)    { x.order.add(entry[K]{x.key(row), slot}) }
func (x *orderedIndex[R, K]) remove(slot uint32, row *R) { x.order.remove(entry[K]{x.key(row), slot}) }

// Filter yields the rows with the key.
func (x Index[R, K]) Filter(key K) iter.Seq[*R] { return x.RangeOf(Incl(key), Incl(key)) }

// Range yields the rows with from <= key < to, by ascending key.
func (x Index[R, K]) Range(from, to K) iter.Seq[*R] { return x.RangeOf(Incl(from), Excl(to)) }

// RangeOf yields the rows between two bounds, by ascending key.
func (x Index[R, K]) RangeOf(from, to Bound[K]) iter.Seq[*R] {
	return x.Search(between(x.x.order.compare, from, to))
}

// Search yields the rows for whose keys at returns 0, by ascending key. at must be
// below zero for all keys before those, and above for all behind: so a prefix of the
// columns is found by comparing only these.
func (x Index[R, K]) Search(at func(K) int) iter.Seq[*R] {
	return x.x.t.collect(func(found func(slot uint32)) {
		x.x.t.use(&x.x.lazy, x.x)
		x.x.order.from(at, found)
	})
}
