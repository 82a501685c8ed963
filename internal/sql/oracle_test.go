package sql

import (
	"context"
	dbsql "database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	_ "modernc.org/sqlite"
	"pgregory.net/rapid"

	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/sats"
)

// SQLite is an independent opinion on the part of SQL that both speak. Texts avoid
// where they mean different things: division by zero, overflow, the case of LIKE
// (a pragma), the place of NULL (always written), types of truth (compared as
// numbers).

type oracle struct {
	ours   *database
	sqlite *dbsql.DB
	conn   *dbsql.Conn
}

// openOracle makes the tables of SQLite.
func openOracle(t testing.TB, tables ...string) *oracle {
	db, err := dbsql.Open("sqlite", ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	o := &oracle{sqlite: db, conn: conn}
	for _, text := range append([]string{"PRAGMA case_sensitive_like = ON"}, tables...) {
		o.lite(t, text)
	}
	return o
}

func newOracle(t testing.TB) *oracle {
	o := openOracle(t, "CREATE TABLE t (a INTEGER NOT NULL, b INTEGER, s TEXT NOT NULL, n TEXT)", "CREATE TABLE u (a INTEGER NOT NULL, b INTEGER, s TEXT NOT NULL, n TEXT)")
	var specs []tableSpec
	for _, name := range []string{"t", "u"} {
		spec := tableSpec{name: name, cols: []sats.Element{sats.E("a", sats.I64), sats.E("b", sats.Option(sats.I64)), sats.E("s", sats.String), sats.E("n", sats.Option(sats.String))}}
		if name == "t" {
			spec.index = []string{"a", "b", "s,a"}
		} else {
			spec.index = []string{"a,b"}
		}
		specs = append(specs, spec)
	}
	o.ours = newDatabase(t, specs...)
	return o
}

func (o *oracle) lite(t interface{ Fatalf(string, ...any) }, text string) [][]any {
	rows, err := o.conn.QueryContext(context.Background(), text)
	if err != nil {
		t.Fatalf("SQLite: %s: %v", text, err)
	}
	defer rows.Close()
	cols, err := rows.Columns()
	if err != nil {
		t.Fatalf("%v", err)
	}
	var out [][]any
	for rows.Next() {
		row := make([]any, len(cols))
		ptrs := make([]any, len(cols))
		for i := range row {
			ptrs[i] = &row[i]
		}
		if err := rows.Scan(ptrs...); err != nil {
			t.Fatalf("%v", err)
		}
		out = append(out, row)
	}
	if err := rows.Err(); err != nil {
		t.Fatalf("SQLite: %s: %v", text, err)
	}
	return out
}

// both runs a statement that writes in both.
func (o *oracle) both(t *rapid.T, text string) {
	o.lite(t, text)
	if a, err := o.ours.run(owner, text); err != nil {
		t.Fatalf("%s: %v %v", text, a, err)
	}
}

// canonRow writes a row in a form that both can have.
func canonValue(v any) string {
	switch v := v.(type) {
	case nil:
		return "NULL"
	case bool:
		if v {
			return "1"
		}
		return "0"
	case int64:
		return strconv.FormatInt(v, 10)
	case json.Number:
		if f, err := v.Float64(); err == nil && strings.ContainsAny(v.String(), ".eE") {
			return canonValue(f)
		}
		return v.String()
	case float64:
		return "f" + strconv.FormatFloat(v+0, 'g', -1, 64) // SQLite does not store -0
	case []byte:
		return strconv.Quote(string(v))
	case string:
		return strconv.Quote(v)
	case []any: // an option
		if tag, _ := v[0].(json.Number); tag == "0" {
			return canonValue(v[1])
		}
		return "NULL"
	}
	return fmt.Sprintf("%T", v)
}

func canonRowText(row []any) string {
	out := make([]string, len(row))
	for i, v := range row {
		out[i] = canonValue(v)
	}
	return strings.Join(out, ",")
}

func (o *oracle) compare(t *rapid.T, text string, ordered bool) {
	var want, got []string
	for _, row := range o.lite(t, text) {
		want = append(want, canonRowText(row))
	}
	a, err := o.ours.run(alice, text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	for _, row := range a.rows {
		dec := json.NewDecoder(strings.NewReader(row))
		dec.UseNumber()
		var v []any
		if err := dec.Decode(&v); err != nil {
			t.Fatalf("%s: %v", row, err)
		}
		got = append(got, canonRowText(v))
	}
	if !ordered {
		slices.Sort(want)
		slices.Sort(got)
	}
	if !slices.Equal(got, want) {
		plan, _ := o.ours.run(owner, "EXPLAIN "+text)
		t.Fatalf("%s\n ours   %v\n SQLite %v\n%s", text, got, want, strings.Join(plan.rows, "\n"))
	}
}

// A gen draws expressions over the relations in scope.
type gen struct {
	t    *rapid.T
	rels []string
	deep int
}

func (g *gen) pick(of ...string) string { return rapid.SampledFrom(of).Draw(g.t, "pick") }
func (g *gen) n(most int) int           { return rapid.IntRange(0, most).Draw(g.t, "n") }

func (g *gen) column(names ...string) string {
	return g.pick(g.rels...) + "." + g.pick(names...)
}

func (g *gen) number() string {
	switch g.n(6) {
	case 0:
		return "(" + g.number() + " " + g.pick("+", "-", "*") + " " + g.numberLit() + ")"
	case 1:
		return "(" + g.number() + " " + g.pick("/", "%") + " " + g.pick("2", "3", "-2") + ")"
	case 2:
		return "COALESCE(" + g.column("b") + ", " + g.number() + ")"
	case 3:
		return "(- " + g.column("a", "b") + ")"
	}
	return g.column("a", "b")
}

func (g *gen) numberLit() string { return g.pick("0", "1", "2", "-1", "3", "7") }

func (g *gen) text() string {
	switch g.n(5) {
	case 0:
		return "(" + g.text() + " || " + g.pick("'x'", g.column("s", "n")) + ")"
	case 1:
		return "CAST(" + g.column("a", "b") + " AS TEXT)"
	}
	return g.column("s", "n")
}

func (g *gen) textLit() string { return g.pick("''", "'a'", "'ab'", "'B'", "'it''s'", "'é'") }

func (g *gen) cond() string {
	g.deep++
	defer func() { g.deep-- }()
	kind := g.n(15)
	if g.deep > 3 && kind > 8 {
		kind = g.n(8)
	}
	op := g.pick("=", "<>", "<", ">", "<=", ">=", "IS DISTINCT FROM", "IS NOT DISTINCT FROM")
	not := g.pick("", "NOT ")
	switch kind {
	case 0, 1:
		return "(" + g.number() + " " + op + " " + g.pick(g.numberLit(), g.number()) + ")"
	case 2, 3:
		return "(" + g.text() + " " + op + " " + g.pick(g.textLit(), g.text()) + ")"
	case 4:
		return "(" + g.number() + " " + not + "IN (" + g.numberLit() + ", " + g.number() + ", " + g.pick("NULL", "5") + "))"
	case 5:
		return "(" + g.number() + " " + not + "BETWEEN " + g.numberLit() + " AND " + g.number() + ")"
	case 6:
		return "(" + g.text() + " " + not + "LIKE " + g.pick("'a%'", "'%b'", "'_'", "'%'", "'a_'", "'%t''_'") + ")"
	case 7:
		return "(" + g.pick(g.number(), g.text()) + " IS " + not + "NULL)"
	case 8:
		return "(" + g.column("a") + " = " + g.column("a", "b") + ")"
	case 9:
		return "(" + g.cond() + " IS " + not + g.pick("TRUE", "FALSE", "NULL") + ")"
	case 10:
		return "(NOT " + g.cond() + ")"
	case 11:
		return "(" + g.number() + " " + not + "IN (SELECT z." + g.pick("a", "b") + " FROM " + g.pick("t", "u") + " z WHERE " + (&gen{t: g.t, rels: []string{"z"}, deep: 3}).cond() + "))"
	case 12:
		return "(" + not + "EXISTS (SELECT 1 FROM " + g.pick("t", "u") + " z WHERE " + (&gen{t: g.t, rels: []string{"z"}, deep: 3}).cond() + "))"
	case 13:
		return "(" + g.number() + " " + op + " (SELECT " + g.pick("MAX", "MIN") + "(z.a) FROM " + g.pick("t", "u") + " z WHERE " + (&gen{t: g.t, rels: []string{"z"}, deep: 3}).cond() + "))"
	}
	return "(" + g.cond() + " " + g.pick("AND", "OR") + " " + g.cond() + ")"
}

func (g *gen) from() string {
	out := ""
	for i := range 1 + g.n(2) {
		alias := string(rune('p' + i))
		rel := g.pick("t", "u") + " " + alias
		g.rels = append(g.rels, alias)
		switch {
		case i == 0:
			out = rel
		default:
			on := g.column("a", "b") + " = " + alias + "." + g.pick("a", "b")
			if g.n(2) == 0 {
				on += " AND " + g.cond()
			}
			switch g.n(5) {
			case 0:
				out += ", " + rel
			case 1:
				out += " CROSS JOIN " + rel
			case 2, 3:
				out += " LEFT JOIN " + rel + " ON " + on
			default:
				out += " JOIN " + rel + " ON " + on
			}
		}
	}
	return " FROM " + out
}

func (g *gen) query() (text string, ordered bool) {
	from := g.from()
	where := ""
	if g.n(2) > 0 {
		where = " WHERE " + g.cond()
	}
	if g.n(2) == 0 {
		return g.grouped(from + where)
	}
	var items []string
	for range 1 + g.n(3) {
		items = append(items, g.pick(g.number(), g.text(), g.cond(), g.column("a", "b", "s", "n")))
	}
	list := make([]string, len(items))
	for i, x := range items {
		list[i] = fmt.Sprintf("%s AS c%d", x, i)
	}
	text = "SELECT " + g.pick("", "DISTINCT ") + strings.Join(list, ", ") + from + where
	return g.ordered(text, len(items))
}

func (g *gen) grouped(rest string) (text string, ordered bool) {
	var list, keys []string
	for i := range g.n(2) {
		key := g.pick(g.column("a"), g.column("b"), g.column("s"), g.column("n"), g.number(), g.text())
		keys = append(keys, key)
		list = append(list, fmt.Sprintf("%s AS k%d", key, i))
	}
	aggs := []string{"COUNT(*)", "COUNT(" + g.column("b", "n") + ")", "COUNT(DISTINCT " + g.column("a", "b", "s", "n") + ")", "SUM(" + g.column("a", "b") + ")", "SUM(DISTINCT " + g.column("b") + ")",
		"MIN(" + g.column("a", "b", "s", "n") + ")", "MAX(" + g.column("a", "b", "s", "n") + ")", "AVG(" + g.column("a", "b") + ")", "SUM(" + g.number() + ")"}
	for i := range 1 + g.n(2) {
		list = append(list, fmt.Sprintf("%s AS g%d", g.pick(aggs...), i))
	}
	text = "SELECT " + strings.Join(list, ", ") + rest
	if len(keys) > 0 {
		text += " GROUP BY " + strings.Join(keys, ", ")
		if g.n(2) == 0 {
			text += " HAVING " + g.pick("COUNT(*) > 1", "SUM("+g.column("a")+") > 2 OR MIN("+g.column("b")+") IS NULL")
		}
	}
	return g.ordered(text, len(list))
}

// ordered orders by every column, so that LIMIT says which rows.
func (g *gen) ordered(text string, n int) (string, bool) {
	if g.n(1) == 0 {
		return text, false
	}
	var keys []string
	for i := range n {
		keys = append(keys, fmt.Sprintf("%d %s NULLS %s", i+1, g.pick("ASC", "DESC"), g.pick("FIRST", "LAST")))
	}
	text += " ORDER BY " + strings.Join(keys, ", ")
	if g.n(2) == 0 {
		text += fmt.Sprintf(" LIMIT %d", g.n(5))
		if g.n(1) == 0 {
			text += fmt.Sprintf(" OFFSET %d", g.n(3))
		}
	}
	return text, true
}

// walk is a query whose order an index of t has.
func (g *gen) walk() string {
	where := ""
	g.rels = []string{"t"}
	switch g.n(4) {
	case 0:
		where = " WHERE " + g.cond()
	case 1:
		where = " WHERE a " + g.pick(">", ">=", "<", "<=") + " " + g.numberLit()
	case 2:
		where = " WHERE b > 0 AND a < " + g.numberLit()
	}
	if g.n(2) == 0 {
		return "SELECT " + g.pick("MIN", "MAX") + "(" + g.pick("a", "s") + ") AS m FROM t" + where
	}
	dir := g.pick("", " DESC")
	limit := fmt.Sprintf(" LIMIT %d OFFSET %d", g.n(5), g.n(3))
	return g.pick("SELECT a FROM t"+where+" ORDER BY a"+dir, "SELECT s, a FROM t"+where+" ORDER BY s"+dir+", a"+dir, "SELECT s FROM t"+where+" ORDER BY s"+dir) + limit
}

func (g *gen) row() string {
	return "(" + g.numberLit() + ", " + g.pick("NULL", g.numberLit()) + ", " + g.textLit() + ", " + g.pick("NULL", g.textLit()) + ")"
}

// Random queries, and random changes, give what SQLite gives.
func TestSQLiteAgrees(t *testing.T) {
	spec.Covers(t, "07.110", "07.101")
	o := newOracle(t)
	rapid.Check(t, func(t *rapid.T) {
		g := &gen{t: t}
		o.both(t, "DELETE FROM t")
		o.both(t, "DELETE FROM u")
		for _, table := range []string{"t", "u"} {
			seen := map[string]bool{}
			for range g.n(7) {
				// Tables are sets here, bags there.
				if row := g.row(); !seen[row] {
					seen[row] = true
					o.both(t, "INSERT INTO "+table+" (a, b, s, n) VALUES "+row)
				}
			}
		}
		for range 6 {
			q := &gen{t: t}
			text, ordered := q.query()
			o.compare(t, text, ordered)
			o.compare(t, q.walk(), true)
		}
		d := &gen{t: t, rels: []string{"t"}}
		o.both(t, "DELETE FROM t WHERE "+d.cond())
		o.compare(t, "SELECT * FROM t", false)
	})
}
