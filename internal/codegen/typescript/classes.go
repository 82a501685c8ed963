package typescript

import (
	"fmt"
	"strings"

	"github.com/stdbgo/spacetime/internal/codegen/model"
	"github.com/stdbgo/spacetime/internal/schema"
)

// classes writes the form of SDK 1.4 to 1.8 (spec 10 §5.9): a file per type,
// table and reducer, and classes for the connection's parts. It knows neither
// procedures nor submodules; their tables and reducers stand at the root.
func (g *generator) classes() {
	flat, err := model.Flatten(g.module)
	if err != nil {
		g.problems = append(g.problems, err)
		return
	}
	root := flat.Root
	for _, d := range root.Types {
		g.checkFields(d.Fields, g.fieldKey(d), "type `"+d.Source()+"`")
		c := g.class(ident(d), d.Shape, d.Fields, d)
		g.file(stem(d)+"_type.ts", "type `"+d.Source()+"`", c.write)
		if d.Shape != model.Product {
			g.file(stem(d)+"_variants.ts", "type `"+d.Source()+"`", c.variants)
		}
	}
	for _, f := range root.Reducers {
		g.checkFields(f.Params, camel, reducerSource(f))
		g.file(reducerPath(f)+".ts", reducerSource(f), g.class(pascal(f.Accessor), model.Product, f.Params, nil).write)
	}
	for _, t := range root.Tables {
		g.checkFields(t.Row.Fields, camel, t.Source())
		g.handleFile(t)
	}
	if len(root.Procedures) > 0 {
		g.warnf("the module's procedures are left out: the TypeScript SDK has procedures since 1.9")
	}
	g.classIndex(root)
}

// A class is a type with the value that knows its encoding: a definition, or
// the arguments of a reducer.
type class struct {
	*generator
	name   string
	shape  model.Shape
	fields []model.Field
	self   *model.Type
}

func (g *generator) class(name string, shape model.Shape, fields []model.Field, self *model.Type) *class {
	return &class{generator: g, name: name, shape: shape, fields: fields, self: self}
}

func (c *class) write(t *model.Text) {
	need, body := imports{}, new(model.Text)
	need["AlgebraicType as __AT"] = false // the value and the type of one name
	for _, name := range []string{"AlgebraicType", "AlgebraicTypeVariants", "BinaryReader", "BinaryWriter"} {
		need.typ(name)
	}
	body.Blank()
	c.typ(body, need)
	body.Blank()
	body.Linef("let cached: __AlgebraicType | undefined;")
	body.Blank()
	body.Block("export const "+c.name+" = {", "};", func() {
		if c.shape != model.Product {
			c.constructors(body, need)
		}
		c.algebraic(body)
		body.Block("serialize(writer: __BinaryWriter, value: "+c.name+"): void {", "},", func() {
			body.Linef("__AT.serializeValue(writer, %s.getTypeScriptAlgebraicType(), value);", c.name)
		})
		body.Block("deserialize(reader: __BinaryReader): "+c.name+" {", "},", func() {
			cast := ""
			if c.shape != model.Product && len(c.fields) == 0 {
				cast = " as never"
			}
			body.Linef("return __AT.deserializeValue(reader, %s.getTypeScriptAlgebraicType())%s;", c.name, cast)
		})
	})
	body.Blank()
	body.Linef("export default %s;", c.name)
	need.write(t)
	if c.shape != model.Product && len(c.fields) > 0 {
		t.Linef(`import type * as variants from "./%s_variants";`, stem(c.self))
	}
	c.refImports(t, "", c.self)
	t.Append(body)
}

// refImports writes the imports of the definitions that the fields refer to;
// prefix goes before their names.
func (c *class) refImports(t *model.Text, prefix string, self *model.Type) {
	seen := map[*model.Type]bool{self: true}
	for _, f := range c.fields {
		f.Use.Refs(func(o *model.Type) {
			if seen[o] {
				return
			}
			seen[o] = true
			switch {
			case prefix != "":
				t.Linef(`import { type %s as %s%s } from "./%s_type";`, ident(o), prefix, ident(o), stem(o))
			case ident(o) == c.name: // arguments of a reducer with the name of a type
				t.Linef(`import { %s as __%s } from "./%s_type";`, ident(o), ident(o), stem(o))
			default:
				t.Linef(`import { %s } from "./%s_type";`, ident(o), stem(o))
			}
		})
	}
}

// typ writes the static type.
func (c *class) typ(t *model.Text, need imports) {
	if c.shape != model.Product {
		names := make([]string, len(c.fields))
		for i, f := range c.fields {
			names[i] = "variants." + variantType(f.Name)
		}
		if len(names) == 0 {
			names = []string{"never"}
		}
		t.Linef("export type %s = %s;", c.name, strings.Join(names, " | "))
		return
	}
	if len(c.fields) == 0 {
		t.Linef("export type %s = {};", c.name)
		return
	}
	t.Block("export type "+c.name+" = {", "};", func() {
		for _, f := range c.fields {
			t.Linef("%s: %s;", key(camel(f.Name)), c.rename(c.static(f.Use, need), f.Use))
		}
	})
}

// rename replaces, in the code for a use, a definition with the name of the
// class itself by the name that it was imported as.
func (c *class) rename(code string, u *model.Use) string {
	clash := false
	u.Refs(func(o *model.Type) { clash = clash || o != c.self && ident(o) == c.name })
	if !clash {
		return code
	}
	return replaceWord(code, c.name, "__"+c.name)
}

// variants writes the file of a sum's variants as types.
func (c *class) variants(t *model.Text) {
	need, body := imports{}, new(model.Text)
	names := model.NewScope("variants of " + c.name)
	for _, f := range c.fields {
		names.Claim(variantType(f.Name), "`"+f.Name+"`")
		body.Blank()
		if f.Use.Kind == model.Unit {
			body.Linef("export type %s = { tag: %s };", variantType(f.Name), quote(f.Name))
			continue
		}
		value := c.static(f.Use, need)
		f.Use.Refs(func(o *model.Type) { value = replaceWord(value, ident(o), "_"+ident(o)) })
		body.Linef("export type %s = { tag: %s; value: %s };", variantType(f.Name), quote(f.Name), value)
	}
	c.check(names)
	if len(c.fields) == 0 {
		t.Linef("export {};")
		return
	}
	need.write(t)
	c.refImports(t, "_", nil)
	t.Append(body)
}

// reserved are the words that cannot be names of types or parameters.
var reserved = func() map[string]bool {
	words := map[string]bool{}
	for _, w := range strings.Fields(`any arguments as async await bigint boolean break case catch class const continue debugger default delete do
		else enum eval export extends false finally for function if implements import in instanceof interface let never new null number object
		package private protected public return static string super switch symbol this throw true try type typeof undefined unknown var void
		while with yield`) {
		words[w] = true
	}
	return words
}()

// escape makes a name of one that may be a word of the language.
func escape(name string) string {
	if reserved[name] || !isIdentifier(name) {
		return name + "_"
	}
	return name
}

func variantType(name string) string { return escape(startSafe(name)) }

// classMembers are the members of every class, which a variant hides none of.
var classMembers = map[string]bool{"getTypeScriptAlgebraicType": true, "serialize": true, "deserialize": true}

// constructors writes what makes values of the variants.
func (c *class) constructors(t *model.Text, need imports) {
	for _, f := range c.fields {
		switch {
		case classMembers[f.Name]:
			c.warnf("type %s has a variant `%s`, which has no constructor: every type has a method of that name", c.name, f.Name)
		case f.Use.Kind == model.Unit:
			t.Linef("%s: { tag: %s } as %s,", key(f.Name), quote(f.Name), c.name)
		default:
			t.Linef("%s: (value: %s): %s => ({ tag: %s, value }),", key(f.Name), c.static(f.Use, need), c.name, quote(f.Name))
		}
	}
}

// algebraic writes the function that describes the type to the SDK. The type is
// stored before its elements are added: they may contain it.
func (c *class) algebraic(t *model.Text) {
	form, list, keyOf := "Product", "elements", camel
	if c.shape != model.Product {
		form, list, keyOf = "Sum", "variants", func(s string) string { return s }
	}
	t.Block("getTypeScriptAlgebraicType(): __AlgebraicType {", "},", func() {
		t.Block("if (cached === undefined) {", "}", func() {
			t.Linef(`const %s: __AlgebraicTypeVariants.%s["value"]["%s"] = [];`, list, form, list)
			t.Linef("cached = __AT.%s({ %s });", form, list)
			if len(c.fields) == 0 {
				return
			}
			t.Block(list+".push(", ");", func() {
				for i, f := range c.fields {
					end := ","
					if i == len(c.fields)-1 {
						end = ""
					}
					t.Linef("{ name: %s, algebraicType: %s }%s", quote(keyOf(f.Name)), c.rename(algebraicType(f.Use), f.Use), end)
				}
			})
		})
		t.Linef("return cached;")
	})
}

// algebraicType returns the expression for the type of a use.
func algebraicType(u *model.Use) string {
	switch u.Kind {
	case model.Ref:
		return ident(u.Type) + ".getTypeScriptAlgebraicType()"
	case model.Array:
		return "__AT.Array(" + algebraicType(u.Elem) + ")"
	case model.Option:
		return "__AT.createOptionType(" + algebraicType(u.Elem) + ")"
	case model.Result:
		return fmt.Sprintf(`__AT.Sum({ variants: [{ name: "ok", algebraicType: %s }, { name: "err", algebraicType: %s }] })`, algebraicType(u.Elem), algebraicType(u.Err))
	case model.Unit:
		return "__AT.Product({ elements: [] })"
	case model.Never:
		return "__AT.Sum({ variants: [] })"
	case model.UUID:
		return `__AT.Product({ elements: [{ name: "__uuid__", algebraicType: __AT.U128 }] })`
	case model.ScheduleAt:
		return "__AT.createScheduleAtType()"
	}
	if name, ok := sdkTypes[u.Kind]; ok {
		return "__AT.create" + name + "Type()"
	}
	name := simple[u.Kind] // "i8" for I8
	return "__AT." + strings.ToUpper(name[:1]) + name[1:]
}

// replaceWord replaces a word of code by another.
func replaceWord(code, from, to string) string {
	part := func(r byte) bool {
		return r == '_' || r == '$' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= 0x80
	}
	var out strings.Builder
	for {
		i := strings.Index(code, from)
		if i < 0 {
			return out.String() + code
		}
		end := i + len(from)
		if i > 0 && part(code[i-1]) || end < len(code) && part(code[end]) {
			out.WriteString(code[:end])
		} else {
			out.WriteString(code[:i] + to)
		}
		code = code[end:]
	}
}

// handleFile writes the class of a table's handle.
func (g *generator) handleFile(table *model.Table) {
	row := ident(table.Row)
	g.file(tablePath(table)+".ts", table.Source(), func(t *model.Text) {
		need, body := imports{}, new(model.Text)
		need.typ("TableCache")
		need.typ("TableHandle")
		body.Blank()
		body.Block("export class "+pascal(table.Accessor)+"TableHandle<TableName extends string> implements __TableHandle<TableName> {", "}", func() {
			body.Linef("declare readonly tableName: TableName;")
			body.Linef("tableCache: __TableCache<%s>;", row)
			body.Blank()
			body.Linef("constructor(tableCache: __TableCache<%s>) {\n  this.tableCache = tableCache;\n}", row)
			body.Blank()
			body.Linef("count(): number {\n  return this.tableCache.count();\n}")
			body.Blank()
			body.Linef("iter(): Iterable<%s> {\n  return this.tableCache.iter();\n}", row)
			for _, c := range table.Columns {
				if c.Unique {
					g.finder(body, table, c, need)
				}
			}
			body.Blank()
			for _, event := range []string{"Insert", "Delete"} {
				body.Linef("on%s = (cb: (ctx: __EventContext, row: %s) => void) => this.tableCache.on%s(cb);", event, row, event)
				body.Linef("removeOn%s = (cb: (ctx: __EventContext, row: %s) => void) => this.tableCache.removeOn%s(cb);", event, row, event)
			}
			if table.PrimaryKey >= 0 {
				body.Linef("onUpdate = (cb: (ctx: __EventContext, oldRow: %s, newRow: %s) => void) => this.tableCache.onUpdate(cb);", row, row)
				body.Linef("removeOnUpdate = (cb: (ctx: __EventContext, oldRow: %s, newRow: %s) => void) => this.tableCache.removeOnUpdate(cb);", row, row)
			}
		})
		need.write(t)
		t.Linef(`import { type %s } from "./%s_type";`, row, stem(table.Row))
		seen := map[*model.Type]bool{table.Row: true}
		for _, c := range table.Columns {
			c.Use.Refs(func(o *model.Type) {
				if c.Unique && !seen[o] {
					seen[o] = true
					t.Linef(`import { type %s } from "./%s_type";`, ident(o), stem(o))
				}
			})
		}
		t.Linef(`import { type EventContext as __EventContext } from ".";`)
		t.Append(body)
	})
}

// finder writes the member that finds a row by a unique column.
func (g *generator) finder(t *model.Text, table *model.Table, c model.Column, need imports) {
	k := camel(c.Accessor)
	if handleMethods[k] || k == "tableCache" || k == "tableName" || k == "constructor" {
		g.warnf("%s: rows cannot be found by its column `%s`: the table's handle has a member of that name", table.Source(), c.Accessor)
		return
	}
	need.value("deepEqual")
	row := ident(table.Row)
	t.Blank()
	t.Block(key(k)+" = {", "};", func() {
		t.Block("find: (key: "+g.static(c.Use, need)+"): "+row+" | undefined => {", "},", func() {
			t.Block("for (const row of this.tableCache.iter()) {", "}", func() {
				t.Linef("if (__deepEqual(%s, key)) {\n  return row;\n}", member("row", k))
			})
			t.Linef("return undefined;")
		})
	})
}

// called returns the reducers that clients may call.
func called(list []*model.Function) []*model.Function {
	var out []*model.Function
	for _, f := range list {
		if f.Lifecycle == schema.LifecycleNone {
			out = append(out, f)
		}
	}
	return out
}
