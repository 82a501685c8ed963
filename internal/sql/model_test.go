package sql

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"

	"pgregory.net/rapid"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/sats"
)

// The model evaluates queries by nested loops over decoded values. It shares
// nothing with the planner: a query is drawn as a tree that can print itself as
// SQL and decide itself for a tuple.

// A lit is a value with a literal that means it.
type lit struct {
	text  string
	value sats.Value
}

// domain lists few literals per type, so that random values often meet.
func domain(t *sats.Type) []lit {
	switch {
	case t.Kind == sats.KindBool:
		return []lit{{"TRUE", sats.BoolValue(true)}, {"false", sats.BoolValue(false)}}
	case t.Kind == sats.KindU8:
		return []lit{{"0", sats.U8Value(0)}, {"1", sats.U8Value(1)}, {"2e0", sats.U8Value(2)}, {"255", sats.U8Value(255)}}
	case t.Kind == sats.KindI32:
		return []lit{{"-1", sats.I32Value(-1)}, {"+1", sats.I32Value(1)}, {"0", sats.I32Value(0)}, {"- 2147483648", sats.I32Value(math.MinInt32)}}
	case t.Kind == sats.KindU64:
		return []lit{{"7", sats.U64Value(7)}, {"'8'", sats.U64Value(8)}, {"18446744073709551615", sats.U64Value(math.MaxUint64)}}
	case t.Kind == sats.KindF64:
		return []lit{{"0", sats.F64Value(0)}, {"1.5", sats.F64Value(1.5)}, {"-1e999", sats.F64Value(math.Inf(-1))}}
	case t.Kind == sats.KindString:
		return []lit{{"''", sats.StringValue("")}, {"'a'", sats.StringValue("a")}, {"'it''s'", sats.StringValue("it's")}, {"'é'", sats.StringValue("é")}}
	case t.IsBytes():
		return []lit{{"0x", sats.BytesValue{}}, {"0xAb", sats.BytesValue{0xab}}, {"X'ab01'", sats.BytesValue{0xab, 1}}}
	case t.Special() == sats.SpecialIdentity:
		return []lit{
			{":sender", sats.IdentityValue(alice.Identity)},
			{"0x" + owner.Identity.String(), sats.IdentityValue(owner.Identity)},
		}
	}
	return []lit{
		{"'1970-01-01T00:00:00.000001Z'", sats.TimestampValue(1)},
		{"'1969-12-31T23:59:59.9999999Z'", sats.TimestampValue(-1)},
	}
}

// stored lists what columns hold: the domain, and floats that have no literal.
func stored(t *sats.Type) []sats.Value {
	var out []sats.Value
	for _, l := range domain(t) {
		out = append(out, l.value)
	}
	if t.Kind == sats.KindF64 {
		out = append(out, sats.F64Value(math.NaN()), sats.F64Value(math.Copysign(0, -1)))
	}
	return out
}

var modelTypes = []*sats.Type{sats.Bool, sats.U8, sats.I32, sats.U64, sats.F64, sats.String, sats.Array(sats.U8), sats.IdentityType, sats.TimestampType}

func drawTable(t *rapid.T, name string) *schema.Table {
	n := rapid.IntRange(2, 4).Draw(t, name+" columns")
	out := &schema.Table{Name: name, Kind: schema.User}
	var elems []sats.Element
	for i := range n {
		// Few types, so that tables have columns to join on.
		typ := modelTypes[rapid.IntRange(0, len(modelTypes)-1).Draw(t, fmt.Sprintf("%s.c%d", name, i))]
		elems = append(elems, sats.E(fmt.Sprintf("c%d", i), typ))
		out.Cols = append(out.Cols, schema.Column{Name: elems[i].Name.Text, Type: typ})
	}
	var err error
	if out.Layout, err = sats.NewLayout(sats.Product(elems...)); err != nil {
		t.Fatal(err)
	}
	for i := range rapid.IntRange(0, 3).Draw(t, name+" indexes") {
		cols := rapid.SliceOfNDistinct(rapid.IntRange(0, n-1), 1, min(n, 3), rapid.ID[int]).Draw(t, "index")
		ix := &schema.Index{Name: fmt.Sprintf("%s_ix%d", name, i), Algo: rapid.SampledFrom([]schema.Algo{schema.BTree, schema.Hash}).Draw(t, "algo")}
		for _, c := range cols {
			ix.Cols = append(ix.Cols, schema.ColID(c))
		}
		if rapid.IntRange(0, 3).Draw(t, "unique") == 0 && !out.IsUnique(ix.Cols) {
			ix.Unique = true
			out.Constraints = append(out.Constraints, &schema.Constraint{Name: ix.Name + "_key", Cols: slices.Sorted(slices.Values(ix.Cols))})
		}
		out.Indexes = append(out.Indexes, ix)
	}
	return out
}

func drawRow(t *rapid.T, table *schema.Table) []byte {
	var row sats.ProductValue
	for _, c := range table.Cols {
		row = append(row, rapid.SampledFrom(stored(c.Type)).Draw(t, c.Name))
	}
	return encode(t, table.RowType(), row)
}

func encode(t *rapid.T, typ *sats.Type, v sats.Value) []byte {
	b, err := sats.EncodeValue(nil, &sats.Typespace{}, typ, v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A modelRow is a row both ways.
type modelRow struct {
	bytes  []byte
	values []sats.Value
}

func modelRows(t *rapid.T, r store.Reader, table *schema.Table) (out []modelRow) {
	for b := range r.Scan(table.ID) {
		v, err := sats.DecodeValue(sats.NewReader(b), &sats.Typespace{}, table.RowType())
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, modelRow{bytes.Clone(b), v.(sats.ProductValue)})
	}
	return out
}

// A cond is a drawn condition.
type cond struct {
	text string
	eval func(tuple []modelRow) bool
}

type modelRel struct {
	alias string
	table *schema.Table
	on    cond
}

type modelQuery struct {
	rels  []modelRel
	ret   int
	where *cond
}

func drawQuery(t *rapid.T, tables []*schema.Table, maxRels int) *modelQuery {
	q := &modelQuery{}
	n := rapid.IntRange(1, maxRels).Draw(t, "relations")
	for i := range n {
		rel := modelRel{alias: string(rune('a' + i)), table: rapid.SampledFrom(tables).Draw(t, "table")}
		q.rels = append(q.rels, rel)
		if i > 0 && rapid.IntRange(0, 9).Draw(t, "on") < 8 {
			q.rels[i].on = q.drawOn(t, i)
		}
	}
	q.ret = rapid.IntRange(0, n-1).Draw(t, "returned")
	if rapid.IntRange(0, 3).Draw(t, "where") > 0 {
		c := q.drawCond(t, 3)
		q.where = &c
	}
	return q
}

// drawOn equates columns of relation i and an earlier one, if any types agree.
func (q *modelQuery) drawOn(t *rapid.T, i int) cond {
	type pair struct{ rel, col, own int }
	var pairs []pair
	for rel := range i {
		for col, c := range q.rels[rel].table.Cols {
			for own, o := range q.rels[i].table.Cols {
				if c.Type.Equal(o.Type) {
					pairs = append(pairs, pair{rel, col, own})
				}
			}
		}
	}
	if len(pairs) == 0 {
		return cond{}
	}
	p := rapid.SampledFrom(pairs).Draw(t, "pair")
	l := fmt.Sprintf("%s.c%d", q.rels[p.rel].alias, p.col)
	r := fmt.Sprintf("%s.c%d", q.rels[i].alias, p.own)
	if rapid.Bool().Draw(t, "flip") {
		l, r = r, l
	}
	return cond{l + " = " + r, func(tu []modelRow) bool {
		return sats.Compare(tu[p.rel].values[p.col], tu[i].values[p.own]) == 0
	}}
}

func (q *modelQuery) drawCond(t *rapid.T, depth int) cond {
	kind := rapid.IntRange(0, 9).Draw(t, "condition")
	if depth == 0 && kind >= 6 {
		kind = 0
	}
	switch {
	case kind == 5:
		v := rapid.Bool().Draw(t, "constant")
		return cond{strings.ToUpper(fmt.Sprint(v)), func([]modelRow) bool { return v }}
	case kind == 6:
		x := q.drawCond(t, depth-1)
		return cond{"NOT (" + x.text + ")", func(tu []modelRow) bool { return !x.eval(tu) }}
	case kind >= 7:
		l, r := q.drawCond(t, depth-1), q.drawCond(t, depth-1)
		if kind == 7 {
			return cond{"(" + l.text + ") OR (" + r.text + ")", func(tu []modelRow) bool { return l.eval(tu) || r.eval(tu) }}
		}
		return cond{"(" + l.text + ") AND (" + r.text + ")", func(tu []modelRow) bool { return l.eval(tu) && r.eval(tu) }}
	}
	return q.drawComparison(t, kind)
}

func (q *modelQuery) drawComparison(t *rapid.T, kind int) cond {
	rel := rapid.IntRange(0, len(q.rels)-1).Draw(t, "rel")
	col := rapid.IntRange(0, len(q.rels[rel].table.Cols)-1).Draw(t, "col")
	typ := q.rels[rel].table.Cols[col].Type
	name := fmt.Sprintf("%s.c%d", q.rels[rel].alias, col)
	get := func(tu []modelRow) sats.Value { return tu[rel].values[col] }
	if typ.Kind == sats.KindBool && kind == 4 {
		return cond{name, func(tu []modelRow) bool { return get(tu) == sats.Value(sats.BoolValue(true)) }}
	}
	ops := []string{"=", "=", "=", "==", "<>", "!=", "<", ">", "<=", ">="}
	op := rapid.SampledFrom(ops).Draw(t, "op")
	holds := func(a, b sats.Value) bool {
		switch c := sats.Compare(a, b); op {
		case "=", "==":
			return c == 0
		case "<>", "!=":
			return c != 0
		case "<":
			return c < 0
		case ">":
			return c > 0
		case "<=":
			return c <= 0
		default:
			return c >= 0
		}
	}
	if kind == 3 {
		for own, o := range q.rels[rel].table.Cols {
			if own != col && o.Type.Equal(typ) {
				other := fmt.Sprintf("%s.c%d", q.rels[rel].alias, own)
				return cond{name + " " + op + " " + other, func(tu []modelRow) bool { return holds(get(tu), tu[rel].values[own]) }}
			}
		}
	}
	l := rapid.SampledFrom(domain(typ)).Draw(t, "literal")
	if kind == 2 {
		return cond{l.text + " " + op + " " + name, func(tu []modelRow) bool { return holds(l.value, get(tu)) }}
	}
	return cond{name + " " + op + " " + l.text, func(tu []modelRow) bool { return holds(get(tu), l.value) }}
}

func (q *modelQuery) from() string {
	var b strings.Builder
	b.WriteString(" FROM ")
	for i, r := range q.rels {
		if i > 0 {
			b.WriteString(" JOIN ")
		}
		b.WriteString(r.table.Name + " AS " + r.alias)
		if r.on.text != "" {
			b.WriteString(" ON " + r.on.text)
		}
	}
	if q.where != nil {
		b.WriteString(" WHERE " + q.where.text)
	}
	return b.String()
}

func (q *modelQuery) text() string { return "SELECT " + q.rels[q.ret].alias + ".*" + q.from() }

// tuples calls f for every combination that the query keeps. rows gives the rows
// of the i-th relation.
func (q *modelQuery) tuples(rows func(i int) []modelRow, f func(tuple []modelRow)) {
	tuple := make([]modelRow, len(q.rels))
	var bind func(i int)
	bind = func(i int) {
		if i == len(q.rels) {
			if q.where == nil || q.where.eval(tuple) {
				f(tuple)
			}
			return
		}
		for _, row := range rows(i) {
			tuple[i] = row
			if q.rels[i].on.eval == nil || q.rels[i].on.eval(tuple) {
				bind(i + 1)
			}
		}
	}
	bind(0)
}

// A rowBag counts rows by their bytes.
type rowBag map[string]int

func (b rowBag) add(row []byte, n int) {
	k := string(row)
	if b[k] += n; b[k] == 0 {
		delete(b, k)
	}
}

func (b rowBag) equal(c rowBag) bool {
	if len(b) != len(c) {
		return false
	}
	for k, n := range b {
		if c[k] != n {
			return false
		}
	}
	return true
}

func (b rowBag) String() string {
	var out []string
	for k, n := range b {
		out = append(out, fmt.Sprintf("%d×%x", n, k))
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func (q *modelQuery) result(t *rapid.T, r store.Reader) rowBag {
	out := rowBag{}
	q.tuples(func(i int) []modelRow { return modelRows(t, r, q.rels[i].table) }, func(tu []modelRow) { out.add(tu[q.ret].bytes, 1) })
	return out
}

// drawStore makes a store with some tables and rows.
func drawStore(t *rapid.T) (*store.Store, []*schema.Table) {
	s := store.New(store.Options{})
	tx := s.Begin()
	var tables []*schema.Table
	for _, name := range []string{"t", "s"} {
		table, err := tx.CreateTable(drawTable(t, name))
		if err != nil {
			t.Fatal(err)
		}
		tables = append(tables, table)
		for range rapid.IntRange(0, 8).Draw(t, name+" rows") {
			insertDrawn(t, tx, table)
		}
	}
	tx.Commit(nil)
	return s, tables
}

// insertDrawn inserts a random row; a unique index may refuse it.
func insertDrawn(t *rapid.T, tx *store.Tx, table *schema.Table) {
	if _, _, err := tx.Insert(table.ID, drawRow(t, table)); err != nil && !strings.Contains(err.Error(), "Unique constraint") {
		t.Fatal(err)
	}
}
