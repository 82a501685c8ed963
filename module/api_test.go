package module

import (
	"bytes"
	"flag"
	"go/ast"
	"go/doc"
	"go/format"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the files below testdata anew")

// TestAPI pins the exported surface: modules written against an older version of the SDK must keep building. A line may
// be added to the file; none may change or go.
func TestAPI(t *testing.T) {
	golden(t, "testdata/api.txt", exported(t))
}

// golden compares text with a file.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; if that is meant to be, run the test with -update. Now it would be\n%s", file, got)
	}
}

// exported lists every exported declaration, one a paragraph, without comments and bodies.
func exported(t *testing.T) string {
	t.Helper()
	fset := token.NewFileSet()
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var files []*ast.File
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") || strings.HasSuffix(e.Name(), "_wasip1.go") {
			continue
		}
		f, err := parser.ParseFile(fset, e.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	p, err := doc.NewFromFiles(fset, files, "github.com/stdbgo/spacetime/module")
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	add := func(decl ast.Decl) {
		if f, ok := decl.(*ast.FuncDecl); ok {
			f.Body = nil
		}
		var b bytes.Buffer
		if err := format.Node(&b, fset, decl); err != nil {
			t.Fatal(err)
		}
		list = append(list, b.String())
	}
	values := func(vs []*doc.Value) {
		for _, v := range vs {
			add(v.Decl)
		}
	}
	funcs := func(fs []*doc.Func) {
		for _, f := range fs {
			add(f.Decl)
		}
	}
	values(p.Consts)
	values(p.Vars)
	funcs(p.Funcs)
	for _, typ := range p.Types {
		add(typ.Decl)
		values(typ.Consts)
		values(typ.Vars)
		funcs(typ.Funcs)
		funcs(typ.Methods)
	}
	slices.Sort(list)
	return strings.Join(list, "\n\n") + "\n"
}
