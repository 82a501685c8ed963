package js

import (
	"context"
	"errors"
	"fmt"

	lib "modernc.org/libquickjs"

	"github.com/stdbgo/spacetime/engine/internal/jshost"
	"github.com/stdbgo/spacetime/internal/abi"
)

// The instance must be made anew when this much of its heap is in use after collecting garbage, which is done from
// collectFrom on (spec 04 §11.2). In hundredths.
const (
	collectFrom = 67
	retireFrom  = 75
)

// CallReducer calls a reducer, spec 04 §8.
func (in *instance) CallReducer(ctx context.Context, call *abi.ReducerCall) abi.Outcome {
	if in.dead != nil {
		return in.unusable()
	}
	in.begin(ctx, abi.Call{Kind: abi.KindReducer, ID: call.ID, Function: call.Name, Tx: call.Tx, Time: call.Time,
		Sender: call.Sender, Conn: call.Conn, HostTime: call.HostTime}, in.budget(call.Budget))
	return in.complete(func() (abi.Outcome, *jshost.Thrown) { return in.runReducer(call) })
}

// unusable is the outcome of calls after the instance's end.
func (in *instance) unusable() abi.Outcome {
	return abi.Outcome{Status: abi.StatusTrap, Message: abi.FatalErrorText, Discard: true,
		Err: fmt.Errorf("the instance has been used after its end: %w", in.dead)}
}

func (in *instance) budget(fuel uint64) uint64 {
	if fuel == 0 {
		return in.p.limits.Fuel
	}
	return fuel
}

// complete runs the body of a top-level call that has begun, and ends it.
func (in *instance) complete(body func() (abi.Outcome, *jshost.Thrown)) abi.Outcome {
	out := in.guarded(body)
	in.watchdog.stop()
	out.Fuel = in.meter.End()
	if !out.Discard {
		in.retire(&out)
	}
	in.host.End()
	return out
}

// guarded runs a body such that a fault of the engine becomes an outcome, and logs its failure.
func (in *instance) guarded(body func() (abi.Outcome, *jshost.Thrown)) (out abi.Outcome) {
	in.depth++
	defer func() { in.depth-- }()
	var raised *jshost.Thrown
	switch err := in.guard(func() error { out, raised = body(); return nil }); {
	case errors.Is(err, errKilled):
		out, raised = in.stopOutcome(nil), nil
	case err != nil:
		out = abi.Outcome{Status: abi.StatusTrap, Message: abi.FatalErrorText, Err: err, Discard: true}
	}
	in.record(&out, raised)
	if out.Discard {
		in.die(out.Err)
	}
	return out
}

// runReducer calls the hook and classifies its end, spec 04 §8.3 and §8.4.
func (in *instance) runReducer(call *abi.ReducerCall) (abi.Outcome, *jshost.Thrown) {
	result, ok := in.callReducerHook(call)
	if !ok {
		return in.failed()
	}
	in.jobs(in.stopped)
	defer in.drop(result)
	if in.stopped() {
		return in.failed()
	}
	if in.hook.major == 1 {
		return in.resultV1(result)
	}
	if !isUndefined(result) {
		in.throw(in.typeError, jshost.ReducerReturned)
		return in.failed()
	}
	return abi.Outcome{Status: abi.StatusOK}, nil
}

// callReducerHook passes the arguments; false means that an exception is pending.
func (in *instance) callReducerHook(call *abi.ReducerCall) (value, bool) {
	var data value
	if in.hook.major == 1 {
		data = in.newBytes(call.Args)
	} else {
		data = in.newView(call.Args)
	}
	if isException(data) {
		return data, false
	}
	defer in.drop(data)
	in.ids.trim(in)
	sender, conn := in.ids.get(in, call.Sender[:]), in.ids.get(in, call.Conn[:])
	if isException(sender) || isException(conn) {
		return exception, false
	}
	time := lib.XJS_NewBigInt64(in.tls, in.ctx, int64(call.Time))
	defer in.drop(time)
	in.arg(0, uint32Value(call.ID))
	in.arg(1, sender)
	in.arg(2, conn)
	in.arg(3, time)
	in.arg(4, data)
	result := in.call(in.hook.reducer, in.hook.receiver, 5)
	return result, !isException(result)
}

// resultV1 reads {tag: "ok"} or {tag: "err", value: text}.
func (in *instance) resultV1(result value) (abi.Outcome, *jshost.Thrown) {
	if !isObject(result) {
		in.mismatch("a reducer result with a tag", result)
		return in.failed()
	}
	tag := in.property(result, "tag")
	if isException(tag) {
		return in.failed()
	}
	defer in.drop(tag)
	name := ""
	if isString(tag) {
		name, _ = in.goString(tag)
	}
	switch name {
	case "ok":
		return abi.Outcome{Status: abi.StatusOK}, nil
	case "err":
	default:
		in.throw(in.typeError, "Expected a reducer result with the tag ok or err")
		return in.failed()
	}
	text := in.property(result, "value")
	if isException(text) {
		return in.failed()
	}
	defer in.drop(text)
	if !isString(text) {
		in.mismatch("string", text)
		return in.failed()
	}
	message, _ := in.goString(text)
	return abi.Outcome{Status: abi.StatusUserError, Message: message}, nil
}

// failed classifies the pending exception.
func (in *instance) failed() (abi.Outcome, *jshost.Thrown) {
	e := lib.XJS_GetException(in.tls, in.ctx)
	if !in.stopped() {
		in.settle()
	}
	if in.stopped() {
		return in.ended(e), nil
	}
	if in.hook.major == 2 && isObject(e) {
		switch message, is := in.senderError(e); {
		case is:
			in.drop(e)
			return abi.Outcome{Status: abi.StatusUserError, Message: message}, nil
		case lib.XJS_HasException(in.tls, in.ctx) != 0: // replaces the first
			in.drop(e)
			e = lib.XJS_GetException(in.tls, in.ctx)
		}
	}
	t := in.describe(e, &in.p.origin)
	if in.stopped() {
		return in.ended(undefined), nil
	}
	return abi.Outcome{Status: abi.StatusTrap, Message: abi.FatalErrorText, Err: t}, t
}

// senderError returns the text of e if it is an instance of the module's class for errors of the caller. If it throws, the
// exception is pending.
func (in *instance) senderError(e value) (message string, is bool) {
	if lib.XJS_IsInstanceOf(in.tls, in.ctx, e, in.hook.senderError) <= 0 {
		return "", false
	}
	text := in.property(e, "message")
	if isException(text) {
		return "", false
	}
	defer in.drop(text)
	return in.goString(text)
}

// ended makes an outcome of the end of a call by force. The exception, which it frees, tells where that was.
func (in *instance) ended(e value) abi.Outcome {
	var frames []jshost.Frame
	if lib.XJS_IsError(in.tls, in.ctx, e) != 0 {
		if stack := in.property(e, "stack"); isString(stack) {
			text, _ := in.goString(stack)
			frames = jshost.UserFrames(parseStack(text), &in.p.origin)
			in.drop(stack)
		}
	}
	in.drop(e)
	return in.stopOutcome(frames)
}

// stopOutcome is the outcome of a call that was ended by force.
func (in *instance) stopOutcome(frames []jshost.Frame) abi.Outcome {
	out := abi.Outcome{Status: abi.StatusTrap, Message: abi.FatalErrorText, Discard: true}
	out.Err = &jshost.EndError{Thrown: jshost.Thrown{Text: jshost.MemoryText(in.p.limits.Memory), Frames: frames}}
	if in.stop != nil {
		out.Err = &jshost.EndError{Thrown: jshost.Thrown{Text: in.stop.Error(), Frames: frames}, Trap: in.stop}
		if in.stop.Reason == abi.TrapOutOfEnergy {
			out.Status, out.Message = abi.StatusOutOfEnergy, abi.OutOfEnergyText
		}
	}
	return out
}

// record writes what the module's log is to say about a failure.
func (in *instance) record(out *abi.Outcome, raised *jshost.Thrown) {
	var end *jshost.EndError
	if errors.As(out.Err, &end) {
		raised = &end.Thrown
	}
	if raised != nil {
		in.host.Log(raised.Record())
	}
}

// retire lets an instance go whose heap is nearly full.
func (in *instance) retire(out *abi.Outcome) {
	if in.heap.used <= in.heap.limit/100*collectFrom {
		return
	}
	lib.XJS_RunGC(in.tls, in.rt)
	if out.Discard = in.heap.used > in.heap.limit/100*retireFrom; out.Discard {
		in.die(errors.New("the heap was nearly full"))
	}
}

func (in *instance) die(err error) {
	if err == nil {
		err = errors.New("a call has failed")
	}
	if in.dead == nil {
		in.dead = err
	}
}

// An idCache keeps the big integers of identities and connections that called recently: making one costs microseconds.
type idCache struct {
	values map[idKey]value
}

type idKey [32]byte

// maxIDs bounds the cache.
const maxIDs = 1024

// trim empties a full cache.
func (c *idCache) trim(in *instance) {
	if len(c.values) < maxIDs {
		return
	}
	for _, v := range c.values {
		in.drop(v)
	}
	clear(c.values)
}

// get returns the big integer of a little-endian number, borrowed.
func (c *idCache) get(in *instance, b []byte) value {
	var key idKey
	copy(key[:], b)
	if v, ok := c.values[key]; ok {
		return v
	}
	v := in.wide(b)
	if isException(v) {
		return v
	}
	if c.values == nil {
		c.values = make(map[idKey]value)
	}
	c.values[key] = v
	return v
}
