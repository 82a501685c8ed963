package host

import (
	"sync/atomic"
	"time"
)

// A histogram counts durations by size. The zero value with bounds works.
type histogram struct {
	bounds []time.Duration // ascending; shared
	counts [16]atomic.Uint64
	nanos  atomic.Uint64
}

// A Histogram says how many durations were how long.
type Histogram struct {
	Bounds []time.Duration // ascending; shared
	Counts []uint64        // Counts[i] were at most Bounds[i] and more than the bound before; the last were longer than all
	Sum    time.Duration
}

// delayBounds are those of spec 06 §8 for delays of scheduled functions.
var delayBounds = []time.Duration{
	time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond,
	500 * time.Millisecond, time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second, time.Minute, 5 * time.Minute,
}

// deliveryBounds end where an attempt does.
var deliveryBounds = []time.Duration{
	time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond,
	250 * time.Millisecond, 500 * time.Millisecond, time.Second, 2500 * time.Millisecond, 5 * time.Second,
}

// observe counts a duration.
func (h *histogram) observe(d time.Duration) {
	i := 0
	for i < len(h.bounds) && d > h.bounds[i] {
		i++
	}
	h.counts[i].Add(1)
	h.nanos.Add(uint64(max(d, 0)))
}

func (h *histogram) stats() Histogram {
	s := Histogram{Bounds: h.bounds, Counts: make([]uint64, len(h.bounds)+1), Sum: time.Duration(h.nanos.Load())}
	for i := range s.Counts {
		s.Counts[i] = h.counts[i].Load()
	}
	return s
}
