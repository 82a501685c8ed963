package server

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/stdbgo/spacetime/internal/server/ws"
	"github.com/stdbgo/spacetime/internal/subscribe"
	"github.com/stdbgo/spacetime/internal/wire"
)

// fragment is the size of the frames of a long message: between them control
// frames slip in, so that a slow reader of a long message can answer pings.
const fragment = 64 << 10

// flushAt is how much is gathered before it is written.
const flushAt = 64 << 10

// keepBuffer is the largest buffer that is kept for later, keepBatch the longest
// list of messages.
const (
	keepBuffer = 4 * flushAt
	keepBatch  = 1024
)

// durableWait is how long the writer waits for the disk before it looks at
// control frames again.
const durableWait = time.Second

// A writer turns the messages of an outbox into frames. It belongs to one goroutine,
// and to one session at a time.
type writer struct {
	lingerer *lingerer
	crew     *crew
	state    int // of the crew's

	ss      *session
	batch   *batch
	buf     []byte // frames to be written
	payload []byte // an envelope being built
	group   []byte // bodies that share a payload

	count, bytes int // messages in buf, and the size of their bodies
}

// writers holds those that have ended, with their buffers.
var writers = sync.Pool{New: func() any { return newWriter() }}

func newWriter() *writer { return &writer{lingerer: newLingerer(), batch: batches.Get().(*batch)} }

// manyRounds is after how many rounds for one client a writer leaves the others to others.
const manyRounds = 16

var errAborted = errors.New("server: the session ends")

// write writes until there is nothing to write.
func (ss *session) write(w *writer) {
	w.ss = ss
	if w.run() {
		ss.out.stop()
	}
	w.batch.empty()
	w.ss, w.buf, w.count, w.bytes = nil, w.buf[:0], 0, 0
}

// run writes what is in the outbox. It reports whether that was the last.
func (w *writer) run() (last bool) {
	for round := 1; ; round++ {
		if round == manyRounds {
			w.ss.out.mayWait()
		}
		w.batch = w.ss.out.take(w.batch)
		if err := w.all(w.batch.list); err != nil && !errors.Is(err, errAborted) {
			w.ss.kill("websocket_send_error")
			return true
		}
		if len(w.batch.list) > 0 {
			continue
		}
		var closed bool
		w.buf, closed = w.ss.out.control(w.buf, true)
		if err := w.flush(); err != nil {
			w.ss.kill("websocket_send_error")
			return true
		}
		if closed {
			w.ss.awaitClose()
			return true
		}
		if w.ss.out.rest() {
			return false
		}
	}
}

// awaitClose gives the client time to answer our Close; after an answer to its
// own there is nothing to wait for.
func (ss *session) awaitClose() {
	ss.mu.Lock()
	answered := ss.mu.answered
	if !answered {
		ss.mu.patience = time.AfterFunc(ss.s.ws.CloseTimeout, func() { ss.kill("unknown") })
	}
	ss.mu.Unlock()
	if answered {
		ss.kill(causeClientClose)
	}
}

// all writes a batch, as few writes as its size allows.
func (w *writer) all(batch []subscribe.Message) (err error) {
	for i := 0; i < len(batch); {
		if w.ss.out.abort.Load() {
			return errAborted // what is in buf may be the end of a message that is partly sent
		}
		if err := w.gate(&batch[i]); err != nil {
			return err
		}
		n := w.together(batch[i:])
		if n > 1 {
			err = w.message(w.joined(batch[i:i+n]), nil, n)
		} else {
			err = w.message(batch[i].Body, batch[i].Shared, 1)
		}
		if err != nil {
			return err
		}
		i += n
	}
	return w.flush()
}

// ready reports whether a message need not wait for the disk.
func (w *writer) ready(m *subscribe.Message) bool {
	return !m.Gated || !w.ss.confirmed || m.Offset < w.ss.durable
}

// gate waits until the transaction of a message is on disk, if the client asked
// for confirmed reads (spec 05 §13.4). What is ready goes out first.
func (w *writer) gate(m *subscribe.Message) error {
	for !w.ready(m) {
		if err := w.flush(); err != nil {
			return err
		}
		w.ss.out.mayWait()
		ctx, cancel := context.WithTimeout(w.ss.ctx, durableWait)
		durable, err := w.ss.db.WaitDurable(ctx, m.Offset)
		cancel()
		switch {
		case err == nil:
			w.ss.durable = max(durable, m.Offset+1)
		case w.ss.ctx.Err() != nil || w.ss.out.abort.Load():
			return errAborted
		case errors.Is(err, context.DeadlineExceeded):
			w.buf, _ = w.ss.out.control(w.buf, false)
		default: // the database stopped: what waits is lost
			w.ss.exited()
			return errAborted
		}
	}
	return nil
}

// together is how many of the messages may share a payload: with v3 those that
// are ready, up to its bounds. One that is compressed for several clients stays
// alone.
func (w *writer) together(batch []subscribe.Message) int {
	if w.ss.protocol != wire.V3 || w.compressed(&batch[0]) {
		return 1
	}
	size := len(batch[0].Body)
	n := 1
	for n < len(batch) && n < wire.MaxV3Messages && w.ready(&batch[n]) && !w.compressed(&batch[n]) &&
		size+len(batch[n].Body) <= wire.MaxV3Payload {
		size += len(batch[n].Body)
		n++
	}
	return n
}

// compressed reports whether a message is to be compressed once for all who get it.
func (w *writer) compressed(m *subscribe.Message) bool {
	return m.Shared != nil && w.ss.compress != wire.CompressNone
}

func (w *writer) joined(batch []subscribe.Message) []byte {
	w.group = w.group[:0]
	for i := range batch {
		w.group = append(w.group, batch[i].Body...)
	}
	return w.group
}

// message appends the frames of one payload, which holds n messages. shared is the
// message's own, if it has one.
func (w *writer) message(body []byte, shared *wire.Shared, n int) error {
	op, payload := ws.Binary, body
	if len(body) > fragment { // it takes long to compress or to write
		w.ss.out.mayWait()
	}
	switch {
	case w.ss.protocol == wire.V1JSON:
		op = ws.Text
	case shared != nil && w.ss.compress != wire.CompressNone:
		payload = shared.Envelope(body, w.ss.compress)
	default:
		w.payload = wire.AppendEnvelope(w.payload[:0], body, w.ss.compress)
		payload = w.payload
	}
	w.ss.watch.sent.Observe(float64(len(payload)))
	for first := true; first || len(payload) > 0; first = false {
		piece := payload[:min(len(payload), fragment)]
		payload = payload[len(piece):]
		w.buf = ws.AppendHeader(w.buf, op, len(payload) == 0, len(piece))
		w.buf = append(w.buf, piece...)
		op = ws.Continuation
		if len(payload) == 0 {
			w.count, w.bytes = w.count+n, w.bytes+len(body)
		}
		if len(w.buf) < flushAt {
			continue
		}
		if err := w.flush(); err != nil {
			return err
		}
		w.buf, _ = w.ss.out.control(w.buf, false)
	}
	return nil
}

// flush writes what was gathered.
func (w *writer) flush() error {
	if len(w.buf) > 0 {
		if !w.ss.tells {
			w.ss.out.mayWait()
		}
		if _, err := w.ss.conn.Write(w.buf); err != nil {
			return err
		}
	}
	if w.count > 0 {
		w.ss.out.sent(w.count, w.bytes)
	}
	w.buf, w.count, w.bytes = w.buf[:0], 0, 0
	if cap(w.buf) > keepBuffer {
		w.buf = nil
	}
	if cap(w.payload) > keepBuffer {
		w.payload = nil
	}
	if cap(w.group) > keepBuffer {
		w.group = nil
	}
	return nil
}
