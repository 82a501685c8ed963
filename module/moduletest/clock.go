package moduletest

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stdbgo/spacetime/internal/host"
	"github.com/stdbgo/spacetime/module"
)

// A Clock stands still until a test moves it.
type Clock struct {
	settle   func()       // waits for what the last timers set going
	sleepers atomic.Int32 // procedures that move the clock

	mu     sync.Mutex
	now    time.Time
	timers []*timer
}

// A timer is a call that is still to come.
type timer struct {
	c  *Clock
	at time.Time
	fn func()
}

var _ host.Clock = (*Clock)(nil)

// Now returns the time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// AfterFunc calls fn when the clock has been moved by d.
func (c *Clock) AfterFunc(d time.Duration, fn func()) host.Timer {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := &timer{c, c.now.Add(d), fn}
	c.timers = append(c.timers, t)
	return t
}

// Stop implements host.Timer.
func (t *timer) Stop() bool {
	t.c.mu.Lock()
	defer t.c.mu.Unlock()
	i := slices.Index(t.c.timers, t)
	if i >= 0 {
		t.c.timers = slices.Delete(t.c.timers, i, i+1)
	}
	return i >= 0
}

// Advance moves the clock. What becomes due on the way, such as rows of scheduled tables, runs in order, each at its own
// time, before Advance returns.
func (c *Clock) Advance(d time.Duration) {
	end := c.Now().Add(d)
	c.settle() // for calls to other databases, which no timer sets going
	for {
		t := c.next(end)
		if t == nil {
			break
		}
		t.fn()
		c.settle()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if end.After(c.now) {
		c.now = end
	}
}

// sleep moves the clock on for a procedure that waits.
func (c *Clock) sleep(until module.Timestamp) {
	c.sleepers.Add(1)
	defer c.sleepers.Add(-1)
	if d := until.ToTime().Sub(c.Now()); d > 0 {
		c.Advance(d)
	}
}

// next takes the first timer that is due until end and sets the clock to it.
func (c *Clock) next(end time.Time) *timer {
	c.mu.Lock()
	defer c.mu.Unlock()
	first := -1
	for i, t := range c.timers {
		if !t.at.After(end) && (first < 0 || t.at.Before(c.timers[first].at)) {
			first = i
		}
	}
	if first < 0 {
		return nil
	}
	t := c.timers[first]
	c.timers = slices.Delete(c.timers, first, first+1)
	if t.at.After(c.now) {
		c.now = t.at
	}
	return t
}
