package jstest

import (
	"slices"
	"testing"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/spec"
)

func testGlobals(t *testing.T) {
	spec.Covers(t, "04.28")
	expect(t, v2(``, `for (const name of ["setTimeout", "setInterval", "setImmediate", "queueMicrotask", "fetch", "XMLHttpRequest", "WebSocket", "URL", "crypto",
  "performance", "atob", "btoa", "structuredClone", "AbortController", "process", "require", "Buffer", "document", "navigator", "std", "os", "scriptArgs", "print"])
  if (typeof globalThis[name] !== "undefined") log(name);
const e = caught(() => Math.random); log(e.constructor === TypeError, e.message);
log("random" in Math, Object.keys(Math).length, typeof Symbol.dispose, typeof Symbol.asyncDispose, typeof console.log, console.log("nothing"));
for (const name of ["Map", "BigInt", "WeakRef", "WeakSet", "Proxy", "Reflect", "SharedArrayBuffer", "Atomics", "Iterator", "eval", "Promise", "Date", "BigUint64Array"])
  if (typeof globalThis[name] === "undefined") log(name);
log(typeof Set.prototype.isSubsetOf, typeof Object.groupBy, typeof Promise.withResolvers, typeof Uint8Array.fromHex, typeof ArrayBuffer.prototype.transfer, typeof Uint8Array.prototype.at);
log(Math.abs(Date.now() - Number(time) / 1000) > 1000, [1, 2, 3].values().map((x) => x * 2).toArray());
const r = new FinalizationRegistry(() => {}); r.register({}, 1); log(r.unregister({}), caught(() => new FinalizationRegistry()).name);
log(JSON.stringify(import.meta), caught(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)).name);`),
		"true Math.random is not available in SpacetimeDB modules. Use ctx.random instead.",
		"true 0 symbol symbol function undefined",
		"function function function function function function",
		"true 2,4,6", "false TypeError", "{} TypeError")
}

func testText(t *testing.T) {
	spec.Covers(t, "04.29")
	expect(t, v2(``, `const names = (...fs) => log(fs.map((f) => { const e = caught(f); return e?.constructor?.name + ": " + e?.message; }).join("; "));
names(() => new TextDecoder("utf-16le"), () => new TextDecoder("utf-8", { ignoreBOM: true }));
const d = new TextDecoder(), f = new TextDecoder("utf-8", { fatal: true });
names(() => f.decode(new Uint8Array([255])), () => d.decode(), () => d.decode("x"), () => d.decode(new Uint8Array(1), { stream: true }));
log(d.encoding, d.fatal, d.ignoreBOM, f.fatal, new TextEncoder().encoding, typeof new TextEncoder().encodeInto);
const codes = (s) => [...s].map((c) => c.codePointAt(0).toString(16)).join();
log(codes(d.decode(new Uint8Array([255, 65]))), codes(d.decode(new Uint8Array([0xe2, 0x82, 65, 0xf0, 0x9f, 0x98]))), codes(d.decode(new Uint8Array([0xef, 0xbb, 0xbf, 65]))), codes(d.decode(new Uint8Array([0xed, 0xa0, 0x80]))));
const bytes = new TextEncoder().encode("aé€😀\ud800b");
log(bytes, bytes.byteOffset, bytes.buffer.byteLength, new TextEncoder().encode().length, new TextEncoder().encode(5));
log(d.decode(new DataView(bytes.buffer, 1, 2)), d.decode(bytes.buffer.slice(3, 6)), d.decode(new Uint16Array([0x4241])), f.decode(new Uint8Array(0)).length, d.decode(bytes.subarray(0, 6)));
const shared = new SharedArrayBuffer(2); new Uint8Array(shared).set([72, 105]); log(d.decode(shared));`),
		"RangeError: The encoding label provided is invalid; TypeError: Option 'ignoreBOM' not supported",
		"TypeError: The encoded data was not valid utf-8; TypeError: Expected ArrayBuffer or ArrayBufferView, got undefined; "+
			"TypeError: Expected ArrayBuffer or ArrayBufferView, got a string; TypeError: Option 'stream' not supported",
		"utf-8 false false true utf-8 undefined",
		"fffd,41 fffd,41,fffd feff,41 fffd,fffd,fffd",
		"97,195,169,226,130,172,240,159,152,128,239,191,189,98 0 14 0 53",
		"é € AB 0 aé€", "Hi")
}

// The engine's own BigInt.asUintN leaves some numbers negative.
func testAsUintN(t *testing.T) {
	expect(t, v2(``, `let bad = 0;
const right = (bits, v) => { const m = 1n << BigInt(bits); return ((v % m) + m) % m; };
for (let e = 0n; e < 300n; e += 7n)
  for (const v of [1n << e, -(1n << e), (1n << e) - 1n, 1n - (1n << e), (1n << e) + 12345n, -(1n << e) - 98765n])
    for (const bits of [0, 1, 7, 8, 16, 31, 32, 33, 63, 64, 65, 127, 128, 129, 256])
      if (BigInt.asUintN(bits, v) !== right(bits, v) && bad++ < 5) log(bits, v, BigInt.asUintN(bits, v));
log(bad, BigInt.asUintN.name, BigInt.asUintN.length, BigInt.asUintN(64, "5"), caught(() => BigInt.asUintN(64, 5)).name, caught(() => BigInt.asUintN(-1, 5n)).name, caught(() => new BigInt.asUintN(1, 1n)).name);
const b = new DataView(new ArrayBuffer(8)); b.setBigUint64(0, (1n << 64n) * 7n - 1n); log(b.getBigUint64(0));`),
		"0 asUintN 2 5 TypeError RangeError TypeError", "18446744073709551615")
}

func testRandomVector(t *testing.T) {
	spec.Covers(t, "04.34")
	for _, version := range []string{"1.12", "2.10"} {
		w := newWorld(t, bundle(t, "edges-"+version), abi.Limits{})
		w.must("random")
		want := []string{"0.4025256081205809 7 0cffaf89-cb1a-40fe-b502-3dff8241666b 018bcfe5-6800-7000-8000-00002f578b01"}
		if got := w.services.messages(); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", version, got, want)
		}
	}
}
