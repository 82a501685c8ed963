package js

import (
	"math"
	"math/big"

	lib "modernc.org/libquickjs"

	"github.com/stdbgo/spacetime/engine/internal/jshost"
	"github.com/stdbgo/spacetime/sats"
)

// args are the arguments of a host function. The accessors convert as spec 04 §3.2 says, without coercion; one that fails has
// thrown a TypeError.
type args struct {
	m     *vm
	n     int32
	argv  uintptr
	major int // of the sys module whose function is called; 0: none
}

// get returns argument i, borrowed.
func (a args) get(i int) value {
	if int32(i) >= a.n {
		return undefined
	}
	return *(*value)(at(a.argv + uintptr(i)*valueSize))
}

// kind names the type of a value in error texts.
func (m *vm) kind(v value) string {
	switch {
	case isUndefined(v):
		return "undefined"
	case isNull(v):
		return "null"
	case isString(v):
		return "a string"
	case isBigInt(v):
		return "a bigint"
	case tagOf(v) == lib.EJS_TAG_BOOL:
		return "a boolean"
	case tagOf(v) == lib.EJS_TAG_INT, tagOf(v) == lib.EJS_TAG_FLOAT64:
		return "a number"
	case tagOf(v) == lib.EJS_TAG_SYMBOL:
		return "a symbol"
	case lib.XJS_IsFunction(m.tls, m.ctx, v) != 0:
		return "a function"
	}
	return "an object"
}

// mismatch throws the error for a value of a wrong type.
func (m *vm) mismatch(want string, got value) {
	m.throw(m.typeError, "Expected "+want+", got "+m.kind(got))
}

// u32 reads an unsigned integer.
func (a args) u32(i int) (uint32, bool) {
	v := a.get(i)
	if tagOf(v) == lib.EJS_TAG_INT {
		if n := int32(bitsOf(v)); n >= 0 {
			return uint32(n), true
		}
	}
	n, ok := integerOf(v)
	if !ok || n < 0 || n > math.MaxUint32 {
		a.m.mismatch("u32", v)
		return 0, false
	}
	return uint32(n), true
}

// u16 reads an unsigned integer of 16 bits.
func (a args) u16(i int) (uint16, bool) {
	n, ok := a.u32(i)
	if ok && n > math.MaxUint16 {
		a.m.throw(a.m.typeError, "Value overflowed `u16`")
		return 0, false
	}
	return uint16(n), ok
}

// str reads a string.
func (a args) str(i int) (string, bool) {
	v := a.get(i)
	if !isString(v) {
		a.m.mismatch("string", v)
		return "", false
	}
	return a.m.goString(v)
}

// bytes reads a Uint8Array, without copying: the result is good until JavaScript runs again.
func (a args) bytes(i int) ([]byte, bool) {
	v := a.get(i)
	if a.m.classOf(v) == lib.EJS_CLASS_UINT8_ARRAY {
		if b, ok := a.m.arrayBytes(v); ok {
			return b, true
		}
	}
	a.m.mismatch("Uint8Array", v)
	return nil, false
}

// buffer reads an ArrayBuffer, likewise.
func (a args) buffer(i int) ([]byte, bool) {
	v := a.get(i)
	if a.m.classOf(v) == lib.EJS_CLASS_ARRAY_BUFFER {
		if b, ok := a.m.bufferBytes(v); ok {
			return b, true
		}
	}
	a.m.mismatch("ArrayBuffer", v)
	return nil, false
}

// prefix reads an ArrayBuffer and the number of its leading bytes that count.
func (a args) prefix(buffer, length int) (all, part []byte, ok bool) {
	all, ok = a.buffer(buffer)
	if !ok {
		return nil, nil, false
	}
	n, ok := a.u32(length)
	if !ok {
		return nil, nil, false
	}
	if uint64(n) > uint64(len(all)) {
		a.m.outOfBounds()
		return nil, nil, false
	}
	return all, all[:n], true
}

// outOfBounds throws the error for a length that exceeds its buffer.
func (m *vm) outOfBounds() {
	m.throw(m.rangeError, jshost.OutOfBounds)
}

// connection reads a BigInt of 128 bits.
func (a args) connection(i int) (id sats.ConnectionID, ok bool) {
	v := a.get(i)
	if !isBigInt(v) {
		a.m.mismatch("u128", v)
		return id, false
	}
	text, ok := a.m.goString(v)
	if !ok {
		return id, false
	}
	n, ok := new(big.Int).SetString(text, 10)
	switch {
	case !ok || n.Sign() < 0:
		a.m.throw(a.m.typeError, "Value underflowed `u128`")
		return id, false
	case n.BitLen() > 128:
		a.m.throw(a.m.typeError, "Value overflowed `u128`")
		return id, false
	}
	for i, b := range n.Bytes() {
		id[(n.BitLen()+7)/8-1-i] = b
	}
	return id, true
}
