// Package build turns a module's source into the file that is published.
//
// It owns the choice of language and one builder for each: the language's own
// tools for Rust, C# and Go, a bundler in process for TypeScript and JavaScript.
// It promises that a failure carries the tool's own output and says what to
// install when a tool is missing. It must not know servers, publishing or the
// command line; spec 09 §9 is its source.
package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// A Language is what a module is written in.
type Language string

const (
	Rust       Language = "Rust"
	CSharp     Language = "C#"
	TypeScript Language = "TypeScript"
	CPlusPlus  Language = "C++"
	Go         Language = "Go"
)

// A HostType is what kind of program a module becomes.
type HostType string

const (
	Wasm HostType = "Wasm"
	JS   HostType = "Js"
)

// Options say what to build. Dir is required.
type Options struct {
	Dir           string
	LintDir       string       // below Dir; where Rust sources are searched for print statements; "" means no search
	Debug         bool         // no optimisation
	Features      []string     // Rust only
	DotnetVersion int          // C# only: 8 or 10; 0 means what the project says
	Types         *TypeChecker // TypeScript only: checks types again and again; nil means the compiler is run
	Stdout        io.Writer
	Stderr        io.Writer // the tools' own output
}

// An Artifact is a built module.
type Artifact struct {
	Path     string
	Language Language
	HostType HostType
}

// An ExitError says that a tool has already explained its failure and which exit
// code the command should pass on.
type ExitError struct{ Code int }

func (e *ExitError) Error() string { return fmt.Sprintf("the build ended with code %d", e.Code) }

// ErrNoModule is why a directory cannot be built.
var ErrNoModule = errors.New("Could not detect the language of the module. Are you in a SpacetimeDB project directory?")

// Detect tells the language of the module in dir.
func Detect(dir string) (Language, error) {
	st, err := os.Stat(dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return "", fmt.Errorf("Module directory does not exist: '%s'. Create a module by `spacetime init`, or name its directory", dir)
	case err != nil:
		return "", err
	case !st.IsDir():
		return "", fmt.Errorf("%s exists but is not a directory", dir)
	}
	for _, try := range []struct {
		pattern string
		lang    Language
	}{
		{"Cargo.toml", Rust},
		{"*.csproj", CSharp},
		{"package.json", TypeScript},
		{"CMakeLists.txt", CPlusPlus},
		{"go.mod", Go},
		{"*.go", Go},
	} {
		if found, err := filepath.Glob(filepath.Join(escapeGlob(dir), try.pattern)); err == nil && len(found) > 0 {
			return try.lang, nil
		}
	}
	return "", ErrNoModule
}

// escapeGlob makes a directory's name stand for itself in a pattern.
func escapeGlob(dir string) string {
	if os.PathSeparator == '\\' {
		return dir // there a backslash separates and cannot escape
	}
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(dir)
}

// Build builds the module.
func Build(ctx context.Context, o Options) (*Artifact, error) {
	lang, err := Detect(o.Dir)
	if err != nil {
		return nil, err
	}
	if len(o.Features) > 0 && lang != Rust {
		return nil, errors.New("The --features option is only supported for Rust modules.")
	}
	if o.Stdout == nil {
		o.Stdout = io.Discard
	}
	if o.Stderr == nil {
		o.Stderr = io.Discard
	}
	b := &builder{Options: o}
	a := &Artifact{Language: lang, HostType: Wasm}
	switch lang {
	case Rust:
		a.Path, err = b.rust(ctx)
	case CSharp:
		a.Path, err = b.csharp(ctx)
	case TypeScript:
		a.HostType = JS
		a.Path, err = b.typescript(ctx)
	case Go:
		a.Path, err = b.golang(ctx)
	case CPlusPlus:
		a.Path, err = b.cpp(ctx)
	}
	if err != nil {
		return nil, err
	}
	if lang == Rust || lang == CSharp || lang == CPlusPlus {
		if !o.Debug {
			a.Path = b.optimise(ctx, a.Path)
		}
	}
	return a, nil
}

type builder struct{ Options }

// command prepares a tool to run in the module's directory.
func (b *builder) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = b.Dir, b.Stderr, b.Stderr
	return cmd
}

// run runs a tool whose output goes to Stderr.
func (b *builder) run(ctx context.Context, name string, args ...string) error {
	return toolError(b.command(ctx, name, args...))
}

func toolError(cmd *exec.Cmd) error {
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return fmt.Errorf("command %q exited with code %d", cmd.Args, exit.ExitCode())
	}
	return err
}

// missing reports a tool that is not in PATH and what to do about it.
func missing(tool, advice string) error {
	if _, err := exec.LookPath(tool); err == nil {
		return nil
	}
	return fmt.Errorf("%s not found in PATH. %s", tool, advice)
}

// optimise runs wasm-opt if it is there. It never fails: the module works without.
func (b *builder) optimise(ctx context.Context, path string) string {
	if _, err := exec.LookPath("wasm-opt"); err != nil {
		return path
	}
	fmt.Fprintln(b.Stderr, "Optimising module with wasm-opt...")
	out := strings.TrimSuffix(path, ".wasm") + ".opt.wasm"
	abs, err := filepath.Abs(path)
	if err == nil {
		out, err = filepath.Abs(out)
	}
	if err == nil {
		err = b.run(ctx, "wasm-opt", "-all", "-g", "-O2", abs, "-o", out)
	}
	if err != nil {
		fmt.Fprintf(b.Stderr, "wasm-opt failed: %v\nContinuing with unoptimised module.\n", err)
		return path
	}
	return out
}
