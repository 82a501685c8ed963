// Command patchdeps makes the Go module in the current directory build with
// the repaired WebAssembly engine.
//
// The released wazero miscompiles some valid modules without any error. The
// command copies the pinned version out of the module cache into .deps, applies
// wazero.patch to the copy, and writes a go.work that replaces the module by the
// copy. Git is to ignore .deps, go.work and go.work.sum.
//
// It does nothing when all is up to date; run it again when the version or the
// patch has changed. A go.work that it did not write is left alone, and the line
// to add is printed. It uses the standard library alone, so that programs which
// import this module can run it in theirs, and so that it builds even when .deps
// has been deleted.
package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// engine is the module that wazero.patch is made for.
var engine = pin{
	module:  "github.com/tetratelabs/wazero",
	version: "v1.12.0",
	sum:     "h1:DuWcpNu/FzgEXgGBDp8J1Spc+CWOvvtvVyjKlaZopYU=",
}

// marker is the first line of a go.work that is ours to overwrite.
const marker = "// Written by patchdeps. Do not edit.\n"

//go:embed wazero.patch
var enginePatch string

func main() {
	if err := run(engine, enginePatch); err != nil {
		fmt.Fprintln(os.Stderr, "patchdeps:", err)
		os.Exit(1)
	}
}

// run brings .deps and go.work of the module in the current directory up to
// date.
func run(p pin, patch string) error {
	patch = normalize(patch)
	var root, dep struct{ Dir, GoVersion, Version string }
	if err := goJSON(&root, "list", "-m", "-json"); err != nil {
		return err
	}
	if err := goJSON(&dep, "list", "-m", "-json", p.module); err != nil {
		return err
	}
	if dep.Version != p.version {
		return fmt.Errorf("go.mod requires %s %s, the patch is for %s: run 'go get %s@%s'",
			p.module, dep.Version, p.version, p.module, p.version)
	}
	name := p.copyName(patch)
	deps := filepath.Join(root.Dir, ".deps")
	_, err := os.Stat(filepath.Join(deps, name))
	if errors.Is(err, fs.ErrNotExist) {
		if err := goJSON(&dep, "mod", "download", "-json", p.module+"@"+p.version); err != nil {
			return err
		}
		err = p.makeCopy(dep.Dir, deps, name, patch)
	}
	if err != nil {
		return err
	}
	return writeWork(root.Dir, root.GoVersion, p.replaceLine(name))
}

// writeWork writes the go.work of the module in dir, unless somebody else did.
func writeWork(dir, goVersion, replace string) error {
	work := filepath.Join(dir, "go.work")
	text := fmt.Sprintf("%s\ngo %s\n\nuse .\n\n%s\n", marker, goVersion, replace)
	old, err := os.ReadFile(work)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case normalize(string(old)) == text:
		return nil
	case !strings.HasPrefix(normalize(string(old)), marker):
		if hasLine(string(old), replace) {
			return nil
		}
		return fmt.Errorf("%s is not ours and stays as it is: put this line into it:\n\n\t%s", work, replace)
	}
	return os.WriteFile(work, []byte(text), 0o644)
}

// hasLine reports whether text has a line that is want, blanks aside.
func hasLine(text, want string) bool {
	for line := range strings.Lines(text) {
		if strings.Join(strings.Fields(line), " ") == want {
			return true
		}
	}
	return false
}

// normalize undoes what a checkout on Windows may have done to the line ends.
func normalize(s string) string { return strings.ReplaceAll(s, "\r\n", "\n") }

// goJSON runs the go command outside any workspace and decodes what it prints.
func goJSON(v any, args ...string) error {
	var stderr bytes.Buffer
	cmd := exec.Command("go", args...)
	cmd.Env = append(os.Environ(), "GOWORK=off")
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		// "go mod download -json" reports its errors on standard output.
		return fmt.Errorf("go %s: %w\n%s%s", strings.Join(args, " "), err, stderr.Bytes(), out)
	}
	return json.Unmarshal(out, v)
}
