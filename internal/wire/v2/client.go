package v2

import (
	"errors"
	"fmt"

	"github.com/stdbgo/spacetime/internal/wire"
	"github.com/stdbgo/spacetime/sats"
)

// Tags of ClientMessage (spec 05 §8.1).
const (
	tagSubscribe = iota
	tagUnsubscribe
	tagOneOffQuery
	tagCallReducer
	tagCallProcedure
	tagSubscribeBatch
	numClientTags
)

// ErrEmptyPayload is the answer to a v3 payload without a message.
var ErrEmptyPayload = errors.New("v3 websocket binary payload must contain at least one v2 client message")

// ReadClient reads one ClientMessage and leaves r behind it. Byte fields alias
// the reader's bytes. After an error, which r.Err returns, the result is nil.
func ReadClient(r *sats.Reader) wire.ClientMessage {
	var m wire.ClientMessage
	switch r.TagOf(numClientTags, "ClientMessage") {
	case tagSubscribe:
		m = &wire.SubscribeSet{RequestID: r.U32(), QuerySetID: r.U32(), Queries: wire.ReadStrings(r)}
	case tagUnsubscribe:
		m = &wire.UnsubscribeSet{RequestID: r.U32(), QuerySetID: r.U32(), SendDroppedRows: r.TagOf(2, "UnsubscribeFlags") == 1}
	case tagOneOffQuery:
		m = &wire.OneOffQuery{RequestID: r.U32(), Query: r.Str()}
	case tagCallReducer:
		id := readCall(r, "reducer")
		m = &wire.CallReducer{RequestID: id, Reducer: r.Str(), Args: r.BytesView()}
	case tagCallProcedure:
		id := readCall(r, "procedure")
		m = &wire.CallProcedure{RequestID: id, Procedure: r.Str(), Args: r.BytesView()}
	case tagSubscribeBatch:
		b := &wire.SubscribeBatch{RequestID: r.U32()}
		for range r.Count(8) {
			if r.Err() != nil {
				break
			}
			b.Sets = append(b.Sets, wire.SubscribeSet{QuerySetID: r.U32(), Queries: wire.ReadStrings(r)})
		}
		m = b
	}
	if r.Err() != nil {
		return nil
	}
	return m
}

func readCall(r *sats.Reader, what string) (request uint32) {
	request = r.U32()
	if f := r.U8(); f != 0 {
		r.Fail(fmt.Errorf("invalid call %s flag %d", what, f))
	}
	return request
}

// AppendClient appends a ClientMessage. It panics on a message that v2 does not
// have.
func AppendClient(b []byte, m wire.ClientMessage) []byte {
	switch m := m.(type) {
	case *wire.SubscribeSet:
		return wire.AppendStrings(appendIDs(append(b, tagSubscribe), m.RequestID, m.QuerySetID), m.Queries)
	case *wire.UnsubscribeSet:
		b = appendIDs(append(b, tagUnsubscribe), m.RequestID, m.QuerySetID)
		if m.SendDroppedRows {
			return append(b, 1)
		}
		return append(b, 0)
	case *wire.OneOffQuery:
		return sats.AppendString(sats.AppendU32(append(b, tagOneOffQuery), m.RequestID), m.Query)
	case *wire.CallReducer:
		b = append(sats.AppendU32(append(b, tagCallReducer), m.RequestID), byte(m.Flags))
		return sats.AppendBytes(sats.AppendString(b, m.Reducer), m.Args)
	case *wire.CallProcedure:
		b = append(sats.AppendU32(append(b, tagCallProcedure), m.RequestID), byte(m.Flags))
		return sats.AppendBytes(sats.AppendString(b, m.Procedure), m.Args)
	case *wire.SubscribeBatch:
		b = sats.AppendLen(sats.AppendU32(append(b, tagSubscribeBatch), m.RequestID), len(m.Sets))
		for _, s := range m.Sets {
			b = wire.AppendStrings(sats.AppendU32(b, s.QuerySetID), s.Queries)
		}
		return b
	}
	panic(fmt.Sprintf("wire/v2: no client message %T", m))
}

func appendIDs(b []byte, request, set uint32) []byte {
	return sats.AppendU32(sats.AppendU32(b, request), set)
}
