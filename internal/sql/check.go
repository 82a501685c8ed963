package sql

import (
	"slices"

	"github.com/stdbgo/spacetime/internal/query"
	"github.com/stdbgo/spacetime/sats"
)

// refusal finds the first form in e that the language does not have.
func (c *checker) refusal(e expr) error {
	switch e := e.(type) {
	case *refusedExpr:
		return &Error{Pos: c.at(e.span), Msg: e.msg}
	case *funcExpr:
		return unsupported(c.at(e.span), "Unsupported expression", c.render(e.span))
	case *logicExpr:
		for _, x := range e.xs {
			if err := c.refusal(x); err != nil {
				return err
			}
		}
	case *notExpr:
		return c.refusal(e.x)
	case *cmpExpr:
		if err := c.refusal(e.l); err != nil {
			return err
		}
		return c.refusal(e.r)
	}
	return nil
}

// unqualified finds the first column without a qualifier.
func unqualified(e expr) *colExpr {
	switch e := e.(type) {
	case *colExpr:
		if e.qual == "" {
			return e
		}
	case *logicExpr:
		for _, x := range e.xs {
			if col := unqualified(x); col != nil {
				return col
			}
		}
	case *notExpr:
		return unqualified(e.x)
	case *cmpExpr:
		if col := unqualified(e.l); col != nil {
			return col
		}
		return unqualified(e.r)
	}
	return nil
}

func (c *checker) unexpected(sp span, expected, inferred *sats.Type) *Error {
	return c.errorAt(sp, "Unexpected type: (expected) %s != %s (inferred)", expected, inferred)
}

func (c *checker) literalError(l *litExpr, t *sats.Type) *Error {
	return c.errorAt(l.span, "The literal expression `%s` cannot be parsed as type `%s`", l.text, t)
}

// condition checks e against Bool.
func (c *checker) condition(e expr) (query.Expr, error) { return c.check(e, sats.Bool) }

// check types e (spec 07 §7.1). want is the expected type, nil if unknown.
func (c *checker) check(e expr, want *sats.Type) (query.Expr, error) {
	switch e := e.(type) {
	case *litExpr:
		return c.literal(e, want)
	case *paramExpr:
		return c.senderValue(e, want)
	case *colExpr:
		col, err := c.column(e)
		if err == nil && want != nil && !want.Equal(col.Type) {
			return nil, c.unexpected(e.span, col.Type, want)
		}
		return col, err
	}
	if want != nil && want.Kind != sats.KindBool {
		return nil, c.unexpected(e.tokens(), sats.Bool, want)
	}
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
		return c.compare(e)
	}
	return nil, c.refusal(e)
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
	return &query.Const{Type: want, Value: v}, nil
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

func (c *checker) compare(e *cmpExpr) (query.Expr, error) {
	out := &query.Compare{Op: e.op}
	var err error
	_, leftLit := e.l.(*litExpr)
	_, leftParam := e.l.(*paramExpr)
	if leftLit || leftParam {
		var want *sats.Type
		if lit, ok := e.r.(*litExpr); ok && leftParam && lit.kind != litBool {
			want = sats.IdentityType // :sender = 0x…
		}
		if out.R, err = c.check(e.r, want); err == nil {
			out.L, err = c.check(e.l, typeOf(out.R))
		}
	} else if out.L, err = c.check(e.l, nil); err == nil {
		out.R, err = c.check(e.r, typeOf(out.L))
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

func typeOf(e query.Expr) *sats.Type {
	return query.TypeOf(e)
}
