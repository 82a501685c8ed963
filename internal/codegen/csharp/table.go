package csharp

import (
	"slices"
	"strings"

	"github.com/stdbgo/spacetime/internal/codegen/model"
	"github.com/stdbgo/spacetime/internal/codegen/source"
)

// isEvent reports whether t has the interface of event tables. Releases before
// 2.0 have none; there an event table looks like a table without keys.
func (g *generator) isEvent(t *model.Table) bool { return t.IsEvent && g.has.v2 }

func (g *generator) tableFile(t *model.Table) *source.Writer {
	w := g.file("", "SpacetimeDB.BSATN")
	w.Line("public sealed partial class RemoteTables")
	w.Open("{")
	g.handle(w, t)
	w.Line("")
	p := pascal(t.Accessor)
	w.Line("public readonly %sHandle %s;", p, p)
	w.Close("}")
	if g.has.queries {
		g.columns(w, t)
	}
	w.Close("}")
	return w
}

func (g *generator) handle(w *source.Writer, t *model.Table) {
	p, row := pascal(t.Accessor), g.ref(t.Row)
	base, access := g.sdkType("RemoteTableHandle"), "protected"
	if g.isEvent(t) {
		base = g.sdkType("RemoteEventTableHandle")
	}
	if g.has.publicName {
		access = "public"
	}
	indexes := g.indexes(t)
	w.Line("public sealed class %sHandle : %s<EventContext, %s>", p, base, row)
	w.Open("{")
	w.Line("%s override string RemoteTableName => %s;", access, quote(t.Name))
	w.Line("")
	for _, ix := range indexes {
		ix.write(w, p, row)
	}
	w.Line("internal %sHandle(DbConnection conn) : base(conn)", p)
	w.Open("{")
	for _, ix := range indexes {
		w.Line("%s = new(this);", ix.name)
	}
	w.Close("}")
	if t.PrimaryKey >= 0 && !t.IsEvent {
		w.Line("")
		w.Line("protected override object GetPrimaryKey(%s row) => row.%s;", row, member(typeName(t.Row), t.Columns[t.PrimaryKey].Accessor))
	}
	w.Close("}")
}

// An index is one that clients look up rows by.
type index struct {
	name, class, base, method, result string
	key, value                        string // type of the key, and how it is got from a row
	enum                              string // the enum whose number the key is
}

func (ix *index) write(w *source.Writer, table, row string) {
	pairs := []string{
		"class", ix.class, "base", ix.base, "K", ix.key, "value", ix.value, "Row", row, "P", table, "name", ix.name,
		"E", ix.enum, "method", ix.method, "Result", strings.ReplaceAll(ix.result, "Row", row),
	}
	w.Put(`
public sealed class ‹class› : ‹base›<‹K›>
{
    protected override ‹K› GetKey(‹Row› row) => ‹value›;

    public ‹class›(‹P›Handle table) : base(table) { }
`, pairs...)
	if ix.enum != "" {
		w.Put(`

    public ‹Result› ‹method›(‹E› value) => ‹method›((int)value);
`, pairs...)
	}
	w.Put(`
}

public readonly ‹class› ‹name›;

`, pairs...)
}

// indexes returns those of t: all that have an accessor, then the unique columns
// that none of them is named after. Views and event tables have none: a view may
// return a key twice, which would make the cache throw.
func (g *generator) indexes(t *model.Table) (list []index) {
	if t.IsView || t.IsEvent {
		return nil
	}
	names := model.NewScope("indexes of " + t.Source())
	add := func(name string, unique bool, columns []int, what string) {
		ix, ok := g.index(t, name, unique, columns)
		if !ok {
			g.warn("%s of %s is left out: C# can not look up keys of its type", what, t.Source())
			return
		}
		if handleMembers[name] {
			g.warn("%s of %s hides the member %s of the table's handle", what, t.Source(), name)
		}
		if names.Claim(name, what) {
			list = append(list, ix)
		}
	}
	for _, ix := range t.Indexes {
		if ix.Accessor != "" {
			add(pascal(ix.Accessor), ix.Unique, ix.Columns, "index `"+ix.Accessor+"`")
		}
	}
	if err := names.Err(); err != nil {
		g.problems = append(g.problems, err)
	}
	for i, c := range t.Columns {
		if c.Unique && !names.Taken(pascal(c.Accessor)) && filterable(c.Use) {
			add(pascal(c.Accessor), true, []int{i}, "unique column `"+c.Accessor+"`")
		}
	}
	return list
}

func (g *generator) index(t *model.Table, name string, unique bool, columns []int) (index, bool) {
	ix := index{name: name, class: name + "Index", base: "BTreeIndexBase", method: "Filter", result: "global::System.Collections.Generic.IEnumerable<Row>"}
	if unique {
		ix.class, ix.base, ix.method, ix.result = name+"UniqueIndex", "UniqueIndexBase", "Find", "Row?"
	}
	keys, values := make([]string, len(columns)), make([]string, len(columns))
	for i, at := range columns {
		c := t.Columns[at]
		keys[i], values[i] = g.use(c.Use), "row."+member(typeName(t.Row), c.Accessor)
		switch {
		case c.Use.Kind == model.Ref && c.Use.Type.Shape == model.PlainEnum:
			if len(columns) == 1 {
				ix.enum = keys[i]
			}
			keys[i], values[i] = "int", "(int)"+values[i]
		case c.Use.Kind == model.Option && unique && len(columns) == 1 && g.has.nullableKeys && keyType(c.Use.Elem, unique):
			ix.base = "NullableUniqueIndexBase" // rows without a value are no matter for uniqueness of keys
		case !keyType(c.Use, unique):
			return index{}, false
		}
		if len(columns) > 1 {
			keys[i] += " " + element(c.Accessor)
		}
	}
	ix.key, ix.value = strings.Join(keys, ", "), strings.Join(values, ", ")
	if len(columns) > 1 {
		ix.key, ix.value = "("+ix.key+")", "("+ix.value+")"
	}
	return ix, true
}

// keyType reports whether a type is IEquatable, and comparable unless a hash
// table holds the keys.
func keyType(u *model.Use, unique bool) bool {
	switch u.Kind {
	case model.Bool, model.String, model.Identity, model.ConnectionID, model.Timestamp, model.UUID, model.F32, model.F64:
		return true
	case model.TimeDuration:
		return unique
	}
	return u.Kind >= model.I8 && u.Kind <= model.U256
}

// filterable is spec 10 §2.6.
func filterable(u *model.Use) bool {
	switch u.Kind {
	case model.Bool, model.String, model.Identity, model.ConnectionID:
		return true
	case model.Ref:
		return u.Type.Shape == model.PlainEnum
	}
	return u.Kind >= model.I8 && u.Kind <= model.U256
}

// columns writes the classes that typed queries name columns by.
func (g *generator) columns(w *source.Writer, t *model.Table) {
	p := pascal(t.Accessor)
	all := make([]int, len(t.Columns))
	for i := range all {
		all[i] = i
	}
	g.columnClass(w, t, p+"Cols", "Col", all)
	g.columnClass(w, t, p+"IxCols", "IxCol", indexedColumns(t))
}

// indexedColumns returns the columns that queries can join on: the server wants
// an index of that column alone. A view has none, but can be joined on its
// primary key.
func indexedColumns(t *model.Table) (columns []int) {
	for i, c := range t.Columns {
		alone := func(ix model.Index) bool { return len(ix.Columns) == 1 && ix.Columns[0] == i }
		if t.IsView && i == t.PrimaryKey || !t.IsView && (c.Unique || slices.ContainsFunc(t.Indexes, alone)) {
			columns = append(columns, i)
		}
	}
	return columns
}

func (g *generator) columnClass(w *source.Writer, t *model.Table, class, col string, columns []int) {
	types := make([]string, len(columns))
	w.Line("")
	w.Line("public sealed class %s", class)
	w.Open("{")
	for i, at := range columns {
		use, col := t.Columns[at].Use, col
		if use.Kind == model.Option {
			use = use.Elem
			if g.has.nullableCols {
				col = "Nullable" + col
			}
		}
		types[i] = "global::SpacetimeDB." + col + "<" + g.ref(t.Row) + ", " + g.use(use) + ">"
		w.Line("public %s %s { get; }", types[i], member(class, t.Columns[at].Accessor))
	}
	if len(columns) == 0 {
		w.Line("public %s(string tableName) { }", class)
		w.Close("}")
		return
	}
	w.Line("")
	w.Line("public %s(string tableName)", class)
	w.Open("{")
	for i, at := range columns {
		w.Line("%s = new %s(tableName, %s);", member(class, t.Columns[at].Accessor), types[i], quote(t.Columns[at].Name))
	}
	w.Close("}")
	w.Close("}")
}
