package host

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/sats"
)

// occupy holds the right to write until the returned function is called.
func occupy(t *testing.T, e *executor) (free func()) {
	t.Helper()
	begun, end := make(chan struct{}), make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := e.do(background, func(sats.Timestamp) { close(begun); <-end }); err != nil {
			t.Error(err)
		}
	}()
	<-begun
	return func() { close(end); <-done }
}

func testExecutor(t *testing.T) *executor {
	e := newExecutor(standing(1000), func(err error) { t.Errorf("panicked: %v", err) })
	t.Cleanup(func() { e.stop(ErrStopped, nil) })
	return e
}

// standing is a clock that stands at so many microseconds.
func standing(micros int64) Clock { return &fakeClock{now: time.UnixMicro(micros)} }

// Jobs run one at a time in the order of their submission, with times that
// increase strictly although the clock stands still.
func TestExecutorOrder(t *testing.T) {
	spec.Covers(t, "08.63")
	e := testExecutor(t)
	free := occupy(t, e)
	var got []int
	var times []sats.Timestamp
	var running atomic.Int32
	for i := range 1000 {
		if err := e.submit(func(at sats.Timestamp) {
			if running.Add(1) != 1 {
				t.Error("two jobs run at once")
			}
			got = append(got, i)
			times = append(times, at)
			running.Add(-1)
		}); err != nil {
			t.Fatal(err)
		}
	}
	free()
	if err := e.do(background, func(sats.Timestamp) {}); err != nil { // behind all others
		t.Fatal(err)
	}
	for i := range 1000 {
		if got[i] != i || i > 0 && times[i] <= times[i-1] {
			t.Fatalf("job %d ran as number %d at %d", got[i], i, times[i])
		}
	}
}

func TestExecutorGivesUpWaiting(t *testing.T) {
	e := testExecutor(t)
	free := occupy(t, e)
	ctx, cancel := context.WithCancel(context.Background())
	ran := false
	result := make(chan error)
	go func() { result <- e.do(ctx, func(sats.Timestamp) { ran = true }) }()
	for e.waiting() == 0 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Errorf("do = %v; want that it was cancelled", err)
	}
	free()
	if err := e.do(background, func(sats.Timestamp) {}); err != nil {
		t.Fatal(err)
	}
	if ran {
		t.Error("a job ran that had been given up")
	}
	if err := e.do(ctx, func(sats.Timestamp) {}); err == nil {
		t.Error("a job ran for a caller who had left already")
	}
}

func TestExecutorFullQueue(t *testing.T) {
	e := testExecutor(t)
	free := occupy(t, e)
	var n atomic.Int32
	for range maxQueue {
		if err := e.submit(func(sats.Timestamp) { n.Add(1) }); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if err := e.do(ctx, func(sats.Timestamp) {}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("do with a full queue = %v; want that the time is over", err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := e.do(background, func(sats.Timestamp) { n.Add(1) }); err != nil {
			t.Error(err)
		}
	})
	free()
	wg.Wait()
	if n.Load() != maxQueue+1 {
		t.Errorf("%d jobs ran; want %d", n.Load(), maxQueue+1)
	}
}

func TestExecutorStop(t *testing.T) {
	e := newExecutor(standing(1), func(error) {})
	free := occupy(t, e)
	waiter := make(chan error)
	go func() {
		waiter <- e.do(background, func(sats.Timestamp) { t.Error("a job ran after the end") })
	}()
	for e.waiting() == 0 {
		time.Sleep(time.Millisecond)
	}
	stopped := make(chan struct{})
	last := false
	go func() {
		e.stop(ErrStopped, func() { last = true })
		close(stopped)
	}()
	for { // until the stop is under way
		if err := e.submit(func(sats.Timestamp) {}); err != nil {
			break
		}
	}
	free()
	if err := <-waiter; !errors.Is(err, ErrStopped) {
		t.Errorf("a waiting job: %v; want ErrStopped", err)
	}
	<-stopped
	if !last {
		t.Error("the last job did not run")
	}
	if err := e.do(background, func(sats.Timestamp) {}); !errors.Is(err, ErrStopped) {
		t.Errorf("do after the end: %v", err)
	}
}

func TestExecutorPanic(t *testing.T) {
	var told error
	e := newExecutor(standing(1), func(err error) { told = err })
	err := e.do(background, func(sats.Timestamp) { panic("oh") })
	if err == nil || !strings.Contains(err.Error(), "oh") || told != err {
		t.Errorf("do = %v, the owner was told %v", err, told)
	}
	if err := e.do(background, func(sats.Timestamp) {}); err != nil {
		t.Errorf("the right was lost: %v", err)
	}
	e.stop(ErrStopped, nil)
}

type deliverFunc func()

func (f deliverFunc) Deliver() { f() }

// A job that ends its goroutine does not take the right to write with it.
func TestExecutorExit(t *testing.T) {
	var told atomic.Int32
	e := newExecutor(standing(1), func(err error) {
		if errors.Is(err, errExited) {
			told.Add(1)
		}
	})
	exit := func(sats.Timestamp) { runtime.Goexit() }
	var all sync.WaitGroup
	all.Go(func() { _ = e.do(background, exit) }) // on its own goroutine
	all.Wait()
	if err := e.do(background, func(sats.Timestamp) {}); err != nil || told.Load() != 1 {
		t.Fatalf("after a job that has exited: %v, told %d times", err, told.Load())
	}
	free := occupy(t, e)
	if err := e.submit(exit); err != nil {
		t.Fatal(err)
	}
	var failed, next error
	all.Go(func() { failed = e.do(background, exit) })
	waitQueued(t, e, 2)
	all.Go(func() { next = e.do(background, func(sats.Timestamp) {}) })
	waitQueued(t, e, 3)
	free()
	all.Wait()
	if !errors.Is(failed, errExited) || next != nil || told.Load() != 3 {
		t.Errorf("who waits hears %v and %v, told %d times", failed, next, told.Load())
	}
	e.stop(ErrStopped, nil)
}

func waitQueued(t *testing.T, e *executor, n int) {
	t.Helper()
	eventually(t, "jobs in the queue", func() bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		return e.mu.queue.len() >= n
	})
}

func TestSenderOrder(t *testing.T) {
	var told error
	s := newSender(func(err error) { told = err }, func() func() { return func() {} })
	var got []int
	for i := range 3 * maxDeliveries {
		s.push(deliverFunc(func() { got = append(got, i) }))
	}
	s.flush()
	if len(got) != 3*maxDeliveries {
		t.Fatalf("%d deliveries; want %d", len(got), 3*maxDeliveries)
	}
	for i, n := range got {
		if i != n {
			t.Fatalf("delivery %d came as number %d", n, i)
		}
	}
	s.push(deliverFunc(func() { panic("oh") }))
	s.flush()
	if told == nil || !strings.Contains(told.Error(), "oh") {
		t.Errorf("told %v of a panic", told)
	}
	s.wait()
}
