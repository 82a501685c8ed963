package typescript

import (
	"fmt"
	"strings"

	"github.com/stdbgo/spacetime/internal/codegen/model"
)

// An index is the file that ties a module together.
type index struct {
	*generator
	tables     []entry
	reducers   []entry
	procedures []entry
	aliases    []alias
	text       model.Text // everything behind the imports
}

// An entry is an object with the key that the SDK gives access to it by.
type entry struct {
	level    *model.Level
	key      string
	accessor string // as users write it in a submodule's part of tables and so on
	symbol   string // what the file imports it as
	path     string // without extension
	table    *model.Table
	function *model.Function
}

// An alias is an older spelling of a table's key.
type alias struct{ old, current string }

func newIndex(g *generator) *index {
	x := &index{generator: g}
	tableKeys, reducerKeys, procedureKeys := model.NewScope("keys of tables"), model.NewScope("keys of reducers"), model.NewScope("keys of procedures")
	symbols := model.NewScope("symbols of index.ts")
	add := func(list *[]entry, keys *model.Scope, e entry, source string) {
		keys.Claim(e.key, source)
		symbols.Claim(e.symbol, source)
		*list = append(*list, e)
	}
	for _, l := range g.module.Root.Levels() {
		for _, t := range l.Combined() {
			g.checkHandle(t)
			add(&x.tables, tableKeys, entry{
				level: l, key: g.tableKey(t), accessor: camel(t.Accessor), symbol: symbol(l, t.Accessor) + "Row", path: tablePath(t), table: t,
			}, t.Source())
		}
		for _, f := range callable(l) {
			add(&x.reducers, reducerKeys, entry{
				level: l, key: sdkCamel(f.Name), accessor: camel(f.Accessor), symbol: symbol(l, f.Accessor) + "Reducer", path: reducerPath(f), function: f,
			}, reducerSource(f))
		}
		for _, f := range l.Procedures {
			add(&x.procedures, procedureKeys, entry{
				level: l, key: sdkCamel(f.Name), accessor: camel(f.Accessor), symbol: symbol(l, f.Accessor) + "Procedure", path: procedurePath(f), function: f,
			}, procedureSource(f))
		}
	}
	x.findAliases(tableKeys)
	for _, s := range []*model.Scope{tableKeys, reducerKeys, procedureKeys, symbols} {
		g.check(s)
	}
	return x
}

// tableKey is the key of a table in the schema (spec 10 §5.6, §5.7). In 1.x the
// SDK makes it from the name.
func (g *generator) tableKey(t *model.Table) string {
	switch {
	case !g.modern():
		return sdkCamel(t.Name)
	case len(t.Level.Path) > 0 || g.keysAreNames():
		return t.Name
	}
	return camel(t.Accessor)
}

// findAliases collects the spellings that other releases of the generator gave
// the keys of tables, as far as nothing else is called so.
func (x *index) findAliases(taken *model.Scope) {
	if !x.modern() {
		return
	}
	for _, e := range x.tables {
		if len(e.level.Path) > 0 {
			continue
		}
		for _, old := range []string{e.accessor, e.table.Accessor} {
			if !taken.Taken(old) {
				taken.Claim(old, e.table.Source())
				x.aliases = append(x.aliases, alias{old: old, current: e.key})
			}
		}
	}
}

// write writes index.ts.
func (x *index) write() {
	x.file("index.ts", "the index of the module", func(t *model.Text) {
		target := "2.x"
		switch {
		case !x.modern():
			target = "1.9 - 1.12"
		case x.keysAreNames():
			target = "2.0.0 - 2.0.1"
		}
		t.Linef("// Written by %s for the TypeScript SDK %s.", x.options.Tool, target)
		need := imports{}
		x.body(need)
		need.write(t)
		x.objectImports(t)
		t.Append(&x.text)
	})
}

func (x *index) objectImports(t *model.Text) {
	t.Blank()
	local := model.NewScope("symbols of index.ts")
	load := func(form, symbol, path string) {
		local.Claim(symbol, path)
		t.Linef(`import %s from "./%s";`, fmt.Sprintf(form, symbol), path)
		if !x.modern() {
			t.Linef("export { %s };", symbol)
		}
	}
	for _, e := range x.tables {
		load("%s", e.symbol, e.path)
	}
	for _, e := range x.reducers {
		load("%s", e.symbol, e.path)
	}
	for _, e := range x.procedures {
		load("* as %s", e.symbol, e.path)
	}
	if x.modern() {
		return
	}
	for _, l := range x.module.Root.Levels() {
		for _, f := range l.Reducers {
			if s := symbol(l, f.Accessor) + "Reducer"; !local.Taken(s) { // reducers that only the server calls
				load("%s", s, reducerPath(f))
			}
		}
		for _, d := range l.Types {
			name := ident(d)
			if len(l.Path) > 0 {
				name = pascal(strings.Join(l.Path, "_")) + "_" + name
			}
			p := dirPath(l, stem(d)+"_type")
			if indexExports[name] || local.Taken(name) {
				x.warnf("type `%s` is not exported by index.ts, which has another `%s`; import it from ./%s", d.Source(), name, p)
				continue
			}
			load("%s", name, p)
		}
	}
}

// indexExports are the names that index.ts of 1.x declares itself.
var indexExports = map[string]bool{
	"DbConnection": true, "DbConnectionBuilder": true, "SubscriptionBuilder": true, "SubscriptionHandle": true,
	"EventContext": true, "ReducerEventContext": true, "SubscriptionEventContext": true, "ErrorContext": true, "REMOTE_MODULE": true,
}

func (x *index) body(need imports) {
	for _, name := range []string{"DbConnectionBuilder", "DbConnectionImpl", "SubscriptionBuilderImpl", "convertToAccessorMap", "procedures", "reducers", "schema"} {
		need.value(name)
	}
	for _, name := range []string{
		"DbConnectionConfig", "ErrorContextInterface", "EventContextInterface", "ReducerEventContextInterface", "RemoteModule",
		"SubscriptionEventContextInterface", "SubscriptionHandleImpl",
	} {
		need.typ(name)
	}
	t := &x.text
	t.Blank()
	x.schema(need)
	t.Blank()
	x.functions("reducersSchema", "__reducers", x.reducers, func(e entry) string {
		need.value("reducerSchema")
		return fmt.Sprintf("__reducerSchema(%s, %s)", quote(e.function.Name), e.symbol)
	})
	t.Blank()
	x.functions("proceduresSchema", "__procedures", x.procedures, func(e entry) string {
		need.value("procedureSchema")
		return fmt.Sprintf("__procedureSchema(%s, %s.params, %s.returnType)", quote(e.function.Name), e.symbol, e.symbol)
	})
	x.aliasTypes()
	x.remoteModule()
	x.maps(need)
	x.classesOf()
}

// schema writes the call of the SDK that describes the tables.
func (x *index) schema(need imports) {
	t := &x.text
	open, end := "const tablesSchema = __schema({", "});"
	if !x.modern() {
		open, end = "const tablesSchema = __schema(", ");"
	}
	if len(x.tables) == 0 {
		t.Linef("%s%s", open, end)
		return
	}
	need.value("table")
	t.Block(open, end, func() {
		for _, e := range x.tables {
			prefix := ""
			if x.modern() {
				prefix = key(e.key) + ": "
			}
			t.Linef("%s__table(", prefix)
			t.In()
			t.Block("{", "},", func() { x.tableOptions(e.table) })
			t.Linef("%s", e.symbol)
			t.Out()
			t.Linef("),")
		}
	})
}

// tableOptions writes what the SDK must know of a table besides its rows.
func (x *index) tableOptions(table *model.Table) {
	t := &x.text
	t.Linef("name: %s,", quote(table.Name))
	x.list("indexes", len(table.Indexes), func(i int) string {
		d := table.Indexes[i]
		switch {
		case d.Accessor == "": // clients have no access, and the SDK refuses one without
			return ""
		case x.modern():
			return fmt.Sprintf(`{ accessor: %s, name: %s, algorithm: "btree", columns: %s },`, quote(d.Accessor), quote(d.Name), columnKeys(table, d.Columns))
		}
		return fmt.Sprintf(`{ name: %s, algorithm: "btree", columns: %s },`, quote(d.Accessor), columnKeys(table, d.Columns))
	})
	x.list("constraints", len(table.Constraints), func(i int) string {
		d := table.Constraints[i]
		return fmt.Sprintf(`{ name: %s, constraint: "unique", columns: %s },`, quote(d.Name), columnKeys(table, d.Columns))
	})
	if table.IsEvent && x.modern() {
		t.Linef("event: true,")
	}
}

func (x *index) list(name string, n int, item func(int) string) {
	t := &x.text
	var lines []string
	for i := range n {
		if s := item(i); s != "" {
			lines = append(lines, s)
		}
	}
	if len(lines) == 0 {
		t.Linef("%s: [],", name)
		return
	}
	t.Block(name+": [", "],", func() {
		for _, s := range lines {
			t.Linef("%s", s)
		}
	})
}

// columnKeys returns the keys of columns as an array literal.
func columnKeys(table *model.Table, cols []int) string {
	keys := make([]string, len(cols))
	for i, c := range cols {
		keys[i] = quote(camel(table.Columns[c].Accessor))
	}
	return "[" + strings.Join(keys, ", ") + "]"
}

// functions writes the call of the SDK that describes reducers or procedures.
func (x *index) functions(name, call string, list []entry, item func(entry) string) {
	t := &x.text
	if len(list) == 0 {
		t.Linef("const %s = %s();", name, call)
		return
	}
	t.Block("const "+name+" = "+call+"(", ");", func() {
		for _, e := range list {
			t.Linef("%s,", item(e))
		}
	})
}

// compatVersion is what the SDK reads as the version of the generator; with one
// that is older than 1.4.0 it refuses to connect (spec 10 §5.3).
func (g *generator) compatVersion() string {
	switch {
	case g.modern():
		return "2.8.3"
	case g.classGeneration():
		return "1.8.0"
	}
	return "1.12.0"
}

func (x *index) remoteModule() {
	t := &x.text
	tables, schemaType := "tablesSchema.schemaType.tables", "typeof tablesSchema.schemaType"
	if len(x.aliases) > 0 {
		tables += " as unknown as AliasedTables"
		schemaType = `Omit<typeof tablesSchema.schemaType, "tables"> & { tables: AliasedTables }`
	}
	t.Blank()
	t.Block("const REMOTE_MODULE = {", "} satisfies __RemoteModule<", func() {
		t.Linef("versionInfo: { cliVersion: %s as const },", quote(x.compatVersion()))
		t.Linef("tables: %s,", tables)
		t.Linef("reducers: reducersSchema.reducersType.reducers,")
		t.Linef("...proceduresSchema,")
	})
	t.In()
	t.Linef("%s,", schemaType)
	t.Linef("typeof reducersSchema.reducersType,")
	t.Linef("typeof proceduresSchema")
	t.Out()
	t.Linef(">;")
}

// classesOf writes contexts, builders and the connection.
func (x *index) classesOf() {
	t := &x.text
	t.Blank()
	for _, name := range []string{"EventContext", "ReducerEventContext", "SubscriptionEventContext", "ErrorContext"} {
		t.Linef("export type %s = __%sInterface<typeof REMOTE_MODULE>;", name, name)
	}
	t.Linef("export type SubscriptionHandle = __SubscriptionHandleImpl<typeof REMOTE_MODULE>;")
	t.Blank()
	t.Linef("export class SubscriptionBuilder extends __SubscriptionBuilderImpl<typeof REMOTE_MODULE> {}")
	t.Blank()
	t.Linef("export class DbConnectionBuilder extends __DbConnectionBuilder<DbConnection> {}")
	t.Blank()
	t.Block("export class DbConnection extends __DbConnectionImpl<typeof REMOTE_MODULE> {", "}", func() {
		// Fields, because the SDK's base class declares them as fields.
		t.Linef("static builder = (): DbConnectionBuilder =>")
		t.Linef("  new DbConnectionBuilder(")
		t.Linef("    REMOTE_MODULE,")
		t.Linef("    (config: __DbConnectionConfig<typeof REMOTE_MODULE>) => new DbConnection(config)")
		t.Linef("  );")
		t.Blank()
		if len(x.aliases) > 0 {
			t.Block("constructor(config: __DbConnectionConfig<typeof REMOTE_MODULE>) {", "}", func() {
				t.Linef("super(config);")
				t.Linef("addOldKeys(this.db);")
			})
			t.Blank()
		}
		t.Linef("override subscriptionBuilder = (): SubscriptionBuilder => new SubscriptionBuilder(this);")
	})
}
