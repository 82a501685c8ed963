// Package unreal writes client bindings for the official Unreal plugin, releases
// 1.4 and later (spec 10 §8). It promises text that the Unreal header tool can
// read: every macro is spelled out. It must not know files or SDK detection; the
// skeleton of the game's module belongs to the user once it is written.
package unreal

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/stdbgo/spacetime/internal/codegen/model"
	"github.com/stdbgo/spacetime/internal/codegen/source"
	"github.com/stdbgo/spacetime/internal/schema"
)

// A generator holds what all files of one run need.
type generator struct {
	root     *model.Level
	tool     string
	sdk      model.Version
	has      features
	module   string // the game's module, as the user writes it
	prefix   string
	names    map[*model.Type]string // of types, without the letter and "Type"
	wrappers map[string]*model.Use  // options and results that are used, by class name
	files    []model.File
	warnings []string
	problems []error
}

// features says what the targeted release has (spec 10 §8.1).
type features struct {
	v2           bool // v2 protocol: no flags, own calls known by their ids, event tables
	databaseName bool // WithDatabaseName instead of WithModuleName
	procedures   bool
	queries      bool
}

func featuresOf(sdk model.Version) features {
	return features{
		v2:           sdk.AtLeast(2, 1, 0),
		databaseName: sdk.AtLeast(2, 0, 0),
		procedures:   sdk.AtLeast(1, 10, 0),
		queries:      sdk.AtLeast(2, 7, 0),
	}
}

var identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// Generate returns the bindings of m, which is flat, and the skeleton of the
// game's module. It fails if two things of the module would get one name, or if
// Unreal can not express a type.
func Generate(m *model.Module, o model.Options) (*model.Output, error) {
	g := &generator{
		root: m.Root, tool: o.Tool, sdk: o.SDK, has: featuresOf(o.SDK), module: o.UnrealModule, prefix: o.Prefix,
		wrappers: map[string]*model.Use{},
	}
	if !identifier.MatchString(g.module) {
		return nil, fmt.Errorf("the Unreal module `%s` is no C++ identifier: use letters, digits and underscores", g.module)
	}
	if g.prefix != "" {
		if !identifier.MatchString(g.prefix) {
			return nil, fmt.Errorf("the prefix `%s` is no C++ identifier: use letters, digits and underscores", g.prefix)
		}
		if !g.has.v2 {
			return nil, errors.New("a prefix of generated names needs the Unreal SDK 2.1 or later")
		}
	}
	g.nameTypes()
	g.findWrappers()
	if err := errors.Join(g.checkNames(), g.checkTypes()); err != nil {
		return nil, err
	}
	for _, t := range g.root.Types {
		g.typeFile(t)
	}
	for _, name := range g.wrapperNames() {
		g.wrapperFile(name, g.wrappers[name])
	}
	for _, t := range g.root.Tables {
		g.tableHeader(t)
		g.tableSource(t)
	}
	g.reducerBase()
	for _, f := range g.root.Reducers {
		g.reducerHeader(f)
	}
	for _, f := range g.procedures() {
		g.procedureHeader(f)
	}
	g.clientHeader()
	g.clientSource()
	g.skeleton()
	if err := errors.Join(g.problems...); err != nil {
		return nil, err
	}
	slices.SortFunc(g.files, func(a, b model.File) int { return cmp.Compare(a.Path, b.Path) })
	return &model.Output{Files: g.files, Warnings: g.warnings}, nil
}

func (g *generator) procedures() []*model.Function {
	if !g.has.procedures {
		return nil
	}
	return g.root.Procedures
}

func (g *generator) warn(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); !slices.Contains(g.warnings, text) {
		g.warnings = append(g.warnings, text)
	}
}

// api is the macro that exports symbols of the game's module.
func (g *generator) api() string { return strings.ToUpper(g.module) + "_API" }

// holes are those that most patterns have: the prefix, the export macro and the
// module's name.
func (g *generator) holes(more ...string) []string {
	return append(more, "P", g.prefix, "API", g.api(), "M", g.module)
}

// header starts a header file of reflected types. The last include has to be
// that of the header tool, named after the file.
func (g *generator) header(file, comment string, includes []string) *source.Writer {
	w := source.New("\t")
	g.marker(w, comment)
	w.Line("#pragma once")
	g.include(w, append([]string{"CoreMinimal.h", "BSATN/UESpacetimeDB.h"}, sorted(includes)...))
	w.Line("#include \"%s.g.generated.h\"", file)
	return w
}

func (g *generator) marker(w *source.Writer, comment string) {
	w.Line("%s. Do not edit: it is", model.Marker)
	w.Line("// rewritten by every run of `spacetime generate`.")
	if comment != "" {
		w.Line("// %s", comment)
	}
}

func (g *generator) include(w *source.Writer, files []string) {
	for _, f := range files {
		w.Line("#include \"%s\"", f)
	}
}

func sorted(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return slices.Compact(list)
}

// add adds a file below Public/ModuleBindings or Private/ModuleBindings.
func (g *generator) add(area, name string, w *source.Writer) {
	g.files = append(g.files, model.File{Path: path.Join("Source", g.module, area, "ModuleBindings", name), Text: w.Bytes()})
}

// skeleton adds the files that a game's module consists of at least. They have
// no marker: they belong to the user.
func (g *generator) skeleton() {
	add := func(name, text string) {
		text = source.Fill(strings.TrimPrefix(text, "\n"), "M", g.module)
		g.files = append(g.files, model.File{Path: path.Join("Source", g.module, g.module+name), Text: []byte(text), Skeleton: true})
	}
	add(".Build.cs", `
using UnrealBuildTool;

public class ‹M› : ModuleRules
{
	public ‹M›(ReadOnlyTargetRules Target) : base(Target)
	{
		PCHUsage = PCHUsageMode.UseExplicitOrSharedPCHs;
		PublicDependencyModuleNames.AddRange(new string[] { "Core", "CoreUObject", "Engine", "SpacetimeDbSdk" });
	}
}
`)
	add(".cpp", `
#include "‹M›.h"
#include "Modules/ModuleManager.h"

IMPLEMENT_PRIMARY_GAME_MODULE(FDefaultGameModuleImpl, ‹M›, "‹M›");
`)
	add(".h", `
#pragma once
#include "CoreMinimal.h"
`)
}

func pascal(name string) string {
	name = schema.ToPascal(name)
	if name == "" || name[0] >= '0' && name[0] <= '9' {
		return "_" + name
	}
	return name
}
