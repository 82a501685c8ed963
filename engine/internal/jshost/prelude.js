// Evaluated before a module: the globals that spec 04 §9 and §13 add to those of the engine. The three arguments are functions
// of the host that user code never gets to see.
(function (encode, decode, asUintN) {
  "use strict";

  const define = (target, name, value) =>
    Object.defineProperty(target, name, { value, writable: true, enumerable: false, configurable: true });

  for (const name of ["dispose", "asyncDispose"]) {
    if (Symbol[name] === undefined) {
      Object.defineProperty(Symbol, name, { value: Symbol("Symbol." + name) });
    }
  }

  // A finalizer that ran late could close a row iterator of another call.
  define(globalThis, "FinalizationRegistry", class FinalizationRegistry {
    constructor(callback) {
      if (typeof callback !== "function") throw new TypeError("the cleanup callback is not a function");
    }
    register() {}
    unregister() {
      return false;
    }
  });
  Object.defineProperty(FinalizationRegistry.prototype, Symbol.toStringTag, {
    value: "FinalizationRegistry",
    configurable: true,
  });

  // The engine's own leaves negative numbers negative if the width is a multiple of its digits.
  if (BigInt.asUintN(64, -1n) !== 0xffffffffffffffffn || BigInt.asUintN(128, -1n) < 0n) {
    const wide = BigInt.asUintN;
    define(BigInt, "asUintN", {
      asUintN(bits, bigint) {
        if (bits === 64 || bits === 32 || bits === 8 || bits === 16) return asUintN(bits, bigint);
        const n = wide(bits, bigint);
        return n < 0n ? n + (1n << BigInt(bits)) : n;
      },
    }.asUintN);
  }

  define(globalThis, "TextEncoder", class TextEncoder {
    get encoding() {
      return "utf-8";
    }
    encode(input = "") {
      return encode(`${input}`);
    }
  });

  define(globalThis, "TextDecoder", class TextDecoder {
    #fatal;
    constructor(label = "utf-8", options = {}) {
      if (label !== "utf-8") throw new RangeError("The encoding label provided is invalid");
      if (options.ignoreBOM) throw new TypeError("Option 'ignoreBOM' not supported");
      this.#fatal = Boolean(options.fatal);
    }
    get encoding() {
      return "utf-8";
    }
    get fatal() {
      return this.#fatal;
    }
    get ignoreBOM() {
      return false;
    }
    decode(input, options = {}) {
      if (options.stream) throw new TypeError("Option 'stream' not supported");
      if (input instanceof DataView) input = new Uint8Array(input.buffer, input.byteOffset, input.byteLength);
      return decode(input, this.#fatal);
    }
  });

  Object.defineProperty(Math, "random", {
    get() {
      throw new TypeError("Math.random is not available in SpacetimeDB modules. Use ctx.random instead.");
    },
    enumerable: false,
    configurable: true,
  });

  // The packages put their own in its place.
  const console = {};
  for (const name of ["debug", "error", "info", "log", "warn", "dir", "dirxml", "table", "trace", "group", "groupCollapsed",
    "groupEnd", "clear", "count", "countReset", "assert", "profile", "profileEnd", "time", "timeLog", "timeEnd", "timeStamp"]) {
    console[name] = { [name]() {} }[name];
  }
  define(globalThis, "console", console);

  // What this engine has and upstream's lacks.
  for (const name of ["queueMicrotask", "performance", "navigator", "structuredClone", "btoa", "atob", "DOMException", "InternalError"]) {
    delete globalThis[name];
  }
})
