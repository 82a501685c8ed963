package cli

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/stdbgo/spacetime/internal/codegen"
	"github.com/stdbgo/spacetime/internal/codegen/model"
	"github.com/stdbgo/spacetime/internal/codegen/rust"
)

// A receiverJob writes, into the source of a Rust module, the bindings by which
// its outboxes call the reducers of other databases' modules (spec 09 §7.12).
type receiverJob struct {
	sender       string // directory of the module
	dependencies []dependency
}

// A dependency is the module of another database.
type dependency struct {
	name   string // of the Rust module to write
	source generateEntry
}

var rustModule = regexp.MustCompile(`^[a-z_][a-z0-9_]*$`)

// receivers returns what a target's dependencies ask for; nil if it has none.
func (r *run) receivers(p *project, t *databaseTarget) (*receiverJob, error) {
	list, ok := t.values["dependencies"].([]any)
	if !ok && t.values["dependencies"] != nil {
		return nil, fail("Failed to convert config value for key 'dependencies' to type list of objects")
	}
	if len(list) == 0 {
		return nil, nil
	}
	sender, err := r.entry(p, t, map[string]any{})
	if err != nil {
		return nil, err
	}
	job := &receiverJob{sender: cmp.Or(sender.modulePath, r.defaultModule(p.dir))}
	for _, item := range list {
		d, err := r.dependency(p, item)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(job.dependencies, func(o dependency) bool { return o.name == d.name }) {
			return nil, fail("Config key 'dependencies' names the module `%s` twice", d.name)
		}
		job.dependencies = append(job.dependencies, d)
	}
	slices.SortFunc(job.dependencies, func(a, b dependency) int { return cmp.Compare(a.name, b.name) })
	return job, nil
}

// dependency reads {"name": …, "database": …}, where the database is that of
// another target.
func (r *run) dependency(p *project, item any) (dependency, error) {
	values, ok := item.(map[string]any)
	if !ok {
		return dependency{}, fail("Failed to convert config value for key 'dependencies' to type list of objects")
	}
	for key := range values {
		if key != "name" && key != "database" {
			return dependency{}, fail("Config key '%s' is not supported in the config file. Available keys: name, database", key)
		}
	}
	own := &databaseTarget{values: values}
	name, err := own.text("name")
	if err != nil {
		return dependency{}, err
	}
	database, err := own.text("database")
	if err != nil {
		return dependency{}, err
	}
	switch {
	case name == "" || database == "":
		return dependency{}, fail("An entry of 'dependencies' must have the keys 'name' and 'database'")
	case !rustModule.MatchString(name) || rust.IsKeyword(name):
		return dependency{}, fail("Config key 'name' has the value '%s', which is no name of a Rust module: it has lower-case letters, digits and underscores, and is no word of the language", name)
	}
	for _, t := range p.targets {
		if t.database() == database {
			source, err := r.entry(p, t, map[string]any{})
			source.modulePath = cmp.Or(source.modulePath, r.defaultModule(p.dir))
			source.lang = codegen.Rust
			return dependency{name: name, source: source}, err
		}
	}
	return dependency{}, fail("No database target matches '%s'. Available databases: %s", database, databaseNames(p.named()))
}

// generateReceivers writes the bindings of a target's dependencies.
func (r *run) generateReceivers(ctx context.Context, job *receiverJob, run generateRun, sources map[moduleSource]*codegenSource) error {
	index := model.Marker + ". Do not edit: it is\n// rewritten by every run of `spacetime generate`.\n\n"
	out := &model.Output{}
	for _, d := range job.dependencies {
		fmt.Fprintf(r.Stdout, "Generating Rust receiver bindings for module %s\n", d.source.module())
		def, err := r.sourceOf(ctx, &d.source, run, sources)
		if err != nil {
			return err
		}
		text, err := codegen.Receiver(def, toolName, d.name)
		if err != nil {
			return because(err, "Receiver bindings cannot be generated for the module of '%s'", d.name)
		}
		index += "pub mod " + d.name + ";\n"
		out.Files = append(out.Files, model.File{Path: d.name + "/mod.rs", Text: text})
	}
	out.Files = append(out.Files, model.File{Path: "mod.rs", Text: []byte(index)})
	e := &generateEntry{lang: codegen.Rust, outDir: filepath.Join(job.sender, "src", "remote_bindings")}
	w := &bindingsWriter{run: r, entry: e, yes: run.yes, out: out}
	if err := w.write(ctx, nil); err != nil {
		return err
	}
	fmt.Fprintln(r.Stdout, "Generate finished successfully.")
	return nil
}
