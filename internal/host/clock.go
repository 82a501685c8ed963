package host

import (
	"time"

	"github.com/stdbgo/spacetime/sats"
)

// A Clock tells the time and wakes people up. Tests and simulations bring their
// own.
type Clock interface {
	Now() time.Time
	// AfterFunc calls f on a goroutine of its own once d has passed.
	AfterFunc(d time.Duration, f func()) Timer
}

// A Timer is a call that is still to come. Stop reports whether it prevented it.
type Timer interface{ Stop() bool }

// SystemClock is the machine's clock.
type SystemClock struct{}

// sinceOf returns what tells how long ago something was. The machine's clock tells that
// without a look at the date, in half the time.
func sinceOf(c Clock) func(time.Time) time.Duration {
	if _, ok := c.(SystemClock); ok {
		return time.Since
	}
	return func(start time.Time) time.Duration { return c.Now().Sub(start) }
}

// Now returns the wall clock.
func (SystemClock) Now() time.Time { return time.Now() }

// AfterFunc is [time.AfterFunc].
func (SystemClock) AfterFunc(d time.Duration, f func()) Timer { return time.AfterFunc(d, f) }

// A watch tells the time of a Clock to one owner. That of the machine's clock it reads once
// in watchSet and in between adds how long ago that was: a change of the date is seen that
// much later.
type watch struct {
	clock Clock
	set   time.Time
}

const watchSet = 50 * time.Millisecond

func (w *watch) now() time.Time {
	if _, ok := w.clock.(SystemClock); ok && !w.set.IsZero() {
		if d := time.Since(w.set); d < watchSet {
			return w.set.Add(d)
		}
	}
	w.set = w.clock.Now()
	return w.set
}

func timestamp(c Clock) sats.Timestamp { return sats.TimestampOf(c.Now()) }
