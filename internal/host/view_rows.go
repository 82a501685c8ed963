package host

import (
	"bytes"

	"github.com/stdbgo/spacetime/internal/query"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/sats"
)

// A rowDiff gives an instance of a view its rows by changing no more than what differs:
// most of a large view is the same after a transaction. It is used again and again.
type rowDiff struct {
	list  []byte // the new rows, back to back
	ends  []int
	next  []int32          // the next row of the same hash, + 1
	kept  []bool           // is in the table already
	heads map[uint64]int32 // the first row of a hash, + 1; not used for a few rows
	row   []byte           // a row behind its hash
	gone  []byte           // rows to delete, back to back, with their hashes
	sizes []int
}

// fewRows is the number of rows up to which they are looked through one by one.
const fewRows = 8

// apply makes rows, of which there are count back to back, the rows of an instance. Equal
// ones collapse. Its error is a rowsError if the table does not take a row.
func (d *rowDiff) apply(tx *store.Tx, t *schema.Table, hash query.ViewHash, w *sats.Walker, rows []byte, count int) error {
	defer d.release()
	d.index(w, rows, count)
	for row := range tx.Point(t.IndexOn(0).ID, hash[:]) {
		if i := d.find(row[len(hash):]); i >= 0 {
			d.kept[i] = true
			continue
		}
		d.gone = append(d.gone, row...)
		d.sizes = append(d.sizes, len(row))
	}
	gone := d.gone
	for _, n := range d.sizes {
		if _, err := tx.DeleteRow(t.ID, gone[:n]); err != nil {
			return err
		}
		gone = gone[n:]
	}
	d.row = append(d.row[:0], hash[:]...)
	for i, kept := range d.kept {
		if kept {
			continue
		}
		d.row = append(d.row[:len(hash)], d.at(i)...)
		if _, _, err := tx.Insert(t.ID, d.row); err != nil {
			return rowsError{err}
		}
	}
	return nil
}

// index notes the new rows.
func (d *rowDiff) index(w *sats.Walker, rows []byte, count int) {
	d.list = rows
	end := 0
	for range count {
		end += w.Len(rows[end:])
		d.ends = append(d.ends, end)
	}
	d.kept = append(d.kept, make([]bool, count)...)
	if count <= fewRows {
		return
	}
	if d.heads == nil {
		d.heads = make(map[uint64]int32, count)
	}
	for i := range count {
		h := sats.HashBytes(d.at(i))
		d.next = append(d.next, d.heads[h])
		d.heads[h] = int32(i + 1)
	}
}

func (d *rowDiff) at(i int) []byte {
	start := 0
	if i > 0 {
		start = d.ends[i-1]
	}
	return d.list[start:d.ends[i]]
}

// find returns the number of a new row that equals row, or -1.
func (d *rowDiff) find(row []byte) int {
	if len(d.ends) <= fewRows {
		for i := range d.ends {
			if bytes.Equal(d.at(i), row) {
				return i
			}
		}
		return -1
	}
	for i := d.heads[sats.HashBytes(row)]; i > 0; i = d.next[i-1] {
		if bytes.Equal(d.at(int(i-1)), row) {
			return int(i - 1)
		}
	}
	return -1
}

// release forgets the rows, and memory that an unusually large view has needed.
func (d *rowDiff) release() {
	if cap(d.ends) > 1<<14 || cap(d.gone) > 1<<20 || cap(d.row) > 1<<20 {
		*d = rowDiff{}
		return
	}
	d.list = nil
	d.ends, d.next, d.kept, d.sizes = d.ends[:0], d.next[:0], d.kept[:0], d.sizes[:0]
	d.gone = d.gone[:0]
	clear(d.heads)
}
