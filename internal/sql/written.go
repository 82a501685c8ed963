package sql

import (
	"strings"

	"github.com/stdbgo/spacetime/internal/query"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/sats"
)

// Values that DML writes (spec 07 §6.2, §34.6, §34.11).

// written types a value for column col of t, so that it is stored as the column
// wants it.
func (c *checker) written(e expr, t *schema.Table, col schema.ColID) (query.Expr, error) {
	if _, ok := e.(*defaultExpr); ok {
		v, err := c.columnDefault(e.tokens(), t, col)
		if err != nil {
			return nil, err
		}
		return constOf(t.Cols[col].Type, v), nil
	}
	typ := t.Cols[col].Type
	base, opt := baseOf(typ)
	var x query.Expr
	var err error
	switch e := e.(type) {
	case *litExpr:
		var v []byte
		if v, err = c.writtenLiteral(e, base); err == nil {
			x = constOf(base, v)
		}
	case *nullExpr:
		if !opt {
			err := unsupported(c.at(e.span), "Unsupported literal expression", c.render(e.span))
			err.Suggestion = "Only an option column can hold NULL."
			return nil, err
		}
		x = &query.Const{Type: base}
	case *bindExpr:
		if x, err = c.bound(e, base); err == nil && !opt && query.Nullable(x) {
			err := c.errorAt(e.span, "Unsupported literal expression: NULL")
			err.Suggestion = "Only an option column can hold NULL."
			return nil, err
		}
	case *paramExpr:
		if x, err = c.senderValue(e, base); err != nil {
			err := unsupported(c.at(e.span), "Unsupported literal expression", c.render(e.span))
			err.Suggestion = "It is an Identity, or bytes."
			return nil, err
		}
	default:
		x, err = c.check(e, base)
	}
	switch {
	case err != nil:
		return nil, err
	case opt:
		return storedForm(x), nil
	case query.Nullable(x):
		return nil, c.unexpected(e.tokens(), query.ItemType(x), typ)
	}
	return x, nil
}

// storedForm is a value in the form of an option column.
func storedForm(x query.Expr) query.Expr {
	k, ok := x.(*query.Const)
	switch {
	case !ok:
		return &query.Stored{X: x}
	case k.Value == nil:
		return &query.Const{Type: sats.Option(k.Type), Value: sats.AppendNone(nil)}
	}
	return &query.Const{Type: sats.Option(k.Type), Value: append(sats.AppendSome(nil), k.Value...)}
}

// writtenLiteral reads a literal for a column with base type t. Unlike in a
// predicate, a boolean only fits Bool, and a string no Bool and no number but the
// floats that have no digits.
func (c *checker) writtenLiteral(l *litExpr, t *sats.Type) ([]byte, error) {
	switch {
	case l.kind == litBool && t.Kind != sats.KindBool:
		return nil, c.unexpected(l.span, sats.Bool, t)
	case l.kind == litBool:
		return sats.AppendBool(nil, l.text == "true"), nil
	case l.kind == litString && (t.Kind == sats.KindBool || t.Kind.IsInteger()):
		err := c.unexpected(l.span, sats.String, t)
		err.Suggestion = literalHint(l.text, t) + " It has no quotes."
		return nil, err
	case l.kind == litString && t.Kind.IsFloat():
		if _, ok := floatName(l.text); !ok {
			err := c.unexpected(l.span, sats.String, t)
			err.Suggestion = literalHint(l.text, t)
			return nil, err
		}
	}
	v, ok := parseLiteral(nil, l, t)
	if !ok {
		return nil, c.literalError(l, t)
	}
	return v, nil
}

// columnDefault is what a column left out gets: a fresh value, the module's
// default, or none.
func (c *checker) columnDefault(sp span, t *schema.Table, col schema.ColID) ([]byte, error) {
	for _, s := range t.Sequences {
		if s.Col == col {
			return make([]byte, t.Cols[col].Type.Kind.Size()), nil
		}
	}
	if c.env.Default != nil {
		if v := c.env.Default(t, col); v != nil {
			return v, nil
		}
	}
	if _, opt := baseOf(t.Cols[col].Type); opt {
		return sats.AppendNone(nil), nil
	}
	return nil, c.errorAt(sp, "Column `%s` of table `%s` has no default value", t.Cols[col].Name, t.Name)
}

// writtenShape refuses forms that no value may have.
func (c *checker) writtenShape(e expr, what string) error {
	if _, ok := e.(*defaultExpr); ok {
		return nil
	}
	err := c.refusal(e)
	if x, ok := err.(*Error); ok && !strings.HasPrefix(x.Msg, "Unsupported literal expression") {
		return unsupported(c.at(e.tokens()), what, c.render(e.tokens()))
	}
	return err
}
