package module

import (
	"iter"
	"unsafe"

	"github.com/stdbgo/spacetime/internal/guest"
)

// A Unique finds the one row that has a value in a unique column.
type Unique[Row, K any] struct{ ix *indexDef }

// UniqueOf returns the index of a column whose field has the word primarykey or unique in its tag.
func UniqueOf[Row, K any](t *Table[Row], field func(*Row) *K) *Unique[Row, K] {
	t.d.reg.open("UniqueOf")
	return &Unique[Row, K]{t.d.uniqueIndex(selected(field))}
}

// Find returns the row with the key.
func (u *Unique[Row, K]) Find(ctx *Context, key K) (row Row, ok bool) {
	in := ctx.use(u.ix.table, "Find")
	in.key = u.ix.keys[0].Append(in.key[:0], unsafe.Pointer(&key))
	ok = in.find(u.ix, unsafe.Pointer(&row))
	return row, ok
}

// Update replaces the row that has the same key as row, and returns row with the values of its autoinc columns. The
// error is a *RowError.
func (u *Unique[Row, K]) Update(ctx *Context, row Row) (Row, error) {
	d := u.ix.table
	in := ctx.use(d, "Update")
	in.row = d.codec.Append(in.row[:0], unsafe.Pointer(&row))
	n, e := in.host.Update(in.tableID(d), in.indexID(u.ix), in.row)
	if e != guest.OK {
		var none Row
		return none, d.rowError("update", e)
	}
	if n > 0 {
		d.readBack(in.row[:n], unsafe.Pointer(&row))
	}
	return row, nil
}

// Delete removes the row with the key and reports whether there was one.
func (u *Unique[Row, K]) Delete(ctx *Context, key K) bool {
	in := ctx.use(u.ix.table, "Delete")
	in.key = u.ix.keys[0].Append(in.key[:0], unsafe.Pointer(&key))
	return in.deletePoint(u.ix) > 0
}

// Range yields the rows with from <= key < to, by ascending key.
func (u *Unique[Row, K]) Range(ctx *Context, from, to K) iter.Seq[Row] {
	return u.RangeOf(ctx, Incl(from), Excl(to))
}

// RangeOf yields the rows with keys between two bounds, by ascending key.
func (u *Unique[Row, K]) RangeOf(ctx *Context, from, to Bound[K]) iter.Seq[Row] {
	return func(yield func(Row) bool) {
		in := ctx.use(u.ix.table, "Range")
		in.key = in.key[:0]
		setBounds(in, u.ix, 0, from, to)
		each(in.scanRange(u.ix, 0), yield)
	}
}

// DeleteRange removes the rows with from <= key < to and returns how many there were.
func (u *Unique[Row, K]) DeleteRange(ctx *Context, from, to K) int {
	return u.DeleteRangeOf(ctx, Incl(from), Excl(to))
}

// DeleteRangeOf removes the rows with keys between two bounds and returns how many there were.
func (u *Unique[Row, K]) DeleteRangeOf(ctx *Context, from, to Bound[K]) int {
	in := ctx.use(u.ix.table, "DeleteRange")
	in.key = in.key[:0]
	setBounds(in, u.ix, 0, from, to)
	return in.deleteRange(u.ix, 0)
}

// An Index finds rows by a column that is ordered.
type Index[Row, K any] struct{ ix *indexDef }

// IndexOf declares an ordered index over a column.
func IndexOf[Row, K any](t *Table[Row], field func(*Row) *K) *Index[Row, K] {
	t.d.reg.open("IndexOf")
	return &Index[Row, K]{t.d.declare("IndexOf", btree, selected(field))}
}

// Filter yields the rows with the key as they are when the loop begins; the loop may change the table.
func (x *Index[Row, K]) Filter(ctx *Context, key K) iter.Seq[Row] {
	return func(yield func(Row) bool) {
		in := ctx.use(x.ix.table, "Filter")
		in.key = x.ix.keys[0].Append(in.key[:0], unsafe.Pointer(&key))
		each(in.scanPoint(x.ix), yield)
	}
}

// Delete removes the rows with the key and returns how many there were.
func (x *Index[Row, K]) Delete(ctx *Context, key K) int {
	in := ctx.use(x.ix.table, "Delete")
	in.key = x.ix.keys[0].Append(in.key[:0], unsafe.Pointer(&key))
	return in.deletePoint(x.ix)
}

// Range yields the rows with from <= key < to, by ascending key.
func (x *Index[Row, K]) Range(ctx *Context, from, to K) iter.Seq[Row] {
	return x.RangeOf(ctx, Incl(from), Excl(to))
}

// RangeOf yields the rows with keys between two bounds, by ascending key.
func (x *Index[Row, K]) RangeOf(ctx *Context, from, to Bound[K]) iter.Seq[Row] {
	return func(yield func(Row) bool) {
		in := ctx.use(x.ix.table, "Range")
		in.key = in.key[:0]
		setBounds(in, x.ix, 0, from, to)
		each(in.scanRange(x.ix, 0), yield)
	}
}

// DeleteRange removes the rows with from <= key < to and returns how many there were.
func (x *Index[Row, K]) DeleteRange(ctx *Context, from, to K) int {
	return x.DeleteRangeOf(ctx, Incl(from), Excl(to))
}

// DeleteRangeOf removes the rows with keys between two bounds and returns how many there were.
func (x *Index[Row, K]) DeleteRangeOf(ctx *Context, from, to Bound[K]) int {
	in := ctx.use(x.ix.table, "DeleteRange")
	in.key = in.key[:0]
	setBounds(in, x.ix, 0, from, to)
	return in.deleteRange(x.ix, 0)
}

// A HashIndex finds rows by a column without order.
type HashIndex[Row, K any] struct{ ix *indexDef }

// HashIndexOf declares a hash index over a column.
func HashIndexOf[Row, K any](t *Table[Row], field func(*Row) *K) *HashIndex[Row, K] {
	t.d.reg.open("HashIndexOf")
	return &HashIndex[Row, K]{t.d.declare("HashIndexOf", hash, selected(field))}
}

// Filter yields the rows with the key as they are when the loop begins; the loop may change the table.
func (x *HashIndex[Row, K]) Filter(ctx *Context, key K) iter.Seq[Row] {
	return (*Index[Row, K])(x).Filter(ctx, key)
}

// Delete removes the rows with the key and returns how many there were.
func (x *HashIndex[Row, K]) Delete(ctx *Context, key K) int {
	return (*Index[Row, K])(x).Delete(ctx, key)
}
