package module

import (
	"log/slog"
	"math/rand/v2"
	"reflect"
	"time"
	"unsafe"

	"github.com/stdbgo/spacetime/internal/guest"
	"github.com/stdbgo/spacetime/sats"
)

// A ProcedureContext is one call of a procedure or an HTTP handler. Outside of Tx it has no transaction, hence no tables; so it
// may wait. It is good until the function returns and belongs to the goroutine that the function runs on; used later it panics.
type ProcedureContext struct {
	// Sender is who calls: a client, or the database itself for scheduled procedures. An HTTP handler has a made-up one.
	Sender Identity
	// ConnectionID is the caller's connection; zero for calls from inside the database and in HTTP handlers.
	ConnectionID ConnectionID
	// Timestamp is when the call began.
	Timestamp Timestamp
	// Rand is like that of a Context.
	Rand *rand.Rand

	in *instance // nil once the call is over
}

func (c *ProcedureContext) alive(op string) *instance {
	if c == nil || c.in == nil {
		panic("module: " + op + ": the call that the context belongs to is over; a context must not be kept")
	}
	return c.in
}

// Log returns the logger of the module, as that of a Context.
func (c *ProcedureContext) Log() *slog.Logger { return c.alive("Log").logger }

// Database returns the identity of the database, which is the sender of scheduled procedures.
func (c *ProcedureContext) Database() (id Identity) {
	c.alive("Database").host.Identity((*[32]byte)(&id))
	return id
}

// Tx runs fn in a transaction and commits it. If fn returns an error or panics, all that it wrote is undone, and Tx returns the
// error. The transaction excludes all others, so fn must not wait for anything: in it Sleep, Do and Tx panic. A procedure may
// have any number of transactions one after another; each sees what has been committed before.
func (c *ProcedureContext) Tx(fn func(*Context) error) error {
	in := c.alive("Tx")
	now, e := in.host.StartTx()
	if e != guest.OK {
		panic("module: Tx: a transaction is open; the function given to Tx cannot use Tx itself")
	}
	saved := in.random
	ctx := in.begin(&guest.Call{Sender: c.Sender, ConnectionID: c.ConnectionID, Timestamp: now})
	open := true
	defer func() {
		in.end(ctx)
		in.random = saved
		if open {
			in.host.AbortTx()
		}
	}()
	if err := fn(ctx); err != nil {
		return err
	}
	in.end(ctx)
	open = false
	if e := in.host.CommitTx(); e != guest.OK {
		panic("module: Tx: the host does not know the transaction")
	}
	return nil
}

// Sleep suspends the procedure for d. Meanwhile reducers run.
func (c *ProcedureContext) Sleep(d time.Duration) {
	host := c.alive("Sleep").host
	now := host.SleepUntil(0) // the past is over at once
	host.SleepUntil(now + TimeDurationOf(d).Micros())
}

// SleepUntil suspends the procedure until t. Meanwhile reducers run.
func (c *ProcedureContext) SleepUntil(t Timestamp) {
	c.alive("SleepUntil").host.SleepUntil(t.Micros())
}

// procedureDef is a procedure without its types.
type procedureDef struct {
	functionDef
	result      reflect.Type
	resultCodec *sats.Codec // after the definition is made
	run         func(ctx *ProcedureContext, args, result []byte) ([]byte, error)
}

// Procedure declares a function that clients call by name, that may wait, and that returns a value. It runs outside of
// transactions and opens those it needs with Tx; what they have committed stays even if the procedure fails later. The fields
// of the struct A are the parameters, struct{} stands for none, also as the result R.
//
// An error ends the call like a panic: it stands in the module's log, and the caller gets its text as that of an internal error.
// What a caller is to tell apart belongs into the result; see Result.
func Procedure[A, R any](name string, fn func(*ProcedureContext, A) (R, error), options ...FunctionOption) {
	std.open("Procedure")
	p := &procedureDef{functionDef: functionDef{kind: kindProcedure, name: name, event: noLifecycle, args: reflect.TypeFor[A](),
		entry: reflect.ValueOf(fn).Pointer()}, result: reflect.TypeFor[R]()}
	for _, o := range options {
		o.applyFunction(&p.functionDef)
	}
	p.run = func(ctx *ProcedureContext, b, result []byte) ([]byte, error) {
		value, err := fn(ctx, decodeArgs[A](&p.functionDef, b))
		if err != nil || p.resultCodec == nil {
			return result, err
		}
		return p.resultCodec.Append(result, unsafe.Pointer(&value)), nil
	}
	std.addProcedure(p, fn == nil)
}

// ScheduledProcedure is Scheduled for a procedure. The row is removed before the procedure is called, which is not tried
// again if it fails.
func ScheduledProcedure[Row any](t *Table[Row], name string, fn func(*ProcedureContext, Row) error) {
	r := t.d.reg
	r.open("ScheduledProcedure")
	p := &procedureDef{functionDef: functionDef{kind: kindProcedure, name: name, event: noLifecycle, args: reflect.TypeFor[Row](),
		private: true, table: t.d, entry: reflect.ValueOf(fn).Pointer()}, result: reflect.TypeFor[struct{}]()}
	p.run = func(ctx *ProcedureContext, b, result []byte) ([]byte, error) {
		return result, fn(ctx, decodeArgs[Row](&p.functionDef, b))
	}
	r.addProcedure(p, fn == nil)
	t.d.addSchedule("ScheduledProcedure", &p.functionDef, fn == nil)
}

func (r *registry) addProcedure(p *procedureDef, isNil bool) {
	r.checkFunction(&p.functionDef, isNil)
	r.procs = append(r.procs, p)
}

// procedures adds what all procedures need and encodes them.
func (d *definer) procedures() []byte {
	b := sats.AppendLen([]byte{sectionProcedures}, len(d.r.procs))
	for _, p := range d.r.procs {
		params := d.params(&p.functionDef)
		result := d.result(p)
		if params == nil || result == nil {
			continue
		}
		b = sats.AppendString(b, p.name)
		b = sats.AppendElements(b, params.Elems)
		b = sats.AppendType(b, result)
		b = sats.AppendBool(b, !p.private) // visibility: 1 is "clients may call it"
	}
	return b
}

// result adds what the result of a procedure needs.
func (d *definer) result(p *procedureDef) *sats.Type {
	if p.result == reflect.TypeFor[struct{}]() {
		return sats.Unit
	}
	t, err := d.types.Type(p.result)
	if err != nil {
		d.r.problem("procedure %q: its result: %s", p.name, reworded(err.Error()))
		return nil
	}
	p.resultCodec = d.codec(p.result)
	return t
}

// optionalSections encodes what few modules have; a section with nothing in it is left out.
func (d *definer) optionalSections() (list [][]byte) {
	add := func(n int, encode func() []byte) {
		if n > 0 {
			list = append(list, encode())
		}
	}
	add(len(d.r.procs), d.procedures)
	add(len(d.r.views[0])+len(d.r.views[1]), d.views)
	add(len(d.r.filters), d.visibilityFilters)
	add(len(d.r.handlers), d.httpHandlers)
	add(d.r.routes(), d.httpRoutes)
	add(len(d.r.env), d.environment)
	add(d.r.outboxes(), d.outboxes)
	return list
}
