package sats

import (
	"math"
	"strconv"
)

// AppendSATN appends the text used in logs and errors (spec 01 §5.3) of the BSATN value at the start of bsatn and
// returns what follows the value. Refs in t are looked up in ts. On error out is dst unchanged.
func AppendSATN(dst []byte, ts *Typespace, t *Type, bsatn []byte) (out, rest []byte, err error) {
	return appendText(dst, ts, t, bsatn, textSATN)
}

// AppendSQLText is AppendSATN for the text of SQL results on a terminal (spec 01 §5.4); arrays keep their brackets.
func AppendSQLText(dst []byte, ts *Typespace, t *Type, bsatn []byte) (out, rest []byte, err error) {
	return appendText(dst, ts, t, bsatn, textSQL)
}

// AppendPGNested is AppendSATN for the JSON text of values inside a PostgreSQL column (spec 01 §5.5). Unlike the
// original's it is JSON: strings are escaped (spec 06 §7.4), floats that are not finite are strings.
func AppendPGNested(dst []byte, ts *Typespace, t *Type, bsatn []byte) (out, rest []byte, err error) {
	return appendText(dst, ts, t, bsatn, textPG)
}

type textStyle uint8

const (
	textSATN textStyle = iota
	textSQL
	textPG
)

type textWriter struct {
	out   []byte
	r     Reader
	ts    *Typespace
	style textStyle
}

func appendText(dst []byte, ts *Typespace, t *Type, bsatn []byte, style textStyle) (out, rest []byte, err error) {
	w := textWriter{out: dst, r: Reader{b: bsatn}, ts: ts, style: style}
	w.value(t, 0, true)
	if w.r.err != nil {
		return dst, bsatn, w.r.err
	}
	return w.out, w.r.Rest(), nil
}

// value writes one value. A special product that is bare (a column or field) loses its wrapper in SQL texts.
func (w *textWriter) value(t *Type, depth int, bare bool) {
	if t = enter(&w.r, w.ts, t, depth); t == nil {
		return
	}
	switch t.Kind {
	case KindProduct:
		before := w.r.pos
		w.product(t, depth, bare)
		w.r.productDone(before)
	case KindSum:
		w.sum(t, depth)
	case KindArray:
		w.array(t, depth)
	case KindString:
		w.string(w.r.StrView())
	case KindF32:
		w.float(float64(w.r.F32()), 32)
	case KindF64:
		w.float(w.r.F64(), 64)
	case KindI256:
		w.out = w.r.I256().appendDecimal(w.out)
	case KindU256:
		w.out = w.r.U256().appendDecimal(w.out)
	default:
		w.out = appendJSONScalar(w.out, t.Kind, &w.r)
	}
}

// string writes a text in quotes; in PostgreSQL's texts, which are JSON, with escapes.
func (w *textWriter) string(s []byte) {
	if w.style == textPG {
		w.out = AppendJSONString(w.out, string(s))
		return
	}
	w.out = append(append(append(w.out, '"'), s...), '"')
}

// float writes a number. JSON has none for what is not finite.
func (w *textWriter) float(f float64, bits int) {
	if w.style == textPG && (f-f != 0) {
		w.out = append(AppendFloatText(append(w.out, '"'), f, bits), '"')
		return
	}
	w.out = AppendFloatText(w.out, f, bits)
}

func (w *textWriter) product(t *Type, depth int, bare bool) {
	special := SpecialNone
	if w.style != textSATN {
		special = t.specialProduct()
	}
	if special != SpecialNone && bare {
		w.special(special)
		return
	}
	w.open()
	for i := range t.Elems {
		if i > 0 {
			w.out = append(w.out, ", "...)
		}
		w.label(t.Elems[i].Name, i)
		if special != SpecialNone {
			w.special(special)
		} else {
			w.value(t.Elems[i].Type, depth+1, true)
		}
	}
	w.close()
}

func (w *textWriter) open() {
	if w.style == textPG {
		w.out = append(w.out, '{')
	} else {
		w.out = append(w.out, '(')
	}
}

func (w *textWriter) close() {
	if w.style == textPG {
		w.out = append(w.out, '}')
	} else {
		w.out = append(w.out, ')')
	}
}

// label writes the name of an element or variant and what separates it from its value.
func (w *textWriter) label(name Name, i int) {
	text := name.Text
	switch {
	case name.Set:
	case w.style == textSATN:
		text = strconv.Itoa(i)
	default:
		text = "col_" + strconv.Itoa(i)
	}
	if w.style == textPG {
		w.out = append(AppendJSONString(w.out, text), ": "...)
	} else {
		w.out = append(append(w.out, text...), " = "...)
	}
}

func (w *textWriter) sum(t *Type, depth int) {
	tag := w.r.Tag(len(t.Elems))
	if w.r.err != nil {
		return
	}
	v := &t.Elems[tag]
	w.open()
	if w.style == textSATN && !v.Name.Set {
		w.out = append(w.out, " = "...)
	} else {
		w.label(v.Name, int(tag))
	}
	w.value(v.Type, depth+1, false)
	w.close()
}

func (w *textWriter) array(t *Type, depth int) {
	if isBytes(&w.r, w.ts, t) {
		if w.style == textPG {
			w.out = append(w.out, '"')
		}
		w.out = appendHexBytes(append(w.out, "0x"...), w.r.BytesView())
		if w.style == textPG {
			w.out = append(w.out, '"')
		}
		return
	}
	w.out = append(w.out, '[')
	for i, n := uint32(0), w.r.u32("u32"); i < n && w.r.err == nil; i++ {
		if i > 0 {
			w.out = append(w.out, ", "...)
		}
		before := w.r.pos
		if w.value(t.Elem, depth+1, false); i == 0 {
			w.r.firstElement(before, n)
		}
	}
	w.out = append(w.out, ']')
}

// special writes the number of a special product in its own form.
func (w *textWriter) special(s Special) {
	quoted := w.style == textPG || s == SpecialUuid
	if quoted {
		w.out = append(w.out, '"')
	}
	switch s {
	case SpecialIdentity:
		id := w.r.Identity()
		w.out = appendHexReversed(append(w.out, "0x"...), id[:])
	case SpecialConnectionID:
		id := w.r.ConnectionID()
		w.out = appendHexReversed(append(w.out, "0x"...), id[:])
	case SpecialTimestamp:
		w.out = w.r.Timestamp().AppendText(w.out)
	case SpecialUuid:
		w.out = append(w.out, w.r.Uuid().String()...)
	case SpecialTimeDuration:
		if d := w.r.TimeDuration(); w.style == textPG {
			w.out = append(w.out, d.ISO8601()...)
		} else {
			w.out = d.AppendText(w.out)
		}
	}
	if quoted {
		w.out = append(w.out, '"')
	}
}

// AppendFloatText appends a float of 32 or 64 bits without exponent, as texts other than JSON have it
// (spec 01 §5.6).
func AppendFloatText(b []byte, f float64, bits int) []byte {
	switch {
	case f != f:
		return append(b, "NaN"...)
	case f > math.MaxFloat64:
		return append(b, "inf"...)
	case f < -math.MaxFloat64:
		return append(b, "-inf"...)
	}
	return strconv.AppendFloat(b, f, 'f', -1, bits)
}
