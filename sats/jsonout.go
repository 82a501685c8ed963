package sats

import (
	"encoding/binary"
	"errors"
	"strconv"
	"unicode/utf8"
)

// A Flavor is one of the four JSON forms of values (spec 01 §4.1).
type Flavor uint8

const (
	FlavorUntyped Flavor = iota // A: products are arrays, sums [tag,payload]
	FlavorNamed                 // B: products are objects, sums {"variant":payload}
	FlavorStored                // C: products are objects, sums [tag,payload]
	FlavorMessage               // D: as B, but unit is []
)

// AppendJSON appends the JSON of the BSATN value at the start of bsatn, straight from its bytes, and returns what
// follows the value. Refs in t are looked up in ts, which may be nil for a ref-free type. On error out is dst
// unchanged. Flavors B and C cannot express a product with an unnamed element: that is an error. It may overwrite what dst
// has beyond the result, up to its capacity.
func AppendJSON(dst []byte, ts *Typespace, t *Type, bsatn []byte, f Flavor) (out, rest []byte, err error) {
	if e := knownEncoder(t, f); e != nil {
		return e.AppendChecked(dst, bsatn)
	}
	return interpretJSON(dst, ts, t, bsatn, f)
}

// interpretJSON is AppendJSON for types that are not compiled and for values that are not valid.
func interpretJSON(dst []byte, ts *Typespace, t *Type, bsatn []byte, f Flavor) (out, rest []byte, err error) {
	w := jsonWriter{out: dst, flavor: f, r: Reader{b: bsatn}, ts: ts}
	w.value(t, 0)
	if w.r.err != nil {
		return dst, bsatn, w.r.err
	}
	return w.out, w.r.Rest(), nil
}

type jsonWriter struct {
	out    []byte
	r      Reader
	ts     *Typespace
	flavor Flavor
}

// enter follows refs and guards the depth; nil means an error.
func enter(r *Reader, ts *Typespace, t *Type, depth int) *Type {
	if r.err != nil {
		return nil
	}
	if depth > MaxDepth {
		r.err = errDepth
		return nil
	}
	if t.Kind == KindRef {
		if t, r.err = ts.Deref(t); r.err != nil {
			return nil
		}
	}
	return t
}

func (w *jsonWriter) value(t *Type, depth int) {
	if t = enter(&w.r, w.ts, t, depth); t == nil {
		return
	}
	switch t.Kind {
	case KindProduct:
		before := w.r.pos
		w.product(t, depth)
		w.r.productDone(before)
	case KindSum:
		w.sum(t, depth)
	case KindArray:
		w.array(t, depth)
	case KindString:
		w.out = appendJSONText(w.out, w.r.StrView())
	default:
		w.out = appendJSONScalar(w.out, t.Kind, &w.r)
	}
}

// appendJSONScalar reads and appends a Bool, integer or float.
func appendJSONScalar(b []byte, k Kind, r *Reader) []byte {
	switch k {
	case KindBool:
		return strconv.AppendBool(b, r.Bool())
	case KindI8, KindI16, KindI32, KindI64:
		return appendInt(b, readInt(k, r))
	case KindU8, KindU16, KindU32, KindU64:
		return appendUint(b, readUint(k, r))
	case KindI128:
		return r.I128().wide().appendDecimal(b)
	case KindU128:
		return r.U128().wide().appendDecimal(b)
	case KindI256:
		i := r.I256()
		b = append(b, '"')
		if i.IsNeg() {
			b = append(b, '-')
		}
		return append(i.abs().appendHex(b), '"')
	case KindU256:
		return append(r.U256().appendHex(append(b, '"')), '"')
	case KindF32:
		return AppendJSONFloat(b, float64(r.F32()), 32)
	case KindF64:
		return AppendJSONFloat(b, r.F64(), 64)
	}
	r.Fail(errOther("type " + k.String() + " has no values"))
	return b
}

// readInt reads a signed integer of at most 64 bits.
func readInt(k Kind, r *Reader) int64 {
	switch k {
	case KindI8:
		return int64(r.I8())
	case KindI16:
		return int64(r.I16())
	case KindI32:
		return int64(r.I32())
	}
	return r.I64()
}

// readUint reads an unsigned integer of at most 64 bits.
func readUint(k Kind, r *Reader) uint64 {
	switch k {
	case KindU8:
		return uint64(r.U8())
	case KindU16:
		return uint64(r.U16())
	case KindU32:
		return uint64(r.U32())
	}
	return r.U64()
}

func (w *jsonWriter) product(t *Type, depth int) {
	named := w.flavor != FlavorUntyped
	if w.flavor == FlavorMessage {
		named = len(t.Elems) > 0 && allNamed(t)
	}
	if !named {
		w.out = append(w.out, '[')
		for i := range t.Elems {
			if i > 0 {
				w.out = append(w.out, ',')
			}
			w.value(t.Elems[i].Type, depth+1)
		}
		w.out = append(w.out, ']')
		return
	}
	w.out = append(w.out, '{')
	for i := range t.Elems {
		e := &t.Elems[i]
		if !e.Name.Set {
			w.r.Fail(errNoObjectForm(i))
			return
		}
		if i > 0 {
			w.out = append(w.out, ',')
		}
		w.out = append(AppendJSONString(w.out, e.Name.Text), ':')
		w.value(e.Type, depth+1)
	}
	w.out = append(w.out, '}')
}

func errNoObjectForm(i int) error {
	return errors.New("element " + strconv.Itoa(i) + " of the product has no name, so it has no JSON object form")
}

func allNamed(t *Type) bool {
	for i := range t.Elems {
		if !t.Elems[i].Name.Set {
			return false
		}
	}
	return true
}

func (w *jsonWriter) sum(t *Type, depth int) {
	tag := w.r.Tag(len(t.Elems))
	if w.r.err != nil {
		return
	}
	v := &t.Elems[tag]
	if v.Name.Set && (w.flavor == FlavorNamed || w.flavor == FlavorMessage) {
		w.out = append(AppendJSONString(append(w.out, '{'), v.Name.Text), ':')
		w.value(v.Type, depth+1)
		w.out = append(w.out, '}')
		return
	}
	w.out = append(strconv.AppendUint(append(w.out, '['), uint64(tag), 10), ',')
	w.value(v.Type, depth+1)
	w.out = append(w.out, ']')
}

// isBytes is Type.IsBytes that follows a ref to the element type: such an array behaves as bytes (spec 01 §1.3).
func isBytes(r *Reader, ts *Typespace, t *Type) bool {
	e := enter(r, ts, t.Elem, 0)
	return e != nil && e.Kind == KindU8
}

func (w *jsonWriter) array(t *Type, depth int) {
	if isBytes(&w.r, w.ts, t) {
		w.out = append(appendHexBytes(append(w.out, '"'), w.r.BytesView()), '"')
		return
	}
	w.out = append(w.out, '[')
	for i, n := uint32(0), w.r.u32("u32"); i < n && w.r.err == nil; i++ {
		if i > 0 {
			w.out = append(w.out, ',')
		}
		before := w.r.pos
		if w.value(t.Elem, depth+1); i == 0 {
			w.r.firstElement(before, n)
		}
	}
	w.out = append(w.out, ']')
}

// AppendJSONString appends s as a JSON string, escaping what spec 01 §4.9 says and nothing else.
func AppendJSONString(dst []byte, s string) []byte { return appendEscaped(append(dst, '"'), s) }

// jsonEscape marks the bytes that strings escape.
var jsonEscape = func() (t [256]bool) {
	for c := range 0x20 {
		t[c] = true
	}
	t['"'], t['\\'] = true, true
	return t
}()

func appendJSONEscape(b []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(b, '\\', c)
	case '\b':
		return append(b, '\\', 'b')
	case '\t':
		return append(b, '\\', 't')
	case '\n':
		return append(b, '\\', 'n')
	case '\f':
		return append(b, '\\', 'f')
	case '\r':
		return append(b, '\\', 'r')
	}
	return append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}

// validText reports whether b may be the text of a string or of JSON: UTF-8.
func validText(b []byte) bool {
	const high = 0x8080808080808080
	le := binary.LittleEndian
	switch {
	case len(b) >= 8:
		rest := b
		for ; len(rest) > 8; rest = rest[8:] {
			if le.Uint64(rest)&high != 0 {
				return utf8.Valid(b)
			}
		}
		if le.Uint64(b[len(b)-8:])&high == 0 {
			return true
		}
	case len(b) >= 4:
		if (le.Uint32(b)|le.Uint32(b[len(b)-4:]))&(high>>32) == 0 {
			return true
		}
	}
	return utf8.Valid(b)
}
