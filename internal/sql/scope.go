package sql

import (
	"fmt"
	"slices"

	"github.com/stdbgo/spacetime/internal/nearest"
	"github.com/stdbgo/spacetime/internal/query"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/sats"
)

// A Caller is who asks. The owner of a database reads private tables, writes,
// and is not held to row-level security or the row limit (spec 07 §12).
type Caller struct {
	Identity sats.Identity
	IsOwner  bool
}

func (c Caller) mayRead(t *schema.Table) bool { return c.IsOwner || t.Access == schema.Public }

// A checker resolves and types one statement.
type checker struct {
	*source
	r       store.Reader
	caller  Caller
	dialect dialect
	rules   resolution
	rels    []relation
	env     Env
	group   grouping
	free    map[*binExpr]bool // answers of typeless
	views   []*query.ViewRead // of the statement
	total   int               // relations of the statement
	sender  bool              // the result depends on the caller: :sender was used, or a view that takes the sender
	called  bool              // a view was called with arguments
}

// A dialect is what a text may say (spec 07 §34.3).
type dialect uint8

const (
	dialectFull dialect = iota // statements: HTTP, command line, PostgreSQL
	dialectOnce                // one-off queries
	dialectLive                // subscriptions, rules, queries of views
)

func newChecker(src *source, r store.Reader, caller Caller, d dialect) *checker {
	c := &checker{source: src, r: r, caller: caller, dialect: d}
	c.rules.exempt = caller.IsOwner
	return c
}

// A relation is a table in scope under an alias.
type relation struct {
	alias string
	table *schema.Table
	outer bool // on the nullable side of a LEFT JOIN
}

func (c *checker) at(sp span) Pos { return c.posAt(c.toks[min(sp.from, len(c.toks)-1)].pos) }

func (c *checker) errorAt(sp span, format string, args ...any) *Error {
	return &Error{Pos: c.at(sp), Msg: fmt.Sprintf(format, args...)}
}

// table looks a name up: canonical names first, then accessors. What the caller
// may not read does not exist (spec 07 §5.1).
func (c *checker) table(sp span, name string) (*schema.Table, error) {
	t := c.r.TableByName(name)
	if t != nil && c.caller.mayRead(t) {
		return t, nil
	}
	err := c.errorAt(sp, "no such table: `%s`. If the table exists, it may be marked private.", name)
	var names []string
	for _, t := range c.r.Tables() {
		if c.caller.mayRead(t) {
			names = append(names, t.Name, t.Accessor)
		}
	}
	err.Suggestion = didYouMean(name, names)
	return nil, err
}

// column resolves a column. Without a qualifier it is looked for in all relations
// in scope.
func (c *checker) column(e *colExpr) (*query.Column, error) {
	if e.qual != "" {
		rel := c.relation(e.qual)
		if rel < 0 {
			return nil, c.notInScope(e.span, e.qual, c.aliases())
		}
		t := c.rels[rel].table
		if col, ok := visibleCol(t, e.name); ok {
			return c.columnOf(rel, col), nil
		}
		return nil, c.notInScope(e.span, e.name, columnNames(t))
	}
	var found *query.Column
	var known []string
	for rel := range c.rels {
		t := c.rels[rel].table
		known = append(known, columnNames(t)...)
		if col, ok := visibleCol(t, e.name); ok {
			if found != nil {
				return nil, c.ambiguous(e)
			}
			found = c.columnOf(rel, col)
		}
	}
	if found == nil {
		return nil, c.notInScope(e.span, e.name, known)
	}
	return found, nil
}

func (c *checker) columnOf(rel int, col schema.ColID) *query.Column {
	out := query.NewColumn(c.rels[rel].table, rel, col)
	out.Outer = c.rels[rel].outer
	return out
}

func colID(i int) schema.ColID { return schema.ColID(i) }

func (c *checker) ambiguous(e *colExpr) *Error {
	err := c.errorAt(e.span, "Names must be qualified when using joins")
	for i := range c.rels {
		if _, ok := visibleCol(c.rels[i].table, e.name); ok {
			err.Suggestion = "Write `" + c.rels[i].alias + "." + e.name + "` if you mean that table."
			break
		}
	}
	return err
}

func (c *checker) relation(alias string) int {
	for i := range c.rels {
		if c.rels[i].alias == alias {
			return i
		}
	}
	return -1
}

func (c *checker) aliases() []string {
	var names []string
	for i := range c.rels {
		names = append(names, c.rels[i].alias)
	}
	return names
}

func columnNames(t *schema.Table) []string {
	var names []string
	for _, col := range t.Cols[hiddenCols(t):] {
		names = append(names, col.Name, col.Accessor)
	}
	return names
}

func (c *checker) notInScope(sp span, name string, known []string) *Error {
	err := c.errorAt(sp, "`%s` is not in scope", name)
	err.Suggestion = didYouMean(name, known)
	return err
}

// didYouMean names the known name nearest to a misspelt one, if one is near.
func didYouMean(name string, known []string) string {
	others := slices.DeleteFunc(slices.Clone(known), func(k string) bool { return k == "" || k == name })
	if best := nearest.Of(name, others, len(name)/3+1); best != "" {
		return "Did you mean `" + best + "`?"
	}
	return ""
}
