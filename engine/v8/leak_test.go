//go:build v8 && cgo

package v8

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stdbgo/spacetime/engine/internal/jstest"
	"github.com/stdbgo/spacetime/internal/abi"
)

// resident is the memory of the process.
func resident(t *testing.T) int {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Skip("there is no /proc: ", err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(text))[1])
	if err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize()
}

// Instances go with all that they hold, and so do those that the engine gave up.
func TestInstancesGo(t *testing.T) {
	for name, body := range map[string]string{
		"well":   `globalThis.kept = new Array(1 << 20).fill(1.5);`,
		"broken": `globalThis.kept = new Array(1 << 20).fill(1.5); "x".repeat(2 ** 29 - 30).split("")`,
	} {
		t.Run(name, func(t *testing.T) {
			run := func(t *testing.T) {
				jstest.Hostile(t, suite, body, abi.Limits{Time: 10 * time.Second, Memory: 600 << 20})
			}
			t.Run("first", run)
			before := resident(t)
			for range 3 {
				t.Run("again", run)
			}
			if grown := resident(t) - before; grown > 40<<20 {
				t.Errorf("three calls later the process is %d bytes larger", grown)
			}
		})
	}
}
