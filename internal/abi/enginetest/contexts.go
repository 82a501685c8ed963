package enginetest

import (
	"slices"
	"testing"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/sats"
)

// getRequest is GET http://x/ (spec 03 §11.1).
var getRequest = string(append(sats.AppendString([]byte{0, 0, 0, 0, 0, 1}, "http://x/"), 2))

// later is an operand of OpSleep.
var later = string(sats.AppendI64(nil, int64(Begin+1000)))

// traps stands for the end of the call in a table of error numbers.
const traps = -1

// A contextTest is one operation and what it answers in the contexts R, V, P and T of spec 03 §9.2.
type contextTest struct {
	step       Step
	r, v, p, t int
}

func contextTests(s *Subject) []contextTest {
	request := traps
	if s.RequestsBlock {
		request = int(abi.ErrWouldBlockTransaction)
	}
	return []contextTest{
		{Op(OpTable, "item"), 0, 0, 2, 0},
		{Op(OpCount), 0, 0, 2, 0},
		{Op(OpScan), 0, 0, 2, 0},
		{Op(OpInsert, row("a")), 0, 19, 2, 0},
		{Op(OpClear), 0, 19, 2, 0},
		{Op(OpJWT), 0, 0, 2, 0},
		{Op(OpEnv, "SET"), 0, 0, 0, 0},
		{Op(OpTimer), 0, 0, 0, 0},
		{Op(OpSchedule, "x"), 0, 0, 0, 0},
		{Op(OpStart), 17, 17, 0, 17},
		{Op(OpCommit), 18, 18, 18, 0},
		{Op(OpAbort), 18, 18, 18, 0},
		{Op(OpSleep, later), traps, traps, 0, traps},
		{Op(OpHTTP, getRequest), request, request, 0, 17},
	}
}

func testContexts(t *testing.T, s *Subject) {
	s.items(t, "03.42", "03.46", "03.54", "04.25")
	value := "x"
	for _, c := range contextTests(s) {
		for _, call := range []struct {
			name   string
			want   int
			prefix []Step
			run    func(w *world, steps ...Step) abi.Outcome
		}{
			{"reducer", c.r, nil, func(w *world, steps ...Step) abi.Outcome { return w.reduce(t.Context(), steps...) }},
			{"view", c.v, nil, func(w *world, steps ...Step) abi.Outcome {
				_, out := w.view(t.Context(), false, steps...)
				return out
			}},
			{"anonymous view", c.v, nil, func(w *world, steps ...Step) abi.Outcome {
				_, out := w.view(t.Context(), true, steps...)
				return out
			}},
			{"procedure", c.p, nil, runProcedure(t)},
			{"procedure in a transaction", c.t, []Step{Op(OpStart)}, runProcedure(t)},
			{"handler", c.p, nil, runHandler(t)},
			{"handler in a transaction", c.t, []Step{Op(OpStart)}, runHandler(t)},
		} {
			if s.NoHandlers && call.name[0] == 'h' {
				continue
			}
			w := s.open(t, abi.Limits{})
			w.env = map[string]*string{"SET": &value}
			w.http = func(string, string) (string, string, error) { return "r", "", nil }
			out := call.run(w, append(slices.Clone(call.prefix), c.step)...)
			said := w.said()
			if len(said) > 0 && said[len(said)-1] == "?" {
				continue
			}
			if len(said) < len(call.prefix) {
				t.Errorf("%c in a %s: said %q: %v", c.step.Op, call.name, said, out.Err)
				continue
			}
			said = said[len(call.prefix):]
			switch {
			case call.want == traps:
				if out.Status != abi.StatusTrap || len(said) > 0 {
					t.Errorf("%c in a %s: %v, said %q; want a trap", c.step.Op, call.name, out.Status, said)
				}
			case len(said) != 1 || said[0][0] != byte('@'+call.want):
				t.Errorf("%c in a %s: %v, said %q; want error number %d: %v", c.step.Op, call.name, out.Status, said, call.want, out.Err)
			}
			if w.tx != nil {
				t.Errorf("%c in a %s leaves a transaction open", c.step.Op, call.name)
			}
		}
	}
}

func runProcedure(t *testing.T) func(w *world, steps ...Step) abi.Outcome {
	return func(w *world, steps ...Step) abi.Outcome {
		_, out := w.procedure(t.Context(), steps...)
		return out
	}
}

func runHandler(t *testing.T) func(w *world, steps ...Step) abi.Outcome {
	return func(w *world, steps ...Step) abi.Outcome {
		_, out := w.handler(t.Context(), "", steps...)
		return out
	}
}
