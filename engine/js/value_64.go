//go:build !(386 || arm)

package js

import (
	"math"
	"unsafe"

	lib "modernc.org/libquickjs"
)

// valueSize is the size of a value in an argument list.
const valueSize = 16

func makeValue(tag int32, bits uint64) (v value) {
	v.Fu = *(*lib.TJSValueUnion)(unsafe.Pointer(&bits))
	v.Ftag = int64(tag)
	return v
}

func tagOf(v value) int32 { return int32(v.Ftag) }

func bitsOf(v value) uint64 { return *(*uint64)(unsafe.Pointer(&v.Fu)) }

func floatValue(f float64) value { return makeValue(lib.EJS_TAG_FLOAT64, math.Float64bits(f)) }

func floatOf(v value) float64 { return math.Float64frombits(bitsOf(v)) }
