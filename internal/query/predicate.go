package query

import (
	"bytes"
	"encoding/binary"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/sats"
)

// A predicate decides a condition for one tuple: one encoded row per relation.
type predicate func(rows [][]byte) bool

// An operand is the encoded value of an expression in one tuple.
type operand func(rows [][]byte) []byte

// A compiler turns expressions over tables into closures.
type compiler struct{ tables []*schema.Table }

func (c compiler) predicate(e Expr) predicate {
	switch e := e.(type) {
	case *Const:
		v := e.Value[0] != 0
		return func([][]byte) bool { return v }
	case *Column:
		return c.compare(&Compare{Eq, e, constTrue})
	case *Compare:
		return c.compare(e)
	case *Not:
		p := c.predicate(e.X)
		return func(rows [][]byte) bool { return !p(rows) }
	case And:
		return c.all(e)
	case Or:
		ps := c.list(e)
		return func(rows [][]byte) bool {
			for _, p := range ps {
				if p(rows) {
					return true
				}
			}
			return false
		}
	}
	panic("query: expression of unknown kind")
}

func (c compiler) list(xs []Expr) []predicate {
	ps := make([]predicate, len(xs))
	for i, x := range xs {
		ps[i] = c.predicate(x)
	}
	return ps
}

// all is the conjunction of xs.
func (c compiler) all(xs []Expr) predicate {
	ps := c.list(xs)
	switch len(ps) {
	case 1:
		return ps[0]
	case 2:
		p, q := ps[0], ps[1]
		return func(rows [][]byte) bool { return p(rows) && q(rows) }
	}
	return func(rows [][]byte) bool {
		for _, p := range ps {
			if !p(rows) {
				return false
			}
		}
		return true
	}
}

func (c compiler) compare(e *Compare) predicate {
	if col, op, v, ok := columnConst(e); ok {
		return c.columnConst(col, op, v)
	}
	t := typeOf(e.L)
	l, r, cmp, op := c.operand(e.L), c.operand(e.R), sats.NewCompare(t), e.Op
	return func(rows [][]byte) bool { return op.holds(cmp(l(rows), r(rows))) }
}

func typeOf(e Expr) *sats.Type {
	switch e := e.(type) {
	case *Const:
		return e.Type
	case *Column:
		return e.Type
	}
	return sats.Bool
}

func (c compiler) operand(e Expr) operand {
	switch e := e.(type) {
	case *Const:
		v := e.Value
		return func([][]byte) []byte { return v }
	case *Column:
		return c.column(e)
	}
	p := c.predicate(e)
	return func(rows [][]byte) []byte {
		if p(rows) {
			return constTrue.Value
		}
		return constFalse.Value
	}
}

func (c compiler) column(col *Column) operand {
	layout, i, rel := c.tables[col.Rel].Layout, int(col.Col), col.Rel
	if from, to, ok := fixedRange(layout, i); ok {
		return func(rows [][]byte) []byte { return rows[rel][from:to:to] }
	}
	return func(rows [][]byte) []byte { return layout.Col(rows[rel], i) }
}

// fixedRange reports where column i lies if that is the same in all rows.
func fixedRange(l *sats.Layout, i int) (from, to int, ok bool) {
	from, ok1 := l.StaticOffset(i)
	size, ok2 := l.ColFixedSize(i)
	return from, from + size, ok1 && ok2
}

// columnConst compares a column with a constant. Integers at a fixed place,
// which is what most filters read, are compared without a call.
func (c compiler) columnConst(col *Column, op CmpOp, v *Const) predicate {
	rel, want := col.Rel, v.Value
	layout, i := c.tables[rel].Layout, int(col.Col)
	if from, _, ok := fixedRange(layout, i); ok {
		if p := integerAt(rel, from, op, scalarKind(col.Type), want); p != nil {
			return p
		}
	}
	get := c.column(col)
	if (op == Eq || op == Ne) && !hasFloat(col.Type) {
		eq := op == Eq
		return func(rows [][]byte) bool { return bytes.Equal(get(rows), want) == eq }
	}
	cmp := sats.NewCompare(col.Type)
	return func(rows [][]byte) bool { return op.holds(cmp(get(rows), want)) }
}

// scalarKind looks through products of one field: they are ordered as it is.
func scalarKind(t *sats.Type) sats.Kind {
	for t.Kind == sats.KindProduct && len(t.Elems) == 1 {
		t = t.Elems[0].Type
	}
	return t.Kind
}

func integerAt(rel, at int, op CmpOp, k sats.Kind, want []byte) predicate {
	switch k {
	case sats.KindU8, sats.KindBool:
		w := uint64(want[0])
		return unsignedAt(op, w, func(rows [][]byte) uint64 { return uint64(rows[rel][at]) })
	case sats.KindU16:
		w := uint64(binary.LittleEndian.Uint16(want))
		return unsignedAt(op, w, func(rows [][]byte) uint64 { return uint64(binary.LittleEndian.Uint16(rows[rel][at:])) })
	case sats.KindU32:
		w := binary.LittleEndian.Uint32(want)
		if op == Eq {
			return func(rows [][]byte) bool { return binary.LittleEndian.Uint32(rows[rel][at:]) == w }
		}
		return unsignedAt(op, uint64(w), func(rows [][]byte) uint64 { return uint64(binary.LittleEndian.Uint32(rows[rel][at:])) })
	case sats.KindU64:
		w := binary.LittleEndian.Uint64(want)
		if op == Eq {
			return func(rows [][]byte) bool { return binary.LittleEndian.Uint64(rows[rel][at:]) == w }
		}
		return unsignedAt(op, w, func(rows [][]byte) uint64 { return binary.LittleEndian.Uint64(rows[rel][at:]) })
	case sats.KindI8:
		return signedAt(op, int64(int8(want[0])), func(rows [][]byte) int64 { return int64(int8(rows[rel][at])) })
	case sats.KindI16:
		w := int64(int16(binary.LittleEndian.Uint16(want)))
		return signedAt(op, w, func(rows [][]byte) int64 { return int64(int16(binary.LittleEndian.Uint16(rows[rel][at:]))) })
	case sats.KindI32:
		w := int64(int32(binary.LittleEndian.Uint32(want)))
		return signedAt(op, w, func(rows [][]byte) int64 { return int64(int32(binary.LittleEndian.Uint32(rows[rel][at:]))) })
	case sats.KindI64:
		w := int64(binary.LittleEndian.Uint64(want))
		return signedAt(op, w, func(rows [][]byte) int64 { return int64(binary.LittleEndian.Uint64(rows[rel][at:])) })
	}
	return nil
}

func unsignedAt(op CmpOp, w uint64, get func([][]byte) uint64) predicate {
	switch op {
	case Eq:
		return func(rows [][]byte) bool { return get(rows) == w }
	case Ne:
		return func(rows [][]byte) bool { return get(rows) != w }
	case Lt:
		return func(rows [][]byte) bool { return get(rows) < w }
	case Gt:
		return func(rows [][]byte) bool { return get(rows) > w }
	case Le:
		return func(rows [][]byte) bool { return get(rows) <= w }
	}
	return func(rows [][]byte) bool { return get(rows) >= w }
}

func signedAt(op CmpOp, w int64, get func([][]byte) int64) predicate {
	switch op {
	case Eq:
		return func(rows [][]byte) bool { return get(rows) == w }
	case Ne:
		return func(rows [][]byte) bool { return get(rows) != w }
	case Lt:
		return func(rows [][]byte) bool { return get(rows) < w }
	case Gt:
		return func(rows [][]byte) bool { return get(rows) > w }
	case Le:
		return func(rows [][]byte) bool { return get(rows) <= w }
	}
	return func(rows [][]byte) bool { return get(rows) >= w }
}
