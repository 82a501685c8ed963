package schema

import (
	"slices"

	"github.com/stdbgo/spacetime/sats"
)

// Table is a table as the store keeps it: a definition with ids. It is
// immutable; a schema change replaces it.
type Table struct {
	ID       TableID
	Name     string // canonical, with the namespace of a submodule: "lib.session"
	Accessor string // alias for lookups; empty if there is none
	Cols     []Column
	Layout   *sats.Layout // of the row type that Cols describes

	Indexes     []*Index
	Constraints []*Constraint
	Sequences   []*Sequence
	PrimaryKey  *ColID // nil: none
	Schedule    *Schedule
	Outbox      *Outbox

	Kind    TableKind
	Access  Access
	IsEvent bool // rows are delivered to subscribers and never stored
	IsView  bool // backing table of a view: column 0 is arg_hash, rows are never logged
}

// Column is one column of a [Table].
type Column struct {
	Name     string     // canonical
	Accessor string     // alias for lookups; empty if there is none
	Type     *sats.Type // without references
}

// Index is one index of a [Table].
type Index struct {
	ID       IndexID
	Name     string // canonical
	Accessor string // alias for lookups (the index source name); empty if there is none
	Algo     Algo
	Cols     []ColID // in declared order
	Unique   bool    // some constraint has exactly this column set
}

// Constraint demands that no two rows agree in all of Cols.
type Constraint struct {
	ID   ConstraintID
	Name string
	Cols []ColID // ascending, without repetitions
}

// Sequence fills Col when an inserted row has zero there (spec 08 §6).
type Sequence struct {
	ID              SequenceID
	Name            string
	Col             ColID
	Start, Min, Max sats.I128
	Increment       sats.I128
}

// Schedule calls Function for each row of its table when its time has come.
type Schedule struct {
	ID          ScheduleID
	Name        string
	AtCol       ColID  // type ScheduleAt
	IDCol       ColID  // the primary key, type U64
	Function    string // canonical name of a reducer or procedure
	IsProcedure bool
}

// Outbox makes inserted rows of its table into reducer calls to other
// databases (spec 02 §6.14).
type Outbox struct {
	RemoteReducer string // canonical name in the other database
	TargetCol     ColID  // holds the identity of the other database
	ArgCols       []ColID
	OnResult      string // canonical name of the reducer told about the result; empty if none
	SignatureHash sats.Hash
}

// Col returns the position of the column called name; an alias wins over a
// canonical name (spec 02 §5.2).
func (t *Table) Col(name string) (ColID, bool) {
	for i := range t.Cols {
		if t.Cols[i].Accessor != "" && t.Cols[i].Accessor == name {
			return ColID(i), true
		}
	}
	for i := range t.Cols {
		if t.Cols[i].Name == name {
			return ColID(i), true
		}
	}
	return 0, false
}

// RowType returns the type of the table's rows.
func (t *Table) RowType() *sats.Type { return t.Layout.Type() }

// IndexOn returns an index whose columns are exactly cols in this order,
// preferring a unique one; nil if there is none.
func (t *Table) IndexOn(cols ...ColID) *Index {
	var found *Index
	for _, ix := range t.Indexes {
		if slices.Equal(ix.Cols, cols) && (found == nil || ix.Unique && !found.Unique) {
			found = ix
		}
	}
	return found
}

// UniqueIndexOn returns a unique index over the single column col, or nil.
func (t *Table) UniqueIndexOn(col ColID) *Index {
	for _, ix := range t.Indexes {
		if ix.Unique && len(ix.Cols) == 1 && ix.Cols[0] == col {
			return ix
		}
	}
	return nil
}

// IsUnique reports whether some constraint covers exactly the columns cols, in
// any order.
func (t *Table) IsUnique(cols []ColID) bool {
	set := columnSet(cols)
	return slices.ContainsFunc(t.Constraints, func(c *Constraint) bool { return slices.Equal(c.Cols, set) })
}
