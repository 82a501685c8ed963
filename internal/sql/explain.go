package sql

import (
	"errors"
	"fmt"
	"strings"

	"github.com/stdbgo/spacetime/internal/query"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/sats"
)

// An explanation answers EXPLAIN with text for people (spec 07 §34.12).
type explanation struct {
	lines   []string
	analyze bool
}

func (c *checker) compileExplain(st *explainStmt, out *Statement) error {
	sel, isSelect := st.of.(*selectStmt)
	if st.analyze && !isSelect {
		return unsupported(c.at(st.span), "Unsupported", c.render(st.span))
	}
	if err := c.compile(st.of, out); err != nil {
		return err
	}
	ex := &explanation{analyze: st.analyze}
	verb := strings.ToUpper(c.toks[st.of.tokens().from].text)
	plan := out.plan
	if !isSelect {
		ex.lines = append(ex.lines, verb)
		plan = out.reads
	}
	if plan != nil {
		var aliases []string
		for _, rel := range c.rels {
			aliases = append(aliases, rel.alias)
		}
		if !isSelect && verb == "INSERT" {
			aliases = nil
		}
		ex.lines = append(ex.lines, plan.Describe(c.r, aliases)...)
		limit := "no limit"
		if n, ok := RowLimit(c.r); ok {
			limit = fmt.Sprintf("limit %d", n)
		}
		ex.lines = append(ex.lines, fmt.Sprintf("estimated scan: %d rows (%s)", plan.Scanned(c.r), limit))
	}
	if isSelect {
		ex.lines = append(ex.lines, c.subscribable(sel)...)
	}
	out.explain = ex
	out.Columns = []OutCol{{Name: sats.Named("plan"), Type: sats.String}}
	return nil
}

// subscribable says whether a text that is in the subscription dialect may be
// kept live.
func (c *checker) subscribable(sel *selectStmt) []string {
	lc := newChecker(c.source, c.r, c.caller, dialectLive)
	s, err := lc.subscription(sel)
	if err != nil {
		return nil
	}
	plan, err := query.CompileAdmitted(s.q)
	switch {
	case err == nil:
		return []string{"subscribable: yes"}
	case errors.Is(err, query.ErrNoJoinIndex):
		if cols := plan.JoinColumns(); len(cols) > 0 {
			return []string{"subscribable: no: " + err.Error() + "; index " + strings.Join(cols, " or ")}
		}
	}
	return []string{"subscribable: no: " + err.Error()}
}

// explained hands out the lines. With ANALYZE the query runs first.
func (st *Statement) explained(r store.Reader, emit func(row []byte) bool) error {
	lines := st.explain.lines
	if st.explain.analyze {
		if err := CheckRowLimit(r, st.caller, st.plan); err != nil {
			return err
		}
		var start int64
		if st.env.Micros != nil {
			start = st.env.Micros()
		}
		rows := 0
		if err := st.run(r, func([]byte) bool { rows++; return true }); err != nil {
			return err
		}
		actual := fmt.Sprintf("actual rows: %d", rows)
		if st.env.Micros != nil {
			actual += fmt.Sprintf(", time: %d µs", st.env.Micros()-start)
		}
		lines = append(lines[:len(lines):len(lines)], actual)
	}
	for _, line := range lines {
		if !emit(sats.AppendString(nil, line)) {
			break
		}
	}
	return nil
}
