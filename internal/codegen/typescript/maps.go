package typescript

import (
	"slices"

	"github.com/stdbgo/spacetime/internal/codegen/model"
)

// maps writes the objects through which hooks and queries name tables, reducers
// and procedures.
func (x *index) maps(need imports) {
	t := &x.text
	for _, e := range x.tables {
		if x.modern() && e.table.IsView && len(e.table.Params) > 0 {
			x.warnf("view `%s` has parameters: subscribeToAllTables cannot be used with this module; subscribe to `SELECT * FROM \"%s\"(…)` with its arguments", e.table.Name, e.table.Name)
		}
	}
	t.Blank()
	if !x.modern() {
		t.Linef("/** Table descriptors, for framework hooks such as useTable. */")
		t.Linef("export const tables = __convertToAccessorMap(tablesSchema.schemaType.tables);")
		if x.sdk.AtLeast(1, 12, 0) {
			need.value("makeQueryBuilder")
			need.typ("QueryBuilder")
			t.Blank()
			t.Linef("/** Typed queries. */")
			t.Linef("export const query: __QueryBuilder<typeof tablesSchema.schemaType> =")
			t.Linef("  __makeQueryBuilder(tablesSchema.schemaType);")
		}
		t.Blank()
		t.Linef("/** Reducer descriptors, for framework hooks such as useReducer. */")
		t.Linef("export const reducers = __convertToAccessorMap(reducersSchema.reducersType.reducers);")
		return
	}
	need.value("makeQueryBuilder")
	x.accessors("tables", "Table references; each one is also a typed query.", "__makeQueryBuilder(tablesSchema.schemaType)", x.tables, func() {
		need.typ("QueryBuilder")
		t.Linef("export const tables: __QueryBuilder<typeof tablesSchema.schemaType> =")
		t.Linef("  __makeQueryBuilder(tablesSchema.schemaType);")
	})
	if len(x.aliases) > 0 {
		t.Blank()
		t.Linef("export type Tables = typeof tables;")
		t.Linef(`export type DbView = DbConnection["db"];`)
	}
	t.Blank()
	flat := func(name, value string) func() {
		return func() { t.Linef("export const %s = %s;", name, value) }
	}
	value := "__convertToAccessorMap(reducersSchema.reducersType.reducers)"
	x.accessors("reducers", "Reducer descriptors, for framework hooks such as useReducer.", value, x.reducers, flat("reducers", value))
	t.Blank()
	value = "__convertToAccessorMap(proceduresSchema.procedures)"
	x.accessors("procedures", "Procedure descriptors, for framework hooks such as useProcedure.", value, x.procedures, flat("procedures", value))
}

// accessors writes one of the maps: as the SDK makes it, if that is what users
// expect to see, else as an object with aliases and submodules (spec 10 §5.6,
// §5.7).
func (x *index) accessors(name, doc, value string, list []entry, flat func()) {
	t := &x.text
	aliased := name == "tables" && len(x.aliases) > 0
	nested := slices.ContainsFunc(list, func(e entry) bool { return len(e.level.Path) > 0 })
	if !aliased && !nested {
		t.Linef("/** %s */", doc)
		flat()
		return
	}
	all := name + "ByKey"
	t.Linef("const %s = %s;", all, value)
	t.Blank()
	t.Linef("/** %s */", doc)
	t.Block("export const "+name+" = {", "} as const;", func() {
		x.level(x.module.Root, name, aliased, list)
	})
}

// level writes the entries of a level and the objects of the levels below.
func (x *index) level(l *model.Level, of string, aliased bool, list []entry) {
	t := &x.text
	all := of + "ByKey"
	names := model.NewScope("members of `" + of + "`")
	for _, e := range list {
		if e.level != l {
			continue
		}
		name := e.key
		if len(l.Path) > 0 {
			name = e.accessor
		}
		source := ""
		if e.table != nil {
			source = e.table.Source()
		} else {
			source = "`" + e.function.Name + "`"
		}
		names.Claim(name, source)
		t.Linef("%s: %s,", key(name), member(all, e.key))
	}
	if aliased {
		for _, a := range x.aliases {
			names.Claim(a.old, "the other spelling of table `"+a.current+"`")
			t.Linef("/** @deprecated Use `%s`. */", a.current)
			t.Linef("%s: %s,", key(a.old), member(all, a.current))
		}
	}
	for _, s := range l.Subs {
		if !slices.ContainsFunc(list, func(e entry) bool { return within(e.level, s) }) {
			continue
		}
		segment := s.Path[len(s.Path)-1]
		names.Claim(segment, "submodule `"+s.Canonical+"`")
		t.Block(key(segment)+": {", "},", func() { x.level(s, of, false, list) })
	}
	x.check(names)
}

func within(l, of *model.Level) bool {
	return len(l.Path) >= len(of.Path) && slices.Equal(l.Path[:len(of.Path)], of.Path)
}

// aliasTypes writes what makes the older keys of tables known to the compiler
// and at run time. Contexts share the connection's object of tables.
func (x *index) aliasTypes() {
	if len(x.aliases) == 0 {
		return
	}
	t := &x.text
	t.Blank()
	t.Linef("// Keys of tables that other releases use.")
	t.Block("const oldKeys = {", "} as const;", func() {
		for _, a := range x.aliases {
			t.Linef("%s: %s,", key(a.old), quote(a.current))
		}
	})
	t.Linef("type BaseTables = typeof tablesSchema.schemaType.tables;")
	t.Block("type AliasedTables = BaseTables & {", "};", func() {
		t.Linef(`readonly [Old in keyof typeof oldKeys]: Omit<BaseTables[(typeof oldKeys)[Old]], "accessorName"> & {`)
		t.Linef("  readonly accessorName: Old;")
		t.Linef("};")
	})
	t.Blank()
	t.Block("function addOldKeys(view: object): void {", "}", func() {
		t.Block("for (const [old, current] of Object.entries(oldKeys)) {", "}", func() {
			t.Block("if (!(old in view)) {", "}", func() {
				t.Linef("Object.defineProperty(view, old, {")
				t.Linef("  enumerable: true,")
				t.Linef("  get: () => (view as Record<string, unknown>)[current],")
				t.Linef("});")
			})
		})
	})
}
