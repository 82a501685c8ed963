package client

import (
	"bytes"
	"context"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// A delivery is the state of the goroutine that delivers.
type delivery struct {
	mu        sync.Mutex // held while delivering, so that one does at a time
	context   context.Context
	goroutine atomic.Uint64 // the one that delivers now; 0: nobody does
	stalled   *time.Timer
	patience  time.Duration // before the logger hears of it

	sets       map[uint32]*Subscription // by query set: those whose rows were handed over
	generation uint32                   // V1: the set that rows have in the cache
	parting    []*Subscription          // V1: given up, but their rows are still there
	resync     *resync                  // not nil while the new initial rows are collected
	broken     *link                    // its further messages are of no use
	spare      []item
	changes    []change
	over       bool
}

// stallTime is how long callbacks may take before the logger hears of it.
const stallTime = 5 * time.Second

func (d *delivery) init(c *Conn) {
	d.context = context.WithValue(c.run, callbackMark{}, c)
	d.sets = map[uint32]*Subscription{}
	if c.opts.Logger != nil {
		d.patience = stallTime
		d.stalled = time.AfterFunc(stallTime, func() {
			c.warn("delivering has stood still for some time, so a callback is slow or waits for its own connection", "time", d.patience)
		})
		d.stalled.Stop()
	}
}

// deliverAll delivers until the connection has ended.
func (c *Conn) deliverAll() {
	self := goroutineID()
	for range c.in.ready {
		c.delivery.mu.Lock()
		c.deliverQueued(self)
		over := c.delivery.over
		c.delivery.mu.Unlock()
		if over {
			return
		}
	}
}

// Tick delivers what has been read, without waiting, with Options.Manual. It returns
// nil while the connection lives, then why it has ended. While another goroutine
// delivers, or in a callback, it does nothing.
func (c *Conn) Tick() error {
	if c.opts.Manual && c.delivery.mu.TryLock() {
		c.deliverQueued(goroutineID())
		c.delivery.mu.Unlock()
	}
	return c.over()
}

// Step waits until something has been read and delivers it, with Options.Manual. It
// returns nil while the connection lives, then why it has ended; or the cause of ctx.
func (c *Conn) Step(ctx context.Context) error {
	if c.delivery.inCallback() {
		return ErrInCallback
	}
	for delivered := 0; delivered == 0 && c.over() == nil; {
		select {
		case <-c.in.ready:
		case <-c.done:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if c.opts.Manual {
			c.delivery.mu.Lock()
			delivered = c.deliverQueued(goroutineID())
			c.delivery.mu.Unlock()
		}
	}
	return c.over()
}

// over returns nil while the connection lives, and afterwards never nil.
func (c *Conn) over() error {
	select {
	case <-c.done:
	default:
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.ended()
}

// deliverQueued delivers what is queued, and returns how many items that was. The
// delivery is locked, and self is the goroutine's number.
func (c *Conn) deliverQueued(self uint64) (n int) {
	d := &c.delivery
	d.goroutine.Store(self)
	defer d.goroutine.Store(0)
	for !d.over {
		items := c.in.take(d.spare[:0])
		if d.spare = nil; len(items) == 0 {
			break
		}
		n += len(items)
		for i := range items {
			c.deliver(&items[i])
			c.in.done(items[i].size)
			items[i] = item{}
		}
		d.spare = items
	}
	return n
}

// deliver handles one item.
func (c *Conn) deliver(it *item) {
	d := &c.delivery
	if d.stalled != nil {
		d.stalled.Reset(d.patience)
		defer d.stalled.Stop()
	}
	switch {
	case it.state != nil:
		if c.opts.OnState != nil {
			c.guard(func() { c.opts.OnState(*it.state) })
		}
	case it.up != nil:
		c.beginResync(it.link, it.up)
	case it.down != nil:
		c.linkIsDown(it)
	case it.drop != nil:
		c.part(it.drop)
	case it.end:
		c.finish()
	default:
		for _, m := range it.messages {
			if d.broken == it.link || c.halted.Load() {
				return
			}
			if err := c.dispatch(it.link, m); err != nil {
				c.giveUp(it.link, err)
			}
		}
	}
}

// giveUp breaks a link whose messages cannot be applied.
func (c *Conn) giveUp(l *link, err error) {
	c.delivery.broken = l
	c.breakLink(l, err)
}

// dispatch handles one message.
func (c *Conn) dispatch(l *link, m serverMessage) error {
	if held, err := c.holdBack(l, m); held || err != nil {
		return err
	}
	if l.session.protocol == V1 {
		return c.dispatchV1(l, m)
	}
	return c.dispatchV2(l, m)
}

// transact applies changes and runs the callbacks for them.
func (c *Conn) transact(ev *Event, changes []change, drops ...uint32) error {
	if err := c.cache.transact(changes, drops); err != nil {
		return err
	}
	c.counts.transactions.Add(1)
	ev.conn = c
	c.cache.tell(ev)
	return nil
}

// dropSets takes the rows of subscriptions out of the cache.
func (c *Conn) dropSets(subs ...*Subscription) {
	var sets []uint32
	for _, s := range subs {
		delete(c.delivery.sets, s.cached)
		if s.cached != 0 && s.raw == nil && c.delivery.generation == 0 { // V1 says which rows go
			sets = append(sets, s.cached)
		}
		s.cached = 0
	}
	if len(sets) > 0 {
		_ = c.transact(&Event{Kind: Unapplied}, nil, sets...) // only decoding fails, and nothing is decoded
	}
}

// finish ends everything after the last message.
func (c *Conn) finish() {
	c.mu.Lock()
	err := c.mu.ended()
	subs := c.mu.sets
	c.mu.sets = map[uint32]*Subscription{}
	c.mu.Unlock()
	for _, s := range subs {
		s.end(err)
	}
	for _, s := range c.delivery.sets {
		s.end(err)
	}
	for _, s := range c.delivery.parting {
		s.end(err)
	}
	if c.delivery.stalled != nil {
		c.delivery.stalled.Stop()
	}
	c.delivery.over = true
	close(c.done)
}

// linkIsDown ends what does not outlive its link.
func (c *Conn) linkIsDown(it *item) {
	l := it.link
	c.mu.Lock()
	end := c.unknown(it.down)
	calls, asks := l.calls, l.asks
	l.calls, l.asks = nil, nil
	c.mu.Unlock()
	if r := c.delivery.resync; r != nil { // its rows are not in the cache
		c.delivery.generation, c.delivery.resync = r.old, nil
	}
	for _, call := range calls {
		call.finish(end)
	}
	for _, a := range asks {
		a.err = end
		close(a.done)
	}
	for _, s := range it.gone {
		if s.raw != nil {
			c.dropSets(s)
			s.end(end)
		} else {
			c.part(s)
		}
	}
}

// part ends a subscription that was given up while there is no link. Of V1, which does
// not say whose the rows are, they go with the next resynchronisation.
func (c *Conn) part(s *Subscription) {
	if c.delivery.generation != 0 {
		c.delivery.parting = append(c.delivery.parting, s)
		return
	}
	c.dropSets(s)
	s.end(nil)
}

// guard runs a callback, unless Close or a panic has been before it.
func (c *Conn) guard(callback func()) {
	if !c.halted.Load() {
		c.always(callback)
	}
}

// always runs a callback that must run.
func (c *Conn) always(callback func()) {
	defer func() {
		if v := recover(); v != nil {
			c.panicked(v, debug.Stack())
		}
	}()
	callback()
}

// panicked does what the options say about a panic in a callback.
func (c *Conn) panicked(v any, stack []byte) {
	if c.opts.OnPanic != nil {
		c.opts.OnPanic(v, stack)
		return
	}
	c.halted.Store(true)
	err := &PanicError{v, stack}
	c.mu.Lock()
	if c.mu.err == nil {
		c.mu.err = err
	}
	l := c.mu.link
	c.mu.space.Broadcast()
	c.mu.Unlock()
	if l != nil {
		c.breakLink(l, err)
	}
	c.stop()
}

// mayWait refuses to wait on the goroutine that would have to deliver what is waited
// for.
func (c *Conn) mayWait(ctx context.Context) error {
	if ctx.Value(callbackMark{}) == any(c) || c.delivery.inCallback() {
		return ErrInCallback
	}
	return nil
}

// inCallback reports whether the calling goroutine is the one that delivers.
func (d *delivery) inCallback() bool {
	delivers := d.goroutine.Load()
	return delivers != 0 && delivers == goroutineID()
}

// goroutineID returns the number that the runtime prints for this goroutine, as the
// HTTP/2 of the standard library does. A wrong answer would be harmless: it tells
// waiting callbacks from other callers, which nothing else does: a context need not be
// passed on, and labels of a goroutine go on to those that it starts, which may wait.
func goroutineID() uint64 {
	var b [64]byte
	text := bytes.TrimPrefix(b[:runtime.Stack(b[:], false)], []byte("goroutine "))
	digits, _, _ := bytes.Cut(text, []byte(" "))
	n, err := strconv.ParseUint(string(digits), 10, 64)
	if err != nil {
		return 0
	}
	return n
}
