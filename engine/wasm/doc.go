// Package wasm runs WebAssembly modules built with the SDKs for Rust, C#, C++ and Go (spec 03).
//
// It owns the way from a module's bytes to calls of its exports: checks, metering, compilation and its cache on disk, the
// imports as they look in linear memory, the WASI subset, limits, and what becomes of a trap. It promises that nothing a module
// does harms the process: an endless loop, runaway recursion, a growing memory and bad pointers all end in an abi.Outcome, and
// other goroutines keep running meanwhile. What the host functions mean is not its business but that of internal/abi.
//
// An Engine and its programs are safe for concurrent use, an instance is not.
package wasm
