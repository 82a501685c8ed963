package golang_test

import (
	"bytes"
	"flag"
	"go/format"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/codegen/codegentest"
	"github.com/stdbgo/spacetime/internal/codegen/golang"
	"github.com/stdbgo/spacetime/internal/codegen/model"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/sats"
)

var update = flag.Bool("update", false, "write the expected packages anew")

func generate(t testing.TB, def *schema.ModuleDef, private bool, pkg string) *model.Output {
	t.Helper()
	m, err := model.Build(def, private)
	if err != nil {
		t.Fatal(err)
	}
	out, err := golang.Generate(m, model.Options{Tool: "spacetime 0.0.0", Package: pkg})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// text returns the whole output.
func text(out *model.Output) string {
	var b strings.Builder
	for _, f := range out.Files {
		b.Write(f.Text)
	}
	return b.String()
}

var modules = map[string]func(testing.TB) *schema.ModuleDef{
	"chat": codegentest.Chat, "alltypes": codegentest.AllTypes, "odd": codegentest.Odd, "empty": codegentest.Empty,
}

// The packages below testdata are what the generator writes. Other tests import them.
func TestGolden(t *testing.T) {
	spec.Covers(t, "10.1", "10.5", "10.28")
	for name, make := range modules {
		t.Run(name, func(t *testing.T) {
			out, again := generate(t, make(t), false, name), generate(t, make(t), false, name)
			var paths []string
			for i, f := range out.Files {
				paths = append(paths, f.Path)
				if !bytes.Equal(f.Text, again.Files[i].Text) {
					t.Errorf("%s: two runs differ", f.Path)
				}
				if formatted, err := format.Source(f.Text); err != nil || !bytes.Equal(formatted, f.Text) {
					t.Errorf("%s is not as gofmt writes it: %v", f.Path, err)
				}
				path := filepath.Join("testdata", name, f.Path)
				if *update {
					if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
						t.Fatal(err)
					}
					if err := os.WriteFile(path, f.Text, 0o644); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(f.Text, want) {
					t.Errorf("the output differs from %s (-update writes it anew)", path)
				}
			}
			if !slices.IsSorted(paths) {
				t.Errorf("files %q", paths)
			}
		})
	}
}

// What the generator writes is what go vet accepts, for every module.
func TestVet(t *testing.T) {
	spec.Covers(t, "10.7", "10.28")
	if testing.Short() {
		t.Skip("it compiles four packages")
	}
	args := []string{"vet"}
	for name := range modules {
		args = append(args, "./testdata/"+name)
	}
	if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// generated is how Go tools know generated files.
var generated = regexp.MustCompile(`(?m)^// Code generated .* DO NOT EDIT\.$`)

func TestFiles(t *testing.T) {
	spec.Covers(t, "10.2")
	for _, f := range generate(t, codegentest.AllTypes(t), false, "alltypes").Files {
		s := string(f.Text)
		if !strings.HasPrefix(s, model.Marker) || !strings.HasSuffix(s, "\n") || strings.Contains(s, "\r") || !generated.MatchString(s) || f.Skeleton {
			t.Errorf("%s does not begin and end as generated files do", f.Path)
		}
	}
}

// Every exported name has a comment that begins with it.
func TestDocumentation(t *testing.T) {
	for name, make := range modules {
		lines := strings.Split(text(generate(t, make(t), false, name)), "\n")
		for i, line := range lines {
			m := regexp.MustCompile(`^(?:func (?:\([^)]*\) )?|type |var )([A-Z]\w*)`).FindStringSubmatch(line)
			if m != nil && !regexp.MustCompile(`^// (A )?`+m[1]+`\b`).MatchString(lines[i-1]) {
				t.Errorf("%s: %s\n%s", name, lines[i-1], line)
			}
		}
	}
}

func TestVisibility(t *testing.T) {
	spec.Covers(t, "10.3")
	m := codegentest.ChatMaker()
	m.Tables[1].Access = schema.Private
	m.Reducer("join")
	m.Reducer("hidden").Visibility = schema.VisibilityPrivate
	m.More = append(m.More, schema.RawSection{Tag: schema.SecLifecycle, Lifecycle: []schema.RawLifecycle{{Event: schema.LifecycleOnConnect, Function: "join"}}})
	for _, private := range []bool{false, true} {
		s := text(generate(t, m.Module(t), private, "chat"))
		for _, what := range []string{`"message"`, "HiddenArgs", ") Hidden(", "JoinArgs"} {
			if strings.Contains(s, what) != private {
				t.Errorf("private ones included: %t, but %s", private, what)
			}
		}
		if strings.Contains(s, ") Join(") {
			t.Error("a reducer that the server calls can be called")
		}
	}
	old, err := schema.Validate(&schema.RawModule{V9: &schema.RawV9{Typespace: &sats.Typespace{}, Reducers: []schema.RawReducerV9{
		{Name: "join", Params: codegentest.Unit, Lifecycle: schema.LifecycleOnConnect}}}})
	if err != nil {
		t.Fatal(err)
	}
	if s := text(generate(t, old, false, "old")); !strings.Contains(s, "JoinArgs") || strings.Contains(s, ") Join(") {
		t.Errorf("V9:\n%s", s)
	}
}

// Names for the wire are canonical ones, identifiers come from accessor names.
func TestNames(t *testing.T) {
	spec.Covers(t, "10.4")
	s := text(generate(t, codegentest.Odd(t), false, "odd"))
	for _, want := range []string{
		`Name:       "AppSettings"`, "Settings SettingsTable", `"xyz_abc"`, "DoThing(", `"http_get"`, "HttpGet(", "HttpGetArgs",
		`client.CallView[EventContext]("found", name)`,
	} {
		if !strings.Contains(s, want) {
			t.Errorf("there is no %s", want)
		}
	}
	s = text(generate(t, codegentest.AllTypes(t), false, "alltypes"))
	for _, want := range []string{`"lib.widget"`, `"lib.do_it"`, "Lib   LibReducers", "delete_ bool", `Name: "thing_id"`, "ThingId"} {
		if !strings.Contains(s, want) {
			t.Errorf("there is no %s", want)
		}
	}
}

// What a module says about its environment and its case policy changes nothing, an
// outbox is a table, and a view with parameters has no key and no place among all.
func TestNewSections(t *testing.T) {
	spec.Covers(t, "10.30", "10.31")
	want := text(generate(t, codegentest.Chat(t), false, "chat"))
	m := codegentest.ChatMaker()
	m.More = append(m.More,
		schema.RawSection{Tag: schema.SecEnvironment, Environment: []schema.RawEnvironmentVar{{Name: "KEY"}}},
		schema.RawSection{Tag: schema.SecCasePolicy, CasePolicy: schema.SnakeCase},
		schema.RawSection{Tag: schema.SecExplicitNames, ExplicitNames: []schema.RawExplicitName{{Kind: schema.NameNamespace, Source: "nowhere", Canonical: "there"}}},
	)
	if got := text(generate(t, m.Module(t), false, "chat")); got != want {
		t.Errorf("the sections changed the output:\n%s", got)
	}
	box := m.Type(sats.Product(sats.E("id", sats.U64), sats.E("to", codegentest.Identity), sats.E("text", sats.String)), "Letter")
	table := m.Table("letters", box)
	table.PrimaryKey = []schema.ColID{0}
	codegentest.Unique(table, "id", 0)
	m.More = append(m.More, schema.RawSection{Tag: schema.SecOutboxes, Outboxes: []schema.RawOutbox{{Table: "letters", RemoteReducer: "receive", TargetCol: 1, ArgCols: []schema.ColID{2}}}})
	if s := text(generate(t, m.Module(t), false, "chat")); !strings.Contains(s, "Letters LettersTable") {
		t.Error("an outbox is no table")
	}
	info := regexp.MustCompile(`(?s)var infoFound = .*?\n}`).FindString(text(generate(t, codegentest.Odd(t), false, "odd")))
	if !strings.Contains(info, "Arguments: true") || strings.Contains(info, "PrimaryKey") {
		t.Errorf("a view with parameters: %s", info)
	}
}

// Names that Go or the package needs give way; names of the module that become one
// are an error with both.
func TestCollisions(t *testing.T) {
	spec.Covers(t, "10.6")
	m := new(codegentest.Maker)
	for _, name := range []string{"Conn", "Query", "Reducer", "Tables", "UserTable", "ShapeRound", "RunArgs", "AppendShape"} {
		m.Type(sats.Product(sats.E("all", sats.U8), sats.E("where", sats.U8), sats.E("len", sats.U8)), name)
	}
	m.Type(sats.Sum(sats.E("Round", sats.U8), sats.E("Square", codegentest.Unit)), "Shape")
	table := m.Table("user", sats.Ref(0))
	for i, accessor := range []string{"all", "where", "len"} {
		codegentest.Indexed(table, accessor, schema.ColID(i))
	}
	m.Reducer("run", sats.E("type", sats.U8), sats.E("ctx", sats.String), sats.E("string", sats.String), sats.E("options", sats.U8), sats.E("r", sats.U8))
	s := text(generate(t, m.Module(t), false, "client"))
	for _, want := range []string{
		"type Conn_ struct", "type Query_ struct", "type Tables_ struct", "type UserTable struct", "type UserTable_ struct", "type ShapeRound_ struct{ Value uint8 }",
		"type RunArgs_ struct", "All_  client.Index[", "Len_  client.Index[", "Where_ client.IxCol[", "func AppendShape_(", "func ReadShape(", "type_ uint8, ctx_ string, string_ string, options_ uint8, r_ uint8",
	} {
		if !strings.Contains(s, want) {
			t.Errorf("there is no %q in\n%s", want, s)
		}
	}

	m = codegentest.AllTypesMaker()
	m.Type(sats.Product(sats.E("x", sats.U8)), "LibWidget")
	m.Reducer("twice", sats.E("fooBar", sats.U8), sats.E("foo_bar", sats.U8))
	built, err := model.Build(m.Module(t), false)
	if err != nil {
		t.Fatal(err)
	}
	_, err = golang.Generate(built, model.Options{})
	if _, err := golang.Generate(built, model.Options{Package: "a-b"}); err == nil || !strings.Contains(err.Error(), "`a-b` cannot be the name of a Go package") {
		t.Errorf("a bad package: %v", err)
	}
	for _, want := range []string{"type `LibWidget` and type `lib::Widget`", "parameter 1 `fooBar` and parameter 2 `foo_bar`", "parameters of reducer twice"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q: %v", want, err)
		}
	}
}
