package main

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/module"
	"github.com/stdbgo/spacetime/sats"
)

func someThing() Thing {
	text := "perhaps"
	return Thing{
		Flag: true, I8: -8, I16: -16, I32: -32, I64: -64, U8: 8, U16: 16, U32: 32, U64: 64, F32: 1.5, F64: -2.5,
		Text: "text ü", Bytes: []byte{1, 2, 3}, Numbers: []int32{-1, 0, 1}, Maybe: &text,
		Big: sats.U128{Lo: 1, Hi: 2}, BigS: sats.I128From(-5), Huge: sats.U256{1, 2, 3, 4}, HugeS: sats.I256From(-6),
		Who: alice, Conn: sats.ConnectionID{7}, When: 123456, Long: -99, Plan: module.Every(time.Second),
		Uuid: sats.Uuid{9}, Color: Blue, Shape: Square{2, 3}, Where: Point{4, -5},
		Outcome: sats.ErrResult[uint32]("no"), Renamed: 3, Children: []Point{{1, 2}, {3, 4}},
	}
}

func TestEveryType(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		thing := someThing()
		w.do("add_thing", encode(thing))
		w.do("copy_thing", encode(uint64(1)))
		empty := Thing{Shape: Dot{}}
		w.do("add_thing", encode(empty))
		got := rows[Thing](w, "thing")
		if len(got) != 3 {
			t.Fatalf("%d rows; want 3", len(got))
		}
		for i, want := range []Thing{thing, thing, empty} {
			want.ID = uint64(i + 1)
			found := false
			for _, g := range got {
				found = found || reflect.DeepEqual(normal(g), normal(want))
			}
			if !found {
				t.Errorf("no row equals %+v; there are %+v", want, got)
			}
		}
		if out := w.call(alice, "copy_thing", encode(uint64(77))); out.Status != abi.StatusUserError || out.Message != "no thing 77" {
			t.Errorf("copying nothing: %v %q", out.Status, out.Message)
		}
	})
}

// normal makes empty and nil slices the same.
func normal(t Thing) Thing {
	if len(t.Bytes) == 0 {
		t.Bytes = nil
	}
	return t
}

func (w *world) addPlayers(n int) {
	for i := range n {
		w.do("add_player", encode(Player{Name: fmt.Sprint("p", i), Badge: uint32(100 + i), Seat: uint8(i), Level: int32(i / 2),
			Team: string(rune('a' + i%2)), Score: int64(10 * i), Color: Color(i % 3)}))
	}
}

func TestIndexes(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.addPlayers(10)
		w.do("check_indexes", nil)
		w.do("check_deletes", nil)
		if left := rows[Player](w, "player"); len(left) != 0 {
			t.Errorf("left: %v", left)
		}
	})
}

func TestIteration(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.do("init", nil)
		w.do("check_iteration", encode(uint32(5000)))
	})
}

func TestWrites(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.do("check_counters", nil)
		w.do("check_errors", nil)
		if n := len(rows[Counter](w, "counter")); n != 4 {
			t.Errorf("%d counters; want 4", n)
		}
	})
}

func TestLifecycle(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.do("init", nil)
		w.do("client_connected", nil)
		w.do("client_disconnected", nil)
		if got := rows[Secret](w, "secret"); len(got) != 1 || got[0].Text != "made by init" {
			t.Errorf("secrets %v", got)
		}
		last := w.logs[len(w.logs)-1]
		if last.Message != "gone who="+alice.Abbreviated() || last.Function != "client_disconnected" {
			t.Errorf("log %+v", last)
		}
		w.conn = sats.ConnectionID{}
		if out := w.call(alice, "client_connected", nil); out.Status != abi.StatusUserError {
			t.Errorf("connected without a connection: %v", out.Status)
		}
	})
}

func TestScheduled(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.do("plan", encode(struct {
			After module.TimeDuration
			Note  string
		}{5_000_000, "later"}))
		planned := rows[Tick](w, "tick")
		if len(planned) != 1 || planned[0].ID != 1 || planned[0].At != module.At(w.now+5_000_000) {
			t.Fatalf("planned %v", planned)
		}
		if out := w.call(dbIdentity, "on_tick", encode(planned[0])); out.Status != abi.StatusOK {
			t.Errorf("on_tick: %v %s %v", out.Status, out.Message, out.Err)
		}
		if out := w.call(alice, "on_tick", encode(planned[0])); out.Message != "called by somebody else" {
			t.Errorf("on_tick by somebody: %v %s", out.Status, out.Message)
		}
		if got := rows[Secret](w, "secret"); len(got) != 1 || got[0] != (Secret{101, "later"}) {
			t.Errorf("secrets %v", got)
		}
	})
}

func TestLog(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.logs = nil
		w.do("log", encode("a b"))
		want := []struct {
			level abi.LogLevel
			text  string
		}{
			{abi.LogError, "error a b"},
			{abi.LogWarn, `warn n=1 text="a b"`},
			{abi.LogInfo, `info a="b c" g.k=1s`},
			{abi.LogDebug, ""},
			{abi.LogTrace, "trace"},
		}
		if len(w.logs) != len(want) {
			t.Fatalf("%d records: %+v", len(w.logs), w.logs)
		}
		for i, r := range w.logs {
			if r.Level != want[i].level || r.Message != want[i].text || r.Function != "log" || r.Filename != "main.go" ||
				!r.HasLine || r.Line != w.logs[0].Line+uint32(i) || !strings.HasSuffix(r.Target, "main") &&
				r.Target != "github.com/stdbgo/spacetime/test/gomodule" {
				t.Errorf("record %d: %+v; want %+v", i, r, want[i])
			}
		}
	})
}

// Random numbers repeat with the call's time and sender, differ otherwise, and are the same on both engines.
func TestRandom(t *testing.T) {
	var engines []string
	onBoth(t, func(t *testing.T, w *world) {
		start := w.now
		draw := func(id uint32, sender sats.Identity) string {
			if out := w.call(sender, "draw", encode(id)); out.Status != abi.StatusOK {
				t.Fatal(out.Err)
			}
			for _, s := range rows[Secret](w, "secret") {
				if s.ID == id {
					return s.Text
				}
			}
			t.Fatal("nothing drawn")
			return ""
		}
		first, second := draw(1, alice), draw(2, alice)
		w.now = start
		again := draw(3, alice)
		w.now = start
		other := draw(4, sats.Identity{1})
		if first == second || first != again || first == other {
			t.Errorf("drew %s, then %s; again %s, for another sender %s", first, second, again, other)
		}
		engines = append(engines, first)
	})
	if len(engines) == 2 && engines[0] != engines[1] {
		t.Errorf("the engines draw %v", engines)
	}
}

func TestFailures(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		for _, tt := range []struct {
			how     string
			status  abi.Status
			message string
			log     string // part of the Panic record
		}{
			{"error", abi.StatusUserError, "as you wish", ""},
			{"empty", abi.StatusUserError, "", ""},
			{"panic", abi.StatusTrap, abi.FatalErrorText, "as you wish"},
			{"nil", abi.StatusTrap, abi.FatalErrorText, "nil pointer dereference"},
			{"utf8", abi.StatusTrap, abi.FatalErrorText, "insert on table secret: a value cannot be stored; is a string not valid UTF-8?"},
			{"nil sum", abi.StatusTrap, abi.FatalErrorText, "a value of sum type main.Shape is nil"},
			{"not", abi.StatusOK, "", ""},
		} {
			w.logs = nil
			out := w.call(alice, "fail", encode(tt.how))
			if out.Status != tt.status || out.Message != tt.message || out.Discard != (tt.status == abi.StatusTrap) {
				t.Errorf("%s: %v %q %v", tt.how, out.Status, out.Message, out.Err)
			}
			if n := len(rows[Secret](w, "secret")); (n > 0) != (tt.status == abi.StatusOK) {
				t.Errorf("%s: %d rows stay", tt.how, n)
			}
			if got := panicText(w.logs); !strings.Contains(got, tt.log) || (tt.log == "") != (got == "") {
				t.Errorf("%s: the log has the panic %q; want %q", tt.how, got, tt.log)
			}
		}
	})
}

func TestPanicIsLogged(t *testing.T) {
	spec.Covers(t, "03.59")
	onBoth(t, func(t *testing.T, w *world) {
		out := w.call(alice, "fail", encode("panic"))
		if out.Status != abi.StatusTrap || !out.Discard || panicText(w.logs) != "as you wish" {
			t.Errorf("%v %v, log %+v", out.Status, out.Discard, w.logs)
		}
		w.do("fail", encode("not")) // the next instance works
	})
}

func panicText(logs []abi.LogRecord) string {
	for _, r := range logs {
		if r.Level == abi.LogPanic {
			return r.Message
		}
	}
	return ""
}

func TestMisuse(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		misuse := func(how string) string {
			w.logs = nil
			out := w.call(alice, "misuse", encode(how))
			if out.Status == abi.StatusOK {
				return ""
			}
			return panicText(w.logs)
		}
		if got := misuse("keep"); got != "" {
			t.Fatal(got)
		}
		for _, tt := range []struct{ how, want string }{
			{"kept", "module: Insert on table secret: the call that the context belongs to is over; a context must not be kept"},
			{"nil context", "module: Count on table secret: the context is nil; pass on the one that the reducer was given"},
			{"zero table", "nil pointer dereference"},
			{"zero index", "nil pointer dereference"},
			{"late table", "module: NewTable was called while the module runs; declare tables, indexes and functions in package variables or init functions"},
			{"late reducer", "module: Reducer was called while the module runs"},
			{"hash range", "module: Range on table player: a hash index has no order, so it has no ranges"},
		} {
			if tt.how == "kept" && misuse("keep") != "" {
				t.Fatal("cannot keep a context")
			}
			if got := misuse(tt.how); !strings.Contains(got, tt.want) {
				t.Errorf("%s: %q; want %q", tt.how, got, tt.want)
			}
		}
		misuse("keep")
		if got := misuse("kept log"); !strings.Contains(got, "a context must not be kept") {
			t.Errorf("kept log: %q", got)
		}
	})
}

func TestDefinition(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		d := w.def
		table := func(name string) *schema.TableDef {
			td, ok := d.Table(name)
			if !ok {
				t.Fatalf("there is no table %s", name)
			}
			return td
		}
		for _, tt := range []struct {
			table  string
			access schema.Access
			event  bool
		}{{"thing", schema.Public, false}, {"tick", schema.Private, false}, {"flash", schema.Public, true}, {"secret", schema.Private, false}} {
			td := table(tt.table)
			if td.Access != tt.access || td.IsEvent != tt.event {
				t.Errorf("table %s: %+v", tt.table, td)
			}
		}
		if s := table("tick").Schedule; s == nil || s.Function != "on_tick" || s.AtCol != 1 || s.IDCol != 0 {
			t.Errorf("schedule %+v", s)
		}
		var indexes []string
		for _, ix := range table("player").Indexes {
			indexes = append(indexes, ix.Name)
		}
		want := "[player_badge_idx_hash player_color_idx_hash player_id_idx_btree player_level_idx_btree player_name_idx_btree " +
			"player_seat_idx_direct player_team_level_score_idx_btree player_team_score_idx_btree]"
		if got := sortedText(indexes); got != want {
			t.Errorf("indexes %s; want %s", got, want)
		}
		for _, name := range []string{"on_tick", "owner_only", "init"} {
			if r, _ := d.Reducer(name); r == nil || !r.Private {
				t.Errorf("reducer %s: %+v", name, r)
			}
		}
		if r, _ := d.Reducer("add_player"); r == nil || r.Private || len(r.Params.Elems) != 8 {
			t.Errorf("reducer add_player: %+v", r)
		}
		if def := table("player").Columns[6].Default; len(def) != 8 || def[0] != 7 {
			t.Errorf("default of score %x", def)
		}
	})
}

func sortedText(list []string) string {
	slices.Sort(list)
	return fmt.Sprint(list)
}
