package query

import (
	"math"
	"math/big"
)

// A floatSum is an exact sum of floats: a number of fixed point that spans all
// finite ones, so that the result does not depend on the order of the terms.
type floatSum struct {
	limbs  [70]int64 // limb i weighs 2^(32i-1074)
	adds   uint32    // since the limbs were last normalised
	nan    bool
	posInf bool
	negInf bool
}

func (s *floatSum) add(v float64) {
	switch {
	case math.IsNaN(v):
		s.nan = true
	case math.IsInf(v, 1):
		s.posInf = true
	case math.IsInf(v, -1):
		s.negInf = true
	case v != 0:
		s.addFinite(v)
	}
}

func (s *floatSum) addFinite(v float64) {
	b := math.Float64bits(v)
	exp := uint(b >> 52 & 0x7ff)
	mant := b & (1<<52 - 1)
	if exp == 0 {
		exp = 1
	} else {
		mant |= 1 << 52
	}
	at := exp - 1 // the weight of the last bit is 2^(at-1074)
	i, shift := at/32, at%32
	lo := int64(mant << shift & (1<<32 - 1))
	mid := int64(mant >> (32 - shift) & (1<<32 - 1))
	hi := int64(0)
	if shift > 0 {
		hi = int64(mant >> (64 - shift))
	}
	if shift == 0 {
		mid = int64(mant >> 32)
	}
	if v < 0 {
		lo, mid, hi = -lo, -mid, -hi
	}
	s.limbs[i] += lo
	s.limbs[i+1] += mid
	s.limbs[i+2] += hi
	if s.adds++; s.adds == 1<<30 {
		s.normalise()
	}
}

// normalise carries, so that all limbs but the last lie in [0, 2^32).
func (s *floatSum) normalise() {
	var carry int64
	for i := range s.limbs[:len(s.limbs)-1] {
		v := s.limbs[i] + carry
		carry = v >> 32
		s.limbs[i] = v & (1<<32 - 1)
	}
	s.limbs[len(s.limbs)-1] += carry
	s.adds = 0
}

// special is the result if a term was not finite.
func (s *floatSum) special() (float64, bool) {
	switch {
	case s.nan || s.posInf && s.negInf:
		return math.NaN(), true
	case s.posInf:
		return math.Inf(1), true
	case s.negInf:
		return math.Inf(-1), true
	}
	return 0, false
}

// over is the exact sum divided by n, rounded once.
func (s *floatSum) over(n uint64) float64 {
	if v, ok := s.special(); ok {
		return v
	}
	s.normalise()
	num := new(big.Int)
	for i := len(s.limbs) - 1; i >= 0; i-- {
		num.Lsh(num, 32)
		num.Add(num, big.NewInt(s.limbs[i]))
	}
	if num.Sign() == 0 {
		return 0
	}
	den := new(big.Int).Lsh(new(big.Int).SetUint64(n), 1074)
	v, _ := new(big.Rat).SetFrac(num, den).Float64()
	return v
}
