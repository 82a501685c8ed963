package sql

import (
	"slices"

	"github.com/stdbgo/spacetime/internal/query"
	"github.com/stdbgo/spacetime/sats"
)

// groups resolves the SELECT list and HAVING of a query whose rows are groups.
func (c *checker) groups(st *selectStmt, s *selection) error {
	outer := c.group
	defer func() { c.group = outer }()
	c.group = grouping{}
	for _, e := range st.group {
		x, err := c.groupKey(st, e)
		if err != nil {
			return err
		}
		c.group.groups = append(c.group.groups, x)
	}
	c.group.open = true
	if err := c.items(st, s, c.perGroup); err != nil {
		return err
	}
	if st.having != nil {
		x, err := c.condition(st.having)
		if err != nil {
			return err
		}
		if s.q.Having, err = c.perGroup(st.having.tokens(), x); err != nil {
			return err
		}
	}
	if err := c.groupOrder(st, s); err != nil {
		return err
	}
	s.q.Groups, s.q.Aggs = c.group.groups, c.group.aggs
	return nil
}

// groupKey resolves one element of GROUP BY: a position, an input column, an
// alias, or any other expression over the input.
func (c *checker) groupKey(st *selectStmt, e expr) (query.Expr, error) {
	if l, ok := position(e); ok {
		i, err := c.itemAt(l, len(st.items))
		if err != nil {
			return nil, err
		}
		it := st.items[i]
		if it.star {
			return nil, unsupported(c.at(l.span), "Unsupported expression", c.render(l.span))
		}
		return c.value(it.x)
	}
	if col, ok := e.(*colExpr); ok && col.qual == "" {
		x, err := c.column(col)
		if err == nil {
			return x, nil
		}
		for _, it := range st.items {
			if it.named && it.alias == col.name {
				return c.value(it.x)
			}
		}
		return nil, err
	}
	return c.value(e)
}

// position reports whether e is a bare positive integer.
func position(e expr) (*litExpr, bool) {
	l, ok := e.(*litExpr)
	return l, ok && l.kind == litNumber && !l.signed
}

// itemAt reads a position in a list of n.
func (c *checker) itemAt(l *litExpr, n int) (int, error) {
	v, ok := parseLiteral(nil, l, sats.U64)
	if !ok {
		return 0, c.literalError(l, sats.U64)
	}
	if i := sats.NewReader(v).U64(); i >= 1 && i <= uint64(n) {
		return int(i) - 1, nil
	}
	err := c.literalError(l, sats.U64)
	err.Suggestion = "It is a position in the list of columns."
	return 0, err
}

// groupOrder resolves ORDER BY while aggregates may be added to the query.
func (c *checker) groupOrder(st *selectStmt, s *selection) error {
	for _, k := range st.order {
		x, err := c.sortExpr(st, s, k.x, c.perGroup)
		if err != nil {
			return err
		}
		s.q.Order = append(s.q.Order, sortOrder(k, x))
	}
	return nil
}

// orderBy resolves ORDER BY of a query without groups.
func (c *checker) orderBy(st *selectStmt, s *selection) error {
	if s.q.Grouped {
		return c.distinctOrder(st, s)
	}
	for _, k := range st.order {
		x, err := c.sortExpr(st, s, k.x, func(_ span, x query.Expr) (query.Expr, error) { return x, nil })
		if err != nil {
			return err
		}
		s.q.Order = append(s.q.Order, sortOrder(k, x))
	}
	return c.distinctOrder(st, s)
}

// distinctOrder checks that DISTINCT is ordered by what it shows.
func (c *checker) distinctOrder(st *selectStmt, s *selection) error {
	if !s.q.Distinct {
		return nil
	}
	for i, o := range s.q.Order {
		shown := slices.ContainsFunc(s.q.Items, func(x query.Expr) bool { return query.Equal(x, o.X) })
		if s.q.Out == query.OutRow {
			col, ok := o.X.(*query.Column)
			shown = ok && col.Rel == s.q.Rel
		}
		if !shown {
			sp := st.order[i].x.tokens()
			return unsupported(c.at(sp), "Unsupported expression", c.render(sp))
		}
	}
	return nil
}

// sortOrder: none is last when ascending and first when descending, unless NULLS
// says otherwise.
func sortOrder(k sortKey, x query.Expr) query.Order {
	return query.Order{X: x, Desc: k.desc, NullsFirst: k.nulls == 1 || k.nulls == 0 && k.desc}
}

// sortExpr resolves one key of ORDER BY: a position, an output column, or an
// expression over the input or the groups.
func (c *checker) sortExpr(st *selectStmt, s *selection, e expr, finish func(span, query.Expr) (query.Expr, error)) (query.Expr, error) {
	if l, ok := position(e); ok {
		i, err := c.itemAt(l, len(s.cols))
		if err != nil {
			return nil, err
		}
		return c.shown(s, i), nil
	}
	if col, ok := e.(*colExpr); ok && col.qual == "" {
		at := -1
		for i, out := range s.cols {
			if !out.Name.Set || out.Name.Text != col.name {
				continue
			}
			if at >= 0 && !query.Equal(c.shown(s, at), c.shown(s, i)) {
				return nil, c.ambiguous(col)
			}
			at = i
		}
		if at >= 0 {
			return c.shown(s, at), nil
		}
	}
	x, err := c.value(e)
	if err != nil {
		return nil, err
	}
	return finish(e.tokens(), x)
}

// shown is the expression of a result column.
func (c *checker) shown(s *selection, i int) query.Expr {
	if s.q.Out == query.OutRow {
		return c.columnOf(s.q.Rel, colID(i+hiddenCols(c.rels[s.q.Rel].table)))
	}
	return s.q.Items[i]
}

// subplan checks and plans a sub-select. Its scope is its own; what it reads
// counts for the statement. assigned are the types of the columns that its result is
// inserted into, if it is.
func (c *checker) subplan(st *selectStmt, assigned ...*sats.Type) (*query.Plan, []OutCol, error) {
	rels, group, dialect, outer := c.rels, c.group, c.dialect, c.assigned
	defer func() { c.rels, c.group, c.dialect, c.assigned = rels, group, dialect, outer }()
	c.rels, c.group, c.dialect, c.assigned = nil, grouping{}, dialectFull, assigned
	if err := c.selectShape(st); err != nil {
		return nil, nil, err
	}
	s, err := c.selection(st)
	if err != nil {
		return nil, nil, err
	}
	return query.Compile(s.q), s.cols, nil
}
