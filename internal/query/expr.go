package query

import (
	"slices"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/sats"
)

// A CmpOp is one of the six comparisons.
type CmpOp uint8

const (
	Eq CmpOp = iota
	Ne
	Lt
	Gt
	Le
	Ge
)

func (op CmpOp) String() string { return [...]string{"=", "<>", "<", ">", "<=", ">="}[op] }

// flip is the comparison with its sides exchanged.
func (op CmpOp) flip() CmpOp { return [...]CmpOp{Eq, Ne, Gt, Lt, Ge, Le}[op] }

// holds decides the comparison from the order of its operands.
func (op CmpOp) holds(c int) bool {
	switch op {
	case Eq:
		return c == 0
	case Ne:
		return c != 0
	case Lt:
		return c < 0
	case Gt:
		return c > 0
	case Le:
		return c <= 0
	}
	return c >= 0
}

// An Expr is a checked expression: *Const, *Column, *Compare, And, Or or *Not.
// Operands of a Compare have equal types; conditions have type Bool.
type Expr interface{ isExpr() }

type (
	// Const is a value in BSATN.
	Const struct {
		Type  *sats.Type
		Value []byte
	}
	// Column is a column of relation Rel, counted in FROM order.
	Column struct {
		Rel  int
		Col  schema.ColID
		Type *sats.Type
	}
	Compare struct {
		Op   CmpOp
		L, R Expr
	}
	And []Expr
	Or  []Expr
	Not struct{ X Expr }
)

func (*Const) isExpr()   {}
func (*Column) isExpr()  {}
func (*Compare) isExpr() {}
func (And) isExpr()      {}
func (Or) isExpr()       {}
func (*Not) isExpr()     {}

var (
	constTrue  = &Const{Type: sats.Bool, Value: []byte{1}}
	constFalse = &Const{Type: sats.Bool, Value: []byte{0}}
)

func boolConst(v bool) *Const {
	if v {
		return constTrue
	}
	return constFalse
}

// isConst reports the value of a constant condition.
func isConst(e Expr) (value, ok bool) {
	c, ok := e.(*Const)
	return ok && c.Value[0] != 0, ok
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
		// The order is total, so every comparison has a complement.
		return simplifyCompare(&Compare{[...]CmpOp{Ne, Eq, Ge, Le, Gt, Lt}[e.Op], e.L, e.R})
	}
	return &Not{e}
}

// simplifyList simplifies an AND or OR; stop is the value that decides it.
func simplifyList(xs []Expr, stop bool) Expr {
	var out []Expr
	for _, x := range xs {
		x = simplify(x)
		if v, ok := isConst(x); ok {
			if v == stop {
				return boolConst(stop)
			}
			continue
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
	_, lc := l.(*Const)
	_, rc := r.(*Const)
	if lc && rc {
		a, b := l.(*Const), r.(*Const)
		return boolConst(op.holds(sats.NewCompare(a.Type)(a.Value, b.Value)))
	}
	if lc {
		l, r, op = r, l, op.flip()
	}
	if v, ok := isConst(r); ok && op == Ne && typeOf(r).Kind == sats.KindBool {
		op, r = Eq, boolConst(!v) // keys and indexes are about equalities
	}
	return &Compare{op, l, r}
}

// operandOf simplifies an operand; a column stays a column.
func operandOf(e Expr) Expr {
	if _, ok := e.(*Column); ok {
		return e
	}
	return simplify(e)
}

// conjuncts splits a simplified condition at its top-level ANDs. none reports a
// condition that no row meets.
func conjuncts(e Expr) (list []Expr, none bool) {
	if e == nil {
		return nil, false
	}
	e = simplify(e)
	if v, ok := isConst(e); ok {
		return nil, !v
	}
	if and, ok := e.(And); ok {
		return and, false
	}
	return []Expr{e}, false
}

// A relSet is a set of relations, as a sorted list: queries join few.
type relSet []int

func (s relSet) with(r int) relSet {
	if slices.Contains(s, r) {
		return s
	}
	out := append(slices.Clone(s), r)
	slices.Sort(out)
	return out
}

func (s relSet) has(r int) bool { return slices.Contains(s, r) }

func (s relSet) within(t relSet) bool {
	for _, r := range s {
		if !t.has(r) {
			return false
		}
	}
	return true
}

// relations lists the relations that e mentions.
func relations(e Expr) relSet {
	var s relSet
	walk(e, func(c *Column) { s = s.with(c.Rel) })
	return s
}

func walk(e Expr, visit func(*Column)) {
	switch e := e.(type) {
	case *Column:
		visit(e)
	case *Compare:
		walk(e.L, visit)
		walk(e.R, visit)
	case *Not:
		walk(e.X, visit)
	case And:
		for _, x := range e {
			walk(x, visit)
		}
	case Or:
		for _, x := range e {
			walk(x, visit)
		}
	}
}

// columnConst takes apart a comparison of a column with a constant.
func columnConst(e Expr) (c *Column, op CmpOp, v *Const, ok bool) {
	cmp, ok := e.(*Compare)
	if !ok {
		return nil, 0, nil, false
	}
	c, ok1 := cmp.L.(*Column)
	v, ok2 := cmp.R.(*Const)
	return c, cmp.Op, v, ok1 && ok2
}

// columnPair takes apart an equality between columns of two relations.
func columnPair(e Expr) (a, b *Column, ok bool) {
	cmp, ok := e.(*Compare)
	if !ok || cmp.Op != Eq {
		return nil, nil, false
	}
	a, ok1 := cmp.L.(*Column)
	b, ok2 := cmp.R.(*Column)
	return a, b, ok1 && ok2 && a.Rel != b.Rel
}

// hasFloat reports whether equal values of t can differ in their bytes.
func hasFloat(t *sats.Type) bool {
	switch t.Kind {
	case sats.KindF32, sats.KindF64:
		return true
	case sats.KindArray:
		return hasFloat(t.Elem)
	}
	return slices.ContainsFunc(t.Elems, func(e sats.Element) bool { return hasFloat(e.Type) })
}
