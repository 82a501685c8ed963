// Package js runs modules written in TypeScript or JavaScript (spec 04) on QuickJS, in pure Go.
//
// It owns the way from the text of one ES module to calls of its hooks: lowering of syntax, compilation, the global
// environment, the spacetime:sys modules, limits, and what becomes of exceptions. It promises that a module's loops,
// recursion and allocations end in an abi.Outcome and harm nobody else, except inside a few native loops that QuickJS does
// not interrupt (spec 04b §6). What the host functions mean is not its business but that of internal/abi.
//
// An Engine and its programs are safe for concurrent use, an instance is not. QuickJS is C in Go's clothes: addresses are
// uintptr into memory of the instance's heap, and a wrong one is a memory fault, which ends the instance and not the process.
package js
