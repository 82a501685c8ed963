package v1

import (
	"fmt"

	"github.com/stdbgo/spacetime/internal/wire"
	"github.com/stdbgo/spacetime/sats"
)

// Tags of ClientMessage (spec 05 §7.1).
const (
	tagCallReducer = iota
	tagSubscribe
	tagOneOffQuery
	tagSubscribeSingle
	tagSubscribeMulti
	tagUnsubscribe
	tagUnsubscribeMulti
	tagCallProcedure
	numClientTags
)

// DecodeClient decodes one binary ClientMessage. Bytes after it are ignored, as
// the original does. Byte fields alias b.
func DecodeClient(b []byte) (wire.ClientMessage, error) {
	return decodeClient(b, false)
}

// DecodeClientJSON decodes one ClientMessage in the JSON form of spec 05 §7.3.
func DecodeClientJSON(text []byte) (wire.ClientMessage, error) {
	b, err := sats.ParseJSON(nil, nil, clientJSONType, text)
	if err != nil {
		return nil, err
	}
	return decodeClient(b, true)
}

// decodeClient reads the BSATN of a ClientMessage. In the JSON form arguments
// are a string of JSON text, whose BSATN looks like that of bytes.
func decodeClient(b []byte, argsJSON bool) (wire.ClientMessage, error) {
	r := sats.NewReader(b)
	var m wire.ClientMessage
	switch r.TagOf(numClientTags, "ClientMessage") {
	case tagCallReducer:
		c := &wire.CallReducer{Reducer: r.Str(), Args: r.BytesView(), RequestID: r.U32(), ArgsJSON: argsJSON}
		c.Flags = readFlags(r, wire.NoSuccessNotify, "reducer")
		m = c
	case tagSubscribe:
		m = &wire.Subscribe{Queries: wire.ReadStrings(r), RequestID: r.U32()}
	case tagOneOffQuery:
		m = &wire.OneOffQuery{MessageID: r.BytesView(), Query: r.Str()}
	case tagSubscribeSingle:
		m = &wire.SubscribeSingle{Query: r.Str(), RequestID: r.U32(), QueryID: r.U32()}
	case tagSubscribeMulti:
		m = &wire.SubscribeMulti{Queries: wire.ReadStrings(r), RequestID: r.U32(), QueryID: r.U32()}
	case tagUnsubscribe:
		m = &wire.Unsubscribe{RequestID: r.U32(), QueryID: r.U32()}
	case tagUnsubscribeMulti:
		m = &wire.UnsubscribeMulti{RequestID: r.U32(), QueryID: r.U32()}
	case tagCallProcedure:
		c := &wire.CallProcedure{Procedure: r.Str(), Args: r.BytesView(), RequestID: r.U32(), ArgsJSON: argsJSON}
		c.Flags = readFlags(r, wire.FullUpdate, "procedure")
		m = c
	}
	if err := r.Err(); err != nil {
		return nil, err
	}
	return m, nil
}

func readFlags(r *sats.Reader, most wire.CallFlags, what string) wire.CallFlags {
	f := r.U8()
	if wire.CallFlags(f) > most {
		r.Fail(fmt.Errorf("invalid call %s flag %d", what, f))
	}
	return wire.CallFlags(f)
}

// AppendClient appends a binary ClientMessage. It panics on a message that v1
// does not have.
func AppendClient(b []byte, m wire.ClientMessage) []byte {
	switch m := m.(type) {
	case *wire.CallReducer:
		b = sats.AppendBytes(sats.AppendString(append(b, tagCallReducer), m.Reducer), m.Args)
		return append(sats.AppendU32(b, m.RequestID), byte(m.Flags))
	case *wire.CallProcedure:
		b = sats.AppendBytes(sats.AppendString(append(b, tagCallProcedure), m.Procedure), m.Args)
		return append(sats.AppendU32(b, m.RequestID), byte(m.Flags))
	case *wire.Subscribe:
		return sats.AppendU32(wire.AppendStrings(append(b, tagSubscribe), m.Queries), m.RequestID)
	case *wire.OneOffQuery:
		return sats.AppendString(sats.AppendBytes(append(b, tagOneOffQuery), m.MessageID), m.Query)
	case *wire.SubscribeSingle:
		return appendIDs(sats.AppendString(append(b, tagSubscribeSingle), m.Query), m.RequestID, m.QueryID)
	case *wire.SubscribeMulti:
		return appendIDs(wire.AppendStrings(append(b, tagSubscribeMulti), m.Queries), m.RequestID, m.QueryID)
	case *wire.Unsubscribe:
		return appendIDs(append(b, tagUnsubscribe), m.RequestID, m.QueryID)
	case *wire.UnsubscribeMulti:
		return appendIDs(append(b, tagUnsubscribeMulti), m.RequestID, m.QueryID)
	}
	panic(fmt.Sprintf("wire/v1: no client message %T", m))
}

func appendIDs(b []byte, request, query uint32) []byte {
	return sats.AppendU32(sats.AppendU32(b, request), query)
}
