package host

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stdbgo/spacetime/sats"
)

// maxQueue bounds the jobs that wait for the right to write. Who submits one more
// waits until there is room.
const maxQueue = 16384

// An executor hands the one right to write of a database from job to job, first
// come first served. A job runs on the goroutine that submits it if the right is
// free; otherwise it waits its turn and runs on a goroutine that exists only while
// there is a queue.
//
// A procedure borrows the right for a transaction: its own goroutine holds it then.
//
// Invariants:
//
//	held is false only if the queue is empty
//	the times given to jobs increase strictly in the order in which they run
type executor struct {
	watch    watch           // of whoever holds the right
	panicked func(err error) // a job panicked; called without mu

	// The clock is read as seldom as possible: when a job begins at once, that is when it
	// was submitted; when it follows another, that is when that one ended.
	began time.Time // of the job that runs, which looks at it first; zero: not known
	ended time.Time // of the job before, which has told so as the last it did; zero: it has not

	mu struct {
		sync.Mutex
		queue queue[queued]
		held  bool
		last  sats.Timestamp
		watch watch
		read  time.Time  // the watch, when last was made
		err   error      // set by stop: no further job is taken
		room  *sync.Cond // the queue became shorter, or err was set
		idle  *sync.Cond // held became false
	}
}

// A job is one stretch of work under the right to write. It is used once; reset
// makes it usable again after it has run.
type job struct {
	fn    func(at sats.Timestamp) // nil: the right is lent to who waits for done
	done  chan struct{}           // capacity 1; made when the job has to wait
	state atomic.Int32
	err   error // why it did not run, or how it failed; valid after done
	lent  bool  // it is a piece of work of a borrower, who gives the right back
}

func (j *job) abandoned() bool { return j.state.Load() == jobAbandoned }

func (j *job) reset() {
	j.state.Store(jobQueued)
	j.err = nil
}

const (
	jobQueued int32 = iota
	jobTaken
	jobAbandoned
)

// A queued job has been given its time already.
type queued struct {
	j  *job
	at sats.Timestamp
}

func newExecutor(clock Clock, panicked func(error)) *executor {
	e := &executor{watch: watch{clock: clock}, panicked: panicked}
	e.mu.watch.clock = clock
	e.mu.room = sync.NewCond(&e.mu.Mutex)
	e.mu.idle = sync.NewCond(&e.mu.Mutex)
	return e
}

// do runs fn under the right to write and returns when it has run. If ctx ends
// while the job waits, it is given up; a job that has begun runs to its end.
func (e *executor) do(ctx context.Context, fn func(at sats.Timestamp)) error {
	return e.run(ctx, &job{fn: fn})
}

// run is do for a job that the caller keeps.
func (e *executor) run(ctx context.Context, j *job) error {
	e.mu.Lock()
	if err := e.waitForRoomLocked(ctx); err != nil {
		e.mu.Unlock()
		return err
	}
	at := e.timeLocked()
	if !e.mu.held {
		e.mu.held, e.ended = true, e.mu.read
		e.mu.Unlock()
		e.execute(j, at)
		e.release()
		return j.err
	}
	if j.done == nil {
		j.done = make(chan struct{}, 1)
	}
	e.mu.queue.push(queued{j, at})
	e.mu.Unlock()

	select {
	case <-j.done:
		return j.err
	case <-ctx.Done():
		if j.state.CompareAndSwap(jobQueued, jobAbandoned) {
			return context.Cause(ctx)
		}
		<-j.done
		return j.err
	}
}

// submit queues a job without waiting for it. It may run before submit returns.
func (e *executor) submit(fn func(at sats.Timestamp)) error {
	e.mu.Lock()
	if err := e.waitForRoomLocked(context.Background()); err != nil {
		e.mu.Unlock()
		return err
	}
	at := e.timeLocked()
	if !e.mu.held {
		e.mu.held, e.ended = true, e.mu.read
		e.mu.Unlock()
		j := &job{fn: fn}
		e.execute(j, at)
		e.release()
		return nil
	}
	e.mu.queue.push(queued{&job{fn: fn, done: make(chan struct{}, 1)}, at})
	e.mu.Unlock()
	return nil
}

// borrow waits for the right to write and lends it to the caller, who gives it
// back by release. If ctx ends while it waits, nothing is lent.
func (e *executor) borrow(ctx context.Context) error {
	e.mu.Lock()
	if err := e.waitForRoomLocked(ctx); err != nil {
		e.mu.Unlock()
		return err
	}
	if !e.mu.held {
		e.mu.held, e.ended = true, time.Time{}
		e.mu.Unlock()
		return nil
	}
	j := &job{done: make(chan struct{}, 1)}
	e.mu.queue.push(queued{j: j})
	e.mu.Unlock()
	select {
	case <-j.done:
		return j.err
	case <-ctx.Done():
		if j.state.CompareAndSwap(jobQueued, jobAbandoned) {
			return context.Cause(ctx)
		}
		<-j.done
		return j.err
	}
}

// guarded runs a piece of work of a borrower as a job is run.
func (e *executor) guarded(fn func()) error {
	j := &job{fn: func(sats.Timestamp) { fn() }, lent: true}
	e.execute(j, 0)
	return j.err
}

// waitForRoomLocked waits while the queue is full.
func (e *executor) waitForRoomLocked(ctx context.Context) error {
	if e.mu.err == nil && e.mu.queue.len() >= maxQueue {
		stop := context.AfterFunc(ctx, func() {
			e.mu.Lock()
			defer e.mu.Unlock()
			e.mu.room.Broadcast()
		})
		defer stop()
		for e.mu.err == nil && e.mu.queue.len() >= maxQueue && ctx.Err() == nil {
			e.mu.room.Wait()
		}
		if ctx.Err() != nil {
			e.mu.room.Signal() // the room that woke it is for somebody else
		}
	}
	if e.mu.err != nil {
		return e.mu.err
	}
	return context.Cause(ctx)
}

// timeLocked returns the time of the next job: now, or a microsecond after the
// one before it.
func (e *executor) timeLocked() sats.Timestamp {
	e.mu.read = e.mu.watch.now()
	e.mu.last = max(sats.TimestampOf(e.mu.read), e.mu.last+1)
	return e.mu.last
}

// stampAt is stamp for a job that has just read the clock; zero: it has not.
func (e *executor) stampAt(read time.Time) sats.Timestamp {
	if read.IsZero() {
		return e.stamp()
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.mu.last = max(sats.TimestampOf(read), e.mu.last+1)
	return e.mu.last
}

// stamp returns a time for the job that runs, later than all given out so far.
func (e *executor) stamp() sats.Timestamp {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.timeLocked()
}

// after returns a time that is at least due and later than all given out so far.
// It belongs to the job that runs.
func (e *executor) after(at, due sats.Timestamp) sats.Timestamp {
	if due <= at {
		return at
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.mu.last = max(e.mu.last+1, due)
	return e.mu.last
}

// errExited is the failure of a job whose goroutine was ended by a function of a module that is linked into this program.
var errExited = errors.New("host: a function of the module has ended the goroutine of its database: it must not call runtime.Goexit, nor FailNow of a test")

// execute runs a job. A panic in it is a fault of this program: the job fails,
// and the owner decides what becomes of the database.
func (e *executor) execute(j *job, at sats.Timestamp) {
	j.state.Store(jobTaken)
	e.began, e.ended = e.ended, time.Time{}
	ended := false
	defer func() {
		v := recover()
		switch {
		case ended:
		case v != nil:
			j.err = fmt.Errorf("host: internal error: %v\n%s", v, debug.Stack())
			e.panicked(j.err)
		default:
			j.err = errExited
			e.panicked(j.err)
			e.abandon(j)
		}
	}()
	j.fn(at)
	ended = true
}

// abandon does what the goroutine of a job would, which does not come back.
func (e *executor) abandon(j *job) {
	if j.lent {
		return
	}
	if j.done != nil {
		select {
		case j.done <- struct{}{}:
		default: // nobody waits
		}
	}
	e.release()
}

// release gives the right to the next job in the queue, or frees it.
func (e *executor) release() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.mu.queue.len() > 0 {
		e.ended = time.Time{}
		go e.drain()
		return
	}
	e.mu.held = false
	e.mu.idle.Broadcast()
}

// drain runs jobs until none is left. It holds the right; stop waits for it.
func (e *executor) drain() {
	for {
		e.mu.Lock()
		q, ok := e.mu.queue.pop()
		if !ok {
			e.mu.held = false
			e.mu.idle.Broadcast()
			e.mu.Unlock()
			return
		}
		err := e.mu.err
		e.mu.room.Signal()
		e.mu.Unlock()

		if !q.j.state.CompareAndSwap(jobQueued, jobTaken) {
			continue
		}
		switch {
		case err != nil:
			q.j.err = err
		case q.j.fn == nil:
			e.ended = time.Time{}
			q.j.done <- struct{}{} // the borrower goes on with the queue
			return
		default:
			e.execute(q.j, q.at)
		}
		q.j.done <- struct{}{}
	}
}

// stop refuses further jobs with err, fails those that wait, and runs last, if
// any, as the final job. It returns when the right is free for good. It must not
// be called by a job.
func (e *executor) stop(err error, last func()) {
	e.refuse(err)
	e.mu.Lock()
	for e.mu.held {
		e.mu.idle.Wait()
	}
	e.mu.held = true
	e.mu.Unlock()
	if last != nil {
		last()
	}
}

// refuse is the part of stop that a job may call.
func (e *executor) refuse(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.mu.err == nil {
		e.mu.err = err
	}
	e.mu.room.Broadcast()
}

// waiting returns the number of queued jobs.
func (e *executor) waiting() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.mu.queue.len()
}
