package query

import (
	"slices"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/sats"
)

// A planner chooses order and access paths for one run of a query: the full one,
// or the delta term of one relation. The choice depends on the schema alone,
// never on table sizes, so that what is admitted today is admitted tomorrow.
type planner struct {
	tables []*schema.Table
	conds  []Expr   // conjuncts that the plan applies, simplified
	sets   []relSet // the relations of each of conds
	of     [][]int  // by relation: the conds that mention it
	done   []bool   // conds that the operators chosen so far have applied
	want   []int    // the relations to bind, in FROM order
	outer  map[int][]Expr
	ver    func(rel int) version
	delta  bool // what drives the plan is small: what a transaction changed
	again  bool // the plan runs many times in one run; what it reads whole is kept
}

func newPlanner(tables []*schema.Table, conds []Expr, want []int) *planner {
	p := &planner{tables: tables, conds: conds, want: want, done: make([]bool, len(conds)), sets: make([]relSet, len(conds)), of: make([][]int, len(tables))}
	for i, c := range conds {
		p.sets[i] = relations(c)
		for _, rel := range p.sets[i] {
			p.of[rel] = append(p.of[rel], i)
		}
	}
	p.ver = func(int) version { return committed }
	return p
}

// plan builds the tree that binds every relation, beginning with start.
func (p *planner) plan(start int) operator {
	return p.rest(p.filtered(p.first(start), relSet{start}), relSet{start})
}

// rest adds to op, which binds some relations, all others.
func (p *planner) rest(op operator, bound relSet) operator {
	if p.textual() {
		return p.inOrder(op, bound)
	}
	for len(bound) < len(p.want) {
		rel := p.choose(bound)
		op = p.join(op, bound, rel)
		bound = bound.with(rel)
		op = p.filtered(op, bound)
	}
	return op
}

// textual reports whether relations must be bound in the order of the text: a
// LEFT JOIN means something else elsewhere, and a condition that can fail is only
// asked about the tuples that come to it.
func (p *planner) textual() bool {
	return len(p.outer) > 0 || slices.ContainsFunc(p.conds, CanFail)
}

// inOrder is rest for a FROM with a LEFT JOIN: in the order of the text.
func (p *planner) inOrder(op operator, bound relSet) operator {
	for _, rel := range p.want {
		if bound.has(rel) {
			continue
		}
		if on, ok := p.outer[rel]; ok {
			op = &outerJoin{op, p.inner(rel, bound, on), rel}
		} else {
			op = p.join(op, bound, rel)
		}
		bound = bound.with(rel)
		op = p.filtered(op, bound)
	}
	return op
}

// inner finds, for one tuple of the bound relations, the rows of rel that meet on.
func (p *planner) inner(rel int, bound relSet, on []Expr) operator {
	q := newPlanner(p.tables, on, append(slices.Clone(bound), rel))
	q.ver = p.ver
	var op operator
	if a := q.access(rel, bound); a != nil && a.joins {
		op = q.take(a)
	} else {
		op = q.kept(rel, bound)
	}
	return q.filtered(op, bound.with(rel))
}

// kept reads rel once and replays what belongs to the bound tuple.
func (p *planner) kept(rel int, bound relSet) operator {
	own, other := p.equalities(rel, bound)
	p.finishEqualities(rel, bound)
	in := p.filtered(p.first(rel), relSet{rel})
	if len(own) == 0 {
		return &keep{in}
	}
	return &keyed{in, own, other}
}

func (p *planner) leaf(rel int) leaf { return leaf{rel, p.tables[rel], p.ver(rel)} }

// first is the access path of the driving relation.
func (p *planner) first(rel int) operator {
	if p.ver(rel) == changes {
		return p.changed(rel)
	}
	if a := p.access(rel, nil); a != nil {
		return p.take(a)
	}
	return &scan{p.leaf(rel)}
}

// changed reads what a transaction changed in rel: in its visible part, where
// rules decide with the help of other tables.
func (p *planner) changed(rel int) operator {
	var rules And
	for _, i := range p.of[rel] {
		if c := p.conds[i]; !p.done[i] && len(p.sets[i]) == 1 && hasRules(c) {
			p.done[i] = true
			rules = append(rules, c)
		}
	}
	if rules == nil {
		return &scan{p.leaf(rel)}
	}
	return &shifted{p.leaf(rel), rules}
}

// filtered puts the conditions that have become decidable above op.
func (p *planner) filtered(op operator, bound relSet) operator {
	var now []Expr
	for i, c := range p.conds {
		if !p.done[i] && p.sets[i].within(bound) {
			p.done[i] = true
			now = append(now, at(c, p.ver))
		}
	}
	if now == nil {
		return op
	}
	// Whatever cannot fail goes first: rules among them, which say what there is.
	slices.SortStableFunc(now, func(a, b Expr) int { return boolInt(CanFail(a)) - boolInt(CanFail(b)) })
	return &filter{op, now}
}

func boolInt(v bool) int {
	if v {
		return 1
	}
	return 0
}

// choose picks the relation to bind next: one that an index finds, else one that
// an equality connects, else the first.
func (p *planner) choose(bound relSet) int {
	best, rank := -1, -1
	for _, rel := range p.want {
		if bound.has(rel) {
			continue
		}
		r := 0
		if a := p.access(rel, bound); a != nil && a.joins {
			return rel
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
	lookup, column := p.lookup(bound, rel)
	if len(own) == 0 || p.again || lookup != nil && len(bound) > 1 {
		// op stands here once: with two of it plans would double with every relation.
		inner := p.kept(rel, bound)
		if lookup != nil {
			inner = &either{lookup, inner, column}
		}
		return &nest{op, inner}
	}
	inner := p.filtered(p.first(rel), relSet{rel})
	p.finishEqualities(rel, bound)
	if p.delta {
		// What the transaction changed is small; the other table is read once, or not
		// at all.
		hash := &hashJoin{build: op, probe: inner, buildKeys: other, probeKeys: own}
		if lookup == nil {
			return hash
		}
		return &either{&nest{op, lookup}, hash, column}
	}
	return &hashJoin{build: inner, probe: op, buildKeys: own, probeKeys: other}
}

// equalities lists the conditions own = other between rel and bound relations.
func (p *planner) equalities(rel int, bound relSet) (own, other []Expr) {
	for _, i := range p.of[rel] {
		if a, b, ok := p.pair(i, rel, bound); ok {
			own, other = append(own, a), append(other, b)
		}
	}
	return own, other
}

func (p *planner) finishEqualities(rel int, bound relSet) {
	for _, i := range p.of[rel] {
		if _, _, ok := p.pair(i, rel, bound); ok {
			p.done[i] = true
		}
	}
}

func (p *planner) pair(i, rel int, bound relSet) (own, other *Column, ok bool) {
	a, b, ok := columnPair(p.conds[i])
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
		i, value, opt := p.fixedBy(rel, col, bound)
		if value == nil {
			break
		}
		if _, ok := value.(*Column); ok {
			a.joins = true
		}
		a.used = append(a.used, i)
		parts = append(parts, keyPart{col, value, opt})
	}
	a.fixed = len(parts)
	if len(parts) == 0 && len(ix.Cols) == 1 {
		if p.several(a, rel, ix) {
			return a
		}
	}
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

// several finds an IN, or an OR of equalities, over the only column of an index.
func (p *planner) several(a *access, rel int, ix *schema.Index) bool {
	for _, i := range p.of[rel] {
		if p.done[i] || len(p.sets[i]) != 1 {
			continue
		}
		if keys := keysOf(p.conds[i], rel); len(keys) > 1 && keys[0].Col == ix.Cols[0] {
			a.used, a.fixed = []int{i}, 1
			a.op = newPoints(p.leaf(rel), ix, keys, p.conds[i])
			return true
		}
	}
	return false
}

// fixedBy finds an equality of a column with a constant or, in a join, with a
// column that is bound. The join column wins: it is what the probe is for. opt says
// that the value is what the options of the column hold.
func (p *planner) fixedBy(rel int, col schema.ColID, bound relSet) (cond int, value Expr, opt bool) {
	for _, i := range p.of[rel] {
		if p.done[i] {
			continue
		}
		if own, other, ok := p.pair(i, rel, bound); ok && own.Col == col && !own.Outer {
			return i, other, own.Opt
		}
		if own, op, v, ok := columnConst(p.conds[i]); ok && op == Eq && own.Rel == rel && own.Col == col && value == nil {
			cond, value = i, storedAs(own, v)
		}
	}
	return cond, value, false
}

// storedAs is a constant in the form in which a column stores it.
func storedAs(c *Column, v *Const) *Const {
	if !c.Opt {
		return v
	}
	return &Const{Type: sats.Option(v.Type), Value: append(sats.AppendSome(nil), v.Value...)}
}

// bounds gives the range the constant limits of one column.
func (p *planner) bounds(a *access, r *ranged, col schema.ColID) {
	for _, i := range p.of[r.rel] {
		c := p.conds[i]
		own, op, v, ok := columnConst(c)
		if p.done[i] || !ok || own.Rel != r.rel || own.Col != col || own.Opt {
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
	if len(p.want) == 1 || p.textual() {
		return p.want[0]
	}
	best := 0
	chosen := p.selectivity(0)
	for _, rel := range p.want[1:] {
		if s := p.selectivity(rel); s > chosen {
			best, chosen = rel, s
		}
	}
	if best != 0 && !p.probed(best) && p.probed(0) {
		return 0
	}
	if len(p.want) == 2 && !p.probed(best) && p.probed(1-best) {
		return 1 - best
	}
	return best
}

// probed reports whether an index finds rows of some other relation from start.
func (p *planner) probed(start int) bool {
	bound := relSet{start}
	for _, rel := range p.want {
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
	for _, i := range p.of[rel] {
		if len(p.sets[i]) == 1 && !p.done[i] {
			return 1
		}
	}
	return 0
}
