package cli

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
)

// A goSDK is the source that a Go module's go.mod points to.
type goSDK struct {
	Path    string // of the Go module
	Version string // of the Go language that it needs: 1.26.0
	Dir     string // where it is laid down
	Native  bool   // it can link a server into a module, for go run

	Requires string // the modules that it needs, as its go.mod lists them
	Sum      string // its go.sum
}

var goRequires = regexp.MustCompile(`(?ms)^require \(.*?^\)$|^require [^(\n]*$`)

var (
	goModulePath = regexp.MustCompile(`(?m)^module\s+(\S+)`)
	goVersion    = regexp.MustCompile(`(?m)^go\s+(\S+)`)
)

// layDownSDK writes the SDK's source below a directory, once for each content, so
// that projects keep what they were made with.
func layDownSDK(source fs.FS, below string) (*goSDK, error) {
	mod, err := fs.ReadFile(source, "go.mod")
	if err != nil {
		return nil, err
	}
	path, version := goModulePath.FindSubmatch(mod), goVersion.FindSubmatch(mod)
	if path == nil || version == nil {
		return nil, errors.New("its go.mod is not understood")
	}
	sum, err := hashFS(source)
	if err != nil {
		return nil, err
	}
	s := &goSDK{Path: string(path[1]), Version: string(version[1]), Dir: filepath.Join(below, "go-"+sum[:16])}
	s.Requires = string(bytes.Join(goRequires.FindAll(mod, -1), []byte("\n\n")))
	if sum, err := fs.ReadFile(source, "go.sum"); err == nil {
		s.Sum = string(sum)
	}
	_, err = fs.Stat(source, "module/native")
	s.Native = err == nil
	if _, err := os.Stat(s.Dir); err == nil {
		return s, nil
	}
	if err := os.MkdirAll(below, 0o755); err != nil {
		return nil, err
	}
	// Another run may write the same: the first to rename its directory wins.
	temp, err := os.MkdirTemp(below, ".go-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(temp)
	if err := os.CopyFS(filepath.Join(temp, "sdk"), source); err != nil {
		return nil, err
	}
	if err := os.Rename(filepath.Join(temp, "sdk"), s.Dir); err != nil {
		if _, there := os.Stat(s.Dir); there != nil {
			return nil, err
		}
	}
	return s, nil
}

// hashFS returns a hash of all names and contents, in hexadecimal.
func hashFS(source fs.FS) (string, error) {
	h := sha256.New()
	err := fs.WalkDir(source, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(source, path)
		fmt.Fprintf(h, "%q %d\n", path, len(text))
		h.Write(text)
		return err
	})
	return hex.EncodeToString(h.Sum(nil)), err
}
