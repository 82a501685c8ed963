package client

import (
	"bytes"
	"context"

	"github.com/stdbgo/spacetime/internal/wire"
	"github.com/stdbgo/spacetime/sats"
)

// A CallOption modifies one reducer call.
type CallOption uint8

// NoSuccessNotify asks a V1 server not to tell of the call's success: its changes
// arrive as if somebody else had made them, and its failure does not arrive at all.
// Nobody can wait for such a call. V2 and V3 do not have it and ignore it.
const NoSuccessNotify CallOption = 1

// A Call is a reducer call under way.
type Call struct {
	reducer string
	notify  func(*Call)
	done    chan struct{}
	conn    *Conn
	args    []byte // for events; nil without a Module
	silent  bool   // NoSuccessNotify

	// Set before done is closed.
	err       error
	timestamp sats.Timestamp
}

// Call calls a reducer without waiting for the outcome; args is the BSATN of its
// arguments back to back.
func (c *Conn) Call(reducer string, args []byte, options ...CallOption) *Call {
	call := &Call{conn: c, reducer: reducer, done: make(chan struct{})}
	c.start(context.Background(), call, func(b []byte) []byte { return append(b, args...) }, options)
	return call
}

// CallAppend is Call for arguments that append themselves, such as those of
// generated packages.
func (c *Conn) CallAppend(reducer string, args func(b []byte) []byte, options ...CallOption) *Call {
	call := &Call{conn: c, reducer: reducer, done: make(chan struct{})}
	c.start(context.Background(), call, args, options)
	return call
}

// CallFunc is Call for callers with many calls in flight: done runs as a callback
// when the outcome is known, or at once if there is no connection. done may make
// further calls.
func (c *Conn) CallFunc(reducer string, args []byte, done func(*Call), options ...CallOption) {
	c.start(context.Background(), &Call{conn: c, reducer: reducer, notify: done}, func(b []byte) []byte { return append(b, args...) }, options)
}

// CallWait calls a reducer and waits for the outcome, as Call.Wait does. If ctx ends
// before the call is sent, it is not sent.
func (c *Conn) CallWait(ctx context.Context, reducer string, args func(b []byte) []byte, options ...CallOption) error {
	if err := c.mayWait(ctx); err != nil {
		return err
	}
	call := &Call{conn: c, reducer: reducer, done: make(chan struct{})}
	if c.silent(options) {
		return ErrNoOutcome
	}
	c.start(ctx, call, args, options)
	return call.Wait(ctx)
}

func (c *Conn) silent(options []CallOption) bool {
	return len(options) > 0 && options[0]&NoSuccessNotify != 0 && c.Protocol() == V1
}

// start queues a call.
func (c *Conn) start(ctx context.Context, call *Call, args func([]byte) []byte, options []CallOption) {
	err := c.queueCall(ctx, call, args, options)
	if err == nil {
		return
	}
	call.err = err
	if call.done != nil {
		close(call.done)
	}
	if call.notify != nil {
		call.notify(call)
	}
}

func (c *Conn) queueCall(ctx context.Context, call *Call, args func([]byte) []byte, options []CallOption) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.waitForSpace(ctx); err != nil {
		return err
	}
	c.mu.args = args(c.mu.args[:0])
	m := &c.mu.message.reducer
	*m = wire.CallReducer{RequestID: c.mu.freshID(), Reducer: call.reducer, Args: c.mu.args}
	if call.silent = c.silent(options); call.silent {
		m.Flags = wire.NoSuccessNotify
	} else {
		c.mu.link.calls[m.RequestID] = call
		if c.mu.link.session.protocol == V1 {
			c.mu.link.unknown.sent(m.RequestID)
		}
		if c.module != nil {
			call.args = bytes.Clone(c.mu.args)
		}
	}
	c.push(m)
	c.counts.calls.Add(1)
	if cap(c.mu.args) > keepArgs {
		c.mu.args = nil
	}
	return nil
}

// finish is called once, by the goroutine that delivers.
func (call *Call) finish(err error) {
	call.err = err
	if call.done != nil {
		close(call.done)
	}
	if call.notify != nil {
		call.conn.always(func() { call.notify(call) })
	}
}

// Wait waits for the outcome. It returns nil if the reducer committed, a
// *ReducerError if it returned an error, a *HostError if it could not run,
// ErrDisconnected if nobody knows, ErrReconnecting if it was not sent because the link
// was being re-established, and the cause of ctx if that ends first; the
// call goes on then. When it returns nil the cache has the call's own changes.
func (call *Call) Wait(ctx context.Context) error {
	select {
	case <-call.done:
		return call.err // also for callbacks: nothing is waited for
	default:
	}
	if err := call.conn.mayWait(ctx); err != nil {
		return err
	}
	if call.silent {
		return ErrNoOutcome
	}
	select {
	case <-call.done:
		return call.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Done is closed when the outcome is known. It is nil for calls of CallFunc, and never
// closed for those with NoSuccessNotify that were sent.
func (call *Call) Done() <-chan struct{} { return call.done }

// Err returns the outcome of a finished call, as Wait does.
func (call *Call) Err() error { return call.err }

// Timestamp returns the reducer's timestamp of a finished call.
func (call *Call) Timestamp() sats.Timestamp { return call.timestamp }
