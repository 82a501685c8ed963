package sats

import (
	"math"
	"math/bits"
	"strconv"
)

// AppendJSONFloat appends a float of size 32 or 64 bits in the layout of spec 01 §4.8; NaN and infinities become null.
func AppendJSONFloat(b []byte, f float64, size int) []byte {
	if f-f != 0 {
		return append(b, "null"...)
	}
	lo, hi, plain := -5, 16, 1e15
	if size == 32 {
		lo, hi, plain = -6, 13, 1e12
	}
	if a := math.Abs(f); a >= 1e-4 && a < plain {
		// Well inside the range without exponent, so that rounding to the shortest digits cannot lead out of it.
		if out, ok := appendPlain(b, f, size); ok {
			return out
		}
		b = strconv.AppendFloat(b, f, 'f', -1, size)
		if f == math.Trunc(f) {
			b = append(b, '.', '0')
		}
		return b
	}
	var buf [32]byte
	text := strconv.AppendFloat(buf[:0], f, 'e', -1, size)
	if text[0] == '-' {
		b, text = append(b, '-'), text[1:]
	}
	if f == 0 {
		return append(b, "0.0"...)
	}
	// text is d[.ddd]e±xx: move the digits together, kk is where the point stands among them.
	e := len(text) - 1
	for text[e] != 'e' {
		e--
	}
	exp := 0
	for _, c := range text[e+2:] {
		exp = exp*10 + int(c-'0')
	}
	if text[e+1] == '-' {
		exp = -exp
	}
	n, kk := 1, exp+1
	if e > 2 {
		n += copy(text[1:], text[2:e])
	}
	return layoutDigits(b, text[:n], kk, lo, hi)
}

// A decimalScale belongs to the floats m×2^q with an integer m: places is the least number such that half the distance
// of two of them, times 10^places, is no less than ½. This product is hi + lo×2⁻⁶⁴; it is less than 5.
type decimalScale struct {
	hi, lo uint64
	places int
}

// decimalScales holds the scale of q at index -q. The others are not exact in so few bits, or need no places.
var decimalScales = func() (t [64]decimalScale) {
	for i := 1; i < len(t); i++ {
		// Half the distance is 2^-(i+1); 10^places is at least 2^i.
		places := 0
		for powersOf10[places] < 1<<i {
			places++
		}
		power := powersOf10[places]
		t[i] = decimalScale{power >> (i + 1), power << (63 - i), places}
	}
	return t
}()

// appendPlain appends f without exponent, if it is an integer or one of the floats for which 128 bits hold all it takes
// exactly: nearly all from 2⁻¹⁰ on.
func appendPlain(b []byte, f float64, size int) ([]byte, bool) {
	integers, width := 1e15, 52
	if size == 32 {
		integers, width = 1<<24, 23
	}
	a := math.Abs(f)
	n, places := uint64(a), 0
	if float64(n) != a {
		word := math.Float64bits(a)
		exp := int(word>>52) - 1023 - width // f is normal in both sizes: nothing is lost below
		m := (word&(1<<52-1) | 1<<52) >> (52 - width)
		if exp < -63 || exp >= 0 || m == 1<<width {
			return nil, false // below a power of 2 floats are closer
		}
		n, places = shortest(m, &decimalScales[-exp])
	} else if a >= integers {
		return nil, false
	}
	if f < 0 {
		b = append(b, '-')
	}
	if places == 0 {
		return append(appendUint(b, n), '.', '0'), true
	}
	whole := uint64(a) // no decimal between two integers is nearer to the float than both
	b = append(appendUint(b, whole), '.')
	return appendDigits(b, n-whole*powersOf10[places], places), true
}

// shortest returns the decimal n×10^-places that has the fewest places of all that are nearer to the float m×2^q than to
// any other, or as near if m is even, and is the nearest of these.
func shortest(m uint64, scale *decimalScale) (n uint64, places int) {
	// The float times 10^places is whole + part×2⁻⁶⁴, exactly. Around it lies, as far as the scale says to both sides, what
	// reads as this float: at least one integer and at most one multiple of 10.
	high, part := bits.Mul64(2*m, scale.lo)
	whole := high + 2*m*scale.hi
	places = scale.places
	last := whole % 10
	within := func(hi, lo uint64) bool {
		return hi < scale.hi || hi == scale.hi && (lo < scale.lo || lo == scale.lo && m%2 == 0)
	}
	switch {
	case within(last, part):
		n = whole - last
	case part == 0 && within(10-last, 0), part != 0 && within(9-last, -part):
		n = whole - last + 10
	case part > 1<<63 || part == 1<<63 && whole%2 == 1:
		return whole + 1, places
	default:
		return whole, places
	}
	for places > 8 && n%100_000_000 == 0 {
		n, places = n/100_000_000, places-8
	}
	if places > 4 && n%10_000 == 0 {
		n, places = n/10_000, places-4
	}
	if places > 2 && n%100 == 0 {
		n, places = n/100, places-2
	}
	if places > 1 && n%10 == 0 {
		n, places = n/10, places-1
	}
	return n, places
}

// layoutDigits writes 0.digits × 10^kk.
func layoutDigits(b, digits []byte, kk, lo, hi int) []byte {
	n := len(digits)
	switch {
	case n <= kk && kk <= hi:
		b = append(b, digits...)
		for ; n < kk; n++ {
			b = append(b, '0')
		}
		return append(b, ".0"...)
	case 0 < kk && kk <= hi:
		b = append(append(b, digits[:kk]...), '.')
		return append(b, digits[kk:]...)
	case lo < kk && kk <= 0:
		b = append(b, "0."...)
		for ; kk < 0; kk++ {
			b = append(b, '0')
		}
		return append(b, digits...)
	}
	b = append(b, digits[0])
	if n > 1 {
		b = append(append(b, '.'), digits[1:]...)
	}
	return strconv.AppendInt(append(b, 'e'), int64(kk-1), 10)
}
