package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/sats"
)

func TestParseJSON5(t *testing.T) {
	got, err := parseJSON5(`// a comment
{
  unquoted: 'single \'quotes\'', "a": [1, -2.5e3, 0xFF, +1, .5, 5., NaN, -Infinity,], /* more */
  $x_1: "\u00e4\ud83e\ude90\x41\n\
joined", t: true, f: false, n: null, o: {},
}`)
	if err != nil {
		t.Fatal(err)
	}
	wanted := map[string]any{
		"unquoted": "single 'quotes'",
		"a":        []any{number5("1"), number5("-2.5e3"), number5("0xFF"), number5("+1"), number5(".5"), number5("5."), number5("NaN"), number5("-Infinity")},
		"$x_1":     "ä🪐A\njoined", "t": true, "f": false, "n": nil, "o": map[string]any{},
	}
	if !reflect.DeepEqual(got, wanted) {
		t.Errorf("%#v", got)
	}
	for text, at := range map[string]string{
		"":                      "line 1, column 1: a value is missing",
		"{":                     "line 1, column 2: a } is missing",
		"{a 1}":                 "line 1, column 4: a : is missing",
		"{a:1\n b:2}":           "line 2, column 2: a comma or } is missing",
		"[1 2]":                 "line 1, column 4: a comma or ] is missing",
		"{} {}":                 "line 1, column 4: there is more",
		"{a:secret}":            "line 1, column 4: this is no value",
		"{a:'x\n'}":             "line 1, column 6: this text has no closing quote",
		"/* x":                  "line 1, column 1: this comment does not end",
		`"\u12"`:                "needs 4 hexadecimal digits",
		"--1":                   "this is no value",
		strings.Repeat("[", 99): "nested more than",
	} {
		if _, err := parseJSON5(text); err == nil || !strings.Contains(err.Error(), at) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzParseJSON5(f *testing.F) {
	for _, text := range []string{`{"a":1}`, `{a:'b',}`, "[1,//x\n2]", `"\ud800\u0000"`, `/**/{}`, "\ufeff1"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := parseJSON5(text); err != nil && !strings.HasPrefix(err.Error(), "line ") {
			t.Errorf("an error without a place: %v", err)
		}
	})
}

func TestSplitWords(t *testing.T) {
	for line, wanted := range map[string][]string{
		`a  b`:              {"a", "b"},
		`say "a b" 'c "d"'`: {"say", "a b", `c "d"`},
		`x"y z"w ''`:        {"xy zw", ""},
		`"\"q\"" \  '\n'`:   {`"q"`, " ", `\n`},
		`"{\"some\":1}"`:    {`{"some":1}`},
		``:                  nil,
	} {
		if got, err := splitWords(line); err != nil || !slices.Equal(got, wanted) {
			t.Errorf("%s: %q, %v", line, got, err)
		}
	}
	if _, err := splitWords(`a "b`); err == nil {
		t.Error("an open quote")
	}
}

func TestBalanced(t *testing.T) {
	for text, wanted := range map[string]bool{
		"select 1": true, "f(": false, "f('(')": true, "a -- (\n": true, "a -- (\n(": false, `"[" {}`: true, ")": true, "([{}])": true,
	} {
		if balanced([]rune(text)) != wanted {
			t.Errorf("%q", text)
		}
	}
}

func TestComplete(t *testing.T) {
	n := &schemaNames{tables: []string{"item", "user"}, reducers: []string{"add_item", "add_user"}, columns: map[string][]string{"item": {"id", "name"}}}
	for _, c := range []struct {
		before, word string
		wanted       []string
	}{
		{"", "sel", []string{"select"}},
		{"", "SEL", []string{"SELECT"}},
		{"select ", "na", []string{"name"}},
		{"select item.id from ", "it", []string{"item"}},
		{"select (", "item.n", []string{"item.name"}},
		{"", ".su", []string{".subscribe"}},
		{"", ".", []string{".call", ".clear", ".exit", ".help", ".logs", ".mode", ".multiline", ".quit", ".schema", ".subscribe", ".tables", ".watch"}},
		{".call ", "add", []string{"add_item", "add_user"}},
		{".call add_item ", "a", nil},
		{".schema ", "", []string{"item", "user"}},
	} {
		if got := n.complete(c.before, c.word); !slices.Equal(got, c.wanted) {
			t.Errorf("%q %q: %q", c.before, c.word, got)
		}
	}
}

func TestHighlight(t *testing.T) {
	for _, text := range []string{"select * from t where a = 'x' and b > 0x1f -- end", ".call f \"x\"", "'open", "sélect \"", ".x", "", "--"} {
		plain := highlight(text)
		for _, code := range []string{colorKeyword, colorString, colorNumber, colorComment, colorCommand, "0"} {
			plain = strings.ReplaceAll(plain, "\x1b["+code+"m", "")
		}
		if plain != text {
			t.Errorf("%q became %q", text, plain)
		}
	}
}

func TestDurationText(t *testing.T) {
	for d, wanted := range map[time.Duration]string{0: "0.00ns", 97 * time.Microsecond: "97.00µs", 1500 * time.Microsecond: "1.50ms", 2300 * time.Millisecond: "2.30s"} {
		if got := durationText(d); got != wanted {
			t.Errorf("%v: %s", d, got)
		}
	}
}

func TestFormatTable(t *testing.T) {
	got := formatTable([]string{"a", "wide"}, [][]string{{"日本", "x\ty"}, {"1\n22", ""}})
	wanted := " a    | wide \n------+------\n 日本 | x\ty  \n 1    |      \n 22   |      "
	if got != wanted {
		t.Errorf("%q", got)
	}
}

func TestCSV(t *testing.T) {
	text := sats.Primitive(sats.KindString)
	r := &statementResult{columns: []sats.Element{sats.E("a,b", text), sats.E("o", sats.Option(text)), sats.E("n", sats.Primitive(sats.KindU64))}}
	for _, row := range []string{`["x \"y\"", {"some":"z"}, 18446744073709551615]`, `["", {"none":[]}, 0]`, `["two\nlines", [0,"t"], 1]`, `["", [1,[]], 2]`} {
		var cells []json.RawMessage
		if err := json.Unmarshal([]byte(row), &cells); err != nil {
			t.Fatal(err)
		}
		r.rows = append(r.rows, cells)
	}
	got, err := r.csv()
	if wanted := "\"a,b\",o,n\n\"x \"\"y\"\"\",z,18446744073709551615\n,,0\n\"two\nlines\",t,1\n,,2\n"; err != nil || got != wanted {
		t.Errorf("%q, %v", got, err)
	}
}

// A history file of another form is left alone.
func TestHistory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history")
	if err := os.WriteFile(path, []byte("something else\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	h := openHistory(path)
	_, _ = h.Write("select 1")
	h.save()
	if text, _ := os.ReadFile(path); string(text) != "something else\n" {
		t.Errorf("overwritten by %q", text)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	h = openHistory(path)
	for range maxHistory {
		_, _ = h.Write("x")
		_, _ = h.Write("a\\\nb")
	}
	h.save()
	again := openHistory(path)
	if last, err := again.GetLine(again.Len() - 1); err != nil || last != "a\\\nb" || again.Len() != maxHistory {
		t.Errorf("%q of %d, %v", last, again.Len(), err)
	}
}

func TestSplitStatements(t *testing.T) {
	for text, wanted := range map[string][]string{
		"select a; select b":                    {"select a; select b"}, // one line is the server's to judge
		"select a\nfrom t":                      {"select a\nfrom t"},
		"select a\nfrom t;\n\ndelete from t\n":  {"select a\nfrom t;\n", "delete from t\n"},
		"select a\n  from t\nselect b":          {"select a\n  from t\n", "select b"},
		"update t\nset a = 1\nwhere b = 2":      {"update t\nset a = 1\nwhere b = 2"},
		".call f 1\n.call f 2\nselect a":        {".call f 1\n", ".call f 2\n", "select a"},
		"insert into t values ('\nselect;\n')":  {"insert into t values ('\nselect;\n')"},
		"select (\nselect\n)":                   {"select (\nselect\n)"},
		"-- it's a comment\nselect a\nselect b": {"-- it's a comment\n", "select a\n", "select b"},
		"\n\n":                                  nil,
	} {
		if got := splitStatements(text); !reflect.DeepEqual(got, wanted) {
			t.Errorf("%q: %q", text, got)
		}
	}
}

func TestArgumentJSON(t *testing.T) {
	ts := &sats.Typespace{Types: []*sats.Type{
		sats.Sum(sats.E("Red", sats.Unit), sats.E("Custom", sats.Primitive(sats.KindU32))),
	}}
	timestamp := sats.Product(sats.E("__timestamp_micros_since_unix_epoch__", sats.Primitive(sats.KindI64)))
	duration := sats.Product(sats.E("__time_duration_micros__", sats.Primitive(sats.KindI64)))
	point := sats.Product(sats.E("x", sats.Primitive(sats.KindI32)), sats.E("y", sats.Primitive(sats.KindI32)))
	for _, c := range []struct {
		t           *sats.Type
		arg, wanted string
	}{
		{sats.Primitive(sats.KindString), `a "b"`, `"a \"b\""`},
		{sats.Ref(0), "Red", `{"Red":{}}`},
		{sats.Ref(0), `"Red"`, `{"Red":{}}`},
		{sats.Ref(0), "Custom", "Custom"},
		{sats.Ref(0), `{"Custom":5}`, `{"Custom":5}`},
		{sats.Option(sats.Primitive(sats.KindU32)), "5", `{"some":5}`},
		{sats.Option(sats.Primitive(sats.KindU32)), "null", "null"},
		{sats.Option(sats.Primitive(sats.KindU32)), "[0,5]", "[0,5]"},
		{sats.Option(sats.Primitive(sats.KindU32)), `{"none":[]}`, `{"none":[]}`},
		{sats.Option(sats.Ref(0)), "Red", `{"some":{"Red":{}}}`},
		{sats.Option(point), `{"x":1,"y":2}`, `{"some":{"x":1,"y":2}}`},
		{sats.Option(sats.Primitive(sats.KindString)), "Alice", `{"some":"Alice"}`},
		{sats.Option(sats.Primitive(sats.KindString)), `"Alice"`, `{"some":"Alice"}`},
		{sats.Option(sats.Primitive(sats.KindString)), "5", `{"some":"5"}`},
		{sats.Option(sats.Primitive(sats.KindString)), "", `{"some":""}`},
		{sats.Option(sats.Primitive(sats.KindString)), `{"some":"x"}`, `{"some":"x"}`},
		{sats.Primitive(sats.KindU256), "16", `"0x10"`},
		{sats.Primitive(sats.KindU256), "0x10", `"0x10"`},
		{sats.Primitive(sats.KindU256), `"0x10"`, `"0x10"`},
		{sats.Primitive(sats.KindI256), "-16", `"-0x10"`},
		{sats.Primitive(sats.KindI256), "-0x10", `"-0x10"`},
		{sats.Primitive(sats.KindI128), "-5", "-5"},
		{timestamp, "2026-01-31", "[1769817600000000]"},
		{timestamp, "2026-01-31T00:00:00Z", "[1769817600000000]"},
		{timestamp, "-5", "[-5]"},
		{timestamp, "[5]", "[5]"},
		{timestamp, "now", "now"},
		{duration, "1.5s", "[1500000]"},
		{duration, "7", "[7]"},
		{duration, "1ns", "1ns"},
		{point, `[1,2]`, `[1,2]`},
	} {
		if got := argumentJSON(ts, c.t, c.arg); got != c.wanted {
			t.Errorf("%s of type %v: %s, want %s", c.arg, c.t, got, c.wanted)
		}
	}
}

func TestSpelling(t *testing.T) {
	ts := &sats.Typespace{}
	color := sats.Sum(sats.E("Red", sats.Unit), sats.E("Custom", sats.Primitive(sats.KindU32)))
	m := &schema.ModuleDef{Typespace: ts}
	c := &callRequest{module: m}
	f := &function{params: sats.Product(sats.E("n", sats.Primitive(sats.KindU8)), sats.E("color", sats.Option(color)))}
	for text, wanted := range map[string]string{
		"invalid arguments for reducer paint: [0]: invalid arguments":    "argument 1, n, is a whole number of 8 bits, not negative",
		"invalid arguments for reducer paint: [1].some: unknown variant": `argument 2, color, is optional: null, or the value, which is one of Red, '{"Custom": …}'`,
		"invalid arguments for reducer paint: [7]: of another program":   "",
		"invalid arguments for reducer paint: expected `,` or `]`":       "",
	} {
		if got := c.refusedArgument(f, text); got != wanted {
			t.Errorf("%s: %s", text, got)
		}
	}
}

// The export says nothing of the policy that made its names.
func TestNamesOfAnExport(t *testing.T) {
	const text = `{"sections":[{"Typespace":{"types":[{"Product":{"elements":[{"name":{"some":"jobId"},"algebraic_type":{"U64":[]}}]}}]}},` +
		`{"Types":[{"source_name":{"scope":[],"source_name":"PaintJob"},"ty":0,"custom_ordering":true}]},` +
		`{"Tables":[{"source_name":"PaintJob","product_type_ref":0,"primary_key":[],"indexes":[],"constraints":[],"sequences":[],"table_type":{"User":[]},"table_access":{"Public":[]},"default_values":[],"is_event":false}]},` +
		`{"ExplicitNames":{"entries":[{"Table":{"source_name":"PaintJob","canonical_name":"PaintJob"}}]}}]}`
	m, err := readModule(10, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if d, ok := m.Table("PaintJob"); !ok || d.Columns[0].Name != "jobId" {
		t.Errorf("%+v", m.Tables)
	}
}

// The package of bindings for Go is named after its directory, if Go takes the name.
func TestPackageName(t *testing.T) {
	for dir, want := range map[string]string{
		"/a/module_bindings": "module_bindings", "/a/My-App": "myapp", "/a/2d": "d", "/a/---": "bindings", "/a/func": "bindings", "/a/go": "bindings", "/a/main": "main",
	} {
		if got := packageName(dir); got != want {
			t.Errorf("%s: %s, want %s", dir, got, want)
		}
	}
}

// Where current cannot be a link, it is a directory that holds the programs.
func TestVersionInUseWithoutLinks(t *testing.T) {
	root := t.TempDir()
	r := &run{rootDir: root}
	for _, name := range []string{"1.0.0", "2.0.0"} {
		for _, program := range append([]string{"spacetimedb-cli"}, programNames...) {
			dir := filepath.Join(r.binDir(), name)
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, program+exeSuffix), []byte(name), 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	current := filepath.Join(r.binDir(), currentName)
	if err := os.Mkdir(current, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"1.0.0", "2.0.0", "1.0.0"} {
		if err := r.useVersion(name); err != nil {
			t.Fatal(err)
		}
		if got := r.current(); got != name {
			t.Errorf("current = %q; want %q", got, name)
		}
		for _, program := range append([]string{"spacetimedb-cli"}, programNames...) {
			if got, err := os.ReadFile(filepath.Join(current, program+exeSuffix)); err != nil || string(got) != name {
				t.Errorf("%s of %s is %q, %v", program, name, got, err)
			}
		}
		for _, version := range []string{"1.0.0", "2.0.0"} {
			if got, err := os.ReadFile(filepath.Join(r.binDir(), version, "spacetimedb-cli"+exeSuffix)); err != nil || string(got) != version {
				t.Errorf("to use %s has made %s %q, %v", name, version, got, err)
			}
		}
	}
	if names, err := r.installed(); err != nil || !slices.Equal(names, []string{"2.0.0", "1.0.0"}) {
		t.Errorf("installed = %q, %v", names, err)
	}
}
