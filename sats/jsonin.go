package sats

// ParseJSON parses the JSON text of a value of type t by the rules of spec 01 §4.3–4.5 and appends its BSATN to dst.
// Refs in t are looked up in ts. On error, a *[JSONError] unless ts is to blame, the result is dst unchanged.
func ParseJSON(dst []byte, ts *Typespace, t *Type, json []byte) ([]byte, error) {
	p := jsonParser{out: dst, ts: ts}
	err := p.parse(json, func() error { return p.value(t) })
	if err != nil {
		return dst, err
	}
	return p.out, nil
}

// ParseJSONArgs parses the arguments of a call of function fn, an array or an object keyed by parameter name, and
// appends the BSATN of the product params to dst. The caller puts "invalid arguments for …" before its errors; a
// list that is too short gives "invalid length …, expected reducer args for …".
func ParseJSONArgs(dst []byte, ts *Typespace, params *Type, fn string, json []byte) ([]byte, error) {
	p := jsonParser{out: dst, ts: ts}
	err := p.parse(json, func() error { return p.product(params, fn) })
	if err != nil {
		return dst, err
	}
	return p.out, nil
}

type jsonParser struct {
	jsonReader
	out  []byte
	ts   *Typespace
	zero int
}

func (p *jsonParser) parse(json []byte, value func() error) error {
	p.s = json
	if !validText(json) {
		return &JSONError{Text: "JSON text is not valid UTF-8"}
	}
	if err := value(); err != nil {
		return err
	}
	return p.end()
}

func (p *jsonParser) value(t *Type) error {
	if t.Kind == KindRef {
		var err error
		if t, err = p.ts.Deref(t); err != nil {
			return err
		}
	}
	switch t.Kind {
	case KindProduct:
		return p.product(t, "")
	case KindSum:
		return p.sum(t)
	case KindArray:
		return p.array(t)
	case KindString:
		if p.space() != '"' {
			return p.mismatch("a string")
		}
		s, err := p.str()
		p.out = AppendBytes(p.out, s)
		return err
	case KindBool:
		p.space()
		switch {
		case p.word("true"):
			p.out = append(p.out, 1)
		case p.word("false"):
			p.out = append(p.out, 0)
		default:
			return p.mismatch("a boolean")
		}
		return nil
	case KindF32, KindF64:
		return p.float(t.Kind)
	case KindI256, KindU256:
		return p.wideHex(t.Kind)
	}
	return p.integer(t.Kind)
}

func (p *jsonParser) array(t *Type) error {
	e, err := p.ts.Deref(t.Elem)
	if err != nil {
		return err
	}
	c := p.space()
	if c == '"' && e.Kind == KindU8 {
		return p.hexBytes()
	}
	if c != '[' {
		if e.Kind == KindU8 {
			return p.mismatch("a byte array or hex string")
		}
		return p.mismatch("a vec")
	}
	if err := p.open(); err != nil {
		return err
	}
	start := len(p.out)
	p.out = append(p.out, 0, 0, 0, 0)
	count := uint64(0)
	for ; !p.close(']'); count++ {
		if count > 0 {
			if err := p.more(']'); err != nil {
				return err
			}
		}
		before := len(p.out)
		if err := p.value(e); err != nil {
			return withinItem(err, int(count))
		}
		if len(p.out) == before {
			if p.zero++; p.zero > MaxZeroSizeElements {
				return errAlloc(count)
			}
		}
	}
	if count > 1<<32-1 {
		return errAlloc(count)
	}
	AppendU32(p.out[:start], uint32(count))
	return nil
}

func (p *jsonParser) hexBytes() error {
	s, err := p.str()
	if err != nil {
		return err
	}
	start := len(p.out)
	p.out = AppendLen(p.out, len(s)/2)
	for i := 0; i+1 < len(s); i += 2 {
		hi, ok1 := unhex(s[i])
		lo, ok2 := unhex(s[i+1])
		if !ok1 || !ok2 {
			p.out = p.out[:start]
			break
		}
		p.out = append(p.out, hi<<4|lo)
	}
	if len(p.out) == start || len(s)%2 != 0 {
		return p.fail("invalid value: string \"" + clip(s) + "\", expected a byte array or hex string")
	}
	return nil
}
