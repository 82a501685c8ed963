package sql

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/query"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/sats"
)

func (db *database) subscribe(c Caller, text string) (*Query, error) {
	tx := db.Begin()
	defer tx.Rollback()
	return CompileSubscription(tx, text, c)
}

// Every row of the table of spec 07 §16, and the decision below it.
func TestAdmission(t *testing.T) {
	spec.Covers(t, "07.44", "07.45", "07.69")
	cols := []sats.Element{sats.E("id", sats.U32), sats.E("a", sats.U32)}
	const join, needs = "SELECT t.* FROM t JOIN s ON t.id = s.id", "Subscriptions require indexes on join columns"
	for _, tt := range []struct {
		t, s  []string // indexes
		query string
		want  string
	}{
		{nil, nil, join, needs},
		{nil, []string{"id"}, join, ""},
		{[]string{"id"}, nil, join, ""}, // the original tries one side only
		{[]string{"id"}, nil, join + " WHERE s.a = 1", ""},
		{nil, []string{"id"}, join + " WHERE s.a = 1", ""},
		{nil, []string{"id"}, join + " WHERE t.a = 2 AND s.a = 1", ""},
		{nil, []string{"a,id"}, join + " WHERE t.a = 2 AND s.a = 1", ""},
		{nil, []string{"a,id"}, join, needs},
		{nil, []string{"a"}, join, needs},
		{[]string{"id"}, []string{"id"}, "SELECT t.* FROM t JOIN s WHERE t.id = s.id", needs},
		{[]string{"id"}, []string{"id"}, "SELECT t.* FROM t JOIN s", needs},
		{[]string{"id"}, []string{"id"}, "SELECT t.* FROM t JOIN s ON (t.id = s.id) AND (t.a = s.a)", ""},
		{[]string{"id"}, []string{"id"}, "SELECT t.* FROM t JOIN s ON t.id = s.id JOIN s AS r ON r.id = s.id", "Invalid number of tables in subscription: 3"},
		{nil, nil, "SELECT t.* FROM t JOIN s ON t.id = s.id JOIN s AS r ON r.id = s.id", needs},
		{nil, nil, "SELECT * FROM t WHERE a = 1 OR id > 2", ""},
		{nil, nil, "SELECT a FROM t", "Column projections are not supported in subscriptions; Subscriptions must return a table type"},
		{nil, nil, "SELECT COUNT(*) AS n FROM t", "Column projections are not supported in subscriptions; Subscriptions must return a table type"},
		{nil, nil, "SELECT nope FROM t", "`nope` is not in scope"},
		{nil, nil, "SELECT * FROM t LIMIT ALL", ""},
		{nil, nil, "SELECT * FROM t LIMIT 1", "Unsupported: SELECT * FROM t LIMIT 1"},
		{nil, nil, "SELECT * FROM t ORDER BY id", "Unsupported: SELECT * FROM t ORDER BY id"},
		{nil, nil, "SELECT DISTINCT a FROM t", "Unsupported SELECT: SELECT DISTINCT a FROM t"},
		{nil, nil, "SELECT a FROM t GROUP BY a", "Unsupported SELECT: SELECT a FROM t GROUP BY a"},
		{nil, nil, "SELECT * FROM t UNION SELECT * FROM t", "Unsupported set operation: SELECT * FROM t UNION SELECT * FROM t"},
		{nil, nil, "DELETE FROM t", "Unsupported: Non-SELECT queries"},
		{nil, nil, "CREATE TABLE x (a INT)", "Unsupported: Non-SELECT queries"},
		{nil, nil, "SELECT 1", "A FROM clause is required"},
		{nil, nil, "SELECT * FROM t, s", "Implicit joins are not supported"},
		{nil, nil, " ", "SubscriptionError: Empty string"},
		{nil, nil, ";", "Empty SQL query"},
	} {
		db := newDatabase(t, tableSpec{name: "t", cols: cols, index: tt.t}, tableSpec{name: "s", cols: cols, index: tt.s})
		got := ""
		if _, err := db.subscribe(alice, tt.query); err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("indexes t%v s%v: %s\n got %s\nwant %s", tt.t, tt.s, tt.query, got, tt.want)
		}
	}
	db := newDatabase(t, tableSpec{name: "t", cols: cols}, tableSpec{name: "s", cols: cols})
	_, err := db.subscribe(alice, join)
	var e *Error
	if !errors.As(err, &e) || e.Suggestion != "An index on t(id) or s(id) allows it." {
		t.Errorf("the refusal does not say which index is missing: %v", e.Detail())
	}
	tx := db.Begin()
	defer tx.Rollback()
	if _, err := CompileOneOff(tx, join+" JOIN s AS r", alice); err != nil {
		t.Errorf("a one-off query needs no index: %v", err)
	}
}

func TestQueryHash(t *testing.T) {
	spec.Covers(t, "07.56")
	db := newDatabase(t, tableSpec{name: "person", cols: []sats.Element{sats.E("id", sats.IdentityType)}})
	one := Caller{Identity: sats.Identity{1}}
	for _, tt := range []struct {
		c    Caller
		text string
		want string
	}{
		{one, "SELECT * FROM person", "5777bfbf588a1f50afd96672b7c20bc070484ee60c29d3cd9d04e54762e4553a"},
		{Caller{one.Identity, true}, "SELECT * FROM person", "8bbeca23a76b45c738d1c2306ee316f5e1f49ff5702f1f81095af765542639de"},
	} {
		q, err := db.subscribe(tt.c, tt.text)
		if err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(q.Hash[:]); got != tt.want {
			t.Errorf("hash %s, want %s", got, tt.want)
		}
	}
	a, _ := db.subscribe(alice, "SELECT * FROM person WHERE id = :sender")
	b, _ := db.subscribe(one, "SELECT * FROM person WHERE id = :sender")
	if a.Hash == b.Hash || !a.PerCaller {
		t.Error("two callers share a query on :sender")
	}
	c, _ := db.subscribe(alice, "SELECT * FROM  person")
	if d, _ := db.subscribe(one, "SELECT * FROM  person"); c.Hash != d.Hash || c.PerCaller {
		t.Error("two callers do not share a query that is the same for both")
	}
}

func TestSelectAll(t *testing.T) {
	spec.Covers(t, "07.47")
	col := []sats.Element{sats.E("id", sats.U32)}
	db := newDatabase(t, tableSpec{name: "a", cols: col}, tableSpec{name: "b", cols: col, private: true}, tableSpec{name: "e", cols: col, event: true},
		tableSpec{name: "table", cols: col}, tableSpec{name: "lib.orders", cols: col})
	texts := func(c Caller, in ...string) string {
		tx := db.Begin()
		defer tx.Rollback()
		qs, err := CompileSubscriptionSet(tx, in, c)
		if err != nil {
			return err.Error()
		}
		var out []string
		for _, q := range qs {
			out = append(out, q.Text)
		}
		slices.Sort(out[:len(out)-len(in)+1])
		return strings.Join(out, "; ")
	}
	const public = "SELECT * FROM a; SELECT * FROM lib.orders"
	for _, tt := range []struct {
		c    Caller
		in   []string
		want string
	}{
		{alice, []string{"  select  *\nFROM * "}, `SELECT * FROM "table"; ` + public},
		{owner, []string{"SELECT * FROM *"}, `SELECT * FROM "table"; SELECT * FROM a; SELECT * FROM b; SELECT * FROM lib.orders`},
		{alice, []string{" SELECT * FROM a WHERE id = 1 ", "SELECT * FROM *"}, `SELECT * FROM "table"; ` + public + "; SELECT * FROM a WHERE id = 1"},
		{alice, []string{"SELECT * FROM *;"}, "sql parser error: Expected identifier, found: * at Line: 1, Column 15, executing: `SELECT * FROM *;`"},
		{alice, []string{"SELECT * FROM a", "SELECT * FROM b"}, "no such table: `b`. If the table exists, it may be marked private., executing: `SELECT * FROM b`"},
		{alice, []string{"\t\n"}, "SubscriptionError: Empty string, executing: ``"},
	} {
		if got := texts(tt.c, tt.in...); got != tt.want {
			t.Errorf("%q\n got %s\nwant %s", tt.in, got, tt.want)
		}
	}
	if _, err := db.subscribe(alice, "SELECT * FROM *"); err == nil {
		t.Error("a single subscription expands *")
	}
}

// What the official query builders print (spec 07 §17).
func TestBuilderTexts(t *testing.T) {
	spec.Covers(t, "07.12", "07.46", "07.80")
	id := strings.Repeat("0123456789ABCDEF", 4)
	db := newDatabase(t,
		tableSpec{name: "person", cols: []sats.Element{sats.E("id", sats.U32), sats.E("name", sats.String), sats.E("age", sats.U8), sats.E("active", sats.Bool),
			sats.E("identity", sats.IdentityType), sats.E("conn", sats.ConnectionIDType), sats.E("at", sats.TimestampType), sats.E("uuid", sats.UuidType),
			sats.E("f", sats.F64), sats.E("f32", sats.F32), sats.E("big", sats.U128Type), sats.E("data", sats.Array(sats.U8)), sats.E("user", sats.String)}, pk: "id"},
		tableSpec{name: "orders", cols: []sats.Element{sats.E("person_id", sats.U32), sats.E("item", sats.String)}, index: []string{"person_id"}},
		tableSpec{name: "lib.orders", cols: []sats.Element{sats.E("id", sats.U32)}},
		tableSpec{name: `we"ird`, cols: []sats.Element{sats.E("id", sats.U32)}},
	)
	where := func(cond string) string { return `SELECT * FROM "person" WHERE ` + cond }
	for _, text := range []string{
		"SELECT * FROM person", `SELECT * FROM "person"`, `SELECT person.* FROM person WHERE age = 1`,
		where(`"person"."age" = 42`), where(`"person"."age" <> 42`), where(`"person"."name" = 'O''Brian \ "x"'`),
		where(`"person"."active" = TRUE`), where("TRUE = TRUE"), where("FALSE = TRUE"), where("TRUE"), where("(TRUE = TRUE)"), where("(FALSE)"),
		where(`("person"."name" = 'A') AND ("person"."age" > 18) AND ("person"."active" = TRUE)`),
		where(`(("person"."name" = 'A') AND ("person"."age" > 18)) OR ("person"."active" = TRUE)`),
		where(`NOT ("person"."name" = 'A')`), where(`(NOT ("person"."active" = TRUE))`), where(`(NOT TRUE) AND ("person"."active")`),
		where(strings.Repeat("(", 200) + `"person"."age" = 1` + strings.Repeat(")", 200)),
		where(`"person"."identity" = 0x` + id), where(`"person"."conn" = 0x000000000000000000000000000000FF`),
		where(`"person"."at" = '1970-01-01T00:00:00.001000Z'`), where(`("person"."at" >= '1970-01-01T00:00:00.001+00:00')`),
		where(`"person"."uuid" = 0x0000000000004000800000000000002a`), where(`("person"."uuid" = '00000000-0000-0000-0000-000000000001')`),
		where(`"person"."f" = 1.5e-9`), where(`"person"."f" < 1e+21`), where(`"person"."f" = -3.25`), where(`"person"."f" > 1e-05`),
		where(`("person"."f32" = 0.10000000149011612)`), where(`("person"."f" = 1` + strings.Repeat("0", 300) + `)`),
		where(`"person"."big" = 1267650600228229401496703205376`),
		where(`"person"."f" = NaN`), where(`"person"."f" = Infinity`), where(`("person"."f" < inf)`), where(`("person"."f32" > -inf)`), where(`("person"."f" = nan)`), where(`"person"."f" = -Infinity`),
		where(`("person"."f" = "person"."f")`), where(`("person"."data" = "person"."data")`),
		where(`("person"."data" = 0xdeadbeef)`),
		`SELECT "person".* FROM "orders" JOIN "person" ON "person"."id" = "orders"."person_id"`,
		`SELECT "orders".* FROM "person" JOIN "orders" ON "person"."id" = "orders"."person_id"`,
		`SELECT "orders".* FROM "person" JOIN "orders" ON "person"."id" = "orders"."person_id" WHERE ("person"."age" > 3) AND ("orders"."item" = 'x')`,
		`SELECT "orders".* FROM "person" JOIN "orders" ON ("person"."id" = "orders"."person_id") AND ("person"."name" = "orders"."item")`,
		`SELECT * FROM "lib"."orders"`, `SELECT * FROM "lib.orders"`, `SELECT * FROM lib.orders WHERE lib.orders.id = 1`, `SELECT * FROM "we""ird"`,
		"SELECT * FROM person WHERE user = 'x'", "SELECT * FROM person WHERE (name = 'O''Brien' AND active = TRUE)",
		"SELECT * FROM person WHERE uuid = '00000000-0000-4000-8000-00000000002a'",
	} {
		if _, err := db.subscribe(alice, text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if err := db.compileError(alice, text); err != nil {
			t.Errorf("as a statement: %s: %v", text, err)
		}
	}
}

// Columns of every type can be compared in live queries, options among them: the
// value that prunes is the one that is stored.
func TestLiveOptions(t *testing.T) {
	spec.Covers(t, "07.105", "07.57")
	kind := sats.Sum(sats.E("A", sats.Unit), sats.E("B", sats.U8))
	db := newDatabase(t, tableSpec{name: "t", pk: "id", index: []string{"o"}, cols: []sats.Element{sats.E("id", sats.U32), sats.E("o", sats.Option(sats.U32)), sats.E("p", sats.Option(sats.U32)), sats.E("k", kind)}})
	texts := []string{
		"SELECT * FROM t WHERE o = 5", "SELECT * FROM t WHERE o <> 5", "SELECT * FROM t WHERE NOT (o = 5)", "SELECT * FROM t WHERE o IS NULL", "SELECT * FROM t WHERE o = p", "SELECT * FROM t WHERE o IN (5, 6)",
		"SELECT * FROM t WHERE o IS DISTINCT FROM p", "SELECT * FROM t WHERE k = 'A'", "SELECT * FROM t WHERE k > 'A' AND o BETWEEN 1 AND 5", "SELECT a.* FROM t a JOIN t b ON a.id = b.id AND b.o = 5", "SELECT * FROM t WHERE (o = 5) IS NOT TRUE",
	}
	var lives []*Query
	var have []rowBag
	for _, text := range texts {
		q, err := db.subscribe(alice, text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		lives, have = append(lives, q), append(have, rowBag{})
	}
	if k := lives[0].Occurrences[0].Keys; len(k) != 1 || string(k[0].Value) != "\x00\x05\x00\x00\x00" {
		t.Errorf("the search argument of an option column is %x", k)
	}
	for _, step := range []string{
		"INSERT INTO t VALUES (1, 5, NULL, 'A'), (2, NULL, NULL, 'A'), (3, 6, 6, '{\"B\":1}'), (4, 5, 5, '{\"B\":2}')", "UPDATE t SET o = p", "UPDATE t SET o = 5 WHERE id IN (1, 2)", "UPDATE t SET p = o, k = '{\"B\":1}' WHERE k = 'A'",
		"DELETE FROM t WHERE o = 5 AND id = 1", "UPDATE t SET o = NULL", "DELETE FROM t",
	} {
		tx := db.Begin()
		st, err := CompileStatement(tx, step, owner, Env{})
		if err == nil {
			_, err = st.Exec(tx)
		}
		if err != nil {
			t.Fatalf("%s: %v", step, err)
		}
		d := tx.Commit(nil).Delta
		tx = db.Begin()
		for i, q := range lives {
			changed := false
			if err := q.Plan.Delta(tx, d, func(row []byte) { have[i].add(row, 1); changed = true }, func(row []byte) { have[i].add(row, -1); changed = true }); err != nil {
				t.Fatal(err)
			}
			want := rowBag{}
			if err := q.Plan.Run(tx, func(row []byte) bool { want.add(row, 1); return true }); err != nil {
				t.Fatal(err)
			}
			if !have[i].equal(want) {
				t.Errorf("after %s: %s\n got %s\nwant %s", step, texts[i], have[i], want)
			}
			if changed && !selected(tx, d, q.Occurrences) {
				t.Errorf("after %s: %s is pruned, and changed", step, texts[i])
			}
		}
		tx.Rollback()
	}
}

func TestEventTables(t *testing.T) {
	cols := []sats.Element{sats.E("id", sats.U32), sats.E("x", sats.U32)}
	db := newDatabase(t, tableSpec{name: "e", cols: cols, index: []string{"id"}, event: true}, tableSpec{name: "t", cols: cols, pk: "id"})
	db.insert("t", "[1,10]", "[2,20]")
	for text, want := range map[string]string{
		"SELECT e.* FROM t JOIN e ON t.id = e.id":               "Event tables cannot be used as the lookup table in subscription joins",
		"SELECT t.* FROM e JOIN t ON t.id = e.id":               "",
		"SELECT t.* FROM t JOIN e ON t.id = e.id WHERE e.x > 0": "",
		"SELECT * FROM e": "",
	} {
		if _, err := db.subscribe(alice, text); fmt.Sprint(err) != want && (err != nil || want != "") {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
	plain, err := db.subscribe(alice, "SELECT * FROM e WHERE x > 5")
	if err != nil {
		t.Fatal(err)
	}
	joined, err := db.subscribe(alice, "SELECT t.* FROM e JOIN t ON t.id = e.id")
	if err != nil {
		t.Fatal(err)
	}
	behind, err := db.subscribe(alice, "SELECT t.* FROM t JOIN e ON t.id = e.id WHERE e.x > 0")
	if err != nil {
		t.Fatal(err)
	}
	if !plain.EventTables || !joined.EventTables {
		t.Error("EventTables is not set")
	}
	// One transaction: events for rows that stay, go, come and change.
	tx := db.Begin()
	e, tt := tx.TableByName("e"), tx.TableByName("t")
	row := func(a, b uint32) []byte { return sats.AppendU32(sats.AppendU32(nil, a), b) }
	for _, r := range [][]byte{row(1, 1), row(2, 6), row(3, 7)} {
		if _, _, err := tx.Insert(e.ID, r); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := tx.DeleteRow(tt.ID, row(2, 20)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := tx.Insert(tt.ID, row(3, 30)); err != nil {
		t.Fatal(err)
	}
	d := tx.Commit(nil).Delta
	check := func(q *Query, want string) {
		t.Helper()
		tx := db.Begin()
		defer tx.Rollback()
		var got []string
		add := func(sign string) func([]byte) {
			return func(r []byte) { got = append(got, sign+jsonRow(t, q.ReturnTable.RowType(), r)) }
		}
		if err := q.Plan.Delta(tx, d, add("+"), add("-")); err != nil {
			t.Fatal(err)
		}
		slices.Sort(got)
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%s: %s, want %s", q.Text, s, want)
		}
	}
	check(plain, "+[2,6] +[3,7]")
	check(joined, "+[1,10] +[2,20]") // an event meets the table as it was before
	check(behind, "+[1,10] +[2,20]")
	db.read(func(r store.Reader) {
		if err := joined.Plan.Run(r, func([]byte) bool { t.Error("an event table has rows"); return false }); err != nil {
			t.Fatal(err)
		}
	})
}

// The example of spec 07 §28.4, with what the registry would evaluate.
func TestPruning(t *testing.T) {
	spec.Covers(t, "07.58")
	db := newDatabase(t,
		tableSpec{name: "u", cols: []sats.Element{sats.E("i", sats.U64), sats.E("a", sats.U64), sats.E("b", sats.U64)}, index: []string{"i"}},
		tableSpec{name: "v", cols: []sats.Element{sats.E("i", sats.U64), sats.E("x", sats.U64), sats.E("y", sats.U64)}, unique: []string{"i"}, index: []string{"x"}})
	db.insert("v", "[1,1,1]", "[2,2,2]", "[3,3,3]", "[4,4,4]", "[5,5,5]")
	var queries []*Query
	for k := 1; k <= 5; k++ {
		q, err := db.subscribe(alice, fmt.Sprintf("SELECT u.* FROM u JOIN v ON u.i = v.i WHERE v.x = %d", k))
		if err != nil {
			t.Fatal(err)
		}
		queries = append(queries, q)
	}
	row := func(n [3]uint64) (b []byte) {
		for _, v := range n {
			b = sats.AppendU64(b, v)
		}
		return b
	}
	type change struct {
		table    string
		del, ins *[3]uint64
	}
	for _, step := range []struct {
		changes   []change
		evaluated string
		delivered string
	}{
		{[]change{{"u", nil, &[3]uint64{1, 2, 3}}}, "1", "1+[1,2,3]"},
		{[]change{{"v", &[3]uint64{1, 1, 1}, &[3]uint64{1, 1, 2}}}, "1", ""},
		{[]change{{"v", &[3]uint64{1, 1, 2}, &[3]uint64{1, 2, 2}}}, "1 2", "1-[1,2,3] 2+[1,2,3]"},
		{[]change{{"v", &[3]uint64{3, 3, 3}, &[3]uint64{3, 4, 3}}, {"u", nil, &[3]uint64{3, 4, 5}}}, "3 4", "4+[3,4,5]"},
		{[]change{{"v", &[3]uint64{3, 4, 3}, &[3]uint64{3, 0, 3}}}, "4", "4-[3,4,5]"},
		{[]change{{"v", &[3]uint64{5, 5, 5}, &[3]uint64{5, 6, 6}}, {"u", nil, &[3]uint64{5, 6, 7}}}, "5", ""},
	} {
		tx := db.Begin()
		for _, c := range step.changes {
			id := tx.TableByName(c.table).ID
			if c.del != nil {
				if ok, err := tx.DeleteRow(id, row(*c.del)); !ok || err != nil {
					t.Fatal(c, err)
				}
			}
			if _, _, err := tx.Insert(id, row(*c.ins)); err != nil {
				t.Fatal(err)
			}
		}
		d := tx.Commit(nil).Delta
		var evaluated, delivered []string
		db.read(func(r store.Reader) {
			for k, q := range queries {
				if !selected(r, d, q.Occurrences) {
					continue
				}
				evaluated = append(evaluated, fmt.Sprint(k+1))
				add := func(sign string) func([]byte) {
					return func(b []byte) {
						delivered = append(delivered, fmt.Sprint(k+1, sign, jsonRow(t, q.ReturnTable.RowType(), b)))
					}
				}
				if err := q.Plan.Delta(r, d, add("+"), add("-")); err != nil {
					t.Fatal(err)
				}
			}
		})
		if got := strings.Join(evaluated, " "); got != step.evaluated {
			t.Errorf("%+v: evaluated %s, want %s", step.changes, got, step.evaluated)
		}
		if got := strings.ReplaceAll(strings.Join(delivered, " "), " [", "["); got != step.delivered {
			t.Errorf("%+v: delivered %s, want %s", step.changes, got, step.delivered)
		}
	}
}

func TestKeys(t *testing.T) {
	db := newDatabase(t, tableSpec{name: "t", cols: []sats.Element{sats.E("id", sats.U8), sats.E("a", sats.U8), sats.E("f", sats.F64), sats.E("b", sats.Bool)}, pk: "id"})
	for _, tt := range []struct{ where, want string }{
		{"a = 2", "a=02"}, {"2 = a AND f > 1", "a=02"}, {"a = 2 AND id = 3", "id=03"}, {"a = 1 OR a = 2", "a=01 a=02"},
		{"a = 1 OR id = 2", "all"}, {"a > 1", "all"}, {"f = 1", "all"}, {"b", "b=01"}, {"NOT b", "b=00"}, {"NOT a <> 4", "a=04"},
		{"FALSE", "none"}, {"TRUE", "all"},
	} {
		q, err := db.subscribe(alice, "SELECT * FROM t WHERE "+tt.where)
		if err != nil {
			t.Fatal(err)
		}
		if got := keysText(q.Occurrences); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.where, got, tt.want)
		}
	}
	// Every alias of a self-join counts for itself.
	q, err := db.subscribe(alice, "SELECT x.* FROM t x JOIN t y ON x.id = y.id WHERE x.a = 1")
	if err != nil {
		t.Fatal(err)
	}
	if got := keysText(q.Occurrences); got != "a=01; all" {
		t.Errorf("self-join: %s", got)
	}
}

func keysText(occs []query.Occurrence) string {
	if len(occs) == 0 {
		return "none"
	}
	var out []string
	for _, o := range occs {
		var keys []string
		for _, k := range o.Keys {
			keys = append(keys, fmt.Sprintf("%s=%x", o.Table.Cols[k.Col].Name, k.Value))
		}
		switch {
		case keys == nil && o.Edge == nil:
			keys = []string{"all"}
		case o.Edge != nil:
			keys = []string{"edge"}
		}
		out = append(out, strings.Join(keys, " "))
	}
	return strings.Join(out, "; ")
}
