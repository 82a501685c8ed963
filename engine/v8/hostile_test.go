//go:build v8 && cgo

package v8

import (
	"strings"
	"testing"
	"time"

	"github.com/stdbgo/spacetime/engine/internal/jstest"
	"github.com/stdbgo/spacetime/internal/abi"
)

// What this engine takes for a reason to end the process must end the call.
func TestFatalErrors(t *testing.T) {
	for name, c := range map[string]struct {
		memory uint64
		body   string
		ends   string
	}{
		"size":       {0, `"x".repeat(2 ** 29 - 30).split("")`, "invalid size error"},
		"allocation": {16 << 20, `Array.from({ length: 2 ** 31 })`, "exceeded memory limit"},
		"parse":      {64 << 20, `JSON.parse("[" + "[1],".repeat(2 ** 23) + "[]]")`, "exceeded memory limit"},
		"numbers":    {0, `let n = 1n; for (;;) n <<= 1000000n;`, "has run for more than 5s"},
		"spread":     {64 << 20, `const s = "y".repeat(2 ** 25); [...s]`, "exceeded memory limit"},
		"concat":     {64 << 20, `let a = new Array(2 ** 20).fill(1); for (;;) a = a.concat(a);`, "exceeded memory limit"},
		"one array":  {64 << 20, `const a = []; for (let i = 0; ; i++) a.push(i);`, "exceeded memory limit"},
		"sort":       {64 << 20, `new Array(2 ** 25 - 1).fill(1).sort(() => 1);`, "exceeded memory limit"},
	} {
		t.Run(name, func(t *testing.T) {
			limit := 4 * time.Minute // memory ends it first, on a busy machine too
			if strings.Contains(c.ends, "5s") {
				limit = 5 * time.Second
			}
			out := jstest.Hostile(t, suite, c.body, abi.Limits{Time: limit, Memory: c.memory})
			if out.Status == abi.StatusOK || !strings.Contains(out.Err.Error(), c.ends) {
				t.Errorf("%v: %v", out.Status, out.Err)
			}
		})
	}
}

// A join of holes takes no time here, and gives what it must.
func TestLongJoin(t *testing.T) {
	out := jstest.Hostile(t, suite, `new Array(2 ** 32 - 1).join("x")`, abi.Limits{Time: time.Minute})
	if out.Status == abi.StatusOK || !strings.Contains(out.Err.Error(), "RangeError: Invalid string length") {
		t.Errorf("%+v", out)
	}
}
