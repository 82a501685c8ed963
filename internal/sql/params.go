package sql

import (
	"strconv"
	"strings"

	"github.com/stdbgo/spacetime/internal/query"
	"github.com/stdbgo/spacetime/sats"
)

// Params are the parameters $1, $2, … of a prepared statement of the PostgreSQL
// protocol. Texts of other origin have none (spec 07 §34.2).
type Params struct {
	// Types holds the type of each parameter, nil where it is not known. Compiling
	// extends the list to all parameters of the text and fills in what the places
	// where they stand say.
	Types []*sats.Type
	// Values holds their values. Without, a statement compiles, and must not run.
	Values []Value
}

// A Value is the value of a parameter: the text of a literal of whatever type the
// place has where the parameter stands.
type Value struct {
	Text string
	Null bool
}

// bindExpr is $n, counted from 0.
type bindExpr struct {
	span
	n int
}

// placeholder reads $n; false if the token is something else.
func (p *parser) placeholder(from int, t token) (expr, bool) {
	if p.params == nil || !strings.HasPrefix(t.text, "$") {
		return nil, false
	}
	n, err := strconv.ParseUint(t.text[1:], 10, 16)
	if err != nil || n == 0 {
		return nil, false
	}
	for len(p.params.Types) < int(n) {
		p.params.Types = append(p.params.Types, nil)
	}
	return &bindExpr{span{from, p.i}, int(n) - 1}, true
}

// bound is the value of a parameter where the type want is expected; nil: any.
func (c *checker) bound(e *bindExpr, want *sats.Type) (query.Expr, error) {
	p := c.env.Params
	if want == nil {
		if want = p.Types[e.n]; want == nil {
			want = sats.String
		}
	}
	if p.Types[e.n] == nil {
		p.Types[e.n] = want
	}
	if e.n >= len(p.Values) {
		v, ok := anyValue(nil, want)
		if !ok {
			return nil, c.errorAt(e.span, "Cannot resolve type for literal expression")
		}
		return constOf(want, v), nil
	}
	value := p.Values[e.n]
	if value.Null {
		return &query.Const{Type: want}, nil
	}
	lit := &litExpr{span: e.span, kind: litString, text: value.Text}
	if want.Kind == sats.KindBool {
		v, ok := boolText(value.Text)
		if !ok {
			return nil, c.literalError(lit, want)
		}
		return constOf(want, sats.AppendBool(nil, v)), nil
	}
	return c.literal(lit, want)
}

// boolText reads the texts of PostgreSQL for a truth.
func boolText(s string) (v, ok bool) {
	switch strings.ToLower(s) {
	case "t", "true", "1", "y", "yes", "on":
		return true, true
	case "f", "false", "0", "n", "no", "off":
		return false, true
	}
	return false, false
}

// boundText is the text of a parameter where only a text can stand.
func (c *checker) boundText(e *bindExpr) (text string, null bool) {
	p := c.env.Params
	if p.Types[e.n] == nil {
		p.Types[e.n] = sats.String
	}
	if e.n >= len(p.Values) {
		return "", false
	}
	return p.Values[e.n].Text, p.Values[e.n].Null
}

// boundCount is a parameter as a LIMIT or OFFSET. Drivers send numbers of Go or
// JavaScript for these, which I64 is for.
func (c *checker) boundCount(e *bindExpr) (uint64, error) {
	p := c.env.Params
	if p.Types[e.n] == nil {
		p.Types[e.n] = sats.I64
	}
	if e.n >= len(p.Values) {
		return 0, nil
	}
	lit := &litExpr{span: e.span, kind: litString, text: p.Values[e.n].Text}
	v, ok := parseLiteral(nil, lit, sats.U64)
	if !ok || p.Values[e.n].Null {
		return 0, c.literalError(lit, sats.U64)
	}
	return sats.NewReader(v).U64(), nil
}

// anyValue appends some value of a type, for a statement that does not run.
func anyValue(dst []byte, t *sats.Type) ([]byte, bool) {
	ok := true
	switch t.Kind {
	case sats.KindString, sats.KindArray:
		return append(dst, 0, 0, 0, 0), true
	case sats.KindProduct:
		for i := range t.Elems {
			if dst, ok = anyValue(dst, t.Elems[i].Type); !ok {
				return dst, false
			}
		}
		return dst, true
	case sats.KindSum:
		for i := len(t.Elems) - 1; i >= 0; i-- {
			if out, ok := anyValue(sats.AppendTag(dst, uint8(i)), t.Elems[i].Type); ok {
				return out, true
			}
		}
		return dst, false
	}
	return append(dst, make([]byte, t.Kind.Size())...), true
}
