package subscribe

import (
	"errors"
	"fmt"

	"github.com/stdbgo/spacetime/internal/query"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/internal/wire"
)

// Initial rows are one message, so they have to fit one. What is read at once is read
// before anything is registered, and refused if it does not. What is read beside the
// transactions that go on is counted first, unless there are not so many bytes in the
// table: once it is read, updates may be on their way. Only what grows between counting
// and reading ends the connection.

// A Measure is what Handle returns instead of an answer if the rows of a message have
// to be counted first. It does nothing as a Delivery. Run may be called on any
// goroutine while the request's Reader can be read; after it the message is handled
// again, Counted.
type Measure struct {
	parts [][]*query.Plan
	r     store.Reader
	max   int64
}

// A Count says which parts of a message, the sets of a batch, have too many rows.
type Count struct{ errs []error }

// Err is the first refusal, or nil.
func (c *Count) Err() error { return errors.Join(c.errs...) }

// Deliver does nothing.
func (*Measure) Deliver() {}

// Run counts the rows.
func (m *Measure) Run() *Count {
	c := &Count{make([]error, len(m.parts))}
	left := m.max
	for i, plans := range m.parts {
		before := left
		for _, p := range plans {
			if p.Stale(m.r) != nil {
				continue // is refused when it is evaluated
			}
			// An error is found again then, too.
			_ = p.Run(m.r, func(row []byte) bool {
				left -= int64(len(row))
				return left >= 0
			})
		}
		if left < 0 {
			c.errs[i], left = tooLarge(m.max), before
		}
	}
	return c
}

func tooLarge(max int64) error {
	return fmt.Errorf("The initial rows of the subscription are larger than %s, which is as much as fits one message; narrow the queries with WHERE, or spread them over several subscriptions ([sql] max-subscription-bytes in the server's config.toml)", size(max))
}

func size(n int64) string {
	if n >= 1<<20 && n%(1<<20) == 0 {
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%d bytes", n)
}

// atMostBytes bounds the rows of plans.
func atMostBytes(r store.Reader, plans []*query.Plan) float64 {
	sizes, ok := r.(interface{ RowBytes(schema.TableID) uint64 })
	if !ok {
		return 0
	}
	sum := 0.0 // in floating point nothing overflows
	for _, p := range plans {
		all := float64(sizes.RowBytes(p.ReturnTable().ID))
		if len(p.Tables()) > 1 {
			all *= float64(p.RowsAtMost(r)) // each may be the one large row
		}
		sum += all
	}
	return sum
}

// patience is how many times a read of what was expected to be little may look
// whether it is, before it is left to an Evaluation.
const patience = 16

var errMore = errors.New("there is more than was expected")

// mustAddRows adds the rows of a plan that fits the reader, which cannot fail, to l, as
// many as the answer may hold.
func (req *Request) mustAddRows(l *wire.RowList, p *query.Plan) {
	if req.over() || req.more {
		return
	}
	limits := query.Limits{}
	if req.hasty {
		looked := 0
		limits.Check = func() error {
			if looked++; looked > patience {
				return errMore
			}
			return nil
		}
	}
	err := p.RunWithin(req.Reader, limits, func(row []byte) bool {
		if req.taken += int64(len(row)); req.over() {
			return false
		}
		l.Add(row)
		req.rows++
		return true
	})
	switch {
	case errors.Is(err, errMore):
		req.more = true
	case err != nil:
		panic(fmt.Sprintf("subscribe: a plan that fits fails: %v", err))
	}
}

// over reports whether the answer holds more rows than it may.
func (req *Request) over() bool { return req.MaxBytes > 0 && !req.free && req.taken > req.MaxBytes }

// bounded has build's answer end the connection if its rows are too many.
func (req *Request) bounded(build func() Message) func() Message {
	return func() Message {
		m := build()
		if req.over() {
			return Message{Close: "the initial rows of a subscription are larger than " + size(req.MaxBytes)}
		}
		return m
	}
}
