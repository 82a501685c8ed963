package jshost

import (
	"context"
	"time"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/sats"
)

// FuelPerMicro is the price of running for a microsecond, spec 04 §11.3.
const FuelPerMicro = 2000

// A Meter bounds the time of calls. It implements abi.Meter. Services and PollFuel are to be set.
type Meter struct {
	Services abi.Services
	PollFuel uint64 // charged at least between two polls, so that a loop ends even where the clock stands still

	ctx     context.Context // of the running call; nil between calls
	started sats.Timestamp
	paused  sats.Timestamp // when the call began to wait
	polls   uint64
	budget  uint64        // fuel
	limit   time.Duration // not positive: none
}

// Begin starts a top-level call.
func (m *Meter) Begin(ctx context.Context, budget uint64, limit time.Duration) {
	m.ctx, m.budget, m.limit = ctx, budget, limit
	m.polls, m.started = 0, m.Services.Now()
}

// elapsed is the time since Begin.
func (m *Meter) elapsed() time.Duration {
	return time.Duration(max(m.Services.Now()-m.started, 0)) * time.Microsecond
}

func (m *Meter) fuel(elapsed time.Duration) uint64 {
	return max(uint64(elapsed.Microseconds())*FuelPerMicro, m.polls*m.PollFuel)
}

// Pause and Resume enclose what does not count as the call's time (abi.Meter).
func (m *Meter) Pause() { m.paused = m.Services.Now() }

func (m *Meter) Resume() { m.started += max(m.Services.Now()-m.paused, 0) }

// Spent is the fuel that the running call has used so far.
func (m *Meter) Spent() uint64 { return m.fuel(m.elapsed()) }

// End finishes the call and returns the fuel that the call has used.
func (m *Meter) End() uint64 {
	m.ctx = nil
	return m.Spent()
}

// Poll is to be called now and then while JavaScript runs. It returns why the call must end, nil if it may go on.
func (m *Meter) Poll() *abi.Trap {
	m.polls++
	return m.check()
}

// Over is why the running call must end, nil if it may go on. It changes nothing.
func (m *Meter) Over() *abi.Trap { return m.check() }

func (m *Meter) check() *abi.Trap {
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
func (m *Meter) Spend(uint64) {
	if t := m.check(); t != nil {
		panic(t)
	}
}
