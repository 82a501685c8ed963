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
	"github.com/stdbgo/spacetime/sats"
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
	if took := time.Since(start); took > 40*time.Second {
		t.Errorf("more than that of sleep took %v", took)
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

// Procedures in Go wait really, outside of transactions only, and a view may be evaluated while one commits.
func TestGoProcedures(t *testing.T) {
	spec.Covers(t, "03.55")
	p, err := engine(t).Load(t.Context(), buildGo(t), abi.LoadOptions{Limits: abi.Limits{Time: 5 * time.Minute}})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	s := newServices()
	in := instantiate(t, p, s)
	var slept time.Duration
	h := &procedureHost{s: s, wait: func(until sats.Timestamp) {
		d := time.Duration(until-s.Now()) * time.Microsecond
		slept += max(d, 0)
		time.Sleep(d)
	}}
	call := func(id uint32, name string) {
		t.Helper()
		start := time.Now()
		value, out := in.CallProcedure(t.Context(), &abi.ProcedureCall{ID: id, Name: name, Time: s.Now(), Host: h})
		if out.Status != abi.StatusOK || string(value) != "done" {
			t.Errorf("%s: %q, %v, %v", name, value, out.Status, out.Err)
		}
		if took := time.Since(start); took > 30*time.Second {
			t.Errorf("%s took %v", name, took)
		}
	}
	for round := 1; slept == 0 || round <= 2; round++ {
		start := time.Now()
		call(0, "waits")
		if took := time.Since(start); took < 35*time.Millisecond {
			t.Errorf("waiting for 35 ms took %v", took)
		}
		if round > 100 { // a busy machine may come to a wait when it is over
			t.Fatal("nobody was asked to wait")
		}
	}
	h.commit = func() {
		r, out := in.CallView(t.Context(), &abi.ViewCall{Name: "view", Anonymous: true, Tx: h.tx})
		if out.Status != abi.StatusOK || !strings.HasPrefix(string(r.Rows), "1000 36") {
			t.Errorf("the view: %q, %v, %v", r.Rows, out.Status, out.Err)
		}
	}
	call(1, "transacts")
	call(0, "waits")
	if r, out := in.CallView(t.Context(), &abi.ViewCall{Name: "view", Anonymous: true}); string(r.Rows) != "1000 36s" {
		t.Errorf("the view: %q, %v", r.Rows, out.Err)
	}
	if out := in.CallReducer(t.Context(), &abi.ReducerCall{ID: goClock, Name: "clock", Time: callTime}); out.Status != abi.StatusOK {
		t.Errorf("a reducer afterwards: %v %s", out.Status, out.Message)
	}
}
