package sats

import (
	"slices"
	"strconv"
)

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
