// Package v8 runs modules written in TypeScript or JavaScript (spec 04) on V8, which it finds in a libnode that the
// distribution provides. It is built with the tag v8 and cgo only, and offers nothing otherwise: engine/js is always there.
//
// It owns the way from the text of one ES module to calls of its hooks, as engine/js does, and keeps the same promises: a
// module's loops, recursion and allocations end in an abi.Outcome, and what V8 takes for a reason to end the process ends the call,
// except inside functions of V8's own that neither return nor allocate (spec 04b §6) and on its background threads. What the
// host functions mean is the business of internal/abi.
//
// The C++ files are the only code that knows V8. They do the conversions, so that a call crosses the border once, and a host
// function once on its way back. An instance is an isolate of its own, which may move between threads: each call locks it.
package v8
