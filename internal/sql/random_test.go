package sql

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/stdbgo/spacetime/internal/query"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/internal/store"
)

// Random queries over random tables give what nested loops give, read through a
// transaction and through a view.
func TestQueryEqualsModel(t *testing.T) {
	spec.Covers(t, "07.27", "07.32")
	rapid.Check(t, func(t *rapid.T) {
		s, tables := drawStore(t)
		for range 4 {
			q := drawQuery(t, tables, 3)
			tx := s.Begin()
			want := q.result(t, tx)
			checkRows(t, tx, q, want)
			tx.Rollback()
			v := s.View()
			checkRows(t, v, q, want)
			checkCountAndLimit(t, v, q, want)
			checkColumns(t, v, q)
			v.Close()
		}
	})
}

func compile(t *rapid.T, r store.Reader, text string) *Statement {
	st, err := CompileStatement(r, text, alice, Env{})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return st
}

// compileUnadmitted compiles a query to be kept live, whatever it joins.
func compileUnadmitted(r store.Reader, text string, c Caller) (*Query, error) {
	return compileQuery(r, text, c, dialectLive, func(q query.Select) (*query.Plan, error) { return query.CompileLive(q), nil })
}

func results(t *rapid.T, r store.Reader, text string) rowBag {
	got := rowBag{}
	st := compile(t, r, text)
	if err := st.Query(r, func(row []byte) bool { got.add(row, 1); return true }); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return got
}

func checkRows(t *rapid.T, r store.Reader, q *modelQuery, want rowBag) {
	if got := results(t, r, q.text()); !got.equal(want) {
		t.Fatalf("%s\n got %s\nwant %s\n%s", q.text(), got, want, compile(t, r, q.text()).Plan().Explain(false))
	}
}

func checkCountAndLimit(t *rapid.T, r store.Reader, q *modelQuery, want rowBag) {
	total := 0
	for _, n := range want {
		total += n
	}
	count := results(t, r, "SELECT COUNT(*) AS n"+q.from()+" LIMIT 2")
	if count[string(binary.LittleEndian.AppendUint64(nil, uint64(total)))] != 1 || len(count) != 1 {
		t.Fatalf("COUNT(*)%s = %s, want %d", q.from(), count, total)
	}
	limit := rapid.IntRange(0, 4).Draw(t, "limit")
	n := 0
	for row, k := range results(t, r, q.text()+fmt.Sprint(" LIMIT ", limit)) {
		if n += k; k > want[row] {
			t.Fatalf("%s LIMIT %d: row %x comes %d times", q.text(), limit, row, k)
		}
	}
	if n != min(limit, total) {
		t.Fatalf("%s LIMIT %d gave %d of %d rows", q.text(), limit, n, total)
	}
}

// checkColumns projects the first column of every relation.
func checkColumns(t *rapid.T, r store.Reader, q *modelQuery) {
	want := rowBag{}
	q.tuples(func(i int) []modelRow { return modelRows(t, r, q.rels[i].table) }, func(tu []modelRow) {
		var row []byte
		for i := range tu {
			row = append(row, q.rels[i].table.Layout.Col(tu[i].bytes, 0)...)
		}
		want.add(row, 1)
	})
	var items []string
	for _, rel := range q.rels {
		items = append(items, rel.alias+".c0 AS "+rel.alias+"0")
	}
	text := "SELECT " + strings.Join(items, ", ") + q.from()
	if got := results(t, r, text); !got.equal(want) {
		t.Fatalf("%s\n got %s\nwant %s", text, got, want)
	}
}

// After every random transaction what a live query has accumulated from its
// deltas is what a fresh evaluation gives: bags, self-joins and changes on all
// sides of a join included. And no change is lost to pruning.
func TestDeltaEqualsReevaluation(t *testing.T) {
	spec.Covers(t, "07.51", "07.52", "07.59")
	rapid.Check(t, func(t *rapid.T) {
		s, tables := drawStore(t)
		type live struct {
			model *modelQuery
			query *Query
			rows  rowBag
		}
		var lives []live
		tx := s.Begin()
		for range 4 {
			q := drawQuery(t, tables, 3)
			c, err := compileUnadmitted(tx, q.text(), alice)
			if err != nil {
				t.Fatalf("%s: %v", q.text(), err)
			}
			lives = append(lives, live{q, c, q.result(t, tx)})
			if rapid.Bool().Draw(t, "kept") { // as for subscriptions
				for _, k := range c.Plan.KeptColumns() {
					s.KeepIndex(k.Table, k.Col)
				}
			}
		}
		tx.Rollback()
		for range rapid.IntRange(1, 6).Draw(t, "transactions") {
			d := drawTransaction(t, s, tables)
			tx := s.Begin()
			for _, l := range lives {
				changed := false
				err := l.query.Plan.Delta(tx, d,
					func(row []byte) { l.rows.add(row, 1); changed = true },
					func(row []byte) { l.rows.add(row, -1); changed = true })
				if err != nil {
					t.Fatal(err)
				}
				if want := l.model.result(t, tx); !l.rows.equal(want) {
					t.Fatalf("%s\n got %s\nwant %s\n%s", l.query.Text, l.rows, want, l.query.Plan.Explain(true))
				}
				if changed && !selected(tx, d, l.query.Occurrences) {
					t.Fatalf("%s: pruned, and changed", l.query.Text)
				}
			}
			tx.Rollback()
		}
	})
}

// drawTransaction inserts and deletes at random, now and then the same row twice.
func drawTransaction(t *rapid.T, s *store.Store, tables []*schema.Table) *store.Delta {
	tx := s.Begin()
	for range rapid.IntRange(1, 8).Draw(t, "writes") {
		table := rapid.SampledFrom(tables).Draw(t, "written")
		rows := modelRows(t, tx, table)
		if len(rows) == 0 || rapid.IntRange(0, 2).Draw(t, "write") > 0 {
			insertDrawn(t, tx, table)
			continue
		}
		if _, err := tx.DeleteRow(table.ID, rapid.SampledFrom(rows).Draw(t, "victim").bytes); err != nil {
			t.Fatal(err)
		}
	}
	return tx.Commit(nil).Delta
}

// selected is what a registry does with the occurrences of a query.
func selected(r store.Reader, d *store.Delta, occs []query.Occurrence) bool {
	for _, o := range occs {
		for i := range d.Tables {
			td := &d.Tables[i]
			if td.Table.ID != o.Table.ID {
				continue
			}
			for _, rows := range []store.Rows{td.Inserts, td.Deletes} {
				for row := range rows.All() {
					if hit(r, o, row) {
						return true
					}
				}
			}
		}
	}
	return false
}

func hit(r store.Reader, o query.Occurrence, row []byte) bool {
	has := func(t *schema.Table, row []byte, k query.Key) bool {
		return string(t.Layout.Col(row, int(k.Col))) == string(k.Value)
	}
	switch {
	case o.Keys != nil:
		for _, k := range o.Keys {
			if has(o.Table, row, k) {
				return true
			}
		}
		return false
	case o.Edge != nil:
		other, ok := r.FindUnique(o.Edge.OtherIndex.ID, o.Table.Layout.Col(row, int(o.Edge.Col)))
		return ok && has(o.Edge.Other, other, o.Edge.Key)
	}
	return true
}
