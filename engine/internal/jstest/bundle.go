package jstest

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stdbgo/spacetime/internal/build"
)

// The modules below sources use the official npm packages. They are bundled
// when a test first asks, as `spacetime publish` does it, and kept by what they
// are made of in .work at the root of the repository.
var bundles struct {
	sync.Mutex
	text map[string][]byte
}

// bundle returns the program of the module NAME.
func bundle(tb testing.TB, name string) []byte {
	tb.Helper()
	bundles.Lock()
	defer bundles.Unlock()
	if text := bundles.text[name]; text != nil {
		return text
	}
	src := filepath.Join(filepath.FromSlash(sources), name)
	kept := filepath.Join("..", "..", ".work", "bundles", fmt.Sprintf("%s-%x.js", name, sourceHash(tb, src)))
	text, err := os.ReadFile(kept)
	if err != nil {
		text = makeBundle(tb, src)
		if err := os.MkdirAll(filepath.Dir(kept), 0o755); err != nil {
			tb.Fatal(err)
		}
		if err := os.WriteFile(kept, text, 0o644); err != nil {
			tb.Fatal(err)
		}
	}
	if bundles.text == nil {
		bundles.text = map[string][]byte{}
	}
	bundles.text[name] = text
	return text
}

// sourceHash hashes the files of a module.
func sourceHash(tb testing.TB, dir string) []byte {
	h := sha256.New()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		fmt.Fprintf(h, "%s %d\n%s", filepath.ToSlash(path), len(text), text)
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return h.Sum(nil)[:8]
}

func makeBundle(tb testing.TB, src string) []byte {
	npm, err := exec.LookPath("npm")
	if err != nil {
		tb.Skip("npm is not installed, which fetches the official packages that this test's module uses")
	}
	dir := tb.TempDir()
	if err := os.CopyFS(dir, os.DirFS(src)); err != nil {
		tb.Fatal(err)
	}
	install := exec.Command(npm, "install", "--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error")
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		tb.Fatalf("npm install: %v\n%s", err, out)
	}
	a, err := build.Build(tb.Context(), build.Options{Dir: dir, Stderr: os.Stderr})
	if err != nil {
		tb.Fatal(err)
	}
	text, err := os.ReadFile(a.Path)
	if err != nil {
		tb.Fatal(err)
	}
	return text
}
