package server

import (
	"sync"
	"sync/atomic"

	"github.com/stdbgo/spacetime/internal/server/ws"
	"github.com/stdbgo/spacetime/internal/subscribe"
)

// An outbox is the queue between a database and the writer of one connection. It
// implements subscribe.Outbox. Messages stand in the order in which they came;
// control frames overtake them.
//
// At its bound, in messages or in bytes, it calls full once and takes nothing
// more: a slow client loses its connection, and nobody waits for it. It does so
// below its bound, too, if all outboxes together hold too much.
type outbox struct {
	all         *outgoing // shared with all outboxes of the server
	maxMessages int
	maxBytes    int
	full        func()        // must not block, and not call the outbox
	wake        chan struct{} // capacity 1: there may be something to write
	abort       atomic.Bool   // what waits is not to be written any more

	mu struct {
		sync.Mutex
		queue  []subscribe.Message
		count  int  // messages in queue and in the writer's hands
		bytes  int  // of their bodies
		closed bool // takes no more messages: overflow, or a Close frame is due

		ping    bool
		pong    []byte // payload of the latest ping to answer
		pongDue bool
		close   []byte // the Close frame, to be written last
	}
}

// outgoing counts what waits in all outboxes.
type outgoing struct {
	max   int64
	bytes atomic.Int64
}

// alwaysOut is what may wait for one client however much waits for others.
const alwaysOut = 1 << 20

// exceeded reports whether a client for which so much would wait has to go.
func (a *outgoing) exceeded(n int) bool { return n > alwaysOut && a.bytes.Load() > a.max }

func newOutbox(all *outgoing, maxMessages, maxBytes int, full func()) *outbox {
	return &outbox{all: all, maxMessages: maxMessages, maxBytes: maxBytes, full: full, wake: make(chan struct{}, 1)}
}

func (o *outbox) signal() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// Send queues a message. It never blocks.
func (o *outbox) Send(m subscribe.Message) {
	o.mu.Lock()
	switch {
	case o.mu.closed:
		o.mu.Unlock()
		return
	case o.mu.count >= o.maxMessages, o.mu.count > 0 && o.mu.bytes+len(m.Body) > o.maxBytes,
		o.all.exceeded(o.mu.bytes + len(m.Body)):
		o.mu.closed, o.mu.queue = true, nil
		o.abort.Store(true)
		o.mu.Unlock()
		o.full()
		return
	}
	first := len(o.mu.queue) == 0
	o.mu.queue = append(o.mu.queue, m)
	o.mu.count++
	o.mu.bytes += len(m.Body)
	o.all.bytes.Add(int64(len(m.Body)))
	o.mu.Unlock()
	if first {
		o.signal()
	}
}

// take moves the queue into reuse, whose content the writer has dealt with.
func (o *outbox) take(reuse []subscribe.Message) []subscribe.Message {
	o.mu.Lock()
	defer o.mu.Unlock()
	taken := o.mu.queue
	clear(reuse)
	o.mu.queue = reuse[:0]
	return taken
}

// sent gives back the room of n messages of so many bytes.
func (o *outbox) sent(n, bytes int) {
	o.mu.Lock()
	o.mu.count -= n
	o.mu.bytes -= bytes
	o.mu.Unlock()
	o.all.bytes.Add(-int64(bytes))
}

// release gives back the room of all that was not sent. The writer has ended.
func (o *outbox) release() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.all.bytes.Add(-int64(o.mu.bytes))
	o.mu.closed, o.mu.queue, o.mu.count, o.mu.bytes = true, nil, 0, 0
}

// length is the number of messages that wait.
func (o *outbox) length() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.mu.count
}

// sendPing makes a Ping due.
func (o *outbox) sendPing() {
	o.mu.Lock()
	o.mu.ping = true
	o.mu.Unlock()
	o.signal()
}

// sendPong makes the answer to a Ping due. Of several pings only the latest is
// answered (RFC 6455 §5.5.3), so a flood of them costs no memory.
func (o *outbox) sendPong(payload []byte) {
	o.mu.Lock()
	o.mu.pong, o.mu.pongDue = payload, true
	o.mu.Unlock()
	o.signal()
}

// sendClose makes a Close frame due, and nothing more is taken. What waits is
// written before it, or dropped. Only the first Close counts.
func (o *outbox) sendClose(frame []byte, drop bool) {
	o.mu.Lock()
	if o.mu.close == nil {
		o.mu.close = frame
	}
	o.mu.closed = true
	if drop {
		o.mu.queue = nil
		o.abort.Store(true)
	}
	o.mu.Unlock()
	o.signal()
}

// closing reports whether a Close frame is due or was written.
func (o *outbox) closing() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.mu.close != nil
}

// control appends the control frames that are due. The Close frame is one of
// them only if final is set; after it nothing may be written any more.
func (o *outbox) control(b []byte, final bool) (_ []byte, closed bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.mu.close != nil {
		if final && len(o.mu.queue) == 0 {
			return append(b, o.mu.close...), true
		}
		return b, false
	}
	if o.mu.pongDue {
		b = ws.AppendControl(b, ws.Pong, o.mu.pong)
		o.mu.pong, o.mu.pongDue = nil, false
	}
	if o.mu.ping {
		b = ws.AppendControl(b, ws.Ping, nil)
		o.mu.ping = false
	}
	return b, false
}
