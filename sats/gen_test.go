package sats_test

import (
	"math"

	. "github.com/stdbgo/spacetime/sats"
	"pgregory.net/rapid"
)

var primitives = []*Type{Bool, I8, U8, I16, U16, I32, U32, I64, U64, I128Type, U128Type, I256Type, U256Type, F32, F64, String}

var specials = []*Type{IdentityType, ConnectionIDType, TimestampType, TimeDurationType, UuidType, ScheduleAtType, Unit, Bytes}

// genType draws ref-free types that have values.
func genType(depth int) *rapid.Generator[*Type] {
	return rapid.Custom(func(t *rapid.T) *Type {
		k := rapid.IntRange(0, 9).Draw(t, "kind")
		if depth <= 0 && k >= 5 {
			k -= 5
		}
		sub := func(label string) *Type { return genType(depth-1).Draw(t, label) }
		switch k {
		case 0, 1, 2:
			return rapid.SampledFrom(primitives).Draw(t, "primitive")
		case 3, 4:
			return rapid.SampledFrom(specials).Draw(t, "special")
		case 5:
			return Array(sub("elem"))
		case 6:
			return Option(sub("some"))
		case 7:
			return Result(sub("ok"), sub("err"))
		case 8:
			p := Product()
			for i := range rapid.IntRange(0, 5).Draw(t, "n") {
				p.Elems = append(p.Elems, E(string(rune('a'+i)), sub("field")))
			}
			return p
		}
		s := Sum()
		for i := range rapid.IntRange(1, 4).Draw(t, "n") {
			s.Elems = append(s.Elems, E(string(rune('A'+i)), sub("variant")))
		}
		return s
	})
}

// genRow draws row types.
func genRow() *rapid.Generator[*Type] {
	return rapid.Custom(func(t *rapid.T) *Type {
		p := Product()
		for i := range rapid.IntRange(0, 7).Draw(t, "columns") {
			p.Elems = append(p.Elems, E("c"+string(rune('0'+i)), genType(2).Draw(t, "column")))
		}
		return p
	})
}

var (
	floats64 = []float64{0, math.Copysign(0, -1), 1, -1, math.NaN(), -math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat64, 5e-324, 0.1}
	floats32 = []float32{0, float32(math.Copysign(0, -1)), 1, -1, float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)), math.MaxFloat32, 1e-45, 0.1}
)

// genValue draws values of a ref-free type; few distinct ones, so that equal values occur.
func genValue(t *rapid.T, typ *Type) Value {
	limb := func() uint64 {
		return rapid.SampledFrom([]uint64{0, 1, 255, 256, 1<<63 - 1, 1 << 63, math.MaxUint64, 0x0102030405060708}).Draw(t, "limb")
	}
	switch typ.Kind {
	case KindBool:
		return BoolValue(rapid.Bool().Draw(t, "bool"))
	case KindI8:
		return I8Value(limb())
	case KindU8:
		return U8Value(limb())
	case KindI16:
		return I16Value(limb())
	case KindU16:
		return U16Value(limb())
	case KindI32:
		return I32Value(limb())
	case KindU32:
		return U32Value(limb())
	case KindI64:
		return I64Value(limb())
	case KindU64:
		return U64Value(limb())
	case KindI128:
		return I128{Lo: limb(), Hi: int64(limb())}
	case KindU128:
		return U128{Lo: limb(), Hi: limb()}
	case KindI256:
		return I256{limb(), limb(), limb(), limb()}
	case KindU256:
		return U256{limb(), limb(), limb(), limb()}
	case KindF32:
		return F32Value(rapid.SampledFrom(floats32).Draw(t, "f32"))
	case KindF64:
		return F64Value(rapid.SampledFrom(floats64).Draw(t, "f64"))
	case KindString:
		return StringValue(rapid.StringOfN(rapid.SampledFrom([]rune{0, 'a', 'b', '"', '\\', '\n', 0x7f, 'é', '🥶', 0x2028}), 0, 12, -1).Draw(t, "string"))
	case KindArray:
		n := rapid.IntRange(0, 3).Draw(t, "count")
		if typ.IsBytes() {
			return BytesValue(rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 0xff}), 0, 11).Draw(t, "bytes"))
		}
		a := ArrayValue{}
		for range n {
			a = append(a, genValue(t, typ.Elem))
		}
		return a
	case KindProduct:
		p := ProductValue{}
		for _, e := range typ.Elems {
			p = append(p, genValue(t, e.Type))
		}
		return p
	}
	tag := rapid.IntRange(0, len(typ.Elems)-1).Draw(t, "tag")
	return SumValue{Tag: uint8(tag), Value: genValue(t, typ.Elems[tag].Type)}
}

// finite reports whether v has a JSON form that can be read back.
func finite(v Value) bool {
	switch v := v.(type) {
	case F32Value:
		return v-v == 0
	case F64Value:
		return v-v == 0
	case ArrayValue:
		for _, e := range v {
			if !finite(e) {
				return false
			}
		}
	case ProductValue:
		for _, e := range v {
			if !finite(e) {
				return false
			}
		}
	case SumValue:
		return finite(v.Value)
	}
	return true
}
