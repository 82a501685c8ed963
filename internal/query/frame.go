package query

import (
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/sats"
)

// A frame is one running plan. Frames are reused; between runs they hold no
// rows of the store.
type frame struct {
	r    store.Reader
	d    *store.Delta // nil in a full run
	rows [][]byte     // the current row of each relation
	sign int          // +1 or -1: whether the current tuple joins or leaves the result
	ops  []opState    // by operator number
	bufs [][]byte     // computed values, by number
	net  bag          // of a delta run

	emit  func(row []byte) bool // of a full run
	out   []byte                // projected row
	left  uint64                // rows that LIMIT still lets pass
	skip  uint64                // rows that OFFSET still passes over
	count uint64

	inOrder bool   // rows come in the order that is asked for
	walk    uint64 // how many more may be looked at for that
	lost    bool   // that was too few

	slots  [][]byte // grouping expressions and aggregates of the current group
	group  *grouping
	sorter *sorter
	seen   *rowSet

	budget *budget // of the statement; nil: unlimited
	ticks  uint
	err    error // ends the run
}

// fail ends the run with an error; the first one counts.
func (f *frame) fail(err error) {
	if f.err == nil {
		f.err = err
	}
}

// tick counts a step of a loop and reports whether the run may go on.
func (f *frame) tick() bool {
	f.ticks++
	return f.ticks%checkEvery != 0 || f.budget == nil || f.pause()
}

func (f *frame) pause() bool {
	if f.budget.check != nil {
		if err := f.budget.check(); err != nil {
			f.fail(err)
		}
	}
	return f.err == nil
}

// hold accounts for n bytes that the run keeps until it ends.
func (f *frame) hold(n int) bool {
	if f.budget != nil && !f.budget.hold(n) {
		f.fail(f.budget.exceeded())
		return false
	}
	return true
}

// An opState is what one operator remembers during a run.
type opState struct {
	key    []byte
	filled bool
	arena  arena
	tuples []tuple
	spans  []span
	heads  map[uint64]int32 // key hash -> first of tuples, or of changed, + 1

	changed []change // of a read of the state before the transaction
	other   []byte   // a second key

	matches int  // of a rule, or of the left side of an outer join
	none    bool // a sub-select has the value none, or has it among others
}

// A change is a changed row with its sign; next is as in tuple.
type change struct {
	row  []byte
	next int32
	sign int
}

// A tuple is one remembered combination of rows. Its spans, one per relation and
// then the key, lie from spans[at] on.
type tuple struct {
	hash uint64
	next int32 // next tuple of the same hash + 1; 0: none
	sign int
	at   int
}

func (s *opState) reset() {
	s.filled, s.none, s.matches = false, false, 0
	s.arena.reset()
	s.tuples, s.spans = s.tuples[:0], s.spans[:0]
	clear(s.changed) // drop the rows
	s.changed = s.changed[:0]
	clear(s.heads)
}

// A span is a byte range of an arena.
type span struct{ from, to int }

// An arena keeps copies of rows: what the store hands out lives only as long as
// the step that reads it.
type arena struct{ b []byte }

// keepArena is the largest arena that a frame keeps for its next run.
const keepArena = 1 << 20

func (a *arena) reset() {
	if cap(a.b) > keepArena {
		a.b = nil
	}
	a.b = a.b[:0]
}

func (a *arena) add(b []byte) span {
	from := len(a.b)
	a.b = append(a.b, b...)
	return span{from, len(a.b)}
}

func (a *arena) at(s span) []byte { return a.b[s.from:s.to:s.to] }

// remember stores the current rows of rels under a key. It reports false if the
// run has no memory left for them.
func (s *opState) remember(f *frame, rels []int, key []byte) bool {
	t := tuple{hash: sats.HashBytes(key), sign: f.sign, at: len(s.spans)}
	before := len(s.arena.b)
	for _, rel := range rels {
		if f.rows[rel] == nil {
			s.spans = append(s.spans, missing)
			continue
		}
		s.spans = append(s.spans, s.arena.add(f.rows[rel]))
	}
	s.spans = append(s.spans, s.arena.add(key))
	if s.heads == nil {
		s.heads = make(map[uint64]int32)
	}
	t.next = s.heads[t.hash]
	s.tuples = append(s.tuples, t)
	s.heads[t.hash] = int32(len(s.tuples))
	return f.hold(len(s.arena.b) - before + tupleCost + 16*len(rels))
}

// tupleCost is about what a remembered tuple takes beside its rows.
const tupleCost = 72

// missing is the span of a row that a LEFT JOIN did not find.
var missing = span{-1, -1}

// recall makes t the current tuple for rels.
func (s *opState) recall(f *frame, t *tuple, rels []int) {
	for i, rel := range rels {
		if sp := s.spans[t.at+i]; sp == missing {
			f.rows[rel] = nil
		} else {
			f.rows[rel] = s.arena.at(sp)
		}
	}
}

// keyOf returns the key that t was remembered under; n is the number of its rows.
func (s *opState) keyOf(t *tuple, n int) []byte { return s.arena.at(s.spans[t.at+n]) }

// delta returns what the transaction changed in a table, or nil.
func (f *frame) delta(id schema.TableID) *store.TableDelta {
	if f.d == nil {
		return nil
	}
	return tableDelta(f.d, id)
}

func tableDelta(d *store.Delta, id schema.TableID) *store.TableDelta {
	for i := range d.Tables {
		if d.Tables[i].Table.ID == id {
			return &d.Tables[i]
		}
	}
	return nil
}

// A bag nets rows: it counts for each distinct row how often it joined a result
// less how often it left.
type bag struct {
	added   int // how often
	arena   arena
	entries []bagEntry
	heads   map[uint64]int32 // row hash -> first entry + 1
}

type bagEntry struct {
	row  span
	hash uint64
	next int32
	n    int
}

func (b *bag) reset() {
	b.arena.reset()
	b.entries, b.added = b.entries[:0], 0
	clear(b.heads)
}

func (b *bag) add(row []byte, n int) {
	b.added++
	h := sats.HashBytes(row)
	for i := b.heads[h]; i > 0; i = b.entries[i-1].next {
		if e := &b.entries[i-1]; string(b.arena.at(e.row)) == string(row) {
			e.n += n
			return
		}
	}
	if b.heads == nil {
		b.heads = make(map[uint64]int32)
	}
	b.entries = append(b.entries, bagEntry{b.arena.add(row), h, b.heads[h], n})
	b.heads[h] = int32(len(b.entries))
}

// Duplicates count rows of a delta that are there more than once.
type Duplicates struct {
	Evaluated uint64 // that the terms of joins gave beyond the first time
	Sent      uint64 // that are in the result beyond the first time
}

// duplicates counts them before emit.
func (b *bag) duplicates(into *Duplicates) {
	into.Evaluated += uint64(b.added - len(b.entries))
	for i := range b.entries {
		n := b.entries[i].n
		into.Sent += uint64(max(n, -n, 1) - 1)
	}
}

// emit hands out every row as often as its count says.
func (b *bag) emit(ins, del func(row []byte)) {
	for i := range b.entries {
		e := &b.entries[i]
		row, out := b.arena.at(e.row), ins
		n := e.n
		if n < 0 {
			n, out = -n, del
		}
		for range n {
			out(row)
		}
	}
}
