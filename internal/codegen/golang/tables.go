package golang

import (
	"slices"
	"strings"

	"github.com/stdbgo/spacetime/internal/codegen/model"
)

// handleMethods are the names that an index must not have beside them.
var handleMethods = []string{"All", "EventTable", "KeyedTable", "Len", "OnDelete", "OnInsert", "OnUpdate", "Table"}

// A lookup is one index of a table in the generated code.
type lookup struct {
	field   string // in the struct of the table
	also    string // a second name of the same index
	columns []int
	unique  bool
	// Of several columns: the types of the key and of the index.
	keyType, indexType string
}

// lookups returns the indexes of a table, and warns of those that Go has no keys for.
func (g *generator) lookups(t *model.Table) []*lookup {
	list, done := g.indexes[t]
	if done {
		return list
	}
	list = g.findLookups(t)
	base := g.names.levels[t.Level] + exported(t.Accessor)
	for _, l := range list {
		if len(l.columns) > 1 {
			l.keyType = g.names.derive(base + l.field + "Key")
			l.indexType = g.names.derive(base + l.field + "Index")
		}
	}
	g.indexes[t] = list
	return list
}

func (g *generator) findLookups(t *model.Table) (list []*lookup) {
	if t.IsEvent {
		return nil
	}
	taken := map[string]bool{}
	name := func(s string) string {
		s = exported(s)
		for taken[s] || slices.Contains(handleMethods, s) {
			s += "_"
		}
		taken[s] = true
		return s
	}
	single := map[int]*lookup{} // unique columns
	for i, c := range t.Columns {
		if c.Unique && !t.IsView && comparable(c.Use) {
			single[i] = &lookup{field: name(c.Accessor), columns: []int{i}, unique: true}
			list = append(list, single[i])
		}
	}
	for _, ix := range t.Indexes {
		if ix.Accessor == "" {
			continue
		}
		if len(ix.Columns) == 1 && single[ix.Columns[0]] != nil {
			if l := single[ix.Columns[0]]; exported(ix.Accessor) != l.field && l.also == "" {
				l.also = name(ix.Accessor)
			}
			continue
		}
		if i := slices.IndexFunc(ix.Columns, func(c int) bool { return !ordered(t.Columns[c].Use) }); i >= 0 {
			g.warn("the index `%s` of %s is left out: values of its column `%s` have no order in Go", ix.Accessor, t.Source(), t.Columns[ix.Columns[i]].Accessor)
			continue
		}
		all := !slices.ContainsFunc(ix.Columns, func(c int) bool { return !comparable(t.Columns[c].Use) })
		list = append(list, &lookup{field: name(ix.Accessor), columns: ix.Columns, unique: ix.Unique && all})
	}
	return list
}

// comparable reports whether values of a use can be keys of a Go map that find what
// is equal for the server.
func comparable(u *model.Use) bool {
	return ordered(u) && u.Kind != model.F32 && u.Kind != model.F64 && !u.IsBytes()
}

// ordered reports whether values of a use can be keys of an index.
func ordered(u *model.Use) bool {
	switch u.Kind {
	case model.Ref:
		return u.Type.Shape == model.PlainEnum
	case model.Array:
		return u.IsBytes()
	case model.Option, model.Result, model.Unit, model.Never, model.ScheduleAt:
		return false
	}
	return true
}

// comparison returns the function that compares two values of a use.
func (g *generator) comparison(f *file, u *model.Use) string {
	switch u.Kind {
	case model.Bool:
		return f.use("client") + ".CompareBool"
	case model.Array:
		return f.use("bytes") + ".Compare"
	case model.Identity, model.ConnectionID, model.UUID, model.I128, model.U128, model.I256, model.U256:
		return g.goType(f, u, nil) + ".Cmp"
	}
	return f.use("cmp") + ".Compare[" + g.goType(f, u, nil) + "]"
}

// compare is comparison where it is called: its type arguments go without saying.
func (g *generator) compare(f *file, u *model.Use) string {
	name, _, _ := strings.Cut(g.comparison(f, u), "[")
	return name
}

// handle returns the type of a table without its indexes.
func (g *generator) handle(f *file, t *model.Table) string {
	row := "[" + g.names.types[t.Row] + "]"
	switch {
	case t.IsEvent:
		return f.use("client") + ".EventTable" + row
	case keyed(t):
		return f.use("client") + ".KeyedTable" + row
	}
	return f.use("client") + ".Table" + row
}

// keyed reports whether updates of a table's rows can be told.
func keyed(t *model.Table) bool {
	return !t.IsEvent && t.PrimaryKey >= 0 && comparable(t.Columns[t.PrimaryKey].Use)
}

// tables writes the types of tables.
func (g *generator) tables(f *file) {
	g.visitLevels(func(l *model.Level, prefix string) {
		f.Linef("// %sTables gives access to the rows of %s that this connection is subscribed to.", prefix, place(l))
		f.Block("type "+prefix+"Tables struct {", "}", func() {
			for _, t := range l.Combined() {
				typ := g.handle(f, t)
				if len(g.lookups(t)) > 0 {
					typ = g.names.tables[t]
				}
				f.Linef("%s %s", exported(t.Accessor), typ)
			}
			g.subFields(f, l, "Tables")
		})
		f.Blank()
		for _, t := range l.Combined() {
			if list := g.lookups(t); len(list) > 0 {
				g.table(f, t, list)
			}
		}
	})
}

// table writes the type of a table with indexes.
func (g *generator) table(f *file, t *model.Table, list []*lookup) {
	name := g.names.tables[t]
	f.Linef("// %s is %s with its indexes.", name, strings.ReplaceAll(t.Source(), "`", ""))
	f.Block("type "+name+" struct {", "}", func() {
		f.Linef("%s", g.handle(f, t))
		for _, l := range list {
			f.Linef("%s %s", l.field, g.indexOf(f, t, l))
			if l.also != "" {
				f.Linef("%s %s // the same as %s", l.also, g.indexOf(f, t, l), l.field)
			}
		}
	})
	f.Blank()
	embedded, of, base := "Table", "TableOf", "t.Table"
	if keyed(t) {
		embedded, of, base = "KeyedTable", "KeyedTableOf", "t.KeyedTable.Table"
	}
	f.Block("func new"+name+"(c *"+f.use("client")+".Conn) (t "+name+") {", "}", func() {
		f.Linef("t.%s = client.%s(c, %s)", embedded, of, g.info(t))
		for _, l := range list {
			f.Linef("t.%s = %s", l.field, g.newIndex(f, t, l, base))
			if l.also != "" {
				f.Linef("t.%s = t.%s", l.also, l.field)
			}
		}
		f.Linef("return t")
	})
	f.Blank()
	for _, l := range list {
		if len(l.columns) > 1 {
			g.keyStruct(f, t, l)
		}
	}
}

// info names the variable with the description of a table.
func (g *generator) info(t *model.Table) string {
	return "info" + g.names.stems[t]
}

// key returns the type of an index's keys.
func (g *generator) key(f *file, t *model.Table, l *lookup) string {
	if l.keyType != "" {
		return l.keyType
	}
	return g.goType(f, t.Columns[l.columns[0]].Use, nil)
}

// plainIndex returns the type of package client for an index.
func (g *generator) plainIndex(f *file, t *model.Table, l *lookup) string {
	kind := "Index"
	if l.unique {
		kind = "UniqueIndex"
	}
	return f.use("client") + "." + kind + "[" + g.names.types[t.Row] + ", " + g.key(f, t, l) + "]"
}

func (g *generator) indexOf(f *file, t *model.Table, l *lookup) string {
	if l.indexType != "" {
		return l.indexType
	}
	return g.plainIndex(f, t, l)
}

// newIndex returns the expression that makes an index of a table.
func (g *generator) newIndex(f *file, t *model.Table, l *lookup, table string) string {
	of, row := "IndexOf", g.names.types[t.Row]
	if l.unique {
		of = "UniqueOf"
	}
	key, compare := "v."+exported(t.Columns[l.columns[0]].Accessor), "compare"+l.keyType
	if len(l.columns) > 1 {
		var fields []string
		for _, c := range l.columns {
			fields = append(fields, "v."+exported(t.Columns[c].Accessor))
		}
		key = l.keyType + "{" + strings.Join(fields, ", ") + "}"
	} else {
		compare = g.comparison(f, t.Columns[l.columns[0]].Use)
	}
	made := "client." + of + "(" + table + ", func(v *" + row + ") " + g.key(f, t, l) + " { return " + key + " }, " + compare + ")"
	if l.indexType != "" {
		return l.indexType + "{" + made + "}"
	}
	return made
}

// keyStruct writes the key of an index of several columns, and the methods that look
// up the first of them.
func (g *generator) keyStruct(f *file, t *model.Table, l *lookup) {
	column := func(n int) *model.Column { return &t.Columns[l.columns[n]] }
	f.Linef("// %s is a key of the index %s of %s.", l.keyType, l.field, strings.ReplaceAll(t.Source(), "`", ""))
	f.Block("type "+l.keyType+" struct {", "}", func() {
		for n := range l.columns {
			f.Linef("%s %s", exported(column(n).Accessor), g.goType(f, column(n).Use, nil))
		}
	})
	f.Blank()
	f.Block("func compare"+l.keyType+"(a, b "+l.keyType+") int {", "}", func() {
		var terms []string
		for n := range l.columns {
			name := exported(column(n).Accessor)
			terms = append(terms, g.compare(f, column(n).Use)+"(a."+name+", b."+name+")")
		}
		f.Linef("return %s.Or(%s)", f.use("cmp"), strings.Join(terms, ", "))
	})
	f.Blank()
	f.Linef("// %s finds rows by the columns of %s, or by the first of them.", l.indexType, l.keyType)
	f.Linef("type %s struct {\n\t%s\n}\n", l.indexType, g.plainIndex(f, t, l))
	method := "Filter"
	var declared, terms []string
	for n := range len(l.columns) - 1 {
		name, param := exported(column(n).Accessor), local(column(n).Accessor)
		method += name
		declared = append(declared, param+" "+g.goType(f, column(n).Use, nil))
		terms = append(terms, g.compare(f, column(n).Use)+"(key."+name+", "+param+")")
		f.Linef("// %s yields the rows with these values in the first columns, by ascending key.", method)
		f.Block("func (x "+l.indexType+") "+method+"("+strings.Join(declared, ", ")+") "+f.use("iter")+".Seq[*"+g.names.types[t.Row]+"] {", "}", func() {
			at := terms[0]
			if len(terms) > 1 {
				at = f.use("cmp") + ".Or(" + strings.Join(terms, ", ") + ")"
			}
			f.Linef("return x.Search(func(key %s) int { return %s })", l.keyType, at)
		})
		f.Blank()
	}
}
