package store

import (
	"encoding/binary"
	"fmt"
	"math/big"
	"math/bits"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/sats"
)

// sequenceBatch is how many values the st_sequence row is ahead (spec 08 §6.2).
const sequenceBatch = 4096

// A sequence hands out the values of one column.
//
// The row in st_sequence has the first value to be handed out after a restart. It
// is rewritten by the transaction that begins a batch. Where that is rolled back,
// the values handed out stay used, and [Tx.SaveSequences] or the next transaction
// that takes a value writes the row: a value in a committed row is always behind the
// committed st_sequence row (spec 08 §6.4).
type sequence struct {
	def    *schema.Sequence
	col    int
	size   int // bytes of the column
	pos    *sequencePos
	stored sats.I128 // allocated in the row, as the writer sees it
}

// A sequencePos is what survives a rollback. The sequence of a table that is made
// anew with more columns shares it with its predecessor.
type sequencePos struct {
	value     sats.I128 // next to hand out
	allocated sats.I128 // end of the batch
}

type seqUndo struct {
	seq    *sequence
	stored sats.I128
}

func newSequence(def *schema.Sequence, table *schema.Table, allocated sats.I128) *sequence {
	size, _ := table.Layout.ColFixedSize(int(def.Col))
	return &sequence{
		def: def, col: int(def.Col), size: size,
		pos:    &sequencePos{allocated, allocated},
		stored: allocated,
	}
}

// checkSequence reports parameters that no sequence can have.
func checkSequence(def *schema.Sequence, t *schema.Table) error {
	if int(def.Col) >= len(t.Cols) || !t.Cols[def.Col].Type.Kind.IsInteger() {
		return errorf(0, "sequence %s of table %s: column %d is not an integer", def.Name, t.Name, def.Col)
	}
	span := new(big.Int).Sub(def.Max.Big(), def.Min.Big())
	if def.Max.Cmp(def.Min) <= 0 || def.Increment == (sats.I128{}) || new(big.Int).Abs(def.Increment.Big()).Cmp(span) >= 0 {
		return errorf(0, "Invalid sequence: %s: increment %v in %v…%v", def.Name, def.Increment, def.Min, def.Max)
	}
	return nil
}

// loadedPosition returns where a sequence goes on whose row says allocated.
func loadedPosition(def *schema.Sequence, allocated sats.I128) (sats.I128, error) {
	if allocated.Cmp(def.Min) >= 0 && allocated.Cmp(def.Max) <= 0 {
		return allocated, nil
	}
	if allocated == (sats.I128{}) {
		return def.Start, nil
	}
	return allocated, fmt.Errorf("sequence %s: position %v is outside of %v…%v", def.Name, allocated, def.Min, def.Max)
}

func addI128(a, b sats.I128) (sum sats.I128, overflow bool) {
	lo, carry := bits.Add64(a.Lo, b.Lo, 0)
	hi, _ := bits.Add64(uint64(a.Hi), uint64(b.Hi), carry)
	sum = sats.I128{Lo: lo, Hi: int64(hi)}
	return sum, (a.Hi < 0) == (b.Hi < 0) && (sum.Hi < 0) != (a.Hi < 0)
}

// step returns the value after v, wrapping at the sequence's ends.
func (q *sequence) step(v sats.I128) sats.I128 {
	d := q.def
	n, over := addI128(v, d.Increment)
	if !d.Increment.IsNeg() && !over && n.Cmp(d.Max) <= 0 || d.Increment.IsNeg() && !over && n.Cmp(d.Min) >= 0 {
		return n
	}
	minimum, maximum := d.Min.Big(), d.Max.Big()
	one := big.NewInt(1)
	size := new(big.Int).Sub(maximum, minimum)
	size.Add(size, one)
	x := new(big.Int).Add(v.Big(), d.Increment.Big())
	if !d.Increment.IsNeg() {
		x.Sub(x, maximum).Sub(x, one)
		x.Mod(x, size).Add(x, minimum)
	} else {
		x.Sub(minimum, x).Sub(x, one)
		x.Sub(maximum, x.Mod(x, size))
	}
	w, _ := sats.I128FromBig(x)
	return w
}

// take hands out a value, beginning a batch of n if the last one is used up.
func (q *sequence) take(n int) sats.I128 {
	p := q.pos
	if p.value == p.allocated {
		for from := p.allocated; n > 0; n-- {
			next := q.step(p.allocated)
			if next == from {
				break // the whole range is in the batch
			}
			p.allocated = next
		}
	}
	v := p.value
	p.value = q.step(v)
	return v
}

func isZero(b []byte) bool {
	for _, x := range b {
		if x != 0 {
			return false
		}
	}
	return true
}

// generate returns the row with the zeros in its sequence columns replaced, and the
// values given.
func (tx *Tx) generate(t *table, row []byte) (filled, generated []byte) {
	tx.generated = tx.generated[:0]
	copied := false
	for _, q := range t.seqs {
		start, end := t.def.Layout.ColRange(row, q.col)
		if !isZero(row[start:end]) {
			continue
		}
		if !copied {
			tx.row = append(tx.row[:0], row...)
			row, copied = tx.row, true
		}
		putTruncated(row[start:end], q.take(sequenceBatch))
		tx.generated = append(tx.generated, row[start:end]...)
		if q.stored != q.pos.allocated {
			tx.storeSequence(q)
		}
	}
	return row, tx.generated
}

// putTruncated writes the low bytes of v, sign-extended for wider columns.
func putTruncated(b []byte, v sats.I128) {
	var full [32]byte
	binary.LittleEndian.PutUint64(full[:], v.Lo)
	binary.LittleEndian.PutUint64(full[8:], uint64(v.Hi))
	sign := uint64(v.Hi >> 63)
	binary.LittleEndian.PutUint64(full[16:], sign)
	binary.LittleEndian.PutUint64(full[24:], sign)
	copy(b, full[:])
}

// SequencesBehind reports that a rollback may have left the row of a sequence behind the
// values that were handed out. One should then commit a transaction with
// [Tx.SaveSequences], lest a crash hands them out again (spec 08 §6.4).
func (s *Store) SequencesBehind() bool { return s.behind }

// SaveSequences writes the rows of sequences that are behind.
func (tx *Tx) SaveSequences() {
	tx.mustBeOpen()
	tx.s.behind = false
	for _, e := range tx.s.catalog().entries {
		for _, q := range e.t.seqs {
			if q.stored != q.pos.allocated {
				tx.storeSequence(q)
			}
		}
	}
}

// storeSequence rewrites the sequence's row. allocated is its last column.
func (tx *Tx) storeSequence(q *sequence) {
	t := tx.s.tables[schema.StSequence]
	ix := t.indexByID(schema.IxSequenceID)
	p := ix.find(sats.AppendU32(nil, uint32(q.def.ID)))
	old := t.rows.get(p)
	row := append(make([]byte, 0, len(old)), old[:len(old)-16]...)
	row = sats.AppendI128(row, q.pos.allocated)
	tx.seqs = append(tx.seqs, seqUndo{q, q.stored})
	tx.s.mu.Lock()
	t.update(p, row)
	tx.s.mu.Unlock()
	q.stored = q.pos.allocated
}
