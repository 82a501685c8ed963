package sql

import (
	"fmt"

	"github.com/stdbgo/spacetime/internal/query"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/sats"
)

const (
	maxRelations = 1_024 // of one statement, sub-selects included
	maxColumns   = 4_096 // of a result
)

// An OutCol is one column of a result.
type OutCol struct {
	Name sats.Name
	Type *sats.Type
	Null NullForm
}

// NullForm tells where the option type of a column is from (spec 07 §34.5).
type NullForm uint8

const (
	NullStored   NullForm = iota // it is stored so, or there is none
	NullComputed                 // from something computed that may be NULL
	NullJoined                   // it is stored so, on the nullable side of a LEFT JOIN
	NullPartner                  // no column of the text: see Env.Partners
)

func nullForm(x query.Expr) NullForm {
	col, ok := x.(*query.Column)
	switch {
	case ok && col.Opt && !col.Outer:
		return NullStored
	case ok && col.Opt:
		return NullJoined
	case query.Nullable(x):
		return NullComputed
	}
	return NullStored
}

// partners adds, behind the columns of the text, one for each that is NullJoined.
func (c *checker) partners(s *selection) {
	if s.q.Out != query.OutColumns || s.q.Grouped || s.q.Distinct {
		return // one row stands for several
	}
	n := len(s.cols)
	for i := range n {
		if s.cols[i].Null != NullJoined {
			continue
		}
		col := s.q.Items[i].(*query.Column)
		missing := c.missing(col.Rel)
		if missing == nil { // nothing but options
			s.q.Items, s.cols = s.q.Items[:n], s.cols[:n]
			return
		}
		s.q.Items = append(s.q.Items, missing)
		s.cols = append(s.cols, OutCol{Type: sats.Bool, Null: NullPartner})
	}
}

// missing says that a nullable side has no row: a column of it is none that is never so.
func (c *checker) missing(rel int) query.Expr {
	for i := range c.rels[rel].table.Cols {
		if col := c.columnOf(rel, colID(i)); !col.Opt {
			return &query.Is{X: col, What: query.IsNull}
		}
	}
	return nil
}

// A selection is a checked SELECT.
type selection struct {
	q    query.Select
	cols []OutCol
}

// selection resolves, types and plans a SELECT whose shape is fine.
func (c *checker) selection(st *selectStmt) (*selection, error) {
	s := &selection{}
	var err error
	if s.q.From, err = c.from(st.from, nil); err != nil {
		return nil, err
	}
	if st.where != nil {
		if s.q.Where, err = c.condition(st.where); err != nil {
			return nil, err
		}
	}
	if s.q.Grouped = isGrouped(st); s.q.Grouped && !c.onlyCounts(st) {
		err = c.groups(st, s)
	} else {
		s.q.Grouped = false
		err = c.project(st, s)
	}
	if err != nil {
		return nil, err
	}
	if len(s.cols) > maxColumns {
		return nil, c.errorAt(st.span, "Too many columns in result: %d", len(s.cols))
	}
	s.q.Distinct = st.distinct
	if err := c.orderBy(st, s); err != nil {
		return nil, err
	}
	if err := c.limits(st, s); err != nil {
		return nil, err
	}
	return s, c.callShape(st, &s.q)
}

// from resolves the relations of FROM, commas being cross joins, behind those
// that are in scope already.
func (c *checker) from(groups [][]tableRef, rels []query.Relation) ([]query.Relation, error) {
	n := 0
	for _, group := range groups {
		n += len(group)
	}
	if c.total += n; c.total > maxRelations {
		return nil, &Error{Msg: fmt.Sprintf("Too many relations in query: %d", c.total)}
	}
	for _, group := range groups {
		for i := range group {
			rel, err := c.joinRelation(&group[i])
			if err != nil {
				return nil, err
			}
			rels = append(rels, rel)
		}
	}
	return rels, nil
}

// joinRelation brings one relation of FROM into scope.
func (c *checker) joinRelation(ref *tableRef) (query.Relation, error) {
	var rel query.Relation
	if c.relation(ref.alias) >= 0 {
		err := c.errorAt(ref.span, "Duplicate name `%s`", ref.alias)
		err.Suggestion = "AS gives a table another name."
		return rel, err
	}
	t, err := c.table(ref.span, ref.name)
	if err != nil {
		return rel, err
	}
	if len(ref.args) > 0 && !t.IsView {
		return rel, c.errorAt(ref.span, "`%s` is a table, not a view; it does not take arguments", t.Name)
	}
	if rel.Rules, err = c.visible(t); err != nil {
		return rel, err
	}
	rel.Table = t
	rel.Left = ref.kind == joinLeft
	if t.IsView {
		if rel.View, err = c.viewRead(ref, t); err != nil {
			return rel, err
		}
		c.views = append(c.views, rel.View)
	}
	// The condition of a LEFT JOIN sees rows of both sides; what follows may see
	// none of the right one.
	c.rels = append(c.rels, relation{alias: ref.alias, table: t})
	if ref.on != nil {
		rel.On, err = c.condition(ref.on)
	}
	c.rels[len(c.rels)-1].outer = rel.Left
	return rel, err
}

// isGrouped reports whether the rows of a query are groups.
func isGrouped(st *selectStmt) bool {
	if st.group != nil || st.having != nil {
		return true
	}
	for _, it := range st.items {
		if it.x != nil && hasAggregate(it.x) {
			return true
		}
	}
	for _, k := range st.order {
		if hasAggregate(k.x) {
			return true
		}
	}
	return false
}

// onlyCounts reports whether a query is the COUNT(*) of the original, which need
// not look at the rows of a bare table.
func (c *checker) onlyCounts(st *selectStmt) bool {
	if len(st.items) != 1 || st.group != nil || st.having != nil || st.order != nil || st.distinct || len(c.rels) == 0 {
		return false
	}
	f, ok := st.items[0].x.(*funcExpr)
	return ok && f.name == "COUNT" && f.star && !f.odd
}

// project resolves the SELECT list of a query without groups.
func (c *checker) project(st *selectStmt, s *selection) error {
	first := st.items[0]
	if len(st.items) == 1 && first.star {
		if ok, err := c.wholeRows(first, s); ok || err != nil {
			return err
		}
	}
	if f, ok := first.x.(*funcExpr); ok && len(st.items) == 1 && f.name == "COUNT" && f.star && !f.odd {
		s.q.Out = query.OutCount
		name := sats.Named("count")
		if first.named {
			name = sats.Named(first.alias)
		}
		s.cols = []OutCol{{Name: name, Type: sats.U64}}
		return nil
	}
	return c.items(st, s, func(_ span, x query.Expr) (query.Expr, error) { return x, nil })
}

// wholeRows resolves * or x.* where it stands for rows of one relation.
func (c *checker) wholeRows(it item, s *selection) (bool, error) {
	rel := 0
	switch {
	case it.qual != "":
		if rel = c.relation(it.qual); rel < 0 {
			return false, c.notInScope(it.span, it.qual, c.aliases())
		}
	case len(c.rels) == 0:
		return false, c.errorAt(it.span, "A FROM clause is required")
	case len(c.rels) > 1 && c.dialect != dialectFull:
		err := c.errorAt(it.span, "SELECT * is not supported for joins")
		err.Suggestion = "Write `" + c.rels[0].alias + ".*`, or name the columns."
		return false, err
	case len(c.rels) > 1:
		return false, nil
	}
	if c.rels[rel].outer {
		if c.dialect == dialectFull {
			return false, nil
		}
		return false, c.errorAt(it.span, "Non-inner joins are not supported")
	}
	s.q.Out, s.q.Rel = query.OutRow, rel
	s.cols = rowCols(c.rels[rel].table)
	return true, nil
}

func rowCols(t *schema.Table) []OutCol {
	var cols []OutCol
	for _, col := range t.Cols[hiddenCols(t):] {
		cols = append(cols, OutCol{Name: sats.Named(col.Name), Type: col.Type})
	}
	return cols
}

// items resolves a list of expressions and stars; finish makes of each what the
// query computes.
func (c *checker) items(st *selectStmt, s *selection, finish func(span, query.Expr) (query.Expr, error)) error {
	s.q.Out = query.OutColumns
	seen := make(map[string]bool)
	add := func(sp span, name sats.Name, x query.Expr) error {
		x, err := finish(sp, x)
		if err != nil {
			return err
		}
		s.q.Items = append(s.q.Items, x)
		s.cols = append(s.cols, OutCol{name, query.ItemType(x), nullForm(x)})
		return nil
	}
	for _, it := range st.items {
		if it.star {
			if err := c.starItems(it, add); err != nil {
				return err
			}
			continue
		}
		name, explicit := itemName(it)
		if explicit && seen[name.Text] {
			err := c.errorAt(it.span, "Duplicate name `%s`", name.Text)
			err.Suggestion = "AS gives a column another name."
			return err
		}
		seen[name.Text] = seen[name.Text] || explicit
		x, err := c.item(it.x, len(s.cols))
		if err != nil {
			return err
		}
		if err := add(it.span, name, x); err != nil {
			return err
		}
	}
	return nil
}

// item types the i-th column of a result. What has no type of its own has that of the
// column it is inserted into (spec 07 §34.5).
func (c *checker) item(e expr, i int) (query.Expr, error) {
	if i >= len(c.assigned) || !c.typeless(e) {
		return c.value(e)
	}
	t := c.assigned[i]
	if l, ok := e.(*litExpr); ok && l.kind == litString && (t.Kind.IsInteger() || t.Kind.IsFloat() || t.Kind == sats.KindBool) {
		return c.value(e)
	}
	return c.check(e, t)
}

func (c *checker) starItems(it item, add func(span, sats.Name, query.Expr) error) error {
	from, to := 0, len(c.rels)
	if it.qual != "" {
		rel := c.relation(it.qual)
		if rel < 0 {
			return c.notInScope(it.span, it.qual, c.aliases())
		}
		from, to = rel, rel+1
	} else if to == 0 {
		return c.errorAt(it.span, "A FROM clause is required")
	}
	for rel := from; rel < to; rel++ {
		t := c.rels[rel].table
		for i := hiddenCols(t); i < len(t.Cols); i++ {
			if err := add(it.span, sats.Named(t.Cols[i].Name), c.columnOf(rel, schema.ColID(i))); err != nil {
				return err
			}
		}
	}
	return nil
}

// itemName is the name of a result column, and whether it must be distinct.
func itemName(it item) (name sats.Name, explicit bool) {
	switch x := it.x.(type) {
	case *colExpr:
		if !it.named {
			return sats.Named(x.name), true
		}
	case *funcExpr:
		if fn, ok := aggregates[x.name]; ok && !it.named {
			return sats.Named(fn.String()), false
		}
	}
	if it.named {
		return sats.Named(it.alias), true
	}
	return sats.Name{}, false
}

func (c *checker) limits(st *selectStmt, s *selection) error {
	number := func(e expr) (uint64, error) {
		if b, ok := e.(*bindExpr); ok {
			return c.boundCount(b)
		}
		l := e.(*litExpr)
		v, ok := parseLiteral(nil, l, sats.U64)
		if !ok {
			return 0, c.literalError(l, sats.U64)
		}
		return sats.NewReader(v).U64(), nil
	}
	if st.limit != nil {
		n, err := number(st.limit)
		if err != nil {
			return err
		}
		s.q.Limit = &n
	}
	if st.offset != nil {
		n, err := number(st.offset)
		if err != nil {
			return err
		}
		s.q.Offset = n
	}
	return nil
}
