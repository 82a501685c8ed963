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

// Now returns the wall clock.
func (SystemClock) Now() time.Time { return time.Now() }

// AfterFunc is [time.AfterFunc].
func (SystemClock) AfterFunc(d time.Duration, f func()) Timer { return time.AfterFunc(d, f) }

func timestamp(c Clock) sats.Timestamp { return sats.TimestampOf(c.Now()) }
