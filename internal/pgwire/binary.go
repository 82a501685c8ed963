package pgwire

import (
	"encoding/binary"
	"math"
	"strconv"

	"github.com/stdbgo/spacetime/sats"
)

// epochMicros is 2000-01-01, where PostgreSQL counts from, in Unix time.
const epochMicros = 946_684_800_000_000

// binaryValue returns the encoder of the binary form of a type. What is JSON, or the
// name of a variant, has its text for that.
func binaryValue(t *sats.Type) valueEncoder {
	oid := OID(t)
	switch oid {
	case oidBool:
		return func(dst []byte, r *sats.Reader) []byte {
			if r.Bool() {
				return append(dst, 1)
			}
			return append(dst, 0)
		}
	case oidInt2:
		return func(dst []byte, r *sats.Reader) []byte { return appendU16(dst, int(readInt(r, t.Kind))) }
	case oidInt4:
		return func(dst []byte, r *sats.Reader) []byte { return appendU32(dst, uint32(readInt(r, t.Kind))) }
	case oidInt8:
		return func(dst []byte, r *sats.Reader) []byte {
			return binary.BigEndian.AppendUint64(dst, uint64(readInt(r, t.Kind)))
		}
	case oidFloat4:
		return func(dst []byte, r *sats.Reader) []byte { return appendU32(dst, math.Float32bits(r.F32())) }
	case oidFloat8:
		return func(dst []byte, r *sats.Reader) []byte {
			return binary.BigEndian.AppendUint64(dst, math.Float64bits(r.F64()))
		}
	case oidNumeric:
		text := integerText(t.Kind)
		var digits []byte // of the encoder, which is for one goroutine
		return func(dst []byte, r *sats.Reader) []byte {
			digits = text(digits[:0], r)
			return appendNumeric(dst, digits)
		}
	case oidBytea:
		return binaryBytes(t)
	case oidUUID:
		return func(dst []byte, r *sats.Reader) []byte { b := r.Uuid().Bytes(); return append(dst, b[:]...) }
	case oidTimestamp:
		return func(dst []byte, r *sats.Reader) []byte {
			micros := int64(r.Timestamp())
			if micros < math.MinInt64+epochMicros {
				return binary.BigEndian.AppendUint64(dst, 1<<63) // -infinity
			}
			return binary.BigEndian.AppendUint64(dst, uint64(micros-epochMicros))
		}
	case oidInterval:
		return func(dst []byte, r *sats.Reader) []byte {
			dst = binary.BigEndian.AppendUint64(dst, uint64(r.TimeDuration()))
			return append(dst, 0, 0, 0, 0, 0, 0, 0, 0) // days, months
		}
	}
	if element, ok := elementOf(oid); ok {
		return binaryArray(t.Elem, element)
	}
	return textValue(t, StylePostgres)
}

func binaryBytes(t *sats.Type) valueEncoder {
	switch t.Special() {
	case sats.SpecialIdentity:
		return func(dst []byte, r *sats.Reader) []byte { id := r.Identity(); return appendBackwards(dst, id[:]) }
	case sats.SpecialConnectionID:
		return func(dst []byte, r *sats.Reader) []byte { id := r.ConnectionID(); return appendBackwards(dst, id[:]) }
	}
	return func(dst []byte, r *sats.Reader) []byte { return append(dst, r.BytesView()...) }
}

func appendBackwards(dst, b []byte) []byte {
	for i := len(b) - 1; i >= 0; i-- {
		dst = append(dst, b[i])
	}
	return dst
}

func binaryArray(elem *sats.Type, oid uint32) valueEncoder {
	value := binaryValue(elem)
	return func(dst []byte, r *sats.Reader) []byte {
		n := int(r.U32())
		if n == 0 {
			dst = append(dst, 0, 0, 0, 0, 0, 0, 0, 0)
			return appendU32(dst, oid)
		}
		dst = append(dst, 0, 0, 0, 1, 0, 0, 0, 0) // one dimension, no NULL
		dst = appendU32(dst, oid)
		dst = appendU32(dst, uint32(n))
		dst = appendU32(dst, 1) // index of the first
		for i := 0; i < n && r.Err() == nil; i++ {
			at := len(dst)
			dst = value(append(dst, 0, 0, 0, 0), r)
			binary.BigEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
		}
		return dst
	}
}

// appendNumeric writes an integer in groups of four decimal digits.
func appendNumeric(dst, decimal []byte) []byte {
	sign := 0
	if decimal[0] == '-' {
		sign, decimal = 0x4000, decimal[1:]
	}
	groups := (len(decimal) + 3) / 4
	if decimal[0] == '0' {
		groups = 0
	}
	at := len(dst)
	dst = appendU16(dst, groups)
	dst = appendU16(dst, max(groups-1, 0)) // weight of the first group
	dst = appendU16(dst, sign)
	dst = appendU16(dst, 0) // digits behind the point
	for size := len(decimal) - 4*(groups-1); groups > 0 && len(decimal) > 0; size = 4 {
		n, _ := strconv.Atoi(string(decimal[:size]))
		dst = appendU16(dst, n)
		decimal = decimal[size:]
	}
	// Groups of zeros at the end are left out.
	for n := groups; n > 0 && dst[len(dst)-1] == 0 && dst[len(dst)-2] == 0; n-- {
		dst = dst[:len(dst)-2]
		binary.BigEndian.PutUint16(dst[at:], uint16(n-1))
	}
	return dst
}
