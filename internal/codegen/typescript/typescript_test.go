package typescript_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/codegen/codegentest"
	"github.com/stdbgo/spacetime/internal/codegen/model"
	"github.com/stdbgo/spacetime/internal/codegen/typescript"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/sats"
)

var update = flag.Bool("update", false, "write the expected output anew")

func version(t testing.TB, s string) model.Version {
	t.Helper()
	for _, v := range versions {
		if v.String() == s {
			return v
		}
	}
	t.Fatalf("no version %s", s)
	return model.Version{}
}

// versions are published releases around which the output changes.
var versions = []model.Version{
	{Major: 1, Minor: 6, Patch: 2}, {Major: 1, Minor: 10}, {Major: 1, Minor: 11, Patch: 3}, {Major: 1, Minor: 12}, {Major: 2, Minor: 0, Patch: 1}, {Major: 2, Minor: 1},
	{Major: 2, Minor: 6, Patch: 1}, {Major: 2, Minor: 7}, {Major: 2, Minor: 8, Patch: 3}, {Major: 2, Minor: 10, Patch: 1},
}

func generate(t testing.TB, def *schema.ModuleDef, v model.Version) *model.Output {
	t.Helper()
	m, err := model.Build(def, false)
	if err != nil {
		t.Fatal(err)
	}
	out, err := typescript.Generate(m, model.Options{SDK: v, Tool: "spacetime 0.0.0"})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// text returns an output as one text.
func text(out *model.Output) []byte {
	var b bytes.Buffer
	for _, f := range out.Files {
		b.WriteString("-- " + f.Path + " --\n")
		b.Write(f.Text)
	}
	return b.Bytes()
}

func file(t testing.TB, out *model.Output, path string) string {
	t.Helper()
	for _, f := range out.Files {
		if f.Path == path {
			return string(f.Text)
		}
	}
	t.Fatalf("there is no file %s", path)
	return ""
}

func TestGolden(t *testing.T) {
	spec.Covers(t, "10.1", "10.5")
	for name, make := range map[string]func(testing.TB) *schema.ModuleDef{"chat": codegentest.Chat, "alltypes": codegentest.AllTypes, "odd": codegentest.Odd, "empty": codegentest.Empty} {
		for _, v := range []string{"1.6.2", "1.10.0", "1.12.0", "2.0.1", "2.10.1"} {
			t.Run(name+"-"+v, func(t *testing.T) {
				got := text(generate(t, make(t), version(t, v)))
				if again := text(generate(t, make(t), version(t, v))); !bytes.Equal(got, again) {
					t.Error("two runs differ")
				}
				path := filepath.Join("testdata", name+"-"+v+".txt")
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
					t.Errorf("the output differs from %s (-update writes it anew):\n%s", path, firstDifference(got, want))
				}
			})
		}
	}
}

func firstDifference(got, want []byte) string {
	g, w := strings.Split(string(got), "\n"), strings.Split(string(want), "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			return "got  " + g[i] + "\nwant " + w[i]
		}
	}
	return "one is longer"
}

func TestFiles(t *testing.T) {
	spec.Covers(t, "10.2")
	for _, v := range versions {
		for _, f := range generate(t, codegentest.AllTypes(t), v).Files {
			if !strings.HasPrefix(string(f.Text), model.Marker) || !strings.HasSuffix(string(f.Text), "\n") || f.Skeleton {
				t.Errorf("%s: %s does not start with the marker or end with a line end", v, f.Path)
			}
		}
	}
}

var cliVersion = regexp.MustCompile(`cliVersion: "(\d+)\.(\d+)\.\d+" as const`)

func TestCliVersion(t *testing.T) {
	spec.Covers(t, "10.10")
	for _, v := range versions {
		m := cliVersion.FindStringSubmatch(file(t, generate(t, codegentest.Chat(t), v), "index.ts"))
		if m == nil || m[1] == "0" || m[1] == "1" && len(m[2]) == 1 && m[2] < "4" {
			t.Errorf("%s: the SDK would refuse the version of the generator: %v", v, m)
		}
	}
}

func TestNames(t *testing.T) {
	spec.Covers(t, "10.4")
	modern := generate(t, codegentest.Odd(t), version(t, "2.10.1"))
	index := file(t, modern, "index.ts")
	for _, part := range []string{
		`settings: __table(`, `name: "AppSettings"`, `__reducerSchema("http_get", HttpGetReducer)`, `__reducerSchema("xyz_abc", DoThingReducer)`,
		`from "./do_thing_reducer"`, `from "./settings_table"`,
	} {
		if !strings.Contains(index, part) {
			t.Errorf("2.10.1: index.ts lacks %s", part)
		}
	}
	row := file(t, modern, "settings_table.ts")
	for _, part := range []string{
		`get color() { return One.primaryKey(); }`, `id: __t.uuid().unique(),`, `madeAt: __t.timestamp().name("made_at")`, `count: __t.u64().unique()`, `nothing: __t.unit(),`,
	} {
		if !strings.Contains(row, part) {
			t.Errorf("2.10.1: settings_table.ts lacks %s:\n%s", part, row)
		}
	}
	if row := file(t, generate(t, codegentest.Odd(t), version(t, "2.6.1")), "settings_table.ts"); !strings.Contains(row, "get color() { return One; }") {
		t.Errorf("2.6.1 has no primary keys of enums:\n%s", row)
	}
	if row := file(t, generate(t, codegentest.Odd(t), version(t, "1.10.0")), "settings_table.ts"); !strings.Contains(row, `id: __t.object("Uuid", { __uuid__: __t.u128() }),`) || strings.Contains(row, ".name(") {
		t.Errorf("1.10.0 has neither UUIDs nor names of columns:\n%s", row)
	}
	old := file(t, generate(t, codegentest.AllTypes(t), version(t, "2.0.1")), "index.ts")
	if !strings.Contains(old, "\n  my_things: __table(") || !strings.Contains(old, `myThings: "my_things",`) {
		t.Errorf("2.0.1 takes keys for names:\n%s", old)
	}
}

func TestWarnings(t *testing.T) {
	out := generate(t, codegentest.Odd(t), version(t, "2.10.1"))
	for _, part := range []string{"index `AppSettings_count_idx_btree` replaces the method count", "view `found` has parameters"} {
		if !slices.ContainsFunc(out.Warnings, func(w string) bool { return strings.Contains(w, part) }) {
			t.Errorf("no warning of %s: %q", part, out.Warnings)
		}
	}
	if !strings.Contains(file(t, out, "index.ts"), "found: __table(") {
		t.Error("the view is not dispatched")
	}
	old := generate(t, codegentest.Odd(t), version(t, "1.12.0"))
	if !slices.ContainsFunc(old.Warnings, func(w string) bool { return strings.Contains(w, "type `EventContext` is not exported") }) {
		t.Errorf("no warning of the type that has the name of an export: %q", old.Warnings)
	}
}

func TestCollisions(t *testing.T) {
	spec.Covers(t, "10.6")
	for _, c := range []struct {
		name   string
		change func(*codegentest.Maker)
		parts  []string
	}{
		{"table and view", func(m *codegentest.Maker) {
			m.More = append(m.More, schema.RawSection{Tag: schema.SecExplicitNames, ExplicitNames: []schema.RawExplicitName{
				{Kind: schema.NameFunction, Source: "User", Canonical: "users"}}})
			m.View("User", sats.Ref(0))
		}, []string{"table `user`", "view `User`"}},
		{"reducer keys", func(m *codegentest.Maker) {
			m.More = append(m.More, schema.RawSection{Tag: schema.SecExplicitNames, ExplicitNames: []schema.RawExplicitName{
				{Kind: schema.NameFunction, Source: "other", Canonical: "setName"}}})
			m.Reducer("other")
		}, []string{"reducer `set_name`", "reducer `setName`"}},
		{"callbacks", func(m *codegentest.Maker) { m.Reducer("on_set_name") }, nil},
		{"parameters", func(m *codegentest.Maker) {
			m.Reducer("f", sats.E("a_b", sats.U8), sats.E("aB", sats.U8))
		}, []string{"`a_b`", "`aB`", "reducer `f`"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			raw := codegentest.ChatMaker()
			c.change(raw)
			m, err := model.Build(raw.Module(t), false)
			if err != nil {
				t.Fatal(err)
			}
			_, err = typescript.Generate(m, model.Options{SDK: typescript.Newest})
			if c.parts == nil { // only classes have members of that name
				if err != nil {
					t.Fatal(err)
				}
				_, err = typescript.Generate(m, model.Options{SDK: version(t, "1.6.2")})
				c.parts = []string{"reducer `set_name`", "reducer `on_set_name`"}
			}
			if err == nil {
				t.Fatal("no error")
			}
			for _, part := range c.parts {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%v does not name %s", err, part)
				}
			}
		})
	}
}

func TestNewSections(t *testing.T) {
	spec.Covers(t, "10.30")
	plain := codegentest.ChatMaker()
	want := text(generate(t, plain.Module(t), typescript.Newest))
	more := codegentest.ChatMaker()
	more.More = append(more.More,
		schema.RawSection{Tag: schema.SecEnvironment, Environment: []schema.RawEnvironmentVar{{Name: "KEY"}}},
		schema.RawSection{Tag: schema.SecCasePolicy, CasePolicy: schema.SnakeCase},
		schema.RawSection{Tag: schema.SecExplicitNames, ExplicitNames: []schema.RawExplicitName{{Kind: schema.NameNamespace, Source: "nowhere", Canonical: "there"}}},
	)
	if got := text(generate(t, more.Module(t), typescript.Newest)); !bytes.Equal(got, want) {
		t.Errorf("the sections changed the output:\n%s", firstDifference(got, want))
	}
	box := more.Type(sats.Product(sats.E("id", sats.U64), sats.E("to", codegentest.Identity), sats.E("text", sats.String)), "Letter")
	table := more.Table("letters", box)
	table.PrimaryKey = []schema.ColID{0}
	codegentest.Unique(table, "id", 0)
	more.More = append(more.More, schema.RawSection{Tag: schema.SecOutboxes, Outboxes: []schema.RawOutbox{{Table: "letters", RemoteReducer: "receive", TargetCol: 1, ArgCols: []schema.ColID{2}}}})
	if out := generate(t, more.Module(t), typescript.Newest); !strings.Contains(file(t, out, "index.ts"), "letters: __table(") {
		t.Error("an outbox is no table")
	}
}

func TestOldPackage(t *testing.T) {
	m, err := model.Build(codegentest.Chat(t), false)
	if err != nil {
		t.Fatal(err)
	}
	_, err = typescript.Generate(m, model.Options{SDK: model.Version{Major: 1, Minor: 3, Patch: 3}})
	if err == nil || !strings.Contains(err.Error(), "@clockworklabs/spacetimedb-sdk") {
		t.Errorf("got %v", err)
	}
}
