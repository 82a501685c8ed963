package schema

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/stdbgo/spacetime/sats"
)

// Instantiate returns the table that d describes. Its ids are zero until the
// store creates it; indexes, constraints and sequences stand in name order, the
// order in which they get ids (spec 02 §8.3).
func (d *TableDef) Instantiate() *Table {
	t := &Table{
		Name: d.Name, Accessor: d.Accessor,
		Cols:       make([]Column, len(d.Columns)),
		Layout:     mustLayout(d.RowType),
		PrimaryKey: d.PrimaryKey,
		Outbox:     d.Outbox,
		Kind:       d.Kind, Access: d.Access, IsEvent: d.IsEvent,
	}
	for i, c := range d.Columns {
		t.Cols[i] = Column{Name: c.Name, Accessor: c.Accessor, Type: c.Type}
	}
	unique := map[string]bool{}
	for _, c := range d.Constraints {
		t.Constraints = append(t.Constraints, c.Instantiate())
		unique[columnSetKey(c.Cols)] = true
	}
	for _, x := range d.Indexes {
		t.Indexes = append(t.Indexes, x.instantiate(unique[columnSetKey(x.Cols)]))
	}
	for _, s := range d.Sequences {
		t.Sequences = append(t.Sequences, s.Instantiate())
	}
	if d.Schedule != nil {
		t.Schedule = d.Schedule.Instantiate()
	}
	t.sortObjects()
	return t
}

// InstantiateIndex returns the index that x, an index of d, describes.
func (d *TableDef) InstantiateIndex(x *IndexDef) *Index {
	set := columnSet(x.Cols)
	return x.instantiate(slices.ContainsFunc(d.Constraints, func(c ConstraintDef) bool { return slices.Equal(c.Cols, set) }))
}

func (x *IndexDef) instantiate(unique bool) *Index {
	return &Index{Name: x.Name, Accessor: x.Accessor, Algo: x.Algo, Cols: x.Cols, Unique: unique}
}

// Instantiate returns the constraint that c describes.
func (c ConstraintDef) Instantiate() *Constraint { return &Constraint{Name: c.Name, Cols: c.Cols} }

// Instantiate returns the sequence that s describes.
func (s SequenceDef) Instantiate() *Sequence {
	return &Sequence{Name: s.Name, Col: s.Col, Start: s.Start, Min: s.Min, Max: s.Max, Increment: s.Increment}
}

// Instantiate returns the schedule that s describes.
func (s *ScheduleDef) Instantiate() *Schedule {
	return &Schedule{Name: s.Name, AtCol: s.AtCol, IDCol: s.IDCol, Function: s.Function, IsProcedure: s.IsProcedure}
}

func (t *Table) sortObjects() {
	slices.SortFunc(t.Indexes, func(a, b *Index) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(t.Constraints, func(a, b *Constraint) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(t.Sequences, func(a, b *Sequence) int { return cmp.Compare(a.Name, b.Name) })
}

// ArgHashColumn is the name of column 0 of the backing table of a view.
const ArgHashColumn = "arg_hash"

// Instantiate returns the backing table of the view: the returned columns after
// arg_hash, and the indexes of spec 02 §8.2. Only the returned columns and the
// table have accessors, as only they have alias rows.
func (v *ViewDef) Instantiate() *Table {
	t := &Table{
		Name: v.Name, Accessor: v.Accessor,
		Cols:   []Column{{Name: ArgHashColumn, Type: sats.U256Type}},
		Kind:   User,
		Access: Private,
		IsView: true,
	}
	if v.IsPublic {
		t.Access = Public
	}
	for _, c := range v.Columns {
		t.Cols = append(t.Cols, Column{Name: c.Name, Accessor: c.Accessor, Type: c.Type})
	}
	t.Layout = mustLayout(rowType(t.Cols))
	t.Indexes = []*Index{{Name: v.Name + "_arg_hash_idx_btree", Cols: []ColID{0}}}
	if v.PrimaryKey != nil {
		pk := *v.PrimaryKey
		stem := v.Name + "_arg_hash_" + v.Columns[pk].Name
		key := []ColID{0, pk + 1}
		t.Constraints = []*Constraint{{Name: stem + "_key", Cols: key}}
		t.Indexes = append(t.Indexes, &Index{Name: stem + "_idx_btree", Cols: key, Unique: true})
	}
	t.sortObjects()
	return t
}

// rowType returns the product that cols describe.
func rowType(cols []Column) *sats.Type {
	elems := make([]sats.Element, len(cols))
	for i, c := range cols {
		elems[i] = sats.E(c.Name, c.Type)
	}
	return sats.Product(elems...)
}

// mustLayout compiles a row type that validation has accepted: a product
// without references, within the limits of a type.
func mustLayout(t *sats.Type) *sats.Layout {
	l, err := sats.NewLayout(t)
	if err != nil {
		panic(fmt.Sprintf("schema: layout of a valid row type %s: %v", t, err))
	}
	return l
}
