//go:build 386 || arm

package js

import (
	"math"

	lib "modernc.org/libquickjs"
)

// valueSize is the size of a value in an argument list. On 32-bit machines values hide in the payload of NaNs.
const valueSize = 8

// floatAddend is what the engine subtracts from the upper word of a number, so that it cannot be taken for a tag.
const floatAddend uint64 = (0x7ff80000 - lib.EJS_TAG_FIRST + 1) << 32

func makeValue(tag int32, bits uint64) value { return uint64(uint32(tag))<<32 | uint64(uint32(bits)) }

func tagOf(v value) int32 {
	tag := int32(v >> 32)
	if uint32(tag-lib.EJS_TAG_FIRST) >= lib.EJS_TAG_FLOAT64-lib.EJS_TAG_FIRST {
		return lib.EJS_TAG_FLOAT64
	}
	return tag
}

func bitsOf(v value) uint64 { return uint64(uint32(v)) }

func floatValue(f float64) value {
	if f != f {
		f = math.NaN()
	}
	return math.Float64bits(f) - floatAddend
}

func floatOf(v value) float64 { return math.Float64frombits(v + floatAddend) }
