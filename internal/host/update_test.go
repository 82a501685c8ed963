package host

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/internal/subscribe"
	"github.com/stdbgo/spacetime/internal/wire"
	"github.com/stdbgo/spacetime/sats"
)

func (w *world) update(db *Database, m *fakeModule, p UpdatePolicy) (UpdateResult, error) {
	return db.Update(background, Wasm, w.engine.register(m), p)
}

// A nullOutbox takes messages and counts them.
type nullOutbox struct{ got []subscribe.Message }

func (o *nullOutbox) Send(m subscribe.Message) { o.got = append(o.got, m) }

// attach connects a client of the second protocol.
func (w *world) attach(db *Database, who Caller) (c *subscribe.Client, out *nullOutbox, exited *bool) {
	w.t.Helper()
	out, exited = &nullOutbox{}, new(bool)
	c = &subscribe.Client{Identity: who.Identity, Connection: who.Conn, Protocol: wire.V2, Out: out}
	if err := db.Attach(background, c, who, func() { *exited = true }); err != nil {
		w.t.Fatal(err)
	}
	return c, out, exited
}

func (w *world) subscribe(db *Database, c *subscribe.Client, who Caller, queries ...string) {
	w.t.Helper()
	_, err := db.Handle(background, c, who, []wire.ClientMessage{&wire.SubscribeSet{RequestID: 1, QuerySetID: 1, Queries: queries}})
	if err != nil {
		w.t.Fatal(err)
	}
}

func TestSameProgramChangesNothing(t *testing.T) {
	spec.Covers(t, "08.57", "08.81")
	w := newWorld(t)
	k := newTicker(w, "ticker")
	db := w.create(k.fakeModule)
	w.call(db, alice, "plan", timerRow(0, sats.ScheduleInterval(second), "tick"))
	_, _, exited := w.attach(db, alice)
	w.clock.advance(500 * 1e6)
	loads := w.engine.loads
	before, _ := db.lastOffset()
	res, err := w.update(db, k.fakeModule, UpdatePolicy{})
	if err != nil || !res.Unchanged {
		t.Errorf("update = %+v, %v; want unchanged", res, err)
	}
	if after, _ := db.lastOffset(); after != before || *exited || w.engine.loads != loads {
		t.Errorf("the same program made %d transactions and %d loads; client gone: %t", after-before, w.engine.loads-loads, *exited)
	}
	w.clock.advance(600 * 1e6)
	k.expect("the interval goes on", "tick at 1000000")
}

func TestCompatibleUpdate(t *testing.T) {
	spec.Covers(t, "08.58")
	w := newWorld(t)
	db := w.create(people("one"))
	c, out, exited := w.attach(db, alice)
	w.subscribe(db, c, alice, "SELECT * FROM person")
	w.call(db, bob, "add", u32(1), str("Ann"))
	db.send.flush()
	if len(out.got) != 2 {
		t.Fatalf("%d messages; want the answer and one update", len(out.got))
	}
	// Another index, another table, a sequence, another reducer.
	two := newFake("two").
		addTable("person", personCols, primary(0), index(1)).
		addTable("pet", personCols, primary(0)).
		reducer("rename", personCols, func(c *fakeCall) error {
			t := c.table("person")
			_, _, err := c.Tx.Update(t.ID, t.UniqueIndexOn(0).ID, c.Args)
			return err
		})
	res, err := w.update(db, two, UpdatePolicy{})
	if err != nil || res.Unchanged {
		t.Fatalf("update = %+v, %v", res, err)
	}
	if *exited {
		t.Error("the client was sent away")
	}
	if _, err := db.CallReducer(background, &CallRequest{Caller: bob, Name: "add", Args: append(u32(2), str("x")...)}); !errors.Is(err, ErrNoSuchReducer) {
		t.Errorf("a reducer of the old module: %v", err)
	}
	w.call(db, bob, "rename", u32(1), str("Bea"))
	db.send.flush()
	if len(out.got) != 3 {
		t.Errorf("%d messages; want one more update, through the renewed plan", len(out.got))
	}
	logs := logsOf(t, db)
	for _, line := range []string{"Updated program to ", "Creating table `pet`", "Creating index `person_name_idx_btree` on table `person`", "Database updated"} {
		if !strings.Contains(logs, line) {
			t.Errorf("no record %q in\n%s", line, logs)
		}
	}
	w.restart()
	db = w.open()
	w.call(db, bob, "rename", u32(1), str("Cy"))
	want(t, "persons", w.rows(db, "person"), []string{`(id = 1, name = "Cy")`})
	if v := db.View(); true {
		defer v.Close()
		if p := v.TableByName("person"); p.IndexOn(1) == nil || v.TableByName("pet") == nil {
			t.Error("the new schema did not survive the restart")
		}
	}
}

// wider is diary's successor, with one more column.
func wider() *fakeModule {
	m := diary("wider")
	sec := m.section(schema.SecTypespace)
	sec.Typespace.Types[0] = sats.Product(sats.E("id", sats.U64), sats.E("text", sats.String), sats.E("stars", sats.U32))
	defaultValue(2, u32(5))(m, &m.section(schema.SecTables).Tables[0])
	old := m.fns[2] // client_disconnected
	m.fns[2] = func(c *fakeCall) error {
		if c.Sender == aliceID || c.Sender == bobID {
			return c.insert("note", append(append(u64(0), str("left the wider module")...), u32(1)...))
		}
		return old(c)
	}
	return m
}

func TestBreakingUpdate(t *testing.T) {
	spec.Covers(t, "08.58")
	w := newWorld(t)
	db := w.create(diary("diary"))
	_, _, exited := w.attach(db, alice)
	if err := db.Connect(background, bob); err != nil {
		t.Fatal(err)
	}
	program := w.engine.register(wider())
	var refused *MigrationError
	if _, err := db.Update(background, Wasm, program, UpdatePolicy{}); !errors.As(err, &refused) || refused.Manual ||
		err.Error() != "Migration plan contains a client-breaking change which is disallowed under current policy" {
		t.Errorf("without consent: %v", err)
	}
	if _, err := db.Update(background, Wasm, program, UpdatePolicy{BreakClients: true}); !errors.As(err, &refused) ||
		err.Error() != "Token provided is invalid or does not match expected hash" {
		t.Errorf("with a wrong token: %v", err)
	}
	plan, err := db.PrePublish(background, Wasm, program)
	if err != nil || !plan.BreaksUsers || plan.Manual != "" || plan.MajorUpgrade {
		t.Fatalf("plan = %+v, %v", plan, err)
	}
	if *exited {
		t.Fatal("a refused update sent the client away")
	}
	if _, err := db.Update(background, Wasm, program, UpdatePolicy{BreakClients: true, Token: plan.Token}); err != nil {
		t.Fatal(err)
	}
	if !*exited {
		t.Error("the client was not told to go")
	}
	want(t, "st_client", w.rows(db, "st_client"), nil)
	// Existing rows got the default, and the new module saw both clients off.
	var stars []string
	for _, r := range w.rows(db, "note") {
		_, s, _ := strings.Cut(r, "text = ")
		stars = append(stars, s)
	}
	sortStrings(stars)
	want(t, "notes", stars, []string{
		`"came 2 {"sub":"alice"}", stars = 5)`, `"came 3 {"sub":"bob"}", stars = 5)`,
		`"left the wider module", stars = 1)`, `"left the wider module", stars = 1)`,
	})
	if logs := logsOf(t, db); !strings.Contains(logs, "Disconnecting all users") {
		t.Errorf("no record of the disconnection in %s", logs)
	}
	w.restart()
	db = w.open()
	if n := len(w.rows(db, "note")); n != 4 {
		t.Errorf("%d notes after restart; want 4", n)
	}
}

// Whatever is wrong with a new program, the old module runs on and nobody is
// disconnected.
func TestFailedUpdate(t *testing.T) {
	spec.Covers(t, "08.57")
	w := newWorld(t)
	db := w.create(people("people"))
	w.call(db, alice, "add", u32(1), str("Ann"))
	_, _, exited := w.attach(db, alice)
	broken := people("broken")
	broken.instantiate = func() error { return errors.New("start function trapped") }
	noColumn := newFake("no_column").addTable("person", params(sats.E("id", sats.U32)), primary(0))
	gone := newFake("gone").addTable("pet", personCols, primary(0))
	withEnv := people("with_env")
	withEnv.section(schema.SecEnvironment).Environment = []schema.RawEnvironmentVar{{Name: "KEY"}}
	unlike := people("unique_names")
	unlike.section(schema.SecTables).Tables = nil
	unlike.section(schema.SecTypes).Types = nil
	unlike.section(schema.SecTypespace).Typespace = &sats.Typespace{}
	unlike.addTable("person", personCols, primary(0), unique(1))
	w.call(db, alice, "add", u32(2), str("Ann"))

	before, _ := db.lastOffset()
	for _, tt := range []struct {
		name    string
		program []byte
		policy  func() UpdatePolicy
		text    string
	}{
		{"no program", []byte("nonsense"), nil, "not a program (register it)"},
		{"broken", w.engine.register(broken), nil, "start function trapped"},
		{"environment", w.engine.register(withEnv), nil, `environment key "KEY": required value is missing`},
		{"manual", w.engine.register(noColumn), nil, "Errors occurred:\nRemoving a column name from table person requires a manual migration\n\n"},
		{"rows in the way", w.engine.register(gone), func() UpdatePolicy {
			p, err := db.PrePublish(background, Wasm, []byte("gone"))
			if err != nil {
				t.Fatal(err)
			}
			return UpdatePolicy{BreakClients: true, Token: p.Token}
		}, "Cannot remove table `person`: table contains data."},
		{"duplicates", w.engine.register(unlike), nil, "Unique constraint violation 'person_name_idx_btree' in table 'person'"},
	} {
		var policy UpdatePolicy
		if tt.policy != nil {
			policy = tt.policy()
		}
		_, err := db.Update(background, Wasm, tt.program, policy)
		if err == nil || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s: %v; want %q", tt.name, err, tt.text)
		}
	}
	if after, _ := db.lastOffset(); after != before {
		t.Errorf("failed updates made %d transactions", after-before)
	}
	if *exited {
		t.Error("the client was sent away")
	}
	w.call(db, alice, "add", u32(3), str("Ann"))
	if logs := logsOf(t, db); strings.Count(logs, `"level":"Warn"`) != 3 || !strings.Contains(logs, "Database update failed: ") {
		t.Errorf("want three warnings of failed updates in\n%s", logs)
	}
	want(t, "persons", w.rows(db, "person"), []string{`(id = 1, name = "Ann")`, `(id = 2, name = "Ann")`, `(id = 3, name = "Ann")`})
}

// An update waits for nobody who gave up, and is not undone by it.
func TestUpdateOutlivesItsPublisher(t *testing.T) {
	spec.Covers(t, "08.60")
	w := newWorld(t)
	db := w.create(people("one"))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	two := people("two").addTable("pet", personCols, primary(0))
	if _, err := db.Update(ctx, Wasm, w.engine.register(two), UpdatePolicy{}); err != nil {
		t.Fatal(err)
	}
	w.restart()
	db = w.open()
	want(t, "pets", w.rows(db, "pet"), nil)
}

// An update starts the timers anew, and no function runs twice for one tick.
func TestUpdateRestartsTimers(t *testing.T) {
	spec.Covers(t, "08.63")
	w := newWorld(t)
	k := newTicker(w, "ticker")
	db := w.create(k.fakeModule)
	w.call(db, alice, "plan", timerRow(0, sats.ScheduleInterval(second), "tick"))
	w.clock.advance(1500 * 1e6)
	k.expect("ticks", "tick at 1000000")
	k2 := newTicker(w, "ticker2")
	k2.start = k.start
	k2.addTable("pet", personCols, primary(0))
	if _, err := w.update(db, k2.fakeModule, UpdatePolicy{}); err != nil {
		t.Fatal(err)
	}
	w.clock.advance(2200 * 1e6)
	k.expect("ticks of the old module")
	k2.expect("ticks of the new module", "tick at 2500000", "tick at 3500000")
}

// The program that runs after a restart is that of the last update, not the
// initial one.
func TestStoredProgramWins(t *testing.T) {
	w := newWorld(t)
	db := w.create(people("one"))
	if _, err := w.update(db, people("two").addTable("pet", personCols, primary(0)), UpdatePolicy{}); err != nil {
		t.Fatal(err)
	}
	w.restart()
	db, err := w.host.Open(background, w.info, func() ([]byte, error) { return []byte("one"), nil })
	if err != nil {
		t.Fatal(err)
	}
	if db.Module().Tables[1].Name != "pet" {
		t.Error("the initial program runs")
	}
	other := w.info
	other.Owner = bobID
	w.restart()
	if _, err := w.host.Open(background, other, nil); err == nil || !strings.HasPrefix(err.Error(), "mismatched owner identity: ") {
		t.Errorf("open for another owner: %v", err)
	}
}
