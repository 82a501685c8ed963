package sql

import (
	"errors"

	"github.com/zeebo/blake3"

	"github.com/stdbgo/spacetime/internal/query"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/sats"
)

// viewHash returns what tells an instance of a view apart: the hash of its
// arguments, the sender first if the view depends on it (spec 07 §14.2).
func viewHash(v *query.ViewRead) (out query.ViewHash) {
	h := blake3.New()
	h.WriteString("spacetimedb::view::args::v1\x00")
	if !v.Anonymous {
		h.Write(v.Sender[:])
	}
	h.Write(v.Args)
	h.Sum(out[:0])
	return out
}

// viewRead resolves a reference to a view. Its arguments are checked in the order
// of spec 07 §14.4.
func (c *checker) viewRead(ref *tableRef, t *schema.Table) (*query.ViewRead, error) {
	name := sats.AppendString(nil, t.Name)
	row, ok := c.r.FindUnique(schema.IxViewName, name)
	if !ok {
		return nil, c.errorAt(ref.span, "no such table: `%s`. If the table exists, it may be marked private.", ref.name)
	}
	var view schema.StViewRow
	if err := view.Decode(row); err != nil {
		return nil, err
	}
	params, err := viewParams(c.r, view.ID)
	if err != nil {
		return nil, err
	}
	if len(params) != len(ref.args) {
		return nil, c.errorAt(ref.span, "View `%s` takes %d argument(s), but %d were given", t.Name, len(params), len(ref.args))
	}
	v := &query.ViewRead{View: view.ID, Table: t, Anonymous: view.IsAnonymous, Sender: c.caller.Identity}
	for i := range params {
		value, err := c.viewArg(&ref.args[i], params[i].Type)
		if err != nil {
			return nil, err
		}
		v.Args = append(v.Args, value...)
	}
	v.Hash = viewHash(v)
	c.sender = c.sender || !v.Anonymous
	c.called = c.called || len(params) > 0
	return v, nil
}

// viewParams returns the parameters of a view in order.
func viewParams(r store.Reader, id schema.ViewID) (params []schema.StViewParamRow, err error) {
	key := sats.AppendU32(nil, uint32(id))
	for row := range r.Range(schema.IxViewParam, store.Range{Prefix: key, PrefixCols: 1}) {
		var p schema.StViewParamRow
		if err := p.Decode(row); err != nil {
			return nil, err
		}
		params = append(params, p)
	}
	return params, nil
}

// viewArg evaluates an argument for a parameter of type t, once, before the query
// (spec 07 §34.8). It is typed as if it were compared with a column of the type;
// none fits options only. A negative zero is zero.
func (c *checker) viewArg(arg *viewArg, t *sats.Type) ([]byte, error) {
	rels := c.rels
	defer func() { c.rels = rels }()
	c.rels = nil
	base, opt := baseOf(t)
	x, err := c.check(arg.x, base)
	if err != nil {
		return nil, err
	}
	switch {
	case opt:
		x = storedForm(x)
	case query.Nullable(x):
		return nil, c.unexpected(arg.span, query.ItemType(x), t)
	}
	k, ok := x.(*query.Const)
	if ok {
		return k.Value, nil
	}
	var value []byte
	err = query.Compile(query.Select{Out: query.OutColumns, Items: []query.Expr{x}}).Run(c.r, func(row []byte) bool {
		value = append([]byte{}, row...)
		return true
	})
	return value, err
}

// argShape refuses what an argument of a view must not be: in a live query
// anything but a literal, NULL and :sender, elsewhere what is not the same for
// the whole statement.
func (c *checker) argShape(a *viewArg) error {
	if a.named {
		return c.errorAt(a.span, "Unsupported view argument: %s. View arguments must be positional literals", c.render(a.span))
	}
	if x, ok := a.x.(*refusedExpr); ok && isLiteralRefusal(x) {
		return &Error{Pos: c.at(a.span), Msg: x.msg}
	}
	literal := false
	switch a.x.(type) {
	case *litExpr, *paramExpr, *nullExpr, *bindExpr:
		literal = true
	}
	if a.x == nil || !literal && c.dialect == dialectLive || a.parens && c.dialect == dialectLive || !constantShape(a.x) {
		return c.errorAt(a.span, "Unsupported view argument: %s. View arguments must be literals", c.render(a.span))
	}
	if literal {
		return nil
	}
	return c.refusal(a.x)
}

// constantShape reports whether e has no columns, sub-selects and aggregates.
func constantShape(e expr) bool {
	switch e := e.(type) {
	case *colExpr:
		return isFloatWord(e)
	case *subExpr, *refusedExpr:
		return false
	case *inExpr:
		if e.sub != nil {
			return false
		}
	case *funcExpr:
		if e.odd || e.name != "COALESCE" {
			return false
		}
	}
	for _, x := range operands(e) {
		if !constantShape(x) {
			return false
		}
	}
	return true
}

// callShape refuses, where only rows of one table can be asked for, anything else
// of a view with arguments.
func (c *checker) callShape(st *selectStmt, q *query.Select) error {
	if !c.called || c.dialect == dialectFull || q.Out == query.OutRow {
		return nil
	}
	for _, group := range st.from {
		for i := range group {
			if len(group[i].args) > 0 {
				name := c.rels[c.relation(group[i].alias)].table.Name
				return c.errorAt(group[i].span, "View `%s` takes arguments, so it can only be queried as `SELECT * FROM %[1]s(...)`", name)
			}
		}
	}
	return nil
}

// hiddenCols counts the columns of a table that no statement sees.
func hiddenCols(t *schema.Table) int {
	if t.IsView {
		return 1
	}
	return 0
}

// visibleCol is t.Col without the hidden columns.
func visibleCol(t *schema.Table, name string) (schema.ColID, bool) {
	if !t.IsView {
		return t.Col(name)
	}
	seen := *t
	seen.Cols = t.Cols[hiddenCols(t):]
	col, ok := seen.Col(name)
	return col + schema.ColID(hiddenCols(t)), ok
}

// What a query must not be that a view returns (spec 07 §14.3).
var (
	errViewParameter  = errors.New("parameterized SQL is not supported for view materialization yet")
	errViewRestricted = errors.New("module SQL views cannot read a module-restricted table")
	errViewOfViews    = errors.New("view definition cannot read from other views")
	errViewRows       = errors.New("query does not return plain table rows")
)

// CompileViewQuery compiles the text that a view has returned instead of rows
// (spec 07 §14.3): a query of the subscription dialect for rows of type want, with
// the rights of the database's owner.
func CompileViewQuery(r store.Reader, text string, owner sats.Identity, want *sats.Type) (*query.Plan, error) {
	src, st, err := parseStatement(text)
	if err != nil {
		return nil, err
	}
	c := newChecker(src, r, Caller{Identity: owner, IsOwner: true}, dialectLive)
	sel, ok := st.(*selectStmt)
	if !ok {
		return nil, &Error{Pos: c.at(st.tokens()), Msg: "Unsupported: Non-SELECT queries"}
	}
	if err := c.selectShape(sel); err != nil {
		return nil, err
	}
	s, err := c.selection(sel)
	if err != nil {
		return nil, err
	}
	switch {
	case s.q.Out != query.OutRow:
		return nil, errViewRows
	case c.sender:
		return nil, errViewParameter
	}
	plan, refused := query.CompileAdmitted(s.q)
	for _, t := range plan.Tables() {
		if t.ID == schema.StEnv {
			return nil, errViewRestricted
		}
	}
	if len(plan.Views()) > 0 {
		return nil, errViewOfViews
	}
	if got := plan.ReturnTable().RowType(); !got.Equal(want) {
		return nil, &Error{Msg: "query returns `" + got.String() + "` but view expects `" + want.String() + "`"}
	}
	return plan, refused
}

// expandable reports whether SELECT * FROM * stands for a query on the table, too.
func expandable(r store.Reader, t *schema.Table) bool {
	if t.Kind != schema.User || t.IsEvent {
		return false
	}
	if !t.IsView {
		return true
	}
	row, ok := r.FindUnique(schema.IxViewName, sats.AppendString(nil, t.Name))
	var view schema.StViewRow
	if !ok || view.Decode(row) != nil {
		return false
	}
	params, err := viewParams(r, view.ID)
	return err == nil && len(params) == 0
}
