package rust

import (
	"fmt"

	"github.com/stdbgo/spacetime/internal/codegen/model"
	"github.com/stdbgo/spacetime/internal/codegen/source"
)

var primitives = map[model.Kind]string{
	model.Unit: "()", model.Bool: "bool",
	model.I8: "i8", model.U8: "u8", model.I16: "i16", model.U16: "u16", model.I32: "i32", model.U32: "u32",
	model.I64: "i64", model.U64: "u64", model.I128: "i128", model.U128: "u128",
	model.I256: "__sats::i256", model.U256: "__sats::u256", model.F32: "f32", model.F64: "f64",
	model.ScheduleAt: "__sdk::ScheduleAt", model.Identity: "__sdk::Identity", model.ConnectionID: "__sdk::ConnectionId",
	model.Timestamp: "__sdk::Timestamp", model.TimeDuration: "__sdk::TimeDuration", model.UUID: "__sdk::Uuid",
}

// use returns how a type is written in a file below mod.rs.
func (g *generator) use(u *model.Use) string { return g.useIn(u, "super::") }

// useIn is use, with the path that leads to mod.rs.
func (g *generator) useIn(u *model.Use, up string) string {
	switch u.Kind {
	case model.Ref:
		return typeName(u.Type)
	case model.Array:
		return "Vec<" + g.useIn(u.Elem, up) + ">"
	case model.Option:
		return "Option<" + g.useIn(u.Elem, up) + ">"
	case model.Result:
		return "Result<" + g.useIn(u.Elem, up) + ", " + g.useIn(u.Err, up) + ">"
	case model.String:
		return "String"
	case model.Never:
		return up + g.never
	case model.UUID:
		if g.uuid != "" {
			return up + g.uuid
		}
	}
	return primitives[u.Kind]
}

// field returns how the type of a member of t is written: a struct that contains
// itself without an array between needs a Box there, which is not on the wire.
func (g *generator) field(t *model.Type, u *model.Use) string {
	if u.Kind == model.Ref && contains(u.Type, t) {
		return "Box<" + typeName(u.Type) + ">"
	}
	switch u.Kind {
	case model.Option:
		return "Option<" + g.field(t, u.Elem) + ">"
	case model.Result:
		return "Result<" + g.field(t, u.Elem) + ", " + g.field(t, u.Err) + ">"
	}
	return g.use(u)
}

// contains reports whether a value of type outer has a value of type inner inside
// it, not behind an array.
func contains(outer, inner *model.Type) bool {
	if outer == inner {
		return true
	}
	if !outer.Recursive || !inner.Recursive {
		return false
	}
	seen := map[*model.Type]bool{}
	var walk func(*model.Type) bool
	var walkUse func(*model.Use) bool
	walkUse = func(u *model.Use) bool {
		switch {
		case u == nil || u.Kind == model.Array:
			return false
		case u.Kind == model.Ref:
			return walk(u.Type)
		}
		return walkUse(u.Elem) || walkUse(u.Err)
	}
	walk = func(t *model.Type) bool {
		if t == inner {
			return true
		}
		if seen[t] {
			return false
		}
		seen[t] = true
		for _, f := range t.Fields {
			if walkUse(f.Use) {
				return true
			}
		}
		return false
	}
	return walk(outer)
}

// findLocalTypes decides whether mod.rs has to define types that the SDK lacks.
func (g *generator) findLocalTypes() {
	needs := func(kind model.Kind, name string) string {
		if !g.mentions(kind) {
			return ""
		}
		for g.types[name] {
			name += "_"
		}
		return name
	}
	g.never = needs(model.Never, "Never")
	if !g.has.queries {
		g.uuid = needs(model.UUID, "Uuid")
	}
}

// mentions reports whether any visible type, parameter or result is of kind.
func (g *generator) mentions(kind model.Kind) bool {
	var uses []*model.Use
	for _, t := range g.root.Types {
		uses = append(uses, usesOf(t.Fields)...)
	}
	for _, t := range g.root.Tables {
		uses = append(uses, usesOf(t.Params)...)
	}
	for _, f := range g.root.Reducers {
		uses = append(uses, usesOf(f.Params)...)
	}
	for _, f := range g.procedures() {
		uses = append(append(uses, usesOf(f.Params)...), f.Return)
	}
	var is func(*model.Use) bool
	is = func(u *model.Use) bool { return u != nil && (u.Kind == kind || is(u.Elem) || is(u.Err)) }
	for _, u := range uses {
		if is(u) {
			return true
		}
	}
	return false
}

const derives = `
#[derive(__lib::ser::Serialize, __lib::de::Deserialize, Clone, PartialEq, Debug)]
#[sats(crate = __lib)]
`

func (g *generator) typeFile(t *model.Type) *source.Writer {
	w := g.file(t, usesOf(t.Fields)...)
	name := typeName(t)
	w.Put(derives)
	switch t.Shape {
	case model.Product:
		w.Open("pub struct %s {", name)
		for _, f := range t.Fields {
			w.Line("pub %s: %s,", snake(f.Name), g.field(t, f.Use))
		}
	case model.PlainEnum:
		w.Line("#[derive(Copy, Eq, Hash)]")
		w.Open("pub enum %s {", name)
		for _, f := range t.Fields {
			w.Line("%s,", pascal(f.Name))
		}
	case model.Sum:
		w.Open("pub enum %s {", name)
		for _, f := range t.Fields {
			w.Line("%s,", g.variant(t, f))
		}
	}
	w.Close("}")
	inModule(w, name)
	if g.has.queries && t.Shape == model.Product && len(t.RowOf) > 0 {
		g.queryColumns(w, t)
	}
	return w
}

func (g *generator) variant(t *model.Type, f model.Field) string {
	if f.Use.Kind == model.Unit {
		return pascal(f.Name)
	}
	return fmt.Sprintf("%s(%s)", pascal(f.Name), g.field(t, f.Use))
}

func inModule(w *source.Writer, name string) {
	w.Put(`

impl __sdk::InModule for ‹T› {
    type Module = super::RemoteModule;
}
`, "T", name)
}

// filterable reports whether a column of this type can have a find method: it
// must be Eq, Hash and Clone in Rust. Spec 10 §2.6, with the types that we add.
func (g *generator) filterable(u *model.Use) bool {
	switch u.Kind {
	case model.Bool, model.String, model.Identity, model.ConnectionID, model.Never, model.Timestamp, model.TimeDuration, model.UUID:
		return true
	case model.Option:
		return u.Elem.Kind == model.Unit
	case model.Ref:
		return u.Type.Shape == model.PlainEnum
	}
	return u.Kind >= model.I8 && u.Kind <= model.U256
}
