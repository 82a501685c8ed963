package query

import (
	"slices"

	"github.com/stdbgo/spacetime/sats"
)

// isConst reports the value of a constant condition that is not none.
func isConst(e Expr) (value, ok bool) {
	c, ok := e.(*Const)
	if !ok || c.Value == nil {
		return false, false
	}
	return c.Value[0] != 0, true
}

// simplify brings a condition into the form that the planner reads: constants
// folded and on the right, nested ANDs and ORs flat, a bare boolean column c
// written c = TRUE.
func simplify(e Expr) Expr {
	switch e := e.(type) {
	case *Column:
		return &Compare{Eq, e, constTrue}
	case *Not:
		return negate(simplify(e.X))
	case And:
		return simplifyList(e, false)
	case Or:
		return simplifyList(e, true)
	case *Compare:
		return simplifyCompare(e)
	case *Is:
		if e.What == IsNull && !Nullable(e.X) && !CanFail(e.X) {
			return constFalse
		}
	}
	return e
}

func negate(e Expr) Expr {
	if v, ok := isConst(e); ok {
		return boolConst(!v)
	}
	switch e := e.(type) {
	case *Not:
		return e.X
	case *Compare:
		// The order is total, so every comparison has a complement; what is none
		// stays none.
		return simplifyCompare(&Compare{e.Op.complement(), e.L, e.R})
	}
	return &Not{e}
}

// simplifyList simplifies an AND or OR; stop is the value that decides it.
func simplifyList(xs []Expr, stop bool) Expr {
	var out []Expr
	for _, x := range xs {
		x = simplify(x)
		if v, ok := isConst(x); ok {
			if v != stop {
				continue
			}
			if !slices.ContainsFunc(out, CanFail) {
				return boolConst(stop)
			}
			out = append(out, x)
			break // what comes behind is never evaluated
		}
		if and, ok := x.(And); ok && !stop {
			out = append(out, and...)
		} else if or, ok := x.(Or); ok && stop {
			out = append(out, or...)
		} else {
			out = append(out, x)
		}
	}
	switch {
	case len(out) == 0:
		return boolConst(!stop)
	case len(out) == 1:
		return out[0]
	case stop:
		return Or(out)
	}
	return And(out)
}

func simplifyCompare(e *Compare) Expr {
	l, r, op := operandOf(e.L), operandOf(e.R), e.Op
	a, lc := l.(*Const)
	b, rc := r.(*Const)
	if lc && rc {
		if a.Value == nil || b.Value == nil {
			return &Const{Type: sats.Bool}
		}
		return boolConst(op.holds(sats.NewCompare(a.Type)(a.Value, b.Value)))
	}
	if lc {
		l, r, op = r, l, op.flip()
	}
	if v, ok := isConst(r); ok && op == Ne && TypeOf(r).Kind == sats.KindBool {
		op, r = Eq, boolConst(!v) // keys and indexes are about equalities
	}
	return &Compare{op, l, r}
}

// operandOf simplifies an operand that is a condition; a column stays a column.
func operandOf(e Expr) Expr {
	switch e.(type) {
	case *Compare, And, Or, *Not, *Is:
		return simplify(e)
	}
	return e
}

// conjuncts splits a simplified condition at its top-level ANDs. none reports a
// condition that no row meets. From the first conjunct that can fail on they stay
// together, so that what is behind a false one is not evaluated and nothing moves
// across (spec 07 §34.7).
func conjuncts(e Expr) (list []Expr, none bool) {
	if e == nil {
		return nil, false
	}
	e = simplify(e)
	if c, ok := e.(*Const); ok {
		v, _ := isConst(c)
		return nil, !v
	}
	and, ok := e.(And)
	if !ok {
		return []Expr{e}, false
	}
	fails := slices.IndexFunc(and, CanFail)
	if fails < 0 {
		return and, false
	}
	var rest And
	for i, x := range and {
		if i < fails && !Nullable(x) {
			list = append(list, x)
		} else {
			rest = append(rest, x)
		}
	}
	if len(rest) == 1 {
		return append(list, rest[0]), false
	}
	return append(list, rest), false
}
