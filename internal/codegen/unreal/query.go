package unreal

import (
	"slices"
	"strings"

	"github.com/stdbgo/spacetime/internal/codegen/model"
	"github.com/stdbgo/spacetime/internal/codegen/source"
)

// columnsName returns the name of a source's column structs: the row type's, if
// no other source has that type.
func (g *generator) columnsName(t *model.Table) string {
	if len(t.Row.RowOf) == 1 {
		return g.names[t.Row]
	}
	return g.table(t)
}

// queryBuilder writes what typed queries begin with and name columns by.
func (g *generator) queryBuilder(w *source.Writer) {
	for _, t := range g.root.Tables {
		g.columns(w, t)
	}
	w.Put(`

/** The tables and views that typed queries read. */
struct ‹API› F‹P›From
{
`, g.holes()...)
	for _, t := range g.root.Combined() {
		if len(t.Params) > 0 {
			continue // a call, which is subscribed to as SQL text
		}
		w.Put(`
	::SpacetimeDB::query_builder::Table<‹Row›, F‹Columns›Cols, F‹Columns›IxCols> ‹Name›() const
	{
		return ::SpacetimeDB::query_builder::Table<‹Row›, F‹Columns›Cols, F‹Columns›IxCols>(‹c›, F‹Columns›Cols(‹c›), F‹Columns›IxCols(‹c›));
	}
`, g.tableHoles(t, "Columns", g.columnsName(t))...)
	}
	w.Put(`
};

struct ‹API› F‹P›QueryBuilder
{
	F‹P›From From;

	/** A query for everything of each table and view. */
	static TArray<FString> AllTablesSqlQueries();
};
`, g.holes()...)
}

func (g *generator) columns(w *source.Writer, t *model.Table) {
	var all, indexed []int
	for i, c := range t.Columns {
		all = append(all, i)
		alone := func(ix model.Index) bool { return len(ix.Columns) == 1 && ix.Columns[0] == i }
		// A view has no indexes, but can be joined on its primary key.
		if i == t.PrimaryKey || !t.IsView && (c.Unique || slices.ContainsFunc(t.Indexes, alone)) {
			indexed = append(indexed, i)
		}
	}
	g.columnStruct(w, t, "Cols", "Col", all)
	g.columnStruct(w, t, "IxCols", "IxCol", indexed)
	if t.IsEvent {
		return
	}
	w.Put(`

namespace SpacetimeDB::query_builder
{
	template<> struct CanBeLookupTable<Table<‹Row›, F‹Columns›Cols, F‹Columns›IxCols>> : std::true_type {};
}
`, g.tableHoles(t, "Columns", g.columnsName(t))...)
}

func (g *generator) columnStruct(w *source.Writer, t *model.Table, suffix, class string, columns []int) {
	name := "F" + g.columnsName(t) + suffix
	inits := make([]string, len(columns))
	w.Line("")
	w.Line("struct %s %s", g.api(), name)
	w.Open("{")
	for i, at := range columns {
		c := t.Columns[at]
		w.Line("::SpacetimeDB::query_builder::%s<%s, %s> %s;", class, g.class(t.Row), g.use(c.Use), pascal(c.Accessor))
		inits[i] = pascal(c.Accessor) + "(TableName, " + quote(c.Name) + ")"
	}
	if len(columns) > 0 {
		w.Line("")
		w.Line("explicit %s(const char* TableName) : %s {}", name, strings.Join(inits, ", "))
	} else {
		w.Line("explicit %s(const char*) {}", name)
	}
	w.Close("};")
}
