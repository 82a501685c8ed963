package sql

import "strings"

// insertStmt parses from behind INSERT.
func (p *parser) insertStmt(from int) (statement, error) {
	st := &insertStmt{}
	p.word("INTO")
	if p.peek().is("OVERWRITE") && (p.peekAt(1).ident()) {
		p.i++
		p.word("INTO")
		st.refused = true
	}
	tfrom := p.i
	name, err := p.name()
	if err != nil {
		return nil, err
	}
	st.table = tableRef{span: span{tfrom, p.i}, whole: span{tfrom, p.i}, name: name, alias: name}
	if p.word("AS") {
		st.refused = true
		if _, err := p.ident(); err != nil {
			return nil, err
		}
	}
	if after := p.peekAt(2); p.peek().isOp("(") && (!p.peekAt(1).is("SELECT") || after.isOp(",") || after.isOp(")")) {
		st.listed = true
		if st.cols, err = p.columnList(); err != nil {
			return nil, err
		}
	}
	if err := p.insertSource(st); err != nil {
		return nil, err
	}
	if p.peek().is("ON") || p.peek().is("RETURNING") {
		st.refused = true
		if err := p.skipRest(); err != nil {
			return nil, err
		}
	}
	st.span = span{from, p.i}
	return st, nil
}

func (p *parser) columnList() ([]colExpr, error) {
	p.i++
	var cols []colExpr
	for {
		at := p.i
		name, err := p.ident()
		if err != nil {
			return nil, err
		}
		cols = append(cols, colExpr{span: span{at, p.i}, name: name})
		if p.op(")") {
			return cols, nil
		}
		if err := p.expectOp(","); err != nil {
			return nil, err
		}
	}
}

func (p *parser) insertSource(st *insertStmt) error {
	from := p.i
	switch t := p.peek(); {
	case p.words("DEFAULT", "VALUES"):
		st.refused = true
	case t.is("SELECT"):
		sel, err := p.subselect()
		st.sel, st.source = sel, span{from, p.i}
		return err
	case t.is("WITH"), t.isOp("("), t.is("TABLE"):
		for t := p.peek(); t.kind != tokEOF && !t.isOp(";") && !t.is("RETURNING"); t = p.peek() {
			if err := p.skipOne(); err != nil {
				return err
			}
		}
		st.source = span{from, p.i}
	case p.word("VALUES"):
		st.values = true
		for {
			row, err := p.valueRow()
			if err != nil {
				return err
			}
			st.rows = append(st.rows, row)
			if !p.op(",") {
				return nil
			}
		}
	default:
		return p.expected("SELECT, VALUES, or a subquery in the query body")
	}
	return nil
}

func (p *parser) valueRow() ([]expr, error) {
	if err := p.expectOp("("); err != nil {
		return nil, err
	}
	var row []expr
	for {
		x, err := p.value()
		if err != nil {
			return nil, err
		}
		row = append(row, x)
		if p.op(")") {
			return row, nil
		}
		if err := p.expectOp(","); err != nil {
			return nil, err
		}
	}
}

// value parses a written value: an expression, or DEFAULT.
func (p *parser) value() (expr, error) {
	if t := p.peekAt(1); p.peek().is("DEFAULT") && (t.kind == tokEOF || t.isOp(",") || t.isOp(")") || t.isOp(";") || t.is("WHERE") || t.is("FROM") || t.is("RETURNING")) {
		p.i++
		return &defaultExpr{span{p.i - 1, p.i}}, nil
	}
	return p.expr()
}

// updateStmt parses from behind UPDATE.
func (p *parser) updateStmt(from int) (statement, error) {
	st := &updateStmt{}
	var err error
	if st.table, err = p.relation(); err != nil {
		return nil, err
	}
	for {
		_, more, err := p.join()
		if err != nil {
			return nil, err
		}
		if !more {
			break
		}
		st.refused = true
	}
	if err := p.expectWord("SET"); err != nil {
		return nil, err
	}
	for {
		a, err := p.assignment()
		if err != nil {
			return nil, err
		}
		st.set = append(st.set, a)
		if !p.op(",") {
			break
		}
	}
	if p.word("FROM") {
		if st.from, err = p.from(); err != nil {
			return nil, err
		}
	}
	if p.word("WHERE") {
		if st.where, err = p.expr(); err != nil {
			return nil, err
		}
	}
	if p.word("RETURNING") {
		st.refused = true
		if err := p.skipRest(); err != nil {
			return nil, err
		}
	}
	if st.table.refused || st.table.called {
		st.refused = true
	}
	st.span = span{from, p.i}
	return st, nil
}

func (p *parser) assignment() (assignment, error) {
	at := p.i
	target, err := p.name()
	if err != nil {
		return assignment{}, err
	}
	if err := p.expectOp("="); err != nil {
		return assignment{}, err
	}
	x, err := p.value()
	return assignment{span{at, p.i}, target, x}, err
}

// deleteStmt parses from behind DELETE.
func (p *parser) deleteStmt(from int) (statement, error) {
	st := &deleteStmt{}
	if !p.word("FROM") {
		st.refused = true
		for !p.peek().is("FROM") {
			if _, err := p.name(); err != nil {
				return nil, p.expected("FROM")
			}
			if !p.op(",") {
				break
			}
		}
		if err := p.expectWord("FROM"); err != nil {
			return nil, err
		}
	}
	var err error
	if st.tables, err = p.from(); err != nil {
		return nil, err
	}
	if p.word("USING") {
		if st.using, err = p.from(); err != nil {
			return nil, err
		}
	}
	if p.word("WHERE") {
		if st.where, err = p.expr(); err != nil {
			return nil, err
		}
	}
	if t := p.peek(); t.is("RETURNING") || t.is("ORDER") || t.is("LIMIT") {
		st.refused = true
		if err := p.skipRest(); err != nil {
			return nil, err
		}
	}
	st.span = span{from, p.i}
	return st, nil
}

// setStmt parses from behind SET.
func (p *parser) setStmt(from int) (statement, error) {
	st := &setStmt{}
	if t := p.peek(); (t.is("SESSION") || t.is("LOCAL")) && p.peekAt(1).ident() && !p.peekAt(1).is("TO") {
		p.i++
	}
	for _, other := range [...][]string{{"TIME", "ZONE"}, {"NAMES"}, {"ROLE"}, {"TRANSACTION"}, {"CHARACTERISTICS"}} {
		if n := len(other); p.words(other...) {
			if t := p.peek(); n == 1 && (t.isOp("=") || t.is("TO") || t.isOp(".")) {
				p.i -= n // a variable of that name
				break
			}
			st.refused = true
			err := p.skipRest()
			st.span = span{from, p.i}
			return st, err
		}
	}
	var err error
	if st.name, err = p.name(); err != nil {
		return nil, err
	}
	if !p.op("=") && !p.word("TO") {
		return nil, p.expected("equals sign or TO")
	}
	if st.value, err = p.expr(); err != nil {
		return nil, err
	}
	for p.op(",") {
		st.refused = true
		if _, err = p.expr(); err != nil {
			return nil, err
		}
	}
	st.span = span{from, p.i}
	return st, nil
}

// showStmt parses from behind SHOW: one variable, its parts dotted or not.
func (p *parser) showStmt(from int) (statement, error) {
	st := &showStmt{}
	for _, other := range [...]string{"TABLES", "COLUMNS", "FIELDS", "FUNCTIONS", "COLLATION", "CREATE", "EXTENDED", "FULL"} {
		if t := p.peek(); t.is(other) {
			st.refused = true
			err := p.skipRest()
			st.span = span{from, p.i}
			return st, err
		}
	}
	name, err := p.ident()
	if err != nil {
		return nil, err
	}
	parts := []string{name}
	for p.op(".") || p.op(",") || p.peek().ident() {
		part, err := p.ident()
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	st.name = strings.Join(parts, ".")
	st.span = span{from, p.i}
	return st, nil
}
