package host

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// deliveryBounds end where an attempt does.
var deliveryBounds = []time.Duration{
	time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond,
	250 * time.Millisecond, 500 * time.Millisecond, time.Second, 2500 * time.Millisecond, 5 * time.Second,
}

// OutboxStats count what a database's outboxes do (spec 08 §38.6).
type OutboxStats struct {
	InFlight      int // messages under way
	InFlightBytes int // of their arguments
	Waiting       int // streams that are ready and wait for their turn
	Errors        uint64
	Tables        []OutboxTableStats // by name
}

// OutboxTableStats count the messages of one outbox.
type OutboxTableStats struct {
	Table                                         string
	Attempts, Failures, Retries, CallbackFailures uint64
	Duration                                      Histogram // of attempts
}

// outboxCounts hold the counts of all outboxes there ever were.
type outboxCounts struct {
	errors atomic.Uint64
	mu     sync.Mutex
	m      map[string]*outboxCount
}

// An outboxCount counts the messages of one outbox.
type outboxCount struct {
	attempts, failures, retries, callbackFailures atomic.Uint64
	duration                                      histogram
}

func (c *outboxCounts) of(table string) *outboxCount {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.m[table]
	if n == nil {
		n = &outboxCount{duration: newHistogram(deliveryBounds)}
		if c.m == nil {
			c.m = map[string]*outboxCount{}
		}
		c.m[table] = n
	}
	return n
}

func (o *outboxes) stats() (s OutboxStats) {
	o.mu.Lock()
	s.InFlight, s.InFlightBytes, s.Waiting = o.mu.flying, o.mu.bytes, o.mu.ready.len()
	o.mu.Unlock()
	s.Errors = o.counts.errors.Load()
	o.counts.mu.Lock()
	defer o.counts.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(o.counts.m)) {
		n := o.counts.m[name]
		s.Tables = append(s.Tables, OutboxTableStats{
			Table: name, Attempts: n.attempts.Load(), Failures: n.failures.Load(), Retries: n.retries.Load(),
			CallbackFailures: n.callbackFailures.Load(), Duration: n.duration.stats(),
		})
	}
	return s
}
