package cli

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/stdbgo/spacetime/internal/build"
	"github.com/stdbgo/spacetime/internal/codegen"
)

// generateOptions are the options of generate: those of an entry, and which
// entries to run.
type generateOptions struct {
	generateEntry
	target
	env string
}

// languageNames are the words that --lang and entries take.
var languageNames = map[string]codegen.Language{
	"csharp": codegen.CSharp, "cs": codegen.CSharp, "c#": codegen.CSharp,
	"typescript": codegen.TypeScript, "ts": codegen.TypeScript, "TS": codegen.TypeScript,
	"rust": codegen.Rust, "rs": codegen.Rust, "RS": codegen.Rust,
	"unrealcpp": codegen.Unreal, "uecpp": codegen.Unreal, "ue5cpp": codegen.Unreal, "unreal": codegen.Unreal,
	"go": codegen.Go, "golang": codegen.Go,
}

// languageValue is the value of --lang.
type languageValue struct{ to *codegen.Language }

func (v languageValue) String() string { return "" }
func (v languageValue) Type() string   { return "lang" }
func (v languageValue) Set(s string) error {
	l, ok := languageNames[s]
	if !ok {
		return &wrongWord{given: s, possible: []string{"csharp", "typescript", "rust", "unrealcpp", "go"}}
	}
	*v.to = l
	return nil
}

// bindingsValue is the value of --bindings.
type bindingsValue struct{ module *bool }

func (v bindingsValue) String() string { return "" }
func (v bindingsValue) Type() string   { return "kind" }
func (v bindingsValue) Set(s string) error {
	if s != "client" && s != "module" {
		return &wrongWord{given: s, possible: []string{"client", "module"}}
	}
	*v.module = s == "module"
	return nil
}

func (r *run) generateCommand() *cobra.Command {
	o := &generateOptions{}
	cmd := &cobra.Command{
		Use:   "generate [OPTIONS] [database]",
		Short: "Generate client code for a module",
		Long: "Generates client code for a module: types, tables, reducers and procedures for one of\n" +
			"the client SDKs. The module is built from its directory, read from a built file\n" +
			"(--bin-path, --js-path) or from a definition in JSON (--module-def), or is that of a\n" +
			"running database (--from-database). The SDK's version is the one that the project\n" +
			"around the output directory has installed, unless --sdk-version says another.",
		Args: positionals(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.conflicts(cmd); err != nil {
				return err
			}
			name := ""
			if len(args) > 0 {
				name = args[0]
			}
			return r.generate(cmd, o, name)
		},
	}
	f := cmd.Flags()
	f.VarP(languageValue{&o.lang}, "lang", "l", "language of the client: csharp, typescript, rust, unrealcpp, go; detected if left out")
	f.VarP(once(&o.outDir, "directory"), "out-dir", "o", "where to write; src/module_bindings, or module_bindings for csharp and go")
	f.VarP(once(&o.modulePath, "directory"), "module-path", "p", "directory of the module")
	f.Var(once(&o.modulePath, "directory"), "project-path", "the same as --module-path")
	f.VarP(once(&o.binPath, "file"), "bin-path", "b", "generate from this WebAssembly file")
	f.VarP(once(&o.jsPath, "file"), "js-path", "j", "generate from this JavaScript file")
	optional(f, once(&o.moduleDef, "file"), "module-def", "", "-", "generate from this definition in JSON, - is the standard input")
	f.Var(once(&o.database, "name|identity"), "from-database", "generate from the module of a running database")
	f.VarP(once(&o.server, "server"), "server", "s", "with --from-database: nickname, host or URL of the server")
	f.BoolVar(&o.anonymous, "anonymous", false, "with --from-database: use no token")
	f.Var(once(&o.sdkVersion, "version"), "sdk-version", "release of the client SDK: 1, 2, X.Y or X.Y.Z; detected if left out")
	f.BoolVar(&o.includePrivate, "include-private", false, "private tables and functions, too")
	f.Var(bindingsValue{&o.receiver}, "bindings", "Rust only: client for client code, module for another module whose outboxes call this one")
	f.Var(once(&o.namespace, "namespace"), "namespace", "C# only: the namespace, SpacetimeDB.Types if left out")
	f.Var(once(&o.uprojectDir, "directory"), "uproject-dir", "Unreal only: directory of the project, instead of --out-dir")
	f.Var(once(&o.unrealModule, "name"), "unreal-module-name", "Unreal only: the project's module")
	f.Var(once(&o.unrealModule, "name"), "module-name", "the same as --unreal-module-name")
	f.Var(once(&o.prefix, "prefix"), "module-prefix", "Unreal only: prefix of the generated types")
	f.Var(once(&o.goPackage, "name"), "go-package", "Go only: name of the package, the directory's if left out")
	f.Var(once(&o.buildOptions, "options"), "build-options", "options for the build")
	f.Var(once(&o.buildOptions, "options"), "build-opts", "the same as --build-options")
	f.Var(once(&o.dotnet, "version", "8", "10"), "dotnet-version", "C# only: the .NET version to build for")
	f.BoolVarP(&o.yes, "yes", "y", false, "delete files that are not generated any more without asking")
	f.BoolVar(&o.noConfig, "no-config", false, "ignore spacetime.json")
	f.Var(once(&o.env, "name"), "env", "read spacetime.<name>.json, too")
	f.Lookup("module-def").Annotations = map[string][]string{mayFollow: {}}
	for _, hidden := range []string{"project-path", "module-def", "build-opts", "module-name"} {
		_ = f.MarkHidden(hidden)
	}
	return cmd
}

// conflicts refuses options that exclude each other.
func (o *generateOptions) conflicts(cmd *cobra.Command) error {
	f := cmd.Flags()
	for _, set := range [][]string{
		{"bin-path", "js-path", "module-path", "project-path", "build-options", "build-opts", "dotnet-version", "module-def", "from-database"},
		{"js-path", "module-path", "project-path", "build-options", "build-opts", "dotnet-version", "module-def", "from-database"},
		{"module-def", "module-path", "project-path", "build-options", "build-opts", "from-database"},
		{"from-database", "module-path", "project-path", "build-options", "build-opts"},
		{"out-dir", "uproject-dir"},
	} {
		for _, other := range set[1:] {
			if f.Changed(set[0]) && f.Changed(other) {
				return usagef(cmd, "the argument '%s' cannot be used with '--%s'", valueName(f.Lookup(set[0]), "--"+set[0]), other)
			}
		}
	}
	if f.Changed("from-database") {
		return nil
	}
	for _, name := range []string{"server", "anonymous"} {
		if f.Changed(name) {
			return usagef(cmd, "the argument '--%s' says where the database of '--from-database <name|identity>' is, which is not given", name)
		}
	}
	return nil
}

// Options that concern one entry or one module; with several they are refused.
var (
	entryFlags  = []string{"lang", "out-dir", "uproject-dir", "namespace", "unreal-module-name", "module-name", "module-prefix", "go-package", "sdk-version", "bindings"}
	sourceFlags = []string{"module-path", "project-path", "bin-path", "js-path", "module-def", "from-database", "build-options", "build-opts", "dotnet-version"}
)

// generate runs the entries that the command line selects.
func (r *run) generate(cmd *cobra.Command, o *generateOptions, name string) error {
	p := &project{}
	if !o.noConfig {
		var err error
		if p, err = loadProject(r.WorkDir, o.env); err != nil {
			return err
		}
	}
	entries, receivers, err := r.generateTargets(cmd, p, o, name)
	if err != nil {
		return err
	}
	for _, f := range p.files {
		fmt.Fprintf(r.Stdout, "Using configuration from %s\n", f)
	}
	run := generateRun{yes: o.yes, target: o.target, dir: p.dir}
	for _, job := range receivers {
		if err := r.generateReceivers(cmd.Context(), job, run, map[moduleSource]*codegenSource{}); err != nil {
			return err
		}
	}
	return r.generateEntries(cmd.Context(), entries, run)
}

// generateTargets returns the entries of the selected targets, with the command
// line's options laid over a single one, and what their dependencies ask for.
func (r *run) generateTargets(cmd *cobra.Command, p *project, o *generateOptions, name string) ([]generateEntry, []*receiverJob, error) {
	if p.dir == "" {
		if name != "" {
			return nil, nil, fail("There is no database target `%s`: no spacetime.json was found. To generate from a running database say --from-database %s.", name, name)
		}
		return []generateEntry{o.generateEntry}, nil, nil
	}
	targets, err := p.generateTargets(name)
	if err != nil {
		return nil, nil, err
	}
	if len(targets) > 1 {
		if flag := changed(cmd, sourceFlags); flag != "" {
			return nil, nil, fail("Cannot use module-specific arguments (--%s) when generating for multiple targets. Please specify the database name or identity to select a single target, or remove these arguments.", flag)
		}
	}
	entries, receivers, err := r.collectEntries(p, targets)
	if err != nil {
		return nil, nil, err
	}
	flag := changed(cmd, slices.Concat(entryFlags, sourceFlags))
	switch {
	case len(entries) == 0 && len(receivers) > 0 && flag == "":
	case len(entries) == 0:
		e := generateEntry{}
		if len(targets) == 1 { // the module of the one target; its other settings are no entry
			if e, err = r.entry(p, targets[0], map[string]any{}); err != nil {
				return nil, nil, err
			}
		}
		entries = []generateEntry{e.under(o.generateEntry)}
	case len(entries) == 1:
		entries[0] = entries[0].under(o.generateEntry)
	case flag != "":
		return nil, nil, fail("Cannot use generate-entry-specific arguments (--%s) when generating for multiple entries. Specify a database name to select a single target, or remove these arguments.", flag)
	}
	for i := range entries {
		entries[i].includePrivate = entries[i].includePrivate || o.includePrivate
	}
	return entries, receivers, nil
}

// collectEntries returns the entries of targets, each of which counts once, and
// what their dependencies ask for.
func (r *run) collectEntries(p *project, targets []*databaseTarget) (entries []generateEntry, receivers []*receiverJob, err error) {
	for _, t := range targets {
		list, err := r.targetEntries(p, t)
		if err != nil {
			return nil, nil, err
		}
		for _, e := range list {
			if !slices.Contains(entries, e) {
				entries = append(entries, e)
			}
		}
		job, err := r.receivers(p, t)
		if err != nil {
			return nil, nil, err
		}
		if job != nil {
			receivers = append(receivers, job)
		}
	}
	return entries, receivers, nil
}

// changed returns the first of the options that was given, or "".
func changed(cmd *cobra.Command, names []string) string {
	for _, name := range names {
		if cmd.Flags().Changed(name) {
			return name
		}
	}
	return ""
}

// generateTargets returns the targets that a name or pattern selects; unlike in
// publish, a name that none has is an error.
func (p *project) generateTargets(pattern string) ([]*databaseTarget, error) {
	targets, err := p.selectTargets(pattern)
	if err != nil || pattern == "" {
		return targets, err
	}
	for _, t := range p.targets {
		if ok, err := globMatch(pattern, t.database()); err == nil && ok && t.database() != "" {
			return targets, nil
		}
	}
	return nil, fail("No database target matches '%s'. Available databases: %s", pattern, databaseNames(p.named()))
}

// A generateRun is what the entries of one command have in common.
type generateRun struct {
	yes    bool
	target target // of the server, for --from-database
	dir    string // of the project files; "" without
}

// generateEntries runs entries one after the other: it builds each module once,
// writes its client code and asks before it deletes what is not generated any
// more. It stops at the first failure. `generate` and `dev` call it.
func (r *run) generateEntries(ctx context.Context, entries []generateEntry, run generateRun) error {
	sources := map[moduleSource]*codegenSource{}
	for _, e := range entries {
		if err := r.generateEntry(ctx, e, run, sources); err != nil {
			return err
		}
	}
	return nil
}

// defaultModule is the directory of a module that nothing names: spacetimedb of
// the project, or the working directory if a module is in that (spec 09 §7.12).
func (r *run) defaultModule(dir string) string {
	if dir == "" {
		dir = r.WorkDir
	}
	path := filepath.Join(dir, "spacetimedb")
	if _, err := build.Detect(path); err != nil {
		if _, err := build.Detect(dir); err == nil {
			path = dir
		}
	}
	return r.shown(path)
}

// shown returns a path as a person in the working directory would write it.
func (r *run) shown(path string) string {
	rel, err := filepath.Rel(r.WorkDir, path)
	if err != nil || !filepath.IsLocal(rel) {
		return path
	}
	return rel
}
