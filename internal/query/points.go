package query

import "github.com/stdbgo/spacetime/internal/schema"

// points reads the rows with one of several keys of an index, as IN asks for them.
type points struct {
	leaf
	index *schema.Index
	keys  [][]byte // distinct
	used  Expr     // the condition that the keys stand for
}

func newPoints(l leaf, ix *schema.Index, keys []Key, used Expr) *points {
	o := &points{leaf: l, index: ix, used: used}
	seen := make(map[string]bool, len(keys))
	for _, k := range keys {
		if !seen[string(k.Value)] {
			seen[string(k.Value)] = true
			o.keys = append(o.keys, k.Value)
		}
	}
	return o
}

func (o *points) compile(b *builder, next step) step {
	rel, id, keys := o.rel, o.index.ID, o.keys
	base := func(f *frame) bool {
		for _, key := range keys {
			for row := range f.r.Point(id, key) {
				f.rows[rel] = row
				if !next(f) || !f.tick() {
					return false
				}
			}
		}
		return true
	}
	return o.wrap(base, b.predicate(o.used), next)
}

func (o *points) describe(w *drawing, depth int) {
	w.line(depth, o, "%d points %s by %s where %s", len(o.keys), w.leaf(&o.leaf), o.index.Name, w.expr(o.used))
}

// Like a range, several points count as a filtered scan: an index must not make a
// query cheaper than the rules of spec 07 §20 say.
func (o *points) cost(c *estimates) (rows, scanned uint64) {
	n := c.RowCount(o.table.ID)
	return n, satAdd(n, n)
}
