package sats

import (
	"errors"
	"strconv"
	"unicode/utf8"
)

// DecodeValue reads one value of type t, with refs looked up in ts.
func DecodeValue(r *Reader, ts *Typespace, t *Type) (Value, error) {
	v := decodeValue(r, ts, t, 0)
	if r.err != nil {
		return nil, r.err
	}
	return v, nil
}

func decodeValue(r *Reader, ts *Typespace, t *Type, depth int) Value {
	if t = enter(r, ts, t, depth); t == nil {
		return nil
	}
	switch t.Kind {
	case KindProduct:
		before := r.pos
		p := decodeProduct(r, ts, t, depth)
		r.productDone(before)
		return p
	case KindSum:
		tag := r.Tag(len(t.Elems))
		if r.err != nil {
			return nil
		}
		return SumValue{Tag: tag, Value: decodeValue(r, ts, t.Elems[tag].Type, depth+1)}
	case KindArray:
		return decodeArray(r, ts, t, depth)
	case KindString:
		return StringValue(r.Str())
	}
	return decodeScalar(r, t.Kind)
}

func decodeProduct(r *Reader, ts *Typespace, t *Type, depth int) Value {
	if len(t.Elems) == 0 {
		return unitValue
	}
	p := make(ProductValue, len(t.Elems))
	for i := range p {
		if p[i] = decodeValue(r, ts, t.Elems[i].Type, depth+1); r.err != nil {
			return nil
		}
	}
	return p
}

func decodeArray(r *Reader, ts *Typespace, t *Type, depth int) Value {
	if isBytes(r, ts, t) {
		return BytesValue(r.Bytes())
	}
	n := r.u32("u32")
	a := make(ArrayValue, 0, min(int64(n), int64(r.Len()), 4096))
	for i := uint32(0); i < n && r.err == nil; i++ {
		before := r.pos
		a = append(a, decodeValue(r, ts, t.Elem, depth+1))
		if i == 0 {
			r.firstElement(before, n)
		}
	}
	return a
}

func decodeScalar(r *Reader, k Kind) Value {
	switch k {
	case KindBool:
		return BoolValue(r.Bool())
	case KindI8:
		return I8Value(r.I8())
	case KindU8:
		return U8Value(r.U8())
	case KindI16:
		return I16Value(r.I16())
	case KindU16:
		return U16Value(r.U16())
	case KindI32:
		return I32Value(r.I32())
	case KindU32:
		return U32Value(r.U32())
	case KindI64:
		return I64Value(r.I64())
	case KindU64:
		return U64Value(r.U64())
	case KindI128:
		return r.I128()
	case KindU128:
		return r.U128()
	case KindI256:
		return r.I256()
	case KindU256:
		return r.U256()
	case KindF32:
		return F32Value(r.F32())
	case KindF64:
		return F64Value(r.F64())
	}
	r.Fail(errOther("type " + k.String() + " has no values"))
	return nil
}

// AppendValue appends the BSATN of v, whatever its type. MinValue and MaxValue have none and append nothing.
func AppendValue(b []byte, v Value) []byte {
	switch v := v.(type) {
	case StringValue:
		return AppendString(b, string(v))
	case BytesValue:
		return AppendBytes(b, v)
	case ArrayValue:
		b = AppendLen(b, len(v))
		for _, e := range v {
			b = AppendValue(b, e)
		}
		return b
	case ProductValue:
		for _, e := range v {
			b = AppendValue(b, e)
		}
		return b
	case SumValue:
		return AppendValue(append(b, v.Tag), v.Value)
	}
	return appendScalarValue(b, v)
}

func appendScalarValue(b []byte, v Value) []byte {
	switch v := v.(type) {
	case BoolValue:
		return AppendBool(b, bool(v))
	case I8Value:
		return AppendI8(b, int8(v))
	case U8Value:
		return AppendU8(b, uint8(v))
	case I16Value:
		return AppendI16(b, int16(v))
	case U16Value:
		return AppendU16(b, uint16(v))
	case I32Value:
		return AppendI32(b, int32(v))
	case U32Value:
		return AppendU32(b, uint32(v))
	case I64Value:
		return AppendI64(b, int64(v))
	case U64Value:
		return AppendU64(b, uint64(v))
	case I128:
		return AppendI128(b, v)
	case U128:
		return AppendU128(b, v)
	case I256:
		return AppendI256(b, v)
	case U256:
		return AppendU256(b, v)
	case F32Value:
		return AppendF32(b, float32(v))
	case F64Value:
		return AppendF64(b, float64(v))
	}
	return b
}

// EncodeValue appends the BSATN of v after checking that it is a value of type t, with refs looked up in ts.
func EncodeValue(b []byte, ts *Typespace, t *Type, v Value) ([]byte, error) {
	if err := checkValue(ts, t, v, 0); err != nil {
		return b, err
	}
	return AppendValue(b, v), nil
}

func checkValue(ts *Typespace, t *Type, v Value, depth int) error {
	t, err := ts.Deref(t)
	if err != nil {
		return err
	}
	if depth > MaxDepth {
		return errDepth
	}
	switch v := v.(type) {
	case ProductValue:
		if t.Kind != KindProduct || len(v) != len(t.Elems) {
			break
		}
		for i := range v {
			if err := checkValue(ts, t.Elems[i].Type, v[i], depth+1); err != nil {
				return errors.New("in " + t.Elems[i].Name.Or("element "+strconv.Itoa(i)) + ": " + err.Error())
			}
		}
		return nil
	case SumValue:
		if t.Kind == KindSum && int(v.Tag) < len(t.Elems) {
			return checkValue(ts, t.Elems[v.Tag].Type, v.Value, depth+1)
		}
	case ArrayValue:
		if t.Kind != KindArray {
			break
		}
		for i := range v {
			if err := checkValue(ts, t.Elem, v[i], depth+1); err != nil {
				return err
			}
		}
		return nil
	case BytesValue:
		if t.Kind == KindArray {
			if e, err := ts.Deref(t.Elem); err != nil || e.Kind == KindU8 {
				return err
			}
		}
	case StringValue:
		if t.Kind == KindString && !utf8.ValidString(string(v)) {
			return errUTF8
		}
		if t.Kind == KindString {
			return nil
		}
	case nil:
	default:
		if t.Kind.IsScalar() && v.rank() == uint8(t.Kind) {
			return nil
		}
	}
	return errors.New("not a value of type " + t.String())
}

// FormatValue returns the SATN text of v as a value of type t, for errors and tests.
func FormatValue(ts *Typespace, t *Type, v Value) string {
	b, err := EncodeValue(nil, ts, t, v)
	if err != nil {
		return "<" + err.Error() + ">"
	}
	out, _, err := AppendSATN(nil, ts, t, b)
	if err != nil {
		return "<" + err.Error() + ">"
	}
	return string(out)
}
