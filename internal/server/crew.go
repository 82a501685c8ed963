package server

import (
	"runtime"
	"slices"
	"sync"
)

// A crew is the writers of a server. Outboxes with something to write stand in one
// list, each at most once, and a few writers work through it: to send something to
// a thousand clients wakes one writer, which calls others if the list is long.
//
// A writer that has to wait for its client or the disk, or has much to do for one
// client, leaves the list to others before: it stays with that client alone and
// comes back when it is done. So there are as many writers as clients that keep one
// busy, and nobody waits for them. Without work a writer stays for lingerFor.
type crew struct {
	limit int // how many writers work through the list at a time

	mu struct {
		sync.Mutex
		first, last *outbox // the list
		working     int     // writers that work through it
		called      bool    // one of them is in the state called
		idle        []*writer
	}
}

// maxIdle is how many writers wait for work at a time.
const maxIdle = 64

// The states of a writer; the lock of the crew guards them.
const (
	resting = iota // it may be among the idle ones
	called         // it counts as working, and has not looked at the list yet
	working
	away // it stays with one client
)

func (c *crew) init() { c.limit = max(2, runtime.GOMAXPROCS(0)) }

// push puts an outbox on the list. It never blocks.
func (c *crew) push(o *outbox) {
	c.mu.Lock()
	if c.mu.last == nil {
		c.mu.first = o
	} else {
		c.mu.last.next = o
	}
	c.mu.last = o
	w := c.call()
	c.mu.Unlock()
	c.begin(w)
}

// call chooses a writer to be begun, if one is needed. It looks at the list before it
// does anything else, and calls the next one: whoever pushes wakes one at a time.
func (c *crew) call() *writer {
	if c.mu.first == nil || c.mu.called || c.mu.working >= c.limit {
		return nil
	}
	c.mu.called = true
	c.mu.working++
	n := len(c.mu.idle)
	if n == 0 {
		return fresh
	}
	w := c.mu.idle[n-1]
	c.mu.idle[n-1] = nil
	c.mu.idle = c.mu.idle[:n-1]
	w.state = called
	return w
}

// fresh stands for a writer that is not there yet.
var fresh = new(writer)

// begin begins a writer that was called.
func (c *crew) begin(w *writer) {
	switch w {
	case nil:
	case fresh:
		go c.work()
	default:
		w.lingerer.wake <- struct{}{}
	}
}

// work is the life of a writer.
func (c *crew) work() {
	w := writers.Get().(*writer)
	w.crew, w.state = c, called
	for o := c.next(w); o != nil; o = c.next(w) {
		o.by.Store(w)
		o.write(w)
		o.by.CompareAndSwap(w, nil) // another writer may have it already
	}
	w.crew = nil
	writers.Put(w)
}

// next returns the next outbox of the list, for which the writer waits a little; nil:
// the writer has to end.
func (c *crew) next(w *writer) *outbox {
	c.mu.Lock()
	if w.state == away {
		w.state = resting
		if c.mu.working < c.limit {
			w.state = working
			c.mu.working++
		}
	}
	for {
		if w.state == called {
			w.state, c.mu.called = working, false
		}
		if w.state == working {
			if o := c.mu.first; o != nil {
				if c.mu.first = o.next; o.next == nil {
					c.mu.last = nil
				}
				o.next = nil
				other := c.call()
				c.mu.Unlock()
				c.begin(other)
				return o
			}
			w.state = resting
			c.mu.working--
		}
		if len(c.mu.idle) >= maxIdle {
			c.mu.Unlock()
			return nil
		}
		c.mu.idle = append(c.mu.idle, w)
		c.mu.Unlock()
		woken := w.lingerer.wait()
		c.mu.Lock()
		if !woken {
			if i := slices.Index(c.mu.idle, w); i >= 0 {
				c.mu.idle = slices.Delete(c.mu.idle, i, i+1)
				c.mu.Unlock()
				return nil
			}
			<-w.lingerer.wake // called meanwhile
		}
	}
}

// leave lets others work through the list, because the writer may have to wait.
func (c *crew) leave(w *writer) {
	c.mu.Lock()
	var other *writer
	if w.state == working {
		w.state = away
		c.mu.working--
		other = c.call()
	}
	c.mu.Unlock()
	c.begin(other)
}

// mayWait says that the outbox's writer may have to wait from now on. Whoever writes
// to the connection may call it.
func (o *outbox) mayWait() {
	if w := o.by.Load(); w != nil {
		o.all.crew.leave(w)
	}
}
