//go:build v8 && cgo

package v8

// #include "shim.h"
import "C"

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/stdbgo/spacetime/engine/internal/jshost"
)

// tick is how often a running call is asked whether it may go on.
const tick = 10 * time.Millisecond

// tickFuel is the price of a tick, charged even where the clock stands still.
const tickFuel = uint64(tick/time.Microsecond) * jshost.FuelPerMicro

// A watchdog interrupts an instance now and then while a call runs. Its timer runs as long as calls come, so that a call
// costs two stores.
type watchdog struct {
	mu      sync.Mutex
	c       *C.v8_instance // nil: closed
	timer   *time.Timer
	running atomic.Bool
	armed   atomic.Bool
}

func (w *watchdog) init(c *C.v8_instance) {
	w.c = c
	w.timer = time.AfterFunc(time.Hour, w.fire)
	w.timer.Stop()
}

func (w *watchdog) begin() {
	w.running.Store(true)
	w.arm()
}

func (w *watchdog) end() { w.running.Store(false) }

func (w *watchdog) arm() {
	if !w.armed.Load() && w.armed.CompareAndSwap(false, true) {
		w.timer.Reset(tick)
	}
}

func (w *watchdog) fire() {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.c == nil:
	case w.running.Load():
		C.v8_interrupt(w.c)
		w.timer.Reset(tick)
	default:
		w.armed.Store(false)
		if w.running.Load() { // began meanwhile, and found the timer running
			w.arm()
		}
	}
}

// close returns the instance to be closed, nil if it has been.
func (w *watchdog) close() *C.v8_instance {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.c
	w.c = nil
	if w.timer != nil {
		w.timer.Stop()
	}
	return c
}
