package sats

import (
	"encoding/binary"
	"math"
)

// The functions of this file append one encoded value (spec 01 §3.1). Multi-byte numbers are little-endian.

// AppendBool appends 1 for true, 0 for false.
func AppendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

// AppendU8 appends v as one byte.
func AppendU8(b []byte, v uint8) []byte { return append(b, v) }

// AppendI8 appends v as one byte in two's complement.
func AppendI8(b []byte, v int8) []byte { return append(b, byte(v)) }

// AppendU16 appends v in 2 bytes, the least significant first.
func AppendU16(b []byte, v uint16) []byte { return binary.LittleEndian.AppendUint16(b, v) }

// AppendI16 appends v in 2 bytes, the least significant first, in two's complement.
func AppendI16(b []byte, v int16) []byte { return binary.LittleEndian.AppendUint16(b, uint16(v)) }

// AppendU32 appends v in 4 bytes, the least significant first.
func AppendU32(b []byte, v uint32) []byte { return binary.LittleEndian.AppendUint32(b, v) }

// AppendI32 appends v in 4 bytes, the least significant first, in two's complement.
func AppendI32(b []byte, v int32) []byte { return binary.LittleEndian.AppendUint32(b, uint32(v)) }

// AppendU64 appends v in 8 bytes, the least significant first.
func AppendU64(b []byte, v uint64) []byte { return binary.LittleEndian.AppendUint64(b, v) }

// AppendI64 appends v in 8 bytes, the least significant first, in two's complement.
func AppendI64(b []byte, v int64) []byte { return binary.LittleEndian.AppendUint64(b, uint64(v)) }

// AppendU128 appends v in 16 bytes, the least significant first.
func AppendU128(b []byte, v U128) []byte { return AppendU64(AppendU64(b, v.Lo), v.Hi) }

// AppendI128 appends v in 16 bytes, the least significant first, in two's complement.
func AppendI128(b []byte, v I128) []byte { return AppendI64(AppendU64(b, v.Lo), v.Hi) }

// AppendU256 appends v in 32 bytes, the least significant first.
func AppendU256(b []byte, v U256) []byte {
	return AppendU64(AppendU64(AppendU64(AppendU64(b, v[0]), v[1]), v[2]), v[3])
}

// AppendI256 appends v in 32 bytes, the least significant first, in two's complement.
func AppendI256(b []byte, v I256) []byte { return AppendU256(b, U256(v)) }

// AppendF32 appends the exact bits of v.
func AppendF32(b []byte, v float32) []byte { return AppendU32(b, math.Float32bits(v)) }

// AppendF64 appends the exact bits of v.
func AppendF64(b []byte, v float64) []byte { return AppendU64(b, math.Float64bits(v)) }

// AppendString appends a string. The caller guarantees UTF-8 and a length that fits in 32 bits.
func AppendString(b []byte, s string) []byte { return append(AppendLen(b, len(s)), s...) }

// AppendBytes appends an Array(U8).
func AppendBytes(b []byte, v []byte) []byte { return append(AppendLen(b, len(v)), v...) }

// AppendLen appends a string length or array count.
func AppendLen(b []byte, n int) []byte { return AppendU32(b, uint32(n)) }

// AppendTag appends a sum's tag.
func AppendTag(b []byte, tag uint8) []byte { return append(b, tag) }

// AppendNone appends the none of an option.
func AppendNone(b []byte) []byte { return append(b, 1) }

// AppendSome appends the tag of some; the payload follows.
func AppendSome(b []byte) []byte { return append(b, 0) }

// AppendOptString appends an optional string; nil is none.
func AppendOptString(b []byte, s *string) []byte {
	if s == nil {
		return AppendNone(b)
	}
	return AppendString(AppendSome(b), *s)
}
