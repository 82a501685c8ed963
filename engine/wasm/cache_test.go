package wasm

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/abi"
)

func cachedFiles(t *testing.T, dir string) (files []string) {
	filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files = append(files, path)
		}
		return nil
	})
	return files
}

func runNothing(t *testing.T, dir string) {
	t.Helper()
	e, err := New(Options{CacheDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	p, err := e.Load(t.Context(), file(t, "testdata/behave.wasm"), abi.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	in := instantiate(t, p, newServices())
	if out := in.CallReducer(t.Context(), &abi.ReducerCall{}); out.Status != abi.StatusOK {
		t.Fatal(out.Status, out.Err)
	}
	in.Close()
}

func TestCompilationCache(t *testing.T) {
	dir := t.TempDir()
	runNothing(t, dir)
	files := cachedFiles(t, dir)
	if len(files) != 1 || !strings.Contains(files[0], filepath.Join("wasm", "sound", "meter-1")) {
		t.Fatalf("cache holds %v", files)
	}
	before, _ := os.Stat(files[0])
	runNothing(t, dir)
	if after, err := os.Stat(files[0]); err != nil || !after.ModTime().Equal(before.ModTime()) {
		t.Error("the cached code was not used")
	}
}

// A damaged entry is compiled again, whatever the damage.
func TestDamagedCache(t *testing.T) {
	dir := t.TempDir()
	runNothing(t, dir)
	files := cachedFiles(t, dir)
	whole := file(t, files[0])
	for _, damage := range []func([]byte) []byte{
		func([]byte) []byte { return nil },
		func(b []byte) []byte { return b[:10] },
		func(b []byte) []byte { return b[:len(b)/2] },
		func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
		func(b []byte) []byte { b[0] ^= 1; return b },
	} {
		if err := os.WriteFile(files[0], damage(append([]byte(nil), whole...)), 0o600); err != nil {
			t.Fatal(err)
		}
		runNothing(t, dir)
	}
}

func TestUnusableCacheFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	runNothing(t, dir)
}

// Programs of the same bytes share their code until the last is closed.
func TestSharedCode(t *testing.T) {
	e, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	bin := file(t, "testdata/behave.wasm")
	var programs []abi.Program
	for range 3 {
		p, err := e.Load(t.Context(), bin, abi.LoadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		programs = append(programs, p)
	}
	other, err := e.Load(t.Context(), file(t, "testdata/echo.wasm"), abi.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(e.codes); n != 2 {
		t.Errorf("%d compiled modules for two", n)
	}
	for _, p := range programs[:2] {
		for range 2 { // closing again changes nothing
			if err := p.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	in, err := programs[2].Instantiate(t.Context(), newServices())
	if err != nil {
		t.Fatal(err)
	}
	if out := in.CallReducer(t.Context(), &abi.ReducerCall{}); out.Status != abi.StatusOK {
		t.Errorf("a call after the others were closed: %+v", out)
	}
	for _, c := range []interface{ Close() error }{in, programs[2], other} {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	if n := len(e.codes); n != 0 {
		t.Errorf("%d compiled modules are kept for nobody", n)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
}
