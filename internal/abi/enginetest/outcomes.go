package enginetest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/sats"
)

// expect compares an outcome, and what the guest said, with what they should be.
func (w *world) expect(what string, out abi.Outcome, status abi.Status, said ...string) {
	w.t.Helper()
	if out.Status != status {
		w.t.Errorf("%s ended with %v, %q, %v; want %v", what, out.Status, out.Message, out.Err, status)
	}
	if got := w.said(); !matches(got, said) {
		w.t.Errorf("%s said %q; want %q (%v)", what, got, said, out.Err)
	}
	if out.Status == abi.StatusOK && (out.Discard || out.Err != nil) {
		w.t.Errorf("%s succeeded, with %+v", what, out)
	}
	if w.tx != nil {
		w.t.Errorf("%s leaves a transaction open", what)
	}
}

func testReducerOutcomes(t *testing.T, s *Subject) {
	s.items(t, "03.37", "03.38", "04.13")
	w := s.open(t, abi.Limits{})
	out := w.reduce(t.Context(), Op(OpInsert, row("a")), Op(OpCount), Op(OpSender))
	w.expect("an insert", out, abi.StatusOK, "@", "@1", "@s")
	if out.Fuel == 0 && s.Chapter == "03" && !s.LoopsForEver {
		t.Error("the call has used no fuel")
	}
	out = w.reduce(t.Context(), Op(OpInsert, row("b")), Op(OpFail, "no b"))
	w.expect("an error", out, abi.StatusUserError, "@")
	if out.Message != "no b" || out.Discard {
		t.Errorf("an error: %+v", out)
	}
	out = w.reduce(t.Context(), Op(OpInsert, row("c")), Op(OpPanic))
	w.expect("a panic", out, abi.StatusTrap, "@")
	if out.Message != abi.FatalErrorText || out.Err == nil || out.Discard == s.KeepsPanicked {
		t.Errorf("a panic: %+v", out)
	}
	if n := w.rows(); n != 1 {
		t.Errorf("%d rows, want 1", n)
	}
	if !s.KeepsPanicked {
		w.dead()
	}
}

// dead checks that every further call of an instance fails without harm.
func (w *world) dead() {
	w.t.Helper()
	ctx := w.t.Context()
	_, view := w.view(ctx, false)
	_, procedure := w.procedure(ctx)
	_, handler := w.handler(ctx, "")
	for i, out := range []abi.Outcome{w.reduce(ctx), view, procedure, handler} {
		if out.Status != abi.StatusTrap || !out.Discard || out.Err == nil {
			w.t.Errorf("call %d of a dead instance: %+v", i, out)
		}
	}
}

// Procedures and handlers whose call fails leave a dead instance.
func testWaitingOutcomes(t *testing.T, s *Subject) {
	s.items(t, "04.37")
	w := s.open(t, abi.Limits{})
	result, out := w.procedure(t.Context(), Op(OpSender), Op(OpResult, "value"))
	w.expect("a procedure", out, abi.StatusOK, "@s", "@")
	if string(result) != "value" {
		t.Errorf("the procedure returned %q", result)
	}
	result, out = w.procedure(t.Context())
	w.expect("an empty procedure", out, abi.StatusOK)
	if len(result) != 0 {
		t.Errorf("the empty procedure returned %q", result)
	}
	for name, run := range map[string]func(w *world, steps ...Step) abi.Outcome{"a procedure": runProcedure(t), "a handler": runHandler(t)} {
		if s.NoHandlers && name == "a handler" {
			continue
		}
		w := s.open(t, abi.Limits{})
		out := run(w, Op(OpFail, "sorry"))
		status := abi.StatusTrap
		if s.ErrorsOfCallers {
			status = abi.StatusUserError
		}
		w.expect(name+" that fails", out, status)
		if !out.Discard || out.Err == nil || !strings.Contains(out.Err.Error(), "sorry") {
			t.Errorf("%s that fails: %+v", name, out)
		}
		w.dead()
		w = s.open(t, abi.Limits{})
		out = run(w, Op(OpPanic))
		w.expect(name+" that panics", out, abi.StatusTrap)
		if !out.Discard || out.Message != abi.FatalErrorText {
			t.Errorf("%s that panics: %+v", name, out)
		}
		w.dead()
	}
}

// smallFuel is used up in a moment, by every engine, but not by the initialisation of a guest.
const smallFuel = 50_000_000

func testLimits(t *testing.T, s *Subject) {
	s.items(t, "03.39")
	endless := []Step{Op(OpWork), Op(OpLoop)}
	if s.LoopsForEver {
		endless = endless[:1]
	}
	limits := abi.Limits{Fuel: smallFuel, Streams: 100_000}
	for _, step := range endless {
		for name, run := range map[string]func(w *world) abi.Outcome{
			"reducer":   func(w *world) abi.Outcome { return w.reduce(t.Context(), step) },
			"view":      func(w *world) abi.Outcome { _, out := w.view(t.Context(), true, step); return out },
			"procedure": func(w *world) abi.Outcome { _, out := w.procedure(t.Context(), Op(OpStart), step); return out },
			"handler":   func(w *world) abi.Outcome { _, out := w.handler(t.Context(), "", step); return out },
		} {
			if s.NoHandlers && name == "handler" {
				continue
			}
			w := s.open(t, limits)
			out := run(w)
			if out.Status != abi.StatusOutOfEnergy || out.Message != abi.OutOfEnergyText || !out.Discard || out.Fuel < limits.Fuel {
				t.Errorf("%c in a %s: %+v", step.Op, name, out)
			}
			if w.tx != nil {
				t.Errorf("%c in a %s leaves a transaction open", step.Op, name)
			}
		}
	}
	w := s.open(t, abi.Limits{})
	if out := w.in.CallReducer(t.Context(), &abi.ReducerCall{Args: script(endless[0]), Tx: w.db.Begin(), Budget: 1 << 20}); out.Status != abi.StatusOutOfEnergy {
		t.Errorf("a small budget: %+v", out)
	}
	w = s.open(t, limits)
	w.reduce(t.Context(), Op(OpInsert, row(strings.Repeat("x", 200))))
	w.said()
	out := w.reduce(t.Context(), Op(OpLeak))
	w.expect("a leak", out, abi.StatusTrap)
	if !strings.Contains(out.Err.Error(), "100000 bytes") {
		t.Errorf("a leak: %v", out.Err)
	}
}

// What a procedure waits for costs neither fuel nor the time that it may run.
func testWaitingIsFree(t *testing.T, s *Subject) {
	w := s.open(t, abi.Limits{Time: time.Second, Fuel: 2_000_000_000})
	const hour = sats.Timestamp(3_600_000_000)
	w.starting = func(context.Context) error { w.advance(hour); return nil }
	w.refresh = func(context.Context) error { w.advance(hour); return nil }
	w.http = func(string, string) (string, string, error) { w.advance(hour); return "r", "", nil }
	wake := string(sats.AppendI64(nil, int64(Begin+4*hour)))
	_, out := w.procedure(t.Context(), Op(OpStart), Op(OpCommit), Op(OpHTTP, getRequest), Op(OpSleep, wake), Op(OpStart), Op(OpCount), Op(OpCommit))
	w.expect("a long procedure", out, abi.StatusOK, "@", "@", "@r", "@", "@", "@0", "@")
	if out.Fuel >= 2_000_000_000 {
		t.Errorf("waiting for hours has used %d units of fuel", out.Fuel)
	}
	if w.Now() < Begin+4*hour {
		t.Errorf("the procedure has waited until %d only", w.Now()-Begin)
	}
}

func testCancel(t *testing.T, s *Subject) {
	w := s.open(t, abi.Limits{Time: -1})
	ctx, cancel := context.WithCancel(t.Context())
	w.starting = func(ctx context.Context) error {
		cancel()
		return ctx.Err()
	}
	_, out := w.procedure(ctx, Op(OpStart), Op(OpLog, "went on"))
	w.expect("a procedure that is cancelled while it waits", out, abi.StatusTrap)
	if !errors.Is(out.Err, context.Canceled) || !out.Discard {
		t.Errorf("cancelled: %+v", out)
	}
	w = s.open(t, abi.Limits{Time: -1})
	ctx, cancel = context.WithCancel(t.Context())
	time.AfterFunc(5*time.Millisecond, cancel)
	out = w.reduce(ctx, Op(OpWork))
	if out.Status != abi.StatusTrap || !out.Discard || !errors.Is(out.Err, context.Canceled) {
		t.Errorf("a reducer that is cancelled: %+v", out)
	}
}

// Handles do not outlive their call, and rows of an iterator outlive their transaction.
func testHandles(t *testing.T, s *Subject) {
	w := s.open(t, abi.Limits{})
	w.reduce(t.Context(), Op(OpInsert, row("a")))
	w.said()
	out := w.reduce(t.Context(), Op(OpScan), Op(OpInsert, row("b")), Op(OpAdvance), Op(OpAdvance), Op(OpClose))
	w.expect("an iterator", out, abi.StatusOK, "@", "@", "@"+row("a"), "F", "F")
	w.reduce(t.Context(), Op(OpScan))
	w.said()
	out = w.reduce(t.Context(), Op(OpAdvance), Op(OpClose))
	w.expect("an iterator of another call", out, abi.StatusOK, "F", "F")
	w = s.open(t, abi.Limits{})
	_, out = w.procedure(t.Context(), Op(OpStart), Op(OpInsert, row("c")), Op(OpScan), Op(OpAbort), Op(OpAdvance))
	w.expect("an iterator after its transaction", out, abi.StatusOK, "@", "@", "@", "@", "@"+row("c"))
}

func testLogs(t *testing.T, s *Subject) {
	w := s.open(t, abi.Limits{})
	ctx := t.Context()
	for _, name := range []string{"reducer", "view", "procedure", "handler"} {
		switch name {
		case "reducer":
			w.reduce(ctx, Op(OpLog, name))
		case "view":
			w.view(ctx, false, Op(OpLog, name))
		case "procedure":
			w.procedure(ctx, Op(OpLog, name))
		case "handler":
			if s.NoHandlers {
				continue
			}
			w.handler(ctx, "", Op(OpLog, name))
		}
		i := slices.IndexFunc(w.logs, func(r abi.LogRecord) bool { return r.Message == name })
		if i < 0 || w.logs[i].Function != name || w.logs[i].Time != Begin || w.logs[i].Level != abi.LogInfo {
			t.Errorf("a %s logged %+v", name, w.logs)
		}
		w.logs = nil
	}
	w.reduce(ctx, Op(OpTimer), Op(OpSchedule, "x"))
	if said := w.said(); !matches(said, []string{"@", "@"}) || said[1] != "?" && !slices.Equal(w.scheduled, []string{"later(x)"}) {
		t.Errorf("said %q, queued %q", said, w.scheduled)
	}
}
