package wasm

import (
	"slices"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/abi"
)

// Modules that behave as those of the C# and the C++ SDK do: their order of initialisation, which the modules check
// themselves, their look-ups, buffers, bounds, iterators left open, results and panics.
func TestModulesLikeOtherSDKs(t *testing.T) {
	for _, c := range []struct {
		module         string
		again, fail    abi.Status // adding a key again; leave
		againSays      string
		failSays       string
		panicLevel     abi.LogLevel
		panicFile      string
		initialMessage string
	}{
		{"csharp", abi.StatusUserError, abi.StatusUserError, "System.Exception: no", "", abi.LogDebug, "Lib.cs", ""},
		{"cpp", abi.StatusBadResult, abi.StatusUserError, abi.FatalErrorText, "invariant broken", abi.LogError, "lib.cpp", "starting"},
	} {
		t.Run(c.module, func(t *testing.T) {
			d := open(t, "testdata/"+c.module)
			if c.initialMessage != "" && (len(d.s.logs) == 0 || !strings.Contains(d.s.logs[0].Message, c.initialMessage)) {
				t.Errorf("initialisation logged %+v", d.s.logs)
			}
			for _, row := range []string{"[1,7]", "[2,7]", "[3,8]", "[4,7]"} {
				d.must("add", row)
			}
			out := d.call("add", "[3,9]")
			if text := out.Message; out.Status != c.again || out.Discard || text != c.againSays && text != "" {
				t.Errorf("adding a key again: %+v", out)
			}
			if out := d.call("leave", "[]"); out.Status != c.fail || out.Message != c.failSays || out.Discard {
				t.Errorf("an error: %+v", out)
			}
			d.wantRows("item", "[1,7] [2,7] [3,8] [4,7]")
			d.must("drop_kind", "[7]")
			d.wantRows("item", "[3,8]")
			if out := d.call("crash", "[]"); out.Status != abi.StatusTrap || !out.Discard {
				t.Errorf("a panic: %+v", out)
			}
			if !slices.ContainsFunc(d.s.logs, func(r abi.LogRecord) bool {
				return r.Level == c.panicLevel && r.Filename == c.panicFile && r.Line == 42
			}) {
				t.Errorf("a panic logged %+v", d.s.logs)
			}
			d.must("drop_kind", "[8]") // in a new instance
			d.wantRows("item", "")
		})
	}
}
