package sats

import (
	"errors"
	"strconv"
)

// A Layout finds the columns inside encoded rows of one type, so that rows can be filtered, indexed and projected
// without being decoded.
type Layout struct {
	row     *Type
	root    *node
	offsets []int // offset of a column that all rows have in the same place, else -1
	static  int   // number of columns with such an offset
}

// NewLayout compiles a row type, which must be a product without refs.
func NewLayout(row *Type) (*Layout, error) {
	if row.Kind != KindProduct {
		return nil, errors.New("a row type must be a product, not " + row.Kind.String())
	}
	for i := range row.Elems {
		if row.Elems[i].Type.HasRefs() {
			name := row.Elems[i].Name.Or("column " + strconv.Itoa(i))
			return nil, errors.New("the type of " + name + " contains an unresolved type reference")
		}
	}
	l := &Layout{row: row, root: compile(row)}
	l.offsets = make([]int, len(l.root.kids))
	offset := 0
	for i, k := range l.root.kids {
		l.offsets[i] = offset
		if offset >= 0 {
			l.static = i + 1
			if offset += k.fixed; k.fixed < 0 {
				offset = -1
			}
		}
	}
	return l, nil
}

// Type returns the row type.
func (l *Layout) Type() *Type { return l.row }

// NumCols returns the number of columns.
func (l *Layout) NumCols() int { return len(l.offsets) }

// ColType returns the type of column i.
func (l *Layout) ColType(i int) *Type { return l.row.Elems[i].Type }

// ColName returns the name of column i, "" if it has none.
func (l *Layout) ColName(i int) string { return l.row.Elems[i].Name.Text }

// ColIndex returns the column called name, or -1.
func (l *Layout) ColIndex(name string) int { return l.row.FieldIndex(name) }

// ColWalker returns a walker for the values of column i.
func (l *Layout) ColWalker(i int) *Walker { return &Walker{t: l.ColType(i), root: l.root.kids[i]} }

// FixedSize returns the length of every row, if there is one.
func (l *Layout) FixedSize() (int, bool) { return max(l.root.fixed, 0), l.root.fixed >= 0 }

// MinSize returns the length of the shortest row.
func (l *Layout) MinSize() int { return l.root.min }

// StaticOffset returns where column i starts if that is the same in all rows.
func (l *Layout) StaticOffset(i int) (int, bool) { return max(l.offsets[i], 0), l.offsets[i] >= 0 }

// ColFixedSize returns the encoded size of column i, if it has one.
func (l *Layout) ColFixedSize(i int) (int, bool) {
	n := l.root.kids[i].fixed
	return max(n, 0), n >= 0
}

// Validate checks the row at the start of b and returns its length; what follows it is not looked at. It allocates
// nothing unless it fails.
func (l *Layout) Validate(b []byte) (n int, err error) {
	var zero int
	return l.root.check(b, 0, &zero)
}

// ValidateExact checks that b is one row and nothing else.
func (l *Layout) ValidateExact(b []byte) error {
	if size := l.root.fixed; size >= 0 && size != len(b) {
		return ErrLength(size, len(b))
	}
	n, err := l.Validate(b)
	if err == nil && n != len(b) {
		err = ErrExtraBytes(len(b) - n)
	}
	return err
}

// Len returns the length of the valid row at the start of b.
func (l *Layout) Len(b []byte) int { return l.root.skip(b, 0) }

// ColRange returns the bounds of column i in a valid row.
func (l *Layout) ColRange(row []byte, i int) (start, end int) {
	k := l.root.kids[i]
	start = l.offsets[i]
	if start < 0 {
		from := l.static - 1
		start = l.offsets[from]
		for _, before := range l.root.kids[from:i] {
			start = before.skip(row, start)
		}
	}
	return start, k.skip(row, start)
}

// Col returns the encoded value of column i of a valid row; it shares the row's memory.
func (l *Layout) Col(row []byte, i int) []byte {
	start, end := l.ColRange(row, i)
	return row[start:end:end]
}

// Offsets appends the start of every column of a valid row and the row's length, in one pass.
func (l *Layout) Offsets(dst []int, row []byte) []int {
	pos := 0
	for _, k := range l.root.kids {
		dst = append(dst, pos)
		pos = k.skip(row, pos)
	}
	return append(dst, pos)
}

// CompareCol orders column i of two valid rows (spec 01 §6).
func (l *Layout) CompareCol(a, b []byte, i int) int {
	startA, endA := l.ColRange(a, i)
	startB, endB := l.ColRange(b, i)
	c, _ := l.root.kids[i].compare(a[startA:endA], b[startB:endB])
	return c
}

// CompareRows orders two valid rows by their columns from the first to the last.
func (l *Layout) CompareRows(a, b []byte) int {
	c, _ := l.root.compare(a, b)
	return c
}
