// Package abi is what every module engine and the host of a database have in common: the host functions of spec 03 and
// 04 as Go methods on one call context, and the interfaces that an engine implements.
//
// It owns the meaning of the host functions (transactions, byte streams, row iterators, timers, logs, error numbers) and
// the handles they give out. It promises that a host call on the usual paths allocates nothing. It must not know
// WebAssembly, JavaScript, module SDKs, files or clocks: what a call needs from outside comes through Services.
//
// A Context belongs to one instance and is used by one goroutine at a time.
package abi
