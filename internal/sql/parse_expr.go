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
		p.word("NOT")
		switch {
		case p.word("NULL"), p.word("TRUE"), p.word("FALSE"), p.word("UNKNOWN"):
		case p.words("DISTINCT", "FROM"):
			_, err = p.comparison()
		default:
			err = p.expected("[NOT] NULL or TRUE|FALSE or [NOT] DISTINCT FROM after IS")
		}
		x = p.refused(from, "Unsupported expression")
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

// ranged parses the forms that stay refused between comparisons and operators:
// IN, BETWEEN, LIKE and their kin.
func (p *parser) ranged() (expr, error) {
	from := p.i
	x, err := p.operator(0)
	for err == nil {
		n := 0
		if p.peek().is("NOT") {
			n = 1
		}
		switch t := p.peekAt(n); {
		case t.is("IN"):
			p.i += n + 1
			if !p.peek().isOp("(") {
				return nil, p.expected("(")
			}
			err = p.skipParens()
		case t.is("BETWEEN"):
			p.i += n + 1
			if _, err = p.operator(0); err == nil {
				if err = p.expectWord("AND"); err == nil {
					_, err = p.operator(0)
				}
			}
		case t.is("LIKE"), t.is("ILIKE"), t.is("SIMILAR") && p.peekAt(n+1).is("TO"):
			p.i += n + 1
			p.word("TO")
			if _, err = p.operator(0); err == nil && p.word("ESCAPE") {
				p.next()
			}
		default:
			return x, nil
		}
		x = p.refused(from, "Unsupported expression")
	}
	return nil, err
}

// Binding of operators that parse and are refused, loosest first.
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
		if _, err = p.operator(level + 1); err == nil {
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
		_, err := p.signed()
		return p.refused(from, "Unsupported expression"), err
	}
	x, err := p.operand()
	if err != nil {
		return nil, err
	}
	return p.postfix(from, x)
}

// postfix parses casts, subscripts, COLLATE and AT TIME ZONE; all are refused.
func (p *parser) postfix(from int, x expr) (expr, error) {
	for {
		switch {
		case p.op("::"):
			if _, err := p.name(); err != nil {
				return nil, err
			}
			if p.peek().isOp("(") {
				if err := p.skipParens(); err != nil {
					return nil, err
				}
			}
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
	if t := p.peek(); t.is("SELECT") || t.is("WITH") || t.is("VALUES") && p.peekAt(1).isOp("(") {
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
		return p.refused(from, "Unsupported literal expression"), nil
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

func (p *parser) call(from int, name string) (expr, error) {
	star := p.peekAt(1).isOp("*") && p.peekAt(2).isOp(")")
	if err := p.skipParens(); err != nil {
		return nil, err
	}
	plain := true
	for (p.peek().is("OVER") || p.peek().is("FILTER")) && p.peekAt(1).isOp("(") {
		p.i++
		if err := p.skipParens(); err != nil {
			return nil, err
		}
		plain = false
	}
	return &funcExpr{span{from, p.i}, name, star && plain && strings.EqualFold(name, "COUNT")}, nil
}
