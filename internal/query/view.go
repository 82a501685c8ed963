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

// Views lists the instances of views that the plan reads, one per occurrence.
func (p *Plan) Views() []*ViewRead { return p.views }
