package golang

import (
	"github.com/stdbgo/spacetime/internal/codegen/model"
)

// module writes the connection, and the descriptions of tables and reducers.
func (g *generator) module(f *file) {
	client := f.use("client")
	f.Linef("// A Conn is a connection to a database of this module.")
	f.Block("type Conn struct {", "}", func() {
		f.Linef("*%s.Conn", client)
		f.Linef("Tables Tables\nReducers Reducers\nSend Send\nProcedures Procedures")
	})
	f.Blank()
	f.Linef("// Dial connects and returns when the server has accepted the connection.")
	f.Block("func Dial(ctx "+f.use("context")+".Context, options "+client+".Options) (*Conn, error) {", "}", func() {
		f.Linef("c, err := %s.Dial(ctx, module, options)", client)
		f.Linef("if err != nil {\n\treturn nil, err\n}")
		f.Block("return &Conn{", "}, nil", func() {
			f.Linef("Conn: c,")
			f.Block("Tables: Tables{", "},", func() { g.tableValues(f, g.root) })
			for _, kind := range []string{"Reducers", "Send", "Procedures"} {
				f.Block(kind+": "+kind+"{", "},", func() { g.callers(f, g.root, kind) })
			}
		})
	})
	f.Blank()
	f.Block("var module = &"+client+".Module{", "}", func() {
		f.Block("Tables: []"+client+".TableDef{", "},", func() {
			for _, l := range g.root.Levels() {
				for _, t := range l.Combined() {
					f.Linef("%s,", g.info(t))
				}
			}
		})
		f.Block("Reducers: []"+client+".ReducerDef{", "},", func() {
			for _, l := range g.root.Levels() {
				for _, r := range l.Reducers {
					f.Linef("{Name: %q, Decode: %s.DecodeArgs[%s]},", r.Name, client, g.names.args[r])
				}
			}
		})
	})
	f.Blank()
	for _, l := range g.root.Levels() {
		for _, t := range l.Combined() {
			g.describe(f, t)
		}
	}
}

// tableValues writes the fields of Tables for a level.
func (g *generator) tableValues(f *file, l *model.Level) {
	for _, t := range l.Combined() {
		switch {
		case len(g.lookups(t)) > 0:
			f.Linef("%s: new%s(c),", exported(t.Accessor), g.names.tables[t])
		case t.IsEvent:
			f.Linef("%s: client.EventTableOf(c, %s),", exported(t.Accessor), g.info(t))
		case keyed(t):
			f.Linef("%s: client.KeyedTableOf(c, %s),", exported(t.Accessor), g.info(t))
		default:
			f.Linef("%s: client.TableOf(c, %s),", exported(t.Accessor), g.info(t))
		}
	}
	for _, s := range l.Subs {
		f.Block(exported(s.Path[len(s.Path)-1])+": "+g.names.levels[s]+"Tables{", "},", func() { g.tableValues(f, s) })
	}
}

// callers writes the fields of Reducers, Send or Procedures for a level.
func (g *generator) callers(f *file, l *model.Level, kind string) {
	f.Linef("calls: c,")
	for _, s := range l.Subs {
		f.Block(exported(s.Path[len(s.Path)-1])+": "+g.names.levels[s]+kind+"{", "},", func() { g.callers(f, s, kind) })
	}
}

// describe writes the description of a table.
func (g *generator) describe(f *file, t *model.Table) {
	row := g.names.types[t.Row]
	f.Block("var "+g.info(t)+" = &client.TableInfo["+row+"]{", "}", func() {
		f.Linef("Name: %q,", t.Name)
		if t.IsEvent {
			f.Linef("Event: true,")
		}
		if len(t.Params) > 0 {
			f.Linef("Arguments: true,")
		}
		if keyed(t) {
			key := &t.Columns[t.PrimaryKey]
			f.Linef("PrimaryKey: client.KeyOf(func(v *%s) %s { return v.%s }),", row, g.goType(f, key.Use, nil), exported(key.Accessor))
		}
		f.Linef("Append: (*%s).AppendBSATN,", row)
		f.Linef("Read: (*%s).ReadBSATN,", row)
	})
	f.Blank()
}
