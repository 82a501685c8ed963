package sql

import (
	"errors"
	"slices"

	"github.com/stdbgo/spacetime/internal/query"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/sats"
)

// An insertion is where the values of a list go: at[i] is the place in the list
// of the value for column i, -1 if it gets fill[i].
type insertion struct {
	t    *schema.Table
	at   []int
	fill [][]byte
	n    int // values of a list
}

func (c *checker) compileInsert(st *insertStmt, out *Statement) error {
	if err := c.insertShape(st); err != nil {
		return err
	}
	t, err := c.target(&st.table)
	if err != nil {
		return err
	}
	c.rels = nil // values see no columns
	in, err := c.insertColumns(st, t)
	if err != nil {
		return err
	}
	var rows func(w Writer) ([][]byte, error)
	if st.sel != nil {
		rows, err = c.insertSelect(st, in, out)
	} else {
		rows, err = c.insertValues(st, in)
	}
	if err != nil {
		return err
	}
	if err := c.mayWrite(&st.table, t); err != nil {
		return err
	}
	out.write = func(w Writer) (Stats, error) {
		list, err := rows(w)
		if err != nil {
			return Stats{}, err
		}
		return insertRows(w, t, list)
	}
	return nil
}

func (c *checker) insertShape(st *insertStmt) error {
	switch {
	case st.refused:
		return unsupported(c.at(st.span), "Unsupported", c.render(st.span))
	case st.sel != nil:
		return c.selectShape(st.sel)
	case !st.values:
		return unsupported(c.at(st.source), "Unsupported INSERT expression", c.render(st.source))
	}
	for _, row := range st.rows {
		for _, v := range row {
			if err := c.writtenShape(v, "Unsupported INSERT value"); err != nil {
				return err
			}
		}
	}
	return nil
}

// insertColumns maps the column list to the table. Values go by name, not by
// place; without a list they are in the order of the table.
func (c *checker) insertColumns(st *insertStmt, t *schema.Table) (*insertion, error) {
	in := &insertion{t: t, at: make([]int, len(t.Cols)), fill: make([][]byte, len(t.Cols)), n: len(st.cols)}
	if !st.listed {
		for i := range in.at {
			in.at[i] = i
		}
		in.n = len(t.Cols)
		return in, nil
	}
	for i := range in.at {
		in.at[i] = -1
	}
	for i, name := range st.cols {
		col, ok := t.Col(name.name)
		if !ok {
			return nil, c.noField(name.span, t, name.name)
		}
		if in.at[col] >= 0 {
			return nil, c.errorAt(name.span, "Duplicate name `%s`", name.name)
		}
		in.at[col] = i
	}
	for i := range in.at {
		if in.at[i] < 0 {
			v, err := c.columnDefault(st.table.span, t, colID(i))
			if err != nil {
				return nil, err
			}
			in.fill[i] = v
		}
	}
	return in, nil
}

func (c *checker) noField(sp span, t *schema.Table, name string) *Error {
	err := c.errorAt(sp, "`%s` does not have a field `%s`", t.Name, name)
	err.Suggestion = didYouMean(name, columnNames(t))
	return err
}

func (c *checker) arity(sp span, in *insertion, n int) error {
	if n == in.n {
		return nil
	}
	err := c.errorAt(sp, "Inserting a row with %d values into `%s` which has %d fields", n, in.t.Name, in.n)
	err.Suggestion = in.columnsHint()
	return err
}

// insertValues types the rows of VALUES. Rows of constants are ready; others are
// computed when the statement runs.
func (c *checker) insertValues(st *insertStmt, in *insertion) (func(Writer) ([][]byte, error), error) {
	type row struct {
		bytes []byte
		plan  *query.Plan
	}
	var rows []row
	for _, values := range st.rows {
		if err := c.arity(values[0].tokens(), in, len(values)); err != nil {
			return nil, err
		}
		items, err := c.insertRow(values, in)
		if err != nil {
			return nil, err
		}
		var r row
		constant := true
		for _, x := range items {
			k, ok := x.(*query.Const)
			if constant = constant && ok; constant {
				r.bytes = append(r.bytes, k.Value...)
			}
		}
		if !constant {
			r = row{plan: query.Compile(query.Select{Out: query.OutColumns, Items: items})}
		}
		rows = append(rows, r)
	}
	return func(w Writer) ([][]byte, error) {
		var out [][]byte
		for _, r := range rows {
			if r.plan == nil {
				out = append(out, r.bytes)
				continue
			}
			computed, err := collect(w, r.plan)
			if err != nil {
				return nil, err
			}
			out = append(out, computed...)
		}
		return out, nil
	}, nil
}

// insertRow types the values of one row, in the order of the list, so that the
// first bad one is the one reported; the result is in the order of the table.
func (c *checker) insertRow(values []expr, in *insertion) ([]query.Expr, error) {
	items := make([]query.Expr, len(in.at))
	for i, v := range values {
		col := slices.Index(in.at, i)
		x, err := c.written(v, in.t, colID(col))
		if err != nil {
			return nil, err
		}
		items[col] = x
	}
	for i := range items {
		if items[i] == nil {
			items[i] = constOf(in.t.Cols[i].Type, in.fill[i])
		}
	}
	return items, nil
}

// insertSelect types INSERT … SELECT. Types must be equal; what cannot be none
// fits an option column.
func (c *checker) insertSelect(st *insertStmt, in *insertion, out *Statement) (func(Writer) ([][]byte, error), error) {
	assigned := make([]*sats.Type, in.n)
	for i := range assigned {
		assigned[i], _ = baseOf(in.t.Cols[slices.Index(in.at, i)].Type)
	}
	plan, cols, err := c.subplan(st.sel, assigned...)
	if err != nil {
		return nil, err
	}
	if err := c.arity(st.sel.span, in, len(cols)); err != nil {
		return nil, err
	}
	wrap := make([]bool, len(in.at))
	elems := make([]sats.Element, len(cols))
	for i, col := range cols {
		to := slices.Index(in.at, i)
		want := in.t.Cols[to].Type
		if base, opt := baseOf(want); opt && base.Equal(col.Type) {
			wrap[to] = true
		} else if !want.Equal(col.Type) {
			return nil, c.unexpected(st.sel.span, col.Type, want)
		}
		elems[i].Type = col.Type
	}
	layout, err := sats.NewLayout(sats.Product(elems...))
	if err != nil {
		return nil, err
	}
	out.reads = plan
	return func(w Writer) ([][]byte, error) {
		rows, err := collect(w, plan)
		for i, source := range rows {
			rows[i] = in.row(source, layout, wrap)
		}
		return rows, err
	}, nil
}

func (in *insertion) row(source []byte, layout *sats.Layout, wrap []bool) (row []byte) {
	for i, at := range in.at {
		if at < 0 {
			row = append(row, in.fill[i]...)
			continue
		}
		if wrap[i] {
			row = sats.AppendSome(row)
		}
		row = append(row, layout.Col(source, at)...)
	}
	return row
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
