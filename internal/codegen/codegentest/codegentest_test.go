package codegentest_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stdbgo/spacetime/internal/codegen/codegentest"
	"github.com/stdbgo/spacetime/internal/schema"
)

var update = flag.Bool("update", false, "write the definitions anew")

// The scripts in test/codegen generate from the same modules, in JSON.
func TestDefinitionsOfScripts(t *testing.T) {
	for name, def := range map[string]*schema.ModuleDef{
		"chat": codegentest.Chat(t), "alltypes": codegentest.AllTypes(t), "odd": codegentest.Odd(t), "empty": codegentest.Empty(t),
		"hard": codegentest.HardMaker().Module(t), "wide": codegentest.WideMaker().Module(t),
	} {
		path := filepath.Join("..", "..", "..", "test", "codegen", "modules", name+".json")
		got := append(def.Raw.AppendJSON(nil), '\n')
		if *update {
			if err := os.WriteFile(path, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not the module of this package (-update writes it anew)", path)
		}
	}
}
