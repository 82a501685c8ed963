package subscribe_test

import (
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/internal/subscribe"
	"github.com/stdbgo/spacetime/internal/wire"
	v1 "github.com/stdbgo/spacetime/internal/wire/v1"
	v2 "github.com/stdbgo/spacetime/internal/wire/v2"
	"github.com/stdbgo/spacetime/sats"
)

func addA(b *bench, id, x uint32) func(*store.Tx) {
	return func(tx *store.Tx) {
		if _, _, err := tx.Insert(b.a.ID, sats.AppendU32(sats.AppendU32(nil, id), x)); err != nil {
			b.t.Fatal(err)
		}
	}
}

var nobody = &subscribe.Event{ReducerID: v1.NoReducer}

func TestEmptyTablesAreLeftOut(t *testing.T) {
	spec.Covers(t, "05.21")
	b := newBench(t)
	k := b.client(wire.V1Binary)
	b.handle(k.c, &wire.SubscribeMulti{QueryID: 1, Queries: []string{"SELECT * FROM a"}})
	if m := k.last.(*v1.SubscribeMultiApplied); len(m.Update.Tables) != 0 {
		t.Errorf("%+v", m)
	}
	b.commit(addA(b, 1, 1), nobody)
	b.handle(k.c, &wire.SubscribeMulti{QueryID: 2, Queries: []string{"SELECT * FROM a WHERE x = 9"}})
	if m := k.last.(*v1.SubscribeMultiApplied); len(m.Update.Tables) != 1 || m.Update.Tables[0].NumRows != 0 || len(m.Update.Tables[0].Updates) != 1 {
		t.Errorf("%+v", m)
	}
}

func TestBadQueryFailsTheMessage(t *testing.T) {
	spec.Covers(t, "05.17", "05.18")
	b := newBench(t)
	k := b.client(wire.V1Binary)
	b.handle(k.c, &wire.SubscribeMulti{RequestID: 7, QueryID: 1, Queries: []string{"SELECT * FROM a", "SELECT * FROM nope"}})
	e, ok := k.last.(*v1.SubscriptionError)
	if !ok || *e.RequestID != 7 || *e.QueryID != 1 || !strings.HasSuffix(e.Error, ", executing: `SELECT * FROM nope`") {
		t.Fatalf("%+v", k.last)
	}
	if _, queries := b.m.Len(); queries != 0 {
		t.Errorf("%d queries are registered", queries)
	}
	b.handle(k.c, &wire.SubscribeMulti{QueryID: 1, Queries: []string{"SELECT * FROM a"}})
	if _, ok := k.last.(*v1.SubscribeMultiApplied); !ok {
		t.Fatalf("the id is free again: %+v", k.last)
	}
	b.handle(k.c, &wire.SubscribeMulti{RequestID: 8, QueryID: 1})
	if e, ok := k.last.(*v1.SubscriptionError); !ok || *e.RequestID != 8 || !strings.HasPrefix(e.Error, "Subscription with id QuerySetId { id: 1 } already exists for client: ") {
		t.Errorf("%+v", k.last)
	}
	for _, m := range []wire.ClientMessage{
		&wire.SubscribeMulti{QueryID: 1, Queries: []string{"nonsense"}}, &wire.SubscribeSingle{QueryID: 1, Query: "nonsense"},
	} { // the query counts before the id
		b.handle(k.c, m)
		if e, ok := k.last.(*v1.SubscriptionError); !ok || !strings.HasSuffix(e.Error, ", executing: `nonsense`") {
			t.Errorf("%T: %+v", m, k.last)
		}
	}
	b.handle(k.c, &wire.UnsubscribeMulti{RequestID: 9, QueryID: 5})
	if e, ok := k.last.(*v1.SubscriptionError); !ok || *e.QueryID != 5 || !strings.HasPrefix(e.Error, "Subscription not found: ") {
		t.Errorf("%+v", k.last)
	}
}

func TestLegacySetIsReplaced(t *testing.T) {
	spec.Covers(t, "05.20", "07.61")
	b := newBench(t)
	b.commit(addA(b, 1, 1), nobody)
	k := b.client(wire.V1Binary)
	b.handle(k.c, &wire.Subscribe{RequestID: 3, Queries: []string{"SELECT * FROM a"}})
	m := k.last.(*v1.InitialSubscription)
	if m.RequestID != 3 || len(m.Update.Tables) != 1 || m.Update.Tables[0].NumRows != 1 {
		t.Errorf("%+v", m)
	}
	b.handle(k.c, &wire.Subscribe{Queries: []string{"SELECT * FROM a WHERE x = 2"}})
	for _, u := range k.last.(*v1.InitialSubscription).Update.Tables {
		for _, f := range u.Updates {
			if deletes, _ := v1.ReadQueryUpdate(sats.NewReader(f)); deletes.Len() != 0 {
				t.Error("the old set's rows are deleted")
			}
		}
	}
	n := k.messages
	b.commit(addA(b, 2, 1), nobody)
	if k.messages != n {
		t.Error("the old set still gets updates")
	}
	b.commit(addA(b, 3, 2), nobody)
	if k.messages != n+1 {
		t.Error("the new set gets no update")
	}
}

func TestCallerAndOthersV1(t *testing.T) {
	spec.Covers(t, "05.23", "05.24", "05.27")
	b := newBench(t)
	caller, full, light, idle := b.client(wire.V1Binary), b.client(wire.V1Binary), b.client(wire.V1Binary), b.client(wire.V1Binary)
	caller.c.Light, light.c.Light = true, true
	for _, k := range []*cache{full, light} {
		b.handle(k.c, &wire.SubscribeMulti{QueryID: 1, Queries: []string{"SELECT * FROM a"}})
	}
	ev := &subscribe.Event{Client: caller.c, Reducer: "add", RequestID: 42, Args: []byte{1}}
	b.commit(addA(b, 1, 1), ev)
	if m, ok := caller.last.(*v1.TransactionUpdate); !ok || len(m.Status.Update.Tables) != 0 || m.Reducer.RequestID != 42 {
		t.Errorf("caller: %+v", caller.last)
	}
	if m, ok := full.last.(*v1.TransactionUpdate); !ok || m.Reducer.Name != "add" || m.Reducer.RequestID != 42 {
		t.Errorf("other: %+v", full.last)
	}
	if m, ok := light.last.(*v1.TransactionUpdateLight); !ok || m.RequestID != 42 {
		t.Errorf("light: %+v", light.last)
	}
	if idle.messages != 0 {
		t.Errorf("idle: %+v", idle.last)
	}
	b.m.HideCaller = true
	b.commit(addA(b, 2, 1), ev)
	if _, ok := full.last.(*v1.TransactionUpdateLight); !ok {
		t.Errorf("definition version 10: %+v", full.last)
	}
	ev.Flags = wire.NoSuccessNotify
	n := caller.messages
	b.commit(addA(b, 3, 1), ev)
	if caller.messages != n {
		t.Error("NoSuccessNotify: the caller is told")
	}
}

func TestFailures(t *testing.T) {
	spec.Covers(t, "05.25", "05.26", "05.31")
	b := newBench(t)
	one, two := b.client(wire.V1Binary), b.client(wire.V3)
	fail := func(k *cache, flags wire.CallFlags, kind subscribe.Failure) {
		subscribe.Failed(&subscribe.Event{Client: k.c, RequestID: 5, Flags: flags}, kind, "boom", 1, true).Deliver()
	}
	fail(one, 0, subscribe.UserError)
	if m := one.last.(*v1.TransactionUpdate); m.Status.Kind != v1.Failed || m.Status.Message != "boom" {
		t.Errorf("%+v", m)
	}
	fail(one, 0, subscribe.OutOfEnergy)
	if m := one.last.(*v1.TransactionUpdate); m.Status.Kind != v1.OutOfEnergy {
		t.Errorf("%+v", m)
	}
	n := one.messages
	fail(one, wire.NoSuccessNotify, subscribe.UserError)
	if one.messages != n {
		t.Error("NoSuccessNotify: a failure is told")
	}
	fail(two, 0, subscribe.UserError)
	if m := two.last.(*v2.ReducerResult); m.Kind != v2.OutcomeErr || m.Message != "boom" || m.RequestID != 5 {
		t.Errorf("%+v", m)
	}
	fail(two, 0, subscribe.OutOfEnergy)
	if m := two.last.(*v2.ReducerResult); m.Kind != v2.OutcomeInternalError || m.Message != "reducer ran out of energy" {
		t.Errorf("%+v", m)
	}
	ev := &subscribe.Event{Client: one.c, RequestID: 5, ReducerID: v1.NoReducer, Flags: wire.NoSuccessNotify}
	one.Send(subscribe.NotStarted(ev, "no such reducer"))
	if m := one.last.(*v1.TransactionUpdate); m.Reducer.RequestID != 0 || m.Status.Message != "no such reducer" || m.ConnectionID != one.c.Connection {
		t.Errorf("%+v", m)
	}
	ev.Client = two.c
	two.Send(subscribe.NotStarted(ev, "no such reducer"))
	if m := two.last.(*v2.ReducerResult); m.RequestID != 5 || m.Kind != v2.OutcomeInternalError {
		t.Errorf("%+v", m)
	}
}

func TestQuerySetsV2(t *testing.T) {
	spec.Covers(t, "05.29", "05.30", "05.49", "05.50", "05.52")
	b := newBench(t)
	k, other := b.client(wire.V3), b.client(wire.V3)
	b.handle(k.c, &wire.SubscribeSet{RequestID: 1, QuerySetID: 1})
	if m, ok := k.last.(*v2.SubscribeApplied); !ok || len(m.Rows) != 0 {
		t.Errorf("no queries: %+v", k.last)
	}
	b.handle(k.c, &wire.SubscribeBatch{RequestID: 2, Sets: []wire.SubscribeSet{
		{QuerySetID: 2, Queries: []string{"SELECT * FROM a"}},
		{QuerySetID: 3, Queries: []string{"nonsense"}},
		{QuerySetID: 2, Queries: []string{"SELECT * FROM a"}},
		{QuerySetID: 1},
		{QuerySetID: 1, Queries: []string{"nonsense"}},
	}})
	m := k.last.(*v2.SubscribeBatchApplied)
	if m.RequestID != 2 || len(m.Results) != 5 || m.Results[0].Error != nil {
		t.Fatalf("%+v", m)
	}
	for i, want := range map[int]string{1: ", executing: `nonsense`", 2: "already exists", 3: "already exists", 4: ", executing: `nonsense`"} {
		if e := m.Results[i].Error; e == nil || !strings.Contains(*e, want) {
			t.Errorf("result %d: %v", i, e)
		}
	}
	b.handle(other.c, &wire.SubscribeSet{QuerySetID: 9, Queries: []string{"SELECT * FROM a"}})
	b.commit(addA(b, 1, 1), &subscribe.Event{Client: k.c, RequestID: 77})
	if m, ok := k.last.(*v2.ReducerResult); !ok || m.RequestID != 77 || m.Kind != v2.OutcomeOK || len(m.Sets) != 1 || len(m.RetValue) != 0 {
		t.Errorf("caller: %+v", k.last)
	}
	if m, ok := other.last.(*v2.TransactionUpdate); !ok || len(m.Sets) != 1 || m.Sets[0].QuerySetID != 9 {
		t.Errorf("other: %+v", other.last)
	}
	b.handle(k.c, &wire.UnsubscribeSet{QuerySetID: 2})
	if m, ok := k.last.(*v2.UnsubscribeApplied); !ok || m.HasRows {
		t.Errorf("%+v", k.last)
	}
	b.handle(other.c, &wire.UnsubscribeSet{QuerySetID: 9, SendDroppedRows: true})
	if m, ok := other.last.(*v2.UnsubscribeApplied); !ok || !m.HasRows || len(m.Rows) != 1 {
		t.Errorf("%+v", other.last)
	}
	b.handle(other.c, &wire.UnsubscribeSet{RequestID: 4, QuerySetID: 9})
	if m, ok := other.last.(*v2.SubscriptionError); !ok || *m.RequestID != 4 {
		t.Errorf("%+v", other.last)
	}
}

// TestSchemaChange drops a column's table under a live query: its subscribers are
// told, a query on another table goes on.
func TestSchemaChange(t *testing.T) {
	spec.Covers(t, "05.22", "05.33", "07.64")
	b := newBench(t)
	one, two := b.client(wire.V1Binary), b.client(wire.V3)
	b.handle(one.c, &wire.SubscribeMulti{QueryID: 1, Queries: []string{"SELECT * FROM a"}})
	b.handle(one.c, &wire.SubscribeMulti{QueryID: 2, Queries: []string{"SELECT * FROM b"}})
	b.handle(two.c, &wire.SubscribeSet{QuerySetID: 1, Queries: []string{"SELECT * FROM a"}})
	b.handle(two.c, &wire.SubscribeSet{QuerySetID: 2, Queries: []string{"SELECT * FROM b"}})
	tx := b.store.Begin()
	if err := tx.SetAccess(b.a.ID, 1); err != nil {
		t.Fatal(err)
	}
	tx.Commit(nil)
	b.commit(addA(b, 1, 1), nobody)
	if e, ok := one.last.(*v1.SubscriptionError); !ok || e.RequestID != nil || e.QueryID != nil {
		t.Errorf("v1: %+v", one.last)
	}
	if e, ok := two.last.(*v2.SubscriptionError); !ok || e.RequestID != nil || e.QuerySetID != 1 {
		t.Errorf("v2: %+v", two.last)
	}
	told := one.messages
	b.commit(func(tx *store.Tx) {
		if _, _, err := tx.Insert(b.b.ID, sats.AppendString(make([]byte, 8), "s")); err != nil {
			t.Fatal(err)
		}
	}, nobody)
	if one.messages != told {
		t.Errorf("v1: a message for a subscription that was lost: %+v", one.last)
	}
	if m, ok := two.last.(*v2.TransactionUpdate); !ok || m.Sets[0].QuerySetID != 2 {
		t.Errorf("the other set: %+v", two.last)
	}
	if _, queries := b.m.Len(); queries != 1 {
		t.Errorf("%d queries are left", queries)
	}
}

func TestOneOff(t *testing.T) {
	b := newBench(t)
	b.commit(addA(b, 1, 1), nobody)
	one, two := b.client(wire.V1Binary), b.client(wire.V3)
	b.handle(one.c, &wire.OneOffQuery{MessageID: []byte{9}, Query: "SELECT * FROM a WHERE x = 5"})
	if m := one.last.(*v1.OneOffQueryResponse); m.Error != nil || len(m.Tables) != 1 || m.Tables[0].Name != "a" || m.MessageID[0] != 9 {
		t.Errorf("%+v", m)
	}
	b.handle(two.c, &wire.OneOffQuery{RequestID: 6, Query: "SELECT * FROM a"})
	if m := two.last.(*v2.OneOffQueryResult); m.Error != nil || m.RequestID != 6 || len(m.Rows) != 1 {
		t.Errorf("%+v", m)
	}
	b.handle(two.c, &wire.OneOffQuery{Query: "SELECT * FROM nope"})
	if m := two.last.(*v2.OneOffQueryResult); m.Error == nil || strings.Contains(*m.Error, "executing") {
		t.Errorf("%+v", m)
	}
}

// TestConcerns: a transaction on a table that no query reads needs no evaluation,
// and one on a table that a join only looks into does.
func TestConcerns(t *testing.T) {
	b := newBench(t)
	k := b.client(wire.V3)
	delta := func(table *schema.Table, row []byte) *store.Delta {
		tx := b.store.Begin()
		if _, _, err := tx.Insert(table.ID, row); err != nil {
			t.Fatal(err)
		}
		return tx.Commit(nil).Delta
	}
	if b.m.Concerns(delta(b.a, make([]byte, 8))) || b.m.Concerns(nil) {
		t.Error("without queries nothing is of concern")
	}
	b.handle(k.c, &wire.SubscribeSet{QuerySetID: 1, Queries: []string{"SELECT a.* FROM a JOIN b ON a.id = b.a WHERE b.id = 7"}})
	if !b.m.Concerns(delta(b.b, sats.AppendString(make([]byte, 8), ""))) {
		t.Error("the joined table is of no concern")
	}
	b.handle(k.c, &wire.UnsubscribeSet{QuerySetID: 1})
	if b.m.Concerns(delta(b.a, sats.AppendU32(sats.AppendU32(nil, 5), 5))) {
		t.Error("an ended query is of concern still")
	}
}
