package js

import (
	"sync/atomic"
	"time"

	"github.com/stdbgo/spacetime/internal/abi"
)

// A watchdog ends calls that do not look whether they have to end: the engine does so between instructions of JavaScript, but some
// functions of its own run for years, such as Array.prototype.indexOf of an object that says it is long.
type watchdog struct {
	timer   *time.Timer
	on      atomic.Bool
	overdue int // looks in a row that found the call beyond its limits; of the timer's goroutine, under the gate
}

// watchInterval is how often it looks. A call is killed at the second look that finds it beyond its limits.
const watchInterval = 500 * time.Millisecond

// watch begins to watch a call.
func (in *instance) watch() {
	w := &in.watchdog
	w.on.Store(true)
	if w.timer == nil {
		w.timer = time.AfterFunc(watchInterval, in.look)
		return
	}
	w.timer.Reset(watchInterval)
}

func (w *watchdog) stop() {
	w.on.Store(false)
	w.timer.Stop()
}

// look kills the running call if it has been beyond its limits for a while.
func (in *instance) look() {
	in.heap.gate.kill(func() bool {
		trap := in.meter.Over()
		if trap == nil {
			in.watchdog.overdue = 0
			return false
		}
		in.watchdog.overdue++
		if in.watchdog.overdue < 2 || !in.heap.protect() {
			return false
		}
		in.watchdog.overdue = 0
		in.killed = trap
		return true
	})
	if in.watchdog.on.Load() {
		in.watchdog.timer.Reset(watchInterval)
	}
}

// guard runs f, which runs the engine, such that a fault becomes an error and the watchdog can end it. Then stop says why.
func (in *instance) guard(f func() error) error {
	before := in.heap.gate.open()
	err := guard(f)
	if !in.heap.gate.close(before) {
		return err
	}
	in.heap.unprotect()
	in.stop = in.killed
	return &abi.Trap{Reason: in.stop.Reason, Msg: in.stop.Msg, Err: errKilled}
}
