//go:build race

package query

// The race detector makes pools forget at random, so allocations say nothing.
const raceDetector = true
