// Evaluated before the prelude: what user code may expect of V8 14 and an older one lacks (spec 04 §13). Each is left alone
// where the engine has its own. The two arguments are functions of the host that user code never gets to see.
(function (detach, isDetached) {
  "use strict";

  const define = (target, functions) => {
    for (const name of Reflect.ownKeys(functions)) {
      if (name in target) continue;
      const d = Object.getOwnPropertyDescriptor(functions, name);
      d.enumerable = false;
      Object.defineProperty(target, name, d);
    }
  };
  const callable = (f) => {
    if (typeof f !== "function") throw new TypeError(`${typeof f} is not a function`);
    return f;
  };

  // No escape from the limits of the heap.
  delete globalThis.WebAssembly;

  // Sets

  const setLike = (other) => {
    const size = Number(other.size);
    if (Number.isNaN(size)) throw new TypeError("The 'size' property must be a number");
    const has = callable(other.has), keys = callable(other.keys);
    return {
      size,
      has: (v) => has.call(other, v),
      keys: function* () {
        const it = keys.call(other);
        for (;;) {
          const { done, value } = it.next();
          if (done) return;
          yield value;
        }
      },
    };
  };
  define(Set.prototype, {
    union(other) {
      const o = setLike(other), r = new Set(this);
      for (const v of o.keys()) r.add(v);
      return r;
    },
    intersection(other) {
      const o = setLike(other), r = new Set();
      for (const v of this) if (o.has(v)) r.add(v);
      return r;
    },
    difference(other) {
      const o = setLike(other), r = new Set();
      for (const v of this) if (!o.has(v)) r.add(v);
      return r;
    },
    symmetricDifference(other) {
      const o = setLike(other), r = new Set(this);
      for (const v of o.keys()) if (this.has(v)) r.delete(v); else r.add(v);
      return r;
    },
    isSubsetOf(other) {
      const o = setLike(other);
      if (this.size > o.size) return false;
      for (const v of this) if (!o.has(v)) return false;
      return true;
    },
    isSupersetOf(other) {
      const o = setLike(other);
      if (this.size < o.size) return false;
      for (const v of o.keys()) if (!this.has(v)) return false;
      return true;
    },
    isDisjointFrom(other) {
      const o = setLike(other);
      for (const v of this) if (o.has(v)) return false;
      return true;
    },
  });

  // Iterators

  const IteratorPrototype = Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]()));
  if (globalThis.Iterator === undefined) {
    const Iterator = function Iterator() {
      if (new.target === undefined || new.target === Iterator) throw new TypeError("Iterator is an abstract class");
    };
    Object.defineProperty(Iterator, "prototype", { value: IteratorPrototype, writable: false });
    define(Iterator, {
      from(o) {
        const f = o[Symbol.iterator];
        const it = f === undefined || f === null ? o : f.call(o);
        if (it instanceof Iterator) return it;
        return (function* () {
          for (;;) {
            const { done, value } = it.next();
            if (done) return value;
            yield value;
          }
        })();
      },
    });
    Object.defineProperty(globalThis, "Iterator", { value: Iterator, writable: true, configurable: true });
    Object.defineProperty(IteratorPrototype, "constructor", { value: Iterator, writable: true, configurable: true });
  }
  const count = (n) => {
    n = Math.trunc(Number(n));
    if (Number.isNaN(n) || n < 0) throw new RangeError(`${n} must be positive`);
    return n;
  };
  const iterate = (it) => ({ [Symbol.iterator]: () => it });
  define(IteratorPrototype, {
    map(f) {
      callable(f);
      return (function* (it) {
        let i = 0;
        for (const v of iterate(it)) yield f(v, i++);
      })(this);
    },
    filter(f) {
      callable(f);
      return (function* (it) {
        let i = 0;
        for (const v of iterate(it)) if (f(v, i++)) yield v;
      })(this);
    },
    take(n) {
      return (function* (it, n) {
        if (n === 0) {
          it.return?.();
          return;
        }
        for (const v of iterate(it)) {
          yield v;
          if (--n <= 0) return;
        }
      })(this, count(n));
    },
    drop(n) {
      return (function* (it, n) {
        for (const v of iterate(it)) if (n > 0) n--; else yield v;
      })(this, count(n));
    },
    flatMap(f) {
      callable(f);
      return (function* (it) {
        let i = 0;
        for (const v of iterate(it)) yield* Iterator.from(f(v, i++));
      })(this);
    },
    reduce(f, ...initial) {
      callable(f);
      let i = 0, empty = initial.length === 0, acc = initial[0];
      for (const v of iterate(this)) {
        acc = empty ? v : f(acc, v, i);
        empty = false;
        i++;
      }
      if (empty) throw new TypeError("Reduce of a done iterator with no initial value");
      return acc;
    },
    toArray() {
      return [...iterate(this)];
    },
    forEach(f) {
      callable(f);
      let i = 0;
      for (const v of iterate(this)) f(v, i++);
    },
    some(f) {
      callable(f);
      let i = 0;
      for (const v of iterate(this)) if (f(v, i++)) return true;
      return false;
    },
    every(f) {
      callable(f);
      let i = 0;
      for (const v of iterate(this)) if (!f(v, i++)) return false;
      return true;
    },
    find(f) {
      callable(f);
      let i = 0;
      for (const v of iterate(this)) if (f(v, i++)) return v;
      return undefined;
    },
    [Symbol.dispose]() {
      this.return?.();
    },
  });

  // Groups and promises

  define(Object, {
    groupBy(items, f) {
      callable(f);
      const r = Object.create(null);
      let i = 0;
      for (const v of items) {
        const key = f(v, i++);
        (r[key] ??= []).push(v);
      }
      return r;
    },
  });
  define(Map, {
    groupBy(items, f) {
      callable(f);
      const r = new Map();
      let i = 0;
      for (const v of items) {
        const key = f(v, i++), group = r.get(key);
        if (group) group.push(v); else r.set(key, [v]);
      }
      return r;
    },
  });
  define(Promise, {
    withResolvers() {
      let resolve, reject;
      const promise = new this((a, b) => ((resolve = a), (reject = b)));
      return { promise, resolve, reject };
    },
    try(f, ...args) {
      return new this((resolve) => resolve(f(...args)));
    },
  });

  // Arrays

  const relative = (i, length) => {
    i = Math.trunc(Number(i)) || 0;
    return i < 0 ? i + length : i;
  };
  const checked = (i, length) => {
    i = relative(i, length);
    if (i < 0 || i >= length) throw new RangeError("Invalid index : " + i);
    return i;
  };
  define(Array.prototype, {
    toReversed() {
      return Array.from(this).reverse();
    },
    toSorted(f) {
      if (f !== undefined) callable(f);
      return Array.from(this).sort(f);
    },
    toSpliced(...args) {
      const r = Array.from(this);
      r.splice(...args);
      return r;
    },
    with(i, v) {
      const r = Array.from(this);
      r[checked(i, r.length)] = v;
      return r;
    },
  });
  define(Object.getPrototypeOf(Int8Array.prototype), {
    toReversed() {
      return this.slice().reverse();
    },
    toSorted(f) {
      if (f !== undefined) callable(f);
      return this.slice().sort(f);
    },
    with(i, v) {
      const r = this.slice();
      r[checked(i, r.length)] = v;
      return r;
    },
  });
  define(Array, {
    async fromAsync(items, f, self) {
      if (f !== undefined) callable(f);
      const r = [];
      let i = 0;
      const list = items[Symbol.asyncIterator] || items[Symbol.iterator] ? items : Array.from(items);
      for await (const v of list) r.push(f ? await f.call(self, v, i++) : v);
      return r;
    },
  });

  // Text

  const lone = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;
  define(String.prototype, {
    isWellFormed() {
      return String(this).search(lone) < 0;
    },
    toWellFormed() {
      return String(this).replace(lone, "\ufffd");
    },
  });
  define(RegExp, {
    escape(s) {
      if (typeof s !== "string") throw new TypeError("the text is no string");
      return s.replace(/[\\^$.*+?()[\]{}|\/]/g, "\\$&").replace(/[^\\^$.*+?()[\]{}|\/\w]|^\w/gu, (c) => {
        const n = c.codePointAt(0);
        if (n > 255) return c;
        return "\\x" + n.toString(16).padStart(2, "0");
      });
    },
  });

  // Buffers

  const byteLength = Object.getOwnPropertyDescriptor(ArrayBuffer.prototype, "byteLength").get;
  const transfer = (buffer, length) => {
    const old = byteLength.call(buffer);
    length = length === undefined ? old : count(length);
    if (isDetached(buffer)) throw new TypeError("Cannot perform ArrayBuffer.prototype.transfer on a detached ArrayBuffer");
    const r = new ArrayBuffer(length);
    new Uint8Array(r).set(new Uint8Array(buffer, 0, Math.min(old, length)));
    detach(buffer);
    return r;
  };
  define(ArrayBuffer.prototype, {
    transfer(length) {
      return transfer(this, length);
    },
    transferToFixedLength(length) {
      return transfer(this, length);
    },
    get detached() {
      return isDetached(this);
    },
  });
  const digits = "0123456789abcdef";
  const alphabets = { base64: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/" };
  alphabets.base64url = alphabets.base64.slice(0, 62) + "-_";
  const alphabet = (options) => {
    const a = alphabets[options?.alphabet ?? "base64"];
    if (!a) throw new TypeError("the alphabet must be base64 or base64url");
    return a;
  };
  define(Uint8Array, {
    fromHex(s) {
      if (typeof s !== "string") throw new TypeError("the text is no string");
      if (s.length % 2 || /[^0-9a-fA-F]/.test(s)) throw new SyntaxError("Input string must contain pairs of hex digits only");
      const r = new Uint8Array(s.length / 2);
      for (let i = 0; i < r.length; i++) r[i] = parseInt(s.substr(2 * i, 2), 16);
      return r;
    },
    fromBase64(s, options) {
      if (typeof s !== "string") throw new TypeError("the text is no string");
      const a = alphabet(options), r = [];
      let bits = 0, n = 0;
      for (const c of s.replace(/[\t\n\f\r ]/g, "").replace(/={0,2}$/, "")) {
        const d = a.indexOf(c);
        if (d < 0) throw new SyntaxError("The input has a character that is not in the alphabet");
        bits = (bits << 6) | d;
        n += 6;
        if (n >= 8) r.push((bits >> (n -= 8)) & 255);
      }
      if (n >= 6) throw new SyntaxError("The input is cut off");
      return new Uint8Array(r);
    },
  });
  define(Uint8Array.prototype, {
    toHex() {
      let s = "";
      for (const b of this) s += digits[b >> 4] + digits[b & 15];
      return s;
    },
    toBase64(options) {
      const a = alphabet(options);
      let s = "";
      for (let i = 0; i < this.length; i += 3) {
        const n = (this[i] << 16) | (this[i + 1] << 8) | this[i + 2];
        s += a[n >> 18] + a[(n >> 12) & 63];
        if (i + 1 < this.length) s += a[(n >> 6) & 63];
        if (i + 2 < this.length) s += a[n & 63];
        else if (!options?.omitPadding) s += i + 1 < this.length ? "=" : "==";
      }
      return s;
    },
  });
})
