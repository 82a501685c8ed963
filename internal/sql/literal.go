package sql

import (
	"strconv"
	"strings"

	"github.com/stdbgo/spacetime/sats"
)

// parseLiteral reads a literal's reduced text as a value of type t and appends
// its BSATN (spec 07 §6.1). Boolean tokens are not handled here.
func parseLiteral(dst []byte, l *litExpr, t *sats.Type) ([]byte, bool) {
	if l.kind == litHex && (t.Kind.IsInteger() || t.Kind.IsFloat()) {
		return dst, false // ten or sixteen? neither
	}
	switch {
	case t.Kind == sats.KindString:
		return sats.AppendString(dst, l.text), true
	case t.Kind.IsInteger():
		return appendInteger(dst, l.text, t.Kind)
	case t.Kind.IsFloat():
		if v, ok := floatName(l.text); ok && l.kind == litString {
			return appendFloatValue(dst, t.Kind, v), true
		}
		return appendFloat(dst, l.text, t.Kind)
	case t.IsBytes():
		return appendHexBytes(dst, l.text)
	}
	switch t.Special() {
	case sats.SpecialTimestamp:
		v, ok := parseTimestamp(l.text)
		return v.AppendBSATN(dst), ok
	case sats.SpecialIdentity:
		v, err := sats.ParseIdentity(strings.TrimPrefix(l.text, "0x"))
		return v.AppendBSATN(dst), err == nil
	case sats.SpecialConnectionID:
		v, err := sats.ParseConnectionID(strings.TrimPrefix(l.text, "0x"))
		return v.AppendBSATN(dst), err == nil
	case sats.SpecialUuid:
		v, err := sats.ParseUuid(l.text)
		return v.AppendBSATN(dst), err == nil
	}
	return parseStructured(dst, l, t)
}

func appendHexBytes(dst []byte, text string) ([]byte, bool) {
	text = strings.TrimPrefix(text, "0x")
	if len(text)%2 != 0 {
		return dst, false
	}
	dst = sats.AppendLen(dst, len(text)/2)
	for i := 0; i < len(text); i += 2 {
		if !isHexDigit(text[i]) || !isHexDigit(text[i+1]) {
			return dst, false
		}
		v, _ := strconv.ParseUint(text[i:i+2], 16, 8)
		dst = append(dst, byte(v))
	}
	return dst, true
}

// A decimal is number text taken apart: ±digits × 10^exp, without leading zeros.
type decimal struct {
	neg    bool
	digits string
	exp    int64
}

// parseDecimal reads [+-] digits [. digits] [e [+-] digits] with at least one
// digit; underscores after digits are ignored.
func parseDecimal(text string) (d decimal, ok bool) {
	s := text
	if s != "" && (s[0] == '+' || s[0] == '-') {
		d.neg = s[0] == '-'
		s = s[1:]
	}
	whole, s := takeDigits(s)
	frac := ""
	if s != "" && s[0] == '.' {
		frac, s = takeDigits(s[1:])
	}
	if whole+frac == "" {
		return d, false
	}
	if s != "" && (s[0] == 'e' || s[0] == 'E') {
		sign := ""
		if s = s[1:]; s != "" && (s[0] == '+' || s[0] == '-') {
			sign, s = s[:1], s[1:]
		}
		var exp string
		exp, s = takeDigits(s)
		n, err := strconv.ParseInt(sign+exp, 10, 64)
		if err != nil {
			return d, false
		}
		d.exp = n
	}
	d.exp -= int64(len(frac))
	d.digits = strings.TrimLeft(whole+frac, "0")
	return d, s == ""
}

func takeDigits(s string) (digits, rest string) {
	i := 0
	for i < len(s) && (isDigit(s[i]) || s[i] == '_' && i > 0) {
		i++
	}
	return strings.ReplaceAll(s[:i], "_", ""), s[i:]
}

// maxIntegerDigits is the length of the longest integer of any type; longer ones
// are out of range without being written out.
const maxIntegerDigits = 78

// integer returns the decimal's plain digits if it is an integer of a size that
// any type could hold.
func (d *decimal) integer() (string, bool) {
	digits := strings.TrimRight(d.digits, "0")
	exp := d.exp + int64(len(d.digits)-len(digits))
	switch {
	case digits == "":
		return "0", true
	case exp < 0 || exp > maxIntegerDigits || int64(len(digits))+exp > maxIntegerDigits:
		return "", false
	}
	return digits + strings.Repeat("0", int(exp)), true
}

func appendInteger(dst []byte, text string, k sats.Kind) ([]byte, bool) {
	d, ok := parseDecimal(text)
	if !ok {
		return dst, false
	}
	digits, ok := d.integer()
	if !ok {
		return dst, false
	}
	if d.neg && digits != "0" {
		digits = "-" + digits
	}
	switch k {
	case sats.KindI128:
		v, err := sats.ParseI128(digits)
		return v.AppendBSATN(dst), err == nil
	case sats.KindU128:
		v, err := sats.ParseU128(digits)
		return v.AppendBSATN(dst), err == nil
	case sats.KindI256:
		v, err := sats.ParseI256(digits)
		return v.AppendBSATN(dst), err == nil
	case sats.KindU256:
		v, err := sats.ParseU256(digits)
		return v.AppendBSATN(dst), err == nil
	}
	size := k.Size()
	var v uint64
	var err error
	if k.IsSigned() {
		var i int64
		i, err = strconv.ParseInt(digits, 10, 8*size)
		v = uint64(i)
	} else {
		v, err = strconv.ParseUint(digits, 10, 8*size)
	}
	return sats.AppendU64(dst, v)[:len(dst)+size], err == nil
}

// appendFloat appends the nearest float: infinite beyond the range, never -0.
func appendFloat(dst []byte, text string, k sats.Kind) ([]byte, bool) {
	d, ok := parseDecimal(text)
	if !ok {
		return dst, false
	}
	s := "0"
	if d.digits != "" {
		s = d.digits + "e" + strconv.FormatInt(d.exp, 10)
	}
	if d.neg {
		s = "-" + s
	}
	bits := 64
	if k == sats.KindF32 {
		bits = 32
	}
	v, _ := strconv.ParseFloat(s, bits) // the only possible error is overflow, and v is infinite then
	if v == 0 {
		v = 0 // drops the sign of -0
	}
	if bits == 32 {
		return sats.AppendF32(dst, float32(v)), true
	}
	return sats.AppendF64(dst, v), true
}
