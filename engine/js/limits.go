package js

import (
	"context"
	"time"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/sats"
)

const (
	// fuelPerMicro is the price of running for a microsecond, spec 04 §11.3.
	fuelPerMicro = 2000
	// fuelPerPoll is charged at least between two polls. They are ten thousand loop rounds or calls apart, of which the emptiest
	// take 40 microseconds; so a loop ends even where the clock stands still.
	fuelPerPoll = 20 * fuelPerMicro
)

// A meter bounds the time of calls. It implements abi.Meter.
type meter struct {
	services abi.Services
	ctx      context.Context // of the running call; nil between calls
	started  sats.Timestamp
	paused   sats.Timestamp // when the call began to wait
	polls    uint64
	budget   uint64        // fuel
	limit    time.Duration // not positive: none
}

func (m *meter) begin(ctx context.Context, budget uint64, limit time.Duration) {
	m.ctx, m.budget, m.limit = ctx, budget, limit
	m.polls, m.started = 0, m.services.Now()
}

// elapsed is the time since begin.
func (m *meter) elapsed() time.Duration {
	return time.Duration(max(m.services.Now()-m.started, 0)) * time.Microsecond
}

func (m *meter) fuel(elapsed time.Duration) uint64 {
	return max(uint64(elapsed.Microseconds())*fuelPerMicro, m.polls*fuelPerPoll)
}

// Pause and Resume enclose what does not count as the call's time (abi.Meter).
func (m *meter) Pause() { m.paused = m.services.Now() }

func (m *meter) Resume() { m.started += max(m.services.Now()-m.paused, 0) }

// spent is the fuel that the running call has used so far.
func (m *meter) spent() uint64 { return m.fuel(m.elapsed()) }

// end returns the fuel that the call has used.
func (m *meter) end() uint64 {
	m.ctx = nil
	return m.spent()
}

// check returns why the call must end, nil if it may go on.
func (m *meter) check() *abi.Trap {
	if m.ctx == nil {
		return nil
	}
	if err := m.ctx.Err(); err != nil {
		return &abi.Trap{Reason: abi.TrapCanceled, Msg: "the call was stopped", Err: err}
	}
	elapsed := m.elapsed()
	if m.limit > 0 && elapsed > m.limit {
		return &abi.Trap{Reason: abi.TrapOutOfEnergy, Msg: "the call has run for more than " + m.limit.String()}
	}
	if m.fuel(elapsed) > m.budget {
		return &abi.Trap{Reason: abi.TrapOutOfEnergy, Msg: "the call has used up its energy"}
	}
	return nil
}

// Spend is told of work of host functions. It counts as time anyway, but may be where a call spends it.
func (m *meter) Spend(uint64) {
	if t := m.check(); t != nil {
		panic(t)
	}
}
