package host

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/query"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/internal/subscribe"
	"github.com/stdbgo/spacetime/internal/wire"
	v2 "github.com/stdbgo/spacetime/internal/wire/v2"
	"github.com/stdbgo/spacetime/sats"
)

// A noteRow is a row of the model's only table: (id, owner, n), with indexes on id and
// on owner.
type noteRow struct {
	id    uint32
	owner sats.Identity
	n     uint32
}

func (r noteRow) bytes() []byte { return note(r.id, r.owner, r.n) }

// A randomView is a view, and what its rows are if somebody looks at the whole table.
type randomView struct {
	name      string
	anonymous bool
	params    []sats.Element
	run       fakeView
	rows      func(all map[uint32]noteRow, sender sats.Identity, arg uint32) []noteRow
	fails     func(all map[uint32]noteRow) bool
}

// drawView makes up a view, by one of the ways in which views read.
func drawView(t *rapid.T, i int) *randomView {
	v := &randomView{name: "view_" + string(rune('a'+i)), anonymous: rapid.Bool().Draw(t, "anonymous")}
	k := rapid.Uint32Range(0, 7).Draw(t, "k")
	if rapid.Bool().Draw(t, "with parameter") {
		v.params = params(sats.E("p", sats.U32))
	}
	// keep is the condition, on the row, the sender and the argument.
	keep := func(r noteRow, sender sats.Identity, arg uint32) bool {
		return r.n >= k && (len(v.params) == 0 || r.n%3 == arg) && (v.anonymous || r.owner == sender || r.id == k)
	}
	filter := func(all map[uint32]noteRow, sender sats.Identity, arg uint32, pre func(noteRow) bool) (out []noteRow) {
		for _, r := range all {
			if pre(r) && keep(r, sender, arg) {
				out = append(out, r)
			}
		}
		return out
	}
	every := func(noteRow) bool { return true }
	found := func(c *abi.ViewCall, rows [][]byte) abi.ViewResult {
		var out [][]byte
		arg := uint32(0)
		if len(c.Args) > 0 {
			arg = binary.LittleEndian.Uint32(c.Args)
		}
		for _, b := range rows {
			if keep(parseNote(b), c.Sender, arg) {
				out = append(out, b, b) // duplicates collapse
			}
		}
		return viewRows(out...)
	}
	switch rapid.IntRange(0, 5).Draw(t, "kind") {
	case 0: // the whole table
		v.run = func(_ context.Context, c *abi.ViewCall) (abi.ViewResult, error) {
			return found(c, scan(c, "note", func([]byte) bool { return true })), nil
		}
		v.rows = func(all map[uint32]noteRow, s sats.Identity, arg uint32) []noteRow { return filter(all, s, arg, every) }
	case 1: // the rows of one owner
		of := func(s sats.Identity) sats.Identity {
			if v.anonymous {
				return aliceID
			}
			return s
		}
		v.run = func(_ context.Context, c *abi.ViewCall) (abi.ViewResult, error) {
			id := of(c.Sender)
			return found(c, byKey(c, "note", 1, id[:])), nil
		}
		v.rows = func(all map[uint32]noteRow, s sats.Identity, arg uint32) []noteRow {
			return filter(all, s, arg, func(r noteRow) bool { return r.owner == of(s) })
		}
	case 2: // two rows by their keys
		v.run = func(_ context.Context, c *abi.ViewCall) (abi.ViewResult, error) {
			return found(c, append(byKey(c, "note", 0, u32(k)), byKey(c, "note", 0, u32(k+2))...)), nil
		}
		v.rows = func(all map[uint32]noteRow, s sats.Identity, arg uint32) []noteRow {
			return filter(all, s, arg, func(r noteRow) bool { return r.id == k || r.id == k+2 })
		}
	case 3: // a range of keys
		v.run = func(_ context.Context, c *abi.ViewCall) (abi.ViewResult, error) {
			t := c.Tx.TableByName("note")
			var rows [][]byte
			for row := range c.Tx.Range(t.IndexOn(0).ID, store.Range{Lo: store.Bound{Kind: store.Included, Value: u32(k)}}) {
				rows = append(rows, bytes.Clone(row))
			}
			return found(c, rows), nil
		}
		v.rows = func(all map[uint32]noteRow, s sats.Identity, arg uint32) []noteRow {
			return filter(all, s, arg, func(r noteRow) bool { return r.id >= k })
		}
	case 4: // a query
		v.run = func(context.Context, *abi.ViewCall) (abi.ViewResult, error) {
			return abi.ViewResult{IsQuery: true, Query: fmt.Sprintf("SELECT * FROM note WHERE n < %d OR id = 3", k)}, nil
		}
		v.rows = func(all map[uint32]noteRow, _ sats.Identity, _ uint32) (out []noteRow) {
			for _, r := range all {
				if r.n < k || r.id == 3 {
					out = append(out, r)
				}
			}
			return out
		}
	case 5: // fails while a row has a value
		v.fails = func(all map[uint32]noteRow) bool { return all[k].n == 5 && all[k].id == k }
		v.run = func(_ context.Context, c *abi.ViewCall) (abi.ViewResult, error) {
			rows := byKey(c, "note", 0, u32(k))
			if len(rows) > 0 && parseNote(rows[0]).n == 5 {
				return abi.ViewResult{}, userError("five")
			}
			return found(c, rows), nil
		}
		v.rows = func(all map[uint32]noteRow, s sats.Identity, arg uint32) []noteRow {
			return filter(all, s, arg, func(r noteRow) bool { return r.id == k })
		}
	}
	return v
}

func parseNote(b []byte) noteRow {
	return noteRow{binary.LittleEndian.Uint32(b), sats.Identity(b[4:36]), binary.LittleEndian.Uint32(b[36:])}
}

// A modelClient holds the rows of its query sets.
type modelClient struct {
	t    *rapid.T
	c    *subscribe.Client
	who  Caller
	sets map[uint32]*modelSet
	last uint32
}

type modelSet struct {
	queries []modelQuery
	rows    map[string]int
}

// A grantRow of the model's other table lets somebody see the notes with a number, if
// there is a rule that says so.
type grantRow struct {
	who sats.Identity
	n   uint32
}

// noteRules are rules of row-level security for notes. Views are not held to them.
var noteRules = []struct {
	text string
	sees func(m *viewModel, r noteRow, sender sats.Identity) bool
}{
	{"SELECT * FROM note WHERE owner = :sender", func(_ *viewModel, r noteRow, sender sats.Identity) bool { return r.owner == sender }},
	{"SELECT * FROM note WHERE n < 4", func(_ *viewModel, r noteRow, _ sats.Identity) bool { return r.n < 4 }},
	{"SELECT note.* FROM note JOIN grants ON note.n = grants.n WHERE grants.who = :sender", func(m *viewModel, r noteRow, sender sats.Identity) bool {
		for _, g := range m.grants {
			if g.who == sender && g.n == r.n {
				return true
			}
		}
		return false
	}},
}

// sees reports whether the rules show a note to somebody.
func (m *viewModel) sees(r noteRow, sender sats.Identity) bool {
	for _, i := range m.rules {
		if noteRules[i].sees(m, r, sender) {
			return true
		}
	}
	return len(m.rules) == 0
}

// tableForms are queries on the notes themselves, as far as somebody sees them; each
// gives a note so many times.
var tableForms = []struct {
	text  string
	times func(m *viewModel, r noteRow, sender sats.Identity) int
}{
	{"SELECT * FROM note", func(*viewModel, noteRow, sats.Identity) int { return 1 }},
	{"SELECT * FROM note WHERE n >= 3", func(_ *viewModel, r noteRow, _ sats.Identity) int {
		if r.n >= 3 {
			return 1
		}
		return 0
	}},
	{"SELECT a.* FROM note a JOIN note b ON a.n = b.id", func(m *viewModel, r noteRow, sender sats.Identity) int {
		if b, ok := m.notes[r.n]; ok && m.sees(b, sender) {
			return 1
		}
		return 0
	}},
	{"SELECT a.* FROM note a JOIN note b ON a.owner = b.owner WHERE b.n < 5", func(m *viewModel, r noteRow, sender sats.Identity) (n int) {
		for _, b := range m.notes {
			if b.owner == r.owner && b.n < 5 && m.sees(b, sender) {
				n++
			}
		}
		return n
	}},
}

// A modelQuery is a query on a view: on the view alone, or with one of forms; or with
// one of tableForms on the table, if there is no view.
type modelQuery struct {
	view *randomView
	arg  uint32
	form int
	text string
}

// forms are queries whose result is a part of a view's rows, each of which is a note.
var forms = []struct {
	text  string
	joins bool // with the note, which must be seen
	keep  func(r noteRow) bool
}{
	{"SELECT * FROM %[1]s", false, func(noteRow) bool { return true }},
	{"SELECT * FROM %[1]s WHERE n >= 4", false, func(r noteRow) bool { return r.n >= 4 }},
	{"SELECT note.* FROM note JOIN %[1]s v ON note.id = v.id", true, func(noteRow) bool { return true }},
	{"SELECT v.* FROM %[1]s v JOIN note ON v.id = note.id WHERE note.n < 6 AND v.n <> 1", true, func(r noteRow) bool { return r.n < 6 && r.n != 1 }},
}

func (m *modelClient) Send(msg subscribe.Message) {
	switch msg := v2.ReadServer(sats.NewReader(msg.Body)).(type) {
	case *v2.SubscribeApplied:
		for _, t := range msg.Rows {
			m.add(msg.QuerySetID, wire.ReadRowList(sats.NewReader(t.Rows)), 1)
		}
	case *v2.TransactionUpdate:
		m.update(msg.Sets)
	case *v2.ReducerResult:
		m.update(msg.Sets)
	case *v2.UnsubscribeApplied:
		for _, t := range msg.Rows {
			m.add(msg.QuerySetID, wire.ReadRowList(sats.NewReader(t.Rows)), -1)
		}
	default:
		m.t.Errorf("message %T %+v", msg, msg)
	}
}

func (m *modelClient) update(sets []v2.QuerySetUpdate) {
	for _, s := range sets {
		for _, t := range s.Tables {
			for _, f := range t.Rows {
				ins, del, _ := v2.ReadFragment(sats.NewReader(f))
				m.add(s.QuerySetID, ins, 1)
				m.add(s.QuerySetID, del, -1)
			}
		}
	}
}

func (m *modelClient) add(set uint32, l wire.RowList, n int) {
	s := m.sets[set]
	for i := range l.Len() {
		row := string(l.At(i))
		if s.rows[row] += n; s.rows[row] == 0 {
			delete(s.rows, row)
		}
	}
}

// Random views, beside row-level security on the table that they read, over random
// transactions by several senders: after each of them every client holds exactly what
// its queries, of which several overlap, would return now.
func TestViewsAgainstModel(t *testing.T) {
	spec.Covers(t, "08.34", "08.35", "08.37", "08.64", "08.38", "07.41", "07.42")
	rapid.Check(t, func(t *rapid.T) {
		mod := newFake("model").addTable("note", noteCols, primary(0), index(1)).
			reducer("put", noteCols, func(c *fakeCall) error {
				if _, err := c.Tx.DeletePoint(c.table("note").Indexes[0].ID, c.Args[:4]); err != nil {
					return err
				}
				return c.insert("note", c.Args)
			}).
			reducer("remove", params(sats.E("id", sats.U32)), func(c *fakeCall) error {
				_, err := c.Tx.DeletePoint(c.table("note").Indexes[0].ID, c.Args)
				return err
			}).
			addTable("grants", []sats.Element{sats.E("id", sats.U32), sats.E("who", sats.IdentityType), sats.E("n", sats.U32)}, primary(0), index(2)).
			reducer("grant", noteCols, func(c *fakeCall) error {
				if _, err := c.Tx.DeletePoint(c.table("grants").Indexes[0].ID, c.Args[:4]); err != nil {
					return err
				}
				return c.insert("grants", c.Args)
			}).
			reducer("revoke", params(sats.E("id", sats.U32)), func(c *fakeCall) error {
				_, err := c.Tx.DeletePoint(c.table("grants").Indexes[0].ID, c.Args)
				return err
			})
		rules := rapid.SliceOfNDistinct(rapid.IntRange(0, len(noteRules)-1), 0, len(noteRules), rapid.ID).Draw(t, "rules")
		for _, i := range rules {
			sec := mod.section(schema.SecRLS)
			sec.RLS = append(sec.RLS, noteRules[i].text)
		}
		var views []*randomView
		for i := range rapid.IntRange(1, 4).Draw(t, "views") {
			v := drawView(t, i)
			views = append(views, v)
			mod.view(v.name, "note", v.anonymous, v.params, v.run)
		}
		clock := newFakeClock()
		engine := &fakeEngine{}
		h, err := New(Options{
			InMemory: true, Clock: clock, Rand: rand.NewChaCha8([32]byte{1}),
			Engines: map[ProgramKind]abi.Engine{Wasm: engine},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer h.Close()
		db, err := h.Create(background, DatabaseInfo{Replica: 1, Identity: dbID, Owner: ownerID}, engine.register(mod))
		if err != nil {
			t.Fatal(err)
		}
		m := &viewModel{t: t, db: db, views: views, rules: rules, notes: map[uint32]noteRow{}, grants: map[uint32]grantRow{}}
		for i := range 4 { // the last two are one identity
			who := Caller{Identity: sats.Identity{byte(2 + min(i, 2))}, Conn: sats.ConnectionID{byte(1 + i)}}
			k := &modelClient{t: t, who: who, sets: map[uint32]*modelSet{}}
			k.c = &subscribe.Client{Identity: who.Identity, Connection: who.Conn, Protocol: wire.V2, Out: k}
			if err := db.Attach(background, k.c, who, func() {}); err != nil {
				t.Fatal(err)
			}
			m.clients = append(m.clients, k)
		}
		t.Repeat(map[string]func(*rapid.T){
			"put": m.put, "remove": m.remove, "dml": m.dml, "grant": m.grant, "subscribe": m.subscribe, "unsubscribe": m.unsubscribe,
			"select": m.selectRows, "wait": func(t *rapid.T) { clock.advance(time.Duration(rapid.IntRange(1, 25).Draw(t, "minutes")) * time.Minute) },
			"": m.check,
		})
	})
}

type viewModel struct {
	t       *rapid.T
	db      *Database
	views   []*randomView
	rules   []int // of noteRules
	notes   map[uint32]noteRow
	grants  map[uint32]grantRow
	clients []*modelClient
}

func (m *viewModel) row(t *rapid.T) noteRow {
	return noteRow{
		rapid.Uint32Range(0, 7).Draw(t, "id"), sats.Identity{byte(rapid.IntRange(2, 4).Draw(t, "owner"))}, rapid.Uint32Range(0, 9).Draw(t, "n"),
	}
}

// commits reports whether a transaction that leaves these notes behind may: no view
// that has been evaluated and read what it changes may fail then.
func (m *viewModel) commits(after map[uint32]noteRow) bool {
	for _, x := range m.db.views.instances {
		for _, v := range m.views {
			if v.name == x.name && v.fails != nil && v.fails(after) {
				return false
			}
		}
	}
	return true
}

func (m *viewModel) call(t *rapid.T, name string, args []byte, after map[uint32]noteRow) {
	if want := m.commits(after); m.calls(t, name, args, want) {
		m.notes = after
	}
}

// calls calls a reducer and wants it to commit, or not to.
func (m *viewModel) calls(t *rapid.T, name string, args []byte, want bool) bool {
	k := rapid.SampledFrom(m.clients).Draw(t, "client")
	res, err := m.db.CallReducer(background, &CallRequest{Caller: k.who, Name: name, Args: args})
	if err != nil {
		t.Fatal(err)
	}
	if (res.Status == Committed) != want {
		t.Fatalf("%s ended with %d %s; want it to commit: %t", name, res.Status, res.Message, want)
	}
	return want
}

func (m *viewModel) put(t *rapid.T) {
	r := m.row(t)
	after := maps.Clone(m.notes)
	after[r.id] = r
	m.call(t, "put", r.bytes(), after)
}

func (m *viewModel) remove(t *rapid.T) {
	id := rapid.Uint32Range(0, 7).Draw(t, "id")
	after := maps.Clone(m.notes)
	delete(after, id)
	m.call(t, "remove", u32(id), after)
}

// grant lets somebody see notes, or no longer. No view reads the grants.
func (m *viewModel) grant(t *rapid.T) {
	id := rapid.Uint32Range(0, 3).Draw(t, "id")
	if rapid.Bool().Draw(t, "revoke") {
		m.calls(t, "revoke", u32(id), true)
		delete(m.grants, id)
		return
	}
	r := m.row(t)
	r.id = id
	m.calls(t, "grant", r.bytes(), true)
	m.grants[id] = grantRow{r.owner, r.n}
}

func (m *viewModel) dml(t *rapid.T) {
	n, least := rapid.Uint32Range(0, 9).Draw(t, "n"), rapid.Uint32Range(0, 9).Draw(t, "least")
	after := maps.Clone(m.notes)
	for id, r := range after {
		if r.id >= least {
			r.n = n
			after[id] = r
		}
	}
	want := m.commits(after)
	_, err := m.db.SQL(background, owner, fmt.Sprintf("UPDATE note SET n = %d WHERE id >= %d", n, least))
	if (err == nil) != want {
		t.Fatalf("the statement ended with %v; want it to commit: %t", err, want)
	}
	if want {
		m.notes = after
	}
}

func (m *viewModel) query(t *rapid.T) modelQuery {
	if rapid.IntRange(0, 2).Draw(t, "of the table") == 0 {
		form := rapid.IntRange(0, len(tableForms)-1).Draw(t, "form")
		return modelQuery{form: form, text: tableForms[form].text}
	}
	q := modelQuery{view: rapid.SampledFrom(m.views).Draw(t, "view")}
	q.form = rapid.IntRange(0, len(forms)-1).Draw(t, "form")
	from := q.view.name
	if len(q.view.params) > 0 {
		q.form = 0
		q.arg = rapid.Uint32Range(0, 2).Draw(t, "argument")
		from += fmt.Sprintf("(%d", q.arg)
		if rapid.Bool().Draw(t, "as a fraction") {
			from += ".0"
		}
		from += ")"
	}
	q.text = fmt.Sprintf(forms[q.form].text, from)
	return q
}

func (m *viewModel) subscribe(t *rapid.T) {
	k := rapid.SampledFrom(m.clients).Draw(t, "client")
	if len(k.sets) > 5 {
		t.Skip("enough")
	}
	s := &modelSet{rows: map[string]int{}}
	var texts []string
	for range rapid.IntRange(1, 3).Draw(t, "queries") {
		q := m.query(t)
		if !slices.Contains(texts, q.text) { // repetitions count once
			s.queries, texts = append(s.queries, q), append(texts, q.text)
		}
	}
	k.last++
	k.sets[k.last] = s
	m.handle(k, &wire.SubscribeSet{RequestID: k.last, QuerySetID: k.last, Queries: texts})
}

func (m *viewModel) unsubscribe(t *rapid.T) {
	k := rapid.SampledFrom(m.clients).Draw(t, "client")
	for id, s := range k.sets {
		m.handle(k, &wire.UnsubscribeSet{QuerySetID: id, SendDroppedRows: true})
		if len(s.rows) != 0 {
			t.Errorf("after the dropped rows %d are left", len(s.rows))
		}
		delete(k.sets, id)
		return
	}
}

func (m *viewModel) handle(k *modelClient, msg wire.ClientMessage) {
	if _, err := m.db.Handle(background, k.c, k.who, []wire.ClientMessage{msg}); err != nil {
		m.t.Fatal(err)
	}
}

func (m *viewModel) selectRows(t *rapid.T) {
	k := rapid.SampledFrom(m.clients).Draw(t, "client")
	q := m.query(t)
	res, err := m.db.SQL(background, k.who, q.text)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	for _, row := range res.Rows {
		got[string(row)]++
	}
	if want := m.expected(k.who.Identity, q); !maps.Equal(got, want) {
		t.Fatalf("%s gives %d rows; want %d", q.text, len(got), len(want))
	}
}

// expected returns what a reader of views sees: nothing where one could not be
// evaluated.
func (m *viewModel) expected(sender sats.Identity, queries ...modelQuery) map[string]int {
	want := map[string]int{}
	for _, q := range queries {
		if q.view == nil {
			for _, r := range m.notes {
				if n := tableForms[q.form].times(m, r, sender); n > 0 && m.sees(r, sender) {
					want[string(r.bytes())] += n
				}
			}
			continue
		}
		if m.instance(q.view, sender, q.arg) == nil {
			continue
		}
		for _, r := range q.view.rows(m.notes, sender, q.arg) {
			if forms[q.form].keep(r) && (!forms[q.form].joins || m.sees(r, sender)) {
				want[string(r.bytes())]++
			}
		}
	}
	return want
}

func (m *viewModel) instance(v *randomView, sender sats.Identity, arg uint32) *viewInstance {
	for _, x := range m.db.views.instances {
		if x.name == v.name && (v.anonymous || x.sender == sender) && (len(v.params) == 0 || binary.LittleEndian.Uint32(x.args) == arg) {
			return x
		}
	}
	return nil
}

func (m *viewModel) check(t *rapid.T) {
	m.db.send.flush()
	wanted := map[viewKey]bool{}
	for i, k := range m.clients {
		for id, s := range k.sets {
			if want := m.expected(k.who.Identity, s.queries...); !maps.Equal(s.rows, want) {
				t.Fatalf("client %d, set %d of %v: %d rows; want %d", i, id, s.queries, len(s.rows), len(want))
			}
			for _, q := range s.queries {
				if q.view == nil {
					continue
				}
				x := m.instance(q.view, k.who.Identity, q.arg)
				if x == nil && q.view.fails == nil {
					t.Fatalf("client %d looks at %s, which is not evaluated", i, q.view.name)
				}
				if x != nil {
					wanted[x.viewKey] = true
				}
			}
		}
	}
	// The backing tables hold the rows of the instances and nothing else.
	r := m.db.View()
	defer r.Close()
	for _, v := range m.views {
		for row := range r.Scan(r.TableByName(v.name).ID) {
			key := viewKey{hash: query.ViewHash(row[:32])}
			key.view, _ = viewID(r, v.name)
			if m.db.views.instances[key] == nil {
				t.Fatalf("a row of %s belongs to no instance", v.name)
			}
		}
	}
	for key := range wanted {
		if m.db.views.instances[key] == nil {
			t.Fatal("an instance with a subscriber is gone")
		}
	}
}
