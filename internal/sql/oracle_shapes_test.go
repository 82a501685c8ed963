package sql

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/sats"
)

// The shapes of oracle_test.go are those of one table and its copies. Here are two
// tables that differ, with floats, keys and columns found without their table's name;
// joins of which any may be a LEFT JOIN on anything; sub-selects that group, order and
// join; and the statements that write.

func newShapes(t testing.TB) *oracle {
	o := openOracle(t, "CREATE TABLE v (id INTEGER PRIMARY KEY, k INTEGER NOT NULL, o INTEGER, f REAL NOT NULL, g REAL)", "CREATE TABLE w (wid INTEGER PRIMARY KEY, ref INTEGER, name TEXT NOT NULL, tag TEXT)")
	o.ours = newDatabase(t,
		tableSpec{name: "v", pk: "id", index: []string{"k", "o", "k,o", "f"}, cols: []sats.Element{sats.E("id", sats.I64), sats.E("k", sats.I64), sats.E("o", sats.Option(sats.I64)), sats.E("f", sats.F64), sats.E("g", sats.Option(sats.F64))}},
		tableSpec{name: "w", pk: "wid", index: []string{"ref", "name", "tag,ref"}, cols: []sats.Element{sats.E("wid", sats.I64), sats.E("ref", sats.Option(sats.I64)), sats.E("name", sats.String), sats.E("tag", sats.Option(sats.String))}})
	return o
}

// A shape draws a query over relations of v and w.
type shape struct {
	*gen
	v, w []string // aliases
	last int
	only string // the table that sub-selects read: SQLite's of an UPDATE may see what it has changed
	deep int
	bare bool // all relations are there: names that are unique need no alias
}

func newShape(t *rapid.T) *shape { return &shape{gen: &gen{t: t}} }

func (s *shape) below() *shape {
	return &shape{gen: s.gen, last: s.last, deep: s.deep + 1, only: s.only}
}

func (s *shape) alias() string {
	s.last++
	return fmt.Sprintf("r%d_%d", s.deep, s.last)
}

// of is a column of one of the relations, often without the alias if there is one only.
func (s *shape) of(aliases []string, cols ...string) string {
	col := s.pick(cols...)
	if s.bare && len(aliases) == 1 && s.n(1) == 0 {
		return col
	}
	return s.pick(aliases...) + "." + col
}

func (s *shape) enter() bool { s.deep++; return s.deep < 5 }
func (s *shape) leave()      { s.deep-- }

func (s *shape) int() string {
	defer s.leave()
	deeper := s.enter()
	kind := s.n(10)
	if deeper {
		switch kind {
		case 0:
			return "(" + s.int() + s.pick(" + ", " - ", " * ") + s.int() + ")"
		case 1:
			return "(" + s.int() + s.pick(" / ", " % ") + s.pick("2", "-3", "7") + ")"
		case 2:
			return "COALESCE(" + s.int() + ", " + s.int() + ", 4)"
		case 3:
			return "CAST(" + s.bool() + " AS BIGINT)"
		case 4:
			return "CAST(" + s.float() + " AS BIGINT)"
		case 5:
			z := s.below()
			from := z.from(2)
			return "(SELECT " + s.pick("MIN", "MAX") + "(" + z.int() + ")" + from + z.where() + ")"
		case 6:
			z := s.below()
			from := z.from(1)
			return "(SELECT " + z.intCol() + from + z.where() + " ORDER BY 1 NULLS " + s.pick("FIRST", "LAST") + " LIMIT 1 OFFSET " + s.pick("0", "1") + ")"
		case 7:
			z := s.below()
			from := z.from(2)
			return "CAST((SELECT COUNT(" + s.pick("*", z.int(), "DISTINCT "+z.int()) + ")" + from + z.where() + ") AS BIGINT)"
		}
	}
	if kind == 8 {
		return "CAST(" + s.numberLit() + " AS BIGINT)" // as with floats
	}
	return s.intCol()
}

func (s *shape) intCol() string {
	if len(s.v) > 0 && (len(s.w) == 0 || s.n(1) == 0) {
		return s.of(s.v, "id", "k", "o")
	}
	return s.of(s.w, "wid", "ref")
}

func (s *shape) float() string {
	defer s.leave()
	deeper := s.enter()
	switch kind := s.n(6); {
	case kind == 0 && deeper:
		return "(" + s.float() + s.pick(" + ", " - ", " * ") + s.float() + ")"
	case kind == 1 && deeper:
		return "(" + s.float() + " / " + s.pick("2.0", "-0.5", "4.0") + ")"
	case kind == 2 && deeper:
		return "CAST(" + s.int() + " AS DOUBLE)"
	case kind == 3 || len(s.v) == 0:
		return "CAST(" + s.floatLit() + " AS DOUBLE)" // a bare one has the type of what is around it
	case kind == 4 && deeper:
		return "COALESCE(" + s.of(s.v, "g") + ", " + s.float() + ")"
	}
	return s.of(s.v, "f", "g")
}

func (s *shape) floatLit() string { return s.pick("0.5", "-1.25", "2.0", "0.0") }

func (s *shape) text() string {
	defer s.leave()
	deeper := s.enter()
	switch kind := s.n(5); {
	case kind == 0 && deeper:
		return "(" + s.text() + " || " + s.text() + ")"
	case kind == 1 && deeper:
		return "CAST(" + s.int() + " AS TEXT)"
	case kind == 2 && deeper:
		z := s.below()
		z.w = []string{"z"}
		return "(SELECT " + s.pick("MIN", "MAX") + "(" + z.text() + ") FROM w z" + z.where() + ")"
	case kind == 3 || len(s.w) == 0:
		return s.textLit()
	}
	return s.of(s.w, "name", "tag")
}

// typed is two operands of one type, one of which has it from a column.
func (s *shape) typed() (a, b, c string) {
	switch kind := s.n(3); {
	case kind == 0 && len(s.v) > 0:
		return s.of(s.v, "f", "g"), s.pick(s.floatLit(), s.float()), s.float()
	case kind == 1 && len(s.w) > 0:
		return s.of(s.w, "name", "tag"), s.text(), s.text()
	}
	return s.intCol(), s.pick(s.numberLit(), s.int()), s.int()
}

func (s *shape) bool() string {
	defer s.leave()
	deeper := s.enter()
	kind := s.n(13)
	if !deeper && kind > 5 {
		kind -= 8
	}
	not := s.pick("", "NOT ")
	a, b, c := s.typed()
	op := s.pick("=", "<>", "<", ">", "<=", ">=", "IS DISTINCT FROM", "IS NOT DISTINCT FROM")
	switch kind {
	case 6:
		return "(" + s.bool() + " AND " + s.bool() + ")"
	case 7:
		return "(" + s.bool() + " OR " + s.bool() + ")"
	case 8:
		return "(NOT " + s.bool() + ")"
	case 9:
		return "(" + s.bool() + " " + s.pick("=", "<>", "<", "IS DISTINCT FROM") + " " + s.bool() + ")"
	case 10:
		z := s.below()
		from := z.from(2)
		return "(" + s.intCol() + " " + not + "IN (SELECT " + z.intCol() + from + z.where() + s.pick("", " ORDER BY 1 NULLS LAST LIMIT 2") + "))"
	case 11:
		z := s.below()
		from := z.from(1)
		key := z.intCol()
		return "(" + s.intCol() + " " + not + "IN (SELECT " + s.pick("MAX", "MIN") + "(" + z.intCol() + ")" + from + z.where() + " GROUP BY " + key + " HAVING COUNT(*) " + s.pick(">", "<=") + " 1))"
	case 12:
		z := s.below()
		return "(" + not + "EXISTS (SELECT " + s.pick("1", "*") + z.from(2) + z.where() + s.pick("", " LIMIT 1 OFFSET 1", " LIMIT 0") + "))"
	case 0:
		return "(" + a + " " + not + "BETWEEN " + b + " AND " + c + ")"
	case 1:
		return "(" + a + " " + not + "IN (" + b + ", " + c + ", " + a + "))"
	case 2:
		return "(" + a + " IS " + not + "NULL)"
	case 3:
		return "(" + s.text() + " " + not + "LIKE " + s.pick("'a!%%' ESCAPE '!'", "'%!_%' ESCAPE '!'", "'_%a'", "'%'", "'%b_'", "'é%'") + ")"
	case 4:
		return "((" + a + " " + op + " " + b + ") IS " + not + s.pick("TRUE", "FALSE", "NULL") + ")"
	}
	return "(" + a + " " + op + " " + b + ")"
}

func (s *shape) where() string {
	if s.n(2) == 0 {
		return ""
	}
	return " WHERE " + s.bool()
}

// from brings one to most relations into scope. Conditions of ON see what is to their
// left.
func (s *shape) from(most int) string {
	s.bare = false
	out := " FROM "
	for i := range 1 + s.n(most-1) {
		alias := s.alias()
		table := s.pick("v", "w")
		if s.only != "" {
			table = s.only
		}
		if table == "v" {
			s.v = append(s.v, alias)
		} else {
			s.w = append(s.w, alias)
		}
		rel := table + s.pick(" ", " AS ") + alias
		if i == 0 {
			out += rel
			continue
		}
		own := alias + "." + map[string]string{"v": s.pick("id", "k", "o"), "w": s.pick("wid", "ref")}[table]
		on := own + " = " + s.intCol()
		switch s.n(4) {
		case 0:
			on += " AND " + s.bool()
		case 1:
			on = s.bool()
		case 2:
			on = "(" + on + " OR " + s.bool() + ")"
		}
		switch s.n(5) {
		case 0:
			out += " CROSS JOIN " + rel
		case 1, 2, 3:
			out += s.pick(" LEFT JOIN ", " LEFT OUTER JOIN ") + rel + " ON " + on
		default:
			out += s.pick(" JOIN ", " INNER JOIN ") + rel + " ON " + on
		}
	}
	s.bare = true
	return out
}

func (s *shape) any() string {
	switch s.n(3) {
	case 0:
		return s.int()
	case 1:
		return s.float()
	case 2:
		return s.text()
	}
	return s.bool()
}

func (s *shape) agg() string {
	switch s.n(5) {
	case 0:
		return "COUNT(" + s.pick("*", s.any(), "DISTINCT "+s.any()) + ")"
	case 1:
		return "SUM(" + s.pick("", "DISTINCT ") + s.pick(s.int(), s.float()) + ")"
	case 2:
		return "AVG(" + s.pick("", "DISTINCT ") + s.pick(s.int(), s.float()) + ")"
	}
	return s.pick("MIN", "MAX") + "(" + s.any() + ")"
}

func (s *shape) query() (string, bool) {
	from := s.from(4)
	rest := from + s.where()
	switch s.n(3) {
	case 0:
		return s.groupedQuery(rest)
	case 1:
		return "SELECT *" + rest, false
	}
	var list []string
	for i := range 1 + s.n(3) {
		list = append(list, fmt.Sprintf("%s AS c%d", s.any(), i))
	}
	distinct := s.pick("", "DISTINCT ", "ALL ")
	text := "SELECT " + distinct + strings.Join(list, ", ") + rest
	first := ""
	if distinct != "DISTINCT " && s.n(1) == 0 {
		first = s.int() + " + 0 " + s.pick("", "DESC ") + "NULLS LAST, " // of the input, not of the output
	}
	return s.orderedBy(text, first, len(list))
}

func (s *shape) groupedQuery(rest string) (string, bool) {
	var list, keys, by []string
	for i := range s.n(3) {
		key := s.any()
		keys = append(keys, key)
		list = append(list, fmt.Sprintf("%s AS k%d", key, i))
		by = append(by, s.pick(fmt.Sprint(i+1), fmt.Sprintf("k%d", i)))
	}
	for i := range 1 + s.n(2) {
		list = append(list, fmt.Sprintf("%s AS g%d", s.agg(), i))
	}
	text := "SELECT " + s.pick("", "DISTINCT ") + strings.Join(list, ", ") + rest
	if len(keys) > 0 {
		text += " GROUP BY " + strings.Join(by, ", ")
		if s.n(1) == 0 {
			text += " HAVING " + s.pick("COUNT(*) > 1", "NOT (COUNT("+s.any()+") <= 1)", "MAX("+s.intCol()+") BETWEEN 1 AND 5", "MIN("+s.intCol()+") IS NULL OR COUNT(DISTINCT "+s.intCol()+") > 1", keys[0]+" IS NOT NULL")
		}
	}
	return s.orderedBy(text, "", len(list))
}

func (s *shape) orderedBy(text, first string, n int) (string, bool) {
	if first == "" && s.n(1) == 0 {
		return text, false
	}
	var keys []string
	for i := range n {
		keys = append(keys, fmt.Sprintf("%d %s NULLS %s", i+1, s.pick("ASC", "DESC"), s.pick("FIRST", "LAST")))
	}
	text += " ORDER BY " + first + strings.Join(keys, ", ")
	if s.n(1) == 0 {
		text += fmt.Sprintf(" LIMIT %d OFFSET %d", s.n(6), s.n(3))
	}
	return text, true
}

// write draws a change of both tables, as ours and as SQLite's text.
func (s *shape) write() (ours, lite string) {
	s.v, s.only = []string{"v"}, "w"
	cond := func() string { return s.bool() }
	switch s.n(4) {
	case 0:
		z := s.below()
		z.v, z.only = []string{"z"}, "v"
		return z.same("INSERT INTO w (wid, ref, tag, name) SELECT id + 100, " + z.int() + ", " + s.pick("NULL", "'t'") + ", 'n' || CAST(k AS TEXT) FROM v z" + z.where())
	case 1:
		return s.same("UPDATE v SET k = COALESCE(" + s.int() + ", 0) % 5, o = " + s.int() + " % 5, g = " + s.float() + " WHERE " + cond())
	case 2:
		return s.same("UPDATE v SET k = w.wid, g = " + s.float() + ", o = w.ref FROM w WHERE w.wid = v.id AND " + cond())
	case 3:
		s.w = []string{"w"}
		c := cond()
		return "DELETE FROM v USING w WHERE " + c, "DELETE FROM v WHERE EXISTS (SELECT 1 FROM w WHERE " + c + ")"
	}
	return s.same("DELETE FROM v WHERE " + cond())
}

func (s *shape) same(text string) (string, string) { return text, text }

// Random queries of more shapes, and random writes, give what SQLite gives.
func TestSQLiteAgreesOnShapes(t *testing.T) {
	spec.Covers(t, "07.110")
	o := newShapes(t)
	rapid.Check(t, func(t *rapid.T) {
		s := newShape(t)
		o.both(t, "DELETE FROM v")
		o.both(t, "DELETE FROM w")
		for i := range s.n(6) {
			o.both(t, fmt.Sprintf("INSERT INTO v (id, k, o, f, g) VALUES (%d, %s, %s, %s, %s)", i, s.numberLit(), s.pick("NULL", s.numberLit()), s.pick("0.5", "-1.25", "2.0"), s.pick("NULL", "0.5", "3.0")))
		}
		for i := range s.n(6) {
			o.both(t, fmt.Sprintf("INSERT INTO w (wid, ref, name, tag) VALUES (%d, %s, %s, %s)", i, s.pick("NULL", s.numberLit()), s.textLit(), s.pick("NULL", s.textLit())))
		}
		for range 5 {
			text, ordered := newShape(t).query()
			o.compare(t, text, ordered)
		}
		for range 2 {
			o.both(t, "DELETE FROM w WHERE wid >= 100")
			ours, lite := newShape(t).write()
			o.lite(t, lite)
			if a, err := o.ours.run(owner, ours); err != nil {
				t.Fatalf("%s: %v %v", ours, a, err)
			}
			t.Log(ours)
			o.compare(t, "SELECT * FROM v", false)
			o.compare(t, "SELECT * FROM w", false)
		}
	})
}
