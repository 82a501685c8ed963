package sats

import "strconv"

// lower returns what an integer kind is called in errors.
func (k Kind) lower() string { return readNames[k] }

func (p *jsonParser) integer(k Kind) error {
	c := p.space()
	if c != '-' && (c < '0' || c > '9') {
		return p.mismatch(k.lower())
	}
	at := p.pos
	tok, isInt, err := p.number()
	if err != nil {
		return err
	}
	if !isInt || len(tok) == 2 && tok[0] == '-' && tok[1] == '0' && k != KindI128 {
		return p.fail("invalid type: floating point `" + clip(tok) + "`, expected " + k.lower())
	}
	if p.out, err = appendInteger(p.out, k, tok); err != nil {
		return p.errorAt(at+len(tok), "invalid value: integer `"+clip(tok)+"`, expected "+k.lower())
	}
	return nil
}

func clip(tok []byte) string { return string(tok[:min(len(tok), 64)]) }

// appendInteger appends the BSATN of a decimal integer token, or fails if it is out of range.
func appendInteger(b []byte, k Kind, tok []byte) ([]byte, error) {
	neg := tok[0] == '-'
	digits := tok
	if neg {
		digits = tok[1:]
	}
	if k == KindI128 || k == KindU128 {
		return appendInteger128(b, k, string(tok))
	}
	var u uint64
	if len(digits) > 20 {
		return b, errIntRange
	}
	for i, c := range digits {
		d := uint64(c - '0')
		if i == 19 && (u > (1<<64-1)/10 || u*10 > 1<<64-1-d) {
			return b, errIntRange
		}
		u = u*10 + d
	}
	size := uint(8 * k.Size())
	limit := uint64(1)<<(size-1) - 1 // greatest value of the signed kind
	switch {
	case !k.IsSigned():
		limit = limit<<1 | 1
		if neg {
			return b, errIntRange
		}
	case neg:
		limit++
	}
	if u > limit {
		return b, errIntRange
	}
	if neg {
		u = -u
	}
	for ; size > 0; size -= 8 {
		b = append(b, byte(u))
		u >>= 8
	}
	return b, nil
}

func appendInteger128(b []byte, k Kind, tok string) ([]byte, error) {
	if k == KindI128 {
		i, err := ParseI128(tok)
		if err != nil {
			return b, err
		}
		return AppendI128(b, i), nil
	}
	u, err := ParseU128(tok)
	if err != nil {
		return b, err
	}
	return AppendU128(b, u), nil
}

func (p *jsonParser) float(k Kind) error {
	c := p.space()
	if c != '-' && (c < '0' || c > '9') {
		return p.mismatch([]string{"f32", "f64"}[k-KindF32])
	}
	tok, _, err := p.number()
	if err != nil {
		return err
	}
	f, err := strconv.ParseFloat(string(tok), 64)
	if err != nil {
		return p.fail("number out of range")
	}
	if k == KindF32 {
		p.out = AppendF32(p.out, float32(f))
	} else {
		p.out = AppendF64(p.out, f)
	}
	return nil
}

func (p *jsonParser) wideHex(k Kind) error {
	if p.space() != '"' {
		return p.mismatch("a formatted 256-bit integer")
	}
	s, err := p.str()
	if err != nil {
		return err
	}
	neg := len(s) > 0 && s[0] == '-' && k == KindI256
	if len(s) > 0 && (s[0] == '+' || neg) {
		s = s[1:]
	}
	if len(s) < 3 || s[0] != '0' || s[1] != 'x' {
		return p.fail("a 256-bit integer must be a string of hexadecimal digits after 0x")
	}
	var u U256
	for _, c := range s[2:] {
		d, ok := unhex(c)
		if !ok {
			return p.fail("invalid digit found in string")
		}
		if u[3]>>60 != 0 {
			return p.fail("number too large to fit in target type")
		}
		u = U256{u[0]<<4 | uint64(d), u[1]<<4 | u[0]>>60, u[2]<<4 | u[1]>>60, u[3]<<4 | u[2]>>60}
	}
	if k == KindI256 {
		i, err := u.signed(neg)
		if err != nil {
			return p.fail("number too large to fit in target type")
		}
		u = U256(i)
	}
	p.out = AppendU256(p.out, u)
	return nil
}
