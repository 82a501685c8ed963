package host

import (
	"fmt"
	"runtime/debug"
	"sync"

	"github.com/stdbgo/spacetime/internal/subscribe"
)

// maxDeliveries bounds the deliveries between the executor and the outboxes. The
// executor waits when there are more: messages cost memory.
const maxDeliveries = 4096

// A sender runs the deliveries of one database, one at a time, in the order in
// which the executor pushed them. It has a goroutine only while there is something
// to deliver.
type sender struct {
	panicked func(err error)       // a delivery panicked
	timed    func() (ended func()) // begins to time one delivery of some
	count    int                   // belongs to whoever delivers

	mu struct {
		sync.Mutex
		queue  queue[subscribe.Delivery]
		pushed uint64
		sent   uint64
		busy   bool
		room   *sync.Cond // the queue became shorter
		moved  *sync.Cond // sent grew
		idle   *sync.Cond // busy became false
	}
}

func newSender(panicked func(error), timed func() (ended func())) *sender {
	s := &sender{panicked: panicked, timed: timed}
	s.mu.room = sync.NewCond(&s.mu.Mutex)
	s.mu.moved = sync.NewCond(&s.mu.Mutex)
	s.mu.idle = sync.NewCond(&s.mu.Mutex)
	return s
}

// push adds a delivery. It belongs to the holder of the right to write.
func (s *sender) push(d subscribe.Delivery) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.mu.queue.len() >= maxDeliveries {
		s.mu.room.Wait()
	}
	s.mu.queue.push(d)
	s.mu.pushed++
	if !s.mu.busy {
		s.mu.busy = true
		go s.drain()
	}
}

// flush returns when everything pushed before it has been delivered.
func (s *sender) flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for upTo := s.mu.pushed; s.mu.sent < upTo; {
		s.mu.moved.Wait()
	}
}

// drain delivers until nothing is left; wait waits for it.
func (s *sender) drain() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.stepLocked() {
	}
	s.mu.busy = false
	s.mu.idle.Broadcast()
}

// stepLocked makes one delivery, without the lock, and reports whether there was
// one. The caller is the busy one.
func (s *sender) stepLocked() bool {
	d, ok := s.mu.queue.pop()
	if !ok {
		return false
	}
	s.mu.room.Signal()
	s.mu.Unlock()
	s.deliver(d)
	s.mu.Lock()
	s.mu.sent++
	s.mu.moved.Broadcast()
	return true
}

func (s *sender) deliver(d subscribe.Delivery) {
	defer func() {
		if v := recover(); v != nil {
			s.panicked(fmt.Errorf("host: internal error in a delivery: %v\n%s", v, debug.Stack()))
		}
	}()
	if s.count++; s.count%serializeOf == 1 {
		defer s.timed()()
	}
	d.Deliver()
}

// wait returns when nothing is left and nobody delivers.
func (s *sender) wait() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.mu.busy {
		s.mu.idle.Wait()
	}
}
