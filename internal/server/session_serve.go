package server

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/stdbgo/spacetime/internal/server/ws"
	"github.com/stdbgo/spacetime/internal/wire"
	v1 "github.com/stdbgo/spacetime/internal/wire/v1"
	v2 "github.com/stdbgo/spacetime/internal/wire/v2"
	"github.com/stdbgo/spacetime/sats"
)

// keepDecoded is how many decoded messages a session keeps room for.
const keepDecoded = 8

// receive decodes the messages of a payload and queues them. A payload that is
// broken somewhere ends the connection; the messages before that place are
// carried out, but their answers are not awaited.
func (ss *session) receive(op ws.Op, payload []byte) {
	if op == ws.Text {
		ss.watch.text.Inc()
		ss.watch.textSize.Observe(float64(len(payload)))
	} else {
		ss.watch.binary.Inc()
		ss.watch.binarySize.Observe(float64(len(payload)))
	}
	var err error
	ss.decoded, err = ss.decode(op, payload, ss.decoded[:0])
	if err != nil {
		ss.close(ws.StatusInternalError, err.Error(), causeMessage, true)
	}
	for _, it := range ss.decoded {
		if !ss.in.put(ss.ctx, it) {
			ss.close(ws.StatusTryAgainLater, "too many requests", "incoming_queue_full", true)
			break
		}
	}
	ss.spend(max(len(ss.decoded), 1))
	clear(ss.decoded)
	if cap(ss.decoded) > keepDecoded {
		ss.decoded = nil
	}
}

// decode appends the messages of a payload. With an error come the messages
// before the place of the error.
func (ss *session) decode(op ws.Op, payload []byte, items []item) ([]item, error) {
	if ss.protocol.Version() == 1 {
		// The kind of the WebSocket message decides, not the subprotocol (spec 05 §5.2).
		decode := v1.DecodeClient
		if op == ws.Text {
			decode = v1.DecodeClientJSON
		}
		m, err := decode(payload)
		if err != nil {
			return items, err
		}
		return append(items, item{m, len(payload)}), nil
	}
	if op == ws.Text {
		return items, fmt.Errorf("v%d websocket does not support text messages", ss.protocol.Version())
	}
	r := sats.NewReader(payload)
	if ss.protocol == wire.V3 && r.Len() == 0 {
		return items, v2.ErrEmptyPayload
	}
	for {
		before := r.Len()
		m := v2.ReadClient(r)
		if err := r.Err(); err != nil {
			return items, err
		}
		items = append(items, item{m, before - r.Len()})
		if ss.protocol == wire.V2 || r.Len() == 0 {
			return items, nil
		}
	}
}

// lingerers holds those of runners that have ended.
var lingerers = sync.Pool{New: func() any { return newLingerer() }}

// serveRequests is the runner. After the client has closed, what it sent before is
// still carried out; after kill nothing is begun any more.
func (ss *session) serveRequests() {
	var batch []item
	var msgs []wire.ClientMessage
	lingerer := lingerers.Get().(*lingerer)
	defer lingerers.Put(lingerer)
	for {
		if batch = ss.in.take(batch); len(batch) == 0 {
			if ss.in.rest(lingerer) {
				return
			}
			continue
		}
		if ss.dropped() {
			ss.in.done(batch)
			continue
		}
		msgs = msgs[:0]
		for i := range batch {
			msgs = append(msgs, batch[i].msg)
		}
		err := ss.handle(msgs)
		ss.in.done(batch)
		clear(batch)
		clear(msgs)
		if err != nil {
			ss.close(ws.StatusInternalError, err.Error(), causeMessage, true)
			ss.in.close()
			return
		}
	}
}

// handle carries out a batch, a part at a time, for as long as somebody is there
// for whom it matters: what is only asked needs a client, what is to be done a
// client that was not thrown out.
func (ss *session) handle(msgs []wire.ClientMessage) error {
	for len(msgs) > 0 && !ss.dropped() {
		if ss.out.closing() || ss.ctx.Err() != nil {
			msgs = slices.DeleteFunc(msgs, isQuery)
			if len(msgs) == 0 {
				break
			}
		}
		n, err := ss.db.Handle(context.Background(), ss.client, ss.who, msgs)
		if err != nil {
			return err
		}
		msgs = msgs[n:]
	}
	return nil
}

// isQuery reports whether a message changes nothing but what its client hears.
func isQuery(m wire.ClientMessage) bool {
	switch m.(type) {
	case *wire.CallReducer, *wire.CallProcedure:
		return false
	}
	return true
}

// dropped reports whether the session ended in a way that leaves requests behind.
func (ss *session) dropped() bool {
	if ss.ctx.Err() == nil {
		return false
	}
	ss.mu.Lock()
	defer ss.mu.Unlock()
	switch ss.mu.cause {
	case causeClientClose, causeGone, causeSocket, causeMessage:
		return false // the client left; what it asked for before is done
	}
	return true
}
