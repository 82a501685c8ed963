package schema

import (
	"math/big"

	"github.com/stdbgo/spacetime/sats"
)

// SequencePrecheck demands, before any step, that the column of an added
// sequence holds no value the sequence would hand out (spec 02 §11.5).
type SequencePrecheck struct {
	Table    *TableDef // as it will be
	Sequence *SequenceDef
}

// Message is the error text for a check that fails.
func (c SequencePrecheck) Message() string {
	return "Precheck failed: added sequence " + c.Sequence.Name + " already has values in range"
}

// Range returns the first and the last value that must not be in the column,
// both as BSATN of its type. ok is false if the type has no such value.
func (c SequencePrecheck) Range() (lo, hi []byte, ok bool) {
	kind := c.Table.Columns[c.Sequence.Col].Type.Kind
	least, greatest := integerBounds(kind)
	low := clamp(c.Sequence.Min.Big(), least, greatest)
	high := greatest
	if c.Sequence.raw.Max != nil {
		high = clamp(c.Sequence.Max.Big(), least, greatest)
	}
	if low.Cmp(high) > 0 {
		return nil, nil, false
	}
	return encodeInteger(kind, low), encodeInteger(kind, high), true
}

// integerBounds returns the least and the greatest value of an integer kind.
func integerBounds(k sats.Kind) (least, greatest *big.Int) {
	one := big.NewInt(1)
	bits := uint(k.Size() * 8)
	if !k.IsSigned() {
		return new(big.Int), new(big.Int).Sub(new(big.Int).Lsh(one, bits), one)
	}
	half := new(big.Int).Lsh(one, bits-1)
	return new(big.Int).Neg(half), new(big.Int).Sub(half, one)
}

func clamp(n, least, greatest *big.Int) *big.Int {
	switch {
	case n.Cmp(least) < 0:
		return least
	case n.Cmp(greatest) > 0:
		return greatest
	}
	return n
}

// encodeInteger returns n, which fits, in two's complement, little-endian.
func encodeInteger(k sats.Kind, n *big.Int) []byte {
	size := k.Size()
	if n.Sign() < 0 {
		n = new(big.Int).Add(n, new(big.Int).Lsh(big.NewInt(1), uint(size*8)))
	}
	b := n.FillBytes(make([]byte, size))
	for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
		b[i], b[j] = b[j], b[i]
	}
	return b
}
