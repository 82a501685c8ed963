package query

import "fmt"

// Limits bound one run of a statement (spec 07 §34.13).
type Limits struct {
	// Memory is how many bytes a run may hold for sorting, grouping, hash sides and
	// the like; 0: no limit.
	Memory int64
	// Check is asked at least once per 1,024 rows; its error ends the run. nil:
	// never.
	Check func() error
}

// checkEvery is after how many steps of a loop Check is asked.
const checkEvery = 1024

// A budget is what a statement and its sub-selects share of the limits.
type budget struct {
	memory, left int64
	check        func() error
}

func newBudget(l Limits) *budget {
	if l.Memory == 0 && l.Check == nil {
		return nil
	}
	return &budget{l.Memory, l.Memory, l.Check}
}

func (b *budget) hold(n int) bool {
	b.left -= int64(n)
	return b.memory == 0 || b.left >= 0
}

func (b *budget) exceeded() error {
	return fmt.Errorf("SQL statement exceeded its memory limit (%d bytes)", b.memory)
}
