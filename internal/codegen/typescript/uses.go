package typescript

import (
	"fmt"

	"github.com/stdbgo/spacetime/internal/codegen/model"
)

// simple are the builders without arguments.
var simple = map[model.Kind]string{
	model.Bool: "bool", model.I8: "i8", model.U8: "u8", model.I16: "i16", model.U16: "u16", model.I32: "i32", model.U32: "u32",
	model.I64: "i64", model.U64: "u64", model.I128: "i128", model.U128: "u128", model.I256: "i256", model.U256: "u256",
	model.F32: "f32", model.F64: "f64", model.String: "string", model.Identity: "identity", model.ConnectionID: "connectionId",
	model.Timestamp: "timestamp", model.TimeDuration: "timeDuration", model.ScheduleAt: "scheduleAt", model.UUID: "uuid", model.Unit: "unit",
}

// builder returns the expression that describes a use to the SDK (spec 10 §5.5).
func (g *generator) builder(u *model.Use) string {
	old := !g.sdk.AtLeast(1, 12, 0)
	switch u.Kind {
	case model.Ref:
		return ident(u.Type)
	case model.Array:
		if u.IsBytes() {
			return "__t.byteArray()"
		}
		return "__t.array(" + g.builder(u.Elem) + ")"
	case model.Option:
		return "__t.option(" + g.builder(u.Elem) + ")"
	case model.Result:
		ok, fail := g.builder(u.Elem), g.builder(u.Err)
		if old {
			return `__t.enum("Result", { ok: ` + ok + ", err: " + fail + " })"
		}
		return "__t.result(" + ok + ", " + fail + ")"
	case model.Never: // __t.never exists in no release
		return `__t.enum("Never", {})`
	case model.UUID:
		if old {
			return `__t.object("Uuid", { __uuid__: __t.u128() })`
		}
	}
	return "__t." + simple[u.Kind] + "()"
}

// canBeKey reports whether the builder of a use has the modifiers primaryKey
// and unique in the targeted release: calling one that does not exist breaks the
// bindings when they are loaded (the table of spec 10 §5.4).
func (g *generator) canBeKey(u *model.Use) (primary, unique bool) {
	switch u.Kind {
	case model.Bool, model.String, model.Identity, model.ConnectionID, model.Timestamp, model.TimeDuration:
		return true, true
	case model.UUID:
		ok := g.sdk.AtLeast(1, 12, 0)
		return ok, ok
	case model.Never:
		return g.sdk.AtLeast(2, 7, 0), false
	case model.Ref:
		return u.Type.Shape != model.Product && g.sdk.AtLeast(2, 7, 0), false
	}
	return u.IsInteger(), u.IsInteger()
}

// canBeNamed reports whether the builder of a use has the modifier name.
// Releases before 1.12 would not read it.
func (g *generator) canBeNamed(u *model.Use) bool {
	return g.sdk.AtLeast(1, 12, 0) && u.Kind != model.Result && u.Kind != model.Unit
}

// sdkTypes are the kinds of uses whose values are of a class of the SDK.
var sdkTypes = map[model.Kind]string{
	model.Identity: "Identity", model.ConnectionID: "ConnectionId", model.Timestamp: "Timestamp",
	model.TimeDuration: "TimeDuration", model.UUID: "Uuid",
}

// static returns the type of the values of a use, as the SDK infers it from the
// builder. What it needs from the SDK it notes in need.
func (g *generator) static(u *model.Use, need imports) string {
	switch u.Kind {
	case model.Ref:
		if g.modern() || g.classGeneration() || u.Type.Recursive {
			return ident(u.Type)
		}
		need.typ("Infer")
		return "__Infer<typeof " + ident(u.Type) + ">"
	case model.Array:
		if u.IsBytes() {
			return "Uint8Array"
		}
		return parenthesize(g.static(u.Elem, need), u.Elem) + "[]"
	case model.Option:
		return g.static(u.Elem, need) + " | undefined"
	case model.Result:
		ok, fail := g.static(u.Elem, need), g.static(u.Err, need)
		if !g.sdk.AtLeast(1, 12, 0) {
			return fmt.Sprintf(`{ tag: "ok"; value: %s } | { tag: "err"; value: %s }`, ok, fail)
		}
		return ok + " | " + fail
	case model.Unit:
		return "{}"
	case model.Never:
		return "never"
	case model.String:
		return "string"
	case model.Bool:
		return "boolean"
	case model.F32, model.F64, model.I8, model.U8, model.I16, model.U16, model.I32, model.U32:
		return "number"
	case model.UUID:
		if !g.sdk.AtLeast(1, 12, 0) {
			return "{ __uuid__: bigint }"
		}
	case model.ScheduleAt: // a value of the SDK with a type that has no name in all releases
		need.typ("TimeDuration")
		need.typ("Timestamp")
		return `{ tag: "Interval"; value: __TimeDuration } | { tag: "Time"; value: __Timestamp }`
	}
	if name, ok := sdkTypes[u.Kind]; ok {
		need.typ(name)
		return "__" + name
	}
	return "bigint"
}

func parenthesize(s string, u *model.Use) string {
	if u.Kind == model.Option || u.Kind == model.Result || u.Kind == model.ScheduleAt {
		return "(" + s + ")"
	}
	return s
}

// tag names the form of a use's type in the SDK's words.
func tag(u *model.Use) string {
	switch u.Kind {
	case model.Array:
		return "Array"
	case model.Ref:
		if u.Type.Shape == model.Product {
			return "Product"
		}
	}
	return "Sum"
}

// entries writes the elements of an object of builders. What refers to other
// definitions is a getter: constants refer to each other in any order and across
// files. In a recursive definition the compiler could not infer the types of its
// getters, so they are written out (spec 10 §5.5, rules 1 and 3).
func (g *generator) entries(t *model.Text, fields []model.Field, keyOf func(string) string, recursive bool, need imports) {
	for _, f := range fields {
		k := key(keyOf(f.Name))
		if !f.Use.HasRef() {
			t.Linef("%s: %s,", k, g.builder(f.Use))
			continue
		}
		if recursive && refersToRecursive(f.Use) {
			need.typ("TypeBuilder")
			t.Linef(`get %s(): __TypeBuilder<%s, { tag: %q; value: any }> { return %s as any; },`, k, g.static(f.Use, need), tag(f.Use), g.builder(f.Use))
			continue
		}
		t.Linef("get %s() { return %s; },", k, g.builder(f.Use))
	}
}

func refersToRecursive(u *model.Use) bool {
	found := false
	u.Refs(func(t *model.Type) { found = found || t.Recursive })
	return found
}

// object writes an object of builders between open and close, on one line if it
// is empty.
func (g *generator) object(t *model.Text, open, end string, fields []model.Field, keyOf func(string) string, recursive bool, need imports) {
	if len(fields) == 0 {
		t.Linef("%s{}%s", open, end)
		return
	}
	t.Block(open+"{", "}"+end, func() { g.entries(t, fields, keyOf, recursive, need) })
}
