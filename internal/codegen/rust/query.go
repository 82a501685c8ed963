package rust

import (
	"slices"

	"github.com/stdbgo/spacetime/internal/codegen/model"
	"github.com/stdbgo/spacetime/internal/codegen/source"
)

// queryColumns writes what typed queries need of a row type (spec 10 §6.3).
func (g *generator) queryColumns(w *source.Writer, t *model.Type) {
	names := g.columnNames(t)
	all := make([]int, len(t.Fields))
	for i := range all {
		all[i] = i
	}
	g.columnSet(w, t, names, all, "Columns of `‹T›` rows in typed queries.", "Cols", "cols", "Col")
	indexed, isTable, isLookup := g.indexedColumns(t)
	if !isTable {
		return
	}
	g.columnSet(w, t, names, indexed, "Columns of `‹T›` rows that have a single-column index.", "IxCols", "ix_cols", "IxCol")
	if g.has.v2 && isLookup {
		w.Put(`

impl __sdk::__query_builder::CanBeLookupTable for ‹T› {}
`, "T", typeName(t))
	}
}

// columnNames returns the canonical column names of the tables of t. Where they
// differ between tables of one row type, typed queries are right for the first only.
func (g *generator) columnNames(t *model.Type) []string {
	first := t.RowOf[0]
	names := make([]string, len(t.Fields))
	for i := range names {
		names[i] = first.Columns[i].Name
		for _, other := range t.RowOf[1:] {
			if other.Columns[i].Name != names[i] {
				g.warn("column %q of %s %q is called %q in %s %q, which has the same row type: typed queries use the name %q for both",
					other.Columns[i].Name, tableKind(other), other.Name, names[i], tableKind(first), first.Name, names[i])
			}
		}
	}
	return names
}

// indexedColumns returns the columns that have an index of their own in any table
// of t, whether t is the row of a table at all, and of one that stores rows.
func (g *generator) indexedColumns(t *model.Type) (columns []int, isTable, isLookup bool) {
	for _, table := range t.RowOf {
		if table.IsView {
			continue
		}
		isTable = true
		isLookup = isLookup || !table.IsEvent
		for _, ix := range table.Indexes {
			if len(ix.Columns) == 1 && !slices.Contains(columns, ix.Columns[0]) {
				columns = append(columns, ix.Columns[0])
			}
		}
	}
	slices.Sort(columns)
	return columns, isTable, isLookup
}

func (g *generator) columnSet(w *source.Writer, t *model.Type, names []string, columns []int, doc, suffix, method, class string) {
	name := typeName(t)
	w.Line("")
	w.Put("/// "+doc+"\n", "T", name)
	w.Open("pub struct %s%s {", name, suffix)
	for _, i := range columns {
		w.Line("pub %s: __sdk::__query_builder::%s<%s, %s>,", snake(t.Fields[i].Name), class, name, g.field(t, t.Fields[i].Use))
	}
	w.Close("}")
	w.Put(`

impl __sdk::__query_builder::Has‹Set› for ‹T› {
    type ‹Set› = ‹T›‹Set›;
    fn ‹method›(table_name: &'static str) -> Self::‹Set› {
`, "T", name, "Set", suffix, "method", method)
	w.Open("        %s%s {", name, suffix)
	for _, i := range columns {
		w.Line("        %s: __sdk::__query_builder::%s::new(table_name, %s),", snake(t.Fields[i].Name), class, quote(names[i]))
	}
	w.Close("        }")
	w.Put(`
    }
}
`)
}

// queryMethod writes the trait that gives typed queries the table or view.
func (g *generator) queryMethod(w *source.Writer, n tableNames, t *model.Table) {
	if len(t.Params) == 0 {
		w.Put(`

/// Gives the query builder the method ‹doc›.
#[allow(non_camel_case_types)]
pub trait ‹plain›QueryTableAccess {
    #[allow(non_snake_case)]
    fn ‹m›(&self) -> __sdk::__query_builder::Table<‹Row›>;
}

impl ‹plain›QueryTableAccess for __sdk::QueryTableAccessor {
    fn ‹m›(&self) -> __sdk::__query_builder::Table<‹Row›> {
        __sdk::__query_builder::Table::new(‹c›)
    }
}
`, n.pairs()...)
		return
	}
	if !g.has.viewCalls {
		return // no typed form: SELECT * FROM "v"(…) as text
	}
	var literals string
	for i, p := range t.Params {
		if !hasLiteral(p.Use) {
			g.warn("parameter %q of view %q has a type that SQL has no literal for: the view gets no typed query", p.Name, t.Name)
			return
		}
		if i > 0 {
			literals += ", "
		}
		literals += "__sdk::__query_builder::SqlLiteral::to_sql_literal(" + snake(p.Name) + ")"
	}
	w.Put(`

/// Gives the query builder the method ‹doc›.
#[allow(non_camel_case_types)]
pub trait ‹plain›QueryTableAccess {
    #[allow(non_snake_case)]
    fn ‹m›(&self, ‹params›) -> __sdk::__query_builder::ViewCall<‹Row›>;
}

impl ‹plain›QueryTableAccess for __sdk::QueryTableAccessor {
    fn ‹m›(&self, ‹params›) -> __sdk::__query_builder::ViewCall<‹Row›> {
        __sdk::__query_builder::ViewCall::new(‹c›, [‹literals›])
    }
}
`, append(n.pairs(), "params", g.params(t.Params), "literals", literals)...)
}

// hasLiteral reports whether values of a type can be written in SQL (spec 10 §2.10).
func hasLiteral(u *model.Use) bool {
	switch u.Kind {
	case model.String, model.Bool, model.Identity, model.ConnectionID, model.Timestamp, model.UUID:
		return true
	case model.Array:
		return u.Elem.Kind == model.U8
	}
	return u.Kind >= model.I8 && u.Kind <= model.U256
}
