package sql

import (
	"encoding/hex"
	"fmt"
	"slices"
	"testing"

	"github.com/stdbgo/spacetime/internal/query"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/sats"
)

// view creates a view of rows (id, n). A pk is the position of the key.
func (db *database) view(name string, anonymous bool, pk *schema.ColID, params ...sats.Element) {
	db.t.Helper()
	cols := []sats.Element{sats.E("id", sats.U32), sats.E("n", sats.U64)}
	def := &schema.ViewDef{
		Name: name, Accessor: name + "Acc", IsPublic: true, IsAnonymous: anonymous, PrimaryKey: pk,
		Params: sats.Product(params...), ParamCols: sats.Product(params...), RowType: sats.Product(cols...),
	}
	for _, c := range cols {
		def.Columns = append(def.Columns, schema.ColumnDef{Name: c.Name.Text, Type: c.Type})
	}
	tx := db.Begin()
	if _, _, err := tx.CreateView(def); err != nil {
		db.t.Fatal(err)
	}
	tx.Commit(nil)
}

// fill stores rows of the instance that a query reads.
func (db *database) fill(c Caller, text string, rows ...[2]int) {
	db.t.Helper()
	tx := db.Begin()
	q, err := CompileOneOff(tx, text, c)
	if err != nil {
		db.t.Fatal(err)
	}
	v := q.Plan.Views()[0]
	for _, r := range rows {
		row := sats.AppendU64(sats.AppendU32(slices.Clone(v.Hash[:]), uint32(r[0])), uint64(r[1]))
		if _, _, err := tx.Insert(v.Table.ID, row); err != nil {
			db.t.Fatal(err)
		}
	}
	tx.Commit(nil)
}

// The vectors of spec 07 §14.2.
func TestViewHash(t *testing.T) {
	spec.Covers(t, "07.73")
	db := newDatabase(t)
	key := schema.ColID(0)
	db.view("any", true, &key)
	db.view("own", false, nil)
	db.view("any_n", true, nil, sats.E("n", sats.U32))
	db.view("own_n", false, nil, sats.E("n", sats.U32))
	db.view("any_two", true, nil, sats.E("a", sats.I32), sats.E("b", sats.String))
	one := Caller{Identity: sats.Identity{1}}
	hash := func(c Caller, from string) string {
		t.Helper()
		var v *query.ViewRead
		db.read(func(r store.Reader) {
			q, err := CompileSubscription(r, "SELECT * FROM "+from, c)
			if err != nil {
				t.Fatal(err)
			}
			v = q.Plan.Views()[0]
		})
		return hex.EncodeToString(v.Hash[:])
	}
	for _, tt := range []struct{ from, want string }{
		{"any", "e8b8b119022591171d4b06f6240a1ee6c7a4b209b187d2e07b973c1e54e2e8b2"},
		{"own", "1a6a47c9ffc9971559c902607f0a7fe219042dc8279f470e4463c746479f4e46"},
		{"any_n(42)", "258ddf17f8057444a6fe1a9c043c1fc69a1aa6005efd29c919eaee59889005cf"},
		{"own_n(42)", "42172793ebd5afeab9f2c43cb94f6b83dce6b3da4dd5cd8381e69c0a6874c40d"},
		{"any_two(-5, 'O''Neil')", "6de71439203f1efb92dd8fbad2d0484b1f53b5b3220e17f8223fee8ab31f6f3b"},
	} {
		if got := hash(one, tt.from); got != tt.want {
			t.Errorf("%s: hash %s; want %s", tt.from, got, tt.want)
		}
	}
	if hash(one, "any_n(1)") != hash(alice, "any_n(1.0)") || hash(one, "any_n(1)") == hash(one, "any_n(2)") {
		t.Error("equal arguments make one instance, others another one")
	}
	if hash(one, "own_n(1)") == hash(alice, "own_n(1)") || hash(one, "own()") != hash(one, "own") {
		t.Error("an instance of a view with a sender belongs to the sender")
	}
}

// What a query on a view shows: the rows of one instance, without the hidden column.
func TestViewQueries(t *testing.T) {
	spec.Covers(t, "07.42", "07.71")
	db := newDatabase(t, tableSpec{name: "t", cols: []sats.Element{sats.E("id", sats.U32), sats.E("v", sats.U32)}, pk: "id"})
	key := schema.ColID(0)
	db.view("any", true, &key)
	db.view("own", false, nil)
	db.view("at", true, nil, sats.E("n", sats.U32))
	db.insert("t", `[1,10]`, `[2,20]`, `[3,30]`)
	bob := Caller{Identity: sats.Identity{3}}
	db.fill(alice, "SELECT * FROM any", [2]int{1, 5}, [2]int{2, 7})
	db.fill(alice, "SELECT * FROM own", [2]int{1, 1}, [2]int{1, 2})
	db.fill(bob, "SELECT * FROM own", [2]int{9, 9})
	db.fill(bob, "SELECT * FROM at(42)", [2]int{4, 42})
	db.fill(bob, "SELECT * FROM at(43)", [2]int{4, 43})
	for _, tt := range []struct {
		who        Caller
		text, want string
	}{
		{alice, "SELECT * FROM any", "[1,5] [2,7]"},
		{bob, "SELECT * FROM any()", "[1,5] [2,7]"},
		{bob, "SELECT * FROM anyAcc", "[1,5] [2,7]"},
		{alice, "SELECT a.* FROM any AS a WHERE a.n = 7", "[2,7]"},
		{alice, "SELECT n AS m, id FROM any WHERE id = 1", "[5,1]"},
		{alice, "SELECT COUNT(*) AS n FROM any", "[2]"},
		{alice, "SELECT COUNT(*) AS n FROM own", "[2]"},
		{bob, "SELECT COUNT(*) AS n FROM own", "[1]"},
		{owner, "SELECT COUNT(*) AS n FROM own", "[0]"},
		{owner, "SELECT * FROM own LIMIT 1", ""},
		{bob, "SELECT * FROM own", "[9,9]"},
		{bob, "SELECT * FROM at(42)", "[4,42]"},
		{bob, "SELECT x.* FROM at (43) AS x", "[4,43]"},
		{alice, "SELECT t.* FROM t JOIN any ON t.id = any.id", "[1,10] [2,20]"},
		{alice, "SELECT any.* FROM t JOIN any ON t.id = any.id WHERE t.v = 20", "[2,7]"},
		{alice, "SELECT o.* FROM any a JOIN own o ON a.id = o.id", "[1,1] [1,2]"},
		{alice, "SELECT o.n, a.n AS m FROM any a JOIN own() o ON a.id = o.id", "[1,5] [2,5]"},
		{alice, "SELECT t.* FROM t() WHERE id = 1", "[1,10]"},
		{alice, "SELECT arg_hash FROM any", "`arg_hash` is not in scope"},
		{alice, "SELECT * FROM any WHERE arg_hash = 1", "`arg_hash` is not in scope"},
		{alice, "SELECT any.arg_hash FROM any JOIN t ON t.id = any.id", "`arg_hash` is not in scope"},
		{owner, "DELETE FROM any WHERE id = 1", "`any` is a view; DML on views is not supported"},
		{owner, "INSERT INTO any (id, n) VALUES (1, 1)", "`any` is a view; DML on views is not supported"},
	} {
		if got := db.outcome(tt.who, tt.text); got != tt.want {
			t.Errorf("%s\n got %s\nwant %s", tt.text, got, tt.want)
		}
	}
	a, err := db.run(alice, "SELECT * FROM any")
	if err != nil || len(a.cols) != 2 || a.cols[0].Name.Text != "id" || a.cols[1].Name.Text != "n" {
		t.Errorf("columns %v, %v; want id and n", a.cols, err)
	}
}

// Live queries on views: what is admitted, what they share, and what they return when
// rows change.
func TestViewSubscriptions(t *testing.T) {
	spec.Covers(t, "07.42", "07.75")
	db := newDatabase(t,
		tableSpec{name: "t", cols: []sats.Element{sats.E("id", sats.U32), sats.E("v", sats.U32)}, pk: "id"},
		tableSpec{name: "loose", cols: []sats.Element{sats.E("id", sats.U32), sats.E("v", sats.U32)}})
	key := schema.ColID(0)
	db.view("keyed", true, &key)
	db.view("plain", true, nil)
	db.view("own", false, nil)
	db.view("at", true, nil, sats.E("n", sats.U32))
	for _, tt := range []struct{ text, want string }{
		{"SELECT * FROM keyed", ""},
		{"SELECT * FROM at(1)", ""},
		{"SELECT t.* FROM t JOIN plain ON t.id = plain.id", ""},
		{"SELECT plain.* FROM plain JOIN t ON t.id = plain.id", ""},
		{"SELECT k.* FROM plain p JOIN keyed k ON p.id = k.id", ""},
		{"SELECT l.* FROM loose l JOIN keyed k ON l.id = k.id", ""},
		{"SELECT l.* FROM loose l JOIN plain k ON l.id = k.id", "Subscriptions require indexes on join columns"},
		{"SELECT id FROM keyed", "Column projections are not supported in subscriptions; Subscriptions must return a table type"},
	} {
		got := ""
		if _, err := db.subscribe(alice, tt.text); err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%s\n got %s\nwant %s", tt.text, got, tt.want)
		}
	}
	q, err := db.subscribe(alice, "SELECT * FROM keyed")
	own, err2 := db.subscribe(alice, "SELECT * FROM own")
	if err != nil || err2 != nil || q.PerCaller || !own.PerCaller {
		t.Errorf("a view with a sender, and only that, depends on the caller: %v %v", err, err2)
	}
	var star []string
	db.read(func(r store.Reader) {
		qs, err := CompileSubscriptionSet(r, []string{"select * from *"}, alice)
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range qs {
			star = append(star, q.Text)
		}
	})
	want := []string{"SELECT * FROM t", "SELECT * FROM loose", "SELECT * FROM keyed", "SELECT * FROM plain", "SELECT * FROM own"}
	if !slices.Equal(star, want) {
		t.Errorf("SELECT * FROM * stands for %q; want %q", star, want)
	}
	if o := own.Occurrences[0]; len(o.Keys) != 1 || o.Keys[0].Col != 0 {
		t.Errorf("search argument %+v; want the hash", o)
	}
}

// The checks of a call, in the order of spec 07 §14.4.
func TestViewCalls(t *testing.T) {
	spec.Covers(t, "07.71", "07.72", "05.53")
	db := newDatabase(t, tableSpec{name: "t", cols: []sats.Element{sats.E("id", sats.U32)}})
	db.view("v", true, nil, sats.E("p", sats.U32))
	db.view("two", true, nil, sats.E("a", sats.Bool), sats.E("b", sats.String))
	db.view("w", true, nil, sats.E("ids", sats.Array(sats.U32)))
	db.view("none", true, nil)
	db.view("all", true, nil, sats.E("i", sats.IdentityType), sats.E("c", sats.ConnectionIDType), sats.E("t", sats.TimestampType),
		sats.E("u", sats.UuidType), sats.E("b", sats.Bytes), sats.E("n", sats.I128Type))
	const only = "View `v` takes arguments, so it can only be queried as `SELECT * FROM v(...)`"
	for _, tt := range []struct{ text, want string }{
		{"SELECT * FROM t(1)", "`t` is a table, not a view; it does not take arguments"},
		{"SELECT * FROM t('x', TRUE)", "`t` is a table, not a view; it does not take arguments"},
		{"SELECT * FROM v", "View `v` takes 1 argument(s), but 0 were given"},
		{"SELECT * FROM v()", "View `v` takes 1 argument(s), but 0 were given"},
		{"SELECT t.* FROM t JOIN v ON t.id = v.id", "View `v` takes 1 argument(s), but 0 were given"},
		{"SELECT * FROM vAcc(1, 2)", "View `v` takes 1 argument(s), but 2 were given"},
		{"SELECT * FROM none(1)", "View `none` takes 0 argument(s), but 1 were given"},
		{"SELECT * FROM w(1)", "The literal expression `1` cannot be parsed as type `Array<U32>`"},
		{"SELECT * FROM w('[1,2]')", ""},
		{"SELECT * FROM v(TRUE)", "Unexpected type: (expected) Bool != U32 (inferred)"},
		{"SELECT * FROM v(-1)", "The literal expression `-1` cannot be parsed as type `U32`"},
		{"SELECT * FROM v('x')", "The literal expression `x` cannot be parsed as type `U32`"},
		{"SELECT * FROM v('5')", ""},
		{"SELECT * FROM v(1.0)", ""},
		{"SELECT x.* FROM v (1) AS x", ""},
		{"SELECT * FROM two(FALSE, 'a')", ""},
		{"SELECT * FROM two('a', FALSE)", "The literal expression `a` cannot be parsed as type `Bool`"},
		{"SELECT * FROM v(1) WHERE TRUE", ""},
		{"SELECT COUNT(*) AS n FROM v(1)", "[0]"},
		{"SELECT nope FROM v(1)", "`nope` is not in scope"},
		{"SELECT * FROM v(1) WHERE nope = 1", "`nope` is not in scope"},
		{"SELECT t.* FROM t JOIN v(1) ON t.id = v.id", ""},
		{"SELECT * FROM v(:sender)", "Unexpected type: (expected) (__identity__: U256) != U32 (inferred)"},
		{"SELECT * FROM v(NULL)", "Unexpected type: (expected) (some: U32 | none: ()) != U32 (inferred)"},
		{"SELECT t.* FROM t JOIN v(t.id) ON TRUE", "Unsupported view argument: t.id. View arguments must be literals"},
		{"SELECT * FROM v((SELECT 1))", "Unsupported view argument: (SELECT 1). View arguments must be literals"},
		{"SELECT * FROM v(COUNT(*))", "Unsupported view argument: COUNT(*). View arguments must be literals"},
		{"SELECT * FROM v(1 / 0)", "Division by zero"},
		{"SELECT * FROM v(p => 1)", "Unsupported view argument: p => 1. View arguments must be positional literals"},
		{"SELECT * FROM v(1 + 1)", ""},
		{"SELECT * FROM all(0x" + fmt.Sprintf("%064d", 7) + ", 0x" + fmt.Sprintf("%032d", 7) +
			", '2026-01-01T00:00:00Z', '01234567-89ab-cdef-0123-456789abcdef', 0xbeef, -170141183460469231731687303715884105728)", ""},
	} {
		if got := db.outcome(alice, tt.text); got != tt.want {
			t.Errorf("%s\n got %s\nwant %s", tt.text, got, tt.want)
		}
	}
	if _, err := db.subscribe(alice, "SELECT id FROM v(1)"); err == nil || err.Error() != only {
		t.Errorf("a subscription says %v; want the form of the call", err)
	}
	for text, want := range map[string]string{
		"SELECT * FROM v(1 + 1)": "Unsupported view argument: 1 + 1. View arguments must be literals", "SELECT * FROM v((1))": "Unsupported view argument: (1). View arguments must be literals",
		"SELECT * FROM v(- -1)": "Unsupported view argument: - -1. View arguments must be literals", "SELECT * FROM v(x)": "Unsupported view argument: x. View arguments must be literals",
		"SELECT * FROM v($1)": "Unsupported literal expression: $1", "SELECT * FROM v(1) WHERE TRUE": "<nil>", "SELECT * FROM w('[1]')": "<nil>",
	} {
		if _, err := db.subscribe(alice, text); fmt.Sprint(err) != want {
			t.Errorf("%s: a subscription says %v", text, err)
		}
	}
}

// Views with arguments wherever a table may stand (spec 07 §34.8): the instance is
// that of the values, however they are written.
func TestViewArguments(t *testing.T) {
	spec.Covers(t, "07.113", "07.73")
	db := newDatabase(t, tableSpec{name: "t", cols: []sats.Element{sats.E("id", sats.U32)}})
	db.view("v", true, nil, sats.E("p", sats.U32))
	db.view("me", true, nil, sats.E("who", sats.IdentityType))
	db.view("opt", true, nil, sats.E("o", sats.Option(sats.U32)))
	db.view("shape", true, nil, sats.E("s", sats.Sum(sats.E("Dot", sats.Unit), sats.E("Line", sats.U32))))
	tx := db.Begin()
	defer tx.Rollback()
	instance := func(c Caller, text string) query.ViewHash {
		t.Helper()
		st, err := CompileStatement(tx, text, c, Env{})
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if len(st.Views()) != 1 {
			t.Fatalf("%s reads %d instances", text, len(st.Views()))
		}
		return st.Views()[0].Hash
	}
	want := instance(alice, "SELECT * FROM v(42)")
	for _, text := range []string{
		"SELECT * FROM v(40 + 2)", "SELECT * FROM v('42')", "SELECT * FROM v(42.0)", "SELECT * FROM v((42))", "SELECT * FROM v(CAST('4' || '2' AS U32))", "SELECT * FROM v(COALESCE(NULL, 42))",
		"SELECT t.id, v.id AS vid FROM t JOIN v(42) ON t.id = v.id", "SELECT COUNT(*) FROM v(42) WHERE id > 1", "SELECT t.id FROM t LEFT JOIN v(42) x ON TRUE", "SELECT 1 WHERE EXISTS (SELECT 1 FROM v(42))",
		"SELECT id FROM t WHERE id IN (SELECT id FROM v(42))", "SELECT id FROM v(42) ORDER BY id DESC LIMIT 1",
	} {
		if instance(alice, text) != want {
			t.Errorf("%s reads another instance than v(42)", text)
		}
	}
	if instance(alice, "SELECT * FROM v(41)") == want {
		t.Error("v(41) and v(42) are one instance")
	}
	if instance(alice, "SELECT * FROM me(:sender)") == instance(owner, "SELECT * FROM me(:sender)") {
		t.Error("me(:sender) is the same for two callers")
	}
	if instance(alice, "SELECT * FROM opt(NULL)") == instance(alice, "SELECT * FROM opt(0)") || instance(alice, "SELECT * FROM opt(2)") != instance(alice, "SELECT * FROM opt(1 + 1)") {
		t.Error("instances of an option parameter")
	}
	if instance(alice, "SELECT * FROM shape('Dot')") == instance(alice, `SELECT * FROM shape('{"Line":1}')`) {
		t.Error("instances of a sum parameter")
	}
	q, err := CompileSubscription(tx, "SELECT * FROM me(:sender) WHERE id > 1", alice)
	if err != nil || !q.PerCaller {
		t.Errorf("a subscription of me(:sender): %v", err)
	}
}

// Queries that views return.
func TestViewReturnsQuery(t *testing.T) {
	spec.Covers(t, "07.42", "07.76")
	db := newDatabase(t,
		tableSpec{name: "t", cols: []sats.Element{sats.E("id", sats.U32), sats.E("n", sats.U64)}, pk: "id", private: true},
		tableSpec{name: "s", cols: []sats.Element{sats.E("id", sats.U32), sats.E("key", sats.String)}, pk: "id"})
	db.view("any", true, nil)
	db.view("own", false, nil)
	want := sats.Product(sats.E("id", sats.U32), sats.E("n", sats.U64))
	for _, tt := range []struct{ text, want string }{
		{"SELECT * FROM t", ""},
		{`SELECT "t".* FROM "t" JOIN "s" ON "t"."id" = "s"."id" WHERE ("t"."n" > 3)`, ""},
		{"SELECT * FROM s", "query returns `" + sats.Product(sats.E("id", sats.U32), sats.E("key", sats.String)).String() + "` but view expects `" + want.String() + "`"},
		{"SELECT * FROM any", "view definition cannot read from other views"},
		{"SELECT t.* FROM t JOIN any ON t.id = any.id", "view definition cannot read from other views"},
		{"SELECT * FROM own", "parameterized SQL is not supported for view materialization yet"},
		{"SELECT t.* FROM t WHERE :sender = 0x" + fmt.Sprintf("%064d", 7), "parameterized SQL is not supported for view materialization yet"},
		{"SELECT * FROM st_env", "module SQL views cannot read a module-restricted table"},
		{"SELECT t.* FROM t JOIN st_env ON t.id = t.id", "module SQL views cannot read a module-restricted table"},
		{"SELECT id FROM t", "query does not return plain table rows"},
		{"SELECT * FROM nowhere", "no such table: `nowhere`. If the table exists, it may be marked private."},
		{"SELECT t.* FROM t JOIN s ON t.n = s.id", "Unexpected type: (expected) U32 != U64 (inferred)"},
		{"SELECT t.* FROM t JOIN s", "Subscriptions require indexes on join columns"},
		{"DELETE FROM t", "Unsupported: Non-SELECT queries"},
	} {
		got := ""
		db.read(func(r store.Reader) {
			if _, err := CompileViewQuery(r, tt.text, sats.Identity{7}, want); err != nil {
				got = err.Error()
			}
		})
		if got != tt.want {
			t.Errorf("%s\n got %s\nwant %s", tt.text, got, tt.want)
		}
	}
}
