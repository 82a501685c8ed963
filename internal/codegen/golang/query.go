package golang

import (
	"slices"
	"strings"

	"github.com/stdbgo/spacetime/internal/codegen/model"
)

// queryMethods are the names that a column must not have beside them.
var queryMethods = []string{"From", "SQL", "Where"}

// queries writes the variable Query.
func (g *generator) queries(f *file) {
	f.Linef("// Query starts typed queries, as in %s.", g.queryExample())
	f.Block("var Query = queries{", "}", func() { g.queryValues(f, g.root) })
	f.Blank()
	g.visitLevels(func(l *model.Level, prefix string) {
		f.Block("type queries"+prefix+" struct {", "}", func() {
			for _, t := range l.Combined() {
				if len(t.Params) == 0 {
					f.Linef("%s %s", exported(t.Accessor), g.queryType(t))
				}
			}
			for _, s := range l.Subs {
				f.Linef("%s queries%s", exported(s.Path[len(s.Path)-1]), g.names.levels[s])
			}
		})
		f.Blank()
		for _, t := range l.Combined() {
			if len(t.Params) == 0 {
				g.queryStruct(f, t)
			} else {
				g.viewCall(f, t, prefix)
			}
		}
	})
}

// queryExample returns an example for the comment of Query.
func (g *generator) queryExample() string {
	for _, l := range g.root.Levels() {
		for _, t := range l.Combined() {
			path := g.pkg + ".Query."
			for _, s := range l.Path {
				path += exported(s) + "."
			}
			for i, c := range t.Columns {
				if len(t.Params) == 0 && literal(c.Use) && c.Use.Kind == model.Bool {
					path += exported(t.Accessor)
					return path + ".Where(" + path + "." + column(t, i) + ".Eq(true))"
				}
			}
		}
	}
	return "Subscribe(ctx, " + g.pkg + ".Query.…)"
}

func (g *generator) queryType(t *model.Table) string {
	return "query" + g.names.stems[t]
}

// literal reports whether values of a use have a form in SQL.
func literal(u *model.Use) bool {
	switch u.Kind {
	case model.Array:
		return u.IsBytes()
	case model.Ref, model.Option, model.Result, model.Unit, model.Never, model.ScheduleAt:
		return false
	}
	return true
}

// column returns the name of a column in the query of its table.
func column(t *model.Table, i int) string {
	name := exported(t.Columns[i].Accessor)
	if slices.Contains(queryMethods, name) {
		name += "_"
	}
	return name
}

// columnType returns the type of a column in queries, "" if it has none.
func (g *generator) columnType(f *file, t *model.Table, i int) (typ, inner string) {
	c := &t.Columns[i]
	of := func(u *model.Use) string { return "[" + g.names.types[t.Row] + ", " + g.goType(f, u, nil) + "]" }
	switch {
	case c.Use.Kind == model.Option && literal(c.Use.Elem):
		inner = "client.Col" + of(c.Use.Elem)
		return "client.OptCol" + of(c.Use.Elem), inner
	case !literal(c.Use):
		return "", ""
	case indexed(t, i):
		return "client.IxCol" + of(c.Use), "client.Col" + of(c.Use)
	}
	return "client.Col" + of(c.Use), ""
}

// indexed reports whether a column has an index of its own.
func indexed(t *model.Table, i int) bool {
	if t.IsEvent {
		return false
	}
	if t.Columns[i].Unique || t.PrimaryKey == i {
		return true
	}
	return slices.ContainsFunc(t.Indexes, func(ix model.Index) bool { return len(ix.Columns) == 1 && ix.Columns[0] == i })
}

func (g *generator) queryStruct(f *file, t *model.Table) {
	f.Block("type "+g.queryType(t)+" struct {", "}", func() {
		f.Linef("%s.From[%s]", f.use("client"), g.names.types[t.Row])
		for i := range t.Columns {
			if typ, _ := g.columnType(f, t, i); typ != "" {
				f.Linef("%s %s", column(t, i), typ)
			}
		}
	})
	f.Blank()
}

// queryValues writes the fields of Query for a level.
func (g *generator) queryValues(f *file, l *model.Level) {
	for _, t := range l.Combined() {
		if len(t.Params) > 0 {
			continue
		}
		f.Block(exported(t.Accessor)+": "+g.queryType(t)+"{", "},", func() {
			f.Linef("From: client.From[%s]{Name: %q},", g.names.types[t.Row], t.Name)
			for i, c := range t.Columns {
				typ, inner := g.columnType(f, t, i)
				if typ == "" {
					continue
				}
				if inner == "" {
					f.Linef("%s: %s{Table: %q, Name: %q},", column(t, i), typ, t.Name, c.Name)
				} else {
					f.Linef("%s: %s{Col: %s{Table: %q, Name: %q}},", column(t, i), typ, inner, t.Name, c.Name)
				}
			}
		})
	}
	for _, s := range l.Subs {
		f.Block(exported(s.Path[len(s.Path)-1])+": queries"+g.names.levels[s]+"{", "},", func() { g.queryValues(f, s) })
	}
}

// viewCall writes the query for a view with parameters.
func (g *generator) viewCall(f *file, t *model.Table, prefix string) {
	if i := slices.IndexFunc(t.Params, func(p model.Field) bool { return !literal(p.Use) }); i >= 0 {
		g.warn("%s has no query: its parameter `%s` has no form in SQL", t.Source(), t.Params[i].Name)
		return
	}
	var declared, args []string
	for _, p := range t.Params {
		declared = append(declared, local(p.Name)+" "+g.goType(f, p.Use, nil))
		args = append(args, local(p.Name))
	}
	name, row := exported(t.Accessor), g.names.types[t.Row]
	f.Linef("// %s is the query for the rows of the view %s with these arguments.", name, t.Name)
	f.Block("func (queries"+prefix+") "+name+"("+strings.Join(declared, ", ")+") "+f.use("client")+".ViewCall["+row+"] {", "}", func() {
		f.Linef("return client.CallView[%s](%q, %s)", row, t.Name, strings.Join(args, ", "))
	})
	f.Blank()
}
