package wasm

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/spec"
)

// Reducers of testdata/gomodule.
const (
	goNothing = iota
	goClock
	goLoad
	goStreams
	goSystem
	goRandom
	goPanics
	goExits
	goDeadlock
)

// buildGo compiles testdata/gomodule to WebAssembly.
func buildGo(t *testing.T) []byte {
	if testing.Short() {
		t.Skip("building a Go module takes seconds")
	}
	tool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("the go command is not installed")
	}
	out := filepath.Join(t.TempDir(), "module.wasm")
	cmd := exec.Command(tool, "build", "-buildmode=c-shared", "-ldflags=-s -w", "-o", out, "./testdata/gomodule")
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0", "GOFLAGS=")
	if msg, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, msg)
	}
	return file(t, out)
}

func TestGoModule(t *testing.T) {
	spec.Covers(t, "03.56", "03.57", "03.58", "03.59", "03.60")
	p, err := engine(t).Load(t.Context(), buildGo(t), abi.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	s := newServices()
	in := instantiate(t, p, s)
	at := callTime
	call := func(reducer uint32) abi.Outcome {
		t.Helper()
		s.logs = nil
		out := in.CallReducer(t.Context(), &abi.ReducerCall{ID: reducer, Name: "go", Time: at})
		if out.Discard {
			in = instantiate(t, p, s)
		}
		return out
	}
	start := time.Now()
	for _, reducer := range []uint32{goNothing, goClock, goLoad, goClock} {
		if out := call(reducer); out.Status != abi.StatusOK {
			t.Errorf("reducer %d: %v %q %v", reducer, out.Status, out.Message, out.Err)
		}
	}
	if took := time.Since(start); took > 9*time.Second {
		t.Errorf("ten seconds of sleep took %v", took)
	}

	call(goStreams)
	var lines []string
	for _, r := range s.logs {
		lines = append(lines, r.Level.String()+" "+r.Message)
	}
	if want := []string{"Info three fragments", "Warn careful"}; !slices.Equal(lines, want) {
		t.Errorf("logged %q, want %q", lines, want)
	}

	out := call(goSystem)
	if want := "[stdb.wasm] | [] | open /etc/passwd: "; out.Status != abi.StatusUserError || !strings.HasPrefix(out.Message, want) {
		t.Errorf("got %v %q, want %q", out.Status, out.Message, want)
	}

	first, again := call(goRandom), call(goRandom)
	at++
	later := call(goRandom)
	if first.Message != again.Message || first.Message == later.Message || len(first.Message) != 32 {
		t.Errorf("random bytes %s, %s, then %s", first.Message, again.Message, later.Message)
	}

	for reducer, want := range map[uint32]struct{ err, panicked string }{
		goPanics:   {"unreachable", "the kettle boils"},
		goExits:    {"proc_exit(0)", ""},
		goDeadlock: {"", "fatal error: all goroutines are asleep - deadlock!"},
	} {
		out := call(reducer)
		if out.Status != abi.StatusTrap || !out.Discard || !strings.Contains(out.Err.Error(), want.err) {
			t.Errorf("reducer %d: %v %v", reducer, out.Status, out.Err)
		}
		panicked := ""
		for _, r := range s.logs {
			if r.Level == abi.LogPanic {
				panicked += r.Message
			}
		}
		if panicked != want.panicked {
			t.Errorf("reducer %d: panic record %q, want %q (%v)", reducer, panicked, want.panicked, out.Err)
		}
		if out := call(goNothing); out.Status != abi.StatusOK {
			t.Errorf("after reducer %d: %v %v", reducer, out.Status, out.Err)
		}
	}
}
