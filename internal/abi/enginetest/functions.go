package enginetest

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/store"
)

func testTransactions(t *testing.T, s *Subject) {
	w := s.open(t, abi.Limits{})
	_, out := w.procedure(t.Context(),
		Op(OpStart), Op(OpInsert, row("a")), Op(OpCount), Op(OpCommit), Op(OpCount),
		Op(OpStart), Op(OpInsert, row("b")), Op(OpCount), Op(OpAbort), Op(OpCommit),
		Op(OpStart), Op(OpCount), Op(OpCommit))
	w.expect("a procedure with transactions", out, abi.StatusOK,
		"@", "@", "@1", "@", "B",
		"@", "@", "@2", "@", "R",
		"@", "@1", "@")
	if w.begun != 3 || w.rows() != 1 {
		t.Errorf("%d transactions, %d rows", w.begun, w.rows())
	}
	// What is committed stays, whatever becomes of the procedure.
	_, out = w.procedure(t.Context(), Op(OpStart), Op(OpInsert, row("c")), Op(OpCommit), Op(OpPanic))
	w.expect("a procedure that panics after its transaction", out, abi.StatusTrap, "@", "@", "@")
	if w.rows() != 2 {
		t.Errorf("%d rows", w.rows())
	}
}

func testDangling(t *testing.T, s *Subject) {
	s.items(t, "03.48", "04.27")
	for name, end := range map[string][]Step{"returns": nil, "panics": {Op(OpPanic)}, "fails": {Op(OpFail, "x")}} {
		for kind, run := range map[string]func(w *world, steps ...Step) abi.Outcome{"procedure": runProcedure(t), "handler": runHandler(t)} {
			if s.NoHandlers && kind == "handler" {
				continue
			}
			w := s.open(t, abi.Limits{})
			out := run(w, append([]Step{Op(OpStart), Op(OpInsert, row("a"))}, end...)...)
			if (out.Status == abi.StatusOK) != (end == nil) {
				t.Errorf("a %s that %s: %+v", kind, name, out)
			}
			if w.tx != nil || w.rows() != 0 {
				t.Errorf("a %s that %s with an open transaction: open %v, %d rows", kind, name, w.tx != nil, w.rows())
			}
			found := false
			for _, r := range w.logs {
				if r.Level == abi.LogError && strings.Contains(r.Message, "dangling anonymous transaction") && strings.Contains(r.Message, kind) {
					found = r.Function == "" && r.Target == "__spacetimedb__" && r.Filename == "__spacetimedb__" && !r.HasLine
				}
			}
			if !found {
				t.Errorf("a %s that %s with an open transaction logged %+v", kind, name, w.logs)
			}
		}
	}
}

// An error of the host that is no answer ends the call, and no handler of the guest runs.
func testFailingHost(t *testing.T, s *Subject) {
	s.items(t, "04.42")
	failure := errors.New("the disk is full")
	fails := func(context.Context) error { return failure }
	for _, c := range []struct {
		name  string
		setup func(w *world)
		steps []Step
		said  []string
	}{
		{"StartTx", func(w *world) { w.starting = fails }, []Step{Op(OpStart)}, nil},
		{"CommitTx", func(w *world) { w.refresh = fails }, []Step{Op(OpStart), Op(OpInsert, row("a")), Op(OpCommit)}, []string{"@", "@"}},
		{"SleepUntil", func(w *world) { w.sleeping = fails }, []Step{Op(OpSleep, later)}, nil},
		{"HTTP", func(w *world) { w.http = func(string, string) (string, string, error) { return "", "", failure } },
			[]Step{Op(OpHTTP, getRequest)}, nil},
	} {
		w := s.open(t, abi.Limits{})
		c.setup(w)
		_, out := w.procedure(t.Context(), append(c.steps, Op(OpLog, "went on"))...)
		if said := w.said(); len(said) > 0 && said[0] == "?" {
			continue
		} else if !matches(said, c.said) {
			t.Errorf("%s fails: said %q", c.name, said)
		}
		if out.Status != abi.StatusTrap || !out.Discard || !errors.Is(out.Err, failure) || w.tx != nil || w.rows() != 0 {
			t.Errorf("%s fails: %+v", c.name, out)
		}
	}
}

func testViews(t *testing.T, s *Subject) {
	w := s.open(t, abi.Limits{})
	w.reduce(t.Context(), Op(OpInsert, row("a")))
	w.said()
	rows := "\x01\x00\x00\x00" + row("a")
	result, out := w.view(t.Context(), false, Op(OpSender), Op(OpCount), Op(OpInsert, row("b")), Op(OpResult, rows))
	w.expect("a view", out, abi.StatusOK, "@s", "@1", "S", "@")
	if result.IsQuery || string(result.Rows) != rows {
		t.Errorf("the view gave %+v", result)
	}
	result, out = w.view(t.Context(), true, Op(OpResult, "\x00\x00\x00\x00"))
	w.expect("an anonymous view", out, abi.StatusOK, "@")
	if result.IsQuery || string(result.Rows) != "\x00\x00\x00\x00" {
		t.Errorf("the anonymous view gave %+v", result)
	}
	const sql = "SELECT * FROM item"
	result, out = w.view(t.Context(), true, Op(OpQuery, sql))
	w.expect("a view with a query", out, abi.StatusOK, "@")
	if !result.IsQuery || result.Query != sql {
		t.Errorf("the view with a query gave %+v", result)
	}
	_, out = w.view(t.Context(), false, Op(OpFail, "no rows today"))
	if out.Status == abi.StatusOK || out.Discard || out.Err == nil && !strings.Contains(out.Message, "no rows today") ||
		out.Err != nil && !strings.Contains(out.Err.Error(), "no rows today") {
		t.Errorf("a view that fails: %+v", out)
	}
	w.said()
	_, out = w.view(t.Context(), false, Op(OpPanic))
	w.expect("a view that panics", out, abi.StatusTrap)
	if out.Message != abi.FatalErrorText || out.Discard == s.KeepsPanicked {
		t.Errorf("a view that panics: %+v", out)
	}
}

// Views are evaluated by the instance whose procedure is committing.
func testViewsInCommit(t *testing.T, s *Subject) {
	s.items(t, "03.67", "04.41")
	w := s.open(t, abi.Limits{})
	rows := "\x01\x00\x00\x00" + row("a")
	var fuel uint64
	w.refresh = func(ctx context.Context) error {
		for _, anonymous := range []bool{false, true} {
			result, out := w.viewIn(ctx, w.tx, anonymous, Op(OpLog, "inside"), Op(OpCount), Op(OpInsert, row("b")), Op(OpStart),
				Op(OpCommit), Op(OpResult, rows))
			if out.Status != abi.StatusOK || string(result.Rows) != rows {
				t.Errorf("a view inside a commit: %+v, %+v", result, out)
			}
			fuel += out.Fuel
		}
		result, out := w.in.CallView(ctx, &abi.ViewCall{Name: "view", Tx: w.tx})
		if out.Status != abi.StatusOK || len(result.Rows) > 0 {
			t.Errorf("a view without arguments: %+v, %+v", result, out)
		}
		return nil
	}
	value, out := w.procedure(t.Context(), Op(OpStart), Op(OpInsert, row("a")), Op(OpScan), Op(OpCommit), Op(OpAdvance), Op(OpCount),
		Op(OpStart), Op(OpCount), Op(OpAbort), Op(OpResult, "end"))
	if w.logs[3].Function != "view" {
		t.Errorf("a record of the view belongs to %q", w.logs[3].Function)
	}
	inside := []string{"inside", "@1", "S", "Q", "R", "@"}
	want := append([]string{"@", "@", "@"}, append(inside, inside...)...)
	w.expect("a procedure that refreshes views", out, abi.StatusOK, append(want, "@", "@"+row("a"), "B", "@", "@1", "@", "@")...)
	if string(value) != "end" || w.rows() != 1 || out.Fuel < fuel {
		t.Errorf("the procedure returned %q; %d rows; fuel %d, of which views %d", value, w.rows(), out.Fuel, fuel)
	}
}

func testFailingViewInCommit(t *testing.T, s *Subject) {
	s.items(t, "04.26")
	for name, step := range map[string]Step{"panics": Op(OpPanic), "fails": Op(OpFail, "no"), "never ends": Op(OpWork)} {
		w := s.open(t, abi.Limits{Fuel: smallFuel})
		discard := false
		w.refresh = func(ctx context.Context) error {
			_, out := w.viewIn(ctx, w.tx, true, step)
			if out.Status == abi.StatusOK {
				t.Errorf("a view that %s: %+v", name, out)
			}
			discard = out.Discard
			return &abi.ViewError{View: "view", Err: errors.New(out.Message)}
		}
		_, out := w.procedure(t.Context(), Op(OpStart), Op(OpInsert, row("a")), Op(OpCommit), Op(OpLog, "went on"))
		if w.tx != nil || w.rows() != 0 {
			t.Errorf("a view that %s: open %v, %d rows", name, w.tx != nil, w.rows())
		}
		if s.CatchesViewError && !discard {
			w.expect("a procedure with a view that "+name, out, abi.StatusOK, "@", "@", "T", "went on")
			continue
		}
		if said := w.said(); !matches(said, []string{"@", "@"}) {
			t.Errorf("a procedure with a view that %s said %q", name, said)
		}
		if out.Status == abi.StatusOK || !out.Discard {
			t.Errorf("a procedure with a view that %s: %+v", name, out)
		}
		w.dead()
	}
}

func testRequests(t *testing.T, s *Subject) {
	s.items(t, "03.49", "04.24")
	w := s.open(t, abi.Limits{})
	var asked []string
	w.http = func(request, body string) (string, string, error) {
		asked = append(asked, request+"|"+body)
		switch len(asked) {
		case 1:
			return "response", "content", nil
		case 2:
			return "response", "", nil
		case 3:
			return "", "", &abi.HTTPError{Text: "nobody is there"}
		}
		return "", "", &store.Error{Code: store.ErrDecode, Msg: "no request"}
	}
	request := Op(OpHTTP, getRequest)
	_, out := w.procedure(t.Context(), request, Op(OpHTTP, getRequest, "trailing"), request, request, Op(OpHTTP, "\xff"),
		Op(OpStart), Op(OpHTTP, "\xff"), request, Op(OpAbort))
	w.expect("requests", out, abi.StatusOK, "@responsecontent", "@response", "Unobody is there", "C", "C", "@", "C", "Q", "@")
	if len(asked) != 4 || asked[0] != getRequest+"|hi" || asked[1] != asked[0] {
		t.Errorf("asked %q", asked)
	}
	w.disabled = true
	_, out = w.procedure(t.Context(), request, Op(OpStart), request, Op(OpHTTP, "\xff"), Op(OpAbort))
	disabled := "U" + abi.HTTPDisabledText
	w.expect("requests that are not allowed", out, abi.StatusOK, disabled, "@", disabled, "C", "@")
	if len(asked) != 4 {
		t.Errorf("asked %q", asked)
	}
}

func testHandlers(t *testing.T, s *Subject) {
	w := s.open(t, abi.Limits{})
	if s.NoHandlers {
		_, out := w.handler(t.Context(), "")
		if out.Status != abi.StatusTrap || out.Err == nil || !strings.Contains(out.Err.Error(), "handler") {
			t.Errorf("a module without handlers: %+v", out)
		}
		return
	}
	who, token := "@s", `@{"sub":"made up"}`
	if s.NoHandlerSender {
		who, token = "@\x00", "@"
	}
	result, out := w.handler(t.Context(), "question", Op(OpSender), Op(OpToken), Op(OpRequest), Op(OpResult, "head"), Op(OpBody, "answer"))
	w.expect("a handler", out, abi.StatusOK, who, token, "@question", "@", "@")
	if string(result.Response) != "head" || string(result.Body) != "answer" {
		t.Errorf("the handler answered %q, %q", result.Response, result.Body)
	}
	result, out = w.handler(t.Context(), "", Op(OpRequest), Op(OpResult, "head"))
	w.expect("a handler without a body", out, abi.StatusOK, "@", "@")
	if string(result.Response) != "head" || len(result.Body) > 0 {
		t.Errorf("the handler answered %q, %q", result.Response, result.Body)
	}
}

func testEnvironment(t *testing.T, s *Subject) {
	value, empty := "väl", ""
	open := func() *world {
		w := s.open(t, abi.Limits{})
		w.env = map[string]*string{"SET": &value, "EMPTY": &empty, "UNSET": nil, "_9": &value}
		return w
	}
	steps := []Step{Op(OpEnv, "SET"), Op(OpEnv, "EMPTY"), Op(OpEnv, "UNSET"), Op(OpEnv, "_9"), Op(OpEnv, "A=B"), Op(OpEnv, ""), Op(OpEnv, "9a")}
	want := []string{"@" + value, "@", "@-", "@" + value, "A", "A", "A"}
	w := open()
	w.expect("a reducer", w.reduce(t.Context(), steps...), abi.StatusOK, want...)
	_, out := w.view(t.Context(), false, steps...)
	w.expect("a view", out, abi.StatusOK, want...)
	_, out = w.procedure(t.Context(), append(append([]Step{Op(OpStart)}, steps...), append([]Step{Op(OpAbort)}, steps...)...)...)
	w.expect("a procedure", out, abi.StatusOK, append(append([]string{"@"}, want...), append([]string{"@"}, want...)...)...)
	// The read of a key that the module does not declare cannot be caught.
	if out = w.reduce(t.Context(), Op(OpEnv, "OTHER"), Op(OpLog, "went on")); out.Status == abi.StatusOK {
		if said := w.said(); len(said) != 2 || said[0] != "?" {
			t.Errorf("an undeclared key: said %q", said)
		}
		return
	}
	w.expect("an undeclared key", out, abi.StatusTrap)
	w = open()
	out = w.in.CallReducer(t.Context(), &abi.ReducerCall{Args: script(Op(OpEnv, "SET"), Op(OpEnv, "A=B"))})
	w.expect("a reducer without a transaction", out, abi.StatusOK, "B", "A")
}
