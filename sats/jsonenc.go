package sats

import (
	"encoding/binary"
	"errors"
	"math"
	"strconv"
)

// A JSONEncoder is AppendJSON compiled for one ref-free type and flavor, for rows that are known to be valid. It is
// immutable and safe for concurrent use.
type JSONEncoder struct{ root *jsonNode }

// A jsonNode writes the values of one type: before each part its punctuation and key, ready made.
type jsonNode struct {
	kind  Kind
	bytes bool     // KindArray of U8
	size  int      // of scalars
	close []byte   // KindProduct: what stands after the last part; KindSum: what closes variant i
	lead  [][]byte // what stands before part i, or before the payload of variant i
	kids  []*jsonNode
}

// NewJSONEncoder compiles the encoder of t. Flavors B and C have no form for products with an unnamed element: that
// is an error, as are refs.
func NewJSONEncoder(t *Type, f Flavor) (*JSONEncoder, error) {
	root, err := compileJSON(t, f)
	if err != nil {
		return nil, err
	}
	return &JSONEncoder{root}, nil
}

// Append appends the JSON of the valid value at the start of bsatn.
func (e *JSONEncoder) Append(dst, bsatn []byte) []byte {
	dst, _ = e.root.append(dst, bsatn, 0)
	return dst
}

func compileJSON(t *Type, f Flavor) (*jsonNode, error) {
	n := &jsonNode{kind: t.Kind, size: t.Kind.Size()}
	switch t.Kind {
	case KindRef:
		return nil, errors.New("the type contains an unresolved type reference")
	case KindArray:
		n.bytes = t.IsBytes()
		kid, err := compileJSON(t.Elem, f)
		n.kids = []*jsonNode{kid}
		return n, err
	case KindProduct, KindSum:
		n.kids, n.lead = make([]*jsonNode, len(t.Elems)), make([][]byte, len(t.Elems))
		for i := range t.Elems {
			kid, err := compileJSON(t.Elems[i].Type, f)
			if err != nil {
				return nil, err
			}
			n.kids[i] = kid
		}
	}
	switch t.Kind {
	case KindProduct:
		return n, n.compileProduct(t, f)
	case KindSum:
		n.compileSum(t, f)
	}
	return n, nil
}

func (n *jsonNode) compileProduct(t *Type, f Flavor) error {
	named := f != FlavorUntyped
	if f == FlavorMessage {
		named = len(t.Elems) > 0 && allNamed(t)
	}
	opening, closing := byte('['), byte(']')
	if named {
		opening, closing = '{', '}'
	}
	n.close = []byte{closing}
	if len(t.Elems) == 0 {
		n.close = []byte{opening, closing}
	}
	for i := range t.Elems {
		n.lead[i] = []byte{','}
		if i == 0 {
			n.lead[i][0] = opening
		}
		if !named {
			continue
		}
		if !t.Elems[i].Name.Set {
			return errNoObjectForm(i)
		}
		n.lead[i] = append(AppendJSONString(n.lead[i], t.Elems[i].Name.Text), ':')
	}
	return nil
}

func (n *jsonNode) compileSum(t *Type, f Flavor) {
	n.close = make([]byte, len(t.Elems)) // what closes variant i
	for i := range t.Elems {
		if name := t.Elems[i].Name; name.Set && (f == FlavorNamed || f == FlavorMessage) {
			n.lead[i] = append(AppendJSONString([]byte{'{'}, name.Text), ':')
			n.close[i] = '}'
		} else {
			n.lead[i] = append(strconv.AppendInt([]byte{'['}, int64(i), 10), ',')
			n.close[i] = ']'
		}
	}
}

// append writes the value at b[pos:] and returns the position after it.
func (n *jsonNode) append(dst, b []byte, pos int) ([]byte, int) {
	switch n.kind {
	case KindProduct:
		for i, k := range n.kids {
			dst, pos = k.append(append(dst, n.lead[i]...), b, pos)
		}
		return append(dst, n.close...), pos
	case KindSum:
		tag := b[pos]
		dst, pos = n.kids[tag].append(append(dst, n.lead[tag]...), b, pos+1)
		return append(dst, n.close[tag]), pos
	case KindString:
		end := pos + 4 + int(binary.LittleEndian.Uint32(b[pos:]))
		return appendJSONString(dst, b[pos+4:end]), end
	case KindArray:
		return n.appendArray(dst, b, pos)
	case KindBool:
		if b[pos] == 1 {
			return append(dst, "true"...), pos + 1
		}
		return append(dst, "false"...), pos + 1
	}
	return n.appendNumber(dst, b[pos:pos+n.size]), pos + n.size
}

func (n *jsonNode) appendArray(dst, b []byte, pos int) ([]byte, int) {
	count := int(binary.LittleEndian.Uint32(b[pos:]))
	pos += 4
	if n.bytes {
		return append(appendHexBytes(append(dst, '"'), b[pos:pos+count]), '"'), pos + count
	}
	dst = append(dst, '[')
	for i := range count {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst, pos = n.kids[0].append(dst, b, pos)
	}
	return append(dst, ']'), pos
}

func (n *jsonNode) appendNumber(dst, b []byte) []byte {
	le := binary.LittleEndian
	switch n.kind {
	case KindU8:
		return strconv.AppendUint(dst, uint64(b[0]), 10)
	case KindU16:
		return strconv.AppendUint(dst, uint64(le.Uint16(b)), 10)
	case KindU32:
		return strconv.AppendUint(dst, uint64(le.Uint32(b)), 10)
	case KindU64:
		return strconv.AppendUint(dst, le.Uint64(b), 10)
	case KindI32:
		return strconv.AppendInt(dst, int64(int32(le.Uint32(b))), 10)
	case KindI64:
		return strconv.AppendInt(dst, int64(le.Uint64(b)), 10)
	case KindF32:
		return AppendJSONFloat(dst, float64(math.Float32frombits(le.Uint32(b))), 32)
	case KindF64:
		return AppendJSONFloat(dst, math.Float64frombits(le.Uint64(b)), 64)
	}
	r := Reader{b: b}
	return appendJSONScalar(dst, n.kind, &r)
}
