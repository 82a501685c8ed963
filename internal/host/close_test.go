package host

import (
	"fmt"
	"testing"
	"time"

	"github.com/stdbgo/spacetime/sats"
)

// hangingModule has reducers that run until they are stopped.
func hangingModule(begun chan<- struct{}, hang *bool) *fakeModule {
	run := func(c *fakeCall) error {
		if !*hang {
			return nil
		}
		begun <- struct{}{}
		<-c.ctx.Done()
		return trapError("stopped")
	}
	return newFake("hanging").addTable("timer", timerCols, scheduled("hang_on_time")).
		reducer("plan", timerCols, func(c *fakeCall) error { return c.insert("timer", c.Args) }).
		reducer("hang", nil, run).
		reducer("hang_on_time", params(sats.E("row", sats.Ref(0))), run)
}

// closeHanging closes the host while a call hangs.
func (w *world) closeHanging(begun <-chan struct{}) {
	w.t.Helper()
	<-begun
	closed := make(chan error, 1)
	go func() { closed <- w.host.Close() }()
	// Not for ever: what heeds the stop must not be left behind.
	eventually(w.t, "the close", func() bool { return len(closed) > 0 || w.clock.pending(closePatience+lastPatience) })
	w.clock.advance(closePatience + lastPatience/2)
	if err := <-closed; err != nil {
		w.t.Error(err)
	}
	w.host = nil
}

// A call that does not come to its end does not hold up the end of the database:
// it is stopped, rolled back, and its caller is told so.
func TestCloseStopsCalls(t *testing.T) {
	w := newWorld(t)
	begun, hang := make(chan struct{}, 1), true
	db := w.create(hangingModule(begun, &hang))
	answered := make(chan string, 1)
	go func() {
		res, err := db.CallReducer(background, &CallRequest{Caller: alice, Name: "hang"})
		answered <- fmt.Sprint(res.Status, " ", err)
	}()
	w.closeHanging(begun)
	if got, want := <-answered, fmt.Sprint(Trapped, " <nil>"); got != want {
		t.Errorf("the call was answered with %s; want %s", got, want)
	}
}

// A scheduled call that was stopped so has not happened: its row stays, and it is
// called at the next start.
func TestCloseKeepsSchedules(t *testing.T) {
	w := newWorld(t)
	begun, hang := make(chan struct{}, 1), true
	db := w.create(hangingModule(begun, &hang))
	w.call(db, alice, "plan", timerRow(0, sats.ScheduleTime(w.clock.micros()), "x"))
	go w.clock.advance(time.Millisecond)
	w.closeHanging(begun)
	w.start()
	hang = false
	db = w.open()
	if n := len(w.rows(db, "timer")); n != 1 {
		t.Fatalf("%d rows after the start", n)
	}
	w.clock.advance(time.Millisecond)
	if n := len(w.rows(db, "timer")); n != 0 {
		t.Errorf("%d rows after the call", n)
	}
}

// However many scheduled calls are due, a client's call waits for one of them.
func TestSchedulesLeaveRoom(t *testing.T) {
	w := newWorld(t)
	var db *Database
	const due = 50
	ran, answeredAt := 0, 0
	answered := make(chan struct{})
	m := newFake("busy").addTable("timer", timerCols, scheduled("tick")).
		reducer("plan", timerCols, func(c *fakeCall) error { return c.insert("timer", c.Args) }).
		reducer("ask", nil, func(*fakeCall) error { answeredAt = ran; return nil })
	m.reducer("tick", params(sats.E("row", sats.Ref(0))), func(*fakeCall) error {
		if ran++; ran == 3 {
			go func() {
				defer close(answered)
				_, _ = db.CallReducer(background, &CallRequest{Caller: alice, Name: "ask"})
			}()
			for db.exec.waiting() == 0 {
				time.Sleep(time.Millisecond)
			}
		}
		return nil
	})
	db = w.create(m)
	for range due {
		w.call(db, alice, "plan", timerRow(0, sats.ScheduleTime(w.clock.micros()+second), "x"))
	}
	w.clock.advance(2 * time.Second)
	<-answered
	if ran != due || answeredAt > 4 {
		t.Errorf("%d scheduled calls ran, %d of them before a client's call that came during the third", ran, answeredAt)
	}
}
