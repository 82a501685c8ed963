package js

import (
	"math"
	"unsafe"

	lib "modernc.org/libquickjs"
)

// A value is a JavaScript value as the engine passes it. Strings, symbols, big integers and objects are counted
// references: whoever holds one must free it once, unless a comment says that it is borrowed.
type value = lib.TJSValue

var (
	undefined = makeValue(lib.EJS_TAG_UNDEFINED, 0)
	null      = makeValue(lib.EJS_TAG_NULL, 0)
	exception = makeValue(lib.EJS_TAG_EXCEPTION, 0) // "look at the pending exception"
)

func intValue(i int32) value { return makeValue(lib.EJS_TAG_INT, uint64(uint32(i))) }

func boolValue(b bool) value {
	if b {
		return makeValue(lib.EJS_TAG_BOOL, 1)
	}
	return makeValue(lib.EJS_TAG_BOOL, 0)
}

func uint32Value(n uint32) value {
	if n <= math.MaxInt32 {
		return intValue(int32(n))
	}
	return floatValue(float64(n))
}

func isException(v value) bool { return tagOf(v) == lib.EJS_TAG_EXCEPTION }
func isUndefined(v value) bool { return tagOf(v) == lib.EJS_TAG_UNDEFINED }
func isNull(v value) bool      { return tagOf(v) == lib.EJS_TAG_NULL }
func isObject(v value) bool    { return tagOf(v) == lib.EJS_TAG_OBJECT }

func isString(v value) bool {
	t := tagOf(v)
	return t == lib.EJS_TAG_STRING || t == lib.EJS_TAG_STRING_ROPE
}

func isBigInt(v value) bool {
	t := tagOf(v)
	return t == lib.EJS_TAG_BIG_INT || t == lib.EJS_TAG_SHORT_BIG_INT
}

// counted tells whether v is a counted reference.
func counted(v value) bool { return tagOf(v) < 0 }

// integerOf returns the integer that v is, if it is a number without fraction other than -0.
func integerOf(v value) (int64, bool) {
	switch tagOf(v) {
	case lib.EJS_TAG_INT:
		return int64(int32(bitsOf(v))), true
	case lib.EJS_TAG_FLOAT64:
		f := floatOf(v)
		if f != math.Trunc(f) || math.Abs(f) > 1<<53 || f == 0 && math.Signbit(f) {
			return 0, false
		}
		return int64(f), true
	}
	return 0, false
}

// at is the memory at an address of the engine. It is no conversion of an integer to a pointer for vet's eyes, as the
// address is none of the Go heap.
func at(p uintptr) unsafe.Pointer { return unsafe.Add(nil, p) }

// memory is the n bytes at an address of the engine.
func memory(p uintptr, n int) []byte {
	if n == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(at(p)), n)
}

// functionPointer is the address of *f as C code would know it. The caller keeps f alive.
func functionPointer[F any](f *F) uintptr { return *(*uintptr)(unsafe.Pointer(f)) }

// addressOf is the address of bytes that lie in the engine's memory, as memory returned them.
func addressOf(b []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(b))) }
