package query

import (
	"fmt"
	"slices"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/store"
)

func (p *Plan) compileDelta(b *builder) {
	if len(p.tables) == 1 && !slices.ContainsFunc(p.conds, hasRules) {
		p.single = b.all(p.conds)
		return
	}
	rel, hidden := p.q.Rel, p.hidden
	collect := func(f *frame) bool {
		f.net.add(f.rows[rel][hidden:], f.sign)
		return true
	}
	for i, t := range p.tables {
		p.terms = append(p.terms, p.term(i).compile(b, collect))
		of := ruleTables(p.all, slices.DeleteFunc(slices.Clone(p.conds), func(c Expr) bool { return !relations(c).within(relSet{i}) }))
		p.touches = append(p.touches, append(of, t))
	}
}

// term plans the part of the delta that the changes of relation i drive. With dV =
// Σ R'₁ ⋈ … ⋈ R'ᵢ₋₁ ⋈ dRᵢ ⋈ Rᵢ₊₁ ⋈ …, the relations before the driving one are read
// as they are now, those behind it as they were (spec 07 §22.2). An event joins
// with what was there before it (§15).
func (p *Plan) term(i int) operator {
	pl := p.planner()
	pl.delta = true
	event := p.tables[i].IsEvent
	pl.ver = func(rel int) version {
		switch {
		case rel == i:
			return changes
		case rel > i || event:
			return before
		}
		return committed
	}
	return pl.plan(i)
}

// Live reports whether Delta works: the query was compiled to be kept live, returns
// whole rows of one relation and has no limit.
func (p *Plan) Live() bool { return p.live }

// CanFail reports whether a run may end in an error of an expression.
func (p *Plan) CanFail() bool { return p.fails }

// Delta evaluates what the transaction d changed in the result, as bags: ins
// gets the rows that the result gained, del those it lost, a row that did both
// neither. r must show the state right after the transaction. A row is valid
// only during the call.
func (p *Plan) Delta(r store.Reader, d *store.Delta, ins, del func(row []byte)) error {
	if !p.Live() {
		return fmt.Errorf("query: only a live query for whole rows of one table, without a limit, has a delta")
	}
	if p.none || !p.touched(d) {
		return nil
	}
	if err := p.Stale(r); err != nil {
		return err
	}
	f := p.frame(r, d)
	defer p.release(f)
	if p.single != nil {
		p.deltaSingle(f, d, ins, del)
		return nil
	}
	for i, term := range p.terms {
		if changed(d, p.touches[i]) {
			term(f)
		}
	}
	f.net.emit(ins, del)
	return nil
}

func (p *Plan) touched(d *store.Delta) bool { return changed(d, p.all) }

func changed(d *store.Delta, tables []*schema.Table) bool {
	return slices.ContainsFunc(tables, func(t *schema.Table) bool { return tableDelta(d, t.ID) != nil })
}

// deltaSingle filters the changed rows of the only relation; the store has
// netted them already.
func (p *Plan) deltaSingle(f *frame, d *store.Delta, ins, del func(row []byte)) {
	td := tableDelta(d, p.tables[0].ID)
	if td == nil {
		return // a table changed that only a rule without effect reads
	}
	p.matching(f, &td.Inserts, ins)
	if !p.tables[0].IsEvent {
		p.matching(f, &td.Deletes, del)
	}
}

func (p *Plan) matching(f *frame, rows *store.Rows, emit func(row []byte)) {
	for i, n := 0, rows.Len(); i < n; i++ {
		f.rows[0] = rows.At(i)
		if p.single(f) {
			emit(f.rows[0][p.hidden:])
		}
	}
}
