package server

import "time"

// lingerFor is how long a writer, and the runner of a connection, stay when there is
// nothing for them to do: whoever is busy is woken, which is cheaper than to be
// started; whoever is idle costs nothing.
const lingerFor = 50 * time.Millisecond

// A lingerer lets a goroutine wait a little for more work.
type lingerer struct {
	wake  chan struct{} // capacity 1
	timer *time.Timer
}

func newLingerer() *lingerer {
	l := &lingerer{make(chan struct{}, 1), time.NewTimer(time.Hour)}
	l.timer.Stop()
	return l
}

// wait returns true when it is woken, false when it was not within lingerFor.
func (l *lingerer) wait() bool {
	l.timer.Reset(lingerFor)
	defer l.timer.Stop()
	select {
	case <-l.wake:
		return true
	case <-l.timer.C:
		return false
	}
}

// A seat is where the one goroutine of a queue lingers. The queue's lock guards it.
type seat struct{ taken *lingerer }

// call wakes whoever lingers there.
func (s *seat) call() {
	if s.taken != nil {
		s.taken.wake <- struct{}{}
		s.taken = nil
	}
}

// leave gives the seat up. It reports false if the lingerer was called meanwhile.
func (s *seat) leave(l *lingerer) bool {
	if s.taken != l {
		<-l.wake
		return false
	}
	s.taken = nil
	return true
}
