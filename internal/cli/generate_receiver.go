package cli

import (
	"context"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/stdbgo/spacetime/internal/codegen"
	"github.com/stdbgo/spacetime/internal/codegen/model"
	"github.com/stdbgo/spacetime/internal/codegen/rust"
	"github.com/stdbgo/spacetime/internal/schema"
)

// Receiver bindings are Rust code for another module, which calls reducers of
// this one through its outboxes (spec 09 §7.12).

// Kinds of bindings, as --bindings takes them.
const (
	clientBindings = "client"
	moduleBindings = "module"
)

// generateReceiver writes the receiver bindings of an entry's module.
func (r *run) generateReceiver(ctx context.Context, e *generateEntry, run generateRun, def *schema.ModuleDef) error {
	text, err := rust.Receiver(def, "spacetime "+CompatVersion, "")
	if err != nil {
		return because(err, "Receiver bindings cannot be generated for this module")
	}
	out := &model.Output{Files: []model.File{{Path: rust.ReceiverFile, Text: text}}}
	w := &bindingsWriter{run: r, entry: e, yes: run.yes, out: out}
	if err := w.write(ctx, nil); err != nil {
		return err
	}
	fmt.Fprintln(r.Stdout, "Generate finished successfully.")
	return nil
}

// A dependent is a module of the project that calls others, whose receiver
// bindings it holds.
type dependent struct {
	modulePath string
	on         []dependency
}

// A dependency is a module that another one calls.
type dependency struct {
	name   string // of the Rust module that holds its bindings
	source generateEntry
}

// dependents returns the targets that have dependencies.
func (r *run) dependents(p *project, targets []*databaseTarget) ([]dependent, error) {
	var list []dependent
	for _, t := range targets {
		on, err := r.dependencies(p, t)
		if err != nil {
			return nil, err
		}
		if len(on) == 0 {
			continue
		}
		e, err := r.entry(p, t, map[string]any{})
		if err != nil {
			return nil, err
		}
		path := e.modulePath
		if path == "" {
			path = r.defaultModule(p.dir)
		}
		list = append(list, dependent{path, on})
	}
	return list, nil
}

// rustModuleName is what a module of Rust can be called.
var rustModuleName = regexp.MustCompile(`^(_*[A-Za-z][A-Za-z0-9_]*)$`)

func (r *run) dependencies(p *project, t *databaseTarget) ([]dependency, error) {
	items, ok := t.values["dependencies"].([]any)
	if !ok && t.values["dependencies"] != nil {
		return nil, fail("Failed to convert config value for key 'dependencies' to type list of objects")
	}
	var list []dependency
	for _, item := range items {
		values, ok := item.(map[string]any)
		if !ok {
			return nil, fail("Failed to convert config value for key 'dependencies' to type list of objects")
		}
		for key := range values {
			if key != "name" && key != "database" {
				return nil, fail("Config key '%s' is not supported in an entry of 'dependencies'. Available keys: name, database", key)
			}
		}
		own := &databaseTarget{values: values}
		name, err := own.text("name")
		if err != nil {
			return nil, err
		}
		database, err := own.text("database")
		if err != nil {
			return nil, err
		}
		switch {
		case name == "" || database == "":
			return nil, fail("An entry of 'dependencies' needs the keys 'name', of the Rust module for the bindings, and 'database', of the target that is called")
		case !rustModuleName.MatchString(name) || rust.IsKeyword(name):
			return nil, fail("The name '%s' in 'dependencies' cannot be that of a Rust module: use letters, digits and underscores", name)
		case slices.ContainsFunc(list, func(d dependency) bool { return d.name == name }):
			return nil, fail("The name '%s' is in 'dependencies' twice", name)
		}
		source, err := r.targetModule(p, database)
		if err != nil {
			return nil, err
		}
		list = append(list, dependency{name, source})
	}
	return list, nil
}

// targetModule returns where the module of a target is.
func (r *run) targetModule(p *project, database string) (generateEntry, error) {
	at := slices.IndexFunc(p.targets, func(t *databaseTarget) bool { return t.database() == database })
	if at < 0 {
		return generateEntry{}, fail("No database target matches '%s'. Available databases: %s", database, databaseNames(p.named()))
	}
	return r.entry(p, p.targets[at], map[string]any{})
}

// generateDependents writes the receiver bindings that modules of the project
// hold of others. It contacts no server.
func (r *run) generateDependents(ctx context.Context, list []dependent, run generateRun, sources map[moduleSource]*codegenSource) error {
	for _, d := range list {
		dir := filepath.Join(d.modulePath, "src", "remote_bindings")
		out := &model.Output{}
		index := model.Marker + ". Do not edit: it is\n// rewritten by every run of `spacetime generate`.\n"
		for _, on := range d.on {
			e := on.source
			e.lang, e.outDir = codegen.Rust, dir
			if err := r.complete(&e, run.dir); err != nil {
				return err
			}
			fmt.Fprintf(r.Stdout, "Generating Rust receiver bindings for module %s\n", e.module())
			def, err := r.sourceOf(ctx, &e, run, sources)
			if err != nil {
				return err
			}
			text, err := rust.Receiver(def, "spacetime "+CompatVersion, on.name)
			if err != nil {
				return because(err, "Receiver bindings cannot be generated for module %s", e.module())
			}
			out.Files = append(out.Files, model.File{Path: on.name + "/mod.rs", Text: text})
			index += "pub mod " + on.name + ";\n"
		}
		out.Files = append(out.Files, model.File{Path: "mod.rs", Text: []byte(index)})
		slices.SortFunc(out.Files, func(a, b model.File) int { return strings.Compare(a.Path, b.Path) })
		w := &bindingsWriter{run: r, entry: &generateEntry{lang: codegen.Rust, outDir: dir}, yes: run.yes, out: out}
		if err := w.write(ctx, nil); err != nil {
			return err
		}
		fmt.Fprintln(r.Stdout, "Generate finished successfully.")
	}
	return nil
}
