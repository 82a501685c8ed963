// Package codegen writes client bindings: source code by which the official
// client SDKs, and our own, know a module's rows, reducers and procedures
// (spec 10). It promises text that is a pure function of definition and
// options. It must not know files or projects beyond those that Detect reads.
//
// Package model holds what all languages start from; each language has a
// package with one function Generate(*model.Module, model.Options).
package codegen

import (
	"fmt"

	"github.com/stdbgo/spacetime/internal/codegen/csharp"
	"github.com/stdbgo/spacetime/internal/codegen/golang"
	"github.com/stdbgo/spacetime/internal/codegen/model"
	"github.com/stdbgo/spacetime/internal/codegen/rust"
	"github.com/stdbgo/spacetime/internal/codegen/typescript"
	"github.com/stdbgo/spacetime/internal/codegen/unreal"
	"github.com/stdbgo/spacetime/internal/schema"
)

// A Language is a language that bindings are written in.
type Language string

// The languages.
const (
	TypeScript Language = "typescript"
	Rust       Language = "rust"
	CSharp     Language = "csharp"
	Unreal     Language = "unrealcpp"
	Go         Language = "go"
)

// A generator writes the bindings of one language.
type generator struct {
	run func(*model.Module, model.Options) (*model.Output, error)
	// submodules is set if the language has a form of its own for them; the
	// others get them flattened.
	submodules bool
}

var generators = map[Language]generator{
	TypeScript: {run: typescript.Generate, submodules: true},
	Rust:       {run: rust.Generate},
	CSharp:     {run: csharp.Generate},
	Unreal:     {run: unreal.Generate},
	Go:         {run: golang.Generate, submodules: true},
}

// Generate returns the bindings of m in a language.
func Generate(l Language, m *model.Module, o model.Options) (*model.Output, error) {
	g, ok := generators[l]
	if !ok {
		return nil, fmt.Errorf("there is no generator of bindings for %s", l)
	}
	if !g.submodules {
		var err error
		if m, err = model.Flatten(m); err != nil {
			return nil, err
		}
	}
	return g.run(m, o)
}

// ReceiverFile is the name of the file that Receiver's text is written to.
const ReceiverFile = rust.ReceiverFile

// Receiver returns the bindings by which another module, in Rust, calls the
// reducers of this one through an outbox (spec 09 §7.12). Two such files in one
// crate need different salts.
func Receiver(def *schema.ModuleDef, tool, salt string) ([]byte, error) {
	return rust.Receiver(def, tool, salt)
}
