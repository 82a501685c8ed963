package sql

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/sats"
)

// typesDB has the tables of spec 07 §28.2 and some more.
func typesDB(t testing.TB) *database {
	cols := []sats.Element{sats.E("ts", sats.TimestampType)}
	for _, k := range []sats.Kind{sats.KindBool, sats.KindI8, sats.KindU8, sats.KindI16, sats.KindU16, sats.KindI32, sats.KindU32,
		sats.KindI64, sats.KindU64, sats.KindI128, sats.KindU128, sats.KindI256, sats.KindU256, sats.KindF32, sats.KindF64} {
		cols = append(cols, sats.E(strings.ToLower(k.String()), sats.Primitive(k)))
	}
	cols = append(cols, sats.E("str", sats.String), sats.E("arr", sats.Array(sats.String)), sats.E("opt", sats.Option(sats.U32)),
		sats.E("enum", sats.Enum("red", "green")), sats.E("dur", sats.TimeDurationType),
		sats.E("point", sats.Product(sats.E("x", sats.I32), sats.E("y", sats.I32))))
	return newDatabase(t,
		tableSpec{name: "t", cols: cols},
		tableSpec{name: "s", cols: []sats.Element{sats.E("id", sats.IdentityType), sats.E("u32", sats.U32), sats.E("arr", sats.Array(sats.String)),
			sats.E("bytes", sats.Array(sats.U8)), sats.E("conn", sats.ConnectionIDType), sats.E("uuid", sats.UuidType), sats.E("b", sats.Bool)}},
		tableSpec{name: "secret", cols: []sats.Element{sats.E("id", sats.U32)}, private: true},
		tableSpec{name: "player_state", accessor: "playerState", cols: []sats.Element{sats.E("id", sats.U32)}, pk: "id"},
	)
}

func (db *database) compileError(c Caller, text string) error {
	tx := db.Begin()
	defer tx.Rollback()
	_, err := CompileStatement(tx, text, c, Env{})
	return err
}

func TestTyping(t *testing.T) {
	spec.Covers(t, "07.8", "07.9", "07.21", "07.22", "07.23", "07.25", "07.26", "07.67")
	db := typesDB(t)
	hex64 := strings.Repeat("0a", 32)
	literal := func(text, typ string) string {
		return fmt.Sprintf("The literal expression `%s` cannot be parsed as type `%s`", text, typ)
	}
	const ts, id, conn, uuid = "(__timestamp_micros_since_unix_epoch__: I64)", "(__identity__: U256)", "(__connection_id__: U128)", "(__uuid__: U128)"
	for _, tt := range []struct{ table, cond, want string }{
		{"t", "u32 = 1e3", ""}, {"t", "u32 = 1E3", ""}, {"t", "u32 = +1", ""}, {"t", "i32 = -1", ""}, {"t", "f32 = 1e40", ""},
		{"t", "u256 = 1e40", ""}, {"t", "f32 = .1", ""}, {"t", "i256 = 1.0", ""}, {"t", "i8 = -128", ""}, {"t", "u32 = -0", ""},
		{"t", "i8 = 128", literal("128", "I8")}, {"t", "u8 = -1", literal("-1", "U8")}, {"t", "u32 = 0.1", literal("0.1", "U32")},
		{"t", "u32 = 1e40", literal("1e40", "U32")}, {"t", "i8 = 1.1e0", literal("1.1e0", "I8")}, {"t", "i8 = 1.10e1", ""},
		{"t", "u8 = 256", literal("256", "U8")}, {"t", "u64 = 1e999999999", literal("1e999999999", "U64")},
		{"t", "u64 = 0e999999999", ""}, {"t", "u64 = 0e99999999999999999999", literal("0e99999999999999999999", "U64")},
		{"t", "u64 = 1e-999999999", literal("1e-999999999", "U64")}, {"t", "f64 = 1e999999999", ""}, {"t", "f64 = -1e-999999999", ""},
		{"t", "u128 = 340282366920938463463374607431768211455", ""}, {"t", "u128 = 340282366920938463463374607431768211456", literal("340282366920938463463374607431768211456", "U128")},
		{"t", "u32 = '1_000'", ""}, {"t", "u32 = '5'", ""}, {"t", "u32 = ' 5'", literal(" 5", "U32")}, {"t", "u32 = '_1'", literal("_1", "U32")}, {"t", "u32 = ''", literal("", "U32")},
		{"t", "u32 = 0x10", literal("10", "U32")}, {"t", "f64 = 0x10", literal("10", "F64")}, {"t", "f64 = 'NaN'", ""}, {"t", "f64 = 0xNaN", "sql parser error: Expected end of statement, found: NaN at Line: 1, Column 31"},
		{"t", "ts = '2025-02-10T15:45:30Z'", ""}, {"t", "ts < '2025-02-10 15:45:30+02:00'", ""}, {"t", "ts = '2016-12-31T23:59:60Z'", ""},
		{"t", "ts = '2025-02-10 15:45:30'", literal("2025-02-10 15:45:30", ts)}, {"t", "ts = 0", literal("0", ts)},
		{"t", "ts = '2025-02-10T15:45:30+02'", literal("2025-02-10T15:45:30+02", ts)}, {"t", "ts = '2025-02-29T00:00:00Z'", literal("2025-02-29T00:00:00Z", ts)},
		{"t", "str = 5", ""}, {"t", "str = 'x'", ""}, {"t", "str = 0xFF", ""},
		{"t", "str = true", "Unexpected type: (expected) Bool != String (inferred)"},
		{"t", "u32 = true", "Unexpected type: (expected) Bool != U32 (inferred)"},
		{"t", "u32 = 'abc'", literal("abc", "U32")},
		{"t", "u32 = str", "Unexpected type: (expected) String != U32 (inferred)"},
		{"t", "u32 = u64", "Unexpected type: (expected) U64 != U32 (inferred)"},
		{"t", "arr = arr", ""},
		{"t", "opt <> opt", ""},
		{"t", "enum >= enum", ""},
		{"t", "point < point", ""},
		{"t", "dur > dur", ""},
		{"t", "1 = 1", "Cannot resolve type for literal expression"},
		{"t", "'a' = 'a'", "Cannot resolve type for literal expression"},
		{"t", "u32 = 1 = true", ""}, {"t", "true", ""}, {"t", "true = true", ""}, {"t", "bool", ""}, {"t", "(u32 = 1) = bool", ""},
		{"t", "bool and not bool or TRUE", ""}, {"t", "NOT (u32 = 1)", ""},
		{"t", "u32", "Unexpected type: (expected) U32 != Bool (inferred)"},
		{"t", "NOT u32", "Unexpected type: (expected) U32 != Bool (inferred)"},
		{"t", "TRUE AND 1", literal("1", "Bool")},
		{"t", "u32 = (bool AND bool)", "Unexpected type: (expected) Bool != U32 (inferred)"},
		{"s", "bytes = :sender", ""}, {"s", "id = :sender", ""}, {"s", ":sender = id", ""}, {"s", ":sender = bytes", ""}, {"s", ":sender = :sender", ""},
		{"s", "0x" + hex64 + " = :sender", ""}, {"s", ":sender = 0x" + hex64, ""},
		{"s", "u32 = :sender", "Unexpected type: (expected) (__identity__: U256) != U32 (inferred)"},
		{"s", "id = 0x" + hex64, ""}, {"s", "id = '" + hex64 + "'", ""}, {"s", "id = '0x" + hex64 + "'", ""}, {"s", "id = X'" + hex64 + "'", ""},
		{"s", "id = 0xFF", literal("FF", id)}, {"s", "id = " + strings.Repeat("12", 32), ""},
		{"s", "bytes = 0xABCD", ""}, {"s", "bytes = X'abcd'", ""}, {"s", "bytes = 'abcd'", ""}, {"s", "bytes = 0x", ""}, {"s", "bytes = 12", ""},
		{"s", "bytes = 0xABC", literal("ABC", "Array<U8>")}, {"s", "bytes = x'zz'", literal("zz", "Array<U8>")}, {"s", "bytes = 5", literal("5", "Array<U8>")},
		{"s", "conn = 0x" + hex64[:32], ""}, {"s", "conn = '" + hex64[:32] + "'", ""}, {"s", "conn = 77", literal("77", conn)},
		{"s", "uuid = 0x" + hex64[:32], ""}, {"s", "uuid = '00000000-0000-4000-8000-00000000002a'", ""},
		{"s", "uuid = 'urn:uuid:00000000-0000-4000-8000-00000000002a'", ""}, {"s", "uuid = '{00000000-0000-4000-8000-00000000002a}'", ""},
		{"s", "uuid = '0x" + hex64[:32] + "'", literal("0x"+hex64[:32], uuid)},
		{"s", "b = :sender", "Unexpected type: (expected) (__identity__: U256) != Bool (inferred)"},
	} {
		got := ""
		if err := db.compileError(owner, "SELECT * FROM "+tt.table+" WHERE "+tt.cond); err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%s\n got %s\nwant %s", tt.cond, got, tt.want)
		}
	}
}

// Literals mean the values of spec 07 §6.1, to the last bit.
func TestLiteralValues(t *testing.T) {
	spec.Covers(t, "07.21", "07.22")
	for _, tt := range []struct {
		text string
		typ  *sats.Type
		want sats.Value
	}{
		{"1.7976931348623157e308", sats.F64, sats.F64Value(1.7976931348623157e308)},
		{"1e308", sats.F64, sats.F64Value(1e308)},
		{"1.2345678901234567e+30", sats.F64, sats.F64Value(1.2345678901234567e+30)},
		{"-0.0", sats.F64, sats.F64Value(0)},
		{"-0", sats.F32, sats.F32Value(0)},
		{"-1e-999999999", sats.F64, sats.F64Value(0)},
		{"1.00000005960464477539062500000001", sats.F32, sats.F32Value(1.0000001)},
		{"0.10000000149011612", sats.F32, sats.F32Value(0.1)},
		{"1e3", sats.U16, sats.U16Value(1000)},
		{"12.50e1", sats.I8, sats.I8Value(125)},
		{"-128", sats.I8, sats.I8Value(-128)},
		{"-0", sats.U8, sats.U8Value(0)},
		{"1_000_", sats.U64, sats.U64Value(1000)},
		{"1969-12-31T23:59:59.9999999Z", sats.TimestampType, sats.TimestampValue(-1)},
		{"2020-01-01T00:00:00.0000019Z", sats.TimestampType, sats.TimestampValue(1577836800000001)},
		{"0xfF00", sats.Array(sats.U8), sats.BytesValue{0xff, 0}},
	} {
		want := sats.AppendValue(nil, tt.want)
		got, ok := parseLiteral(nil, &litExpr{kind: litString, text: tt.text}, tt.typ)
		if !ok || string(got) != string(want) {
			t.Errorf("%s as %s = %x, %v; want %x", tt.text, tt.typ, got, ok, want)
		}
	}
}

func TestNames(t *testing.T) {
	spec.Covers(t, "07.2", "07.15", "07.16", "07.17", "07.18", "07.19", "07.20", "07.28")
	db := typesDB(t)
	db.insert("player_state", "[1]", "[2]")
	noTable := func(n string) string {
		return "no such table: `" + n + "`. If the table exists, it may be marked private."
	}
	for _, tt := range []struct {
		c          Caller
		text, want string
	}{
		{alice, "select * from player_state where id = 1", "[1]"},
		{alice, "sElEcT * FrOm playerState wHeRe playerState.id = 1", "[1]"},
		{alice, "SELECT * FROM playerState WHERE player_state.id = 1", "`player_state` is not in scope"},
		{alice, "SELECT * FROM PlayerState", noTable("PlayerState")},
		{alice, "SELECT p.* FROM player_state p WHERE player_state.id = 1", "`player_state` is not in scope"},
		{alice, "SELECT player_state.* FROM player_state p", "`player_state` is not in scope"},
		{alice, "SELECT p.id FROM player_state AS p WHERE p.id = 2", "[2]"},
		{alice, `SELECT * FROM "player_state" 'p' WHERE p."id" = 2`, "[2]"},
		{alice, "SELECT * FROM secret", noTable("secret")},
		{alice, "SELECT * FROM nope", noTable("nope")},
		{alice, "SELECT t.* FROM t JOIN secret WHERE FALSE", noTable("secret")},
		{owner, "SELECT * FROM secret", ""},
		{alice, "SELECT * FROM st_connection_credentials", noTable("st_connection_credentials")},
		{alice, "SELECT table_name FROM st_table WHERE table_id = 1", `["st_table"]`},
		{alice, "SELECT nope FROM s", "`nope` is not in scope"},
		{alice, "SELECT * FROM s WHERE x.id = :sender", "`x` is not in scope"},
		{alice, "SELECT * FROM ns.t", noTable("ns.t")},
		{alice, "SELECT ns.t.a FROM s", "`ns.t` is not in scope"},
		{alice, "SELECT a.* FROM player_state a JOIN player_state a", "Duplicate name `a`"},
		{alice, "SELECT player_state.* FROM player_state JOIN player_state", "Duplicate name `player_state`"},
		{alice, "SELECT a.id FROM player_state a JOIN player_state b ON a.id = b.id WHERE b.id = 2", "[2]"},
		{alice, "SELECT a.id FROM player_state a JOIN player_state b ON a.id = id", "Names must be qualified when using joins"},
		{alice, "SELECT id FROM player_state a JOIN player_state b ON a.id = b.id", "Names must be qualified when using joins"},
		{alice, "SELECT a.* FROM player_state a JOIN player_state b ON a.id = b.id WHERE id = 1", "Names must be qualified when using joins"},
		{alice, "SELECT * FROM player_state a JOIN player_state b ON a.id = b.id", "[1,1] [2,2]"},
		{alice, "SELECT id, id FROM player_state", "Duplicate name `id`"},
		{alice, "SELECT id, id AS n FROM player_state WHERE id = 1", "[1,1]"},
		{alice, "SELECT a.id AS x, b.id AS x FROM player_state a JOIN player_state b", "Duplicate name `x`"},
		{alice, "SELECT * FROM player_state(1)", "`player_state` is a table, not a view; it does not take arguments"},
		{alice, "SELECT * FROM player_state() WHERE id = 1", "[1]"},
		{owner, "UPDATE playerState SET id = 3 WHERE playerState.id = 2", "inserted 0, updated 1, deleted 0"},
		{owner, "UPDATE playerState SET id = 3 WHERE player_state.id = 2", "`player_state` is not in scope"},
		{owner, "DELETE FROM player_state WHERE playerState.id = 3", "`playerState` is not in scope"},
		{owner, "UPDATE playerState SET nope = 3", "`player_state` does not have a field `nope`"},
	} {
		if got := db.outcome(tt.c, tt.text); got != tt.want {
			t.Errorf("%s\n got %s\nwant %s", tt.text, got, tt.want)
		}
	}
}

// Every row of spec 07 §4, in the dialect of statements.
func TestRefusals(t *testing.T) {
	spec.Covers(t, "07.14")
	db := newDatabase(t,
		tableSpec{name: "t", cols: []sats.Element{sats.E("a", sats.U32), sats.E("b", sats.U32)}},
		tableSpec{name: "s", cols: []sats.Element{sats.E("a", sats.U32)}})
	for _, tt := range []struct{ text, want string }{

		{"SELECT * FROM t FETCH FIRST 1 ROWS ONLY", "Unsupported: SELECT"},
		{"WITH x AS (SELECT 1) SELECT * FROM x", "Unsupported: WITH"}, {"SELECT * FROM t LIMIT a", "Unsupported: SELECT"},
		{"SELECT * FROM t LIMIT 'x'", "Unsupported: SELECT"}, {"SELECT * FROM t LIMIT -1", "Unsupported: SELECT"},
		{"SELECT * FROM t LIMIT 1.5", "The literal expression `1.5` cannot be parsed as type `U64`"},

		{"SELECT TOP 1 a FROM t", "Unsupported: SELECT"}, {"SELECT a INTO x FROM t", "Unsupported: SELECT"},
		{"SELECT * FROM t UNION ALL SELECT * FROM t", "Unsupported: SELECT"}, {"VALUES (1)", "Unsupported: VALUES"}, {"(SELECT * FROM t)", "Unsupported: (SELECT"},

		{"SELECT t.* FROM t FULL OUTER JOIN s ON t.a = s.a", "Non-inner joins are not supported"},
		{"SELECT t.* FROM t NATURAL JOIN s", "Non-inner joins are not supported"}, {"SELECT t.* FROM t JOIN s USING (a)", "Non-inner joins are not supported"},

		{"SELECT * FROM (SELECT * FROM t) x", "Unsupported FROM expression: (SELECT * FROM t) x"}, {"SELECT * FROM LATERAL (SELECT 1)", "Unsupported FROM expression"},
		{"SELECT * FROM t AS x (c, d)", "Unsupported FROM expression"}, {"SELECT * FROM t WITH (NOLOCK)", "Unsupported FROM expression"},
		{"SELECT * FROM t($1)", "Unsupported literal expression: $1"},
		{"SELECT * FROM t(x)", "Unsupported view argument: x. View arguments must be literals"},
		{"SELECT * FROM t(a = 1)", "Unsupported view argument: a = 1. View"},
		{"SELECT * FROM t((SELECT 1))", "Unsupported view argument: (SELECT 1). View arguments must be literals"},
		{"SELECT * FROM t(p => 1)", "Unsupported view argument: p => 1. View arguments must be positional literals"}, {"SELECT * FROM t(*)", "Unsupported view argument: *. View arguments must be positional"},

		{"SELECT CASE WHEN a = 1 THEN 2 END FROM t", "Unsupported projection expression: CASE WHEN"},
		{"SELECT foo(a) FROM t", "Aggregate expressions must have column aliases"},

		{"SELECT COUNT(*) OVER () AS n FROM t", "Unsupported aggregate function"},

		{"SELECT * FROM t WHERE foo(a)", "Unsupported expression: foo(a)"},

		{"SELECT * FROM t WHERE CASE WHEN a = 1 THEN TRUE END", "Unsupported expression: CASE WHEN"},

		{"INSERT INTO t (a, b) VALUES (:sender, 2)", "Unsupported literal expression: :sender"}, {"INSERT INTO t (a, b) VALUES (NULL, 2)", "Unsupported literal expression: NULL"},
		{"INSERT INTO t (a, b) VALUES (1, 2) RETURNING a", "Unsupported: INSERT INTO t (a, b) VALUES (1, 2) RETURNING a"},
		{"INSERT INTO t (a, b) VALUES (1, 2) ON CONFLICT DO NOTHING", "Unsupported: INSERT"}, {"INSERT OVERWRITE t (a, b) VALUES (1, 2)", "Unsupported: INSERT"},
		{"UPDATE t SET a = 1 RETURNING a", "Unsupported: UPDATE"}, {"UPDATE t() SET a = 1", "Unsupported: UPDATE"},
		{"UPDATE t SET a = :sender", "Unsupported literal expression: :sender"},
		{"DELETE FROM t JOIN s", "Unsupported table expression in DELETE: t JOIN s"}, {"DELETE FROM t()", "Unsupported table expression in DELETE: t()"},
		{"DELETE FROM t, s", "Multi-table DELETE is not supported"}, {"DELETE t FROM t", "Unsupported: DELETE t FROM t"},
		{"CREATE TABLE x (a INT)", "Unsupported: CREATE TABLE x (a INT)"}, {"BEGIN", "Unsupported: BEGIN TRANSACTION"}, {"GRANT ALL ON t TO x", "Unsupported: GRANT"},
		{"SHOW TABLES", "Unsupported: SHOW TABLES"}, {"SET TIME ZONE 'UTC'", "Unsupported: SET TIME"}, {"SET a = 1, 2", "Unsupported: SET a = 1, 2"},
	} {
		got := fmt.Sprint(db.compileError(owner, tt.text))
		if !strings.HasPrefix(got, tt.want) {
			t.Errorf("%s\n got %s\nwant %s…", tt.text, got, tt.want)
		}
	}
}

// What statements may say beyond the original stays refused in subscriptions, with
// its message (spec 07 §34.3).
func TestRefusalsOfSubscriptions(t *testing.T) {
	spec.Covers(t, "07.14", "07.103")
	db := newDatabase(t,
		tableSpec{name: "t", cols: []sats.Element{sats.E("a", sats.U32), sats.E("b", sats.U32)}},
		tableSpec{name: "s", cols: []sats.Element{sats.E("a", sats.U32)}, index: []string{"a"}})
	for _, tt := range []struct{ text, want string }{
		{"SELECT * FROM t ORDER BY a", "Unsupported: SELECT * FROM t ORDER BY a"},
		{"SELECT * FROM t OFFSET 1", "Unsupported"},
		{"SELECT DISTINCT a FROM t", "Unsupported SELECT: SELECT DISTINCT"},
		{"SELECT a FROM t GROUP BY a", "Unsupported"},
		{"SELECT a FROM t HAVING a = 1", "Unsupported"},
		{"SELECT * FROM t, s", "Implicit joins are not supported"},
		{"SELECT t.* FROM t LEFT JOIN s ON t.a = s.a", "Non-inner joins are not supported"},
		{"SELECT a", "A FROM clause is required"},
		{"SELECT 1", "A FROM clause is required"},
		{"SELECT *, a FROM t", "Mixed wildcard projections are not supported"},
		{"SELECT t.*, s.* FROM t JOIN s", "Mixed wildcard projections are not supported"},
		{"SELECT a + 1 FROM t", "Unsupported projection expression: a + 1"},
		{"SELECT :sender FROM t", "Unsupported projection expression: :sender"},
		{"SELECT 'x' FROM t", "Unsupported projection expression: 'x'"},
		{"SELECT NULL FROM t", "Unsupported projection expression: NULL"},
		{"SELECT COUNT(*) FROM t", "Aggregate expressions must have column aliases"},
		{"SELECT SUM(a) AS n FROM t", "Unsupported aggregate function: SUM(a)"},
		{"SELECT COUNT(a) AS n FROM t", "Unsupported aggregate function: COUNT(a)"},
		{"SELECT COUNT(DISTINCT a) AS n FROM t", "Unsupported aggregate function: COUNT(DISTINCT a)"},
		{"SELECT COUNT(*) AS n, a FROM t", "Unsupported projection expression: COUNT(*)"},
		{"SELECT * FROM t WHERE a = 1 AND EXISTS (SELECT 1)", "Unsupported expression: EXISTS (SELECT 1)"},
		{"SELECT * FROM t WHERE a = CAST(b AS INT)", "Unsupported expression: CAST(b AS INT)"},
		{"SELECT * FROM t WHERE a = b + 1", "Unsupported binary operator: +"},
		{"SELECT * FROM t WHERE a = -b", "Unsupported expression: -b"},
		{"SELECT * FROM t WHERE a = b::U32", "Unsupported expression: b::U32"},
		{"SELECT * FROM t WHERE COALESCE(a, b) = 1", "Unsupported expression: COALESCE(a, b)"},
		{"SELECT * FROM t WHERE a IN (SELECT a FROM s)", "Unsupported expression: a IN (SELECT a FROM s)"},
		{"SELECT * FROM t WHERE a = (SELECT 1)", "Unsupported expression: (SELECT 1)"},
		{"SELECT * FROM t WHERE NULL", "Unsupported literal expression: NULL"},
		{"EXPLAIN SELECT * FROM t", "Unsupported: Non-SELECT queries"},
	} {
		_, err := db.subscribe(owner, tt.text)
		if got := fmt.Sprint(err); !strings.HasPrefix(got, tt.want) {
			t.Errorf("%s\n got %s\nwant %s…", tt.text, got, tt.want)
		}
	}
	for _, text := range []string{
		"SELECT * FROM t WHERE a IN (1, 2) AND b NOT IN (3)", "SELECT * FROM t WHERE a BETWEEN 1 AND 2", "SELECT * FROM t WHERE a IS NOT NULL",
		"SELECT * FROM t WHERE (a = 1) IS NOT TRUE", "SELECT * FROM t WHERE a IS DISTINCT FROM b", "SELECT t.* FROM t JOIN s ON t.a = s.a AND b < 7",
		"SELECT t.* FROM t JOIN s ON t.a = s.a OR b = 1 WHERE b = 2",
	} {
		if _, err := db.subscribe(owner, text); err != nil && !strings.HasSuffix(text, "b = 2") {
			t.Errorf("%s: %v", text, err)
		} else if strings.HasSuffix(text, "b = 2") && fmt.Sprint(err) != "Subscriptions require indexes on join columns" {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// The first error in the order of spec 07 §3.3 is the one reported.
func TestErrorOrder(t *testing.T) {
	db := typesDB(t)
	for _, tt := range []struct{ text, want string }{
		{"SELECT CASE WHEN a THEN b END FROM nope, x WHERE foo(a)", "Unsupported projection expression: CASE WHEN a THEN b END"},
		{"SELECT nope FROM x NATURAL JOIN y WHERE foo(a)", "Non-inner joins are not supported"},
		{"SELECT nope FROM nope WHERE foo(a)", "Unsupported expression: foo(a)"},
		{"SELECT nope.x FROM nope JOIN nope ON a = b", "no such table: `nope`. If the table exists, it may be marked private."},
		{"SELECT nope FROM nope WHERE x = 1", "no such table: `nope`. If the table exists, it may be marked private."},
		{"SELECT nope FROM s WHERE x = 1 LIMIT 1.5", "`x` is not in scope"},
		{"SELECT nope FROM s LIMIT 1.5", "`nope` is not in scope"},
		{"INSERT INTO nope (a) VALUES (foo(1))", "Unsupported INSERT value: foo(1)"},
		{"INSERT INTO s (u32) VALUES ('x')", "Column `id` of table `s` has no default value"},
		{"UPDATE s SET nope = 1 WHERE nope = 1", "`s` does not have a field `nope`"},
		{"UPDATE s SET u32 = 1 WHERE nope = 1", "`nope` is not in scope"},
	} {
		for _, c := range []Caller{owner, alice} { // who asks matters last
			if got := fmt.Sprint(db.compileError(c, tt.text)); got != tt.want {
				t.Errorf("%s\n got %s\nwant %s", tt.text, got, tt.want)
			}
		}
	}
	want := "Caller " + alice.Identity.String() + " is not authorized to run SQL DML statements"
	for _, text := range []string{"UPDATE s SET u32 = 1", "DELETE FROM s", "SET row_limit = 4", "INSERT INTO player_state (id) VALUES (1)", "DELETE FROM st_table"} {
		if got := fmt.Sprint(db.compileError(alice, text)); got != want {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
		}
	}
}

// Hints: a position, and the nearest name that the caller may read.
func TestHints(t *testing.T) {
	db := typesDB(t)
	for _, tt := range []struct {
		c          Caller
		text, want string
	}{
		{alice, "SELECT * FROM playerstate", "marked private. at Line: 1, Column 15 Did you mean `playerState`?"},
		{alice, "SELECT * FROM secrat", "marked private. at Line: 1, Column 15"},
		{owner, "SELECT * FROM secrat", "marked private. at Line: 1, Column 15 Did you mean `secret`?"},
		{alice, "SELECT *\n FROM s WHERE byte = 0x", "`byte` is not in scope at Line: 2, Column 15 Did you mean `bytes`?"},
		{owner, "UPDATE s SET byts = 0x", "`s` does not have a field `byts` at Line: 1, Column 14 Did you mean `bytes`?"},
		{alice, "SELEKT", "sql parser error: Expected an SQL statement, found: SELEKT at Line: 1, Column 1"},
	} {
		var e *Error
		if err := db.compileError(tt.c, tt.text); !errors.As(err, &e) {
			t.Errorf("%s: %v is no *Error", tt.text, err)
		} else if !strings.HasSuffix(e.Detail(), tt.want) {
			t.Errorf("%s\n got %s\nwant …%s", tt.text, e.Detail(), tt.want)
		} else if strings.Contains(e.Error(), "Did you mean") {
			t.Errorf("%s: the plain text has a hint: %s", tt.text, e)
		}
	}
}
