package subscribe_test

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/internal/subscribe"
	"github.com/stdbgo/spacetime/internal/wire"
	v1 "github.com/stdbgo/spacetime/internal/wire/v1"
	"github.com/stdbgo/spacetime/sats"
	"pgregory.net/rapid"
)

// A kind is a type of column with the few values that occur, so that much is equal.
type kind struct {
	typ      *sats.Type
	values   []sats.Value
	literals []string // as SQL
}

var kinds = []kind{
	{sats.U32, []sats.Value{sats.U32Value(0), sats.U32Value(1), sats.U32Value(2), sats.U32Value(3)}, []string{"0", "1", "2", "3"}},
	{sats.I64, []sats.Value{sats.I64Value(-1), sats.I64Value(0), sats.I64Value(7)}, []string{"-1", "0", "7"}},
	{sats.String, []sats.Value{sats.StringValue(""), sats.StringValue("a"), sats.StringValue("b")}, []string{"''", "'a'", "'b'"}},
	{sats.Bool, []sats.Value{sats.BoolValue(false), sats.BoolValue(true)}, []string{"false", "true"}},
	{sats.F64, []sats.Value{sats.F64Value(0), sats.F64Value(math.Copysign(0, -1)), sats.F64Value(1.5), sats.F64Value(math.NaN())}, []string{"0", "-0.0", "1.5", "NaN"}},
	{maybe, []sats.Value{sats.SumValue{Tag: 1, Value: sats.ProductValue{}}, sats.SomeValue(sats.U32Value(0)), sats.SomeValue(sats.U32Value(2))}, []string{"", "0", "2"}},
	{mood, []sats.Value{sats.SumValue{Value: sats.ProductValue{}}, sats.SumValue{Tag: 1, Value: sats.U32Value(0)}, sats.SumValue{Tag: 1, Value: sats.U32Value(7)}}, []string{"'calm'", `'{"loud":0}'`, `'{"loud":7}'`}},
}

var (
	maybe = sats.Option(sats.U32)
	mood  = sats.Sum(sats.E("calm", sats.Unit), sats.E("loud", sats.U32))
)

// known reports whether two values can be compared: a none cannot.
func known(k kind, values ...sats.Value) bool {
	return k.typ != maybe || !slices.ContainsFunc(values, func(v sats.Value) bool { return v.(sats.SumValue).Tag == 1 })
}

// A relation is a table with the kinds of its columns.
type relation struct {
	*schema.Table
	kinds   []kind
	indexed []int
	rules   []*statement // row-level security: a row is visible if one of them returns it
}

// A condition is a predicate over a tuple of rows, one per relation of a query.
type condition struct {
	sql  string
	true func(tuple [][]sats.Value) bool
}

// A statement is a query as text and as what to evaluate: all tuples of the relations
// that meet the condition give the row of the first.
type statement struct {
	sql  string
	from []*relation
	cond condition
}

// evaluateAll is the brute force: every tuple is looked at, decoded, with nothing of
// the package query.
func (q *statement) evaluateAll(t rapid.TB, r store.Reader) map[string]int {
	return q.evaluate(t, r, nil)
}

// evaluate is evaluateAll for a rule of own, whose rows are all visible to it.
func (q *statement) evaluate(t rapid.TB, r store.Reader, own *relation) map[string]int {
	type row struct {
		bytes  string
		values []sats.Value
	}
	rows := make([][]row, len(q.from))
	for i, rel := range q.from {
		var visible map[string]int
		if rel != own && len(rel.rules) > 0 {
			visible = map[string]int{}
			for _, rule := range rel.rules {
				maps.Copy(visible, rule.evaluate(t, r, rel))
			}
		}
		for b := range r.Scan(rel.ID) {
			v, err := sats.DecodeValue(sats.NewReader(b), nil, rel.Layout.Type())
			if err != nil {
				t.Fatal(err)
			}
			if visible == nil || visible[string(b)] > 0 {
				rows[i] = append(rows[i], row{string(b), v.(sats.ProductValue)})
			}
		}
	}
	bag := map[string]int{}
	tuple := make([][]sats.Value, len(q.from))
	var visit func(i int, first string)
	visit = func(i int, first string) {
		if i == len(rows) {
			if q.cond.true(tuple) {
				bag[first]++
			}
			return
		}
		for _, r := range rows[i] {
			tuple[i] = r.values
			if i == 0 {
				first = r.bytes
			}
			visit(i+1, first)
		}
	}
	visit(0, "")
	return bag
}

// randomBench is a bench with tables of random columns and indexes.
func randomBench(t *rapid.T) (*bench, []*relation) {
	b := &bench{t: t, store: store.New(store.Options{}), m: subscribe.NewManager()}
	if rapid.IntRange(0, 3).Draw(t, "kept") > 0 {
		b.m.Watch = b.keep
	}
	tx := b.store.Begin()
	defer tx.Commit(nil)
	var rels []*relation
	for n := range rapid.IntRange(2, 3).Draw(t, "tables") {
		rel := &relation{kinds: []kind{kinds[0]}, indexed: []int{0}} // a key that joins
		for range rapid.IntRange(1, 3).Draw(t, "columns") {
			rel.kinds = append(rel.kinds, rapid.SampledFrom(kinds).Draw(t, "kind"))
		}
		cols := make([]schema.ColumnDef, len(rel.kinds))
		for i, k := range rel.kinds {
			cols[i] = schema.ColumnDef{Name: fmt.Sprintf("c%d", i), Type: k.typ}
			if i > 0 && rapid.Bool().Draw(t, "indexed") {
				rel.indexed = append(rel.indexed, i)
			}
		}
		ids := make([]schema.ColID, len(rel.indexed))
		for i, c := range rel.indexed {
			ids[i] = schema.ColID(c)
		}
		rel.Table = b.create(tx, fmt.Sprintf("t%d", n), cols, ids...)
		rels = append(rels, rel)
	}
	for i, rel := range rels {
		// Rules read tables that come later, so that they do not depend on each other.
		for range rapid.IntRange(0, 4).Draw(t, "rules") - 2 {
			rule := randomStatement(t, []*relation{rel}, append([]*relation{rel}, rels[i+1:]...))
			rel.rules = append(rel.rules, rule)
			if err := tx.CreateRLS(rel.ID, rule.sql); err != nil {
				t.Fatal(err)
			}
		}
	}
	return b, rels
}

func compare(op string, c int) bool {
	switch op {
	case "=":
		return c == 0
	case "<>":
		return c != 0
	case "<":
		return c < 0
	case "<=":
		return c <= 0
	case ">":
		return c > 0
	}
	return c >= 0
}

// randomCondition makes a condition over the named relations.
func randomCondition(t *rapid.T, names []string, from []*relation, depth int) condition {
	if depth > 0 && rapid.Bool().Draw(t, "joined") {
		a, b := randomCondition(t, names, from, depth-1), randomCondition(t, names, from, depth-1)
		if rapid.Bool().Draw(t, "and") {
			return condition{"(" + a.sql + " AND " + b.sql + ")", func(x [][]sats.Value) bool { return a.true(x) && b.true(x) }}
		}
		return condition{"(" + a.sql + " OR " + b.sql + ")", func(x [][]sats.Value) bool { return a.true(x) || b.true(x) }}
	}
	rel := rapid.IntRange(0, len(from)-1).Draw(t, "rel")
	col := rapid.IntRange(0, len(from[rel].kinds)-1).Draw(t, "col")
	k := from[rel].kinds[col]
	name := fmt.Sprintf("%s.c%d", names[rel], col)
	op := "="
	if k.typ != sats.Bool && rapid.Bool().Draw(t, "unequal") {
		op = rapid.SampledFrom([]string{"<>", "<", "<=", ">", ">="}).Draw(t, "op")
	}
	if rapid.IntRange(0, 4).Draw(t, "with column") == 0 {
		for other, r := range from {
			for c := range r.kinds {
				if (other != rel || c != col) && r.kinds[c].typ == k.typ {
					return condition{fmt.Sprintf("%s %s %s.c%d", name, op, names[other], c), func(x [][]sats.Value) bool {
						return known(k, x[rel][col], x[other][c]) && compare(op, sats.Compare(x[rel][col], x[other][c]))
					}}
				}
			}
		}
	}
	v := rapid.IntRange(0, len(k.values)-1).Draw(t, "value")
	if k.literals[v] == "" {
		return condition{name + " IS NULL", func(x [][]sats.Value) bool { return !known(k, x[rel][col]) }}
	}
	if u := rapid.IntRange(0, 2*len(k.values)).Draw(t, "or"); op == "=" && u < len(k.values) && k.literals[u] != "" {
		return condition{name + " IN (" + k.literals[v] + ", " + k.literals[u] + ")", func(x [][]sats.Value) bool {
			return known(k, x[rel][col]) && (sats.Compare(x[rel][col], k.values[v]) == 0 || sats.Compare(x[rel][col], k.values[u]) == 0)
		}}
	}
	return condition{name + " " + op + " " + k.literals[v], func(x [][]sats.Value) bool {
		return known(k, x[rel][col]) && compare(op, sats.Compare(x[rel][col], k.values[v]))
	}}
}

// randomStatement makes a query of one relation or of two joined through an index.
func randomStatement(t *rapid.T, firsts, seconds []*relation) *statement {
	q := &statement{cond: condition{true: func([][]sats.Value) bool { return true }}}
	first := rapid.SampledFrom(firsts).Draw(t, "first")
	q.from = []*relation{first}
	names := []string{"x"}
	text := "SELECT x.* FROM " + first.Name + " x"
	if rapid.Bool().Draw(t, "join") {
		second := rapid.SampledFrom(seconds).Draw(t, "second")
		a := rapid.SampledFrom(first.indexed).Draw(t, "join column")
		var match []int
		for c, k := range second.kinds {
			if k.typ == first.kinds[a].typ {
				match = append(match, c)
			}
		}
		if len(match) > 0 {
			b := rapid.SampledFrom(match).Draw(t, "other column")
			q.from, names = append(q.from, second), []string{"x", "y"}
			text = fmt.Sprintf("SELECT x.* FROM %s x JOIN %s y ON x.c%d = y.c%d", first.Name, second.Name, a, b)
			k := first.kinds[a]
			q.cond.true = func(v [][]sats.Value) bool { return known(k, v[0][a], v[1][b]) && sats.Compare(v[0][a], v[1][b]) == 0 }
		}
	}
	if rapid.IntRange(0, 3).Draw(t, "where") > 0 {
		on, where := q.cond.true, randomCondition(t, names, q.from, 2)
		text += " WHERE " + where.sql
		q.cond.true = func(v [][]sats.Value) bool { return on(v) && where.true(v) }
	}
	q.sql = text
	return q
}

// randomTransaction inserts and deletes rows of several tables.
func randomTransaction(t *rapid.T, b *bench, tx *store.Tx, rels []*relation) {
	for range rapid.IntRange(0, 6).Draw(t, "changes") {
		rel := rapid.SampledFrom(rels).Draw(t, "table")
		var row []byte
		for _, k := range rel.kinds {
			row = sats.AppendValue(row, rapid.SampledFrom(k.values).Draw(t, "value"))
		}
		switch rapid.IntRange(0, 3).Draw(t, "what") {
		case 0:
			_, _ = tx.DeletePoint(rel.Indexes[0].ID, row[:4])
		case 1: // an update
			_, _ = tx.DeletePoint(rel.Indexes[0].ID, row[:4])
			fallthrough
		default: // a refused row changes nothing
			_, _, _ = tx.Insert(rel.ID, row)
		}
	}
}

// TestRandomQueriesFollow makes random schemas, some with row-level security, queries
// and transactions and demands of every client that it knows exactly what a brute-force
// evaluation of its queries yields, after every transaction, whatever it subscribes to
// and ends in between. Some answers are made only after further transactions.
func TestRandomQueriesFollow(t *testing.T) {
	spec.Covers(t, "07.52", "07.53", "07.59", "07.62")
	rapid.Check(t, func(t *rapid.T) {
		b, rels := randomBench(t)
		var pool []*statement
		for range rapid.IntRange(3, 8).Draw(t, "queries") {
			q := randomStatement(t, rels, rels)
			if _, err := b.compile(q.sql); err != nil {
				t.Fatalf("%s: %v", q.sql, err)
			}
			pool = append(pool, q)
		}
		clients := make([]*follower, 4)
		for i, p := range []wire.Protocol{wire.V2, wire.V3, wire.V1Binary, wire.V1Binary} {
			clients[i] = &follower{cache: b.client(p), sets: map[uint32][]*statement{}}
		}
		t.Repeat(map[string]func(*rapid.T){
			"transaction": func(t *rapid.T) {
				before := make([]map[uint32]map[string]int, len(clients))
				counts := make([]int, len(clients))
				for i, f := range clients {
					before[i], counts[i] = f.wanted(b), f.messages
				}
				b.commit(func(tx *store.Tx) { randomTransaction(t, b, tx, rels) }, &subscribe.Event{ReducerID: v1.NoReducer})
				for i, f := range clients {
					if n := f.messages - counts[i]; n > 1 {
						t.Fatalf("%d messages for one transaction", n)
					} else if n == 1 && sameSets(before[i], f.wanted(b)) && f.overlaps() <= 1 {
						t.Fatalf("a message although nothing changed for %v", f.sets)
					}
				}
			},
			"subscribe": func(t *rapid.T) {
				f := rapid.SampledFrom(clients).Draw(t, "client")
				id := rapid.Uint32Range(0, 3).Draw(t, "id")
				if _, taken := f.sets[id]; taken || f.later != nil {
					t.Skip("taken")
				}
				qs := rapid.SliceOfN(rapid.SampledFrom(pool), 1, 3).Draw(t, "chosen")
				f.sets[id] = qs
				f.handle(b, f.opening(id, qs), rapid.Bool().Draw(t, "large"))
			},
			"unsubscribe": func(t *rapid.T) {
				f := rapid.SampledFrom(clients).Draw(t, "client")
				id := rapid.Uint32Range(0, 3).Draw(t, "id")
				if f.later != nil {
					t.Skip("waits")
				}
				delete(f.sets, id)
				if f.c.Protocol.Version() > 1 {
					f.handle(b, &wire.UnsubscribeSet{QuerySetID: id, SendDroppedRows: true}, rapid.Bool().Draw(t, "large"))
				} else {
					f.handle(b, &wire.UnsubscribeMulti{QueryID: id}, rapid.Bool().Draw(t, "large"))
				}
			},
			"schema": func(t *rapid.T) {
				// An index comes, or goes, and all queries are planned again.
				for _, f := range clients {
					if f.later != nil {
						t.Skip("waits") // for what was read before
					}
				}
				rel := rapid.SampledFrom(rels).Draw(t, "table")
				tx := b.store.Begin()
				now := tx.Table(rel.ID)
				name := rel.Name + "_extra"
				if i := slices.IndexFunc(now.Indexes, func(ix *schema.Index) bool { return ix.Name == name }); i >= 0 {
					if err := tx.DropIndex(now.Indexes[i].ID); err != nil {
						t.Fatal(err)
					}
				} else {
					cols := rapid.SliceOfNDistinct(rapid.IntRange(0, len(rel.kinds)-1), 1, 2, rapid.ID[int]).Draw(t, "columns")
					ix := &schema.Index{Name: name, Algo: rapid.SampledFrom([]schema.Algo{schema.BTree, schema.Hash}).Draw(t, "algo")}
					for _, c := range cols {
						ix.Cols = append(ix.Cols, schema.ColID(c))
					}
					if _, err := tx.CreateIndex(rel.ID, ix); err != nil {
						t.Fatal(err)
					}
				}
				tx.Commit(nil)
				b.m.Recompile(func(q *subscribe.Query) (*subscribe.Query, error) {
					qs, err := b.compile(q.Text)
					if err != nil {
						t.Fatalf("%s: %v", q.Text, err)
					}
					return qs[0], nil
				})
			},
			"answer": func(t *rapid.T) {
				for _, f := range clients {
					if f.later != nil && rapid.Bool().Draw(t, "now") {
						f.answer()
					}
				}
			},
			"": func(t *rapid.T) {
				for _, f := range clients {
					if want := f.wanted(b); f.later == nil && !sameSets(f.rows, want) {
						t.Fatalf("client %d (%v) holds %x, its queries %v yield %x", f.c.Connection[0], f.c.Protocol, f.rows, f.texts(), want)
					}
				}
			},
		})
		for _, f := range clients {
			if f.later != nil {
				f.answer()
			}
			b.m.Remove(f.c)
		}
		if clients, queries := b.m.Len(); clients+queries != 0 {
			t.Fatalf("%d clients and %d queries are left", clients, queries)
		}
		if err := b.store.Check(); err != nil {
			t.Fatal(err)
		}
	})
}

// A follower is a client with what it has subscribed to.
type follower struct {
	*cache
	sets  map[uint32][]*statement
	later *subscribe.Evaluation
	close func()
}

func (f *follower) opening(id uint32, qs []*statement) wire.ClientMessage {
	texts := make([]string, len(qs))
	for i, q := range qs {
		texts[i] = q.sql
	}
	if f.c.Protocol.Version() > 1 {
		return &wire.SubscribeSet{QuerySetID: id, Queries: texts}
	}
	return &wire.SubscribeMulti{QueryID: id, Queries: texts}
}

// handle carries out a message; if the answer is to be large it is made later.
func (f *follower) handle(b *bench, msg wire.ClientMessage, large bool) {
	v := b.store.View()
	req := &subscribe.Request{Client: f.c, Reader: v, Compile: b.compile, CompileOne: b.compileOne, Micros: func() uint64 { return 1 }}
	if large {
		req.Large = 1
	}
	d := b.m.Handle(req, msg)
	d.Deliver()
	if e, ok := d.(*subscribe.Evaluation); ok {
		f.later, f.close = e, v.Close
	} else {
		v.Close()
	}
}

func (f *follower) answer() {
	f.later.Run()
	f.close()
	f.later.Answer().Deliver()
	f.later = nil
}

// wanted is what the client's queries yield now: per set, or together for version 1,
// where a query counts once however many ids hold it.
func (f *follower) wanted(b *bench) map[uint32]map[string]int {
	v := b.store.View()
	defer v.Close()
	want := map[uint32]map[string]int{}
	seen := map[string]bool{}
	for id, qs := range f.sets {
		if f.c.Protocol.Version() == 1 {
			id = 0
		} else {
			clear(seen)
		}
		for _, q := range qs {
			if seen[q.sql] {
				continue
			}
			seen[q.sql] = true
			if want[id] == nil {
				want[id] = map[string]int{}
			}
			for row, n := range q.evaluateAll(b.t, v) {
				want[id][row] += n
			}
		}
	}
	return want
}

// overlaps is the number of different queries that the client has: with several, rows
// can move between them although together they stay (spec 07.53).
func (f *follower) overlaps() int {
	texts := map[string]bool{}
	for _, qs := range f.sets {
		for _, q := range qs {
			texts[q.sql] = true
		}
	}
	return len(texts)
}

func (f *follower) texts() string {
	var out []string
	for id, qs := range f.sets {
		for _, q := range qs {
			out = append(out, fmt.Sprintf("%d: %s", id, q.sql))
		}
	}
	slices.Sort(out)
	return strings.Join(out, "; ")
}

// sameSets compares what sets hold; an empty one is like none.
func sameSets(a, b map[uint32]map[string]int) bool {
	for id := range uint32(4) {
		if !maps.Equal(a[id], b[id]) {
			return false
		}
	}
	return true
}
