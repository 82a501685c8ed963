package module

import (
	"unsafe"

	"github.com/stdbgo/spacetime/internal/guest"
)

// rows is an open iterator of the host with rows that it has handed over.
type rows struct {
	in     *instance
	d      *tableDef
	handle uint32
	more   bool   // the host has further rows
	buf    []byte // of the spare ones
	rest   []byte // rows not yet decoded
}

// open makes rows of the iterator that a scan has opened.
func (in *instance) open(d *tableDef, op string, handle uint32, e guest.Errno) rows {
	if e != guest.OK {
		d.fault(op, e)
	}
	r := rows{in: in, d: d, handle: handle, more: true}
	if n := len(in.spare); n > 0 {
		r.buf = in.spare[n-1]
		in.spare = in.spare[:n-1]
	} else {
		r.buf = make([]byte, iterBuffer)
	}
	return r
}

func (in *instance) scanPoint(ix *indexDef) rows {
	handle, e := in.host.ScanPoint(in.indexID(ix), in.key)
	return in.open(ix.table, "Filter", handle, e)
}

// scanRange opens the rows whose first columns have the values in in.key and the next lies between in.from and in.to.
func (in *instance) scanRange(ix *indexDef, prefixCols int) rows {
	handle, e := in.host.ScanRange(in.indexID(ix), in.key, prefixCols, in.from, in.to)
	return in.open(ix.table, "Range", handle, e)
}

// next decodes the next row into row; false if there is none.
func (r *rows) next(row unsafe.Pointer) bool {
	for len(r.rest) == 0 {
		if !r.more {
			return false
		}
		r.fetch()
	}
	r.rest = r.rest[r.d.decode(r.rest, row):]
	return true
}

// fetch gets as many rows as fit into the buffer.
func (r *rows) fetch() {
	n, more, e := r.in.host.Advance(r.handle, r.buf)
	switch e {
	case guest.OK:
		r.more, r.rest = more, r.buf[:n]
	case guest.BufferTooSmall:
		r.buf = make([]byte, n+n/4)
	default:
		r.d.fault("iteration", e)
	}
}

// close ends the iterator, at the end or before.
func (r *rows) close() {
	if r.more {
		r.in.host.CloseIter(r.handle)
	}
	if len(r.in.spare) < maxSpare && cap(r.buf) <= maxKept {
		r.in.spare = append(r.in.spare, r.buf)
	}
}

// each yields the rows and closes them. After a panic in the loop they stay open until the call ends.
func each[Row any](r rows, yield func(Row) bool) {
	var row Row
	for r.next(unsafe.Pointer(&row)) {
		if !yield(row) {
			break
		}
	}
	r.close()
}
