package store

import (
	"bytes"
	"encoding/binary"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/sats"
)

// An index finds the rows of a table by the values of some columns.
//
// A unique index answers points from a hash (or, for a dense Direct index, an
// array). If it is ordered, its tree is built by the first range scan and kept from
// then on: almost all look-ups are points, which the hash answers three to four
// times faster. An index that is not unique is a tree only; for Algo Hash the tree
// is ordered by the hash of the key.
//
// A key is the BSATN of the index's columns back to back. An index over a single
// column of a product type counts the product's fields as its parts (spec 08 §5.1);
// otherwise parts and columns are the same.
type index struct {
	def    *schema.Index
	t      *table
	layout *sats.Layout // of the rows it is compiled for
	alive  bool         // it follows the table; a dropped index does not

	cols       []int
	parts      []*sats.Walker
	keyLayout  *sats.Layout // of a product of the parts
	first      int          // lowest column, where contiguous
	last       int
	contiguous bool // the columns stand side by side in a row, in index order
	offset     int  // static offset of a contiguous key, -1 if it varies
	inline     int  // size of a key that is its own hash key; -1: a hash is
	floats     bool // equal keys may differ in bytes
	encoder    *sats.KeyEncoder
	prefix     prefixer

	points  *hashMap // unique and not direct
	direct  *directIndex
	ordered *btree // not unique, or a range was asked for

	committedKeys int // different keys in the committed state
}

// keys returns the number of different keys. Of Algo Hash it counts hashes.
func (ix *index) keys() int {
	if ix.def.Unique {
		return ix.t.count
	}
	return ix.ordered.keys
}

// settle notes that the state of the index is committed.
func (ix *index) settle() { ix.committedKeys = ix.keys() }

func newIndex(def *schema.Index, l *sats.Layout, t *table) *index {
	ix := &index{def: def, t: t, layout: l, alive: true, inline: -1, offset: -1}
	var types []*sats.Type
	ix.contiguous = true
	for i, c := range def.Cols {
		ix.cols = append(ix.cols, int(c))
		types = append(types, l.ColType(int(c)))
		ix.contiguous = ix.contiguous && (i == 0 || c == def.Cols[i-1]+1)
	}
	ix.first, ix.last = ix.cols[0], ix.cols[len(ix.cols)-1]
	if off, ok := l.StaticOffset(ix.first); ok && ix.contiguous {
		ix.offset = off
	}
	ix.encoder = sats.NewKeyEncoder(types)
	for _, t := range types {
		ix.floats = ix.floats || hasFloats(t)
	}
	if n, ok := ix.encoder.FixedSize(); ok && n <= 8 && !ix.floats {
		ix.inline = n
	}
	if len(types) == 1 && types[0].Kind == sats.KindProduct {
		parts := types[0].Elems
		types = nil
		for _, e := range parts {
			types = append(types, e.Type)
		}
	}
	elems := make([]sats.Element, len(types))
	for i, t := range types {
		elems[i] = sats.Unnamed(t)
		ix.parts = append(ix.parts, sats.NewWalker(t))
	}
	ix.keyLayout, _ = sats.NewLayout(sats.Product(elems...)) // column types are ref-free
	ix.prefix = newPrefixer(types)
	ix.reset()
	return ix
}

// reset empties the index.
func (ix *index) reset() {
	ix.points, ix.direct, ix.ordered = nil, nil, nil
	switch {
	case !ix.def.Unique && ix.def.Algo == schema.Hash:
		ix.ordered = newBtree(nil)
	case !ix.def.Unique:
		ix.ordered = newBtree(ix.tieBreaker())
	case ix.def.Algo == schema.Direct && ix.inline > 0:
		ix.direct = &directIndex{}
	default:
		ix.points = newHashMap(ix.t.store.seed, ix.slotKeyAt)
	}
}

// tieBreaker is what the tree compares long keys with, nil if the prefix is all.
func (ix *index) tieBreaker() *index {
	if ix.prefix.exact {
		return nil
	}
	return ix
}

func hasFloats(t *sats.Type) bool {
	switch t.Kind {
	case sats.KindF32, sats.KindF64:
		return true
	case sats.KindArray:
		return hasFloats(t.Elem)
	}
	for i := range t.Elems {
		if hasFloats(t.Elems[i].Type) {
			return true
		}
	}
	return false
}

// keyOf returns the key of a row, in the row's memory or else appended to buf.
func (ix *index) keyOf(row, buf []byte) []byte {
	l := ix.layout
	if ix.offset >= 0 && ix.inline > 0 {
		return row[ix.offset : ix.offset+ix.inline]
	}
	if ix.contiguous {
		start, end := l.ColRange(row, ix.first)
		if ix.last != ix.first {
			_, end = l.ColRange(row, ix.last)
		}
		return row[start:end]
	}
	buf = buf[:0]
	for _, c := range ix.cols {
		buf = append(buf, l.Col(row, c)...)
	}
	return buf
}

// slotKeyAt returns the hash key of a stored row.
func (ix *index) slotKeyAt(p rowPtr) uint64 { return ix.slotKeyOf(ix.t.rows.get(p)) }

func (ix *index) slotKeyOf(row []byte) uint64 {
	var buf [64]byte
	return ix.slotKey(ix.keyOf(row, buf[:0]))
}

// slotKey returns a key's hash key: the key itself or a hash of it.
func (ix *index) slotKey(key []byte) uint64 {
	switch ix.inline {
	case 4:
		return uint64(binary.LittleEndian.Uint32(key))
	case 8:
		return binary.LittleEndian.Uint64(key)
	case -1:
		if ix.floats {
			key = ix.normal(key)
		}
		return sats.HashBytesSeed(ix.t.store.seed, key)
	}
	var k uint64
	for i := ix.inline - 1; i >= 0; i-- {
		k = k<<8 | uint64(key[i])
	}
	return k
}

// normal returns bytes that are equal for equal keys.
func (ix *index) normal(key []byte) []byte {
	dst := make([]byte, 0, 64)
	for i, c := range ix.cols {
		n := ix.layout.ColWalker(c).Len(key)
		dst = ix.encoder.AppendCol(dst, i, key[:n])
		key = key[n:]
	}
	return dst
}

// matches reports whether the row has the key.
func (ix *index) matches(row, key []byte) bool {
	switch {
	case ix.inline == 8 && ix.offset >= 0:
		return binary.LittleEndian.Uint64(row[ix.offset:]) == binary.LittleEndian.Uint64(key)
	case ix.inline == 4 && ix.offset >= 0:
		return binary.LittleEndian.Uint32(row[ix.offset:]) == binary.LittleEndian.Uint32(key)
	case ix.floats:
		return ix.compareKey(row, key, len(ix.parts)) == 0
	}
	var buf [64]byte
	return bytes.Equal(ix.keyOf(row, buf[:0]), key)
}

// compareRow orders the row at p against the first n parts of a key.
func (ix *index) compareRow(p rowPtr, key []byte, n int) int {
	return ix.compareKey(ix.t.rows.get(p), key, n)
}

func (ix *index) compareKey(row, key []byte, n int) int {
	var buf [64]byte
	k := ix.keyOf(row, buf[:0])
	for i, part := range ix.parts[:n] {
		if c := part.Compare(k, key); c != 0 {
			return c
		}
		if i+1 < n {
			k, key = k[part.Len(k):], key[part.Len(key):]
		}
	}
	return 0
}

func (ix *index) compareRows(p, q rowPtr) int {
	var buf [64]byte
	return ix.compareKey(ix.t.rows.get(p), ix.keyOf(ix.t.rows.get(q), buf[:0]), len(ix.parts))
}

// find returns a row with the key, 0 if there is none. The index must be unique.
func (ix *index) find(key []byte) rowPtr {
	k := ix.slotKey(key)
	if ix.direct != nil {
		return ix.direct.get(k)
	}
	for it := ix.points.probe(k); ; {
		p := it.next()
		if p == 0 || ix.matches(ix.t.rows.get(p), key) {
			return p
		}
	}
}

// probeOf returns the place of a row's own entry in the tree.
func (ix *index) probeOf(key []byte, p rowPtr) treeProbe {
	if ix.def.Algo == schema.Hash {
		return treeProbe{key: ix.slotKey(key), ptr: p}
	}
	prefix, _ := ix.prefix.of(key, len(ix.parts))
	return treeProbe{key: prefix, full: key, cols: len(ix.parts), ptr: p}
}

// add enters a row. Whether a unique index already has its key is the caller's
// question.
func (ix *index) add(row []byte, p rowPtr) {
	var buf [64]byte
	key := ix.keyOf(row, buf[:0])
	if ix.direct != nil && !ix.direct.set(ix.slotKey(key), p, ix.t.count) {
		ix.undirect()
	}
	if ix.points != nil {
		ix.points.add(ix.slotKey(key), p)
	}
	if ix.ordered != nil {
		probe := ix.probeOf(key, p)
		ix.ordered.insert(&probe)
	}
}

func (ix *index) remove(row []byte, p rowPtr) {
	var buf [64]byte
	key := ix.keyOf(row, buf[:0])
	ok := true
	switch {
	case ix.direct != nil:
		ok = ix.direct.clear(ix.slotKey(key), p)
	case ix.points != nil:
		ok = ix.points.remove(ix.slotKey(key), p)
	}
	if ix.ordered != nil {
		probe := ix.probeOf(key, p)
		ok = ix.ordered.remove(&probe) && ok
	}
	if !ok {
		panic("store: index " + ix.def.Name + " lacks a row of its table")
	}
}

// move makes the entry of the row at p, which has the same key as the row at q, the
// entry of q.
func (ix *index) move(row []byte, p, q rowPtr) {
	var buf [64]byte
	key := ix.keyOf(row, buf[:0])
	ok := true
	switch {
	case ix.direct != nil:
		ok = ix.direct.replace(ix.slotKey(key), p, q)
	case ix.points != nil:
		ok = ix.points.replace(ix.slotKey(key), p, q)
	}
	if ix.ordered != nil {
		if probe := ix.probeOf(key, p); !ix.ordered.replace(&probe, q) {
			ok = ix.ordered.remove(&probe) && ok
			probe.ptr = q
			ix.ordered.insert(&probe)
		}
	}
	if !ok {
		panic("store: index " + ix.def.Name + " lacks a row of its table")
	}
}

// undirect turns a Direct index whose keys are too sparse for an array into a hash.
func (ix *index) undirect() {
	d := ix.direct
	ix.direct, ix.points = nil, newHashMap(ix.t.store.seed, ix.slotKeyAt)
	d.each(0, func(k uint64, p rowPtr) bool {
		ix.points.add(k, p)
		return true
	})
}

// tree returns the ordered part, built now if this is the first range scan. Only
// the writer may call it, holding the store's lock if the index may be shared.
func (ix *index) tree() *btree {
	if ix.ordered == nil {
		es := make([]entry, 0, ix.t.count)
		ix.t.eachVisible(func(p rowPtr, row []byte) bool {
			var buf [64]byte
			prefix, _ := ix.prefix.of(ix.keyOf(row, buf[:0]), len(ix.parts))
			es = append(es, entry{prefix, p})
			return true
		})
		ix.ordered = newBtree(ix.tieBreaker())
		ix.ordered.fill(es)
	}
	return ix.ordered
}

// OrderIndex has an index answer ranges in order from now on, if it is not a hash
// index: a unique one begins to with the first range that a transaction reads. It
// belongs to the writer.
func (s *Store) OrderIndex(id schema.IndexID) {
	x := s.committed.indexes.get(uint32(id))
	if x == nil || x.ix.def.Algo != schema.BTree || x.ix.ordered != nil {
		return
	}
	s.mu.Lock() // views look into the index
	defer s.mu.Unlock()
	x.ix.tree()
}

// rangeProbes returns where a range begins and ends; nil is the end of the order.
func (ix *index) rangeProbes(r *Range) (lo, hi *treeProbe) {
	lo, hi = ix.boundProbe(r, r.Lo, sideBefore), ix.boundProbe(r, r.Hi, sideAfter)
	return lo, hi
}

// boundProbe returns the place of one bound. side is that of an included one.
func (ix *index) boundProbe(r *Range, b Bound, side int) *treeProbe {
	p := &treeProbe{full: r.Prefix, cols: r.PrefixCols, side: side}
	if b.Kind != Unbounded {
		p.full = append(append(make([]byte, 0, len(r.Prefix)+len(b.Value)), r.Prefix...), b.Value...)
		p.cols++
		if b.Kind == Excluded {
			p.side = -side
		}
	} else if r.PrefixCols == 0 {
		return nil
	}
	var rest uint64
	p.key, rest = ix.prefix.of(p.full, p.cols)
	if p.side == sideAfter {
		p.key |= rest
	}
	return p
}

// eachRange calls fn for the rows of a range in its order until it returns false.
func (ix *index) eachRange(r *Range, fn func(p rowPtr) bool) {
	t := ix.tree()
	lo, hi := ix.rangeProbes(r)
	if r.Desc {
		for c := t.last(hi); ; {
			e, ok := c.prev()
			if !ok || lo != nil && t.compare(&e, lo) < 0 || !fn(e.ptr) {
				return
			}
		}
	}
	for c := t.seek(lo); ; {
		e, ok := c.next()
		if !ok || hi != nil && t.compare(&e, hi) > 0 || !fn(e.ptr) {
			return
		}
	}
}

// eachPoint calls fn for the rows with the key until it returns false.
func (ix *index) eachPoint(key []byte, fn func(p rowPtr) bool) {
	if ix.def.Unique {
		if p := ix.find(key); p != 0 {
			fn(p)
		}
		return
	}
	probe := ix.probeOf(key, 0)
	probe.side = sideBefore
	for c := ix.ordered.seek(&probe); ; {
		e, ok := c.next()
		if !ok || e.key != probe.key {
			return
		}
		if !ix.entryMatches(&e, key) {
			if ix.def.Algo == schema.Hash {
				continue // another key with the same hash
			}
			return // the keys that agree in their prefix are ordered, and key's are over
		}
		if !fn(e.ptr) {
			return
		}
	}
}

// entryMatches reports whether an entry whose tree key is that of key has the key.
func (ix *index) entryMatches(e *entry, key []byte) bool {
	if ix.def.Algo == schema.Hash && ix.inline >= 0 || ix.def.Algo != schema.Hash && ix.prefix.exact {
		return true
	}
	return ix.matches(ix.t.rows.get(e.ptr), key)
}

func (ix *index) bytes() uint64 {
	var n uint64
	if ix.points != nil {
		n += ix.points.bytes()
	}
	if ix.direct != nil {
		n += ix.direct.bytes()
	}
	if ix.ordered != nil {
		n += ix.ordered.bytes()
	}
	return n
}
