package query

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/internal/store"
)

// The table of spec 07 §18.3, and ranges, which the original scans for.
func TestAccessPaths(t *testing.T) {
	_, tables := makeStore(t, makeTable(t, "t", "x y z w", "x", "y,z", "x,y,z"), makeTable(t, "u", "k v", "!k", "v"))
	c := func(name string) *Column { return col(tables[:1], 0, name) }
	eq := func(name string, n uint32) Expr { return cmp(c(name), Eq, num(n)) }
	for _, tt := range []struct {
		where Expr
		want  string
	}{
		{And{eq("x", 3), eq("y", 4), eq("z", 5)}, "point t#0 by t_x_y_z(0x03000000, 0x04000000, 0x05000000)"},
		{And{eq("z", 5), eq("x", 3), eq("y", 4)}, "point t#0 by t_x_y_z(0x03000000, 0x04000000, 0x05000000)"},
		{And{eq("x", 3), eq("y", 4)}, "filter t#0.y = 0x04000000\n  point t#0 by t_x(0x03000000)"},
		{And{eq("w", 5), eq("x", 4)}, "filter t#0.w = 0x05000000\n  point t#0 by t_x(0x04000000)"},
		{cmp(num(3), Eq, c("x")), "point t#0 by t_x(0x03000000)"},
		{eq("w", 1), "filter t#0.w = 0x01000000\n  scan t#0"},
		{And{eq("y", 1), eq("z", 2), cmp(c("x"), Gt, num(0))}, "filter t#0.x > 0x00000000\n  point t#0 by t_y_z(0x01000000, 0x02000000)"},
		{Or{eq("x", 1), eq("x", 2)}, "2 points t#0 by t_x where (t#0.x = 0x01000000 OR t#0.x = 0x02000000)"},
		{cmp(num(5), Lt, c("w")), "filter t#0.w > 0x05000000\n  scan t#0"},
		{eq("y", 1), "range t#0 by t_y_z(0x01000000) where t#0.y = 0x01000000"},
		{cmp(c("x"), Gt, num(1)), "range t#0 by t_x() where t#0.x > 0x01000000"},
		{And{cmp(c("x"), Ge, num(1)), cmp(c("x"), Lt, num(9)), cmp(c("x"), Lt, num(7))},
			"filter t#0.x < 0x07000000\n  range t#0 by t_x() where t#0.x >= 0x01000000 AND t#0.x < 0x09000000"},
		{And{eq("y", 1), cmp(c("z"), Le, num(4))}, "range t#0 by t_y_z(0x01000000) where t#0.y = 0x01000000 AND t#0.z <= 0x04000000"},
		{&Not{cmp(c("x"), Ne, num(1))}, "point t#0 by t_x(0x01000000)"},
	} {
		p := Compile(Select{From: []Relation{{Table: tables[0]}}, Where: tt.where})
		if got := strings.TrimSpace(p.Explain(false)); got != tt.want {
			t.Errorf("got\n%s\nwant\n%s", got, tt.want)
		}
	}
	// A unique index goes before another one of as many columns.
	k := &Column{Rel: 0, Col: 0, Type: num(0).Type}
	p := Compile(Select{From: []Relation{{Table: tables[1]}}, Where: And{cmp(&Column{Rel: 0, Col: 1, Type: k.Type}, Eq, num(1)), cmp(k, Eq, num(2))}})
	if got, want := strings.TrimSpace(p.Explain(false)), "filter u#0.v = 0x01000000\n  unique point u#0 by u_k(0x02000000)"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func joinOf(tables []*schema.Table, on string, where Expr) *Plan {
	q := Select{From: []Relation{{Table: tables[0]}}, Where: where, Rel: len(tables) - 1}
	for i := 1; i < len(tables); i++ {
		q.From = append(q.From, Relation{Table: tables[i], On: cmp(col(tables, i-1, on), Eq, col(tables, i, on))})
	}
	return CompileLive(q)
}

func TestJoinPlans(t *testing.T) {
	for _, tt := range []struct {
		name   string
		tables []*schema.Table
		where  func(tables []*schema.Table) Expr
		want   string
	}{
		{"the second relation is looked up",
			[]*schema.Table{makeTable(t, "p", "id a", "id"), makeTable(t, "q", "id a", "id")}, nil, `
nest
  scan p#0
  point q#1 by q_id(p#0.id)`},
		{"the filtered side drives",
			[]*schema.Table{makeTable(t, "p", "id a", "id"), makeTable(t, "q", "id a", "!id")},
			func(ts []*schema.Table) Expr { return cmp(col(ts, 1, "a"), Eq, num(7)) }, `
nest
  filter q#1.a = 0x07000000
    scan q#1
  point p#0 by p_id(q#1.id)`},
		{"a unique point drives before a filter",
			[]*schema.Table{makeTable(t, "p", "id a", "id"), makeTable(t, "q", "id a b", "!id", "!b")},
			func(ts []*schema.Table) Expr {
				return And{cmp(col(ts, 0, "a"), Gt, num(0)), cmp(col(ts, 1, "b"), Eq, num(7))}
			}, `
filter p#0.a > 0x00000000
  nest
    unique point q#1 by q_b(0x07000000)
    point p#0 by p_id(q#1.id)`},
		{"only one side has an index",
			[]*schema.Table{makeTable(t, "p", "id a", "id"), makeTable(t, "q", "id a")}, nil, `
nest
  scan q#1
  point p#0 by p_id(q#1.id)`},
		{"a probe with a constant before the join column",
			[]*schema.Table{makeTable(t, "p", "id a"), makeTable(t, "q", "id a b", "a,id")},
			func(ts []*schema.Table) Expr {
				return And{cmp(col(ts, 1, "a"), Eq, num(1)), cmp(col(ts, 1, "b"), Eq, num(2)), cmp(col(ts, 0, "a"), Eq, num(3))}
			}, `
filter q#1.b = 0x02000000
  nest
    filter p#0.a = 0x03000000
      scan p#0
    point q#1 by q_a_id(0x01000000, p#0.id)`},
		{"no index: a hash join",
			[]*schema.Table{makeTable(t, "p", "id a"), makeTable(t, "q", "id a")}, nil, `
hash join on q#1.id = p#0.id
  scan q#1
  scan p#0`},
		{"a chain of three",
			[]*schema.Table{makeTable(t, "a", "id x", "id"), makeTable(t, "b", "id", "id"), makeTable(t, "c", "id", "id")},
			func(ts []*schema.Table) Expr { return cmp(col(ts, 0, "x"), Eq, num(3)) }, `
nest
  nest
    filter a#0.x = 0x03000000
      scan a#0
    point b#1 by b_id(a#0.id)
  point c#2 by c_id(b#1.id)`},
	} {
		_, tables := makeStore(t, tt.tables...)
		var where Expr
		if tt.where != nil {
			where = tt.where(tables)
		}
		if got := joinOf(tables, "id", where).Explain(false); strings.TrimSpace(got) != strings.TrimSpace(tt.want) {
			t.Errorf("%s: got\n%s\nwant%s", tt.name, got, tt.want)
		}
	}
}

// Delta terms are driven by what changed; the other side is looked up, as it is
// now or as it was.
func TestDeltaPlans(t *testing.T) {
	_, tables := makeStore(t, makeTable(t, "p", "id a", "!id"), makeTable(t, "l", "id x"))
	got := joinOf(tables, "id", cmp(col(tables, 1, "x"), Gt, num(0))).Explain(true)
	for _, part := range []string{
		"changes of p#0\n  hash join on p#0.id = l#1.id\n    scan p#0 changes\n    filter l#1.x > 0x00000000\n      scan l#1 before\n",
		"changes of l#1\n  nest\n    filter l#1.x > 0x00000000\n      scan l#1 changes\n    unique point p#0 by p_id(l#1.id)\n",
	} {
		if !strings.Contains(got, part) {
			t.Errorf("got\n%s\nwithout\n%s", got, part)
		}
	}
}

// The formulas of spec 07 §20 on the example of §30 item 36.
func TestScanned(t *testing.T) {
	spec.Covers(t, "07.48")
	s, tables := makeStore(t, makeTable(t, "t", "id k v", "!id", "k"), makeTable(t, "s", "id"))
	tx := s.Begin()
	for i := range uint32(10) {
		insert(t, tx, tables[0], i, i%5, 0)
	}
	for i := range uint32(4) {
		insert(t, tx, tables[1], i)
	}
	cards := counted{tx, map[schema.IndexID]uint64{}}
	for _, ix := range tables[0].Indexes {
		cards.keys[ix.ID] = map[bool]uint64{true: 10, false: 5}[ix.Unique]
	}
	one := tables[:1]
	two := []*schema.Table{tables[1], tables[0]}
	limit := uint64(3)
	single := func(w Expr) *Plan { return Compile(Select{From: []Relation{{Table: tables[0]}}, Where: w}) }
	for _, tt := range []struct {
		name string
		plan *Plan
		want uint64
	}{
		{"scan", single(nil), 10},
		{"filter", single(cmp(col(one, 0, "v"), Eq, num(1))), 20},
		{"range", single(cmp(col(one, 0, "k"), Gt, num(1))), 20},
		{"point", single(cmp(col(one, 0, "k"), Eq, num(1))), 2},
		{"unique point", single(cmp(col(one, 0, "id"), Eq, num(1))), 1},
		{"point and filter", single(And{cmp(col(one, 0, "k"), Eq, num(1)), cmp(col(one, 0, "v"), Eq, num(1))}), 4},
		{"limit", Compile(Select{From: []Relation{{Table: tables[0]}}, Limit: &limit}), 3},
		{"count", Compile(Select{From: []Relation{{Table: tables[0]}}, Out: OutCount}), 10},
		{"index join", Compile(Select{From: []Relation{{Table: tables[1]}, {Table: tables[0], On: cmp(col(two, 0, "id"), Eq, col(two, 1, "k"))}}}), 4 + 4*2},
		{"unique index join", Compile(Select{From: []Relation{{Table: tables[1]}, {Table: tables[0], On: cmp(col(two, 0, "id"), Eq, col(two, 1, "id"))}}}), 4 + 4},
		{"hash join", Compile(Select{From: []Relation{{Table: tables[1]}, {Table: tables[0], On: cmp(col(two, 0, "id"), Eq, col(two, 1, "v"))}}}), 4 + 10 + 40},
		{"cross product", Compile(Select{From: []Relation{{Table: tables[1]}, {Table: tables[0]}}}), 4 + 10 + 40},
	} {
		if got := tt.plan.Scanned(cards); got != tt.want {
			t.Errorf("%s: %d, want %d\n%s", tt.name, got, tt.want, tt.plan.Explain(false))
		}
	}
	if got := satMul(1<<40, 1<<40); got != ^uint64(0) {
		t.Errorf("satMul wraps: %d", got)
	}
	if got := satAdd(^uint64(0), 1); got != ^uint64(0) {
		t.Errorf("satAdd wraps: %d", got)
	}
	tx.Rollback()
	if got := single(cmp(col(one, 0, "k"), Eq, num(1))).Scanned(emptyCards{}); got != 0 {
		t.Errorf("an empty table costs %d", got)
	}
}

type emptyCards struct{}

func (emptyCards) RowCount(schema.TableID) uint64 { return 0 }

// counted is a reader that knows the number of distinct keys.
type counted struct {
	store.Reader
	keys map[schema.IndexID]uint64
}

func (c counted) DistinctKeys(id schema.IndexID) uint64 { return c.keys[id] }

// The transactions of spec 07 §22.5, one after the other.
func TestDeltaExample(t *testing.T) {
	spec.Covers(t, "07.52")
	s, tables := makeStore(t, makeTable(t, "p", "id signed", "!id"), makeTable(t, "l", "id x", "id"))
	p, l := tables[0], tables[1]
	tx := s.Begin()
	insert(t, tx, p, 1, 1)
	insert(t, tx, p, 2, 1)
	insert(t, tx, l, 1, 2)
	insert(t, tx, l, 2, 3)
	tx.Commit(nil)
	plan, err := CompileAdmitted(Select{
		From:  []Relation{{Table: p}, {Table: l, On: cmp(col(tables, 0, "id"), Eq, col(tables, 1, "id"))}},
		Where: And{cmp(col(tables, 1, "x"), Gt, num(0)), cmp(col(tables, 1, "x"), Lt, num(5))},
	})
	if err != nil {
		t.Fatal(err)
	}
	type op struct {
		table *schema.Table
		del   bool
		row   []byte
	}
	for _, tt := range []struct {
		ops  []op
		want string
	}{
		{[]op{{p, true, u32Row(2, 1)}, {p, false, u32Row(2, 0)}}, "+0200000000000000 -0200000001000000"},
		{[]op{{l, true, u32Row(2, 3)}, {l, false, u32Row(2, 4)}}, ""},
		{[]op{{p, false, u32Row(3, 1)}, {l, false, u32Row(3, 1)}}, "+0300000001000000"},
		{[]op{{p, true, u32Row(1, 1)}, {l, true, u32Row(1, 2)}}, "-0100000001000000"},
		{[]op{{l, false, u32Row(9, 9)}}, ""},
	} {
		tx := s.Begin()
		for _, o := range tt.ops {
			if o.del {
				if ok, err := tx.DeleteRow(o.table.ID, o.row); !ok || err != nil {
					t.Fatal(ok, err)
				}
			} else if _, _, err := tx.Insert(o.table.ID, o.row); err != nil {
				t.Fatal(err)
			}
		}
		d := tx.Commit(nil).Delta
		tx = s.Begin()
		var got []string
		err := plan.Delta(tx, d,
			func(row []byte) { got = append(got, fmt.Sprintf("+%x", row)) },
			func(row []byte) { got = append(got, fmt.Sprintf("-%x", row)) })
		tx.Rollback()
		if err != nil || strings.Join(got, " ") != tt.want {
			t.Errorf("%v: %v, %v; want %s", tt.ops, got, err, tt.want)
		}
	}
}

// A plan refuses to run on a schema that it was not made for.
func TestStale(t *testing.T) {
	s, tables := makeStore(t, makeTable(t, "t", "a", "a"))
	p := Compile(Select{From: []Relation{{Table: tables[0]}}, Where: cmp(col(tables, 0, "a"), Eq, num(1))})
	tx := s.Begin()
	if err := p.Run(tx, func([]byte) bool { return true }); err != nil {
		t.Fatal(err)
	}
	if err := tx.DropIndex(tables[0].Indexes[0].ID); err != nil {
		t.Fatal(err)
	}
	if err := p.Run(tx, func([]byte) bool { return true }); err == nil {
		t.Error("the plan ran without its index")
	}
	tx.Rollback()
}

func TestEmptyInput(t *testing.T) {
	spec.Covers(t, "07.50")
	s, tables := makeStore(t, makeTable(t, "a", "id", "id"), makeTable(t, "b", "id"))
	p := joinOf(tables, "id", nil)
	tx := s.Begin()
	defer tx.Rollback()
	insert(t, tx, tables[1], 1)
	if !p.EmptyInput(tx) {
		t.Error("a join with an empty table is to be run")
	}
	insert(t, tx, tables[0], 1)
	if p.EmptyInput(tx) {
		t.Error("a join of filled tables is not to be run")
	}
	limit := uint64(1)
	if err := CompileLive(Select{From: []Relation{{Table: tables[0]}}, Limit: &limit}).Delta(tx, &store.Delta{}, nil, nil); err == nil {
		t.Error("a limited query has a delta")
	}
}
