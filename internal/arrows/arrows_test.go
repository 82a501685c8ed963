package arrows

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// A goPackage is what "go list -json" says of one package.
type goPackage struct {
	Dir, ImportPath, Doc              string
	GoFiles, CgoFiles, IgnoredGoFiles []string
}

// packages lists the packages of the module.
var packages = sync.OnceValues(func() ([]goPackage, error) {
	cmd := exec.Command("go", "list", "-e", "-json", modulePath+"/...")
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	var list []goPackage
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return list, nil
		} else if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
})

// rel returns the path of a package relative to the module, "." for its root,
// and false if it belongs to another module.
func rel(importPath string) (string, bool) {
	if importPath == modulePath {
		return ".", true
	}
	return strings.CutPrefix(importPath, modulePath+"/")
}

// within reports whether the package at path lies in dir or below.
func within(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, dir+"/")
}

// roomOf returns the room of the package at path, "" if it stands in none.
func roomOf(path string) string {
	best, length := "", -1
	for room, dir := range rooms {
		if within(path, dir) && len(dir) > length {
			best, length = room, len(dir)
		}
	}
	return best
}

// isOutside reports whether the package at path is no part of the product. A
// package named ...test inside a room serves tests, like the standard library's
// httptest.
func isOutside(path string) bool {
	if slices.ContainsFunc(outside, func(dir string) bool { return within(path, dir) }) {
		return true
	}
	return strings.HasSuffix(path, "test") && rooms[path] == ""
}

// reach returns the rooms that room may import by the arrows.
func reach(arrows map[string][]string, room string) map[string]bool {
	reached := map[string]bool{}
	var walk func(string)
	walk = func(r string) {
		for _, next := range arrows[r] {
			if !reached[next] {
				reached[next] = true
				walk(next)
			}
		}
	}
	walk(room)
	return reached
}

// imports returns the import paths of every file of a package that is no test,
// whatever system or tag it is for, with a file that imports each.
func imports(p goPackage) (map[string]string, error) {
	found := map[string]string{}
	for _, name := range slices.Concat(p.GoFiles, p.CgoFiles, p.IgnoredGoFiles) {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file := filepath.Join(p.Dir, name)
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return nil, err
		}
		for _, spec := range f.Imports {
			found[strings.Trim(spec.Path.Value, "`\"")] = name
		}
	}
	return found, nil
}

// violations returns what is wrong with the imports of the package at path.
func violations(path string, imports map[string]string) (wrong []string) {
	if isOutside(path) {
		return nil
	}
	room := roomOf(path)
	if room == "" {
		return []string{fmt.Sprintf("%s stands in no room: name it in the table of this test and in ARCHITECTURE.md", path)}
	}
	allowed := reach(arrows, room)
	for imported, file := range imports {
		switch other, ours := rel(imported); {
		case ours && isOutside(other):
			wrong = append(wrong, fmt.Sprintf("%s/%s imports %s, which no room may", path, file, other))
		case ours:
			if to := roomOf(other); to != room && !allowed[to] {
				wrong = append(wrong, fmt.Sprintf("%s/%s imports %s: no arrow leads from %s to %s", path, file, other, room, to))
			}
		case slices.Contains(stdlibOnly, room) && isThirdParty(imported):
			wrong = append(wrong, fmt.Sprintf("%s/%s imports %s: %s has the standard library only", path, file, imported, room))
		case slices.Contains(sealed[room], imported):
			wrong = append(wrong, fmt.Sprintf("%s/%s imports %s: the results of %s depend on its arguments alone", path, file, imported, room))
		}
	}
	slices.Sort(wrong)
	return wrong
}

// isThirdParty reports whether an import path belongs to another module: those
// begin with a domain name.
func isThirdParty(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return strings.Contains(first, ".")
}

func TestImports(t *testing.T) {
	list, err := packages()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range list {
		path, _ := rel(p.ImportPath)
		found, err := imports(p)
		if err != nil {
			t.Error(err)
			continue
		}
		for _, w := range violations(path, found) {
			t.Error(w)
		}
	}
}

// TestViolations shows that TestImports can fail.
func TestViolations(t *testing.T) {
	for _, tt := range []struct {
		path, imported string
		want           string
	}{
		{"internal/query", modulePath + "/internal/store", ""},
		{"internal/query", modulePath + "/sats", ""},
		{"internal/store/slab", modulePath + "/internal/store/rows", ""},
		{"engine/wasm", "github.com/tetratelabs/wazero", ""},
		{"tools/x", modulePath + "/internal/server", ""},
		{"module/native", modulePath, ""},
		{".", modulePath + "/internal/server", ""},
		{"internal/store", modulePath + "/internal/query", "no arrow leads from store to query"},
		{"internal/commitlog", modulePath + "/internal/store", "no arrow leads from commitlog to store"},
		{"module", modulePath + "/module/native", "no arrow leads from module to module/native"},
		{"module", modulePath, "no arrow leads from module to spacetime"},
		{"internal/abi", modulePath + "/engine/wasm", "no arrow leads from abi to engine/wasm"},
		{"internal/server", modulePath + "/internal/spec", "which no room may"},
		{"internal/abi/enginetest", modulePath + "/internal/server", ""},
		{"internal/server", modulePath + "/internal/abi/enginetest", "which no room may"},
		{"module/moduletest", modulePath + "/engine/wasm", "no arrow leads from module/moduletest to engine/wasm"},
		{"internal/misc", "os", "stands in no room"},
		{"sats", "golang.org/x/crypto/sha3", "standard library only"},
		{"sats", "crypto/sha256", ""},
		{"internal/store", "math/rand", "arguments alone"},
	} {
		got := strings.Join(violations(tt.path, map[string]string{tt.imported: "f.go"}), "\n")
		if (tt.want == "") != (got == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%s importing %s: %q; want %q", tt.path, tt.imported, got, tt.want)
		}
	}
}

func TestNoCycles(t *testing.T) {
	for room := range arrows {
		if reach(arrows, room)[room] {
			t.Errorf("the arrows lead from %s back to it", room)
		}
	}
	if cycle := map[string][]string{"a": {"b"}, "b": {"a"}}; !reach(cycle, "a")["a"] {
		t.Error("a cycle goes unnoticed")
	}
}

func TestTable(t *testing.T) {
	for room, to := range arrows {
		for _, r := range append(to, room) {
			if rooms[r] == "" {
				t.Errorf("the arrows name the room %s, which stands nowhere", r)
			}
		}
	}
	for room := range rooms {
		if _, ok := arrows[room]; !ok {
			t.Errorf("the room %s has no line in the table of arrows", room)
		}
	}
}

// TestPicture holds the table against the lines of ARCHITECTURE.md that draw
// it, "room → room, room".
func TestPicture(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "ARCHITECTURE.md"))
	if err != nil {
		t.Fatal(err)
	}
	drawn := map[string][]string{}
	for line := range strings.Lines(string(text)) {
		room, to, ok := strings.Cut(line, "→")
		if room = strings.TrimSpace(room); !ok || rooms[room] == "" {
			continue
		}
		drawn[room] = strings.FieldsFunc(to, func(r rune) bool { return strings.ContainsRune(", \n", r) })
	}
	for room, to := range arrows {
		want, got := slices.Sorted(slices.Values(to)), slices.Sorted(slices.Values(drawn[room]))
		if !slices.Equal(got, want) {
			t.Errorf("ARCHITECTURE.md draws %s → %v; the test has %v", room, got, want)
		}
	}
}

// TestPackageComments wants a comment on every package, tools and examples
// included.
func TestPackageComments(t *testing.T) {
	list, err := packages()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range list {
		files := slices.Concat(p.GoFiles, p.CgoFiles, p.IgnoredGoFiles)
		if len(files) == 0 { // only tests
			continue
		}
		if p.Doc == "" && !hasComment(t, p.Dir, files) {
			t.Errorf("%s has no package comment", p.ImportPath)
		}
	}
}

// hasComment looks into files that this system leaves out.
func hasComment(t *testing.T, dir string, files []string) bool {
	return slices.ContainsFunc(files, func(name string) bool {
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, name), nil, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			t.Error(err)
			return true
		}
		return documented(f)
	})
}

func documented(f *ast.File) bool { return f.Doc != nil && strings.TrimSpace(f.Doc.Text()) != "" }
