package model

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/sats"
)

// Build returns def as clients see it (spec 10 §§2.2-2.5, 2.7, 2.10). Private
// tables and functions of the root are left out unless includePrivate is set;
// those of submodules always are. All errors are reported at once.
func Build(def *schema.ModuleDef, includePrivate bool) (*Module, error) {
	m := new(Module)
	b := builder{module: m, includePrivate: includePrivate}
	m.Root = b.level(def, nil, "")
	slices.Sort(m.Private)
	return m, errors.Join(b.problems...)
}

// A builder is at work on one module.
type builder struct {
	module         *Module
	includePrivate bool
	problems       []error
}

func (b *builder) failf(format string, args ...any) {
	b.problems = append(b.problems, fmt.Errorf(format, args...))
}

// A levelBuilder is at work on one level of it.
type levelBuilder struct {
	*builder
	level *Level
	def   *schema.ModuleDef
	types *typeBuilder
}

func (b *builder) level(def *schema.ModuleDef, path []string, canonical string) *Level {
	l := &Level{Path: path, Canonical: canonical}
	lb := &levelBuilder{builder: b, level: l, def: def}
	lb.types = newTypeBuilder(lb)
	lb.types.define()
	for _, t := range def.Tables {
		if t.Namespace == "" {
			lb.table(t)
		}
	}
	sortTables(l.Tables)
	tables := len(l.Tables)
	for _, v := range def.Views {
		if v.Namespace == "" && (len(path) == 0 || v.IsPublic) {
			lb.view(v)
		}
	}
	sortTables(l.Tables[tables:])
	for _, t := range l.Tables {
		t.Row.RowOf = append(t.Row.RowOf, t)
	}
	lb.functions()
	for _, s := range def.Submodules {
		sub := b.level(s.Module, append(slices.Clip(path), s.Accessor), l.qualified(s.Namespace))
		l.Subs = append(l.Subs, sub)
	}
	sortSubs(l)
	return l
}

// qualified returns the canonical name of an object of the level.
func (l *Level) qualified(name string) string {
	if l.Canonical == "" {
		return name
	}
	return l.Canonical + "." + name
}

// shown reports whether clients see an object.
func (b *levelBuilder) shown(private bool) bool {
	return !private || b.includePrivate && len(b.level.Path) == 0
}

func (b *levelBuilder) table(d *schema.TableDef) {
	t := &Table{
		Level: b.level, Name: b.level.qualified(d.Name), Accessor: d.Accessor,
		IsEvent: d.IsEvent, Private: d.Access == schema.Private, PrimaryKey: -1,
	}
	if !b.shown(t.Private) {
		b.module.Private = append(b.module.Private, t.Name)
		return
	}
	if !b.row(t, "table `"+t.Name+"`", d.TypeRef, d.Columns) {
		return
	}
	if d.PrimaryKey != nil {
		t.PrimaryKey = int(*d.PrimaryKey)
	}
	for _, s := range d.Sequences {
		t.Columns[s.Col].AutoInc = true
	}
	for _, c := range d.Constraints {
		t.Constraints = append(t.Constraints, Constraint{Name: b.level.qualified(c.Name), Columns: positions(c.Cols)})
		if len(c.Cols) == 1 {
			t.Columns[c.Cols[0]].Unique = true
		}
	}
	for _, x := range d.Indexes {
		unique := slices.ContainsFunc(d.Constraints, func(c schema.ConstraintDef) bool { return schema.SameColumnSet(c.Cols, x.Cols) })
		t.Indexes = append(t.Indexes, Index{
			Name: b.level.qualified(x.Name), Accessor: x.Codegen.Or(""), Algo: x.Algo, Columns: positions(x.Cols), Unique: unique,
		})
	}
	slices.SortStableFunc(t.Indexes, func(x, y Index) int { return cmp.Compare(x.Name, y.Name) })
	slices.SortStableFunc(t.Constraints, func(x, y Constraint) int { return cmp.Compare(x.Name, y.Name) })
	b.level.Tables = append(b.level.Tables, t)
}

func (b *levelBuilder) view(d *schema.ViewDef) {
	t := &Table{Level: b.level, Name: b.level.qualified(d.Name), Accessor: d.Accessor, IsView: true, PrimaryKey: -1}
	what := "view `" + t.Name + "`"
	if !b.row(t, what, d.TypeRef, d.Columns) {
		return
	}
	t.Params = b.fields(d.Params, "parameter", what)
	// The key of a query is that of its table, but calls of the view with other
	// arguments may return other rows under it (spec 10 §2.10).
	if d.PrimaryKey != nil && len(t.Params) == 0 {
		t.PrimaryKey = int(*d.PrimaryKey)
	}
	b.level.Tables = append(b.level.Tables, t)
}

// row fills in the type of a table's rows and the columns.
func (b *levelBuilder) row(t *Table, what string, ref uint32, columns []schema.ColumnDef) bool {
	t.Row = b.types.byRef[ref]
	if t.Row == nil {
		b.failf("%s: the type of its rows has no name, so that no client could refer to it; declare a type for it", what)
		return false
	}
	if t.Row.Shape != Product || len(t.Row.Fields) != len(columns) {
		b.failf("%s: the type `%s` of its rows is no product of its columns", what, t.Row.Source())
		return false
	}
	for i, c := range columns {
		t.Columns = append(t.Columns, Column{Name: c.Name, Accessor: t.Row.Fields[i].Name, Use: t.Row.Fields[i].Use})
	}
	return true
}

func (b *levelBuilder) functions() {
	l := b.level
	for _, d := range b.def.Reducers {
		if d.Namespace != "" || d.Lifecycle == schema.LifecycleInit || !b.shown(d.Private) {
			continue
		}
		f := &Function{Level: l, Name: l.qualified(d.Name), Accessor: d.Accessor, Lifecycle: d.Lifecycle, Private: d.Private}
		f.Params = b.fields(d.Params, "parameter", "reducer `"+f.Name+"`")
		l.Reducers = append(l.Reducers, f)
	}
	for _, d := range b.def.Procedures {
		if d.Namespace != "" || !b.shown(d.Private) {
			continue
		}
		f := &Function{Level: l, Name: l.qualified(d.Name), Accessor: d.Accessor, Private: d.Private}
		what := "procedure `" + f.Name + "`"
		f.Params = b.fields(d.Params, "parameter", what)
		f.Return = b.types.use(d.Return, "the return type of "+what)
		l.Procedures = append(l.Procedures, f)
	}
	sortFunctions(l.Procedures)
}

// fields converts the elements of a product or sum, or parameters.
func (b *levelBuilder) fields(t *sats.Type, kind, of string) []Field {
	if t == nil {
		return nil
	}
	out := make([]Field, len(t.Elems))
	for i, e := range t.Elems {
		what := fmt.Sprintf("%s `%s` of %s", kind, e.Name.Text, of)
		if !e.Name.Set {
			b.failf("%s %d of %s has no name", kind, i, of)
		}
		out[i] = Field{Name: e.Name.Text, Use: b.types.use(e.Type, what)}
	}
	return out
}

func positions(cols []schema.ColID) []int {
	out := make([]int, len(cols))
	for i, c := range cols {
		out[i] = int(c)
	}
	return out
}

// The orders of spec 10 §2.4.

func sortTables(tables []*Table) {
	slices.SortStableFunc(tables, func(a, b *Table) int { return cmp.Compare(a.Name, b.Name) })
}

func sortFunctions(list []*Function) {
	slices.SortStableFunc(list, func(a, b *Function) int { return cmp.Compare(a.Name, b.Name) })
}

func sortTypes(types []*Type) {
	slices.SortStableFunc(types, func(a, b *Type) int {
		return cmp.Or(slices.Compare(a.Scope, b.Scope), cmp.Compare(a.Name, b.Name))
	})
}

func sortSubs(l *Level) {
	slices.SortStableFunc(l.Subs, func(a, b *Level) int { return slices.Compare(a.Path, b.Path) })
}

// Combined returns the level's tables and views in the order of their
// accessor names, in which module declarations and dispatch tables list them.
func (l *Level) Combined() []*Table {
	out := slices.Clone(l.Tables)
	slices.SortStableFunc(out, func(a, b *Table) int { return cmp.Compare(a.Accessor, b.Accessor) })
	return out
}

// Levels returns the level and all below it, parents first.
func (l *Level) Levels() []*Level {
	out := []*Level{l}
	for _, s := range l.Subs {
		out = append(out, s.Levels()...)
	}
	return out
}

// Source returns the table's name in the words of the module, for messages.
func (t *Table) Source() string {
	kind := "table"
	if t.IsView {
		kind = "view"
	}
	return kind + " `" + strings.Join(append(slices.Clip(t.Level.Path), t.Accessor), ".") + "`"
}

// Source returns the type's name in the words of the module.
func (t *Type) Source() string { return strings.Join(append(slices.Clip(t.Scope), t.Name), "::") }
