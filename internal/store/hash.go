package store

import "math/bits"

// A hashMap finds rows by 64-bit keys. It is what unique indexes and the row set are
// made of: the key is the column value itself where that fits in eight bytes, else a
// hash of it. It does not keep the keys, only 24 bits of their hashes beside the rows'
// addresses, eight bytes in all: what it finds are candidates, which the caller
// compares with the rows, whose bytes it wants anyway.
//
// It is an extendible hash: the top bits of a key's hash choose one of the segments,
// which are open-addressing arrays without pointers. Only one segment is rebuilt at a
// time, so that no single insert into a table of ten million rows takes longer than
// some ten microseconds.
//
// Every entry must name a stored row, as keyOf is asked for it now and then.
type hashMap struct {
	dir   []*hashSegment // 1<<depth entries
	keyOf func(rowPtr) uint64
	seed  uint64
	mult  uint64
	depth uint8
	count int
}

// A hashSegment holds the entries whose hashes share their top depth bits. An entry
// has a tag, bits base to base+23 of its hash counted from the top, above the address.
// Its home is in proportion to the bits of the tag behind the first depth bits of the
// hash, so that a segment may have any number of slots, and is rebuilt from one end to
// the other. Probing is linear; a removal shifts entries back, so there are no
// tombstones.
type hashSegment struct {
	slots []hashSlot
	used  int
	depth uint8
	base  uint8 // at most depth, and near it: the bits in front say nothing
}

// A hashSlot is an entry, 0 if there is none.
type hashSlot uint64

const (
	minSegment = 8
	maxSegment = 4096

	tagBits = 64 - ptrBits
	tagMask = 1<<tagBits - 1
	// A segment of so many more levels than its base takes new tags, from the rows.
	// Neighbours have nearly the same home, which is twelve bits; the six and more that
	// are left tell them apart.
	tagStep = 6
	// Equal keys stay together however often they are split.
	maxDepth = 64 - tagBits
)

func (e hashSlot) tag() uint64 { return uint64(e) >> ptrBits }
func (e hashSlot) ptr() rowPtr { return rowPtr(e & (1<<ptrBits - 1)) }

// newHashMap returns an empty map. keyOf returns the key that a row was added with.
func newHashMap(seed uint64, keyOf func(rowPtr) uint64) *hashMap {
	x := seed + 0x9e3779b97f4a7c15 // splitmix64
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return &hashMap{
		keyOf: keyOf, seed: seed ^ 0x9e3779b97f4a7c15, mult: x ^ x>>31 | 1,
		dir: []*hashSegment{{slots: make([]hashSlot, minSegment)}},
	}
}

// mix spreads a key over all 64 bits, in a way that nobody can foresee who does not
// know the seed: clients choose keys.
func (m *hashMap) mix(k uint64) uint64 {
	hi, lo := bits.Mul64(k^m.seed, m.mult)
	return hi ^ lo
}

func (m *hashMap) segment(h uint64) *hashSegment { return m.dir[h>>(64-m.depth)] }

func (s *hashSegment) tagOf(h uint64) uint64 { return h << s.base >> (64 - tagBits) }

// home returns where probing for a tag begins.
func (s *hashSegment) home(tag uint64) int {
	t := tag << (s.depth - s.base) & tagMask
	return int(t * uint64(len(s.slots)) >> tagBits)
}

// A hashProbe walks the candidates for one key. The map must not change meanwhile.
type hashProbe struct {
	slots []hashSlot
	tag   uint64
	at    int
}

func (m *hashMap) probe(key uint64) hashProbe {
	h := m.mix(key)
	s := m.segment(h)
	tag := s.tagOf(h)
	return hashProbe{slots: s.slots, tag: tag, at: s.home(tag)}
}

// next returns the next candidate, 0 if there is none left.
func (p *hashProbe) next() rowPtr {
	for {
		e := p.slots[p.at]
		if e == 0 {
			return 0
		}
		if p.at++; p.at == len(p.slots) {
			p.at = 0
		}
		if e.tag() == p.tag {
			return e.ptr()
		}
	}
}

func (m *hashMap) add(key uint64, ptr rowPtr) {
	h := m.mix(key)
	s := m.segment(h)
	for s.crowded() {
		m.grow(h)
		s = m.segment(h)
	}
	s.insert(s.tagOf(h), ptr)
	m.count++
}

// fill puts rows, with the keys that they were given, into an empty map; es is left in
// another order. It stops at a row for which same is true of one that is there and has
// the same key, and returns both.
//
// Memory is visited in order, which for millions of rows takes a fraction of the time
// that as many adds do.
func (m *hashMap) fill(es []entry, same func(p, q rowPtr) bool) (clash [2]rowPtr, ok bool) {
	depth := uint8(0)
	for len(es)>>depth > maxSegment/2 && depth < maxDepth {
		depth++
	}
	for i := range es {
		es[i].key = m.mix(es[i].key)
	}
	partitionEntries(es, int(depth))
	m.dir, m.depth, m.count = make([]*hashSegment, 1<<depth), depth, len(es)
	for i := range m.dir {
		n := 0
		for n < len(es) && int(es[n].key>>(64-depth)) == i {
			n++
		}
		s := newSegment(n, depth, depth-depth%tagStep)
		for _, e := range es[:n] {
			tag := s.tagOf(e.key)
			for p := (hashProbe{slots: s.slots, tag: tag, at: s.home(tag)}); ; {
				q := p.next()
				if q == 0 {
					break
				}
				if same(q, e.ptr) {
					return [2]rowPtr{q, e.ptr}, true
				}
			}
			s.insert(tag, e.ptr)
		}
		m.dir[i], es = s, es[n:]
	}
	return clash, false
}

// crowded reports that four fifths of the slots are taken.
func (s *hashSegment) crowded() bool { return 5*(s.used+1) > 4*len(s.slots) }

func (s *hashSegment) insert(tag uint64, ptr rowPtr) {
	i := s.home(tag)
	for s.slots[i] != 0 {
		if i++; i == len(s.slots) {
			i = 0
		}
	}
	s.slots[i] = hashSlot(tag<<ptrBits | uint64(ptr))
	s.used++
}

// newSegment returns a segment of which used entries would take five eighths.
func newSegment(used int, depth, base uint8) *hashSegment {
	slots := append([]hashSlot(nil), make([]hashSlot, max(minSegment, used+used*3/5))...)
	return &hashSegment{slots: slots[:cap(slots)], depth: depth, base: base} // what the allocator gives anyway
}

// grow makes room in the segment of h: a small one becomes larger, a large one splits.
// Where its entries cannot be told apart (many equal keys) it becomes larger as well.
func (m *hashMap) grow(h uint64) {
	s := m.segment(h)
	if len(s.slots) < maxSegment*7/8 || s.depth >= maxDepth || s.uniform() {
		s.refill()
		return
	}
	if s.depth == m.depth {
		dir := make([]*hashSegment, 2*len(m.dir))
		for i, d := range m.dir {
			dir[2*i], dir[2*i+1] = d, d
		}
		m.dir, m.depth = dir, m.depth+1
	}
	lo, hi := m.split(s)
	span := 1 << (m.depth - s.depth) // directory entries that name s
	first := int(h>>(64-m.depth)) &^ (span - 1)
	for i := range span / 2 {
		m.dir[first+i] = lo
		m.dir[first+span/2+i] = hi
	}
}

// refill gives the segment as many slots as befit its entries.
func (s *hashSegment) refill() {
	old := s.slots
	s.slots, s.used = newSegment(s.used, 0, 0).slots, 0
	for _, e := range old {
		if e != 0 {
			s.insert(e.tag(), e.ptr())
		}
	}
}

// split distributes the entries of a segment over two by the next bit of their hashes.
func (m *hashMap) split(s *hashSegment) (lo, hi *hashSegment) {
	if s.depth-s.base == tagStep {
		s = m.rebased(s)
	}
	upper := 0
	bit := tagBits - 1 - (s.depth - s.base)
	for _, e := range s.slots {
		upper += int(e.tag() >> bit & 1)
	}
	lo = newSegment(s.used-upper, s.depth+1, s.base)
	hi = newSegment(upper, s.depth+1, s.base)
	for _, e := range s.slots {
		switch {
		case e == 0:
		case e.tag()>>bit&1 == 0:
			lo.insert(e.tag(), e.ptr())
		default:
			hi.insert(e.tag(), e.ptr())
		}
	}
	return lo, hi
}

// rebased returns the segment with tags that begin at its depth.
func (m *hashMap) rebased(s *hashSegment) *hashSegment {
	r := &hashSegment{slots: make([]hashSlot, len(s.slots)), depth: s.depth, base: s.depth}
	for _, e := range s.slots {
		if e != 0 {
			r.insert(r.tagOf(m.mix(m.keyOf(e.ptr()))), e.ptr())
		}
	}
	return r
}

// uniform reports that all entries have the same tag, so that splitting cannot
// separate them.
func (s *hashSegment) uniform() bool {
	var first hashSlot
	for _, e := range s.slots {
		switch {
		case e == 0:
		case first == 0:
			first = e
		case e.tag() != first.tag():
			return false
		}
	}
	return true
}

// find returns the slot of the pair.
func (s *hashSegment) find(h uint64, ptr rowPtr) (int, bool) {
	tag := s.tagOf(h)
	want := hashSlot(tag<<ptrBits | uint64(ptr))
	for i := s.home(tag); ; {
		switch s.slots[i] {
		case want:
			return i, true
		case 0:
			return 0, false
		}
		if i++; i == len(s.slots) {
			i = 0
		}
	}
}

// has reports whether the pair is in the map.
func (m *hashMap) has(key uint64, ptr rowPtr) bool {
	h := m.mix(key)
	_, ok := m.segment(h).find(h, ptr)
	return ok
}

// remove takes the pair out and reports whether it was there.
func (m *hashMap) remove(key uint64, ptr rowPtr) bool {
	h := m.mix(key)
	s := m.segment(h)
	i, ok := s.find(h, ptr)
	if !ok {
		return false
	}
	n := len(s.slots)
	for j := i; ; {
		if j++; j == n {
			j = 0
		}
		e := s.slots[j]
		if e == 0 {
			break
		}
		if distance(s.home(e.tag()), j, n) >= distance(i, j, n) { // may move back to i
			s.slots[i] = e
			i = j
		}
	}
	s.slots[i] = 0
	s.used--
	m.count--
	if 8*s.used < n && n > 8*minSegment {
		s.refill()
	}
	return true
}

// distance returns how many slots one goes from a slot to another, around the end.
func distance(from, to, n int) int {
	if to < from {
		to += n
	}
	return to - from
}

// replace points the pair's entry to another row with the key, and reports whether it
// was there.
func (m *hashMap) replace(key uint64, old, ptr rowPtr) bool {
	h := m.mix(key)
	s := m.segment(h)
	i, ok := s.find(h, old)
	if ok {
		s.slots[i] = hashSlot(s.tagOf(h)<<ptrBits | uint64(ptr))
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
			n += uint64(len(s.slots))*8 + 48
			last = s
		}
	}
	return n
}
