package sql

import (
	"strings"

	"github.com/stdbgo/spacetime/sats"
)

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
