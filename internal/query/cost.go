package query

import (
	"math/bits"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/store"
)

// Cards tells how many rows a plan meets. A reader that also counts distinct
// index keys is used for the estimate of points; others count as unknown.
type Cards interface{ RowCount(schema.TableID) uint64 }

// keyCounter is implemented by readers that know how many distinct keys an index
// holds.
type keyCounter interface {
	DistinctKeys(schema.IndexID) uint64
}

var _ Cards = store.Reader(nil)

// estimates tell how many rows the operators of one plan return and read. Each is
// asked once: what an operator costs depends on its inputs in more ways than one.
type estimates struct {
	Cards
	known map[operator]estimate
}

type estimate struct{ rows, scanned uint64 }

func (e *estimates) of(op operator) (rows, scanned uint64) {
	if n, ok := e.known[op]; ok {
		return n.rows, n.scanned
	}
	rows, scanned = op.cost(e)
	if e.known == nil {
		e.known = map[operator]estimate{}
	}
	e.known[op] = estimate{rows, scanned}
	return rows, scanned
}

// perKey estimates the rows under one key of an index (spec 07 §20).
func perKey(c *estimates, t *schema.Table, ix *schema.Index) uint64 {
	n := c.RowCount(t.ID)
	if ix.Unique {
		return min(n, 1)
	}
	k, ok := c.Cards.(keyCounter)
	if !ok {
		return n
	}
	if keys := k.DistinctKeys(ix.ID); keys > 0 {
		return n / keys
	}
	return 0
}

func satAdd(a, b uint64) uint64 {
	s, carry := bits.Add64(a, b, 0)
	return s | -carry
}

func satMul(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	if hi != 0 {
		return ^uint64(0)
	}
	return lo
}

func (s *scan) cost(c *estimates) (rows, scanned uint64) {
	if s.ver == changes {
		return 0, 0
	}
	n := c.RowCount(s.table.ID)
	return n, n
}

func (p *point) cost(c *estimates) (rows, scanned uint64) {
	n := perKey(c, p.table, p.index)
	return n, n
}

// A range counts as a filtered scan, so that an index never makes a query
// dearer or cheaper than the rules of spec 07 §20 say.
func (r *ranged) cost(c *estimates) (rows, scanned uint64) {
	n := c.RowCount(r.table.ID)
	if len(r.used) == 0 { // for its order
		return n, n
	}
	return n, satAdd(n, n)
}

func (o *filter) cost(c *estimates) (rows, scanned uint64) {
	rows, scanned = c.of(o.in)
	return rows, satAdd(scanned, rows)
}

func (o *keep) cost(c *estimates) (rows, scanned uint64) { return c.of(o.in) }

func (o *keyed) cost(c *estimates) (rows, scanned uint64) {
	rows, scanned = c.of(o.in)
	if uniqueOn(o.in, o.ownKeys) {
		rows = min(rows, 1)
	}
	return rows, scanned
}

func (o *oneRow) cost(*estimates) (rows, scanned uint64)  { return 1, 0 }
func (o *given) cost(*estimates) (rows, scanned uint64)   { return 1, 0 }
func (o *shifted) cost(*estimates) (rows, scanned uint64) { return 0, 0 }

func (o *nest) cost(c *estimates) (rows, scanned uint64) { return nestCost(c, o.outer, o.inner) }

// A LEFT JOIN counts as the inner one, but gives no fewer rows than its left side.
func (o *outerJoin) cost(c *estimates) (rows, scanned uint64) {
	l, _ := c.of(o.outer)
	rows, scanned = nestCost(c, o.outer, o.inner)
	return max(rows, l), scanned
}

func nestCost(c *estimates, outer, inner operator) (rows, scanned uint64) {
	l, lscan := c.of(outer)
	r, rscan := c.of(inner)
	switch in := inner.(type) {
	case *filter:
		rows, scanned = nestCost(c, outer, in.in)
		return rows, satAdd(scanned, rows)
	case *point:
		if in.index.Unique {
			return l, satAdd(lscan, l)
		}
		return satMul(l, r), satAdd(lscan, satMul(l, r))
	case *ranged, *points:
		return satMul(l, r), satAdd(lscan, satMul(l, r))
	}
	both := satMul(l, r)
	return both, satAdd(satAdd(lscan, rscan), both)
}

func (o *hashJoin) cost(c *estimates) (rows, scanned uint64) {
	b, bscan := c.of(o.build)
	p, pscan := c.of(o.probe)
	rows = satMul(b, p)
	if uniqueOn(o.build, o.buildKeys) {
		rows = p
	}
	return rows, satAdd(satAdd(bscan, pscan), rows)
}

// uniqueOn reports whether op yields distinct values of the columns.
func uniqueOn(op operator, cols []Expr) bool {
	var l *leaf
	switch op := op.(type) {
	case *filter:
		return uniqueOn(op.in, cols)
	case *scan:
		l = &op.leaf
	case *point:
		l = &op.leaf
	case *ranged:
		l = &op.leaf
	case *points:
		l = &op.leaf
	default:
		return false
	}
	var ids []schema.ColID
	for _, e := range cols {
		if c, ok := e.(*Column); ok {
			ids = append(ids, c.Col)
		}
	}
	return l.table.IsUnique(ids)
}
