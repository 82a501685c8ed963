package sql

import (
	"bytes"
	"slices"

	"github.com/stdbgo/spacetime/internal/query"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/sats"
)

func (c *checker) variable(sp span, name string) error {
	if name != rowLimitVar {
		err := c.errorAt(sp, "%s is not a valid system variable", name)
		err.Suggestion = "The variable is `" + rowLimitVar + "`."
		return err
	}
	return nil
}

func (c *checker) compileSet(st *setStmt, out *Statement) error {
	if st.refused {
		return unsupported(c.at(st.span), "Unsupported", c.render(st.span))
	}
	if err := c.valueShape(st.value); err != nil {
		return err
	}
	if err := c.variable(st.span, st.name); err != nil {
		return err
	}
	l := st.value.(*litExpr)
	switch l.kind {
	case litBool:
		return c.notNumber(l, sats.Bool)
	case litString:
		return c.notNumber(l, sats.String)
	case litHex:
		return c.notNumber(l, sats.Array(sats.U8))
	}
	v, ok := parseLiteral(nil, l, sats.U64)
	if !ok {
		return c.literalError(l, sats.U64)
	}
	if err := c.ownerOnly(); err != nil {
		return err
	}
	row := schema.NewStVarU64(rowLimitVar, sats.NewReader(v).U64()).Append(nil)
	out.write = func(w Writer) (Stats, error) { return setVariable(w, row) }
	return nil
}

// setVariable gives a variable its value, whatever it was before.
func setVariable(w Writer, row []byte) (Stats, error) {
	var old [][]byte
	for r := range w.Scan(schema.StVar) {
		var v schema.StVarRow
		if v.Decode(r) == nil && v.Name == rowLimitVar {
			if bytes.Equal(r, row) {
				return Stats{}, nil
			}
			old = append(old, slices.Clone(r))
		}
	}
	for _, r := range old {
		if _, err := w.DeleteRow(schema.StVar, r); err != nil {
			return Stats{}, err
		}
	}
	if _, _, err := w.Insert(schema.StVar, row); err != nil {
		return Stats{}, writeError(err)
	}
	return Stats{Inserted: 1}, nil
}

func (c *checker) compileShow(st *showStmt, out *Statement) error {
	if st.refused {
		return unsupported(c.at(st.span), "Unsupported", c.render(st.span))
	}
	if err := c.variable(st.span, st.name); err != nil {
		return err
	}
	t := c.r.Table(schema.StVar)
	name := &query.Column{Col: 0, Type: t.Cols[0].Type}
	value := &query.Column{Col: 1, Type: t.Cols[1].Type}
	out.plan = query.Compile(query.Select{
		From:  []query.Relation{{Table: t}},
		Where: &query.Compare{Op: query.Eq, L: name, R: &query.Const{Type: name.Type, Value: sats.AppendString(nil, st.name)}},
		Out:   query.OutColumns,
		Items: []query.Expr{value},
	})
	out.Columns = []OutCol{{Name: sats.Named("value"), Type: value.Type}}
	// Reading a variable is open to all, however low the limit it shows.
	out.caller.IsOwner = true
	return nil
}

// valueShape refuses a value of SET that is not a literal.
func (c *checker) valueShape(v expr) error {
	what := "Unsupported column/variable assignment expression"
	switch v := v.(type) {
	case *litExpr:
		return nil
	case *paramExpr, *nullExpr:
		what = "Unsupported literal expression"
	case *refusedExpr:
		if isLiteralRefusal(v) {
			return &Error{Pos: c.at(v.span), Msg: v.msg}
		}
	}
	return unsupported(c.at(v.tokens()), what, c.render(v.tokens()))
}

// notNumber refuses a literal that is no number, in the order of types of spec 07 §10.
func (c *checker) notNumber(l *litExpr, is *sats.Type) *Error {
	err := c.unexpected(l.span, sats.U64, is)
	err.Suggestion = integerHint(sats.KindU64)
	return err
}
