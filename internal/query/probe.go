package query

import (
	"iter"
	"slices"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/store"
)

// A columnReader finds rows by a column that no index of the schema begins with, if the
// column is kept; see store.Tx.
type columnReader interface {
	PointBy(id schema.TableID, col schema.ColID, value []byte) (rows iter.Seq[[]byte], ok bool)
}

var _ columnReader = (*store.Tx)(nil)

// A KeptColumn is a column by which the delta of a query looks rows up, although no
// index begins with it: a reader that can do so makes the delta independent of the size
// of the table (spec 07 §22.4).
type KeptColumn struct {
	Table schema.TableID
	Col   schema.ColID
}

// KeptColumns lists the columns by which deltas of the plan look rows up.
func (p *Plan) KeptColumns() []KeptColumn { return p.kept }

// either looks up the rows of one relation by a kept column or, where the reader has
// none, reads all of it.
type either struct {
	lookup operator // by an unindexed point
	whole  operator
	column KeptColumn
}

func (o *either) rels() relSet { return o.whole.rels() }

func (o *either) cost(c *estimates) (rows, scanned uint64) { return c.of(o.whole) }

func (o *either) describe(w *drawing, depth int) { o.whole.describe(w, depth) }

func (o *either) compile(b *builder, next step) step {
	b.kept = append(b.kept, o.column)
	lookup, whole := o.lookup.compile(b, next), o.whole.compile(b, next)
	table, col := o.column.Table, o.column.Col
	return func(f *frame) bool {
		if r, ok := f.r.(columnReader); ok {
			if _, kept := r.PointBy(table, col, nil); kept {
				return lookup(f)
			}
		}
		return whole(f)
	}
}

// unindexed is a point of one column that the reader keeps.
type unindexed struct{ point }

func (o *unindexed) cost(c *estimates) (rows, scanned uint64) {
	n := c.RowCount(o.table.ID)
	return n, n
}

func (o *unindexed) describe(w *drawing, depth int) {
	w.line(depth, o, "point %s by a column%s", w.leaf(&o.leaf), w.parts(o.parts))
}

func (o *unindexed) compile(b *builder, next step) step {
	rel, id, col := o.rel, o.table.ID, o.parts[0].col
	key := b.keyOf(o.parts)
	st := b.state()
	base := func(f *frame) bool {
		s := &f.ops[st]
		var ok bool
		if s.key, ok = key(s.key[:0], f); !ok {
			return true
		}
		rows, _ := f.r.(columnReader).PointBy(id, col, s.key)
		for row := range rows {
			f.rows[rel] = row
			if !next(f) || !f.tick() {
				return false
			}
		}
		return true
	}
	if o.ver == before && !o.table.IsEvent {
		return o.corrected(b, base, next)
	}
	return o.wrap(base, nil, next)
}

// lookup finds, for one tuple of the bound relations, the rows of rel by its column that
// equals one of them; nil if there is no such column, and in a full run but for its rules.
func (p *planner) lookup(bound relSet, rel int) (operator, KeptColumn) {
	if !p.delta && !p.again || p.tables[rel].IsEvent {
		return nil, KeptColumn{}
	}
	for _, i := range p.of[rel] {
		own, other, ok := p.pair(i, rel, bound)
		if !ok || own.Outer {
			continue
		}
		q := *p
		q.done = slices.Clone(p.done)
		q.done[i] = true
		found := &unindexed{point{leaf: p.leaf(rel), parts: []keyPart{{own.Col, other, own.Opt}}}}
		return q.filtered(found, bound.with(rel)), KeptColumn{p.tables[rel].ID, own.Col}
	}
	return nil, KeptColumn{}
}
