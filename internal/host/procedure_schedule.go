package host

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/stdbgo/spacetime/internal/subscribe"
	"github.com/stdbgo/spacetime/sats"
)

// A scheduledProcedure is a call that is due: of a timer, or without a row.
type scheduledProcedure struct {
	t         *timer // nil: immediate
	immediate immediateCall
}

// start queues a call.
func (s *scheduler) start(c scheduledProcedure) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.ready.len() < maxImmediate || c.t != nil {
		s.mu.ready.push(c)
		s.flyLocked()
		return
	}
	s.db.log.call(s.db.services.Now(), c.immediate.fn, fmt.Sprintf("%q was not called: %d calls wait already", c.immediate.fn, maxImmediate))
}

// flyLocked starts what is ready, as many at a time as there are instances for. They
// overlap each other and everything else (spec 08 §13.4).
func (s *scheduler) flyLocked() {
	for s.mu.running && s.mu.flying < s.db.current.Load().pool.size {
		c, ok := s.mu.ready.pop()
		if !ok || s.db.procs.enter() != nil {
			return
		}
		s.mu.flying++
		go func() {
			defer s.landed()
			s.db.runScheduledProcedure(c)
		}()
	}
}

// landed notes that a call has ended, and starts the next.
func (s *scheduler) landed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.flying--
	s.db.procs.leave()
	s.flyLocked()
	s.mu.idle.Broadcast()
}

// runScheduledProcedure takes an instance, claims the row and calls the procedure in
// the name of the database itself.
func (db *Database) runScheduledProcedure(c scheduledProcedure) {
	a := admitted{m: db.current.Load()}
	var err error
	if a.inst, err = db.instance(db.calls, a.m); err != nil {
		if !errors.Is(err, errReplaced) && !errors.Is(err, ErrStopped) && db.calls.Err() == nil {
			db.logger.Error("a scheduled procedure was not called", "error", err)
			db.retry(c)
		}
		return // a replaced module: the rows get new timers
	}
	var at sats.Timestamp
	var next *sats.Timestamp
	err = db.exec.do(db.calls, func(now sats.Timestamp) {
		at = now
		if db.mod == a.m {
			a.p, a.args, next = db.claim(&at, c)
		}
	})
	if err != nil || a.p == nil {
		a.m.pool.put(a.inst)
		return
	}
	db.runProcedure(a, Caller{Identity: db.info.Identity, Confirmed: true}, at)
	if next != nil {
		db.sched.again(c.t, *next)
	}
}

// retryAfter is when a row is looked at again whose procedure could not be started.
const retryAfter = sats.TimeDuration(1_000_000)

func (db *Database) retry(c scheduledProcedure) {
	if c.t == nil {
		return
	}
	due, _ := db.services.Now().Add(retryAfter)
	db.sched.again(c.t, due)
}

// claim returns the procedure that a timer stands for and its argument, unless the
// row has changed. A row that runs once is removed before the call: it is never
// called twice. For others next is the next time. It belongs to the writer.
func (db *Database) claim(at *sats.Timestamp, c scheduledProcedure) (p *procedure, args []byte, next *sats.Timestamp) {
	if c.t == nil {
		return db.claimed(*at, c.immediate.fn, c.immediate.args, nil)
	}
	if !db.sched.valid(c.t) {
		return nil, nil, nil
	}
	tx := db.store.Begin()
	table, row := c.t.find(tx)
	if row == nil {
		tx.Rollback()
		return nil, nil, nil
	}
	row = bytes.Clone(row)
	*at = db.exec.after(*at, c.t.due)
	fn := table.Schedule.Function
	db.meter.late(fn, time.Duration(db.services.Now()-c.t.due)*time.Microsecond)
	if when := scheduleOf(table, row); when.IsInterval() {
		tx.Rollback()
		due := nextDue(c.t.due, db.services.Now(), when.Interval())
		return db.claimed(*at, fn, row, &due)
	}
	_, err := tx.DeleteRow(table.ID, row)
	if err == nil {
		err = db.refreshViews(tx, *at)
	}
	if err != nil {
		tx.Rollback()
		db.logger.Error("a schedule row cannot be removed", "table", table.Name, "error", err)
		return nil, nil, nil
	}
	ev := &subscribe.Event{Caller: db.info.Identity, ReducerID: 0, Timestamp: *at}
	if _, err := db.commit(tx, nil, ev); err != nil {
		return nil, nil, nil // the database has stopped
	}
	return db.claimed(*at, fn, row, nil)
}

func (db *Database) claimed(at sats.Timestamp, fn string, args []byte, next *sats.Timestamp) (*procedure, []byte, *sats.Timestamp) {
	p := db.mod.procedures[fn]
	if p == nil {
		db.log.call(at, fn, fmt.Sprintf("The module has no procedure %q to call.", fn))
		return nil, nil, nil
	}
	args, err := p.decodeArgs(args, false)
	if err != nil {
		db.log.call(at, fn, err.Error())
		return nil, nil, nil
	}
	return p, args, next
}
