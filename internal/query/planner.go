package query

import (
	"slices"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/store"
)

// A planner chooses order and access paths for one run of a query: the full one,
// or the delta term of one relation. The choice depends on the schema alone,
// never on table sizes, so that what is admitted today is admitted tomorrow.
type planner struct {
	tables []*schema.Table
	conds  []Expr // conjuncts of WHERE and all ON, simplified
	done   []bool // conds that the operators chosen so far have applied
	delta  int    // relation whose changes drive the plan; -1 in a full run
}

func newPlanner(tables []*schema.Table, conds []Expr, delta int) *planner {
	return &planner{tables: tables, conds: conds, done: make([]bool, len(conds)), delta: delta}
}

// plan builds the tree that binds every relation, beginning with start.
func (p *planner) plan(start int) operator {
	op := p.filtered(p.first(start), relSet{start})
	bound := relSet{start}
	for len(bound) < len(p.tables) {
		rel := p.choose(bound)
		op = p.join(op, bound, rel)
		bound = bound.with(rel)
		op = p.filtered(op, bound)
	}
	return op
}

// version is the state in which a delta term reads rel: with dV = Σ R'₁ ⋈ … ⋈
// R'ᵢ₋₁ ⋈ dRᵢ ⋈ Rᵢ₊₁ ⋈ …, those before the driving relation as they are now, those
// behind it as they were (spec 07 §22.2). An event joins with what was there
// before it (§15).
func (p *planner) version(rel int) version {
	switch {
	case p.delta < 0:
		return committed
	case rel == p.delta:
		return changes
	case rel > p.delta || p.tables[p.delta].IsEvent:
		return before
	}
	return committed
}

func (p *planner) leaf(rel int) leaf { return leaf{rel, p.tables[rel], p.version(rel)} }

// first is the access path of the driving relation.
func (p *planner) first(rel int) operator {
	if p.version(rel) == changes {
		return &scan{p.leaf(rel)}
	}
	if a := p.access(rel, nil); a != nil {
		return p.take(a)
	}
	return &scan{p.leaf(rel)}
}

// filtered puts the conditions that have become decidable above op.
func (p *planner) filtered(op operator, bound relSet) operator {
	var now []Expr
	for i, c := range p.conds {
		if !p.done[i] && relations(c).within(bound) {
			p.done[i] = true
			now = append(now, c)
		}
	}
	if now == nil {
		return op
	}
	return &filter{op, now}
}

// choose picks the relation to bind next: one that an index finds, else one that
// an equality connects, else the first.
func (p *planner) choose(bound relSet) int {
	best, rank := -1, -1
	for rel := range p.tables {
		if bound.has(rel) {
			continue
		}
		r := 0
		if a := p.access(rel, bound); a != nil && a.joins {
			r = 2
		} else if keys, _ := p.equalities(rel, bound); len(keys) > 0 {
			r = 1
		}
		if r > rank {
			best, rank = rel, r
		}
	}
	return best
}

// join adds rel to what op binds.
func (p *planner) join(op operator, bound relSet, rel int) operator {
	if a := p.access(rel, bound); a != nil && a.joins {
		return &nest{op, p.take(a)}
	}
	own, other := p.equalities(rel, bound)
	var lookup operator
	if p.delta >= 0 && len(own) > 0 && !p.tables[rel].IsEvent {
		lookup = p.lookup(op, bound, rel, own[0], other[0])
	}
	inner := p.filtered(p.first(rel), relSet{rel})
	if len(own) == 0 {
		return &nest{op, &keep{inner}}
	}
	p.finishEqualities(rel, bound)
	if p.delta >= 0 {
		// What the transaction changed is small; the other table is read once, or not
		// at all.
		hash := &hashJoin{build: op, probe: inner, buildKeys: other, probeKeys: own}
		if lookup == nil {
			return hash
		}
		return &either{lookup, hash, KeptColumn{p.tables[rel].ID, own[0].Col}}
	}
	return &hashJoin{build: inner, probe: op, buildKeys: own, probeKeys: other}
}

// equalities lists the conditions own = other between rel and bound relations.
func (p *planner) equalities(rel int, bound relSet) (own, other []*Column) {
	for i, c := range p.conds {
		if a, b, ok := p.pair(i, c, rel, bound); ok {
			own, other = append(own, a), append(other, b)
		}
	}
	return own, other
}

func (p *planner) finishEqualities(rel int, bound relSet) {
	for i, c := range p.conds {
		if _, _, ok := p.pair(i, c, rel, bound); ok {
			p.done[i] = true
		}
	}
}

func (p *planner) pair(i int, c Expr, rel int, bound relSet) (own, other *Column, ok bool) {
	a, b, ok := columnPair(c)
	if !ok || p.done[i] {
		return nil, nil, false
	}
	if b.Rel == rel {
		a, b = b, a
	}
	return a, b, a.Rel == rel && bound.has(b.Rel)
}

// An access is a way to find rows of one relation through an index.
type access struct {
	op    operator
	used  []int // conditions it applies
	joins bool  // it uses a column of a bound relation
	fixed int   // columns fixed by equality
	exact bool  // all columns are
}

// take marks the conditions of an access as applied.
func (p *planner) take(a *access) operator {
	for _, i := range a.used {
		p.done[i] = true
	}
	return a.op
}

// access finds the best index for rel once bound is bound; nil if none helps.
// An index fixed in all columns wins, the one with the most columns first; then
// one fixed in a leading part, then one with a range.
func (p *planner) access(rel int, bound relSet) *access {
	var best *access
	for _, ix := range p.tables[rel].Indexes {
		if a := p.indexAccess(rel, ix, bound); a != nil && (best == nil || p.better(a, best)) {
			best = a
		}
	}
	return best
}

func (p *planner) better(a, b *access) bool {
	if a.joins != b.joins {
		return a.joins
	}
	if a.exact != b.exact {
		return a.exact
	}
	if a.fixed != b.fixed {
		return a.fixed > b.fixed
	}
	if a.exact {
		return a.op.(*point).index.Unique && !b.op.(*point).index.Unique
	}
	return len(a.used) > len(b.used)
}

func (p *planner) indexAccess(rel int, ix *schema.Index, bound relSet) *access {
	a := &access{}
	var parts []keyPart
	for _, col := range ix.Cols {
		i, value := p.fixedBy(rel, col, bound)
		if value == nil {
			break
		}
		if _, ok := value.(*Column); ok {
			a.joins = true
		}
		a.used = append(a.used, i)
		parts = append(parts, keyPart{col, value})
	}
	a.fixed = len(parts)
	if len(parts) == len(ix.Cols) {
		a.exact = true
		a.op = &point{p.leaf(rel), ix, parts}
		return a
	}
	if ix.Algo != schema.BTree {
		return nil
	}
	r := &ranged{leaf: p.leaf(rel), index: ix, prefix: parts}
	for _, i := range a.used {
		r.used = append(r.used, p.conds[i])
	}
	p.bounds(a, r, ix.Cols[len(parts)])
	if len(a.used) == 0 {
		return nil
	}
	a.op = r
	return a
}

// fixedBy finds an equality of a column with a constant or, in a join, with a
// column that is bound. The join column wins: it is what the probe is for.
func (p *planner) fixedBy(rel int, col schema.ColID, bound relSet) (cond int, value Expr) {
	for i, c := range p.conds {
		if p.done[i] {
			continue
		}
		if own, other, ok := p.pair(i, c, rel, bound); ok && own.Col == col {
			return i, other
		}
		if own, op, v, ok := columnConst(c); ok && op == Eq && own.Rel == rel && own.Col == col && value == nil {
			cond, value = i, v
		}
	}
	return cond, value
}

// bounds gives the range the constant limits of one column.
func (p *planner) bounds(a *access, r *ranged, col schema.ColID) {
	for i, c := range p.conds {
		own, op, v, ok := columnConst(c)
		if p.done[i] || !ok || own.Rel != r.rel || own.Col != col {
			continue
		}
		switch {
		case (op == Gt || op == Ge) && r.lo == nil:
			r.lo, r.loKind = v, store.Included
			if op == Gt {
				r.loKind = store.Excluded
			}
		case (op == Lt || op == Le) && r.hi == nil:
			r.hi, r.hiKind = v, store.Included
			if op == Lt {
				r.hiKind = store.Excluded
			}
		default:
			continue
		}
		a.used = append(a.used, i)
		r.used = append(r.used, c)
	}
}

// start picks the relation that drives a full run of two or more relations: the
// first of FROM, unless only another one is filtered (spec 07 §16) or is found
// by a better path, provided that the rest can then be found through an index.
func (p *planner) start() int {
	if len(p.tables) == 1 {
		return 0
	}
	best := 0
	for rel := 1; rel < len(p.tables); rel++ {
		if p.selectivity(rel) > p.selectivity(best) {
			best = rel
		}
	}
	if best != 0 && !p.probed(best) && p.probed(0) {
		return 0
	}
	if len(p.tables) == 2 && !p.probed(best) && p.probed(1-best) {
		return 1 - best
	}
	return best
}

// probed reports whether an index finds rows of some other relation from start.
func (p *planner) probed(start int) bool {
	bound := relSet{start}
	for rel := range p.tables {
		if rel != start {
			if a := p.access(rel, bound); a != nil && a.joins {
				return true
			}
		}
	}
	return false
}

func (p *planner) selectivity(rel int) int {
	if a := p.access(rel, nil); a != nil {
		pt, ok := a.op.(*point)
		switch {
		case ok && pt.index.Unique:
			return 4
		case ok:
			return 3
		}
		return 2
	}
	if slices.ContainsFunc(p.conds, func(c Expr) bool { s := relations(c); return len(s) == 1 && s[0] == rel }) {
		return 1
	}
	return 0
}
