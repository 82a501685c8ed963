package schema

import (
	"cmp"
	"slices"
	"strings"
)

// Step is one change of a [Plan]; its concrete type is one of those below. The
// order of classes makes removals come before additions under the same name,
// and changes of columns before indexes on them (spec 02 §11.5).
type Step interface {
	place() stepPlace
}

// stepPlace orders steps: by class, then by namespace and name.
type stepPlace struct {
	class     stepClass
	namespace string
	name      string // without the namespace
}

type stepClass uint8

const (
	classRemoveIndex stepClass = iota
	classRemoveConstraint
	classRemoveSequence
	classRemoveSchedule
	classRemoveView
	classRemoveRLS
	classRemoveTable
	classChangeColumns
	classReschemaEventTable
	classAddColumns
	classChangeIndexSourceName
	classChangeTableAccessor
	classChangeOutbox
	classChangeColumnAccessor
	classAddTable
	classAddIndex
	classAddConstraint
	classAddSequence
	classAddSchedule
	classAddView
	classAddRLS
	classChangeAccess
	classChangePrimaryKey
	classUpdateView
	classDisconnect
)

func (p stepPlace) compare(q stepPlace) int {
	return cmp.Or(cmp.Compare(p.class, q.class), slices.Compare(segments(p.namespace), segments(q.namespace)), cmp.Compare(p.name, q.name))
}

func segments(namespace string) []string {
	if namespace == "" {
		return nil
	}
	return strings.Split(namespace, ".")
}

// local returns name without the namespace it starts with.
func local(namespace, name string) string {
	if namespace == "" {
		return name
	}
	return strings.TrimPrefix(name, namespace+".")
}

func (d *TableDef) at(class stepClass, name string) stepPlace {
	return stepPlace{class, d.Namespace, local(d.Namespace, name)}
}

func (d *ViewDef) at(class stepClass) stepPlace {
	return stepPlace{class, d.Namespace, local(d.Namespace, d.Name)}
}

// The steps. Old and New are the table, view or part before and after; a lone
// Table or View is the one the part is removed from or added to, as it was or
// will be.
type (
	RemoveIndex struct {
		Table *TableDef
		Index *IndexDef
	}
	RemoveConstraint struct {
		Table      *TableDef
		Constraint *ConstraintDef
	}
	RemoveSequence struct {
		Table    *TableDef
		Sequence *SequenceDef
	}
	RemoveSchedule struct{ Table *TableDef }
	RemoveView     struct{ View *ViewDef }
	RemoveRLS      struct {
		SQL       string
		Unchanged bool // the set of rules stays; only their rows are written anew
	}
	// RemoveTable fails when it is carried out on a table with rows.
	RemoveTable struct{ Table *TableDef }
	// ChangeColumns changes types and leaves rows as they are.
	ChangeColumns struct{ Old, New *TableDef }
	// ReschemaEventTable replaces the columns of a table that has no rows.
	ReschemaEventTable struct{ Old, New *TableDef }
	// AddColumns re-creates the table with further columns at its end.
	AddColumns            struct{ Old, New *TableDef }
	ChangeIndexSourceName struct {
		Table    *TableDef
		Old, New *IndexDef
	}
	ChangeTableAccessor  struct{ Old, New *TableDef }
	ChangeOutbox         struct{ Old, New *TableDef }
	ChangeColumnAccessor struct {
		Table    *TableDef
		Old, New *ColumnDef
	}
	AddTable struct{ Table *TableDef }
	AddIndex struct {
		Table *TableDef
		Index *IndexDef
	}
	AddConstraint struct {
		Table      *TableDef
		Constraint *ConstraintDef
	}
	AddSequence struct {
		Table    *TableDef
		Sequence *SequenceDef
	}
	AddSchedule struct{ Table *TableDef }
	AddView     struct{ View *ViewDef }
	AddRLS      struct {
		SQL       string
		Unchanged bool
	}
	// ChangeAccess is about a table or the backing table of a view.
	ChangeAccess struct {
		Namespace, Name string // Name is qualified
		Old, New        Access
	}
	ChangePrimaryKey struct{ Old, New *TableDef }
	// UpdateView evaluates the live instances of a view anew. Its columns are
	// the same but for appended enum variants.
	UpdateView struct{ Old, New *ViewDef }
	// DisconnectAllUsers closes all connections after the commit.
	DisconnectAllUsers struct{}
)

func (s RemoveIndex) place() stepPlace { return s.Table.at(classRemoveIndex, s.Index.Name) }
func (s RemoveConstraint) place() stepPlace {
	return s.Table.at(classRemoveConstraint, s.Constraint.Name)
}
func (s RemoveSequence) place() stepPlace { return s.Table.at(classRemoveSequence, s.Sequence.Name) }
func (s RemoveSchedule) place() stepPlace {
	return s.Table.at(classRemoveSchedule, s.Table.Schedule.Name)
}
func (s RemoveView) place() stepPlace         { return s.View.at(classRemoveView) }
func (s RemoveRLS) place() stepPlace          { return stepPlace{classRemoveRLS, "", s.SQL} }
func (s RemoveTable) place() stepPlace        { return s.Table.at(classRemoveTable, s.Table.Name) }
func (s ChangeColumns) place() stepPlace      { return s.New.at(classChangeColumns, s.New.Name) }
func (s ReschemaEventTable) place() stepPlace { return s.New.at(classReschemaEventTable, s.New.Name) }
func (s AddColumns) place() stepPlace         { return s.New.at(classAddColumns, s.New.Name) }
func (s ChangeIndexSourceName) place() stepPlace {
	return s.Table.at(classChangeIndexSourceName, s.New.Name)
}
func (s ChangeTableAccessor) place() stepPlace { return s.New.at(classChangeTableAccessor, s.New.Name) }
func (s ChangeOutbox) place() stepPlace        { return s.New.at(classChangeOutbox, s.New.Name) }
func (s ChangeColumnAccessor) place() stepPlace {
	return s.Table.at(classChangeColumnAccessor, s.Table.Name+"."+s.New.Name)
}
func (s AddTable) place() stepPlace      { return s.Table.at(classAddTable, s.Table.Name) }
func (s AddIndex) place() stepPlace      { return s.Table.at(classAddIndex, s.Index.Name) }
func (s AddConstraint) place() stepPlace { return s.Table.at(classAddConstraint, s.Constraint.Name) }
func (s AddSequence) place() stepPlace   { return s.Table.at(classAddSequence, s.Sequence.Name) }
func (s AddSchedule) place() stepPlace   { return s.Table.at(classAddSchedule, s.Table.Schedule.Name) }
func (s AddView) place() stepPlace       { return s.View.at(classAddView) }
func (s AddRLS) place() stepPlace        { return stepPlace{classAddRLS, "", s.SQL} }
func (s ChangeAccess) place() stepPlace {
	return stepPlace{classChangeAccess, s.Namespace, local(s.Namespace, s.Name)}
}
func (s ChangePrimaryKey) place() stepPlace   { return s.New.at(classChangePrimaryKey, s.New.Name) }
func (s UpdateView) place() stepPlace         { return s.New.at(classUpdateView) }
func (s DisconnectAllUsers) place() stepPlace { return stepPlace{class: classDisconnect} }

// Added returns the columns that the step adds.
func (s AddColumns) Added() []ColumnDef { return s.New.Columns[len(s.Old.Columns):] }

// Defaults returns the BSATN values that existing rows get in the added
// columns.
func (s AddColumns) Defaults() [][]byte {
	var out [][]byte
	for _, c := range s.Added() {
		out = append(out, c.Default)
	}
	return out
}

// Apply returns the table t, as it is when the step's turn comes, with the
// columns after the step. Indexes, constraints and sequences stay; other steps
// change them.
func (s AddColumns) Apply(t *Table) *Table { return t.withColumns(s.New) }

// Apply returns the table t with the columns after the step.
func (s ChangeColumns) Apply(t *Table) *Table { return t.withColumns(s.New) }

// Apply returns the table t with the columns after the step.
func (s ReschemaEventTable) Apply(t *Table) *Table { return t.withColumns(s.New) }

func (t *Table) withColumns(d *TableDef) *Table {
	out := *t
	fresh := d.Instantiate()
	out.Cols, out.Layout = fresh.Cols, fresh.Layout
	return &out
}
