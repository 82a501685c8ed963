package store

import (
	"encoding/binary"
	"math"

	"github.com/stdbgo/spacetime/sats"
)

// A prefixer maps an encoded key to the first eight bytes of an order-preserving
// encoding: prefix(a) < prefix(b) implies a < b in the order of spec 01 §6. Where
// all columns have fixed size and together at most eight bytes, equal prefixes mean
// equal keys. Nothing behind the first value of varying length is looked at, as its
// place differs from key to key.
type prefixer struct {
	ops   []prefixOp
	cols  []int // ops of the first i+1 columns
	exact bool
}

type prefixOp struct {
	kind sats.Kind
	size int // encoded bytes; 0 for opBytes
	code prefixCode
}

type prefixCode uint8

const (
	opUint prefixCode = iota // little endian, any width
	opInt                    // the same, signed
	opF32
	opF64
	opTag   // enum without payload
	opBytes // string or bytes; ends the prefix
	opStop  // ends the prefix; a tag before it may have been taken
)

func newPrefixer(types []*sats.Type) prefixer {
	p := prefixer{exact: true}
	size, open := 0, true
	for _, t := range types {
		if open {
			open = p.compile(t)
		}
		p.cols = append(p.cols, len(p.ops))
		n, ok := t.FixedSize()
		size += n
		p.exact = p.exact && ok
	}
	p.exact = p.exact && open && size <= 8
	return p
}

// compile appends the ops of a type and reports whether more may follow.
func (p *prefixer) compile(t *sats.Type) bool {
	switch k := t.Kind; k {
	case sats.KindProduct:
		for i := range t.Elems {
			if !p.compile(t.Elems[i].Type) {
				return false
			}
		}
		return true
	case sats.KindSum:
		p.ops = append(p.ops, prefixOp{k, 1, opTag})
		if t.IsPlainEnum() {
			return true
		}
		p.ops = append(p.ops, prefixOp{k, 0, opStop})
		return false
	case sats.KindString:
		p.ops = append(p.ops, prefixOp{k, 0, opBytes})
		return false
	case sats.KindArray:
		code := opStop
		if t.IsBytes() {
			code = opBytes
		}
		p.ops = append(p.ops, prefixOp{k, 0, code})
		return false
	case sats.KindF32:
		p.ops = append(p.ops, prefixOp{k, 4, opF32})
	case sats.KindF64:
		p.ops = append(p.ops, prefixOp{k, 8, opF64})
	default:
		code := opUint
		if k.IsSigned() {
			code = opInt
		}
		size := 1
		if k != sats.KindBool {
			size = k.Size()
		}
		p.ops = append(p.ops, prefixOp{k, size, code})
	}
	return true
}

// of returns the prefix of a key that has the first cols columns, and a mask of the
// low bits that later columns would fill.
func (p *prefixer) of(key []byte, cols int) (prefix, rest uint64) {
	if cols == 0 {
		return 0, math.MaxUint64
	}
	room := 64
	for i := range p.ops[:p.cols[cols-1]] {
		op := &p.ops[i]
		if op.code >= opBytes {
			if op.code == opBytes {
				prefix |= headOf(key) >> (64 - room)
			}
			return prefix, 0
		}
		prefix |= op.head(key) >> (64 - room)
		key = key[op.size:]
		if room -= 8 * op.size; room <= 0 {
			return prefix, 0
		}
	}
	return prefix, math.MaxUint64 >> (64 - room)
}

// headOf returns the first eight bytes of a string or byte array, big endian.
func headOf(v []byte) uint64 {
	n := binary.LittleEndian.Uint32(v)
	v = v[4 : 4+n]
	if len(v) >= 8 {
		return binary.BigEndian.Uint64(v)
	}
	var h uint64
	for i, b := range v {
		h |= uint64(b) << (56 - 8*i)
	}
	return h
}

// head returns the ordered form of a scalar in the top bits.
func (op *prefixOp) head(v []byte) uint64 {
	var h uint64
	switch le := binary.LittleEndian; op.size {
	case 1:
		h = uint64(v[0]) << 56
	case 2:
		h = uint64(le.Uint16(v)) << 48
	case 4:
		h = uint64(le.Uint32(v)) << 32
	default:
		h = le.Uint64(v[op.size-8:])
	}
	const sign = 1 << 63
	switch op.code {
	case opInt:
		h ^= sign
	case opF32:
		h = orderFloat(h, 0xff<<55) >> 32 << 32 // what follows has the lower half
	case opF64:
		h = orderFloat(h, 0x7ff<<52)
	}
	return h
}

// orderFloat orders float bits that stand in the top bits: -0 equals +0, all NaNs
// are equal and greatest. inf is positive infinity.
func orderFloat(h, inf uint64) uint64 {
	const sign = 1 << 63
	switch {
	case h&^uint64(sign) > inf:
		return math.MaxUint64
	case h == sign:
		return sign
	case h&sign != 0:
		return ^h
	}
	return h | sign
}
