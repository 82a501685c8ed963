package typescript

import (
	"fmt"
	"strings"

	"github.com/stdbgo/spacetime/internal/codegen/model"
)

// classExports are the names that index.ts declares itself in the form of
// classes.
var classExports = map[string]bool{
	"DbConnection": true, "SubscriptionBuilder": true, "RemoteTables": true, "RemoteReducers": true, "SetReducerFlags": true, "Reducer": true,
	"EventContext": true, "ReducerEventContext": true, "SubscriptionEventContext": true, "ErrorContext": true, "REMOTE_MODULE": true,
}

// classIndex writes index.ts in the form of classes.
func (g *generator) classIndex(root *model.Level) {
	g.file("index.ts", "the index of the module", func(t *model.Text) {
		t.Linef("// Written by %s for the TypeScript SDK 1.4 - 1.8.", g.options.Tool)
		need, body := imports{}, new(model.Text)
		for _, name := range []string{"DbConnectionBuilder", "DbConnectionImpl", "SubscriptionBuilderImpl"} {
			need.value(name)
		}
		for _, name := range []string{
			"ErrorContextInterface", "Event", "EventContextInterface", "ReducerEventContextInterface", "SubscriptionEventContextInterface",
		} {
			need.typ(name)
		}
		names := g.classImports(body, root)
		body.Blank()
		g.classModule(body, root, names, need)
		g.remoteReducers(body, root.Reducers, names, need)
		g.remoteTables(body, root.Tables, names, need)
		classConnection(body)
		need.write(t)
		t.Append(body)
	})
}

// classNames are the names by which index.ts knows what it imports.
type classNames struct {
	types map[*model.Type]string
	args  map[*model.Function]string
}

// classImports writes the imports and exports of all files. A type that has
// the name of something else is known to the file by another name and not
// exported.
func (g *generator) classImports(t *model.Text, root *model.Level) classNames {
	n := classNames{types: map[*model.Type]string{}, args: map[*model.Function]string{}}
	taken := model.NewScope("exports of index.ts")
	t.Blank()
	load := func(name, path, source string) string {
		if !classExports[name] && !taken.Taken(name) {
			taken.Claim(name, source)
			t.Linef(`import { %s } from "./%s";`, name, path)
			t.Linef("export { %s };", name)
			return name
		}
		alias := "__" + name + "_" + strings.ReplaceAll(path, "/", "_")
		t.Linef(`import { %s as %s } from "./%s";`, name, alias, path)
		return alias
	}
	for _, f := range root.Reducers {
		n.args[f] = load(pascal(f.Accessor), reducerPath(f), reducerSource(f))
	}
	for _, table := range root.Combined() {
		load(pascal(table.Accessor)+"TableHandle", tablePath(table), table.Source())
	}
	for _, d := range root.Types {
		n.types[d] = ident(d)
		used := len(d.RowOf) > 0
		if !used && (classExports[ident(d)] || taken.Taken(ident(d))) {
			g.warnf("type `%s` is not exported by index.ts, which has another `%s`; import it from ./%s_type", d.Source(), ident(d), stem(d))
			continue
		}
		n.types[d] = load(ident(d), stem(d)+"_type", "type `"+d.Source()+"`")
	}
	return n
}

func (g *generator) classModule(t *model.Text, root *model.Level, n classNames, need imports) {
	t.Block("const REMOTE_MODULE = {", "};", func() {
		t.Block("tables: {", "},", func() {
			for _, table := range root.Combined() {
				row := n.types[table.Row]
				t.Block(key(table.Name)+": {", "},", func() {
					t.Linef("tableName: %s as const,", quote(table.Name))
					t.Linef("rowType: %s.getTypeScriptAlgebraicType(),", row)
					if table.PrimaryKey < 0 {
						return
					}
					need.typ("AlgebraicTypeVariants")
					k := quote(camel(table.Columns[table.PrimaryKey].Accessor))
					t.Linef("primaryKey: %s,", k)
					t.Block("primaryKeyInfo: {", "},", func() {
						t.Linef("colName: %s,", k)
						t.Linef("colType: (%s.getTypeScriptAlgebraicType() as __AlgebraicTypeVariants.Product).value.elements[%d].algebraicType,", row, table.PrimaryKey)
					})
				})
			}
		})
		t.Block("reducers: {", "},", func() {
			for _, f := range root.Reducers {
				t.Linef("%s: { reducerName: %s, argsType: %s.getTypeScriptAlgebraicType() },", key(f.Name), quote(f.Name), n.args[f])
			}
		})
		t.Linef("versionInfo: { cliVersion: %s as const },", quote(g.compatVersion()))
		t.Linef("eventContextConstructor: (imp: __DbConnectionImpl, event: __Event<Reducer>) => ({\n  ...(imp as DbConnection),\n  event,\n}),")
		t.Linef("dbViewConstructor: (imp: __DbConnectionImpl) => new RemoteTables(imp),")
		t.Linef("reducersConstructor: (imp: __DbConnectionImpl, flags: SetReducerFlags) => new RemoteReducers(imp, flags),")
		t.Linef("setReducerFlagsConstructor: () => new SetReducerFlags(),")
	})
	t.Blank()
	t.Linef("/** A reducer that ran; its name is the one on the wire. */")
	if len(root.Reducers) == 0 {
		t.Linef("export type Reducer = never;")
		return
	}
	t.Linef("export type Reducer =")
	for i, f := range root.Reducers {
		end := ""
		if i == len(root.Reducers)-1 {
			end = ";"
		}
		t.Linef("  | { name: %s; args: %s }%s", quote(f.Name), n.args[f], end)
	}
}

// remoteReducers writes the classes that call reducers and say how.
func (g *generator) remoteReducers(t *model.Text, reducers []*model.Function, n classNames, need imports) {
	members := model.NewScope("members of RemoteReducers")
	t.Blank()
	t.Block("export class RemoteReducers {", "}", func() {
		t.Linef("constructor(\n  protected __connection: __DbConnectionImpl,\n  protected __flags: SetReducerFlags\n) {}")
		for _, f := range reducers {
			g.classReducer(t, f, n.args[f], members, need)
		}
	})
	g.check(members)
	t.Blank()
	t.Block("export class SetReducerFlags {", "}", func() {
		for i, f := range called(reducers) {
			need.typ("CallReducerFlags")
			if i > 0 {
				t.Blank()
			}
			name := camel(f.Accessor)
			t.Linef(`%sFlags: __CallReducerFlags = "FullUpdate";`, name)
			t.Linef("%s(flags: __CallReducerFlags) {\n  this.%sFlags = flags;\n}", name, name)
		}
	})
}

func (g *generator) classReducer(t *model.Text, f *model.Function, args string, members *model.Scope, need imports) {
	params, keys := make([]string, len(f.Params)), make([]string, len(f.Params))
	for i, p := range f.Params {
		name := escape(camel(p.Name))
		params[i] = name + ": " + args + "[" + quote(camel(p.Name)) + "]"
		keys[i] = key(camel(p.Name)) + ": " + name
		if name == camel(p.Name) {
			keys[i] = name
		}
	}
	name, title := camel(f.Accessor), pascal(f.Accessor)
	list := strings.Join(params, ", ")
	if len(called([]*model.Function{f})) > 0 {
		members.Claim(name, reducerSource(f))
		t.Blank()
		t.Block(name+"("+list+") {", "}", func() {
			buffer := "new Uint8Array(0)"
			if len(f.Params) > 0 {
				need.value("BinaryWriter")
				t.Linef("const __writer = new __BinaryWriter(1024);")
				t.Linef("%s.serialize(__writer, { %s });", args, strings.Join(keys, ", "))
				buffer = "__writer.getBuffer()"
			}
			t.Linef("this.__connection.callReducer(%s, %s, this.__flags.%sFlags);", quote(f.Name), buffer, name)
		})
	}
	callback := "(callback: (ctx: ReducerEventContext" + strings.Join(append([]string{""}, params...), ", ") + ") => void) {"
	for _, m := range []struct{ name, method string }{{"on" + title, "onReducer"}, {"removeOn" + title, "offReducer"}} {
		members.Claim(m.name, reducerSource(f))
		t.Blank()
		t.Block(m.name+callback, "}", func() {
			t.Linef("this.__connection.%s(%s, callback as (...args: any[]) => void);", m.method, quote(f.Name))
		})
	}
}

func (g *generator) remoteTables(t *model.Text, tables []*model.Table, n classNames, need imports) {
	members := model.NewScope("members of RemoteTables")
	t.Blank()
	t.Block("export class RemoteTables {", "}", func() {
		t.Linef("constructor(protected __connection: __DbConnectionImpl) {}")
		if len(tables) == 0 {
			return
		}
		need.typ("ClientCache")
		t.Blank()
		t.Linef("// The cache is a private member of the SDK's class.")
		t.Linef("protected get __cache(): __ClientCache {\n  return (this.__connection as unknown as { clientCache: __ClientCache }).clientCache;\n}")
		for _, table := range tables {
			name, handle := camel(table.Accessor), pascal(table.Accessor)+"TableHandle"
			members.Claim(name, table.Source())
			t.Blank()
			t.Block(fmt.Sprintf("get %s(): %s<%s> {", name, handle, quote(table.Name)), "}", func() {
				t.Linef("return new %s(this.__cache.getOrCreateTable<%s>(%s));", handle, n.types[table.Row], member("REMOTE_MODULE.tables", table.Name))
			})
		}
	})
	g.check(members)
}

func classConnection(t *model.Text) {
	t.Blank()
	for _, name := range []string{"EventContext", "ReducerEventContext"} {
		t.Linef("export type %s = __%sInterface<RemoteTables, RemoteReducers, SetReducerFlags, Reducer>;", name, name)
	}
	for _, name := range []string{"SubscriptionEventContext", "ErrorContext"} {
		t.Linef("export type %s = __%sInterface<RemoteTables, RemoteReducers, SetReducerFlags>;", name, name)
	}
	t.Blank()
	t.Linef("export class SubscriptionBuilder extends __SubscriptionBuilderImpl<RemoteTables, RemoteReducers, SetReducerFlags> {}")
	t.Blank()
	t.Block("export class DbConnection extends __DbConnectionImpl<RemoteTables, RemoteReducers, SetReducerFlags> {", "}", func() {
		t.Linef("static builder = (): __DbConnectionBuilder<DbConnection, ErrorContext, SubscriptionEventContext> =>")
		t.Linef("  new __DbConnectionBuilder<DbConnection, ErrorContext, SubscriptionEventContext>(")
		t.Linef("    REMOTE_MODULE,")
		t.Linef("    (imp: __DbConnectionImpl) => imp as DbConnection")
		t.Linef("  );")
		t.Blank()
		t.Linef("override subscriptionBuilder = (): SubscriptionBuilder => new SubscriptionBuilder(this);")
	})
}
