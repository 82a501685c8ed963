package golang

import (
	"strconv"
	"strings"

	"github.com/stdbgo/spacetime/internal/codegen/model"
)

// types writes the definitions.
func (g *generator) types(f *file) {
	for _, l := range g.root.Levels() {
		for _, t := range l.Types {
			switch t.Shape {
			case model.Product:
				g.product(f, t)
			case model.PlainEnum:
				g.enum(f, t)
			default:
				g.sum(f, t)
			}
		}
	}
}

// typeDoc returns what a type is, as the end of a sentence.
func typeDoc(t *model.Type) string {
	if len(t.RowOf) == 0 {
		return "the module's type " + strings.Join(append(append([]string(nil), t.Level.Path...), t.Source()), "::")
	}
	var of []string
	for _, table := range t.RowOf {
		kind := "table "
		if table.IsView {
			kind = "view "
		}
		of = append(of, kind+table.Name)
	}
	return "a row of " + strings.Join(of, " and of ")
}

func (g *generator) product(f *file, t *model.Type) {
	name := g.names.types[t]
	f.Linef("// %s is %s.", name, typeDoc(t))
	g.structOf(f, name, t.Fields, t)
	g.codec(f, name, t.Fields, t, t.Recursive)
}

// structOf writes a struct with fields.
func (g *generator) structOf(f *file, name string, fields []model.Field, in *model.Type) {
	if len(fields) == 0 {
		f.Linef("type %s struct{}", name)
	} else {
		f.Block("type "+name+" struct {", "}", func() {
			for _, field := range fields {
				f.Linef("%s %s", exported(field.Name), g.goType(f, field.Use, in))
			}
		})
	}
	f.Blank()
}

// codec writes the methods AppendBSATN and ReadBSATN of a struct.
func (g *generator) codec(f *file, name string, fields []model.Field, in *model.Type, guarded bool) {
	f.Linef("// AppendBSATN appends the encoding of v.")
	f.Block("func (v "+name+") AppendBSATN(b []byte) []byte {", "}", func() {
		for _, field := range fields {
			g.append(f, field.Use, "v."+exported(field.Name), in, 0)
		}
		f.Linef("return b")
	})
	f.Blank()
	f.Linef("// ReadBSATN reads v, or leaves the reason why it cannot in r.")
	f.Block("func (v *"+name+") ReadBSATN(r *"+f.use("sats")+".Reader) {", "}", func() {
		if guarded {
			f.Linef("if !r.Enter() {\n\treturn\n}")
		}
		for _, field := range fields {
			g.read(f, field.Use, "v."+exported(field.Name), in, 0)
		}
		if guarded {
			f.Linef("r.Leave()")
		}
	})
	f.Blank()
}

func (g *generator) enum(f *file, t *model.Type) {
	name, variants := g.names.types[t], g.names.variants[t]
	f.Linef("// %s is %s.", name, typeDoc(t))
	f.Linef("type %s uint8\n", name)
	if len(variants) > 0 {
		f.Linef("// The values of %s.", name)
		f.Block("const (", ")", func() {
			for i, v := range variants {
				if i == 0 {
					f.Linef("%s %s = iota", v, name)
				} else {
					f.Linef("%s", v)
				}
			}
		})
		f.Blank()
	}
	f.Linef("// String returns the name of the value in the module.")
	f.Block("func (v "+name+") String() string {", "}", func() {
		if len(variants) > 0 {
			f.Block("switch v {", "}", func() {
				for i, v := range variants {
					f.Linef("case %s:\n\treturn %s", v, strconv.Quote(t.Fields[i].Name))
				}
			})
		}
		f.Linef("return %q + %s.Itoa(int(v)) + \")\"", name+"(", f.use("strconv"))
	})
	f.Blank()
	f.Linef("// AppendBSATN appends the encoding of v.")
	f.Linef("func (v %s) AppendBSATN(b []byte) []byte { return %s.AppendTag(b, uint8(v)) }\n", name, f.use("sats"))
	f.Linef("// ReadBSATN reads v; a value that the module does not have is an error in r.")
	f.Linef("func (v *%s) ReadBSATN(r *%s.Reader) { *v = %s(r.TagOf(%d, %q)) }\n", name, f.use("sats"), name, len(variants), name)
}

func (g *generator) sum(f *file, t *model.Type) {
	name, variants := g.names.types[t], g.names.variants[t]
	f.Linef("// %s is %s: one of %s.", name, typeDoc(t), strings.Join(variants, ", "))
	f.Linef("type %s interface{ is%s() }\n", name, name)
	for i, v := range variants {
		f.Linef("// %s is the variant %s of %s.", v, t.Fields[i].Name, name)
		if u := t.Fields[i].Use; u.Kind == model.Unit {
			f.Linef("type %s struct{}\n", v)
		} else {
			f.Linef("type %s struct{ Value %s }\n", v, g.goType(f, u, nil))
		}
	}
	for _, v := range variants {
		f.Linef("func (%s) is%s() {}", v, name)
	}
	f.Blank()
	f.Linef("// %s appends the encoding of v, which is one of the variants by value.", g.names.appends[t])
	f.Block("func "+g.names.appends[t]+"(b []byte, v "+name+") []byte {", "}", func() {
		f.Block("switch v := v.(type) {", "}", func() {
			for i, variant := range variants {
				f.Linef("case %s:", variant)
				f.In()
				f.Linef("b = %s.AppendTag(b, %d)", f.use("sats"), i)
				g.append(f, t.Fields[i].Use, "v.Value", nil, 0)
				f.Out()
			}
			f.Linef("default:\n\tpanic(%s.Sprintf(\"%s: a %%T is no %s; use its variants by value\", v))", f.use("fmt"), g.pkg, name)
		})
		f.Linef("return b")
	})
	f.Blank()
	f.Linef("// %s reads a value, or leaves the reason why it cannot in r.", g.names.reads[t])
	f.Block("func "+g.names.reads[t]+"(r *"+f.use("sats")+".Reader) "+name+" {", "}", func() {
		if t.Recursive {
			f.Linef("if !r.Enter() {\n\treturn %s{}\n}\ndefer r.Leave()", variants[0])
		}
		f.Block("switch r.TagOf("+strconv.Itoa(len(variants))+", "+strconv.Quote(name)+") {", "}", func() {
			for i, variant := range variants {
				if i == len(variants)-1 {
					f.Linef("default:")
				} else {
					f.Linef("case %d:", i)
				}
				f.In()
				f.Linef("var v %s", variant)
				g.read(f, t.Fields[i].Use, "v.Value", nil, 0)
				f.Linef("return v")
				f.Out()
			}
		})
	})
	f.Blank()
}
