// Package rust writes client bindings for the official Rust SDK, releases 1.0 to
// 2.14 (spec 10 §6), and receiver bindings for Rust modules that call another
// module's reducers (spec 09 §7.12). It promises text that compiles against the
// release that the options name. It must not know files, projects or SDK
// detection; rustfmt, if there, runs over its output afterwards.
package rust

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/stdbgo/spacetime/internal/codegen/model"
	"github.com/stdbgo/spacetime/internal/codegen/source"
)

// A generator holds what all files of one run need.
type generator struct {
	root     *model.Level
	tool     string
	sdk      model.Version
	has      features
	types    map[string]bool // identifiers of the module's types
	never    string          // name of our empty enum; "" if no type needs it
	uuid     string          // name of our UUID struct, for releases that have none; "" if not needed
	warnings []string
}

// features says what the targeted release has (spec 10 §3.3, §6.7).
type features struct {
	v2            bool // v2 messages, no flags, no observers of reducers, event tables
	procedures    bool
	queries       bool // query builder, Uuid
	accessors     bool // TableLike and its like
	viewCalls     bool
	appends       bool // TableUpdate::append
	tryConnection bool // DbContext::try_connection_id
}

func featuresOf(sdk model.Version) features {
	return features{
		v2:            sdk.AtLeast(2, 0, 0),
		procedures:    sdk.AtLeast(1, 8, 0),
		queries:       sdk.AtLeast(1, 12, 0),
		accessors:     sdk.AtLeast(2, 8, 0),
		viewCalls:     sdk.AtLeast(2, 13, 0),
		appends:       sdk.AtLeast(1, 2, 0),
		tryConnection: sdk.AtLeast(1, 4, 0),
	}
}

// Generate returns the bindings of m, which is flat. It fails if two things of the module would
// get one name.
func Generate(m *model.Module, o model.Options) (*model.Output, error) {
	g := &generator{root: m.Root, tool: o.Tool, sdk: o.SDK, has: featuresOf(o.SDK), types: map[string]bool{}}
	for _, t := range g.root.Types {
		g.types[typeName(t)] = true
		if typeName(t) != escape(t.Ident) {
			g.warn("type `%s` is called %s in Rust, where its own name is taken", t.Source(), typeName(t))
		}
	}
	g.findLocalTypes()
	if err := g.checkNames(); err != nil {
		return nil, err
	}
	var files []model.File
	add := func(path string, w *source.Writer) {
		files = append(files, model.File{Path: path, Text: w.Bytes()})
	}
	for _, t := range g.root.Types {
		add(typeStem(t)+".rs", g.typeFile(t))
	}
	for _, t := range g.root.Tables {
		add(tableStem(t)+".rs", g.tableFile(t))
	}
	for _, f := range g.root.Reducers {
		add(reducerStem(f)+".rs", g.reducerFile(f))
	}
	for _, f := range g.procedures() {
		add(procedureStem(f)+".rs", g.procedureFile(f))
	}
	add("mod.rs", g.modFile())
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
	g.warnings = append(g.warnings, fmt.Sprintf(format, args...))
}

// file starts a file that imports the types which uses mention.
func (g *generator) file(own *model.Type, uses ...*model.Use) *source.Writer {
	w := source.New("    ")
	w.Line("%s. Do not edit: it is", model.Marker)
	w.Line("// rewritten by every run of `spacetime generate`.")
	w.Line("#![allow(unused, clippy::all)]")
	for _, t := range referenced(uses) {
		if t != own {
			w.Line("use super::%s::%s;", typeStem(t), typeName(t))
		}
	}
	w.Line("use spacetimedb_sdk::__codegen::{self as __sdk, __lib, __sats, __ws};")
	w.Line("")
	return w
}

// referenced returns the definitions that uses mention directly, by file name.
func referenced(uses []*model.Use) []*model.Type {
	var found []*model.Type
	var walk func(*model.Use)
	walk = func(u *model.Use) {
		if u == nil {
			return
		}
		if u.Kind == model.Ref && !slices.Contains(found, u.Type) {
			found = append(found, u.Type)
		}
		walk(u.Elem)
		walk(u.Err)
	}
	for _, u := range uses {
		walk(u)
	}
	slices.SortFunc(found, func(a, b *model.Type) int { return cmp.Compare(typeStem(a), typeStem(b)) })
	return found
}

func usesOf(fields []model.Field) []*model.Use {
	uses := make([]*model.Use, len(fields))
	for i := range fields {
		uses[i] = fields[i].Use
	}
	return uses
}
