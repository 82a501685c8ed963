package store

import (
	"cmp"
	"math"
	"math/bits"
	"slices"
	"sync"
)

// Rows of several sizes lie in slabs of several sizes, so that the place of a row
// tells nothing about when it came. Their slots have stamps instead, and a scan
// merges the slabs by them.

// A merge reads slabs side by side. Stamps are mostly dense, so it needs no
// comparing: it enters the slots with the next windowSize stamps into an array that
// has a place for each. The slabs that are being read are about as many as there are
// sizes of slots.
type merge struct {
	dir     []*slab
	slabs   []uint32 // with rows, by base
	pending []uint32 // those of them to come
	open    []slabCursor
	start   uint64                  // stamp of the first place
	filled  [windowSize / 64]uint64 // bits of places that have a slot
	places  [windowSize]place
}

const windowSize = 256

type place struct {
	cursor uint16
	slot   uint16
}

// A slabCursor stands at a slot in use, or has read its slab.
type slabCursor struct {
	s     *slab
	n     uint32 // number of the slab
	slot  uint32
	stamp uint64 // of that slot; never, if there is none
}

const never = math.MaxUint64

// merges keeps merges for reuse: reading a table is to take no memory.
var merges = sync.Pool{New: func() any { return new(merge) }}

func (m *merge) release() {
	clear(m.open[:cap(m.open)])
	m.dir, m.pending = nil, nil
	merges.Put(m)
}

// eachInOrder calls fn for every slot in use, by stamp, until it returns false. fn
// may free the slot it is called for.
func eachInOrder(dir []*slab, fn func(p rowPtr, state uint32, row []byte) bool) {
	m := merges.Get().(*merge)
	m.dir, m.slabs, m.open = dir, slabsByBase(m.slabs[:0], dir), m.open[:0]
	m.pending = m.slabs
	defer m.release()
	for len(m.pending) > 0 && dir[m.pending[0]].base == 0 { // without stamps
		n := m.pending[0]
		if m.pending = m.pending[1:]; !dir[n].each(n, fn) {
			return
		}
	}
	for m.next() {
		for w, word := range m.filled {
			for ; word != 0; word &= word - 1 {
				at := m.places[w*64+bits.TrailingZeros64(word)]
				c, slot := &m.open[at.cursor], uint32(at.slot)
				if !fn(makePtr(c.n, slot), c.s.slotState(slot), c.s.row(slot)) {
					return
				}
			}
		}
	}
}

// slabsByBase appends the numbers of the slabs with rows. They mostly are in order.
func slabsByBase(to []uint32, dir []*slab) []uint32 {
	sorted, last := true, uint64(0)
	for n, s := range dir {
		if s == nil || s.used == 0 {
			continue
		}
		sorted = sorted && last <= s.base
		last = s.base
		to = append(to, uint32(n))
	}
	if !sorted {
		slices.SortStableFunc(to, func(a, b uint32) int { return cmp.Compare(dir[a].base, dir[b].base) })
	}
	return to
}

// next enters the slots of the next window that has some, and reports whether there
// was one.
func (m *merge) next() bool {
	m.open = slices.DeleteFunc(m.open, func(c slabCursor) bool { return c.stamp == never })
	m.start = never
	if len(m.pending) > 0 {
		m.start = m.dir[m.pending[0]].base
	}
	for i := range m.open {
		m.start = min(m.start, m.open[i].stamp)
	}
	if m.start == never {
		return false
	}
	end := m.start + windowSize
	for len(m.pending) > 0 && m.dir[m.pending[0]].base < end {
		n := m.pending[0]
		m.pending = m.pending[1:]
		m.open = append(m.open, slabCursor{s: m.dir[n], n: n})
	}
	m.filled = [windowSize / 64]uint64{}
	for i := range m.open {
		if m.open[i].stamp < end {
			m.enter(i, end)
		}
	}
	return true
}

// enter enters the slots of a slab with stamps below end.
func (m *merge) enter(i int, end uint64) {
	c := &m.open[i]
	for s := c.s; c.slot < s.fresh; c.slot++ {
		h := s.header(c.slot)
		if h>>stateShift == slotFree {
			continue
		}
		c.stamp = s.base + uint64(s.ageIn(h))
		if c.stamp >= end {
			return
		}
		at := c.stamp - m.start
		m.places[at] = place{uint16(i), uint16(c.slot)}
		m.filled[at/64] |= 1 << (at % 64)
	}
	c.stamp = never
}
