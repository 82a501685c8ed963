package sql

import (
	"strings"

	"github.com/stdbgo/spacetime/internal/query"
	"github.com/stdbgo/spacetime/sats"
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

// functions are those whose arguments have a meaning. Any other call parses as a
// whole and is refused.
var functions = set("COUNT SUM MIN MAX AVG COALESCE CAST")

func (p *parser) call(from int, name string) (expr, error) {
	f := &funcExpr{name: strings.ToUpper(name)}
	at := p.i
	err := p.arguments(f)
	if f.name == "CAST" && err == nil {
		cast := f.args[0].(*castExpr)
		cast.span = span{from, p.i}
		return cast, nil
	}
	if err != nil && f.name != "CAST" && f.name != "COALESCE" {
		// Not a form of call that there is; perhaps one of SQL at large.
		p.i, f.odd, f.args = at, true, nil
		err = p.skipParens()
	}
	if err != nil {
		return nil, err
	}
	for (p.peek().is("OVER") || p.peek().is("FILTER")) && p.peekAt(1).isOp("(") {
		p.i++
		if err := p.skipParens(); err != nil {
			return nil, err
		}
		f.odd = true
	}
	f.span = span{from, p.i}
	return f, nil
}

// arguments parses the arguments of a call, from the parenthesis on.
func (p *parser) arguments(f *funcExpr) error {
	if !functions[f.name] {
		f.odd = true
		return p.skipParens()
	}
	p.i++
	if f.name == "CAST" {
		return p.castArguments(f)
	}
	if f.name == "COUNT" && p.peek().isOp("*") && p.peekAt(1).isOp(")") {
		p.i += 2
		f.star = true
		return nil
	}
	if f.name != "COALESCE" && p.peek().is("DISTINCT") && !p.peekAt(1).isOp(")") {
		p.i++
		f.distinct = true
	}
	var err error
	if f.args, err = p.exprs(); err != nil {
		return err
	}
	if len(f.args) > 1 && f.name != "COALESCE" {
		f.odd = true
	}
	return p.expectOp(")")
}

func (p *parser) castArguments(f *funcExpr) error {
	x, err := p.expr()
	if err != nil {
		return err
	}
	if err := p.expectWord("AS"); err != nil {
		return err
	}
	typ, err := p.typeName()
	f.args = []expr{&castExpr{x: x, typ: typ}}
	if err != nil {
		return err
	}
	return p.expectOp(")")
}

var typeNames = map[string]*sats.Type{
	"BOOL": sats.Bool, "BOOLEAN": sats.Bool, "STRING": sats.String, "TEXT": sats.String, "VARCHAR": sats.String,
	"I8": sats.I8, "I16": sats.I16, "I32": sats.I32, "I64": sats.I64, "I128": sats.I128Type, "I256": sats.I256Type,
	"U8": sats.U8, "U16": sats.U16, "U32": sats.U32, "U64": sats.U64, "U128": sats.U128Type, "U256": sats.U256Type,
	"INT": sats.I32, "INTEGER": sats.I32, "SMALLINT": sats.I16, "BIGINT": sats.I64,
	"F32": sats.F32, "F64": sats.F64, "REAL": sats.F32, "DOUBLE": sats.F64,
	"BYTEA": sats.Array(sats.U8), "TIMESTAMP": sats.TimestampType, "INTERVAL": sats.TimeDurationType, "TIMEDURATION": sats.TimeDurationType,
	"IDENTITY": sats.IdentityType, "CONNECTIONID": sats.ConnectionIDType, "UUID": sats.UuidType, "SCHEDULEAT": sats.ScheduleAtType,
}

// typeName parses the name of a type; the type is nil for one of SQL at large.
func (p *parser) typeName() (*sats.Type, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	name, err := p.name()
	if err != nil {
		return nil, err
	}
	up := strings.ToUpper(name)
	if up == "ARRAY" && p.op("<") {
		elem, err := p.typeName()
		if err != nil || elem == nil {
			return nil, err
		}
		if t := p.peek(); t.isOp(">>") {
			p.toks[p.i].text, p.toks[p.i].pos = ">", t.pos+1 // two brackets; the other one is left
		} else if err := p.expectOp(">"); err != nil {
			return nil, err
		}
		return sats.Array(elem), nil
	}
	typ := typeNames[up]
	if up == "DOUBLE" {
		p.word("PRECISION")
	}
	if p.peek().isOp("(") {
		return nil, p.skipParens()
	}
	return typ, nil
}
