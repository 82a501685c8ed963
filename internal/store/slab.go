package store

import "encoding/binary"

// Rows live in slabs: byte arrays without pointers, cut into slots of one size.
// A slot starts with a header word, then the row's BSATN:
//
//	bits 30–31  state (slotFree … slotDeleted)
//	bits 13–29  age of the slot, in a slab with stamps (see slab.base)
//	bits 0–12   length of the row, for a slot in use
//	bits 0–12   1 + number of the next free slot of the slab, 0 = none, for a free one;
//	            bits 0–15 in a slab without stamps
//
// A row above maxSlotRow has a slab of its own, exactly as large as the row, and
// its state stands in the slab struct.
const (
	minSlab    = 1 << 10
	maxSlab    = 64 << 10
	maxSlotRow = 4 << 10
	headerSize = 4

	stateShift = 30
	stateMask  = 3 << stateShift
	ageShift   = 13
	maxAge     = 1<<(stateShift-ageShift) - 1
	ageMask    = maxAge << ageShift
	lengthMask = 1<<ageShift - 1
	nextMask   = 1<<16 - 1 // without stamps
)

// The state of a slot. A view opened in the middle of a transaction takes
// slotInserted for absent and slotDeleted for present.
const (
	slotFree     uint32 = iota
	slotLive            // committed
	slotInserted        // by the open transaction
	slotDeleted         // committed, deleted by the open transaction
)

// A RowPtr addresses a row of one table: slab number in bits 14–39, slot in bits
// 0–13. Zero is no row, as slab 0 does not exist. Hash tables use the other bits.
type rowPtr uint64

const (
	ptrBits  = 40
	slotBits = 14 // the smallest slot, without a row in it, has headerSize bytes
	maxSlabs = 1 << (ptrBits - slotBits)
)

func makePtr(slab, slot uint32) rowPtr { return rowPtr(slab)<<slotBits | rowPtr(slot) }
func (p rowPtr) slab() uint32          { return uint32(p >> slotBits) }
func (p rowPtr) slot() uint32          { return uint32(p & (1<<slotBits - 1)) }

// slotSizes are the slot sizes (header included) of tables with rows of varying
// length, at most a quarter apart.
var slotSizes = func() []uint32 {
	var s []uint32
	for n := uint32(16); n < 64; n += 8 {
		s = append(s, n)
	}
	for base := uint32(64); base < maxSlotRow; base *= 2 {
		for q := range uint32(4) {
			s = append(s, base+q*base/4)
		}
	}
	return append(s, maxSlotRow+headerSize)
}()

// slotSizeOf maps (row + header) bytes, in steps of eight rounded up, to an index of
// slotSizes.
var slotSizeOf = func() (t [(maxSlotRow+headerSize)/8 + 2]uint8) {
	k := 0
	for i := range t {
		for k < len(slotSizes)-1 && slotSizes[k] < uint32(i*8) {
			k++
		}
		t[i] = uint8(k)
	}
	return t
}()

// A slab is visible to every view whose epoch is at least birth; the writer copies
// it before a change while such a view is open.
type slab struct {
	data  []byte
	birth uint64 // epoch in which this copy came to be
	// base is the stamp of slot 0: how many slots the table had handed out for the
	// first time when it did so with this one. That of any other slot is base and
	// the slot's age. 0: the slots have no stamps, all being of one size.
	base   uint64
	stride uint32 // slot size; 0: one large row
	class  uint32 // index into arena.classes
	fresh  uint32 // slots from here on were never used
	slots  uint32 // number of slots
	free   uint32 // 1 + first free slot below fresh, 0 = none
	used   uint32 // slots not free
	state  uint32 // of the large row
	sealed bool   // it was cut off behind its last slot
}

func (s *slab) large() bool { return s.stride == 0 }

func (s *slab) header(slot uint32) uint32 {
	if s.stride == 0 {
		return s.state << stateShift
	}
	return binary.LittleEndian.Uint32(s.data[slot*s.stride:])
}

func (s *slab) setHeader(slot, h uint32) {
	binary.LittleEndian.PutUint32(s.data[slot*s.stride:], h)
}

// stamp returns the stamp of a slot below fresh.
func (s *slab) stamp(slot uint32) uint64 { return s.base + uint64(s.ageIn(s.header(slot))) }

// ageIn returns the age that a header has, 0 if it has none.
func (s *slab) ageIn(h uint32) uint32 {
	if s.base == 0 {
		return 0
	}
	return h & ageMask >> ageShift
}

// next returns 1 + the free slot behind a free one, 0 = none.
func (s *slab) next(slot uint32) uint32 {
	if s.base == 0 {
		return s.header(slot) & nextMask
	}
	return s.header(slot) & lengthMask
}

func (s *slab) slotState(slot uint32) uint32 { return s.header(slot) >> stateShift }

// row returns the bytes of a slot in use.
func (s *slab) row(slot uint32) []byte {
	if s.stride == 0 {
		return s.data[:len(s.data):len(s.data)]
	}
	at := slot * s.stride
	n := binary.LittleEndian.Uint32(s.data[at:]) & lengthMask
	at += headerSize
	return s.data[at : at+n : at+n]
}

// A slotClass hands out slots of one size.
type slotClass struct {
	stride uint32
	bytes  uint64   // of its slabs; the next one has up to a quarter of that
	most   uint32   // bytes that the next one may have, 0 = maxSlab
	avail  []uint32 // slabs that may have a free slot; the last is tried first
}

// An arena holds the rows of one table.
//
// Invariants: dir[0] is nil; a slab with a free slot stands in its class's avail;
// avail may also name slabs that are full, gone or of another class now; the stamps
// of a slab rise from slot to slot, and no two slots have the same one.
type arena struct {
	epochs  *epochs
	dir     []*slab // by slab number; shared with views up to their len
	dirBorn uint64  // epoch in which dir was last copied
	gone    []uint32
	classes []slotClass
	classOf [32]uint8 // by index of slotSizes: 1 + index of classes, 0 = none yet
	fixed   bool      // one class, for rows of one length
	stamp   uint64    // the last one given to a slot; none are given while fixed
	bytes   uint64
	large   int    // rows with slabs of their own
	largest uint64 // bytes of these
}

func (a *arena) init(e *epochs, fixedSize int, fixed bool) {
	*a = arena{epochs: e, dir: make([]*slab, 1, 2), dirBorn: e.now}
	if fixed && fixedSize <= maxSlotRow {
		a.fixed = true
		a.classes = []slotClass{{stride: uint32(fixedSize) + headerSize}}
	}
}

// refit prepares for rows of another type. Rows that are there stay.
func (a *arena) refit(fixedSize int, fixed bool) {
	a.fixed = a.fixed && fixed && uint32(fixedSize)+headerSize == a.classes[0].stride
}

// empty drops all rows. No view may be open.
func (a *arena) empty() {
	fixed := a.fixed
	if a.fixed {
		a.init(a.epochs, int(a.classes[0].stride-headerSize), true)
		return
	}
	a.init(a.epochs, 0, fixed)
}

// classFor returns the class for rows of n <= maxSlotRow bytes.
func (a *arena) classFor(n int) uint32 {
	if a.fixed {
		return 0
	}
	k := slotSizeOf[(n+headerSize+7)/8]
	if a.classOf[k] == 0 {
		a.classes = append(a.classes, slotClass{stride: slotSizes[k]})
		a.classOf[k] = uint8(len(a.classes))
	}
	return uint32(a.classOf[k]) - 1
}

// get returns the row's bytes. They stay in place until the row is freed.
func (a *arena) get(p rowPtr) []byte { return a.dir[p.slab()].row(p.slot()) }

func (a *arena) stateOf(p rowPtr) uint32 { return a.dir[p.slab()].slotState(p.slot()) }

// setState changes the state of a slot in use.
func (a *arena) setState(p rowPtr, state uint32) {
	s := a.writable(p.slab())
	if s.large() {
		s.state = state
		return
	}
	slot := p.slot()
	s.setHeader(slot, s.header(slot)&^stateMask|state<<stateShift)
}

// writable returns the slab for a change, copied first if an open view may read it.
func (a *arena) writable(n uint32) *slab {
	s := a.dir[n]
	if s.birth > a.epochs.pinned {
		return s
	}
	c := *s
	c.birth = a.epochs.now
	if !c.large() { // the bytes of a large row never change
		c.data = append([]byte(nil), s.data...)
	}
	a.setDir(n, &c)
	return &c
}

// setDir replaces an entry of the directory, which open views share.
func (a *arena) setDir(n uint32, s *slab) {
	if a.dirBorn <= a.epochs.pinned {
		a.dir = append(make([]*slab, 0, len(a.dir)+len(a.dir)/4+1), a.dir...)
		a.dirBorn = a.epochs.now
	}
	a.dir[n] = s
}

// full reports that there are no addresses for another slab: 4 TiB of rows, or 67
// million rows above maxSlotRow.
func (a *arena) full() bool { return len(a.dir) >= maxSlabs && len(a.gone) == 0 }

func (a *arena) addSlab(s *slab) uint32 {
	a.bytes += uint64(len(s.data))
	if s.large() {
		a.large, a.largest = a.large+1, a.largest+uint64(len(s.data))
	}
	if k := len(a.gone); k > 0 {
		n := a.gone[k-1]
		a.gone = a.gone[:k-1]
		a.setDir(n, s)
		return n
	}
	a.dir = append(a.dir, s) // beyond the length any view has
	return uint32(len(a.dir) - 1)
}

// put stores a copy of row in the given state.
func (a *arena) put(row []byte, state uint32) rowPtr {
	if len(row) > maxSlotRow {
		a.stamp++
		s := &slab{
			data: append([]byte(nil), row...), birth: a.epochs.now, base: a.stamp,
			slots: 1, fresh: 1, used: 1, state: state,
		}
		return makePtr(a.addSlab(s), 0)
	}
	s, n := a.slabWithRoom(a.classFor(len(row)))
	slot, age := a.take(s)
	at := slot * s.stride
	binary.LittleEndian.PutUint32(s.data[at:], state<<stateShift|age|uint32(len(row)))
	copy(s.data[at+headerSize:], row)
	return makePtr(n, slot)
}

// take hands out a slot of a slab that has one, and its age as it stands in a header.
// A slot that was used before keeps its age, so that ages still rise.
func (a *arena) take(s *slab) (slot, age uint32) {
	s.used++
	if s.free != 0 {
		slot = s.free - 1
		s.free = s.next(slot)
		if s.base != 0 {
			age = s.header(slot) & ageMask
		}
		return slot, age
	}
	slot = s.fresh
	s.fresh++
	if !a.fixed {
		a.stamp++
		if slot == 0 {
			s.base = a.stamp
		}
		age = uint32(a.stamp-s.base) << ageShift
	}
	return slot, age
}

func (a *arena) slabWithRoom(ci uint32) (*slab, uint32) {
	c := &a.classes[ci]
	for k := len(c.avail); k > 0; k-- {
		n := c.avail[k-1]
		if s := a.dir[n]; s != nil && s.class == ci && !s.large() && s.used < s.slots {
			if a.fixed || s.free != 0 || s.fresh == 0 || a.stamp-s.base < maxAge {
				return a.writable(n), n
			}
			a.seal(n)
		}
		c.avail = c.avail[:k-1]
	}
	slots := max(c.nextSlab()/c.stride, 1)
	s := &slab{data: make([]byte, slots*c.stride), birth: a.epochs.now, stride: c.stride, class: ci, slots: slots}
	c.bytes += uint64(len(s.data))
	n := a.addSlab(s)
	c.avail = append(c.avail, n)
	return s, n
}

// nextSlab returns how many bytes the next slab is to have. A quarter of what there is
// bounds what a table that is not full wastes.
func (c *slotClass) nextSlab() uint32 {
	most := uint32(maxSlab)
	if c.most != 0 {
		most = c.most
		c.most = min(2*most, maxSlab)
	}
	size := uint32(minSlab)
	for size < most && uint64(size)*8 <= c.bytes {
		size *= 2
	}
	return size
}

// seal cuts off the slots of a slab that were never used: it has become too old for
// the ages that a header can hold. Its class gets few rows, so its next slab is as
// large as what this one needed.
func (a *arena) seal(n uint32) {
	s := *a.dir[n]
	s.birth, s.sealed = a.epochs.now, true
	s.slots = s.fresh
	cut := uint64(len(s.data)) - uint64(s.fresh*s.stride)
	s.data = append([]byte(nil), s.data[:s.fresh*s.stride]...)
	a.bytes -= cut
	a.setDir(n, &s)
	c := &a.classes[s.class]
	c.bytes -= cut
	c.most = max(minSlab, uint32(len(s.data)))
}

// release frees the row's slot, and the slab with its last one if it is not the only one
// of its class.
func (a *arena) release(p rowPtr) {
	n := p.slab()
	s := a.dir[n]
	if s.large() || s.used == 1 && (s.sealed || uint64(len(s.data)) < a.classes[s.class].bytes) {
		if !s.large() {
			a.classes[s.class].bytes -= uint64(len(s.data))
		} else {
			a.large, a.largest = a.large-1, a.largest-uint64(len(s.data))
		}
		a.bytes -= uint64(len(s.data))
		a.setDir(n, nil)
		a.gone = append(a.gone, n)
		return
	}
	s = a.writable(n)
	if s.used == s.slots {
		c := &a.classes[s.class]
		c.avail = append(c.avail, n)
	}
	if s.used--; s.used == 0 {
		s.reset()
		return
	}
	s.giveBack(p.slot())
}

// reset makes all slots of a slab without rows unused again.
func (s *slab) reset() {
	for slot := range s.fresh {
		s.setHeader(slot, 0)
	}
	s.fresh, s.free = 0, 0
}

// giveBack makes a slot free. The last slots that were ever used become unused again
// as far as possible, so that what is undone leaves no trace in the order of rows.
func (s *slab) giveBack(slot uint32) {
	if slot+1 != s.fresh {
		var age uint32
		if s.base != 0 {
			age = s.header(slot) & ageMask
		}
		s.setHeader(slot, age|s.free)
		s.free = slot + 1
		return
	}
	s.setHeader(slot, 0)
	s.fresh--
	for s.free != 0 && s.free == s.fresh {
		slot = s.free - 1
		s.free = s.next(slot)
		s.setHeader(slot, 0)
		s.fresh--
	}
}

// each calls fn for every slot in use, in the order of stamps, until it returns
// false. fn may free the slot it is called for.
func (a *arena) each(fn func(p rowPtr, state uint32, row []byte) bool) {
	if !a.fixed {
		eachInOrder(a.dir, fn)
		return
	}
	for n := 1; n < len(a.dir); n++ { // dir may change under fn
		if s := a.dir[n]; s != nil && !s.each(uint32(n), fn) {
			return
		}
	}
}

func (s *slab) each(n uint32, fn func(p rowPtr, state uint32, row []byte) bool) bool {
	for slot := range s.fresh {
		if st := s.slotState(slot); st != slotFree && !fn(makePtr(n, slot), st, s.row(slot)) {
			return false
		}
	}
	return true
}

// epochs tells the writer which slabs open views can see.
type epochs struct {
	now    uint64 // epoch of slabs born from here on
	pinned uint64 // newest epoch an open view has, 0 = none
	open   map[uint64]int
}

func (e *epochs) pin() uint64 {
	v := e.now
	e.now++
	e.pinned = v
	e.open[v]++
	return v
}

func (e *epochs) unpin(v uint64) {
	if e.open[v]--; e.open[v] == 0 {
		delete(e.open, v)
	}
	e.pinned = 0
	for o := range e.open {
		e.pinned = max(e.pinned, o)
	}
}
