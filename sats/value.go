package sats

import (
	"bytes"
	"math"
	"strings"
)

// A Value is a decoded value of any type. Value trees are for the edges (literals, terminals, tests): rows on the hot
// path stay encoded. The concrete types are those called …Value here, and U128, I128, U256 and I256.
type Value interface{ rank() uint8 }

// The values of the types without parameters, of strings and of arrays.
type (
	BoolValue   bool
	I8Value     int8
	U8Value     uint8
	I16Value    int16
	U16Value    uint16
	I32Value    int32
	U32Value    uint32
	I64Value    int64
	U64Value    uint64
	F32Value    float32 // keeps its exact bits
	F64Value    float64 // keeps its exact bits
	StringValue string
	BytesValue  []byte // an Array(U8)
	ArrayValue  []Value
)

type (
	// A ProductValue holds the elements in their order; unit is the empty one.
	ProductValue []Value
	// A SumValue is a variant with its payload.
	SumValue struct {
		Tag   uint8 // position of the variant
		Value Value // UnitValue for a variant without data
	}
	// MinValue is less than every other value, of whatever type. It bounds scans and is never encoded.
	MinValue struct{}
	// MaxValue is greater than every other value.
	MaxValue struct{}
)

// UnitValue is the value of the unit type.
var UnitValue = ProductValue(nil)

// unitValue is UnitValue in an interface, so that decoding many units allocates nothing.
var unitValue Value = UnitValue

// NoneValue is the none of every option type.
var NoneValue = SumValue{Tag: 1, Value: UnitValue}

// SomeValue returns the some of an option type.
func SomeValue(v Value) SumValue { return SumValue{Value: v} }

// IdentityValue returns id as a value of IdentityType.
func IdentityValue(id Identity) ProductValue { return ProductValue{id.U256()} }

// ConnectionIDValue returns id as a value of ConnectionIDType.
func ConnectionIDValue(id ConnectionID) ProductValue { return ProductValue{id.U128()} }

// UuidValue returns u as a value of UuidType.
func UuidValue(u Uuid) ProductValue { return ProductValue{u128At(u[:])} }

// TimestampValue returns t as a value of TimestampType.
func TimestampValue(t Timestamp) ProductValue { return ProductValue{I64Value(t)} }

// TimeDurationValue returns d as a value of TimeDurationType.
func TimeDurationValue(d TimeDuration) ProductValue { return ProductValue{I64Value(d)} }

func (MinValue) rank() uint8     { return 0 }
func (BoolValue) rank() uint8    { return uint8(KindBool) }
func (I8Value) rank() uint8      { return uint8(KindI8) }
func (U8Value) rank() uint8      { return uint8(KindU8) }
func (I16Value) rank() uint8     { return uint8(KindI16) }
func (U16Value) rank() uint8     { return uint8(KindU16) }
func (I32Value) rank() uint8     { return uint8(KindI32) }
func (U32Value) rank() uint8     { return uint8(KindU32) }
func (I64Value) rank() uint8     { return uint8(KindI64) }
func (U64Value) rank() uint8     { return uint8(KindU64) }
func (I128) rank() uint8         { return uint8(KindI128) }
func (U128) rank() uint8         { return uint8(KindU128) }
func (I256) rank() uint8         { return uint8(KindI256) }
func (U256) rank() uint8         { return uint8(KindU256) }
func (F32Value) rank() uint8     { return uint8(KindF32) }
func (F64Value) rank() uint8     { return uint8(KindF64) }
func (StringValue) rank() uint8  { return uint8(KindString) }
func (BytesValue) rank() uint8   { return uint8(KindArray) }
func (ArrayValue) rank() uint8   { return uint8(KindArray) }
func (ProductValue) rank() uint8 { return uint8(KindProduct) }
func (SumValue) rank() uint8     { return uint8(KindSum) }
func (MaxValue) rank() uint8     { return 255 }

// Compare orders two values of one type by spec 01 §6. Values of different types have an order too, of no meaning
// but consistent; MinValue and MaxValue bound all of them.
func Compare(a, b Value) int {
	if c := int(a.rank()) - int(b.rank()); c != 0 {
		return c
	}
	switch a := a.(type) {
	case BoolValue:
		return cmpU64(uint64(boolByte(bool(a))), uint64(boolByte(bool(b.(BoolValue)))))
	case StringValue:
		return strings.Compare(string(a), string(b.(StringValue)))
	case BytesValue:
		if b, ok := b.(BytesValue); ok {
			return bytes.Compare(a, b)
		}
		return compareLists(a.elements(), b.(ArrayValue))
	case ArrayValue:
		if b, ok := b.(BytesValue); ok {
			return compareLists(a, b.elements())
		}
		return compareLists(a, b.(ArrayValue))
	case ProductValue:
		return compareLists(a, b.(ProductValue))
	case SumValue:
		b := b.(SumValue)
		if a.Tag != b.Tag {
			return int(a.Tag) - int(b.Tag)
		}
		return Compare(a.Value, b.Value)
	}
	return compareNumbers(a, b)
}

func compareNumbers(a, b Value) int {
	switch a := a.(type) {
	case I8Value:
		return int(a) - int(b.(I8Value))
	case U8Value:
		return int(a) - int(b.(U8Value))
	case I16Value:
		return int(a) - int(b.(I16Value))
	case U16Value:
		return int(a) - int(b.(U16Value))
	case I32Value:
		return cmpI64(int64(a), int64(b.(I32Value)))
	case U32Value:
		return cmpU64(uint64(a), uint64(b.(U32Value)))
	case I64Value:
		return cmpI64(int64(a), int64(b.(I64Value)))
	case U64Value:
		return cmpU64(uint64(a), uint64(b.(U64Value)))
	case I128:
		return a.Cmp(b.(I128))
	case U128:
		return a.Cmp(b.(U128))
	case I256:
		return a.Cmp(b.(I256))
	case U256:
		return a.Cmp(b.(U256))
	case F32Value:
		return cmpU64(uint64(orderedF32(math.Float32bits(float32(a)))), uint64(orderedF32(math.Float32bits(float32(b.(F32Value))))))
	case F64Value:
		return cmpU64(orderedF64(math.Float64bits(float64(a))), orderedF64(math.Float64bits(float64(b.(F64Value)))))
	}
	return 0
}

func boolByte(v bool) byte {
	if v {
		return 1
	}
	return 0
}

func (b BytesValue) elements() ArrayValue {
	a := make(ArrayValue, len(b))
	for i, c := range b {
		a[i] = U8Value(c)
	}
	return a
}

func compareLists(a, b []Value) int {
	for i := range min(len(a), len(b)) {
		if c := Compare(a[i], b[i]); c != 0 {
			return c
		}
	}
	return len(a) - len(b)
}

// Equal reports whether a and b are equal in the order of Compare: -0 equals +0 and all NaNs are equal.
func Equal(a, b Value) bool { return Compare(a, b) == 0 }

// HashValue returns a hash consistent with Equal.
func HashValue(v Value) uint64 { return HashBytes(appendHashInput(nil, v)) }

// appendHashInput appends bytes that are equal for equal values.
func appendHashInput(b []byte, v Value) []byte {
	switch v := v.(type) {
	case F32Value:
		return AppendU32(b, orderedF32(math.Float32bits(float32(v))))
	case F64Value:
		return AppendU64(b, orderedF64(math.Float64bits(float64(v))))
	case ArrayValue:
		b = AppendLen(b, len(v))
		for _, e := range v {
			b = appendHashInput(b, e)
		}
		return b
	case ProductValue:
		for _, e := range v {
			b = appendHashInput(b, e)
		}
		return b
	case SumValue:
		return appendHashInput(append(b, v.Tag), v.Value)
	case MinValue, MaxValue:
		return append(b, v.rank())
	}
	return AppendValue(b, v)
}
