// Package csharp writes client bindings for the official C# SDK, releases 1.4 and
// later, for .NET and Unity (spec 10 §7). It promises C# 9, and that types of the
// module do not shadow those of the SDK. It must not know files, projects or SDK
// detection.
package csharp

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/stdbgo/spacetime/internal/codegen/model"
	"github.com/stdbgo/spacetime/internal/codegen/source"
)

// DefaultNamespace is where bindings stand if the user names no namespace.
const DefaultNamespace = "SpacetimeDB.Types"

// A generator holds what all files of one run need.
type generator struct {
	root      *model.Level
	tool      string
	sdk       model.Version
	has       features
	namespace string
	types     map[string]bool // identifiers of the module's types
	hidden    map[string]bool // names of nested classes, which hide types of the same name
	warnings  []string
	problems  []error
}

// features says what the targeted release has (spec 10 §3.3, §7.7).
type features struct {
	v2           bool // v2 messages, no flags, event tables
	procedures   bool
	queries      bool // query builder, Uuid, Result
	nullableCols bool // classes of their own for optional columns
	publicName   bool // RemoteTableName is public
	nullableKeys bool // a class of its own for unique indexes of options
}

func featuresOf(sdk model.Version) features {
	return features{
		v2:           sdk.AtLeast(2, 0, 0),
		procedures:   sdk.AtLeast(1, 10, 0),
		queries:      sdk.AtLeast(1, 12, 0),
		nullableCols: sdk.AtLeast(1, 12, 0) && !sdk.AtLeast(2, 0, 4),
		publicName:   sdk.AtLeast(2, 8, 0),
		nullableKeys: sdk.AtLeast(2, 8, 0),
	}
}

// Generate returns the bindings of m, which is flat. It fails if two things of the module would
// get one name, or if C# can not express a type.
func Generate(m *model.Module, o model.Options) (*model.Output, error) {
	g := &generator{
		root: m.Root, tool: o.Tool, sdk: o.SDK, has: featuresOf(o.SDK), namespace: cmp.Or(o.Namespace, DefaultNamespace),
		types: map[string]bool{}, hidden: map[string]bool{},
	}
	for _, t := range g.root.Types {
		g.types[typeName(t)] = true
		if ownNames[t.Ident] {
			g.warn("type `%s` is called %s in C#, where its own name is taken", t.Source(), typeName(t))
		}
	}
	g.findHidden()
	if err := errors.Join(checkNamespace(g.namespace), g.checkNames(), g.checkTypes()); err != nil {
		return nil, err
	}
	var files []model.File
	add := func(dir, name string, w *source.Writer) {
		files = append(files, model.File{Path: dir + name + ".g.cs", Text: w.Bytes()})
	}
	for _, t := range g.root.Types {
		add("Types/", typeName(t), g.typeFile(t))
	}
	for _, t := range g.root.Tables {
		add("Tables/", pascal(t.Accessor), g.tableFile(t))
	}
	for _, f := range g.root.Reducers {
		add("Reducers/", pascal(f.Accessor), g.reducerFile(f))
	}
	for _, f := range g.procedures() {
		add("Procedures/", pascal(f.Accessor), g.procedureFile(f))
	}
	add("", "SpacetimeDBClient", g.clientFile())
	if err := errors.Join(g.problems...); err != nil {
		return nil, err
	}
	slices.SortFunc(files, func(a, b model.File) int { return cmp.Compare(a.Path, b.Path) })
	return &model.Output{Files: files, Warnings: g.warnings}, nil
}

// procedures returns those that the release can call.
func (g *generator) procedures() []*model.Function {
	if !g.has.procedures {
		return nil
	}
	return g.root.Procedures
}

func (g *generator) warn(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if !slices.Contains(g.warnings, text) {
		g.warnings = append(g.warnings, text)
	}
}

// file starts a file, up to the opening brace of the namespace.
func (g *generator) file(comment string, usings ...string) *source.Writer {
	w := source.New("    ")
	w.Line("%s. Do not edit: it is", model.Marker)
	w.Line("// rewritten by every run of `spacetime generate`.")
	if comment != "" {
		w.Line("// %s", comment)
	}
	w.Put(`

#nullable enable

using System;
`)
	usings = append(usings, "SpacetimeDB.ClientApi", "System.Collections.Generic", "System.Runtime.Serialization")
	if first, _, _ := strings.Cut(g.namespace, "."); first != "SpacetimeDB" {
		usings = append(usings, "SpacetimeDB")
	}
	slices.Sort(usings)
	for _, u := range usings {
		w.Line("using %s;", u)
	}
	w.Line("")
	w.Line("namespace %s", g.namespace)
	w.Open("{")
	return w
}
