package js

import (
	"errors"
	"sync"
	"sync/atomic"
)

// A gate tells where the goroutine of an instance is: in the engine's code, or in functions of ours that the engine has called. Only
// in the engine's code may a call be killed, which is done by taking its memory away: there nothing is locked, nothing half
// done that outlives the instance, and all of it is left by a panic.
type gate struct {
	state atomic.Uint32
	mu    sync.Mutex // held by who has stopped the gate
}

const (
	gateIdle   uint32 = iota // no call runs
	gateEngine               // in the engine's code
	gateHost                 // in a function of ours
	gateHeld                 // in the engine's code, while somebody decides
	gateKilled               // in the engine's code, the memory of which is gone
)

// errKilled leaves the engine's code.
var errKilled = errors.New("the call was killed")

// enter is called at the beginning of functions of ours that the engine calls. It tells whether leave is due at their end. It
// panics if the call has been killed.
func (g *gate) enter() bool {
	for {
		if g.state.CompareAndSwap(gateEngine, gateHost) {
			return true
		}
		switch g.state.Load() {
		case gateIdle, gateHost:
			return false
		case gateKilled:
			panic(errKilled)
		}
		g.wait()
	}
}

func (g *gate) leave(entered bool) {
	if entered {
		g.state.Store(gateEngine)
	}
}

// wait lasts while somebody holds the gate.
func (g *gate) wait() uint32 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.state.Load()
}

// open is called before the engine's code, and close after it with what open has returned. close tells whether the code was
// killed.
func (g *gate) open() (before uint32) { return g.state.Swap(gateEngine) }

func (g *gate) close(before uint32) (killed bool) {
	for {
		if g.state.CompareAndSwap(gateEngine, before) {
			return false
		}
		switch g.state.Load() {
		case gateKilled:
			g.wait()
			g.state.Store(before)
			return true
		case gateIdle, gateHost: // a panic of a function of ours
			g.state.Store(before)
			return false
		}
		g.wait()
	}
}

// kill calls decide while the goroutine is in the engine's code and cannot leave it. If decide returns true the call is killed. It
// does nothing elsewhere.
func (g *gate) kill(decide func() bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.state.CompareAndSwap(gateEngine, gateHeld) {
		return
	}
	if decide() {
		g.state.Store(gateKilled)
	} else {
		g.state.Store(gateEngine)
	}
}
