package query

import (
	"fmt"
	"slices"

	"github.com/stdbgo/spacetime/internal/schema"
)

// A Refusal is why a query may not be kept live; its text goes to clients as it
// is (spec 07 §15, §16).
type Refusal string

func (r Refusal) Error() string { return string(r) }

const (
	ErrNoJoinIndex Refusal = "Subscriptions require indexes on join columns"
	ErrEventProbed Refusal = "Event tables cannot be used as the lookup table in subscription joins"
)

// manyTables is from how many relations on a join is refused for their number
// whether or not indexes connect them, which takes long to find out.
const manyTables = 32

// CompileAdmitted plans a query that is kept live, if it may be; else it returns
// why not, and a plan that can be asked for its JoinColumns only.
func CompileAdmitted(q Select) (*Plan, error) {
	p := gathered(q)
	if err := p.admissible(); err != nil {
		return p, err
	}
	p.compile(q.live() && len(p.tables) > 0)
	return p, nil
}

// admissible reports why the query may not be kept live, a Refusal, or nil. A single
// relation always may. A join may if an equality of its ON connects the two and
// an index finds the rows of one side from the other. The answer depends on the
// query and the schema only.
func (p *Plan) admissible() error {
	n := len(p.tables)
	if n == 1 {
		return nil
	}
	tooMany := Refusal(fmt.Sprintf("Invalid number of tables in subscription: %d", n))
	if n >= manyTables {
		return tooMany
	}
	on := p.planner()
	for i := range on.done {
		// Equalities of WHERE make a cross product, which is not admitted; rules do not
		// count (spec 07 §13.3).
		_, _, pair := columnPair(p.conds[i])
		on.done[i] = pair && i >= p.joins || i >= p.rules
	}
	if !connectedByIndex(on) {
		return ErrNoJoinIndex
	}
	if n > 2 {
		return tooMany
	}
	return p.eventDrives(on)
}

// eventDrives checks that an event table in a join is the side that drives it.
// The second relation is the one looked up, unless it alone is filtered.
func (p *Plan) eventDrives(on *planner) error {
	lookup := 1
	if filtered := func(rel int) bool { return on.selectivity(rel) > 0 }; filtered(1) && !filtered(0) {
		lookup = 0
	}
	switch {
	case p.tables[lookup].IsEvent:
		return ErrEventProbed
	case p.tables[1-lookup].IsEvent:
		if a := on.access(lookup, relSet{1 - lookup}); a == nil || !a.joins {
			return ErrNoJoinIndex
		}
	}
	return nil
}

// connectedByIndex reports whether from some relation all others are found
// through indexes.
func connectedByIndex(pl *planner) bool {
	for _, start := range pl.want {
		bound := relSet{start}
		for grown := true; grown; {
			grown = false
			for _, rel := range pl.want {
				if bound.has(rel) {
					continue
				}
				if a := pl.access(rel, bound); a != nil && a.joins {
					bound, grown = bound.with(rel), true
				}
			}
		}
		if len(bound) == len(pl.want) {
			return true
		}
	}
	return false
}

// An Occurrence says which changed rows of one relation of a live query can
// matter. Every occurrence counts for itself: the query must be evaluated if any
// of them is hit (spec 07 §23.6).
type Occurrence struct {
	Table *schema.Table
	Keys  []Key // a row matters only if it has one of them; nil: see Edge
	Edge  *Edge // a row matters only if the row it joins has the value; nil: every row matters
}

// A Key is column Col = Value, the value in BSATN. Columns that hold floats
// never make keys, so equal values have equal bytes.
type Key struct {
	Col   schema.ColID
	Value []byte
}

// An Edge prunes through a unique join (spec 07 §23.4): a changed row of the
// occurrence matters only if the row of Other whose indexed column equals the
// changed row's column Col exists after the transaction and has Key. OtherIndex
// finds that row. What happens to rows of Other is their own occurrence's matter.
type Edge struct {
	Col        schema.ColID
	Other      *schema.Table
	OtherIndex *schema.Index // unique, over that column alone
	Key        Key
}

// Occurrences lists the relations of a live query in FROM order, then those that
// its rules read. A query that no row satisfies has none.
func (p *Plan) Occurrences() []Occurrence {
	if p.none {
		return nil
	}
	out := make([]Occurrence, len(p.tables))
	for rel, t := range p.tables {
		out[rel] = Occurrence{Table: t, Keys: p.keys(rel)}
	}
	for rel := range out {
		if out[rel].Keys == nil && !slices.ContainsFunc(p.conds, hasRules) {
			out[rel].Edge = p.edge(rel, out)
		}
	}
	for _, c := range p.conds {
		for _, s := range semis(c) {
			for _, rel := range s.others {
				out = append(out, Occurrence{Table: p.all[rel], Keys: bestKeys(p.all[rel], s.conds, rel)})
			}
		}
	}
	return out
}

// keys finds the best equality on rel: on a unique column, else the first.
func (p *Plan) keys(rel int) []Key { return bestKeys(p.tables[rel], p.conds, rel) }

func bestKeys(t *schema.Table, conds []Expr, rel int) []Key {
	var best []Key
	for _, c := range conds {
		keys := keysOf(c, rel)
		if keys == nil {
			continue
		}
		if t.UniqueIndexOn(keys[0].Col) != nil {
			return keys
		}
		if best == nil || len(keys) < len(best) {
			best = keys
		}
	}
	return best
}

// keysOf reads c as col = v, or as an OR of such on one column of rel.
func keysOf(c Expr, rel int) []Key {
	if or, ok := c.(Or); ok {
		var keys []Key
		for _, x := range or {
			k := keysOf(x, rel)
			if k == nil || keys != nil && k[0].Col != keys[0].Col {
				return nil
			}
			keys = append(keys, k...)
		}
		return keys
	}
	col, op, v, ok := columnConst(c)
	if !ok || op != Eq || col.Rel != rel || hasFloat(col.Type) {
		return nil
	}
	return []Key{{col.Col, storedAs(col, v).Value}}
}

func (p *Plan) edge(rel int, occs []Occurrence) *Edge {
	if len(p.tables) != 2 || p.tables[0].ID == p.tables[1].ID {
		return nil
	}
	other := 1 - rel
	if len(occs[other].Keys) != 1 || p.tables[other].IsEvent {
		return nil
	}
	for _, c := range p.conds {
		a, b, ok := columnPair(c)
		if !ok {
			continue
		}
		if a.Rel != rel {
			a, b = b, a
		}
		if a.Opt || b.Opt {
			continue // stored in different forms
		}
		if ix := p.tables[other].UniqueIndexOn(b.Col); ix != nil {
			return &Edge{a.Col, p.tables[other], ix, occs[other].Keys[0]}
		}
	}
	return nil
}

// JoinColumns names the columns that the ON conditions equate, as table(column):
// an index on any of them may admit a refused join.
func (p *Plan) JoinColumns() []string {
	var out []string
	for _, c := range p.conds[:p.joins] {
		if a, b, ok := columnPair(c); ok {
			for _, col := range []*Column{a, b} {
				t := p.tables[col.Rel]
				out = append(out, t.Name+"("+t.Cols[col.Col].Name+")")
			}
		}
	}
	return out
}
