package sql

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/query"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/sats"
)

// exampleDB is the table of the examples of spec 07 §34.15.
func exampleDB(t testing.TB) *database {
	st := sats.Sum(sats.E("Idle", sats.Unit), sats.E("Busy", sats.Unit))
	db := newDatabase(t,
		tableSpec{name: "p", cols: []sats.Element{
			sats.E("id", sats.U32), sats.E("team", sats.Option(sats.String)), sats.E("hp", sats.I32), sats.E("st", st), sats.E("at", sats.TimestampType),
		}, pk: "id"},
		tableSpec{name: "b", cols: []sats.Element{sats.E("u8", sats.U8)}},
		tableSpec{name: "empty", cols: []sats.Element{sats.E("n", sats.I32), sats.E("o", sats.Option(sats.I32))}},
		tableSpec{name: "secret", cols: []sats.Element{sats.E("n", sats.I32)}, private: true},
		tableSpec{name: "big", cols: []sats.Element{sats.E("n", sats.U32), sats.E("f", sats.F64), sats.E("w", sats.I256Type)}})
	db.insert("p", `[1,{"some":"a"},5,{"Idle":[]},[0]]`, `[2,{"none":[]},-3,{"Busy":[]},[1000000]]`, `[3,{"some":"a"},9,{"Busy":[]},[2000000]]`, `[4,{"some":"b"},5,{"Idle":[]},[3000000]]`)
	db.insert("b", "[200]")
	return db
}

func (db *database) expect(t *testing.T, c Caller, table [][2]string) {
	t.Helper()
	for _, tt := range table {
		if got := db.outcome(c, tt[0]); got != tt[1] {
			t.Errorf("%s\n got %s\nwant %s", tt[0], got, tt[1])
		}
	}
}

// columns is the result type of a statement.
func (db *database) columns(t *testing.T, text string) string {
	t.Helper()
	a, err := db.run(owner, text)
	if err != nil {
		t.Errorf("%s: %v", text, err)
	}
	var out []string
	for _, c := range a.cols {
		name := "-"
		if c.Name.Set {
			name = c.Name.Text
		}
		out = append(out, name+" "+c.Type.String())
	}
	return strings.Join(out, ", ")
}

func TestSupersetExamples(t *testing.T) {
	db := exampleDB(t)
	const some, none = `[0,"a"]`, `[1,[]]`
	db.expect(t, alice, [][2]string{
		{"SELECT id FROM p WHERE team <> 'a'", "[4]"},
		{"SELECT id FROM p WHERE team IS DISTINCT FROM 'a' ORDER BY id", "[2] [4]"},
		{"SELECT id FROM p WHERE NOT (team = 'a') OR st = 'Busy' ORDER BY id DESC", "[4] [3] [2]"},
		{"SELECT id FROM p ORDER BY team DESC, hp", "[2] [4] [1] [3]"},
		{"SELECT hp FROM p ORDER BY hp LIMIT 2 OFFSET 1", "[5] [5]"},
		{"SELECT hp FROM p ORDER BY hp OFFSET 1 LIMIT 2", "[5] [5]"},
		{"SELECT team, COUNT(*) AS n, SUM(hp), MAX(hp) AS m FROM p GROUP BY team ORDER BY n DESC, team",
			"[" + some + `,2,14,9] [[0,"b"],1,5,5] [` + none + ",1,-3,-3]"},
		{"SELECT SUM(hp) AS s, AVG(hp) AS a FROM p WHERE id > 9", "[" + none + "," + none + "]"},
		{"SELECT AVG(hp) FROM p", "[[0,4.0]]"},
		{"SELECT DISTINCT st FROM p ORDER BY st", "[[0,[]]] [[1,[]]]"},
		{"SELECT a.id, b.id AS o FROM p a LEFT JOIN p b ON a.team = b.team AND a.id < b.id ORDER BY 1", "[1,[0,3]] [2,[1,[]]] [3,[1,[]]] [4,[1,[]]]"},
		{"SELECT u8 + 100 AS x FROM b", "Arithmetic overflow in expression of type `U8`"},
		{"SELECT CAST(u8 AS I32) + 100 AS x FROM b", "[300]"},
		{"SELECT id FROM p WHERE hp = (SELECT MAX(hp) FROM p)", "[3]"},
	})
	for text, want := range map[string]string{
		"SELECT team, COUNT(*) AS n, SUM(hp), MAX(hp) AS m FROM p GROUP BY team":                   "team (some: String | none: ()), n U64, sum I64, m I32",
		"SELECT SUM(hp) AS s, AVG(hp) AS a FROM p":                                                 "s (some: I64 | none: ()), a (some: F64 | none: ())",
		"SELECT AVG(hp) FROM p":                                                                    "avg (some: F64 | none: ())",
		"SELECT CAST(u8 AS I32) + 100 AS x FROM b":                                                 "x I32",
		"SELECT 1, 'x', 0xff, 1.5, TRUE, 99999999999999999999 AS n":                                "- I64, - String, - Array<U8>, - F64, - Bool, n I128",
		"SELECT COUNT(*), COUNT(team), MIN(id), MIN(id) FROM p":                                    "count U64, count U64, min (some: U32 | none: ()), min (some: U32 | none: ())",
		"SELECT *, hp + 1 FROM p a JOIN b ON TRUE":                                                 "id U32, team (some: String | none: ()), hp I32, st (Idle: () | Busy: ()), at (__timestamp_micros_since_unix_epoch__: I64), u8 U8, - I32",
		"SELECT q.* FROM b LEFT JOIN p q ON FALSE":                                                 "id (some: U32 | none: ()), team (some: String | none: ()), hp (some: I32 | none: ()), st (some: (Idle: () | Busy: ()) | none: ()), at (some: (__timestamp_micros_since_unix_epoch__: I64) | none: ())",
		"SELECT at - at AS d, at + '1.5', COALESCE(team, 'x'), team || 'x' FROM p":                 "d (__time_duration_micros__: I64), - (__timestamp_micros_since_unix_epoch__: I64), - String, - (some: String | none: ())",
		"SELECT (SELECT hp FROM p LIMIT 1), EXISTS (SELECT 1), :sender AS me, team IS NULL FROM p": "- (some: I32 | none: ()), - Bool, me (__identity__: U256), - Bool",
	} {
		if got := db.columns(t, text); got != want {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
		}
	}
	db.expect(t, owner, [][2]string{
		{"INSERT INTO p (hp, id, st, at) VALUES (1, 5, 'Idle', '2020-01-01T00:00:00Z')", "inserted 1, updated 0, deleted 0"},
		{"SELECT team FROM p WHERE id = 5", "[" + none + "]"},
		{"UPDATE p SET hp = hp + 1, team = NULL WHERE st IN ('Busy')", "inserted 0, updated 2, deleted 0"},
		{"SELECT id, team, hp FROM p WHERE st = 'Busy' ORDER BY id", "[2," + none + ",-2] [3," + none + ",10]"},
	})
}

// A column named like a function is a column.
func TestFunctionNamesAreNames(t *testing.T) {
	db := newDatabase(t, tableSpec{name: "t", cols: []sats.Element{sats.E("count", sats.U32), sats.E("default", sats.U32), sats.E("nulls", sats.U32), sats.E("not", sats.U32)}})
	db.insert("t", "[7,8,9,10]")
	db.expect(t, owner, [][2]string{
		{"SELECT count FROM t", "[7]"}, {"SELECT COUNT(*) FROM t", "[1]"}, {"SELECT count, default, nulls FROM t ORDER BY count, nulls", "[7,8,9]"},
		{"SELECT count not FROM t", "[7]"}, {"SELECT count explain2 FROM t", "[7]"}, {"SELECT t.not FROM t", "[10]"},
		{"UPDATE t SET default = default + 1", "inserted 0, updated 1, deleted 0"}, {"SELECT default FROM t", "[9]"},
	})
	if got := db.columns(t, "SELECT COUNT(*) FROM t"); got != "count U64" {
		t.Error(got)
	}
}

// What must stay refused (spec 07 §34.2).
func TestStaysRefused(t *testing.T) {
	spec.Covers(t, "07.102", "07.70")
	db := exampleDB(t)
	noTable := "no such table: `secret`. If the table exists, it may be marked private."
	db.expect(t, alice, [][2]string{
		{"SELECT CASE WHEN TRUE THEN 1 END FROM p", "Unsupported projection expression: CASE WHEN TRUE THEN 1 END"},
		{"SELECT id FROM p WHERE CASE WHEN TRUE THEN TRUE END", "Unsupported expression: CASE WHEN TRUE THEN TRUE END"},
		{"SELECT id FROM p WHERE id = $1", "Unsupported literal expression: $1"},
		{"SELECT id FROM p WHERE id = ?", "Unsupported literal expression: ?"},
		{"SELECT id FROM p WHERE id = :other", "Unsupported literal expression: :other"},
		{"SELECT id FROM p WHERE team = NULL", "Unsupported literal expression: NULL"},
		{"SELECT id FROM p WHERE NULL <> team", "Unsupported literal expression: NULL"},
		{"SELECT team = NULL FROM p", "Unsupported literal expression: NULL"},
		{"SELECT id FROM p; SELECT id FROM p", "Multiple SQL statements are not supported"},
		{"SELECT id FROM p END", "sql parser error: Expected end of statement, found: END at Line: 1, Column 18"},
		{"SELECT id FROM p LEFT JOIN secret ON TRUE", noTable}, {"SELECT id FROM p, secret", noTable},
		{"SELECT id FROM p WHERE id IN (SELECT n FROM secret)", noTable}, {"SELECT id FROM p WHERE EXISTS (SELECT 1 FROM secret)", noTable},
		{"SELECT (SELECT n FROM secret)", noTable}, {"INSERT INTO b SELECT n FROM secret", noTable},
		{"SELECT 1 FROM p RIGHT JOIN b ON TRUE", "Non-inner joins are not supported"}, {"SELECT 1 FROM p FULL JOIN b ON TRUE", "Non-inner joins are not supported"},
		{"SELECT 1 FROM p JOIN b USING (id)", "Non-inner joins are not supported"}, {"SELECT 1 FROM p UNION SELECT 1", "Unsupported: SELECT 1 FROM p UNION SELECT 1"},
		{"SELECT 1 FROM (SELECT 1) x", "Unsupported FROM expression: (SELECT 1) x"},
		{"SELECT id FROM p a WHERE EXISTS (SELECT 1 FROM b WHERE a.id = 1)", "`a` is not in scope"},
		{"SELECT COUNT(*) OVER () AS n FROM p", "Unsupported aggregate function: COUNT(*) OVER ()"},
		{"SELECT lower(team) AS n, id FROM p", "Unsupported projection expression: lower(team)"},
		{"UPDATE p SET hp = 1", "Caller " + alice.Identity.String() + " is not authorized to run SQL DML statements"},
		{"INSERT INTO b SELECT u8 FROM b", "Caller " + alice.Identity.String() + " is not authorized to run SQL DML statements"},
		{"EXPLAIN DELETE FROM p", "Caller " + alice.Identity.String() + " is not authorized to run SQL DML statements"},
	})
}

func TestThreeValuedLogic(t *testing.T) {
	spec.Covers(t, "07.104")
	o := sats.Option(sats.Bool)
	db := newDatabase(t, tableSpec{name: "t", cols: []sats.Element{sats.E("a", o), sats.E("b", o)}}, tableSpec{name: "n", cols: []sats.Element{sats.E("x", sats.Option(sats.I32)), sats.E("y", sats.I32)}},
		tableSpec{name: "e", cols: []sats.Element{sats.E("x", sats.Option(sats.I32))}})
	v := map[string]string{"T": "[0,true]", "F": "[0,false]", "N": "[1,[]]"}
	and := map[string]string{"TT": "T", "TF": "F", "TN": "N", "FF": "F", "FN": "F", "NN": "N", "FT": "F", "NT": "N", "NF": "F"}
	or := map[string]string{"TT": "T", "TF": "T", "TN": "T", "FF": "F", "FN": "N", "NN": "N", "FT": "T", "NT": "T", "NF": "N"}
	not := map[string]string{"T": "F", "F": "T", "N": "N"}
	for _, a := range []string{"T", "F", "N"} {
		for _, b := range []string{"T", "F", "N"} {
			db.outcome(owner, "DELETE FROM t")
			db.insert("t", "["+v[a]+","+v[b]+"]")
			want := "[" + v[and[a+b]] + "," + v[or[a+b]] + "," + v[not[a]] + "]"
			if got := db.outcome(alice, "SELECT a AND b, a OR b, NOT a FROM t"); got != want {
				t.Errorf("%s %s: %s, want %s", a, b, got, want)
			}
			// As conditions: a row passes if TRUE, and NOT passes if FALSE.
			for cond, val := range map[string]string{"a AND b": and[a+b], "a OR b": or[a+b], "NOT a": not[a]} {
				for text, pass := range map[string]bool{
					cond: val == "T", "NOT (" + cond + ")": val == "F", "(" + cond + ") IS TRUE": val == "T", "(" + cond + ") IS NOT TRUE": val != "T",
					"(" + cond + ") IS FALSE": val == "F", "(" + cond + ") IS NOT NULL": val != "N", "(" + cond + ") IS DISTINCT FROM TRUE": val != "T",
				} {
					want := map[bool]string{true: "[1]", false: "[0]"}[pass]
					if got := db.outcome(alice, "SELECT COUNT(*) AS n FROM t WHERE "+text); got != want {
						t.Errorf("a=%s b=%s: %s gives %s", a, b, text, got)
					}
				}
			}
		}
	}
	db.insert("n", "[[0,1],1]", "[[1,[]],2]", "[[0,3],3]")
	db.expect(t, alice, [][2]string{
		{"SELECT y FROM n WHERE x IN (1, 2)", "[1]"}, {"SELECT y FROM n WHERE x NOT IN (1, 2)", "[3]"},
		{"SELECT y FROM n WHERE y IN (1, NULL)", "[1]"}, {"SELECT y FROM n WHERE y NOT IN (1, NULL)", ""},
		{"SELECT y IN (1, NULL) FROM n ORDER BY y", "[[0,true]] [[1,[]]] [[1,[]]]"},
		{"SELECT y FROM n WHERE x BETWEEN 0 AND 2", "[1]"}, {"SELECT y FROM n WHERE x NOT BETWEEN 0 AND 2", "[3]"},
		{"SELECT y FROM n WHERE y BETWEEN 3 AND NULL", ""}, {"SELECT y FROM n WHERE y NOT BETWEEN 2 AND NULL", "[1]"},
		{"SELECT y FROM n WHERE y IN (SELECT x FROM n)", "[1] [3]"}, {"SELECT y FROM n WHERE y NOT IN (SELECT x FROM n)", ""},
		{"SELECT y FROM n WHERE y NOT IN (SELECT x FROM n WHERE x IS NOT NULL)", "[2]"},
		{"SELECT y FROM n WHERE x IN (SELECT x FROM e)", ""}, {"SELECT y FROM n WHERE x NOT IN (SELECT x FROM e)", "[1] [2] [3]"},
		{"SELECT y FROM n WHERE x IS NULL", "[2]"}, {"SELECT y FROM n WHERE x IS NOT DISTINCT FROM NULL", "[2]"}, {"SELECT y FROM n WHERE y IS NULL", ""},
		{"SELECT y FROM n WHERE x = x", "[1] [3]"}, {"SELECT y FROM n WHERE x + 1 > 0 ORDER BY y", "[1] [3]"},
		{"SELECT COALESCE(x, y * 10, 0) FROM n ORDER BY y", "[1] [20] [3]"},
		{"SELECT y FROM n WHERE x IN (1, 2, 3, 4, 5, 6, 7, 8, 9)", "[1] [3]"}, {"SELECT y FROM n WHERE x NOT IN (4, 5, 6, 7, 8, 9, 10, 11, 1)", "[3]"},
	})
}

// Every type has a literal, compares, and comes back as it was written.
func TestEveryType(t *testing.T) {
	spec.Covers(t, "07.105")
	shape := sats.Sum(sats.E("Dot", sats.Unit), sats.E("Circle", sats.Product(sats.E("r", sats.U32))), sats.E("Pair", sats.Product(sats.E("a", sats.I32), sats.E("b", sats.I32))))
	hex := strings.Repeat("0a", 32)
	for _, tt := range []struct {
		typ     *sats.Type
		lo, hi  string // literals in order
		loJSON  string
		refused string // a literal that is none
	}{
		{sats.Bool, "FALSE", "TRUE", "false", ""},
		{sats.I8, "-128", "127", "-128", "128"}, {sats.U8, "0", "255", "0", "-1"}, {sats.I16, "-32768", "7", "-32768", "40000"}, {sats.U16, "1", "65535", "1", "65536"},
		{sats.I32, "-1", "1", "-1", "1.5"}, {sats.U32, "1", "4e9", "1", "5e9"}, {sats.I64, "-9223372036854775808", "0", "-9223372036854775808", "9223372036854775808"},
		{sats.U64, "0", "18446744073709551615", "0", "18446744073709551616"}, {sats.I128Type, "-1", "1e30", "-1", "1e40"}, {sats.U128Type, "1", "2", "1", "-1"},
		{sats.I256Type, "-1", "1e60", `"-0x1"`, "1e90"}, {sats.U256Type, "1", "1e60", `"0x1"`, "-1"},
		{sats.F32, "'-Infinity'", "'NaN'", "", "'x'"}, {sats.F64, "-1.5", "'inf'", "-1.5", "'x'"},
		{sats.String, "'a'", "'b'", `"a"`, ""}, {sats.Array(sats.U8), "0x01", "0xff", `"01"`, "0x1"},
		{sats.TimestampType, "'1970-01-01T00:00:00Z'", "'+10000-01-01T00:00:00Z'", "[0]", "'1970-01-01'"},
		{sats.TimeDurationType, "'-3'", "'PT1.5S'", "[-3000000]", "'P1Y'"}, {sats.TimeDurationType, "'-P1DT2H3M'", "'+0.000001'", "[-93780000000]", "'1.0000001'"},
		{sats.IdentityType, "0x" + hex, "0x" + strings.Repeat("0b", 32), "", "0xff"}, {sats.ConnectionIDType, "0x" + hex[:32], "0x" + strings.Repeat("0b", 16), "", "0xff"},
		{sats.UuidType, "'00000000-0000-4000-8000-00000000002a'", "0x" + strings.Repeat("0b", 16), "", "'x'"},
		{sats.ScheduleAtType, "'1.5'", "'1970-01-01T00:00:00Z'", "[0,[1500000]]", "'soon'"},
		{shape, "'Dot'", `'{"Circle":{"r":1}}'`, "[0,[]]", "'dot'"}, {shape, `'{"Circle":{"r":1}}'`, `'{"Pair":[1,2]}'`, "[1,[1]]", "'Circle'"},
		{sats.Product(sats.E("x", sats.I32), sats.E("y", sats.I32)), `'{"x":1,"y":2}'`, "'[1,3]'", "[1,2]", "'[1]'"},
		{sats.Array(sats.I32), "'[]'", "'[1,2,3]'", "[]", "'[1,'"}, {sats.Array(sats.String), `'["a"]'`, `'["a","b"]'`, `["a"]`, "'a'"},
	} {
		for _, typ := range []*sats.Type{tt.typ, sats.Option(tt.typ)} {
			db := newDatabase(t, tableSpec{name: "t", cols: []sats.Element{sats.E("id", sats.U32), sats.E("a", typ), sats.E("b", typ)}, pk: "id"})
			name := typ.String()
			db.expect(t, owner, [][2]string{
				{"INSERT INTO t VALUES (1, " + tt.lo + ", " + tt.hi + ")", "inserted 1, updated 0, deleted 0"},
				{"SELECT id FROM t WHERE a = " + tt.lo, "[1]"}, {"SELECT id FROM t WHERE b = " + tt.hi + " AND a <> b", "[1]"},
				{"SELECT id FROM t WHERE a < b AND a <= b AND b > a AND NOT (a >= b)", "[1]"}, {"SELECT id FROM t WHERE a = b", ""},
				{"SELECT id FROM t WHERE a IN (" + tt.hi + ", " + tt.lo + ") AND b BETWEEN " + tt.lo + " AND " + tt.hi, "[1]"},
				{"INSERT INTO t SELECT id + 1, b, a FROM t", "inserted 1, updated 0, deleted 0"},
				{"SELECT x.id FROM t x JOIN t y ON x.a = y.b WHERE x.id = 1", "[1]"}, {"SELECT id FROM t ORDER BY a", "[1] [2]"}, {"SELECT id FROM t ORDER BY a DESC", "[2] [1]"},
				{"SELECT COUNT(*) FROM t GROUP BY a", "[1] [1]"}, {"SELECT id FROM t WHERE a = (SELECT MIN(a) FROM t)", "[1]"}, {"SELECT id FROM t WHERE a = (SELECT MAX(b) FROM t)", "[2]"},
				{"UPDATE t SET a = " + tt.hi + " WHERE id = 1", "inserted 0, updated 1, deleted 0"}, {"SELECT id FROM t WHERE a = b AND id = 1", "[1]"},
				{"UPDATE t SET a = b WHERE id = 2", "inserted 0, updated 1, deleted 0"}, {"SELECT id FROM t WHERE b = " + tt.lo + " AND a = b", "[2]"},
			})
			if t.Failed() {
				t.Fatalf("type %s", name)
			}
			if _, opt := typ.IsOption(); !opt && tt.loJSON != "" {
				if got := db.outcome(owner, "SELECT a FROM t WHERE id = 2"); got != "["+tt.loJSON+"]" {
					t.Errorf("%s: %s comes back as %s", name, tt.lo, got)
				}
			} else if opt {
				db.expect(t, owner, [][2]string{
					{"UPDATE t SET a = NULL WHERE id = 2", "inserted 0, updated 1, deleted 0"}, {"SELECT id FROM t WHERE a IS NULL", "[2]"},
					{"SELECT id FROM t ORDER BY a", "[1] [2]"}, {"SELECT id FROM t ORDER BY a DESC", "[2] [1]"}, {"SELECT id FROM t ORDER BY a NULLS FIRST", "[2] [1]"},
				})
			}
			if tt.refused != "" {
				if got := db.outcome(owner, "SELECT id FROM t WHERE a = "+tt.refused); !strings.HasPrefix(got, "The literal expression `") {
					t.Errorf("%s: %s gives %s", name, tt.refused, got)
				}
				if got := db.outcome(owner, "UPDATE t SET a = "+tt.refused); !strings.HasPrefix(got, "The literal expression `") && !strings.HasPrefix(got, "Unexpected type") {
					t.Errorf("%s: writing %s gives %s", name, tt.refused, got)
				}
			}
		}
	}
}

func TestArithmetic(t *testing.T) {
	spec.Covers(t, "07.106")
	db := newDatabase(t,
		tableSpec{name: "t", cols: []sats.Element{sats.E("id", sats.U32), sats.E("i8", sats.I8), sats.E("u8", sats.U8), sats.E("i64", sats.I64), sats.E("u64", sats.U64), sats.E("i256", sats.I256Type), sats.E("f32", sats.F32), sats.E("f64", sats.F64), sats.E("at", sats.TimestampType), sats.E("d", sats.TimeDurationType)}, pk: "id"})
	db.insert("t", `[1,-128,255,-9223372036854775808,18446744073709551615,"0x7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",1.5,0.1,[1000000],[500000]]`, `[2,7,3,5,6,"-0x2",2.5,0.2,[9223372036854775807],[-1]]`)
	over := func(typ string) string { return "Arithmetic overflow in expression of type `" + typ + "`" }
	const ts, dur = "(__timestamp_micros_since_unix_epoch__: I64)", "(__time_duration_micros__: I64)"
	one, two := " FROM t WHERE id = 1", " FROM t WHERE id = 2"
	db.expect(t, alice, [][2]string{
		{"SELECT i8 - 1" + one, over("I8")}, {"SELECT i8 / -1" + one, over("I8")}, {"SELECT -i8" + one, over("I8")}, {"SELECT i8 % -1" + one, "[0]"}, {"SELECT i8 * 2" + one, over("I8")},
		{"SELECT i8 / 2, i8 % 3, -7 / 2, -7 % 3, 7 % -3" + two, "[3,1,-3,-1,1]"}, {"SELECT u8 + 1" + one, over("U8")}, {"SELECT u8 - 4" + two, over("U8")}, {"SELECT -u8" + one, over("U8")}, {"SELECT -(u8 - 3)" + two, "[0]"},
		{"SELECT i64 - 1" + one, over("I64")}, {"SELECT i64 * -1" + one, over("I64")}, {"SELECT u64 + 1" + one, over("U64")}, {"SELECT u64 * 2" + one, over("U64")}, {"SELECT u64 - 1" + one, "[18446744073709551614]"},
		{"SELECT i256 + 1" + one, over("I256")}, {"SELECT i256 * i256" + two, `["0x4"]`}, {"SELECT i256 / 0" + two, "Division by zero"}, {"SELECT 1 / (u8 - u8)" + two, "Division by zero"}, {"SELECT 5 % 0", "Division by zero"},
		{"SELECT f32 + 1, f64 + 0.2, f64 / 0, -f64 / 0, f64 % 0.03 > 0" + one, "[2.5,0.30000000000000004,null,null,true]"}, {"SELECT f64 / 0 = 'inf'" + one, "[true]"}, {"SELECT -f64 % 0.03 < 0" + one, "[true]"},
		{"SELECT u8 + u64" + one, "Unexpected type: (expected) U64 != U8 (inferred)"}, {"SELECT u8 + 'x'" + one, "The literal expression `x` cannot be parsed as type `U8`"}, {"SELECT at * 2" + one, "The literal expression `2` cannot be parsed as type `" + ts + "`"},
		{"SELECT at - '1970-01-01T00:00:00Z', at + d, at - d, d + d, d - '0.1'" + one, "[[1000000],[1500000],[500000],[1000000],[400000]]"}, {"SELECT at + '1'" + two, over(ts)}, {"SELECT d + at" + one, "Unexpected type: (expected) " + ts + " != " + dur + " (inferred)"},
		{"SELECT 'a' || 'b' || 'c'", `["abc"]`}, {"SELECT 1 + 1.5", "[2.5]"}, {"SELECT 2 + 3 * 4 - -1", "[15]"}, {"SELECT - - 3", "[3]"}, {"SELECT +u8" + two, "[3]"},
		// Left to right, and no further than needed.
		{"SELECT id FROM t WHERE FALSE AND id / 0 = 1", ""}, {"SELECT id FROM t WHERE id = 9 AND 10 / (id - id) = 1", ""}, {"SELECT id FROM t WHERE id > 0 OR 10 / (id - id) = 1", "[1] [2]"},
		{"SELECT id FROM t WHERE 10 / (id - id) = 1 AND FALSE", "Division by zero"}, {"SELECT id FROM t WHERE 10 / (id - id) = 1 AND id = 9", "Division by zero"}, {"SELECT id FROM t WHERE u8 = 1 OR id <> 1 AND 10 / (id - 1) = 10", "[2]"},
		{"SELECT 10 / (id - 1) FROM t WHERE id = 2", "[10]"}, {"SELECT a.id FROM t a JOIN t b ON a.id = b.id WHERE 10 / (a.id - 1) = 10 AND a.id = 2", "Division by zero"},
		{"SELECT a.id FROM t a JOIN t b ON a.id = b.id AND a.id = 2 WHERE 10 / (a.id - 1) = 10", "[2]"}, {"SELECT COALESCE(id, 1 / 0) FROM t", "[1] [2]"},
	})
	db.expect(t, owner, [][2]string{
		{"UPDATE t SET u8 = u8 + 1", over("U8")}, {"SELECT u8 FROM t ORDER BY id", "[255] [3]"},
		{"INSERT INTO t SELECT id + 10, i8, u8 / (u8 - 3), i64, u64, i256, f32, f64, at, d FROM t", "Division by zero"}, {"SELECT COUNT(*) FROM t", "[2]"},
		{"DELETE FROM t WHERE 1 / (u8 - 3) = 0", "Division by zero"}, {"SELECT COUNT(*) FROM t", "[2]"},
	})
}

func TestCasts(t *testing.T) {
	db := newDatabase(t, tableSpec{name: "t", cols: []sats.Element{sats.E("i", sats.I32), sats.E("f", sats.F64), sats.E("s", sats.String), sats.E("b", sats.Bool), sats.E("at", sats.TimestampType), sats.E("o", sats.Option(sats.I32)), sats.E("id", sats.IdentityType)}})
	db.insert("t", `[-7,2.9,"12",true,[1000000],{"none":[]},["0x`+strings.Repeat("0a", 32)+`"]]`)
	lit := func(text, typ string) string {
		return "The literal expression `" + text + "` cannot be parsed as type `" + typ + "`"
	}
	db.expect(t, alice, [][2]string{
		{"SELECT CAST(i AS I64), i::BIGINT, CAST(i AS F32), CAST(f AS I8), CAST(-f AS INT), b::U8, CAST(i AS TEXT) FROM t", `[-7,-7,-7.0,2,-2,1,"-7"]`},
		{"SELECT CAST(i AS U8) FROM t", lit("-7", "U8")},
		{"SELECT CAST(s AS U8) + 1, CAST(s || '.5' AS F64), CAST('TRUE' AS Bool), CAST(s AS String) FROM t", `[13,12.5,true,"12"]`},
		{"SELECT CAST(s || 'x' AS U8) FROM t", lit("12x", "U8")}, {"SELECT CAST(o AS I64) FROM t", "[[1,[]]]"}, {"SELECT CAST(NULL AS I64)", "[[1,[]]]"},
		{"SELECT CAST(at AS String), CAST(id AS TEXT), CAST(b AS TEXT), CAST(f AS TEXT) FROM t", `["1970-01-01T00:00:01+00:00","` + strings.Repeat("0a", 32) + `","true","2.9"]`},
		{"SELECT CAST(at AS I64) FROM t", "Cannot cast type `(__timestamp_micros_since_unix_epoch__: I64)` to `I64`"}, {"SELECT CAST(i AS Bool) FROM t", "Cannot cast type `I32` to `Bool`"},
		{"SELECT CAST('1970-01-01T00:00:00Z' AS TIMESTAMP), CAST(5 AS U8), CAST('1' AS INTERVAL)", "[[0],5,[1000000]]"}, {"SELECT CAST(1.5 AS I32)", lit("1.5", "I32")},
		{"SELECT CAST(f / 0 AS I32) FROM t", lit("inf", "I32")}, {"SELECT CAST(i AS DATE) FROM t", "Unsupported projection expression: CAST(i AS DATE)"},
	})
}

func TestAggregates(t *testing.T) {
	spec.Covers(t, "07.107")
	db := exampleDB(t)
	const none = "[1,[]]"
	most := "0x7" + strings.Repeat("f", 63)
	db.insert("empty", "[1,[1,[]]]", "[2,[1,[]]]")
	db.insert("big", `[1,1e308,"`+most+`"]`, `[2,1e308,"`+most+`"]`, `[3,-1e308,"-`+most+`"]`, `[4,1.5,"0x0"]`)
	db.expect(t, alice, [][2]string{
		{"SELECT COUNT(*), COUNT(o), SUM(o), MIN(o), MAX(o), AVG(o) FROM empty WHERE n > 5", "[0,0," + none + "," + none + "," + none + "," + none + "]"},
		{"SELECT COUNT(*), COUNT(o), SUM(o), MIN(o), MAX(o), AVG(o) FROM empty", "[2,0," + none + "," + none + "," + none + "," + none + "]"},
		{"SELECT COUNT(*) FROM empty WHERE n > 5 GROUP BY n", ""}, {"SELECT COUNT(*), 7 FROM empty WHERE FALSE HAVING COUNT(*) = 0", "[0,7]"}, {"SELECT COUNT(*) FROM empty HAVING COUNT(*) > 2", ""},
		{"SELECT SUM(w) FROM big WHERE n < 3", "Arithmetic overflow in expression of type `I256`"}, {"SELECT SUM(w) FROM big", `[[0,"` + most + `"]]`},
		{"SELECT SUM(f) FROM big WHERE n < 3", "[[0,null]]"}, {"SELECT SUM(f), AVG(f) FROM big WHERE n > 2 OR n = 1", "[[0,1.5],[0,0.5]]"}, {"SELECT AVG(n) FROM big", "[[0,2.5]]"},
		{"SELECT COUNT(DISTINCT hp), SUM(DISTINCT hp), COUNT(DISTINCT team) FROM p", "[3,[0,11],2]"}, {"SELECT MIN(team), MAX(st), MIN(at) FROM p", `[[0,"a"],[0,[1,[]]],[0,[0]]]`},
		{"SELECT hp % 2, COUNT(*) FROM p GROUP BY hp % 2 ORDER BY 1", "[-1,1] [1,3]"}, {"SELECT hp * 2 AS d, COUNT(*) FROM p GROUP BY d HAVING hp * 2 > 0 ORDER BY d", "[10,2] [18,1]"},
		{"SELECT st, hp FROM p GROUP BY 1, 2 ORDER BY 1, 2 DESC", "[[0,[]],5] [[1,[]],9] [[1,[]],-3]"}, {"SELECT st FROM p GROUP BY st ORDER BY SUM(hp) DESC", "[[0,[]]] [[1,[]]]"},
		{"SELECT SUM(hp) + COUNT(team) FROM p", "Unexpected type: (expected) U64 != I64 (inferred)"}, {"SELECT CAST(COUNT(*) AS I64) * 2 + SUM(hp) FROM p", "[[0,24]]"},
		{"SELECT hp, COUNT(*) FROM p", "Column `hp` must appear in GROUP BY or in an aggregate"}, {"SELECT hp + 1 FROM p GROUP BY id", "Column `hp` must appear in GROUP BY or in an aggregate"},
		{"SELECT COUNT(*) FROM p ORDER BY hp", "Column `hp` must appear in GROUP BY or in an aggregate"}, {"SELECT * FROM p GROUP BY id", "Column `team` must appear in GROUP BY or in an aggregate"},
		{"SELECT SUM(SUM(hp)) FROM p", "Unsupported aggregate function: SUM(hp)"}, {"SELECT id FROM p WHERE SUM(hp) > 1", "Unsupported aggregate function: SUM(hp)"}, {"SELECT 1 FROM p GROUP BY SUM(hp)", "Unsupported aggregate function: SUM(hp)"},
		{"SELECT SUM(team) FROM p", "Unsupported aggregate function: SUM(team)"}, {"SELECT AVG(st) FROM p", "Unsupported aggregate function: AVG(st)"}, {"SELECT id FROM p GROUP BY 2", "The literal expression `2` cannot be parsed as type `U64`"},
		{"SELECT COUNT(*) AS n FROM p LIMIT 0", ""}, {"SELECT COUNT(*) AS n FROM p LIMIT 1 OFFSET 1", ""}, {"SELECT COUNT(*) AS n, COUNT(*) AS n FROM p", "Duplicate name `n`"},
	})
	// The sum of floats does not depend on their order.
	for _, order := range [][]string{{"1e308", "1", "-1e308", "1e-300", "0.1", "0.2"}, {"0.2", "0.1", "1e-300", "1e308", "-1e308", "1"}, {"-1e308", "0.1", "0.2", "1", "1e-300", "1e308"}} {
		db := newDatabase(t, tableSpec{name: "t", cols: []sats.Element{sats.E("n", sats.U32), sats.E("f", sats.F64)}})
		for i, f := range order {
			db.insert("t", fmt.Sprintf("[%d,%s]", i, f))
		}
		if got := db.outcome(alice, "SELECT SUM(f), AVG(f) FROM t"); got != "[[0,1.3],[0,0.21666666666666667]]" {
			t.Errorf("%v: %s", order, got)
		}
	}
}

func TestOrder(t *testing.T) {
	spec.Covers(t, "07.108")
	cols := []sats.Element{sats.E("n", sats.U32), sats.E("f", sats.F64), sats.E("o", sats.Option(sats.F32))}
	rows := []string{"(1, 'NaN', NULL)", "(2, 1.5, 'NaN')", "(3, '-inf', 0)", "(4, 'inf', NULL)", "(5, 1.5, -1)", "(6, 0, 2)"}
	for shift := range rows {
		db := newDatabase(t, tableSpec{name: "t", cols: cols})
		for i := range rows {
			db.outcome(owner, "INSERT INTO t VALUES "+rows[(i+shift)%len(rows)])
		}
		db.expect(t, alice, [][2]string{
			{"SELECT n FROM t ORDER BY f", "[3] [6] [2] [5] [4] [1]"}, {"SELECT n FROM t ORDER BY f DESC", "[1] [4] [2] [5] [6] [3]"},
			{"SELECT n FROM t ORDER BY o", "[5] [3] [6] [2] [1] [4]"}, {"SELECT n FROM t ORDER BY o DESC", "[1] [4] [2] [6] [3] [5]"}, {"SELECT n FROM t ORDER BY o NULLS FIRST, n DESC", "[4] [1] [5] [3] [6] [2]"},
			{"SELECT n FROM t ORDER BY o DESC NULLS LAST LIMIT 2", "[2] [6]"}, {"SELECT n FROM t ORDER BY f, o LIMIT 3 OFFSET 2", "[5] [2] [4]"}, {"SELECT n AS f FROM t ORDER BY f DESC LIMIT 1", "[6]"},
			{"SELECT n FROM t ORDER BY 0 - CAST(n AS I64) LIMIT 2", "[6] [5]"}, {"SELECT * FROM t ORDER BY 1 DESC LIMIT 1 OFFSET 5", `[1,null,[1,[]]]`}, {"SELECT n FROM t ORDER BY 2", "The literal expression `2` cannot be parsed as type `U64`"},
			{"SELECT n FROM t ORDER BY 0", "The literal expression `0` cannot be parsed as type `U64`"}, {"SELECT n FROM t ORDER BY nope", "`nope` is not in scope"}, {"SELECT DISTINCT n FROM t ORDER BY f", "Unsupported expression: f"},
			{"SELECT DISTINCT f FROM t ORDER BY f LIMIT 2", "[null] [0.0]"}, {"SELECT COUNT(*) FROM t LIMIT 1", "[6]"}, {"SELECT n FROM t LIMIT 0", ""}, {"SELECT n FROM t ORDER BY n OFFSET 9", ""},
		})
		if t.Failed() {
			break
		}
	}
	// Equal values that differ in bytes are shown as the smallest.
	db := newDatabase(t, tableSpec{name: "z", cols: []sats.Element{sats.E("n", sats.U32), sats.E("f", sats.F64)}})
	tx := db.Begin()
	id := tx.TableByName("z").ID
	for i, bits := range []uint64{1 << 63, 0, 0x7ff8000000000002, 0x7ff8000000000001} {
		if _, _, err := tx.Insert(id, sats.AppendU64(sats.AppendU32(nil, uint32(i)), bits)); err != nil {
			t.Fatal(err)
		}
	}
	tx.Commit(nil)
	for _, text := range []string{"SELECT DISTINCT f FROM z ORDER BY f", "SELECT f FROM z GROUP BY f ORDER BY f", "SELECT DISTINCT f FROM z ORDER BY f LIMIT 5"} {
		var got []string
		db.read(func(r store.Reader) {
			st, err := CompileStatement(r, text, alice, Env{})
			if err != nil {
				t.Fatal(err)
			}
			st.Query(r, func(row []byte) bool { got = append(got, fmt.Sprintf("%x", row)); return true })
		})
		if s := strings.Join(got, " "); s != "0000000000000000 010000000000f87f" {
			t.Errorf("%s: %s", text, s)
		}
	}
}

func TestJoins(t *testing.T) {
	spec.Covers(t, "07.109")
	db := newDatabase(t,
		tableSpec{name: "t", cols: []sats.Element{sats.E("id", sats.U32), sats.E("a", sats.U32)}, pk: "id"},
		tableSpec{name: "s", cols: []sats.Element{sats.E("sid", sats.U32), sats.E("owner", sats.IdentityType), sats.E("x", sats.U32)}, pk: "sid"},
		tableSpec{name: "h", cols: []sats.Element{sats.E("sid", sats.U32), sats.E("x", sats.Option(sats.U32))}})
	db.insert("t", "[1,10]", "[2,20]", "[3,30]")
	db.insert("s", "[1,"+idText(userA)+",7]", "[2,"+idText(userB)+",8]")
	db.insert("h", "[1,[0,5]]", "[1,[1,[]]]", "[3,[0,6]]")
	db.expect(t, userA, [][2]string{
		{"SELECT t.id, s.x FROM t LEFT JOIN s ON t.id = s.sid ORDER BY 1", "[1,[0,7]] [2,[0,8]] [3,[1,[]]]"}, {"SELECT id FROM t LEFT JOIN s ON t.id = s.sid WHERE sid IS NULL", "[3]"},
		{"SELECT id FROM t LEFT JOIN s ON t.id = s.sid WHERE s.x = 8", "[2]"}, {"SELECT id, x FROM t LEFT JOIN s ON t.id = s.sid AND s.x = 8 ORDER BY id", "[1,[1,[]]] [2,[0,8]] [3,[1,[]]]"},
		{"SELECT id, x FROM t LEFT JOIN s ON t.id = s.sid AND t.a > 15 ORDER BY id", "[1,[1,[]]] [2,[0,8]] [3,[1,[]]]"}, {"SELECT id, h.x FROM t LEFT JOIN h ON t.id = h.sid ORDER BY id, x", "[1,[0,5]] [1,[1,[]]] [2,[1,[]]] [3,[0,6]]"},
		{"SELECT id, s.x, h.x FROM t LEFT JOIN s ON t.id = s.sid LEFT JOIN h ON h.sid = s.sid ORDER BY 1, 3", "Duplicate name `x`"},
		{"SELECT id, s.x AS sx, h.x FROM t LEFT JOIN s ON t.id = s.sid LEFT JOIN h ON h.sid = s.sid ORDER BY 1, 3", "[1,[0,7],[0,5]] [1,[0,7],[1,[]]] [2,[0,8],[1,[]]] [3,[1,[]],[1,[]]]"},
		{"SELECT t.id, b.id AS o FROM t LEFT JOIN s ON t.id = s.sid JOIN t b ON b.id = s.sid ORDER BY 1", "[1,1] [2,2]"}, {"SELECT COUNT(*) FROM t, s, h", "[18]"}, {"SELECT COUNT(*) FROM t LEFT JOIN s ON FALSE", "[3]"},
		{"SELECT COUNT(*) FROM t JOIN s ON t.id > s.sid OR t.a = 10", "[5]"}, {"SELECT t.id FROM t JOIN s ON t.id = t.id AND s.sid = 1 ORDER BY id", "[1] [2] [3]"}, {"SELECT t.* FROM t JOIN s ON t.id = t.a", ""},
		{"SELECT t.* FROM t LEFT JOIN s ON t.id = s.sid ORDER BY t.id LIMIT 1", "[1,10]"}, {"SELECT s.* FROM t LEFT JOIN s ON t.id = s.sid WHERE t.id = 3", "[[1,[]],[1,[]],[1,[]]]"}, {"SELECT 1 WHERE FALSE", ""}, {"SELECT 1 WHERE EXISTS (SELECT 1 FROM s WHERE x = 8)", "[1]"},
		{"SELECT (SELECT x FROM s)", "Sub-select returned more than one row"}, {"SELECT (SELECT x FROM s WHERE x = 9)", "[[1,[]]]"}, {"SELECT (SELECT sid, x FROM s)", "Sub-select must return one column"}, {"SELECT 1 WHERE 1 IN (SELECT * FROM s)", "Sub-select must return one column"},
		{"SELECT a FROM t WHERE id = (SELECT sid FROM s WHERE x = 8)", "[20]"}, {"SELECT *", "A FROM clause is required"}, {"SELECT t.*", "`t` is not in scope"}, {"SELECT nope FROM t JOIN s ON TRUE", "`nope` is not in scope"},
	})
	// A row that a rule hides is not there, and gives none.
	if err := db.rule("SELECT * FROM s WHERE owner = :sender"); err != nil {
		t.Fatal(err)
	}
	db.expect(t, userA, [][2]string{
		{"SELECT id, x FROM t LEFT JOIN s ON t.id = s.sid ORDER BY id", "[1,[0,7]] [2,[1,[]]] [3,[1,[]]]"}, {"SELECT id FROM t LEFT JOIN s ON t.id = s.sid WHERE s.sid IS NULL ORDER BY id", "[2] [3]"},
		{"SELECT COUNT(*) FROM t WHERE id IN (SELECT sid FROM s)", "[1]"}, {"SELECT (SELECT MAX(x) FROM s)", "[[0,7]]"}, {"SELECT SUM(x), COUNT(*) FROM s", "[[0,7],1]"}, {"SELECT COUNT(*) AS n FROM t, s", "[3]"},
		{"SELECT a.id FROM t a LEFT JOIN s ON TRUE WHERE 100 / s.x > 0 ORDER BY 1", "[1] [2] [3]"},
	})
	db.expect(t, owner, [][2]string{{"SELECT id, x FROM t LEFT JOIN s ON t.id = s.sid ORDER BY id", "[1,[0,7]] [2,[0,8]] [3,[1,[]]]"}})
}

func TestExtendedDML(t *testing.T) {
	spec.Covers(t, "07.112", "07.33")
	cols := []sats.Element{sats.E("id", sats.U32), sats.E("name", sats.String), sats.E("n", sats.U32), sats.E("o", sats.Option(sats.U32))}
	db := newDatabase(t, tableSpec{name: "t", cols: cols, pk: "id", autoInc: "id"}, tableSpec{name: "s", cols: cols[:3]})
	ok := func(i, u, d int) string { return fmt.Sprintf("inserted %d, updated %d, deleted %d", i, u, d) }
	db.expect(t, owner, [][2]string{
		{"INSERT INTO t (n, name) VALUES (5, 'a'), (2 + 4, 'b' || 'c')", ok(2, 0, 0)}, {"SELECT * FROM t ORDER BY id", `[1,"a",5,[1,[]]] [2,"bc",6,[1,[]]]`},
		{"INSERT INTO t (id, name, n, o) VALUES (DEFAULT, 'd', 7, 1)", ok(1, 0, 0)}, {"INSERT INTO t VALUES (9, 'e', 8, DEFAULT)", ok(1, 0, 0)}, {"SELECT id, o FROM t WHERE n >= 7 ORDER BY n", "[3,[0,1]] [9,[1,[]]]"},
		{"INSERT INTO t (n) VALUES (5)", "Column `name` of table `t` has no default value"}, {"INSERT INTO t (nope) VALUES (5)", "`t` does not have a field `nope`"}, {"INSERT INTO t (n, n) VALUES (5, 5)", "Duplicate name `n`"},
		{"INSERT INTO t (n, name) VALUES (5)", "Inserting a row with 1 values into `t` which has 2 fields"}, {"INSERT INTO t (n, name) VALUES (n, 'a')", "`n` is not in scope"}, {"INSERT INTO t (n, name) VALUES ((SELECT MAX(n) FROM t), 'a')", "Unexpected type: (expected) (some: U32 | none: ()) != U32 (inferred)"},
		{"INSERT INTO t (o, n, name) VALUES ((SELECT MAX(n) FROM t), COALESCE((SELECT MAX(n) FROM t), 0), 'max')", ok(1, 0, 0)}, {"SELECT n, o FROM t WHERE name = 'max'", "[8,[0,8]]"},
		{"INSERT INTO s (n, name, id) SELECT n, name, id FROM t WHERE n < 7", ok(2, 0, 0)}, {"SELECT * FROM s ORDER BY id", `[1,"a",5] [2,"bc",6]`}, {"INSERT INTO t (name, n, o) SELECT name, n, n AS o FROM s", ok(2, 0, 0)},
		{"INSERT INTO s SELECT id, name FROM t", "Inserting a row with 2 values into `s` which has 3 fields"}, {"INSERT INTO s SELECT name, name AS n2, n FROM t", "Unexpected type: (expected) String != U32 (inferred)"}, {"INSERT INTO s (id, name, n) SELECT id, name, o FROM t", "Unexpected type: (expected) (some: U32 | none: ()) != U32 (inferred)"},
		{"DELETE FROM t WHERE id > 5", ok(0, 0, 2)}, {"DELETE FROM t WHERE name IN ('max')", ok(0, 0, 1)}, {"SELECT COUNT(*) FROM t", "[4]"}, {"DELETE FROM t WHERE id > 3", ok(0, 0, 1)},
		{"UPDATE t SET n = id, id = id + 10 WHERE id <> 2", ok(0, 2, 0)}, {"SELECT id, n FROM t ORDER BY id", "[2,6] [11,1] [13,3]"}, {"UPDATE t x SET n = x.n + 1", ok(0, 3, 0)}, {"UPDATE t x SET n = t.n + 1", "`t` is not in scope"},
		{"UPDATE t SET n = s.n, o = NULL FROM s WHERE t.id = s.id", ok(0, 1, 0)}, {"SELECT n FROM t WHERE id = 2", "[6]"}, {"UPDATE t SET n = s.n FROM s", "UPDATE target row matched more than one source row"}, {"UPDATE t SET id = id - 1", ok(0, 3, 0)}, {"SELECT id FROM t ORDER BY id", "[1] [10] [12]"},
		{"UPDATE t SET n = 1, n = 2", "Duplicate name `n`"}, {"UPDATE t SET n = o", "Unexpected type: (expected) (some: U32 | none: ()) != U32 (inferred)"}, {"UPDATE t SET o = n + 1, name = name || '!'", ok(0, 3, 0)}, {"UPDATE t SET n = DEFAULT", "Column `n` of table `t` has no default value"}, {"UPDATE t SET o = DEFAULT", ok(0, 3, 0)},
		{"DELETE FROM t USING s WHERE t.id = s.id", ok(0, 0, 1)}, {"DELETE FROM t a USING t b WHERE a.id < b.id", ok(0, 0, 1)}, {"DELETE FROM t x WHERE t.id = 1", "`t` is not in scope"}, {"SELECT id FROM t", "[12]"}, {"DELETE FROM t", ok(0, 0, 1)},
	})
	// What the module declares as the default of a column.
	tx := db.Begin()
	defer tx.Rollback()
	st, err := CompileStatement(tx, "INSERT INTO s (id, name) VALUES (1, 'x')", owner, Env{Default: func(_ *schema.Table, col schema.ColID) []byte {
		if col == 2 {
			return []byte{42, 0, 0, 0}
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.Exec(tx); err != nil {
		t.Fatal(err)
	}
	got := 0
	st, _ = CompileStatement(tx, "SELECT n FROM s WHERE n = 42", owner, Env{})
	st.Query(tx, func([]byte) bool { got++; return true })
	if got != 1 {
		t.Error("the declared default was not stored")
	}
}

func TestLike(t *testing.T) {
	db := newDatabase(t, tableSpec{name: "t", cols: []sats.Element{sats.E("s", sats.String), sats.E("o", sats.Option(sats.String))}})
	for _, tt := range []struct {
		s, like string
		want    bool
	}{
		{"abc", "'abc'", true}, {"abc", "'a%'", true}, {"abc", "'%c'", true}, {"abc", "'%b%'", true}, {"abc", "'a_c'", true}, {"abc", "'a_'", false}, {"abc", "'ABC'", false}, {"", "'%'", true}, {"", "''", true}, {"", "'_'", false},
		{"é", "'_'", true}, {"日本語", "'_本%'", true}, {"a%c", `'a\%c'`, true}, {"abc", `'a\%c'`, false}, {"a%c", "'a!%c' ESCAPE '!'", true}, {`a\c`, `'a\c' ESCAPE ''`, true}, {`a\c`, `'a\\c'`, true}, {"aXbXc", "'a%X_'", true}, {"aaa", "'%aab'", false},
		{"mississippi", "'%iss%ip%'", true}, {"ab\nc", "'ab%'", true}, {"a", "'a%%%'", true}, {"%", `'\%'`, true}, {"ab", "'%a'", false}, {"5", "5", true},
	} {
		db.outcome(owner, "DELETE FROM t")
		db.outcome(owner, "INSERT INTO t VALUES ('"+strings.ReplaceAll(tt.s, "'", "''")+"', NULL)")
		want := map[bool]string{true: "[true,false,[1,[]]]", false: "[false,true,[1,[]]]"}[tt.want]
		if got := db.outcome(alice, "SELECT s LIKE "+tt.like+", s NOT LIKE "+tt.like+", o LIKE "+tt.like+" FROM t"); got != want {
			t.Errorf("%q LIKE %s: %s", tt.s, tt.like, got)
		}
	}
	db.outcome(owner, "DELETE FROM t")
	db.outcome(owner, "INSERT INTO t VALUES ('ÀÉstraßE', 'K')")
	db.expect(t, alice, [][2]string{
		{"SELECT s ILIKE 'àéSTRAß_', s LIKE 'àé%', o ILIKE 'k', o ILIKE '\u212a' FROM t", "[true,false,[0,true],[0,true]]"},
		{`SELECT s LIKE 'a\' FROM t`, "LIKE pattern must not end with escape character"}, {"SELECT s LIKE 'a!' ESCAPE '!' FROM t", "LIKE pattern must not end with escape character"}, {"SELECT s LIKE 'a' ESCAPE 'xy' FROM t", "ESCAPE must be one character or none"},
		{"SELECT s LIKE o FROM t", "Unsupported projection expression: s LIKE o"}, {"SELECT 1 FROM t WHERE s LIKE o", "Unsupported expression: s LIKE o"},
	})
	// One point to return to is enough: the time stays the product of the lengths.
	p := &query.Pattern{Text: strings.Repeat("%a", 2000) + "b", Escape: '\\'}
	db.outcome(owner, "DELETE FROM t")
	db.insert("t", `["`+strings.Repeat("a", 40_000)+`",[1,[]]]`)
	if got := db.outcome(alice, "SELECT s LIKE '"+p.Text+"' FROM t"); got != "[false]" {
		t.Error(got)
	}
}

func TestExplain(t *testing.T) {
	db := exampleDB(t)
	lines := func(c Caller, text string) string {
		a, err := db.run(c, text)
		if err != nil {
			return err.Error()
		}
		return strings.ReplaceAll(strings.Join(a.rows, "\n"), `"`, "")
	}
	for _, tt := range []struct {
		text string
		want []string
	}{
		{"EXPLAIN SELECT * FROM p WHERE id = 3 AND hp > 1", []string{"filter p.hp > 1", "unique point p by p_id_idx_btree(3)", "estimated scan: 2 rows (no limit)", "subscribable: yes"}},
		{"EXPLAIN SELECT x.team, COUNT(*) FROM p x WHERE hp > 0 GROUP BY team ORDER BY 2 DESC LIMIT 3", []string{"limit 3", "  sort by", "    group by x.team", "      filter x.hp > 0 (rows 4, scanned 8)", "        scan p AS x"}},
		{"EXPLAIN SELECT a.* FROM p a JOIN b ON a.id = b.u8", []string{"Unexpected type"}},
		{"EXPLAIN SELECT a.* FROM p a JOIN p b ON a.hp = b.hp", []string{"hash join on", "subscribable: no: Subscriptions require indexes on join columns; index p(hp) or p(hp)"}},
		{"EXPLAIN SELECT DISTINCT a.id FROM p a LEFT JOIN p b ON a.hp = b.hp AND b.team LIKE 'x%'", []string{"distinct", "left join", "keep by b.hp = a.hp", "LIKE 'x%'"}},
		{"EXPLAIN ANALYZE SELECT id FROM p WHERE hp = 5", []string{"actual rows: 2"}},
		{"EXPLAIN UPDATE p SET hp = 1 WHERE id = 2", []string{"UPDATE", "unique point p"}}, {"EXPLAIN DELETE FROM p x WHERE hp = 7", []string{"DELETE", "filter x.hp = 7"}}, {"EXPLAIN INSERT INTO b SELECT u8 FROM b", []string{"INSERT", "scan b"}},
		{"EXPLAIN ANALYZE DELETE FROM p", []string{"Unsupported: EXPLAIN ANALYZE DELETE FROM p"}},
	} {
		got := lines(owner, tt.text)
		for _, part := range tt.want {
			if !strings.Contains(got, part) {
				t.Errorf("%s\n got %s\nwithout %s", tt.text, got, part)
			}
		}
	}
	if got := db.columns(t, "EXPLAIN SELECT 1"); got != "plan String" {
		t.Error(got)
	}
	// What a rule reads is not shown.
	if err := db.rule("SELECT p.* FROM p JOIN secret s ON s.n = p.hp"); err != nil {
		t.Fatal(err)
	}
	if got := lines(alice, "EXPLAIN SELECT * FROM p"); strings.Contains(got, "secret") || !strings.Contains(got, "visible(p)") {
		t.Error(got)
	}
}

// Words, hints and what is where it was: the original's own statements keep their
// meaning (the recorded suite says so, too).
func TestHintsOfSuperset(t *testing.T) {
	db := exampleDB(t)
	for text, want := range map[string]string{
		"SELECT id FROM p WHERE team = NULL":        " at Line: 1, Column 31 Use IS NULL or IS NOT NULL.",
		"SELECT id FROM p a JOIN p b ON TRUE":       " at Line: 1, Column 8 Write `a.id` if you mean that table.",
		"SELECT id FROM p WHERE st = 'idle'":        " at Line: 1, Column 29 Did you mean `Idle`?",
		"SELECT st + st FROM p":                     " at Line: 1, Column 8 CAST converts between types.",
		"SELECT id FROM p\nORDER BY tem":            " at Line: 2, Column 10 Did you mean `team`?",
		"SELECT id FROM p ORDER BY 3":               " at Line: 1, Column 27 It is a position in the list of columns.",
		"INSERT INTO p (id) VALUES (NULL)":          " at Line: 1, Column 13",
		"SELECT id FROM p WHERE id = 'x'":           " at Line: 1, Column 29 It is a whole number from 0 to 4294967295.",
		"SELECT id FROM p WHERE hp = 'x'":           " at Line: 1, Column 29 It is a whole number from -2147483648 to 2147483647.",
		"SELECT id FROM p WHERE hp = id":            " at Line: 1, Column 29 CAST(... AS I32) converts it.",
		"INSERT INTO empty (n, o) VALUES ('1', 2)":  " at Line: 1, Column 34 It is a whole number from -2147483648 to 2147483647. It has no quotes.",
		"INSERT INTO empty VALUES (1)":              " at Line: 1, Column 27 The columns are `n`, `o`.",
		"SELECT id, id FROM p":                      " at Line: 1, Column 12 AS gives a column another name.",
		"SELECT p.id FROM p JOIN p ON TRUE":         " at Line: 1, Column 25 AS gives a table another name.",
		"SELECT id FROM p WHERE MAX(id) = 1":        " at Line: 1, Column 24 Aggregates stand in the list of columns, in HAVING and in ORDER BY, and not inside each other.",
		"SELECT SUM(team) FROM p":                   " at Line: 1, Column 8 SUM takes numbers.",
		"SELECT 1, summ(id) FROM p":                 " at Line: 1, Column 11 Did you mean `SUM`?",
		"SELECT 1, nothing(id) FROM p":              " at Line: 1, Column 11 The functions are AVG, CAST, COALESCE, COUNT, EXISTS, MAX, MIN, SUM.",
		"SELECT id FROM p WHERE CAST(hp AS x) = 1":  " at Line: 1, Column 24 Types are named like Bool, I32, U64, F64, String, TIMESTAMP, IDENTITY, UUID.",
		"SELECT id FROM p LIMIT many":               " at Line: 1, Column 24 LIMIT and OFFSET take a number.",
		"SELECT id FROM p WHERE 1 = 1":              " at Line: 1, Column 24 CAST gives a literal a type.",
		"SET limit = 1":                             " at Line: 1, Column 1 The variable is `row_limit`.",
		"SELECT CAST('x' AS TIMESTAMP)":             " at Line: 1, Column 13 A time is written like '2025-02-10 15:45:30Z'.",
		"SELECT CAST('x' AS UUID), CAST('1' AS U8)": " at Line: 1, Column 13 A UUID is written like '00112233-4455-6677-8899-aabbccddeeff'.",
		"SELECT CAST('x' AS INTERVAL)":              " at Line: 1, Column 13 A span of time is written in seconds, like '1.5', or like 'PT1.5S'.",
		"SELECT CAST('x' AS IDENTITY)":              " at Line: 1, Column 13 An identity has 64 hexadecimal digits.",
		"SELECT CAST('x' AS F32)":                   " at Line: 1, Column 13 It is a number, or 'NaN', 'inf' or '-inf'.",
		"SELECT CAST('x' AS BYTEA)":                 " at Line: 1, Column 13 Bytes are written in hexadecimal digits, two each.",
		"SELECT CAST('x' AS BOOL)":                  " at Line: 1, Column 13 It is true or false.",
	} {
		err := db.compileError(owner, text)
		e, ok := err.(*Error)
		if !ok || !strings.HasSuffix(e.Detail(), want) {
			t.Errorf("%s: %v", text, err)
			if ok {
				t.Log(e.Detail())
			}
		}
	}
}
