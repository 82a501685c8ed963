package sql

import "strings"

// selectStmt parses from behind SELECT.
func (p *parser) selectStmt(from int) (statement, error) {
	st := &selectStmt{}
	switch {
	case p.word("ALL"):
	case p.word("DISTINCT"):
		st.distinct = true
		if p.peek().is("ON") && p.peekAt(1).isOp("(") {
			st.badSelect = true
			p.i++
			if err := p.skipParens(); err != nil {
				return nil, err
			}
		}
	case p.peek().is("TOP") && (p.peekAt(1).kind == tokNumber || p.peekAt(1).isOp("(")):
		st.badSelect = true
		p.i++
		if p.peek().isOp("(") {
			if err := p.skipParens(); err != nil {
				return nil, err
			}
		} else {
			p.i++
		}
	}
	for {
		it, err := p.item()
		if err != nil {
			return nil, err
		}
		st.items = append(st.items, it)
		if !p.op(",") {
			break
		}
	}
	if p.word("INTO") {
		st.badSelect = true
		if _, err := p.name(); err != nil {
			return nil, err
		}
	}
	if p.word("FROM") {
		var err error
		if st.from, err = p.from(); err != nil {
			return nil, err
		}
	}
	if p.word("WHERE") {
		var err error
		if st.where, err = p.expr(); err != nil {
			return nil, err
		}
	}
	err := p.selectTail(st, from)
	st.span = span{from, p.i}
	return st, err
}

// selectTail parses what may follow WHERE.
func (p *parser) selectTail(st *selectStmt, from int) error {
	var err error
	if p.words("GROUP", "BY") {
		if st.group, err = p.exprs(); err != nil {
			return err
		}
	}
	if p.word("HAVING") {
		if st.having, err = p.expr(); err != nil {
			return err
		}
	}
	switch t := p.peek(); {
	case t.is("WINDOW"), t.is("QUALIFY"), t.is("CLUSTER"), t.is("DISTRIBUTE"), t.is("SORT"):
		st.badSelect = true
		if err := p.skipClause(); err != nil {
			return err
		}
	}
	st.body = span{from, p.i}
	for {
		t := p.peek()
		switch {
		case t.is("UNION"), t.is("EXCEPT"), t.is("INTERSECT"), t.is("MINUS"):
			st.setOp = true
			err := p.skipQuery()
			st.body = span{from, p.i}
			return err
		case st.order == nil && p.words("ORDER", "BY"):
			if st.order, err = p.sortKeys(); err != nil {
				return err
			}
		case t.is("FETCH"), t.is("FOR"):
			st.badQuery = true
			p.i++
			if err := p.skipClause(); err != nil {
				return err
			}
		case t.is("OFFSET") && st.offset == nil:
			p.i++
			if st.offset, err = p.expr(); err != nil {
				return err
			}
			if p.word("ROW") || p.word("ROWS") {
				st.badQuery = true
			}
		case t.is("LIMIT") && st.limit == nil && !st.limitAll:
			p.i++
			if p.word("ALL") {
				st.limitAll = true
				continue
			}
			if st.limit, err = p.expr(); err != nil {
				return err
			}
		default:
			return nil
		}
	}
}

// exprs parses a list of expressions.
func (p *parser) exprs() ([]expr, error) {
	var out []expr
	for {
		x, err := p.expr()
		if err != nil {
			return nil, err
		}
		out = append(out, x)
		if !p.op(",") {
			return out, nil
		}
	}
}

func (p *parser) sortKeys() ([]sortKey, error) {
	var out []sortKey
	for {
		from := p.i
		x, err := p.expr()
		if err != nil {
			return nil, err
		}
		k := sortKey{x: x}
		if !p.word("ASC") {
			k.desc = p.word("DESC")
		}
		switch {
		case p.words("NULLS", "FIRST"):
			k.nulls = 1
		case p.words("NULLS", "LAST"):
			k.nulls = 2
		}
		k.span = span{from, p.i}
		out = append(out, k)
		if !p.op(",") {
			return out, nil
		}
	}
}

// skipClause passes a clause that the language lacks: the statement is refused
// anyway.
func (p *parser) skipClause() error {
	for !p.atQueryEnd() {
		if err := p.skipOne(); err != nil {
			return err
		}
	}
	return nil
}

// skipQuery passes what is left of a query, up to the parenthesis that ends it.
func (p *parser) skipQuery() error {
	for t := p.peek(); t.kind != tokEOF && !t.isOp(";") && !t.isOp(")"); t = p.peek() {
		if err := p.skipOne(); err != nil {
			return err
		}
	}
	return nil
}

func (p *parser) atQueryEnd() bool {
	t := p.peek()
	return t.kind == tokEOF || t.isOp(";") || t.isOp(")") || t.is("ORDER") || t.is("LIMIT") || t.is("OFFSET") || t.is("FETCH") ||
		t.is("UNION") || t.is("EXCEPT") || t.is("INTERSECT")
}

func (p *parser) skipOne() error {
	switch t := p.peek(); {
	case t.isOp("("):
		return p.skipParens()
	case t.isOp(")"):
		return p.expected("end of statement")
	}
	p.i++
	return nil
}

// item parses one element of the SELECT list.
func (p *parser) item() (item, error) {
	from := p.i
	if p.op("*") {
		return item{span: span{from, p.i}, star: true}, nil
	}
	if qual, ok := p.qualifiedStar(); ok {
		return item{span: span{from, p.i}, star: true, qual: qual}, nil
	}
	x, err := p.expr()
	if err != nil {
		return item{}, err
	}
	it := item{span: span{from, p.i}, x: x}
	it.alias, it.named, err = p.alias(notColumnAlias)
	return it, err
}

// qualifiedStar parses name.* if it comes next.
func (p *parser) qualifiedStar() (string, bool) {
	if t := p.peek(); t.kind != tokWord && t.kind != tokQuoted {
		return "", false
	}
	var parts []string
	for n := 0; p.peekAt(n).ident() && p.peekAt(n+1).isOp("."); n += 2 {
		parts = append(parts, p.peekAt(n).text)
		if p.peekAt(n + 2).isOp("*") {
			p.i += n + 3
			return strings.Join(parts, "."), true
		}
	}
	return "", false
}

// alias parses [AS] name; a bare word among reserved is none.
func (p *parser) alias(reserved map[string]bool) (string, bool, error) {
	if p.word("AS") {
		name, err := p.ident()
		return name, true, err
	}
	if t := p.peek(); t.ident() && !(t.kind == tokWord && reserved[strings.ToUpper(t.text)]) {
		p.i++
		return t.text, true, nil
	}
	return "", false, nil
}

// from parses the relations behind FROM, groups separated by commas.
func (p *parser) from() ([][]tableRef, error) {
	var groups [][]tableRef
	for {
		first, err := p.relation()
		if err != nil {
			return nil, err
		}
		group := []tableRef{first}
		for {
			ref, more, err := p.join()
			if err != nil {
				return nil, err
			}
			if !more {
				break
			}
			group = append(group, ref)
		}
		groups = append(groups, group)
		if !p.op(",") {
			return groups, nil
		}
	}
}

// join parses one joined relation, if one comes next.
func (p *parser) join() (tableRef, bool, error) {
	kind := joinInner
	switch {
	case p.words("CROSS", "JOIN"):
		kind = joinCross
	case p.words("CROSS", "APPLY"), p.words("OUTER", "APPLY"):
		kind = joinOther
	case p.peek().is("CROSS"):
		p.i++
		return tableRef{}, false, p.expected("JOIN")
	case p.words("LEFT", "JOIN"), p.words("LEFT", "OUTER", "JOIN"):
		kind = joinLeft
	case p.word("NATURAL"), p.peek().is("LEFT"), p.peek().is("RIGHT"), p.peek().is("FULL"):
		kind = joinOther
		for p.word("LEFT") || p.word("RIGHT") || p.word("FULL") || p.word("INNER") || p.word("OUTER") || p.word("SEMI") || p.word("ANTI") {
		}
		if err := p.expectWord("JOIN"); err != nil {
			return tableRef{}, false, err
		}
	case p.word("INNER"):
		if err := p.expectWord("JOIN"); err != nil {
			return tableRef{}, false, err
		}
	case p.word("JOIN"):
	default:
		return tableRef{}, false, nil
	}
	ref, err := p.relation()
	if err != nil {
		return ref, false, err
	}
	ref.kind = kind
	if kind == joinCross {
		return ref, true, nil
	}
	switch {
	case p.word("ON"):
		ref.on, err = p.expr()
	case p.word("USING"):
		ref.kind = joinOther
		if !p.peek().isOp("(") {
			return ref, false, p.expected("(")
		}
		err = p.skipParens()
	case kind == joinLeft:
		ref.kind = joinOther // without a condition
	}
	return ref, true, err
}

// relation parses one relation of FROM with its arguments and alias.
func (p *parser) relation() (tableRef, error) {
	from := p.i
	var ref tableRef
	t := p.peek()
	switch {
	case t.isOp("("):
		ref.refused = true
		if err := p.skipParens(); err != nil {
			return ref, err
		}
	case t.is("TABLE"), t.is("UNNEST"), t.is("LATERAL"):
		ref.refused = true
		p.i++
		if t.is("LATERAL") && p.peek().ident() {
			p.i++
		}
		if !p.peek().isOp("(") {
			return ref, p.expected("(")
		}
		if err := p.skipParens(); err != nil {
			return ref, err
		}
	default:
		name, err := p.name()
		if err != nil {
			return ref, err
		}
		ref.name = name
		ref.span = span{from, p.i}
		if p.peek().isOp("(") {
			if err := p.viewArgs(&ref); err != nil {
				return ref, err
			}
		}
	}
	alias, named, err := p.alias(notTableAlias)
	if err != nil {
		return ref, err
	}
	ref.alias = ref.name
	if named {
		ref.alias = alias
	}
	if named && p.peek().isOp("(") {
		ref.refused = true
		err = p.skipParens()
	} else if p.peek().is("WITH") && p.peekAt(1).isOp("(") {
		ref.refused = true
		p.i++
		err = p.skipParens()
	}
	ref.whole = span{from, p.i}
	return ref, err
}

// viewArgs parses the arguments of a call in FROM (spec 07 §14.4).
func (p *parser) viewArgs(ref *tableRef) error {
	p.i++
	ref.called = true
	if p.op(")") {
		return nil
	}
	for {
		from := p.i
		var arg viewArg
		if t := p.peek(); t.isOp("*") {
			p.i++
			arg.named = true
		} else if _, ok := p.qualifiedStar(); ok {
			arg.named = true
		} else if t.ident() && p.peekAt(1).isOp("=>") {
			p.i += 2
			arg.named = true
			if _, err := p.expr(); err != nil {
				return err
			}
		} else if t.is("SELECT") {
			if err := p.skipArg(); err != nil {
				return err
			}
		} else {
			x, err := p.expr()
			if err != nil {
				return err
			}
			arg.x, arg.parens = x, t.isOp("(")
		}
		arg.span = span{from, p.i}
		ref.args = append(ref.args, arg)
		if p.op(")") {
			return nil
		}
		if err := p.expectOp(","); err != nil {
			return err
		}
	}
}

func (p *parser) skipArg() error {
	for {
		switch t := p.peek(); {
		case t.kind == tokEOF:
			return p.expected(")")
		case t.isOp(","), t.isOp(")"):
			return nil
		}
		if err := p.skipOne(); err != nil {
			return err
		}
	}
}
