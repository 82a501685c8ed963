package subscribe_test

import (
	"errors"
	"fmt"
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

// The scenarios of spec 07 §15, §21 and §26.3.

func set(id uint32, queries ...string) *wire.SubscribeSet {
	return &wire.SubscribeSet{RequestID: id, QuerySetID: id, Queries: queries}
}

func row(v ...uint32) (b []byte) {
	for _, n := range v {
		b = sats.AppendU32(b, n)
	}
	return b
}

func (b *bench) insert(table *schema.Table, rows ...[]byte) func(tx *store.Tx) {
	return func(tx *store.Tx) {
		for _, r := range rows {
			if _, _, err := tx.Insert(table.ID, r); err != nil {
				b.t.Fatal(err)
			}
		}
	}
}

// One client, one query, two ids; and the same in two sets of the second protocol.
func TestSameQueryTwice(t *testing.T) {
	spec.Covers(t, "07.60", "07.62")
	b := newBench(t)
	b.commit(addA(b, 1, 1), nobody)
	one := b.client(wire.V1Binary)
	multi := func(id uint32) v1.DatabaseUpdate {
		b.handle(one.c, &wire.SubscribeMulti{QueryID: id, Queries: []string{"SELECT * FROM a"}})
		return one.last.(*v1.SubscribeMultiApplied).Update
	}
	if rows := multi(1); len(rows.Tables) != 1 || rows.Tables[0].NumRows != 1 {
		t.Errorf("first id: %+v", rows)
	}
	if rows := multi(2); rowsIn(rows) != 0 {
		t.Errorf("second id: %+v", rows)
	}
	n := one.messages
	if b.commit(addA(b, 2, 1), nobody); one.messages != n+1 || one.last.(*v1.TransactionUpdate).Status.Update.Tables[0].NumRows != 1 {
		t.Errorf("an update is sent %d times", one.messages-n)
	}
	end := func(id uint32) uint64 {
		b.handle(one.c, &wire.UnsubscribeMulti{QueryID: id})
		return rowsIn(one.last.(*v1.SubscribeMultiApplied).Update)
	}
	if first, last := end(1), end(2); first != 0 || last != 2 {
		t.Errorf("unsubscribing returns %d rows, then %d; only the last reference gives them back", first, last)
	}
	two := b.client(wire.V3)
	for id := range uint32(2) {
		b.handle(two.c, set(id+1, "SELECT * FROM a", "SELECT * FROM a"))
		if len(two.last.(*v2.SubscribeApplied).Rows) != 1 {
			t.Errorf("set %d: %+v", id+1, two.last)
		}
	}
	if b.commit(addA(b, 3, 1), nobody); len(two.last.(*v2.TransactionUpdate).Sets) != 2 {
		t.Errorf("an update for two sets: %+v", two.last)
	}
	b.handle(two.c, &wire.UnsubscribeSet{QuerySetID: 1})
	if m := two.last.(*v2.UnsubscribeApplied); m.HasRows {
		t.Errorf("without the flag: %+v", m)
	}
	b.commit(addA(b, 4, 1), nobody)
	b.handle(two.c, &wire.UnsubscribeSet{QuerySetID: 2, SendDroppedRows: true})
	if m := two.last.(*v2.UnsubscribeApplied); !m.HasRows || len(two.rows[2]) != 0 {
		t.Errorf("with the flag %d rows are left: %+v", len(two.rows[2]), m)
	}
	if _, queries := b.m.Len(); queries != 0 {
		t.Errorf("%d queries are left", queries)
	}
}

func rowsIn(u v1.DatabaseUpdate) (n uint64) {
	for _, t := range u.Tables {
		n += t.NumRows
	}
	return n
}

// Errors of every path in the forms of spec 07 §26.3.
func TestErrorForms(t *testing.T) {
	spec.Covers(t, "07.63", "07.79")
	b := newBench(t)
	b.commit(addA(b, 1, 1), nobody)
	one, two := b.client(wire.V1Binary), b.client(wire.V3)
	const bad = "SELECT r.* FROM a"
	const suffix = "`r` is not in scope, executing: `" + bad + "`"
	v1Error := func(m wire.ClientMessage) string {
		b.handle(one.c, m)
		e, ok := one.last.(*v1.SubscriptionError)
		if !ok {
			t.Fatalf("%T is answered by %+v", m, one.last)
		}
		ids := ""
		if e.RequestID != nil {
			ids += fmt.Sprint(" r", *e.RequestID)
		}
		if e.QueryID != nil {
			ids += fmt.Sprint(" q", *e.QueryID)
		}
		return e.Error + ids
	}
	v2Error := func(m wire.ClientMessage) string {
		b.handle(two.c, m)
		e, ok := two.last.(*v2.SubscriptionError)
		if !ok {
			t.Fatalf("%T is answered by %+v", m, two.last)
		}
		return fmt.Sprintf("%s r%d s%d", e.Error, *e.RequestID, e.QuerySetID)
	}
	for _, tt := range []struct{ got, want string }{
		{v1Error(&wire.SubscribeSingle{RequestID: 4, QueryID: 5, Query: bad}), suffix + " r4 q5"},
		{v1Error(&wire.SubscribeMulti{RequestID: 4, QueryID: 5, Queries: []string{"SELECT * FROM a", bad}}), suffix + " r4 q5"},
		{v1Error(&wire.Subscribe{RequestID: 4, Queries: []string{bad}}), suffix + " r4"},
		{v2Error(&wire.SubscribeSet{RequestID: 4, QuerySetID: 5, Queries: []string{bad}}), suffix + " r4 s5"},
		{v2Error(&wire.SubscribeSet{RequestID: 4, QuerySetID: 5, Queries: []string{" "}}), "SubscriptionError: Empty string, executing: `` r4 s5"},
	} {
		if tt.got != tt.want {
			t.Errorf("got %s; want %s", tt.got, tt.want)
		}
	}
	// The row limit: bare where several queries share the answer.
	limited := func(c *subscribe.Client, msg wire.ClientMessage) {
		v := b.store.View()
		defer v.Close()
		b.m.Handle(&subscribe.Request{Client: c, Reader: v, Compile: b.compile, CompileOne: b.compileOne, Micros: func() uint64 { return 1 },
			Admit: func([]*subscribe.Query) error { return errors.New("too much") }}, msg).Deliver()
	}
	limited(two.c, set(8, "SELECT * FROM a"))
	if e := two.last.(*v2.SubscriptionError); e.Error != "too much" {
		t.Errorf("v2 row limit: %s", e.Error)
	}
	limited(one.c, &wire.SubscribeMulti{QueryID: 8, Queries: []string{"SELECT * FROM a"}})
	if e := one.last.(*v1.SubscriptionError); e.Error != "too much" {
		t.Errorf("v1 row limit: %s", e.Error)
	}
	limited(one.c, &wire.SubscribeSingle{QueryID: 8, Query: "SELECT * FROM a"})
	if e := one.last.(*v1.SubscriptionError); !strings.HasPrefix(e.Error, "too much") || !strings.Contains(e.Error, "SELECT * FROM a") {
		t.Errorf("v1 row limit of a single: %s", e.Error)
	}
	if _, queries := b.m.Len(); queries != 0 {
		t.Errorf("%d queries are left of what failed", queries)
	}
	// A batch: outcomes in the order of the request, failures per set, ids of failed
	// sets free again, and nothing before the answer.
	n := two.messages
	b.handle(two.c, &wire.SubscribeBatch{RequestID: 9, Sets: []wire.SubscribeSet{
		{QuerySetID: 1, Queries: []string{"SELECT * FROM a"}}, {QuerySetID: 2, Queries: []string{bad}}, {QuerySetID: 1, Queries: []string{"SELECT * FROM b"}},
	}})
	m, ok := two.last.(*v2.SubscribeBatchApplied)
	if !ok || two.messages != n+1 || len(m.Results) != 3 || m.Results[0].Error != nil || len(m.Results[0].Rows) != 1 || *m.Results[1].Error != suffix ||
		!strings.Contains(*m.Results[2].Error, "already exists") || m.Results[0].QuerySetID != 1 || m.Results[1].QuerySetID != 2 || m.Results[2].QuerySetID != 1 {
		t.Errorf("batch: %+v", two.last)
	}
	b.handle(two.c, set(2, "SELECT * FROM a"))
	if _, ok := two.last.(*v2.SubscribeApplied); !ok {
		t.Errorf("the id of a failed set: %+v", two.last)
	}
	b.handle(one.c, &wire.SubscribeMulti{QueryID: 1, Queries: []string{"SELECT * FROM a"}})
	const missing = "Subscription not found: "
	if got := v1Error(&wire.UnsubscribeMulti{RequestID: 6, QueryID: 77}); !strings.HasPrefix(got, missing) || !strings.HasSuffix(got, " r6 q77") {
		t.Error(got)
	}
	if got := v2Error(&wire.UnsubscribeSet{RequestID: 4, QuerySetID: 5}); !strings.HasPrefix(got, missing) || !strings.HasSuffix(got, " r4 s5") {
		t.Error(got)
	}
}

// Rows of an event table exist for one transaction (spec 07 §15).
func TestEventTables(t *testing.T) {
	spec.Covers(t, "07.43")
	b := newBench(t)
	tx := b.store.Begin()
	def := &schema.TableDef{Name: "hit", Accessor: "hit", Columns: []schema.ColumnDef{{Name: "who", Accessor: "who", Type: sats.U32}}, Access: schema.Public, Kind: schema.User, IsEvent: true,
		RowType: sats.Product(sats.E("who", sats.U32))}
	hit, err := tx.CreateTable(def.Instantiate())
	if err != nil {
		t.Fatal(err)
	}
	tx.Commit(nil)
	one, two := b.client(wire.V1Binary), b.client(wire.V3)
	const refused = "Subscribing to event tables requires WebSocket v2. Please upgrade your client SDK and regenerate your module bindings."
	for _, m := range []wire.ClientMessage{&wire.SubscribeSingle{QueryID: 1, Query: "SELECT * FROM hit"}, &wire.SubscribeMulti{QueryID: 1, Queries: []string{"SELECT * FROM hit"}}} {
		b.handle(one.c, m)
		if e, ok := one.last.(*v1.SubscriptionError); !ok || !strings.HasPrefix(e.Error, refused) {
			t.Errorf("%T: %+v", m, one.last)
		}
	}
	b.handle(two.c, set(1, "SELECT * FROM hit WHERE who > 1"))
	b.handle(two.c, set(2, "SELECT * FROM *"))
	b.commit(b.insert(hit, row(1), row(2), row(3)), nobody)
	up, ok := two.last.(*v2.TransactionUpdate)
	if !ok || len(up.Sets) != 1 || up.Sets[0].QuerySetID != 1 {
		t.Fatalf("%+v", two.last)
	}
	ins, del, events := v2.ReadFragment(sats.NewReader(up.Sets[0].Tables[0].Rows[0]))
	if ins.Len() != 2 || del.Len() != 0 || !events {
		t.Errorf("%d inserts, %d deletes, events %v", ins.Len(), del.Len(), events)
	}
	n := two.messages
	b.commit(addA(b, 1, 1), nobody)
	if two.messages != n+1 {
		t.Error("SELECT * FROM * reads the other tables")
	}
	if got := b.evaluate("SELECT * FROM hit"); len(got) != 0 {
		t.Errorf("stored events: %v", got)
	}
}
