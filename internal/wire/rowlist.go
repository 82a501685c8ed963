package wire

import (
	"fmt"

	"github.com/stdbgo/spacetime/sats"
)

// A RowList is the BsatnRowList of spec 05 §6.3: rows back to back and a hint
// where they begin. The zero value is an empty list ready for use.
//
// Invariant: while uniform is set all rows have the length size and offsets is
// unused; from the first row of another length on, offsets holds every start.
type RowList struct {
	data    []byte
	offsets []uint64
	n       int
	size    int
	mixed   bool
}

// Reset empties the list and keeps its memory.
func (l *RowList) Reset() {
	*l = RowList{data: l.data[:0], offsets: l.offsets[:0]}
}

// Add appends one encoded row.
func (l *RowList) Add(row []byte) {
	if l.n == 0 {
		l.size = len(row)
	}
	if !l.mixed && len(row) != l.size {
		l.mixed = true
		for i := range l.n {
			l.offsets = append(l.offsets, uint64(i*l.size))
		}
	}
	if l.mixed {
		l.offsets = append(l.offsets, uint64(len(l.data)))
	}
	l.data = append(l.data, row...)
	l.n++
}

// Len is the number of rows.
func (l *RowList) Len() int { return l.n }

// At returns the bytes of row i. It panics if i is out of range.
func (l *RowList) At(i int) []byte {
	if i < 0 || i >= l.n {
		panic(fmt.Sprintf("wire: row %d of a list of %d", i, l.n))
	}
	if !l.mixed {
		return l.data[i*l.size : (i+1)*l.size : (i+1)*l.size]
	}
	end := uint64(len(l.data))
	if i+1 < l.n {
		end = l.offsets[i+1]
	}
	return l.data[l.offsets[i]:end:end]
}

// fixed reports whether the list may use the hint FixedSize: a size of zero must
// never be sent, and the hint holds 16 bits.
func (l *RowList) fixed() bool { return !l.mixed && l.n > 0 && l.size > 0 && l.size <= 0xffff }

// Append appends the encoded list.
func (l *RowList) Append(b []byte) []byte {
	if l.fixed() {
		b = sats.AppendU16(append(b, 0), uint16(l.size))
		return sats.AppendBytes(b, l.data)
	}
	b = sats.AppendLen(append(b, 1), l.n)
	for i := range l.n {
		at := uint64(i * l.size)
		if l.mixed {
			at = l.offsets[i]
		}
		b = sats.AppendU64(b, at)
	}
	return sats.AppendBytes(b, l.data)
}

// ReadRowList reads an encoded list. Its rows alias the reader's bytes.
func ReadRowList(r *sats.Reader) (l RowList) {
	if r.TagOf(2, "RowSizeHint") == 0 {
		size := int(r.U16())
		l.data = r.BytesView()
		if r.Err() != nil {
			return RowList{}
		}
		if size == 0 || len(l.data)%size != 0 {
			r.Fail(fmt.Errorf("row list of %d bytes cannot hold rows of %d bytes", len(l.data), size))
			return RowList{}
		}
		l.size, l.n = size, len(l.data)/size
		return l
	}
	n := r.Count(8)
	if n > 0 {
		l.mixed, l.n = true, n
		l.offsets = make([]uint64, n)
		for i := range l.offsets {
			l.offsets[i] = r.U64()
		}
	}
	l.data = r.BytesView()
	if r.Err() != nil {
		return RowList{}
	}
	last := uint64(0)
	for i, o := range l.offsets {
		if o < last || o > uint64(len(l.data)) || i == 0 && o != 0 {
			r.Fail(fmt.Errorf("row list: offset %d of row %d is out of order or beyond %d bytes", o, i, len(l.data)))
			return RowList{}
		}
		last = o
	}
	return l
}
