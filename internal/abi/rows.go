package abi

import (
	"sort"

	"github.com/stdbgo/spacetime/internal/schema"
)

// A rowIter hands out rows that were copied when the scan started; so it neither sees later writes nor needs the
// transaction (spec 03 §5.3).
type rowIter struct {
	*rowBuf
	pos int // bytes already handed out
}

// A rowBuf holds encoded rows back to back. Rows of a table with a fixed row size need no list of ends.
type rowBuf struct {
	data  []byte
	ends  []int // if fixed is 0: where each row ends
	first int   // if fixed is 0: index in ends of the next row
	fixed int   // size of every row, or 0
}

// Contexts keep a few buffers of finished iterators.
const (
	maxSpare     = 8
	rowOverhead  = 16 // units of fuel for finding one row
	maxKeptEnds  = 1 << 16
	unitsPerByte = 8 // bytes copied for one unit
)

// rows is how many rows there are.
func (b *rowBuf) rows() int {
	if b.fixed > 0 {
		return len(b.data) / b.fixed
	}
	return len(b.ends)
}

// newRowBuf gives an empty buffer for rows of table t.
func (c *Context) newRowBuf(t *schema.Table) *rowBuf {
	var b *rowBuf
	if n := len(c.spare); n > 0 {
		b = c.spare[n-1]
		c.spare = c.spare[:n-1]
	} else {
		b = new(rowBuf)
	}
	b.fixed, _ = t.Layout.FixedSize()
	return b
}

// release keeps an iterator's buffer for the next scan unless it is too large.
func (c *Context) release(it rowIter) {
	b := it.rowBuf
	if len(c.spare) >= maxSpare || cap(b.data) > maxKept || cap(b.ends) > maxKeptEnds {
		return
	}
	*b = rowBuf{data: b.data[:0], ends: b.ends[:0]}
	c.spare = append(c.spare, b)
}

func (c *Context) append(b *rowBuf, row []byte) {
	c.hold(len(row))
	c.spend(rowOverhead + uint64(len(row))/unitsPerByte)
	b.data = append(b.data, row...)
	if b.fixed == 0 {
		b.ends = append(b.ends, len(b.data))
	}
}

func (c *Context) register(b *rowBuf) uint32 {
	id := c.iters.add(rowIter{rowBuf: b})
	if id == 0 {
		Fault("too many row iterators")
	}
	return id
}

// HasIter tells whether it is an open iterator, so that an engine can answer before it looks at memory.
func (c *Context) HasIter(it uint32) bool { return c.iters.get(it) != nil }

// IterAdvance copies as many whole rows as fit into buf and returns their bytes. With the last row, or if there is none,
// the iterator ends (exhausted). If not even the next row fits, the answer is ErrBufferTooSmall and its size (needed).
func (c *Context) IterAdvance(it uint32, buf []byte) (n int, exhausted bool, needed int, e Errno) {
	r := c.iters.get(it)
	if r == nil {
		return 0, false, 0, ErrNoSuchIter
	}
	left := len(r.data) - r.pos
	if left <= len(buf) {
		n = left
	} else if n = r.fit(len(buf)); n == 0 {
		return 0, false, r.nextSize(), ErrBufferTooSmall
	}
	copy(buf, r.data[r.pos:r.pos+n])
	c.spend(uint64(n) / unitsPerByte)
	r.pos += n
	if r.pos < len(r.data) {
		return n, false, 0, OK
	}
	c.closeIter(it)
	return n, true, 0, OK
}

// fit returns the size of the rows that fit into size bytes, fewer than all.
func (r *rowIter) fit(size int) int {
	if r.fixed > 0 {
		return size / r.fixed * r.fixed
	}
	ends := r.ends[r.first:]
	k := sort.SearchInts(ends, r.pos+size+1) // rows that end within the buffer
	if k == 0 {
		return 0
	}
	r.first += k
	return ends[k-1] - r.pos
}

func (r *rowIter) nextSize() int {
	if r.fixed > 0 {
		return r.fixed
	}
	return r.ends[r.first] - r.pos
}

// IterClose ends an iterator.
func (c *Context) IterClose(it uint32) Errno {
	if !c.closeIter(it) {
		return ErrNoSuchIter
	}
	return OK
}

func (c *Context) closeIter(it uint32) bool {
	r, ok := c.iters.remove(it)
	if ok {
		c.drop(len(r.data))
		c.release(r)
	}
	return ok
}
