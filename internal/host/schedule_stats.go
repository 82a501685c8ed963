package host

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// ScheduleStats count what the scheduler calls (spec 08 §13.8).
type ScheduleStats struct {
	Active int             // functions that run at the moment
	Delays []FunctionDelay // by name of the function
}

// FunctionDelay says how late the calls of a function began that a row of a schedule
// table asked for.
type FunctionDelay struct {
	Function string
	Delay    Histogram
}

// scheduleCounts hold the delays of all functions that were ever scheduled.
type scheduleCounts struct {
	active atomic.Int64
	mu     sync.Mutex
	delays map[string]*histogram
}

// began counts a call that begins, of a timer or, with nil, of an immediate one. The
// result is to be called when it has ended.
func (s *scheduler) began(function string, t *timer) (ended func()) {
	s.counts.active.Add(1)
	if t != nil {
		delay := time.Duration(0)
		if late, ok := s.db.services.Now().Sub(t.due); ok {
			delay = late.Duration()
		}
		s.counts.of(function).observe(delay)
	}
	return func() { s.counts.active.Add(-1) }
}

func (c *scheduleCounts) of(function string) *histogram {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.delays[function]
	if h == nil {
		h = &histogram{bounds: delayBounds}
		if c.delays == nil {
			c.delays = map[string]*histogram{}
		}
		c.delays[function] = h
	}
	return h
}

func (c *scheduleCounts) stats() ScheduleStats {
	s := ScheduleStats{Active: int(c.active.Load())}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(c.delays)) {
		s.Delays = append(s.Delays, FunctionDelay{name, c.delays[name].stats()})
	}
	return s
}
