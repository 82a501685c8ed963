package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/stdbgo/spacetime/internal/build"
)

// buildFlags are the options of build, which publish takes in --build-options.
type buildFlags struct {
	modulePath string
	lintDir    string
	features   string
	dotnet     string
	debug      bool
	types      *build.TypeChecker
}

func (b *buildFlags) command(run func(cmd *cobra.Command) error) *cobra.Command {
	b.lintDir = "src"
	cmd := &cobra.Command{
		Use:   "build [OPTIONS]",
		Short: "Build a module",
		Args:  noPositionals,
		RunE:  func(cmd *cobra.Command, _ []string) error { return run(cmd) },
	}
	f := cmd.Flags()
	f.VarP(once(&b.modulePath, "directory"), "module-path", "p", "directory of the module")
	f.Var(once(&b.modulePath, "directory"), "project-path", "the same as --module-path")
	f.Var(once(&b.lintDir, "directory"), "lint-dir", "where to look for print statements; empty: nowhere")
	f.BoolVarP(&b.debug, "debug", "d", false, "build without optimisation")
	f.Var(once(&b.features, "features"), "features", "Rust only: features to build with")
	f.Var(once(&b.dotnet, "version", "8", "10"), "dotnet-version", "C# only: the .NET version to build for")
	_ = f.MarkHidden("project-path")
	return cmd
}

func (r *run) buildCommand() *cobra.Command {
	b := &buildFlags{}
	return b.command(func(cmd *cobra.Command) error {
		dir, err := r.findModule(b.modulePath)
		if err != nil {
			return err
		}
		_, err = r.build(cmd.Context(), dir, b)
		return err
	})
}

func (r *run) findModule(given string) (string, error) {
	if given != "" {
		dir := r.path(given)
		st, err := os.Stat(dir)
		switch {
		case err != nil:
			return "", fail("Fatal Error: path %s does not exist.", given)
		case !st.IsDir():
			return "", fail("Fatal Error: path %s exists but is not a directory.", given)
		}
		return dir, nil
	}
	for _, dir := range []string{filepath.Join(r.WorkDir, "spacetimedb"), r.WorkDir} {
		if _, err := build.Detect(dir); err == nil {
			return dir, nil
		}
	}
	return "", fail("Could not find a SpacetimeDB module in spacetimedb/ or the current directory. Make one by `spacetime init`, or name its directory by --module-path.")
}

// buildModule builds for publish.
func (r *run) buildModule(ctx context.Context, dir string, o *publishOptions) (*build.Artifact, error) {
	b := &buildFlags{types: o.types}
	cmd := b.command(nil)
	plain(cmd)
	words := strings.Fields(o.buildOptions)
	if o.dotnet != "" {
		words = append(words, "--dotnet-version="+o.dotnet)
	}
	// the module's directory is given already, as if it stood among the words
	words, _, err := parseOptions(cmd, append(words, "--module-path="+dir))
	if err == nil {
		err = noPositionals(cmd, words)
	}
	if err != nil {
		return nil, err
	}
	return r.build(ctx, dir, b)
}

func (r *run) build(ctx context.Context, dir string, b *buildFlags) (*build.Artifact, error) {
	o := build.Options{Dir: dir, LintDir: b.lintDir, Debug: b.debug, Types: b.types, Stdout: r.Stdout, Stderr: r.Stderr}
	if b.features != "" {
		o.Features = strings.Split(b.features, ",")
	}
	switch b.dotnet {
	case "8":
		o.DotnetVersion = 8
	case "10":
		o.DotnetVersion = 10
	}
	if lang, err := build.Detect(dir); err == nil && (lang == build.Go || lang == build.TypeScript) { // others' tools show theirs
		shown := r.progress("Building", 0)
		defer shown.end()
		o.Stderr = shown.tool(r.Stderr)
	}
	a, err := build.Build(ctx, o)
	var exit *build.ExitError
	switch {
	case errors.As(err, &exit):
		return nil, err // the tool has said why
	case err != nil:
		return nil, fail("%s", err)
	}
	fmt.Fprintln(r.Stdout, "Build finished successfully.")
	return a, nil
}
