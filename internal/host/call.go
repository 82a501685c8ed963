package host

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/internal/subscribe"
	"github.com/stdbgo/spacetime/internal/wire"
	"github.com/stdbgo/spacetime/sats"
)

// A Caller is who asks for something.
type Caller struct {
	Identity sats.Identity
	Conn     sats.ConnectionID // zero: none
	JWT      []byte            // claims as presented, for st_connection_credentials; empty: none
	IsOwner  bool
	// Confirmed has every commit inside a procedure wait until it is durable.
	Confirmed bool
}

// A CallRequest asks for a call of a reducer.
type CallRequest struct {
	Caller
	Name string
	// Args is the BSATN of the parameters, or JSON text with ArgsJSON. It must not
	// be changed afterwards.
	Args     []byte
	ArgsJSON bool
	// OrProcedure says that Name may be a procedure, too (spec 06 §4.8); then the
	// error is ErrIsProcedure, and CallProcedure is what calls it.
	OrProcedure bool

	// Of calls over a WebSocket; the client is told the result by a message.
	Client    *subscribe.Client
	RequestID uint32
	Flags     wire.CallFlags

	received sats.Timestamp // when it came; 0: when it was handed to the writer
}

// since returns when a request that was handed to the writer at a time has come.
func (q *CallRequest) since(at sats.Timestamp) sats.Timestamp {
	if q.received != 0 {
		return q.received
	}
	return at
}

// CallStatus tells how a call ended.
type CallStatus uint8

const (
	Committed   CallStatus = iota
	Failed                 // the reducer returned an error
	Trapped                // it crashed; Message is the fixed text that callers get to see
	OutOfEnergy            // its budget was used up
)

// A CallResult is what became of a call that ran.
type CallResult struct {
	Status    CallStatus
	Message   string // for the caller; empty if committed
	Energy    uint64
	Duration  time.Duration
	Timestamp sats.Timestamp
	Offset    uint64 // of its transaction, or of the last one before it
	HasOffset bool   // false: the log is empty
}

// CallReducer calls a reducer in a transaction of its own and commits that if the
// reducer says so. An error means that no call was made: ErrNoSuchReducer, a
// *LifecycleError, an *InvalidArgsError, ErrIsProcedure, ErrStopped.
func (db *Database) CallReducer(ctx context.Context, req *CallRequest) (CallResult, error) {
	m := db.current.Load()
	r, args, err := db.prepare(m, req)
	if err != nil {
		return CallResult{}, err
	}
	p := pendingCalls.Get().(*pendingCall)
	p.db, p.m, p.r, p.args, p.req = db, m, r, args, req
	err = db.exec.run(ctx, &p.job)
	if p.job.abandoned() {
		return CallResult{}, err // the queue still has it
	}
	res, failed := p.res, p.failed
	p.release()
	if err == nil {
		err = failed
	}
	return res, err
}

// A pendingCall is a call on its way through the executor.
type pendingCall struct {
	job  job
	db   *Database
	m    *module // that prepared it
	r    *reducer
	args []byte
	req  *CallRequest

	res    CallResult
	failed error
}

var pendingCalls = sync.Pool{New: func() any {
	p := &pendingCall{}
	p.job.fn = p.run
	return p
}}

func (p *pendingCall) release() {
	p.job.reset()
	p.db, p.m, p.r, p.args, p.req = nil, nil, nil, nil, nil
	p.res, p.failed = CallResult{}, nil
	pendingCalls.Put(p)
}

func (p *pendingCall) run(at sats.Timestamp) {
	db := p.db
	began := db.exec.began
	if db.mod != p.m { // replaced while the call waited
		if p.r, p.args, p.failed = db.prepare(db.mod, p.req); p.failed != nil {
			return
		}
	}
	p.res, db.exec.ended, p.failed = db.call(at, began, p.r, p.args, p.req)
}

// prepare finds the reducer of a request and decodes its arguments, in the order
// of spec 08 §8.2. Failures go to the module log too.
func (db *Database) prepare(m *module, req *CallRequest) (*reducer, []byte, error) {
	r := m.reducers[req.Name]
	if r != nil && r.Lifecycle != schema.LifecycleNone {
		return nil, nil, &LifecycleError{r.Lifecycle}
	}
	if r == nil || r.Private && !req.IsOwner {
		if req.OrProcedure && m.hasProcedure(req.Name, req.Caller) {
			return nil, nil, ErrIsProcedure
		}
		db.log.call(db.services.Now(), req.Name, nonexistentText("reducer", req.Name))
		if req.OrProcedure {
			db.log.call(db.services.Now(), req.Name, nonexistentText("procedure", req.Name))
		}
		return nil, nil, ErrNoSuchReducer
	}
	args, err := r.decodeArgs(req.Args, req.ArgsJSON)
	if err != nil {
		db.log.call(db.services.Now(), req.Name, badArgsText("reducer", req.Name))
		return nil, nil, err
	}
	return r, args, nil
}

func nonexistentText(kind, name string) string {
	return fmt.Sprintf("External attempt to call nonexistent %s %q failed. Have you run `spacetime generate` recently?", kind, name)
}

func badArgsText(kind, name string) string {
	return fmt.Sprintf("External attempt to call %s %q failed, invalid arguments.\n"+
		"This is likely due to a mismatched client schema, have you run `spacetime generate` recently?", kind, name)
}

// call runs a prepared call. It belongs to the writer. began is the time if that has just
// been read, and so is ended; zero means that it has not.
func (db *Database) call(at sats.Timestamp, began time.Time, r *reducer, args []byte, req *CallRequest) (_ CallResult, ended time.Time, err error) {
	tx := db.store.Begin()
	out, took := db.invokeAt(began, tx, r, req.Caller, at, args)
	out = db.refreshAfter(tx, at, out)
	var ev *subscribe.Event
	if clients, _ := db.subs.Len(); clients > 0 {
		ev = event(r, req.Caller, at, args)
		ev.Client, ev.RequestID, ev.Flags = req.Client, req.RequestID, req.Flags
		// Clients see the arguments as they were sent.
		if req.ArgsJSON {
			ev.ArgsJSON = func() []byte { return req.Args }
		} else {
			ev.Args = req.Args
		}
		ev.Energy.Lo, ev.Duration = out.Fuel, sats.TimeDurationOf(took)
	}
	res := CallResult{Energy: out.Fuel, Duration: took, Timestamp: at}
	if out.Status != abi.StatusOK {
		db.rollback(tx, r, at, out)
		res.Status, res.Message = failureOf(out)
		res.Offset, res.HasOffset = db.lastOffset()
		if ev != nil {
			db.push(subscribe.Failed(ev, failureKind(res.Status), res.Message, res.Offset, res.HasOffset))
		}
		r.counts.handedOn(-1, db.since(req.since(at).ToTime()))
		return res, ended, nil
	}
	if res.Offset, err = db.commit(tx, db.inputs(r.Name, req.Caller, at, args), ev); err != nil {
		return CallResult{}, ended, ErrStopped
	}
	_, res.HasOffset = db.lastOffset()
	ended = db.exec.watch.now()
	r.counts.handedOn(ended.Sub(at.ToTime()), ended.Sub(req.since(at).ToTime()))
	return res, ended, nil
}

func (db *Database) since(start time.Time) time.Duration { return max(db.host.since(start), 0) }

// inputs describes a call for the log. The result is good until the next one.
func (db *Database) inputs(name string, c Caller, at sats.Timestamp, args []byte) *store.Inputs {
	db.scratch.in = store.Inputs{Reducer: name, Caller: c.Identity, ConnectionID: c.Conn, Timestamp: at, Args: args}
	return &db.scratch.in
}

// invoke runs a reducer in a transaction that the caller ends.
func (db *Database) invoke(tx *store.Tx, r *reducer, c Caller, at sats.Timestamp, args []byte) (out abi.Outcome, took time.Duration) {
	return db.invokeAt(time.Time{}, tx, r, c, at, args)
}

// invokeAt is invoke at a time that has just been read; zero: it has not.
func (db *Database) invokeAt(start time.Time, tx *store.Tx, r *reducer, c Caller, at sats.Timestamp, args []byte) (out abi.Outcome, took time.Duration) {
	if start.IsZero() {
		start = db.exec.watch.now()
	}
	panics := db.log.panics.Load()
	call := &db.scratch.call
	*call = abi.ReducerCall{
		ID: r.ID, Name: r.Name, Sender: c.Identity, Conn: c.Conn, Time: at, Args: args, Tx: tx,
	}
	timed := r.counts.sample()
	if timed {
		db.scratch.hostTime = 0
		call.HostTime = &db.scratch.hostTime
	}
	out = db.mod.call(db.calls, call)
	if timed {
		r.counts.served(db.scratch.hostTime * abiOf)
	}
	took = db.since(start)
	r.counts.called(out, time.Duration(sats.TimestampOf(start)-at)*time.Microsecond, took, tx.TakeScans())
	db.charged = r.counts
	if out.Status != abi.StatusOK && out.Status != abi.StatusUserError {
		db.log.stopped(at, r.Name, out, panics)
	}
	if db.mod.inst != nil {
		db.gauges.memory.Store(db.mod.inst.MemoryBytes())
	}
	return out, took
}

// rollback undoes a transaction whose reducer failed, and says so where spec 03
// §12.1 wants it said.
func (db *Database) rollback(tx *store.Tx, r *reducer, at sats.Timestamp, out abi.Outcome) {
	db.undo(tx)
	if out.Status == abi.StatusUserError {
		db.log.call(at, r.Name, out.Message)
		return
	}
	db.logger.Warn("a reducer failed", slog.String("reducer", r.Name), slog.String("status", out.Status.String()), slog.Any("error", out.Err))
}

// failureOf translates an outcome into what the caller is told.
func failureOf(out abi.Outcome) (CallStatus, string) {
	switch out.Status {
	case abi.StatusUserError:
		return Failed, out.Message
	case abi.StatusOutOfEnergy:
		return OutOfEnergy, abi.OutOfEnergyText
	}
	return Trapped, cmp.Or(out.Message, abi.FatalErrorText)
}

func failureKind(s CallStatus) subscribe.Failure {
	switch s {
	case Failed:
		return subscribe.UserError
	case OutOfEnergy:
		return subscribe.OutOfEnergy
	}
	return subscribe.InternalError
}
