package jstest

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/engine/internal/jshost"
	"github.com/stdbgo/spacetime/internal/abi"
)

// A program that nests very deeply must be refused or run; the parsers recurse, and Go cannot catch an exhausted stack.
func testHostilePrograms(t *testing.T) {
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
		"permitted":   "x=a" + strings.Repeat(".b()", 49_900),
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
				_, err := engine.New().Load(t.Context(), []byte(head+text), abi.LoadOptions{})
				var load *abi.LoadError
				if err != nil && !errors.As(err, &load) {
					t.Errorf("%T %v", err, err)
				}
			}
		})
	}
}

func testUsing(t *testing.T) {
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

// Without a source map of its own, a lowered program is reported with its own lines.
func testPositionsAfterLowering(t *testing.T) {
	text := v2("\n\nfunction thrower() {\n  { using x = null; using y = null; }\n\n  throw new Error('here');\n}", `{ using z = null; log("x"); } thrower();`)
	line := 1 + strings.Count(string(text)[:strings.Index(string(text), "throw new Error")], "\n")
	w := rawWorld(t, text, abi.Limits{})
	out := w.callID(0, "x")
	if want := fmt.Sprintf("at thrower (spacetimedb_module:%d:", line); !strings.Contains(out.Err.Error(), want) {
		t.Errorf("%v, want %s", out.Err, want)
	}
	logLine := 1 + strings.Count(string(text)[:strings.Index(string(text), "const log = ")], "\n")
	if r := w.services.logs[0]; r.Filename != jshost.Resource || int(r.Line) == logLine || r.Line == 0 || int(r.Line) > strings.Count(string(text), "\n") {
		t.Errorf("logged at %s:%d", r.Filename, r.Line)
	}
}

// A large table of numbers is no chain of calls.
func testLargeTable(t *testing.T) {
	text := "{ using x = null; }\nexport const data = [" + strings.Repeat("[1,2,3],", 12_000) + "]; export default {};"
	if _, err := engine.New().Load(t.Context(), []byte(text), abi.LoadOptions{}); err != nil {
		t.Error(err)
	}
}
