package client

import (
	"context"
	"sync"

	"github.com/stdbgo/spacetime/internal/wire"
	v2 "github.com/stdbgo/spacetime/internal/wire/v2"
	"github.com/stdbgo/spacetime/sats"
)

// A Call is a reducer call under way.
type Call struct {
	reducer string
	notify  func(*Call)
	done    chan struct{}
	once    sync.Once

	// Set before done is closed.
	err       error
	timestamp sats.Timestamp
}

// Call calls a reducer without waiting; args is the BSATN of its arguments back
// to back.
func (c *Conn) Call(reducer string, args []byte) *Call {
	call := &Call{reducer: reducer, done: make(chan struct{})}
	c.start(call, args)
	return call
}

// CallFunc is Call for callers with many calls in flight: done runs on the
// reading goroutine when the outcome is known, or at once if the connection has
// ended. done may make further calls.
func (c *Conn) CallFunc(reducer string, args []byte, done func(*Call)) {
	c.start(&Call{reducer: reducer, notify: done}, args)
}

func (c *Conn) start(call *Call, args []byte) {
	err := c.enqueue(context.Background(), func(id uint32) wire.ClientMessage {
		c.mu.calls[id] = call
		return &wire.CallReducer{RequestID: id, Reducer: call.reducer, Args: args}
	})
	if err != nil {
		call.finish(err)
	}
}

func (call *Call) finish(err error) {
	call.once.Do(func() {
		call.err = err
		if call.done != nil {
			close(call.done)
		}
		if call.notify != nil {
			call.notify(call)
		}
	})
}

// Wait waits for the outcome. It returns nil if the reducer committed, a
// *ReducerError if it returned an error, a *HostError if it could not run,
// ErrDisconnected if nobody knows, and the cause of ctx if that ends first; the
// call goes on then.
func (call *Call) Wait(ctx context.Context) error {
	select {
	case <-call.done:
		return call.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Err returns the outcome of a finished call, as Wait does.
func (call *Call) Err() error { return call.err }

// Timestamp returns the reducer's timestamp of a finished call.
func (call *Call) Timestamp() sats.Timestamp { return call.timestamp }

// result hands a call its outcome, after its changes have been handed over.
func (c *Conn) result(m *v2.ReducerResult) error {
	if err := c.changes(m.Sets, true); err != nil {
		return err
	}
	c.mu.Lock()
	call := c.mu.calls[m.RequestID]
	delete(c.mu.calls, m.RequestID)
	c.mu.Unlock()
	if call == nil {
		c.warn("the server answers a call that was not made", "request", m.RequestID)
		return nil
	}
	call.timestamp = m.Timestamp
	switch m.Kind {
	case v2.OutcomeErr:
		call.finish(&ReducerError{call.reducer, m.Message})
	case v2.OutcomeInternalError:
		call.finish(&HostError{call.reducer, m.Message})
	default:
		call.finish(nil)
	}
	return nil
}

func (c *Conn) warn(msg string, args ...any) {
	if c.opts.Logger != nil {
		c.opts.Logger.Warn("client: "+msg, args...)
	}
}
