package codegentest

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Wants fails for every text that a file lacks, and with "!" before it, for one that
// it has.
func Wants(t testing.TB, files map[string]string, name string, texts ...string) {
	t.Helper()
	file, ok := files[name]
	if !ok {
		t.Errorf("there is no %s", name)
	}
	for _, text := range texts {
		text, not := strings.CutPrefix(text, "!")
		if strings.Contains(file, text) == not {
			t.Errorf("%s: contains %q: %v", name, text, not)
		}
	}
}

// Recorded compares files with those that the original wrote below dir: each of those
// must be there and have every fact that the function finds in the recorded one. It
// returns how many are recorded.
func Recorded(t testing.TB, files map[string]string, dir string, facts func(text string) []string) (n int) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		n++
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		want, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		text, ok := files[filepath.ToSlash(name)]
		if !ok {
			t.Errorf("%s is missing", name)
			return nil
		}
		have := facts(text)
		for _, fact := range facts(string(want)) {
			if !slices.Contains(have, fact) {
				t.Errorf("%s lacks %s", name, fact)
			}
		}
		return nil
	})
	if err != nil || n == 0 {
		t.Errorf("%d files are recorded in %s: %v", n, dir, err)
	}
	return n
}
