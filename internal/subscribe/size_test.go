package subscribe_test

import (
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/internal/subscribe"
	"github.com/stdbgo/spacetime/internal/wire"
	v1 "github.com/stdbgo/spacetime/internal/wire/v1"
	v2 "github.com/stdbgo/spacetime/internal/wire/v2"
	"github.com/stdbgo/spacetime/sats"
)

// bounded carries out a message whose rows may have so many bytes, as the host does:
// they are read at once if fewer than large are expected, else counted if need be and
// then read by an evaluation. It reports whether they were counted.
func (b *bench) bounded(c *subscribe.Client, msg wire.ClientMessage, max int64, large uint64) (counted bool) {
	v := b.store.View()
	defer v.Close()
	req := func() *subscribe.Request {
		return &subscribe.Request{Client: c, Reader: v, Compile: b.compile, CompileOne: b.compileOne, Micros: func() uint64 { return 1 }, MaxBytes: max, Large: large}
	}
	d := b.m.Handle(req(), msg)
	if m, ok := d.(*subscribe.Measure); ok {
		counted = true
		r := req()
		r.Counted = m.Run()
		d = b.m.Handle(r, msg)
	}
	d.Deliver()
	if e, ok := d.(*subscribe.Evaluation); ok {
		e.Run()
		e.Answer().Deliver()
	}
	return counted
}

const tooLarge = "The initial rows of the subscription are larger than 2000 bytes, which is as much as fits one message; narrow the queries with WHERE"

// A subscription whose rows do not fit one message is refused in the words of each
// protocol, and nothing of it is left. One whose rows do is answered. It is the same
// for rows that are read at once and for those that are counted first.
func TestInitialRowsAreBounded(t *testing.T) {
	for _, large := range []uint64{0, 1, 1_000_000} {
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
			counted := b.bounded(one.c, m, 2000, large)
			if e, ok := one.last.(*v1.SubscriptionError); !ok || !strings.HasPrefix(e.Error, tooLarge) || counted != (large == 1) {
				t.Errorf("%T: %T, counted: %v", m, one.last, counted)
			}
		}
		b.bounded(two.c, &wire.SubscribeSet{QuerySetID: 1, Queries: all}, 2000, large)
		if e, ok := two.last.(*v2.SubscriptionError); !ok || !strings.HasPrefix(e.Error, tooLarge) {
			t.Errorf("%T", two.last)
		}
		if _, queries := b.m.Len(); queries != 0 {
			t.Errorf("%d queries", queries)
		}
		// Of a batch, the sets that fit go through: 1 and 3, whose rows go on being told.
		batch := &wire.SubscribeBatch{Sets: []wire.SubscribeSet{{QuerySetID: 1, Queries: []string{"SELECT * FROM a WHERE x = 1"}}, {QuerySetID: 2, Queries: all}, {QuerySetID: 3, Queries: []string{"SELECT * FROM a WHERE x = 3"}}, {QuerySetID: 4, Queries: []string{"SELECT * FROM a WHERE x = 4"}}}}
		b.bounded(two.c, batch, 2000, large)
		a, ok := two.last.(*v2.SubscribeBatchApplied)
		if !ok {
			t.Fatalf("batch: %T", two.last)
		}
		for i, r := range a.Results {
			if refused := i == 1 || i == 3; refused != (r.Error != nil) || refused && !strings.HasPrefix(*r.Error, tooLarge) {
				t.Errorf("large %d: set %d: %v", large, i+1, r.Error)
			}
		}
		if _, queries := b.m.Len(); queries != 2 {
			t.Errorf("%d queries", queries)
		}
		// It counts what there is, not what a table might give.
		if counted := b.bounded(two.c, &wire.SubscribeSet{QuerySetID: 7, Queries: []string{"SELECT * FROM a WHERE x < 2"}}, 2000, large); counted != (large == 1) {
			t.Error("counted:", counted)
		}
		if m, ok := two.last.(*v2.SubscribeApplied); !ok || m.QuerySetID != 7 {
			t.Errorf("%T", two.last)
		}
		if b.bounded(one.c, &wire.SubscribeMulti{QueryID: 1, Queries: []string{"SELECT * FROM a WHERE id = 7"}}, 100_000, large) {
			t.Error("counted, and the table has no more")
		}
		if b.bounded(one.c, &wire.SubscribeMulti{QueryID: 2, Queries: all}, 0, large) {
			t.Error("counted without a bound")
		}
		// What a client lets go of is not bounded.
		b.bounded(one.c, &wire.UnsubscribeMulti{QueryID: 2}, 2000, large)
		if m, ok := one.last.(*v1.SubscribeMultiApplied); !ok || !m.End || m.Update.Tables[0].NumRows != 1000 {
			t.Errorf("%T", one.last)
		}
		b.bounded(two.c, &wire.UnsubscribeSet{QuerySetID: 7, SendDroppedRows: true}, 100, large)
		if m, ok := two.last.(*v2.UnsubscribeApplied); !ok || len(m.Rows) != 1 {
			t.Errorf("%T", two.last)
		}
	}
}

// Where one key has nearly all the rows, estimates are far off. The refusal is the
// same, also if it takes a long read to find out.
func TestSkewedRowsAreBounded(t *testing.T) {
	b := newBench(t)
	b.commit(func(tx *store.Tx) {
		for i := range uint32(40_000) {
			addA(b, i, 5)(tx)
		}
		for i := range uint32(500) {
			if _, _, err := tx.Insert(b.b.ID, sats.AppendString(sats.AppendU32(sats.AppendU32(nil, 5+i*100_000), i), "some text")); err != nil {
				t.Fatal(err)
			}
		}
	}, nobody)
	for _, query := range []string{
		"SELECT b.* FROM a JOIN b ON b.id = a.x",
		"SELECT a.* FROM a JOIN b ON a.x = b.id WHERE b.id = 5",
		"SELECT a.* FROM a WHERE x = 5",
	} {
		for _, large := range []uint64{0, 2000, 1 << 40} {
			one, two := b.client(wire.V1Binary), b.client(wire.V2)
			b.bounded(one.c, &wire.SubscribeSingle{QueryID: 1, Query: query}, 100_000, large)
			if e, ok := one.last.(*v1.SubscriptionError); !ok || !strings.Contains(e.Error, "larger than 100000 bytes") || !strings.HasSuffix(e.Error, ", executing: `"+query+"`") {
				t.Errorf("%s: %#v", query, one.last)
			}
			b.bounded(two.c, &wire.SubscribeSet{QuerySetID: 1, Queries: []string{query}}, 100_000, large)
			if e, ok := two.last.(*v2.SubscriptionError); !ok || !strings.Contains(e.Error, "larger than 100000 bytes") {
				t.Errorf("%s: %#v", query, two.last)
			}
			b.bounded(two.c, &wire.SubscribeSet{QuerySetID: 1, Queries: []string{query}}, 1_000_000, large)
			if _, ok := two.last.(*v2.SubscribeApplied); !ok {
				t.Errorf("%s: %#v", query, two.last)
			}
			b.m.Remove(one.c)
			b.m.Remove(two.c)
		}
	}
	if clients, queries := b.m.Len(); clients != 0 || queries != 0 {
		t.Errorf("%d clients, %d queries", clients, queries)
	}
}

// A refused legacy set leaves the one before it.
func TestRefusedLegacySet(t *testing.T) {
	b := newBench(t)
	b.commit(func(tx *store.Tx) {
		for i := range uint32(1000) {
			addA(b, i, 1)(tx)
		}
	}, nobody)
	for _, large := range []uint64{0, 1} {
		one := b.client(wire.V1Binary)
		b.bounded(one.c, &wire.Subscribe{Queries: []string{"SELECT * FROM a WHERE id > 5000"}}, 2000, large)
		if _, ok := one.last.(*v1.InitialSubscription); !ok {
			t.Fatalf("%T", one.last)
		}
		b.bounded(one.c, &wire.Subscribe{Queries: []string{"SELECT * FROM a"}}, 2000, large)
		if _, ok := one.last.(*v1.SubscriptionError); !ok {
			t.Fatalf("%T", one.last)
		}
		n := one.messages
		b.commit(addA(b, 6000, 1), nobody)
		b.commit(func(tx *store.Tx) {
			if _, err := tx.DeleteRow(b.a.ID, sats.AppendU32(sats.AppendU32(nil, 6000), 1)); err != nil {
				t.Fatal(err)
			}
		}, nobody)
		if one.messages != n+2 {
			t.Errorf("%d messages; want 2", one.messages-n)
		}
		b.m.Remove(one.c)
	}
}

// closing notes why a connection is to end.
type closing struct{ reasons []string }

func (c *closing) Send(m subscribe.Message) { c.reasons = append(c.reasons, m.Close) }

// Rows that come between counting and reading end the connection if they are read
// beside transactions: what changed them may be on its way to the client.
func TestRowsBeyondTheCount(t *testing.T) {
	b := newBench(t)
	out := &closing{}
	c := &subscribe.Client{Protocol: wire.V3, Out: out}
	b.m.Add(c)
	b.commit(func(tx *store.Tx) {
		for i := range uint32(1000) {
			addA(b, i, 9)(tx)
		}
	}, nobody)
	for i, m := range []wire.ClientMessage{
		&wire.SubscribeSet{QuerySetID: 1, Queries: []string{"SELECT * FROM a WHERE x = 0"}},
		&wire.SubscribeBatch{Sets: []wire.SubscribeSet{{QuerySetID: 2, Queries: []string{"SELECT * FROM a WHERE x = 1"}}}},
	} {
		handle := func(counted *subscribe.Count) (subscribe.Delivery, *store.View) {
			v := b.store.View()
			return b.m.Handle(&subscribe.Request{Client: c, Reader: v, Compile: b.compile, CompileOne: b.compileOne, Micros: func() uint64 { return 1 },
				MaxBytes: 2000, Large: 1, Counted: counted}, m), v
		}
		d, v := handle(nil)
		count := d.(*subscribe.Measure).Run()
		v.Close()
		if err := count.Err(); err != nil {
			t.Fatal(err)
		}
		b.commit(func(tx *store.Tx) {
			for k := range uint32(260) {
				addA(b, 5000*uint32(i+1)+k, uint32(i))(tx)
			}
		}, nobody)
		d, v = handle(count)
		e := d.(*subscribe.Evaluation)
		e.Deliver()
		e.Run()
		e.Answer().Deliver()
		v.Close()
	}
	if len(out.reasons) != 2 || out.reasons[0] != "the initial rows of a subscription are larger than 2000 bytes" || out.reasons[1] != out.reasons[0] {
		t.Errorf("%q", out.reasons)
	}
}
