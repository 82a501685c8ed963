package sql

import (
	"errors"
	"slices"

	"github.com/stdbgo/spacetime/internal/query"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/sats"
)

// target resolves the table of a DML statement under its name as typed.
func (c *checker) target(ref *tableRef) (*schema.Table, error) {
	t, err := c.table(ref.span, ref.name)
	if err != nil {
		return nil, err
	}
	if t.IsView {
		return nil, c.errorAt(ref.span, "`%s` is a view; DML on views is not supported", t.Name)
	}
	c.rels = []relation{{ref.name, t}}
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
	return &Error{Msg: "Caller " + c.caller.Identity.String() + " is not authorized to run SQL DML statements"}
}

func (c *checker) compileInsert(st *insertStmt, out *Statement) error {
	if err := c.insertShape(st); err != nil {
		return err
	}
	t, err := c.target(&st.table)
	if err != nil {
		return err
	}
	if len(st.cols) != len(t.Cols) {
		return c.errorAt(st.table.span, "The number of fields (%d) in the INSERT does not match the number of columns (%d) of the table `%s`",
			len(st.cols), len(t.Cols), t.Name)
	}
	order, err := c.insertColumns(st, t)
	if err != nil {
		return err
	}
	var rows [][]byte
	for _, values := range st.rows {
		row, err := c.insertRow(t, values, order)
		if err != nil {
			return err
		}
		rows = append(rows, row)
	}
	if err := c.mayWrite(&st.table, t); err != nil {
		return err
	}
	out.write = func(w Writer) (Stats, error) { return insertRows(w, t, rows) }
	return nil
}

func (c *checker) insertShape(st *insertStmt) error {
	switch {
	case st.refused:
		return unsupported(c.at(st.span), "Unsupported", c.render(st.span))
	case !st.values:
		return unsupported(c.at(st.source), "Unsupported INSERT expression", c.render(st.source))
	}
	for _, row := range st.rows {
		for _, v := range row {
			if err := c.valueShape(v, "Unsupported INSERT value"); err != nil {
				return err
			}
		}
	}
	return nil
}

// valueShape refuses a written value that is not a literal.
func (c *checker) valueShape(v expr, what string) error {
	switch v := v.(type) {
	case *litExpr:
		return nil
	case *paramExpr:
		what = "Unsupported literal expression"
	case *refusedExpr:
		if isLiteralRefusal(v) {
			return &Error{Pos: c.at(v.span), Msg: v.msg}
		}
	}
	return unsupported(c.at(v.tokens()), what, c.render(v.tokens()))
}

// insertColumns maps the column list to the table: order[i] is the position in
// the list of the value for column i. Values go by name, not by place.
func (c *checker) insertColumns(st *insertStmt, t *schema.Table) ([]int, error) {
	order := make([]int, len(t.Cols))
	for i := range order {
		order[i] = -1
	}
	for i, name := range st.cols {
		col, ok := t.Col(name.name)
		if !ok {
			return nil, c.noField(name.span, t, name.name)
		}
		if order[col] >= 0 {
			return nil, c.errorAt(name.span, "Duplicate name `%s`", name.name)
		}
		order[col] = i
	}
	return order, nil
}

func (c *checker) noField(sp span, t *schema.Table, name string) *Error {
	err := c.errorAt(sp, "`%s` does not have a field `%s`", t.Name, name)
	err.Suggestion = didYouMean(name, columnNames(t))
	return err
}

func (c *checker) insertRow(t *schema.Table, values []expr, order []int) ([]byte, error) {
	if len(values) != len(t.Cols) {
		return nil, c.errorAt(values[0].tokens(), "Inserting a row with %d values into `%s` which has %d fields", len(values), t.Name, len(t.Cols))
	}
	cols := make([][]byte, len(values)) // by place in the list, so that the first bad value is the one reported
	for i, v := range values {
		col := slices.Index(order, i)
		value, err := c.writtenValue(v.(*litExpr), t.Cols[col].Type)
		if err != nil {
			return nil, err
		}
		cols[i] = value
	}
	var row []byte
	for _, i := range order {
		row = append(row, cols[i]...)
	}
	return row, nil
}

// writtenValue reads a literal for a column of type t. Unlike in a predicate, a
// boolean only fits Bool and a string only String (spec 07 §6.2).
func (c *checker) writtenValue(l *litExpr, t *sats.Type) ([]byte, error) {
	switch {
	case l.kind == litBool && t.Kind != sats.KindBool:
		return nil, c.unexpected(l.span, sats.Bool, t)
	case l.kind == litBool:
		return sats.AppendBool(nil, l.text == "true"), nil
	case l.kind == litString && t.Kind != sats.KindString:
		return nil, c.unexpected(l.span, sats.String, t)
	}
	v, ok := parseLiteral(nil, l, t)
	if !ok {
		return nil, c.literalError(l, t)
	}
	return v, nil
}

// insertRows inserts and counts the rows that were not there before. An event
// table keeps no rows; every one counts.
func insertRows(w Writer, t *schema.Table, rows [][]byte) (Stats, error) {
	var s Stats
	before := w.RowCount(t.ID)
	for _, row := range rows {
		if _, _, err := w.Insert(t.ID, row); err != nil {
			return s, writeError(err)
		}
		s.Inserted++
	}
	if !t.IsEvent {
		s.Inserted = w.RowCount(t.ID) - before
	}
	return s, nil
}

// writeError gives a violated constraint the prefix that SQL reports it with.
func writeError(err error) error {
	var e *store.Error
	if errors.As(err, &e) && e.Code == store.ErrUniqueAlreadyExists {
		return &Error{Msg: "IndexError: " + e.Msg}
	}
	return err
}

func (c *checker) compileUpdate(st *updateStmt, out *Statement) error {
	if st.refused {
		return unsupported(c.at(st.span), "Unsupported", c.render(st.span))
	}
	for _, a := range st.set {
		if err := c.valueShape(a.value, "Unsupported column/variable assignment expression"); err != nil {
			return err
		}
	}
	if st.where != nil {
		if err := c.refusal(st.where); err != nil {
			return err
		}
	}
	t, err := c.target(&st.table)
	if err != nil {
		return err
	}
	values := make([][]byte, len(t.Cols))
	for _, a := range st.set {
		col, ok := t.Col(a.target)
		if !ok {
			return c.noField(a.span, t, a.target)
		}
		if values[col] != nil {
			return c.errorAt(a.span, "Duplicate name `%s`", a.target)
		}
		if values[col], err = c.writtenValue(a.value.(*litExpr), t.Cols[col].Type); err != nil {
			return err
		}
	}
	plan, err := c.matching(t, st.where)
	if err != nil {
		return err
	}
	if err := c.mayWrite(&st.table, t); err != nil {
		return err
	}
	out.write = func(w Writer) (Stats, error) { return updateRows(w, t, plan, values) }
	return nil
}

// matching plans the rows of t that a WHERE picks.
func (c *checker) matching(t *schema.Table, where expr) (*query.Plan, error) {
	q := query.Select{From: []query.Relation{{Table: t}}}
	if where != nil {
		var err error
		if q.Where, err = c.condition(where); err != nil {
			return nil, err
		}
	}
	return query.Compile(q), nil
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

// updateRows deletes all matched rows, then inserts all new ones, so that unique
// values may move between rows (spec 07 §9.2).
func updateRows(w Writer, t *schema.Table, plan *query.Plan, values [][]byte) (Stats, error) {
	rows, err := collect(w, plan)
	if err != nil {
		return Stats{}, err
	}
	for _, row := range rows {
		if _, err := w.DeleteRow(t.ID, row); err != nil {
			return Stats{}, err
		}
	}
	var changed []byte
	for _, row := range rows {
		changed = changed[:0]
		for i, v := range values {
			if v == nil {
				v = t.Layout.Col(row, i)
			}
			changed = append(changed, v...)
		}
		if _, _, err := w.Insert(t.ID, changed); err != nil {
			return Stats{}, writeError(err)
		}
	}
	return Stats{Updated: uint64(len(rows))}, nil
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
	if len(st.tables[0]) > 1 || ref.refused || ref.called || ref.whole != ref.span {
		return unsupported(c.at(ref.whole), "Unsupported table expression in DELETE", c.render(span{ref.whole.from, last.whole.to}))
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
	plan, err := c.matching(t, st.where)
	if err != nil {
		return err
	}
	if err := c.mayWrite(ref, t); err != nil {
		return err
	}
	all := st.where == nil
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
		ok, err := w.DeleteRow(t.ID, row)
		if err != nil {
			return Stats{}, err
		}
		if ok {
			s.Deleted++
		}
	}
	return s, nil
}
