package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/internal/subscribe"
	"github.com/stdbgo/spacetime/internal/wire"
	v2 "github.com/stdbgo/spacetime/internal/wire/v2"
	"github.com/stdbgo/spacetime/sats"
)

// accounts is the documentation's example of row-level security: who owns a row
// sees it, and so does an admin. Who is one stands in a private table.
func accounts() *fakeModule {
	id := sats.E("identity", sats.IdentityType)
	m := newFake("accounts").
		addTable("account", []sats.Element{sats.E("id", sats.U32), id}, primary(0)).
		addTable("admin", []sats.Element{id}, primary(0), func(_ *fakeModule, t *schema.RawTableV10) { t.Access = schema.Private }).
		reducer("open", []sats.Element{sats.E("id", sats.U32), id}, func(c *fakeCall) error { return c.insert("account", c.Args) }).
		reducer("promote", []sats.Element{id}, func(c *fakeCall) error { return c.insert("admin", c.Args) })
	m.section(schema.SecRLS).RLS = []string{
		"SELECT * FROM account WHERE identity = :sender",
		"SELECT account.* FROM account JOIN admin WHERE admin.identity = :sender",
	}
	return m
}

// Row-level security over statements, one-off queries and subscriptions: every
// identity sees its rows and no others, from the first answer on, and what a
// change of another table makes visible arrives with it.
func TestRowsOfIdentities(t *testing.T) {
	spec.Covers(t, "07.41", "07.55", "07.56", "07.68", "07.40")
	w := newWorld(t)
	db := w.create(accounts())
	const text = "SELECT * FROM account"
	one, two := w.viewer(db, 21), w.viewer(db, 22)
	again := w.viewer(db, 23)
	again.who.Identity = one.who.Identity
	boss := w.viewer(db, 24)
	boss.who.IsOwner = true
	row := func(n uint32, v *viewer) []byte { return append(u32(n), v.who.Identity[:]...) }
	w.call(db, owner, "open", row(1, one))
	for _, v := range []*viewer{one, two, again, boss} {
		v.handle(db, &wire.SubscribeSet{RequestID: 1, QuerySetID: 1, Queries: []string{text}})
	}
	if clients, queries := db.subs.Len(); clients != 4 || queries != 3 {
		t.Errorf("%d clients share %d queries; two of one identity must share, the owner and the other not", clients, queries)
	}
	w.call(db, owner, "open", row(2, two))
	w.call(db, owner, "open", row(3, one))
	check := func(what string, v *viewer, ids ...uint32) {
		t.Helper()
		db.send.flush()
		var got []uint32
		for r := range v.rows {
			got = append(got, sats.NewReader([]byte(r)).U32())
		}
		if len(got) != len(ids) {
			t.Errorf("%s holds %v; want %v", what, got, ids)
		}
		for _, id := range ids {
			found := false
			for _, g := range got {
				found = found || g == id
			}
			if !found {
				t.Errorf("%s holds %v; want %v", what, got, ids)
			}
		}
	}
	check("one", one, 1, 3)
	check("two", two, 2)
	check("one's other connection", again, 1, 3)
	check("the owner", boss, 1, 2, 3)
	// Only the rows of the caller, in every way to ask.
	for _, q := range []struct {
		who  *viewer
		text string
		want int
	}{
		{one, text, 2}, {two, text, 1}, {boss, text, 3}, {one, "SELECT * FROM account WHERE id = 2", 0}, {two, "SELECT a.* FROM account a JOIN account b ON a.id = b.id", 1},
		{one, "SELECT a.* FROM account a JOIN account b JOIN account c", 8}, {two, "SELECT * FROM account ORDER BY id LIMIT 5", 1},
	} {
		v := &rowCounter{}
		was := q.who.client.Out
		q.who.client.Out = v
		q.who.handle(db, &wire.OneOffQuery{RequestID: 9, Query: q.text})
		q.who.client.Out = was
		if res, err := db.SQL(background, q.who.who, q.text); err != nil || len(res.Rows) != q.want {
			t.Errorf("%s: %d rows by SQL (%v); want %d", q.text, len(res.Rows), err, q.want)
		}
		if v.rows != q.want {
			t.Errorf("%s: %d rows once; want %d", q.text, v.rows, q.want)
		}
	}
	// An admin sees everything from the moment he is one.
	n := len(two.log)
	w.call(db, owner, "promote", two.who.Identity[:])
	check("two as admin", two, 1, 2, 3)
	check("one", one, 1, 3)
	if len(two.log) != n+1 {
		t.Errorf("two got %d messages; want one", len(two.log)-n)
	}
	w.call(db, owner, "open", row(4, one))
	check("two as admin", two, 1, 2, 3, 4)
	if _, err := db.SQL(background, owner, "DELETE FROM admin"); err != nil {
		t.Fatal(err)
	}
	check("two", two, 2)
	check("the owner", boss, 1, 2, 3, 4)
	// The row limit holds for what is asked once, too.
	if _, err := db.SQL(background, owner, "SET row_limit = 1"); err != nil {
		t.Fatal(err)
	}
	one.handle(db, &wire.OneOffQuery{RequestID: 10, Query: text})
	if _, err := db.SQL(background, one.who, "SELECT id FROM account"); err == nil || !strings.HasPrefix(err.Error(), "Estimated cardinality (") {
		t.Errorf("the row limit: %v", err)
	}
}

// A change by SQL reaches subscribers as one update.
func TestDMLReachesSubscribers(t *testing.T) {
	spec.Covers(t, "07.36", "07.49")
	w := newWorld(t)
	db := w.create(people("people"))
	v := w.viewer(db, 9)
	v.handle(db, &wire.SubscribeSet{RequestID: 1, QuerySetID: 1, Queries: []string{"SELECT * FROM person"}})
	for _, step := range []struct {
		text string
		rows int
	}{
		{"INSERT INTO person VALUES (1, 'a'), (2, 'b'), (3, 'c')", 3}, {"UPDATE person SET name = name || '!' WHERE id > 1", 3}, {"DELETE FROM person WHERE id = 1", 2},
		{"INSERT INTO person SELECT id + 10, name FROM person", 4}, {"DELETE FROM person", 0}, {"DELETE FROM person", 0},
	} {
		n := len(v.log)
		res, err := db.SQL(background, owner, step.text)
		if err != nil {
			t.Fatal(err)
		}
		db.send.flush()
		if changed := res.Stats.Inserted+res.Stats.Updated+res.Stats.Deleted > 0; len(v.rows) != step.rows || len(v.log)-n != map[bool]int{true: 1, false: 0}[changed] {
			t.Errorf("%s: %d rows after %d messages", step.text, len(v.rows), len(v.log)-n)
		}
	}
	if _, err := db.SQL(background, owner, "INSERT INTO person SELECT id, name FROM person WHERE 1 / (id - id) = 1"); err != nil {
		t.Errorf("an empty table has no row to fail on: %v", err)
	}
}

// A rowCounter counts the rows of the answer to a one-off query.
type rowCounter struct{ rows int }

func (c *rowCounter) Send(m subscribe.Message) {
	res, ok := v2.ReadServer(sats.NewReader(m.Body)).(*v2.OneOffQueryResult)
	if c.rows = -1; ok && res.Error == nil {
		l := wire.ReadRowList(sats.NewReader(res.Rows[0].Rows))
		c.rows = l.Len()
	}
}

// A sink for tests; it may block.
type testSink struct {
	rows  int
	bytes int
	wait  chan struct{}
	begun chan struct{}
}

func (s *testSink) Begin(SQLResult) error {
	if s.begun != nil {
		close(s.begun)
	}
	return nil
}

func (s *testSink) Row(row []byte) error {
	s.rows++
	s.bytes += len(row)
	if s.wait != nil {
		<-s.wait
	}
	return nil
}

// Statements of others than the owner are bounded in memory and time, and stop
// when their caller has gone; meanwhile everybody else goes on.
func TestSQLLimits(t *testing.T) {
	spec.Covers(t, "07.111")
	w := newWorld(t)
	w.stop()
	w.opts.SQLMemory, w.opts.SQLTime = 1<<18, 2*time.Second
	w.start()
	db := w.create(people("people"))
	var values []string
	for i := range 900 {
		values = append(values, fmt.Sprintf("(%d, '%s')", i, strings.Repeat("x", 100)))
		if len(values) == 300 {
			if _, err := db.SQL(background, owner, "INSERT INTO person VALUES "+strings.Join(values, ", ")); err != nil {
				t.Fatal(err)
			}
			values = nil
		}
	}
	fails := func(who Caller, text, want string) {
		t.Helper()
		_, err := db.StreamSQL(background, nil, who, SQLStatement{Text: text}, &testSink{})
		if got := fmt.Sprint(err); got != want {
			t.Errorf("%s: %s; want %s", text, got, want)
		}
	}
	const memory = "SQL statement exceeded its memory limit (262144 bytes)"
	fails(alice, "SELECT * FROM person a, person b ORDER BY a.name, b.name", memory)
	fails(alice, "SELECT a.id, b.id AS c, COUNT(*) FROM person a, person b GROUP BY a.id, b.id", memory)
	fails(alice, "SELECT DISTINCT a.id, b.id AS c FROM person a, person b", memory)
	fails(alice, "SELECT 1 WHERE 7 IN (SELECT a.id FROM person a, person b WHERE b.id < 9)", "<nil>")
	fails(alice, "SELECT COUNT(DISTINCT CAST(a.id AS String) || b.name) FROM person a, person b", memory)
	fails(alice, "SELECT id FROM person ORDER BY name, id LIMIT 3", "<nil>")
	fails(owner, "SELECT * FROM person ORDER BY name LIMIT 890", "<nil>")
	// The clock of the world stands still, so the time is over when it is moved.
	done := make(chan error, 1)
	sink := &testSink{begun: make(chan struct{})}
	go func() {
		_, err := db.StreamSQL(background, nil, alice, SQLStatement{Text: "SELECT a.id FROM person a, person b, person c WHERE a.name < b.name"}, sink)
		done <- err
	}()
	<-sink.begun
	for i := range uint32(5) { // nobody else waits for it
		if _, err := db.SQL(background, bob, "SELECT id FROM person WHERE id = 7"); err != nil {
			t.Fatal(err)
		}
		w.call(db, alice, "add", append(u32(100_000+i), str("y")...))
	}
	w.clock.advance(3 * time.Second)
	if err := <-done; fmt.Sprint(err) != "SQL statement exceeded its time limit (2000 ms)" {
		t.Errorf("the time limit: %v", err)
	}
	gone := make(chan struct{})
	go func() {
		_, err := db.StreamSQL(background, gone, owner, SQLStatement{Text: "SELECT a.id FROM person a, person b, person c WHERE a.name < b.name"}, &testSink{})
		done <- err
	}()
	close(gone)
	if err := <-done; fmt.Sprint(err) != "The caller of the SQL statement has gone" {
		t.Errorf("gone: %v", err)
	}
}

// Only so many SELECTs run at once; the others wait, within their time.
func TestSQLConcurrency(t *testing.T) {
	w := newWorld(t)
	db := w.create(people("people"))
	w.call(db, alice, "add", append(u32(1), str("x")...))
	release := make(chan struct{})
	done := make(chan error, maxSelects()+1)
	for range maxSelects() {
		s := &testSink{wait: release, begun: make(chan struct{})}
		go func() {
			_, err := db.StreamSQL(background, nil, alice, SQLStatement{Text: "SELECT * FROM person"}, s)
			done <- err
		}()
		<-s.begun
	}
	ctx, cancel := context.WithTimeout(background, 20*time.Millisecond)
	defer cancel()
	if _, err := db.StreamSQL(ctx, nil, bob, SQLStatement{Text: "SELECT * FROM person"}, &testSink{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("one too many: %v", err)
	}
	close(release)
	for range maxSelects() {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if res, err := db.SQL(background, bob, "SELECT * FROM person"); err != nil || len(res.Rows) != 1 {
		t.Errorf("afterwards: %v", err)
	}
}

// The default that the module declares goes into what an INSERT leaves out.
func TestInsertDefaults(t *testing.T) {
	spec.Covers(t, "07.112")
	w := newWorld(t)
	m := newFake("defaults").addTable("item", []sats.Element{sats.E("id", sats.U32), sats.E("n", sats.U32)}, primary(0), defaultValue(1, u32(42)))
	db := w.create(m)
	if _, err := db.SQL(background, owner, "INSERT INTO item (id) VALUES (1)"); err != nil {
		t.Fatal(err)
	}
	res, err := db.SQL(background, alice, "SELECT n FROM item")
	if err != nil || len(res.Rows) != 1 || !bytes.Equal(res.Rows[0], u32(42)) {
		t.Errorf("%x %v", res.Rows, err)
	}
}

// What is wrong with a rule is said when it is published, and nothing is stored.
func TestRulesAtPublish(t *testing.T) {
	spec.Covers(t, "07.41")
	for _, tt := range []struct {
		rules []string
		want  string
	}{
		{[]string{"SELECT * FROM admin"}, "Cannot define RLS rule on private table: admin. Please make table public if you wish to restrict access using RLS."},
		{[]string{"SELECT account.* FROM account JOIN open ON account.id = open.id", "SELECT open.* FROM open JOIN account ON account.id = open.id"}, "Discovered cyclic dependency when resolving RLS rules for table id `"},
		{[]string{"SELECT id FROM account"}, "row level security rule `SELECT id FROM account`: Column projections are not supported in subscriptions; Subscriptions must return a table type"},
		{[]string{"SELECT * FROM account LIMIT 3"}, "row level security rule `SELECT * FROM account LIMIT 3`: Unsupported: SELECT * FROM account LIMIT 3"},
	} {
		w := newWorld(t)
		m := accounts().addTable("open", []sats.Element{sats.E("id", sats.U32)})
		good := m.section(schema.SecRLS).RLS
		m.section(schema.SecRLS).RLS = tt.rules
		if _, err := w.host.Create(background, w.info, w.engine.register(m)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %v; want %s", tt.rules, err, tt.want)
		}
		m.section(schema.SecRLS).RLS = good
		db := w.create(m)
		v := w.viewer(db, 21)
		v.handle(db, &wire.SubscribeSet{RequestID: 1, QuerySetID: 1, Queries: []string{"SELECT * FROM account"}})
		bad := accounts().addTable("open", []sats.Element{sats.E("id", sats.U32)})
		bad.section(schema.SecRLS).RLS = tt.rules
		bad.name = "worse"
		program := w.engine.register(bad)
		plan, err := db.PrePublish(background, Wasm, program)
		if err != nil || !plan.BreaksUsers {
			t.Fatalf("plan %+v: %v; changed rules disconnect", plan, err)
		}
		if _, err := db.Update(background, Wasm, program, UpdatePolicy{BreakClients: true, Token: plan.Token}); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("update with %q: %v; want %s", tt.rules, err, tt.want)
		}
		w.call(db, owner, "open", append(u32(1), v.who.Identity[:]...))
		db.send.flush()
		if len(v.rows) != 1 || len(w.sql(db, bob, "SELECT * FROM account")) != 0 {
			t.Errorf("%q: after the refused update a client holds %d rows", tt.rules, len(v.rows))
		}
	}
}

// The first statement that wants the order of a unique index has the writer make it.
func TestOrderOfUniqueIndex(t *testing.T) {
	w := newWorld(t)
	db := w.create(crowd("crowd", 8000))
	w.call(db, alice, "fill")
	ordered := func() bool {
		v := db.View()
		defer v.Close()
		return v.Ordered(v.TableByName("person").Indexes[0].ID)
	}
	if ordered() {
		t.Fatal("it is ordered already")
	}
	for _, who := range []Caller{bob, owner} {
		res, err := db.SQL(background, who, "SELECT id FROM person ORDER BY id DESC LIMIT 3")
		if err != nil || len(res.Rows) != 3 || !bytes.Equal(res.Rows[0], u32(7999)) || !bytes.Equal(res.Rows[2], u32(7997)) {
			t.Errorf("%x, %v", res.Rows, err)
		}
		if !ordered() {
			t.Error("it is not ordered")
		}
	}
	w.call(db, alice, "rename", u32(7999), str(""))
	if res, err := db.SQL(background, bob, "SELECT MAX(id) AS m FROM person"); err != nil || !bytes.Equal(res.Rows[0], append([]byte{0}, u32(7998)...)) {
		t.Errorf("%x, %v", res.Rows, err)
	}
}
