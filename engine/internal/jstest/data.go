package jstest

import (
	"slices"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/engine/internal/jshost"
	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/sats"
)

// A row of person: id 0 (to be generated), name, age.
const rowJS = `
const enc = new TextEncoder();
const row = (id, name, age) => { const n = enc.encode(name), b = new Uint8Array(n.length + 9), v = new DataView(b.buffer);
  v.setUint32(0, id, true); v.setUint32(4, n.length, true); b.set(n, 8); b[8 + n.length] = age; return b; };
`

func testInsertWritesGeneratedColumns(t *testing.T) {
	spec.Covers(t, "04.21", "04.22")
	expect(t, v2(rowJS, `const t = sys.table_id_from_name("person");
const buf = new ArrayBuffer(64), put = (r) => { const b = new Uint8Array(buf); b.fill(0xee); b.set(r); return r.length; };
let n = sys.datastore_insert_bsatn(t, buf, put(row(0, "Al", 5)));
log(n, new Uint8Array(buf, 0, 6));
n = sys.datastore_insert_bsatn(t, buf, put(row(77, "Bo", 5)));
log(n, new Uint8Array(buf, 0, 6));
const e = caught(() => sys.datastore_insert_bsatn(t, buf, 65));
log(e.constructor === RangeError, e.message, sys.datastore_table_row_count(t));
log(caught(() => sys.datastore_update_bsatn(t, 1, buf, 65)).name, caught(() => sys.datastore_index_scan_point_bsatn(1, buf, 65)).name,
  caught(() => sys.datastore_index_scan_range_bsatn(1, buf, 60, 1, 4, 1)).name, caught(() => sys.datastore_delete_all_by_eq_bsatn(t, buf, 65)).name);
log(caught(() => sys.datastore_insert_bsatn(t, buf, 3)).code);`),
		"4 1,0,0,0,2,0", "0 77,0,0,0,2,0",
		"true length argument was out of bounds for `ArrayBuffer` 2",
		"RangeError RangeError RangeError RangeError", "3")
	expect(t, v1(rowJS, `const t = sys.table_id_from_name("person");
log(sys.datastore_insert_bsatn(t, row(0, "Al", 5)), "|", sys.datastore_insert_bsatn(t, row(9, "Bo", 5)).length);
const ix = sys.index_id_from_name("person_id_idx_btree");
log(sys.datastore_update_bsatn(t, ix, row(9, "Cy", 6)).length, sys.datastore_index_scan_point_bsatn(ix, new Uint8Array([9, 0, 0, 0])));
return { tag: "ok" };`), "1,0,0,0 | 0", "0 1")
}

func testAdvance(t *testing.T) {
	spec.Covers(t, "04.17", "04.18")
	expect(t, v2(rowJS, `const t = sys.table_id_from_name("person");
const tmp = row(0, "x".repeat(991), 1);
for (let i = 0; i < 150; i++) sys.datastore_insert_bsatn(t, row(0, "x".repeat(991), 1).buffer, 1000);
let it = sys.datastore_table_scan_bsatn(t), total = 0, signs = "";
const buf = new ArrayBuffer(65536);
for (;;) { const n = sys.row_iter_bsatn_advance(it, buf); total += Math.abs(n); signs += n > 0 ? "+" : "-"; if (Math.abs(n) % 1000) log("a row is split"); if (n <= 0) break; }
log(total, signs, caught(() => sys.row_iter_bsatn_close(it)).code);
it = sys.datastore_table_scan_bsatn(t);
const e = caught(() => sys.row_iter_bsatn_advance(it, new ArrayBuffer(10)));
log(JSON.stringify(e), Object.hasOwn(e, "__buffer_too_small__"), e instanceof Error, Object.isSealed(e));
log(sys.row_iter_bsatn_advance(it, new ArrayBuffer(e.__buffer_too_small__)) >= 1000, sys.row_iter_bsatn_close(it));
it = sys.datastore_table_scan_bsatn(sys.table_id_from_name("unique_name"));
log(Object.is(sys.row_iter_bsatn_advance(it, buf), 0), caught(() => sys.row_iter_bsatn_close(it)).code, caught(() => sys.row_iter_bsatn_advance(0, buf)).code);`),
		"150000 ++- 6", `{"__buffer_too_small__":1000} true false true`, "true undefined", "true 6 6")
	expect(t, v1(rowJS, `const t = sys.table_id_from_name("person");
for (let i = 0; i < 150; i++) sys.datastore_insert_bsatn(t, row(0, "x".repeat(991), 1));
let it = sys.datastore_table_scan_bsatn(t), total = 0, n = 0;
for (;;) { const { 0: done, 1: rows } = sys.row_iter_bsatn_advance(it, 65536); total += rows.length; n++; if (done) break; }
log(total, n);
it = sys.datastore_table_scan_bsatn(t);
log(JSON.stringify(caught(() => sys.row_iter_bsatn_advance(it, 10))), sys.row_iter_bsatn_advance(it, 1000)[1].length);
it = sys.datastore_table_scan_bsatn(sys.table_id_from_name("unique_name"));
const [done, rows] = sys.row_iter_bsatn_advance(it, 10);
log(done, rows instanceof Uint8Array, rows.length, JSON.stringify(caught(() => sys.row_iter_bsatn_close(it))));
return { tag: "ok" };`), "150000 3", `{"__buffer_too_small__":1000} 1000`, `true true 0 {"__code_error__":6}`)
}

func testIteratorsEndWithTheCall(t *testing.T) {
	spec.Covers(t, "04.20")
	w := rawWorld(t, v2(`let it;`, `if (id === 0) it = sys.datastore_table_scan_bsatn(sys.table_id_from_name("person"));
else log(caught(() => sys.row_iter_bsatn_close(it)).code);`), abi.Limits{})
	w.callID(0, "open")
	w.callID(1, "close")
	if got := w.services.messages(); len(got) != 1 || got[0] != "6" {
		t.Errorf("closing a handle of an earlier call: %q", got)
	}
	e := newWorld(t, bundle(t, "edges-2.10"), abi.Limits{})
	e.must("fill", u32(5000))
	e.services.messages()
	e.must("first") // breaks out of an iteration
	if got := e.services.messages(); len(got) != 1 || !strings.HasPrefix(got[0], "person ") {
		t.Errorf("breaking out of an iteration: %q", got)
	}
}

func testLookupsDoNotAccumulate(t *testing.T) {
	spec.Covers(t, "04.19")
	w := newWorld(t, bundle(t, "edges-2.10"), abi.Limits{})
	w.must("fill", u32(10))
	before := w.MemoryBytes()
	n := uint32(100_000)
	if raced {
		n = 5000
	}
	w.must("lookups", u32(n))
	if after := w.MemoryBytes(); after > before+1<<20 {
		t.Errorf("the heap grew from %d to %d", before, after)
	}
}

func testDataFunctions(t *testing.T) {
	spec.Covers(t, "04.23")
	expect(t, v2(rowJS, `const t = sys.table_id_from_name("person"), ix = sys.index_id_from_name("person_id_idx_btree"), age = sys.index_id_from_name("person_age_idx_btree");
for (let i = 1; i <= 20; i++) { const r = row(i, "p" + i, i); sys.datastore_insert_bsatn(t, r.buffer, r.length); }
const count = (it) => { let n = 0; for (const buf = new ArrayBuffer(1 << 16);;) { const k = sys.row_iter_bsatn_advance(it, buf); const v = new DataView(buf);
  for (let p = 0; p < Math.abs(k);) { n++; p += 9 + v.getUint32(p + 4, true); } if (k <= 0) return n; } };
const b = (...xs) => new Uint8Array(xs).buffer;
log(count(sys.datastore_index_scan_point_bsatn(ix, b(3, 0, 0, 0), 4)), count(sys.datastore_index_scan_point_bsatn(ix, b(30, 0, 0, 0), 4)));
log(count(sys.datastore_index_scan_range_bsatn(age, b(0, 1, 1, 9), 0, 0, 2, 2)), count(sys.datastore_index_scan_range_bsatn(age, b(0, 5), 0, 0, 2, 0)), count(sys.datastore_index_scan_range_bsatn(age, b(2, 2), 0, 0, 1, 1)));
log(sys.datastore_delete_by_index_scan_range_bsatn(age, b(0, 1, 1, 9), 0, 0, 2, 2), sys.datastore_delete_by_index_scan_point_bsatn(ix, b(9, 0, 0, 0), 4), sys.datastore_table_row_count(t));
const r = row(10, "p10", 10), rel = new Uint8Array(4 + r.length); rel[0] = 1; rel.set(r, 4);
log(sys.datastore_delete_all_by_eq_bsatn(t, rel.buffer, rel.length), sys.datastore_delete_all_by_eq_bsatn(t, rel.buffer, rel.length));
const u = row(11, "new", 11); log(sys.datastore_update_bsatn(t, ix, u.buffer, u.length), caught(() => sys.datastore_update_bsatn(t, ix, r.buffer, r.length)).code, caught(() => sys.datastore_update_bsatn(t, age, u.buffer, u.length)).code);
const n = sys.datastore_clear(t); log(typeof n, n, sys.datastore_table_row_count(t));
log(caught(() => sys.table_id_from_name("nope")).code, caught(() => sys.index_id_from_name("nope")).code, caught(() => sys.datastore_table_row_count(9999)).code, caught(() => sys.datastore_clear(9999)).code,
  caught(() => sys.datastore_index_scan_point_bsatn(9999, b(), 0)).code, caught(() => sys.datastore_index_scan_point_bsatn(ix, b(1), 1)).code, caught(() => sys.table_id_from_name("st_env")).code);`),
		"1 0", "8 1 20", "8 1 11", "1 0", "0 15 14", "bigint 10 0", "4 5 4 4 5 3 4")
}

func testArgumentTypes(t *testing.T) {
	expect(t, v2(``, `const names = (...fs) => log(fs.map((f) => { const e = caught(f); return e?.constructor?.name + ": " + e?.message; }).join("\n"));
names(() => sys.datastore_table_row_count("1"), () => sys.datastore_table_row_count(-1), () => sys.datastore_table_row_count(1.5), () => sys.datastore_table_row_count(-0),
  () => sys.datastore_table_row_count(2 ** 32), () => sys.datastore_table_row_count(1n), () => sys.datastore_table_row_count(), () => sys.table_id_from_name(5), () => sys.console_log(2, {}),
  () => sys.console_timer_start(null), () => sys.row_iter_bsatn_advance(1, new Uint8Array(4)), () => sys.datastore_insert_bsatn(1, new SharedArrayBuffer(4), 4),
  () => sys.datastore_index_scan_range_bsatn(1, new ArrayBuffer(4), 0, 65536, 0, 0), () => sys.volatile_nonatomic_schedule_immediate("x", new ArrayBuffer(1)),
  () => sys.volatile_nonatomic_schedule_immediate("x", new Int8Array(1)), () => sys.get_jwt_payload(1), () => sys.get_jwt_payload(-1n), () => sys.get_jwt_payload(1n << 128n),
  () => { const b = new ArrayBuffer(4); b.transfer(); sys.datastore_insert_bsatn(1, b, 0); });`), strings.Join([]string{
		"TypeError: Expected u32, got a string", "TypeError: Expected u32, got a number", "TypeError: Expected u32, got a number",
		"TypeError: Expected u32, got a number", "TypeError: Expected u32, got a number", "TypeError: Expected u32, got a bigint",
		"TypeError: Expected u32, got undefined", "TypeError: Expected string, got a number", "TypeError: Expected string, got an object",
		"TypeError: Expected string, got null", "TypeError: Expected ArrayBuffer, got an object", "TypeError: Expected ArrayBuffer, got an object",
		"TypeError: Value overflowed `u16`", "TypeError: Expected Uint8Array, got an object", "TypeError: Expected Uint8Array, got an object",
		"TypeError: Expected u128, got a number", "TypeError: Value underflowed `u128`", "TypeError: Value overflowed `u128`",
		"TypeError: Expected ArrayBuffer, got an object"}, "\n"))
}

func testMiscFunctions(t *testing.T) {
	w := rawWorld(t, v2(``, `log(sys.identity());
log(new TextDecoder().decode(sys.get_jwt_payload(conn)), sys.get_jwt_payload(conn + 1n).length);
sys.volatile_nonatomic_schedule_immediate("later", new Uint8Array([0, 65, 66]).subarray(1));
const span = sys.console_timer_start('a "b"'); sys.console_timer_end(span); log(caught(() => sys.console_timer_end(span)).code);
sys.console_log(101, "lone \ud800 surrogate"); sys.console_log(0x102, "wraps"); sys.console_log(55, "unknown");
const deep = (f) => f(); deep(function callback() { const report = (s) => sys.console_log(1, s); report("placed"); });`), abi.Limits{})
	now := w.services.Now()
	w.services.now = func() (t sats.Timestamp) { now += 1500; return now }
	w.services.jwts = map[sats.ConnectionID]string{w.conn: `{"sub":"é"}`}
	if out := w.callID(0, "misc"); out.Status != abi.StatusOK {
		t.Fatal(out.Err)
	}
	for i, want := range []abi.LogRecord{
		{Level: abi.LogInfo, Message: "14528991250861404666834535435384615765856667510756806797353855100662256435713"},
		{Level: abi.LogInfo, Message: `{"sub":"é"} 0`},
		{Level: abi.LogInfo, Message: `Timing span "a \"b\"": 1.5ms`},
		{Level: abi.LogInfo, Message: "7"},
		{Level: abi.LogPanic, Message: "lone \ufffd surrogate"},
		{Level: abi.LogInfo, Message: "wraps"},
		{Level: abi.LogDebug, Message: "unknown"},
		{Level: abi.LogWarn, Message: "placed"},
	} {
		got := w.services.logs[i]
		if got.Level != want.Level || got.Message != want.Message || got.Function != "misc" {
			t.Errorf("record %d is %+v, want %+v", i, got, want)
		}
		if i == 2 {
			if got.HasLine || got.Filename != "" {
				t.Errorf("a timer's record has the place %s:%d", got.Filename, got.Line)
			}
		} else if !got.HasLine || got.Filename != jshost.Resource {
			t.Errorf("record %d has the place %q:%d", i, got.Filename, got.Line)
		}
	}
	if last := w.services.logs[7]; last.Line != w.services.logs[6].Line+1 {
		t.Errorf("line %d, want that of the caller's caller", last.Line)
	}
	if trace := w.services.logs[4]; len(trace.Trace) == 0 || trace.Trace[0] != jshost.HookReducer || !strings.HasPrefix(trace.TraceAt[0], jshost.Resource+":") {
		t.Errorf("the trace of a panic record is %q at %q", trace.Trace, trace.TraceAt)
	}
	if s := w.services.scheduled; len(s) != 1 || s[0] != "later(AB)" {
		t.Errorf("scheduled %q", s)
	}
	expect(t, v1(``, `log(JSON.stringify(Object.keys(sys.identity())), typeof sys.identity().__identity__); return { tag: "ok" };`), `["__identity__"] bigint`)
}

func testEnvGet(t *testing.T) {
	spec.Covers(t, "04.39") // at the top level: TestStartFailures
	expect(t, v2(``, `log([["A=B"], [""], ["1A"], ["x".repeat(257)]].map((a) => caught(() => sys.env_get(...a)).code))`), "1,1,1,1")
	logs, out := run(t, v2(``, `try { sys.env_get("A"); } catch { log("caught"); } finally { log("finally"); }`))
	if out.Status != abi.StatusTrap || len(logs) != 1 || strings.Contains(logs[0], "caught") {
		t.Errorf("an undeclared variable: %v %q", out.Status, logs)
	}
	w := rawWorld(t, v2(``, `log(JSON.stringify(["SET", "EMPTY", "UNSET"].map((k) => sys.env_get(k))));`), abi.Limits{})
	value, empty := "v", ""
	w.services.env = map[string]*string{"SET": &value, "EMPTY": &empty, "UNSET": nil}
	w.callID(0, "test")
	if got := w.services.messages(); !slices.Equal(got, []string{`["v","",null]`}) {
		t.Errorf("logged %q", got)
	}
}

// Only procedures and handlers may ask, and start nothing while the module is loaded.
func testStartTxAtTopLevel(t *testing.T) {
	expect(t, v2(`const early = ["procedure_start_mut_tx", "procedure_http_request"].map((f) =>
  String(caught(() => sys[f](new Uint8Array([0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 2]), ""))));`, `log(early)`),
		"Error: Attempted async or blocking op while holding open a transaction,Error: Attempted async or blocking op while holding open a transaction")
}

// callHandler calls an HTTP handler.
func (w *world) callHandler(host abi.ProcedureHost) (abi.HandlerResult, abi.Outcome) {
	return w.CallHandler(w.t.Context(), &abi.HandlerCall{ID: 3, Name: "h", Time: w.time, Sender: w.sender, JWT: []byte("{}"),
		Request: []byte{1, 2}, Body: []byte{3}, Host: host})
}

func testHandlerArguments(t *testing.T) {
	spec.Covers(t, "04.40")
	handler := func(body string) []byte {
		return []byte(strings.Replace(string(v2(``, ``)), "__call_view__() {}", "__call_http_handler__(...a) { "+body+" }, __call_view__() {}", 1))
	}
	w := rawWorld(t, handler(`log(a.map((x) => typeof x + ":" + (x.constructor?.name)), a.length, a[4], a[5].length, a[2].length, a[3].length);
return [new Uint8Array([0, 7, 8]).subarray(1), new Uint8Array()];`), abi.Limits{})
	r, out := w.callHandler(nil)
	if out.Status != abi.StatusOK || string(r.Response) != "\x07\x08" || len(r.Body) != 0 {
		t.Errorf("%+v, %+v", r, out)
	}
	want := "number:Number,bigint:BigInt,object:Uint8Array,object:Uint8Array,bigint:BigInt,object:Uint8Array 6 4660 2 2 1"
	if got := w.services.messages(); !slices.Equal(got, []string{want}) {
		t.Errorf("logged %q, want %q", got, want)
	}
	for body, want := range map[string]string{
		`return 5`:                       "Expected an array of response and body, got a number",
		`return [new Uint8Array()]`:      "exactly two",
		`return [new Uint8Array(), "x"]`: "Expected Uint8Array, got a string",
		`return { 0: new Uint8Array(), 1: new Uint8Array(), length: 2 }`: "Expected an array",
		`throw new SenderError("no")`:                                    "no",
	} {
		w := rawWorld(t, handler(body), abi.Limits{})
		_, out := w.callHandler(nil)
		if out.Status == abi.StatusOK || !out.Discard || !strings.Contains(out.Err.Error(), want) {
			t.Errorf("%s: %+v; want %s", body, out, want)
		}
	}
}

func testViewResults(t *testing.T) {
	view := func(module string) (abi.ViewResult, abi.Outcome, *world) {
		w := rawWorld(t, []byte(module), abi.Limits{})
		tx := w.store.Begin()
		defer tx.Rollback()
		r, out := w.CallView(t.Context(), &abi.ViewCall{Name: "v", Anonymous: true, Tx: tx})
		return r, out, w
	}
	two := func(body string) string {
		return strings.Replace(string(v2(``, ``)), "__call_view_anon__() {}", "__call_view_anon__() { "+body+" }", 1)
	}
	one := func(body string) string {
		return string(v1(`s11.register_hooks({ __call_view__() {}, __call_view_anon__() { `+body+` } });`, ``))
	}
	for _, c := range []struct {
		name, module, rows, query string
		status                    abi.Status
		err                       string
	}{
		{"rows", two(`return { data: new Uint8Array([9, 0, 1, 2]).subarray(1) }`), "\x01\x02", "", abi.StatusOK, ""},
		{"query", two(`return { data: new Uint8Array([1, 2, 0, 0, 0, 65, 66]) }`), "", "AB", abi.StatusOK, ""},
		{"bytes alone in version 2", two(`return new Uint8Array([0, 0, 0, 0])`), "", "", abi.StatusTrap, "Expected Uint8Array, got undefined"},
		{"no object", two(`return 5`), "", "", abi.StatusTrap, "got a number"},
		{"promise", two(`return Promise.resolve()`), "", "", abi.StatusTrap, "got undefined"},
		{"no header", two(`return { data: new Uint8Array() }`), "", "", abi.StatusBadResult, "Error materializing view `v`: the header"},
		{"unknown header", two(`return { data: new Uint8Array([2]) }`), "", "", abi.StatusBadResult, "Error materializing view `v`: the header"},
		{"query cut short", two(`return { data: new Uint8Array([1, 9, 0, 0, 0, 65]) }`), "", "", abi.StatusBadResult, "Error materializing view `v`: "},
		{"sender error", two(`throw new SenderError("x")`), "", "", abi.StatusTrap, "x"},
		{"bytes alone in version 1", one(`return new Uint8Array([1, 2])`), "\x01\x02", "", abi.StatusOK, ""},
		{"header in version 1", one(`return { data: new Uint8Array([0, 1, 2]) }`), "\x01\x02", "", abi.StatusOK, ""},
		{"no hook", string(v1(``, ``)), "", "", abi.StatusTrap, "has no hook `__call_view_anon__`"},
	} {
		r, out, w := view(c.module)
		if out.Status != c.status || out.Discard || string(r.Rows) != c.rows || r.Query != c.query || r.IsQuery != (c.query != "") {
			t.Errorf("%s: %+v, %+v", c.name, r, out)
		}
		if c.err != "" && !strings.Contains(out.Err.Error(), c.err) {
			t.Errorf("%s: %v, want %s", c.name, out.Err, c.err)
		}
		if c.name == "sender error" && len(w.services.logs) != 0 {
			t.Errorf("%s: logged %+v", c.name, w.services.logs)
		}
	}
}
