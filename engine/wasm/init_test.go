package wasm

import (
	"errors"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/spec"
)

func TestInitialisersRunInOrder(t *testing.T) {
	spec.Covers(t, "03.6", "03.7", "03.9", "03.11")
	p := loadFile(t, "testdata/init.wasm", abi.Limits{})
	want := []string{"start section", "_initialize", "10_a", "no transaction", "9_b", "Z_c", "setup", "describe"}
	for range 2 { // replacements are initialised like the first
		s := newServices()
		in := instantiate(t, p, s)
		in.CallReducer(t.Context(), &abi.ReducerCall{Name: "r"})
		def, err := in.Describe(t.Context())
		if err != nil || string(def) != "\x01" {
			t.Errorf("definition %q, %v", def, err)
		}
		var got []string
		for _, r := range s.logs {
			got = append(got, r.Message)
			if r.Function != "" {
				t.Errorf("%s: function %q during initialisation", r.Message, r.Function)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestFailingInitialisers(t *testing.T) {
	spec.Covers(t, "03.8")
	for file, want := range map[string]string{
		"badsetup": "setup function returned an error: no x to-day!",
		"badinit":  `wasm trap while calling "__preinit__1": the call has used up its fuel`,
		"badstart": "the call has used up its fuel",
	} {
		_, err := loadFile(t, "testdata/"+file+".wasm", abi.Limits{Fuel: 1_000_000}).Instantiate(t.Context(), newServices())
		var load *abi.LoadError
		if !errors.As(err, &load) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q in it", file, err, want)
		}
	}
}

// The binaries in testdata are what their sources say.
func TestBinariesAreCurrent(t *testing.T) {
	tool, err := exec.LookPath("wat2wasm")
	if err != nil {
		t.Skip("wat2wasm is not installed")
	}
	sources, _ := filepath.Glob("testdata/*.wat")
	for _, src := range sources {
		out := filepath.Join(t.TempDir(), "out.wasm")
		if msg, err := exec.Command(tool, src, "-o", out).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", src, err, msg)
			continue
		}
		if !slices.Equal(file(t, out), file(t, strings.TrimSuffix(src, ".wat")+".wasm")) {
			t.Errorf("%s has changed: run wat2wasm", src)
		}
	}
}
