package host

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/sats"
)

// diary is a module that writes down who came and went, and refuses or fails on
// demand.
func diary(name string) *fakeModule {
	note := func(c *fakeCall, what string) error {
		jwt, _ := c.JWT(c.Tx, c.Conn)
		return c.insert("note", append(u64(0), str(fmt.Sprintf("%s %d %s", what, c.Sender[0], jwt))...))
	}
	// A mood is a row of the table of that name.
	mood := func(c *fakeCall, word string) bool {
		for _, r := range c.rows("mood") {
			if sats.NewReader(r).Str() == word {
				return true
			}
		}
		return false
	}
	leave := func(c *fakeCall) error {
		if mood(c, "trap on leave") {
			return trapError("in leave")
		}
		if mood(c, "fail on leave") {
			return userError("stay!")
		}
		return note(c, "left")
	}
	return newFake(name).
		addTable("note", params(sats.E("id", sats.U64), sats.E("text", sats.String)), primary(0), autoInc(0)).
		addTable("mood", params(sats.E("word", sats.String)), primary(0)).
		reducer("set_mood", params(sats.E("word", sats.String)), func(c *fakeCall) error { return c.insert("mood", c.Args) }).
		lifecycle(schema.LifecycleOnConnect, "came", func(c *fakeCall) error {
			if err := note(c, "came"); err != nil {
				return err
			}
			if mood(c, "refuse") {
				return userError("go away")
			}
			if mood(c, "trap") {
				return trapError("in came")
			}
			return nil
		}).
		lifecycle(schema.LifecycleOnDisconnect, "gone", leave)
}

func (w *world) notes(db *Database) []string {
	var out []string
	for _, r := range w.rows(db, "note") {
		_, text, _ := strings.Cut(r, `text = "`)
		out = append(out, strings.ReplaceAll(strings.TrimSuffix(text, `")`), `"`, `'`))
	}
	return out
}

func TestConnectAndDisconnect(t *testing.T) {
	spec.Covers(t, "08.65")
	w := newWorld(t)
	db := w.create(diary("diary"))
	for range 2 { // the same client twice: the reducer runs again, the row stays one
		if err := db.Connect(background, alice); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(w.rows(db, "st_client")); n != 1 {
		t.Errorf("%d rows in st_client; want 1", n)
	}
	for range 2 { // the second finds nobody
		if err := db.Disconnect(background, alice); err != nil {
			t.Fatal(err)
		}
	}
	want(t, "notes", w.notes(db), []string{
		"came 2 {'sub':'alice'}", "came 2 {'sub':'alice'}", "left 2 {'sub':'alice'}",
	})
	want(t, "st_client", w.rows(db, "st_client"), nil)
	want(t, "st_connection_credentials", w.rows(db, "st_connection_credentials"), nil)
}

// A refused client leaves no row, and no disconnect call follows.
func TestRejection(t *testing.T) {
	spec.Covers(t, "08.23")
	w := newWorld(t)
	db := w.create(diary("diary"))
	w.call(db, alice, "set_mood", str("refuse"))
	var rejected *RejectedError
	if err := db.Connect(background, alice); !errors.As(err, &rejected) { // begins the numbers of notes, which is written down
		t.Errorf("connect: %v", err)
	}
	before, _ := db.lastOffset()
	if err := db.Connect(background, alice); !errors.As(err, &rejected) || rejected.Message != "go away" {
		t.Errorf("connect: %v", err)
	}
	if err := db.Disconnect(background, alice); err != nil {
		t.Error(err)
	}
	want(t, "notes", w.notes(db), nil)
	want(t, "st_client", w.rows(db, "st_client"), nil)
	if after, _ := db.lastOffset(); after != before {
		t.Errorf("a refused connection made %d transactions", after-before)
	}
	w.call(db, alice, "set_mood", str("trap"))
	if _, err := db.SQL(background, owner, "DELETE FROM mood WHERE word = 'refuse'"); err != nil {
		t.Fatal(err)
	}
	if err := db.Connect(background, alice); !errors.As(err, &rejected) || rejected.Message != "The instance encountered a fatal error." {
		t.Errorf("connect with a trap: %v", err)
	}
}

// The rows of a client go even if the module does not want it.
func TestFailedDisconnect(t *testing.T) {
	spec.Covers(t, "08.24")
	for _, mood := range []string{"trap on leave", "fail on leave"} {
		w := newWorld(t)
		db := w.create(diary("diary"))
		w.call(db, alice, "set_mood", str(mood))
		if err := db.Connect(background, alice); err != nil {
			t.Fatal(err)
		}
		if err := db.Disconnect(background, alice); err != nil {
			t.Errorf("%s: %v", mood, err)
		}
		want(t, "notes", w.notes(db), []string{"came 2 {'sub':'alice'}"})
		want(t, "st_client", w.rows(db, "st_client"), nil)
		want(t, "st_connection_credentials", w.rows(db, "st_connection_credentials"), nil)
	}
}

// Connects and disconnects consume offsets, transactions without changes do not.
func TestOffsets(t *testing.T) {
	spec.Covers(t, "08.47")
	w := newWorld(t)
	db := w.create(newFake("quiet").reducer("nothing", nil, func(*fakeCall) error { return nil }))
	if res := w.call(db, alice, "nothing"); res.Offset != 0 {
		t.Errorf("an empty transaction reports offset %d; want that of the one before it, 0", res.Offset)
	}
	offset := func() uint64 { off, _ := db.lastOffset(); return off }
	if err := db.Connect(background, alice); err != nil || offset() != 1 {
		t.Errorf("connect: %v, offset %d; want 1", err, offset())
	}
	if err := db.Disconnect(background, alice); err != nil || offset() != 2 {
		t.Errorf("disconnect: %v, offset %d; want 2", err, offset())
	}
}

// A crash leaves clients behind. Before anything else runs they are disconnected,
// one by one.
func TestLeftOverClients(t *testing.T) {
	spec.Covers(t, "08.25")
	w := newWorld(t)
	db := w.create(diary("diary"))
	for _, who := range []Caller{alice, bob} {
		if err := db.Connect(background, who); err != nil {
			t.Fatal(err)
		}
	}
	off, _ := db.lastOffset()
	if _, err := db.WaitDurable(background, off); err != nil {
		t.Fatal(err)
	}
	w.crash(1)
	db = w.open()
	notes := w.notes(db)
	want(t, "notes", notes, []string{
		"came 2 {'sub':'alice'}", "came 3 {'sub':'bob'}", "left 2 {'sub':'alice'}", "left 3 {'sub':'bob'}",
	})
	want(t, "st_client", w.rows(db, "st_client"), nil)
	want(t, "st_connection_credentials", w.rows(db, "st_connection_credentials"), nil)
}

func TestInit(t *testing.T) {
	spec.Covers(t, "08.22")
	runs := 0
	module := func(name string, err error) *fakeModule {
		return newFake(name).
			addTable("person", personCols, primary(0)).
			lifecycle(schema.LifecycleInit, "setup", func(c *fakeCall) error {
				runs++
				if c.Sender != ownerID || !c.Conn.IsZero() {
					t.Errorf("init is called by %v", c.Sender)
				}
				if err != nil {
					c.Log(abi.LogRecord{Level: abi.LogPanic, Time: c.Now(), Message: "why"})
				}
				if insertErr := c.insert("person", append(u32(1), str("first")...)); insertErr != nil {
					return insertErr
				}
				return err
			})
	}
	w := newWorld(t)
	for _, tt := range []struct {
		err        error
		text, hint string
	}{
		{userError("the oven is cold"), "the oven is cold", ""},
		{trapError("boom"), "The instance encountered a fatal error.", "init panicked: why"},
	} {
		_, err := w.host.Create(background, w.info, w.engine.register(module("bad", tt.err)))
		var failed *InitError
		if !errors.As(err, &failed) || err.Error() != tt.text {
			t.Errorf("create = %v; want %s", err, tt.text)
		} else if failed.Hint() != tt.hint {
			t.Errorf("hint %q; want %q", failed.Hint(), tt.hint)
		}
	}
	if entries, err := w.fs.ReadDir("/data/replicas"); err == nil && len(entries) > 0 {
		t.Errorf("a failed creation left %v", entries)
	}
	runs = 0
	db := w.create(module("good", nil))
	if runs != 2 {
		t.Errorf("init ran %d times; want 2, on trial and for real", runs)
	}
	want(t, "persons", w.rows(db, "person"), []string{`(id = 1, name = "first")`})
	if off, ok := db.lastOffset(); !ok || off != 0 {
		t.Errorf("last offset = %d, %t; want tables and init in transaction 0", off, ok)
	}
	logs := logsOf(t, db)
	for _, line := range []string{"Creating table `person`", "Invoking `init` reducer", "Database initialized"} {
		if strings.Count(logs, line) != 1 {
			t.Errorf("%q stands %d times in the log; want once:\n%s", line, strings.Count(logs, line), logs)
		}
	}
	w.restart()
	w.open()
	if runs != 2 {
		t.Errorf("init ran again at the next launch")
	}
}
