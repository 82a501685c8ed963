package main

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/host"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/module"
	"github.com/stdbgo/spacetime/module/moduletest"
	"github.com/stdbgo/spacetime/sats"
)

// A world is an abi.ProcedureHost whose clock sleeping moves.

func (w *world) StartTx(context.Context) (*store.Tx, sats.Timestamp, error) {
	w.now++
	w.tx = w.store.Begin()
	return w.tx, w.now, nil
}

func (w *world) CommitTx(context.Context) error { w.tx.Commit(nil); w.tx = nil; return nil }
func (w *world) AbortTx()                       { w.tx.Rollback(); w.tx = nil }
func (w *world) HTTPEnabled() bool              { return true }

func (w *world) SleepUntil(_ context.Context, t sats.Timestamp) (sats.Timestamp, error) {
	w.now = max(w.now, t)
	return w.now, nil
}

func (w *world) HTTP(_ context.Context, request, body []byte) (response, responseBody []byte, err error) {
	return w.http(request, body)
}

// view evaluates a view.
func (w *world) view(name string, args []byte) (abi.ViewResult, abi.Outcome) {
	w.t.Helper()
	v, ok := w.def.View(name)
	if !ok {
		w.t.Fatalf("the module has no view %s", name)
	}
	tx := w.store.Begin()
	defer tx.Rollback()
	call := &abi.ViewCall{ID: v.Index, Name: name, Anonymous: v.IsAnonymous, Args: args, Tx: tx, Time: w.now}
	if !v.IsAnonymous {
		call.Sender = alice
	}
	r, out := w.inst.CallView(w.t.Context(), call)
	r.Rows = append([]byte(nil), r.Rows...)
	w.renew(out)
	return r, out
}

func (w *world) renew(out abi.Outcome) {
	if out.Discard {
		w.inst.Close()
		w.instantiate()
	}
	if w.tx != nil {
		w.t.Error("a transaction is open")
	}
}

// procedure calls a procedure.
func (w *world) procedure(name string, args []byte) ([]byte, abi.Outcome) {
	w.t.Helper()
	p, ok := w.def.Procedure(name)
	if !ok {
		w.t.Fatalf("the module has no procedure %s", name)
	}
	w.now++
	b, out := w.inst.CallProcedure(w.t.Context(), &abi.ProcedureCall{ID: p.ID, Name: name, Sender: alice, Conn: w.conn, Time: w.now, Args: args, Host: w})
	w.renew(out)
	return b, out
}

// result decodes the result of a procedure that must succeed.
func result[R any](w *world, name string, args []byte) (r R) {
	w.t.Helper()
	b, out := w.procedure(name, args)
	if out.Status != abi.StatusOK {
		w.t.Fatalf("%s: %v %v", name, out.Status, out.Err)
	}
	if rest, err := sats.Decode(b, &r); err != nil || len(rest) > 0 {
		w.t.Fatalf("%s: %v, %d bytes left of %x", name, err, len(rest), b)
	}
	return r
}

func TestViews(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.addPlayers(4)
		w.do("add_player", encode(Player{Name: alice.Abbreviated(), Badge: 9, Seat: 9, Score: 5}))
		for _, c := range []struct {
			view string
			args []byte
			want any
		}{
			{"team", encode("b"), []string{"p1", "p3"}},
			{"team", encode("nobody"), []string(nil)},
			{"me", nil, []string{alice.Abbreviated()}},
			{"best_player", nil, []string{"p3"}},
		} {
			r, out := w.view(c.view, c.args)
			var list []Player
			if rest, err := sats.Decode(r.Rows, &list); err != nil || len(rest) > 0 {
				t.Fatalf("%s: %v, %v: %x", c.view, out.Err, err, r.Rows)
			}
			var names []string
			for _, p := range list {
				names = append(names, p.Name)
			}
			if !reflect.DeepEqual(names, c.want) {
				t.Errorf("%s: %v, want %v", c.view, names, c.want)
			}
		}
		r, _ := w.view("ranks", nil)
		var ranks []Rank
		if _, err := sats.Decode(r.Rows, &ranks); err != nil || len(ranks) != 5 || ranks[0] != (Rank{1, "p3"}) {
			t.Errorf("ranks %v, %v", ranks, err)
		}
		if r, out := w.view("reds", nil); !r.IsQuery || r.Query != "SELECT * FROM player WHERE team = 'red'" {
			t.Errorf("reds: %+v, %v", r, out.Err)
		}
		w.logs = nil
		if _, out := w.view("team", encode("")); out.Status != abi.StatusUserError || out.Message != "a team has a name" || out.Discard {
			t.Errorf("a view that fails: %+v", out)
		}
		if len(w.logs) != 1 || w.logs[0].Level != abi.LogError || w.logs[0].Message != "a team has a name" || w.logs[0].Function != "team" {
			t.Errorf("the error of a view stands in the log as %+v", w.logs)
		}
		w.logs = nil
		if _, out := w.view("misused", nil); out.Status != abi.StatusTrap || !strings.Contains(panicText(w.logs), "module: insert on table secret: nothing can be written here") {
			t.Errorf("a view that writes: %+v, %s", out, panicText(w.logs))
		}
		w.do("clear_players", nil)
		if r, out := w.view("best_player", nil); string(r.Rows) != "\x00\x00\x00\x00" {
			t.Errorf("nobody is best: %x, %v", r.Rows, out.Err)
		}
	})
}

func TestProcedures(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		if ids := result[[]uint32](w, "hire", encode("Ada")); len(ids) != 2 || ids[0] == ids[1] {
			t.Errorf("hired %v", ids)
		}
		if got := rows[Player](w, "player"); len(got) != 2 {
			t.Errorf("players %v", got)
		}
		before := w.now
		if took := result[int64](w, "rest", encode(module.TimeDuration(2_000_000))); took < 2_000_000 || took > 3_000_000 || w.now < before+2_000_000 {
			t.Errorf("rested %d", took)
		}
		w.logs = nil
		if _, out := w.procedure("rest", encode(module.TimeDuration(-1))); out.Status != abi.StatusTrap || !out.Discard ||
			!strings.Contains(out.Err.Error(), "nobody rests backwards") || len(w.logs) != 1 || w.logs[0].Level != abi.LogError || w.logs[0].Message != "nobody rests backwards" {
			t.Errorf("an error: %+v, %+v", out, w.logs)
		}
	})
}

func TestRequests(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		var asked host.HTTPRequest
		w.http = func(request, body []byte) (response, responseBody []byte, err error) {
			if asked, err = host.DecodeHTTPRequest(request); err != nil {
				t.Error(err)
			}
			if asked.Method == "GET" {
				return nil, nil, &abi.HTTPError{Text: "nobody is there"}
			}
			head := host.HTTPResponse{Code: 404, Version: host.HTTP2, Headers: []host.HTTPHeader{{Name: "x-kind", Value: []byte("fruit")}}}
			return head.Append(nil), append([]byte("no "), body...), nil
		}
		args := struct{ Method, URL, Body string }{"POST", "http://x/y?z", "pears"}
		if r := result[module.Result[Reply, string]](w, "fetch", encode(args)); r.IsErr || r.Ok != (Reply{404, "fruit no pears"}) {
			t.Errorf("fetched %+v", r)
		}
		if asked.Method != "POST" || asked.URI != args.URL || len(asked.Headers) != 1 || asked.Headers[0].Name != "x-from" || asked.Timeout == nil || *asked.Timeout != 3_000_000 {
			t.Errorf("asked %+v", asked)
		}
		args.Method = "PROPFIND"
		if result[module.Result[Reply, string]](w, "fetch", encode(args)); asked.Method != "PROPFIND" {
			t.Errorf("asked %+v", asked)
		}
		args.Method = ""
		if r := result[module.Result[Reply, string]](w, "fetch", encode(args)); !r.IsErr || r.Err != "nobody is there" || asked.Method != "GET" {
			t.Errorf("fetched %+v with %+v", r, asked)
		}
	})
}

func TestProcedureMisuse(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		misuse := func(how string) (string, abi.Outcome) {
			w.logs = nil
			_, out := w.procedure("misuse_procedure", encode(how))
			return panicText(w.logs), out
		}
		if text, out := misuse("keep"); text != "" || out.Status != abi.StatusOK {
			t.Fatal(text, out)
		}
		for _, c := range []struct{ how, want string }{
			{"kept", "module: Tx: the call that the context belongs to is over; a context must not be kept"},
			{"nested", "module: Tx: a transaction is open; the function given to Tx cannot use Tx itself"},
			{"request", "module: Do: a transaction is open; make requests outside of Tx"},
			{"panic", "as you wish"},
		} {
			if text, out := misuse(c.how); !strings.Contains(text, c.want) || out.Status != abi.StatusTrap || !out.Discard {
				t.Errorf("%s: %q, %+v; want %q", c.how, text, out, c.want)
			}
		}
		if _, out := misuse("sleep"); out.Status != abi.StatusTrap || !strings.Contains(out.Err.Error(), "not available while a transaction is open") {
			t.Errorf("sleep: %+v", out)
		}
		if text, out := misuse("recover"); out.Status != abi.StatusOK {
			t.Errorf("recover: %q, %+v", text, out)
		}
		if got := rows[Secret](w, "secret"); len(got) != 0 {
			t.Errorf("written: %v", got)
		}
	})
}

func TestHandlers(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.addPlayers(3)
		handle := func(method, body string) (host.HTTPResponse, string, abi.Outcome) {
			req := host.HTTPRequest{Method: method, URI: "http://db/x", Version: host.HTTP11, Headers: []host.HTTPHeader{{Name: "x-who", Value: []byte("me")}}}
			w.logs = nil
			r, out := w.inst.CallHandler(t.Context(), &abi.HandlerCall{ID: 0, Name: "echo", Time: w.now, Sender: bob, JWT: []byte(`{"a":1}`),
				Request: req.Append(nil), Body: []byte(body), Host: w})
			defer w.renew(out)
			if out.Status != abi.StatusOK {
				return host.HTTPResponse{}, "", out
			}
			head, err := host.DecodeHTTPResponse(r.Response)
			if err != nil {
				t.Fatal(err)
			}
			return head, string(r.Body), out
		}
		head, body, out := handle("POST", "ho")
		if head.Code != 201 || body != "hello POST me ho" || len(head.Headers) != 1 || head.Headers[0].Name != "x-rows" || string(head.Headers[0].Value) != "3" {
			t.Errorf("answered %+v, %q, %v", head, body, out.Err)
		}
		if last := w.logs[len(w.logs)-1]; last.Message != `echo mood="" set=false claims="{\"a\":1}"` || last.Function != "echo" {
			t.Errorf("logged %+v", last)
		}
		w.env = map[string]string{"GREETING": "good day", "MOOD": ""}
		if _, body, _ := handle("BREW", "ho"); body != "good day BREW me ho" {
			t.Errorf("answered %q", body)
		}
		if last := w.logs[len(w.logs)-1]; last.Message != `echo mood="" set=true claims="{\"a\":1}"` {
			t.Errorf("logged %+v", last)
		}
		if _, _, out := handle("POST", ""); out.Status != abi.StatusTrap || !out.Discard || !strings.Contains(out.Err.Error(), "nothing to echo") {
			t.Errorf("an error: %+v", out)
		}
	})
}

func TestDefinitionOfFunctions(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		d := w.def
		for name, anonymous := range map[string]bool{"team": true, "ranks": true, "best_player": true, "reds": true, "me": false, "misused": false} {
			v, ok := d.View(name)
			if !ok || v.IsAnonymous != anonymous {
				t.Errorf("view %s: %+v", name, v)
			}
		}
		if p, _ := d.Procedure("rest"); p == nil || p.Private || p.Return.Kind != sats.KindI64 || len(p.Params.Elems) != 1 {
			t.Errorf("procedure rest: %+v", p)
		}
		for _, name := range []string{"owners_procedure", "on_nap"} {
			if p, _ := d.Procedure(name); p == nil || !p.Private {
				t.Errorf("procedure %s: %+v", name, p)
			}
		}
		if td, _ := d.Table("nap"); td == nil || td.Schedule == nil || td.Schedule.Function != "on_nap" {
			t.Errorf("table nap: %+v", td)
		}
		if len(d.RLS) != 1 || d.RLS[0] != SeenCounters {
			t.Errorf("rules of row-level security %q", d.RLS)
		}
		routes := map[string]string{}
		for _, r := range d.HTTPRoutes {
			routes[r.Method+" "+r.Path] = r.Handler
		}
		if want := map[string]string{"POST /echo": "echo", " /any": "echo", "PURGE /": "purge"}; !reflect.DeepEqual(routes, want) {
			t.Errorf("routes %v, want %v", routes, want)
		}
		if len(d.Environment) != 2 || d.Environment[0].Name != "GREETING" || !d.Environment[0].Optional || d.Environment[1].Kind != schema.EnvUnion {
			t.Errorf("environment %+v", d.Environment)
		}
	})
}

// The same module through the server's own database, in a test of its author.
func TestModuletestFunctions(t *testing.T) {
	db := moduletest.New(t, moduletest.Env{"GREETING": "ahoy"})
	alice := db.Connect(moduletest.User("alice"))
	ids, err := moduletest.CallProcedure(alice, Hire, struct{ Name string }{"Ada"})
	if err != nil || len(ids) != 2 || players.Count(db.Read()) != 2 {
		t.Errorf("hired %v, %v", ids, err)
	}
	before := db.Clock.Now()
	if took, err := moduletest.CallProcedure(alice, Rest, struct{ For module.TimeDuration }{60_000_000}); err != nil || took < 59_999_000 || took > 61_000_000 {
		t.Errorf("rested %d, %v", took, err)
	}
	if d := db.Clock.Now().Sub(before); d < time.Minute || d > time.Minute+time.Second {
		t.Errorf("the clock has moved by %v", d)
	}
	var failed *moduletest.CallError
	if _, err := moduletest.CallProcedure(alice, Rest, struct{ For module.TimeDuration }{-1}); !errors.As(err, &failed) || !strings.Contains(failed.Message, "nobody rests backwards") {
		t.Errorf("an error: %v", err)
	}
	if _, err := moduletest.CallProcedure(alice, MisuseProcedure, struct{ How string }{"panic"}); !errors.As(err, &failed) || failed.Panic != "as you wish" {
		t.Errorf("a panic: %v", err)
	}
	if _, err := moduletest.CallProcedure(alice, OwnersProcedure, struct{}{}); err == nil || !strings.Contains(err.Error(), "private") {
		t.Errorf("a private procedure: %v", err)
	}
	if _, err := moduletest.CallProcedure(db.Owner(), OwnersProcedure, struct{}{}); err != nil {
		t.Errorf("a private procedure: %v", err)
	}
	// Views: as functions, and as tables.
	if best, err := BestPlayer(alice.Read(), struct{}{}); err != nil || best == nil || best.Name != "Ada II" {
		t.Errorf("best %+v, %v", best, err)
	}
	q, _ := Reds(alice.Read(), struct{}{})
	for _, query := range []module.Query[Player]{q, "SELECT * FROM reds"} {
		if got, err := moduletest.Rows(alice, query); err != nil || len(got) != 2 {
			t.Errorf("%s: %v, %v", query, got, err)
		}
	}
	if got, err := moduletest.Rows[Player](alice, "SELECT * FROM best_player"); err != nil || len(got) != 1 || got[0].Name != "Ada II" {
		t.Errorf("best %v, %v", got, err)
	}
	if err := moduletest.Call(alice, AddPlayer, Player{Name: moduletest.User("alice").Abbreviated(), Badge: 9, Seat: 9}); err != nil {
		t.Fatal(err)
	}
	if got, err := moduletest.Rows[Player](alice, "SELECT * FROM me"); err != nil || len(got) != 1 || got[0].Badge != 9 {
		t.Errorf("me %v, %v", got, err)
	}
	bob := db.Connect(moduletest.User("bob"))
	if got, err := moduletest.Rows[Player](bob, "SELECT * FROM me"); err != nil || len(got) != 0 {
		t.Errorf("bob is %v, %v", got, err)
	}
	// HTTP handlers.
	resp, err := db.Do(&module.HTTPRequest{Method: "POST", URL: "/echo", Body: []byte("ho"), Header: module.HTTPHeader{{Name: "X-Who", Value: "me"}}})
	if err != nil || resp.Status != 201 || string(resp.Body) != "ahoy POST me ho" || resp.Header.Get("X-Rows") != "3" {
		t.Errorf("answered %+v, %v", resp, err)
	}
	if resp, err := db.Do(&module.HTTPRequest{Method: "PURGE", URL: "/"}); err != nil || resp.Status != 200 || len(resp.Body) != 0 {
		t.Errorf("purge answered %+v, %v", resp, err)
	}
	if _, err := db.Do(&module.HTTPRequest{URL: "/nowhere"}); !errors.Is(err, host.ErrNoRoute) {
		t.Errorf("no route: %v", err)
	}
	// A scheduled procedure.
	if err := moduletest.Call(alice, PlanNap, struct{ After module.TimeDuration }{5_000_000}); err != nil {
		t.Fatal(err)
	}
	db.Clock.Advance(6 * time.Second)
	found := false
	for s := range secrets.All(db.Read()) {
		found = found || s.Text == "napped"
	}
	if !found {
		t.Error("the scheduled procedure has not run")
	}
}

// A scheduled reducer is called by the database itself, with the row, not before its time.
func TestModuletestSchedule(t *testing.T) {
	spec.Covers(t, "03.44", "03.68")
	db := moduletest.New(t)
	alice := db.Connect(moduletest.User("alice"))
	if err := moduletest.Call(alice, Plan, struct {
		After module.TimeDuration
		Note  string
	}{5_000_000, "alone"}); err != nil {
		t.Fatal(err)
	}
	made := func() (n int) {
		for s := range secrets.All(db.Read()) {
			if s.Text == "alone" {
				n++
			}
		}
		return n
	}
	db.Clock.Advance(4 * time.Second)
	if made() != 0 {
		t.Error("the reducer has run before its time")
	}
	db.Clock.Advance(2 * time.Second)
	if made() != 1 || ticks.Count(db.Read()) != 0 {
		t.Errorf("made %d rows; %d ticks are left; log %+v", made(), ticks.Count(db.Read()), db.Log())
	}
}
