//go:build v8 && cgo

package v8

// #include "shim.h"
import "C"

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/stdbgo/spacetime/engine/internal/jshost"
	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/sats"
)

// The instance must be made anew when this much of its memory is in use after collecting garbage, which is done from
// collectFrom on (spec 04 §11.2). In hundredths.
const (
	collectFrom = 67
	retireFrom  = 75
)

// A hookCall is what a hook is called with.
type hookCall struct {
	hook            C.int
	kind, name      string // for errors
	export          string
	id              uint32
	sender          sats.Identity
	conn            sats.ConnectionID
	time            sats.Timestamp
	args, body, jwt []byte
}

// CallReducer calls a reducer, spec 04 §8.
func (in *instance) CallReducer(ctx context.Context, call *abi.ReducerCall) abi.Outcome {
	if in.dead != nil {
		return in.unusable()
	}
	in.begin(ctx, abi.Call{Kind: abi.KindReducer, ID: call.ID, Function: call.Name, Tx: call.Tx, Time: call.Time,
		Sender: call.Sender, Conn: call.Conn, HostTime: call.HostTime}, in.budget(call.Budget))
	in.depth++
	_, out := in.run(&hookCall{hook: C.V8_REDUCER, kind: "reducer", name: call.Name, export: jshost.HookReducer, id: call.ID,
		sender: call.Sender, conn: call.Conn, time: call.Time, args: call.Args})
	in.depth--
	return in.complete(out)
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

// run calls a hook, logs its failure and classifies its end (spec 04 §8.4). The result is good until the instance's next call.
func (in *instance) run(h *hookCall) (*C.v8_result, abi.Outcome) {
	level := in.level()
	a, r := &level.args, &level.result
	a.hook, a.id, a.time = h.hook, C.uint32_t(h.id), C.int64_t(h.time)
	for i := range a.sender {
		a.sender[i] = C.uint64_t(binary.LittleEndian.Uint64(h.sender[8*i:]))
	}
	for i := range a.conn {
		a.conn[i] = C.uint64_t(binary.LittleEndian.Uint64(h.conn[8*i:]))
	}
	C.v8_call(in.c, a, pointer(h.args), C.size_t(len(h.args)), pointer(h.body), C.size_t(len(h.body)),
		pointer(h.jwt), C.size_t(len(h.jwt)), r)
	if r.outcome == C.V8_OK {
		return r, abi.Outcome{Status: abi.StatusOK}
	}
	out := in.failed(h, r)
	if out.Discard {
		in.die(out.Err)
	}
	return r, out
}

// failed makes an outcome of any end but a good one.
func (in *instance) failed(h *hookCall, r *C.v8_result) abi.Outcome {
	out := abi.Outcome{Status: abi.StatusTrap, Message: abi.FatalErrorText}
	switch r.outcome {
	case C.V8_USER_ERROR:
		return abi.Outcome{Status: abi.StatusUserError, Message: goText(r.text)}
	case C.V8_NO_HOOK:
		return jshost.MissingHook(h.kind, h.name, h.export)
	case C.V8_THROWN:
		t := in.p.thrown(r)
		in.host.Log(t.Record())
		out.Err = t
		return out
	}
	end := &jshost.EndError{Thrown: jshost.Thrown{Text: jshost.MemoryText(in.p.limits.Memory), Frames: in.p.userFrames(r)}, Trap: in.stop}
	switch {
	case in.stop != nil:
		end.Text = in.stop.Error()
		if in.stop.Reason == abi.TrapOutOfEnergy {
			out.Status, out.Message = abi.StatusOutOfEnergy, abi.OutOfEnergyText
		}
	case C.v8_full(in.c) == 0:
		end.Text = "the JavaScript engine crashed: " + goText(r.text)
	}
	in.host.Log(end.Record())
	out.Err, out.Discard = end, true
	return out
}

// complete ends a top-level call.
func (in *instance) complete(out abi.Outcome) abi.Outcome {
	in.watch.end()
	out.Fuel = in.meter.End()
	if !out.Discard {
		in.retire(&out)
	}
	in.host.End()
	return out
}

// retire lets an instance go whose memory is nearly used up.
func (in *instance) retire(out *abi.Outcome) {
	limit := in.p.limits.Memory / 100
	if uint64(C.v8_memory(in.c)) <= limit*collectFrom {
		return
	}
	C.v8_collect(in.c)
	if out.Discard = uint64(C.v8_memory(in.c)) > limit*retireFrom; out.Discard {
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
