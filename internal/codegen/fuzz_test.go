package codegen

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/codegen/model"
	"github.com/stdbgo/spacetime/internal/schema"
)

// Whatever a definition says, it is refused or gives the same files twice, each
// with the marker that later runs know it by, whose paths stay below the output
// directory.
func FuzzGenerate(f *testing.F) {
	seeds, err := filepath.Glob("../../test/codegen/modules/*.json")
	if err != nil || len(seeds) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, path := range seeds {
		text, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		var outer map[string]json.RawMessage
		if err := json.Unmarshal(text, &outer); err != nil {
			f.Fatal(err)
		}
		f.Add([]byte(outer["V10"]), false, true)
		f.Add([]byte(outer["V10"]), true, false)
	}
	f.Fuzz(func(t *testing.T, text []byte, private, old bool) {
		raw, err := schema.ParseJSON(10, text)
		if err != nil {
			return
		}
		def, err := schema.Validate(raw)
		if err != nil {
			return
		}
		m, err := model.Build(def, private)
		if err != nil {
			return
		}
		for l := range generators {
			o := model.Options{SDK: newest[l], Tool: "spacetime", Namespace: "N", Package: "p", UnrealModule: "M"}
			if old && l != Go {
				o.SDK = model.Version{Major: 1, Minor: 8}
			}
			first, err := Generate(l, m, o)
			if err != nil {
				continue
			}
			second, err := Generate(l, m, o)
			if err != nil {
				t.Fatalf("%s: a second run fails: %v", l, err)
			}
			checkOutput(t, l, first, second)
		}
	})
}

func checkOutput(t *testing.T, l Language, first, second *model.Output) {
	t.Helper()
	if len(first.Files) != len(second.Files) {
		t.Fatalf("%s: %d and %d files", l, len(first.Files), len(second.Files))
	}
	for i, file := range first.Files {
		if file.Path != second.Files[i].Path || !bytes.Equal(file.Text, second.Files[i].Text) {
			t.Fatalf("%s: two runs differ in %s", l, file.Path)
		}
		if !filepath.IsLocal(file.Path) {
			t.Fatalf("%s: %q is not below the output directory", l, file.Path)
		}
		if !file.Skeleton && !strings.HasPrefix(string(file.Text), model.Marker) {
			t.Fatalf("%s: %s does not start with the marker", l, file.Path)
		}
	}
}
