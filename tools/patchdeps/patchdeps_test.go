package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const original = "one\ntwo\nthree\nfour\n"

const change = `diff --git a/f.go b/f.go
--- a/f.go
+++ b/f.go
@@ -2,2 +2,3 @@
 two
-three
+3
+and a half
`

func TestApplyPatch(t *testing.T) {
	for _, tt := range []struct {
		name, text, diff string
		want, err        string
	}{
		{"applies", original, change, "one\ntwo\n3\nand a half\nfour\n", ""},
		{"diff with CRLF", original, normalize(strings.ReplaceAll(change, "\n", "\r\n")), "one\ntwo\n3\nand a half\nfour\n", ""},
		{"altered context", "one\nTWO\nthree\nfour\n", change, "", `f.go:2: the patch does not match at " two\n"`},
		{"altered removed line", "one\ntwo\nTHREE\nfour\n", change, "", `f.go:3: the patch does not match at "-three\n"`},
		{"moved by a line", "zero\n" + original, change, "", "f.go:2: "},
		{"text too short", "one\n", change, "", "f.go:2: "},
		{"unknown file", original, strings.ReplaceAll(change, "f.go", "g.go"), "", "g.go: the patch changes it"},
		{"no file name", original, "@@ -1 +1 @@\n", "", "the patch begins with"},
		{"unreadable hunk", original, change + "@@ what\n", "", "does not match"},
		{"hunks out of order", original, change + "@@ -1 +1 @@\n", "", "does not match"},
		{"stray line", original, change + "stray\n", "", "does not match"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			files := map[string]string{"f.go": tt.text}
			err := applyPatch(files, tt.diff)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("error %v; want %q in it", err, tt.err)
				}
				return
			}
			if err != nil || files["f.go"] != tt.want {
				t.Errorf("got %q, %v; want %q", files["f.go"], err, tt.want)
			}
		})
	}
}

func TestNeeded(t *testing.T) {
	for name, want := range map[string]bool{
		"config.go": true, "config_test.go": false, "internal/a/b.s": true, "go.mod": true, "LICENSE": true,
		"README.md": false, "internal/testing/x.go": false, "examples/a/main.go": false, "a/testdata/x.go": false,
	} {
		if got := needed(name); got != want {
			t.Errorf("needed(%q) = %v; want %v", name, got, want)
		}
	}
}

// checkout makes a module that requires the engine and nothing else, and goes
// there.
func checkout(t *testing.T, version string) string {
	t.Helper()
	sums, err := os.ReadFile(filepath.Join("..", "..", "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	t.Chdir(dir)
	write(t, "go.mod", "module example.com/m\n\ngo 1.26.0\n\nrequire "+engine.module+" "+version+"\n\nrequire golang.org/x/sys v0.50.0 // indirect\n")
	write(t, "go.sum", string(sums))
	return dir
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestRun(t *testing.T) {
	checkout(t, engine.version)
	if err := os.MkdirAll(".deps/wazero-old", 0o755); err != nil {
		t.Fatal(err)
	}
	// A patch with Windows' line ends gives the same copy.
	if err := run(engine, strings.ReplaceAll(normalize(enginePatch), "\n", "\r\n")); err != nil {
		t.Fatal(err)
	}
	name := engine.copyName(normalize(enginePatch))
	entries, err := os.ReadDir(".deps")
	if err != nil || len(entries) != 1 || entries[0].Name() != name {
		t.Errorf(".deps holds %v, %v; want only %s", entries, err, name)
	}
	cache := filepath.Join(".deps", name, "internal", "engine", "wazevo", "engine_cache.go")
	if !strings.Contains(read(t, cache), `"2516"`) {
		t.Errorf("%s does not have the patch's mark", cache)
	}
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Replace.Path}}", engine.module).CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "./.deps/"+name {
		t.Errorf("go list -m: %s, %v; want ./.deps/%s", out, err, name)
	}

	work := read(t, "go.work")
	if err := run(engine, enginePatch); err != nil || read(t, "go.work") != work {
		t.Errorf("second run: %v, or it changed go.work", err)
	}
}

func TestRunWrongVersion(t *testing.T) {
	checkout(t, engine.version)
	p := engine
	p.version = "v1.11.0"
	err := run(p, enginePatch)
	if want := "requires github.com/tetratelabs/wazero v1.12.0, the patch is for v1.11.0"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("run = %v; want %q", err, want)
	}
	if _, err := os.Stat("go.work"); err == nil {
		t.Error("go.work was written")
	}
}

func TestRunAlteredModuleCache(t *testing.T) {
	checkout(t, engine.version)
	p := engine
	p.sum = "h1:something else"
	err := run(p, enginePatch)
	if want := "the module cache was altered"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("run = %v; want %q", err, want)
	}
	if _, err := os.Stat(".deps"); err == nil {
		t.Error(".deps was written")
	}
}

func TestForeignWork(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "go.work")
	foreign := "go 1.26.0\n\nuse ./other\n"
	write(t, file, foreign)
	line := engine.replaceLine("wazero-x")
	err := writeWork(dir, "1.26.0", line)
	if err == nil || !strings.Contains(err.Error(), line) {
		t.Errorf("writeWork = %v; want the line to add", err)
	}
	if got := read(t, file); got != foreign {
		t.Errorf("go.work became %q", got)
	}
	write(t, file, foreign+line+"\n")
	if err := writeWork(dir, "1.26.0", line); err != nil {
		t.Errorf("with the line added: %v", err)
	}
}
