package client_test

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// checkMode checks that nobody else may read the file, and that nothing else is left.
func checkMode(t *testing.T, path string) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode %o", info.Mode().Perm())
	}
	if list, err := os.ReadDir(filepath.Dir(path)); err != nil || len(list) != 1 {
		t.Errorf("%v %v", list, err)
	}
}
