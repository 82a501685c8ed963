package sql

import (
	"slices"

	"github.com/stdbgo/spacetime/internal/query"
	"github.com/stdbgo/spacetime/sats"
)

// binary types an arithmetic operator or || (spec 07 §34.7).
func (c *checker) binary(e *binExpr, want *sats.Type) (query.Expr, error) {
	if e.op == '|' {
		return c.concat(e, want)
	}
	l, r, err := c.arithOperands(e, want)
	if err != nil {
		return nil, err
	}
	lt, rt := query.TypeOf(l), query.TypeOf(r)
	out := &query.Apply{Name: string(e.op), Args: []query.Expr{l, r}, Type: lt, CanFail: !lt.Kind.IsFloat()}
	k := lt.Kind
	ls, rs := lt.Special(), rt.Special()
	const at, span = sats.SpecialTimestamp, sats.SpecialTimeDuration
	switch {
	case ls == at && rs == at && e.op == '-':
		out.Type, k = sats.TimeDurationType, sats.KindI64
	case (ls == at || ls == span) && rs == span && (e.op == '+' || e.op == '-'):
		k = sats.KindI64
	case !lt.Equal(rt):
		return nil, c.unexpected(e.r.tokens(), rt, lt)
	case !k.IsInteger() && !k.IsFloat():
		return nil, c.badOperator(e.span, string(e.op), lt)
	}
	out.Fn2 = query.Arith(e.op, k, out.Type)
	return c.expect(e, out, want)
}

// arithOperands types the operands. Literals take the type of the other side, or
// the expected one, or a default; beside a time they may be a span of time.
func (c *checker) arithOperands(e *binExpr, want *sats.Type) (l, r query.Expr, err error) {
	lfree, rfree := c.typeless(e.l), c.typeless(e.r)
	switch {
	case lfree && rfree:
		t := want
		if t == nil || !t.Kind.IsInteger() && !t.Kind.IsFloat() {
			t = c.defaultType(e)
		}
		if l, err = c.check(e.l, t); err == nil {
			r, err = c.check(e.r, t)
		}
		return l, r, err
	case lfree:
		if r, err = c.check(e.r, nil); err == nil {
			l, err = c.check(e.l, query.TypeOf(r))
		}
		return l, r, err
	}
	if l, err = c.check(e.l, nil); err != nil {
		return nil, nil, err
	}
	if !rfree {
		r, err = c.check(e.r, nil)
		return l, r, err
	}
	t := query.TypeOf(l)
	if t.Special() == sats.SpecialTimestamp {
		r, err = c.check(e.r, sats.TimeDurationType)
		if err == nil {
			return l, r, nil
		}
	}
	r, err = c.check(e.r, t)
	return l, r, err
}

func (c *checker) concat(e *binExpr, want *sats.Type) (query.Expr, error) {
	if want != nil && want.Kind != sats.KindString {
		return nil, c.unexpected(e.span, sats.String, want)
	}
	l, err := c.check(e.l, sats.String)
	if err != nil {
		return nil, err
	}
	r, err := c.check(e.r, sats.String)
	if err != nil {
		return nil, err
	}
	return &query.Apply{Name: "||", Args: []query.Expr{l, r}, Type: sats.String, Fn2: func(dst, a, b []byte) ([]byte, error) {
		dst = sats.AppendLen(dst, len(a)+len(b)-8)
		return append(append(dst, a[4:]...), b[4:]...), nil
	}}, nil
}

func (c *checker) sign(e *signExpr, want *sats.Type) (query.Expr, error) {
	if col, ok := e.x.(*colExpr); ok && c.floatWord(col) && (want == nil || want.Kind.IsFloat()) {
		return c.floatConst(col, want, e.neg)
	}
	if c.dialect == dialectLive {
		return nil, unsupported(c.at(e.span), "Unsupported expression", c.render(e.span))
	}
	x, err := c.check(e.x, want)
	if err != nil {
		return nil, err
	}
	t := query.TypeOf(x)
	fn := query.Negate(t.Kind, t)
	if fn == nil {
		return nil, c.badOperator(e.span, "-", t)
	}
	if !e.neg {
		return x, nil
	}
	return &query.Apply{Name: "-", Args: []query.Expr{x}, Type: t, CanFail: t.Kind.IsInteger(), Fn1: fn}, nil
}

func (c *checker) function(e *funcExpr, want *sats.Type) (query.Expr, error) {
	switch {
	case e.odd:
		return nil, c.refusal(e)
	case e.name == "COALESCE":
		return c.coalesce(e, want)
	}
	x, err := c.aggregate(e)
	if err != nil {
		return nil, err
	}
	return c.expect(e, x, want)
}

func (c *checker) coalesce(e *funcExpr, want *sats.Type) (query.Expr, error) {
	if c.typeless(e) {
		t := want
		if t == nil {
			t = c.defaultType(e)
		}
		var out query.Coalesce
		for _, a := range e.args {
			x, err := c.check(a, t)
			if err != nil {
				return nil, err
			}
			out = append(out, x)
		}
		return out, nil
	}
	xs, err := c.same(e.span, e.args...)
	if err != nil {
		return nil, err
	}
	return c.expect(e, query.Coalesce(xs), want)
}

var aggregates = map[string]query.AggFn{
	"COUNT": query.AggCount, "SUM": query.AggSum, "MIN": query.AggMin, "MAX": query.AggMax, "AVG": query.AggAvg,
}

// aggregates that a query computes, in the order of their first mention.
type grouping struct {
	open   bool // an aggregate may stand here
	groups []query.Expr
	aggs   []query.Agg
}

func (c *checker) aggregate(e *funcExpr) (query.Expr, error) {
	bad := func(misplaced bool) error {
		err := unsupported(c.at(e.span), "Unsupported aggregate function", c.render(e.span))
		err.Suggestion = aggregateHint(e.name, misplaced)
		return err
	}
	if !c.group.open {
		return nil, bad(true)
	}
	agg := query.Agg{Fn: aggregates[e.name], Distinct: e.distinct}
	null := agg.Fn != query.AggCount
	if !e.star {
		c.group.open = false
		x, err := c.value(e.args[0])
		c.group.open = true
		if err != nil {
			return nil, err
		}
		agg.X = x
		null = null && (len(c.group.groups) == 0 || query.Nullable(x))
		agg.Type = query.AggType(agg.Fn, query.TypeOf(x))
	} else {
		agg.Type = sats.U64
	}
	if agg.Type == nil {
		return nil, bad(false)
	}
	at := slices.IndexFunc(c.group.aggs, func(a query.Agg) bool {
		return a.Fn == agg.Fn && a.Distinct == agg.Distinct && (a.X == nil) == (agg.X == nil) && (a.X == nil || query.Equal(a.X, agg.X))
	})
	if at < 0 {
		at = len(c.group.aggs)
		c.group.aggs = append(c.group.aggs, agg)
	}
	return &query.Slot{N: len(c.group.groups) + at, Type: agg.Type, Null: null}, nil
}

// hasAggregate reports whether an aggregate stands in e, outside of sub-selects.
func hasAggregate(e expr) bool {
	if f, ok := e.(*funcExpr); ok {
		if _, is := aggregates[f.name]; is && !f.odd {
			return true
		}
	}
	return slices.ContainsFunc(operands(e), hasAggregate)
}

// perGroup rewrites an expression over the input into one over groups: what is a
// grouping expression becomes its slot. A column that is left has no one value.
func (c *checker) perGroup(sp span, e query.Expr) (query.Expr, error) {
	sizes := make([]int, len(c.group.groups))
	for i, g := range c.group.groups {
		sizes[i] = query.Size(g)
	}
	var bad *query.Column
	// Only expressions of one size are compared, so that a long chain of operators is
	// not compared again at every link.
	var rewrite func(query.Expr) (query.Expr, int)
	rewrite = func(e query.Expr) (query.Expr, int) {
		before, n := bad, 1
		out := query.Map(e, func(x query.Expr) query.Expr {
			y, k := rewrite(x)
			n += k
			return y
		})
		for i, g := range c.group.groups {
			if n == sizes[i] && query.Equal(e, g) {
				bad = before
				return &query.Slot{N: i, Type: query.TypeOf(g), Null: query.Nullable(g)}, n
			}
		}
		if col, ok := e.(*query.Column); ok && bad == nil {
			bad = col
		}
		return out, n
	}
	out, _ := rewrite(e)
	if bad != nil {
		return nil, c.errorAt(sp, "Column `%s` must appear in GROUP BY or in an aggregate", c.rels[bad.Rel].table.Cols[bad.Col].Name)
	}
	return out, nil
}
