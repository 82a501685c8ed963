package sql

import (
	"fmt"

	"github.com/stdbgo/spacetime/internal/query"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/store"
)

// rowLimitVar is the one variable of SET and SHOW.
const rowLimitVar = "row_limit"

// RowLimit reads the variable row_limit; ok is false if it is not set.
func RowLimit(r store.Reader) (limit uint64, ok bool) {
	for row := range r.Scan(schema.StVar) {
		var v schema.StVarRow
		if v.Decode(row) == nil && v.Name == rowLimitVar {
			return v.U64()
		}
	}
	return 0, false
}

// CheckRowLimit refuses a caller's queries whose estimated cost together is over
// the row limit (spec 07 §20). The owner is not limited.
func CheckRowLimit(r store.Reader, caller Caller, plans ...*query.Plan) error {
	if caller.IsOwner {
		return nil
	}
	limit, ok := RowLimit(r)
	if !ok {
		return nil
	}
	var sum uint64
	for _, p := range plans {
		n := p.Scanned(r)
		if sum += n; sum < n {
			sum = ^uint64(0)
		}
	}
	if sum > limit {
		return &Error{Msg: fmt.Sprintf("Estimated cardinality (%d rows) exceeds limit (%d rows)", sum, limit)}
	}
	return nil
}
