package store

import "math/bits"

// A hashMap maps 64-bit keys to row pointers. It is what unique indexes and the
// row set are made of: the key is the column value itself where that fits in
// eight bytes, else a hash of it. Equal keys may occur more than once.
//
// It is an extendible hash: the top bits of the mixed key choose one of the
// segments, which are open-addressing arrays without pointers. Only one segment
// is rebuilt at a time, so that no single insert into a table of ten million rows
// takes longer than some ten microseconds.
type hashMap struct {
	dir   []*hashSegment // 1<<depth entries
	seed  uint64
	depth uint8
	count int
}

// A hashSegment holds the entries whose mixed keys share its top depth bits.
// Probing is linear from the low bits; a removal shifts entries back, so there
// are no tombstones.
type hashSegment struct {
	slots []hashSlot // power of two
	used  int
	depth uint8
}

type hashSlot struct {
	key uint64
	ptr rowPtr // 0: empty
}

const (
	minSegment = 8
	maxSegment = 4096
)

// mix spreads a key over all 64 bits, in a way that nobody can foresee who does not
// know the seed: clients choose keys.
func (m *hashMap) mix(k uint64) uint64 {
	hi, lo := bits.Mul64(k^m.seed^0x9e3779b97f4a7c15, 0xd6e8feb86659fd93)
	h := hi ^ lo
	return h ^ h>>32
}

func newHashMap(seed uint64) *hashMap {
	return &hashMap{seed: seed, dir: []*hashSegment{{slots: make([]hashSlot, minSegment)}}}
}

func (m *hashMap) segment(h uint64) *hashSegment { return m.dir[h>>(64-m.depth)] }

// get returns a pointer stored under key, 0 if there is none.
func (m *hashMap) get(key uint64) rowPtr {
	h := m.mix(key)
	s := m.segment(h)
	mask := uint64(len(s.slots) - 1)
	for i := h & mask; ; i = (i + 1) & mask {
		e := &s.slots[i]
		if e.key == key && e.ptr != 0 {
			return e.ptr
		}
		if e.ptr == 0 {
			return 0
		}
	}
}

// A hashProbe walks all pointers stored under one key. The map must not change
// meanwhile.
type hashProbe struct {
	slots []hashSlot
	key   uint64
	at    uint64
}

func (m *hashMap) probe(key uint64) hashProbe {
	h := m.mix(key)
	s := m.segment(h)
	return hashProbe{slots: s.slots, key: key, at: h & uint64(len(s.slots)-1)}
}

func (p *hashProbe) next() (rowPtr, bool) {
	mask := uint64(len(p.slots) - 1)
	for {
		e := p.slots[p.at]
		if e.ptr == 0 {
			return 0, false
		}
		p.at = (p.at + 1) & mask
		if e.key == p.key {
			return e.ptr, true
		}
	}
}

func (m *hashMap) add(key uint64, ptr rowPtr) {
	h := m.mix(key)
	s := m.segment(h)
	for s.used >= len(s.slots)-len(s.slots)/4 {
		m.grow(h)
		s = m.segment(h)
	}
	s.insert(h, key, ptr)
	m.count++
}

func (s *hashSegment) insert(h, key uint64, ptr rowPtr) {
	mask := uint64(len(s.slots) - 1)
	i := h & mask
	for s.slots[i].ptr != 0 {
		i = (i + 1) & mask
	}
	s.slots[i] = hashSlot{key, ptr}
	s.used++
}

// grow makes room in the segment of h: a small one doubles, a large one splits.
// Where its keys cannot be told apart (many equal ones) it doubles as well.
func (m *hashMap) grow(h uint64) {
	s := m.segment(h)
	if len(s.slots) < maxSegment || s.depth >= 40 || s.uniform() {
		old := s.slots
		s.slots, s.used = make([]hashSlot, 2*len(old)), 0
		for _, e := range old {
			if e.ptr != 0 {
				s.insert(m.mix(e.key), e.key, e.ptr)
			}
		}
		return
	}
	if s.depth == m.depth {
		dir := make([]*hashSegment, 2*len(m.dir))
		for i, d := range m.dir {
			dir[2*i], dir[2*i+1] = d, d
		}
		m.dir, m.depth = dir, m.depth+1
	}
	lo := &hashSegment{slots: make([]hashSlot, len(s.slots)), depth: s.depth + 1}
	hi := &hashSegment{slots: make([]hashSlot, len(s.slots)), depth: s.depth + 1}
	for _, e := range s.slots {
		if e.ptr == 0 {
			continue
		}
		x := m.mix(e.key)
		if x>>(63-s.depth)&1 == 0 {
			lo.insert(x, e.key, e.ptr)
		} else {
			hi.insert(x, e.key, e.ptr)
		}
	}
	span := 1 << (m.depth - s.depth) // directory entries that name s
	first := int(h>>(64-m.depth)) &^ (span - 1)
	for i := range span / 2 {
		m.dir[first+i] = lo
		m.dir[first+span/2+i] = hi
	}
}

// uniform reports that all entries have the same mixed key, so that splitting
// cannot separate them.
func (s *hashSegment) uniform() bool {
	var first uint64
	seen := false
	for _, e := range s.slots {
		if e.ptr == 0 {
			continue
		}
		if seen && e.key != first {
			return false
		}
		first, seen = e.key, true
	}
	return true
}

// find returns the slot of the pair.
func (s *hashSegment) find(h, key uint64, ptr rowPtr) (uint64, bool) {
	mask := uint64(len(s.slots) - 1)
	for i := h & mask; ; i = (i + 1) & mask {
		e := &s.slots[i]
		if e.ptr == ptr && e.key == key {
			return i, true
		}
		if e.ptr == 0 {
			return 0, false
		}
	}
}

// has reports whether the pair is in the map.
func (m *hashMap) has(key uint64, ptr rowPtr) bool {
	h := m.mix(key)
	_, ok := m.segment(h).find(h, key, ptr)
	return ok
}

// remove takes the pair out and reports whether it was there.
func (m *hashMap) remove(key uint64, ptr rowPtr) bool {
	h := m.mix(key)
	s := m.segment(h)
	i, ok := s.find(h, key, ptr)
	if !ok {
		return false
	}
	mask := uint64(len(s.slots) - 1)
	for j := (i + 1) & mask; s.slots[j].ptr != 0; j = (j + 1) & mask {
		home := m.mix(s.slots[j].key) & mask
		if (j-home)&mask >= (j-i)&mask { // may move back to i
			s.slots[i] = s.slots[j]
			i = j
		}
	}
	s.slots[i] = hashSlot{}
	s.used--
	m.count--
	return true
}

// replace points the pair's entry to another row, and reports whether it was there.
func (m *hashMap) replace(key uint64, old, ptr rowPtr) bool {
	h := m.mix(key)
	s := m.segment(h)
	i, ok := s.find(h, key, old)
	if ok {
		s.slots[i].ptr = ptr
	}
	return ok
}

// clear empties a small map for reuse and reports whether it was small.
func (m *hashMap) clear() bool {
	if m.depth > 0 || len(m.dir[0].slots) > 256 {
		return false
	}
	if m.count > 0 {
		clear(m.dir[0].slots)
		m.dir[0].used, m.count = 0, 0
	}
	return true
}

func (m *hashMap) bytes() uint64 {
	n := uint64(len(m.dir)) * 8
	var last *hashSegment
	for _, s := range m.dir {
		if s != last {
			n += uint64(len(s.slots))*16 + 48
			last = s
		}
	}
	return n
}
