package sats

import (
	"slices"
	"strconv"
)

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

// product parses the array or object form. It holds the arguments of a function if fn is not empty.
func (p *jsonParser) product(t *Type, fn string) error {
	switch p.space() {
	case '[':
		return p.productArray(t, fn)
	case '{':
		return p.productObject(t, fn)
	}
	if fn != "" {
		return p.mismatch("a " + fn + " tuple")
	}
	return p.mismatch("a " + strconv.Itoa(len(t.Elems)) + "-element tuple")
}

func (p *jsonParser) productArray(t *Type, fn string) error {
	if err := p.open(); err != nil {
		return err
	}
	for i := range t.Elems {
		switch {
		case p.space() == ']':
			what := "product type <product>"
			if fn != "" {
				what = "reducer args for " + fn
			}
			return p.errorAt(p.pos+1, "invalid length "+strconv.Itoa(i)+", expected "+what+" with "+strconv.Itoa(len(t.Elems))+" elements")
		case i > 0:
			if err := p.more(']'); err != nil {
				return err
			}
		case p.pos >= len(p.s):
			return p.unfinished(']')
		}
		if err := p.value(t.Elems[i].Type); err != nil {
			return withinItem(err, i)
		}
	}
	return p.closeOnly(']')
}

// A span is the place of an element's encoding in the output; its zero means not seen yet.
type span struct{ start, end int }

// productObject parses members in whatever order they come, encoding each where it comes, and puts the encodings in
// the order of the elements afterwards if need be.
func (p *jsonParser) productObject(t *Type, fn string) error {
	if err := p.open(); err != nil {
		return err
	}
	base := len(p.out)
	var spans []span // nil while members come in the order of the elements
	for seen := 0; ; seen++ {
		if p.close('}') {
			if seen < len(t.Elems) {
				return p.fail("missing " + memberWord(fn) + " `" + firstMissing(t, spans, seen) + "`")
			}
			break
		}
		if seen > 0 {
			if err := p.more('}'); err != nil {
				return err
			}
		}
		i, err := p.member(t, fn, seen, spans)
		if err == nil {
			err = p.colon()
		}
		if err != nil {
			return err
		}
		if spans == nil && i != seen {
			spans = p.spansSoFar(t, base, seen)
		}
		start := len(p.out)
		if err := p.value(t.Elems[i].Type); err != nil {
			return within(err, t.Elems[i].Name.Text)
		}
		if spans != nil {
			spans[i] = span{start + 1, len(p.out) + 1}
		}
	}
	if spans != nil {
		p.reorder(base, spans)
	}
	return nil
}

// spansSoFar computes the spans of the first n elements, which came in order.
func (p *jsonParser) spansSoFar(t *Type, base, n int) []span {
	spans := make([]span, len(t.Elems))
	r := Reader{b: p.out, pos: base}
	for i := range n {
		start := r.pos
		skipValue(&r, p.ts, t.Elems[i].Type, 0)
		spans[i] = span{start + 1, r.pos + 1}
	}
	return spans
}

// reorder puts the encodings that start at base in the order of spans.
func (p *jsonParser) reorder(base int, spans []span) {
	came := slices.Clone(p.out[base:])
	p.out = p.out[:base]
	for _, s := range spans {
		p.out = append(p.out, came[s.start-1-base:s.end-1-base]...)
	}
}

// member reads a key and returns the element it names, of which seen have come.
func (p *jsonParser) member(t *Type, fn string, seen int, spans []span) (int, error) {
	key, err := p.key()
	if err != nil {
		return 0, err
	}
	if spans == nil && seen < len(t.Elems) && t.Elems[seen].Name.Set && t.Elems[seen].Name.Text == string(key) {
		return seen, nil
	}
	i := -1
	for k := range t.Elems {
		if t.Elems[k].Name.Set && t.Elems[k].Name.Text == string(key) {
			i = k
			break
		}
	}
	switch {
	case i < 0:
		return 0, within(p.fail("unknown "+memberWord(fn)+" `"+clip(key)+"`, expected "+fieldNames(t)), clip(key))
	case spans == nil && i < seen, spans != nil && spans[i] != span{}:
		return 0, within(p.fail("duplicate "+memberWord(fn)+" `"+clip(key)+"`"), clip(key))
	}
	return i, nil
}

// memberWord says what errors call the members of a product.
func memberWord(fn string) string {
	if fn != "" {
		return "reducer argument"
	}
	return "field"
}

func firstMissing(t *Type, spans []span, seen int) string {
	for i := range t.Elems {
		if spans == nil && i >= seen || spans != nil && spans[i] == (span{}) {
			return t.Elems[i].Name.Or(strconv.Itoa(i))
		}
	}
	return ""
}

// fieldNames lists names of elements or variants for errors.
func fieldNames(t *Type) string {
	if len(t.Elems) == 0 {
		return "none"
	}
	var b []byte
	for i := range t.Elems {
		if i > 0 {
			b = append(b, ", "...)
		}
		if i == 32 {
			b = append(b, "..."...)
			break
		}
		b = append(b, '`')
		b = append(append(b, t.Elems[i].Name.Or(strconv.Itoa(i))...), '`')
	}
	return string(b)
}

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
