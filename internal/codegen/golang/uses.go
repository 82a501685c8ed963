package golang

import (
	"fmt"
	"strings"

	"github.com/stdbgo/spacetime/internal/codegen/model"
)

// satsTypes are the uses whose Go type is in package sats, and which append and
// read themselves.
var satsTypes = map[model.Kind]string{
	model.ScheduleAt: "ScheduleAt", model.Identity: "Identity", model.ConnectionID: "ConnectionID", model.Timestamp: "Timestamp",
	model.TimeDuration: "TimeDuration", model.UUID: "Uuid", model.I128: "I128", model.U128: "U128", model.I256: "I256", model.U256: "U256",
}

// simple are the uses that sats.Append… appends and a method of sats.Reader reads.
var simple = map[model.Kind]struct{ goType, name string }{
	model.String: {"string", "String"}, model.Bool: {"bool", "Bool"},
	model.I8: {"int8", "I8"}, model.U8: {"uint8", "U8"}, model.I16: {"int16", "I16"}, model.U16: {"uint16", "U16"},
	model.I32: {"int32", "I32"}, model.U32: {"uint32", "U32"}, model.I64: {"int64", "I64"}, model.U64: {"uint64", "U64"},
	model.F32: {"float32", "F32"}, model.F64: {"float64", "F64"},
}

// goType returns the Go type of a use. Within the definition in, a value that
// contains another one of the same type is held by a pointer.
func (g *generator) goType(f *file, u *model.Use, in *model.Type) string {
	if s, ok := simple[u.Kind]; ok {
		return s.goType
	}
	if s, ok := satsTypes[u.Kind]; ok {
		return f.use("sats") + "." + s
	}
	switch u.Kind {
	case model.Ref:
		if boxed(u, in) {
			return "*" + g.names.types[u.Type]
		}
		return g.names.types[u.Type]
	case model.Array:
		return "[]" + g.goType(f, u.Elem, nil)
	case model.Option:
		return "*" + g.goType(f, u.Elem, nil)
	case model.Result:
		return f.use("sats") + ".ResultOf[" + g.goType(f, u.Elem, in) + ", " + g.goType(f, u.Err, in) + "]"
	case model.Unit:
		return "struct{}"
	case model.Never:
		return f.use("client") + ".Never"
	}
	panic(fmt.Sprintf("a use of kind %d", u.Kind))
}

// boxed reports whether a field of product in would contain a value of in itself,
// so that it has to be a pointer.
func boxed(u *model.Use, in *model.Type) bool {
	return in != nil && u.Kind == model.Ref && in.Recursive && holds(u.Type, in, map[*model.Type]bool{})
}

// holds reports whether a value of t contains, without slice, pointer or
// interface between, one of type what.
func holds(t, what *model.Type, seen map[*model.Type]bool) bool {
	if t == what {
		return t.Shape == model.Product
	}
	if seen[t] || t.Shape != model.Product {
		return false
	}
	seen[t] = true
	for _, f := range t.Fields {
		if holdsUse(f.Use, what, seen) {
			return true
		}
	}
	return false
}

func holdsUse(u *model.Use, what *model.Type, seen map[*model.Type]bool) bool {
	switch u.Kind {
	case model.Ref:
		return holds(u.Type, what, seen)
	case model.Result:
		return holdsUse(u.Elem, what, seen) || holdsUse(u.Err, what, seen)
	}
	return false
}

// paren makes an operand of an expression that is a dereference.
func paren(x string) string {
	if strings.HasPrefix(x, "*") {
		return "(" + x + ")"
	}
	return x
}

// method returns the operand on which a method of x is called: Go dereferences
// one pointer by itself.
func method(x string) string { return paren(strings.TrimPrefix(x, "*")) }

// append writes statements that append the value x to b.
func (g *generator) append(f *file, u *model.Use, x string, in *model.Type, depth int) {
	if s, ok := simple[u.Kind]; ok {
		f.Linef("b = %s.Append%s(b, %s)", f.use("sats"), s.name, x)
		return
	}
	switch u.Kind {
	case model.Ref:
		if u.Type.Shape == model.Sum {
			f.Linef("b = %s(b, %s)", g.names.appends[u.Type], x)
			return
		}
		f.Linef("b = %s.AppendBSATN(b)", method(x))
	case model.Array:
		if u.IsBytes() {
			f.Linef("b = %s.AppendBytes(b, %s)", f.use("sats"), x)
			return
		}
		f.Linef("b = %s.AppendLen(b, len(%s))", f.use("sats"), x)
		if empty(u.Elem) {
			return
		}
		i := index(depth)
		f.Block("for "+i+" := range "+x+" {", "}", func() { g.append(f, u.Elem, paren(x)+"["+i+"]", nil, depth+1) })
	case model.Option:
		f.Linef("if %s == nil {", x)
		f.In()
		f.Linef("b = %s.AppendNone(b)", f.use("sats"))
		f.Out()
		f.Block("} else {", "}", func() {
			f.Linef("b = %s.AppendSome(b)", f.use("sats"))
			g.append(f, u.Elem, "*"+x, nil, depth)
		})
	case model.Result:
		f.Linef("if %s.IsErr {", method(x))
		f.In()
		f.Linef("b = %s.AppendTag(b, 1)", f.use("sats"))
		g.append(f, u.Err, method(x)+".Err", in, depth)
		f.Out()
		f.Block("} else {", "}", func() {
			f.Linef("b = %s.AppendTag(b, 0)", f.use("sats"))
			g.append(f, u.Elem, method(x)+".Ok", in, depth)
		})
	case model.Unit:
	default:
		f.Linef("b = %s.AppendBSATN(b)", method(x))
	}
}

// read writes statements that read the variable x from r.
func (g *generator) read(f *file, u *model.Use, x string, in *model.Type, depth int) {
	if s, ok := simple[u.Kind]; ok {
		name := s.name
		if name == "String" {
			name = "Str"
		}
		f.Linef("%s = r.%s()", x, name)
		return
	}
	switch u.Kind {
	case model.Ref:
		if u.Type.Shape == model.Sum {
			f.Linef("%s = %s(r)", x, g.names.reads[u.Type])
			return
		}
		if boxed(u, in) {
			f.Linef("%s = new(%s)", x, g.names.types[u.Type])
		}
		f.Linef("%s.ReadBSATN(r)", method(x))
	case model.Array:
		if u.IsBytes() {
			f.Linef("%s = r.Bytes()", x)
			return
		}
		f.Linef("%s = make(%s, r.Count(%d))", x, g.goType(f, u, nil), least(u.Elem, map[*model.Type]bool{}))
		if empty(u.Elem) {
			return
		}
		i := index(depth)
		f.Block("for "+i+" := range "+x+" {", "}", func() { g.read(f, u.Elem, paren(x)+"["+i+"]", nil, depth+1) })
	case model.Option:
		f.Linef("%s = nil", x)
		f.Block("if r.Option() {", "}", func() {
			f.Linef("%s = new(%s)", x, g.goType(f, u.Elem, nil))
			g.read(f, u.Elem, "*"+x, nil, depth)
		})
	case model.Result:
		f.Linef("%s = %s{IsErr: r.TagOf(2, \"Result\") == 1}", x, g.goType(f, u, in))
		f.Linef("if %s.IsErr {", method(x))
		f.In()
		g.read(f, u.Err, method(x)+".Err", in, depth)
		f.Out()
		f.Block("} else {", "}", func() { g.read(f, u.Elem, method(x)+".Ok", in, depth) })
	case model.Unit:
	default:
		f.Linef("%s.ReadBSATN(r)", method(x))
	}
}

// empty reports whether nothing is appended and read for a value.
func empty(u *model.Use) bool { return u.Kind == model.Unit }

// least returns the size of the smallest encoded value, to bound the counts of
// arrays; what a recursive type adds counts as nothing.
func least(u *model.Use, seen map[*model.Type]bool) int {
	switch u.Kind {
	case model.Unit:
		return 0
	case model.String, model.Array, model.I32, model.U32, model.F32:
		return 4
	case model.I16, model.U16:
		return 2
	case model.I64, model.U64, model.F64, model.Timestamp, model.TimeDuration:
		return 8
	case model.ScheduleAt:
		return 9
	case model.I128, model.U128, model.ConnectionID, model.UUID:
		return 16
	case model.I256, model.U256, model.Identity:
		return 32
	case model.Ref:
		return leastOf(u.Type, seen)
	}
	return 1 // a tag, or one byte
}

func leastOf(t *model.Type, seen map[*model.Type]bool) int {
	if t.Shape != model.Product {
		return 1
	}
	if seen[t] {
		return 0
	}
	seen[t] = true
	defer delete(seen, t)
	sum := 0
	for _, f := range t.Fields {
		sum += least(f.Use, seen)
	}
	return sum
}
