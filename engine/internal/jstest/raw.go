package jstest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/spec"
)

// v2 is a hand-written module of version 2. Its reducer has the parameters id, sender, conn, time, args and the given body;
// top stands before everything else.
func v2(top, body string) []byte {
	return []byte(`import * as s20 from "spacetime:sys@2.0";
import * as s21 from "spacetime:sys@2.1";
import * as s22 from "spacetime:sys@2.2";
const sys = { ...s20, ...s21, ...s22 };
class SenderError extends Error {}
class HostError extends Error { constructor(code, message) { super(message); this.code = code; } }
const log = (...xs) => sys.console_log(2, xs.map(String).join(" "));
const caught = (f) => { try { return f(); } catch (e) { return e; } };
const hooks = {
  __describe_module__() { return new Uint8Array([9, 2, 0, 0, 0, 0]).subarray(1); },
  __get_error_constructor__(n) { return class extends HostError { constructor(m) { super(n, m); } }; },
  __sender_error_class__: SenderError,
  __call_reducer__(id, sender, conn, time, args) { ` + body + ` },
  __call_view__() {}, __call_view_anon__() {}, __call_procedure__() {},
};
` + top + `
export default { [s20.moduleHooks]() { return hooks; } };
`)
}

// v1 is a hand-written module of version 1.
func v1(top, body string) []byte {
	return []byte(`import * as s10 from "spacetime:sys@1.0";
import * as s11 from "spacetime:sys@1.1";
import * as s12 from "spacetime:sys@1.2";
import * as s13 from "spacetime:sys@1.3";
const sys = { ...s13, ...s12, ...s11, ...s10 };
const log = (...xs) => sys.console_log(2, xs.map(String).join(" "));
const caught = (f) => { try { return f(); } catch (e) { return e; } };
` + top + `
s10.register_hooks({
  __describe_module__() { return new Uint8Array([2, 0, 0, 0, 0]); },
  __call_reducer__(id, sender, conn, time, args) { ` + body + ` },
});
`)
}

// run calls the module's reducer once and returns what it logged.
func run(t *testing.T, text []byte, args ...[]byte) ([]string, abi.Outcome) {
	t.Helper()
	w := rawWorld(t, text, abi.Limits{})
	out := w.callID(0, "test", args...)
	return w.services.messages(), out
}

// expect runs a module and compares its log.
func expect(t *testing.T, text []byte, want ...string) {
	t.Helper()
	got, out := run(t, text)
	if out.Status != abi.StatusOK {
		t.Fatalf("%v %q: %v", out.Status, out.Message, out.Err)
	}
	if !slices.Equal(got, want) {
		t.Errorf("logged\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// fails says how loading and starting a module fails.
func fails(t *testing.T, text []byte) error {
	t.Helper()
	p, err := engine.New().Load(context.Background(), text, abi.LoadOptions{})
	if err == nil {
		var in abi.Instance
		if in, err = p.Instantiate(context.Background(), newServices()); err == nil {
			in.Close()
			t.Fatal("the module starts")
		}
	}
	var load *abi.LoadError
	if !errors.As(err, &load) {
		t.Errorf("%T: %v; want a LoadError", err, err)
	}
	return err
}

func testImports(t *testing.T) {
	spec.Covers(t, "04.3", "04.38")
	for _, version := range []string{"1.0", "1.1", "1.2", "1.3", "2.0", "2.1", "2.2"} {
		load(t, []byte(`import * as s from "spacetime:sys@`+version+`"; s.x`), abi.Limits{})
	}
	for name, want := range map[string]string{
		"spacetime:sys@1.4":     `likely because this module was built for a newer version`,
		"spacetime:sys@2.3":     `likely because this module was built for a newer version`,
		"spacetime:sys@3.0":     `It requires sys module v3.0`,
		"spacetime:sys@x.0":     `Invalid version in module spec "spacetime:sys@x.0"`,
		"spacetime:sys@2":       `Invalid version in module spec "spacetime:sys@2"`,
		"spacetime:sys@70000.0": `Invalid version`,
		"spacetime:foo@1.0":     `Could not find module "spacetime:foo@1.0"`,
		"./x.js":                `Could not find module "./x.js"`,
		"std":                   `Could not find module "std"`,
		"os":                    `Could not find module "os"`,
	} {
		err := fails(t, []byte(`import * as s from "`+name+`"; s.x`))
		if !strings.Contains(err.Error(), "TypeError") || !strings.Contains(err.Error(), want) {
			t.Errorf("import of %s: %v, want %s", name, err, want)
		}
	}
	err := fails(t, []byte(`import { register_hooks } from "spacetime:sys@2.0"; register_hooks`))
	if !strings.Contains(err.Error(), "register_hooks") {
		t.Errorf("import of a name that is not there: %v", err)
	}
}

func testExports(t *testing.T) {
	spec.Covers(t, "04.4")
	for version, count := range map[string]int{"1.0": 18, "1.1": 1, "1.2": 5, "1.3": 2, "2.0": 24, "2.1": 1, "2.2": 1} {
		expect(t, v2(`import * as x from "spacetime:sys@`+version+`";`,
			`log(Object.keys(x).length, Object.values(x).filter((f) => typeof f === "function").map((f) => f.name).join(""))`),
			fmt.Sprintf("%d ", count))
	}
	expect(t, v2(``, `log(Object.keys(s22), Object.keys(s21), "register_hooks" in s20, String(caught(() => new s20.identity())).split(":")[0])`),
		"env_get datastore_clear false TypeError")
}

func testModuleHooks(t *testing.T) {
	spec.Covers(t, "04.5")
	expect(t, v2(`import { moduleHooks as again } from "spacetime:sys@2.0";`,
		`log(typeof again, again === s20.moduleHooks, Symbol.for(again.description) === again, again.description)`),
		"symbol true false SpacetimeDB.moduleHooks.v2")
}

func testStartFailures(t *testing.T) {
	spec.Covers(t, "04.2", "04.6", "04.7", "04.9")
	for _, c := range []struct{ name, text, want string }{
		{"not UTF-8", "let x = '\xff'", "not valid UTF-8"},
		{"no default export", `export const x = 1`, "must export schema as default export"},
		{"no object", `export default 5`, "default export is not a Schema object"},
		{"no schema", `export default {}`, "Expected hooks function, got undefined"},
		{"syntax", "\n let let = 1", "spacetimedb_module:2:"},
		{"endless await", `await new Promise(() => {}); export default {}`, "module has top-level await and is pending"},
		{"exception", "\nthrow new Error('early')", "Uncaught Error: early\n\tat <anonymous> (spacetimedb_module:2:"},
		{"rejection", "await Promise.reject(new Error('late'))", "Uncaught Error: late"},
		{"dynamic import", `await import("spacetime:sys@2.0")`, "Not supported"},
		{"hooks missing", `import { moduleHooks } from "spacetime:sys@2.0"; export default { [moduleHooks]() { return {}; } }`,
			"Expected module function hook `__describe_module__`, got undefined"},
		{"hooks throw", `import { moduleHooks } from "spacetime:sys@2.0"; export default { [moduleHooks]() { throw new Error("no"); } }`,
			"Uncaught Error: no"},
		{"registered twice", string(v1(`s10.register_hooks({ __describe_module__() {}, __call_reducer__() {} })`, ``)),
			"TypeError: cannot call `register_hooks` multiple times"},
		{"registered nothing", `import { register_hooks } from "spacetime:sys@1.0"; register_hooks({})`,
			"TypeError: Expected module function hook `__describe_module__`, got undefined"},
		{"registered no object", `import { register_hooks } from "spacetime:sys@1.0"; register_hooks(1)`, "TypeError: Expected"},
		{"two versions", string(v2(`import { register_hooks } from "spacetime:sys@1.1"; register_hooks({ __call_view__() {}, __call_view_anon__() {} })`, ``)),
			"cannot call `register_hooks` from different versions"},
		{"description is no array", strings.Replace(string(v2(``, ``)), "return new Uint8Array", "return 5; new Uint8Array", 1), "did not return a Uint8Array"},
		{"description throws", strings.Replace(string(v2(``, ``)), "return new Uint8Array", "throw new Error('dumb'); new Uint8Array", 1), "Uncaught Error: dumb"},
		{"env at the top level", string(v2(`sys.env_get("A")`, ``)), "env_get is not available"},
		{"endless", "for (;;);", "energy"},
		{"heap", "const a = []; for (;;) a.push([1, 2, 3]);", "exceeded memory limit"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := abi.Limits{Memory: 16 << 20}
			if c.name == "endless" {
				l.Fuel = 200_000_000
			}
			p, err := engine.New().Load(t.Context(), []byte(c.text), abi.LoadOptions{Limits: l})
			if err == nil {
				_, err = p.Instantiate(t.Context(), newServices())
			}
			var load *abi.LoadError
			if !errors.As(err, &load) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
	expect(t, v2(`await null; await Promise.resolve(1);`, `log("works")`), "works")
}

func testHooksAreFoundAsTheyMayBe(t *testing.T) {
	spec.Covers(t, "04.8") // no __call_http_handler__
	expect(t, []byte(`import { moduleHooks, console_log } from "spacetime:sys@2.0";
class Hooks {
  __describe_module__() { return new Uint8Array([2, 0, 0, 0, 0]); }
  __get_error_constructor__() {}
  get __sender_error_class__() { return Error; }
  __call_reducer__() { console_log(2, String(this instanceof Hooks)); }
  __call_view__() {} __call_view_anon__() {} __call_procedure__() {}
}
export const b = 1, a = 2;
class Schema { [moduleHooks](ns) { console_log(2, Object.keys(ns).join() + (this === ns.default)); return new Hooks(); } }
export default new Schema();`), "a,b,defaulttrue", "true")
}

func testReducerArguments(t *testing.T) {
	spec.Covers(t, "04.10")
	const types = `log([id, sender, conn, time, args].map((x) => typeof x).join());
log(id, sender, conn, time, args.byteOffset, args.byteLength, args.buffer.byteLength, args.constructor.name, this === undefined);`
	w := rawWorld(t, v2(``, types), abi.Limits{})
	w.sender[31] = 0x80
	w.conn[15] = 0x80
	if out := w.callID(7, "x", []byte{1, 2, 3}); out.Status != abi.StatusOK {
		t.Fatal(out.Err)
	}
	want := []string{"number,bigint,bigint,bigint,object",
		"7 57896044618658097711785492504343953926634992332820282019728792003956564824628 170141183460469231731687303715884105729 1700000000000000 0 3 3 DataView false"}
	if got := w.services.messages(); !slices.Equal(got, want) {
		t.Errorf("version 2: %q, want %q", got, want)
	}
	w = rawWorld(t, v1(``, types+`return { tag: "ok" };`), abi.Limits{})
	w.time = -5
	if out := w.callID(3_000_000_000, "x"); out.Status != abi.StatusOK {
		t.Fatal(out.Err)
	}
	want = []string{"number,bigint,bigint,bigint,object", "3000000000 4660 1 -5 0 0 0 Uint8Array true"}
	if got := w.services.messages(); !slices.Equal(got, want) {
		t.Errorf("version 1: %q, want %q", got, want)
	}
}

func testLongArguments(t *testing.T) {
	spec.Covers(t, "04.11")
	args := make([]byte, 300_000)
	for i := range args {
		args[i] = byte(i * 7)
	}
	for _, n := range []int{0, 1, 4095, 4096, 4097, len(args)} {
		sum := 0
		for i, b := range args[:n] {
			sum = (sum*31 + int(b) + i) % 65521
		}
		logs, out := run(t, v2(``, `let sum = 0; for (let i = 0; i < args.byteLength; i++) sum = (sum * 31 + args.getUint8(i) + i) % 65521;
log(args.byteLength, sum)`), args[:n])
		if want := fmt.Sprintf("%d %d", n, sum); out.Status != abi.StatusOK || !slices.Equal(logs, []string{want}) {
			t.Errorf("%d bytes: %v %v, want %s", n, logs, out.Err, want)
		}
	}
}

func testTopLevelCalls(t *testing.T) {
	spec.Covers(t, "04.16")
	expect(t, v2(`const es = [() => sys.table_id_from_name("person"), () => sys.procedure_start_mut_tx(), () => sys.procedure_commit_mut_tx(),
  () => sys.procedure_http_request(new Uint8Array(0), "")].map(caught);`, `for (const e of es) log(e, e.code)`),
		"Error: ABI call can only be made while in a transaction undefined",
		"Error: Attempted async or blocking op while holding open a transaction undefined",
		"Error: Not in an anonymous transaction. Called by a reducer? undefined",
		"Error: Attempted async or blocking op while holding open a transaction undefined")
	expect(t, v1(`const es = [() => sys.table_id_from_name("person"), () => sys.procedure_start_mut_tx(), () => sys.procedure_abort_mut_tx()].map(caught);`,
		`for (const e of es) log(JSON.stringify(e), Object.isSealed(e), e instanceof Error); return { tag: "ok" };`),
		`{"__code_error__":2} true false`, `{"__code_error__":17} true false`, `{"__code_error__":18} true false`)
}

func testTransactionsInReducer(t *testing.T) {
	spec.Covers(t, "04.25")
	expect(t, v2(``, `log(caught(() => sys.procedure_start_mut_tx()).code, caught(() => sys.procedure_commit_mut_tx()).code,
  caught(() => sys.procedure_abort_mut_tx()).code, caught(() => sys.procedure_http_request(new Uint8Array(1), new Uint8Array(1))).code)`), "17 18 18 17")
}
