package cli

import (
	"cmp"
	"context"
	"fmt"
	gotoken "go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/stdbgo/spacetime/internal/codegen"
	"github.com/stdbgo/spacetime/internal/codegen/model"
)

// A generateEntry is one run of a generator, as an entry of the project files or
// the command line says it (spec 09 §5.4). Empty fields take defaults.
type generateEntry struct {
	lang codegen.Language

	outDir, uprojectDir             string
	modulePath, binPath, jsPath     string
	moduleDef                       string // "-" is the standard input
	database                        string // a running one
	namespace, unrealModule, prefix string
	goPackage, sdkVersion           string
	buildOptions, dotnet            string
	includePrivate                  bool
	receiver                        bool // bindings for another module instead of a client
}

var generateKeys = []string{
	"language", "out_dir", "uproject_dir", "module_path", "bin_path", "js_path", "namespace", "unreal_module_name", "module_prefix",
	"build_options", "dotnet_version", "include_private", "sdk_version", "go_package",
}

// targetEntries returns the entries of a target of the project, without those
// of targets below. `dev` runs those of the root, which is the first target.
func (r *run) targetEntries(p *project, t *databaseTarget) ([]generateEntry, error) {
	list, ok := t.values["generate"].([]any)
	if !ok && t.values["generate"] != nil {
		return nil, fail("Failed to convert config value for key 'generate' to type list of objects")
	}
	var entries []generateEntry
	for _, item := range list {
		values, ok := item.(map[string]any)
		if !ok {
			return nil, fail("Failed to convert config value for key 'generate' to type list of objects")
		}
		for key := range values {
			if !slices.Contains(generateKeys, key) {
				return nil, fail("Config key '%s' is not supported in the config file. Available keys: %s", key, strings.Join(generateKeys, ", "))
			}
		}
		if values["language"] == nil {
			return nil, fail("Required key 'language' is missing from the config file or CLI")
		}
		e, err := r.entry(p, t, values)
		if err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// entry reads one entry of a target. Without a module of its own it has the
// target's.
func (r *run) entry(p *project, t *databaseTarget, values map[string]any) (generateEntry, error) {
	e, own := generateEntry{}, &databaseTarget{values: values}
	language, err := own.text("language")
	if err != nil {
		return e, err
	}
	if language != "" {
		if e.lang = languageNames[language]; e.lang == "" {
			return e, fail("Config key 'language' has the value '%s', which is not one of csharp, typescript, rust, unrealcpp, go", language)
		}
	}
	source := own
	if !slices.ContainsFunc(moduleSources, func(k string) bool { return values[k] != nil }) {
		source = t
	}
	for _, f := range []struct {
		from *databaseTarget
		key  string
		to   *string
		path bool
	}{
		{own, "out_dir", &e.outDir, true}, {own, "uproject_dir", &e.uprojectDir, true},
		{source, "module_path", &e.modulePath, true}, {source, "bin_path", &e.binPath, true}, {source, "js_path", &e.jsPath, true},
		{own, "namespace", &e.namespace, false}, {own, "unreal_module_name", &e.unrealModule, false}, {own, "module_prefix", &e.prefix, false},
		{own, "build_options", &e.buildOptions, false}, {own, "dotnet_version", &e.dotnet, false},
		{own, "sdk_version", &e.sdkVersion, false}, {own, "go_package", &e.goPackage, false},
	} {
		value, err := f.from.text(f.key)
		if err != nil {
			return e, err
		}
		if f.path && value != "" {
			value = r.shown(p.path(value))
		}
		*f.to = value
	}
	e.includePrivate, err = own.flag("include_private")
	return e, err
}

// under lays the options of the command line over an entry. A module that the
// command line names replaces the entry's, wherever that comes from.
func (e generateEntry) under(o generateEntry) generateEntry {
	if o.modulePath != "" || o.binPath != "" || o.jsPath != "" || o.moduleDef != "" || o.database != "" {
		e.modulePath, e.binPath, e.jsPath, e.moduleDef, e.database = o.modulePath, o.binPath, o.jsPath, o.moduleDef, o.database
	}
	e.lang = cmp.Or(o.lang, e.lang)
	if o.outDir != "" || o.uprojectDir != "" {
		e.outDir, e.uprojectDir = o.outDir, o.uprojectDir
	}
	e.namespace, e.unrealModule, e.prefix = cmp.Or(o.namespace, e.namespace), cmp.Or(o.unrealModule, e.unrealModule), cmp.Or(o.prefix, e.prefix)
	e.goPackage, e.sdkVersion = cmp.Or(o.goPackage, e.goPackage), cmp.Or(o.sdkVersion, e.sdkVersion)
	e.buildOptions, e.dotnet = cmp.Or(o.buildOptions, e.buildOptions), cmp.Or(o.dotnet, e.dotnet)
	e.includePrivate, e.receiver = e.includePrivate || o.includePrivate, e.receiver || o.receiver
	return e
}

// bindingTitles are the languages as messages name them.
var bindingTitles = map[codegen.Language]string{
	codegen.CSharp: "C#", codegen.TypeScript: "TypeScript", codegen.Rust: "Rust", codegen.Unreal: "Unreal C++", codegen.Go: "Go",
}

// complete fills in defaults and makes the checks that need no module, in the
// order of spec 09 §7.12.
func (r *run) complete(e *generateEntry, dir string) error {
	if e.lang == codegen.Unreal {
		switch {
		case e.uprojectDir == "":
			return fail("--uproject-dir is required for --lang unrealcpp")
		case e.unrealModule == "":
			return fail("--unreal-module-name is required for --lang unrealcpp")
		}
	}
	if e.modulePath == "" {
		e.modulePath = r.defaultModule(dir)
	}
	if e.builds() {
		if st, err := os.Stat(r.path(e.modulePath)); err != nil || !st.IsDir() {
			return fail("Could not find module source at '%s'. If this is not correct, pass --module-path or add module-path in spacetime.json. You can also pass --bin-path/--js-path to generate without building from source.", e.modulePath)
		}
	}
	if dir == "" {
		dir = r.WorkDir
	}
	if e.lang == "" {
		l, ok := detectClient(dir)
		if !ok {
			return fail("Could not auto-detect client language from '%s'. Name it by --lang: csharp, typescript, rust, unrealcpp or go.", r.shown(dir))
		}
		e.lang = l
		fmt.Fprintf(r.Stdout, "Detected client language '%s' from '%s'. If this is not correct, pass --lang.\n", l, r.shown(dir))
		if l == codegen.Unreal {
			return r.complete(e, dir)
		}
	}
	switch {
	case e.lang == codegen.Unreal:
		e.outDir = e.uprojectDir
	case e.outDir == "" && e.uprojectDir != "":
		e.outDir = e.uprojectDir
	case e.outDir == "":
		e.outDir = r.shown(filepath.Join(dir, defaultBindings(e.lang)))
	}
	return nil
}

// builds reports whether the module has to be built from its source.
func (e *generateEntry) builds() bool {
	return e.binPath == "" && e.jsPath == "" && e.moduleDef == "" && e.database == ""
}

// defaultBindings is the output directory, from the project's, that is usual for
// a language.
func defaultBindings(l codegen.Language) string {
	if l == codegen.CSharp || l == codegen.Go {
		return "module_bindings"
	}
	return filepath.Join("src", "module_bindings")
}

// detectClient finds out in which language a directory's client is written.
func detectClient(dir string) (codegen.Language, bool) {
	has := func(pattern string) bool {
		names, err := os.ReadDir(dir)
		return err == nil && slices.ContainsFunc(names, func(d os.DirEntry) bool {
			ok, err := filepath.Match(pattern, d.Name())
			return err == nil && ok
		})
	}
	switch {
	case has("package.json"):
		return codegen.TypeScript, true
	case has("Cargo.toml"):
		return codegen.Rust, true
	case has("*.csproj"):
		return codegen.CSharp, true
	case has("go.mod"):
		return codegen.Go, true
	}
	return "", false
}

// generateEntry generates the client code of one entry.
func (r *run) generateEntry(ctx context.Context, e generateEntry, run generateRun, sources map[moduleSource]*codegenSource) error {
	if err := r.complete(&e, run.dir); err != nil {
		return err
	}
	fmt.Fprintf(r.Stdout, "Generating %s module bindings for module %s\n", bindingTitles[e.lang], e.module())
	if e.namespace != "" && e.lang != codegen.CSharp {
		return fail("--namespace is only supported with --lang csharp")
	}
	if e.goPackage != "" && e.lang != codegen.Go {
		return fail("--go-package is only supported with --lang go")
	}
	if e.receiver {
		return r.generateReceiver(ctx, &e, run, sources)
	}
	finish := func() error { return nil }
	if e.lang == codegen.Unreal {
		var err error
		if finish, err = r.unrealProject(&e); err != nil {
			return err
		}
	}
	sdk, err := r.sdkVersion(&e)
	if err != nil {
		return err
	}
	def, err := r.sourceOf(ctx, &e, run, sources)
	if err != nil {
		return err
	}
	m, err := model.Build(def, e.includePrivate)
	if err != nil {
		return because(err, "Client code cannot be generated for this module")
	}
	out, err := codegen.Generate(e.lang, m, model.Options{
		SDK: sdk, Tool: toolName, Namespace: cmp.Or(e.namespace, "SpacetimeDB.Types"),
		Package: cmp.Or(e.goPackage, packageName(r.path(e.outDir))), UnrealModule: e.unrealModule, Prefix: e.prefix,
	})
	if err != nil {
		return because(err, "Client code cannot be generated for this module")
	}
	w := &bindingsWriter{run: r, entry: &e, yes: run.yes, out: out}
	if err := w.write(ctx, m.Private); err != nil {
		return err
	}
	if err := finish(); err != nil {
		return err
	}
	fmt.Fprintln(r.Stdout, "Generate finished successfully.")
	return nil
}

// toolName is what generated files name as what wrote them. It is the same for
// all builds of a version, so that they write the same text.
const toolName = "spacetime " + CompatVersion

// generateReceiver writes the one file by which other modules call this one's
// reducers.
func (r *run) generateReceiver(ctx context.Context, e *generateEntry, run generateRun, sources map[moduleSource]*codegenSource) error {
	if e.lang != codegen.Rust {
		return fail("--bindings module is only supported with --lang rust")
	}
	def, err := r.sourceOf(ctx, e, run, sources)
	if err != nil {
		return err
	}
	text, err := codegen.Receiver(def, toolName, filepath.Base(r.path(e.outDir)))
	if err != nil {
		return because(err, "Receiver bindings cannot be generated for this module")
	}
	w := &bindingsWriter{run: r, entry: e, yes: run.yes, out: &model.Output{Files: []model.File{{Path: codegen.ReceiverFile, Text: text}}}}
	if err := w.write(ctx, nil); err != nil {
		return err
	}
	fmt.Fprintln(r.Stdout, "Generate finished successfully.")
	return nil
}

// module is what the bindings are generated for, in messages.
func (e *generateEntry) module() string {
	if e.database != "" {
		return "of database " + e.database
	}
	return e.modulePath
}

// packageName makes a package name of a directory's.
func packageName(dir string) string {
	name := strings.Map(func(c rune) rune {
		if c == '_' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' {
			return c
		}
		return -1
	}, strings.ToLower(filepath.Base(dir)))
	if name = strings.TrimLeft(name, "0123456789_"); name == "" || gotoken.IsKeyword(name) {
		return "bindings"
	}
	return name
}

// sdkVersion is the release of the client SDK to generate for: the one that is
// asked for, else the one that the project around the output directory uses.
func (r *run) sdkVersion(e *generateEntry) (model.Version, error) {
	if e.lang == codegen.Go {
		if e.sdkVersion != "" {
			return model.Version{}, fail("--sdk-version is not supported with --lang go: the Go client has the version of this program")
		}
		return model.Version{}, nil
	}
	if e.sdkVersion != "" {
		v, err := codegen.ParseVersion(e.lang, e.sdkVersion)
		if err != nil {
			return v, fail("--sdk-version: %v", err)
		}
		return v, nil
	}
	d, newest := codegen.Detect(e.lang, r.path(e.outDir)), codegen.Newest(e.lang)
	switch {
	case d.Version.Major > newest.Major:
		fmt.Fprintf(r.Stderr, "WARNING: The project uses version %s of the %s SDK (%s), which this version of spacetime does not know; generating %d.x bindings.\n",
			d.Version, bindingTitles[e.lang], d.Evidence, newest.Major)
		return newest, nil
	case d.Evidence != "" && !d.Version.AtLeast(newest.Major, newest.Minor, newest.Patch):
		fmt.Fprintf(r.Stdout, "Detected %s SDK %s (%s); generating %d.x bindings.\n", bindingTitles[e.lang], d.Version, d.Evidence, d.Version.Major)
	}
	return d.Version, nil
}
