package pgwire

import "github.com/stdbgo/spacetime/sats"

// Types of PostgreSQL.
const (
	oidBool        = 16
	oidBytea       = 17
	oidInt8        = 20
	oidInt2        = 21
	oidInt4        = 23
	oidText        = 25
	oidJSON        = 114
	oidFloat4      = 700
	oidFloat8      = 701
	oidUnknown     = 705
	oidBools       = 1000
	oidInt2s       = 1005
	oidInt4s       = 1007
	oidVarchars    = 1015
	oidInt8s       = 1016
	oidVarchar     = 1043
	oidDate        = 1082
	oidTimestamp   = 1114
	oidTimestamptz = 1184
	oidInterval    = 1186
	oidNumerics    = 1231
	oidNumeric     = 1700
	oidAnyarray    = 2277
	oidUUID        = 2950
	oidAnyenum     = 3500
	oidJSONB       = 3802
)

// OID is the PostgreSQL type of a SATS type without references (spec 06 §7.3).
func OID(t *sats.Type) uint32 {
	switch t.Kind {
	case sats.KindString:
		return oidVarchar
	case sats.KindBool:
		return oidBool
	case sats.KindU8, sats.KindI8, sats.KindI16:
		return oidInt2
	case sats.KindU16, sats.KindI32:
		return oidInt4
	case sats.KindU32, sats.KindI64:
		return oidInt8
	case sats.KindU64, sats.KindI128, sats.KindU128, sats.KindI256, sats.KindU256:
		return oidNumeric
	case sats.KindF32:
		return oidFloat4
	case sats.KindF64:
		return oidFloat8
	case sats.KindArray:
		if t.IsBytes() {
			return oidBytea
		}
		if list, ok := arrayOf[OID(t.Elem)]; ok && (t.Elem.Kind.IsScalar() || t.Elem.Kind == sats.KindString) {
			return list
		}
		return oidAnyarray
	case sats.KindSum:
		if t.IsPlainEnum() {
			return oidAnyenum
		}
		return oidJSON
	case sats.KindProduct:
		switch t.Special() {
		case sats.SpecialIdentity, sats.SpecialConnectionID:
			return oidBytea
		case sats.SpecialTimestamp:
			return oidTimestamp
		case sats.SpecialTimeDuration:
			return oidInterval
		case sats.SpecialUuid:
			return oidUUID
		}
		return oidJSON
	}
	return oidUnknown
}

// arrayOf are the types of arrays that drivers know, by the type of the elements.
var arrayOf = map[uint32]uint32{
	oidVarchar: oidVarchars, oidBool: oidBools, oidInt2: oidInt2s, oidInt4: oidInt4s, oidInt8: oidInt8s, oidNumeric: oidNumerics,
}

// TypeOf is the SATS type that a client means that gives a parameter the PostgreSQL
// type; nil if it means none.
func TypeOf(oid uint32) *sats.Type {
	switch oid {
	case oidBool:
		return sats.Bool
	case oidBytea:
		return sats.Array(sats.U8)
	case oidInt2:
		return sats.I16
	case oidInt4:
		return sats.I32
	case oidInt8:
		return sats.I64
	case oidFloat4:
		return sats.F32
	case oidFloat8:
		return sats.F64
	case oidTimestamp, oidTimestamptz:
		return sats.TimestampType
	case oidInterval:
		return sats.TimeDurationType
	case oidUUID:
		return sats.UuidType
	}
	return nil
}

// Types of parameters of which nothing is known: of what is described, and of
// what a client says.
const (
	OIDText    = oidText
	OIDUnknown = oidUnknown
)

// elementOf is the type of the elements of an array type that drivers know.
func elementOf(oid uint32) (element uint32, ok bool) {
	for element, list := range arrayOf {
		if list == oid {
			return element, true
		}
	}
	return 0, false
}
