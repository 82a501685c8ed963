package jshost

import (
	"fmt"
	"regexp"

	"github.com/evanw/esbuild/pkg/api"

	"github.com/stdbgo/spacetime/internal/abi"
)

// Resource is the name of a program in stack traces that no source map explains, spec 04 §2.1.
const Resource = "spacetimedb_module"

// declarations finds what look like `using` declarations: the word and a name that is no operator.
var declarations = regexp.MustCompile(`\b(?:await[ \t]+)?using[ \t]+([\pL_$\\][\pL\pN_$\\]*)`)

// notNames may follow `using` where it is a name itself.
var notNames = map[string]bool{"in": true, "of": true, "instanceof": true, "as": true, "from": true}

// StandIn replaces `using` declarations by `const`, which makes a text of other meaning but the same structure for a parser
// that does not know them. It returns nil if there are none.
func StandIn(code []byte) []byte {
	var out []byte
	last := 0
	for _, m := range declarations.FindAllSubmatchIndex(code, -1) {
		if notNames[string(code[m[2]:m[3]])] {
			continue
		}
		out = append(append(out, code[last:m[0]]...), "const "...)
		last = m[2]
	}
	if last == 0 {
		return nil
	}
	return append(out, code[last:]...)
}

const (
	// maxPostfix bounds the calls and member accesses of a program that is to be lowered. They may all be one chain, which the
	// rewriter walks by recursion: some 150 thousand can exhaust its stack, and nothing can catch that. All other kinds of nesting the
	// engine's own parser has bounded before.
	maxPostfix = 100_000
	// maxCommas bounds the commas. They may all be operators of one expression, for which the rewriter needs a time that grows
	// with the square of their number: seven seconds for twenty thousand. The official package has less than a tenth of both.
	maxCommas = 50_000
)

// complexity counts commas and what may be calls and member accesses: dots, templates and opening brackets, but for those
// that stand right behind a character after which an expression begins.
func complexity(code []byte) (postfix, commas int) {
	var last byte
	for _, c := range code {
		switch c {
		case ',':
			commas++
		case '.', '`':
			postfix++
		case '(', '[':
			switch last {
			case ',', '(', '[', ':', '=', ';':
			default:
				postfix++
			}
		}
		last = c
	}
	return postfix, commas
}

// Lower rewrites `using` declarations, and returns the map from the new text to the given one. Names stay as they are: stack
// traces show them, and one of them has a meaning (spec 04 §10.2).
func Lower(code []byte) (lowered, rawMap []byte, err error) {
	if postfix, commas := complexity(code); postfix > maxPostfix || commas > maxCommas {
		return nil, nil, &abi.LoadError{
			Problem: fmt.Sprintf("the program is too large for a rewriting of its `using` declarations: %d calls and member accesses "+
				"and %d commas, where %d and %d are possible", postfix, commas, maxPostfix, maxCommas),
			Fix: "bundle it for a target without `using`, such as es2022"}
	}
	res := api.Transform(string(code), api.TransformOptions{
		Loader:        api.LoaderJS,
		Target:        api.ESNext,
		Supported:     map[string]bool{"using": false},
		Sourcemap:     api.SourceMapExternal,
		Sourcefile:    Resource,
		LegalComments: api.LegalCommentsNone,
		TreeShaking:   api.TreeShakingFalse,
	})
	if len(res.Errors) > 0 {
		e := res.Errors[0]
		text := e.Text
		if l := e.Location; l != nil {
			text = fmt.Sprintf("%s:%d:%d: %s", l.File, l.Line, l.Column+1, e.Text)
		}
		return nil, nil, &abi.LoadError{Problem: "the program does not parse: " + text, Fix: FixParse}
	}
	return res.Code, res.Map, nil
}

// FixParse is the advice to who publishes what does not parse.
const FixParse = "publish one bundled ES module, as `spacetime build` makes it"
