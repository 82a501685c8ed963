package typescript

import (
	"strings"

	"github.com/stdbgo/spacetime/internal/codegen/model"
)

// rowFile writes the row of a table or view. Its keys are in the order of the
// columns, which is that of the encoding.
func (g *generator) rowFile(table *model.Table) {
	g.checkFields(table.Row.Fields, camel, table.Source())
	g.file(tablePath(table)+".ts", table.Source(), func(t *model.Text) {
		t.Linef(`import { t as __t } from "spacetimedb";`)
		g.typeImports(t, nil, table.Row.Fields)
		t.Blank()
		if len(table.Columns) == 0 {
			t.Linef("export default __t.row({});")
			return
		}
		t.Block("export default __t.row({", "});", func() {
			for i, c := range table.Columns {
				k, value := camel(c.Accessor), g.builder(c.Use)
				value += g.modifiers(table, i, k)
				if c.Use.HasRef() {
					t.Linef("get %s() { return %s; },", key(k), value)
				} else {
					t.Linef("%s: %s,", key(k), value)
				}
			}
		})
	})
}

// modifiers are the calls behind the builder of column i, whose key is k.
func (g *generator) modifiers(table *model.Table, i int, k string) string {
	c := table.Columns[i]
	out := ""
	primary, unique := g.canBeKey(c.Use)
	switch {
	case i == table.PrimaryKey:
		if primary {
			out += ".primaryKey()"
		}
	case c.Unique && unique:
		out += ".unique()"
	}
	if c.Name != k && g.canBeNamed(c.Use) {
		out += ".name(" + quote(c.Name) + ")"
	}
	return out
}

func (g *generator) reducerFile(f *model.Function) {
	g.checkFields(f.Params, camel, reducerSource(f))
	g.file(reducerPath(f)+".ts", reducerSource(f), func(t *model.Text) {
		need, body := imports{}, new(model.Text)
		if builds(f.Params) {
			need.value("t")
		}
		g.object(body, "export default ", ";", f.Params, camel, false, need)
		g.withImports(t, need, f.Params, body)
	})
}

func (g *generator) procedureFile(f *model.Function) {
	g.checkFields(f.Params, camel, procedureSource(f))
	g.file(procedurePath(f)+".ts", procedureSource(f), func(t *model.Text) {
		need, body := imports{}, new(model.Text)
		used := append(f.Params[:len(f.Params):len(f.Params)], model.Field{Use: f.Return})
		if builds(used) {
			need.value("t")
		}
		g.object(body, "export const params = ", ";", f.Params, camel, false, need)
		body.Linef("export const returnType = %s;", g.builder(f.Return))
		g.withImports(t, need, used, body)
	})
}

// builds reports whether the builders of fields need more than definitions.
func builds(fields []model.Field) bool {
	for _, f := range fields {
		if f.Use.Kind != model.Ref {
			return true
		}
	}
	return false
}

// withImports writes a file's body after its imports.
func (g *generator) withImports(t *model.Text, need imports, fields []model.Field, body *model.Text) {
	before := t.Len()
	need.write(t)
	g.typeImports(t, nil, fields)
	if t.Len() > before {
		t.Blank()
	}
	t.Append(body)
}

// paramTypes writes the types of arguments and results.
func (g *generator) paramTypes() {
	root := g.module.Root
	names := model.NewScope("types of arguments")
	g.file("types/reducers.ts", "the types of reducers", func(t *model.Text) {
		g.functionTypes(t, root.Reducers, func(t *model.Text, f *model.Function) {
			t.Linef(`import %sReducer from "../%s";`, pascal(f.Accessor), reducerPath(f))
		}, func(t *model.Text, f *model.Function) {
			names.Claim(pascal(f.Accessor)+"Params", reducerSource(f))
			t.Linef("export type %sParams = __Infer<typeof %sReducer>;", pascal(f.Accessor), pascal(f.Accessor))
		})
	})
	g.file("types/procedures.ts", "the types of procedures", func(t *model.Text) {
		g.functionTypes(t, root.Procedures, func(t *model.Text, f *model.Function) {
			t.Linef(`import * as %sProcedure from "../%s";`, pascal(f.Accessor), procedurePath(f))
		}, func(t *model.Text, f *model.Function) {
			names.Claim(pascal(f.Accessor)+"Args", procedureSource(f))
			t.Linef("export type %sArgs = __Infer<typeof %sProcedure.params>;", pascal(f.Accessor), pascal(f.Accessor))
			t.Linef("export type %sResult = __Infer<typeof %sProcedure.returnType>;", pascal(f.Accessor), pascal(f.Accessor))
		})
	})
	g.check(names)
}

func (g *generator) functionTypes(t *model.Text, list []*model.Function, load, declare func(*model.Text, *model.Function)) {
	if len(list) == 0 {
		t.Linef("export {};")
		return
	}
	t.Linef(`import { type Infer as __Infer } from "spacetimedb";`)
	for _, f := range list {
		load(t, f)
	}
	t.Blank()
	for _, f := range list {
		declare(t, f)
	}
}

// handleMethods are the methods of a table handle, which an index accessor of
// the same name replaces.
var handleMethods = map[string]bool{
	"count": true, "iter": true, "onInsert": true, "onDelete": true, "onUpdate": true,
	"removeOnInsert": true, "removeOnDelete": true, "removeOnUpdate": true,
}

// checkHandle warns of what hides something on a table's handle.
func (g *generator) checkHandle(table *model.Table) {
	seen := map[string]bool{}
	for _, x := range table.Indexes {
		switch {
		case x.Accessor == "":
		case handleMethods[x.Accessor]:
			g.warnf("%s: its index `%s` replaces the method %s of the table's handle; give it another accessor name", table.Source(), x.Name, x.Accessor)
		case seen[x.Accessor]:
			g.warnf("%s: two of its indexes have the accessor name `%s`; only the last one can be used", table.Source(), x.Accessor)
		}
		seen[x.Accessor] = true
	}
	if !g.modern() {
		return
	}
	for i, c := range table.Columns {
		k := camel(c.Accessor)
		if handleMethods[k] && !seen[k] && strings.Contains(g.modifiers(table, i, k), "(") && (c.Unique || i == table.PrimaryKey) {
			g.warnf("%s: its column `%s` replaces the method %s of the table's handle", table.Source(), c.Accessor, k)
		}
	}
}
