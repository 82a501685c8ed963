package wasm

import (
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
)

// A build with the published engine must not pass CI: it computes wrong results.
func TestCompilerIsSound(t *testing.T) {
	if failed := SelfTest(); len(failed) > 0 {
		t.Fatalf("the WebAssembly compiler computes wrongly in %v: run `go run ./tools/patchdeps`", failed)
	}
	var cases []selfTestCase
	if err := json.Unmarshal(selfTestCases, &cases); err != nil || len(cases) < 8 {
		t.Fatalf("%d self-test cases, %v", len(cases), err)
	}
}

func TestEngineModes(t *testing.T) {
	for mode, name := range map[Mode]string{"": "wasm/compiler", Auto: "wasm/compiler", Compiler: "wasm/compiler", Interpreter: "wasm/interpreter"} {
		e, err := New(Options{Engine: mode})
		if err != nil || e.Name() != name {
			t.Errorf("%q: %v, %v", mode, e, err)
			continue
		}
		e.Close()
	}
	if _, err := New(Options{Engine: "fast"}); err == nil || !strings.Contains(err.Error(), "fast") {
		t.Errorf("unknown engine: %v", err)
	}
}

// An unsound compiler is not chosen, and the operator is told.
func TestUnsoundCompilerIsAvoided(t *testing.T) {
	real := selfTestOnce
	defer func() { selfTestOnce = real }()
	selfTestOnce = func() []string { return []string{"order_s", "in_place"} }
	for mode, name := range map[Mode]string{Auto: "wasm/interpreter", Compiler: "wasm/compiler"} {
		var log strings.Builder
		e, err := New(Options{Engine: mode, Logger: slog.New(slog.NewTextHandler(&log, nil)), CacheDir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		if e.Name() != name || len(e.Unsound()) != 2 {
			t.Errorf("%s: %s, unsound %v", mode, e.Name(), e.Unsound())
		}
		if mode == Compiler && !strings.Contains(e.cache, "unsound") {
			t.Errorf("cache %s", e.cache)
		}
		if !strings.Contains(log.String(), "order_s in_place") || !strings.Contains(log.String(), "patchdeps") {
			t.Errorf("log: %s", &log)
		}
		e.Close()
	}
}
