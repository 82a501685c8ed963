package server

import (
	"sync"
	"sync/atomic"

	"github.com/stdbgo/spacetime/internal/server/ws"
	"github.com/stdbgo/spacetime/internal/subscribe"
)

// An outbox is the queue between a database and the writer of one connection. It
// implements subscribe.Outbox. Messages stand in the order in which they came;
// control frames overtake them. There is a writer while there is something to
// write: whoever brings it to an outbox at rest starts one.
//
// At its bound, in messages or in bytes, it calls full once and takes nothing
// more: a slow client loses its connection, and nobody waits for it. It does so
// below its bound, too, if all outboxes together hold too much.
type outbox struct {
	all         *outgoing // shared with all outboxes of the server
	maxMessages int
	maxBytes    int
	full        func()      // must not block, and not call the outbox
	write       func()      // the writer, which calls rest before it ends, or stop
	abort       atomic.Bool // what waits is not to be written any more

	mu struct {
		sync.Mutex
		queue  []subscribe.Message
		count  int  // messages in queue and in the writer's hands
		bytes  int  // of their bodies
		closed bool // takes no more messages: overflow, or a Close frame is due

		writing bool          // there is a writer
		seat    seat          // where it waits for more
		stopped bool          // there will be none any more
		ended   chan struct{} // finish waits here for the writer; nil: it does not

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

func newOutbox(all *outgoing, maxMessages, maxBytes int, write, full func()) *outbox {
	return &outbox{all: all, maxMessages: maxMessages, maxBytes: maxBytes, write: write, full: full}
}

// unlock gives the lock back and sees to it that there is a writer, unless there
// will be none any more.
func (o *outbox) unlock() {
	start := !o.mu.writing && !o.mu.stopped
	if start {
		o.mu.writing = true
	}
	o.mu.seat.call()
	o.mu.Unlock()
	if start {
		go o.write()
	}
}

// rest lets the writer end if there is nothing to write, after it has waited for
// more with l; nil: at once.
func (o *outbox) rest(l *lingerer) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if l != nil && !o.due() && o.mu.ended == nil {
		o.mu.seat.taken = l
		o.mu.Unlock()
		woken := l.wait()
		o.mu.Lock()
		if woken || !o.mu.seat.leave(l) {
			return false
		}
	}
	if o.due() {
		return false
	}
	o.mu.queue = nil
	o.halt()
	return true
}

// due reports whether there is something to write.
func (o *outbox) due() bool {
	return len(o.mu.queue) > 0 || o.mu.ping || o.mu.pongDue || o.mu.close != nil
}

// stop says that the writer ends and that nothing can be written any more.
func (o *outbox) stop() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.mu.closed, o.mu.stopped, o.mu.queue = true, true, nil
	o.halt()
}

func (o *outbox) halt() {
	o.mu.writing = false
	if o.mu.ended != nil {
		close(o.mu.ended)
		o.mu.ended = nil
	}
}

// finish returns when there is no writer and there will be none. The connection has
// been closed, or a Close frame is due.
func (o *outbox) finish() {
	o.mu.Lock()
	for o.mu.writing {
		ended := make(chan struct{})
		o.mu.ended = ended
		o.mu.seat.call()
		o.mu.Unlock()
		<-ended
		o.mu.Lock()
	}
	o.mu.closed, o.mu.stopped, o.mu.queue = true, true, nil
	o.mu.Unlock()
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
	o.mu.queue = append(o.mu.queue, m)
	o.mu.count++
	o.mu.bytes += len(m.Body)
	o.all.bytes.Add(int64(len(m.Body)))
	o.unlock()
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
	o.unlock()
}

// sendPong makes the answer to a Ping due. Of several pings only the latest is
// answered (RFC 6455 §5.5.3), so a flood of them costs no memory.
func (o *outbox) sendPong(payload []byte) {
	o.mu.Lock()
	o.mu.pong, o.mu.pongDue = payload, true
	o.unlock()
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
	o.unlock()
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
