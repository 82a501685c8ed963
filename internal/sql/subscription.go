package sql

import (
	"regexp"
	"strings"

	"github.com/zeebo/blake3"

	"github.com/stdbgo/spacetime/internal/query"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/store"
)

// A Query is a compiled query of the subscription dialect: whole rows of one
// table. It is immutable; queries with equal hashes may share one evaluation.
type Query struct {
	Text        string
	Hash        [32]byte // BLAKE3 of the text, and of the caller if the result depends on it (spec 07 §23.1)
	PerCaller   bool     // the result depends on the caller
	Plan        *query.Plan
	ReturnTable *schema.Table
	Tables      []schema.TableID   // read, without repetitions
	EventTables bool               // one of them is an event table
	Occurrences []query.Occurrence // which changed rows matter; see package query
}

// CompileSubscription compiles a text for a live query: the subscription dialect
// with the admission rules of spec 07 §16.
func CompileSubscription(r store.Reader, text string, caller Caller) (*Query, error) {
	return compileQuery(r, text, caller, dialectLive, query.CompileAdmitted)
}

// CompileOneOff compiles a text that is answered once: the subscription dialect
// without admission rules (spec 07 §11.4).
func CompileOneOff(r store.Reader, text string, caller Caller) (*Query, error) {
	return compileQuery(r, text, caller, dialectOnce, answered)
}

// answered plans a query for one answer.
func answered(q query.Select) (*query.Plan, error) { return query.Compile(q), nil }

var allTables = regexp.MustCompile(`^\s*(?i)\bSELECT\s+\*\s+FROM\s+\*\s*$`)

// CompileSubscriptionSet compiles the queries of one call. Texts are trimmed;
// SELECT * FROM * stands for one query per table that the caller may read, and
// these come first. An error is a *QueryError that names the failing query, and
// then none is compiled.
func CompileSubscriptionSet(r store.Reader, texts []string, caller Caller) ([]*Query, error) {
	var all, rest []string
	for _, text := range texts {
		text = strings.TrimSpace(text)
		if allTables.MatchString(text) {
			all = append(all, expandAll(r, caller)...)
		} else {
			rest = append(rest, text)
		}
	}
	var out []*Query
	for _, text := range append(all, rest...) {
		q, err := CompileSubscription(r, text, caller)
		if err != nil {
			return nil, &QueryError{text, err}
		}
		out = append(out, q)
	}
	return out, nil
}

func expandAll(r store.Reader, caller Caller) []string {
	var out []string
	for _, t := range r.Tables() {
		if expandable(r, t) && caller.mayRead(t) {
			out = append(out, "SELECT * FROM "+quoteName(t.Name))
		}
	}
	return out
}

var bareName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$`)

// quoteName writes a table name so that FROM reads it back.
func quoteName(name string) string {
	switch strings.ToUpper(name) {
	case "TABLE", "LATERAL", "UNNEST":
	default:
		if bareName.MatchString(name) {
			return name
		}
	}
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

func compileQuery(r store.Reader, text string, caller Caller, d dialect, compile func(query.Select) (*query.Plan, error)) (*Query, error) {
	if d == dialectLive && len(text) <= maxText && strings.TrimSpace(text) == "" {
		return nil, &Error{Msg: "SubscriptionError: Empty string"}
	}
	src, st, err := parseStatement(text)
	if err != nil {
		return nil, advised(err)
	}
	c := newChecker(src, r, caller, d)
	s, err := c.subscription(st)
	if err != nil {
		return nil, advised(err)
	}
	plan, err := compile(s.q)
	if err != nil {
		e := &Error{Msg: err.Error()}
		if err == query.ErrNoJoinIndex {
			e.Suggestion = indexHint(plan)
		}
		return nil, advised(e)
	}
	return newQuery(text, caller, plan, c.sender || caller.IsOwner), nil
}

// subscription checks a query for whole rows of one table.
func (c *checker) subscription(st statement) (*selection, error) {
	sel, ok := st.(*selectStmt)
	if !ok {
		return nil, &Error{Pos: c.at(st.tokens()), Msg: "Unsupported: Non-SELECT queries"}
	}
	if err := c.selectShape(sel); err != nil {
		return nil, err
	}
	s, err := c.selection(sel)
	if err != nil {
		return nil, err
	}
	if s.q.Out != query.OutRow {
		return nil, c.errorAt(sel.items[0].span, "Column projections are not supported in subscriptions; Subscriptions must return a table type")
	}
	return s, nil
}

func newQuery(text string, caller Caller, plan *query.Plan, perCaller bool) *Query {
	q := &Query{Text: text, PerCaller: perCaller, Plan: plan, ReturnTable: plan.ReturnTable(), Occurrences: plan.Occurrences()}
	h := blake3.New()
	h.WriteString(text)
	if perCaller {
		h.Write(caller.Identity[:])
	}
	h.Sum(q.Hash[:0])
	seen := make(map[schema.TableID]bool)
	for _, t := range plan.Tables() {
		if !seen[t.ID] {
			seen[t.ID] = true
			q.Tables = append(q.Tables, t.ID)
		}
		q.EventTables = q.EventTables || t.IsEvent
	}
	return q
}

// indexHint names the indexes any of which would admit a join.
func indexHint(p *query.Plan) string {
	cols := p.JoinColumns()
	if len(cols) == 0 {
		return "Join the tables with an ON condition on an indexed column."
	}
	return "An index on " + strings.Join(cols, " or ") + " allows it."
}
