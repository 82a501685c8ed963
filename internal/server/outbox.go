package server

import (
	"sync"
	"sync/atomic"

	"github.com/stdbgo/spacetime/internal/server/ws"
	"github.com/stdbgo/spacetime/internal/subscribe"
)

// An outbox is the queue between a database and the writer of one connection. It
// implements subscribe.Outbox. Messages stand in the order in which they came;
// control frames overtake them. While there is something to write it waits for a
// writer of the crew, or has one: whoever brings it to an outbox at rest puts the
// outbox on the crew's list.
//
// At its bound, in messages or in bytes, it calls full once and takes nothing
// more: a slow client loses its connection, and nobody waits for it. It does so
// below its bound, too, if all outboxes together hold too much.
type outbox struct {
	all         *outgoing // shared with all outboxes of the server
	maxMessages int
	maxBytes    int
	full        func()        // must not block, and not call the outbox
	write       func(*writer) // writes, and calls rest before it ends, or stop
	abort       atomic.Bool   // what waits is not to be written any more
	by          atomic.Pointer[writer]
	next        *outbox // on the crew's list, whose lock guards it

	mu struct {
		sync.Mutex
		one    subscribe.Message // what waits, if alone is set: most have no more
		alone  bool
		queue  *batch // what waits, if alone is not set; nil: nothing
		count  int    // messages that wait or are in the writer's hands
		bytes  int    // of their bodies
		closed bool   // takes no more messages: overflow, or a Close frame is due

		writing bool          // there is a writer, or will be
		stopped bool          // there will be none any more
		ended   chan struct{} // finish waits here for the writer; nil: it does not

		ping    bool
		pong    []byte // payload of the latest ping to answer
		pongDue bool
		close   []byte // the Close frame, to be written last
	}
}

// outgoing is what all outboxes of a server share: the count of what waits in them,
// and who writes it.
type outgoing struct {
	max   int64
	bytes atomic.Int64
	crew  crew
}

func newOutgoing(limit int64) *outgoing {
	a := &outgoing{max: limit}
	a.crew.init()
	return a
}

// A batch is a list of messages that is used again.
type batch struct{ list []subscribe.Message }

var batches = sync.Pool{New: func() any { return &batch{make([]subscribe.Message, 0, 32)} }}

// empty forgets the messages, and a list that is too long to be kept.
func (b *batch) empty() {
	clear(b.list)
	b.list = b.list[:0]
	if cap(b.list) > keepBatch {
		b.list = nil
	}
}

// alwaysOut is what may wait for one client however much waits for others.
const alwaysOut = 1 << 20

// exceeded reports whether a client for which so much would wait has to go.
func (a *outgoing) exceeded(n int) bool { return n > alwaysOut && a.bytes.Load() > a.max }

func newOutbox(all *outgoing, maxMessages, maxBytes int, write func(*writer), full func()) *outbox {
	return &outbox{all: all, maxMessages: maxMessages, maxBytes: maxBytes, write: write, full: full}
}

// unlock gives the lock back and sees to it that there is a writer, unless there
// will be none any more.
func (o *outbox) unlock() {
	start := !o.mu.writing && !o.mu.stopped
	if start {
		o.mu.writing = true
	}
	o.mu.Unlock()
	if start {
		o.all.crew.push(o)
	}
}

// rest lets the writer go if there is nothing to write.
func (o *outbox) rest() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.due() {
		return false
	}
	o.drop()
	o.halt()
	return true
}

// due reports whether there is something to write.
func (o *outbox) due() bool {
	return o.waits() || o.mu.ping || o.mu.pongDue || o.mu.close != nil
}

// waits reports whether there is a message.
func (o *outbox) waits() bool { return o.mu.alone || o.mu.queue != nil && len(o.mu.queue.list) > 0 }

// drop throws away what waits, and the memory for it.
func (o *outbox) drop() {
	o.mu.one, o.mu.alone = subscribe.Message{}, false
	if o.mu.queue != nil {
		o.mu.queue.empty()
		batches.Put(o.mu.queue)
		o.mu.queue = nil
	}
}

// stop says that the writer ends and that nothing can be written any more.
func (o *outbox) stop() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.mu.closed, o.mu.stopped = true, true
	o.drop()
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
		o.mu.Unlock()
		<-ended
		o.mu.Lock()
	}
	o.mu.closed, o.mu.stopped = true, true
	o.drop()
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
		o.mu.closed = true
		o.drop()
		o.abort.Store(true)
		o.mu.Unlock()
		o.full()
		return
	}
	o.add(m)
	o.mu.count++
	o.mu.bytes += len(m.Body)
	o.all.bytes.Add(int64(len(m.Body)))
	o.unlock()
}

// add puts a message behind those that wait.
func (o *outbox) add(m subscribe.Message) {
	switch {
	case o.mu.queue != nil:
		o.mu.queue.list = append(o.mu.queue.list, m)
	case !o.mu.alone:
		o.mu.one, o.mu.alone = m, true
	default:
		o.mu.queue = batches.Get().(*batch)
		o.mu.queue.list = append(o.mu.queue.list, o.mu.one, m)
		o.mu.one, o.mu.alone = subscribe.Message{}, false
	}
}

// take exchanges done, whose messages the writer has dealt with, for what waits.
func (o *outbox) take(done *batch) *batch {
	done.empty()
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.mu.queue == nil {
		if o.mu.alone {
			done.list = append(done.list, o.mu.one)
			o.mu.one, o.mu.alone = subscribe.Message{}, false
		}
		return done
	}
	taken := o.mu.queue
	o.mu.queue = done
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
	o.mu.closed, o.mu.count, o.mu.bytes = true, 0, 0
	o.drop()
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
		o.drop()
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
		if final && !o.waits() {
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
