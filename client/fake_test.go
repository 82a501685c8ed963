package client_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/stdbgo/spacetime/client"
	"github.com/stdbgo/spacetime/internal/wire"
	v2 "github.com/stdbgo/spacetime/internal/wire/v2"
	"github.com/stdbgo/spacetime/sats"
)

// patience is how long a test waits for what has to come. Only a failure takes that
// long, so it is more than any machine needs, however busy.
const patience = time.Minute

var background = context.Background()

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(background, patience)
	t.Cleanup(cancel)
	return ctx
}

var (
	fakeIdentity     = sats.Identity{1, 2, 3}
	fakeConnectionID = sats.ConnectionID{4, 5}
)

// A fake is a server that says what the test's script says.
type fake struct {
	*httptest.Server
	protocol wire.Protocol
	mute     bool // no first message
	script   func(*peer)
	requests chan *http.Request
}

// A peer is the server's end of one connection.
type peer struct {
	t    *testing.T
	ws   *websocket.Conn
	rest *sats.Reader // messages of the payload that was read last
}

// serve starts a fake server; script runs for each connection, after the first
// message, and the connection ends with it.
func serve(t *testing.T, script func(*peer), options ...func(*fake)) *fake {
	t.Helper()
	f := &fake{protocol: wire.V3, script: script, requests: make(chan *http.Request, 10)}
	for _, o := range options {
		o(f)
	}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.requests <- r
		ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{f.protocol.String()}})
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = ws.CloseNow() }()
		ws.SetReadLimit(1 << 20) // what is longer ends the test
		p := &peer{t: t, ws: ws}
		if !f.mute {
			p.send(&v2.InitialConnection{Identity: fakeIdentity, ConnectionID: fakeConnectionID, Token: "a token"})
		}
		f.script(p)
	}))
	t.Cleanup(f.Close)
	return f
}

func (f *fake) options() client.Options { return client.Options{URL: f.URL, Database: "db"} }

func dial(t *testing.T, o client.Options) *client.Conn {
	t.Helper()
	c, err := client.Dial(within(t), nil, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// send sends messages in one payload.
func (p *peer) send(messages ...v2.ServerMessage) {
	var body []byte
	for _, m := range messages {
		body = m.Append(body)
	}
	p.raw(wire.AppendEnvelope(nil, body, wire.CompressNone))
}

func (p *peer) raw(payload []byte) {
	ctx, cancel := context.WithTimeout(background, patience)
	defer cancel()
	if err := p.ws.Write(ctx, websocket.MessageBinary, payload); err != nil {
		p.t.Logf("the fake server cannot write: %v", err)
	}
}

// next is the next message of the client, nil at the end.
func (p *peer) next() wire.ClientMessage {
	for p.rest == nil || p.rest.Len() == 0 {
		ctx, cancel := context.WithTimeout(background, patience)
		defer cancel()
		_, b, err := p.ws.Read(ctx)
		if err != nil {
			return nil
		}
		p.rest = sats.NewReader(b)
	}
	m := v2.ReadClient(p.rest)
	if err := p.rest.Err(); err != nil {
		p.t.Error(err)
		return nil
	}
	return m
}

// as is next for tests that know what comes.
func as[M wire.ClientMessage](p *peer) (m M) {
	got := p.next()
	m, ok := got.(M)
	if !ok {
		p.t.Errorf("the client sends %T, want %T", got, m)
		panic(http.ErrAbortHandler)
	}
	return m
}

// untilEnd reads until the client has gone.
func (p *peer) untilEnd() {
	for p.next() != nil {
	}
}

// until keeps the connection until the test has seen what came over it: what is still
// queued when a link breaks is answered by the next one.
func (p *peer) until(seen <-chan struct{}) {
	select {
	case <-seen:
	case <-time.After(patience):
		p.t.Error("the test does not go on")
	}
}

// stall waits without reading until ctx ends.
func stall(ctx context.Context) func(*peer) {
	return func(*peer) { <-ctx.Done() }
}

func list(rows ...string) []byte {
	var l wire.RowList
	for _, row := range rows {
		l.Add([]byte(row))
	}
	return l.Append(nil)
}

func change(set uint32, table string, inserts, deletes []string) v2.QuerySetUpdate {
	var in, out wire.RowList
	for _, row := range inserts {
		in.Add([]byte(row))
	}
	for _, row := range deletes {
		out.Add([]byte(row))
	}
	return v2.QuerySetUpdate{QuerySetID: set, Tables: []v2.TableUpdate{{Table: table, Rows: [][]byte{v2.AppendPersistent(nil, &in, &out)}}}}
}

// text shows rows as "kind table +inserted -deleted".
func text(r client.Rows) string {
	s := fmt.Sprintf("%s %s", r.Kind, r.Table)
	for i := range r.Inserted.Len() {
		s += " +" + string(r.Inserted.At(i))
	}
	for i := range r.Deleted.Len() {
		s += " -" + string(r.Deleted.At(i))
	}
	if r.Event {
		s += " event"
	}
	return s
}
