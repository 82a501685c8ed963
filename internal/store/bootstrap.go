package store

import (
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/sats"
)

// A catalogueRow is a row of one of the tables that describe tables.
type catalogueRow interface{ Append(b []byte) []byte }

// bootstrap creates the system tables and the rows that describe them (spec 08 §9).
func (s *Store) bootstrap() {
	defs := schema.SystemTables()
	for _, def := range defs {
		s.tables[def.ID] = s.newTable(def)
	}
	put := func(id schema.TableID, row catalogueRow) {
		s.tables[id].insertCommitted(row.Append(nil))
	}
	for _, def := range defs {
		put(schema.StTable, tableRow(def))
		for i := range def.Cols {
			put(schema.StColumn, columnRow(def, i))
		}
		for _, ix := range def.Indexes {
			put(schema.StIndex, indexRow(def, ix))
		}
		for _, c := range def.Constraints {
			put(schema.StConstraint, constraintRow(def, c))
		}
		for _, q := range def.Sequences {
			allocated := sats.I128From(schema.SystemSequenceAllocated)
			put(schema.StSequence, sequenceRow(def, q, allocated))
			t := s.tables[def.ID]
			t.seqs = append(t.seqs, newSequence(q, def, allocated))
		}
	}
}

// insertCommitted stores a row outside of any transaction.
func (t *table) insertCommitted(row []byte) rowPtr {
	p := t.rows.put(row, slotLive)
	t.link(p, t.rows.get(p))
	return p
}

func tableRow(def *schema.Table) *schema.StTableRow {
	r := &schema.StTableRow{ID: def.ID, Name: def.Name, Type: def.Kind.String(), Access: def.Access.String()}
	if def.PrimaryKey != nil {
		r.PrimaryKey = []schema.ColID{*def.PrimaryKey}
	}
	return r
}

func columnRow(def *schema.Table, i int) *schema.StColumnRow {
	return &schema.StColumnRow{TableID: def.ID, Pos: schema.ColID(i), Name: def.Cols[i].Name, Type: def.Cols[i].Type}
}

func indexRow(def *schema.Table, ix *schema.Index) *schema.StIndexRow {
	return &schema.StIndexRow{ID: ix.ID, TableID: def.ID, Name: ix.Name, Algo: ix.Algo, Cols: ix.Cols}
}

func constraintRow(def *schema.Table, c *schema.Constraint) *schema.StConstraintRow {
	return &schema.StConstraintRow{ID: c.ID, Name: c.Name, TableID: def.ID, Cols: c.Cols}
}

func sequenceRow(def *schema.Table, q *schema.Sequence, allocated sats.I128) *schema.StSequenceRow {
	return &schema.StSequenceRow{
		ID: q.ID, Name: q.Name, TableID: def.ID, Col: q.Col, Increment: q.Increment,
		Start: q.Start, Min: q.Min, Max: q.Max, Allocated: allocated,
	}
}

func scheduleRow(def *schema.Table) *schema.StScheduledRow {
	return &schema.StScheduledRow{
		ID: def.Schedule.ID, TableID: def.ID, Function: def.Schedule.Function, Name: def.Schedule.Name, AtCol: def.Schedule.AtCol,
	}
}
