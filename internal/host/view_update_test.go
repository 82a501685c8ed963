package host

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/internal/wire"
	"github.com/stdbgo/spacetime/sats"
)

// An update evaluates all instances with the new code, tells subscribers the
// difference, and depends on what the new code has read.
func TestUpdateEvaluatesViews(t *testing.T) {
	spec.Covers(t, "08.39", "02.60", "08.82")
	w := newWorld(t)
	db := w.create(newGallery("one").fakeModule)
	w.call(db, alice, "put", note(1, aliceID, 5))
	w.call(db, alice, "put", note(2, aliceID, 15))
	w.call(db, alice, "put", note(3, bobID, 25))
	gone := false
	v := w.viewer(db, 9)
	db.clients[v.client].exited = func() { gone = true }
	v.handle(db, &wire.SubscribeSet{RequestID: 1, QuerySetID: 1, Queries: []string{"SELECT * FROM large"}})
	w.sql(db, alice, "SELECT * FROM mine")
	w.sql(db, bob, "SELECT * FROM above(20)")

	two := newGallery("two")
	two.views["large"] = func(_ context.Context, c *abi.ViewCall) (abi.ViewResult, error) {
		two.runs["large"]++
		if len(scan(c, "other", func([]byte) bool { return true })) > 0 {
			return viewRows(), nil
		}
		return viewRows(scan(c, "note", func(row []byte) bool { return binary.LittleEndian.Uint32(row[36:]) >= 20 })...), nil
	}
	two.views["above"] = func(context.Context, *abi.ViewCall) (abi.ViewResult, error) {
		two.runs["above"]++
		return viewRows(), nil
	}
	if _, err := w.update(db, two.fakeModule, UpdatePolicy{}); err != nil {
		t.Fatal(err)
	}
	db.send.flush()
	if gone {
		t.Error("another body of a view disconnects its subscribers")
	}
	want(t, "messages", v.log, []string{"applied 1", "update"})
	if len(v.rows) != 1 || v.rows[string(note(3, bobID, 25))] != 1 {
		t.Errorf("the subscriber holds %v; want the row of the new code", v.rows)
	}
	if fmt.Sprint(two.runs) != "map[above:1 large:1 mine:1]" {
		t.Errorf("the update ran %v; want every instance once", two.runs)
	}
	want(t, "mine", w.backing(db, "mine"), []string{"1:5", "2:15"})
	want(t, "above", w.backing(db, "above"), nil)

	// What the new code has read, and only that, matters now.
	w.call(db, alice, "put_other", u32(1))
	two.ran(t, "large", 2)
	w.call(db, alice, "put", note(4, bobID, 40))
	two.ran(t, "above", 1)
	db.send.flush()
	if len(v.rows) != 0 {
		t.Errorf("the subscriber holds %v", v.rows)
	}
}

func TestFailingViewRefusesUpdate(t *testing.T) {
	spec.Covers(t, "08.39", "02.65")
	for _, tt := range []struct {
		err  error
		want string
	}{
		{trapError("boom"), "Trapped while evaluating views during database update"},
		{userError("no"), "Views evaluation did not complete successfully during database update: no"},
		{errNoEnergy, "Views evaluation did not complete successfully during database update: out of energy"},
	} {
		w := newWorld(t)
		one := newGallery("one")
		db := w.create(one.fakeModule)
		w.call(db, alice, "put", note(1, aliceID, 15))
		want(t, "large", w.sql(db, alice, "SELECT * FROM large"), []string{"1:15"})
		offset, hash := db.store.NextOffset(), db.ProgramHash()
		two := newGallery("two").addTable("more", personCols)
		two.views["large"] = func(context.Context, *abi.ViewCall) (abi.ViewResult, error) { return abi.ViewResult{}, tt.err }
		_, err := w.update(db, two, UpdatePolicy{})
		if err == nil || err.Error() != tt.want {
			t.Errorf("update: %v; want %s", err, tt.want)
		}
		if db.store.NextOffset() != offset || db.ProgramHash() != hash {
			t.Error("a refused update leaves traces")
		}
		v := db.View()
		row, _, _ := storedProgram(v)
		if v.TableByName("more") != nil || row.ProgramHash != hash {
			t.Error("a refused update has changed the schema or the program")
		}
		v.Close()
		want(t, "large", w.backing(db, "large"), []string{"1:15"})
		w.call(db, alice, "put", note(2, aliceID, 25))
		one.ran(t, "large", 2)
		want(t, "large", w.sql(db, alice, "SELECT * FROM large"), []string{"1:15", "2:25"})
		w.restart()
		if db = w.open(); db.ProgramHash() != hash {
			t.Error("the refused program runs after a restart")
		}
	}
}

// Another signature makes the view anew and disconnects everybody; instances of other
// views are evaluated by the new code, those of the changed and removed ones are gone.
func TestViewSignatureChange(t *testing.T) {
	spec.Covers(t, "02.60")
	w := newWorld(t)
	db := w.create(newGallery("one").fakeModule)
	w.call(db, alice, "put", note(1, aliceID, 15))
	gone := false
	v := w.viewer(db, 9)
	v.client.Out = &recorder{t: t}
	db.clients[v.client].exited = func() { gone = true }
	v.handle(db, &wire.SubscribeSet{RequestID: 1, QuerySetID: 1, Queries: []string{"SELECT * FROM large", "SELECT * FROM above(3)", "SELECT * FROM first"}})
	before := w.rows(db, "st_view")

	two := newGallery("two")
	sec := two.section(schema.SecViews)
	for i := range sec.Views {
		switch sec.Views[i].Name {
		case "large":
			sec.Views[i].Return = sats.Array(sats.Ref(1)) // rows of `other`
		case "above":
			sec.Views[i].Params = sats.Product(sats.E("n", sats.U64))
		}
	}
	two.views["large"] = func(context.Context, *abi.ViewCall) (abi.ViewResult, error) { return viewRows(u32(77)), nil }
	if _, err := w.update(db, two.fakeModule, UpdatePolicy{}); err == nil {
		t.Fatal("a view with another signature does not need leave to break clients")
	}
	pre, err := db.PrePublish(background, Wasm, w.engine.register(two.fakeModule))
	if err != nil || !pre.BreaksUsers {
		t.Fatal(pre, err)
	}
	if _, err := w.update(db, two.fakeModule, UpdatePolicy{BreakClients: true, Token: pre.Token}); err != nil {
		t.Fatal(err)
	}
	if !gone {
		t.Error("another signature of a view does not disconnect")
	}
	if len(db.views.instances) != 1 || len(db.views.wanted) != 0 {
		t.Errorf("%d instances are left; want that of `first`", len(db.views.instances))
	}
	want(t, "first", w.backing(db, "first"), []string{"1:15"})
	two.ran(t, "first", 1)
	want(t, "large", w.sql(db, alice, "SELECT * FROM large"), []string{"77:77"})
	want(t, "above", w.sql(db, alice, "SELECT * FROM above(0)"), []string{"1:15"})
	after := w.rows(db, "st_view")
	if len(after) != len(before) || strings.Join(after, "") == strings.Join(before, "") {
		t.Errorf("views before %v and after %v; want as many with other ids", before, after)
	}
}

// An enum that gets another variant keeps its views, whose backing tables and
// descriptions follow.
func TestViewOfGrownEnum(t *testing.T) {
	spec.Covers(t, "02.60")
	module := func(name string, variants ...string) *fakeModule {
		m := newFake(name)
		ts := m.section(schema.SecTypespace).Typespace
		ts.Types = append(ts.Types, sats.Enum(variants...))
		types := m.section(schema.SecTypes)
		types.Types = append(types.Types, schema.RawType{Name: "Kind", Ref: 0, CustomOrdering: true})
		cols := params(sats.E("id", sats.U32), sats.E("kind", sats.Ref(0)))
		m.addTable("thing", cols, primary(0)).
			reducer("put", cols, func(c *fakeCall) error { return c.insert("thing", c.Args) })
		return m.view("things", "thing", true, nil, func(_ context.Context, c *abi.ViewCall) (abi.ViewResult, error) {
			return viewRows(scan(c, "thing", func([]byte) bool { return true })...), nil
		})
	}
	w := newWorld(t)
	db := w.create(module("one", "a", "b"))
	v := w.viewer(db, 9)
	v.handle(db, &wire.SubscribeSet{RequestID: 1, QuerySetID: 1, Queries: []string{"SELECT * FROM things"}})
	w.call(db, alice, "put", u32(1), []byte{1})
	if _, err := w.update(db, module("two", "a", "b", "c"), UpdatePolicy{}); err != nil {
		t.Fatal(err)
	}
	w.call(db, alice, "put", u32(2), []byte{2})
	db.send.flush()
	if len(v.rows) != 2 {
		t.Errorf("the subscriber holds %v; want two rows", v.rows)
	}
	w.restart()
	db = w.open()
	if strings.Contains(logsOf(t, db), "Repairing") {
		t.Error("a view that followed its module is repaired at launch")
	}
	if res, err := db.SQL(background, alice, "SELECT * FROM things"); err != nil || len(res.Rows) != 2 {
		t.Errorf("things: %v, %v", res.Rows, err)
	}
}

// Databases of servers up to 2.6 have backing tables of another shape: a column of the
// sender for views with one, and nothing but the returned columns for others.
func TestOldBackingTablesAreRepaired(t *testing.T) {
	spec.Covers(t, "08.40")
	w := newWorld(t)
	db := w.create(newGallery("gallery").fakeModule)
	w.call(db, alice, "put", note(1, aliceID, 15))
	tx := db.store.Begin()
	old := func(name string, sender bool) {
		t.Helper()
		table := tx.TableByName(name)
		cols := noteCols
		like := &schema.Table{Name: name, Kind: schema.User}
		if sender {
			cols = append(params(sats.E("sender", sats.IdentityType)), noteCols...)
			like.Indexes = []*schema.Index{{Name: name + "_sender_idx_btree", Cols: []schema.ColID{0}}}
		}
		for _, c := range cols {
			like.Cols = append(like.Cols, schema.Column{Name: c.Name.Text, Type: c.Type})
		}
		var err error
		if like.Layout, err = sats.NewLayout(sats.Product(cols...)); err != nil {
			t.Fatal(err)
		}
		if err := tx.DropTable(table.ID); err != nil {
			t.Fatal(err)
		}
		made, err := tx.CreateTable(like)
		if err != nil {
			t.Fatal(err)
		}
		row := schema.StViewRow{Name: name, TableID: &made.ID, IsPublic: true, IsAnonymous: !sender}
		if _, _, err := tx.Insert(schema.StView, row.Append(nil)); err != nil {
			t.Fatal(err)
		}
	}
	old("mine", true)
	old("large", false)
	if _, err := db.commit(tx, nil, nil); err != nil {
		t.Fatal(err)
	}
	w.restart()
	db = w.open()
	if n := strings.Count(logsOf(t, db), "Repairing stale view backing tables"); n != 1 {
		t.Errorf("the log names the repair %d times; want once", n)
	}
	v := db.View()
	for _, name := range []string{"mine", "large"} {
		table := v.TableByName(name)
		if !table.IsView || table.Cols[0].Name != "arg_hash" || table.IndexOn(0) == nil || len(table.Cols) != 4 {
			t.Errorf("the backing table of %s is %+v after the repair", name, table)
		}
	}
	v.Close()
	want(t, "mine", w.sql(db, alice, "SELECT * FROM mine"), []string{"1:15"})
	want(t, "large", w.sql(db, bob, "SELECT * FROM large"), []string{"1:15"})
	next := db.store.NextOffset()
	w.restart()
	db = w.open()
	if n := strings.Count(logsOf(t, db), "Repairing stale view backing tables"); n != 1 || db.store.NextOffset() != next {
		t.Errorf("a repaired database is repaired again: %d times, offset %d; want %d", n, db.store.NextOffset(), next)
	}
}

// A rule on a call of a view with arguments is refused.
func TestRuleOnViewCall(t *testing.T) {
	spec.Covers(t, "07.76")
	w := newWorld(t)
	g := newGallery("gallery")
	sec := g.section(schema.SecRLS)
	sec.RLS = []string{"SELECT * FROM above(1)"}
	_, err := w.host.Create(background, w.info, w.engine.register(g.fakeModule))
	if want := "Row-level security is not supported on parameterized views: SELECT * FROM above(1)"; err == nil || err.Error() != want {
		t.Errorf("create: %v; want %s", err, want)
	}
}

// Transactions that no reducer makes refresh views, too.
func TestClientsAndSchedulesRefreshViews(t *testing.T) {
	w := newWorld(t)
	m := newFake("presence").addTable("out", params(sats.E("n", sats.U32)), primary(0))
	failing := false
	count := func(table schema.TableID) fakeView {
		return func(_ context.Context, c *abi.ViewCall) (abi.ViewResult, error) {
			if failing {
				return abi.ViewResult{}, userError("not now")
			}
			return viewRows(u32(uint32(c.Tx.RowCount(table)))), nil
		}
	}
	m.view("clients", "out", true, nil, count(schema.StClient))
	m.addTable("timer", params(sats.E("id", sats.U64), sats.E("at", sats.ScheduleAtType)), scheduled("tick")).
		reducer("tick", params(sats.E("row", sats.Ref(1))), func(*fakeCall) error { return nil }).
		reducer("plan", nil, func(c *fakeCall) error {
			return c.insert("timer", sats.ScheduleTime(c.Time+1000).AppendBSATN(u64(0)))
		})
	m.view("timers", "out", true, nil, func(ctx context.Context, c *abi.ViewCall) (abi.ViewResult, error) {
		return count(c.Tx.TableByName("timer").ID)(ctx, c)
	})
	db := w.create(m)
	n := func(view string) string { return strings.Join(w.backing(db, view), " ") }
	w.sql(db, owner, "SELECT * FROM clients")
	w.sql(db, owner, "SELECT * FROM timers")
	if err := db.Connect(background, alice); err != nil {
		t.Fatal(err)
	}
	if n("clients") != "1:1" {
		t.Errorf("clients = %s after one came", n("clients"))
	}
	failing = true
	if err := db.Connect(background, bob); err == nil || err.Error() != abi.FatalErrorText {
		t.Errorf("connect with a failing view: %v", err)
	}
	if got := w.rows(db, "st_client"); len(got) != 1 {
		t.Errorf("%d clients; want the one that came before", len(got))
	}
	if err := db.Disconnect(background, alice); err != nil {
		t.Fatal(err)
	}
	if got := w.rows(db, "st_client"); len(got) != 0 {
		t.Errorf("%d clients; nobody can refuse that a client leaves", len(got))
	}
	failing = false
	if err := db.Connect(background, bob); err != nil {
		t.Fatal(err)
	}
	if err := db.Disconnect(background, bob); err != nil {
		t.Fatal(err)
	}
	if n("clients") != "0:0" {
		t.Errorf("clients = %s after all left", n("clients"))
	}
	w.call(db, alice, "plan")
	if n("timers") != "1:1" {
		t.Errorf("timers = %s with one planned", n("timers"))
	}
	w.clock.advance(time.Second)
	if n("timers") != "0:0" {
		t.Errorf("timers = %s after the only one fired", n("timers"))
	}
}
