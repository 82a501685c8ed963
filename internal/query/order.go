package query

import (
	"slices"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/store"
)

// An inOrder answers ORDER BY … LIMIT, MIN and MAX from an index that has the order:
// it walks along it until what follows cannot matter. Where the index is not ordered
// (yet), and where the conditions let few rows pass, the plan without it runs.
type inOrder struct {
	walk    operator // through the index, with its conditions
	index   *schema.Index
	rest    operator // the plan without it
	filters bool     // rows of the index may not pass
}

// An orderer is a reader that knows whether it reads the ranges of an index in order
// without looking at every row.
type orderer interface {
	Ordered(schema.IndexID) bool
}

// A walk that has seen this part of the rows, and so many more, is given up.
const (
	walkPart = 32
	walkMore = 1000
)

func (o *inOrder) rels() relSet { return o.rest.rels() }

func (o *inOrder) compile(b *builder, next step) step {
	walk, rest := o.walk.compile(b, next), o.rest.compile(b, next)
	table := o.rest.rels()[0]
	id, filters := b.tables[table].ID, o.filters
	index := o.index.ID
	begin := b.begin
	return func(f *frame) bool {
		r, ok := f.r.(orderer)
		if ok && r.Ordered(index) {
			f.inOrder, f.walk, f.lost = true, ^uint64(0), false
			if filters {
				f.walk = f.r.RowCount(id)/walkPart + walkMore
			}
			done := walk(f)
			if !f.lost || f.err != nil {
				return done
			}
			begin(f)
		}
		f.inOrder = false
		return rest(f)
	}
}

// Estimates are those of the plan without the index, which the rules of spec 07 §20
// are about.
func (o *inOrder) cost(c *estimates) (rows, scanned uint64) { return c.of(o.rest) }

func (o *inOrder) describe(w *drawing, depth int) { o.walk.describe(w, depth) }

// ordered returns op, or what runs op only if an index does not have the order that
// the query asks for.
func (p *Plan) ordered(op operator) operator {
	cols, desc := p.orderColumns()
	if cols == nil {
		return op
	}
	pl := p.planner()
	now := pl.access(0, nil)
	if now != nil {
		if _, ranged := now.op.(*ranged); !ranged {
			return op // few rows
		}
	}
	for _, ix := range p.tables[0].Indexes {
		r := pl.walk(ix, cols, desc)
		if r == nil || now != nil && now.op.(*ranged).index != ix {
			continue
		}
		for i, c := range pl.conds {
			pl.done[i] = slices.ContainsFunc(r.used, func(u Expr) bool { return u == c })
		}
		walk := pl.filtered(r, relSet{0})
		_, plain := walk.(*ranged)
		return &inOrder{walk: walk, index: ix, rest: op, filters: !plain}
	}
	return op
}

// orderColumns are the columns of the only relation whose order the query asks for, if
// the rows that come first are all that it needs.
func (p *Plan) orderColumns() (cols []schema.ColID, desc bool) {
	if len(p.tables) != 1 || p.fails || p.none || p.q.Distinct || p.q.Out == OutCount || p.q.From[0].View != nil || p.tables[0].IsEvent {
		return nil, false
	}
	var xs []Expr
	switch {
	case p.q.Grouped:
		// MIN or MAX of one column.
		if len(p.q.Groups) > 0 || len(p.q.Aggs) != 1 {
			return nil, false
		}
		a := p.q.Aggs[0]
		if a.Fn != AggMin && a.Fn != AggMax {
			return nil, false
		}
		xs, desc = []Expr{a.X}, a.Fn == AggMax
	case p.q.Limit != nil:
		for i, o := range p.q.Order {
			if i == 0 {
				desc = o.Desc
			} else if o.Desc != desc {
				return nil, false
			}
			xs = append(xs, o.X)
		}
	}
	for _, x := range xs {
		c, ok := x.(*Column)
		if !ok || Nullable(c) || slices.Contains(cols, c.Col) {
			return nil, false
		}
		cols = append(cols, c.Col)
	}
	return cols, desc
}

// walk is the way through an index that has the columns in order, behind columns that
// are fixed; nil if it has not.
func (p *planner) walk(ix *schema.Index, cols []schema.ColID, desc bool) *ranged {
	if ix.Algo != schema.BTree {
		return nil
	}
	a := &access{}
	r := &ranged{leaf: p.leaf(0), index: ix, desc: desc, walked: true}
	n := 0
	for ; n < len(ix.Cols) && !slices.Contains(cols, ix.Cols[n]); n++ {
		i, value := p.fixedBy(0, ix.Cols[n], nil)
		if value == nil {
			return nil
		}
		a.used = append(a.used, i)
		r.prefix = append(r.prefix, keyPart{ix.Cols[n], value})
		r.used = append(r.used, p.conds[i])
	}
	if len(ix.Cols)-n < len(cols) || !slices.Equal(ix.Cols[n:n+len(cols)], cols) {
		return nil
	}
	p.bounds(a, r, ix.Cols[n])
	return r
}

// OrderIndexes lists the indexes that the plan would read in order; a nil plan has none.
func (p *Plan) OrderIndexes() []*schema.Index {
	if p == nil {
		return nil
	}
	if o, ok := p.full.(*inOrder); ok {
		return []*schema.Index{o.index}
	}
	return nil
}

// full reports whether a sorter that gets its rows in order needs no more: it has as
// many as are wanted, and the next comes behind them all.
func (s *sorter) full(key []byte) bool {
	return uint64(len(s.rows)) >= s.most && (s.most == 0 || string(s.arena.at(s.rows[s.most-1].key)) != string(key))
}

var (
	_ orderer = (*store.Tx)(nil)
	_ orderer = (*store.View)(nil)
)
