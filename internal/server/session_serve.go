package server

import (
	"context"
	"errors"

	"github.com/stdbgo/spacetime/internal/server/ws"
	"github.com/stdbgo/spacetime/internal/wire"
	v1 "github.com/stdbgo/spacetime/internal/wire/v1"
	v2 "github.com/stdbgo/spacetime/internal/wire/v2"
	"github.com/stdbgo/spacetime/sats"
)

// receive decodes the messages of a payload and queues them. What cannot be
// decoded stands in the queue as its error, behind the messages before it. The
// result is false if too many wait.
func (ss *session) receive(op ws.Op, payload []byte) bool {
	if op == ws.Text {
		ss.watch.text.Inc()
		ss.watch.textSize.Observe(float64(len(payload)))
	} else {
		ss.watch.binary.Inc()
		ss.watch.binarySize.Observe(float64(len(payload)))
	}
	if ss.protocol.Version() == 1 {
		return ss.put(decodeV1(op, payload))
	}
	if op == ws.Text {
		if ss.protocol == wire.V2 {
			return ss.put(item{err: errors.New("v2 websocket does not support text messages")})
		}
		return ss.put(item{err: errors.New("v3 websocket does not support text messages")})
	}
	r := sats.NewReader(payload)
	if ss.protocol == wire.V3 && r.Len() == 0 {
		return ss.put(item{err: v2.ErrEmptyPayload})
	}
	for {
		before := r.Len()
		m := v2.ReadClient(r)
		if err := r.Err(); err != nil {
			return ss.put(item{err: err})
		}
		if !ss.put(item{msg: m, size: before - r.Len()}) {
			return false
		}
		if ss.protocol == wire.V2 || r.Len() == 0 {
			return true
		}
	}
}

func (ss *session) put(it item) bool { return ss.in.put(ss.ctx, it) }

// decodeV1 decides by the kind of the WebSocket message, not by the subprotocol
// (spec 05 §5.2).
func decodeV1(op ws.Op, payload []byte) item {
	decode := v1.DecodeClient
	if op == ws.Text {
		decode = v1.DecodeClientJSON
	}
	m, err := decode(payload)
	return item{msg: m, size: len(payload), err: err}
}

// serveRequests is the runner goroutine. After the client has closed, what it
// sent before is still carried out; after kill nothing is begun any more.
func (ss *session) serveRequests() {
	var batch []item
	var msgs []wire.ClientMessage
	for {
		var ended bool
		batch, ended = ss.in.take(batch)
		if ended {
			return
		}
		if len(batch) == 0 {
			select {
			case <-ss.in.wake:
			case <-ss.db.Done():
				ss.exited()
				return
			}
			continue
		}
		if ss.dropped() {
			ss.in.done(batch)
			continue
		}
		var failed error
		msgs = msgs[:0]
		for i := range batch {
			if failed = batch[i].err; failed != nil {
				break
			}
			msgs = append(msgs, batch[i].msg)
		}
		if len(msgs) > 0 {
			if err := ss.db.Handle(context.Background(), ss.client, ss.who, msgs); err != nil {
				failed = err
			}
		}
		ss.in.done(batch)
		clear(batch)
		clear(msgs)
		if failed != nil {
			ss.close(ws.StatusInternalError, failed.Error(), "client_message_error", false)
			ss.drainInbox()
			return
		}
	}
}

// dropped reports whether the session ended in a way that leaves requests behind.
func (ss *session) dropped() bool {
	if ss.ctx.Err() == nil {
		return false
	}
	ss.mu.Lock()
	defer ss.mu.Unlock()
	switch ss.mu.cause {
	case "client_close", "websocket_receive_connection_closed", "websocket_receive_io":
		return false // the client left; what it asked for before is done
	}
	return true
}

// drainInbox throws away what still comes, until nothing can.
func (ss *session) drainInbox() {
	var batch []item
	for {
		var ended bool
		if batch, ended = ss.in.take(batch); ended {
			return
		}
		ss.in.done(batch)
		if len(batch) == 0 {
			<-ss.in.wake
		}
	}
}
