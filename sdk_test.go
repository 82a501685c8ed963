package spacetime

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

func TestSDK(t *testing.T) {
	if err := fstest.TestFS(SDK(), "go.mod", "module/table.go", "internal/guest/imports_wasip1.go", "sats/codec.go"); err != nil {
		t.Fatal(err)
	}
	err := fs.WalkDir(SDK(), ".", func(path string, _ fs.DirEntry, err error) error {
		if strings.Contains(path, "_test.go") || strings.Contains(path, "testdata") {
			t.Errorf("%s is laid down", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"sdk_test.go", "module/testdata", "module/testdata/api.txt"} {
		if _, err := fs.Stat(SDK(), name); err == nil {
			t.Errorf("%s can be opened", name)
		}
	}
}

// A module must build on a machine that can fetch nothing and has never fetched anything.
func TestModuleBuildsWithoutNetwork(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles a module with the Go tool chain; not in -short")
	}
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "sdk"), SDK()); err != nil {
		t.Fatal(err)
	}
	chat, err := os.ReadFile(filepath.FromSlash("examples/chat/module/main.go"))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"main.go": string(chat),
		"native.go": "//go:build !wasip1\n\npackage main\n\n" +
			"import _ \"github.com/stdbgo/spacetime/module/native\"\n",
		"go.mod": "module example.com/chat\n\ngo 1.26.0\n\nrequire github.com/stdbgo/spacetime v0.0.0\n\n" +
			"replace github.com/stdbgo/spacetime v0.0.0 => ./sdk\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("go", "build", "-buildmode=c-shared", "-o", "module.wasm", ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "GOWORK=off", "GOFLAGS=", "GOPROXY=off",
		"GOMODCACHE="+filepath.Join(dir, "modcache"))
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, text)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "module.wasm")); err != nil || !strings.HasPrefix(string(b), "\x00asm") {
		t.Errorf("module.wasm: %d bytes, %v", len(b), err)
	}
}
