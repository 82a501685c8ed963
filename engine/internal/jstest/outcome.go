package jstest

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stdbgo/spacetime/engine/internal/jshost"
	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/sats"
)

var versions = []string{"1.12", "2.10"}

func testUserError(t *testing.T) {
	for _, version := range versions {
		w := newWorld(t, bundle(t, "edges-"+version), abi.Limits{})
		out := w.call("refuse")
		if out.Status != abi.StatusUserError || out.Message != "no way" || out.Discard || len(w.services.logs) != 0 {
			t.Errorf("%s: %+v", version, out)
		}
		w.must("empty")
	}
	for _, c := range []struct{ name, text, message string }{
		{"v1", string(v1(``, `return { tag: "err", value: "x" };`)), "x"},
		{"v2", string(v2(``, `throw new SenderError("x");`)), "x"},
		{"no text", string(v2(``, `const e = new SenderError("x"); e.message = 5; throw e;`)), "5"},
	} {
		if _, out := run(t, []byte(c.text)); out.Status != abi.StatusUserError || out.Message != c.message {
			t.Errorf("%s: %+v", c.name, out)
		}
	}
}

func testExceptionIsFatal(t *testing.T) {
	spec.Covers(t, "04.14", "04.31")
	for _, version := range versions {
		w := newWorld(t, bundle(t, "edges-"+version), abi.Limits{})
		out := w.call("fail")
		if out.Status != abi.StatusTrap || out.Message != abi.FatalErrorText || out.Discard {
			t.Errorf("%s: %+v", version, out)
		}
		if len(w.services.logs) != 1 {
			t.Fatalf("%s: %d log records", version, len(w.services.logs))
		}
		r := w.services.logs[0]
		source := sources + "/edges-" + version + "/src/index.ts"
		line, column := find(t, source, `new Oops("boom")`)
		if r.Level != abi.LogPanic || r.Message != "Uncaught Error: boom" || r.Function != "fail" || r.Filename != "src/index.ts" || int(r.Line) != line {
			t.Errorf("%s: the record is %+v, want line %d", version, r, line)
		}
		if want := []string{"inner", "inner", "inner", "fail"}; !slices.Equal(r.Trace, want) {
			t.Errorf("%s: the trace is %q, want %q", version, r.Trace, want)
		}
		call, _ := find(t, source, "inner(2)")
		for i, want := range map[int]int{0: line, 3: call} {
			if file, got, _ := place(r.TraceAt[i]); file != "src/index.ts" || got != want {
				t.Errorf("%s: frame %d is at %s, want line %d", version, i, r.TraceAt[i], want)
			}
		}
		if _, _, got := place(r.TraceAt[0]); got < column || got > column+len(`new Oops("boom")`) {
			t.Errorf("%s: the exception is at column %d, want %d or a little more", version, got, column)
		}
		if text := out.Err.Error(); !strings.HasPrefix(text, "Uncaught Error: boom\n\tat inner (src/index.ts:") || strings.Contains(text, jshost.Barrier) {
			t.Errorf("%s: %s", version, text)
		}
		w.must("empty")
	}
}

// find returns where a text stands in a file, counting from 1.
func find(t *testing.T, file, text string) (line, column int) {
	for i, l := range strings.Split(string(mustRead(t, file)), "\n") {
		if j := strings.Index(l, text); j >= 0 {
			return i + 1, j + 1
		}
	}
	t.Fatalf("%s has no %q", file, text)
	return 0, 0
}

func testExceptions(t *testing.T) {
	spec.Covers(t, "04.12")
	for _, c := range []struct{ name, text, want string }{
		{"text", string(v2(``, `throw "just a string";`)), "Uncaught just a string"},
		{"null", string(v2(``, `throw null;`)), "Uncaught null"},
		{"symbol", string(v2(``, `throw Symbol("s");`)), "Uncaught exception"},
		{"object that throws", string(v2(``, `throw { toString() { throw 1; } };`)), "Uncaught exception"},
		{"class", string(v2(``, `class Foo extends Error { get name() { return "Foo"; } } throw new Foo("x");`)), "Uncaught Foo: x\n\tat __call_reducer__ (spacetimedb_module:"},
		{"value returned", string(v2(``, `return 5;`)), "TypeError: Reducer returned a value other than `undefined`"},
		{"promise returned", string(v2(``, `return Promise.resolve();`)), "TypeError: Reducer returned a value other than `undefined`"},
		{"v1 nothing returned", string(v1(``, ``)), "TypeError: Expected a reducer result with a tag, got undefined"},
		{"v1 promise returned", string(v1(``, `return Promise.resolve({ tag: "ok" });`)), "TypeError: Expected a reducer result with the tag ok or err"},
		{"v1 wrong tag", string(v1(``, `return { tag: "maybe" };`)), "TypeError: Expected a reducer result"},
		{"v1 wrong value", string(v1(``, `return { tag: "err", value: 5 };`)), "TypeError: Expected string, got a number"},
		{"message throws", string(v2(``, `throw Object.defineProperty(new SenderError(), "message", { get() { throw new Error("second"); } });`)), "Uncaught Error: second"},
		{"no error class", strings.Replace(string(v2(``, `sys.table_id_from_name("nope");`)), "return class", "return 5; return class", 1), "TypeError: Expected an error constructor, got a number"},
		{"deep recursion", string(v2(`function f() { f(); }`, `f();`)), "stack overflow"},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := or(c.name, c.want)
			w := rawWorld(t, []byte(c.text), abi.Limits{})
			out := w.callID(0, "test")
			if out.Status != abi.StatusTrap || out.Message != abi.FatalErrorText || out.Discard || out.Err == nil || !strings.Contains(out.Err.Error(), want) {
				t.Fatalf("%+v, want %s", out, want)
			}
			if l := w.services.logs; len(l) != 1 || l[0].Level != abi.LogPanic || !strings.Contains(out.Err.Error(), l[0].Message) || l[0].Function != "test" {
				t.Errorf("logged %+v", l)
			}
		})
	}
	w := newWorld(t, bundle(t, "edges-2.10"), abi.Limits{})
	w.must("returns")
}

func testUniqueViolationIsCaught(t *testing.T) {
	spec.Covers(t, "04.15")
	for version, want := range map[string]string{
		"1.12": "12 true Value with given unique identifier already exists",
		"2.10": "UniqueAlreadyExists true Value with given unique identifier already exists",
	} {
		w := newWorld(t, bundle(t, "edges-"+version), abi.Limits{})
		w.must("clash")
		if got := w.services.messages(); !slices.Equal(got, []string{want}) {
			t.Errorf("%s: %q, want %q", version, got, want)
		}
		tx := w.store.Begin()
		if n := tx.RowCount(tx.TableByName("unique_name").ID); n != 2 {
			t.Errorf("%s: %d rows committed", version, n)
		}
		tx.Rollback()
	}
}

func testAsyncReducer(t *testing.T) {
	spec.Covers(t, "04.30")
	w := newWorld(t, bundle(t, "edges-2.10"), abi.Limits{})
	w.must("later")
	if got := w.services.messages(); !slices.Equal(got, []string{"before", "after"}) {
		t.Errorf("logged %q", got)
	}
	tx := w.store.Begin()
	if n := tx.RowCount(tx.TableByName("unique_name").ID); n != 1 {
		t.Errorf("%d rows committed", n)
	}
	tx.Rollback()
}

func testPackages(t *testing.T) {
	spec.Covers(t, "04.35")
	if !strings.Contains(string(bundle(t, "edges-2.10")), "using iter = ") {
		t.Error("the bundle has no `using` declaration any more")
	}
	for version, want := range map[string][]string{
		"1.12": {"id 1", "id 42", "42 rows, 352 letters", "person 5,x", "x", "false true 2"},
		"2.10": {"id 1", "id 42", "42 rows, 352 letters", "person 1,person 2,person 3,person 4,person 5,person 6,person 7,person 8,x",
			"person 5,x", "x", "false true 2 42"},
	} {
		w := newWorld(t, bundle(t, "edges-"+version), abi.Limits{})
		w.must("add", str("x"), []byte{5})
		w.must("fill", u32(40))
		w.must("add", str("y"), []byte{200})
		w.must("list")
		w.must("look")
		w.must("remove")
		if got := w.services.messages(); !slices.Equal(got, want) {
			t.Errorf("%s: logged\n%q, want\n%q", version, got, want)
		}
		w.must("levels")
		var levels []abi.LogLevel
		for _, r := range w.services.logs {
			levels = append(levels, r.Level)
		}
		l := []abi.LogLevel{abi.LogError, abi.LogWarn, abi.LogInfo, abi.LogDebug, abi.LogTrace, abi.LogInfo, abi.LogInfo}
		if !slices.Equal(levels, l) {
			t.Errorf("%s: levels %v, want %v", version, levels, l)
		}
		w.services.logs = nil
		w.must("auth")
		id := "0000000000000000000000000000000000000000000000000000000000001234"
		auth := "undefined 00000000000000000000000000000001 " + id + " 201f1e1d1c1b1a191817161514131211100f0e0d0c0b0a090807060504030201"
		if got := w.services.messages(); !slices.Equal(got, []string{auth}) {
			t.Errorf("%s: %q, want %q", version, got, auth)
		}
	}
}

// Hostile runs a body of a reducer, of which nobody knows how it ends, in an instance of its own. The instance after it must
// work.
func Hostile(t *testing.T, e Engine, body string, l abi.Limits) abi.Outcome {
	engine = e
	return hostile(t, body, l)
}

func hostile(t *testing.T, body string, l abi.Limits) abi.Outcome {
	t.Helper()
	w := rawWorld(t, v2(``, `if (id === 1) return; `+body+`;`), l)
	done := make(chan abi.Outcome, 1)
	go func() { done <- w.callID(0, "hostile") }()
	select {
	case out := <-done:
		in, err := w.program.Instantiate(context.Background(), newServices())
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		if again := in.CallReducer(t.Context(), &abi.ReducerCall{ID: 1, Name: "peaceful"}); again.Status != abi.StatusOK {
			t.Errorf("the next instance: %v %v", again.Status, again.Err)
		}
		if out.Discard {
			if again := w.callID(1, "peaceful"); again.Status != abi.StatusTrap || !again.Discard {
				t.Errorf("a dead instance answers %v", again.Status)
			}
		} else if again := w.callID(1, "peaceful"); again.Status != abi.StatusOK {
			t.Errorf("the instance afterwards: %v %v", again.Status, again.Err)
		}
		return out
	case <-time.After(5 * time.Minute):
		t.Fatal("the call does not end")
		return abi.Outcome{}
	}
}

func testHostileModules(t *testing.T) {
	spec.Covers(t, "04.32", "04.33")
	const energy, memory, trap, fine = "energy", "memory", "trap", "fine"
	for _, c := range []struct{ name, body, end string }{
		{"endless loop", `for (;;);`, energy},
		{"endless loop in finally", `try { for (;;); } catch { for (;;); } finally { for (;;); }`, energy},
		{"endless recursion of promises", `const f = () => { Promise.resolve().then(f); }; f();`, energy},
		{"regular expression", `/^(?=(a+)+b)/.test("a".repeat(40))`, energy},
		{"endless logging", `for (;;) sys.console_log(2, "x");`, energy},
		{"endless lookups", `for (;;) try { sys.table_id_from_name("nope"); } catch {}`, energy},
		{"endless getter", `Object.defineProperty(globalThis, "x", { get() { for (;;); } }); x;`, energy},
		{"endless toString of the exception", `throw { toString() { for (;;); } };`, energy},
		{"endless hook of the exception", `Object.defineProperty(SenderError, Symbol.hasInstance, { value() { for (;;); } }); throw new Error();`, energy},
		{"arrays", `const a = []; for (;;) a.push([1, 2, 3]);`, memory},
		{"arrays, caught", `const a = []; try { for (;;) a.push([1, 2, 3]); } catch {}`, memory},
		{"typed arrays", `const a = []; for (;;) a.push(new Uint8Array(1 << 20));`, memory},
		{"strings", `const a = []; for (;;) a.push("x".repeat(100000) + a.length);`, memory},
		{"one endless string", `let s = "x"; for (;;) s += s + "y";`, trap},
		{"closures", `let f = () => 0; for (;;) { const g = f; f = () => g; }`, memory},
		{"map", `const m = new Map(); for (let i = 0; ; i++) m.set(i, {});`, memory},
		{"buffers of the host", `const a = []; for (;;) a.push(new TextEncoder().encode("x".repeat(100000)));`, memory},
		{"one huge array", `new Uint8Array(2 ** 35)`, trap},
		{"one huge array, caught", `try { new Uint8Array(2 ** 35); } catch {}`, fine},
		{"one huge string", `"x".repeat(2 ** 30)`, trap},
		{"one huge number", `2n ** (2n ** 32n)`, trap},
		{"recursion", `const f = () => f(); f();`, trap},
		{"recursion through getters", `const o = { get x() { return this.x; } }; o.x;`, trap},
		{"recursion through a proxy", `const p = new Proxy({}, { get(_, k) { return p[k]; } }); p.x;`, trap},
		{"recursion through sort", `const f = () => [2, 1].sort(f); f();`, trap},
		{"recursion through replace", `const f = () => "a".replace(/a/, f); f();`, trap},
		{"recursion through JSON", `const o = { toJSON: () => JSON.stringify(o) }; JSON.stringify(o);`, trap},
		{"recursion through toString", `const o = { toString() { return "" + o; } }; "" + o;`, trap},
		{"recursion through generators", `function* g() { yield* g(); } [...g()];`, trap},
		{"recursion through bind", `let f = () => 0; for (let i = 0; i < 1e5; i++) f = f.bind(null); f();`, memory},
		{"nested JSON", `JSON.parse("[".repeat(1e6) + "]".repeat(1e6))`, trap},
		{"nested arrays", `let a = []; for (let i = 0; i < 1e5; i++) a = [a]; String(a);`, trap},
		{"nested source", `eval("(".repeat(1e6))`, trap},
		{"nested regular expression", `new RegExp("(".repeat(1e5) + ")".repeat(1e5))`, trap},
		{"nested functions", `eval("()=>".repeat(1e5) + "1")`, trap},
		{"recursion, caught", `const f = () => f(); try { f(); } catch {}`, fine},
		{"chain of promises", `let p = Promise.resolve(); for (let i = 0; i < 1e4; i++) p = p.then(() => 1);`, fine},
		{"freed list", `let l = null; for (let i = 0; i < 1e5; i++) l = { l }; l = null;`, fine},
		{"closed iterator twice", `for (let i = 0; i < 10; i++) caught(() => sys.row_iter_bsatn_close(i));`, fine},
	} {
		t.Run(c.name, func(t *testing.T) {
			limit, end := 10*time.Minute, or(c.name, c.end)
			if end == energy {
				limit = time.Second // peaceful calls of a busy machine are held against it, too
			}
			out := hostile(t, c.body, abi.Limits{Time: limit, Memory: 32 << 20})
			got := fine
			switch {
			case out.Status == abi.StatusOutOfEnergy && out.Message == abi.OutOfEnergyText && out.Discard:
				got = energy
			case out.Status == abi.StatusTrap && out.Discard && strings.Contains(out.Err.Error(), "Javascript module exceeded memory limit"):
				got = memory
			case out.Status == abi.StatusTrap && !out.Discard:
				got = trap
			case out.Status != abi.StatusOK:
				got = out.Status.String()
			}
			if got != end {
				t.Errorf("ended with %s: %+v; want %s", got, out, end)
			}
		})
	}
}

// Termination by the host is not to be caught, and no more functions work.
func testTermination(t *testing.T) {
	w := rawWorld(t, v2(rowJS, `const t = sys.table_id_from_name("person");
try { sys.env_get("A"); } catch { log("caught"); } finally { log("finally"); }`), abi.Limits{})
	out := w.callID(0, "end")
	if out.Status != abi.StatusTrap || !out.Discard || !strings.Contains(out.Err.Error(), "runtime error calling env_get: ") {
		t.Errorf("%+v", out)
	}
	if l := w.services.logs; len(l) != 1 || l[0].Level != abi.LogPanic || l[0].Filename != jshost.Resource || len(l[0].Trace) == 0 {
		t.Errorf("logged %+v", l)
	}
}

func testCancel(t *testing.T) {
	w := rawWorld(t, v2(``, `for (;;);`), abi.Limits{Time: -1})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan abi.Outcome)
	go func() { done <- w.CallReducer(ctx, &abi.ReducerCall{}) }()
	time.Sleep(10 * time.Millisecond)
	runtime.GC()
	cancel()
	select {
	case out := <-done:
		if out.Status != abi.StatusTrap || !out.Discard || !errors.Is(out.Err, context.Canceled) {
			t.Errorf("%+v", out)
		}
	case <-time.After(time.Minute):
		t.Fatal("a cancelled call goes on")
	}
}

func testEnergy(t *testing.T) {
	w := rawWorld(t, v2(``, `if (id) for (;;);`), abi.Limits{})
	out := w.CallReducer(t.Context(), &abi.ReducerCall{ID: 1, Budget: 20_000_000})
	if out.Status != abi.StatusOutOfEnergy || out.Fuel < 20_000_000 || out.Fuel > 2_000_000_000 {
		t.Errorf("%+v", out)
	}
	// Where the clock stands still a loop ends all the same.
	w = rawWorld(t, v2(``, `if (id) for (;;);`), abi.Limits{})
	now := w.services.Now()
	w.services.now = func() sats.Timestamp { return now }
	if out := w.CallReducer(t.Context(), &abi.ReducerCall{ID: 1, Budget: 20_000_000}); out.Status != abi.StatusOutOfEnergy {
		t.Errorf("%+v", out)
	}
}

func testInstanceIsKeptAfterException(t *testing.T) {
	w := rawWorld(t, v2(`let calls = 0;`, `calls++; log(calls); if (id === 0) throw new Error("x"); if (id === 1) throw new SenderError("y");`), abi.Limits{})
	for id := range uint32(3) {
		w.callID(id, "x")
	}
	got := slices.DeleteFunc(w.services.messages(), func(s string) bool { return strings.HasPrefix(s, "Uncaught") })
	if !slices.Equal(got, []string{"1", "2", "3"}) {
		t.Errorf("logged %q", got)
	}
}

// An instance whose heap stays nearly full is to be made anew.
func testRetire(t *testing.T) {
	w := rawWorld(t, v2(`const keep = [];`, `for (let i = 0; i < 40; i++) keep.push(new Uint8Array(100000));`), abi.Limits{Memory: 32 << 20})
	for i := range 10 {
		out := w.callID(0, "x")
		if out.Status != abi.StatusOK {
			t.Fatalf("call %d: %+v", i, out)
		}
		if out.Discard {
			if used := w.MemoryBytes(); used < 24<<20 || used > 32<<20 {
				t.Errorf("retired at %d bytes", used)
			}
			return
		}
	}
	t.Error("never retired")
}

func testCallAllocatesLittle(t *testing.T) {
	w := newWorld(t, bundle(t, "edges-2.10"), abi.Limits{})
	w.must("seed", u32(10))
	r, _ := w.def.Reducer("transfer")
	tx := w.store.Begin()
	defer tx.Rollback()
	call := &abi.ReducerCall{ID: r.ID, Name: "transfer", Args: slices.Concat(u32(1), u32(2), i64(0)), Tx: tx}
	ctx := context.Background()
	if n := testing.AllocsPerRun(100, func() { w.CallReducer(ctx, call) }); n > engine.Allocs {
		t.Errorf("a call allocates %v times, want %v", n, engine.Allocs)
	}
}
