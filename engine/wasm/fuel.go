package wasm

import (
	"context"
	"time"

	"github.com/tetratelabs/wazero/api"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/sats"
)

// slice is how much fuel a guest gets at a time. While it lasts, the guest's thread cannot be preempted and keeps garbage
// collection waiting: some 100 µs.
const slice = 1 << 17

// A tank holds the fuel of an instance and bounds the time of its calls.
type tank struct {
	services abi.Services
	global   api.MutableGlobal // the guest's counter; nil until instantiated

	ctx      context.Context // of the running call
	budget   uint64
	used     uint64
	granted  int64 // what the guest's counter last started from
	limit    time.Duration
	started  sats.Timestamp
	paused   sats.Timestamp // when the call began to wait
	deadline bool           // whether limit counts
}

// begin fills the tank for a call.
func (t *tank) begin(ctx context.Context, budget uint64, limit time.Duration) {
	t.ctx, t.budget, t.used = ctx, budget, 0
	t.limit, t.deadline = limit, limit > 0
	t.started = t.services.Now()
	t.granted = 0
	if t.global != nil {
		t.granted = int64(min(budget, slice))
		t.global.Set(uint64(t.granted))
	}
}

// refill is called by the guest when its counter has fallen below zero. It ends the call or returns the counter's new value.
func (t *tank) refill(rest int64) int64 {
	t.used += uint64(t.granted - rest)
	t.granted = rest
	t.check()
	t.granted = int64(min(t.budget-t.used, slice))
	return t.granted
}

// note charges work without ending the call.
func (t *tank) note(units uint64) { t.used += units }

// Spend charges work of host functions (abi.Meter).
func (t *tank) Spend(units uint64) {
	t.used += units
	t.check()
}

// Pause and Resume enclose what does not count as the call's time (abi.Meter). Fuel does not run while the guest stands
// still.
func (t *tank) Pause() { t.paused = t.services.Now() }

func (t *tank) Resume() { t.started += max(t.services.Now()-t.paused, 0) }

// spent is the fuel that the running call has used so far.
func (t *tank) spent() uint64 {
	if t.global == nil {
		return t.used
	}
	return t.used + uint64(max(t.granted-int64(t.global.Get()), 0))
}

// check ends the call if it may not go on. Between calls it does nothing.
func (t *tank) check() {
	if t.ctx == nil {
		return
	}
	if t.used >= t.budget {
		panic(&abi.Trap{Reason: abi.TrapOutOfEnergy, Msg: "the call has used up its fuel"})
	}
	if err := t.ctx.Err(); err != nil {
		panic(&abi.Trap{Reason: abi.TrapCanceled, Msg: "the call was stopped", Err: err})
	}
	if t.deadline && time.Duration(t.services.Now()-t.started)*time.Microsecond > t.limit {
		panic(&abi.Trap{Reason: abi.TrapOutOfEnergy, Msg: "the call has run for more than " + t.limit.String()})
	}
}

// end returns the fuel that the call has used.
func (t *tank) end() uint64 {
	t.used = t.spent()
	t.ctx = nil
	return t.used
}
