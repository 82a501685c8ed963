//go:build race

package abi

// raceDetector says that the compiler inlines less than usual.
const raceDetector = true
