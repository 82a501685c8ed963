package subscribe_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stdbgo/spacetime/internal/wire"
	v1 "github.com/stdbgo/spacetime/internal/wire/v1"
	v2 "github.com/stdbgo/spacetime/internal/wire/v2"
)

func manyQueries(n int) []string {
	qs := make([]string, n)
	for i := range qs {
		qs[i] = fmt.Sprintf("SELECT * FROM a WHERE id = %d", i)
	}
	return qs
}

// A message with more queries than are evaluated in one go is refused, and what
// came before it stays.
func TestQueriesPerMessage(t *testing.T) {
	b := newBench(t)
	one, two := b.client(wire.V1Binary), b.client(wire.V3)
	texts := manyQueries(10_001)
	const want = "a message may subscribe to at most 10000 queries"
	for _, m := range []wire.ClientMessage{&wire.Subscribe{Queries: texts}, &wire.SubscribeMulti{Queries: texts}} {
		b.handle(one.c, m)
		if e, ok := one.last.(*v1.SubscriptionError); !ok || !strings.HasPrefix(e.Error, want) {
			t.Errorf("%T: %T", m, one.last)
		}
	}
	b.handle(two.c, &wire.SubscribeSet{Queries: texts})
	if e, ok := two.last.(*v2.SubscriptionError); !ok || !strings.HasPrefix(e.Error, want) {
		t.Errorf("%T", two.last)
	}
	b.handle(two.c, &wire.SubscribeBatch{Sets: []wire.SubscribeSet{
		{QuerySetID: 1, Queries: texts[:6000]}, {QuerySetID: 2, Queries: texts[:6000]},
	}})
	a, ok := two.last.(*v2.SubscribeBatchApplied)
	if !ok || a.Results[0].Error != nil || a.Results[1].Error == nil || !strings.HasPrefix(*a.Results[1].Error, want) {
		t.Errorf("batch: %T", two.last)
	}
	if _, n := b.m.Len(); n != 6000 {
		t.Errorf("%d queries are live", n)
	}
}

// What a client may hold is bounded, however it is held, and what it lets go of
// counts no longer.
func TestHeldQueries(t *testing.T) {
	b := newBench(t)
	one, two := b.client(wire.V1Binary), b.client(wire.V3)
	const want = "a connection may hold at most 50000"
	held := 0
	for i := range uint32(100_000) {
		b.handle(one.c, &wire.SubscribeSingle{QueryID: i, Query: "SELECT * FROM a"})
		if e, ok := one.last.(*v1.SubscriptionError); ok {
			if !strings.HasPrefix(e.Error, want) {
				t.Errorf("version 1: %s", e.Error)
			}
			break
		}
		held++
	}
	if held < 20_000 || held > 50_000 {
		t.Errorf("version 1: %d ids of one query", held)
	}
	texts := manyQueries(10_000)
	sets := uint32(0)
	for ; sets < 20; sets++ {
		b.handle(two.c, &wire.SubscribeSet{QuerySetID: sets, Queries: texts})
		if e, ok := two.last.(*v2.SubscriptionError); ok {
			if !strings.HasPrefix(e.Error, want) {
				t.Errorf("version 2: %s", e.Error)
			}
			break
		}
	}
	if sets != 4 {
		t.Errorf("version 2: %d sets of 10000 queries", sets)
	}
	b.handle(two.c, &wire.UnsubscribeSet{QuerySetID: 0})
	b.handle(two.c, &wire.SubscribeSet{QuerySetID: 9, Queries: texts})
	if _, ok := two.last.(*v2.SubscribeApplied); !ok {
		t.Errorf("after an end: %T", two.last)
	}
}

// Letting go of many subscriptions to one query does not take the square of their
// number, whoever else has it.
func TestRemoveIsLinear(t *testing.T) {
	b := newBench(t)
	one, two := b.client(wire.V3), b.client(wire.V3)
	begin := func(k *cache) {
		for i := range uint32(20_000) {
			b.handle(k.c, &wire.SubscribeSet{QuerySetID: i, Queries: []string{"SELECT * FROM a"}})
		}
	}
	begin(two)
	// It is much less work than the beginning was, on the same machine, unless that has
	// just something else to do.
	for attempt := 1; ; attempt++ {
		start := time.Now()
		begin(one)
		added := time.Since(start)
		start = time.Now()
		b.m.Remove(one.c)
		took := time.Since(start)
		if took <= added {
			break
		}
		if attempt == 5 {
			t.Fatalf("it took %v, and %v to begin", took, added)
		}
		b.m.Add(one.c)
	}
	b.m.Remove(two.c)
	if clients, queries := b.m.Len(); clients != 0 || queries != 0 {
		t.Errorf("%d clients and %d queries are left", clients, queries)
	}
}
