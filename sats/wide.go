package sats

import (
	"errors"
	"math/bits"
)

// A U128 is an unsigned 128-bit integer: Hi·2⁶⁴ + Lo.
type U128 struct{ Lo, Hi uint64 }

// An I128 is a signed 128-bit integer in two's complement: Hi·2⁶⁴ + Lo.
type I128 struct {
	Lo uint64
	Hi int64
}

// A U256 is an unsigned 256-bit integer; limb 0 is the least significant.
type U256 [4]uint64

// An I256 is a signed 256-bit integer in two's complement; limb 0 is the least significant.
type I256 [4]uint64

// U128From returns n as a U128.
func U128From(n uint64) U128 { return U128{Lo: n} }

// I128From returns n as an I128.
func I128From(n int64) I128 { return I128{Lo: uint64(n), Hi: n >> 63} }

// U256From returns n as a U256.
func U256From(n uint64) U256 { return U256{n} }

// I256From returns n as an I256.
func I256From(n int64) I256 {
	s := uint64(n >> 63)
	return I256{uint64(n), s, s, s}
}

// IsZero reports whether u is 0.
func (u U128) IsZero() bool { return u == U128{} }

// IsZero reports whether u is 0.
func (u U256) IsZero() bool { return u == U256{} }

// IsNeg reports whether i < 0.
func (i I128) IsNeg() bool { return i.Hi < 0 }

// IsNeg reports whether i < 0.
func (i I256) IsNeg() bool { return int64(i[3]) < 0 }

func cmpU64(a, b uint64) int {
	if a < b {
		return -1
	}
	if a > b {
		return 1
	}
	return 0
}

func cmpI64(a, b int64) int {
	if a < b {
		return -1
	}
	if a > b {
		return 1
	}
	return 0
}

// Cmp returns -1, 0 or +1 as u is less than, equal to or greater than v.
func (u U128) Cmp(v U128) int {
	if c := cmpU64(u.Hi, v.Hi); c != 0 {
		return c
	}
	return cmpU64(u.Lo, v.Lo)
}

// Cmp returns -1, 0 or +1 as i is less than, equal to or greater than j.
func (i I128) Cmp(j I128) int {
	if c := cmpI64(i.Hi, j.Hi); c != 0 {
		return c
	}
	return cmpU64(i.Lo, j.Lo)
}

// Cmp returns -1, 0 or +1 as u is less than, equal to or greater than v.
func (u U256) Cmp(v U256) int {
	for k := 3; k >= 0; k-- {
		if c := cmpU64(u[k], v[k]); c != 0 {
			return c
		}
	}
	return 0
}

// Cmp returns -1, 0 or +1 as i is less than, equal to or greater than j.
func (i I256) Cmp(j I256) int {
	if c := cmpI64(int64(i[3]), int64(j[3])); c != 0 {
		return c
	}
	return U256(i).Cmp(U256(j))
}

func (u U128) wide() U256 { return U256{u.Lo, u.Hi} }

func (i I128) wide() I256 {
	s := uint64(i.Hi >> 63)
	return I256{i.Lo, uint64(i.Hi), s, s}
}

// neg returns 2²⁵⁶−u.
func (u U256) neg() (v U256) {
	carry := uint64(1)
	for k := range u {
		v[k], carry = bits.Add64(^u[k], 0, carry)
	}
	return v
}

// abs returns the magnitude of i; that of the least value is 2²⁵⁵.
func (i I256) abs() U256 {
	if i.IsNeg() {
		return U256(i).neg()
	}
	return U256(i)
}

// String returns the decimal digits.
func (u U128) String() string { return string(u.wide().appendDecimal(nil)) }

// String returns the decimal digits, with a minus sign before those of a negative number.
func (i I128) String() string { return string(i.wide().appendDecimal(nil)) }

// String returns the decimal digits.
func (u U256) String() string { return string(u.appendDecimal(nil)) }

// String returns the decimal digits, with a minus sign before those of a negative number.
func (i I256) String() string { return string(i.appendDecimal(nil)) }

func (i I256) appendDecimal(b []byte) []byte {
	if i.IsNeg() {
		b = append(b, '-')
	}
	return i.abs().appendDecimal(b)
}

func (u U256) appendDecimal(b []byte) []byte {
	const chunk = 1e19 // the largest power of ten in a limb
	var chunks [5]uint64
	n, top := 0, 3
	for {
		for top > 0 && u[top] == 0 {
			top--
		}
		if top == 0 && u[0] < chunk {
			break
		}
		for k := top; k >= 0; k-- {
			u[k], chunks[n] = bits.Div64(chunks[n], u[k], chunk)
		}
		n++
	}
	b = appendUint(b, u[0])
	for n--; n >= 0; n-- {
		b = appendDigits(b, chunks[n], 19)
	}
	return b
}

// appendHex appends the magnitude as 0x and lower-case digits without leading zeros.
func (u U256) appendHex(b []byte) []byte {
	b = append(b, '0', 'x')
	k := 3
	for k > 0 && u[k] == 0 {
		k--
	}
	digits := max(1, (bits.Len64(u[k])+3)/4)
	for ; k >= 0; k-- {
		var buf [16]byte
		for i := range 8 {
			*(*[2]byte)(buf[2*i:]) = hexPairs[byte(u[k]>>(56-8*i))]
		}
		b = append(b, buf[16-digits:]...)
		digits = 16
	}
	return b
}

const hexDigits = "0123456789abcdef"

// mulAdd returns u*m+a and whether it fits.
func (u U256) mulAdd(m, a uint64) (U256, bool) {
	carry := a
	for k := range u {
		hi, lo := bits.Mul64(u[k], m)
		var c uint64
		lo, c = bits.Add64(lo, carry, 0)
		u[k], carry = lo, hi+c
	}
	return u, carry == 0
}

var (
	errIntSyntax = errors.New("not a decimal integer")
	errIntRange  = errors.New("integer out of range")
)

// parseMagnitude parses one or more decimal digits.
func parseMagnitude(s string) (u U256, err error) {
	if s == "" {
		return u, errIntSyntax
	}
	fits := true
	for k := 0; k < len(s); k++ {
		d := s[k] - '0'
		if d > 9 {
			return U256{}, errIntSyntax
		}
		if u, fits = u.mulAdd(10, uint64(d)); !fits {
			return U256{}, errIntRange
		}
	}
	return u, nil
}

// ParseU256 parses decimal digits.
func ParseU256(s string) (U256, error) { return parseMagnitude(s) }

// ParseI256 parses decimal digits with an optional minus sign.
func ParseI256(s string) (I256, error) {
	neg := s != "" && s[0] == '-'
	if neg {
		s = s[1:]
	}
	u, err := parseMagnitude(s)
	if err != nil {
		return I256{}, err
	}
	return u.signed(neg)
}

// signed returns ±u as an I256 if it fits.
func (u U256) signed(neg bool) (I256, error) {
	if neg {
		u = u.neg()
		if !u.IsZero() && !I256(u).IsNeg() {
			return I256{}, errIntRange
		}
	} else if I256(u).IsNeg() {
		return I256{}, errIntRange
	}
	return I256(u), nil
}

// ParseU128 parses decimal digits.
func ParseU128(s string) (U128, error) {
	u, err := parseMagnitude(s)
	if err == nil && u[2]|u[3] != 0 {
		err = errIntRange
	}
	if err != nil {
		return U128{}, err
	}
	return U128{Lo: u[0], Hi: u[1]}, nil
}

// ParseI128 parses decimal digits with an optional minus sign.
func ParseI128(s string) (I128, error) {
	i, err := ParseI256(s)
	if err != nil {
		return I128{}, err
	}
	n := I128{Lo: i[0], Hi: int64(i[1])}
	if n.wide() != i {
		return I128{}, errIntRange
	}
	return n, nil
}

// AppendBSATN appends u in 16 bytes, the least significant first.
func (u U128) AppendBSATN(b []byte) []byte { return AppendU128(b, u) }

// AppendBSATN appends i in 16 bytes, the least significant first.
func (i I128) AppendBSATN(b []byte) []byte { return AppendI128(b, i) }

// AppendBSATN appends u in 32 bytes, the least significant first.
func (u U256) AppendBSATN(b []byte) []byte { return AppendU256(b, u) }

// AppendBSATN appends i in 32 bytes, the least significant first.
func (i I256) AppendBSATN(b []byte) []byte { return AppendI256(b, i) }

// ReadBSATN sets u to what r reads; what is wrong stands in r.Err.
func (u *U128) ReadBSATN(r *Reader) { *u = r.U128() }

// ReadBSATN sets i to what r reads; what is wrong stands in r.Err.
func (i *I128) ReadBSATN(r *Reader) { *i = r.I128() }

// ReadBSATN sets u to what r reads; what is wrong stands in r.Err.
func (u *U256) ReadBSATN(r *Reader) { *u = r.U256() }

// ReadBSATN sets i to what r reads; what is wrong stands in r.Err.
func (i *I256) ReadBSATN(r *Reader) { *i = r.I256() }
