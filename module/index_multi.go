package module

import (
	"iter"
	"unsafe"
)

// An Index2 finds rows by two columns, ordered by the first and then by the second.
type Index2[Row, A, B any] struct{ ix *indexDef }

// IndexOf2 declares an ordered index over two columns.
func IndexOf2[Row, A, B any](t *Table[Row], a func(*Row) *A, b func(*Row) *B) *Index2[Row, A, B] {
	t.d.reg.open("IndexOf2")
	return &Index2[Row, A, B]{t.d.declare("IndexOf2", btree, selected(a), selected(b))}
}

// Filter yields the rows with both values.
func (x *Index2[Row, A, B]) Filter(ctx *Context, a A, b B) iter.Seq[Row] {
	return func(yield func(Row) bool) {
		in := ctx.use(x.ix.table, "Filter")
		x.set(in, &a, &b)
		each(in.scanPoint(x.ix), yield)
	}
}

func (x *Index2[Row, A, B]) set(in *instance, a *A, b *B) {
	in.key = x.ix.keys[0].Append(in.key[:0], unsafe.Pointer(a))
	if b != nil {
		in.key = x.ix.keys[1].Append(in.key, unsafe.Pointer(b))
	}
}

// Prefix yields the rows with the value a in the first column, by ascending second column.
func (x *Index2[Row, A, B]) Prefix(ctx *Context, a A) iter.Seq[Row] {
	return x.RangeOf(ctx, a, Bound[B]{}, Bound[B]{})
}

// Range yields the rows with a in the first column and from <= b < to in the second, ascending.
func (x *Index2[Row, A, B]) Range(ctx *Context, a A, from, to B) iter.Seq[Row] {
	return x.RangeOf(ctx, a, Incl(from), Excl(to))
}

// RangeOf yields the rows with a in the first column and the second between two bounds, ascending.
func (x *Index2[Row, A, B]) RangeOf(ctx *Context, a A, from, to Bound[B]) iter.Seq[Row] {
	return func(yield func(Row) bool) {
		in := ctx.use(x.ix.table, "Range")
		x.set(in, &a, nil)
		setBounds(in, x.ix, 1, from, to)
		each(in.scanRange(x.ix, 1), yield)
	}
}

// Delete removes the rows with both values and returns how many there were.
func (x *Index2[Row, A, B]) Delete(ctx *Context, a A, b B) int {
	in := ctx.use(x.ix.table, "Delete")
	x.set(in, &a, &b)
	return in.deletePoint(x.ix)
}

// DeletePrefix removes the rows with the value a in the first column and returns how many there were.
func (x *Index2[Row, A, B]) DeletePrefix(ctx *Context, a A) int {
	return x.DeleteRangeOf(ctx, a, Bound[B]{}, Bound[B]{})
}

// DeleteRange removes the rows with a in the first column and from <= b < to in the second and returns how many there were.
func (x *Index2[Row, A, B]) DeleteRange(ctx *Context, a A, from, to B) int {
	return x.DeleteRangeOf(ctx, a, Incl(from), Excl(to))
}

// DeleteRangeOf removes the rows with a in the first column and the second between two bounds and returns how many there
// were.
func (x *Index2[Row, A, B]) DeleteRangeOf(ctx *Context, a A, from, to Bound[B]) int {
	in := ctx.use(x.ix.table, "DeleteRange")
	x.set(in, &a, nil)
	setBounds(in, x.ix, 1, from, to)
	return in.deleteRange(x.ix, 1)
}

// An Index3 finds rows by three columns, ordered by the first, then the second, then the third.
type Index3[Row, A, B, C any] struct{ ix *indexDef }

// IndexOf3 declares an ordered index over three columns.
func IndexOf3[Row, A, B, C any](t *Table[Row], a func(*Row) *A, b func(*Row) *B, c func(*Row) *C) *Index3[Row, A, B, C] {
	t.d.reg.open("IndexOf3")
	return &Index3[Row, A, B, C]{t.d.declare("IndexOf3", btree, selected(a), selected(b), selected(c))}
}

func (x *Index3[Row, A, B, C]) set(in *instance, a *A, b *B, c *C) {
	in.key = x.ix.keys[0].Append(in.key[:0], unsafe.Pointer(a))
	if b != nil {
		in.key = x.ix.keys[1].Append(in.key, unsafe.Pointer(b))
	}
	if c != nil {
		in.key = x.ix.keys[2].Append(in.key, unsafe.Pointer(c))
	}
}

// Filter yields the rows with all three values.
func (x *Index3[Row, A, B, C]) Filter(ctx *Context, a A, b B, c C) iter.Seq[Row] {
	return func(yield func(Row) bool) {
		in := ctx.use(x.ix.table, "Filter")
		x.set(in, &a, &b, &c)
		each(in.scanPoint(x.ix), yield)
	}
}

// Prefix yields the rows with the value a in the first column, ascending.
func (x *Index3[Row, A, B, C]) Prefix(ctx *Context, a A) iter.Seq[Row] {
	return func(yield func(Row) bool) {
		in := ctx.use(x.ix.table, "Prefix")
		x.set(in, &a, nil, nil)
		setBounds(in, x.ix, 1, Bound[B]{}, Bound[B]{})
		each(in.scanRange(x.ix, 1), yield)
	}
}

// Prefix2 yields the rows with a and b in the first two columns, by ascending third column.
func (x *Index3[Row, A, B, C]) Prefix2(ctx *Context, a A, b B) iter.Seq[Row] {
	return x.RangeOf(ctx, a, b, Bound[C]{}, Bound[C]{})
}

// Range yields the rows with a and b in the first two columns and from <= c < to in the third, ascending.
func (x *Index3[Row, A, B, C]) Range(ctx *Context, a A, b B, from, to C) iter.Seq[Row] {
	return x.RangeOf(ctx, a, b, Incl(from), Excl(to))
}

// RangeOf yields the rows with a and b in the first two columns and the third between two bounds, ascending.
func (x *Index3[Row, A, B, C]) RangeOf(ctx *Context, a A, b B, from, to Bound[C]) iter.Seq[Row] {
	return func(yield func(Row) bool) {
		in := ctx.use(x.ix.table, "Range")
		x.set(in, &a, &b, nil)
		setBounds(in, x.ix, 2, from, to)
		each(in.scanRange(x.ix, 2), yield)
	}
}

// Delete removes the rows with all three values and returns how many there were.
func (x *Index3[Row, A, B, C]) Delete(ctx *Context, a A, b B, c C) int {
	in := ctx.use(x.ix.table, "Delete")
	x.set(in, &a, &b, &c)
	return in.deletePoint(x.ix)
}

// DeletePrefix removes the rows with the value a in the first column and returns how many there were.
func (x *Index3[Row, A, B, C]) DeletePrefix(ctx *Context, a A) int {
	in := ctx.use(x.ix.table, "DeletePrefix")
	x.set(in, &a, nil, nil)
	setBounds(in, x.ix, 1, Bound[B]{}, Bound[B]{})
	return in.deleteRange(x.ix, 1)
}

// DeleteRange removes the rows with a and b in the first two columns and from <= c < to in the third and returns how many there were.
func (x *Index3[Row, A, B, C]) DeleteRange(ctx *Context, a A, b B, from, to C) int {
	return x.DeleteRangeOf(ctx, a, b, Incl(from), Excl(to))
}

// DeleteRangeOf removes the rows with a and b in the first two columns and the third between two bounds and returns how
// many there were.
func (x *Index3[Row, A, B, C]) DeleteRangeOf(ctx *Context, a A, b B, from, to Bound[C]) int {
	in := ctx.use(x.ix.table, "DeleteRange")
	x.set(in, &a, &b, nil)
	setBounds(in, x.ix, 2, from, to)
	return in.deleteRange(x.ix, 2)
}
