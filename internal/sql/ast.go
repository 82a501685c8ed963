package sql

import (
	"github.com/stdbgo/spacetime/internal/query"
	"github.com/stdbgo/spacetime/sats"
)

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
	// nullExpr is NULL.
	nullExpr struct{ span }
	// binExpr is an arithmetic operator, or || as '|'.
	binExpr struct {
		span
		op   byte
		l, r expr
	}
	// signExpr is a sign before anything but a number token.
	signExpr struct {
		span
		neg bool
		x   expr
	}
	// castExpr is CAST(x AS type) or x::type; typ is nil for a type of SQL at large.
	castExpr struct {
		span
		x   expr
		typ *sats.Type
	}
	// isExpr is x IS [NOT] NULL, TRUE or FALSE, or with y IS [NOT] DISTINCT FROM y.
	isExpr struct {
		span
		x    expr
		what query.IsKind
		y    expr
		not  bool
	}
	// inExpr is x [NOT] IN (list) or (select).
	inExpr struct {
		span
		x    expr
		list []expr
		sub  *selectStmt
		not  bool
	}
	betweenExpr struct {
		span
		x, lo, hi expr
		not       bool
	}
	likeExpr struct {
		span
		x, pattern expr
		escape     *string // nil: \\
		fold, not  bool
	}
	// subExpr is a scalar (select) or EXISTS (select).
	subExpr struct {
		span
		sel    *selectStmt
		exists bool
	}
	// funcExpr is name(…). Arguments are parsed for the functions that there are;
	// odd stands for a form of call that there is not.
	funcExpr struct {
		span
		name     string // in capitals
		star     bool   // COUNT(*)
		distinct bool
		args     []expr
		odd      bool
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
	joinLeft
	joinOther // other outer ones, natural, using, semi, …
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
	x      expr // nil for a form that is not positional
	named  bool
	parens bool // it begins with a parenthesis
}

// A statement is one of the *…Stmt types.
type statement interface{ tokens() span }

type selectStmt struct {
	span
	body      span // without ORDER BY, LIMIT, …
	badQuery  bool // FETCH, WITH, locks
	badSelect bool // TOP, INTO, windows, DISTINCT ON
	setOp     bool // UNION and friends, VALUES, parenthesised SELECT
	distinct  bool
	items     []item
	from      [][]tableRef // comma-separated groups of joined relations
	where     expr
	group     []expr
	having    expr
	order     []sortKey
	limit     expr
	limitAll  bool
	offset    expr
}

// A sortKey is one key of ORDER BY.
type sortKey struct {
	span
	x     expr
	desc  bool
	nulls int // 0: not said; 1: FIRST; 2: LAST
}

type insertStmt struct {
	span
	table   tableRef
	cols    []colExpr
	listed  bool // a column list was written
	rows    [][]expr
	sel     *selectStmt // INSERT … SELECT
	source  span        // of anything but VALUES
	values  bool
	refused bool
}

// defaultExpr is the word DEFAULT as a written value.
type defaultExpr struct{ span }

type assignment struct {
	span
	target string
	value  expr
}

type updateStmt struct {
	span
	table   tableRef
	set     []assignment
	from    [][]tableRef
	where   expr
	refused bool
}

type deleteStmt struct {
	span
	tables  [][]tableRef
	using   [][]tableRef
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

// explainStmt is EXPLAIN [ANALYZE] and a statement.
type explainStmt struct {
	span
	analyze bool
	of      statement
}

// otherStmt is a statement of SQL at large that neither dialect has.
type otherStmt struct{ span }
