package client

import "sync"

// A serverMessage is a message of package v1 or v2.
type serverMessage interface{ Append(b []byte) []byte }

// An item is what the reading goroutine hands to the delivering one: the messages of
// one payload, or a change of the connection's state.
type item struct {
	link     *link // where the messages come from
	messages []serverMessage
	size     int // bytes

	up    *resume         // link is live again, after an interruption
	down  error           // link has broken
	gone  []*Subscription // ended with it
	drop  *Subscription
	state *State
	end   bool // nothing follows
}

// An inbox is the bounded queue between reading and delivering.
type inbox struct {
	limit int
	ready chan struct{} // capacity 1: there are items

	mu    sync.Mutex
	space sync.Cond
	items []item
	bytes int  // in items and in what is being delivered
	open  bool // false: nobody delivers any more, push does not wait
}

func newInbox(limit int) *inbox {
	in := &inbox{limit: limit, ready: make(chan struct{}, 1), open: true}
	in.space.L = &in.mu
	return in
}

// push adds an item. One with messages waits until there is space.
func (in *inbox) push(it item) {
	in.mu.Lock()
	for it.size > 0 && in.bytes >= in.limit && in.open {
		in.space.Wait()
	}
	in.bytes += it.size
	in.items = append(in.items, it)
	in.mu.Unlock()
	select {
	case in.ready <- struct{}{}:
	default:
	}
}

// take returns what is queued, and the queue continues in spare.
func (in *inbox) take(spare []item) []item {
	in.mu.Lock()
	defer in.mu.Unlock()
	items := in.items
	in.items = spare
	return items
}

// done says that an item of size bytes has been delivered.
func (in *inbox) done(size int) {
	if size == 0 {
		return
	}
	in.mu.Lock()
	in.bytes -= size
	in.mu.Unlock()
	in.space.Signal()
}

// release ends waiting in push for good: the connection is being closed.
func (in *inbox) release() {
	in.mu.Lock()
	in.open = false
	in.mu.Unlock()
	in.space.Broadcast()
}

// size returns the bytes that wait.
func (in *inbox) size() int {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.bytes
}
