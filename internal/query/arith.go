package query

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/big"
	"math/bits"

	"github.com/stdbgo/spacetime/sats"
)

// An ExprError is why an expression has no value; it ends the run.
type ExprError string

func (e ExprError) Error() string { return string(e) }

const errDivision ExprError = "Division by zero"

func errOverflow(t *sats.Type) error {
	return ExprError(fmt.Sprintf("Arithmetic overflow in expression of type `%s`", t))
}

// Arith returns the operator +, -, *, / or % on two values of kind k, whose result
// has type t and the same kind; nil if there is none (spec 07 §34.7).
func Arith(op byte, k sats.Kind, t *sats.Type) func(dst, a, b []byte) ([]byte, error) {
	switch {
	case k == sats.KindF64:
		return func(dst, a, b []byte) ([]byte, error) { return sats.AppendF64(dst, floatOp(op, f64(a), f64(b))), nil }
	case k == sats.KindF32:
		return func(dst, a, b []byte) ([]byte, error) {
			x, y := f32(a), f32(b)
			switch op {
			case '+':
				x += y
			case '-':
				x -= y
			case '*':
				x *= y
			case '/':
				x /= y
			default:
				x = float32(math.Mod(float64(x), float64(y)))
			}
			return sats.AppendF32(dst, x), nil
		}
	case !k.IsInteger():
		return nil
	case k.Size() > 8:
		return bigOp(op, k, t)
	case k.IsSigned():
		return signedOp(op, k, t)
	}
	return unsignedOp(op, k, t)
}

func f64(b []byte) float64 { return math.Float64frombits(binary.LittleEndian.Uint64(b)) }
func f32(b []byte) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(b)) }

func floatOp(op byte, x, y float64) float64 {
	switch op {
	case '+':
		return x + y
	case '-':
		return x - y
	case '*':
		return x * y
	case '/':
		return x / y
	}
	return math.Mod(x, y)
}

func signedOp(op byte, k sats.Kind, t *sats.Type) func(dst, a, b []byte) ([]byte, error) {
	size := k.Size()
	shift := 64 - 8*size
	var calc func(x, y int64) (int64, bool)
	switch op {
	case '+':
		calc = func(x, y int64) (int64, bool) { z := x + y; return z, (z > x) == (y > 0) }
	case '-':
		calc = func(x, y int64) (int64, bool) { z := x - y; return z, (z < x) == (y > 0) }
	case '*':
		calc = mulInt64
	case '/':
		calc = func(x, y int64) (int64, bool) { return x / y, x != math.MinInt64 || y != -1 }
	default:
		calc = func(x, y int64) (int64, bool) { return x % y, true }
	}
	divides := op == '/' || op == '%'
	return func(dst, a, b []byte) ([]byte, error) {
		x, y := signedValue(size, a), signedValue(size, b)
		if divides && y == 0 {
			return dst, errDivision
		}
		z, ok := calc(x, y)
		if !ok || z<<shift>>shift != z {
			return dst, errOverflow(t)
		}
		return sats.AppendU64(dst, uint64(z))[:len(dst)+size], nil
	}
}

func mulInt64(x, y int64) (int64, bool) {
	if x == 0 || y == 0 {
		return 0, true
	}
	z := x * y
	return z, z/y == x && (x != math.MinInt64 || y != -1) && (y != math.MinInt64 || x != -1)
}

func signedValue(size int, b []byte) int64 {
	switch size {
	case 1:
		return int64(int8(b[0]))
	case 2:
		return int64(int16(binary.LittleEndian.Uint16(b)))
	case 4:
		return int64(int32(binary.LittleEndian.Uint32(b)))
	}
	return int64(binary.LittleEndian.Uint64(b))
}

func unsignedValue(size int, b []byte) uint64 {
	switch size {
	case 1:
		return uint64(b[0])
	case 2:
		return uint64(binary.LittleEndian.Uint16(b))
	case 4:
		return uint64(binary.LittleEndian.Uint32(b))
	}
	return binary.LittleEndian.Uint64(b)
}

func unsignedOp(op byte, k sats.Kind, t *sats.Type) func(dst, a, b []byte) ([]byte, error) {
	size := k.Size()
	shift := 64 - 8*size
	var calc func(x, y uint64) (uint64, bool)
	switch op {
	case '+':
		calc = func(x, y uint64) (uint64, bool) { z, c := bits.Add64(x, y, 0); return z, c == 0 }
	case '-':
		calc = func(x, y uint64) (uint64, bool) { return x - y, x >= y }
	case '*':
		calc = func(x, y uint64) (uint64, bool) { hi, lo := bits.Mul64(x, y); return lo, hi == 0 }
	case '/':
		calc = func(x, y uint64) (uint64, bool) { return x / y, true }
	default:
		calc = func(x, y uint64) (uint64, bool) { return x % y, true }
	}
	divides := op == '/' || op == '%'
	return func(dst, a, b []byte) ([]byte, error) {
		x, y := unsignedValue(size, a), unsignedValue(size, b)
		if divides && y == 0 {
			return dst, errDivision
		}
		z, ok := calc(x, y)
		if !ok || z<<shift>>shift != z {
			return dst, errOverflow(t)
		}
		return sats.AppendU64(dst, z)[:len(dst)+size], nil
	}
}

func bigOp(op byte, k sats.Kind, t *sats.Type) func(dst, a, b []byte) ([]byte, error) {
	return func(dst, a, b []byte) ([]byte, error) {
		x, y := BigInt(k, a), BigInt(k, b)
		switch op {
		case '+':
			x.Add(x, y)
		case '-':
			x.Sub(x, y)
		case '*':
			x.Mul(x, y)
		default:
			if y.Sign() == 0 {
				return dst, errDivision
			}
			if op == '/' {
				x.Quo(x, y)
			} else {
				x.Rem(x, y)
			}
		}
		out, ok := AppendBigInt(dst, k, x)
		if !ok {
			return dst, errOverflow(t)
		}
		return out, nil
	}
}

// Negate returns the sign change of values of kind k and type t; nil if there is
// none.
func Negate(k sats.Kind, t *sats.Type) func(dst, a []byte) ([]byte, error) {
	switch {
	case k == sats.KindF64:
		return func(dst, a []byte) ([]byte, error) { return sats.AppendF64(dst, -f64(a)), nil }
	case k == sats.KindF32:
		return func(dst, a []byte) ([]byte, error) { return sats.AppendF32(dst, -f32(a)), nil }
	case !k.IsInteger():
		return nil
	}
	return func(dst, a []byte) ([]byte, error) {
		x := BigInt(k, a)
		out, ok := AppendBigInt(dst, k, x.Neg(x))
		if !ok {
			return dst, errOverflow(t)
		}
		return out, nil
	}
}

// BigInt reads an encoded integer of kind k.
func BigInt(k sats.Kind, b []byte) *big.Int {
	r := sats.NewReader(b)
	switch k {
	case sats.KindU128:
		return r.U128().Big()
	case sats.KindI128:
		return r.I128().Big()
	case sats.KindU256:
		return r.U256().Big()
	case sats.KindI256:
		return r.I256().Big()
	}
	if k.IsSigned() {
		return big.NewInt(signedValue(k.Size(), b))
	}
	return new(big.Int).SetUint64(unsignedValue(k.Size(), b))
}

// AppendBigInt appends n as an integer of kind k; ok is false if it does not fit.
func AppendBigInt(dst []byte, k sats.Kind, n *big.Int) (out []byte, ok bool) {
	switch k {
	case sats.KindU128:
		v, ok := sats.U128FromBig(n)
		return v.AppendBSATN(dst), ok
	case sats.KindI128:
		v, ok := sats.I128FromBig(n)
		return v.AppendBSATN(dst), ok
	case sats.KindU256:
		v, ok := sats.U256FromBig(n)
		return v.AppendBSATN(dst), ok
	case sats.KindI256:
		v, ok := sats.I256FromBig(n)
		return v.AppendBSATN(dst), ok
	}
	size := k.Size()
	var v uint64
	if k.IsSigned() {
		i := n.Int64()
		shift := 64 - 8*size
		ok = n.IsInt64() && i<<shift>>shift == i
		v = uint64(i)
	} else {
		v = n.Uint64()
		ok = n.IsUint64() && bits.Len64(v) <= 8*size
	}
	return sats.AppendU64(dst, v)[:len(dst)+size], ok
}
