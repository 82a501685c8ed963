//go:build race

package js

// raced says that the race detector runs, which makes the engine some fifty times slower.
const raced = true
