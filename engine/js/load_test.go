package js

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/abi"
)

// A program that nests very deeply must be refused or run; the parsers recurse, and Go cannot catch an exhausted stack.
func TestHostilePrograms(t *testing.T) {
	if raced {
		t.Skip("these programs take minutes under the race detector, and run on one goroutine")
	}
	const n = 110_000
	for name, text := range map[string]string{
		"not":         "x=" + strings.Repeat("!", n) + "1",
		"parentheses": "x=" + strings.Repeat("(", n) + "1" + strings.Repeat(")", n),
		"blocks":      strings.Repeat("{", n) + strings.Repeat("}", n),
		"arrows":      "x=" + strings.Repeat("a=>", n) + "1",
		"arrays":      "x=" + strings.Repeat("[", n) + strings.Repeat("]", n),
		"objects":     "x=" + strings.Repeat("{a:", n) + "1" + strings.Repeat("}", n),
		"sum":         "x=1" + strings.Repeat("+1", n),
		"power":       "x=1" + strings.Repeat("**1", n),
		"assignments": strings.Repeat("x=", n) + "1",
		"if":          strings.Repeat("if(x)", n) + ";",
		"else":        strings.Repeat("if(x);else ", n) + ";",
		"conditions":  "x=" + strings.Repeat("a?b:", n) + "1",
		"calls":       "x=a" + strings.Repeat("()", n),
		"members":     "x=a" + strings.Repeat(".b", n),
		"permitted":   "x=a" + strings.Repeat(".b()", maxPostfix/2-100),
		"optional":    "x=a" + strings.Repeat("?.b", n),
		"indices":     "x=a" + strings.Repeat("[0]", n),
		"hidden":      "x=a" + strings.Repeat("//,\n()", n),
		"templates":   "x=a" + strings.Repeat("``", n),
		"nested text": "x=" + strings.Repeat("`${", n) + "1" + strings.Repeat("}`", n),
		"functions":   strings.Repeat("function f(){", n) + strings.Repeat("}", n),
		"classes":     strings.Repeat("class A{static{", n/10) + strings.Repeat("}}", n/10),
		"new":         "x=" + strings.Repeat("new ", n) + "a",
		"labels":      strings.Repeat("a:", n) + ";",
		"commas":      "x=(1" + strings.Repeat(",1", n) + ")",
		"patterns":    "let " + strings.Repeat("[", n) + "x" + strings.Repeat("]", n) + "=1",
		"spread":      "x=" + strings.Repeat("[...", n) + "a" + strings.Repeat("]", n),
		"await":       "x=" + strings.Repeat("await ", n) + "1",
		"regexp":      "x=/" + strings.Repeat("(", n) + strings.Repeat(")", n) + "/",
	} {
		t.Run(name, func(t *testing.T) {
			for _, head := range []string{"let x, a, b;\n", "let x, a, b; { using y = null; }\n"} {
				_, err := New(Options{}).Load(t.Context(), []byte(head+text), abi.LoadOptions{})
				var load *abi.LoadError
				if err != nil && !errors.As(err, &load) {
					t.Errorf("%T %v", err, err)
				}
			}
		})
	}
}

func TestUsing(t *testing.T) {
	for name, body := range map[string]string{
		"block":      `{ using a = r("a"), b = r("b"); log("in"); } log("out");`,
		"loop":       `for (using a of [r("b"), r("a")]) log("in"); log("out");`,
		"exception":  `log(caught(() => { using b = r("b"); using a = r("a"); throw new Error("in"); }).message); log("out");`,
		"spaced":     "{ using\t b = r('b'), a = r('a'); log('in'); } log('out');",
		"names":      `const using = 1, of = 2; if (using in [0, 1] && !(using instanceof Object)) log("in"); log("a"); log("b"); log("out");`,
		"in a text":  `const s = "using x = 1 " + /using y = 2/.source; log("in"); log("a"); log("b"); log("out");`,
		"null":       `{ using a = null, b = undefined; log("in"); } log("a"); log("b"); log("out");`,
		"not a name": "log('in'); log('a'); log('b'); log('out'); // using x =\n",
	} {
		t.Run(name, func(t *testing.T) {
			want := []string{"in", "b", "a", "out"}
			switch name {
			case "loop", "spaced":
				want = []string{"in", "a", "b", "out"}
			case "exception":
				want = []string{"a", "b", "in", "out"}
			case "names", "in a text", "null", "not a name":
				want = []string{"in", "a", "b", "out"}
			}
			if name == "loop" {
				want = []string{"in", "b", "in", "a", "out"}
			}
			expect(t, v2(`const r = (name) => ({ [Symbol.dispose]() { log(name); } });`, body), want...)
		})
	}
}

func TestComplexity(t *testing.T) {
	for _, c := range []struct {
		text            string
		postfix, commas int
	}{
		{"a.b.c", 2, 0}, {"f(g(1), [1, [2]])", 4, 2}, {"f(x)[1]`t`", 4, 0}, {"[[1],[2]]", 1, 1}, {"x=(1)", 0, 0}, {"({a:[1]})", 1, 0},
	} {
		if p, n := complexity([]byte(c.text)); p != c.postfix || n != c.commas {
			t.Errorf("complexity(%s) = %d, %d, want %d, %d", c.text, p, n, c.postfix, c.commas)
		}
	}
	// A large table of numbers is no chain of calls.
	text := "{ using x = null; }\nexport const data = [" + strings.Repeat("[1,2,3],", 20_000) + "]; export default {};"
	if _, err := New(Options{}).Load(t.Context(), []byte(text), abi.LoadOptions{}); err != nil {
		t.Error(err)
	}
}

// Without a source map of its own, a lowered program is reported with its own lines.
func TestPositionsAfterLowering(t *testing.T) {
	text := v2("\n\nfunction thrower() {\n  { using x = null; using y = null; }\n\n  throw new Error('here');\n}", `{ using z = null; log("x"); } thrower();`)
	line := 1 + strings.Count(string(text)[:strings.Index(string(text), "throw new Error")], "\n")
	w := rawWorld(t, text, abi.Limits{})
	out := w.callID(0, "x")
	if want := fmt.Sprintf("at thrower (spacetimedb_module:%d:", line); !strings.Contains(out.Err.Error(), want) {
		t.Errorf("%v, want %s", out.Err, want)
	}
	logLine := 1 + strings.Count(string(text)[:strings.Index(string(text), "const log = ")], "\n")
	if r := w.services.logs[0]; r.Filename != resource || int(r.Line) == logLine || r.Line == 0 || int(r.Line) > strings.Count(string(text), "\n") {
		t.Errorf("logged at %s:%d", r.Filename, r.Line)
	}
}

func TestSourceMap(t *testing.T) {
	m, err := parseMap([]byte(`{"version":3,"sourceRoot":"src/","sources":["a.ts","b.ts"],"names":["x"],"mappings":"AAAA,IAAM,IAAIA;;ACCV,E;AADC"}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		line, column int
		want         string
	}{
		{1, 1, "src/a.ts:1:1"}, {1, 4, "src/a.ts:1:1"}, {1, 5, "src/a.ts:1:7"}, {1, 9, "src/a.ts:1:11"}, {1, 900, "src/a.ts:1:11"},
		{2, 1, ""}, {3, 1, "src/b.ts:2:1"}, {3, 3, ""}, {4, 1, "src/b.ts:1:2"}, {5, 1, ""}, {0, 0, ""}, {-1, -1, ""},
	} {
		got := ""
		if p, ok := m.at(c.line, c.column); ok {
			got = fmt.Sprintf("%s:%d:%d", p.file, p.line, p.column)
		}
		if got != c.want {
			t.Errorf("%d:%d is from %q, want %q", c.line, c.column, got, c.want)
		}
	}
	for _, bad := range []string{`{`, `{"version":2}`, `{"version":3,"sources":[],"mappings":"AAAA"}`, `{"version":3,"sources":["a"],"mappings":"A*"}`,
		`{"version":3,"sources":["a"],"mappings":"AA"}`, `{"version":3,"sources":["a"],"mappings":"AAAAAAAA"}`, `{"version":3,"sources":["a"],"mappings":"AAD"}`,
		`{"version":3,"sources":["a"],"mappings":"gggggggggggggg"}`} {
		if _, err := parseMap([]byte(bad)); err == nil {
			t.Errorf("parseMap(%s) succeeds", bad)
		}
	}
}

func TestSplitMap(t *testing.T) {
	data := base64.StdEncoding.EncodeToString([]byte("{}"))
	for _, c := range []struct{ text, code, raw string }{
		{"x\n//# sourceMappingURL=data:application/json;base64," + data, "x\n", "{}"},
		{"x\n//# sourceMappingURL=data:application/json;charset=utf-8;base64," + data + "\n", "x\n", "{}"},
		{"x\n//# sourceMappingURL=x.js.map\n", "", ""},
		{"x\n//# sourceMappingURL=data:application/json;base64,***\n", "", ""},
		{"x\n//# sourceMappingURL=data:application/json;base64," + data + "\ny", "", ""},
		{"x = '//# sourceMappingURL=data:application/json;base64," + data + "'", "", ""},
		{"x", "", ""},
	} {
		if c.code == "" {
			c.code = c.text
		}
		if code, raw := splitMap([]byte(c.text)); string(code) != c.code || string(raw) != c.raw {
			t.Errorf("splitMap(%q) = %q, %q", c.text, code, raw)
		}
	}
}

func FuzzSourceMap(f *testing.F) {
	f.Add("AAAA,IAAM,IAAIA;;ACCV,E;AADC")
	f.Add(";;;;A")
	f.Add("+///D")
	f.Fuzz(func(t *testing.T, mappings string) {
		m := &sourceMap{sources: []string{"a", "b"}}
		if m.decode(mappings) != nil {
			return
		}
		for line := range len(m.lines) + 2 {
			for column := range 20 {
				m.at(line, column)
			}
		}
	})
}
