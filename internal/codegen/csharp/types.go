package csharp

import (
	"errors"
	"fmt"
	"strings"

	"github.com/stdbgo/spacetime/internal/codegen/model"
	"github.com/stdbgo/spacetime/internal/codegen/source"
)

var primitives = map[model.Kind]string{
	model.Bool: "bool", model.I8: "sbyte", model.U8: "byte", model.I16: "short", model.U16: "ushort",
	model.I32: "int", model.U32: "uint", model.I64: "long", model.U64: "ulong", model.F32: "float", model.F64: "double",
	model.String: "string",
	model.I128:   "global::SpacetimeDB.I128", model.U128: "global::SpacetimeDB.U128",
	model.I256: "global::SpacetimeDB.I256", model.U256: "global::SpacetimeDB.U256",
	model.Identity: "global::SpacetimeDB.Identity", model.ConnectionID: "global::SpacetimeDB.ConnectionId",
	model.Timestamp: "global::SpacetimeDB.Timestamp", model.TimeDuration: "global::SpacetimeDB.TimeDuration",
	model.ScheduleAt: "global::SpacetimeDB.ScheduleAt", model.UUID: "global::SpacetimeDB.Uuid",
	model.Unit: "global::SpacetimeDB.Unit", model.Never: "global::SpacetimeDB.Unit",
}

// use returns how a type is written.
func (g *generator) use(u *model.Use) string {
	switch u.Kind {
	case model.Ref:
		return g.ref(u.Type)
	case model.Array:
		return "global::System.Collections.Generic.List<" + g.use(u.Elem) + ">"
	case model.Option:
		return g.use(u.Elem) + "?"
	case model.Result:
		return "global::SpacetimeDB.Result<" + g.use(u.Elem) + ", " + g.use(u.Err) + ">"
	case model.UUID:
		if !g.has.queries {
			return primitives[model.U128] // the same bytes; older releases have no type for it
		}
	}
	return primitives[u.Kind]
}

// initial returns what a constructor without arguments sets a member to, "" for
// nothing.
func initial(u *model.Use) string {
	switch u.Kind {
	case model.String:
		return `""`
	case model.Array:
		return "new()"
	case model.Result:
		return "default!"
	case model.ScheduleAt:
		return "null!"
	case model.Ref:
		switch u.Type.Shape {
		case model.Product:
			return "new()"
		case model.Sum:
			return "null!"
		}
	}
	return ""
}

// checkTypes fails for what C# can not express.
func (g *generator) checkTypes() error {
	var errs []error
	check := func(u *model.Use, where string) {
		for ; u != nil; u = u.Elem {
			for _, part := range []*model.Use{u, u.Err} {
				switch {
				case part == nil:
				case part.Kind == model.Option && part.Elem.Kind == model.Option:
					errs = append(errs, fmt.Errorf("%s: C# can not express an option of an option: use an enum of your own", where))
				case part.Kind == model.Result && !g.has.queries:
					errs = append(errs, fmt.Errorf("%s: the C# SDK has results since 1.12: update it, or use an enum of your own", where))
				case part.Kind == model.Never:
					g.warn("%s has a type without values, which stands as SpacetimeDB.Unit in C#", where)
				}
			}
		}
	}
	fields := func(kind, of string, list []model.Field) {
		for _, f := range list {
			check(f.Use, kind+" `"+f.Name+"` of "+of)
		}
	}
	for _, t := range g.root.Types {
		fields("member", "type `"+t.Source()+"`", t.Fields)
	}
	for _, f := range g.root.Reducers {
		fields("parameter", "reducer `"+f.Accessor+"`", f.Params)
	}
	for _, f := range g.procedures() {
		fields("parameter", "procedure `"+f.Accessor+"`", f.Params)
		check(f.Return, "the result of procedure `"+f.Accessor+"`")
	}
	return errors.Join(errs...)
}

func (g *generator) typeFile(t *model.Type) *source.Writer {
	w := g.file("")
	switch t.Shape {
	case model.Product:
		w.Line("[SpacetimeDB.Type]")
		w.Line("[DataContract]")
		w.Line("public sealed partial class %s", typeName(t))
		w.Open("{")
		g.members(w, typeName(t), t.Fields)
		w.Close("}")
	case model.Sum:
		w.Line("[SpacetimeDB.Type]")
		w.Line("public partial record %s : global::SpacetimeDB.TaggedEnum<(%s)>;", typeName(t), strings.Join(g.variants(t), ", "))
	case model.PlainEnum:
		w.Line("[SpacetimeDB.Type]")
		w.Line("public enum %s", typeName(t))
		w.Open("{")
		for _, f := range t.Fields {
			w.Line("%s,", pascal(f.Name))
		}
		w.Close("}")
	}
	w.Close("}")
	return w
}

// variants returns the elements of the tuple that describes a sum; a tuple has
// two at least.
func (g *generator) variants(t *model.Type) []string {
	list := make([]string, len(t.Fields))
	for i, f := range t.Fields {
		list[i] = g.use(f.Use) + " " + element(f.Name)
	}
	if len(list) == 1 {
		list = append(list, "global::SpacetimeDB.Unit _Reserved")
	}
	return list
}

// members writes the fields and the constructors of a class.
func (g *generator) members(w *source.Writer, class string, fields []model.Field) {
	if len(fields) == 0 {
		return
	}
	params := make([]string, len(fields))
	for i, f := range fields {
		name := member(class, f.Name)
		w.Line("[DataMember(Name = %s)]", quote(f.Name))
		w.Line("public %s %s;", g.use(f.Use), name)
		params[i] = g.use(f.Use) + " " + name
	}
	w.Line("")
	w.Line("public %s(%s)", class, strings.Join(params, ", "))
	w.Open("{")
	for _, f := range fields {
		name := member(class, f.Name)
		w.Line("this.%s = %s;", name, name)
	}
	w.Close("}")
	w.Line("")
	w.Line("public %s()", class)
	w.Open("{")
	for _, f := range fields {
		if value := initial(f.Use); value != "" {
			w.Line("this.%s = %s;", member(class, f.Name), value)
		}
	}
	w.Close("}")
}

// quote returns s as a string literal.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
