package main

import (
	"math"
	"math/rand/v2"
	"strings"

	"github.com/stdbgo/spacetime/sats"
)

// A generator draws types, and values that the SDKs can represent: what they
// cannot is drawn too, now and then, and marked by flags.
type generator struct{ *rand.Rand }

var primitives = []*sats.Type{
	sats.Bool, sats.I8, sats.U8, sats.I16, sats.U16, sats.I32, sats.U32, sats.I64, sats.U64,
	sats.I128Type, sats.U128Type, sats.I256Type, sats.U256Type, sats.F32, sats.F64, sats.String,
}

var specials = []*sats.Type{
	sats.IdentityType, sats.ConnectionIDType, sats.TimestampType, sats.TimeDurationType, sats.UuidType,
	sats.ScheduleAtType, sats.Unit, sats.Bytes,
}

// Names of fields and variants are JavaScript identifiers: SDK 2 writes source
// code with them.
var names = []string{
	"a", "b2", "camelCase", "snake_case", "_x", "$d", "Ä", "class", "value", "tag", "length", "constructor", "then", "名",
	"ok", "err", "some", "none",
}

func pick[T any](g generator, list []T) T { return list[g.IntN(len(list))] }

// elements returns n elements with different names; never the two of an option or
// a result, which the SDKs know by name alone.
func (g generator) elements(n, depth int, refs int) []sats.Element {
	var list []sats.Element
	for _, i := range g.Perm(len(names))[:n] {
		list = append(list, sats.E(names[i], g.typ(depth, refs)))
	}
	if n == 2 && (list[0].Name.Text == "some" && list[1].Name.Text == "none" || list[0].Name.Text == "ok" && list[1].Name.Text == "err") {
		list[0], list[1] = list[1], list[0]
	}
	return list
}

// typ draws a type that has values, with references to the first refs entries of
// the typespace.
func (g generator) typ(depth, refs int) *sats.Type {
	kind := g.IntN(12)
	if depth <= 0 {
		kind = g.IntN(5)
	}
	switch kind {
	case 0, 1, 2:
		return pick(g, primitives)
	case 3, 4:
		return pick(g, specials)
	case 5, 6:
		return sats.Array(g.typ(depth-1, refs))
	case 7:
		return sats.Option(g.typ(depth-1, refs))
	case 8:
		return sats.Result(g.typ(depth-1, refs), g.typ(depth-1, refs))
	case 9:
		if refs > 0 {
			return sats.Ref(uint32(g.IntN(refs)))
		}
	case 10:
		return sats.Sum(g.elements(1+g.IntN(5), depth-1, refs)...)
	}
	return sats.Product(g.elements(g.IntN(6), depth-1, refs)...)
}

// typespace draws entries that refer to earlier ones, and two that refer to
// themselves: a list and a tree.
func (g generator) typespace() *sats.Typespace {
	ts := &sats.Typespace{Types: []*sats.Type{
		sats.Product(sats.E("head", pick(g, primitives)), sats.E("tail", sats.Option(sats.Ref(0)))),
		sats.Sum(sats.E("leaf", pick(g, primitives)), sats.E("branch", sats.Array(sats.Ref(1)))),
	}}
	for range g.IntN(4) {
		ts.Types = append(ts.Types, g.typ(2, len(ts.Types)))
	}
	return ts
}

// anyType draws types that need not have values, with any names or none.
func (g generator) anyType(depth int) *sats.Type {
	kind := g.IntN(8)
	if depth <= 0 {
		kind = g.IntN(5)
	}
	var elems []sats.Element
	if kind > 5 {
		for range g.IntN(5) {
			e := sats.Unnamed(g.anyType(depth - 1))
			if g.IntN(4) > 0 {
				e.Name = sats.Named(strings.TrimLeft(g.text(), "\ufeff"))
			}
			elems = append(elems, e)
		}
	}
	switch kind {
	case 0:
		return sats.Ref(g.Uint32() >> g.IntN(32))
	case 1, 2, 3:
		return pick(g, primitives)
	case 4:
		return pick(g, specials)
	case 5:
		return sats.Array(g.anyType(depth - 1))
	case 6:
		return sats.Product(elems...)
	}
	return sats.Sum(elems...)
}

var runes = []rune{0, 'a', 'Z', ' ', '"', '\\', '\n', 0x7f, 'é', 'ß', 0x2028, 0xfeff, '日', '🥶', 0x10ffff}

func (g generator) text() string {
	var b strings.Builder
	for range g.IntN(12) {
		if g.IntN(3) > 0 {
			b.WriteRune('a' + rune(g.IntN(26)))
		} else {
			b.WriteRune(pick(g, runes))
		}
	}
	return b.String()
}

// word draws 64 bits: small, large, or anything.
func (g generator) word() uint64 {
	switch g.IntN(4) {
	case 0:
		return pick(g, []uint64{0, 1, 127, 128, 255, 1<<15 - 1, 1 << 31, 1<<53 + 1, 1 << 63, math.MaxInt64, math.MaxUint64})
	case 1:
		return g.Uint64() >> g.IntN(64)
	}
	return g.Uint64()
}

var floats = []float64{0, math.Copysign(0, -1), 1, -1.5, math.Pi, 0.1, 1e21, 1e-7, 5e-324, math.MaxFloat64, math.Inf(1), math.Inf(-1), math.Float64frombits(0x7ff8000000000000)}

func (g generator) float() float64 {
	switch g.IntN(3) {
	case 0:
		return pick(g, floats)
	case 1:
		return math.Float64frombits(g.Uint64())
	}
	return g.NormFloat64() * math.Pow(10, float64(g.IntN(40)-20))
}

// flags say what about a value the SDKs are known not to do (spec 01 §9).
type flags struct {
	bom      bool // a string that begins with U+FEFF
	nan      bool // a NaN that is not the usual one
	nested   bool // some(none)
	err      bool // err of a result whose two types differ
	infinite bool // no defect: a float without JSON
}

// value draws a value. Depth bounds recursive types.
func (g generator) value(ts *sats.Typespace, t *sats.Type, depth int, f *flags) sats.Value {
	for t.Kind == sats.KindRef {
		t = ts.Types[t.Ref]
	}
	switch t.Kind {
	case sats.KindProduct:
		p := sats.ProductValue{}
		for _, e := range t.Elems {
			p = append(p, g.value(ts, e.Type, depth-1, f))
		}
		return p
	case sats.KindSum:
		return g.sum(ts, t, depth, f)
	case sats.KindArray:
		return g.array(ts, t, depth, f)
	case sats.KindString:
		s := g.text()
		f.bom = f.bom || strings.HasPrefix(s, "\ufeff")
		return sats.StringValue(s)
	}
	return g.scalar(t.Kind, f)
}

func (g generator) sum(ts *sats.Typespace, t *sats.Type, depth int, f *flags) sats.Value {
	tag := g.IntN(len(t.Elems))
	_, option := t.IsOption()
	if option && depth <= 0 {
		tag = 1
	}
	if depth <= 0 && len(t.Elems) > 0 && !option {
		tag = 0
	}
	v := g.value(ts, t.Elems[tag].Type, depth-1, f)
	if inner, ok := v.(sats.SumValue); ok && option && tag == 0 {
		of := t.Elems[0].Type
		for of.Kind == sats.KindRef {
			of = ts.Types[of.Ref]
		}
		if _, ok := of.IsOption(); ok && inner.Tag == 1 {
			f.nested = true
		}
	}
	if ok, e, is := t.IsResult(); is && tag == 1 && !ok.Equal(e) {
		f.err = true
	}
	return sats.SumValue{Tag: uint8(tag), Value: v}
}

func (g generator) array(ts *sats.Typespace, t *sats.Type, depth int, f *flags) sats.Value {
	of := t.Elem
	for of.Kind == sats.KindRef {
		of = ts.Types[of.Ref]
	}
	if of.Kind == sats.KindU8 {
		b := make(sats.BytesValue, g.IntN(20))
		for i := range b {
			b[i] = byte(g.word())
		}
		return b
	}
	a := sats.ArrayValue{}
	if depth > 0 {
		for range g.IntN(5) {
			a = append(a, g.value(ts, t.Elem, depth-1, f))
		}
	}
	return a
}

func (g generator) scalar(k sats.Kind, f *flags) sats.Value {
	switch k {
	case sats.KindBool:
		return sats.BoolValue(g.IntN(2) == 1)
	case sats.KindI8:
		return sats.I8Value(g.word())
	case sats.KindU8:
		return sats.U8Value(g.word())
	case sats.KindI16:
		return sats.I16Value(g.word())
	case sats.KindU16:
		return sats.U16Value(g.word())
	case sats.KindI32:
		return sats.I32Value(g.word())
	case sats.KindU32:
		return sats.U32Value(g.word())
	case sats.KindI64:
		return sats.I64Value(g.word())
	case sats.KindU64:
		return sats.U64Value(g.word())
	case sats.KindI128:
		return sats.I128{Lo: g.word(), Hi: int64(g.word())}
	case sats.KindU128:
		return sats.U128{Lo: g.word(), Hi: g.word()}
	case sats.KindI256:
		return sats.I256{g.word(), g.word(), g.word(), g.word()}
	case sats.KindU256:
		return sats.U256{g.word(), g.word(), g.word(), g.word()}
	case sats.KindF32:
		v := float32(g.float())
		if g.IntN(4) == 0 {
			v = math.Float32frombits(g.Uint32())
		}
		f.infinite = f.infinite || v-v != 0
		f.nan = f.nan || v != v && math.Float32bits(v) != 0x7fc00000
		return sats.F32Value(v)
	}
	v := g.float()
	f.infinite = f.infinite || v-v != 0
	f.nan = f.nan || v != v && math.Float64bits(v) != 0x7ff8000000000000
	return sats.F64Value(v)
}
