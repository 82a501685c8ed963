package sql

import (
	"errors"

	"github.com/stdbgo/spacetime/internal/query"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/sats"
)

var errManySources = errors.New("UPDATE target row matched more than one source row")

// An updating says how new rows come from what the plan of an UPDATE finds: the
// columns of the old row and behind them the new values. at[i] is the place of the
// value for column i.
type updating struct {
	t      *schema.Table
	plan   *query.Plan
	layout *sats.Layout
	at     []int
	joined bool // with FROM
}

func (c *checker) compileUpdate(st *updateStmt, out *Statement) error {
	if err := c.updateShape(st); err != nil {
		return err
	}
	t, err := c.target(&st.table)
	if err != nil {
		return err
	}
	q := query.Select{Out: query.OutColumns}
	if q.From, err = c.from(st.from, []query.Relation{{Table: t}}); err != nil {
		return err
	}
	up := &updating{t: t, at: make([]int, len(t.Cols)), joined: st.from != nil}
	var elems []sats.Element
	for i := range t.Cols {
		up.at[i] = i
		q.Items = append(q.Items, c.columnOf(0, colID(i)))
		elems = append(elems, sats.Element{Type: t.Cols[i].Type})
	}
	for _, a := range st.set {
		col, ok := t.Col(a.target)
		if !ok {
			return c.noField(a.span, t, a.target)
		}
		if up.at[col] != int(col) {
			return c.errorAt(a.span, "Duplicate name `%s`", a.target)
		}
		x, err := c.written(a.value, t, col)
		if err != nil {
			return err
		}
		up.at[col] = len(q.Items)
		q.Items = append(q.Items, x)
		elems = append(elems, sats.Element{Type: t.Cols[col].Type})
	}
	if st.where != nil {
		if q.Where, err = c.condition(st.where); err != nil {
			return err
		}
	}
	if err := c.mayWrite(&st.table, t); err != nil {
		return err
	}
	if up.layout, err = sats.NewLayout(sats.Product(elems...)); err != nil {
		return err
	}
	up.plan = query.Compile(q)
	out.reads = up.plan
	out.write = up.run
	return nil
}

func (c *checker) updateShape(st *updateStmt) error {
	if st.refused {
		return unsupported(c.at(st.span), "Unsupported", c.render(st.span))
	}
	for _, a := range st.set {
		if err := c.writtenShape(a.value, "Unsupported column/variable assignment expression"); err != nil {
			return err
		}
	}
	if err := c.fromShape(st.from); err != nil {
		return err
	}
	if st.where != nil {
		return c.refusal(st.where)
	}
	return nil
}

// run deletes all matched rows, then inserts all new ones, so that unique values
// may move between rows (spec 07 §9.2).
func (up *updating) run(w Writer) (Stats, error) {
	rows, err := collect(w, up.plan)
	if err != nil {
		return Stats{}, err
	}
	seen := map[string]bool{}
	for _, row := range rows {
		_, end := up.layout.ColRange(row, len(up.t.Cols)-1)
		old := row[:end]
		if up.joined {
			if seen[string(old)] {
				return Stats{}, errManySources
			}
			seen[string(old)] = true
		}
		if _, err := w.DeleteRow(up.t.ID, old); err != nil {
			return Stats{}, err
		}
	}
	var changed []byte
	for _, row := range rows {
		changed = changed[:0]
		for _, at := range up.at {
			changed = append(changed, up.layout.Col(row, at)...)
		}
		if _, _, err := w.Insert(up.t.ID, changed); err != nil {
			return Stats{}, writeError(err)
		}
	}
	return Stats{Updated: uint64(len(rows))}, nil
}
