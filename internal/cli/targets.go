package cli

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

// conflicts refuses options that exclude each other.
func (o *publishOptions) conflicts(cmd *cobra.Command) error {
	for _, set := range [][]string{
		{"bin-path", "js-path", "module-path", "project-path", "build-options", "build-opts"},
		{"js-path", "module-path", "project-path", "build-options", "build-opts"},
	} {
		for _, other := range set[1:] {
			if cmd.Flags().Changed(set[0]) && cmd.Flags().Changed(other) {
				return usagef(cmd, "the argument '--%s <file>' cannot be used with '--%s'", set[0], other)
			}
		}
	}
	if err := o.environmentOptions.conflicts(cmd); err != nil {
		return err
	}
	if o.replicas != "" {
		if _, err := strconv.ParseUint(o.replicas, 10, 8); err != nil {
			return usagef(cmd, "invalid value '%s' for '--num-replicas <number>': it must be a number up to 255", o.replicas)
		}
	}
	return nil
}

// publish publishes to the database that the command line names, or to those of
// the project (spec 09 §5.3).
func (r *run) publish(cmd *cobra.Command, o *publishOptions) error {
	p := &project{}
	if !o.noConfig {
		var err error
		if p, err = loadProject(r.WorkDir, o.env); err == nil && len(p.targets) == 0 && o.modulePath != "" {
			p, err = loadProject(r.path(o.modulePath), o.env)
		}
		if err != nil {
			return err
		}
	}
	if len(p.targets) == 0 {
		return r.publishTo(cmd.Context(), p, o)
	}
	targets, err := p.selectTargets(o.name)
	if err != nil {
		return err
	}
	if len(targets) > 1 {
		for _, f := range []string{"module-path", "project-path", "build-options", "bin-path", "js-path", "num-replicas", "native-aot", "dotnet-version"} {
			if cmd.Flags().Changed(f) {
				return fail("Cannot use module-specific arguments (--%s) when publishing to multiple targets. Please specify the database name or identity to select a single target, or remove these arguments.", f)
			}
		}
	}
	jobs := make([]*publishOptions, len(targets))
	for i, t := range targets {
		if jobs[i], err = o.over(p, t); err != nil {
			return err
		}
	}
	for _, f := range p.files {
		fmt.Fprintf(r.Stdout, "Using configuration from %s\n", f)
	}
	for _, job := range jobs {
		if err := r.publishTo(cmd.Context(), p, job); err != nil {
			return err
		}
	}
	return nil
}

// selectTargets returns the targets that a name or pattern selects; "" selects all.
func (p *project) selectTargets(pattern string) ([]*databaseTarget, error) {
	if pattern == "" {
		all := slices.DeleteFunc(slices.Clone(p.targets), func(t *databaseTarget) bool { return t.database() == "" && t.hasKids })
		return all, nil
	}
	var found []*databaseTarget
	for _, t := range p.targets {
		ok, err := globMatch(pattern, t.database())
		if err != nil {
			return nil, err
		}
		if ok && t.database() != "" {
			found = append(found, t)
		}
	}
	switch {
	case len(found) > 0:
		return found, nil
	case len(p.targets) == 1:
		return []*databaseTarget{p.targets[0].named(pattern)}, nil
	}
	return nil, fail("No database target matches '%s'. Available databases: %s", pattern, databaseNames(p.named()))
}

// named returns the target's settings for another database.
func (t *databaseTarget) named(database string) *databaseTarget {
	values := maps.Clone(t.values)
	values["database"] = database
	delete(values, databaseOrigin)
	return &databaseTarget{values: values, hasKids: t.hasKids}
}

// globMatch matches a database name; * matches everything, slashes too.
func globMatch(pattern, name string) (bool, error) {
	escape := strings.NewReplacer("/", "\x01", "[!", "[^")
	ok, err := path.Match(escape.Replace(pattern), escape.Replace(name))
	if err != nil {
		return false, fail("Invalid glob pattern: %s", pattern)
	}
	return ok, nil
}

var publishKeys = []string{
	"database", "server", "module_path", "bin_path", "js_path", "build_options", "break_clients", "num_replicas",
	"anonymous", "parent", "organization", "native_aot", "dotnet_version", "env", "dependencies", "generate", "children", "dev",
}

// over lays the command line's options over a target's settings.
func (o *publishOptions) over(p *project, t *databaseTarget) (*publishOptions, error) {
	for key := range t.values {
		if key != databaseOrigin && !slices.Contains(publishKeys, key) {
			return nil, fail("Config key '%s' is not supported in the config file. Available keys: %s", key, strings.Join(publishKeys, ", "))
		}
	}
	job := *o
	var err error
	if job.config, err = t.environment(); err != nil {
		return nil, err
	}
	job.name = t.database()
	if job.name == "" {
		return nil, fail("Required key 'database' is missing from the config file or CLI")
	}
	given := o.modulePath != "" || o.wasmPath != "" || o.jsPath != ""
	for key, to := range map[string]*string{
		"server": &job.server, "build_options": &job.buildOptions, "num_replicas": &job.replicas, "parent": &job.parent,
		"organization": &job.org, "dotnet_version": &job.dotnet,
		"module_path": &job.modulePath, "bin_path": &job.wasmPath, "js_path": &job.jsPath,
	} {
		isPath := slices.Contains(moduleSources, key)
		if *to != "" || isPath && given {
			continue
		}
		value, err := t.text(key)
		if err != nil {
			return nil, err
		}
		if value != "" && isPath {
			value = p.path(value)
		}
		*to = value
	}
	for key, to := range map[string]*bool{"break_clients": &job.breakClients, "anonymous": &job.anonymous, "native_aot": &job.nativeAOT} {
		value, err := t.flag(key)
		if err != nil {
			return nil, err
		}
		*to = *to || value
	}
	return &job, nil
}

// publishTo publishes to one database.
func (r *run) publishTo(ctx context.Context, p *project, o *publishOptions) error {
	c, err := r.config()
	if err != nil {
		return err
	}
	o.dir = r.moduleDir(o)
	if o.name != "" && len(p.targets) > 0 && !o.only {
		if o.wasmPath == "" && o.jsPath == "" {
			fmt.Fprintf(r.Stdout, "Publishing module %s to database '%s'\n", o.dir, o.name)
		} else {
			fmt.Fprintf(r.Stdout, "Publishing precompiled module to database '%s'\n", o.name)
		}
	}
	entry, err := c.server(o.server)
	if err != nil {
		return err
	}
	if err := o.checkNames(); err != nil {
		return err
	}
	a := &api{base: entry.url(), entry: entry}
	if !o.anonymous {
		if err := r.authorize(ctx, a); err != nil {
			return err
		}
	}
	if o.only {
		return r.publishEnvironment(ctx, a, o)
	}
	asked := false
	if o.name == "" && !o.yes.all && terminal(r.Stdin) && terminal(r.Stdout) {
		if o.name, err = r.askName(o.dir); err != nil {
			return err
		}
		asked = o.name != ""
	}
	if o.replicas != "" {
		fmt.Fprint(r.Stderr, "WARNING: Use of unstable option `--num-replicas`.\n")
	}
	program, host, err := r.program(ctx, o)
	if err != nil {
		return err
	}
	values, err := r.supplied(&o.environmentOptions, r.declarations(ctx, program, host))
	if err != nil {
		return err
	}
	if err := r.upload(ctx, a, o, program, host, o.headers(values)); err != nil {
		return err
	}
	if asked {
		return r.remember(p, entry.name(), o)
	}
	return nil
}

// checkNames checks the database's name, and splits <parent>/<child>.
func (o *publishOptions) checkNames() error {
	if o.name == "" {
		return nil
	}
	parent, child, split := strings.Cut(o.name, "/")
	if split {
		if strings.Contains(child, "/") {
			return fail("invalid characters in database name")
		}
		if err := checkName(parent); err != nil {
			return because(err, "invalid parent database name `%s`", parent)
		}
		if err := checkName(child); err != nil {
			return err
		}
		if o.parent != "" && o.parent != parent {
			return fail("cannot specify both --parent and <parent>/<child>")
		}
		o.parent, o.name = parent, child
		return nil
	}
	if o.parent != "" {
		if err := checkName(o.parent); err != nil {
			return because(err, "invalid parent database name `%s`", o.parent)
		}
	}
	return checkName(o.name)
}

func (r *run) moduleDir(o *publishOptions) string {
	if o.modulePath != "" {
		return r.path(o.modulePath)
	}
	if st, err := os.Stat(filepath.Join(r.WorkDir, "spacetimedb")); err == nil && st.IsDir() {
		return filepath.Join(r.WorkDir, "spacetimedb")
	}
	return r.WorkDir
}

// remember writes the project files that are missing after a publish whose name
// was asked for, so that later commands need no name.
func (r *run) remember(p *project, server string, o *publishOptions) error {
	if p.dir == "" {
		module, err := filepath.Rel(r.WorkDir, o.dir)
		if err != nil {
			module = o.dir
		} else if module != "." {
			module = "./" + filepath.ToSlash(module)
		}
		if err := writeMissing(filepath.Join(r.WorkDir, "spacetime.json"), member{"server", server}, member{"module-path", module}); err != nil {
			return err
		}
		p.dir = r.WorkDir
	}
	return writeMissing(filepath.Join(p.dir, "spacetime.local.json"), member{"database", o.name})
}

// A member is one of an object that is written to a project file.
type member struct{ key, value string }

// writeMissing writes a project file unless it is there.
func writeMissing(path string, members ...member) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	text := "{"
	for i, m := range members {
		if i > 0 {
			text += ","
		}
		text += "\n  " + string(jsonString(m.key)) + ": " + string(jsonString(m.value))
	}
	return os.WriteFile(path, []byte(text+"\n}"), 0o644)
}
