package sats

import (
	"bytes"
	"encoding/binary"
	"math"
)

// A Cmp orders two valid encoded values of one type: negative, 0 or positive.
type Cmp func(a, b []byte) int

// NewCompare returns the order of spec 01 §6 over encoded values of the ref-free type t. Both arguments must start
// with a valid value.
func NewCompare(t *Type) Cmp {
	n := compile(t)
	switch n.kind {
	case KindU8, KindBool:
		return func(a, b []byte) int { return int(a[0]) - int(b[0]) }
	case KindU32:
		return func(a, b []byte) int {
			return cmpU64(uint64(binary.LittleEndian.Uint32(a)), uint64(binary.LittleEndian.Uint32(b)))
		}
	case KindU64:
		return func(a, b []byte) int {
			return cmpU64(binary.LittleEndian.Uint64(a), binary.LittleEndian.Uint64(b))
		}
	case KindI64:
		return func(a, b []byte) int {
			return cmpI64(int64(binary.LittleEndian.Uint64(a)), int64(binary.LittleEndian.Uint64(b)))
		}
	}
	return func(a, b []byte) int {
		c, _ := n.compare(a, b)
		return c
	}
}

// orderedF64 maps float bits to integers in the order of spec 01 §6: -0 equals +0, all NaNs are equal and greatest.
func orderedF64(bits uint64) uint64 {
	const sign = 1 << 63
	switch {
	case bits&^uint64(sign) > 0x7ff0000000000000:
		return math.MaxUint64
	case bits == sign:
		return sign
	case bits&sign != 0:
		return ^bits
	}
	return bits | sign
}

// orderedF32 is orderedF64 for F32.
func orderedF32(bits uint32) uint32 {
	const sign = 1 << 31
	switch {
	case bits&^uint32(sign) > 0x7f800000:
		return math.MaxUint32
	case bits == sign:
		return sign
	case bits&sign != 0:
		return ^bits
	}
	return bits | sign
}

// compare orders the values at the start of a and b. If they are equal they have the same length, used.
func (n *node) compare(a, b []byte) (c, used int) {
	switch n.kind {
	case KindProduct:
		for _, k := range n.kids {
			c, m := k.compare(a[used:], b[used:])
			if c != 0 {
				return c, 0
			}
			used += m
		}
		return 0, used
	case KindSum:
		if a[0] != b[0] {
			return int(a[0]) - int(b[0]), 0
		}
		c, used = n.kids[a[0]].compare(a[1:], b[1:])
		return c, used + 1
	case KindString:
		return compareBody(a, b)
	case KindArray:
		return n.compareArray(a, b)
	}
	return n.compareScalar(a, b), n.fixed
}

func (n *node) compareScalar(a, b []byte) int {
	le := binary.LittleEndian
	switch n.kind {
	case KindBool, KindU8:
		return int(a[0]) - int(b[0])
	case KindI8:
		return int(int8(a[0])) - int(int8(b[0]))
	case KindI16:
		return int(int16(le.Uint16(a))) - int(int16(le.Uint16(b)))
	case KindU16:
		return int(le.Uint16(a)) - int(le.Uint16(b))
	case KindI32:
		return cmpI64(int64(int32(le.Uint32(a))), int64(int32(le.Uint32(b))))
	case KindU32:
		return cmpU64(uint64(le.Uint32(a)), uint64(le.Uint32(b)))
	case KindI64:
		return cmpI64(int64(le.Uint64(a)), int64(le.Uint64(b)))
	case KindU64:
		return cmpU64(le.Uint64(a), le.Uint64(b))
	case KindF32:
		return cmpU64(uint64(orderedF32(le.Uint32(a))), uint64(orderedF32(le.Uint32(b))))
	case KindF64:
		return cmpU64(orderedF64(le.Uint64(a)), orderedF64(le.Uint64(b)))
	}
	size := n.fixed
	if n.kind.IsSigned() {
		if c := int(int8(a[size-1])) - int(int8(b[size-1])); c != 0 {
			return c
		}
	}
	return cmpReversed(a[:size], b[:size])
}

func compareBody(a, b []byte) (c, used int) {
	lenA, lenB := int(binary.LittleEndian.Uint32(a)), int(binary.LittleEndian.Uint32(b))
	return bytes.Compare(a[4:4+lenA], b[4:4+lenB]), 4 + lenA
}

func (n *node) compareArray(a, b []byte) (c, used int) {
	e := n.elem
	if e.kind == KindU8 {
		return compareBody(a, b)
	}
	lenA, lenB := binary.LittleEndian.Uint32(a), binary.LittleEndian.Uint32(b)
	used = 4
	if e.fixed != 0 {
		for i := min(lenA, lenB); i > 0; i-- {
			c, m := e.compare(a[used:], b[used:])
			if c != 0 {
				return c, 0
			}
			used += m
		}
	}
	return cmpU64(uint64(lenA), uint64(lenB)), used
}
