package js

import (
	"strings"
	"testing"
	"time"

	"github.com/stdbgo/spacetime/engine/internal/jstest"
	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/spec"
)

// Functions of the engine's own that never look whether they have to end are ended all the same.
func TestEndlessFunctions(t *testing.T) {
	spec.Covers(t, "04.32")
	for _, c := range []struct{ name, body string }{
		{"indexOf", `[].indexOf.call({ length: 2 ** 53 - 1 }, 1);`},
		{"join", `new Array(2 ** 32 - 1).join("");`},
		{"sort", `const a = []; a[2 ** 32 - 2] = 1; a.sort();`},
		{"reverse, caught", `try { [].reverse.call({ length: 2 ** 53 - 1 }); } catch { for (;;); } finally { for (;;); }`},
		{"a string in a string", `"a".repeat(6e6).indexOf("a".repeat(3e6) + "b");`},
		{"a number in decimal", `for (;;) String(9n ** 300000n);`},
		{"in a getter of an error", `const e = new Error("x"); Object.defineProperty(e, "stack", { get: () => [].indexOf.call({ length: 2 ** 53 - 1 }, 1) }); throw e;`},
		{"in a promise's job", `Promise.resolve().then(() => [].lastIndexOf.call({ length: 2 ** 53 - 1 }, 1));`},
		{"after calls of the host", `for (let i = 0; i < 100; i++) sys.console_log(2, "x"); [].indexOf.call({ length: 2 ** 53 - 1 }, 1);`},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := jstest.Hostile(t, suite, c.body, abi.Limits{Time: time.Second, Memory: 32 << 20})
			if out.Status != abi.StatusOutOfEnergy || !out.Discard || out.Message != abi.OutOfEnergyText || !strings.Contains(out.Err.Error(), "more than 1s") {
				t.Errorf("ended with %+v", out)
			}
		})
	}
}
