package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/subscribe"
	"github.com/stdbgo/spacetime/internal/wire"
	"github.com/stdbgo/spacetime/sats"
)

// A procedure is a function of a module that opens its transactions itself, ready
// to be called.
type procedure struct {
	*schema.ProcedureDef
	counts *txCount
}

// A ProcedureRequest asks for a call of a procedure.
type ProcedureRequest struct {
	Caller
	Name string
	// Args is the BSATN of the parameters, or JSON text with ArgsJSON. It must not
	// be changed before the call has returned.
	Args     []byte
	ArgsJSON bool
}

// A ProcedureResult is what became of a procedure that ran.
type ProcedureResult struct {
	Status    CallStatus // Committed: it returned a value
	Message   string     // for the caller; empty with a value
	Value     []byte     // BSATN of Procedure.Return
	Procedure *schema.ProcedureDef
	Energy    uint64
	Duration  time.Duration
	Timestamp sats.Timestamp
	Offset    uint64 // of the last transaction that it ended
	HasOffset bool   // false: it opened none, or the log is empty
}

// The texts that callers of procedures read (spec 08 §15.3, 05 §13.1).
const (
	noSuchProcedureText = "No such procedure"
	fatalProcedureText  = "The module instance encountered a fatal error: "
	budgetText          = "Procedure terminated due to insufficient budget"
)

// procedures counts the calls of procedures and HTTP handlers that are under way,
// so that the end of the database can wait for them.
type procedures struct {
	mu struct {
		sync.Mutex
		running int
		closed  bool
		idle    *sync.Cond // running became zero
	}
}

func (p *procedures) init() { p.mu.idle = sync.NewCond(&p.mu.Mutex) }

// enter notes a call. It is refused once the database ends.
func (p *procedures) enter() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.closed {
		return ErrStopped
	}
	p.mu.running++
	return nil
}

func (p *procedures) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.running--; p.mu.running == 0 {
		p.mu.idle.Broadcast()
	}
}

// refuse lets no further call in.
func (p *procedures) refuse() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.closed = true
}

// wait returns when no call is under way.
func (p *procedures) wait() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.mu.running > 0 {
		p.mu.idle.Wait()
	}
}

// An admitted call has found its function and an instance to run on.
type admitted struct {
	m    *module
	p    *procedure
	inst abi.Instance
	args []byte
}

// CallProcedure calls a procedure. It waits for an instance; ctx ends that wait, not
// the call. An error means that no call was made: ErrNoSuchProcedure, an
// *InvalidArgsError, ErrBusy, ErrStopped.
func (db *Database) CallProcedure(ctx context.Context, req *ProcedureRequest) (ProcedureResult, error) {
	if err := db.procs.enter(); err != nil {
		return ProcedureResult{}, err
	}
	defer db.procs.leave()
	a, err := db.admit(ctx, req)
	if err != nil {
		return ProcedureResult{}, err
	}
	return db.runProcedure(a, req.Caller, db.exec.stamp()), nil
}

// admit prepares a call and waits for an instance. A call whose module is replaced
// meanwhile goes to the next one.
func (db *Database) admit(ctx context.Context, req *ProcedureRequest) (a admitted, err error) {
	for {
		a.m = db.current.Load()
		if a.p, a.args, err = db.prepareProcedure(a.m, req); err != nil {
			return a, err
		}
		if a.inst, err = db.instance(ctx, a.m); !errors.Is(err, errReplaced) {
			return a, err
		}
	}
}

// instance takes an instance of m. The error is errReplaced if another module runs
// by now.
func (db *Database) instance(ctx context.Context, m *module) (abi.Instance, error) {
	inst, err := m.pool.take(ctx)
	if errors.Is(err, errReplaced) && db.current.Load() == m {
		err = ErrStopped
	}
	return inst, err
}

// prepareProcedure finds the procedure of a request and decodes its arguments
// (spec 08 §8.2). Failures go to the module log too.
func (db *Database) prepareProcedure(m *module, req *ProcedureRequest) (*procedure, []byte, error) {
	p := m.procedures[req.Name]
	if p == nil || p.Private && !req.IsOwner {
		db.log.call(db.services.Now(), req.Name, nonexistentText("procedure", req.Name))
		return nil, nil, ErrNoSuchProcedure
	}
	args, err := p.decodeArgs(req.Args, req.ArgsJSON)
	if err != nil {
		db.log.call(db.services.Now(), req.Name, badArgsText("procedure", req.Name))
		return nil, nil, err
	}
	return p, args, nil
}

// decodeArgs returns the BSATN of a call's arguments, without trailing bytes.
func (p *procedure) decodeArgs(args []byte, isJSON bool) ([]byte, error) {
	var err error
	n := 0
	if isJSON {
		args, err = sats.ParseJSONArgs(nil, p.Typespace, p.Params, p.Name, sourceNames(args, p.Params, p.ParamCols))
		n = len(args)
	} else {
		n, err = p.Typespace.Validate(p.Params, args)
	}
	if err != nil {
		return nil, &InvalidArgsError{Kind: "procedure", Name: p.Name, Err: err}
	}
	return args[:n:n], nil
}

// runProcedure runs an admitted call and gives its instance back.
func (db *Database) runProcedure(a admitted, c Caller, at sats.Timestamp) ProcedureResult {
	run := &procedureRun{db: db, name: a.p.Name, counts: a.p.counts, confirmed: c.Confirmed}
	start, panics := db.host.opts.Clock.Now(), db.log.panics.Load()
	var value []byte
	out := db.guard(a.m, a.inst, run, func(ctx context.Context) (out abi.Outcome) {
		value, out = a.inst.CallProcedure(ctx, &abi.ProcedureCall{
			ID: a.p.ID, Name: a.p.Name, Sender: c.Identity, Conn: c.Conn, Time: at, Args: a.args, Host: run,
		})
		if out.Status == abi.StatusOK {
			value, out = a.p.checked(value, out)
		}
		return out
	})
	res := ProcedureResult{Procedure: a.p.ProcedureDef, Energy: out.Fuel + run.viewFuel, Duration: db.since(start), Offset: run.offset, HasOffset: run.hasOffset}
	switch out.Status {
	case abi.StatusOK:
		res.Value, res.Timestamp = value, at
	case abi.StatusOutOfEnergy:
		res.Status, res.Message = OutOfEnergy, budgetText
	default:
		res.Status, res.Message = Trapped, fatalProcedureText+reasonOf(out)
	}
	if out.Status != abi.StatusOK {
		db.log.stopped(at, a.p.Name, out, panics)
	}
	return res
}

// checked returns a copy of what a procedure returned, if that is a value of its
// type: the instance may be given to the next call.
func (p *procedure) checked(value []byte, out abi.Outcome) ([]byte, abi.Outcome) {
	n, err := p.Typespace.Validate(p.Return, value)
	if err == nil && n < len(value) {
		err = fmt.Errorf("%d bytes follow it", len(value)-n)
	}
	if err != nil {
		out.Status, out.Err = abi.StatusBadResult, fmt.Errorf("the returned value of procedure %s: %w", p.Name, err)
		return nil, out
	}
	return append([]byte(nil), value...), out
}

// guard calls an instance, ends what the call has left open, and gives the instance
// back. A panic is a fault of this program: the database stops.
func (db *Database) guard(m *module, inst abi.Instance, run *procedureRun, call func(context.Context) abi.Outcome) (out abi.Outcome) {
	ended := false
	defer func() {
		if v := recover(); v != nil {
			out = abi.Outcome{Status: abi.StatusTrap, Discard: true, Err: fmt.Errorf("host: internal error: %v\n%s", v, debug.Stack())}
			db.fail(out.Err)
		} else if !ended { // the goroutine ends here, and the instance with it
			out = abi.Outcome{Status: abi.StatusTrap, Discard: true, Err: errExited}
		}
		run.finish()
		if out.Status != abi.StatusOK {
			db.logger.Warn("a procedure or HTTP handler failed", slog.String("function", run.name),
				slog.String("status", out.Status.String()), slog.Any("error", out.Err))
		}
		if out.Discard {
			m.discard(inst)
			inst = nil
		}
		m.pool.put(inst)
	}()
	out = call(db.calls)
	ended = true
	return out
}

// reasonOf says what ended a call, to its caller.
func reasonOf(out abi.Outcome) string {
	if out.Err != nil {
		return abi.ReasonOf(out.Err)
	}
	return detailOf(out)
}

// detailOf says what ended a call, to whoever reads logs.
func detailOf(out abi.Outcome) string {
	switch {
	case out.Err != nil:
		return out.Err.Error()
	case out.Message != "":
		return out.Message
	}
	return out.Status.String()
}

// handleProcedure starts the procedure that a client asked for and returns when an
// instance runs it: until then nothing further of the client is read (spec 05
// §13.1). The answer follows everything that the procedure committed.
func (db *Database) handleProcedure(ctx context.Context, c *subscribe.Client, who Caller, msg *wire.CallProcedure) error {
	if err := db.procs.enter(); err != nil {
		return err
	}
	start := db.host.opts.Clock.Now()
	a, err := db.admit(ctx, &ProcedureRequest{Caller: who, Name: msg.Procedure, Args: msg.Args, ArgsJSON: msg.ArgsJSON})
	if err != nil {
		defer db.procs.leave()
		if errors.Is(err, ErrStopped) {
			return err
		}
		db.push(&single{c, subscribe.ProcedureFailed(c, msg.RequestID, procedureText(err))})
		db.send.flush()
		return nil
	}
	at := db.exec.stamp()
	go func() {
		defer db.procs.leave()
		res := db.runProcedure(a, who, at)
		res.Duration = db.since(start)
		db.push(&single{c, res.message(c, msg.RequestID)})
	}()
	return nil
}

func procedureText(err error) string {
	if errors.Is(err, ErrNoSuchProcedure) {
		return noSuchProcedureText
	}
	return err.Error()
}

// message is the answer to a client's call.
func (r *ProcedureResult) message(c *subscribe.Client, request uint32) subscribe.Message {
	switch r.Status {
	case Committed:
		return subscribe.ProcedureReturned(c, &subscribe.Returned{
			RequestID: request, Value: r.Value, Timestamp: r.Timestamp, Duration: sats.TimeDurationOf(r.Duration),
			JSON: r.json, Offset: r.Offset, Gated: r.HasOffset,
		})
	case OutOfEnergy:
		return subscribe.ProcedureOutOfEnergy(c, request, r.Message)
	}
	return subscribe.ProcedureFailed(c, request, r.Message)
}

// json is the value as positional JSON text.
func (r *ProcedureResult) json() []byte {
	b, _, err := sats.AppendJSON(nil, r.Procedure.Typespace, r.Procedure.Return, r.Value, sats.FlavorUntyped)
	if err != nil {
		return []byte("null") // it was checked after the call
	}
	return b
}
