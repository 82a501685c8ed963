package sql

import (
	"github.com/stdbgo/spacetime/internal/query"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/sats"
)

// An OutCol is one column of a result.
type OutCol struct {
	Name sats.Name
	Type *sats.Type
}

// A selection is a checked SELECT.
type selection struct {
	plan *query.Plan
	out  query.OutKind
	cols []OutCol
}

// queryShape refuses what neither dialect has around a SELECT. limited tells
// whether LIMIT n is in the dialect.
func (c *checker) queryShape(st *selectStmt, subscription bool) error {
	badLimit := false
	if st.limit != nil {
		l, ok := st.limit.(*litExpr)
		badLimit = subscription || !ok || l.kind != litNumber || l.signed
	}
	switch {
	case st.badQuery || badLimit || !subscription && (st.badSelect || st.setOp):
		return unsupported(c.at(st.span), "Unsupported", c.render(st.span))
	case st.setOp:
		return unsupported(c.at(st.span), "Unsupported set operation", c.render(st.body))
	case st.badSelect:
		return unsupported(c.at(st.span), "Unsupported SELECT", c.render(st.body))
	}
	return nil
}

// selectShape refuses in the order of spec 07 §3.3 what parses and is not in the
// dialect.
func (c *checker) selectShape(st *selectStmt, subscription bool) error {
	if err := c.queryShape(st, subscription); err != nil {
		return err
	}
	if !subscription {
		if err := c.itemsShape(st.items); err != nil {
			return err
		}
	}
	if err := c.fromShape(st); err != nil {
		return err
	}
	if st.where != nil {
		if err := c.refusal(st.where); err != nil {
			return err
		}
	}
	if subscription {
		if err := c.itemsShape(st.items); err != nil {
			return err
		}
	}
	return c.qualifiedShape(st)
}

func (c *checker) itemsShape(items []item) error {
	for _, it := range items {
		if len(items) > 1 && it.star {
			return c.errorAt(it.span, "Mixed wildcard projections are not supported")
		}
	}
	for _, it := range items {
		switch x := it.x.(type) {
		case nil, *colExpr:
			continue
		case *funcExpr:
			switch {
			case len(items) > 1:
			case !it.named:
				return c.errorAt(it.span, "Aggregate expressions must have column aliases")
			case !x.countStar:
				return unsupported(c.at(it.span), "Unsupported aggregate function", c.render(x.span))
			default:
				continue
			}
		}
		return unsupported(c.at(it.span), "Unsupported projection expression", c.render(span{it.from, it.x.tokens().to}))
	}
	return nil
}

func (c *checker) fromShape(st *selectStmt) error {
	switch len(st.from) {
	case 0:
		return c.errorAt(st.span, "A FROM clause is required")
	case 1:
	default:
		return c.errorAt(st.from[1][0].whole, "Implicit joins are not supported")
	}
	for i := range st.from[0] {
		ref := &st.from[0][i]
		if err := c.refShape(ref); err != nil {
			return err
		}
		if len(ref.args) > 0 && len(st.from[0]) > 1 {
			return c.errorAt(ref.span, "Unsupported view call in a JOIN: `%s`. A view that takes arguments can only be queried by itself", ref.name)
		}
	}
	return nil
}

func (c *checker) refShape(ref *tableRef) error {
	if ref.refused {
		return unsupported(c.at(ref.whole), "Unsupported FROM expression", c.render(ref.whole))
	}
	for _, a := range ref.args {
		if a.named {
			return c.errorAt(a.span, "Unsupported view argument: %s. View arguments must be positional literals", c.render(a.span))
		}
		if x, ok := a.x.(*refusedExpr); ok && isLiteralRefusal(x) {
			return &Error{Pos: c.at(a.span), Msg: x.msg}
		}
		if _, ok := a.x.(*paramExpr); ok {
			return unsupported(c.at(a.span), "Unsupported literal expression", c.render(a.span))
		}
		if _, ok := a.x.(*litExpr); !ok {
			return c.errorAt(a.span, "Unsupported view argument: %s. View arguments must be literals", c.render(a.span))
		}
	}
	if ref.kind == joinOther {
		return c.errorAt(ref.whole, "Non-inner joins are not supported")
	}
	if ref.on != nil && !equalities(ref.on) {
		return c.errorAt(ref.on.tokens(), "Non-inner joins are not supported")
	}
	return nil
}

func isLiteralRefusal(x *refusedExpr) bool {
	const prefix = "Unsupported literal expression"
	return len(x.msg) > len(prefix) && x.msg[:len(prefix)] == prefix
}

// equalities reports whether an ON is column = column, or a conjunction of such,
// which the query builders of the SDKs write for semijoins on several columns.
func equalities(e expr) bool {
	switch e := e.(type) {
	case *logicExpr:
		for _, x := range e.xs {
			if e.or || !equalities(x) {
				return false
			}
		}
		return true
	case *cmpExpr:
		_, l := e.l.(*colExpr)
		_, r := e.r.(*colExpr)
		return e.op == query.Eq && l && r
	}
	return false
}

func (c *checker) qualifiedShape(st *selectStmt) error {
	c.joined = len(st.from[0]) > 1
	if !c.joined {
		return nil
	}
	var bad *colExpr
	look := func(e expr) {
		if bad == nil && e != nil {
			bad = unqualified(e)
		}
	}
	for i := range st.from[0] {
		look(st.from[0][i].on)
	}
	for _, it := range st.items {
		look(it.x)
	}
	look(st.where)
	if bad == nil {
		return nil
	}
	err := c.errorAt(bad.span, "Names must be qualified when using joins")
	err.Suggestion = "Write `" + st.from[0][0].alias + "." + bad.name + "` if you mean that table."
	return err
}

// selection resolves, types and plans a SELECT whose shape is fine.
func (c *checker) selection(st *selectStmt) (*selection, error) {
	var q query.Select
	for i := range st.from[0] {
		rel, err := c.joinRelation(&st.from[0][i])
		if err != nil {
			return nil, err
		}
		q.From = append(q.From, rel)
	}
	if st.where != nil {
		var err error
		if q.Where, err = c.condition(st.where); err != nil {
			return nil, err
		}
	}
	cols, err := c.project(st, &q)
	if err != nil {
		return nil, err
	}
	if st.limit != nil {
		l := st.limit.(*litExpr)
		v, ok := parseLiteral(nil, l, sats.U64)
		if !ok {
			return nil, c.literalError(l, sats.U64)
		}
		n := sats.NewReader(v).U64()
		q.Limit = &n
	}
	if err := c.callShape(st, &q); err != nil {
		return nil, err
	}
	return &selection{query.Compile(q), q.Out, cols}, nil
}

// joinRelation brings one relation of FROM into scope.
func (c *checker) joinRelation(ref *tableRef) (query.Relation, error) {
	var rel query.Relation
	if c.relation(ref.alias) >= 0 {
		return rel, c.errorAt(ref.span, "Duplicate name `%s`", ref.alias)
	}
	t, err := c.table(ref.span, ref.name)
	if err != nil {
		return rel, err
	}
	if len(ref.args) > 0 && !t.IsView {
		return rel, c.errorAt(ref.span, "`%s` is a table, not a view; it does not take arguments", t.Name)
	}
	if err := c.readable(ref.span, t, ref.name); err != nil {
		return rel, err
	}
	c.rels = append(c.rels, relation{ref.alias, t})
	rel.Table = t
	if t.IsView {
		if rel.View, err = c.viewRead(ref, t); err != nil {
			return rel, err
		}
	}
	if ref.on != nil {
		rel.On, err = c.condition(ref.on)
	}
	return rel, err
}

// project resolves the SELECT list.
func (c *checker) project(st *selectStmt, q *query.Select) ([]OutCol, error) {
	first := st.items[0]
	if first.star {
		return c.star(first, q)
	}
	if _, ok := first.x.(*funcExpr); ok {
		q.Out = query.OutCount
		return []OutCol{{sats.Named(first.alias), sats.U64}}, nil
	}
	q.Out = query.OutColumns
	var cols []OutCol
	seen := make(map[string]bool)
	for _, it := range st.items {
		x := it.x.(*colExpr)
		name := x.name
		if it.named {
			name = it.alias
		}
		if seen[name] {
			return nil, c.errorAt(it.span, "Duplicate name `%s`", name)
		}
		seen[name] = true
		col, err := c.column(x)
		if err != nil {
			return nil, err
		}
		q.Cols = append(q.Cols, col)
		cols = append(cols, OutCol{sats.Named(name), col.Type})
	}
	return cols, nil
}

func (c *checker) star(it item, q *query.Select) ([]OutCol, error) {
	q.Out = query.OutRow
	if it.qual != "" {
		if q.Rel = c.relation(it.qual); q.Rel < 0 {
			return nil, c.notInScope(it.span, it.qual, c.aliases())
		}
	} else if c.joined {
		err := c.errorAt(it.span, "SELECT * is not supported for joins")
		err.Suggestion = "Write `" + c.rels[0].alias + ".*`, or name the columns."
		return nil, err
	}
	return rowCols(c.rels[q.Rel].table), nil
}

func rowCols(t *schema.Table) []OutCol {
	var cols []OutCol
	for _, col := range t.Cols[hiddenCols(t):] {
		cols = append(cols, OutCol{sats.Named(col.Name), col.Type})
	}
	return cols
}
