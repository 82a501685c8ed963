package query

import (
	"bytes"
	"slices"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/sats"
)

// A predicate decides a condition for the current tuple of a frame.
type predicate func(f *frame) bool

// An operand is the encoded value of an expression for the current tuple; nil is
// none. It is valid until the same operand is asked again.
type operand func(f *frame) []byte

// A builder turns expressions and operators over tables into closures and
// numbers those that keep state.
type builder struct {
	tables []*schema.Table
	states int
	bufs   int
	kept   []KeptColumn
	begin  func(f *frame) // of the output
}

func (b *builder) state() int { b.states++; return b.states - 1 }
func (b *builder) buf() int   { b.bufs++; return b.bufs - 1 }

// predicate holds where e is TRUE.
func (b *builder) predicate(e Expr) predicate { return b.truth(e, true) }

// truth holds where e is TRUE, or with !want where it is FALSE. Where e is none,
// neither does. A condition that can fail is evaluated from left to right until
// it is decided; others need no third value on the way.
func (b *builder) truth(e Expr, want bool) predicate {
	if CanFail(e) {
		return b.decided(e, want)
	}
	switch e := e.(type) {
	case *Const:
		v, ok := isConst(e)
		v = ok && v == want
		return func(*frame) bool { return v }
	case *Column:
		return b.compare(&Compare{Eq, e, boolConst(want)})
	case *Compare:
		if !want {
			e = &Compare{e.Op.complement(), e.L, e.R}
		}
		return b.compare(e)
	case *Not:
		return b.truth(e.X, !want)
	case And:
		return b.several(e, want, !want)
	case Or:
		if want {
			if p := b.oneOf(e); p != nil {
				return p
			}
		}
		return b.several(e, want, want)
	case *Is:
		return b.is(e, want)
	case *Like:
		return b.like(e, want)
	case *semi:
		p := b.semi(e)
		return func(f *frame) bool { return p(f) == want }
	}
	return b.decided(e, want)
}

// decided is truth by way of the value of e.
func (b *builder) decided(e Expr, want bool) predicate {
	get := b.operand(e)
	return func(f *frame) bool {
		v := get(f)
		return v != nil && (v[0] != 0) == want
	}
}

// several combines the truths of xs: any of them suffices, or all are needed.
func (b *builder) several(xs []Expr, want, any bool) predicate {
	ps := make([]predicate, len(xs))
	for i, x := range xs {
		ps[i] = b.truth(x, want)
	}
	if any {
		return func(f *frame) bool {
			for _, p := range ps {
				if p(f) {
					return true
				}
			}
			return false
		}
	}
	return all(ps)
}

// all is the conjunction of conditions.
func (b *builder) all(xs []Expr) predicate {
	ps := make([]predicate, len(xs))
	for i, x := range xs {
		ps[i] = b.predicate(x)
	}
	return all(ps)
}

func all(ps []predicate) predicate {
	switch len(ps) {
	case 0:
		return func(*frame) bool { return true }
	case 1:
		return ps[0]
	case 2:
		p, q := ps[0], ps[1]
		return func(f *frame) bool { return p(f) && q(f) }
	}
	return func(f *frame) bool {
		for _, p := range ps {
			if !p(f) {
				return false
			}
		}
		return true
	}
}

// oneOf is an OR of many equalities of one column with constants, as IN writes
// it: one lookup instead of many comparisons.
func (b *builder) oneOf(xs []Expr) predicate {
	if len(xs) < 8 {
		return nil
	}
	var of *Column
	set := make(map[string]struct{}, len(xs))
	for _, x := range xs {
		c, op, v, ok := columnConst(x)
		if !ok || op != Eq || hasFloat(c.Type) || of != nil && !Equal(of, c) {
			return nil
		}
		of = c
		set[string(v.Value)] = struct{}{}
	}
	get := b.column(of)
	return func(f *frame) bool {
		v := get(f)
		if v == nil {
			return false
		}
		_, ok := set[string(v)]
		return ok
	}
}

func (b *builder) is(e *Is, want bool) predicate {
	switch e.What {
	case IsTrue, IsFalse:
		p := b.truth(e.X, e.What == IsTrue)
		return func(f *frame) bool { return p(f) == want }
	}
	get := b.operand(e.X)
	return func(f *frame) bool { return (get(f) == nil) == want }
}

func (b *builder) like(e *Like, want bool) predicate {
	get, p := b.operand(e.X), e.Pattern
	return func(f *frame) bool {
		v := get(f)
		return v != nil && p.match(v[4:]) == want
	}
}

func (b *builder) compare(e *Compare) predicate {
	if col, op, v, ok := columnConst(e); ok {
		return b.columnConst(col, op, v)
	}
	l, r, cmp, op := b.operand(e.L), b.operand(e.R), sats.NewCompare(TypeOf(e.L)), e.Op
	return func(f *frame) bool {
		x, y := l(f), r(f)
		return x != nil && y != nil && op.holds(cmp(x, y))
	}
}

// operand compiles the value of e.
func (b *builder) operand(e Expr) operand {
	switch e := e.(type) {
	case *Const:
		v := e.Value
		return func(*frame) []byte { return v }
	case *Column:
		return b.column(e)
	case *Slot:
		n := e.N
		return func(f *frame) []byte { return f.slots[n] }
	case *Apply:
		return b.apply(e)
	case Coalesce:
		return b.coalesce(e)
	case *Sub:
		return b.sub(e)
	case And:
		return b.chain(e, false)
	case Or:
		return b.chain(e, true)
	case *Compare:
		l, r, cmp, op := b.operand(e.L), b.operand(e.R), sats.NewCompare(TypeOf(e.L)), e.Op
		return func(f *frame) []byte {
			x, y := l(f), r(f)
			if x == nil || y == nil {
				return nil
			}
			return boolBytes(op.holds(cmp(x, y)))
		}
	case *Not:
		get := b.operand(e.X)
		return func(f *frame) []byte {
			v := get(f)
			if v == nil {
				return nil
			}
			return boolBytes(v[0] == 0)
		}
	case *Distinct:
		l, r, cmp := b.operand(e.L), b.operand(e.R), sats.NewCompare(TypeOf(e.L))
		return func(f *frame) []byte {
			x, y := l(f), r(f)
			if x == nil || y == nil {
				return boolBytes((x == nil) != (y == nil))
			}
			return boolBytes(cmp(x, y) != 0)
		}
	case *Like:
		get, p := b.operand(e.X), e.Pattern
		return func(f *frame) []byte {
			v := get(f)
			if v == nil {
				return nil
			}
			return boolBytes(p.match(v[4:]))
		}
	case *Is:
		return b.isValue(e)
	case *Stored:
		get, n := b.operand(e.X), b.buf()
		return func(f *frame) []byte {
			v := get(f)
			if v == nil {
				return noneBytes
			}
			f.bufs[n] = append(sats.AppendSome(f.bufs[n][:0]), v...)
			return f.bufs[n]
		}
	}
	p := b.truth(e, true)
	return func(f *frame) []byte { return boolBytes(p(f)) }
}

var noneBytes = sats.AppendNone(nil)

func boolBytes(v bool) []byte {
	if v {
		return constTrue.Value
	}
	return constFalse.Value
}

func (b *builder) isValue(e *Is) operand {
	get := b.operand(e.X)
	if e.What == IsNull {
		return func(f *frame) []byte { return boolBytes(get(f) == nil) }
	}
	want := e.What == IsTrue
	return func(f *frame) []byte {
		v := get(f)
		return boolBytes(v != nil && (v[0] != 0) == want)
	}
}

// chain is the value of an AND, or an OR, whose operands are evaluated from left
// to right until one decides.
func (b *builder) chain(xs []Expr, or bool) operand {
	get := make([]operand, len(xs))
	for i, x := range xs {
		get[i] = b.operand(x)
	}
	return func(f *frame) []byte {
		out := boolBytes(!or)
		for _, g := range get {
			v := g(f)
			if f.err != nil {
				return nil
			}
			if v == nil {
				out = nil
			} else if (v[0] != 0) == or {
				return v
			}
		}
		return out
	}
}

func (b *builder) apply(e *Apply) operand {
	n := b.buf()
	x := b.operand(e.Args[0])
	if fn := e.Fn1; fn != nil {
		return func(f *frame) []byte {
			v := x(f)
			if v == nil || f.err != nil {
				return nil
			}
			return f.computed(n, fn, v)
		}
	}
	y, fn := b.operand(e.Args[1]), e.Fn2
	return func(f *frame) []byte {
		v := x(f)
		w := y(f)
		if v == nil || w == nil || f.err != nil {
			return nil
		}
		out, err := fn(f.bufs[n][:0], v, w)
		if err != nil {
			f.fail(err)
			return nil
		}
		f.bufs[n] = out
		return out
	}
}

func (f *frame) computed(n int, fn func(dst, a []byte) ([]byte, error), v []byte) []byte {
	out, err := fn(f.bufs[n][:0], v)
	if err != nil {
		f.fail(err)
		return nil
	}
	if out == nil {
		out = []byte{} // a value of no bytes is not none
	}
	f.bufs[n] = out
	return out
}

func (b *builder) coalesce(xs []Expr) operand {
	get := make([]operand, len(xs))
	for i, x := range xs {
		get[i] = b.operand(x)
	}
	return func(f *frame) []byte {
		for _, g := range get {
			if v := g(f); v != nil || f.err != nil {
				return v
			}
		}
		return nil
	}
}

// column reads a column. The value of an option column lies behind its tag.
func (b *builder) column(col *Column) operand {
	get := b.plainColumn(col)
	if !col.Opt && !col.Outer {
		return get
	}
	rel, opt := col.Rel, col.Opt
	return func(f *frame) []byte {
		if f.rows[rel] == nil {
			return nil
		}
		v := get(f)
		switch {
		case !opt:
			return v
		case v[0] == 0:
			return v[1:]
		}
		return nil
	}
}

// plainColumn reads a column as it is stored.
func (b *builder) plainColumn(col *Column) operand {
	layout, i, rel := b.tables[col.Rel].Layout, int(col.Col), col.Rel
	if from, to, ok := fixedRange(layout, i); ok {
		return func(f *frame) []byte { return f.rows[rel][from:to:to] }
	}
	return func(f *frame) []byte { return layout.Col(f.rows[rel], i) }
}

// fixedRange reports where column i lies if that is the same in all rows.
func fixedRange(l *sats.Layout, i int) (from, to int, ok bool) {
	from, ok1 := l.StaticOffset(i)
	size, ok2 := l.ColFixedSize(i)
	return from, from + size, ok1 && ok2
}

// columnConst compares a column with a constant. Integers at a fixed place,
// which is what most filters read, are compared without a call.
func (b *builder) columnConst(col *Column, op CmpOp, v *Const) predicate {
	rel, want := col.Rel, v.Value
	plain := !col.Opt && !col.Outer
	if from, _, ok := fixedRange(b.tables[rel].Layout, int(col.Col)); ok && plain {
		if p := integerAt(rel, from, op, scalarKind(col.Type), want); p != nil {
			return p
		}
	}
	get := b.column(col)
	if (op == Eq || op == Ne) && !hasFloat(col.Type) {
		eq := op == Eq
		if plain {
			return func(f *frame) bool { return bytes.Equal(get(f), want) == eq }
		}
		return func(f *frame) bool {
			v := get(f)
			return v != nil && bytes.Equal(v, want) == eq
		}
	}
	cmp := sats.NewCompare(col.Type)
	return func(f *frame) bool {
		v := get(f)
		return v != nil && op.holds(cmp(v, want))
	}
}

// canonical appends a key whose bytes are equal exactly for equal values; ok is
// false if one of them is none, which equals nothing.
func (b *builder) canonical(cols []Expr) func(dst []byte, f *frame) (key []byte, ok bool) {
	types := make([]*sats.Type, len(cols))
	get := make([]operand, len(cols))
	for i, c := range cols {
		types[i], get[i] = TypeOf(c), b.operand(c)
	}
	if !slices.ContainsFunc(types, hasFloat) {
		return func(dst []byte, f *frame) ([]byte, bool) {
			for _, g := range get {
				v := g(f)
				if v == nil {
					return dst, false
				}
				dst = append(dst, v...)
			}
			return dst, true
		}
	}
	enc := sats.NewKeyEncoder(types)
	return func(dst []byte, f *frame) ([]byte, bool) {
		for i, g := range get {
			v := g(f)
			if v == nil {
				return dst, false
			}
			dst = enc.AppendCol(dst, i, v)
		}
		return dst, true
	}
}
