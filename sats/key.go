package sats

import (
	"encoding/binary"
	"math/bits"
)

// A KeyEncoder turns encoded column values into index keys: bytes whose lexicographic order is the order of
// spec 01 §6, column by column. Values that are equal in that order (-0 and +0, all NaNs) give equal keys. The key of
// a value is never a proper prefix of the key of another value of its type, so keys of several columns are simply
// joined, and the keys of the first columns are the prefix of all keys that agree on them.
//
// Integers become big-endian with the sign bit of signed ones flipped; a 0 byte inside strings and bytes becomes 00 FF
// and 00 00 ends them; elements of other arrays are preceded by 01 and the array ends with 00.
type KeyEncoder struct {
	cols  []*node
	fixed int
}

// NewKeyEncoder returns the encoder of keys made of columns of the given ref-free types.
func NewKeyEncoder(types []*Type) *KeyEncoder {
	k := &KeyEncoder{cols: make([]*node, len(types))}
	for i, t := range types {
		k.cols[i] = compile(t)
		if size := k.cols[i].fixed; size >= 0 && k.fixed >= 0 {
			k.fixed += size
		} else {
			k.fixed = -1
		}
	}
	return k
}

// NumCols returns the number of columns of a full key.
func (k *KeyEncoder) NumCols() int { return len(k.cols) }

// FixedSize returns the length of every full key, if there is one.
func (k *KeyEncoder) FixedSize() (int, bool) { return max(k.fixed, 0), k.fixed >= 0 }

// AppendKey appends the key of valid encoded values of the first columns, as many as there are values.
func (k *KeyEncoder) AppendKey(dst []byte, values ...[]byte) []byte {
	for i, v := range values {
		dst, _ = k.cols[i].appendKey(dst, v)
	}
	return dst
}

// AppendCol appends the part of a key that column i contributes.
func (k *KeyEncoder) AppendCol(dst []byte, i int, value []byte) []byte {
	dst, _ = k.cols[i].appendKey(dst, value)
	return dst
}

// AppendRow appends the key of a valid row, whose columns cols are the columns of the key.
func (k *KeyEncoder) AppendRow(dst []byte, l *Layout, row []byte, cols []int) []byte {
	for i, c := range cols {
		start, end := l.ColRange(row, c)
		dst, _ = k.cols[i].appendKey(dst, row[start:end])
	}
	return dst
}

func (n *node) appendKey(dst, v []byte) (key []byte, used int) {
	switch n.kind {
	case KindProduct:
		for _, k := range n.kids {
			var m int
			dst, m = k.appendKey(dst, v[used:])
			used += m
		}
		return dst, used
	case KindSum:
		dst, used = n.kids[v[0]].appendKey(append(dst, v[0]), v[1:])
		return dst, used + 1
	case KindString:
		return appendKeyBody(dst, v)
	case KindArray:
		return n.appendKeyArray(dst, v)
	}
	return n.appendKeyScalar(dst, v), n.fixed
}

func (n *node) appendKeyScalar(dst, v []byte) []byte {
	le, be := binary.LittleEndian, binary.BigEndian
	switch n.kind {
	case KindBool, KindU8:
		return append(dst, v[0])
	case KindI8:
		return append(dst, v[0]^0x80)
	case KindI32:
		return be.AppendUint32(dst, le.Uint32(v)^1<<31)
	case KindU32:
		return be.AppendUint32(dst, le.Uint32(v))
	case KindI64:
		return be.AppendUint64(dst, le.Uint64(v)^1<<63)
	case KindU64:
		return be.AppendUint64(dst, le.Uint64(v))
	case KindF32:
		return be.AppendUint32(dst, orderedF32(le.Uint32(v)))
	case KindF64:
		return be.AppendUint64(dst, orderedF64(le.Uint64(v)))
	}
	first := len(dst)
	if n.fixed == 2 {
		dst = be.AppendUint16(dst, le.Uint16(v))
	} else {
		for i := n.fixed - 8; i >= 0; i -= 8 {
			dst = be.AppendUint64(dst, le.Uint64(v[i:]))
		}
	}
	if n.kind.IsSigned() {
		dst[first] ^= 0x80
	}
	return dst
}

func appendKeyBody(dst, v []byte) (key []byte, used int) {
	size := int(binary.LittleEndian.Uint32(v))
	used = 4 + size
	body := v[4:used]
	for {
		i := indexZero(body)
		if i < 0 {
			return append(append(dst, body...), 0, 0), used
		}
		dst = append(append(dst, body[:i]...), 0, 0xff)
		body = body[i+1:]
	}
}

// indexZero returns the index of the first zero byte, or -1, eight bytes at a time.
func indexZero(b []byte) int {
	i := 0
	for ; len(b)-i >= 8; i += 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		if z := (w - 0x0101010101010101) &^ w & 0x8080808080808080; z != 0 {
			return i + bits.TrailingZeros64(z)/8
		}
	}
	for ; i < len(b); i++ {
		if b[i] == 0 {
			return i
		}
	}
	return -1
}

func (n *node) appendKeyArray(dst, v []byte) (key []byte, used int) {
	if n.elem.kind == KindU8 {
		return appendKeyBody(dst, v)
	}
	used = 4
	for count := binary.LittleEndian.Uint32(v); count > 0; count-- {
		var m int
		dst, m = n.elem.appendKey(append(dst, 1), v[used:])
		used += m
	}
	return append(dst, 0), used
}
