// Package codegen writes client bindings: source code by which the official
// client SDKs, and our own, know a module's rows, reducers and procedures
// (spec 10). It promises text that is a pure function of definition and
// options. It must not know files or projects beyond those that Detect reads.
//
// Package model holds what all languages start from; each language has a
// package with one function Generate(*model.Module, model.Options).
package codegen

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
