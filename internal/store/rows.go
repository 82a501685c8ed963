package store

import "iter"

// Rows is an immutable list of rows that stand back to back in one piece of memory.
// The zero Rows is empty.
type Rows struct {
	data  []byte
	n     int
	width int   // of each row, if ends is nil
	ends  []int // end of each row in data; nil: all rows have one width
}

// Len returns the number of rows.
func (r Rows) Len() int { return r.n }

// At returns the BSATN of row i.
func (r Rows) At(i int) []byte {
	if r.ends == nil {
		at := i * r.width
		return r.data[at : at+r.width : at+r.width]
	}
	var start int
	if i > 0 {
		start = r.ends[i-1]
	}
	end := r.ends[i]
	return r.data[start:end:end]
}

// All yields the rows in order.
func (r Rows) All() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for i := range r.n {
			if !yield(r.At(i)) {
				return
			}
		}
	}
}

// Bytes returns all rows back to back.
func (r Rows) Bytes() []byte { return r.data }
