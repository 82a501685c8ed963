package sql

import "github.com/stdbgo/spacetime/internal/query"

// A span is a run of tokens, [from, to).
type span struct{ from, to int }

func (s span) tokens() span { return s }

// An expr is a parsed expression. Forms that the language does not have parse
// into *refusedExpr, so that the order of refusals is the checker's business
// (spec 07 §3.3) and a new form replaces one refusal by one node.
type expr interface{ tokens() span }

type litKind uint8

const (
	litNumber litKind = iota
	litHex
	litString
	litBool
)

type (
	// litExpr is a literal; text is what it is reduced to (spec 07 §6.1), with
	// its sign and without quotes, 0x or L.
	litExpr struct {
		span
		kind   litKind
		text   string
		signed bool
	}
	// paramExpr is :sender.
	paramExpr struct{ span }
	// colExpr is a column, qual empty when it stands alone.
	colExpr struct {
		span
		qual, name string
	}
	// logicExpr is an n-ary AND or OR; chains are flat.
	logicExpr struct {
		span
		or bool
		xs []expr
	}
	notExpr struct {
		span
		x expr
	}
	cmpExpr struct {
		span
		op   query.CmpOp
		l, r expr
	}
	// funcExpr is name(…); only COUNT(*) has a meaning, as a projection.
	funcExpr struct {
		span
		name      string
		countStar bool
	}
	// refusedExpr parsed, and is not in the language.
	refusedExpr struct {
		span
		msg string
	}
)

// An item is one element of a SELECT list.
type item struct {
	span
	star  bool   // * or qual.*
	qual  string // of a star
	x     expr   // otherwise
	alias string
	named bool // alias was given
}

type joinKind uint8

const (
	joinFirst joinKind = iota // the first relation of FROM
	joinInner
	joinCross
	joinOther // outer, natural, using, semi, …
)

// A tableRef is one relation of FROM.
type tableRef struct {
	span              // of the name
	whole   span      // with arguments and alias
	name    string    // dotted parts joined
	alias   string    // name if none was given
	refused bool      // derived tables, LATERAL, hints, column aliases
	args    []viewArg // of a call
	called  bool      // parentheses were written
	kind    joinKind
	on      expr
}

// A viewArg is one argument of a call in FROM.
type viewArg struct {
	span
	x     expr // nil for a form that is not positional
	named bool
}

// A statement is one of the *…Stmt types.
type statement interface{ tokens() span }

type selectStmt struct {
	span
	body      span // without ORDER BY, LIMIT, …
	badQuery  bool // ORDER BY, OFFSET, FETCH, WITH, locks
	badSelect bool // DISTINCT, GROUP BY, HAVING, TOP, INTO, windows
	setOp     bool // UNION and friends, VALUES, parenthesised SELECT
	items     []item
	from      [][]tableRef // comma-separated groups of joined relations
	where     expr
	limit     expr
	limitAll  bool
}

type insertStmt struct {
	span
	table   tableRef
	cols    []colExpr
	rows    [][]expr
	source  span // of anything but VALUES
	values  bool
	refused bool
}

type assignment struct {
	span
	target string
	value  expr
}

type updateStmt struct {
	span
	table   tableRef
	set     []assignment
	where   expr
	refused bool
}

type deleteStmt struct {
	span
	tables  [][]tableRef
	where   expr
	refused bool
}

type setStmt struct {
	span
	name    string
	value   expr
	refused bool
}

type showStmt struct {
	span
	name    string
	refused bool
}

// otherStmt is a statement of SQL at large that neither dialect has.
type otherStmt struct{ span }
