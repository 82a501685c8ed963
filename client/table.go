package client

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"sync"

	"github.com/stdbgo/spacetime/internal/wire"
	"github.com/stdbgo/spacetime/sats"
)

// A table holds the rows of a table or view that some subscription has.
//
// Rows are told apart by their bytes: a hash finds candidates, whose bytes are made
// anew to compare them. So nothing but the row itself is kept, and a slot for it.
type table[R any] struct {
	info   *TableInfo[R]
	cache  *cache
	encode func(*R, []byte) []byte
	decode func(*R, *sats.Reader)

	seed  uint64
	heads map[uint64]uint32 // hash → first slot of its chain, plus 1
	slots []slot[R]
	free  []uint32
	extra map[slotSet]int32 // how often a row is in sets other than the slot's own
	live  int               // rows in the table

	attaching sync.Mutex // of indexes by readers, who share the cache's lock
	indexes   []index[R]

	// The transaction being applied, and then told.
	open     bool
	number   uint64
	touched  []uint32
	undo     []step
	deleted  []*R
	inserted []*R
	updated  []update[R]
	scratch  []byte
	reader   sats.Reader

	onInsert, onDelete handlers[func(*Event, *R)]
	onUpdate           handlers[func(ev *Event, old, new *R)]
}

// A slot counts one row. Its total is count and the row's entries in extra.
type slot[R any] struct {
	row    *R
	hash   uint64
	number uint64 // the last transaction that touched it
	next   uint32 // in the chain of the hash, plus 1
	set    uint32 // the set that count is of
	count  int32
	total  int32
	before int32 // total before transaction number
}

type slotSet struct{ slot, set uint32 }

// A step is one change of a count, for rollback.
type step struct {
	slotSet
	taken bool
}

// keepList is the length up to which the lists of a transaction are kept for the next.
const keepList = 4096

func (t *TableInfo[R]) make(c *cache) (cached, error) {
	encode, decode, err := t.codecs()
	if err != nil {
		return nil, err
	}
	return &table[R]{info: t, cache: c, encode: encode, decode: decode, seed: rand.Uint64(), heads: map[uint64]uint32{}}, nil
}

func (t *table[R]) began() bool {
	if t.open {
		return true
	}
	t.open = true
	t.number++
	t.forget() // only what was never told is left
	return false
}

// forget empties the lists of a transaction.
func (t *table[R]) forget() {
	t.touched, t.undo = reuse(t.touched), reuse(t.undo)
	t.deleted, t.inserted, t.updated = reuse(t.deleted), reuse(t.inserted), reuse(t.updated)
}

func reuse[T any](list []T) []T {
	if cap(list) > keepList {
		return nil
	}
	clear(list)
	return list[:0]
}

// find returns the slot of a row.
func (t *table[R]) find(row []byte, hash uint64) (uint32, bool) {
	for i := t.heads[hash]; i != 0; i = t.slots[i-1].next {
		t.scratch = t.encode(t.slots[i-1].row, t.scratch[:0])
		if bytes.Equal(t.scratch, row) {
			return i - 1, true
		}
	}
	return 0, false
}

// A misfitError is a row that is of another type than the bindings say, now or later.
type misfitError struct {
	table string
	err   error
}

func (e *misfitError) Error() string {
	return fmt.Sprintf("client: a row of table %s does not decode, so the bindings do not fit the module; generate them again: %v", e.table, e.err)
}

func (e *misfitError) Unwrap() error { return e.err }

// read decodes a row.
func (t *table[R]) read(b []byte) (*R, error) {
	row := new(R)
	t.reader.Reset(b)
	t.decode(row, &t.reader)
	if err := t.reader.End(); err != nil {
		return nil, &misfitError{t.info.Name, err}
	}
	return row, nil
}

func (t *table[R]) insert(set uint32, rows *wire.RowList) error {
	for n := range rows.Len() {
		b := rows.At(n)
		hash := sats.HashBytesSeed(t.seed, b)
		i, ok := t.find(b, hash)
		if !ok {
			row, err := t.read(b)
			if err != nil {
				return err
			}
			i = t.newSlot()
			t.slots[i] = slot[R]{row: row, hash: hash, next: t.heads[hash]}
			t.heads[hash] = i + 1
		}
		t.touch(i)
		t.put(i, set)
		t.undo = append(t.undo, step{slotSet{i, set}, false})
	}
	return nil
}

func (t *table[R]) newSlot() uint32 {
	if n := len(t.free); n > 0 {
		i := t.free[n-1]
		t.free = t.free[:n-1]
		return i
	}
	t.slots = append(t.slots, slot[R]{})
	return uint32(len(t.slots) - 1)
}

func (t *table[R]) remove(set uint32, rows *wire.RowList) error {
	for n := range rows.Len() {
		b := rows.At(n)
		i, ok := t.find(b, sats.HashBytesSeed(t.seed, b))
		if ok {
			t.touch(i)
			ok = t.take(i, set)
		}
		if !ok {
			return fmt.Errorf("client: the server deletes a row of table %s that this client does not have", t.info.Name)
		}
		t.undo = append(t.undo, step{slotSet{i, set}, true})
	}
	return nil
}

func (t *table[R]) happen(rows *wire.RowList) error {
	for n := range rows.Len() {
		row, err := t.read(rows.At(n))
		if err != nil {
			return err
		}
		t.inserted = append(t.inserted, row)
	}
	return nil
}

func (t *table[R]) touch(i uint32) {
	if s := &t.slots[i]; s.number != t.number {
		s.number, s.before = t.number, s.total
		t.touched = append(t.touched, i)
	}
}

// put counts a row once more for a set.
func (t *table[R]) put(i, set uint32) {
	s := &t.slots[i]
	s.total++
	switch {
	case s.count == 0:
		s.set, s.count = set, 1
	case s.set == set:
		s.count++
	default:
		if t.extra == nil {
			t.extra = map[slotSet]int32{}
		}
		t.extra[slotSet{i, set}]++
	}
}

// take counts a row once less for a set, and reports whether the set had it.
func (t *table[R]) take(i, set uint32) bool {
	s := &t.slots[i]
	if s.set == set && s.count > 0 {
		s.count--
		s.total--
		return true
	}
	k := slotSet{i, set}
	n := t.extra[k]
	if n == 0 {
		return false
	}
	if s.total--; n == 1 {
		delete(t.extra, k)
	} else {
		t.extra[k] = n - 1
	}
	return true
}

// drop takes out whatever a set has.
func (t *table[R]) drop(set uint32) {
	for i := range t.slots {
		if s := &t.slots[i]; s.count > 0 && s.set == set {
			t.touch(uint32(i))
			s.total -= s.count
			s.count = 0
		}
	}
	for k, n := range t.extra {
		if k.set == set {
			t.touch(k.slot)
			t.slots[k.slot].total -= n
			delete(t.extra, k)
		}
	}
}

// rollback undoes what insert and remove did. A drop cannot fail, and comes after
// them.
func (t *table[R]) rollback() {
	for n := len(t.undo) - 1; n >= 0; n-- {
		s := t.undo[n]
		if s.taken {
			t.put(s.slot, s.set)
		} else {
			t.take(s.slot, s.set)
		}
	}
	for _, i := range t.touched {
		if t.slots[i].total == 0 {
			t.freeSlot(i)
		}
	}
	t.forget()
	t.open = false
}

// commit makes visible what the transaction did, and notes it for the callbacks.
func (t *table[R]) commit() (inserted, deleted int) {
	t.open = false
	tell := t.listened()
	for _, i := range t.touched {
		s := &t.slots[i]
		if s.total != 0 {
			continue
		}
		if s.before > 0 {
			for _, x := range t.indexes {
				x.remove(i, s.row)
			}
			deleted++
			if tell {
				t.deleted = append(t.deleted, s.row)
			}
		}
		t.freeSlot(i)
	}
	for _, i := range t.touched {
		s := &t.slots[i]
		if s.total == 0 || s.before > 0 {
			continue
		}
		for _, x := range t.indexes {
			x.add(i, s.row)
		}
		inserted++
		if tell {
			t.inserted = append(t.inserted, s.row)
		}
	}
	t.live += inserted - deleted
	if tell && t.info.PrimaryKey != nil {
		t.deleted, t.inserted, t.updated = t.info.PrimaryKey.pair(t.deleted, t.inserted, t.updated)
	}
	return inserted, deleted
}

func (t *table[R]) listened() bool {
	return len(t.onInsert.all())+len(t.onDelete.all())+len(t.onUpdate.all()) > 0
}

func (t *table[R]) freeSlot(i uint32) {
	s := &t.slots[i]
	if at := t.heads[s.hash]; at == i+1 {
		if s.next == 0 {
			delete(t.heads, s.hash)
		} else {
			t.heads[s.hash] = s.next
		}
	} else {
		for t.slots[at-1].next != i+1 {
			at = t.slots[at-1].next
		}
		t.slots[at-1].next = s.next
	}
	*s = slot[R]{}
	t.free = append(t.free, i)
}

// tell runs the callbacks for the last transaction.
func (t *table[R]) tell(c *Conn, ev *Event) {
	tellRows(c, &t.onDelete, ev, t.deleted)
	for _, u := range t.updated {
		for _, h := range t.onUpdate.all() {
			if !h.gone.Load() {
				c.guard(func() { h.f(ev, u.old, u.new) })
			}
		}
	}
	tellRows(c, &t.onInsert, ev, t.inserted)
	t.forget()
}

func tellRows[R any](c *Conn, callbacks *handlers[func(*Event, *R)], ev *Event, rows []*R) {
	for _, row := range rows {
		for _, h := range callbacks.all() {
			if !h.gone.Load() {
				c.guard(func() { h.f(ev, row) })
			}
		}
	}
}

// rows returns the rows that are there now.
func (t *table[R]) rows() []*R {
	t.cache.lock.rlock()
	defer t.cache.lock.runlock()
	rows := make([]*R, 0, t.live)
	for i := range t.slots {
		if t.slots[i].total > 0 {
			rows = append(rows, t.slots[i].row)
		}
	}
	return rows
}
