package rust

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/codegen/codegentest"
	"github.com/stdbgo/spacetime/internal/codegen/model"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/sats"
)

const vectors = "../../../testdata/vectors/codegen"

var (
	sdk1120 = model.Version{Major: 1, Minor: 12}
	sdk2101 = model.Version{Major: 2, Minor: 10, Patch: 1}
	sdk2140 = model.Version{Major: 2, Minor: 14}
)

// modelOf brings a definition into the form of generators.
func modelOf(t testing.TB, def *schema.ModuleDef) *model.Module {
	t.Helper()
	m, err := model.Build(def, false)
	if err == nil {
		m, err = model.Flatten(m)
	}
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// build generates bindings, by file name, and the warnings.
func build(t testing.TB, m *model.Module, sdk model.Version) (map[string]string, []string) {
	t.Helper()
	out, err := Generate(m, model.Options{SDK: sdk, Tool: "spacetime 0.0.0"})
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, f := range out.Files {
		if !strings.HasPrefix(string(f.Text), model.Marker) {
			t.Errorf("%s does not begin with the marker", f.Path)
		}
		files[f.Path] = string(f.Text)
	}
	return files, out.Warnings
}

// everyType is the module of the vectors in alltypes/rust-2.x. Its table has a
// column of a recursive type, which no server stores, under an explicit name.
func everyType(t testing.TB) *model.Module {
	all := codegentest.AllTypesMaker()
	m := &codegentest.Maker{Typespace: all.Typespace, Types: all.Types}
	m.Typespace.Types, m.Types = m.Typespace.Types[:6], m.Types[:6]
	color, node, everything := sats.Ref(2), sats.Ref(4), sats.Ref(5)
	thing := m.Type(sats.Product(sats.E("thingId", sats.U64), sats.E("serialNo", sats.String), sats.E("kind", color),
		sats.E("type", sats.Bool), sats.E("all", sats.Ref(1))), "Thing")
	ping := m.Type(sats.Product(sats.E("note", sats.String)), "Ping")
	things := m.Table("thing", thing)
	things.PrimaryKey = []schema.ColID{0}
	codegentest.Unique(things, "thing_id", 0)
	codegentest.Unique(things, "serial_no", 1)
	codegentest.Unique(things, "kind", 2)
	m.Table("ping", ping).IsEvent = true
	m.Reducer("set_all", sats.E("all", everything), sats.E("type", sats.Bool))
	m.Reducer("no_args")
	m.Procedure("add_up", sats.U64, sats.E("a", sats.U32), sats.E("b", sats.Option(sats.U32)), sats.E("node", node))
	built := modelOf(t, m.Module(t))
	for _, table := range built.Root.Tables {
		if table.Name == "thing" {
			table.Columns[2].Name = "kind_of"
			table.Indexes = slices.DeleteFunc(table.Indexes, func(ix model.Index) bool { return ix.Columns[0] == 2 })
			last := &table.Row.Fields[4]
			for _, typ := range built.Root.Types {
				if typ.Name == "Everything" {
					last.Use = &model.Use{Kind: model.Ref, Type: typ}
				}
			}
			table.Columns[4].Use = last.Use
		}
	}
	return built
}

// facts returns what generated code must agree in: signatures of items, the
// bodies of structs and enums, exports, and string literals.
func facts(text string) []string {
	text = regexp.MustCompile(`(?m)//.*$|/\*.*?\*/|#!?\[[^\]]*\]`).ReplaceAllString(text, "")
	text = strings.ReplaceAll(text, "r#", "r_")
	if i := strings.Index(text, "macro_rules!"); i >= 0 {
		text = text[:i]
	}
	var list []string
	add := func(s string) {
		s = regexp.MustCompile(`\s+|,\s*([)}])`).ReplaceAllString(s, "$1")
		list = append(list, strings.NewReplacer("mutcallback", "callback", "__callback", "callback", "_table_name", "table_name").Replace(s))
	}
	for _, s := range regexp.MustCompile(`\b(pub(\(super\))?\s+)?(async\s+)?(fn|trait|type|const|impl|mod)\b[^{;]*`).FindAllString(text, -1) {
		add(s)
	}
	for _, s := range regexp.MustCompile(`\b(pub(\(super\))?\s+)?(struct|enum)\s[^;{]*([;]|\{(\s*[^{}]*(\{[^}]*\},?)?)*\})`).FindAllString(text, -1) {
		add(s)
	}
	for _, m := range regexp.MustCompile(`pub use (\w+)::(\{[^}]*\}|[\w*#]+);`).FindAllStringSubmatch(text, -1) {
		for name := range strings.SplitSeq(strings.Trim(m[2], "{}"), ",") {
			add("use " + m[1] + "::" + name)
		}
	}
	list = append(list, regexp.MustCompile(`"[^"]*"`).FindAllString(text, -1)...)
	slices.Sort(list)
	return slices.Compact(list)
}

func TestVectors(t *testing.T) {
	spec.Covers(t, "10.5")
	for _, c := range []struct {
		dir    string
		module *model.Module
		sdk    model.Version
	}{
		{"chat/rust-2.x", modelOf(t, codegentest.Chat(t)), sdk2101},
		{"chat/rust-1.12", modelOf(t, codegentest.Chat(t)), sdk1120},
		{"alltypes/rust-2.x", everyType(t), sdk2101},
	} {
		t.Run(c.dir, func(t *testing.T) {
			got, _ := build(t, c.module, c.sdk)
			if n := codegentest.Recorded(t, got, filepath.Join(vectors, filepath.FromSlash(c.dir)), facts); n != len(got) {
				t.Errorf("%d files, %d are recorded", len(got), n)
			}
		})
	}
}
