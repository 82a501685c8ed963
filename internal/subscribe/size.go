package subscribe

import (
	"errors"
	"fmt"

	"github.com/stdbgo/spacetime/internal/query"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/store"
)

// Initial rows are one message, so they have to fit one. Whether they do is known
// before anything is registered: if they may not, they are counted first, beside the
// transactions that go on. What grows between counting and reading, or is more than
// was expected, ends the connection, because by then updates may be on their way.

// A Measure is what Handle returns instead of an answer if the rows of a message have
// to be counted first. It does nothing as a Delivery. Run may be called on any
// goroutine while the request's Reader can be read; after it the message is handled
// again, Measured, and with the error of Run as TooLarge.
type Measure struct {
	plans []*query.Plan
	r     store.Reader
	max   int64
}

// Deliver does nothing.
func (*Measure) Deliver() {}

// Run counts the rows. Its error says that they are too many, for the client.
func (m *Measure) Run() error {
	left := m.max
	for _, p := range m.plans {
		if p.Stale(m.r) != nil {
			continue // is refused when it is evaluated
		}
		err := p.Run(m.r, func(row []byte) bool {
			left -= int64(len(row))
			return left >= 0
		})
		if err != nil { // likewise
			continue
		}
		if left < 0 {
			return tooLarge(m.max)
		}
	}
	return nil
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

// errMeasure stands for the answer of a message whose rows are to be counted.
var errMeasure = errors.New("the rows must be counted first")

// measure returns TooLarge if the rows have been found too many, and notes the plans
// if they have to be counted.
func (req *Request) measure(qs []*liveQuery) error {
	if req.TooLarge != nil {
		return req.TooLarge
	}
	if req.MaxBytes <= 0 || req.Measured {
		return nil
	}
	plans := plansOf(qs)
	expected := int64(0)
	for _, p := range plans {
		if expected += expectedBytes(req.Reader, p, req.MaxBytes); expected > req.MaxBytes {
			req.heavy = append(req.heavy, plans...)
			return errMeasure
		}
	}
	return nil
}

// expectedBytes estimates the rows of a plan, at most max+1.
func expectedBytes(r store.Reader, p *query.Plan, max int64) int64 {
	sizes, ok := r.(interface{ RowBytes(schema.TableID) uint64 })
	if !ok {
		return 0
	}
	t := p.ReturnTable().ID
	rows, all := p.Rows(r), r.RowCount(t)
	if rows == 0 || all == 0 {
		return 0
	}
	// In floating point nothing overflows.
	if n := float64(rows) * float64(sizes.RowBytes(t)) / float64(all); n <= float64(max) {
		return int64(n)
	}
	return max + 1
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
