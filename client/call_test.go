package client_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stdbgo/spacetime/client"
	"github.com/stdbgo/spacetime/internal/wire"
	v2 "github.com/stdbgo/spacetime/internal/wire/v2"
	"github.com/stdbgo/spacetime/sats"
)

func TestCall(t *testing.T) {
	f := serve(t, func(p *peer) {
		for {
			call, ok := p.next().(*wire.CallReducer)
			if !ok {
				return
			}
			r := &v2.ReducerResult{RequestID: call.RequestID, Timestamp: 77}
			switch call.Reducer {
			case "refuse":
				r.Kind, r.Message = v2.OutcomeErr, "no: "+string(call.Args)
			case "crash":
				r.Kind, r.Message = v2.OutcomeInternalError, "the module trapped"
			case "empty":
				r.Kind = v2.OutcomeOKEmpty
			}
			p.send(r)
		}
	})
	c := dial(t, f.options())
	ok := c.Call("ok", nil)
	if err := ok.Wait(within(t)); err != nil || ok.Err() != nil || ok.Timestamp() != sats.Timestamp(77) {
		t.Errorf("ok: %v at %d", err, ok.Timestamp())
	}
	if err := c.Call("empty", nil).Wait(within(t)); err != nil {
		t.Errorf("empty: %v", err)
	}
	var refused *client.ReducerError
	if err := c.Call("refuse", []byte("args")).Wait(within(t)); !errors.As(err, &refused) || *refused != (client.ReducerError{Reducer: "refuse", Message: "no: args"}) || err.Error() != "no: args" {
		t.Errorf("refuse: %#v", err)
	}
	var crashed *client.HostError
	if err := c.Call("crash", nil).Wait(within(t)); !errors.As(err, &crashed) || err.Error() != "crash: the module trapped" {
		t.Errorf("crash: %#v", err)
	}
}

// A call's wait ends with its context; the call itself goes on.
func TestCallWaitCancelled(t *testing.T) {
	answer := make(chan struct{})
	f := serve(t, func(p *peer) {
		call := as[*wire.CallReducer](p)
		<-answer
		p.send(&v2.ReducerResult{RequestID: call.RequestID})
		p.untilEnd()
	})
	c := dial(t, f.options())
	call := c.Call("slow", nil)
	why := errors.New("no patience")
	ctx, cancel := context.WithCancelCause(background)
	cancel(why)
	if err := call.Wait(ctx); !errors.Is(err, why) {
		t.Errorf("got %v", err)
	}
	close(answer)
	if err := call.Wait(within(t)); err != nil {
		t.Errorf("later: %v", err)
	}
}

// Many calls in flight, answered in one go and out of order, with strangers
// between them.
func TestCallsInFlight(t *testing.T) {
	const n = 5000
	for _, protocol := range []wire.Protocol{wire.V2, wire.V3} {
		f := serve(t, func(p *peer) {
			var results []v2.ServerMessage
			for range n {
				id := as[*wire.CallReducer](p).RequestID
				results = append(results, &v2.ReducerResult{RequestID: id, Timestamp: sats.Timestamp(id)})
			}
			slices.Reverse(results)
			p.send(&v2.ReducerResult{RequestID: 1 << 30})
			p.send(results...)
			p.send(results...) // nobody waits for them any more
			p.untilEnd()
		}, func(f *fake) { f.protocol = protocol })
		c := dial(t, f.options())
		var left atomic.Int32
		left.Store(n)
		done := make(chan struct{})
		for range n {
			c.CallFunc("r", nil, func(call *client.Call) {
				if call.Err() != nil || call.Timestamp() == 0 {
					t.Errorf("%s: %v", protocol, call.Err())
				}
				if left.Add(-1) == 0 {
					close(done)
				}
			})
		}
		select {
		case <-done:
		case <-time.After(patience):
			t.Fatalf("%s: %d calls have no end", protocol, left.Load())
		}
	}
}

// A payload of v3 holds many messages, but stays below the server's bound; v2
// has one message in each.
func TestPayloads(t *testing.T) {
	for _, protocol := range []wire.Protocol{wire.V2, wire.V3} {
		sizes := make(chan int, 10_000)
		args := make([]byte, 1000)
		f := serve(t, func(p *peer) {
			for n := 0; n < 2000; {
				_, b, err := p.ws.Read(background)
				if err != nil {
					break
				}
				sizes <- len(b)
				r := sats.NewReader(b)
				for r.Len() > 0 {
					call := v2.ReadClient(r).(*wire.CallReducer)
					p.send(&v2.ReducerResult{RequestID: call.RequestID})
					n++
				}
			}
			close(sizes)
			p.untilEnd()
		}, func(f *fake) { f.protocol = protocol })
		c := dial(t, f.options())
		var calls []*client.Call
		for range 2000 {
			calls = append(calls, c.Call("r", args))
		}
		for _, call := range calls {
			if err := call.Wait(within(t)); err != nil {
				t.Fatal(err)
			}
		}
		n, longest := 0, 0
		for size := range sizes {
			n++
			longest = max(longest, size)
		}
		if protocol == wire.V2 && (n != 2000 || longest > 1100) {
			t.Errorf("v2: %d payloads, the longest of %d bytes", n, longest)
		}
		if protocol == wire.V3 && (n >= 2000 || longest > 512<<10) {
			t.Errorf("v3: %d payloads, the longest of %d bytes", n, longest)
		}
	}
}

func TestDisconnected(t *testing.T) {
	f := serve(t, func(p *peer) { as[*wire.CallReducer](p) })
	c := dial(t, f.options())
	call := c.Call("r", nil)
	if err := call.Wait(within(t)); !errors.Is(err, client.ErrDisconnected) {
		t.Errorf("the call under way: %v", err)
	}
	<-c.Done()
	if err := c.Err(); err == nil || client.ClosedByServer(err) {
		t.Errorf("the connection: %v", err)
	}
	if err := c.Call("r", nil).Wait(within(t)); !errors.Is(err, client.ErrDisconnected) {
		t.Errorf("a call afterwards: %v", err)
	}
	var told error
	c.CallFunc("r", nil, func(call *client.Call) { told = call.Err() })
	if !errors.Is(told, client.ErrDisconnected) {
		t.Errorf("a CallFunc afterwards: %v", told)
	}
	if err := c.Close(); err != nil || c.Err() == nil {
		t.Errorf("Close: %v, and the reason is %v", err, c.Err())
	}
}

func TestClosedByServer(t *testing.T) {
	f := serve(t, func(p *peer) { _ = p.ws.Close(1013, "too much") })
	c := dial(t, f.options())
	<-c.Done()
	if err := c.Err(); !client.ClosedByServer(err) || !strings.Contains(err.Error(), "too much") {
		t.Errorf("got %v", err)
	}
}

// A message that does not decode ends the connection, and every call with it.
func TestGarbage(t *testing.T) {
	f := serve(t, func(p *peer) {
		id := as[*wire.CallReducer](p).RequestID
		good := (&v2.ReducerResult{RequestID: id}).Append(nil)
		p.raw(wire.AppendEnvelope(nil, append(good, 99), wire.CompressNone))
		p.untilEnd()
	})
	c := dial(t, f.options())
	first, second := c.Call("r", nil), c.Call("r", nil)
	if err := first.Wait(within(t)); err != nil {
		t.Errorf("the message before: %v", err)
	}
	if err := second.Wait(within(t)); !errors.Is(err, client.ErrDisconnected) || !strings.Contains(err.Error(), "does not decode") {
		t.Errorf("the call under way: %v", err)
	}
}

// A message comes through in every envelope that a server may choose.
func TestEnvelopes(t *testing.T) {
	for name, c := range map[string]wire.Compression{"plain": wire.CompressNone, "gzip": wire.CompressGzip, "brotli": wire.CompressBrotli} {
		long := strings.Repeat("a row that is long enough ", 100)
		f := serve(t, func(p *peer) {
			s := as[*wire.SubscribeSet](p)
			applied := &v2.SubscribeApplied{RequestID: s.RequestID, QuerySetID: s.QuerySetID, Rows: v2.QueryRows{{Table: "a", Rows: list(long)}}}
			p.raw(wire.AppendEnvelope(nil, applied.Append(nil), c))
			p.untilEnd()
		})
		conn := dial(t, f.options())
		var got []string
		if _, err := conn.SubscribeRows(within(t), func(r client.Rows) { got = append(got, text(r)) }, "SELECT * FROM a"); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(got) != 1 || !strings.Contains(got[0], long) {
			t.Errorf("%s: %.100q", name, got)
		}
	}
	// What it decompresses to is bounded like any message.
	f := serve(t, func(p *peer) {
		p.raw(wire.AppendEnvelope(nil, make([]byte, 1<<20), wire.CompressBrotli))
		p.untilEnd()
	})
	o := f.options()
	o.MaxMessage = 1 << 16
	conn := dial(t, o)
	<-conn.Done()
	if err := conn.Err(); err == nil || !strings.Contains(err.Error(), "more than 65536 bytes") {
		t.Errorf("%v", err)
	}
}
