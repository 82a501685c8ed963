package host

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/stdbgo/spacetime/internal/abi"
)

// maxWaiting bounds the calls that wait for an instance of one module. One more is
// refused.
const maxWaiting = 16384

var (
	// errReplaced: the module has left while a call waited for one of its instances.
	errReplaced = errors.New("the module was replaced")
	// ErrBusy refuses a call of a procedure or handler because too many wait already.
	ErrBusy = fmt.Errorf("%d calls wait for an instance of the module already; try again later, or raise procedure-instance-pool-size", maxWaiting)
)

// idleInstances is how long an instance may be idle before it is closed.
const idleInstances = time.Minute

// A pool keeps the instances of a module that procedures and HTTP handlers run on:
// at most size, each made when it is first needed. Who finds all of them in use
// waits, first come first served (spec 08 §15.1). One that nobody has needed for a
// while is closed: its memory may be large.
type pool struct {
	size        int
	instantiate func() (abi.Instance, error)
	closing     func(abi.Instance) // closes an instance
	clock       Clock
	enter       func() error // before idle instances are closed; an error means that the database ends
	leave       func()

	mu struct {
		sync.Mutex
		idle    []idleInstance // the longest idle one first
		alarm   Timer          // of the next look at idle; nil: none is set
		out     int            // instances in use, being made, or being closed by trim
		waiting queue[*poolWaiter]
		closed  bool
		drained func() // called once closed and out is zero
	}
}

// A poolWaiter is given an instance, or nil and the place to make one. A closed
// channel means that the pool is closed.
type poolWaiter struct {
	got       chan abi.Instance // capacity 1
	abandoned bool              // under the pool's mu
}

// An idleInstance waits for a call.
type idleInstance struct {
	abi.Instance
	since time.Time
}

// armLocked sets the alarm for the instance that is idle longest.
func (p *pool) armLocked() {
	if p.mu.closed || p.mu.alarm != nil || len(p.mu.idle) == 0 {
		return
	}
	p.mu.alarm = p.clock.AfterFunc(max(p.mu.idle[0].since.Add(idleInstances).Sub(p.clock.Now()), 0), p.trim)
}

// trim closes the instances that have been idle too long. It is the alarm's function.
func (p *pool) trim() {
	if p.enter() != nil {
		return // close sees to all of them
	}
	defer p.leave()
	p.mu.Lock()
	p.mu.alarm = nil
	n, until := 0, p.clock.Now().Add(-idleInstances)
	for n < len(p.mu.idle) && !p.mu.idle[n].since.After(until) {
		n++
	}
	old := slices.Clone(p.mu.idle[:n])
	p.mu.idle = slices.Delete(p.mu.idle, 0, n)
	p.mu.out += n
	p.armLocked()
	p.mu.Unlock()
	for _, i := range old {
		p.closing(i.Instance)
		p.put(nil)
	}
}

// newPool makes the pool of a module of db.
func newPool(db *Database, size int, instantiate func() (abi.Instance, error), closing func(abi.Instance)) *pool {
	return &pool{
		size: size, instantiate: instantiate, closing: closing,
		clock: db.host.opts.Clock, enter: db.procs.enter, leave: db.procs.leave,
	}
}

// take returns an instance for the caller alone, who gives it back by put.
func (p *pool) take(ctx context.Context) (abi.Instance, error) {
	inst, err := p.place(ctx)
	if err != nil || inst != nil {
		return inst, err
	}
	if inst, err = p.instantiate(); err != nil {
		p.put(nil)
		return nil, fmt.Errorf("new instance: %w", err)
	}
	return inst, nil
}

// place waits for an idle instance or the place of one to be made.
func (p *pool) place(ctx context.Context) (abi.Instance, error) {
	p.mu.Lock()
	switch {
	case p.mu.closed:
		p.mu.Unlock()
		return nil, errReplaced
	case p.mu.out < p.size:
		p.mu.out++
		var inst abi.Instance
		if n := len(p.mu.idle); n > 0 {
			inst = p.mu.idle[n-1].Instance
			p.mu.idle = slices.Delete(p.mu.idle, n-1, n)
		}
		p.mu.Unlock()
		return inst, nil
	case p.mu.waiting.len() >= maxWaiting:
		p.mu.Unlock()
		return nil, ErrBusy
	}
	w := &poolWaiter{got: make(chan abi.Instance, 1)}
	p.mu.waiting.push(w)
	p.mu.Unlock()
	select {
	case inst, ok := <-w.got:
		if !ok {
			return nil, errReplaced
		}
		return inst, nil
	case <-ctx.Done():
		p.abandon(w)
		return nil, context.Cause(ctx)
	}
}

// abandon gives up waiting; what was given meanwhile goes to the next one.
func (p *pool) abandon(w *poolWaiter) {
	p.mu.Lock()
	w.abandoned = true
	p.mu.Unlock()
	select {
	case inst, ok := <-w.got:
		if ok {
			p.put(inst)
		}
	default:
	}
}

// put gives an instance back, or with nil the place of one that was spoiled.
func (p *pool) put(inst abi.Instance) {
	p.mu.Lock()
	for {
		w, ok := p.mu.waiting.pop()
		if !ok {
			break
		}
		if !w.abandoned {
			w.got <- inst
			p.mu.Unlock()
			return
		}
	}
	p.mu.out--
	if !p.mu.closed {
		if inst != nil {
			p.mu.idle = append(p.mu.idle, idleInstance{inst, p.clock.Now()})
			p.armLocked()
		}
		p.mu.Unlock()
		return
	}
	var drained func()
	if p.mu.out == 0 {
		drained, p.mu.drained = p.mu.drained, nil
	}
	p.mu.Unlock()
	if inst != nil {
		p.closing(inst)
	}
	if drained != nil {
		drained()
	}
}

// close refuses further calls and those that wait. Instances close as soon as
// nobody uses them; then drained, if not nil, is called, once.
func (p *pool) close(drained func()) {
	p.mu.Lock()
	p.mu.closed = true
	idle := p.mu.idle
	p.mu.idle = nil
	if p.mu.alarm != nil {
		p.mu.alarm.Stop()
		p.mu.alarm = nil
	}
	for {
		w, ok := p.mu.waiting.pop()
		if !ok {
			break
		}
		close(w.got)
	}
	if p.mu.out > 0 {
		p.mu.drained, drained = drained, nil
	}
	p.mu.Unlock()
	for _, i := range idle {
		p.closing(i.Instance)
	}
	if drained != nil {
		drained()
	}
}
