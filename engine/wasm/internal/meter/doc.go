// Package meter reads WebAssembly modules and rewrites them so that they count what they execute.
//
// A rewritten module keeps its fuel in a global of its own. At the head of every loop and at the entry of every function
// that is not small and free of loops, it takes off the cost of the code ahead; when the fuel falls below zero it calls
// the import Refill with the (negative) rest and goes on with what that returns. So a host gets control at least every
// few milliseconds of guest execution and decides there about budgets, time limits and cancellation.
//
// The package promises that a rewritten module computes what the original computes, and that a module cannot reach the
// global or the import by itself. It must not know what runs the modules or what the imports mean. It checks structure
// only as far as it relies on it: types are the engine's to validate, after rewriting.
//
// Format: WebAssembly core specification 2.0, chapter 5 (binary format). Multi-byte numbers are LEB128.
package meter
