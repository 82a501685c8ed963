package goclient

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/client"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/sats"
	"github.com/stdbgo/spacetime/test/goclient/bindings"
)

// each runs a test over every protocol, with a server of its own.
func each(t *testing.T, f func(t *testing.T, w *world, o client.Options)) {
	for _, p := range protocols {
		t.Run(p.String()[:2], func(t *testing.T) {
			f(t, newWorld(t), client.Options{Protocols: []client.Protocol{p}})
		})
	}
}

func full() bindings.Everything {
	five, yes := int32(5), true
	opt := &yes
	deep := []bindings.Shape{bindings.ShapeNothing{}, bindings.ShapeRadius{Value: 2.5}}
	return bindings.Everything{
		ABool: true, AnI8: -1, Au8: 2, AnI16: -3, Au16: 4, AnI32: -5, Au32: 6, AnI64: -7, Au64: 8,
		AnI128: sats.I128From(-9), Au128: sats.U128From(10), AnI256: sats.I256From(-11), Au256: sats.U256From(12), AnF32: 0.5, AnF64: 0.25,
		AString: "hé 'quoted'", Bytes: []byte{1, 2}, Ident: sats.Identity{13}, Conn: sats.ConnectionID{14}, Ts: 15, Dur: 16, Uuid: sats.Uuid{17},
		OptI32: &five, OptOpt: &opt, Res: sats.ErrResult[uint8, string]("no"), Nums: []int32{1, -1}, Nested: [][]string{{"a"}, {}},
		Color: bindings.ColorBlue, Shape: bindings.ShapeCorner{Value: bindings.Corner{X: 1, Y: 2}}, OptLeaf: &bindings.Leaf{X: 3}, Deep: &deep,
	}
}

// A value of every type goes to the module and comes back in a row.
func TestEveryType(t *testing.T) {
	spec.Covers(t, "10.28", "10.29")
	each(t, func(t *testing.T, w *world, o client.Options) {
		c := w.dial(o)
		if _, err := c.SubscribeAll(within(t)); err != nil {
			t.Fatal(err)
		}
		want := full()
		var told []any
		defer c.Tables.Everything.OnInsert(func(ev *client.Event, row *bindings.Everything) { told = append(told, ev.Reducer, *row) })()
		err := c.Reducers.SetAll(within(t), 0, want.ABool, want.AnI8, want.Au8, want.AnI16, want.Au16, want.AnI32, want.Au32, want.AnI64, want.Au64,
			want.AnI128, want.Au128, want.AnI256, want.Au256, want.AnF32, want.AnF64, want.AString, want.Bytes, want.Ident, want.Conn, want.Ts, want.Dur,
			want.Uuid, want.OptI32, want.OptOpt, want.Res, want.Nums, want.Nested, want.Color, want.Shape, want.OptLeaf, want.Deep)
		if err != nil {
			t.Fatal(err)
		}
		rows := slices.Collect(c.Tables.Everything.All())
		if len(rows) != 1 {
			t.Fatalf("%d rows", len(rows))
		}
		want.Id = rows[0].Id
		if want.Id == 0 || !reflect.DeepEqual(*rows[0], want) {
			t.Errorf("got  %+v\nwant %+v", *rows[0], want)
		}
		args, ok := told[0].(bindings.SetAllArgs)
		if !ok || args.AString != want.AString || !reflect.DeepEqual(told[1], want) {
			t.Errorf("told %+v", told)
		}
		if found, ok := c.Tables.Everything.Id.Find(want.Id); !ok || found != rows[0] {
			t.Error("the row is not found")
		}
		queried, err := client.QuerySQL[bindings.Everything](within(t), c, "SELECT * FROM everything")
		if err != nil || len(queried) != 1 || !reflect.DeepEqual(queried[0], want) {
			t.Errorf("queried %+v, %v", queried, err)
		}
	})
}

// Conditions of every type and their combinations mean the same to the server.
func TestTypedQueries(t *testing.T) {
	spec.Covers(t, "10.29")
	w := newWorld(t)
	c := w.dial(client.Options{})
	v := full()
	if err := c.Reducers.SetAll(within(t), 0, v.ABool, v.AnI8, v.Au8, v.AnI16, v.Au16, v.AnI32, v.Au32, v.AnI64, v.Au64, v.AnI128, v.Au128, v.AnI256, v.Au256,
		v.AnF32, v.AnF64, v.AString, v.Bytes, v.Ident, v.Conn, v.Ts, v.Dur, v.Uuid, v.OptI32, v.OptOpt, v.Res, v.Nums, v.Nested, v.Color, v.Shape, v.OptLeaf, v.Deep); err != nil {
		t.Fatal(err)
	}
	q := bindings.Query.Everything
	type pred = client.Pred[bindings.Everything]
	for n, p := range []pred{
		q.ABool.Eq(true), q.AnI8.Eq(-1), q.Au8.Ne(3), q.AnI16.Lt(0), q.Au16.Le(4), q.AnI32.Gt(-6), q.Au32.Ge(6), q.AnI64.Eq(-7), q.Au64.Eq(8),
		q.AnI128.Eq(sats.I128From(-9)), q.Au128.Gt(sats.U128From(9)), q.AnI256.Eq(sats.I256From(-11)), q.Au256.Eq(sats.U256From(12)),
		q.AnF32.Eq(0.5), q.AnF64.Lt(1e300), q.AString.Eq("hé 'quoted'"), q.Bytes.Eq([]byte{1, 2}), q.Ident.Eq(sats.Identity{13}), q.Conn.Eq(sats.ConnectionID{14}),
		q.Ts.Eq(15), q.Dur.Eq(16), q.Uuid.Eq(sats.Uuid{17}), q.OptI32.Eq(5), q.OptI32.IsSome(), client.Not(q.OptI32.IsNone()),
		q.Au8.EqCol(q.Au8), q.ABool.Eq(false).Or(q.Au8.Eq(2)), q.ABool.Eq(true).And(q.Au8.Eq(2), q.Au16.Eq(4)),
		client.Or(client.And(q.Au8.Eq(1), q.Au8.Eq(2)), client.Not(q.Au8.Eq(1))), client.And[bindings.Everything](),
	} {
		for holds, query := range map[bool]client.Query{true: q.Where(p), false: q.Where(client.Not(p))} {
			text, err := query.SQL()
			if err != nil {
				t.Fatal(err)
			}
			s, err := c.Subscribe(within(t), query)
			if err != nil {
				t.Errorf("%s: %v", text, err)
				continue
			}
			if got := c.Tables.Everything.Len() == 1; got != holds {
				t.Errorf("condition %d: %s finds the row: %t", n, text, got)
			}
			if err := s.Unsubscribe(within(t)); err != nil {
				t.Error(err)
			}
		}
	}
	for _, test := range []struct {
		query client.Query
		text  string
		rows  int
	}{
		{bindings.Query.Item, `SELECT * FROM "item"`, numItems},
		{bindings.Query.Item.Where(bindings.Query.Item.Grp.Eq(1)).Where(bindings.Query.Item.Id.Lt(20)), `SELECT * FROM "item" WHERE (("item"."grp" = 1) AND ("item"."id" < 20))`, 4},
		{client.Semijoin(bindings.Query.Item, bindings.Query.Grp.Where(bindings.Query.Grp.Open.Eq(true)), client.On(bindings.Query.Item.Grp, bindings.Query.Grp.Id)),
			`SELECT "item".* FROM "item" JOIN "grp" ON "item"."grp" = "grp"."id" WHERE ("grp"."open" = TRUE)`, 20},
		{bindings.Query.OpenItems, `SELECT * FROM "open_items"`, 20},
		{bindings.Query.ItemsOf(2), `SELECT * FROM "items_of"(2)`, 7},
	} {
		text, err := test.query.SQL()
		if err != nil || text != test.text {
			t.Errorf("got  %s, %v\nwant %s", text, err, test.text)
		}
		s, err := c.Subscribe(within(t), test.query)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if n := c.Tables.Item.Len() + c.Tables.OpenItems.Len() + c.Tables.ItemsOf.Len(); n != test.rows {
			t.Errorf("%s: %d rows, want %d", text, n, test.rows)
		}
		if err := s.Unsubscribe(within(t)); err != nil {
			t.Error(err)
		}
	}
	self := client.Semijoin(bindings.Query.Item, bindings.Query.Item, client.On(bindings.Query.Item.Id, bindings.Query.Item.Id))
	if _, err := c.Subscribe(within(t), self); err == nil || !strings.Contains(err.Error(), "with itself") {
		t.Errorf("a semijoin with itself: %v", err)
	}
}

// Calls with all outcomes, events of an event table, procedures, through the bindings.
func TestFunctions(t *testing.T) {
	spec.Covers(t, "10.29")
	each(t, func(t *testing.T, w *world, o client.Options) {
		c, other := w.dial(o), w.dial(o)
		if _, err := c.SubscribeAll(within(t)); err != nil {
			t.Fatal(err)
		}
		if me, ok := c.Tables.User.Identity.Find(c.Identity()); !ok || !me.Online || me.Name != nil {
			t.Fatalf("me: %v, %t", me, ok)
		}
		renamed := make(chan string, 1)
		c.Tables.User.OnUpdate(func(_ *client.Event, old, new *bindings.User) {
			if old.Name == nil && new.Identity == other.Identity() {
				renamed <- *new.Name
			}
		})
		if err := other.Reducers.SetName(within(t), "Bea"); err != nil {
			t.Fatal(err)
		}
		if name := <-renamed; name != "Bea" {
			t.Errorf("renamed to %s", name)
		}
		if err := c.Reducers.SetName(within(t), "Ada"); err != nil {
			t.Fatal(err)
		}
		if me, _ := c.Tables.User.Identity.Find(c.Identity()); me.Name == nil || *me.Name != "Ada" {
			t.Errorf("after the call: %v", me)
		}
		var refused *client.ReducerError
		if err := c.Send.SetName("").Wait(within(t)); !errors.As(err, &refused) || refused.Message != "a name must not be empty" {
			t.Errorf("refused: %#v", err)
		}
		var unable *client.HostError
		if err := c.Reducers.Crash(within(t)); !errors.As(err, &unable) {
			t.Errorf("crash: %#v", err)
		}
		two := uint32(2)
		if n, err := c.Procedures.AddUp(within(t), 40, &two); err != nil || n != 42 {
			t.Errorf("add_up: %d, %v", n, err)
		}
		if s, err := c.Procedures.Mirror(within(t), bindings.ShapeCorner{Value: bindings.Corner{X: 7}}); err != nil || s != (bindings.ShapeCorner{Value: bindings.Corner{X: 7}}) {
			t.Errorf("mirror: %v, %v", s, err)
		}
		if c.Protocol() == client.V1 {
			return // without event tables
		}
		notes := make(chan string, 1)
		c.Tables.Ping.OnInsert(func(_ *client.Event, row *bindings.Ping) { notes <- row.Note })
		if err := other.Reducers.Ping(within(t), "hello"); err != nil {
			t.Fatal(err)
		}
		if note := <-notes; note != "hello" {
			t.Errorf("event %s", note)
		}
	})
}
