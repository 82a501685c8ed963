//go:build v8 && cgo

package v8

// #include "shim.h"
import "C"

import (
	"github.com/stdbgo/spacetime/engine/internal/jshost"
	"github.com/stdbgo/spacetime/internal/abi"
)

// The functions of this file let the call's abi.Context do the work, and convert the result. Those with V1 take arrays of
// their own where version 2 takes a part of a shared buffer.

func sysTableID(c hostCall) abi.Errno { return c.id(c.in.host.TableIDFromName(c.str(0))) }

func sysIndexID(c hostCall) abi.Errno { return c.id(c.in.host.IndexIDFromName(c.str(0))) }

func sysRowCount(c hostCall) abi.Errno {
	n, e := c.in.host.RowCount(c.u32(0))
	c.big(n)
	return e
}

func sysClear(c hostCall) abi.Errno {
	n, e := c.in.host.Clear(c.u32(0))
	c.big(n)
	return e
}

func sysTableScan(c hostCall) abi.Errno { return c.id(c.in.host.TableScan(c.u32(0))) }

func sysScanPoint(c hostCall) abi.Errno { return c.id(c.in.host.ScanPoint(c.u32(0), c.prefix(1))) }

func sysDeletePoint(c hostCall) abi.Errno {
	return c.id(c.in.host.DeleteByPoint(c.u32(0), c.prefix(1)))
}

func sysScanPointV1(c hostCall) abi.Errno { return c.id(c.in.host.ScanPoint(c.u32(0), c.bytes(1))) }

func sysDeletePointV1(c hostCall) abi.Errno {
	return c.id(c.in.host.DeleteByPoint(c.u32(0), c.bytes(1)))
}

// rangeArgs reads a range of an index that lies in one buffer, spec 04 §4.6. Without ok it has thrown.
func rangeArgs(c hostCall) (r abi.RangeArg, ok bool) {
	buf := c.bytes(1)
	prefix, start, end := uint64(c.u32(2)), uint64(c.u32(4)), uint64(c.u32(5))
	if prefix+start+end > uint64(len(buf)) {
		c.text(C.V8_RANGE_ERROR, jshost.OutOfBounds)
		return r, false
	}
	r = abi.RangeArg{Prefix: buf[:prefix], PrefixElems: int(c.u32(3)), Start: buf[prefix : prefix+start]}
	r.End = r.Start // equality
	if end > 0 {
		r.End = buf[prefix+start : prefix+start+end]
	}
	return r, true
}

func sysScanRange(c hostCall) abi.Errno {
	r, ok := rangeArgs(c)
	if !ok {
		return abi.OK
	}
	return c.id(c.in.host.ScanRange(c.u32(0), r))
}

func sysDeleteRange(c hostCall) abi.Errno {
	r, ok := rangeArgs(c)
	if !ok {
		return abi.OK
	}
	return c.id(c.in.host.DeleteByRange(c.u32(0), r))
}

// rangeArgsV1 reads a range of an index, spec 04 §4.2.
func rangeArgsV1(c hostCall) abi.RangeArg {
	return abi.RangeArg{Prefix: c.bytes(1), PrefixElems: int(c.u32(2)), Start: c.bytes(3), End: c.bytes(4)}
}

func sysScanRangeV1(c hostCall) abi.Errno { return c.id(c.in.host.ScanRange(c.u32(0), rangeArgsV1(c))) }

func sysDeleteRangeV1(c hostCall) abi.Errno {
	return c.id(c.in.host.DeleteByRange(c.u32(0), rangeArgsV1(c)))
}

// sysIterAdvance answers how many bytes it wrote, negated if these were the last.
func sysIterAdvance(c hostCall) abi.Errno {
	n, exhausted, needed, e := c.in.host.IterAdvance(c.u32(0), c.bytes(1))
	switch {
	case e == abi.ErrBufferTooSmall:
		c.tooSmall(needed)
		return abi.OK
	case exhausted:
		n = -n
	}
	c.integer(int64(n))
	return e
}

// maxRowBuffer bounds what version 1 modules get of an iterator at a time, unless one row needs more.
const maxRowBuffer = 64 << 20

// sysIterAdvanceV1 answers [whether that was all, the bytes].
func sysIterAdvanceV1(c hostCall) abi.Errno {
	n, exhausted, needed, e := c.in.host.IterAdvance(c.u32(0), c.room(int(min(c.u32(1), maxRowBuffer))))
	switch {
	case e == abi.ErrBufferTooSmall:
		c.tooSmall(needed)
		return abi.OK
	case e != abi.OK:
		return e
	}
	c.give(C.V8_ROWS, n)
	if exhausted {
		c.out.num = 1
	}
	return abi.OK
}

func sysIterClose(c hostCall) abi.Errno { return c.in.host.IterClose(c.u32(0)) }

// sysInsert writes generated columns at the start of the row's buffer and answers their length.
func sysInsert(c hostCall) abi.Errno {
	generated, e := c.in.host.Insert(c.u32(0), c.prefix(1))
	c.integer(int64(copy(c.bytes(1), generated)))
	return e
}

func sysUpdate(c hostCall) abi.Errno {
	generated, e := c.in.host.Update(c.u32(0), c.u32(1), c.prefix(2))
	c.integer(int64(copy(c.bytes(2), generated)))
	return e
}

func sysInsertV1(c hostCall) abi.Errno {
	generated, e := c.in.host.Insert(c.u32(0), c.bytes(1))
	c.content(C.V8_BYTES, generated)
	return e
}

func sysUpdateV1(c hostCall) abi.Errno {
	generated, e := c.in.host.Update(c.u32(0), c.u32(1), c.bytes(2))
	c.content(C.V8_BYTES, generated)
	return e
}

func sysDeleteAll(c hostCall) abi.Errno { return c.id(c.in.host.DeleteAllByEq(c.u32(0), c.prefix(1))) }

func sysDeleteAllV1(c hostCall) abi.Errno { return c.id(c.in.host.DeleteAllByEq(c.u32(0), c.bytes(1))) }
