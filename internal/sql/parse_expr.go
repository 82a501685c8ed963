package sql

import (
	"strings"

	"github.com/stdbgo/spacetime/internal/query"
)

// The levels of binding, loosest first (spec 07 §34.4): OR, AND, NOT, IS,
// comparisons, BETWEEN/IN/LIKE, other operators, signs, casts, operands.

func (p *parser) expr() (expr, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	return p.logic(true)
}

// logic parses an OR chain, or the AND chains inside it, flat.
func (p *parser) logic(or bool) (expr, error) {
	kw, operand := "AND", p.not
	if or {
		kw, operand = "OR", func() (expr, error) { return p.logic(false) }
	}
	from := p.i
	x, err := operand()
	if err != nil {
		return nil, err
	}
	var xs []expr
	for p.word(kw) {
		if xs == nil {
			xs = []expr{x}
		}
		y, err := operand()
		if err != nil {
			return nil, err
		}
		xs = append(xs, y)
	}
	if xs == nil {
		return x, nil
	}
	return &logicExpr{span{from, p.i}, or, xs}, nil
}

func (p *parser) not() (expr, error) {
	from := p.i
	if !p.word("NOT") {
		return p.is()
	}
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	x, err := p.not()
	if err != nil {
		return nil, err
	}
	return &notExpr{span{from, p.i}, x}, nil
}

func (p *parser) refused(from int, what string) *refusedExpr {
	sp := span{from, p.i}
	return &refusedExpr{sp, what + ": " + p.render(sp)}
}

func (p *parser) is() (expr, error) {
	from := p.i
	x, err := p.comparison()
	for err == nil && p.word("IS") {
		e := &isExpr{x: x, not: p.word("NOT")}
		switch {
		case p.word("NULL"):
			e.what = query.IsNull
		case p.word("TRUE"):
			e.what = query.IsTrue
		case p.word("FALSE"):
			e.what = query.IsFalse
		case p.words("DISTINCT", "FROM"):
			e.y, err = p.comparison()
		case p.word("UNKNOWN"):
			x = p.refused(from, "Unsupported expression")
			continue
		default:
			err = p.expected("[NOT] NULL or TRUE|FALSE or [NOT] DISTINCT FROM after IS")
		}
		e.span = span{from, p.i}
		x = e
	}
	return x, err
}

var cmpOps = map[string]query.CmpOp{
	"=": query.Eq, "==": query.Eq, "<>": query.Ne, "!=": query.Ne,
	"<": query.Lt, ">": query.Gt, "<=": query.Le, ">=": query.Ge,
}

func (p *parser) comparison() (expr, error) {
	from := p.i
	l, err := p.ranged()
	for err == nil {
		t := p.peek()
		op, ok := cmpOps[t.text]
		if t.kind != tokOp || !ok {
			break
		}
		p.i++
		if q := p.peek(); (q.is("ANY") || q.is("ALL") || q.is("SOME")) && p.peekAt(1).isOp("(") {
			p.i++
			err = p.skipParens()
			l = p.refused(from, "Unsupported expression")
			continue
		}
		var r expr
		r, err = p.ranged()
		l = &cmpExpr{span{from, p.i}, op, l, r}
	}
	return l, err
}

// ranged parses what binds between comparisons and operators: IN, BETWEEN and
// LIKE.
func (p *parser) ranged() (expr, error) {
	from := p.i
	x, err := p.operator(0)
	for err == nil {
		n := 0
		if p.peek().is("NOT") {
			n = 1
		}
		t := p.peekAt(n)
		switch {
		case t.is("IN"):
			p.i += n + 1
			x, err = p.in(from, x, n == 1)
		case t.is("BETWEEN"):
			p.i += n + 1
			x, err = p.between(from, x, n == 1)
		case t.is("LIKE"), t.is("ILIKE"):
			p.i += n + 1
			x, err = p.like(from, x, n == 1, t.is("ILIKE"))
		case t.is("SIMILAR") && p.peekAt(n+1).is("TO"):
			p.i += n + 2
			if _, err = p.operator(0); err == nil && p.word("ESCAPE") {
				p.next()
			}
			x = p.refused(from, "Unsupported expression")
		default:
			return x, nil
		}
	}
	return nil, err
}

func (p *parser) in(from int, x expr, not bool) (expr, error) {
	if !p.peek().isOp("(") {
		return nil, p.expected("(")
	}
	p.i++
	e := &inExpr{x: x, not: not}
	var err error
	if p.peek().is("SELECT") {
		e.sub, err = p.subselect()
	} else {
		e.list, err = p.exprs()
	}
	if err == nil {
		err = p.expectOp(")")
	}
	e.span = span{from, p.i}
	return e, err
}

func (p *parser) between(from int, x expr, not bool) (expr, error) {
	lo, err := p.operator(0)
	if err != nil {
		return nil, err
	}
	if err := p.expectWord("AND"); err != nil {
		return nil, err
	}
	hi, err := p.operator(0)
	return &betweenExpr{span{from, p.i}, x, lo, hi, not}, err
}

func (p *parser) like(from int, x expr, not, fold bool) (expr, error) {
	e := &likeExpr{x: x, fold: fold, not: not}
	var err error
	if e.pattern, err = p.operator(0); err != nil {
		return nil, err
	}
	if p.word("ESCAPE") {
		t := p.peek()
		if t.kind != tokString {
			return nil, p.expected("a string with the escape character")
		}
		p.i++
		e.escape = &t.text
	}
	e.span = span{from, p.i}
	return e, nil
}

// subselect parses a SELECT inside parentheses; the expressions in it count the
// nesting.
func (p *parser) subselect() (*selectStmt, error) {
	from := p.i
	p.i++
	st, err := p.selectStmt(from)
	if err != nil {
		return nil, err
	}
	return st.(*selectStmt), nil
}

// Binding of operators, loosest first. Those that are not arithmetic, nor ||,
// parse and are refused.
var operatorLevels = [...]map[string]bool{
	set("|| | ^ & && <=> << >> -> ->> #> #>> #- @> <@ @@ ~ ~* !~ !~* ~~ ~~* !~~ # XOR OPERATOR"),
	set("+ -"),
	set("* / %"),
}

func (p *parser) operator(level int) (expr, error) {
	if level == len(operatorLevels) {
		return p.signed()
	}
	from := p.i
	x, err := p.operator(level + 1)
	for err == nil {
		t := p.peek()
		if t.kind != tokOp && !(t.is("XOR") && level == 0) || !operatorLevels[level][strings.ToUpper(t.text)] {
			break
		}
		p.i++
		var y expr
		if y, err = p.operator(level + 1); err != nil {
			break
		}
		if level > 0 || t.text == "||" {
			x = &binExpr{span{from, p.i}, t.text[0], x, y}
		} else {
			x = &refusedExpr{span{from, p.i}, "Unsupported binary operator: " + strings.ToUpper(t.text)}
		}
	}
	return x, err
}

// signed parses a sign, which belongs to a number token that follows.
func (p *parser) signed() (expr, error) {
	from := p.i
	t := p.peek()
	switch {
	case (t.isOp("+") || t.isOp("-")) && p.peekAt(1).kind == tokNumber:
		p.i += 2
		lit := &litExpr{span{from, p.i}, litNumber, t.text + p.toks[p.i-1].text, true}
		return p.postfix(from, lit)
	case t.isOp("+"), t.isOp("-"), t.isOp("@"), t.isOp("~"), t.isOp("!!"), t.isOp("|/"):
		if err := p.enter(); err != nil {
			return nil, err
		}
		defer p.leave()
		p.i++
		x, err := p.signed()
		if t.isOp("+") || t.isOp("-") {
			return &signExpr{span{from, p.i}, t.isOp("-"), x}, err
		}
		return p.refused(from, "Unsupported expression"), err
	}
	x, err := p.operand()
	if err != nil {
		return nil, err
	}
	return p.postfix(from, x)
}

// postfix parses casts, and subscripts, COLLATE and AT TIME ZONE, which are
// refused.
func (p *parser) postfix(from int, x expr) (expr, error) {
	for {
		switch {
		case p.op("::"):
			typ, err := p.typeName()
			if err != nil {
				return nil, err
			}
			x = &castExpr{span{from, p.i}, x, typ}
			continue
		case p.op("["):
			for !p.op("]") {
				if p.peek().kind == tokEOF {
					return nil, p.expected("]")
				}
				p.i++
			}
		case p.word("COLLATE"):
			if _, err := p.name(); err != nil {
				return nil, err
			}
		case p.words("AT", "TIME", "ZONE"):
			if _, err := p.operand(); err != nil {
				return nil, err
			}
		default:
			return x, nil
		}
		x = p.refused(from, "Unsupported expression")
	}
}

func (p *parser) operand() (expr, error) {
	from := p.i
	t := p.next()
	switch t.kind {
	case tokNumber:
		return &litExpr{span{from, p.i}, litNumber, t.text, false}, nil
	case tokHex:
		return &litExpr{span{from, p.i}, litHex, t.text, false}, nil
	case tokString:
		return &litExpr{span{from, p.i}, litString, t.text, false}, nil
	case tokOddLit:
		if x, ok := p.placeholder(from, t); ok {
			return x, nil
		}
		return p.refused(from, "Unsupported literal expression"), nil
	case tokQuoted:
		return p.columnOrCall(from, t)
	case tokWord:
		return p.wordOperand(from, t)
	case tokOp:
		switch t.text {
		case ":":
			return p.parameter(from)
		case "(":
			return p.parenthesised(from)
		}
	}
	p.i = from
	return nil, p.expected("an expression:")
}

func (p *parser) parameter(from int) (expr, error) {
	if t := p.peek(); !t.ident() && t.kind != tokNumber {
		return nil, p.expected("identifier")
	}
	if p.next().text == "sender" {
		return &paramExpr{span{from, p.i}}, nil
	}
	return p.refused(from, "Unsupported literal expression"), nil
}

func (p *parser) parenthesised(from int) (expr, error) {
	if p.peek().is("SELECT") {
		sel, err := p.subselect()
		if err == nil {
			err = p.expectOp(")")
		}
		return &subExpr{span{from, p.i}, sel, false}, err
	}
	if t := p.peek(); t.is("WITH") || t.is("VALUES") && p.peekAt(1).isOp("(") {
		p.i = from
		err := p.skipParens()
		return p.refused(from, "Unsupported expression"), err
	}
	x, err := p.expr()
	if err != nil {
		return nil, err
	}
	if p.peek().isOp(",") {
		for p.op(",") {
			if _, err := p.expr(); err != nil {
				return nil, err
			}
		}
		err = p.expectOp(")")
		return p.refused(from, "Unsupported expression"), err
	}
	return x, p.expectOp(")")
}

func (p *parser) wordOperand(from int, t token) (expr, error) {
	next := p.peek()
	up := strings.ToUpper(t.text)
	switch {
	case up == "TRUE" || up == "FALSE":
		return &litExpr{span{from, p.i}, litBool, strings.ToLower(up), false}, nil
	case up == "NULL":
		return &nullExpr{span{from, p.i}}, nil
	case up == "EXISTS" && next.isOp("(") && p.peekAt(1).is("SELECT"):
		p.i++
		sel, err := p.subselect()
		if err == nil {
			err = p.expectOp(")")
		}
		return &subExpr{span{from, p.i}, sel, true}, err
	case next.kind == tokString && typeWords[up]:
		p.i++
		for up == "INTERVAL" && p.intervalUnit() {
		}
		return p.refused(from, "Unsupported expression"), nil
	case up == "CASE" && startsOperand(next):
		err := p.skipCase()
		return p.refused(from, "Unsupported expression"), err
	case up == "ARRAY" && next.isOp("["):
		return &colExpr{span: span{from, p.i}, name: t.text}, nil // the subscript is refused
	}
	return p.columnOrCall(from, t)
}

func (p *parser) intervalUnit() bool {
	for _, u := range [...]string{"YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND", "TO"} {
		if p.word(u) {
			return true
		}
	}
	return false
}

// startsOperand reports whether t, after CASE, begins a CASE expression rather
// than continuing one in which CASE is a column.
func startsOperand(t token) bool {
	switch t.kind {
	case tokNumber, tokHex, tokString, tokQuoted, tokOddLit:
		return true
	case tokWord:
		return !notColumnAlias[strings.ToUpper(t.text)]
	case tokOp:
		return t.text == "("
	}
	return false
}

func (p *parser) skipCase() error {
	for depth := 1; depth > 0; {
		switch t := p.next(); {
		case t.kind == tokEOF:
			return p.expected("END")
		case t.is("CASE"):
			depth++
		case t.is("END"):
			depth--
		}
	}
	return nil
}

// columnOrCall parses a column reference or a call that starts with token t.
func (p *parser) columnOrCall(from int, t token) (expr, error) {
	parts := []string{t.text}
	for p.peek().isOp(".") && p.peekAt(1).ident() {
		p.i++
		parts = append(parts, p.next().text)
	}
	if p.peek().isOp("(") {
		return p.call(from, strings.Join(parts, "."))
	}
	last := len(parts) - 1
	return &colExpr{span{from, p.i}, strings.Join(parts[:last], "."), parts[last]}, nil
}
