package query

import (
	"encoding/binary"

	"github.com/stdbgo/spacetime/sats"
)

// scalarKind looks through products of one field: they are ordered as it is.
func scalarKind(t *sats.Type) sats.Kind {
	for t.Kind == sats.KindProduct && len(t.Elems) == 1 {
		t = t.Elems[0].Type
	}
	return t.Kind
}

func integerAt(rel, at int, op CmpOp, k sats.Kind, want []byte) predicate {
	le := binary.LittleEndian
	switch k {
	case sats.KindU8, sats.KindBool:
		return unsignedAt(op, uint64(want[0]), func(f *frame) uint64 { return uint64(f.rows[rel][at]) })
	case sats.KindU16:
		return unsignedAt(op, uint64(le.Uint16(want)), func(f *frame) uint64 { return uint64(le.Uint16(f.rows[rel][at:])) })
	case sats.KindU32:
		return uint32At(rel, at, op, le.Uint32(want))
	case sats.KindU64:
		w := le.Uint64(want)
		if op == Eq {
			return func(f *frame) bool { return le.Uint64(f.rows[rel][at:]) == w }
		}
		return unsignedAt(op, w, func(f *frame) uint64 { return le.Uint64(f.rows[rel][at:]) })
	case sats.KindI8:
		return signedAt(op, int64(int8(want[0])), func(f *frame) int64 { return int64(int8(f.rows[rel][at])) })
	case sats.KindI16:
		return signedAt(op, int64(int16(le.Uint16(want))), func(f *frame) int64 { return int64(int16(le.Uint16(f.rows[rel][at:]))) })
	case sats.KindI32:
		return int32At(rel, at, op, int32(le.Uint32(want)))
	case sats.KindI64:
		return signedAt(op, int64(le.Uint64(want)), func(f *frame) int64 { return int64(le.Uint64(f.rows[rel][at:])) })
	}
	return nil
}

func uint32At(rel, at int, op CmpOp, w uint32) predicate {
	le := binary.LittleEndian
	switch op {
	case Eq:
		return func(f *frame) bool { return le.Uint32(f.rows[rel][at:]) == w }
	case Ne:
		return func(f *frame) bool { return le.Uint32(f.rows[rel][at:]) != w }
	case Lt:
		return func(f *frame) bool { return le.Uint32(f.rows[rel][at:]) < w }
	case Gt:
		return func(f *frame) bool { return le.Uint32(f.rows[rel][at:]) > w }
	case Le:
		return func(f *frame) bool { return le.Uint32(f.rows[rel][at:]) <= w }
	}
	return func(f *frame) bool { return le.Uint32(f.rows[rel][at:]) >= w }
}

func int32At(rel, at int, op CmpOp, w int32) predicate {
	le := binary.LittleEndian
	switch op {
	case Eq:
		return func(f *frame) bool { return int32(le.Uint32(f.rows[rel][at:])) == w }
	case Ne:
		return func(f *frame) bool { return int32(le.Uint32(f.rows[rel][at:])) != w }
	case Lt:
		return func(f *frame) bool { return int32(le.Uint32(f.rows[rel][at:])) < w }
	case Gt:
		return func(f *frame) bool { return int32(le.Uint32(f.rows[rel][at:])) > w }
	case Le:
		return func(f *frame) bool { return int32(le.Uint32(f.rows[rel][at:])) <= w }
	}
	return func(f *frame) bool { return int32(le.Uint32(f.rows[rel][at:])) >= w }
}

func unsignedAt(op CmpOp, w uint64, get func(*frame) uint64) predicate {
	switch op {
	case Eq:
		return func(f *frame) bool { return get(f) == w }
	case Ne:
		return func(f *frame) bool { return get(f) != w }
	case Lt:
		return func(f *frame) bool { return get(f) < w }
	case Gt:
		return func(f *frame) bool { return get(f) > w }
	case Le:
		return func(f *frame) bool { return get(f) <= w }
	}
	return func(f *frame) bool { return get(f) >= w }
}

func signedAt(op CmpOp, w int64, get func(*frame) int64) predicate {
	switch op {
	case Eq:
		return func(f *frame) bool { return get(f) == w }
	case Ne:
		return func(f *frame) bool { return get(f) != w }
	case Lt:
		return func(f *frame) bool { return get(f) < w }
	case Gt:
		return func(f *frame) bool { return get(f) > w }
	case Le:
		return func(f *frame) bool { return get(f) <= w }
	}
	return func(f *frame) bool { return get(f) >= w }
}
