package host

import (
	"bytes"
	"context"
	"testing"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/internal/subscribe"
	"github.com/stdbgo/spacetime/internal/wire"
	"github.com/stdbgo/spacetime/sats"
)

// Two connections of one identity look at one instance; it outlives either.
func TestSubscribersShareInstance(t *testing.T) {
	w := newWorld(t)
	g := newGallery("gallery")
	db := w.create(g.fakeModule)
	connect := func(n byte) *viewer {
		v := &viewer{t: t, rows: map[string]int{}, who: Caller{Identity: aliceID, Conn: sats.ConnectionID{n}}}
		v.client = &subscribe.Client{Identity: aliceID, Connection: v.who.Conn, Protocol: wire.V2, Out: v}
		if err := db.Attach(background, v.client, v.who, func() {}); err != nil {
			t.Fatal(err)
		}
		v.handle(db, &wire.SubscribeSet{RequestID: 1, QuerySetID: 1, Queries: []string{"SELECT * FROM mine"}})
		return v
	}
	one, two := connect(1), connect(2)
	g.ran(t, "mine", 1)
	w.call(db, alice, "put", note(1, aliceID, 1))
	g.ran(t, "mine", 2)
	if err := db.Detach(background, two.client, two.who); err != nil {
		t.Fatal(err)
	}
	w.call(db, alice, "put", note(2, aliceID, 2))
	db.send.flush()
	if len(one.rows) != 2 || len(two.rows) != 1 {
		t.Errorf("the connection that stays holds %d rows, the other %d; want 2 and 1", len(one.rows), len(two.rows))
	}
}

// What is read through an index of several columns, and a view of a number that stays
// the same.
func TestViewsOfCountsAndPairs(t *testing.T) {
	w := newWorld(t)
	pair := params(sats.E("a", sats.U32), sats.E("b", sats.U32), sats.E("c", sats.U32))
	runs := map[string]int{}
	m := newFake("pairs").
		addTable("pair", pair, func(_ *fakeModule, t *schema.RawTableV10) {
			t.Indexes = append(t.Indexes, schema.RawIndex{Name: sats.Named("pair_a_b"), Cols: []schema.ColID{0, 1}})
		}).
		addTable("total", params(sats.E("n", sats.U32)), primary(0)).
		reducer("add", pair, func(c *fakeCall) error { return c.insert("pair", c.Args) }).
		reducer("swap", pair, func(c *fakeCall) error {
			old := c.rows("pair")[0]
			if _, err := c.Tx.DeleteRow(c.table("pair").ID, old); err != nil {
				return err
			}
			return c.insert("pair", c.Args)
		})
	point := func(name string, read func(c *abi.ViewCall, ix *schema.Index) [][]byte) {
		m.view(name, "pair", true, nil, func(_ context.Context, c *abi.ViewCall) (abi.ViewResult, error) {
			runs[name]++
			return viewRows(read(c, c.Tx.TableByName("pair").IndexOn(0, 1))...), nil
		})
	}
	key := func(a, b uint32) []byte { return append(u32(a), u32(b)...) }
	point("one_two", func(c *abi.ViewCall, ix *schema.Index) (rows [][]byte) {
		for row := range c.Tx.Point(ix.ID, key(1, 2)) {
			rows = append(rows, bytes.Clone(row))
		}
		return rows
	})
	point("same_bounds", func(c *abi.ViewCall, ix *schema.Index) (rows [][]byte) { // a range that is a point
		b := store.Bound{Kind: store.Included, Value: u32(2)}
		for row := range c.Tx.Range(ix.ID, store.Range{Prefix: u32(1), PrefixCols: 1, Lo: b, Hi: b}) {
			rows = append(rows, bytes.Clone(row))
		}
		return rows
	})
	point("prefix", func(c *abi.ViewCall, ix *schema.Index) (rows [][]byte) { // any other range
		for row := range c.Tx.Range(ix.ID, store.Range{Prefix: u32(1), PrefixCols: 1}) {
			rows = append(rows, bytes.Clone(row))
		}
		return rows
	})
	m.view("count", "total", true, nil, func(_ context.Context, c *abi.ViewCall) (abi.ViewResult, error) {
		runs["count"]++
		return viewRows(u32(uint32(c.Tx.RowCount(c.Tx.TableByName("pair").ID)))), nil
	})
	db := w.create(m)
	v := w.viewer(db, 9)
	v.handle(db, &wire.SubscribeSet{RequestID: 1, QuerySetID: 1, Queries: []string{"SELECT * FROM count"}})
	for _, name := range []string{"one_two", "same_bounds", "prefix"} {
		w.sql(db, alice, "SELECT * FROM "+name)
	}
	expect := func(what string, pointRuns, wholeRuns int) {
		t.Helper()
		for name, n := range map[string]int{"one_two": pointRuns, "same_bounds": pointRuns, "prefix": wholeRuns, "count": wholeRuns} {
			if runs[name] != n {
				t.Errorf("%s: the view %s ran %d times; want %d", what, name, runs[name], n)
			}
		}
	}
	expect("at first", 1, 1)
	w.call(db, alice, "add", key(1, 3), u32(0))
	expect("another key", 1, 2)
	w.call(db, alice, "add", key(1, 2), u32(0))
	expect("the key", 2, 3)
	db.send.flush()
	messages := len(v.log)
	w.call(db, alice, "swap", key(5, 5), u32(1))
	db.send.flush()
	expect("as many rows as before", 2, 4)
	if len(v.log) != messages {
		t.Errorf("a count that stays the same is reported: %q", v.log[messages:])
	}
	want(t, "one_two", w.sql(db, alice, "SELECT * FROM one_two"), []string{"1:0"})
	want(t, "prefix", w.sql(db, alice, "SELECT * FROM prefix"), []string{"1:0"})
}
