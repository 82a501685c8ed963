package subscribe_test

import (
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/subscribe"
	"github.com/stdbgo/spacetime/internal/wire"
	v1 "github.com/stdbgo/spacetime/internal/wire/v1"
	v2 "github.com/stdbgo/spacetime/internal/wire/v2"
	"github.com/stdbgo/spacetime/sats"
)

// pair returns two sockets with one identity and connection id.
func (b *bench) pair(p, q wire.Protocol) (*keeper, *keeper, *subscribe.Client, *subscribe.Client) {
	b.next++
	one, two := &keeper{}, &keeper{}
	id := sats.ConnectionID{byte(b.next), byte(b.next >> 8)}
	c1 := &subscribe.Client{Protocol: p, Out: one, Connection: id}
	c2 := &subscribe.Client{Protocol: q, Out: two, Connection: id}
	b.m.Add(c1)
	b.m.Add(c2)
	return one, two, c1, c2
}

// got takes the messages that have come.
func (k *keeper) got() []subscribe.Message {
	m := k.messages
	k.messages = nil
	return m
}

func messageV2(t *testing.T, all []subscribe.Message) v2.ServerMessage {
	t.Helper()
	if len(all) != 1 {
		t.Fatalf("%d messages instead of one", len(all))
	}
	r := sats.NewReader(all[0].Body)
	m := v2.ReadServer(r)
	if r.Err() != nil {
		t.Fatal(r.Err())
	}
	return m
}

// Sockets with one identity and connection id have one set of subscriptions. Answers
// go to who asked, transactions of others to the one that subscribed first, and the
// end of either ends the subscriptions of both (spec 05 §4, 08 §12.2).
func TestPairSharesSubscriptions(t *testing.T) {
	b := newBench(t)
	a, k, ca, ck := b.pair(wire.V2, wire.V3)

	b.handle(ck, &wire.UnsubscribeSet{QuerySetID: 1})
	if e, ok := messageV2(t, k.got()).(*v2.SubscriptionError); !ok || !strings.HasPrefix(e.Error, "Client not found") {
		t.Errorf("%+v", e)
	}
	b.handle(ck, &wire.SubscribeSet{QuerySetID: 1, Queries: []string{"SELECT * FROM a"}})
	if _, ok := messageV2(t, k.got()).(*v2.SubscribeApplied); !ok {
		t.Error("the first subscription is refused")
	}
	b.handle(ca, &wire.SubscribeSet{RequestID: 9, QuerySetID: 1, Queries: []string{"SELECT * FROM b"}})
	if e, ok := messageV2(t, a.got()).(*v2.SubscriptionError); !ok || *e.RequestID != 9 || !strings.Contains(e.Error, "already exists") {
		t.Errorf("the id is taken: %+v", e)
	}
	b.handle(ca, &wire.SubscribeBatch{Sets: []wire.SubscribeSet{{QuerySetID: 1}, {QuerySetID: 2, Queries: []string{"SELECT * FROM b"}}}})
	if m, ok := messageV2(t, a.got()).(*v2.SubscribeBatchApplied); !ok || m.Results[0].Error == nil || m.Results[1].Error != nil {
		t.Errorf("%+v", m)
	}

	b.commit(addA(b, 1, 1), nobody)
	if m, ok := messageV2(t, k.got()).(*v2.TransactionUpdate); !ok || len(m.Sets) != 1 {
		t.Errorf("%+v", m)
	}
	b.commit(b.insertB(1, 1, "x"), nobody)
	if m, ok := messageV2(t, k.got()).(*v2.TransactionUpdate); !ok || m.Sets[0].QuerySetID != 2 {
		t.Errorf("what the other has subscribed to: %+v", m)
	}
	b.commit(addA(b, 2, 1), &subscribe.Event{Client: ca, RequestID: 5})
	if m, ok := messageV2(t, a.got()).(*v2.ReducerResult); !ok || m.RequestID != 5 || len(m.Sets) != 1 || m.Sets[0].QuerySetID != 1 {
		t.Errorf("the caller gets the changes: %+v", m)
	}
	b.commit(addA(b, 3, 1), &subscribe.Event{Client: ck, RequestID: 6})
	if m, ok := messageV2(t, k.got()).(*v2.ReducerResult); !ok || m.RequestID != 6 || len(m.Sets) != 1 {
		t.Errorf("the caller gets the changes: %+v", m)
	}
	if n := len(a.got()) + len(k.got()); n != 0 {
		t.Errorf("%d messages to the other one", n)
	}

	b.handle(ca, &wire.UnsubscribeSet{QuerySetID: 2})
	if _, ok := messageV2(t, a.got()).(*v2.UnsubscribeApplied); !ok {
		t.Error("either may unsubscribe")
	}
	b.m.Remove(ck)
	if _, queries := b.m.Len(); queries != 0 {
		t.Errorf("%d queries are left", queries)
	}
	b.commit(addA(b, 4, 1), nobody)
	b.handle(ca, &wire.SubscribeSet{QuerySetID: 1, Queries: []string{"SELECT * FROM a"}})
	if m, ok := messageV2(t, a.got()).(*v2.SubscribeApplied); !ok || len(m.Rows) != 1 {
		t.Errorf("the one that is left subscribes anew: %+v", m)
	}
	b.commit(addA(b, 5, 1), nobody)
	if m, ok := messageV2(t, a.got()).(*v2.TransactionUpdate); !ok || len(m.Sets) != 1 {
		t.Errorf("%+v", m)
	}
	b.m.Remove(ca)
	if clients, queries := b.m.Len(); clients != 0 || queries != 0 {
		t.Errorf("%d clients and %d queries are left", clients, queries)
	}
}

func TestPairOfVersion1(t *testing.T) {
	b := newBench(t)
	a, k, ca, ck := b.pair(wire.V1Binary, wire.V1JSON)
	b.handle(ca, &wire.SubscribeMulti{QueryID: 1, Queries: []string{"SELECT * FROM a"}})
	b.handle(ck, &wire.SubscribeMulti{QueryID: 2, Queries: []string{"SELECT * FROM a", "SELECT * FROM b"}})
	b.handle(ck, &wire.SubscribeSingle{QueryID: 1, Query: "SELECT * FROM b"})
	b.handle(ck, &wire.Subscribe{Queries: []string{"SELECT * FROM a WHERE x = 7"}})
	a.got()
	answers := k.got()
	for i, want := range []string{`{"SubscribeMultiApplied"`, `{"SubscriptionError"`, `{"InitialSubscription"`} {
		if got := string(answers[i].Body); !strings.HasPrefix(got, want) {
			t.Errorf("answer %d: %.80s", i, got)
		}
	}
	light := &subscribe.Event{ReducerID: v1.NoReducer, Client: ck, Flags: wire.NoSuccessNotify}
	b.commit(addA(b, 1, 7), light)
	m, err := v1.DecodeServer(a.got()[0].Body)
	if u, ok := m.(*v1.TransactionUpdate); err != nil || !ok || len(u.Status.Update.Tables) != 1 || u.Status.Update.Tables[0].NumRows != 2 {
		t.Errorf("a caller that wants no answer is like any other: %+v %v", m, err)
	}
	light.Flags = wire.FullUpdate
	b.commit(addA(b, 2, 7), light)
	if got := k.got(); len(got) != 1 || strings.Count(string(got[0].Body), `[2,7]`) != 2 {
		t.Errorf("%d messages to the caller", len(got))
	}
	if n := len(a.got()) + len(k.got()); n != 0 {
		t.Errorf("%d messages too many", n)
	}
	b.m.Remove(ck)
	b.commit(addA(b, 3, 7), nobody)
	if n := len(a.got()); n != 0 {
		t.Errorf("%d messages after the end of the pair", n)
	}
	b.m.Remove(ca)
	if clients, queries := b.m.Len(); clients != 0 || queries != 0 {
		t.Errorf("%d clients and %d queries are left", clients, queries)
	}
}

// A long message for several clients is compressed once.
func TestLongMessagesShareCompression(t *testing.T) {
	b := newBench(t)
	one := b.open(wire.V2, "SELECT * FROM b")
	b.commit(b.insertB(1, 1, strings.Repeat("x", 2000)), nobody)
	if one.messages[1].Shared != nil {
		t.Error("there is nobody to share with")
	}
	others := []*keeper{one, b.open(wire.V2, "SELECT * FROM b"), b.open(wire.V3, "SELECT * FROM b")}
	for _, k := range others {
		k.got()
	}
	b.commit(b.insertB(2, 1, strings.Repeat("x", 2000)), nobody)
	b.commit(b.insertB(3, 1, "short"), nobody)
	for i, k := range others {
		if m := k.messages[0]; m.Shared == nil || m.Shared != others[0].messages[0].Shared {
			t.Errorf("client %d compresses for itself", i)
		}
		if k.messages[1].Shared != nil {
			t.Errorf("client %d: a short message is not compressed", i)
		}
	}
}
