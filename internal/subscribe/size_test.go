package subscribe_test

import (
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/internal/subscribe"
	"github.com/stdbgo/spacetime/internal/wire"
	v1 "github.com/stdbgo/spacetime/internal/wire/v1"
	v2 "github.com/stdbgo/spacetime/internal/wire/v2"
)

// bounded carries out a message whose rows may have so many bytes, as the host does:
// they are counted if need be. It reports whether they were.
func (b *bench) bounded(c *subscribe.Client, msg wire.ClientMessage, max int64) (counted bool) {
	v := b.store.View()
	defer v.Close()
	req := func() *subscribe.Request {
		return &subscribe.Request{Client: c, Reader: v, Compile: b.compile, CompileOne: b.compileOne, Micros: func() uint64 { return 1 }, MaxBytes: max}
	}
	d := b.m.Handle(req(), msg)
	if m, ok := d.(*subscribe.Measure); ok {
		counted = true
		r := req()
		r.Measured, r.TooLarge = true, m.Run()
		d = b.m.Handle(r, msg)
	}
	d.Deliver()
	return counted
}

const tooLarge = "The initial rows of the subscription are larger than 2000 bytes, which is as much as fits one message; narrow the queries with WHERE"

// A subscription whose rows do not fit one message is refused in the words of each
// protocol, and nothing of it is left. One whose rows do is answered.
func TestInitialRowsAreBounded(t *testing.T) {
	b := newBench(t)
	b.commit(func(tx *store.Tx) {
		for i := range uint32(1000) { // of 8 bytes
			addA(b, i, i%10)(tx)
		}
	}, nobody)
	one, two := b.client(wire.V1Binary), b.client(wire.V3)
	all := []string{"SELECT * FROM a"}
	for _, m := range []wire.ClientMessage{
		&wire.Subscribe{Queries: all}, &wire.SubscribeMulti{Queries: all}, &wire.SubscribeSingle{Query: all[0]},
		&wire.SubscribeMulti{Queries: []string{"SELECT * FROM a WHERE x < 2", "SELECT * FROM a WHERE x = 2"}}, // together
	} {
		counted := b.bounded(one.c, m, 2000)
		if e, ok := one.last.(*v1.SubscriptionError); !ok || !strings.HasPrefix(e.Error, tooLarge) || !counted {
			t.Errorf("%T: %T", m, one.last)
		}
	}
	b.bounded(two.c, &wire.SubscribeSet{QuerySetID: 1, Queries: all}, 2000)
	if e, ok := two.last.(*v2.SubscriptionError); !ok || !strings.HasPrefix(e.Error, tooLarge) {
		t.Errorf("%T", two.last)
	}
	batch := &wire.SubscribeBatch{Sets: []wire.SubscribeSet{{QuerySetID: 1, Queries: []string{"SELECT * FROM a WHERE id = 1"}}, {QuerySetID: 2, Queries: all}}}
	b.bounded(two.c, batch, 2000)
	a, ok := two.last.(*v2.SubscribeBatchApplied)
	if !ok || a.Results[1].Error == nil || !strings.HasPrefix(*a.Results[1].Error, tooLarge) {
		t.Errorf("batch: %T", two.last)
	}
	if clients, queries := b.m.Len(); queries != 0 {
		t.Errorf("%d clients, %d queries", clients, queries)
	}
	// It counts what there is, not what a table might give.
	if counted := b.bounded(two.c, &wire.SubscribeSet{QuerySetID: 1, Queries: []string{"SELECT * FROM a WHERE x < 2"}}, 2000); !counted {
		t.Error("not counted")
	}
	if m, ok := two.last.(*v2.SubscribeApplied); !ok || m.QuerySetID != 1 {
		t.Errorf("%T", two.last)
	}
	// What an index finds is known to be little.
	if b.bounded(one.c, &wire.SubscribeMulti{QueryID: 1, Queries: []string{"SELECT * FROM a WHERE id = 7"}}, 2000) {
		t.Error("counted for one row")
	}
	if b.bounded(one.c, &wire.SubscribeMulti{QueryID: 2, Queries: all}, 0) {
		t.Error("counted without a bound")
	}
	// What a client lets go of is not bounded.
	b.bounded(one.c, &wire.UnsubscribeMulti{QueryID: 2}, 2000)
	if m, ok := one.last.(*v1.SubscribeMultiApplied); !ok || !m.End || m.Update.Tables[0].NumRows != 1000 {
		t.Errorf("%T", one.last)
	}
	b.bounded(two.c, &wire.UnsubscribeSet{QuerySetID: 1, SendDroppedRows: true}, 100)
	if m, ok := two.last.(*v2.UnsubscribeApplied); !ok || len(m.Rows) != 1 {
		t.Errorf("%T", two.last)
	}
}

// closing notes why a connection is to end.
type closing struct{ reasons []string }

func (c *closing) Send(m subscribe.Message) { c.reasons = append(c.reasons, m.Close) }

// Rows that come between counting and reading end the connection: what changed them
// may be on its way to the client.
func TestRowsBeyondTheCount(t *testing.T) {
	b := newBench(t)
	out := &closing{}
	c := &subscribe.Client{Protocol: wire.V3, Out: out}
	b.m.Add(c)
	b.commit(func(tx *store.Tx) {
		for i := range uint32(300) {
			addA(b, i, 0)(tx)
		}
	}, nobody)
	v := b.store.View()
	defer v.Close()
	for _, m := range []wire.ClientMessage{
		&wire.SubscribeSet{QuerySetID: 1, Queries: []string{"SELECT * FROM a"}},
		&wire.SubscribeBatch{Sets: []wire.SubscribeSet{{QuerySetID: 2, Queries: []string{"SELECT * FROM a"}}}},
	} {
		b.m.Handle(&subscribe.Request{
			Client: c, Reader: v, Compile: b.compile, CompileOne: b.compileOne, Micros: func() uint64 { return 1 }, MaxBytes: 2000, Measured: true,
		}, m).Deliver()
	}
	if len(out.reasons) != 2 || out.reasons[0] != "the initial rows of a subscription are larger than 2000 bytes" || out.reasons[1] != out.reasons[0] {
		t.Errorf("%q", out.reasons)
	}
}
