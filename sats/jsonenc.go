package sats

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strconv"
)

// A JSONEncoder is AppendJSON compiled for one ref-free type and flavor, for rows that are known to be valid. It is
// immutable and safe for concurrent use.
type JSONEncoder struct {
	root   jsonNode
	typ    *Type
	flavor Flavor
	check  *node // nil if values must be written by AppendJSON
}

// A jsonNode writes the values of one type. Products inside products are part of the outermost: what would stand
// between their values is joined.
type jsonNode struct {
	parts []jsonPart
	end   []byte // what stands after the last part
}

// A jsonPart writes a value that is not a product.
type jsonPart struct {
	kind   Kind
	bytes  bool     // KindArray of U8
	number int      // KindArray of other integers up to 64 bits: their size
	start  [16]byte // the start of lead
	lead   []byte   // what stands before the value
	elem   *jsonNode
	sum    []jsonNode // KindSum: the variants, with everything around them
}

// NewJSONEncoder compiles the encoder of t. Flavors B and C have no form for products with an unnamed element: that
// is an error, as are refs.
func NewJSONEncoder(t *Type, f Flavor) (*JSONEncoder, error) {
	if t.HasRefs() {
		return nil, errRefs
	}
	e := &JSONEncoder{typ: t, flavor: f}
	if err := e.root.add(t, f); err != nil {
		return nil, err
	}
	if check := compile(t); check.simple(0) {
		e.check = check
	}
	return e, nil
}

var errRefs = errors.New("the type contains an unresolved type reference")

// simple reports whether n is not nested too deep and has no arrays of elements without size, for which AppendJSON has
// bounds that encoders do not have.
func (n *node) simple(depth int) bool {
	if depth > MaxDepth || n.kind == KindArray && (n.elem.fixed == 0 || !n.elem.simple(depth+1)) {
		return false
	}
	for _, k := range n.kids {
		if !k.simple(depth + 1) {
			return false
		}
	}
	return true
}

// Append appends the JSON of the valid value at the start of bsatn. It may overwrite what dst has beyond the result, up
// to its capacity.
func (e *JSONEncoder) Append(dst, bsatn []byte) []byte {
	dst, _ = e.root.append(dst, bsatn, 0)
	return dst
}

// AppendChecked is AppendJSON for the type of the encoder.
func (e *JSONEncoder) AppendChecked(dst, bsatn []byte) (out, rest []byte, err error) {
	if e.check != nil {
		var zero int
		if n, err := e.check.check(bsatn, 0, &zero); err == nil {
			return e.Append(dst, bsatn), bsatn[n:], nil
		}
	}
	return interpretJSON(dst, nil, e.typ, bsatn, e.flavor)
}

// add adds a value of type t after what the node writes so far.
func (n *jsonNode) add(t *Type, f Flavor) error {
	p := jsonPart{kind: t.Kind}
	switch t.Kind {
	case KindRef:
		return errRefs
	case KindProduct:
		return n.addProduct(t, f)
	case KindArray:
		p.bytes, p.elem = t.IsBytes(), &jsonNode{}
		if err := p.elem.add(t.Elem, f); err != nil {
			return err
		}
		if k := t.Elem.Kind; k >= KindI8 && k <= KindU64 {
			p.number = k.Size()
		}
		p.elem.end = append(p.elem.end, ',')
	case KindSum:
		p.sum = make([]jsonNode, len(t.Elems))
		for i := range t.Elems {
			if err := p.sum[i].addVariant(t, i, f); err != nil {
				return err
			}
		}
	}
	p.lead, n.end = n.end, nil
	copy(p.start[:], p.lead)
	n.parts = append(n.parts, p)
	return nil
}

func (n *jsonNode) addProduct(t *Type, f Flavor) error {
	named := f != FlavorUntyped
	if f == FlavorMessage {
		named = len(t.Elems) > 0 && allNamed(t)
	}
	opening, closing := byte('['), byte(']')
	if named {
		opening, closing = '{', '}'
	}
	n.end = append(n.end, opening)
	for i := range t.Elems {
		if i > 0 {
			n.end = append(n.end, ',')
		}
		if named {
			if !t.Elems[i].Name.Set {
				return errNoObjectForm(i)
			}
			n.end = append(AppendJSONString(n.end, t.Elems[i].Name.Text), ':')
		}
		if err := n.add(t.Elems[i].Type, f); err != nil {
			return err
		}
	}
	n.end = append(n.end, closing)
	return nil
}

func (n *jsonNode) addVariant(t *Type, i int, f Flavor) error {
	closing := byte(']')
	if name := t.Elems[i].Name; name.Set && (f == FlavorNamed || f == FlavorMessage) {
		n.end = append(AppendJSONString([]byte{'{'}, name.Text), ':')
		closing = '}'
	} else {
		n.end = append(strconv.AppendInt([]byte{'['}, int64(i), 10), ',')
	}
	if err := n.add(t.Elems[i].Type, f); err != nil {
		return err
	}
	n.end = append(n.end, closing)
	return nil
}

// scalarText is no less than what is written for the start of a lead, and than twice the JSON of any scalar of at most
// 64 bits.
const scalarText = 64

// append writes the value at b[pos:] and returns the position after it.
func (n *jsonNode) append(dst, b []byte, pos int) ([]byte, int) {
	le := binary.LittleEndian
	for i := range n.parts {
		p := &n.parts[i]
		size := len(dst)
		if cap(dst)-size < len(p.lead)+scalarText {
			dst = slices.Grow(dst, len(p.lead)+scalarText)
		}
		*(*[16]byte)(dst[size : size+16]) = p.start
		if len(p.lead) > 16 {
			copy(dst[size:size+len(p.lead)], p.lead)
		}
		size += len(p.lead)
		room := dst[size : size+scalarText]
		switch p.kind {
		case KindString:
			end := pos + 4 + int(le.Uint32(b[pos:]))
			dst, pos = appendJSONText(dst[:size], b[pos+4:end]), end
		case KindBool:
			if b[pos] == 1 {
				size += copy(room, "true")
			} else {
				size += copy(room, "false")
			}
			dst, pos = dst[:size], pos+1
		case KindU8:
			dst, pos = dst[:size+putUint(room, uint64(b[pos]))], pos+1
		case KindU16:
			dst, pos = dst[:size+putUint(room, uint64(le.Uint16(b[pos:])))], pos+2
		case KindU32:
			dst, pos = dst[:size+putUint(room, uint64(le.Uint32(b[pos:])))], pos+4
		case KindU64:
			dst, pos = dst[:size+putUint(room, le.Uint64(b[pos:]))], pos+8
		case KindI8:
			dst, pos = dst[:size+putInt(room, int64(int8(b[pos])))], pos+1
		case KindI16:
			dst, pos = dst[:size+putInt(room, int64(int16(le.Uint16(b[pos:]))))], pos+2
		case KindI32:
			dst, pos = dst[:size+putInt(room, int64(int32(le.Uint32(b[pos:]))))], pos+4
		case KindI64:
			dst, pos = dst[:size+putInt(room, int64(le.Uint64(b[pos:])))], pos+8
		case KindF32:
			dst, pos = AppendJSONFloat(dst[:size], float64(math.Float32frombits(le.Uint32(b[pos:]))), 32), pos+4
		case KindF64:
			dst, pos = AppendJSONFloat(dst[:size], math.Float64frombits(le.Uint64(b[pos:])), 64), pos+8
		default:
			dst, pos = p.append(dst[:size], b, pos)
		}
	}
	return append(dst, n.end...), pos
}

// append writes what is not simple.
func (p *jsonPart) append(dst, b []byte, pos int) ([]byte, int) {
	switch p.kind {
	case KindArray:
		return p.appendArray(dst, b, pos)
	case KindSum:
		return p.sum[b[pos]].append(dst, b, pos+1)
	}
	r := Reader{b: b, pos: pos}
	dst = appendJSONScalar(dst, p.kind, &r)
	return dst, r.pos
}

func (p *jsonPart) appendArray(dst, b []byte, pos int) ([]byte, int) {
	count := int(binary.LittleEndian.Uint32(b[pos:]))
	pos += 4
	if p.bytes {
		return append(appendHexBytes(append(dst, '"'), b[pos:pos+count]), '"'), pos + count
	}
	dst = append(dst, '[')
	if p.number > 0 {
		dst, pos = p.appendNumbers(dst, b, pos, count)
	} else {
		for range count {
			dst, pos = p.elem.append(dst, b, pos)
		}
	}
	if count > 0 {
		dst = dst[:len(dst)-1] // the comma
	}
	return append(dst, ']'), pos
}

// appendNumbers writes count integers of p.number bytes each with a comma after them.
func (p *jsonPart) appendNumbers(dst, b []byte, pos, count int) ([]byte, int) {
	le := binary.LittleEndian
	for ; count > 0; count-- {
		size := len(dst)
		if cap(dst)-size < scalarText {
			dst = slices.Grow(dst, scalarText)
		}
		room := dst[size : size+scalarText]
		switch p.elem.parts[0].kind {
		case KindU16:
			size += putUint(room, uint64(le.Uint16(b[pos:])))
		case KindU32:
			size += putUint(room, uint64(le.Uint32(b[pos:])))
		case KindU64:
			size += putUint(room, le.Uint64(b[pos:]))
		case KindI8:
			size += putInt(room, int64(int8(b[pos])))
		case KindI16:
			size += putInt(room, int64(int16(le.Uint16(b[pos:]))))
		case KindI32:
			size += putInt(room, int64(int32(le.Uint32(b[pos:]))))
		case KindI64:
			size += putInt(room, int64(le.Uint64(b[pos:])))
		}
		dst = dst[:size+1]
		dst[size] = ','
		pos += p.number
	}
	return dst, pos
}
