package typescript

import (
	"fmt"
	"path"
	"strings"

	"github.com/stdbgo/spacetime/internal/codegen/model"
)

// typeFiles writes the definitions of a level: one file in 2.x, one for each
// before.
func (g *generator) typeFiles(l *model.Level) {
	for _, d := range l.Types {
		g.checkFields(d.Fields, g.fieldKey(d), "type `"+d.Source()+"`")
	}
	if !g.modern() {
		for _, d := range l.Types {
			g.file(path.Join(dir(l), stem(d)+"_type.ts"), "type `"+d.Source()+"`", func(t *model.Text) { g.typeFile(t, d) })
		}
		return
	}
	g.file(path.Join(dir(l), "types.ts"), "the types of the module", func(t *model.Text) {
		need, body := imports{}, new(model.Text)
		for _, d := range l.Types {
			body.Blank()
			g.definition(body, "export const "+ident(d)+" = ", d, need)
			if d.Recursive {
				g.writtenOut(body, "export type ", d, need)
			} else {
				need.typ("Infer")
				body.Linef("export type %s = __Infer<typeof %s>;", ident(d), ident(d))
			}
		}
		if len(l.Types) == 0 {
			t.Linef("export {};")
			return
		}
		need.write(t)
		t.Append(body)
	})
}

func (g *generator) typeFile(t *model.Text, d *model.Type) {
	need, body := imports{}, new(model.Text)
	body.Blank()
	if d.Recursive {
		g.definition(body, "const "+ident(d)+" = ", d, need)
		g.writtenOut(body, "type ", d, need)
		body.Linef("export default %s;", ident(d))
	} else {
		g.definition(body, "export default ", d, need)
	}
	need.write(t)
	g.typeImports(t, d, d.Fields)
	t.Append(body)
}

func (g *generator) fieldKey(d *model.Type) func(string) string {
	if d.Shape == model.Product {
		return camel
	}
	return g.variantKey
}

// definition writes the value that describes d to the SDK.
func (g *generator) definition(t *model.Text, open string, d *model.Type, need imports) {
	need.value("t")
	form := "object"
	if d.Shape != model.Product {
		form = "enum"
	}
	g.object(t, fmt.Sprintf("%s__t.%s(%s, ", open, form, quote(ident(d))), ");", d.Fields, g.fieldKey(d), d.Recursive, need)
}

// writtenOut writes the type of the values of d without inference.
func (g *generator) writtenOut(t *model.Text, open string, d *model.Type, need imports) {
	if d.Shape == model.Product {
		fields := make([]string, len(d.Fields))
		for i, f := range d.Fields {
			fields[i] = key(camel(f.Name)) + ": " + g.static(f.Use, need)
		}
		t.Linef("%s%s = { %s };", open, ident(d), strings.Join(fields, "; "))
		return
	}
	t.Linef("%s%s =", open, ident(d))
	t.In()
	for i, f := range d.Fields {
		end := ""
		if i == len(d.Fields)-1 {
			end = ";"
		}
		if f.Use.Kind == model.Unit {
			t.Linef("| { tag: %s }%s", quote(g.variantKey(f.Name)), end)
		} else {
			t.Linef("| { tag: %s; value: %s }%s", quote(g.variantKey(f.Name)), g.static(f.Use, need), end)
		}
	}
	t.Out()
}

// checkFields reports fields or parameters that become one.
func (g *generator) checkFields(fields []model.Field, keyOf func(string) string, of string) {
	names := model.NewScope("members of " + of)
	for _, f := range fields {
		names.Claim(keyOf(f.Name), "`"+f.Name+"`")
	}
	g.check(names)
}
