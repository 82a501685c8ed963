package host

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/commitlog"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/internal/subscribe"
	"github.com/stdbgo/spacetime/internal/wire"
	v2 "github.com/stdbgo/spacetime/internal/wire/v2"
	"github.com/stdbgo/spacetime/sats"
)

// view declares a public view of rows of a table.
func (m *fakeModule) view(name, rowsOf string, anonymous bool, ps []sats.Element, fn fakeView) *fakeModule {
	var ref uint32
	for _, t := range m.section(schema.SecTables).Tables {
		if t.SourceName == rowsOf {
			ref = t.ProductTypeRef
		}
	}
	sec := m.section(schema.SecViews)
	var index uint32
	for _, v := range sec.Views {
		if v.IsAnonymous == anonymous {
			index++
		}
	}
	sec.Views = append(sec.Views, schema.RawView{
		Name: name, Index: index, IsPublic: true, IsAnonymous: anonymous,
		Params: sats.Product(ps...), Return: sats.Array(sats.Ref(ref)),
	})
	if m.views == nil {
		m.views = map[string]fakeView{}
	}
	m.views[name] = fn
	return m
}

func (m *fakeModule) viewKey(view, col string) *fakeModule {
	sec := m.section(schema.SecViewPrimaryKeys)
	sec.ViewPrimaryKeys = append(sec.ViewPrimaryKeys, schema.RawViewPrimaryKey{View: view, Columns: []string{col}})
	return m
}

// viewRows makes the result of a view.
func viewRows(rows ...[]byte) abi.ViewResult {
	b := sats.AppendLen(nil, len(rows))
	for _, r := range rows {
		b = append(b, r...)
	}
	return abi.ViewResult{Rows: b}
}

// scan returns the rows of a table that a condition holds for.
func scan(c *abi.ViewCall, table string, keep func(row []byte) bool) [][]byte {
	var rows [][]byte
	for row := range c.Tx.Scan(c.Tx.TableByName(table).ID) {
		if keep(row) {
			rows = append(rows, bytes.Clone(row))
		}
	}
	return rows
}

// byKey returns the rows with a value in an indexed column.
func byKey(c *abi.ViewCall, table string, col schema.ColID, key []byte) [][]byte {
	var rows [][]byte
	t := c.Tx.TableByName(table)
	for row := range c.Tx.Point(t.IndexOn(col).ID, key) {
		rows = append(rows, bytes.Clone(row))
	}
	return rows
}

// gallery is a module with views of every kind. How often a view ran is counted, and
// fail says how a view ends that reads the table `fault`.
type gallery struct {
	*fakeModule
	runs map[string]int
	last *abi.ViewCall
}

var noteCols = params(sats.E("id", sats.U32), sats.E("owner", sats.IdentityType), sats.E("n", sats.U32))

// Modes of the view `fragile`, which stand in the row of `fault` with id 1.
const (
	modeFine = iota
	modeTrap
	modeUser
	modeEnergy
	modeBad
	modeGarbage
	modeQuery
)

func newGallery(name string) *gallery {
	g := &gallery{fakeModule: newFake(name), runs: map[string]int{}}
	put := func(table string) reducerFunc {
		return func(c *fakeCall) error { // the row replaces the one with its id
			t := c.table(table)
			if _, err := c.Tx.DeletePoint(t.Indexes[0].ID, c.Args[:4]); err != nil {
				return err
			}
			return c.insert(table, c.Args)
		}
	}
	g.addTable("note", noteCols, primary(0), index(1)).
		addTable("other", params(sats.E("id", sats.U32)), primary(0)).
		addTable("fault", params(sats.E("id", sats.U32), sats.E("mode", sats.U32)), primary(0)).
		reducer("put", noteCols, put("note")).
		reducer("put_other", params(sats.E("id", sats.U32)), put("other")).
		reducer("set_mode", params(sats.E("id", sats.U32), sats.E("mode", sats.U32)), put("fault")).
		reducer("remove", params(sats.E("id", sats.U32)), func(c *fakeCall) error {
			_, err := c.Tx.DeletePoint(c.table("note").Indexes[0].ID, c.Args)
			return err
		})
	count := func(fn fakeView) fakeView {
		return func(ctx context.Context, c *abi.ViewCall) (abi.ViewResult, error) {
			g.runs[c.Name]++
			g.last = c
			return fn(ctx, c)
		}
	}
	add := func(name, rowsOf string, anonymous bool, ps []sats.Element, fn fakeView) {
		g.view(name, rowsOf, anonymous, ps, count(fn))
	}
	add("large", "note", true, nil, func(_ context.Context, c *abi.ViewCall) (abi.ViewResult, error) {
		return viewRows(scan(c, "note", func(row []byte) bool { return binary.LittleEndian.Uint32(row[36:]) >= 10 })...), nil
	})
	add("mine", "note", false, nil, func(_ context.Context, c *abi.ViewCall) (abi.ViewResult, error) {
		return viewRows(byKey(c, "note", 1, c.Sender[:])...), nil
	})
	add("first", "note", true, nil, func(_ context.Context, c *abi.ViewCall) (abi.ViewResult, error) {
		return viewRows(byKey(c, "note", 0, u32(1))...), nil
	})
	add("small", "note", true, nil, func(context.Context, *abi.ViewCall) (abi.ViewResult, error) {
		return abi.ViewResult{IsQuery: true, Query: "SELECT * FROM note WHERE n < 10"}, nil
	})
	add("nothing", "note", true, nil, func(context.Context, *abi.ViewCall) (abi.ViewResult, error) {
		return abi.ViewResult{IsQuery: true, Query: " \n\t"}, nil
	})
	add("above", "note", true, params(sats.E("n", sats.U32)), func(_ context.Context, c *abi.ViewCall) (abi.ViewResult, error) {
		least := binary.LittleEndian.Uint32(c.Args)
		return viewRows(scan(c, "note", func(row []byte) bool { return binary.LittleEndian.Uint32(row[36:]) >= least })...), nil
	})
	add("my", "note", false, params(sats.E("id", sats.U32)), func(_ context.Context, c *abi.ViewCall) (abi.ViewResult, error) {
		rows := byKey(c, "note", 0, c.Args)
		rows = slices.DeleteFunc(rows, func(row []byte) bool { return !bytes.Equal(row[4:36], c.Sender[:]) })
		return viewRows(rows...), nil
	})
	add("fragile", "fault", true, nil, func(_ context.Context, c *abi.ViewCall) (abi.ViewResult, error) {
		rows := byKey(c, "fault", 0, u32(1))
		if len(rows) == 0 {
			return viewRows(), nil
		}
		switch binary.LittleEndian.Uint32(rows[0][4:]) {
		case modeTrap:
			return abi.ViewResult{}, trapError("fragile panics")
		case modeUser:
			return abi.ViewResult{}, userError("a secret of the module")
		case modeEnergy:
			return abi.ViewResult{}, errNoEnergy
		case modeBad: // two rows with one key
			return viewRows(append(u32(2), u32(1)...), rows[0], append(u32(1), u32(99)...)), nil
		case modeGarbage:
			return abi.ViewResult{Rows: []byte{2, 0, 0, 0, 1}}, nil
		case modeQuery:
			return abi.ViewResult{IsQuery: true, Query: "SELECT * FROM mine"}, nil
		}
		return viewRows(rows...), nil
	})
	g.viewKey("fragile", "id")
	return g
}

func note(id uint32, owner sats.Identity, n uint32) []byte {
	return append(append(u32(id), owner[:]...), u32(n)...)
}

// sql runs a statement that must succeed and returns its rows in short: their first
// columns and their last ones.
func (w *world) sql(db *Database, who Caller, text string) []string {
	w.t.Helper()
	res, err := db.SQL(background, who, text)
	if err != nil {
		w.t.Fatalf("%s: %v", text, err)
	}
	return short(res.Rows)
}

func short(rows [][]byte) []string {
	out := []string{}
	for _, r := range rows {
		id := binary.LittleEndian.Uint32(r)
		last := binary.LittleEndian.Uint32(r[len(r)-4:])
		out = append(out, fmt.Sprintf("%d:%d", id, last))
	}
	slices.Sort(out)
	return out
}

func (w *world) sqlError(db *Database, who Caller, text string) string {
	w.t.Helper()
	_, err := db.SQL(background, who, text)
	if err == nil {
		w.t.Errorf("%s succeeds", text)
		return ""
	}
	return err.Error()
}

// backing returns the rows of a view's table, of all instances, in short.
func (w *world) backing(db *Database, view string) []string {
	v := db.View()
	defer v.Close()
	var rows [][]byte
	for row := range v.Scan(v.TableByName(view).ID) {
		rows = append(rows, bytes.Clone(row[32:]))
	}
	return short(rows)
}

func (g *gallery) ran(t *testing.T, name string, n int) {
	t.Helper()
	if g.runs[name] != n {
		t.Errorf("the view %s ran %d times; want %d", name, g.runs[name], n)
	}
}

func TestViewRunsWhenWhatItReadChanges(t *testing.T) {
	spec.Covers(t, "08.34", "03.43", "03.41")
	w := newWorld(t)
	g := newGallery("gallery")
	db := w.create(g.fakeModule)
	w.call(db, alice, "put", note(1, aliceID, 5))
	w.call(db, alice, "put", note(2, bobID, 15))
	want(t, "large", w.sql(db, alice, "SELECT * FROM large"), []string{"2:15"})
	want(t, "large again", w.sql(db, bob, "SELECT * FROM large"), []string{"2:15"})
	g.ran(t, "large", 1)
	w.call(db, alice, "put_other", u32(1))
	g.ran(t, "large", 1)
	if _, err := db.SQL(background, owner, "UPDATE note SET n = 20 WHERE id = 1"); err != nil {
		t.Fatal(err)
	}
	g.ran(t, "large", 2)
	if g.last.Time == 0 || !g.last.Anonymous || !g.last.Sender.IsZero() || len(g.last.Args) != 0 {
		t.Errorf("call %+v; want a time, and neither sender nor arguments", g.last)
	}
	want(t, "large after DML", w.sql(db, alice, "SELECT * FROM large"), []string{"1:20", "2:15"})
	if _, err := db.SQL(background, owner, "DELETE FROM other WHERE id = 1"); err != nil {
		t.Fatal(err)
	}
	g.ran(t, "large", 2)

	// A point read depends on its key alone, whether or not there is a row.
	w.call(db, alice, "remove", u32(1))
	g.ran(t, "large", 3)
	want(t, "first", w.sql(db, alice, "SELECT * FROM first"), nil)
	w.call(db, alice, "put", note(3, aliceID, 30))
	g.ran(t, "first", 1)
	w.call(db, alice, "put", note(1, aliceID, 1))
	g.ran(t, "first", 2)
	want(t, "first", w.sql(db, alice, "SELECT * FROM first"), []string{"1:1"})
	g.ran(t, "large", 5)

	// Rows and a query give the same; the tables of the query count as read.
	want(t, "small", w.sql(db, alice, "SELECT * FROM small"), []string{"1:1"})
	w.call(db, alice, "put", note(4, aliceID, 4))
	want(t, "small", w.sql(db, alice, "SELECT * FROM small"), []string{"1:1", "4:4"})
	g.ran(t, "small", 2)
	want(t, "nothing", w.sql(db, alice, "SELECT * FROM nothing"), nil)

	s := db.Stats()
	if s.Instances != 4 || len(s.Views) != 4 || s.Views[0].View != "first" || s.Views[0].Count != 2 {
		t.Errorf("counts of views: %d instances, %+v", s.Instances, s.Views)
	}

	// What the transaction takes back does not count.
	runs := g.runs["small"]
	if res, _ := db.CallReducer(background, &CallRequest{Caller: alice, Name: "put", Args: note(4, aliceID, 4)}); res.Status != Committed {
		t.Fatal(res)
	}
	g.ran(t, "small", runs)
}

// Statements that read views in more places than FROM, or write what they read there.
func TestStatementsThatReadViews(t *testing.T) {
	w := newWorld(t)
	g := newGallery("gallery")
	db := w.create(g.fakeModule)
	w.call(db, alice, "put", note(1, ownerID, 15))
	w.call(db, alice, "put", note(2, ownerID, 5))
	want(t, "a sub-select", w.sql(db, alice, "SELECT * FROM note WHERE id IN (SELECT id FROM large)"), []string{"1:15"})
	want(t, "the right side of a join", w.sql(db, alice, "SELECT n.* FROM note n JOIN small s ON n.id = s.id"), []string{"2:5"})
	if _, err := db.SQL(background, owner, "EXPLAIN SELECT * FROM first"); err != nil || g.runs["first"] != 0 {
		t.Errorf("EXPLAIN: %v, and the view ran %d times", err, g.runs["first"])
	}
	if _, err := db.SQL(background, owner, "INSERT INTO other SELECT id FROM mine WHERE n > 10"); err != nil {
		t.Fatal(err)
	}
	want(t, "other", w.rows(db, "other"), []string{"(id = 1)"})
	if _, err := db.SQL(background, owner, "DELETE FROM note WHERE id IN (SELECT id FROM first)"); err != nil {
		t.Fatal(err)
	}
	want(t, "first", w.sql(db, alice, "SELECT * FROM first"), nil)
	want(t, "mine", w.sql(db, owner, "SELECT * FROM mine"), []string{"2:5"})
	g.ran(t, "first", 2)
}

func TestViewInstancesBelongToSenders(t *testing.T) {
	spec.Covers(t, "08.35", "07.42")
	w := newWorld(t)
	g := newGallery("gallery")
	db := w.create(g.fakeModule)
	w.call(db, alice, "put", note(1, aliceID, 1))
	w.call(db, alice, "put", note(2, bobID, 2))
	want(t, "alice's", w.sql(db, alice, "SELECT * FROM mine"), []string{"1:1"})
	second := alice
	second.Conn = sats.ConnectionID{77}
	want(t, "alice's on another connection", w.sql(db, second, "SELECT * FROM mine"), []string{"1:1"})
	g.ran(t, "mine", 1)
	want(t, "bob's", w.sql(db, bob, "SELECT * FROM mine"), []string{"2:2"})
	want(t, "the owner's", w.sql(db, owner, "SELECT * FROM mine"), nil)
	g.ran(t, "mine", 3)
	w.call(db, bob, "put", note(3, aliceID, 3)) // concerns alice, whoever calls
	g.ran(t, "mine", 4)
	if g.last.Sender != aliceID {
		t.Errorf("the view ran for %s; want alice", g.last.Sender)
	}
	want(t, "alice's", w.sql(db, alice, "SELECT * FROM mine"), []string{"1:1", "3:3"})
	want(t, "bob's", w.sql(db, bob, "SELECT * FROM mine"), []string{"2:2"})
}

func TestViewRowsAreEphemeral(t *testing.T) {
	spec.Covers(t, "08.36")
	w := newWorld(t)
	g := newGallery("gallery")
	db := w.create(g.fakeModule)
	w.call(db, alice, "put", note(1, aliceID, 15))
	before := db.journal.Next()
	res, err := db.SQL(background, alice, "SELECT * FROM large")
	if err != nil || len(res.Rows) != 1 {
		t.Fatal(res, err)
	}
	if after := db.journal.Next(); after != before {
		t.Errorf("a view that is filled takes %d offsets", after-before)
	}
	if db.store.NextOffset() != uint64(before) || res.Offset != uint64(before)-1 {
		t.Errorf("offset %d after a view was filled, next %d; want %d next", res.Offset, db.store.NextOffset(), before)
	}
	durable := func() { // the records so far, so that the next is alone in its commit
		if err := db.journal.WaitDurable(background, db.journal.Next()-1); err != nil {
			t.Fatal(err)
		}
	}
	size := func(record func()) (n int) {
		durable()
		record()
		durable()
		err := db.journal.Replay(db.journal.Next()-1, func(_ commitlog.Offset, data []byte) (int, error) {
			n = len(data)
			return n, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	with := size(func() { w.call(db, alice, "put", note(2, aliceID, 16)) }) // changes the view
	without := size(func() { w.call(db, alice, "put", note(3, aliceID, 6)) })
	if with != without {
		t.Errorf("the record of a transaction has %d bytes with rows of a view and %d without", with, without)
	}
	want(t, "large", w.backing(db, "large"), []string{"1:15", "2:16"})

	for _, checkpoint := range []bool{false, true} {
		if checkpoint {
			w.sql(db, alice, "SELECT * FROM large")
			if err := db.Checkpoint(); err != nil {
				t.Fatal(err)
			}
			db.ckpt.work.Wait()
		}
		w.restart()
		db = w.open()
		want(t, "large after a restart", w.backing(db, "large"), nil)
		if len(db.views.instances) != 0 {
			t.Error("an instance survives a restart")
		}
	}
	if n := len(w.rows(db, "st_view")); n != 8 {
		t.Errorf("%d views are described after a restart; want 8", n)
	}
	want(t, "large", w.sql(db, alice, "SELECT * FROM large"), []string{"1:15", "2:16"})
}

func TestFailingViewRollsTheCallBack(t *testing.T) {
	spec.Covers(t, "08.37", "05.45")
	w := newWorld(t)
	g := newGallery("gallery")
	db := w.create(g.fakeModule)
	w.call(db, alice, "set_mode", u32(1), u32(modeFine))
	v := w.viewer(db, 9)
	v.handle(db, &wire.SubscribeSet{RequestID: 1, QuerySetID: 1, Queries: []string{"SELECT * FROM fragile"}})
	const fatalText = "The instance encountered a fatal error."
	for _, tt := range []struct {
		mode   uint32
		status CallStatus
		text   string
		dml    string
		live   string
	}{
		{modeTrap, Trapped, fatalText, "The module instance encountered a fatal error: " + fatalText, "3 " + fatalText},
		{modeUser, Trapped, fatalText, "The module instance encountered a fatal error: " + fatalText, "3 " + fatalText},
		{modeEnergy, OutOfEnergy, abi.OutOfEnergyText, abi.OutOfEnergyText, "3 reducer ran out of energy"},
		{modeBad, Trapped, "Error materializing view `fragile`: Error materializing view",
			"The module instance encountered a fatal error: Error materializing view `fragile`: Error materializing view",
			"3 Error materializing view `fragile`: Error materializing view"},
		{modeGarbage, Trapped, "Error materializing view `fragile`: data too short for u32: Expected 4, given 1", "", ""},
		{modeQuery, Trapped, "Error materializing view `fragile`: parameterized SQL is not supported for view materialization yet", "", ""},
	} {
		offset := db.store.NextOffset()
		res, err := db.CallReducer(background, &CallRequest{Caller: alice, Name: "set_mode", Args: append(u32(1), u32(tt.mode)...)})
		if err != nil || res.Status != tt.status || res.Message != tt.text {
			t.Errorf("mode %d: %+v, %v; want %d %s", tt.mode, res, err, tt.status, tt.text)
		}
		text := w.sqlError(db, owner, fmt.Sprintf("UPDATE fault SET mode = %d WHERE id = 1", tt.mode))
		if tt.dml != "" && text != tt.dml {
			t.Errorf("mode %d: DML says %s; want %s", tt.mode, text, tt.dml)
		}
		v.log = nil
		v.handle(db, call(7, "set_mode", append(u32(1), u32(tt.mode)...)))
		if tt.live != "" {
			want(t, "a client's result", v.log, []string{"result 7 " + tt.live})
		}
		want(t, "fault", w.rows(db, "fault"), []string{"(id = 1, mode = 0)"})
		want(t, "fragile", w.backing(db, "fragile"), []string{"1:0"})
		if db.store.NextOffset() != offset {
			t.Errorf("mode %d: a transaction was logged", tt.mode)
		}
	}
	if !strings.Contains(w.log.String(), "a secret of the module") || strings.Contains(logsOf(t, db), "a secret of the module") {
		t.Error("what a view says belongs into the server's log and nowhere else")
	}
	// The next good write succeeds.
	v.log = nil
	v.handle(db, call(8, "set_mode", append(u32(1), u32(77)...)))
	want(t, "messages", v.log, []string{"result 8 0"})
	if v.rows[string(append(u32(1), u32(77)...))] != 1 || len(v.rows) != 1 {
		t.Errorf("the client holds %v; want the new row of the view", v.rows)
	}
}

func TestFailedMaterialisationLeavesNothing(t *testing.T) {
	spec.Covers(t, "08.64", "05.45")
	for _, mode := range []uint32{modeTrap, modeUser, modeEnergy, modeBad, modeGarbage, modeQuery} {
		t.Run(fmt.Sprint(mode), func(t *testing.T) {
			w := newWorld(t)
			g := newGallery("gallery")
			db := w.create(g.fakeModule)
			w.call(db, alice, "set_mode", u32(1), u32(mode))
			w.call(db, alice, "put", note(1, aliceID, 11))
			v := w.viewer(db, 9)
			v.handle(db, &wire.SubscribeSet{RequestID: 1, QuerySetID: 1, Queries: []string{"SELECT * FROM fragile", "SELECT * FROM large"}})
			want(t, "messages", v.log, []string{"applied 1"})
			// Nobody who sees no rows is told why, but the module's log is: what a view itself says as an error is for the server's alone.
			if said := strings.Contains(logsOf(t, db), `"function":"fragile"`); said != (mode != modeUser) {
				t.Errorf("the module's log says %s", logsOf(t, db))
			}
			rows := 1
			if mode == modeTrap { // the views after one that traps are not evaluated
				rows = 0
			}
			if len(v.rows) != rows {
				t.Errorf("the client holds %d rows; want %d", len(v.rows), rows)
			}
			want(t, "fragile", w.backing(db, "fragile"), nil)
			want(t, "fragile by SQL", w.sql(db, bob, "SELECT * FROM fragile"), nil)
			g.ran(t, "fragile", 2)

			w.call(db, alice, "set_mode", u32(1), u32(modeGarbage)) // touches what the view has read
			g.ran(t, "fragile", 2)
			w.call(db, alice, "set_mode", u32(1), u32(70))
			other := w.viewer(db, 8)
			other.handle(db, &wire.SubscribeSet{RequestID: 1, QuerySetID: 1, Queries: []string{"SELECT * FROM fragile"}})
			db.send.flush()
			row := append(u32(1), u32(70)...)
			if other.rows[string(row)] != 1 || v.rows[string(row)] != 1 {
				t.Errorf("the second subscriber holds %v and the first %v; want the row in both", other.rows, v.rows)
			}
			w.call(db, alice, "set_mode", u32(1), u32(71))
			db.send.flush()
			if row := append(u32(1), u32(71)...); other.rows[string(row)] != 1 || v.rows[string(row)] != 1 {
				t.Errorf("after a change the clients hold %v and %v", other.rows, v.rows)
			}
		})
	}
}

func TestUnusedViewsVanish(t *testing.T) {
	spec.Covers(t, "08.38")
	w := newWorld(t)
	g := newGallery("gallery")
	db := w.create(g.fakeModule)
	w.call(db, alice, "put", note(1, aliceID, 11))
	v := w.viewer(db, 9)
	v.client.Out = &recorder{t: t}
	v.handle(db, &wire.SubscribeSet{RequestID: 1, QuerySetID: 1, Queries: []string{"SELECT * FROM first", "SELECT * FROM above(3)"}})
	w.sql(db, alice, "SELECT * FROM large")
	w.sql(db, alice, "SELECT * FROM above(4)")
	offset := db.store.NextOffset()
	w.clock.advance(10*time.Minute - time.Second)
	want(t, "large before its time", w.backing(db, "large"), []string{"1:11"})
	w.sql(db, alice, "SELECT * FROM above(4)")
	w.clock.advance(2 * time.Second) // the first look; nothing is old enough
	w.sql(db, alice, "SELECT * FROM above(4)")
	w.clock.advance(10 * time.Minute)
	want(t, "large", w.backing(db, "large"), nil)
	want(t, "above(3) and above(4)", w.backing(db, "above"), []string{"1:11", "1:11"})
	g.ran(t, "above", 2)
	if g.runs["large"] != 1 || len(db.views.instances) != 3 {
		t.Errorf("%d instances are left; want 3", len(db.views.instances))
	}
	if db.store.NextOffset() != offset {
		t.Error("a look after unused views is logged")
	}
	// Its reads are gone, too.
	w.call(db, alice, "put", note(2, aliceID, 12))
	g.ran(t, "large", 1)

	w.clock.advance(time.Hour)
	if len(db.views.instances) != 2 {
		t.Errorf("%d instances are left; want the two with a subscriber", len(db.views.instances))
	}
	v.handle(db, &wire.UnsubscribeSet{RequestID: 2, QuerySetID: 1})
	w.clock.advance(time.Minute)
	if len(db.views.instances) != 2 {
		t.Error("a view vanished with its last subscriber")
	}
	w.clock.advance(20 * time.Minute)
	if len(db.views.instances) != 0 || len(w.backing(db, "first")) != 0 || len(w.backing(db, "above")) != 0 {
		t.Error("a view without subscribers is there still")
	}
	if !db.views.reads.Empty() || len(db.views.numbers) != 0 || len(db.views.wanted) != 0 || db.views.expiry.armed {
		t.Error("something is left of the instances")
	}
}

// Work that one look cannot finish makes the next one come sooner.
func TestExpiryHurries(t *testing.T) {
	w := newWorld(t)
	g := newGallery("gallery")
	db := w.create(g.fakeModule)
	const n = 3*viewBatch + 1
	for i := range n {
		w.sql(db, alice, fmt.Sprintf("SELECT * FROM above(%d)", i))
	}
	slow := &slowClock{fakeClock: w.clock}
	use := func(c Clock) { db.host.opts.Clock, db.host.since, db.exec.mu.watch.clock = c, sinceOf(c), c }
	use(slow)
	defer use(w.clock)
	for i, step := range []time.Duration{10 * time.Minute, 5 * time.Minute, 150 * time.Second} {
		left := len(db.views.instances)
		w.clock.advance(step - time.Second)
		if len(db.views.instances) != left {
			t.Fatalf("look %d came before %v", i, step)
		}
		slow.step = viewTurn
		w.clock.advance(time.Second)
		slow.step = 0
		if got := left - len(db.views.instances); got != viewBatch {
			t.Fatalf("look %d dropped %d instances; want %d", i, got, viewBatch)
		}
	}
	if db.views.expiry.interval != 75*time.Second {
		t.Errorf("the next look is due in %v; want 75s", db.views.expiry.interval)
	}
	w.clock.advance(76 * time.Second)
	if len(db.views.instances) != 0 {
		t.Errorf("%d instances are left", len(db.views.instances))
	}
}

// A slowClock goes on by step whenever somebody looks.
type slowClock struct {
	*fakeClock
	step time.Duration
}

func (c *slowClock) Now() time.Time {
	c.fakeClock.mu.Lock()
	defer c.fakeClock.mu.Unlock()
	c.fakeClock.now = c.fakeClock.now.Add(c.step)
	return c.fakeClock.now
}

func TestViewsWithParameters(t *testing.T) {
	spec.Covers(t, "08.82", "05.53", "07.71", "07.73", "03.67")
	w := newWorld(t)
	g := newGallery("gallery")
	db := w.create(g.fakeModule)
	w.call(db, alice, "put", note(1, aliceID, 1))
	w.call(db, alice, "put", note(2, bobID, 2))
	w.call(db, alice, "put", note(3, aliceID, 3))
	want(t, "above(2)", w.sql(db, alice, "SELECT * FROM above(2)"), []string{"2:2", "3:3"})
	if !bytes.Equal(g.last.Args, u32(2)) {
		t.Errorf("the view received %x; want the BSATN of 2", g.last.Args)
	}
	want(t, "above(3)", w.sql(db, bob, "SELECT * FROM above(3)"), []string{"3:3"})
	want(t, "above(2.0)", w.sql(db, bob, "SELECT x.* FROM above (2.0) AS x"), []string{"2:2", "3:3"})
	g.ran(t, "above", 2)
	want(t, "my(1) of alice", w.sql(db, alice, "SELECT * FROM my(1)"), []string{"1:1"})
	want(t, "my(1) of bob", w.sql(db, bob, "SELECT * FROM my(1)"), nil)
	g.ran(t, "my", 2)
	want(t, "my(2) of alice", w.sql(db, alice, "SELECT * FROM my(2)"), nil)
	w.call(db, alice, "put", note(2, aliceID, 2)) // read by alice's my(2)
	g.ran(t, "my", 4)
	want(t, "my(2) of alice", w.sql(db, alice, "SELECT * FROM my(2)"), []string{"2:2"})
	for text, message := range map[string]string{
		"SELECT * FROM above":       "View `above` takes 1 argument(s), but 0 were given",
		"SELECT * FROM above(1, 2)": "View `above` takes 1 argument(s), but 2 were given",
		"SELECT * FROM note(1)":     "`note` is a table, not a view; it does not take arguments",
	} {
		if got := w.sqlError(db, alice, text); got != message {
			t.Errorf("%s: %s; want %s", text, got, message)
		}
	}

	// Subscriptions.
	v := w.viewer(db, 9)
	r := &recorder{t: t}
	v.client.Out = r
	v.handle(db,
		&wire.SubscribeSet{RequestID: 1, QuerySetID: 1, Queries: []string{"SELECT * FROM above(2)", "SELECT * FROM above(3)"}},
		&wire.SubscribeSet{RequestID: 2, QuerySetID: 2, Queries: []string{"SELECT id FROM above(2)"}},
		&wire.SubscribeSet{RequestID: 3, QuerySetID: 3, Queries: []string{"SELECT * FROM *"}},
		&wire.OneOffQuery{RequestID: 4, Query: "SELECT * FROM above(3)"},
		&wire.OneOffQuery{RequestID: 5, Query: "SELECT * FROM above(77)"},
	)
	g.ran(t, "above", 4) // once each by the change above
	applied := r.next().(*v2.SubscribeApplied)
	if len(applied.Rows) != 2 || applied.Rows[0].Table != "above" || applied.Rows[1].Table != "above" {
		t.Errorf("two instances in one set give %+v; want two entries of one name", applied.Rows)
	}
	e := r.next().(*v2.SubscriptionError)
	if want := "View `above` takes arguments, so it can only be queried as `SELECT * FROM above(...)`, executing: `SELECT id FROM above(2)`"; e.Error != want {
		t.Errorf("error %q; want %q", e.Error, want)
	}
	for _, table := range r.next().(*v2.SubscribeApplied).Rows {
		if table.Table == "above" || table.Table == "my" {
			t.Errorf("SELECT * FROM * has rows of %s", table.Table)
		}
	}
	for _, rows := range []int{1, 0} {
		one := r.next().(*v2.OneOffQueryResult)
		if l := wire.ReadRowList(sats.NewReader(one.Rows[0].Rows)); one.Error != nil || l.Len() != rows {
			t.Errorf("a one-off query sees %d rows (%v); want %d", l.Len(), one.Error, rows)
		}
	}
	v.handle(db, &wire.UnsubscribeSet{RequestID: 5, QuerySetID: 3})
	r.next()
	w.call(db, alice, "put", note(4, aliceID, 2)) // in above(2), not in above(3)
	db.send.flush()
	up := r.next().(*v2.TransactionUpdate)
	if len(up.Sets) != 1 || len(up.Sets[0].Tables) != 1 || len(up.Sets[0].Tables[0].Rows) != 1 {
		t.Errorf("update %+v; want one entry of one instance", up)
	}
}

// A recorder keeps the messages of the second protocol.
type recorder struct {
	t    *testing.T
	msgs []v2.ServerMessage
}

func (r *recorder) Send(m subscribe.Message) {
	r.msgs = append(r.msgs, v2.ReadServer(sats.NewReader(m.Body)))
}

func (r *recorder) next() v2.ServerMessage {
	r.t.Helper()
	if len(r.msgs) == 0 {
		r.t.Fatal("a message is missing")
	}
	m := r.msgs[0]
	r.msgs = r.msgs[1:]
	return m
}

// Instances are bounded.
func TestInstancesAreBounded(t *testing.T) {
	w := newWorld(t)
	g := newGallery("gallery")
	db := w.create(g.fakeModule)
	db.views.limit = 3
	for i := range 3 {
		w.sql(db, alice, fmt.Sprintf("SELECT * FROM above(%d)", i))
	}
	const full = "view `above`: 3 instances of views are in use, and there may not be more; unused ones vanish after 10m0s"
	if got := w.sqlError(db, alice, "SELECT * FROM above(3)"); got != full {
		t.Errorf("one more: %s", got)
	}
	v := w.viewer(db, 9)
	v.handle(db, &wire.SubscribeSet{RequestID: 1, QuerySetID: 1, Queries: []string{"SELECT * FROM above(4)"}},
		&wire.SubscribeSet{RequestID: 2, QuerySetID: 1, Queries: []string{"SELECT * FROM above(2)"}})
	want(t, "messages", v.log, []string{"error " + full, "applied 2"})
	w.clock.advance(30 * time.Minute)
	w.sql(db, alice, "SELECT * FROM above(3)")
}

// A refresh changes the rows that differ, and only these.
func TestRowDiff(t *testing.T) {
	w := newWorld(t)
	m := newFake("diff").addTable("num", params(sats.E("n", sats.U32), sats.E("text", sats.String)), primary(0))
	var rows [][]byte
	m.reducer("poke", nil, func(c *fakeCall) error {
		if _, err := c.Tx.Clear(c.table("num").ID); err != nil {
			return err
		}
		return c.insert("num", append(u32(uint32(len(rows))), str(fmt.Sprint(c.Time))...))
	})
	m.view("v", "num", true, nil, func(_ context.Context, c *abi.ViewCall) (abi.ViewResult, error) {
		c.Tx.RowCount(c.Tx.TableByName("num").ID)
		return viewRows(rows...), nil
	})
	db := w.create(m)
	w.sql(db, alice, "SELECT COUNT(*) AS n FROM v")
	v := w.viewer(db, 9)
	r := &recorder{t: t}
	v.client.Out = r
	v.handle(db, &wire.SubscribeSet{RequestID: 1, QuerySetID: 1, Queries: []string{"SELECT * FROM v"}})
	r.next()
	held, last := map[string]bool{}, map[string]bool{}
	rng := rand.New(rand.NewPCG(1, 2))
	for round := range 60 {
		rows = nil
		next := map[string]bool{}
		for range []int{0, 3, fewRows, fewRows + 1, 300}[round%5] {
			row := append(u32(rng.Uint32N(200)), str(strings.Repeat("x", rng.IntN(3)))...)
			rows = append(rows, row)
			next[string(row)] = true
		}
		w.call(db, alice, "poke")
		db.send.flush()
		ins, del := 0, 0
		if len(r.msgs) > 0 {
			for _, f := range r.next().(*v2.TransactionUpdate).Sets[0].Tables[0].Rows {
				i, d, _ := v2.ReadFragment(sats.NewReader(f))
				ins, del = ins+i.Len(), del+d.Len()
			}
		}
		for row := range held {
			if next[row] {
				delete(held, row)
			}
		}
		if del != len(held) || ins-del != len(next)-len(last) {
			t.Fatalf("round %d: %d rows came and %d went; want %d gone, %d rows after %d", round, ins, del, len(held), len(next), len(last))
		}
		last, held = next, maps.Clone(next)
		if got := w.backing(db, "v"); len(got) != len(next) {
			t.Fatalf("round %d: %d rows; want %d", round, len(got), len(next))
		}
	}
}

// What a one-off query and a subscription do with a view that nobody has evaluated, and
// what clients of the first protocol see.
func TestViewsOverWebSockets(t *testing.T) {
	spec.Covers(t, "05.45")
	w := newWorld(t)
	g := newGallery("gallery")
	db := w.create(g.fakeModule)
	w.call(db, alice, "put", note(1, aliceID, 11))
	v := w.viewer(db, 9)
	r := &recorder{t: t}
	v.client.Out = r
	v.handle(db, &wire.OneOffQuery{RequestID: 1, Query: "SELECT * FROM large"})
	one := r.next().(*v2.OneOffQueryResult)
	if one.Error != nil || len(one.Rows) != 1 || one.Rows[0].Table != "large" || g.runs["large"] != 0 {
		t.Errorf("a one-off query: %+v, %d runs; want no rows, no error, no run", one, g.runs["large"])
	}
	v.handle(db, &wire.SubscribeSet{RequestID: 2, QuerySetID: 1, Queries: []string{"SELECT * FROM large", "SELECT * FROM note"}})
	applied := r.next().(*v2.SubscribeApplied)
	list := wire.ReadRowList(sats.NewReader(applied.Rows[0].Rows))
	if list.Len() != 1 || !bytes.Equal(list.At(0), note(1, aliceID, 11)) {
		t.Errorf("initial rows %+v; want the row without the hidden column", applied)
	}
	v.handle(db, &wire.OneOffQuery{RequestID: 3, Query: "SELECT * FROM large"})
	one = r.next().(*v2.OneOffQueryResult)
	if l := wire.ReadRowList(sats.NewReader(one.Rows[0].Rows)); l.Len() != 1 {
		t.Errorf("a one-off query on an evaluated view gives %d rows; want 1", l.Len())
	}
	v.handle(db, call(4, "put", note(2, aliceID, 12)))
	res := r.next().(*v2.ReducerResult)
	if len(res.Sets) != 1 || len(res.Sets[0].Tables) != 2 || len(r.msgs) != 0 {
		t.Errorf("result %+v; want table and view in one message", res)
	}

	// JSON: by position, always.
	texts := &textRecorder{}
	who := Caller{Identity: sats.Identity{8}, Conn: sats.ConnectionID{8}}
	c := &subscribe.Client{Identity: who.Identity, Connection: who.Conn, Protocol: wire.V1JSON, Out: texts}
	if err := db.Attach(background, c, who, func() {}); err != nil {
		t.Fatal(err)
	}
	for _, msg := range []wire.ClientMessage{
		&wire.SubscribeSingle{RequestID: 1, QueryID: 1, Query: "SELECT * FROM first"},
		&wire.SubscribeMulti{RequestID: 2, QueryID: 2, Queries: []string{"SELECT * FROM first WHERE id = 1"}},
		&wire.Subscribe{RequestID: 3, Queries: []string{"SELECT * FROM first"}},
		&wire.OneOffQuery{MessageID: []byte{1}, Query: "SELECT * FROM first"},
	} {
		if _, err := db.Handle(background, c, who, []wire.ClientMessage{msg}); err != nil {
			t.Fatal(err)
		}
	}
	const row = `[1,[\"0x2\"],11]`
	if len(texts.list) != 4 {
		t.Fatalf("%d messages; want 4", len(texts.list))
	}
	for _, text := range texts.list {
		if !strings.Contains(text, row) || strings.Contains(text, "arg_hash") {
			t.Errorf("message %s; want the row %s", text, row)
		}
	}
	g.ran(t, "first", 1)
}

type textRecorder struct{ list []string }

func (r *textRecorder) Send(m subscribe.Message) { r.list = append(r.list, string(m.Body)) }

// The views of a batch are evaluated once, before any of its sets.
func TestViewsOfABatch(t *testing.T) {
	w := newWorld(t)
	g := newGallery("gallery")
	db := w.create(g.fakeModule)
	w.call(db, alice, "put", note(1, aliceID, 11))
	v := w.viewer(db, 9)
	r := &recorder{t: t}
	v.client.Out = r
	v.handle(db, &wire.SubscribeBatch{RequestID: 1, Sets: []wire.SubscribeSet{
		{QuerySetID: 1, Queries: []string{"SELECT * FROM large"}},
		{QuerySetID: 2, Queries: []string{"SELECT nonsense"}},
		{QuerySetID: 1, Queries: []string{"SELECT * FROM first"}},
		{QuerySetID: 3, Queries: []string{"SELECT * FROM large", "SELECT * FROM above(1)"}},
	}})
	a := r.next().(*v2.SubscribeBatchApplied)
	var got []string
	for _, s := range a.Results {
		got = append(got, fmt.Sprintf("%d %t %d", s.QuerySetID, s.Error != nil, len(s.Rows)))
	}
	want(t, "results", got, []string{"1 false 1", "2 true 0", "1 true 0", "3 false 2"})
	g.ran(t, "large", 1)
	g.ran(t, "above", 1)
	g.ran(t, "first", 0)
	if n := db.views.wanted; len(n) != 2 {
		t.Errorf("%d instances are wanted; want 2", len(n))
	}
	v.handle(db, &wire.UnsubscribeSet{RequestID: 2, QuerySetID: 1}, &wire.UnsubscribeSet{RequestID: 3, QuerySetID: 3})
	if n := db.views.wanted; len(n) != 0 {
		t.Errorf("%d instances are wanted after everybody left", len(n))
	}
}

// A view that has read an environment variable depends on all of them; one that fails
// with new values refuses them.
func TestViewReadsEnvironment(t *testing.T) {
	spec.Covers(t, "03.64", "08.75")
	w := newWorld(t)
	m := newFake("env").addTable("out", params(sats.E("n", sats.U32))).declares("NOT_SET?", "ANOTHER?")
	var runs []string
	var db *Database
	m.view("v", "out", true, nil, func(_ context.Context, c *abi.ViewCall) (abi.ViewResult, error) {
		text := readEnv(db.current.Load().services, c.Tx, c.Name, "NOT_SET")
		if runs = append(runs, text); text == "=bad" {
			return abi.ViewResult{}, trapError("no such thing")
		}
		return viewRows(u32(uint32(len(text)))), nil
	})
	db = w.create(m)
	v := w.viewer(db, 9)
	v.handle(db, &wire.SubscribeSet{RequestID: 1, QuerySetID: 1, Queries: []string{"SELECT * FROM v"}})
	change := func(env EnvUpdate) error {
		_, err := w.update(db, m, UpdatePolicy{Environment: env})
		db.send.flush()
		return err
	}
	for _, env := range []EnvUpdate{set("ANOTHER", "1"), set("NOT_SET", "x"), set("UNDECLARED", "1")} {
		if err := change(env); err != nil {
			t.Fatal(err)
		}
	}
	want(t, "runs", runs, []string{"unset", "unset", "=x", "=x"})
	want(t, "messages", v.messages(), []string{"applied 1", "update"})
	if v.rows[string(u32(2))] != 1 || len(v.rows) != 1 {
		t.Errorf("rows %v", v.rows)
	}
	before := w.rows(db, "st_env")
	if err := change(set("NOT_SET", "bad")); err == nil || err.Error() != "view evaluation failed during environment publication" {
		t.Errorf("a view fails: %v", err)
	}
	want(t, "st_env", w.rows(db, "st_env"), before)
}

// The commit of a procedure's transaction refreshes views, with their arguments, before
// the procedure goes on; a view that fails ends it and takes the transaction back.
func TestProcedureCommitAndArguments(t *testing.T) {
	spec.Covers(t, "03.47", "03.67")
	w := newWorld(t)
	g := newGallery("gallery")
	var seen []string
	inTx := func(ctx context.Context, c *abi.ProcedureCall, table string, row []byte) error {
		tx, _, err := c.Host.StartTx(ctx)
		if err == nil {
			_, _, err = tx.Insert(tx.TableByName(table).ID, row)
		}
		if err != nil {
			return err
		}
		return c.Host.CommitTx(ctx)
	}
	var db *Database
	g.open("note_it", func(ctx context.Context, c *abi.ProcedureCall) error {
		if err := inTx(ctx, c, "note", note(5, aliceID, 50)); err != nil {
			return err
		}
		seen = w.backing(db, "above")
		return nil
	})
	g.open("break_it", func(ctx context.Context, c *abi.ProcedureCall) error {
		return inTx(ctx, c, "fault", append(u32(1), u32(modeTrap)...))
	})
	db = w.create(g.fakeModule)
	v := w.viewer(db, 9)
	v.handle(db, &wire.SubscribeSet{RequestID: 1, QuerySetID: 1, Queries: []string{"SELECT * FROM above(7)", "SELECT * FROM fragile"}})
	if res := w.procedure(db, alice, "note_it"); res.Status != Committed {
		t.Fatalf("%+v", res)
	}
	want(t, "above after the commit", seen, []string{"5:50"})
	if !bytes.Equal(g.last.Args, u32(7)) {
		t.Errorf("the view received %x; want the BSATN of 7", g.last.Args)
	}
	db.send.flush()
	if v.rows[string(note(5, aliceID, 50))] != 1 {
		t.Errorf("the subscriber holds %v", v.rows)
	}
	if res := w.procedure(db, alice, "break_it"); res.Status != Trapped {
		t.Errorf("a procedure whose commit breaks a view ends with %+v", res)
	}
	want(t, "fault", w.rows(db, "fault"), nil)
	w.call(db, alice, "put", note(6, aliceID, 60)) // the right to write was given back
	want(t, "above", w.backing(db, "above"), []string{"5:50", "6:60"})
}

// A row-level security rule may read a view; it is the caller's instance, evaluated when
// the caller reads the table.
func TestRuleThatReadsView(t *testing.T) {
	w := newWorld(t)
	g := newGallery("gallery")
	g.section(schema.SecRLS).RLS = []string{"SELECT note.* FROM note JOIN mine v ON note.id = v.id"}
	db := w.create(g.fakeModule)
	w.call(db, alice, "put", note(1, aliceID, 1))
	w.call(db, alice, "put", note(2, bobID, 2))
	want(t, "alice's notes", w.sql(db, alice, "SELECT * FROM note"), []string{"1:1"})
	want(t, "the owner's notes", w.sql(db, owner, "SELECT * FROM note"), []string{"1:1", "2:2"})
	g.ran(t, "mine", 1)
	v := &viewer{t: t, rows: map[string]int{}, who: bob}
	v.client = &subscribe.Client{Identity: bobID, Connection: bob.Conn, Protocol: wire.V2, Out: v}
	if err := db.Attach(background, v.client, bob, func() {}); err != nil {
		t.Fatal(err)
	}
	v.handle(db, &wire.SubscribeSet{RequestID: 1, QuerySetID: 1, Queries: []string{"SELECT * FROM note"}})
	w.call(db, alice, "put", note(3, bobID, 3))
	w.call(db, alice, "put", note(4, aliceID, 4))
	w.call(db, alice, "put", note(2, aliceID, 2)) // bob's no more
	db.send.flush()
	if len(v.rows) != 1 || v.rows[string(note(3, bobID, 3))] != 1 {
		t.Errorf("bob holds %v; want his one note", v.rows)
	}
	want(t, "messages", v.log, []string{"applied 1", "update", "update"})
	want(t, "alice's notes", w.sql(db, alice, "SELECT * FROM note"), []string{"1:1", "2:2", "4:4"})
	w.clock.advance(time.Hour)
	if n := len(db.views.instances); n != 1 {
		t.Errorf("%d instances are left; want the one that bob's query reads", n)
	}
}

// What the views use that a call makes stale is part of the call's energy.
func TestViewFuel(t *testing.T) {
	w := newWorld(t)
	g := newGallery("gallery")
	db := w.create(g.fakeModule)
	const one = 7 // what any call of the fake engine uses
	if res := w.call(db, alice, "put", note(1, aliceID, 20)); res.Energy != one {
		t.Errorf("without views: %d units; want %d", res.Energy, one)
	}
	w.sql(db, owner, "SELECT * FROM large")
	w.sql(db, owner, "SELECT * FROM first")
	if res := w.call(db, alice, "put", note(1, aliceID, 30)); res.Energy != 3*one {
		t.Errorf("with two views to refresh: %d units; want %d", res.Energy, 3*one)
	}
	if res := w.call(db, alice, "put_other", u32(1)); res.Energy != one {
		t.Errorf("with views that it does not concern: %d units; want %d", res.Energy, one)
	}
}
