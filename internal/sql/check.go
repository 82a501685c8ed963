package sql

import (
	"slices"
	"strings"

	"github.com/stdbgo/spacetime/internal/query"
	"github.com/stdbgo/spacetime/sats"
)

func (c *checker) unexpected(sp span, expected, inferred *sats.Type) *Error {
	err := c.errorAt(sp, "Unexpected type: (expected) %s != %s (inferred)", expected, inferred)
	err.Suggestion = typeHint(expected, inferred)
	return err
}

func (c *checker) literalError(l *litExpr, t *sats.Type) *Error {
	err := c.errorAt(l.span, "The literal expression `%s` cannot be parsed as type `%s`", l.text, t)
	err.Suggestion = literalHint(l.text, t)
	return err
}

func (c *checker) badOperator(sp span, op string, t *sats.Type) *Error {
	err := c.errorAt(sp, "Invalid binary operator `%s` for type `%s`", op, t)
	err.Suggestion = "CAST converts between types."
	return err
}

// condition checks e against Bool.
func (c *checker) condition(e expr) (query.Expr, error) { return c.check(e, sats.Bool) }

// value checks an expression that stands alone: what has no type of its own gets
// the default one (spec 07 §34.5).
func (c *checker) value(e expr) (query.Expr, error) {
	if c.typeless(e) {
		return c.check(e, c.defaultType(e))
	}
	return c.check(e, nil)
}

// check types e (spec 07 §7.1, §34.5). want is the expected base type, nil if
// unknown.
func (c *checker) check(e expr, want *sats.Type) (query.Expr, error) {
	switch e := e.(type) {
	case *litExpr:
		return c.literal(e, want)
	case *nullExpr:
		if want == nil {
			return nil, c.errorAt(e.span, "Cannot resolve type for literal expression")
		}
		return &query.Const{Type: want}, nil
	case *paramExpr:
		return c.senderValue(e, want)
	case *bindExpr:
		return c.bound(e, want)
	case *colExpr:
		if c.floatWord(e) && (want == nil || want.Kind.IsFloat()) {
			return c.floatConst(e, want, false)
		}
		col, err := c.column(e)
		if err != nil {
			return nil, err
		}
		return c.expect(e, col, want)
	case *binExpr:
		return c.binary(e, want)
	case *signExpr:
		return c.sign(e, want)
	case *castExpr:
		x, err := c.cast(e)
		if err != nil {
			return nil, err
		}
		return c.expect(e, x, want)
	case *funcExpr:
		return c.function(e, want)
	case *subExpr:
		if e.exists {
			break
		}
		x, err := c.scalar(e)
		if err != nil {
			return nil, err
		}
		return c.expect(e, x, want)
	}
	if want != nil && want.Kind != sats.KindBool {
		return nil, c.unexpected(e.tokens(), sats.Bool, want)
	}
	return c.boolean(e)
}

// expect compares the type of x with the expected one.
func (c *checker) expect(e expr, x query.Expr, want *sats.Type) (query.Expr, error) {
	if t := query.TypeOf(x); want != nil && !want.Equal(t) {
		return nil, c.unexpected(e.tokens(), t, want)
	}
	return x, nil
}

// boolean types the forms whose value is a truth.
func (c *checker) boolean(e expr) (query.Expr, error) {
	switch e := e.(type) {
	case *logicExpr:
		xs := make([]query.Expr, len(e.xs))
		for i, x := range e.xs {
			var err error
			if xs[i], err = c.condition(x); err != nil {
				return nil, err
			}
		}
		if e.or {
			return query.Or(xs), nil
		}
		return query.And(xs), nil
	case *notExpr:
		x, err := c.condition(e.x)
		return &query.Not{X: x}, err
	case *cmpExpr:
		xs, err := c.same(e.span, e.l, e.r)
		if err != nil {
			return nil, err
		}
		return &query.Compare{Op: e.op, L: xs[0], R: xs[1]}, nil
	case *isExpr:
		return c.is(e)
	case *inExpr:
		return c.in(e)
	case *betweenExpr:
		xs, err := c.same(e.span, e.x, e.lo, e.hi)
		if err != nil {
			return nil, err
		}
		return negated(e.not, query.And{&query.Compare{Op: query.Ge, L: xs[0], R: xs[1]}, &query.Compare{Op: query.Le, L: xs[0], R: xs[2]}}), nil
	case *likeExpr:
		return c.like(e)
	case *subExpr:
		plan, _, err := c.subplan(e.sel)
		return &query.Sub{Plan: plan, Text: c.asWritten(e.sel.span), Kind: query.SubExists, Type: sats.Bool}, err
	}
	return nil, c.refusal(e)
}

func negated(not bool, e query.Expr) query.Expr {
	if not {
		return &query.Not{X: e}
	}
	return e
}

// same types operands that must have one base type: that of the first which has
// one.
func (c *checker) same(sp span, es ...expr) ([]query.Expr, error) {
	first := slices.IndexFunc(es, func(e expr) bool { return !c.typeless(e) && !isParam(e) })
	var t *sats.Type
	out := make([]query.Expr, len(es))
	switch {
	case first >= 0:
		x, err := c.check(es[first], nil)
		if err != nil {
			return nil, err
		}
		out[first], t = x, query.TypeOf(x)
	case slices.ContainsFunc(es, isParam):
		t = sats.IdentityType
	default:
		err := c.errorAt(es[0].tokens(), "Cannot resolve type for literal expression")
		err.Suggestion = "CAST gives a literal a type."
		return nil, err
	}
	for i, e := range es {
		if i == first {
			continue
		}
		x, err := c.check(e, t)
		if err != nil {
			return nil, err
		}
		out[i] = x
	}
	return out, nil
}

func isParam(e expr) bool { _, ok := e.(*paramExpr); return ok }

// typeless reports whether e is made of literals only and takes its type from
// what surrounds it.
func (c *checker) typeless(e expr) bool {
	switch e := e.(type) {
	case *litExpr:
		return e.kind != litBool
	case *nullExpr, *bindExpr:
		return true
	case *colExpr:
		return c.floatWord(e)
	case *binExpr:
		// Chains of operators are asked again at every link.
		free, ok := c.free[e]
		if !ok {
			free = e.op != '|' && c.typeless(e.l) && c.typeless(e.r)
			if c.free == nil {
				c.free = map[*binExpr]bool{}
			}
			c.free[e] = free
		}
		return free
	case *signExpr:
		return c.typeless(e.x)
	case *funcExpr:
		return e.name == "COALESCE" && !slices.ContainsFunc(e.args, func(x expr) bool { return !c.typeless(x) })
	}
	return false
}

// defaultType is the type of literals that nothing else gives one; nil for NULL
// alone.
func (c *checker) defaultType(e expr) *sats.Type {
	switch e := e.(type) {
	case *litExpr:
		switch e.kind {
		case litString:
			return sats.String
		case litHex:
			return sats.Array(sats.U8)
		}
		if strings.ContainsAny(e.text, ".eE") {
			return sats.F64
		}
		for _, t := range []*sats.Type{sats.I64, sats.I128Type, sats.I256Type} {
			if _, ok := appendInteger(nil, e.text, t.Kind); ok {
				return t
			}
		}
		return sats.U256Type
	case *colExpr:
		return sats.F64
	case *bindExpr:
		return c.env.Params.Types[e.n]
	case *signExpr:
		return c.defaultType(e.x)
	}
	var out *sats.Type
	for _, x := range operands(e) {
		// Of a float and an integer both become floats, of two integers both the wider.
		if t := c.defaultType(x); t != nil && (out == nil || t.Kind == sats.KindF64 || out.Kind.IsInteger() && t.Kind.IsInteger() && t.Kind.Size() > out.Kind.Size()) {
			out = t
		}
	}
	return out
}

func (c *checker) literal(l *litExpr, want *sats.Type) (query.Expr, error) {
	if l.kind == litBool {
		if want != nil && want.Kind != sats.KindBool {
			return nil, c.unexpected(l.span, sats.Bool, want)
		}
		return &query.Const{Type: sats.Bool, Value: sats.AppendBool(nil, l.text == "true")}, nil
	}
	if want == nil {
		return nil, c.errorAt(l.span, "Cannot resolve type for literal expression")
	}
	v, ok := parseLiteral(nil, l, want)
	if !ok {
		return nil, c.literalError(l, want)
	}
	return constOf(want, v), nil
}

// constOf is a constant; a value of no bytes is not none.
func constOf(t *sats.Type, v []byte) *query.Const {
	if v == nil {
		v = []byte{}
	}
	return &query.Const{Type: t, Value: v}
}

// senderValue is :sender: an Identity, or its big-endian bytes beside bytes.
func (c *checker) senderValue(e *paramExpr, want *sats.Type) (query.Expr, error) {
	c.sender = true
	switch {
	case want == nil || want.Special() == sats.SpecialIdentity:
		return &query.Const{Type: sats.IdentityType, Value: c.caller.Identity.AppendBSATN(nil)}, nil
	case want.IsBytes():
		big := slices.Clone(c.caller.Identity[:])
		slices.Reverse(big)
		return &query.Const{Type: want, Value: sats.AppendBytes(nil, big)}, nil
	}
	return nil, c.unexpected(e.span, sats.IdentityType, want)
}

// floatWord reports whether a bare word like NaN is no column and so a float.
func (c *checker) floatWord(e *colExpr) bool {
	if !isFloatWord(e) {
		return false
	}
	for _, rel := range c.rels {
		if _, ok := visibleCol(rel.table, e.name); ok {
			return false
		}
	}
	return true
}

func (c *checker) floatConst(e *colExpr, want *sats.Type, neg bool) (query.Expr, error) {
	text := e.name
	if neg {
		text = "-" + text
	}
	return c.literal(&litExpr{e.span, litString, text, false}, want)
}

func (c *checker) is(e *isExpr) (query.Expr, error) {
	if e.y != nil {
		xs, err := c.same(e.span, e.x, e.y)
		if err != nil {
			return nil, err
		}
		return negated(e.not, &query.Distinct{L: xs[0], R: xs[1]}), nil
	}
	var x query.Expr
	var err error
	if e.what == query.IsNull {
		if x, err = c.nullOperand(e.x); err != nil {
			return nil, err
		}
	} else if x, err = c.condition(e.x); err != nil {
		return nil, err
	}
	return negated(e.not, &query.Is{X: x, What: e.what}), nil
}

// nullOperand types the operand of IS NULL; NULL itself has none.
func (c *checker) nullOperand(e expr) (query.Expr, error) {
	if n, ok := e.(*nullExpr); ok {
		return nil, c.errorAt(n.span, "Cannot resolve type for literal expression")
	}
	return c.value(e)
}

func (c *checker) in(e *inExpr) (query.Expr, error) {
	if e.sub != nil {
		return c.inSelect(e)
	}
	xs, err := c.same(e.span, append([]expr{e.x}, e.list...)...)
	if err != nil {
		return nil, err
	}
	var or query.Or
	for _, x := range xs[1:] {
		or = append(or, &query.Compare{Op: query.Eq, L: xs[0], R: x})
	}
	return negated(e.not, or), nil
}

func (c *checker) inSelect(e *inExpr) (query.Expr, error) {
	plan, cols, err := c.subplan(e.sub)
	if err != nil {
		return nil, err
	}
	if len(cols) != 1 {
		return nil, c.errorAt(e.sub.span, "Sub-select must return one column")
	}
	t, opt := baseOf(cols[0].Type)
	var x query.Expr
	if x, err = c.check(e.x, t); err != nil {
		return nil, err
	}
	return negated(e.not, &query.Sub{Plan: plan, Text: c.asWritten(e.sub.span), Kind: query.SubIn, X: x, Type: sats.Bool, Opt: opt}), nil
}

// baseOf takes an option off a result column.
func baseOf(t *sats.Type) (base *sats.Type, opt bool) {
	if inner, ok := t.IsOption(); ok {
		return inner, true
	}
	return t, false
}

func (c *checker) scalar(e *subExpr) (query.Expr, error) {
	plan, cols, err := c.subplan(e.sel)
	if err != nil {
		return nil, err
	}
	if len(cols) != 1 {
		return nil, c.errorAt(e.sel.span, "Sub-select must return one column")
	}
	t, opt := baseOf(cols[0].Type)
	return &query.Sub{Plan: plan, Text: c.asWritten(e.sel.span), Kind: query.SubValue, Type: t, Opt: opt}, nil
}

func (c *checker) like(e *likeExpr) (query.Expr, error) {
	x, err := c.check(e.x, sats.String)
	if err != nil {
		return nil, err
	}
	pattern, ok := e.pattern.(*litExpr)
	if b, is := e.pattern.(*bindExpr); is {
		text, null := c.boundText(b)
		if null {
			return &query.Const{Type: sats.Bool}, nil
		}
		pattern, ok = &litExpr{span: b.span, kind: litString, text: text}, true
	}
	if !ok || pattern.kind == litBool {
		return nil, unsupported(c.at(e.span), "Unsupported expression", c.render(e.span))
	}
	p := &query.Pattern{Text: pattern.text, Escape: '\\', Fold: e.fold}
	if e.escape != nil {
		rs := []rune(*e.escape)
		switch len(rs) {
		case 0:
			p.Escape = 0
		case 1:
			p.Escape = rs[0]
		default:
			return nil, c.errorAt(e.span, "ESCAPE must be one character or none")
		}
	}
	if !p.Valid() {
		return nil, c.errorAt(pattern.span, "LIKE pattern must not end with escape character")
	}
	return negated(e.not, &query.Like{X: x, Pattern: p}), nil
}
