// Package typescript writes bindings for the official TypeScript SDK, npm
// package "spacetimedb" (spec 10 §5): for 2.x, for 1.9 to 1.12, and in the older
// form of classes for 1.4 to 1.8. All names that the SDK or user code relies on
// are those of the chapter; the text is ours.
package typescript

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"slices"

	"github.com/stdbgo/spacetime/internal/codegen/model"
	"github.com/stdbgo/spacetime/internal/schema"
)

// Newest is the newest release that the generator knows. Older ones that it
// names are those where the output changes.
var Newest = model.Version{Major: 2, Minor: 10, Patch: 1}

// Generate returns the bindings of m for the SDK release o.SDK.
func Generate(m *model.Module, o model.Options) (*model.Output, error) {
	if !o.SDK.AtLeast(1, 4, 0) {
		return nil, fmt.Errorf("there are no bindings for the TypeScript SDK %s: it is the package @clockworklabs/spacetimedb-sdk, which is not supported; install the package spacetimedb", o.SDK)
	}
	g := &generator{module: m, options: o, sdk: o.SDK, files: model.NewScope("files")}
	if !o.SDK.AtLeast(1, 9, 0) {
		g.classes()
	} else {
		g.builders()
	}
	if err := errors.Join(append(g.problems, g.files.Err())...); err != nil {
		return nil, err
	}
	slices.SortFunc(g.out.Files, func(a, b model.File) int { return cmp.Compare(a.Path, b.Path) })
	return &g.out, nil
}

// A generator is at work on one output.
type generator struct {
	module   *model.Module
	options  model.Options
	sdk      model.Version
	out      model.Output
	files    *model.Scope
	problems []error
}

// modern reports whether the target is 2.x.
func (g *generator) modern() bool { return g.sdk.Major >= 2 }

// keysAreNames reports whether the SDK takes the key of a table in the schema
// for its name on the wire (spec 10 §5.6).
func (g *generator) keysAreNames() bool { return g.modern() && !g.sdk.AtLeast(2, 0, 2) }

func (g *generator) warnf(format string, args ...any) {
	g.out.Warnings = append(g.out.Warnings, fmt.Sprintf(format, args...))
}

// check reports the collisions of a scope.
func (g *generator) check(s *model.Scope) {
	if err := s.Err(); err != nil {
		g.problems = append(g.problems, err)
	}
}

// file adds a file whose text body writes after the header; source is what the
// file is made from.
func (g *generator) file(name, source string, body func(*model.Text)) {
	if !g.files.Claim(name, source) {
		return
	}
	t := new(model.Text)
	t.Linef("%s. Do not edit: it is", model.Marker)
	t.Linef("// rewritten by every run of `spacetime generate`.")
	t.Linef("/* eslint-disable */")
	t.Linef("/* tslint:disable */")
	body(t)
	g.out.Files = append(g.out.Files, model.File{Path: name, Text: t.Bytes()})
}

// builders writes the form of SDK 1.9 and later.
func (g *generator) builders() {
	for _, l := range g.module.Root.Levels() {
		g.typeFiles(l)
		for _, t := range l.Tables {
			g.rowFile(t)
		}
		for _, f := range l.Reducers {
			g.reducerFile(f)
		}
		for _, f := range l.Procedures {
			g.procedureFile(f)
		}
	}
	if g.modern() {
		g.paramTypes()
	}
	newIndex(g).write()
}

// dir is the directory of a level's files below the output directory.
func dir(l *model.Level) string {
	segments := make([]string, len(l.Path))
	for i, s := range l.Path {
		segments[i] = fileStem(s)
	}
	return path.Join(segments...)
}

// Paths of files without extension, relative to the output directory.

func tablePath(t *model.Table) string { return path.Join(dir(t.Level), fileStem(t.Accessor)+"_table") }

func reducerPath(f *model.Function) string {
	return path.Join(dir(f.Level), fileStem(f.Accessor)+"_reducer")
}

func procedurePath(f *model.Function) string {
	return path.Join(dir(f.Level), fileStem(f.Accessor)+"_procedure")
}

// Descriptions of sources in messages.

func reducerSource(f *model.Function) string   { return "reducer `" + f.Name + "`" }
func procedureSource(f *model.Function) string { return "procedure `" + f.Name + "`" }

// callable returns the reducers that clients may call.
func callable(l *model.Level) []*model.Function {
	return slices.DeleteFunc(slices.Clone(l.Reducers), func(f *model.Function) bool { return f.Lifecycle != schema.LifecycleNone })
}

func dirPath(l *model.Level, name string) string { return path.Join(dir(l), name) }

// classGeneration reports whether the target has the form of classes.
func (g *generator) classGeneration() bool { return !g.sdk.AtLeast(1, 9, 0) }
