package schema

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/stdbgo/spacetime/sats"
)

// PrettyStyle is how a plan is printed.
type PrettyStyle uint8

const (
	NoColor PrettyStyle = iota
	AnsiColor
)

// Pretty returns the plan as text for people, in the words that clients of the
// original know (spec 02 §11.10).
func (p *Plan) Pretty(style PrettyStyle) string {
	w := &planPrinter{ansi: style == AnsiColor}
	w.header()
	for _, s := range p.Steps {
		w.step(s)
	}
	return w.b.String()
}

// planPrinter builds the text of a plan.
type planPrinter struct {
	b    strings.Builder
	ansi bool
}

// span is a coloured run of text: digits of the SGR codes for its colour.
type span struct {
	text  string
	color string
	bold  bool
}

func header(s string) span           { return span{s, "34", true} }
func title(s string) span            { return span{s, "34", true} }
func created() span                  { return span{"Created", "32", true} }
func removed() span                  { return span{"Removed", "31", true} }
func changed() span                  { return span{"Changed", "33", true} }
func object(s string) span           { return span{s, "36", true} }
func column(s string) span           { return span{s, "35", true} }
func access(a Access) span           { return span{a.String(), "32", false} }
func rule(s string) span             { return span{s, "34", false} }
func warning(s string) span          { return span{s, "41", true} }
func typ(t *sats.Type) span          { return span{t.String(), "35", false} }
func (w *planPrinter) text(s string) { w.b.WriteString(s) }

func (w *planPrinter) span(s span) {
	if !w.ansi {
		w.text(s.text)
		return
	}
	w.text("\x1b[0m")
	if s.bold {
		w.text("\x1b[1m")
	}
	w.text("\x1b[" + s.color + "m" + s.text + "\x1b[0m")
}

// line writes one line; its parts are strings and spans.
func (w *planPrinter) line(parts ...any) {
	for _, p := range parts {
		switch p := p.(type) {
		case string:
			w.text(p)
		case span:
			w.span(p)
		}
	}
	w.text("\n")
}

const (
	indent1 = "    "
	indent2 = indent1 + indent1
)

func (w *planPrinter) header() {
	bar := strings.Repeat("━", 60)
	w.line(bar)
	w.line(header("Database Migration Plan"))
	w.line(bar)
	w.line()
}

func (w *planPrinter) step(s Step) {
	switch s := s.(type) {
	case AddTable:
		w.addTable(s.Table)
	case RemoveTable:
		w.line("▸ ", removed(), " table: ", object(s.Table.Name))
		w.line()
	case AddView:
		w.view(created(), s.View)
	case RemoveView:
		w.view(removed(), s.View)
	case AddIndex:
		w.index(created(), s.Table, s.Index)
	case RemoveIndex:
		w.index(removed(), s.Table, s.Index)
	case ChangeIndexSourceName:
		w.index(changed(), s.Table, s.New)
	case AddConstraint:
		w.constraint(created(), s.Table, s.Constraint)
	case RemoveConstraint:
		w.constraint(removed(), s.Table, s.Constraint)
	case AddSequence:
		w.sequence(created(), s.Table, s.Sequence)
	case RemoveSequence:
		w.sequence(removed(), s.Table, s.Sequence)
	case AddSchedule:
		w.schedule(created(), s.Table)
	case RemoveSchedule:
		w.schedule(removed(), s.Table)
	case AddRLS:
		w.rls(created(), s.SQL, s.Unchanged)
	case RemoveRLS:
		w.rls(removed(), s.SQL, s.Unchanged)
	default:
		w.change(s)
	}
}

// change prints the steps that alter a table.
func (w *planPrinter) change(s Step) {
	switch s := s.(type) {
	case ChangeColumns:
		w.changeColumns(s)
	case AddColumns:
		w.addColumns(s)
	case ReschemaEventTable:
		w.line("▸ ", changed(), " schema of event table ", object(s.New.Name))
	case ChangeTableAccessor:
		w.line("▸ ", changed(), " table accessor name for ", object(s.New.Name))
	case ChangeColumnAccessor:
		w.line("▸ ", changed(), " column accessor name for ", object(s.Table.Name), ".", column(s.New.Name))
	case ChangeAccess:
		w.line("▸ ", changed(), " access for table ", object(s.Name), " (", access(s.Old), " → ", access(s.New), ")")
	case ChangePrimaryKey:
		w.line("▸ ", changed(), " primary key on table ", object(s.New.Name), " (", keyChange(s.Old.PrimaryKey, s.New.PrimaryKey), ")")
	case DisconnectAllUsers:
		w.line(warning("!!! Warning: All clients will be disconnected due to breaking schema changes"))
	}
}

func keyChange(old, new *ColID) string {
	switch {
	case new == nil:
		return "removed"
	case old == nil:
		return fmt.Sprintf("added on column %d", *new)
	}
	return fmt.Sprintf("changed to column %d", *new)
}

func (w *planPrinter) addTable(t *TableDef) {
	w.line("▸ ", created(), " ", t.Kind.String(), " table: ", object(t.Name), " (", access(t.Access), ")")
	w.section("Columns:", len(t.Columns), func(i int) { w.item(t.Columns[i].Name, ": ", typ(t.Columns[i].Type)) })
	constraints := sortedBy(t.Constraints, func(c ConstraintDef) string { return c.Name })
	w.section("Unique constraints:", len(constraints), func(i int) {
		w.item(local(t.Namespace, constraints[i].Name), " on ", columnList(t, constraints[i].Cols))
	})
	indexes := sortedBy(t.Indexes, func(x IndexDef) string { return x.Name })
	w.section("Indexes:", len(indexes), func(i int) {
		w.item(local(t.Namespace, indexes[i].Name), " on ", columnList(t, indexes[i].Cols))
	})
	sequences := sortedBy(t.Sequences, func(s SequenceDef) string { return s.Name })
	w.section("Auto-increment constraints:", len(sequences), func(i int) {
		w.item(local(t.Namespace, sequences[i].Name), " on ", t.Columns[sequences[i].Col].Name)
	})
	if s := t.Schedule; s != nil {
		w.section("Schedule:", 1, func(int) { w.item("Calls ", s.kind(), ": ", s.Function) })
	}
	w.line()
}

func (s *ScheduleDef) kind() string {
	if s.IsProcedure {
		return "procedure"
	}
	return "reducer"
}

// section prints a title and n items, or nothing if there are none.
func (w *planPrinter) section(name string, n int, item func(i int)) {
	if n == 0 {
		return
	}
	w.line(indent1, title(name))
	for i := range n {
		item(i)
	}
}

func (w *planPrinter) item(parts ...any) { w.line(append([]any{indent2, "• "}, parts...)...) }

func sortedBy[T any](s []T, name func(T) string) []T {
	s = slices.Clone(s)
	slices.SortStableFunc(s, func(a, b T) int { return cmp.Compare(name(a), name(b)) })
	return s
}

func columnList(t *TableDef, cols []ColID) string {
	return "[" + strings.Join(columnNames(t.Columns, cols), ", ") + "]"
}

// view prints the marker twice, as the original does.
func (w *planPrinter) view(action span, d *ViewDef) {
	kind := " view: "
	if d.IsAnonymous {
		kind = " anonymous view: "
	}
	w.line("▸ ▸ ", action, kind, object(d.Name))
	params := d.ParamCols.Elems
	w.section("Parameters:", len(params), func(i int) { w.item(params[i].Name.Text, ": ", typ(d.resolved(params[i].Type))) })
	w.section("Columns:", len(d.Columns), func(i int) { w.item(d.Columns[i].Name, ": ", typ(d.Columns[i].Type)) })
	w.line()
}

// resolved returns t without references if it has a form without them.
func (d *ViewDef) resolved(t *sats.Type) *sats.Type {
	if r, err := d.Typespace.Resolve(t); err == nil {
		return r
	}
	return t
}

func (w *planPrinter) index(action span, t *TableDef, x *IndexDef) {
	w.line("▸ ", action, " index ", local(t.Namespace, x.Name), " on ", columnList(t, x.Cols), " of table ", object(t.Name))
}

func (w *planPrinter) constraint(action span, t *TableDef, c *ConstraintDef) {
	w.line("▸ ", action, " unique constraint ", local(t.Namespace, c.Name), " on ", columnList(t, c.Cols), " of table ", object(t.Name))
}

func (w *planPrinter) sequence(action span, t *TableDef, s *SequenceDef) {
	w.line("▸ ", action, " auto-increment constraint ", local(t.Namespace, s.Name), " on column ", t.Columns[s.Col].Name, " of table ", object(t.Name))
}

func (w *planPrinter) schedule(action span, t *TableDef) {
	w.line("▸ ", action, " schedule for table ", object(t.Name), " calling ", t.Schedule.kind(), " ", t.Schedule.Function)
}

func (w *planPrinter) rls(action span, sql string, unchanged bool) {
	if unchanged {
		return
	}
	w.line("▸ ", action, " row level security policy:")
	w.line(indent1, rule("`"+sql+"`"))
}

func (w *planPrinter) changeColumns(s ChangeColumns) {
	w.line("▸ ", changed(), " columns for table ", object(s.New.Name))
	for i := range min(len(s.Old.Columns), len(s.New.Columns)) {
		if o, n := &s.Old.Columns[i], &s.New.Columns[i]; !o.RawType.Equal(n.RawType) {
			w.line(indent1, "~ Modified: ", n.Name, " (", typ(o.Type), " → ", typ(n.Type), ")")
		}
	}
}

func (w *planPrinter) addColumns(s AddColumns) {
	added := s.Added()
	noun := " column in table "
	if len(added) > 1 {
		noun = " columns in table "
	}
	w.line("▸ ", created(), noun, object(s.New.Name))
	for i := range added {
		w.line(indent1, "+ ", added[i].Name, ": ", typ(added[i].Type), " (default: ", debugValue(added[i].Type, added[i].Default), ")")
	}
}
