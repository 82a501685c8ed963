package query

import (
	"bytes"
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

// complement is the comparison that holds exactly when op does not.
func (op CmpOp) complement() CmpOp { return [...]CmpOp{Ne, Eq, Ge, Le, Gt, Lt}[op] }

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

// An Expr is a checked expression. Its value has a base type and may be none: the
// none of an option column, of a row that a LEFT JOIN did not find, of an
// operator with such an operand (spec 07 §34.5). Operands of a Compare have equal
// base types; conditions have type Bool and three truth values.
type Expr interface{ isExpr() }

type (
	// Const is a value in BSATN; without Value it is none.
	Const struct {
		Type  *sats.Type
		Value []byte
	}
	// Column is a column of relation Rel, counted in FROM order. Type is its base
	// type: that of the payload if the column is stored as an option.
	Column struct {
		Rel   int
		Col   schema.ColID
		Type  *sats.Type
		Opt   bool // stored as an option
		Outer bool // of a relation that a LEFT JOIN may not find
	}
	Compare struct {
		Op   CmpOp
		L, R Expr
	}
	And []Expr
	Or  []Expr
	Not struct{ X Expr }
	// Is is X IS NULL, TRUE or FALSE; its negation is a Not.
	Is struct {
		X    Expr
		What IsKind
	}
	// Distinct is L IS DISTINCT FROM R.
	Distinct struct{ L, R Expr }
	// Like matches a string with a pattern.
	Like struct {
		X       Expr
		Pattern *Pattern
	}
	// Apply computes a value from one or two others and is none if one of them is.
	// Name and Type say which function it is: equal ones are the same.
	Apply struct {
		Name    string
		Args    []Expr
		Type    *sats.Type
		CanFail bool
		Fn1     func(dst, a []byte) ([]byte, error)
		Fn2     func(dst, a, b []byte) ([]byte, error)
	}
	// Coalesce is the first of Args that is not none.
	Coalesce []Expr
	// Sub is an uncorrelated sub-select, evaluated at most once in a run.
	Sub struct {
		Plan *Plan
		Text string // as written: what one statement says twice has one value
		Kind SubKind
		X    Expr       // left of IN
		Type *sats.Type // of the value; Bool unless Kind is SubValue
		Opt  bool       // the column of the sub-select is nullable
	}
	// Stored is X in the form in which an option column holds it; it is never none.
	Stored struct{ X Expr }
	// Slot is a grouping expression or an aggregate of the current group.
	Slot struct {
		N    int
		Type *sats.Type
		Null bool
	}
)

// NewColumn is column col of table t, relation rel of a query.
func NewColumn(t *schema.Table, rel int, col schema.ColID) *Column {
	out := &Column{Rel: rel, Col: col, Type: t.Cols[col].Type}
	if base, ok := out.Type.IsOption(); ok {
		out.Type, out.Opt = base, true
	}
	return out
}

// IsKind is what an Is asks.
type IsKind uint8

const (
	IsNull IsKind = iota
	IsTrue
	IsFalse
)

func (k IsKind) String() string { return [...]string{"NULL", "TRUE", "FALSE"}[k] }

// SubKind is what a sub-select stands for.
type SubKind uint8

const (
	SubValue  SubKind = iota // its only value
	SubIn                    // whether X is among its values
	SubExists                // whether it has rows
)

func (*Const) isExpr()    {}
func (*Column) isExpr()   {}
func (*Compare) isExpr()  {}
func (And) isExpr()       {}
func (Or) isExpr()        {}
func (*Not) isExpr()      {}
func (*Is) isExpr()       {}
func (*Distinct) isExpr() {}
func (*Like) isExpr()     {}
func (*Apply) isExpr()    {}
func (Coalesce) isExpr()  {}
func (*Sub) isExpr()      {}
func (*Stored) isExpr()   {}
func (*Slot) isExpr()     {}
func (*semi) isExpr()     {}

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

// TypeOf is the base type of an expression.
func TypeOf(e Expr) *sats.Type {
	switch e := e.(type) {
	case *Const:
		return e.Type
	case *Column:
		return e.Type
	case *Apply:
		return e.Type
	case Coalesce:
		return TypeOf(e[0])
	case *Sub:
		return e.Type
	case *Slot:
		return e.Type
	case *Stored:
		return sats.Option(TypeOf(e.X))
	}
	return sats.Bool
}

// Nullable reports whether the value of e may be none.
func Nullable(e Expr) bool {
	switch e := e.(type) {
	case *Const:
		return e.Value == nil
	case *Column:
		return e.Opt || e.Outer
	case *Slot:
		return e.Null
	case *Is, *Distinct, *semi, *Stored:
		return false
	case *Sub:
		return e.Kind == SubValue || e.Kind == SubIn && (e.Opt || Nullable(e.X))
	case Coalesce:
		return !slices.ContainsFunc(e, func(x Expr) bool { return !Nullable(x) })
	}
	return slices.ContainsFunc(children(e), Nullable)
}

// children lists the operands of e.
func children(e Expr) []Expr {
	switch e := e.(type) {
	case *Compare:
		return []Expr{e.L, e.R}
	case And:
		return e
	case Or:
		return e
	case *Not:
		return []Expr{e.X}
	case *Is:
		return []Expr{e.X}
	case *Distinct:
		return []Expr{e.L, e.R}
	case *Like:
		return []Expr{e.X}
	case *Stored:
		return []Expr{e.X}
	case *Apply:
		return e.Args
	case Coalesce:
		return e
	case *Sub:
		if e.Kind == SubIn {
			return []Expr{e.X}
		}
	}
	return nil
}

// Map rebuilds e with its operands replaced by what f makes of them.
func Map(e Expr, f func(Expr) Expr) Expr {
	list := func(xs []Expr) []Expr {
		out := make([]Expr, len(xs))
		for i, x := range xs {
			out[i] = f(x)
		}
		return out
	}
	switch e := e.(type) {
	case *Compare:
		return &Compare{e.Op, f(e.L), f(e.R)}
	case And:
		return And(list(e))
	case Or:
		return Or(list(e))
	case *Not:
		return &Not{f(e.X)}
	case *Is:
		return &Is{f(e.X), e.What}
	case *Distinct:
		return &Distinct{f(e.L), f(e.R)}
	case *Like:
		return &Like{f(e.X), e.Pattern}
	case *Stored:
		return &Stored{f(e.X)}
	case *Apply:
		out := *e
		out.Args = list(e.Args)
		return &out
	case Coalesce:
		return Coalesce(list(e))
	case *Sub:
		if e.Kind == SubIn {
			out := *e
			out.X = f(e.X)
			return &out
		}
	}
	return e
}

// Size counts the expressions in e.
func Size(e Expr) int {
	n := 1
	for _, x := range children(e) {
		n += Size(x)
	}
	return n
}

// Equal reports whether two expressions are the same.
func Equal(a, b Expr) bool {
	same := func() bool { return slices.EqualFunc(children(a), children(b), Equal) }
	switch a := a.(type) {
	case *Const:
		b, ok := b.(*Const)
		return ok && a.Type.Equal(b.Type) && (a.Value == nil) == (b.Value == nil) && bytes.Equal(a.Value, b.Value)
	case *Column:
		b, ok := b.(*Column)
		return ok && a.Rel == b.Rel && a.Col == b.Col
	case *Slot:
		b, ok := b.(*Slot)
		return ok && a.N == b.N
	case *Compare:
		b, ok := b.(*Compare)
		return ok && a.Op == b.Op && same()
	case And:
		_, ok := b.(And)
		return ok && same()
	case Or:
		_, ok := b.(Or)
		return ok && same()
	case *Not:
		_, ok := b.(*Not)
		return ok && same()
	case *Is:
		b, ok := b.(*Is)
		return ok && a.What == b.What && same()
	case *Distinct:
		_, ok := b.(*Distinct)
		return ok && same()
	case *Like:
		b, ok := b.(*Like)
		return ok && *a.Pattern == *b.Pattern && same()
	case *Apply:
		b, ok := b.(*Apply)
		return ok && a.Name == b.Name && a.Type.Equal(b.Type) && same()
	case Coalesce:
		_, ok := b.(Coalesce)
		return ok && same()
	case *Sub:
		b, ok := b.(*Sub)
		return ok && (a == b || a.Kind == b.Kind && a.Text != "" && a.Text == b.Text && same())
	}
	return a == b
}

// CanFail reports whether evaluating e may end in an error.
func CanFail(e Expr) bool {
	switch e := e.(type) {
	case *Apply:
		if e.CanFail {
			return true
		}
	case *Sub:
		if e.Kind == SubValue || e.Plan.CanFail() {
			return true
		}
	}
	return slices.ContainsFunc(children(e), CanFail)
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

func (s relSet) has(r int) bool {
	_, ok := slices.BinarySearch(s, r)
	return ok
}

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
	walk(e, func(x Expr) {
		switch x := x.(type) {
		case *Column:
			s = s.with(x.Rel)
		case *semi:
			s = s.with(x.rel)
		}
	})
	return s
}

// walk visits e and everything in it, sub-selects and rules excepted.
func walk(e Expr, visit func(Expr)) {
	visit(e)
	for _, x := range children(e) {
		walk(x, visit)
	}
}

// columnConst takes apart a comparison of a column with a constant that is not
// none.
func columnConst(e Expr) (c *Column, op CmpOp, v *Const, ok bool) {
	cmp, ok := e.(*Compare)
	if !ok {
		return nil, 0, nil, false
	}
	c, ok1 := cmp.L.(*Column)
	v, ok2 := cmp.R.(*Const)
	return c, cmp.Op, v, ok1 && ok2 && v.Value != nil
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
