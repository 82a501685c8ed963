package host

import (
	"container/heap"
	"math"
	"sync"
	"time"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/sats"
)

// maxImmediate bounds the immediate calls that wait. A module that asks for more
// traps.
const maxImmediate = 16384

// longestSleep is how long the scheduler sleeps at most, so that a wall clock that
// is set forward is noticed.
const longestSleep = time.Hour

// A scheduler knows when the rows of schedule tables are due and puts their calls
// into the executor's queue. Timers follow the committed rows: they are set after
// a commit, so a transaction that is rolled back leaves none behind.
//
// It has no goroutines but that of its clock's timer and one for each scheduled
// procedure that runs.
type scheduler struct {
	db *Database

	mu struct {
		sync.Mutex
		timers    map[timerKey]*timer
		heap      timerHeap
		immediate queue[immediateCall]
		alarm     Timer // the clock's; nil while firing or without timers
		alarmAt   sats.Timestamp
		round     uint64 // counts rescans; timers of older rounds are void
		firing    bool
		running   bool
		ended     bool       // running stays false
		idle      *sync.Cond // firing became false, or flying smaller

		ready  queue[scheduledProcedure] // due procedures that wait to be started
		flying int                       // started ones that have not ended
	}
}

// A timerKey names a row of a schedule table.
type timerKey struct {
	table schema.TableID
	id    uint64
}

// A timer is a row that has to be called when it is due, if it still is the same.
type timer struct {
	timerKey
	due   sats.Timestamp
	row   uint64 // hash of the row it was set for
	round uint64
	at    int  // place in the heap; -1: not in it
	proc  bool // what it calls is a procedure
}

// An immediateCall is one that a module asked for without a row (spec 03 §5.15).
type immediateCall struct {
	fn   string
	args []byte
}

func newScheduler(db *Database) *scheduler {
	s := &scheduler{db: db}
	s.mu.timers = map[timerKey]*timer{}
	s.mu.idle = sync.NewCond(&s.mu.Mutex)
	return s
}

// restart forgets all timers and sets those of the rows that r has. It belongs to
// the writer.
func (s *scheduler) restart(r store.Reader) {
	now := s.db.services.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.mu.timers)
	s.mu.heap = nil
	s.mu.ready.keep(func(c scheduledProcedure) bool { return c.t == nil })
	s.mu.round++
	s.mu.running = !s.mu.ended
	for _, t := range r.Tables() {
		if t.Schedule == nil {
			continue
		}
		for row := range r.Scan(t.ID) {
			s.setLocked(t, row, now)
		}
	}
	s.flyLocked() // calls without a row have waited
	s.armLocked()
}

// stop sets off no further call.
func (s *scheduler) stop() {
	s.pause()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.ended = true
}

// pause sets off no further call until restart.
func (s *scheduler) pause() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.running = false
	if s.mu.alarm != nil {
		s.mu.alarm.Stop()
		s.mu.alarm = nil
	}
}

// wait returns when the scheduler, stopped before, has no goroutine any more.
func (s *scheduler) wait() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.mu.firing {
		s.mu.idle.Wait()
	}
}

// settle returns when no scheduled procedure is under way.
func (s *scheduler) settle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.mu.flying > 0 {
		s.mu.idle.Wait()
	}
}

// observe follows what a transaction did to schedule tables. It belongs to the
// writer.
func (s *scheduler) observe(d *store.Delta) {
	for i := range d.Tables {
		td := &d.Tables[i]
		if td.Table.Schedule == nil {
			continue
		}
		now := s.db.services.Now()
		s.mu.Lock()
		for j := range td.Deletes.Len() {
			s.removeLocked(keyOf(td.Table, td.Deletes.At(j)))
		}
		for j := range td.Inserts.Len() {
			s.setLocked(td.Table, td.Inserts.At(j), now)
		}
		s.armLocked()
		s.mu.Unlock()
	}
}

// immediate queues a call without a row. It reports whether there was room.
func (s *scheduler) immediate(fn string, args []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.immediate.len() >= maxImmediate {
		return false
	}
	s.mu.immediate.push(immediateCall{fn, args})
	s.armLocked()
	return true
}

func keyOf(t *schema.Table, row []byte) timerKey {
	r := sats.NewReader(t.Layout.Col(row, int(t.Schedule.IDCol)))
	return timerKey{t.ID, r.U64()}
}

func scheduleOf(t *schema.Table, row []byte) sats.ScheduleAt {
	return sats.NewReader(t.Layout.Col(row, int(t.Schedule.AtCol))).ScheduleAt()
}

// firstDue is when a row written now is due.
func firstDue(at sats.ScheduleAt, now sats.Timestamp) sats.Timestamp {
	if !at.IsInterval() {
		return at.Time()
	}
	due, ok := now.Add(at.Interval().Abs())
	if !ok {
		return math.MaxInt64
	}
	return due
}

// nextDue is the next tick of an interval after the one that was due: the first
// one after now, ticks that were missed left out (spec 08 §13.5).
func nextDue(due, now sats.Timestamp, interval sats.TimeDuration) sats.Timestamp {
	i := interval.Abs().Micros()
	if i == 0 {
		return due
	}
	ticks := int64(1)
	if elapsed, ok := now.Sub(due); ok && elapsed > 0 {
		ticks = elapsed.Micros()/i + 1
	}
	if ticks > math.MaxInt64/i {
		return math.MaxInt64
	}
	next, ok := due.Add(sats.TimeDuration(ticks * i))
	if !ok {
		return math.MaxInt64
	}
	return next
}

func (s *scheduler) setLocked(t *schema.Table, row []byte, now sats.Timestamp) {
	s.addLocked(&timer{
		timerKey: keyOf(t, row), due: firstDue(scheduleOf(t, row), now), row: sats.HashBytes(row), round: s.mu.round,
		// The catalogue does not tell which it is.
		proc: s.db.current.Load().procedures[t.Schedule.Function] != nil,
	})
}

func (s *scheduler) addLocked(t *timer) {
	s.removeLocked(t.timerKey)
	s.mu.timers[t.timerKey] = t
	heap.Push(&s.mu.heap, t)
}

func (s *scheduler) removeLocked(k timerKey) {
	t := s.mu.timers[k]
	if t == nil {
		return
	}
	delete(s.mu.timers, k)
	if t.at >= 0 {
		heap.Remove(&s.mu.heap, t.at)
	}
}

// again sets the timer of a row that has run to its next time, unless the row has
// changed meanwhile and has got another.
func (s *scheduler) again(t *timer, due sats.Timestamp) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.round != s.mu.round || s.mu.timers[t.timerKey] != nil {
		return
	}
	s.addLocked(&timer{timerKey: t.timerKey, due: due, row: t.row, round: t.round, proc: t.proc})
	s.armLocked()
}

// valid reports whether a timer that went off still counts, and forgets it.
func (s *scheduler) valid(t *timer) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return t.round == s.mu.round && s.mu.running
}

// armLocked sets the alarm to the first timer.
func (s *scheduler) armLocked() {
	if s.mu.firing || !s.mu.running {
		return
	}
	var due sats.Timestamp
	switch {
	case s.mu.immediate.len() > 0:
		due = math.MinInt64
	case len(s.mu.heap) > 0:
		due = s.mu.heap[0].due
	default:
		return
	}
	if s.mu.alarm != nil {
		if s.mu.alarmAt <= due {
			return
		}
		s.mu.alarm.Stop()
	}
	sleep := longestSleep
	if d, ok := due.Sub(s.db.services.Now()); ok && d.Duration() < sleep {
		sleep = max(d.Duration(), 0)
	} else if due < 0 {
		sleep = 0
	}
	s.mu.alarmAt = due
	s.mu.alarm = s.db.host.opts.Clock.AfterFunc(sleep, s.fire)
}

// fire runs what is due, one call after another: each waits its turn among the
// calls of clients, so that a flood of schedules does not shut those out. It is
// the alarm's function.
func (s *scheduler) fire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.alarm = nil
	if s.mu.firing || !s.mu.running {
		return
	}
	s.mu.firing = true
	for s.mu.running {
		job := s.nextLocked()
		s.flyLocked()
		if job == nil {
			break
		}
		s.mu.Unlock()
		err := s.db.exec.do(background, job)
		s.mu.Lock()
		if err != nil {
			break // the database stops
		}
	}
	s.mu.firing = false
	s.mu.idle.Broadcast()
	s.armLocked()
}

// nextLocked takes the next due call, or returns nil.
func (s *scheduler) nextLocked() func(at sats.Timestamp) {
	if c, ok := s.mu.immediate.pop(); ok {
		return func(at sats.Timestamp) { s.db.runImmediate(at, c) }
	}
	for len(s.mu.heap) > 0 && s.mu.heap[0].due <= s.db.services.Now() {
		t := heap.Pop(&s.mu.heap).(*timer)
		delete(s.mu.timers, t.timerKey)
		if !t.proc {
			return func(at sats.Timestamp) { s.db.runScheduled(at, t) }
		}
		s.mu.ready.push(scheduledProcedure{t: t})
	}
	return nil
}

// waiting returns the number of timers.
func (s *scheduler) waiting() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.mu.timers)
}

// inFlight is the number of scheduled functions that are being called.
func (s *scheduler) inFlight() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.mu.flying
	if s.mu.firing {
		n++
	}
	return n
}

// A timerHeap orders timers by due time.
type timerHeap []*timer

func (h timerHeap) Len() int           { return len(h) }
func (h timerHeap) Less(i, j int) bool { return h[i].due < h[j].due }
func (h timerHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].at, h[j].at = i, j
}

func (h *timerHeap) Push(x any) {
	t := x.(*timer)
	t.at = len(*h)
	*h = append(*h, t)
}

func (h *timerHeap) Pop() any {
	old := *h
	t := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	t.at = -1
	return t
}
