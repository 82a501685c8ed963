package sql

import "strings"

// maxDepth bounds nested parentheses, NOT and calls together (spec 07 §25).
const maxDepth = 1000

type parser struct {
	*source
	i      int // next token
	depth  int
	params *Params // nil: $1 is refused
}

// parseStatement parses a text that must hold exactly one statement.
func parseStatement(text string) (*source, statement, error) { return parseWith(text, nil) }

// parseWith is parseStatement for a text that may have parameters.
func parseWith(text string, params *Params) (*source, statement, error) {
	if len(text) > maxText {
		return nil, nil, tooLong(text)
	}
	src, err := lex(text)
	if err != nil {
		return nil, nil, err
	}
	p := &parser{source: src, params: params}
	var stmts []statement
	for {
		for p.op(";") {
		}
		if p.peek().kind == tokEOF {
			break
		}
		st, err := p.statement()
		if err != nil {
			return nil, nil, err
		}
		if t := p.peek(); t.kind != tokEOF && !t.isOp(";") {
			return nil, nil, p.expected("end of statement")
		}
		stmts = append(stmts, st)
	}
	switch len(stmts) {
	case 0:
		return nil, nil, &Error{Msg: "Empty SQL query"}
	case 1:
		return src, stmts[0], nil
	}
	return nil, nil, &Error{Pos: src.posAt(src.toks[stmts[1].tokens().from].pos), Msg: "Multiple SQL statements are not supported"}
}

// maxText is the longest statement, in bytes of UTF-8.
const maxText = 50_000

func tooLong(text string) *Error {
	head := text
	n := 0
	for i := range text {
		if n == 120 {
			head = text[:i]
			break
		}
		n++
	}
	return &Error{Msg: `SQL query exceeds maximum allowed length: "` + head + `..."`}
}

func (p *parser) peek() token { return p.toks[p.i] }

func (p *parser) peekAt(n int) token { return p.toks[min(p.i+n, len(p.toks)-1)] }

func (p *parser) next() token {
	t := p.toks[p.i]
	if t.kind != tokEOF {
		p.i++
	}
	return t
}

// op consumes the operator if it comes next.
func (p *parser) op(op string) bool {
	if p.toks[p.i].isOp(op) {
		p.i++
		return true
	}
	return false
}

// word consumes the keyword if it comes next.
func (p *parser) word(kw string) bool {
	if p.toks[p.i].is(kw) {
		p.i++
		return true
	}
	return false
}

// words consumes a run of keywords if all of them come next.
func (p *parser) words(kws ...string) bool {
	for n, kw := range kws {
		if t := p.peekAt(n); !t.is(kw) {
			return false
		}
	}
	p.i += len(kws)
	return true
}

func (p *parser) expected(what string) *Error {
	t := p.peek()
	if t.kind == tokEOF {
		return &Error{Pos: p.posAt(t.pos), Msg: "sql parser error: Expected " + what + ", found: EOF"}
	}
	return p.syntaxError(t.pos, "Expected "+what+", found: "+p.show(t))
}

func (p *parser) expectOp(op string) error {
	if !p.op(op) {
		return p.expected(op)
	}
	return nil
}

func (p *parser) expectWord(kw string) error {
	if !p.word(kw) {
		return p.expected(kw)
	}
	return nil
}

func (p *parser) ident() (string, error) {
	if t := p.peek(); t.ident() {
		p.i++
		return t.text, nil
	}
	return "", p.expected("identifier")
}

// name parses a dotted name into one string (spec 07 §5.4).
func (p *parser) name() (string, error) {
	first, err := p.ident()
	if err != nil {
		return "", err
	}
	if !p.peek().isOp(".") {
		return first, nil
	}
	parts := []string{first}
	for p.op(".") {
		part, err := p.ident()
		if err != nil {
			return "", err
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, "."), nil
}

// enter counts one level of nesting; the caller must leave.
func (p *parser) enter() error {
	if p.depth++; p.depth > maxDepth+1 { // a whole expression is one, without being nested
		return &Error{Pos: p.posAt(p.peek().pos), Msg: "sql parser error: recursion limit exceeded"}
	}
	return nil
}

func (p *parser) leave() { p.depth-- }

// skipParens passes a balanced group whose opening parenthesis comes next.
func (p *parser) skipParens() error {
	depth := 0
	for {
		switch t := p.peek(); {
		case t.kind == tokEOF:
			return p.expected(")")
		case t.isOp("("):
			depth++
		case t.isOp(")"):
			depth--
		}
		p.i++
		if depth == 0 {
			return nil
		}
	}
}

// skipRest passes what is left of a statement that will be refused as a whole.
func (p *parser) skipRest() error {
	for {
		switch t := p.peek(); {
		case t.kind == tokEOF || t.isOp(";"):
			return nil
		case t.isOp("("):
			if err := p.skipParens(); err != nil {
				return err
			}
		case t.isOp(")"):
			return p.expected("end of statement")
		default:
			p.i++
		}
	}
}

func (p *parser) statement() (statement, error) {
	from := p.i
	t := p.next()
	switch {
	case t.is("SELECT"):
		return p.selectStmt(from)
	case t.is("WITH"), t.is("VALUES") && p.peek().isOp("("), t.isOp("("):
		if t.isOp("(") {
			p.i--
		}
		st := &selectStmt{badQuery: t.is("WITH"), setOp: !t.is("WITH")}
		err := p.skipRest()
		st.span = span{from, p.i}
		st.body = st.span
		return st, err
	case t.is("INSERT"):
		return p.insertStmt(from)
	case t.is("UPDATE"):
		return p.updateStmt(from)
	case t.is("DELETE"):
		return p.deleteStmt(from)
	case t.is("SET"):
		return p.setStmt(from)
	case t.is("SHOW"):
		return p.showStmt(from)
	case t.is("EXPLAIN"):
		if st, ok, err := p.explain(from); ok || err != nil {
			return st, err
		}
		fallthrough
	case t.kind == tokWord && otherStatements[strings.ToUpper(t.text)]:
		err := p.skipRest()
		return &otherStmt{span{from, p.i}}, err
	}
	p.i = from
	return nil, p.expected("an SQL statement")
}

// explain parses from behind EXPLAIN; ok is false for what it cannot explain.
func (p *parser) explain(from int) (st statement, ok bool, err error) {
	analyze := p.word("ANALYZE")
	switch t := p.peek(); {
	case t.is("SELECT"), t.is("INSERT"), t.is("UPDATE"), t.is("DELETE"):
	default:
		return nil, false, nil
	}
	of, err := p.statement()
	if err != nil {
		return nil, false, err
	}
	return &explainStmt{span{from, p.i}, analyze, of}, true, nil
}
