package module

import (
	"log/slog"
	"math/rand/v2"
	"strconv"
	"unsafe"

	"github.com/stdbgo/spacetime/internal/guest"
)

// An instance is the state of one running copy of the module: ids that the host gave out, and buffers, which calls
// reuse.
type instance struct {
	reg     *registry
	host    guest.Host
	tables  []uint32 // ids by slot; 0: not asked for
	indexes []uint32

	row, key, from, to []byte
	result             []byte   // of the last view or procedure
	jwt                []byte   // of the running HTTP handler's sender
	spare              [][]byte // for iterators
	contexts           []Context
	logger             *slog.Logger
	random             randomSource
	rand               *rand.Rand
}

const (
	iterBuffer  = 32 << 10 // first size of an iterator's buffer
	maxSpare    = 4
	maxKept     = 1 << 20 // larger buffers are not kept for later calls
	contextsPer = 32
)

func newInstance(r *registry, h guest.Host) *instance {
	in := &instance{reg: r, host: h, tables: make([]uint32, len(r.tables)), indexes: make([]uint32, len(r.indexes))}
	in.rand = rand.New(&in.random)
	in.logger = slog.New(&logHandler{host: h})
	return in
}

// CallReducer runs one reducer.
func (in *instance) CallReducer(c *guest.Call) (text string, ok bool) {
	if uint64(c.ID) >= uint64(len(in.reg.functions)) {
		panic("module: the host calls reducer number " + strconv.FormatUint(uint64(c.ID), 10) + ", which the module does not have")
	}
	ctx := in.begin(c)
	defer in.end(ctx)
	if err := in.reg.functions[c.ID].call(ctx, c.Args); err != nil {
		return err.Error(), false
	}
	return "", true
}

// CallView evaluates one view. If that is while a procedure commits, the procedure's random numbers go on afterwards.
func (in *instance) CallView(c *guest.Call) (result []byte, text string, ok bool) {
	list, kind := in.reg.views[0], "view"
	if c.Anonymous {
		list, kind = in.reg.views[1], "anonymous view"
	}
	v := numbered(list, kind, c.ID)
	saved := in.random
	ctx := in.begin(c)
	defer func() {
		in.end(ctx)
		in.random = saved
	}()
	b, err := v.eval(ctx, c.Args, in.result[:0])
	if err != nil {
		in.failed(err)
	}
	return in.finish(b, err)
}

// CallProcedure runs one procedure.
func (in *instance) CallProcedure(c *guest.Call) (result []byte, text string, ok bool) {
	p := numbered(in.reg.procs, kindProcedure, c.ID)
	ctx := in.procedure(c)
	defer func() { ctx.in = nil }()
	b, err := p.run(ctx, c.Args, nil)
	if err != nil {
		in.failed(err)
	}
	return in.finish(b, err)
}

// CallHandler lets one HTTP handler answer.
func (in *instance) CallHandler(c *guest.Call) (response, body []byte, text string, ok bool) {
	h := numbered(in.reg.handlers, "HTTP handler", c.ID)
	req, err := decodeRequest(c.Args)
	if err != nil {
		panic("module: the request for the HTTP handler " + h.name + " does not decode: " + err.Error())
	}
	req.Body = c.Body
	ctx := in.procedure(c)
	in.jwt = c.JWT
	defer func() { ctx.in, in.jwt = nil, nil }()
	resp, err := h.serve(ctx, req)
	if err != nil {
		in.failed(err)
		return nil, nil, err.Error(), false
	}
	if resp == nil {
		resp = new(HTTPResponse)
	}
	return appendResponse(nil, resp), resp.Body, "", true
}

// numbered finds what the host calls by number.
func numbered[D any](list []D, kind string, id uint32) D {
	if uint64(id) >= uint64(len(list)) {
		panic("module: the host calls " + kind + " number " + strconv.FormatUint(uint64(id), 10) + ", which the module does not have")
	}
	return list[id]
}

// failed logs the error that ends a view, procedure or HTTP handler, which nobody else does.
func (in *instance) failed(err error) { in.logger.Error(err.Error()) }

// finish keeps the buffer of a result for the next one, and turns an error into text.
func (in *instance) finish(result []byte, err error) ([]byte, string, bool) {
	if cap(result) <= maxKept {
		in.result = result[:0]
	}
	if err != nil {
		return nil, err.Error(), false
	}
	return result, "", true
}

// procedure makes the context of a procedure or HTTP handler.
func (in *instance) procedure(c *guest.Call) *ProcedureContext {
	in.random.call(c)
	return &ProcedureContext{Sender: c.Sender, ConnectionID: c.ConnectionID, Timestamp: Timestamp(c.Timestamp), Rand: in.rand, in: in}
}

// begin makes the context of a call. Each call has a new one, so that a context that outlives its call is known by it;
// making many at once costs a thirty-second of an allocation.
func (in *instance) begin(c *guest.Call) *Context {
	if len(in.contexts) == 0 {
		in.contexts = make([]Context, contextsPer)
	}
	ctx := &in.contexts[0]
	in.contexts = in.contexts[1:]
	ctx.Sender, ctx.ConnectionID, ctx.Timestamp = c.Sender, c.ConnectionID, Timestamp(c.Timestamp)
	ctx.Rand = in.rand
	ctx.in = in
	in.random.call(c)
	return ctx
}

func (in *instance) end(ctx *Context) {
	ctx.in = nil
	if cap(in.row) > maxKept {
		in.row = nil
	}
	if cap(in.key) > maxKept || cap(in.from) > maxKept || cap(in.to) > maxKept {
		in.key, in.from, in.to = nil, nil, nil
	}
}

func (in *instance) tableID(d *tableDef) uint32 {
	if id := in.tables[d.slot]; id != 0 {
		return id
	}
	id, e := in.host.TableID(d.name)
	if e != guest.OK {
		d.fault("the first call", e)
	}
	in.tables[d.slot] = id
	return id
}

func (in *instance) indexID(ix *indexDef) uint32 {
	if id := in.indexes[ix.slot]; id != 0 {
		return id
	}
	id, e := in.host.IndexID(ix.sourceName())
	if e != guest.OK {
		ix.table.fault("the first use of index "+ix.sourceName(), e)
	}
	in.indexes[ix.slot] = id
	return id
}

// find decodes the row of a unique index with the key in in.key into row.
func (in *instance) find(ix *indexDef, row unsafe.Pointer) bool {
	d := ix.table
	handle, e := in.host.ScanPoint(in.indexID(ix), in.key)
	if e != guest.OK {
		d.fault("Find", e)
	}
	if cap(in.row) == 0 {
		in.row = make([]byte, 0, 512)
	}
	for {
		b := in.row[:cap(in.row)]
		n, more, e := in.host.Advance(handle, b)
		if e == guest.BufferTooSmall {
			in.row = make([]byte, 0, n+n/4)
			continue
		}
		if e != guest.OK || more {
			d.fault("Find", e)
		}
		if n == 0 {
			return false
		}
		d.decode(b[:n], row)
		return true
	}
}

// decode decodes the row at the start of b and returns its length.
func (d *tableDef) decode(b []byte, row unsafe.Pointer) int {
	n, err := d.codec.Decode(b, row)
	if err != nil {
		panic("module: a row of table " + d.name + " does not decode: " + err.Error())
	}
	return n
}

func (in *instance) deletePoint(ix *indexDef) int {
	n, e := in.host.DeletePoint(in.indexID(ix), in.key)
	if e != guest.OK {
		ix.table.fault("Delete", e)
	}
	return int(n)
}

// deleteRange deletes the rows whose first columns have the values in in.key and the next lies between in.from and
// in.to.
func (in *instance) deleteRange(ix *indexDef, prefixCols int) int {
	n, e := in.host.DeleteRange(in.indexID(ix), in.key, prefixCols, in.from, in.to)
	if e != guest.OK {
		ix.table.fault("DeleteRange", e)
	}
	return int(n)
}
