package client_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stdbgo/spacetime/client"
	"github.com/stdbgo/spacetime/internal/wire"
	v2 "github.com/stdbgo/spacetime/internal/wire/v2"
)

func TestClose(t *testing.T) {
	f := serve(t, (*peer).untilEnd)
	c := dial(t, f.options())
	call := c.Call("r", nil)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
			select {
			case <-c.Done():
			default:
				t.Error("Close returned before the end")
			}
		})
	}
	all.Wait()
	if err := c.Close(); err != nil || c.Err() != nil {
		t.Errorf("Close again: %v, %v", err, c.Err())
	}
	for _, call := range []*client.Call{call, c.Call("r", nil)} {
		if err := call.Wait(within(t)); !errors.Is(err, client.ErrDisconnected) || !strings.Contains(err.Error(), "Close was called") {
			t.Errorf("a call: %v", err)
		}
	}
	if _, err := c.SubscribeRows(within(t), nil, "SELECT * FROM t"); !errors.Is(err, client.ErrDisconnected) {
		t.Errorf("a subscription: %v", err)
	}
}

// stalledOptions are those of a connection whose queue is soon full.
func stalledOptions(f *fake) client.Options {
	o := f.options()
	o.QueueBytes = 1 << 20
	return o
}

// fill calls until the queue is full: f stops reading, so that calls wait. The
// returned channel gets the outcome of a call that waited.
func fill(t *testing.T, c *client.Conn) <-chan error {
	t.Helper()
	var queued atomic.Int64
	failed := make(chan error, 1)
	go func() {
		args := make([]byte, 64<<10)
		for {
			err := error(nil)
			c.CallFunc("r", args, func(call *client.Call) { err = call.Err() })
			if c.Err() != nil || errors.Is(err, client.ErrDisconnected) {
				failed <- err
				return
			}
			queued.Add(1)
		}
	}()
	deadline := time.Now().Add(patience)
	for last := int64(-1); ; {
		time.Sleep(100 * time.Millisecond)
		now := queued.Load()
		if now == last {
			return failed
		}
		if last = now; time.Now().After(deadline) || now > 1<<10 {
			t.Fatalf("%d calls of 64 KiB are queued, and nothing waits", now)
		}
	}
}

// The queue is bounded: with a server that does not read, a call waits, a
// subscription's wait ends with its context, and Close ends it all.
func TestQueueIsBounded(t *testing.T) {
	ctx, release := context.WithCancel(background)
	f := serve(t, stall(ctx))
	t.Cleanup(release)
	c := dial(t, stalledOptions(f))
	waiting := fill(t, c)
	short, cancel := context.WithTimeout(background, 20*time.Millisecond)
	defer cancel()
	if _, err := c.SubscribeRows(short, nil, "SELECT * FROM t"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a subscription behind a full queue: %v", err)
	}
	begin := time.Now()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if d := time.Since(begin); d > patience/2 {
		t.Errorf("Close took %s", d)
	}
	if err := <-waiting; !errors.Is(err, client.ErrDisconnected) {
		t.Errorf("the waiting call: %v", err)
	}
}

// When the connection breaks, a reading goroutine that waits for space itself, in
// a function handed to it, must wake up.
func TestBrokenWhileReaderWaits(t *testing.T) {
	for _, how := range []string{"server", "close"} {
		t.Run(how, func(t *testing.T) {
			ctx, release := context.WithCancel(background)
			t.Cleanup(release)
			full := make(chan struct{})
			f := serve(t, func(p *peer) {
				id := as[*wire.CallReducer](p).RequestID
				<-full
				p.send(&v2.ReducerResult{RequestID: id})
				<-ctx.Done()
			})
			c := dial(t, stalledOptions(f))
			inside, left := make(chan struct{}), make(chan error, 1)
			c.CallFunc("first", nil, func(*client.Call) {
				close(inside)
				c.CallFunc("second", make([]byte, 64<<10), func(call *client.Call) { left <- call.Err() })
			})
			waiting := fill(t, c)
			close(full)
			<-inside
			time.Sleep(50 * time.Millisecond) // the reader now waits for space, or soon
			if how == "server" {
				release()
			} else if err := c.Close(); err != nil {
				t.Error(err)
			}
			for what, ended := range map[string]<-chan error{"the reader's call": left, "the waiting call": waiting} {
				select {
				case err := <-ended:
					if !errors.Is(err, client.ErrDisconnected) {
						t.Errorf("%s: %v", what, err)
					}
				case <-time.After(patience):
					t.Fatalf("%s still waits", what)
				}
			}
			<-c.Done()
		})
	}
}
