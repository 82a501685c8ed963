package main

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// A pin names one exact module.
type pin struct {
	module  string
	version string
	sum     string // as in go.sum
}

// copyName returns the folder name of the patched copy. It changes with the
// patch, so that a stale copy is never taken for a current one.
func (p pin) copyName(patch string) string {
	return fmt.Sprintf("%s-%s-%.8x", path.Base(p.module), p.version, sha256.Sum256([]byte(patch)))
}

// replaceLine returns the go.work line that puts the copy in the module's place.
func (p pin) replaceLine(name string) string {
	return fmt.Sprintf("replace %s %s => ./.deps/%s", p.module, p.version, name)
}

// makeCopy puts the sources of the module in src, patched, into the folder
// deps/name, and removes what else is in deps.
func (p pin) makeCopy(src, deps, name, patch string) error {
	files, err := p.readModule(src)
	if err != nil {
		return err
	}
	if err := applyPatch(files, patch); err != nil {
		return err
	}
	if err := os.MkdirAll(deps, 0o755); err != nil {
		return err
	}
	old, err := os.ReadDir(deps)
	if err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(deps, "tmp-")
	if err != nil {
		return err
	}
	if err := writeFiles(tmp, files); err != nil {
		return err
	}
	// The rename comes last, so that a copy is complete or absent.
	if err := os.Rename(tmp, filepath.Join(deps, name)); err != nil {
		return err
	}
	for _, e := range old {
		if err := os.RemoveAll(filepath.Join(deps, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// writeFiles writes those of the files that a build needs below dir.
func writeFiles(dir string, files map[string]string) error {
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	for name, text := range files {
		if !needed(name) {
			continue
		}
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// readModule returns the files of the module in dir by their slash-separated
// names, once their checksum is right.
func (p pin) readModule(dir string) (map[string]string, error) {
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, file)
		if err != nil {
			return err
		}
		data, err := os.ReadFile(file)
		files[filepath.ToSlash(rel)] = string(data)
		return err
	})
	if err != nil {
		return nil, err
	}
	if got := p.checksum(files); got != p.sum {
		return nil, fmt.Errorf("%s: checksum is %s, want %s: the module cache was altered, run 'go clean -modcache'", dir, got, p.sum)
	}
	return files, nil
}

// checksum returns the hash "h1" of go.sum: SHA-256 over one line per file,
// sorted by name.
func (p pin) checksum(files map[string]string) string {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(h, "%x  %s@%s/%s\n", sha256.Sum256([]byte(files[name])), p.module, p.version, name)
	}
	return "h1:" + base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// needed leaves out what does not take part in a build of a program that
// imports the module.
func needed(name string) bool {
	for _, dir := range []string{"testdata", "example", "examples", "integration_test", "testing"} {
		if slices.Contains(strings.Split(path.Dir(name), "/"), dir) {
			return false
		}
	}
	switch path.Ext(name) {
	case ".go":
		return !strings.HasSuffix(name, "_test.go")
	case ".s", ".h", ".mod":
		return true
	}
	return name == "LICENSE" || name == "NOTICE"
}
