package sql

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/sats"
)

// rule stores rules as a publisher would.
func (db *database) rule(texts ...string) error {
	tx := db.Begin()
	for _, text := range texts {
		t, err := CompileRule(tx, text, owner)
		if err == nil {
			err = tx.CreateRLS(t.ID, text)
		}
		if err != nil {
			tx.Rollback()
			return err
		}
	}
	if err := CheckRules(tx); err != nil {
		tx.Rollback()
		return err
	}
	tx.Commit(nil)
	return nil
}

var (
	userA = Caller{Identity: sats.Identity{0xa}}
	userB = Caller{Identity: sats.Identity{0xb}}
	userC = Caller{Identity: sats.Identity{0xc}}
)

func idText(c Caller) string { return `["0x` + c.Identity.String() + `"]` }

// names replaces identities in an outcome by letters.
func names(s string) string {
	for c, name := range map[Caller]string{userA: "a", userB: "b", userC: "c"} {
		s = strings.ReplaceAll(s, idText(c), name)
		s = strings.ReplaceAll(s, `["0x`+strings.TrimLeft(c.Identity.String(), "0")+`"]`, name)
	}
	return s
}

// salesDB is the worked example of spec 07 §13.5.
func salesDB(t *testing.T) *database {
	id := sats.E("identity", sats.IdentityType)
	db := newDatabase(t,
		tableSpec{name: "users", cols: []sats.Element{id}, pk: "identity"},
		tableSpec{name: "admins", cols: []sats.Element{id}, pk: "identity"},
		tableSpec{name: "sales", cols: []sats.Element{sats.E("order_id", sats.U64), sats.E("product_id", sats.U64), sats.E("customer", sats.IdentityType)}, pk: "order_id"})
	if err := db.rule("SELECT * FROM admins WHERE identity = :sender", "SELECT * FROM users WHERE identity = :sender",
		"SELECT users.* FROM admins JOIN users", "SELECT s.* FROM users u JOIN sales s ON u.identity = s.customer"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []Caller{userA, userB, userC} {
		db.insert("users", "["+idText(c)+"]")
	}
	db.insert("admins", "["+idText(userC)+"]")
	db.insert("sales", "[1,1,"+idText(userA)+"]", "[2,2,"+idText(userB)+"]")
	return db
}

func TestRowLevelSecurity(t *testing.T) {
	spec.Covers(t, "07.41")
	db := salesDB(t)
	for _, tt := range []struct {
		c          Caller
		text, want string
	}{
		{userA, "SELECT * FROM admins", ""},
		{userC, "SELECT * FROM admins", "[c]"},
		{userA, "SELECT * FROM users", "[a]"},
		{userB, "SELECT * FROM users", "[b]"},
		{userC, "SELECT * FROM users", "[a] [b] [c]"}, // c once, although two rules return it
		{userC, "SELECT COUNT(*) AS n FROM users", "[3]"},
		{userA, "SELECT COUNT(*) AS n FROM users", "[1]"},
		{userA, "SELECT * FROM sales", "[1,1,a]"},
		{userB, "SELECT order_id FROM sales", "[2]"},
		{userC, "SELECT * FROM sales", "[1,1,a] [2,2,b]"},
		{userA, "SELECT * FROM users WHERE identity = :sender", "[a]"},
		{userA, "SELECT * FROM users WHERE identity = 0x" + userB.Identity.String(), ""},
		{userA, "SELECT * FROM users WHERE identity = :sender OR identity = 0x" + userB.Identity.String(), "[a]"},
		{userA, "SELECT * FROM users WHERE identity = :sender AND identity = 0x" + userB.Identity.String(), ""},
		{userA, "SELECT s.* FROM users u JOIN sales s ON u.identity = s.customer", "[1,1,a]"},
		{userC, "SELECT s.* FROM users u JOIN sales s ON u.identity = s.customer WHERE u.identity = 0x" + userB.Identity.String(), "[2,2,b]"},
		{userA, "SELECT u.identity, s.order_id FROM sales s JOIN users u ON u.identity = s.customer", "[a,1]"},
		{userC, "SELECT * FROM users LIMIT 2", "[a] [b]"}, // of the whole result, not of each rule
		{owner, "SELECT COUNT(*) AS n FROM users", "[3]"},
		{owner, "SELECT * FROM admins", "[c]"},
		{owner, "DELETE FROM users WHERE identity = 0x" + userB.Identity.String(), "inserted 0, updated 0, deleted 1"},
	} {
		got := strings.Split(names(db.outcome(tt.c, tt.text)), " ")
		if slices.Sort(got); !strings.HasPrefix(tt.want, "ins") && strings.Join(got, " ") != tt.want {
			t.Errorf("%s\n got %s\nwant %s", tt.text, strings.Join(got, " "), tt.want)
		}
	}
}

// What a publisher must be told.
func TestRulesRefused(t *testing.T) {
	spec.Covers(t, "07.41", "07.76")
	cols := []sats.Element{sats.E("id", sats.U32)}
	db := newDatabase(t, tableSpec{name: "t", cols: cols}, tableSpec{name: "s", cols: cols}, tableSpec{name: "r", cols: cols},
		tableSpec{name: "hidden", cols: cols, private: true})
	tx := db.Begin()
	if _, _, err := tx.CreateView(&schema.ViewDef{Name: "v", RowType: sats.Product(cols...), Params: sats.Product(sats.E("x", sats.U32)), IsPublic: true, IsAnonymous: true, Columns: []schema.ColumnDef{{Name: "id", Type: sats.U32}}}); err != nil {
		t.Fatal(err)
	}
	tx.Commit(nil)
	for _, tt := range []struct {
		rules []string
		want  string
	}{
		{[]string{"SELECT * FROM hidden"}, "Cannot define RLS rule on private table: hidden. Please make table public if you wish to restrict access using RLS."},
		{[]string{"SELECT h.* FROM t JOIN hidden h ON h.id = t.id"}, "Cannot define RLS rule on private table: hidden. Please make table public if you wish to restrict access using RLS."},
		{[]string{"SELECT * FROM v(1)"}, "Row-level security is not supported on parameterized views: SELECT * FROM v(1)"},
		{[]string{"SELECT id FROM t"}, "row level security rule `SELECT id FROM t`: Column projections are not supported in subscriptions; Subscriptions must return a table type"},
		{[]string{"SELECT * FROM t ORDER BY id"}, "row level security rule `SELECT * FROM t ORDER BY id`: Unsupported: SELECT * FROM t ORDER BY id"},
		{[]string{"SELECT * FROM nope"}, "row level security rule `SELECT * FROM nope`: no such table: `nope`. If the table exists, it may be marked private."},
		{[]string{"SELECT t.* FROM t JOIN s ON t.id = s.id", "SELECT s.* FROM s JOIN t ON t.id = s.id"}, "Discovered cyclic dependency when resolving RLS rules for table id `%d`"},
		{[]string{"SELECT t.* FROM t JOIN s ON t.id = s.id", "SELECT s.* FROM s JOIN r ON r.id = s.id", "SELECT r.* FROM r JOIN t ON t.id = r.id"}, "Discovered cyclic dependency when resolving RLS rules for table id `%d`"},
	} {
		want := tt.want
		if strings.Contains(want, "%d") {
			db.read(func(r store.Reader) { want = fmt.Sprintf(want, r.TableByName("t").ID) })
		}
		if err := db.rule(tt.rules...); err == nil || err.Error() != want {
			t.Errorf("%q\n got %v\nwant %s", tt.rules, err, want)
		}
	}
	// A rule may read its own table, and a private one.
	if err := db.rule("SELECT t.* FROM t JOIN t AS u ON t.id = u.id", "SELECT t.* FROM t JOIN hidden h ON h.id = t.id"); err != nil {
		t.Error(err)
	}
}

// The documentation's admin pattern can be subscribed to: rules do not count for
// admission, and need no index (spec 07 §13.3).
func TestRulesAndAdmission(t *testing.T) {
	spec.Covers(t, "07.68", "07.56")
	id := sats.E("identity", sats.IdentityType)
	db := newDatabase(t,
		tableSpec{name: "account", cols: []sats.Element{sats.E("id", sats.U32), id}, private: false},
		tableSpec{name: "admin", cols: []sats.Element{id}, private: true},
		tableSpec{name: "player", cols: []sats.Element{sats.E("id", sats.U32), sats.E("hp", sats.U32)}})
	if err := db.rule("SELECT * FROM account WHERE identity = :sender", "SELECT account.* FROM account JOIN admin WHERE admin.identity = :sender",
		"SELECT p.* FROM account a JOIN player p ON a.id = p.id"); err != nil {
		t.Fatal(err)
	}
	tx := db.Begin()
	keys := map[[32]byte]bool{}
	for _, c := range []Caller{userA, userB, owner} {
		for _, text := range []string{"SELECT * FROM account", "SELECT * FROM player"} {
			q, err := CompileSubscription(tx, text, c)
			if err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			if keys[q.Hash] {
				t.Errorf("%s is shared between callers", text)
			}
			keys[q.Hash] = true
		}
	}
	// A rule that does not ask who asks keeps the query shared, but not with the owner.
	tx.Rollback()
	db = newDatabase(t, tableSpec{name: "item", cols: []sats.Element{sats.E("id", sats.U32), sats.E("listed", sats.Bool)}})
	if err := db.rule("SELECT * FROM item WHERE listed"); err != nil {
		t.Fatal(err)
	}
	a, _ := db.subscribe(userA, "SELECT * FROM item")
	b, _ := db.subscribe(userB, "SELECT * FROM item")
	o, _ := db.subscribe(owner, "SELECT * FROM item")
	if a.Hash != b.Hash || a.PerCaller || o.Hash == a.Hash || !o.PerCaller {
		t.Error("sharing: two callers must share, the owner not with them")
	}
}

// drawRules gives some tables rules without circles: a rule of the i-th table may
// join the tables before it, and its own.
func drawRules(t *rapid.T, tables []*schema.Table) map[schema.TableID][]*modelQuery {
	rules := map[schema.TableID][]*modelQuery{}
	for i, table := range tables {
		for range rapid.IntRange(0, 2).Draw(t, table.Name+" rules") {
			q := drawQuery(t, tables[:i+1], 2)
			q.ret = rapid.IntRange(0, len(q.rels)-1).Draw(t, "restricts")
			if q.rels[q.ret].table != table {
				continue
			}
			rules[table.ID] = append(rules[table.ID], q)
		}
	}
	return rules
}

// visibleRows evaluates rules by brute force: the rows of table that there are.
func visibleRows(t *rapid.T, r store.Reader, rules map[schema.TableID][]*modelQuery, table, own *schema.Table) []modelRow {
	rows := modelRows(t, r, table)
	if own == table || len(rules[table.ID]) == 0 {
		return rows
	}
	seen := rowBag{}
	for _, q := range rules[table.ID] {
		q.tuples(func(i int) []modelRow { return visibleRows(t, r, rules, q.rels[i].table, table) },
			func(tu []modelRow) { seen[string(tu[q.ret].bytes)] = 1 })
	}
	return slices.DeleteFunc(rows, func(row modelRow) bool { return seen[string(row.bytes)] == 0 })
}

// Random queries of a caller who is bound by random rules: what they answer and
// what they tell after every transaction is what brute force finds.
func TestRulesEqualModel(t *testing.T) {
	spec.Covers(t, "07.41", "07.59")
	rapid.Check(t, func(t *rapid.T) {
		s, tables := drawStore(t)
		tx := s.Begin()
		third, err := tx.CreateTable(drawTable(t, "r"))
		if err != nil {
			t.Fatal(err)
		}
		tables = append(tables, third)
		for range rapid.IntRange(0, 6).Draw(t, "r rows") {
			insertDrawn(t, tx, third)
		}
		rules := drawRules(t, tables)
		for id, list := range rules {
			for i, q := range list {
				// The texts must differ, for they are the key of their table.
				if err := tx.CreateRLS(id, q.text()+fmt.Sprintf(" -- %d.%d", id, i)); err != nil {
					t.Fatal(err)
				}
			}
		}
		tx.Commit(nil)
		var lives []*liveModel
		tx = s.Begin()
		for range 3 {
			q := drawQuery(t, tables, 2)
			c, err := compileUnadmitted(tx, q.text(), alice)
			if err != nil {
				t.Fatalf("%s: %v", q.text(), err)
			}
			l := &liveModel{q, c, rowBag{}}
			if err := c.Plan.Run(tx, func(row []byte) bool { l.rows.add(row, 1); return true }); err != nil {
				t.Fatal(err)
			}
			l.check(t, tx, rules)
			lives = append(lives, l)
		}
		tx.Rollback()
		for range 4 {
			d := drawTransaction(t, s, tables)
			tx := s.Begin()
			for _, l := range lives {
				l.apply(t, tx, d)
				l.check(t, tx, rules)
			}
			tx.Rollback()
		}
	})
}

type liveModel struct {
	model *modelQuery
	query *Query
	rows  rowBag
}

func (l *liveModel) apply(t *rapid.T, r store.Reader, d *store.Delta) {
	before := len(l.rows)
	moved := 0
	if err := l.query.Plan.Delta(r, d, func(row []byte) { l.rows.add(row, 1); moved++ }, func(row []byte) { l.rows.add(row, -1); moved++ }); err != nil {
		t.Fatal(err)
	}
	if moved > 0 && !selected(r, d, l.query.Occurrences) {
		t.Fatalf("%s changed (%d rows before) and would not have been evaluated", l.model.text(), before)
	}
}

func (l *liveModel) check(t *rapid.T, r store.Reader, rules map[schema.TableID][]*modelQuery) {
	want := rowBag{}
	l.model.tuples(func(i int) []modelRow { return visibleRows(t, r, rules, l.model.rels[i].table, nil) },
		func(tu []modelRow) { want.add(tu[l.model.ret].bytes, 1) })
	if !l.rows.equal(want) {
		var texts []string
		for _, list := range rules {
			for _, q := range list {
				texts = append(texts, q.text())
			}
		}
		t.Fatalf("%s\n got %s\nwant %s\nrules %s\n%s", l.model.text(), l.rows, want, strings.Join(texts, "; "), l.query.Plan.Explain(true))
	}
}
