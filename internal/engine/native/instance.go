package native

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/guest"
	"github.com/stdbgo/spacetime/sats"
)

// An instance is one instance of the module with its call context.
type instance struct {
	p     *nativeProgram
	host  host
	guest guest.Instance
	meter meter
	call  guest.Call // of the running call; reused
	dead  error      // why the instance must not be called
}

// Describe returns the module definition.
func (in *instance) Describe(context.Context) ([]byte, error) { return in.p.definition, nil }

// MemoryBytes is zero: the module's memory is the process's.
func (in *instance) MemoryBytes() uint64 { return 0 }

func (in *instance) Close() error {
	in.dead = errors.New("the instance is closed")
	return nil
}

// CallReducer calls a reducer, spec 03 §8.4.
func (in *instance) CallReducer(ctx context.Context, call *abi.ReducerCall) (out abi.Outcome) {
	if in.dead != nil {
		return in.unusable()
	}
	in.begin(ctx, abi.Call{Kind: abi.KindReducer, ID: call.ID, Function: call.Name, Tx: call.Tx, Time: call.Time,
		Sender: call.Sender, Conn: call.Conn, HostTime: call.HostTime}, call.Budget)
	in.call = guest.Call{ID: call.ID, Sender: call.Sender, ConnectionID: call.Conn, Timestamp: call.Time.Micros(), Args: call.Args}
	returned := false
	defer func() {
		if !returned {
			out = in.panicked(recover())
		}
		in.end(&out)
	}()
	text, ok := in.guest.CallReducer(&in.call)
	returned = true
	return in.returned(text, ok)
}

// unusable is the outcome of calls after the instance's end.
func (in *instance) unusable() abi.Outcome {
	return abi.Outcome{Status: abi.StatusTrap, Message: abi.FatalErrorText, Discard: true, Err: in.dead}
}

func (in *instance) begin(ctx context.Context, call abi.Call, budget uint64) {
	if budget == 0 {
		budget = in.p.limits.Fuel
	}
	in.host.ctx.Begin(call)
	in.meter.begin(ctx, budget, in.p.limits.Time)
}

// end finishes a call.
func (in *instance) end(out *abi.Outcome) {
	in.meter.ctx = nil // what is logged from now on cannot stop the call
	out.Fuel = in.meter.used
	in.host.ctx.End()
}

// returned makes an outcome of what a function of the module returned.
func (in *instance) returned(text string, ok bool) abi.Outcome {
	switch {
	case in.host.busy:
		return in.trapped(errors.New("the module recovered from a failure of the host"))
	case in.meter.trap != nil:
		return in.trapped(in.meter.trap)
	case !ok:
		return abi.Outcome{Status: abi.StatusUserError, Message: abi.ValidText([]byte(text))}
	}
	return abi.Outcome{Status: abi.StatusOK}
}

// panicked makes an outcome of a panic. A value of nil means that the goroutine is about to exit, as by a test's
// FailNow in a reducer.
func (in *instance) panicked(value any) abi.Outcome {
	in.meter.ctx = nil // what is logged from now on cannot stop the call
	if trap, ok := value.(*abi.Trap); ok {
		return in.trapped(trap)
	}
	in.host.busy = false
	text := "the goroutine of the call has exited"
	if value != nil {
		text = abi.ValidText([]byte(fmt.Sprint(value))) // fmt knows values whose own methods panic
	}
	rec := abi.LogRecord{Level: abi.LogPanic, Message: text}
	at := panicSite()
	rec.Target, rec.Filename, rec.Line, rec.Trace = at.target, at.file, at.line, at.trace
	rec.HasLine = at.line > 0
	in.host.ctx.Log(rec)
	return in.trapped(errors.New("panic: " + text))
}

// trapped makes an outcome of the end of a call by force. The module's state may be inconsistent, as it is after a trap
// in WebAssembly, so the instance is not used any more.
func (in *instance) trapped(err error) abi.Outcome {
	in.dead = fmt.Errorf("the instance has been used after a trap: %w", err)
	in.host.fatal = err
	out := abi.Outcome{Status: abi.StatusTrap, Message: abi.FatalErrorText, Err: err, Discard: true}
	var trap *abi.Trap
	if errors.As(err, &trap) && trap.Reason == abi.TrapOutOfEnergy {
		out.Status, out.Message = abi.StatusOutOfEnergy, abi.OutOfEnergyText
	}
	return out
}

// A meter counts what host functions do. Native code itself costs nothing, so a call that never calls the host runs as
// long as it likes.
type meter struct {
	services abi.Services
	ctx      context.Context
	used     uint64
	budget   uint64
	limit    time.Duration
	start    sats.Timestamp
	paused   sats.Timestamp
	trap     *abi.Trap // with which the call was stopped
}

func (m *meter) begin(ctx context.Context, budget uint64, limit time.Duration) {
	m.ctx, m.used, m.budget, m.limit, m.trap = ctx, 0, budget, limit, nil
	if limit > 0 {
		m.start = m.services.Now()
	}
}

// Spend implements abi.Meter.
func (m *meter) Spend(units uint64) {
	m.used += units
	if m.ctx == nil {
		return
	}
	switch err := m.ctx.Err(); {
	case err != nil:
		m.stop(&abi.Trap{Reason: abi.TrapCanceled, Msg: "the call was cancelled", Err: context.Cause(m.ctx)})
	case m.used > m.budget:
		m.stop(&abi.Trap{Reason: abi.TrapOutOfEnergy, Msg: "the fuel of the call is used up"})
	case m.limit > 0 && time.Duration(m.services.Now()-m.start)*time.Microsecond > m.limit:
		m.stop(&abi.Trap{Reason: abi.TrapOutOfEnergy, Msg: fmt.Sprintf("the call took longer than %v", m.limit)})
	}
}

// Pause and Resume enclose what does not count as the call's time (abi.Meter).
func (m *meter) Pause() { m.paused = m.services.Now() }

func (m *meter) Resume() { m.start += max(m.services.Now()-m.paused, 0) }

func (m *meter) stop(t *abi.Trap) {
	m.trap = t
	panic(t)
}
