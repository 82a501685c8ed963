package sats

import (
	"encoding/binary"
	"math"
)

// MaxZeroSizeElements bounds the array elements of no encoded size in one decoded value: they cost the sender
// nothing and would cost the receiver memory and time (spec 01 §3.8).
const MaxZeroSizeElements = 1 << 20

// A Reader decodes BSATN values one after another from a byte slice. The first error sticks: after it every method
// returns the zero value, and Err returns the error. The zero Reader is empty.
type Reader struct {
	b    []byte
	pos  int
	err  error
	zero int // array elements of no size read so far
	idle int // products of no size read so far

	depth int // values of recursive types that Enter has begun
}

// NewReader returns a reader over b, which it does not copy and never writes.
func NewReader(b []byte) *Reader { return &Reader{b: b} }

// Reset makes r read b from its start and forgets its error.
func (r *Reader) Reset(b []byte) { *r = Reader{b: b} }

// Err returns the first error, a *DecodeError unless Fail was given another.
func (r *Reader) Err() error { return r.err }

// Fail makes err the reader's error unless it has one.
func (r *Reader) Fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

// Enter begins a value of a recursive type and reports whether to read it; at MaxDepth it fails, so that no input can
// exhaust the stack. After true the end of the value calls Leave.
func (r *Reader) Enter() bool {
	if r.depth++; r.depth > MaxDepth {
		r.Fail(errDepth)
	}
	return r.err == nil
}

// Leave ends a value that Enter began.
func (r *Reader) Leave() { r.depth-- }

// Len returns the number of bytes left.
func (r *Reader) Len() int { return len(r.b) - r.pos }

// Pos returns the number of bytes read.
func (r *Reader) Pos() int { return r.pos }

// Rest returns the bytes left without consuming them.
func (r *Reader) Rest() []byte { return r.b[r.pos:] }

// End returns Err, or an error if bytes are left.
func (r *Reader) End() error {
	if r.err == nil && r.Len() > 0 {
		return ErrExtraBytes(r.Len())
	}
	return r.err
}

// take returns the next n bytes, nil on error; what names the read in the error.
func (r *Reader) take(n int, what string) []byte {
	if r.err != nil {
		return nil
	}
	if len(r.b)-r.pos < n {
		r.err = errShort(what, n, len(r.b)-r.pos)
		return nil
	}
	p := r.b[r.pos : r.pos+n : r.pos+n]
	r.pos += n
	return p
}

func (r *Reader) u16(what string) uint16 {
	if p := r.take(2, what); p != nil {
		return binary.LittleEndian.Uint16(p)
	}
	return 0
}

func (r *Reader) u32(what string) uint32 {
	if p := r.take(4, what); p != nil {
		return binary.LittleEndian.Uint32(p)
	}
	return 0
}

func (r *Reader) u64(what string) uint64 {
	if p := r.take(8, what); p != nil {
		return binary.LittleEndian.Uint64(p)
	}
	return 0
}

func (r *Reader) byte(what string) byte {
	if p := r.take(1, what); p != nil {
		return p[0]
	}
	return 0
}

// Bool reads a Bool.
func (r *Reader) Bool() bool {
	v := r.byte("u8")
	if v > 1 {
		r.Fail(errBool(v))
	}
	return v == 1
}

// U8 reads a U8: one byte.
func (r *Reader) U8() uint8 { return r.byte("u8") }

// I8 reads an I8: one byte in two's complement.
func (r *Reader) I8() int8 { return int8(r.byte("i8")) }

// U16 reads a U16: 2 bytes, the least significant first.
func (r *Reader) U16() uint16 { return r.u16("u16") }

// I16 reads an I16: 2 bytes, the least significant first, in two's complement.
func (r *Reader) I16() int16 { return int16(r.u16("i16")) }

// U32 reads a U32: 4 bytes, the least significant first.
func (r *Reader) U32() uint32 { return r.u32("u32") }

// I32 reads an I32: 4 bytes, the least significant first, in two's complement.
func (r *Reader) I32() int32 { return int32(r.u32("i32")) }

// U64 reads a U64: 8 bytes, the least significant first.
func (r *Reader) U64() uint64 { return r.u64("u64") }

// I64 reads an I64: 8 bytes, the least significant first, in two's complement.
func (r *Reader) I64() int64 { return int64(r.u64("i64")) }

// U128 reads a U128: 16 bytes, the least significant first.
func (r *Reader) U128() U128 { return u128At(r.take(16, "u128")) }

// I128 reads an I128: 16 bytes, the least significant first, in two's complement.
func (r *Reader) I128() I128 {
	u := u128At(r.take(16, "i128"))
	return I128{Lo: u.Lo, Hi: int64(u.Hi)}
}

// U256 reads a U256: 32 bytes, the least significant first.
func (r *Reader) U256() U256 { return u256At(r.take(32, "u256")) }

// I256 reads an I256: 32 bytes, the least significant first, in two's complement.
func (r *Reader) I256() I256 { return I256(u256At(r.take(32, "i256"))) }

func u128At(p []byte) U128 {
	if p == nil {
		return U128{}
	}
	return U128{Lo: binary.LittleEndian.Uint64(p), Hi: binary.LittleEndian.Uint64(p[8:])}
}

func u256At(p []byte) (u U256) {
	if p != nil {
		for i := range u {
			u[i] = binary.LittleEndian.Uint64(p[8*i:])
		}
	}
	return u
}

// F32 reads the exact bits of an F32.
func (r *Reader) F32() float32 { return math.Float32frombits(r.u32("u32")) }

// F64 reads the exact bits of an F64.
func (r *Reader) F64() float64 { return math.Float64frombits(r.u64("u64")) }

// Tag reads the tag of a sum of n variants.
func (r *Reader) Tag(n int) uint8 { return r.TagOf(n, unknownSum) }

// TagOf reads the tag of a sum of n variants that has a name, for the error.
func (r *Reader) TagOf(n int, sum string) uint8 {
	v := r.byte("u8")
	if int(v) >= n {
		r.Fail(errTag(v, sum))
		return 0
	}
	return v
}

// Option reads the tag of an option and reports whether a payload follows.
func (r *Reader) Option() bool { return r.TagOf(2, "option") == 0 && r.err == nil }

// View reads n bytes without copying them: the result shares memory with the input.
func (r *Reader) View(n int) []byte {
	if n < 0 {
		r.Fail(errOther("negative length"))
		return nil
	}
	return r.take(n, "[u8]")
}

// BytesN reads n bytes into a slice of their own.
func (r *Reader) BytesN(n int) []byte { return append([]byte(nil), r.View(n)...) }

// BytesView reads an Array(U8) without copying it.
func (r *Reader) BytesView() []byte { return r.takeLen() }

// Bytes reads an Array(U8) into a slice of its own.
func (r *Reader) Bytes() []byte { return append([]byte(nil), r.takeLen()...) }

func (r *Reader) takeLen() []byte {
	n := r.u32("u32")
	if r.err == nil && uint64(n) > uint64(r.Len()) {
		r.err = &DecodeError{Kind: ErrBufferLength, What: "[u8]", Expected: uint64(n), Given: uint64(r.Len())}
	}
	return r.take(int(n), "[u8]")
}

// StrView reads a String without copying it, as bytes known to be UTF-8.
func (r *Reader) StrView() []byte {
	p := r.takeLen()
	if !validText(p) {
		r.Fail(errUTF8)
		return nil
	}
	return p
}

// Str reads a String.
func (r *Reader) Str() string { return string(r.StrView()) }

// OptStr reads an optional string; none is nil.
func (r *Reader) OptStr() *string {
	if !r.Option() {
		return nil
	}
	s := r.Str()
	if r.err != nil {
		return nil
	}
	return &s
}

// Count reads the count of an array whose elements take no less than least bytes each, and fails if so many cannot
// follow. If that is 0 the elements of all arrays read by r count towards MaxZeroSizeElements.
func (r *Reader) Count(least int) int {
	n := r.u32("u32")
	if r.err != nil {
		return 0
	}
	if least <= 0 {
		if r.zero += int(min(n, MaxZeroSizeElements+1)); r.zero > MaxZeroSizeElements {
			r.err = errAlloc(uint64(n))
			return 0
		}
		return int(n)
	}
	if uint64(n)*uint64(least) > uint64(r.Len()) {
		r.err = &DecodeError{Kind: ErrBufferLength, What: "array", Expected: uint64(n) * uint64(least), Given: uint64(r.Len())}
		return 0
	}
	return int(n)
}

// firstElement is called after the first of n array elements, which started at before. If it had no size none has:
// then all n count at once, before anything is done for the others.
func (r *Reader) firstElement(before int, n uint32) {
	if r.pos == before && r.err == nil {
		if r.zero += int(min(n, MaxZeroSizeElements+1)); r.zero > MaxZeroSizeElements {
			r.err = errAlloc(uint64(n))
		}
	}
}

// productDone is called after a product that started at before. A few refs in a row can make a type whose only value
// takes no bytes and endless time; this bounds the time by the bytes read.
func (r *Reader) productDone(before int) {
	if r.pos == before {
		if r.idle++; r.idle > 4*MaxZeroSizeElements+64*r.pos {
			r.Fail(errOther("value has too many parts of no size"))
		}
	}
}
