//go:build race

package jstest

// raced says that the race detector runs, which makes the engine some fifty times slower.
const raced = true
