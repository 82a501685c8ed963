//go:build race

package wasm

// raced says that the race detector runs, which makes the interpreter very slow.
const raced = true
