//go:build race

package main

// Under the race detector compiling a module to machine code takes half a minute.
const skipWasm = true
