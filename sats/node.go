package sats

import (
	"encoding/binary"
)

// A node is a ref-free type compiled for walking its encoded values.
type node struct {
	kind  Kind
	fixed int  // encoded size of every value, -1 if it varies
	min   int  // encoded size of the smallest value
	plain bool // all bytes of the right length are a valid value
	elem  *node
	kids  []*node
}

// The nodes of types without parts are shared.
var leafNodes = [numKinds]node{
	KindRef:    {kind: KindRef, fixed: -1},
	KindString: {kind: KindString, fixed: -1, min: 4},
	KindBool:   {kind: KindBool, fixed: 1, min: 1},
	KindI8:     {kind: KindI8, fixed: 1, min: 1, plain: true},
	KindU8:     {kind: KindU8, fixed: 1, min: 1, plain: true},
	KindI16:    {kind: KindI16, fixed: 2, min: 2, plain: true},
	KindU16:    {kind: KindU16, fixed: 2, min: 2, plain: true},
	KindI32:    {kind: KindI32, fixed: 4, min: 4, plain: true},
	KindU32:    {kind: KindU32, fixed: 4, min: 4, plain: true},
	KindI64:    {kind: KindI64, fixed: 8, min: 8, plain: true},
	KindU64:    {kind: KindU64, fixed: 8, min: 8, plain: true},
	KindI128:   {kind: KindI128, fixed: 16, min: 16, plain: true},
	KindU128:   {kind: KindU128, fixed: 16, min: 16, plain: true},
	KindI256:   {kind: KindI256, fixed: 32, min: 32, plain: true},
	KindU256:   {kind: KindU256, fixed: 32, min: 32, plain: true},
	KindF32:    {kind: KindF32, fixed: 4, min: 4, plain: true},
	KindF64:    {kind: KindF64, fixed: 8, min: 8, plain: true},
}

// compile returns the node of t. A ref inside t compiles to a node that no value satisfies.
func compile(t *Type) *node {
	switch t.Kind {
	case KindArray:
		return &node{kind: KindArray, fixed: -1, min: 4, elem: compile(t.Elem)}
	case KindProduct:
		n := &node{kind: KindProduct, plain: true, kids: make([]*node, len(t.Elems))}
		for i := range t.Elems {
			k := compile(t.Elems[i].Type)
			n.kids[i] = k
			n.min += k.min
			n.plain = n.plain && k.plain
			if n.fixed >= 0 && k.fixed >= 0 {
				n.fixed += k.fixed
			} else {
				n.fixed = -1
			}
		}
		return n
	case KindSum:
		return compileSum(t)
	}
	return &leafNodes[t.Kind]
}

func compileSum(t *Type) *node {
	n := &node{kind: KindSum, fixed: -1, min: 1, kids: make([]*node, len(t.Elems))}
	same, least := true, 0
	for i := range t.Elems {
		k := compile(t.Elems[i].Type)
		n.kids[i] = k
		if i == 0 || k.min < least {
			least = k.min
		}
		same = same && k.fixed >= 0 && k.fixed == n.kids[0].fixed
	}
	n.min += least
	if same && len(n.kids) > 0 {
		n.fixed = 1 + n.kids[0].fixed
	}
	return n
}

// readNames are the names of reads in decode errors: Bool, tags and floats read as integers.
var readNames = [numKinds]string{
	KindBool: "u8", KindI8: "i8", KindU8: "u8", KindI16: "i16", KindU16: "u16", KindI32: "i32", KindU32: "u32",
	KindI64: "i64", KindU64: "u64", KindI128: "i128", KindU128: "u128", KindI256: "i256", KindU256: "u256",
	KindF32: "u32", KindF64: "u64",
}

// check validates the value at b[pos:] and returns the position after it. zero counts array elements of no size.
func (n *node) check(b []byte, pos int, zero *int) (int, error) {
	if n.plain && len(b)-pos >= n.fixed && n.fixed >= 0 {
		return pos + n.fixed, nil
	}
	switch n.kind {
	case KindString:
		end, err := checkBody(b, pos)
		if err == nil && !validText(b[pos+4:end]) {
			err = errUTF8
		}
		return end, err
	case KindBool:
		if len(b) <= pos {
			return pos, errShort("u8", 1, 0)
		}
		if b[pos] > 1 {
			return pos, errBool(b[pos])
		}
		return pos + 1, nil
	case KindProduct:
		var err error
		for _, k := range n.kids {
			if pos, err = k.check(b, pos, zero); err != nil {
				return pos, err
			}
		}
		return pos, nil
	case KindSum:
		if len(b) <= pos {
			return pos, errShort("u8", 1, 0)
		}
		tag := b[pos]
		if int(tag) >= len(n.kids) {
			return pos, errTag(tag, unknownSum)
		}
		return n.kids[tag].check(b, pos+1, zero)
	case KindArray:
		return n.checkArray(b, pos, zero)
	case KindRef:
		return pos, errOther("unresolved type reference")
	}
	return pos, errShort(readNames[n.kind], n.fixed, len(b)-pos)
}

// checkBody checks the length and body of a string or Array(U8).
func checkBody(b []byte, pos int) (end int, err error) {
	if len(b)-pos < 4 {
		return pos, errShort("u32", 4, len(b)-pos)
	}
	size := binary.LittleEndian.Uint32(b[pos:])
	if uint64(size) > uint64(len(b)-pos-4) {
		return pos, &DecodeError{Kind: ErrBufferLength, What: "[u8]", Expected: uint64(size), Given: uint64(len(b) - pos - 4)}
	}
	return pos + 4 + int(size), nil
}

func (n *node) checkArray(b []byte, pos int, zero *int) (int, error) {
	e := n.elem
	if e.kind == KindU8 {
		return checkBody(b, pos)
	}
	if len(b)-pos < 4 {
		return pos, errShort("u32", 4, len(b)-pos)
	}
	count := uint64(binary.LittleEndian.Uint32(b[pos:]))
	pos += 4
	if e.fixed == 0 {
		if *zero += int(min(count, MaxZeroSizeElements+1)); *zero > MaxZeroSizeElements {
			return pos, errAlloc(count)
		}
		return pos, nil
	}
	if e.plain {
		whole := uint64(len(b)-pos) / uint64(e.fixed)
		if count <= whole {
			return pos + int(count)*e.fixed, nil
		}
		return e.check(b, pos+int(whole)*e.fixed, zero)
	}
	var err error
	for ; count > 0; count-- {
		if pos, err = e.check(b, pos, zero); err != nil {
			return pos, err
		}
	}
	return pos, nil
}

// skip returns the position after the valid value at b[pos:].
func (n *node) skip(b []byte, pos int) int {
	if n.fixed >= 0 {
		return pos + n.fixed
	}
	switch n.kind {
	case KindString:
		return pos + 4 + int(binary.LittleEndian.Uint32(b[pos:]))
	case KindProduct:
		for _, k := range n.kids {
			pos = k.skip(b, pos)
		}
	case KindSum:
		return n.kids[b[pos]].skip(b, pos+1)
	case KindArray:
		count := int(binary.LittleEndian.Uint32(b[pos:]))
		pos += 4
		if n.elem.fixed >= 0 {
			return pos + count*n.elem.fixed
		}
		for ; count > 0; count-- {
			pos = n.elem.skip(b, pos)
		}
	}
	return pos
}

// A Walker finds the extent of encoded values of one type.
type Walker struct {
	t    *Type
	root *node
}

// NewWalker compiles the ref-free type t. Of a type with refs no value is valid.
func NewWalker(t *Type) *Walker { return &Walker{t: t, root: compile(t)} }

// Type returns the walker's type.
func (w *Walker) Type() *Type { return w.t }

// FixedSize returns the encoded size of every value, if there is one.
func (w *Walker) FixedSize() (int, bool) { return max(w.root.fixed, 0), w.root.fixed >= 0 }

// MinSize returns the encoded size of the smallest value.
func (w *Walker) MinSize() int { return w.root.min }

// Len returns the length of the valid value at the start of b.
func (w *Walker) Len(b []byte) int { return w.root.skip(b, 0) }

// Validate checks the value at the start of b and returns its length; what follows it is not looked at. It allocates
// nothing unless it fails.
func (w *Walker) Validate(b []byte) (n int, err error) {
	var zero int
	return w.root.check(b, 0, &zero)
}

// Compare orders two valid values (spec 01 §6).
func (w *Walker) Compare(a, b []byte) int {
	c, _ := w.root.compare(a, b)
	return c
}
