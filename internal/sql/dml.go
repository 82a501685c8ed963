package sql

import (
	"slices"

	"github.com/stdbgo/spacetime/internal/query"
	"github.com/stdbgo/spacetime/internal/schema"
)

// target resolves the table of a DML statement under its name as typed, or its
// alias.
func (c *checker) target(ref *tableRef) (*schema.Table, error) {
	t, err := c.table(ref.span, ref.name)
	if err != nil {
		return nil, err
	}
	if t.IsView {
		return nil, c.errorAt(ref.span, "`%s` is a view; DML on views is not supported", t.Name)
	}
	c.total = 1
	c.rels = []relation{{alias: ref.alias, table: t}}
	return t, nil
}

// mayWrite checks who writes, then what is closed to everybody (spec 07 §9).
func (c *checker) mayWrite(ref *tableRef, t *schema.Table) error {
	if err := c.ownerOnly(); err != nil {
		return err
	}
	switch {
	case t.ID == schema.StEnv:
		return &Error{Pos: c.at(ref.span), Msg: "Database environment variables can only be changed by publishing"}
	case t.Schedule != nil:
		return &Error{Pos: c.at(ref.span), Msg: "SQL writes to scheduled tables are not supported"}
	case t.Outbox != nil:
		return &Error{Pos: c.at(ref.span), Msg: "SQL writes to outbox tables are not supported"}
	case t.Kind == schema.System && t.ID != schema.StVar:
		// A row too few in the catalogue, and the database does not open again.
		return &Error{Pos: c.at(ref.span), Msg: "SQL writes to the system table `" + t.Name + "` are not supported"}
	}
	return nil
}

func (c *checker) ownerOnly() error {
	if c.caller.IsOwner {
		return nil
	}
	return &Error{Pos: c.at(span{0, 1}), Msg: "Caller " + c.caller.Identity.String() + " is not authorized to run SQL DML statements"}
}

// collect copies the rows that a plan finds, before anything is written.
func collect(w Writer, plan *query.Plan) ([][]byte, error) {
	var rows [][]byte
	err := plan.Run(w, func(row []byte) bool {
		rows = append(rows, slices.Clone(row))
		return true
	})
	return rows, err
}

func (c *checker) compileDelete(st *deleteStmt, out *Statement) error {
	if st.refused {
		return unsupported(c.at(st.span), "Unsupported", c.render(st.span))
	}
	if len(st.tables) > 1 {
		return c.errorAt(st.tables[1][0].whole, "Multi-table DELETE is not supported")
	}
	ref := &st.tables[0][0]
	last := st.tables[0][len(st.tables[0])-1]
	if len(st.tables[0]) > 1 || ref.refused || ref.called {
		return unsupported(c.at(ref.whole), "Unsupported table expression in DELETE", c.render(span{ref.whole.from, last.whole.to}))
	}
	if err := c.fromShape(st.using); err != nil {
		return err
	}
	if st.where != nil {
		if err := c.refusal(st.where); err != nil {
			return err
		}
	}
	t, err := c.target(ref)
	if err != nil {
		return err
	}
	q := query.Select{}
	if q.From, err = c.from(st.using, []query.Relation{{Table: t}}); err != nil {
		return err
	}
	if st.where != nil {
		if q.Where, err = c.condition(st.where); err != nil {
			return err
		}
	}
	if err := c.mayWrite(ref, t); err != nil {
		return err
	}
	plan := query.Compile(q)
	out.reads = plan
	all := st.where == nil && st.using == nil
	out.write = func(w Writer) (Stats, error) { return deleteRows(w, t, plan, all) }
	return nil
}

func deleteRows(w Writer, t *schema.Table, plan *query.Plan, all bool) (Stats, error) {
	if all && !t.IsEvent {
		n, err := w.Clear(t.ID)
		return Stats{Deleted: n}, err
	}
	rows, err := collect(w, plan)
	if err != nil {
		return Stats{}, err
	}
	var s Stats
	for _, row := range rows {
		ok, err := w.DeleteRow(t.ID, row) // false for a row that USING matched before
		if err != nil {
			return Stats{}, err
		}
		if ok {
			s.Deleted++
		}
	}
	return s, nil
}
