package server

import (
	"context"
	"sync"

	"github.com/stdbgo/spacetime/internal/wire"
)

// inboxBytes bounds the memory of messages that wait; above it the reader pauses
// and the client's own connection holds it up.
const inboxBytes = 64 << 20

// batchMax is how many messages are handed to the database at a time.
const batchMax = 256

// An item is a decoded message.
type item struct {
	msg  wire.ClientMessage
	size int // bytes it came in
}

// An inbox is the queue between the reader of a connection and its runner. Beyond
// max messages it refuses, beyond inboxBytes it makes the reader wait.
type inbox struct {
	max  int
	wake chan struct{} // capacity 1: there is something to run
	room chan struct{} // capacity 1: there is room again

	mu struct {
		sync.Mutex
		queue   []item
		pending int // in queue and in the runner's hands
		bytes   int
		ended   bool // nothing will be put any more
	}
}

func newInbox(limit int) *inbox {
	return &inbox{max: limit, wake: make(chan struct{}, 1), room: make(chan struct{}, 1)}
}

func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// put queues an item. It reports false if there are too many.
func (in *inbox) put(ctx context.Context, it item) bool {
	in.mu.Lock()
	for in.mu.bytes > inboxBytes && ctx.Err() == nil {
		in.mu.Unlock()
		select {
		case <-in.room:
		case <-ctx.Done():
		}
		in.mu.Lock()
	}
	defer in.mu.Unlock()
	if in.mu.pending >= in.max {
		return false
	}
	in.mu.queue = append(in.mu.queue, it)
	in.mu.pending++
	in.mu.bytes += it.size
	notify(in.wake)
	return true
}

// end says that nothing more will be put.
func (in *inbox) end() {
	in.mu.Lock()
	in.mu.ended = true
	in.mu.Unlock()
	notify(in.wake)
}

// take moves up to batchMax items into batch. ended means that none will come.
func (in *inbox) take(batch []item) (_ []item, ended bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	n := min(len(in.mu.queue), batchMax)
	batch = append(batch[:0], in.mu.queue[:n]...)
	rest := copy(in.mu.queue, in.mu.queue[n:])
	clear(in.mu.queue[rest:])
	in.mu.queue = in.mu.queue[:rest]
	return batch, in.mu.ended && n == 0
}

// done gives back the room of items that have run.
func (in *inbox) done(batch []item) {
	in.mu.Lock()
	for i := range batch {
		in.mu.bytes -= batch[i].size
	}
	in.mu.pending -= len(batch)
	in.mu.Unlock()
	notify(in.room)
}

// length is the number of messages that wait or run.
func (in *inbox) length() int {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.mu.pending
}
