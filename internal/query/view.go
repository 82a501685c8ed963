package query

import (
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/sats"
)

// A ViewRead is the instance of a view that a relation of a query stands for: the
// rows of the backing table that have its hash (spec 07 §14.2). It is immutable.
type ViewRead struct {
	View      schema.ViewID
	Table     *schema.Table // the backing table
	Anonymous bool          // the view does not depend on Sender
	Sender    sats.Identity
	Args      []byte // BSATN of the parameters one after another, without the sender
	Hash      ViewHash
}

// A ViewHash tells the instances of a view apart: the BSATN of the hidden column.
type ViewHash [32]byte

// filter is the condition that every read of a view has.
func (v *ViewRead) filter(rel int) Expr {
	t := v.Table.Cols[0].Type
	return &Compare{Op: Eq, L: &Column{Rel: rel, Col: 0, Type: t}, R: &Const{Type: t, Value: v.Hash[:]}}
}

// viewsIn appends the instances that relations and their rules read.
func viewsIn(list []*ViewRead, from []Relation) []*ViewRead {
	for _, r := range from {
		if r.View != nil {
			list = append(list, r.View)
		}
		for _, rule := range r.Rules {
			list = viewsIn(list, rule.From)
		}
	}
	return list
}

// viewRow is compileRow for the rows of a view.
func (p *Plan) viewRow(rel int, needed bool) (func(f *frame) []byte, *sats.Layout) {
	var layout *sats.Layout
	if needed {
		var err error
		if layout, err = sats.NewLayout(sats.Product(p.tables[rel].RowType().Elems[1:]...)); err != nil {
			panic("query: the row of a view has no layout: " + err.Error()) // that of its table has
		}
	}
	hidden := p.hidden
	return func(f *frame) []byte { return f.rows[rel][hidden:] }, layout
}

// Views lists the instances of views that the plan reads, one per occurrence, those of
// row-level security rules included and those of sub-selects not.
func (p *Plan) Views() []*ViewRead { return p.views }
