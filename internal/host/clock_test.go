package host

import (
	"testing"
	"time"
)

// A watch tells what its clock does, and goes on.
func TestWatch(t *testing.T) {
	fake := newFakeClock()
	w := watch{clock: fake}
	for _, step := range []time.Duration{0, time.Microsecond, -time.Hour, time.Hour} {
		fake.now = fake.now.Add(step)
		if got := w.now(); !got.Equal(fake.now) {
			t.Errorf("the watch says %v, the clock %v", got, fake.now)
		}
	}
	w = watch{clock: SystemClock{}}
	last := w.now()
	for end := time.Now().Add(2 * watchSet); time.Now().Before(end); {
		before := time.Now()
		now := w.now()
		// Without its monotonic part, which is what a change of the date changes.
		if d := now.Round(0).Sub(before.Round(0)); d < -time.Second || now.Before(last) {
			t.Fatalf("%v after %v; the clock said %v before", now, last, before)
		}
		last = now
	}
	old := w.set.Add(-watchSet)
	w.set = old
	if w.now(); w.set.Equal(old) {
		t.Error("the watch is never set again")
	}
}
