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

// An inbox is the queue between the reader of a connection and its runner, which
// is there while there is something to run. Beyond max messages it refuses, beyond
// inboxBytes it makes the reader wait. put and finish belong to the reader.
type inbox struct {
	max    int
	run    func() // the runner, which ends when rest lets it
	runner sync.WaitGroup
	held   holding // of the queue, in steps; under the lock

	mu struct {
		sync.Mutex
		queue   []item
		pending int // in queue and in the runner's hands
		bytes   int
		running bool
		ending  bool          // nothing will be put any more
		seat    seat          // where the runner waits for more
		deaf    bool          // what is put is thrown away
		room    chan struct{} // closed when there is room again; nil: nobody waits
	}
}

func newInbox(limit int, all *incoming, run func()) *inbox {
	return &inbox{max: limit, run: run, held: holding{of: all}}
}

// inboxStep is in what steps the bytes of a queue are counted among those of all.
const inboxStep = 64 << 10

// countLocked brings what is counted up to date. It reports false if there is no room.
func (in *inbox) countLocked() bool {
	n := max(in.mu.bytes, 0)/inboxStep*inboxStep - int(in.held.n)
	return n == 0 || in.held.grow(n)
}

// put queues an item. It reports false if there are too many.
func (in *inbox) put(ctx context.Context, it item) bool {
	in.mu.Lock()
	for in.mu.bytes > inboxBytes && ctx.Err() == nil {
		if in.mu.room == nil {
			in.mu.room = make(chan struct{})
		}
		room := in.mu.room
		in.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
		}
		in.mu.Lock()
	}
	defer in.mu.Unlock()
	switch {
	case in.mu.deaf:
		return true
	case in.mu.pending >= in.max:
		return false
	}
	in.mu.bytes += it.size
	if !in.countLocked() {
		in.mu.bytes -= it.size
		return false
	}
	in.mu.queue = append(in.mu.queue, it)
	in.mu.pending++
	if !in.mu.running {
		in.mu.running = true
		in.runner.Go(in.run)
	}
	in.mu.seat.call()
	return true
}

// finish returns when all that was put has been run.
func (in *inbox) finish() {
	in.mu.Lock()
	in.mu.ending = true
	in.mu.seat.call()
	in.mu.Unlock()
	in.runner.Wait()
}

// rest lets the runner end if there is nothing to run, after it has waited for more.
func (in *inbox) rest(l *lingerer) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	if len(in.mu.queue) == 0 && !in.mu.ending {
		in.mu.seat.taken = l
		in.mu.Unlock()
		woken := l.wait()
		in.mu.Lock()
		if woken || !in.mu.seat.leave(l) {
			return false
		}
	}
	if len(in.mu.queue) > 0 {
		return false
	}
	in.mu.queue, in.mu.running = nil, false
	return true
}

// take moves up to batchMax items into batch.
func (in *inbox) take(batch []item) []item {
	in.mu.Lock()
	defer in.mu.Unlock()
	n := min(len(in.mu.queue), batchMax)
	batch = append(batch[:0], in.mu.queue[:n]...)
	rest := copy(in.mu.queue, in.mu.queue[n:])
	clear(in.mu.queue[rest:])
	in.mu.queue = in.mu.queue[:rest]
	return batch
}

// close throws away what waits and what still comes.
func (in *inbox) close() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.mu.deaf, in.mu.queue, in.mu.pending, in.mu.bytes = true, nil, 0, 0
	in.mu.running = false
	in.held.release()
	in.makeRoom()
}

func (in *inbox) makeRoom() {
	if in.mu.room != nil {
		close(in.mu.room)
		in.mu.room = nil
	}
}

// done gives back the room of items that have run.
func (in *inbox) done(batch []item) {
	in.mu.Lock()
	for i := range batch {
		in.mu.bytes -= batch[i].size
	}
	in.mu.pending -= len(batch)
	in.countLocked()
	in.makeRoom()
	in.mu.Unlock()
}

// length is the number of messages that wait or run.
func (in *inbox) length() int {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.mu.pending
}
