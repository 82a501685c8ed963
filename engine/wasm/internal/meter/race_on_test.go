//go:build race

package meter

// The race detector sees nothing in compiled modules, and slows their host down.
const raceDetector = true
