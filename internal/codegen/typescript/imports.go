package typescript

import (
	"maps"
	"slices"
	"strings"

	"github.com/stdbgo/spacetime/internal/codegen/model"
)

// imports are the symbols that a file takes from the SDK, true for types. They
// get two underscores, because types of a module may have any name.
type imports map[string]bool

func (n imports) value(name string) { n[name] = false }
func (n imports) typ(name string)   { n[name] = true }

// write writes the import statement, on one line if it is short.
func (n imports) write(t *model.Text) {
	if len(n) == 0 {
		return
	}
	var values, types []string
	for _, name := range slices.Sorted(maps.Keys(n)) {
		alias := name + " as __" + name
		if strings.Contains(name, " as ") {
			alias = name // has one of its own
		}
		if n[name] {
			types = append(types, "type "+alias)
		} else {
			values = append(values, alias)
		}
	}
	all := append(values, types...)
	if len(all) <= 3 {
		line := all[0]
		for _, s := range all[1:] {
			line += ", " + s
		}
		t.Linef(`import { %s } from "spacetimedb";`, line)
		return
	}
	t.Block("import {", `} from "spacetimedb";`, func() {
		for _, s := range all {
			t.Linef("%s,", s)
		}
	})
}

// typeImports writes the imports of the definitions that uses refer to into a
// file of their level. self needs none.
func (g *generator) typeImports(t *model.Text, self *model.Type, fields []model.Field) {
	used := map[string]*model.Type{}
	for _, f := range fields {
		f.Use.Refs(func(o *model.Type) {
			if o != self {
				used[ident(o)] = o
			}
		})
	}
	names := slices.Sorted(maps.Keys(used))
	if !g.modern() {
		for _, name := range names {
			t.Linef(`import %s from "./%s_type";`, name, stem(used[name]))
		}
		return
	}
	if len(names) > 0 {
		line := names[0]
		for _, s := range names[1:] {
			line += ", " + s
		}
		t.Linef(`import { %s } from "./types";`, line)
	}
}
