package wasm

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stdbgo/spacetime/internal/abi"
)

// Reducers of testdata/behave.wat.
const (
	doNothing = iota
	doUserError
	doBadResult
	doUnreachable
	doLoop
	doRecurse
	doGrow
	doNullPointer
	doIndirectLoop
	doMutualRecursion
	doFillForever
	doBadText
	doCountCalls
	doLogForever
	doSinkForever
	doBadPointer
)

func TestOutcomes(t *testing.T) {
	t.Run("compiler", func(t *testing.T) { testOutcomes(t, engine(t), 20_000_000) })
	t.Run("interpreter", func(t *testing.T) {
		e, err := New(Options{Engine: Interpreter})
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		testOutcomes(t, e, 2_000_000)
	})
}

func testOutcomes(t *testing.T, e *Engine, fuel uint64) {
	limits := abi.Limits{Fuel: fuel, Memory: 8 << 20, Streams: 1 << 20}
	p, err := e.Load(t.Context(), file(t, "testdata/behave.wasm"), abi.LoadOptions{Limits: limits})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		reducer uint32
		status  abi.Status
		message string
		err     string // part of it
	}{
		{"nothing", doNothing, abi.StatusOK, "", ""},
		{"user error", doUserError, abi.StatusUserError, "nope", ""},
		{"text that is not UTF-8", doBadText, abi.StatusUserError, "\uFFFDok", ""},
		{"meaningless result", doBadResult, abi.StatusBadResult, abi.FatalErrorText, "unknown code 7"},
		{"unreachable", doUnreachable, abi.StatusTrap, abi.FatalErrorText, "unreachable"},
		{"endless loop", doLoop, abi.StatusOutOfEnergy, abi.OutOfEnergyText, "fuel"},
		{"endless loop called indirectly", doIndirectLoop, abi.StatusOutOfEnergy, abi.OutOfEnergyText, "fuel"},
		{"few endless instructions", doFillForever, abi.StatusOutOfEnergy, abi.OutOfEnergyText, "fuel"},
		{"endless log", doLogForever, abi.StatusOutOfEnergy, abi.OutOfEnergyText, "fuel"},
		{"runaway recursion", doRecurse, abi.StatusTrap, abi.FatalErrorText, "stack overflow"},
		{"runaway recursion of two", doMutualRecursion, abi.StatusTrap, abi.FatalErrorText, "stack overflow"},
		{"memory bomb", doGrow, abi.StatusOK, "", ""},
		{"endless sink", doSinkForever, abi.StatusTrap, abi.FatalErrorText, "more than"},
		{"null pointer", doNullPointer, abi.StatusTrap, abi.FatalErrorText, "null pointer"},
		{"pointer behind the memory", doBadPointer, abi.StatusTrap, abi.FatalErrorText, "outside its memory"},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := instantiate(t, p, newServices())
			out := in.CallReducer(t.Context(), &abi.ReducerCall{ID: c.reducer, Name: c.name})
			if out.Status != c.status || out.Message != c.message {
				t.Fatalf("got %v %q (%v), want %v %q", out.Status, out.Message, out.Err, c.status, c.message)
			}
			if (out.Err == nil) != (c.err == "") || c.err != "" && !strings.Contains(out.Err.Error(), c.err) {
				t.Errorf("error %v, want %q in it", out.Err, c.err)
			}
			if discard := c.status == abi.StatusTrap || c.status == abi.StatusOutOfEnergy; out.Discard != discard {
				t.Errorf("discard is %v", out.Discard)
			}
			if out.Discard {
				if again := in.CallReducer(t.Context(), &abi.ReducerCall{}); again.Status != abi.StatusTrap || !again.Discard {
					t.Errorf("a dead instance answered %v", again.Status)
				}
				in = instantiate(t, p, newServices()) // a new one works
			}
			if out := in.CallReducer(t.Context(), &abi.ReducerCall{}); out.Status != abi.StatusOK {
				t.Errorf("the next call ended as %v: %v", out.Status, out.Err)
			}
			if max := uint64(8 << 20); in.MemoryBytes() > max {
				t.Errorf("memory has %d bytes", in.MemoryBytes())
			}
		})
	}
}

func TestInstanceIsKeptAfterUserError(t *testing.T) {
	in := instantiate(t, loadFile(t, "testdata/behave.wasm", abi.Limits{}), newServices())
	for range 3 {
		in.CallReducer(t.Context(), &abi.ReducerCall{ID: doUserError})
	}
	// The module counts its calls in a global and returns the count: 4 is no known code.
	out := in.CallReducer(t.Context(), &abi.ReducerCall{ID: doCountCalls})
	if out.Status != abi.StatusBadResult || !strings.Contains(out.Err.Error(), "code 4") {
		t.Errorf("got %v %v, want the fourth call", out.Status, out.Err)
	}
}

// While a guest loops without end, the garbage collector and other goroutines must get their turn.
func TestOthersRunDuringEndlessLoop(t *testing.T) {
	for _, reducer := range []uint32{doLoop, doIndirectLoop, doFillForever} {
		in := instantiate(t, loadFile(t, "testdata/behave.wasm", abi.Limits{Time: -1}), newServices())
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan abi.Outcome)
		go func() { done <- in.CallReducer(ctx, &abi.ReducerCall{ID: reducer}) }()
		time.Sleep(10 * time.Millisecond)
		var worst time.Duration
		for range 20 {
			start := time.Now()
			runtime.GC() // stops the world, the guest's thread too
			worst = max(worst, time.Since(start))
		}
		select {
		case out := <-done:
			t.Fatalf("the loop ended by itself: %v %v", out.Status, out.Err)
		default:
		}
		cancel()
		select {
		case out := <-done:
			if out.Status != abi.StatusTrap || !out.Discard || !strings.Contains(out.Err.Error(), context.Canceled.Error()) {
				t.Errorf("a cancelled call ended as %v: %v", out.Status, out.Err)
			}
		case <-time.After(time.Minute):
			t.Fatal("a cancelled call goes on")
		}
		if worst > 30*time.Second { // a guest that is not interrupted has it wait for ever
			t.Errorf("garbage collection waited for %v", worst)
		}
	}
}

func TestTimeLimit(t *testing.T) {
	p := loadFile(t, "testdata/behave.wasm", abi.Limits{Time: 30 * time.Millisecond})
	in := instantiate(t, p, newServices())
	out := in.CallReducer(t.Context(), &abi.ReducerCall{ID: doLoop})
	if out.Status != abi.StatusOutOfEnergy || !strings.Contains(out.Err.Error(), "30ms") {
		t.Errorf("got %v %v", out.Status, out.Err)
	}
}

// The fuel reported grows with the work and repeats exactly.
func TestFuelIsProportional(t *testing.T) {
	in := instantiate(t, loadFile(t, "testdata/behave.wasm", abi.Limits{}), newServices())
	used := func(name string, n uint64) uint64 {
		in.begin(t.Context(), abi.Call{}, 1<<40)
		defer in.end()
		s := [1]uint64{n}
		if err := in.mod.ExportedFunction(name).CallWithStack(&in.ctx, s[:]); err != nil {
			t.Fatal(err)
		}
		return in.fuel.end()
	}
	small, large := used("sum", 1000), used("sum", 1_000_000)
	if ratio := float64(large) / float64(small); ratio < 900 || ratio > 1100 {
		t.Errorf("a thousand times the work cost %f times the fuel", ratio)
	}
	if per := float64(large) / 1e6; per < 5 || per > 20 { // the loop has nine instructions with its callee
		t.Errorf("a round of the loop costs %f", per)
	}
	if again := used("sum", 1_000_000); again != large {
		t.Errorf("the same work cost %d and %d", large, again)
	}
	if fib := used("fib", 20); fib < 100_000 {
		t.Errorf("fib(20) cost %d", fib)
	}
}

func TestBudgetOfCall(t *testing.T) {
	in := instantiate(t, loadFile(t, "testdata/behave.wasm", abi.Limits{}), newServices())
	out := in.CallReducer(t.Context(), &abi.ReducerCall{ID: doLoop, Budget: 1_000_000})
	if out.Status != abi.StatusOutOfEnergy || out.Fuel < 1_000_000 || out.Fuel > 1_200_000 {
		t.Errorf("got %v with fuel %d", out.Status, out.Fuel)
	}
}

func TestCanceledCallWrapsCause(t *testing.T) {
	in := instantiate(t, loadFile(t, "testdata/behave.wasm", abi.Limits{}), newServices())
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(errors.New("shutdown"))
	out := in.CallReducer(ctx, &abi.ReducerCall{ID: doLoop})
	if out.Status != abi.StatusTrap || !errors.Is(out.Err, context.Canceled) {
		t.Errorf("got %v %v", out.Status, out.Err)
	}
}

func TestClosedInstance(t *testing.T) {
	in := instantiate(t, loadFile(t, "testdata/behave.wasm", abi.Limits{}), newServices())
	in.Close()
	if out := in.CallReducer(t.Context(), &abi.ReducerCall{}); out.Status != abi.StatusTrap || !out.Discard {
		t.Errorf("a closed instance answered %v", out.Status)
	}
}

// Instances of one module share nothing and run side by side.
func TestInstancesRunConcurrently(t *testing.T) {
	p := loadFile(t, "testdata/behave.wasm", abi.Limits{})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			in, err := p.Instantiate(context.Background(), newServices())
			if err != nil {
				t.Error(err)
				return
			}
			defer in.Close()
			for range 200 {
				in.CallReducer(context.Background(), &abi.ReducerCall{ID: doUserError})
			}
			out := in.CallReducer(context.Background(), &abi.ReducerCall{ID: doCountCalls})
			if out.Err == nil || !strings.Contains(out.Err.Error(), "code 201") {
				t.Errorf("got %v, want 201 calls", out.Err)
			}
		})
	}
	wg.Wait()
}

func TestCallDoesNotAllocate(t *testing.T) {
	in := instantiate(t, loadFile(t, "testdata/behave.wasm", abi.Limits{}), newServices())
	call := &abi.ReducerCall{ID: doNothing, Name: "nothing", Args: []byte{1, 2, 3}}
	n := 1.0
	for range 5 { // others may allocate meanwhile, but not each time
		n = min(n, testing.AllocsPerRun(100, func() { in.CallReducer(context.Background(), call) }))
	}
	if n > 0 {
		t.Error("a call allocates")
	}
}
