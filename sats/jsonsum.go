package sats

import "strconv"

func (p *jsonParser) sum(t *Type) error {
	switch p.space() {
	case '{':
		return p.sumObject(t)
	case '[':
		return p.sumArray(t)
	case 'n':
		if _, ok := t.IsOption(); ok && p.word("null") {
			p.out = AppendNone(p.out)
			return nil
		}
	}
	return p.mismatch("sum type")
}

func (p *jsonParser) sumObject(t *Type) error {
	if err := p.open(); err != nil {
		return err
	}
	if p.space() == '}' {
		return p.errorAt(p.pos+1, "expected map representing sum type to have exactly one field")
	}
	key, err := p.key()
	if err != nil {
		return err
	}
	tag, err := p.variant(t, key)
	if err != nil {
		return within(err, clip(key))
	}
	if err := p.colon(); err != nil {
		return err
	}
	p.out = append(p.out, byte(tag))
	if err := p.value(t.Elems[tag].Type); err != nil {
		return within(err, t.Elems[tag].Name.Or(strconv.Itoa(tag)))
	}
	return p.closeOnly('}')
}

func (p *jsonParser) sumArray(t *Type) error {
	if err := p.open(); err != nil {
		return err
	}
	const two = "expected seq representing sum type to have exactly two fields"
	if p.space() == ']' {
		return p.errorAt(p.pos+1, two)
	}
	tag, err := p.tagItem(t)
	if err != nil {
		return withinItem(err, 0)
	}
	if p.space() == ']' {
		return p.errorAt(p.pos+1, two)
	}
	if err := p.more(']'); err != nil {
		return err
	}
	p.out = append(p.out, byte(tag))
	if err := p.value(t.Elems[tag].Type); err != nil {
		return withinItem(err, 1)
	}
	return p.closeOnly(']')
}

// tagItem reads the first item of the array form.
func (p *jsonParser) tagItem(t *Type) (int, error) {
	c := p.space()
	if c == '"' {
		s, err := p.str()
		if err != nil {
			return 0, err
		}
		return p.variant(t, s)
	}
	if c < '0' || c > '9' {
		return 0, p.mismatch("variant identifier (string or int)")
	}
	tok, isInt, err := p.number()
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(string(tok), 10, 8)
	if !isInt || err != nil {
		return 0, p.fail("invalid value: `" + clip(tok) + "`, expected a u8 tag")
	}
	return p.checkTag(t, int(n))
}

func (p *jsonParser) checkTag(t *Type, tag int) (int, error) {
	if tag >= len(t.Elems) {
		return 0, p.fail(errTag(byte(tag), unknownSum).Error())
	}
	return tag, nil
}

// variant finds the variant a key means: a number is always a tag, anything else a name.
func (p *jsonParser) variant(t *Type, key []byte) (int, error) {
	digits := string(key[:min(len(key), 64)])
	if len(digits) > 1 && digits[0] == '+' {
		digits = digits[1:]
	}
	if n, err := strconv.ParseUint(digits, 10, 8); err == nil && len(key) <= 64 {
		return p.checkTag(t, int(n))
	}
	for i := range t.Elems {
		if t.Elems[i].Name.Set && t.Elems[i].Name.Text == string(key) {
			return i, nil
		}
	}
	if len(t.Elems) == 0 {
		return 0, p.fail("unknown variant `" + clip(key) + "`, there are no variants")
	}
	return 0, p.fail("unknown variant `" + clip(key) + "`, expected one of " + fieldNames(t))
}
