package sql

import (
	"strings"

	"github.com/stdbgo/spacetime/internal/query"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/sats"
)

// A Statement is a compiled statement of the query dialect. Either it answers
// with rows (Query) or it writes (Exec).
type Statement struct {
	Columns []OutCol // of the rows; empty for a statement that writes
	Verb    string   // its first word, in capitals

	caller  Caller
	env     Env
	plan    *query.Plan
	views   []*query.ViewRead
	reads   *query.Plan // what a statement that writes reads; nil: nothing
	write   func(Writer) (Stats, error)
	explain *explanation // nil unless it is an EXPLAIN
}

// An Env is what a statement gets from where it runs. The zero Env limits nothing
// and knows no defaults.
type Env struct {
	// Default is the default that the module declares for a column, in BSATN; nil if
	// there is none.
	Default func(t *schema.Table, col schema.ColID) []byte
	// Params are the parameters of a prepared statement; nil: the text has none.
	Params *Params
	// Limits hold for a statement that reads.
	Limits query.Limits
	// Partners has a SELECT tell a stored none from that of a LEFT JOIN without a
	// partner: for every column that is NullJoined the result has, behind all columns, a
	// Bool that is NullPartner and true if there is none. Where rows are grouped they are
	// the same, and there are no such columns.
	Partners bool
	// Micros is a clock for EXPLAIN ANALYZE.
	Micros func() int64
}

// Stats counts what a statement changed.
type Stats struct{ Inserted, Updated, Deleted uint64 }

// A Writer is the part of a write transaction that DML needs; *store.Tx is one.
type Writer interface {
	store.Reader
	Insert(t schema.TableID, row []byte) (stored, generated []byte, err error)
	DeleteRow(t schema.TableID, row []byte) (bool, error)
	Clear(t schema.TableID) (uint64, error)
}

// CompileStatement compiles one statement of the query dialect for a caller:
// SELECT, INSERT, UPDATE, DELETE, SET, SHOW or EXPLAIN (spec 07 §3.2, §34). Errors of the text
// are *Error.
func CompileStatement(r store.Reader, text string, caller Caller, env Env) (*Statement, error) {
	src, st, err := parseWith(text, env.Params)
	if err != nil {
		return nil, advised(err)
	}
	c := newChecker(src, r, caller, dialectFull)
	c.env = env
	out := &Statement{Verb: strings.ToUpper(src.toks[st.tokens().from].text), caller: caller, env: env}
	if err := c.compile(st, out); err != nil {
		return nil, advised(err)
	}
	out.views = c.views
	return out, nil
}

func (c *checker) compile(st statement, out *Statement) error {
	switch st := st.(type) {
	case *selectStmt:
		return c.compileSelect(st, out)
	case *insertStmt:
		return c.compileInsert(st, out)
	case *updateStmt:
		return c.compileUpdate(st, out)
	case *deleteStmt:
		return c.compileDelete(st, out)
	case *setStmt:
		return c.compileSet(st, out)
	case *showStmt:
		return c.compileShow(st, out)
	case *explainStmt:
		return c.compileExplain(st, out)
	}
	return unsupported(c.at(st.tokens()), "Unsupported", c.render(st.tokens()))
}

func (c *checker) compileSelect(st *selectStmt, out *Statement) error {
	if err := c.selectShape(st); err != nil {
		return err
	}
	s, err := c.selection(st)
	if err != nil {
		return err
	}
	if c.env.Partners {
		c.partners(s)
	}
	out.Columns, out.plan = s.cols, query.Compile(s.q)
	return nil
}

// Writes reports whether the statement changes data and so needs Exec.
func (st *Statement) Writes() bool { return st.write != nil && st.explain == nil }

// Plan is the plan of a statement that answers with rows, else nil.
func (st *Statement) Plan() *query.Plan { return st.plan }

// Views lists the instances of views that the statement reads, wherever they stand
// in it. They must have been evaluated before it runs. An EXPLAIN reads none unless it
// runs the query.
func (st *Statement) Views() []*query.ViewRead {
	if st.explain != nil && !st.explain.analyze {
		return nil
	}
	return st.views
}

// RowType is the type of the result's rows.
func (st *Statement) RowType() *sats.Type {
	elems := make([]sats.Element, len(st.Columns))
	for i, c := range st.Columns {
		elems[i] = sats.Element{Name: c.Name, Type: c.Type}
	}
	return sats.Product(elems...)
}

// Nulls tells for each column where its option type is from.
func (st *Statement) Nulls() []NullForm {
	nulls := make([]NullForm, len(st.Columns))
	for i := range st.Columns {
		nulls[i] = st.Columns[i].Null
	}
	return nulls
}

// Query hands every row of the result to emit, as BSATN of RowType and valid only
// during the call, until emit returns false. It fails before the first row if the
// estimate is over the row limit. A statement that writes has no rows.
func (st *Statement) Query(r store.Reader, emit func(row []byte) bool) error {
	if st.explain != nil {
		return advised(st.explained(r, emit))
	}
	if st.plan == nil {
		return nil
	}
	if err := CheckRowLimit(r, st.caller, st.plan); err != nil {
		return advised(err)
	}
	return advised(st.run(r, emit))
}

func (st *Statement) run(r store.Reader, emit func(row []byte) bool) error {
	return st.plan.RunWithin(r, st.env.Limits, emit)
}

// Exec carries out a statement that writes. On an error the transaction holds
// part of the changes and must be rolled back.
func (st *Statement) Exec(tx Writer) (Stats, error) {
	if st.write == nil {
		return Stats{}, nil
	}
	stats, err := st.write(tx)
	return stats, advised(err)
}
