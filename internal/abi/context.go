package abi

import (
	"context"
	"fmt"
	"time"

	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/sats"
)

// A Kind is the context a call runs in, spec 03 §9.1. What a host function may do depends on it.
type Kind uint8

const (
	KindInit      Kind = iota // initialisers and description: no transaction
	KindReducer               // a reducer in its transaction
	KindView                  // a view inside somebody's transaction: read only
	KindProcedure             // a procedure, outside of transactions or in one that it has opened
	KindHandler               // an HTTP handler: as a procedure
)

// A Call is one top-level call of a module function.
type Call struct {
	Kind     Kind
	ID       uint32 // of the function, spec 03 §2.6
	Function string // name for log records; empty during initialisation
	Tx       *store.Tx
	Time     sats.Timestamp
	Sender   sats.Identity
	Conn     sats.ConnectionID

	// Of procedures and handlers: who carries out what only they may do, and what stops it.
	Host ProcedureHost
	Done context.Context

	// HostTime, if set, is added the time spent in host functions.
	HostTime *time.Duration
}

// MayWait tells whether the call holds no transaction and may keep its goroutine waiting.
func (c *Call) MayWait() bool { return c.Host != nil && c.Tx == nil }

// A Trap ends the running call: it is the value with which a host function panics when spec 03 demands more than an
// Errno. Engines recover it and make an Outcome of it.
type Trap struct {
	Reason TrapReason
	Msg    string
	Err    error // cause, or nil
}

// A TrapReason says why a call was ended.
type TrapReason uint8

const (
	TrapFault       TrapReason = iota // misuse by the module, or a failure of the host
	TrapOutOfEnergy                   // fuel or time used up
	TrapCanceled                      // the caller has given up
)

func (t *Trap) Error() string {
	if t.Err != nil {
		return t.Msg + ": " + t.Err.Error()
	}
	return t.Msg
}

func (t *Trap) Unwrap() error { return t.Err }

// Fault ends the running call with a Trap.
func Fault(format string, args ...any) {
	panic(&Trap{Msg: fmt.Sprintf(format, args...)})
}

// A Meter bounds what a call uses.
type Meter interface {
	// Spend is told how much work host functions have done, in units of fuel. It may panic with a *Trap.
	Spend(units uint64)
	// Pause is told that the call begins to wait for something that is not its own work, and Resume that it has waited.
	Pause()
	Resume()
}

// freely is the meter of contexts without one.
type freely struct{}

func (freely) Spend(uint64) {}
func (freely) Pause()       {}
func (freely) Resume()      {}

// meterStep is how much work host functions do between two words with the meter: some 50 µs.
const meterStep = 1 << 16

// A Context is the state of one instance that host functions work on. Begin and End enclose each top-level call; between
// them the methods that bear a host function's name may be called. A method returns an Errno where spec 03 has one and
// panics with a *Trap where it says "trap".
//
// Byte slices handed in are read during the call only; those handed out are good until the next method is called.
type Context struct {
	svc     Services
	limits  Limits
	meter   Meter
	pending uint64 // work not yet told to the meter

	call    Call
	running bool
	open    bool // call.Tx is a transaction that the module has opened
	waiting int  // waits under way that the meter does not count
	sources handles[source]
	sinks   handles[sink]
	iters   handles[rowIter]
	timers  handles[timer]
	held    uint64 // bytes in sources, sinks and iterators
	spare   []*rowBuf
	sinkBuf []byte // reused for the first sink of a call
}

// NewContext makes the context of one instance. Without a meter nothing is bounded.
func NewContext(s Services, l Limits, m Meter) *Context {
	if m == nil {
		m = freely{}
	}
	return &Context{svc: s, limits: l.WithDefaults(), meter: m}
}

// Begin starts a top-level call.
func (c *Context) Begin(call Call) {
	c.call = call
	c.running = true
	c.pending = 0
}

// End finishes the call: it takes the transaction away, rolls back one that the module has left open, and drops all
// handles. Slices taken from sinks stay good until the next Begin.
func (c *Context) End() {
	if c.open {
		c.abortDangling()
	}
	c.call = Call{Kind: KindInit}
	c.running = false
	c.sources.restart()
	c.sinks.restart()
	c.iters.reset(c.release)
	c.timers.reset(nil)
	c.held = 0
}

// Running tells whether a call runs, so that another would be inside it.
func (c *Context) Running() bool { return c.running }

// Enter starts a call inside the running one, with which it shares all handles: a view that the commit of a procedure's
// transaction refreshes. Leave takes what Enter returned, and ends it.
func (c *Context) Enter(call Call) (outer Call) {
	outer = c.call
	c.call = call
	if c.waiting > 0 {
		c.meter.Resume()
	}
	return outer
}

// Leave ends a call inside another, which goes on.
func (c *Context) Leave(outer Call) {
	if c.waiting > 0 {
		c.meter.Pause()
	}
	c.call = outer
}

// Call returns the running call.
func (c *Context) Call() *Call { return &c.call }

// Timed reports whether the time of host functions is asked for: then engines tell it by
// Took.
func (c *Context) Timed() bool { return c.call.HostTime != nil }

// Took adds the time of a host function.
func (c *Context) Took(d time.Duration) {
	if c.call.HostTime != nil {
		*c.call.HostTime += d
	}
}

// Services returns what the context was made with.
func (c *Context) Services() Services { return c.svc }

// spend charges work of the host to the call.
func (c *Context) spend(units uint64) {
	c.pending += units
	if c.pending >= meterStep {
		n := c.pending
		c.pending = 0
		c.meter.Spend(n)
	}
}

// hold counts bytes that the host keeps for the call.
func (c *Context) hold(n int) {
	c.held += uint64(n)
	if c.held > c.limits.Streams {
		Fault("the call keeps more than %d bytes in byte sources, sinks and row iterators", c.limits.Streams)
	}
}

// drop counts bytes that are free again.
func (c *Context) drop(n int) { c.held -= uint64(n) }

// errno translates an error of the store. What has no number ends the call.
func (c *Context) errno(err error) Errno {
	if err == nil {
		return OK
	}
	if e, ok := err.(*store.Error); ok && e.Code != 0 {
		return Errno(e.Code)
	}
	panic(&Trap{Msg: "host", Err: err})
}
