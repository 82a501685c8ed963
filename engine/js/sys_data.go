package js

import (
	lib "modernc.org/libquickjs"

	"github.com/stdbgo/spacetime/internal/abi"
)

// The functions of this file read their arguments, let the call's abi.Context do the work, and convert the result. A false from
// an accessor means that it has thrown.

func sysTableID(in *instance, a args) (value, abi.Errno) {
	name, ok := a.str(0)
	if !ok {
		return exception, abi.OK
	}
	id, e := in.host.TableIDFromName(name)
	return uint32Value(id), e
}

func sysIndexID(in *instance, a args) (value, abi.Errno) {
	name, ok := a.str(0)
	if !ok {
		return exception, abi.OK
	}
	id, e := in.host.IndexIDFromName(name)
	return uint32Value(id), e
}

func sysRowCount(in *instance, a args) (value, abi.Errno) {
	t, ok := a.u32(0)
	if !ok {
		return exception, abi.OK
	}
	n, e := in.host.RowCount(t)
	if e != abi.OK {
		return undefined, e
	}
	return lib.XJS_NewBigUint64(in.tls, in.ctx, n), abi.OK
}

func sysClear(in *instance, a args) (value, abi.Errno) {
	t, ok := a.u32(0)
	if !ok {
		return exception, abi.OK
	}
	n, e := in.host.Clear(t)
	if e != abi.OK {
		return undefined, e
	}
	return lib.XJS_NewBigUint64(in.tls, in.ctx, n), abi.OK
}

func sysTableScan(in *instance, a args) (value, abi.Errno) {
	t, ok := a.u32(0)
	if !ok {
		return exception, abi.OK
	}
	it, e := in.host.TableScan(t)
	return uint32Value(it), e
}

func sysScanPoint(in *instance, a args) (value, abi.Errno) {
	ix, ok := a.u32(0)
	if !ok {
		return exception, abi.OK
	}
	_, point, ok := a.prefix(1, 2)
	if !ok {
		return exception, abi.OK
	}
	it, e := in.host.ScanPoint(ix, point)
	return uint32Value(it), e
}

func sysDeletePoint(in *instance, a args) (value, abi.Errno) {
	ix, ok := a.u32(0)
	if !ok {
		return exception, abi.OK
	}
	_, point, ok := a.prefix(1, 2)
	if !ok {
		return exception, abi.OK
	}
	n, e := in.host.DeleteByPoint(ix, point)
	return uint32Value(n), e
}

func sysScanPointV1(in *instance, a args) (value, abi.Errno) {
	ix, ok := a.u32(0)
	if !ok {
		return exception, abi.OK
	}
	point, ok := a.bytes(1)
	if !ok {
		return exception, abi.OK
	}
	it, e := in.host.ScanPoint(ix, point)
	return uint32Value(it), e
}

func sysDeletePointV1(in *instance, a args) (value, abi.Errno) {
	ix, ok := a.u32(0)
	if !ok {
		return exception, abi.OK
	}
	point, ok := a.bytes(1)
	if !ok {
		return exception, abi.OK
	}
	n, e := in.host.DeleteByPoint(ix, point)
	return uint32Value(n), e
}

// rangeArgs reads an index and a range of it that lies in one buffer, spec 04 §4.6.
func rangeArgs(a args) (ix uint32, r abi.RangeArg, ok bool) {
	if ix, ok = a.u32(0); !ok {
		return 0, r, false
	}
	buf, ok := a.buffer(1)
	if !ok {
		return 0, r, false
	}
	prefix, ok := a.u32(2)
	if !ok {
		return 0, r, false
	}
	elems, ok := a.u16(3)
	if !ok {
		return 0, r, false
	}
	start, ok := a.u32(4)
	if !ok {
		return 0, r, false
	}
	end, ok := a.u32(5)
	if !ok {
		return 0, r, false
	}
	if uint64(prefix)+uint64(start)+uint64(end) > uint64(len(buf)) {
		a.m.outOfBounds()
		return 0, r, false
	}
	r = abi.RangeArg{Prefix: buf[:prefix], PrefixElems: int(elems), Start: buf[prefix : uint64(prefix)+uint64(start)]}
	r.End = r.Start // equality
	if end > 0 {
		from := uint64(prefix) + uint64(start)
		r.End = buf[from : from+uint64(end)]
	}
	return ix, r, true
}

func sysScanRange(in *instance, a args) (value, abi.Errno) {
	ix, r, ok := rangeArgs(a)
	if !ok {
		return exception, abi.OK
	}
	it, e := in.host.ScanRange(ix, r)
	return uint32Value(it), e
}

func sysDeleteRange(in *instance, a args) (value, abi.Errno) {
	ix, r, ok := rangeArgs(a)
	if !ok {
		return exception, abi.OK
	}
	n, e := in.host.DeleteByRange(ix, r)
	return uint32Value(n), e
}

// rangeArgsV1 reads an index and a range of it in arrays of their own, spec 04 §4.2.
func rangeArgsV1(a args) (ix uint32, r abi.RangeArg, ok bool) {
	if ix, ok = a.u32(0); !ok {
		return 0, r, false
	}
	if r.Prefix, ok = a.bytes(1); !ok {
		return 0, r, false
	}
	elems, ok := a.u16(2)
	if !ok {
		return 0, r, false
	}
	r.PrefixElems = int(elems)
	if r.Start, ok = a.bytes(3); !ok {
		return 0, r, false
	}
	if r.End, ok = a.bytes(4); !ok {
		return 0, r, false
	}
	return ix, r, true
}

func sysScanRangeV1(in *instance, a args) (value, abi.Errno) {
	ix, r, ok := rangeArgsV1(a)
	if !ok {
		return exception, abi.OK
	}
	it, e := in.host.ScanRange(ix, r)
	return uint32Value(it), e
}

func sysDeleteRangeV1(in *instance, a args) (value, abi.Errno) {
	ix, r, ok := rangeArgsV1(a)
	if !ok {
		return exception, abi.OK
	}
	n, e := in.host.DeleteByRange(ix, r)
	return uint32Value(n), e
}

// sysIterAdvance answers how many bytes it wrote, negated if these were the last.
func sysIterAdvance(in *instance, a args) (value, abi.Errno) {
	it, ok := a.u32(0)
	if !ok {
		return exception, abi.OK
	}
	buf, ok := a.buffer(1)
	if !ok {
		return exception, abi.OK
	}
	n, exhausted, needed, e := in.host.IterAdvance(it, buf)
	switch {
	case e == abi.ErrBufferTooSmall:
		return in.throwTooSmall(needed), abi.OK
	case exhausted:
		n = -n
	}
	return intValue(int32(n)), e
}

// sysIterAdvanceV1 answers [whether that was all, the bytes].
func sysIterAdvanceV1(in *instance, a args) (value, abi.Errno) {
	it, ok := a.u32(0)
	if !ok {
		return exception, abi.OK
	}
	size, ok := a.u32(1)
	if !ok {
		return exception, abi.OK
	}
	buf := in.rowBuffer(int(min(size, maxRowBuffer)))
	n, exhausted, needed, e := in.host.IterAdvance(it, buf)
	switch {
	case e == abi.ErrBufferTooSmall:
		return in.throwTooSmall(needed), abi.OK
	case e != abi.OK:
		return undefined, e
	}
	rows := in.newBytes(buf[:n])
	if isException(rows) {
		return rows, abi.OK
	}
	pair := lib.XJS_NewArray(in.tls, in.ctx)
	lib.XJS_SetPropertyUint32(in.tls, in.ctx, pair, 0, boolValue(exhausted))
	lib.XJS_SetPropertyUint32(in.tls, in.ctx, pair, 1, rows)
	return pair, abi.OK
}

func sysIterClose(in *instance, a args) (value, abi.Errno) {
	it, ok := a.u32(0)
	if !ok {
		return exception, abi.OK
	}
	return undefined, in.host.IterClose(it)
}

// sysInsert writes generated columns at the start of the row's buffer and answers their length.
func sysInsert(in *instance, a args) (value, abi.Errno) {
	t, ok := a.u32(0)
	if !ok {
		return exception, abi.OK
	}
	buf, row, ok := a.prefix(1, 2)
	if !ok {
		return exception, abi.OK
	}
	generated, e := in.host.Insert(t, row)
	return intValue(int32(copy(buf, generated))), e
}

func sysUpdate(in *instance, a args) (value, abi.Errno) {
	t, ok := a.u32(0)
	if !ok {
		return exception, abi.OK
	}
	ix, ok := a.u32(1)
	if !ok {
		return exception, abi.OK
	}
	buf, row, ok := a.prefix(2, 3)
	if !ok {
		return exception, abi.OK
	}
	generated, e := in.host.Update(t, ix, row)
	return intValue(int32(copy(buf, generated))), e
}

func sysInsertV1(in *instance, a args) (value, abi.Errno) {
	t, ok := a.u32(0)
	if !ok {
		return exception, abi.OK
	}
	row, ok := a.bytes(1)
	if !ok {
		return exception, abi.OK
	}
	generated, e := in.host.Insert(t, row)
	if e != abi.OK {
		return undefined, e
	}
	return in.newBytes(generated), abi.OK
}

func sysUpdateV1(in *instance, a args) (value, abi.Errno) {
	t, ok := a.u32(0)
	if !ok {
		return exception, abi.OK
	}
	ix, ok := a.u32(1)
	if !ok {
		return exception, abi.OK
	}
	row, ok := a.bytes(2)
	if !ok {
		return exception, abi.OK
	}
	generated, e := in.host.Update(t, ix, row)
	if e != abi.OK {
		return undefined, e
	}
	return in.newBytes(generated), abi.OK
}

func sysDeleteAll(in *instance, a args) (value, abi.Errno) {
	t, ok := a.u32(0)
	if !ok {
		return exception, abi.OK
	}
	_, rows, ok := a.prefix(1, 2)
	if !ok {
		return exception, abi.OK
	}
	n, e := in.host.DeleteAllByEq(t, rows)
	return uint32Value(n), e
}

func sysDeleteAllV1(in *instance, a args) (value, abi.Errno) {
	t, ok := a.u32(0)
	if !ok {
		return exception, abi.OK
	}
	rows, ok := a.bytes(1)
	if !ok {
		return exception, abi.OK
	}
	n, e := in.host.DeleteAllByEq(t, rows)
	return uint32Value(n), e
}
