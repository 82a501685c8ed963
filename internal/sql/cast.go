package sql

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/big"
	"strings"

	"github.com/stdbgo/spacetime/internal/query"
	"github.com/stdbgo/spacetime/sats"
)

// cast types CAST(x AS t). A literal takes the type at once.
func (c *checker) cast(e *castExpr) (query.Expr, error) {
	if e.typ == nil {
		return nil, c.refusal(e)
	}
	if lit, ok := e.x.(*litExpr); ok && lit.kind != litBool {
		if e.typ.Kind == sats.KindBool && lit.kind == litString {
			return c.boolLiteral(lit)
		}
		return c.check(lit, e.typ)
	}
	if b, ok := e.x.(*bindExpr); ok {
		return c.check(b, e.typ)
	}
	if c.typeless(e.x) && (e.typ.Kind.IsInteger() || e.typ.Kind.IsFloat() || c.defaultType(e.x) == nil) {
		return c.check(e.x, e.typ)
	}
	x, err := c.value(e.x)
	if err != nil {
		return nil, err
	}
	from := query.TypeOf(x)
	if from.Equal(e.typ) {
		return x, nil
	}
	fn, fails := conversion(from, e.typ)
	if fn == nil {
		return nil, c.errorAt(e.span, "Cannot cast type `%s` to `%s`", from, e.typ)
	}
	return &query.Apply{Name: "CAST", Args: []query.Expr{x}, Type: e.typ, CanFail: fails, Fn1: fn}, nil
}

func (c *checker) boolLiteral(l *litExpr) (query.Expr, error) {
	switch strings.ToLower(l.text) {
	case "true", "false":
		return c.check(&litExpr{l.span, litBool, strings.ToLower(l.text), false}, sats.Bool)
	}
	return nil, c.literalError(l, sats.Bool)
}

// conversion returns the function that casts values of one type to another, and
// whether it can fail; nil if there is none (spec 07 §34.7).
func conversion(from, to *sats.Type) (fn func(dst, v []byte) ([]byte, error), fails bool) {
	f, t := from.Kind, to.Kind
	switch {
	case t == sats.KindString:
		return textOf(from), false
	case f == sats.KindString:
		return fromText(to), true
	case f == sats.KindBool && t.IsInteger():
		return func(dst, v []byte) ([]byte, error) {
			out, _ := query.AppendBigInt(dst, t, big.NewInt(int64(v[0])))
			return out, nil
		}, false
	case f.IsInteger() && t.IsInteger():
		return func(dst, v []byte) ([]byte, error) {
			n := query.BigInt(f, v)
			out, ok := query.AppendBigInt(dst, t, n)
			if !ok {
				return dst, cannotParse(n.String(), to)
			}
			return out, nil
		}, true
	case f.IsInteger() && t.IsFloat():
		return integerToFloat(f, t), false
	case f.IsFloat() && t.IsInteger():
		return floatToInteger(f, to), true
	case f.IsFloat() && t.IsFloat():
		return func(dst, v []byte) ([]byte, error) { return appendFloatValue(dst, t, floatValue(f, v)), nil }, false
	}
	return nil, false
}

func cannotParse(text string, t *sats.Type) error {
	return fmt.Errorf("The literal expression `%s` cannot be parsed as type `%s`", text, t)
}

func floatValue(k sats.Kind, v []byte) float64 {
	if k == sats.KindF32 {
		return float64(math.Float32frombits(binary.LittleEndian.Uint32(v)))
	}
	return math.Float64frombits(binary.LittleEndian.Uint64(v))
}

func appendFloatValue(dst []byte, k sats.Kind, v float64) []byte {
	if k == sats.KindF32 {
		return sats.AppendF32(dst, float32(v))
	}
	return sats.AppendF64(dst, v)
}

func integerToFloat(f, t sats.Kind) func(dst, v []byte) ([]byte, error) {
	return func(dst, v []byte) ([]byte, error) {
		n := new(big.Float).SetInt(query.BigInt(f, v))
		if t == sats.KindF32 {
			x, _ := n.Float32() // rounded once
			return sats.AppendF32(dst, x), nil
		}
		x, _ := n.Float64()
		return sats.AppendF64(dst, x), nil
	}
}

func floatToInteger(f sats.Kind, to *sats.Type) func(dst, v []byte) ([]byte, error) {
	return func(dst, v []byte) ([]byte, error) {
		x := floatValue(f, v)
		if !math.IsNaN(x) && !math.IsInf(x, 0) {
			n, _ := big.NewFloat(x).Int(nil)
			if out, ok := query.AppendBigInt(dst, to.Kind, n); ok {
				return out, nil
			}
		}
		bits := 64
		if f == sats.KindF32 {
			bits = 32
		}
		return dst, cannotParse(string(sats.AppendFloatText(nil, x, bits)), to)
	}
}

// textOf returns the text form of the values of a type (spec 01 §5).
func textOf(t *sats.Type) func(dst, v []byte) ([]byte, error) {
	var text func(dst, v []byte) []byte
	switch t.Special() {
	case sats.SpecialIdentity:
		text = func(dst, v []byte) []byte { return append(dst, sats.NewReader(v).Identity().String()...) }
	case sats.SpecialConnectionID:
		text = func(dst, v []byte) []byte { return append(dst, sats.NewReader(v).ConnectionID().String()...) }
	case sats.SpecialUuid:
		text = func(dst, v []byte) []byte { return append(dst, sats.NewReader(v).Uuid().String()...) }
	case sats.SpecialTimestamp:
		text = func(dst, v []byte) []byte { return append(dst, sats.Timestamp(sats.NewReader(v).I64()).String()...) }
	case sats.SpecialTimeDuration:
		text = func(dst, v []byte) []byte { return sats.TimeDuration(sats.NewReader(v).I64()).AppendText(dst) }
	default:
		text = func(dst, v []byte) []byte {
			out, _, err := sats.AppendSATN(dst, nil, t, v)
			if err != nil {
				panic(fmt.Sprintf("sql: a valid value of %s has no text: %v", t, err))
			}
			return out
		}
	}
	return func(dst, v []byte) ([]byte, error) {
		at := len(dst)
		dst = text(append(dst, 0, 0, 0, 0), v)
		binary.LittleEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
		return dst, nil
	}
}

// fromText reads strings as literals of a type.
func fromText(t *sats.Type) func(dst, v []byte) ([]byte, error) {
	return func(dst, v []byte) ([]byte, error) {
		text := string(v[4:])
		if t.Kind == sats.KindBool {
			switch strings.ToLower(text) {
			case "true":
				return append(dst, 1), nil
			case "false":
				return append(dst, 0), nil
			}
			return dst, cannotParse(text, t)
		}
		out, ok := parseLiteral(dst, &litExpr{kind: litString, text: text}, t)
		if !ok {
			return dst, cannotParse(text, t)
		}
		return out, nil
	}
}
