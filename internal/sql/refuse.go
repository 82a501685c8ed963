package sql

import (
	"strings"
)

// operands lists the expressions directly inside e, sub-selects excepted.
func operands(e expr) []expr {
	switch e := e.(type) {
	case *logicExpr:
		return e.xs
	case *notExpr:
		return []expr{e.x}
	case *cmpExpr:
		return []expr{e.l, e.r}
	case *binExpr:
		return []expr{e.l, e.r}
	case *signExpr:
		return []expr{e.x}
	case *castExpr:
		return []expr{e.x}
	case *isExpr:
		if e.y != nil {
			return []expr{e.x, e.y}
		}
		return []expr{e.x}
	case *inExpr:
		return append([]expr{e.x}, e.list...)
	case *betweenExpr:
		return []expr{e.x, e.lo, e.hi}
	case *likeExpr:
		return []expr{e.x, e.pattern}
	case *funcExpr:
		return e.args
	}
	return nil
}

// refusal finds the first form in e that the dialect does not have.
func (c *checker) refusal(e expr) error {
	if err := c.refused(e); err != nil {
		return err
	}
	for _, x := range operands(e) {
		if err := c.refusal(x); err != nil {
			return err
		}
	}
	return nil
}

// refused refuses e itself, whatever is inside.
func (c *checker) refused(e expr) error {
	whole := func() error { return unsupported(c.at(e.tokens()), "Unsupported expression", c.render(e.tokens())) }
	switch e := e.(type) {
	case *refusedExpr:
		return &Error{Pos: c.at(e.span), Msg: e.msg}
	case *cmpExpr:
		// Nothing equals NULL, and nothing differs from it.
		for _, x := range []expr{e.l, e.r} {
			if n, ok := x.(*nullExpr); ok {
				return c.bareNull(n)
			}
		}
	case *funcExpr:
		if e.odd || c.dialect == dialectLive || c.dialect == dialectOnce && e.name != "COALESCE" {
			err := unsupported(c.at(e.tokens()), "Unsupported expression", c.render(e.tokens()))
			if e.odd && c.dialect == dialectFull && aggregates[e.name] == 0 && e.name != "COUNT" {
				err.Suggestion = functionHint(e.name)
			}
			return err
		}
	case *castExpr:
		if e.typ == nil || c.dialect == dialectLive {
			err := unsupported(c.at(e.tokens()), "Unsupported expression", c.render(e.tokens()))
			if e.typ == nil {
				err.Suggestion = "Types are named like Bool, I32, U64, F64, String, TIMESTAMP, IDENTITY, UUID."
			}
			return err
		}
	case *likeExpr:
		lit, ok := e.pattern.(*litExpr)
		if _, bound := e.pattern.(*bindExpr); !bound && (!ok || lit.kind == litBool) {
			return whole()
		}
	}
	if c.dialect != dialectLive {
		return nil
	}
	switch e := e.(type) {
	case *nullExpr:
		return unsupported(c.at(e.span), "Unsupported literal expression", c.render(e.span))
	case *binExpr:
		op := string(e.op)
		if e.op == '|' {
			op = "||"
		}
		return &Error{Pos: c.at(e.span), Msg: "Unsupported binary operator: " + op}
	case *signExpr:
		if !isFloatWord(e.x) {
			return whole()
		}
	case *subExpr:
		return whole()
	case *inExpr:
		if e.sub != nil {
			return whole()
		}
	}
	return nil
}

func (c *checker) bareNull(n *nullExpr) error {
	err := unsupported(c.at(n.span), "Unsupported literal expression", c.render(n.span))
	err.Suggestion = "Use IS NULL or IS NOT NULL."
	return err
}

// isFloatWord reports whether e is one of the bare words that query builders
// print for floats without digits (spec 07 §34.6).
func isFloatWord(e expr) bool {
	col, ok := e.(*colExpr)
	if !ok || col.qual != "" {
		return false
	}
	switch strings.ToUpper(col.name) {
	case "NAN", "INF", "INFINITY":
		return true
	}
	return false
}

// shape refuses what the dialect lacks in the FROM of a query.
func (c *checker) fromShape(from [][]tableRef) error {
	if len(from) > 1 && c.dialect != dialectFull {
		return c.errorAt(from[1][0].whole, "Implicit joins are not supported")
	}
	for _, group := range from {
		for i := range group {
			ref := &group[i]
			if err := c.refShape(ref); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *checker) refShape(ref *tableRef) error {
	if ref.refused {
		return unsupported(c.at(ref.whole), "Unsupported FROM expression", c.render(ref.whole))
	}
	for i := range ref.args {
		if err := c.argShape(&ref.args[i]); err != nil {
			return err
		}
	}
	if ref.kind == joinOther || ref.kind == joinLeft && c.dialect == dialectLive {
		return c.errorAt(ref.whole, "Non-inner joins are not supported")
	}
	if ref.on != nil {
		return c.refusal(ref.on)
	}
	return nil
}

func isLiteralRefusal(x *refusedExpr) bool {
	return strings.HasPrefix(x.msg, "Unsupported literal expression")
}

// queryShape refuses what the dialect lacks around a SELECT.
func (c *checker) queryShape(st *selectStmt) error {
	grouped := st.group != nil || st.having != nil
	live, full := c.dialect == dialectLive, c.dialect == dialectFull
	bad := st.badQuery || !isCount(st.limit) || !isCount(st.offset) || live && (st.order != nil || st.limit != nil || st.offset != nil)
	badSelect := st.badSelect || grouped && !full || st.distinct && live
	switch {
	case bad || full && (badSelect || st.setOp):
		err := unsupported(c.at(st.span), "Unsupported", c.render(st.span))
		for _, x := range []expr{st.limit, st.offset} {
			if !isCount(x) {
				err.Pos, err.Suggestion = c.at(x.tokens()), "LIMIT and OFFSET take a number."
			}
		}
		return err
	case st.setOp:
		return unsupported(c.at(st.span), "Unsupported set operation", c.render(st.body))
	case badSelect:
		return unsupported(c.at(st.span), "Unsupported SELECT", c.render(st.body))
	}
	return nil
}

// isCount reports whether e can be a LIMIT or OFFSET: a number token, or nothing.
func isCount(e expr) bool {
	if _, bound := e.(*bindExpr); bound {
		return true
	}
	l, ok := e.(*litExpr)
	return e == nil || ok && l.kind == litNumber && !l.signed
}

// selectShape refuses in the order of spec 07 §3.3 what parses and is not in the
// dialect.
func (c *checker) selectShape(st *selectStmt) error {
	if err := c.queryShape(st); err != nil {
		return err
	}
	full := c.dialect == dialectFull
	if full {
		if err := c.itemsShape(st.items); err != nil {
			return err
		}
	} else if len(st.from) == 0 {
		return c.errorAt(st.span, "A FROM clause is required")
	}
	if err := c.fromShape(st.from); err != nil {
		return err
	}
	for _, x := range st.conditions() {
		if err := c.refusal(x); err != nil {
			return err
		}
	}
	if !full {
		return c.rowItemsShape(st.items)
	}
	return nil
}

// conditions lists the expressions of a query outside of FROM and its items.
func (st *selectStmt) conditions() []expr {
	var out []expr
	if st.where != nil {
		out = append(out, st.where)
	}
	out = append(out, st.group...)
	if st.having != nil {
		out = append(out, st.having)
	}
	for _, k := range st.order {
		out = append(out, k.x)
	}
	return out
}

// itemsShape refuses what no SELECT list may hold.
func (c *checker) itemsShape(items []item) error {
	for _, it := range items {
		if f, ok := it.x.(*funcExpr); ok && f.odd {
			switch {
			case len(items) == 1 && !it.named:
				err := c.errorAt(it.span, "Aggregate expressions must have column aliases")
				err.Suggestion = functionHint(f.name)
				return err
			case len(items) == 1:
				err := unsupported(c.at(it.span), "Unsupported aggregate function", c.render(f.span))
				err.Suggestion = functionHint(f.name)
				return err
			}
		}
		if it.x == nil {
			continue
		}
		if err := c.refusal(it.x); err != nil {
			if e, ok := err.(*Error); ok && strings.HasPrefix(e.Msg, "Unsupported literal expression") && !isRefused(it.x) {
				return err
			}
			out := unsupported(c.at(it.span), "Unsupported projection expression", c.render(span{it.from, it.x.tokens().to}))
			if e, ok := err.(*Error); ok { // it knows the place inside
				out.Pos, out.Suggestion = e.Pos, e.Suggestion
			}
			return out
		}
	}
	return nil
}

func isRefused(e expr) bool { _, ok := e.(*refusedExpr); return ok }

// rowItemsShape refuses, where only rows of one table can be asked for, the
// lists that the query dialect of the original does not have either.
func (c *checker) rowItemsShape(items []item) error {
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
			case x.name != "COUNT" || !x.star || x.odd:
				return unsupported(c.at(it.span), "Unsupported aggregate function", c.render(x.span))
			default:
				continue
			}
		}
		return unsupported(c.at(it.span), "Unsupported projection expression", c.render(span{it.from, it.x.tokens().to}))
	}
	return nil
}
