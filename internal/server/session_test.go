package server

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/stdbgo/spacetime/internal/server/ws"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/internal/subscribe"
	"github.com/stdbgo/spacetime/internal/wire"
	v1 "github.com/stdbgo/spacetime/internal/wire/v1"
	v2 "github.com/stdbgo/spacetime/internal/wire/v2"
	"github.com/stdbgo/spacetime/sats"
)

// patience is how long a test waits for what has to come. Only a failure takes that
// long, so it is more than any machine needs, however busy.
const patience = time.Minute

// eventually waits until ok.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// A peer is a WebSocket client of another make.
type peer struct {
	t    testing.TB
	conn *websocket.Conn
	res  *http.Response
}

// dial connects to the database "db". Protocols are given by their short names.
func (r *rig) dial(token, query string, protocols ...string) *peer {
	r.t.Helper()
	p, err := r.tryDial(token, query, protocols...)
	if err != nil {
		r.t.Fatal(err)
	}
	return p
}

func (r *rig) tryDial(token, query string, protocols ...string) (*peer, error) {
	r.t.Helper()
	return r.tryDialFrom("", token, query, protocols...)
}

// dialFrom is dial for a client that comes through a proxy from an address.
func (r *rig) dialFrom(address, token, query string, protocols ...string) *peer {
	r.t.Helper()
	p, err := r.tryDialFrom(address, token, query, protocols...)
	if err != nil {
		r.t.Fatal(err)
	}
	return p
}

func (r *rig) tryDialFrom(address, token, query string, protocols ...string) (*peer, error) {
	r.t.Helper()
	o := &websocket.DialOptions{HTTPHeader: http.Header{}}
	if address != "" {
		o.HTTPHeader.Set("X-Forwarded-For", address)
	}
	for _, p := range protocols {
		o.Subprotocols = append(o.Subprotocols, p+".spacetimedb")
	}
	if token != "" {
		o.HTTPHeader.Set("Authorization", "Bearer "+token)
	}
	o.HTTPHeader.Set("Origin", "https://elsewhere.example")
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, res, err := websocket.Dial(ctx, r.url+"/v1/database/db/subscribe?"+query, o)
	if err != nil {
		return nil, err
	}
	conn.SetReadLimit(64 << 20)
	r.t.Cleanup(func() { _ = conn.CloseNow() })
	return &peer{r.t, conn, res}, nil
}

func (p *peer) read() (websocket.MessageType, []byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return p.conn.Read(ctx)
}

// next is the payload of the next message.
func (p *peer) next() []byte {
	p.t.Helper()
	_, b, err := p.read()
	if err != nil {
		p.t.Fatal(err)
	}
	return b
}

func (p *peer) send(b []byte) {
	p.t.Helper()
	p.write(websocket.MessageBinary, b)
}

func (p *peer) write(kind websocket.MessageType, b []byte) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := p.conn.Write(ctx, kind, b); err != nil {
		p.t.Fatal(err)
	}
}

// closed waits for the end and returns the code and reason of the Close frame,
// or -1 if there was none. Messages on the way are dropped.
func (p *peer) closed() (int, string) {
	p.t.Helper()
	for {
		_, _, err := p.read()
		var c websocket.CloseError
		switch {
		case err == nil:
		case errors.As(err, &c):
			return int(c.Code), c.Reason
		case errors.Is(err, context.DeadlineExceeded):
			p.t.Fatal("the connection does not end")
		default:
			return -1, ""
		}
	}
}

func (p *peer) wantClosed(code int, reason string) {
	p.t.Helper()
	if c, r := p.closed(); c != code || r != reason {
		p.t.Errorf("closed with %d %q, want %d %q", c, r, code, reason)
	}
}

// ask sends one-off queries as v2 messages, all in one payload.
func ask(first, n int) (b []byte) {
	for i := range n {
		b = v2.AppendClient(b, &wire.OneOffQuery{RequestID: uint32(first + i), Query: fmt.Sprint(first + i)})
	}
	return b
}

// answers reads the ids of n one-off results of a v2 or v3 connection.
func (p *peer) answers(n int) (ids []uint32) {
	p.t.Helper()
	for len(ids) < n {
		r := sats.NewReader(p.next()[1:])
		for r.Len() > 0 {
			m := v2.ReadServer(r)
			if err := r.Err(); err != nil {
				p.t.Fatal(err)
			}
			ids = append(ids, m.(*v2.OneOffQueryResult).RequestID)
		}
	}
	return ids
}

func (p *peer) wantInOrder(first, n int) {
	p.t.Helper()
	for i, id := range p.answers(n) {
		if id != uint32(first+i) {
			p.t.Fatalf("answer %d is of request %d", i, id)
		}
	}
}

// wsRig is a rig with a database "db" that runs.
func wsRig(t testing.TB, change ...func(*Options)) (r *rig, db *fakeDatabase, token string) {
	t.Helper()
	r = newRig(t, change...)
	_, token = r.identity()
	r.published("db", token, "p")
	return r, r.fake.the(t), token
}

func TestSubprotocols(t *testing.T) {
	spec.Covers(t, "05.1", "05.5", "05.6", "06.43")
	r, _, token := wsRig(t)
	for _, tt := range []struct {
		offer []string
		want  string
	}{
		{[]string{"v3.bsatn", "v2.bsatn"}, "v3.bsatn"}, {[]string{"v2.bsatn", "v3.bsatn"}, "v3.bsatn"},
		{[]string{"v2.bsatn", "v1.bsatn"}, "v2.bsatn"}, {[]string{"v1.json", "v1.bsatn"}, "v1.bsatn"}, {[]string{"v1.json"}, "v1.json"},
	} {
		p := r.dial(token, "", tt.offer...)
		if got := p.conn.Subprotocol(); got != tt.want+".spacetimedb" {
			t.Errorf("%v: %s", tt.offer, got)
		}
		h := p.res.Header
		if h.Get("Spacetime-Identity-Token") != token || len(h.Get("Spacetime-Identity")) != 64 ||
			h.Get("Sec-WebSocket-Extensions") != "" || h.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("headers %v", h)
		}
	}
}

// handshake sends a request with the headers of an upgrade, changed by "name: value"
// or, to leave one out, "name".
func (r *rig) handshake(path, token string, changes ...string) answer {
	r.t.Helper()
	headers := map[string]string{
		"Connection": "keep-alive, Upgrade", "Upgrade": "WebSocket", "Sec-WebSocket-Version": "13",
		"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol": "x, v2.bsatn.spacetimedb",
	}
	for _, c := range changes {
		name, value, set := strings.Cut(c, ": ")
		if set {
			headers[name] = value
		} else {
			delete(headers, name)
		}
	}
	var all []string
	for name, value := range headers {
		all = append(all, name+": "+value)
	}
	return r.do("GET", path, token, "", all...)
}

func TestHandshakeErrors(t *testing.T) {
	spec.Covers(t, "05.2")
	r, _, token := wsRig(t)
	const path = "/v1/database/db/subscribe"
	const useWebsocket = "This service requires use of the websocket protocol"
	for _, tt := range []struct {
		name, path string
		changes    []string
		status     int
		body       string
	}{
		{"no protocol", path, []string{"Sec-WebSocket-Protocol"}, 400, "no valid protocol selected"},
		{"unknown protocol", path, []string{"Sec-WebSocket-Protocol: chat"}, 400, "no valid protocol selected"},
		{"unknown name", "/v1/database/nope/subscribe", nil, 404, "`nope` not found"},
		{"unknown name, no upgrade", "/v1/database/nope/subscribe", []string{"Upgrade"}, 426, useWebsocket},
		{"bad name", "/v1/database/a_b/subscribe", []string{"Upgrade"}, 400, "Invalid URL: invalid characters in database name"},
		{"no upgrade", path, []string{"Upgrade"}, 426, useWebsocket},
		{"no connection", path, []string{"Connection: keep-alive"}, 426, useWebsocket},
		{"version 8", path, []string{"Sec-WebSocket-Version: 8"}, 400, "`Sec-WebSocket-Version` header did not include '13'"},
		{"no key", path, []string{"Sec-WebSocket-Key"}, 400, "`Sec-WebSocket-Key` header missing"},
		{"zero id", path + "?connection_id=" + strings.Repeat("0", 32), nil, 400, "Invalid connection ID: the all-zeros ConnectionId is reserved."},
		{"short id", path + "?connection_id=abc", nil, 400, `Failed to deserialize query string: invalid value: string "abc", expected a byte array or hex string`},
		{"prefixed id", path + "?connection_id=0x" + strings.Repeat("1", 32), nil, 400, `Failed to deserialize query string: invalid value: string "0x11111111111111111111111111111111", expected a byte array or hex string`},
		{"compression", path + "?compression=gzip", nil, 400, "Failed to deserialize query string: unknown variant `gzip`, expected one of `None`, `Brotli`, `Gzip`"},
		{"light", path + "?light=1", nil, 400, "Failed to deserialize query string: provided string was not `true` or `false`"},
		{"light empty", path + "?light=", nil, 400, "Failed to deserialize query string: provided string was not `true` or `false`"},
		{"confirmed twice", path + "?confirmed=true&confirmed=true", nil, 400, "Failed to deserialize query string: duplicate field `confirmed`"},
		{"session", path + "?session_id=nonsense", nil, 400, `Failed to deserialize query string: invalid value: string "nonsense", expected a byte array or hex string`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := r.want(r.handshake(tt.path, token, tt.changes...), tt.status, tt.body)
			if a.header.Get("Spacetime-Identity-Token") != token {
				t.Error("no identity headers")
			}
			if up := a.header.Get("Upgrade"); (up == "websocket") != (tt.status == 426) {
				t.Errorf("upgrade header %q", up)
			}
		})
	}
	r.want(r.handshake(path+"?token=x", ""), 401, "Invalid token: InvalidToken")
	a := r.do("POST", path, "", "")
	if a.status != 405 || a.header.Get("Allow") != "GET,HEAD" {
		t.Errorf("POST: %d %v", a.status, a.header)
	}
	r.want(r.do("HEAD", path, "", ""), 405, "")
	a = r.handshake("/v1/database/"+someone+"/subscribe", token)
	if a.status != 500 || !strings.HasSuffix(a.body, " for SQL: database "+someone+" not found") {
		t.Errorf("unknown identity: %d %s", a.status, a.body)
	}
}

// first decodes the first message of a v2 or v3 connection.
func (p *peer) first() *v2.InitialConnection {
	p.t.Helper()
	m := v2.ReadServer(sats.NewReader(p.next()[1:]))
	c, ok := m.(*v2.InitialConnection)
	if !ok {
		p.t.Fatalf("first message is a %T", m)
	}
	return c
}

func TestFirstMessage(t *testing.T) {
	spec.Covers(t, "05.3", "05.4", "05.7")
	r, _, token := wsRig(t)
	const id = "00FF02030405060708090A0B0C0D0E0F"
	p := r.dial(token, "connection_id="+id, "v2.bsatn")
	c := p.first()
	if c.Token != token || strings.ToUpper(c.ConnectionID.String()) != id || c.Identity.String() != p.res.Header.Get("Spacetime-Identity") {
		t.Errorf("%+v", c)
	}
	// Anonymous: a fresh identity, whose token leads back to it.
	anon := r.dial("", "", "v3.bsatn").first()
	if anon.Identity == c.Identity || anon.ConnectionID.IsZero() {
		t.Errorf("%+v", anon)
	}
	again := r.dial("", "token="+url.QueryEscape(anon.Token), "v3.bsatn").first()
	if again.Identity != anon.Identity || again.ConnectionID == anon.ConnectionID || again.Token != anon.Token {
		t.Errorf("%+v, before %+v", again, anon)
	}
	// The header beats the query.
	if got := r.dial(token, "token=x", "v3.bsatn").first(); got.Identity != c.Identity {
		t.Errorf("%+v", got)
	}

	old := r.dial(token, "", "v1.bsatn").next()
	m, err := v1.DecodeServer(old[1:])
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := m.(*v1.IdentityToken); !ok || got.Token != token || got.Identity != c.Identity {
		t.Errorf("%T %+v", m, m)
	}
	j := r.dial(token, "connection_id="+id, "v1.json")
	kind, text, err := j.read()
	if err != nil || kind != websocket.MessageText || !bytes.HasPrefix(text, []byte(`{"IdentityToken":{"identity":`)) {
		t.Errorf("%v %s %v", kind, text, err)
	}
}

func TestRejectedConnection(t *testing.T) {
	spec.Covers(t, "05.8", "06.37")
	r, db, token := wsRig(t)
	db.reject = &RejectedError{Message: "closed for tonight"}
	r.fake.notes()
	p := r.dial(token, "", "v2.bsatn") // the 101 comes all the same
	p.wantClosed(-1, "")
	r.want(r.do("POST", "/v1/database/db/call/good", token, `["Alice"]`, "content-type: application/json"), 403, "closed for tonight")
	r.want(r.do("POST", "/v1/database/db/sql", token, "SELECT"), 403, "closed for tonight")
	if got := r.fake.notes(); got != "" {
		t.Errorf("after the refusal: %s", got)
	}
}

func TestRequestsAndAnswers(t *testing.T) {
	spec.Covers(t, "05.37")
	r, db, token := wsRig(t)
	p := r.dial(token, "", "v2.bsatn")
	p.first()
	for i := range 300 {
		p.send(ask(i, 1))
	}
	p.wantInOrder(0, 300)
	// v2: one message per payload, the rest is ignored.
	p.send(ask(1000, 3))
	p.send(ask(2000, 1))
	if got := p.answers(2); got[0] != 1000 || got[1] != 2000 {
		t.Errorf("answers %v", got)
	}
	if n := len(db.waitHandled(302)); n != 302 {
		t.Errorf("%d handled", n)
	}
	// v1: the kind of message decides how it is read, the protocol how it is answered.
	j := r.dial(token, "", "v1.json")
	j.next()
	j.send(v1.AppendClient(nil, &wire.OneOffQuery{MessageID: []byte{1}, Query: "binary"}))
	if b := j.next(); !bytes.Contains(b, []byte("echo: binary")) {
		t.Errorf("%s", b)
	}
	b := r.dial(token, "", "v1.bsatn")
	b.next()
	b.write(websocket.MessageText, []byte(`{"OneOffQuery":{"message_id":"01","query_string":"text"}}`))
	if got := b.next(); got[0] != 0 || !bytes.Contains(got, []byte("echo: text")) {
		t.Errorf("%q", got)
	}
}

func TestV3Payloads(t *testing.T) {
	r, db, token := wsRig(t)
	p := r.dial(token, "compression=None", "v3.bsatn")
	p.first()
	p.send(ask(0, 500)) // several in one payload
	p.wantInOrder(0, 500)

	// What waits goes out together, within the bounds of a payload.
	release := make(chan struct{})
	db.mu.Lock()
	db.handle = func(c *subscribe.Client, m wire.ClientMessage) error {
		o := m.(*wire.OneOffQuery)
		if o.Query == "0" {
			<-release
			for i := range 3000 {
				c.Out.Send(oneOff(c, &wire.OneOffQuery{RequestID: uint32(i)}, strings.Repeat("x", 1000)))
			}
			c.Out.Send(oneOff(c, &wire.OneOffQuery{RequestID: 3000}, strings.Repeat("y", 2*wire.MaxV3Payload)))
		}
		return nil
	}
	db.mu.Unlock()
	p.send(ask(0, 1))
	close(release)
	payloads, messages := 0, 0
	for messages < 3001 {
		b := p.next()
		payloads++
		r := sats.NewReader(b[1:])
		n := 0
		for r.Len() > 0 {
			if v2.ReadServer(r); r.Err() != nil {
				t.Fatal(r.Err())
			}
			n++
		}
		if n > 1 && len(b)-1 > wire.MaxV3Payload || n > wire.MaxV3Messages {
			t.Fatalf("payload of %d messages and %d bytes", n, len(b))
		}
		messages += n
	}
	if messages != 3001 || payloads > 1000 {
		t.Errorf("%d messages in %d payloads", messages, payloads)
	}
}

func TestBrokenMessages(t *testing.T) {
	spec.Covers(t, "05.35", "05.41")
	r, db, token := wsRig(t)
	for i, tt := range []struct {
		protocol string
		kind     websocket.MessageType
		message  string
		reason   string // its beginning
	}{
		{"v2.bsatn", websocket.MessageText, "{}", "v2 websocket does not support text messages"},
		{"v3.bsatn", websocket.MessageText, "{}", "v3 websocket does not support text messages"},
		{"v3.bsatn", websocket.MessageBinary, "", "v3 websocket binary payload must contain at least one v2 client message"},
		{"v2.bsatn", websocket.MessageBinary, "\x09", "unknown tag 0x9 for sum type ClientMessage"},
		{"v2.bsatn", websocket.MessageBinary, "\x03\x01", "data too short for u32: Expected 4, given 1"},
		{"v1.bsatn", websocket.MessageBinary, "\xff", "unknown tag 0xff for sum type ClientMessage"},
		{"v1.json", websocket.MessageText, "{", ""},
		{"v1.json", websocket.MessageText, `{"` + strings.Repeat("ä", 200) + `":1}`, ""},
	} {
		p := r.dial(token, "", tt.protocol)
		p.next()
		p.write(tt.kind, []byte(tt.message))
		code, reason := p.closed()
		if code != 1011 || !strings.HasPrefix(reason, tt.reason) || len(reason) > 123 || reason == "" {
			t.Errorf("%s %q: closed with %d %q", tt.protocol, tt.message, code, reason)
		}
		db.waitDetached(i + 1) // once: the count of the next round would be off
	}
	// What was to be done before the broken place is done; questions are not
	// looked into, for nobody would hear the answers.
	p := r.dial(token, "", "v3.bsatn")
	p.first()
	before := len(db.waitHandled(0))
	message := v2.AppendClient(nil, &wire.CallReducer{RequestID: 7})
	message = v2.AppendClient(append(message, ask(9, 1)...), &wire.CallReducer{RequestID: 8})
	p.send(append(message, 0x0f))
	if code, reason := p.closed(); code != 1011 || reason != "unknown tag 0xf for sum type ClientMessage" {
		t.Errorf("closed with %d %q", code, reason)
	}
	if got := db.waitHandled(before + 2); got[before+1].(*wire.CallReducer).RequestID != 8 {
		t.Errorf("%+v", got)
	}
	// A database may end a connection, too.
	db.mu.Lock()
	db.handle = func(*subscribe.Client, wire.ClientMessage) error { return errors.New("cannot go on") }
	db.mu.Unlock()
	q := r.dial(token, "", "v3.bsatn")
	q.first()
	q.send(ask(0, 1))
	q.wantClosed(1011, "cannot go on")
	// And so may an answer that does not fit.
	db.mu.Lock()
	db.handle = func(c *subscribe.Client, _ wire.ClientMessage) error {
		c.Out.Send(subscribe.Message{Close: "too large"})
		return nil
	}
	db.mu.Unlock()
	z := r.dial(token, "", "v3.bsatn")
	z.first()
	z.send(ask(0, 1))
	z.wantClosed(1009, "too large")
}

func TestMessageSizeLimit(t *testing.T) {
	spec.Covers(t, "05.42")
	r, db, token := wsRig(t)
	for _, tt := range []struct {
		size int
		ok   bool
	}{{wire.MaxClientMessage, true}, {wire.MaxClientMessage + 1, false}} {
		p := r.dial(token, "", "v2.bsatn")
		p.first()
		m := v2.AppendClient(nil, &wire.OneOffQuery{RequestID: 1, Query: ""})
		m = append(m, make([]byte, tt.size-len(m))...) // v2 ignores what follows
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		_ = p.conn.Write(ctx, websocket.MessageBinary, m) // the server may hang up in between
		cancel()
		if tt.ok {
			p.wantInOrder(1, 1)
			continue
		}
		p.wantClosed(-1, "")
		db.waitDetached(1)
	}
}

func TestCloseIsEchoed(t *testing.T) {
	r, db, token := wsRig(t)
	for i, tt := range []struct {
		frame, want []byte
	}{
		{ws.AppendClose(nil, 1000, "bye"), ws.AppendClose(nil, 1000, "bye")},
		{ws.AppendClose(nil, 4001, ""), ws.AppendClose(nil, 4001, "")},
		{ws.AppendClose(nil, ws.StatusNoCode, ""), ws.AppendClose(nil, ws.StatusNoCode, "")},
		{ws.AppendClose(nil, 1005, ""), ws.AppendClose(nil, 1002, "Protocol violation")},
		{ws.AppendClose(nil, 999, ""), ws.AppendClose(nil, 1002, "Protocol violation")},
	} {
		c := r.raw(token, "v2.bsatn", "")
		c.write(masked(tt.frame))
		if got := c.rest(); !bytes.HasSuffix(got, tt.want) {
			t.Errorf("%x answered with %x", tt.frame, got)
		}
		db.waitDetached(i + 1)
	}
}

// What was to be done before the client left is done; what it only asked is not
// looked into any more.
func TestRequestsOutliveTheClient(t *testing.T) {
	r, db, token := wsRig(t)
	hold := make(chan struct{})
	db.mu.Lock()
	db.hold = hold
	db.mu.Unlock()
	p := r.dial(token, "", "v3.bsatn")
	p.first()
	ss := r.session(t)
	for i := range uint32(20) {
		p.send(v2.AppendClient(ask(1, 1), &wire.CallReducer{RequestID: i}))
		if i == 0 {
			eventually(t, "the database has the first requests, and not the rest", func() bool {
				ss.in.mu.Lock()
				defer ss.in.mu.Unlock()
				return len(ss.in.mu.queue) < ss.in.mu.pending
			})
		}
	}
	// A connection that is cut may lose what the server has not read.
	eventually(t, "all requests are there", func() bool { return ss.in.length() == 40 })
	if err := p.conn.CloseNow(); err != nil {
		t.Fatal(err)
	}
	<-ss.ctx.Done() // the session has seen the end
	close(hold)
	db.waitDetached(1)
	calls, asked := 0, 0
	for _, m := range db.waitHandled(0) {
		switch m.(type) {
		case *wire.CallReducer:
			calls++
		default:
			asked++
		}
	}
	if calls != 20 || asked == 20 {
		t.Errorf("%d of 20 calls were carried out, %d of 20 questions", calls, asked)
	}
}

// session is the only session there is.
func (r *rig) session(t *testing.T) *session {
	t.Helper()
	r.sessions.mu.Lock()
	defer r.sessions.mu.Unlock()
	if n := len(r.sessions.mu.all); n != 1 {
		t.Fatalf("%d sessions", n)
	}
	for ss := range r.sessions.mu.all {
		return ss
	}
	return nil
}

// masked makes a client's frame of a server's, with a mask of zeros.
func masked(frame []byte) []byte {
	n := 2
	switch frame[1] {
	case 126:
		n = 4
	case 127:
		n = 10
	}
	b := append([]byte{frame[0], frame[1] | 0x80}, frame[2:n]...)
	return append(append(b, 0, 0, 0, 0), frame[n:]...)
}

// A rawConn is a connection after the handshake, without a library.
type rawConn struct {
	t testing.TB
	net.Conn
}

func (r *rig) raw(token, protocol, query string) *rawConn {
	r.t.Helper()
	c, head := r.rawHandshake(token, protocol, query, "")
	if !bytes.HasPrefix(head, []byte("HTTP/1.1 101 ")) || !bytes.Contains(head, []byte("Sec-Websocket-Accept: JVxkmtKFjDcI/Pm/AGPEKSN6wT8=\r\n")) {
		r.t.Fatalf("%q", head)
	}
	return c
}

// rawHandshake returns the connection and the head of the answer. headers are more
// lines of the request.
func (r *rig) rawHandshake(token, protocol, query, headers string) (*rawConn, []byte) {
	r.t.Helper()
	address := strings.TrimPrefix(r.url, "http://")
	conn, err := net.Dial("tcp", address)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	_, err = fmt.Fprintf(conn, "GET /v1/database/db/subscribe?%s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Protocol: %s.spacetimedb\r\n%s\r\n", query, token, protocol, headers)
	if err != nil {
		r.t.Fatal(err)
	}
	var head []byte
	one := make([]byte, 1)
	for !bytes.HasSuffix(head, []byte("\r\n\r\n")) {
		if _, err := conn.Read(one); err != nil {
			r.t.Fatalf("%v after %q", err, head)
		}
		head = append(head, one[0])
	}
	return &rawConn{r.t, conn}, head
}

func (c *rawConn) write(b []byte) {
	c.t.Helper()
	if _, err := c.Write(b); err != nil {
		c.t.Fatal(err)
	}
}

// rest reads to the end.
func (c *rawConn) rest() []byte {
	c.t.Helper()
	b, err := io.ReadAll(c)
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		c.t.Fatal("the connection does not end")
	}
	return b
}

// frame reads one frame of the server.
func (c *rawConn) frame() (op ws.Op, fin bool, payload []byte, err error) {
	var head [2]byte
	if _, err = io.ReadFull(c, head[:]); err != nil {
		return
	}
	n := uint64(head[1])
	switch n {
	case 126:
		var b [2]byte
		_, err = io.ReadFull(c, b[:])
		n = uint64(binary.BigEndian.Uint16(b[:]))
	case 127:
		var b [8]byte
		_, err = io.ReadFull(c, b[:])
		n = binary.BigEndian.Uint64(b[:])
	}
	if err != nil {
		return
	}
	payload = make([]byte, n)
	_, err = io.ReadFull(c, payload)
	return ws.Op(head[0] & 15), head[0]&0x80 != 0, payload, err
}

func TestProtocolViolationsDrop(t *testing.T) {
	r, db, token := wsRig(t)
	for i, frame := range [][]byte{
		{0x82, 0x00},                        // not masked
		masked([]byte{0x83, 0x00}),          // opcode 3
		masked([]byte{0xc2, 0x00}),          // reserved bit
		masked([]byte{0x81, 0x01, 0xff}),    // text that is not UTF-8
		masked([]byte{0x88, 0x01, 0x03}),    // half a close code
		masked([]byte{0x09, 0x00}),          // fragmented ping
		masked([]byte{0x80, 0x01, 'x'})[:7], // continuation of nothing
	} {
		c := r.raw(token, "v2.bsatn", "")
		c.write(frame)
		rest := c.rest()
		if len(rest) > 0 && bytes.Contains(rest[len(rest)-min(len(rest), 8):], []byte{0x88, 0x02}) {
			t.Errorf("frame %x was answered with a Close", frame)
		}
		db.waitDetached(i + 1)
	}
}

func TestKeepAlive(t *testing.T) {
	spec.Covers(t, "05.43")
	const idle = 4 * time.Second // a client on a busy machine may take that long to answer
	r, db, token := wsRig(t, func(o *Options) {
		o.WebSocket = WebSocketConfig{PingInterval: idle / 10, IdleTimeout: idle}
	})
	// The library answers pings while it reads.
	alive := r.dial(token, "", "v2.bsatn")
	alive.first()
	answer := make(chan error, 1)
	go func() {
		_, _, err := alive.read()
		answer <- err
	}()
	began := time.Now()
	silent := r.raw(token, "v2.bsatn", "")
	_ = silent.rest()
	if d := time.Since(began); d < idle {
		t.Errorf("a silent client was dropped after %v", d)
	}
	db.waitDetached(1)
	// The other has been quiet for longer than that.
	time.Sleep(idle / 4)
	select {
	case err := <-answer:
		t.Fatalf("a client that answers pings got what it did not ask for, or ended: %v", err)
	default:
	}
	alive.send(ask(1, 1))
	if err := <-answer; err != nil {
		t.Errorf("a client that answers pings ended: %v", err)
	}
	if got := r.do("GET", "/v1/metrics", "", "").body; !strings.Contains(got, `cause="idle_timeout"`) {
		t.Error("the idle end is not counted")
	}
}

// A Ping is sent at once, and the next only after the Pong.
func TestPings(t *testing.T) {
	r, _, token := wsRig(t, func(o *Options) {
		o.WebSocket = WebSocketConfig{PingInterval: 20 * time.Millisecond, IdleTimeout: 2 * patience}
	})
	c := r.raw(token, "v2.bsatn", "")
	// counts waits for a Ping, and then whether there are more of them.
	counts := func() (pings int) {
		_ = c.SetReadDeadline(time.Now().Add(patience))
		for {
			op, _, _, err := c.frame()
			if err != nil {
				return pings
			}
			if op == ws.Ping {
				pings++
				_ = c.SetReadDeadline(time.Now().Add(150 * time.Millisecond))
			}
		}
	}
	if n := counts(); n != 1 {
		t.Errorf("%d pings without an answer", n)
	}
	c.write(masked(ws.AppendControl(nil, ws.Pong, nil)))
	if n := counts(); n != 1 {
		t.Errorf("%d pings after an answer", n)
	}
	// Our answer to a Ping carries its payload.
	c.write(masked(ws.AppendControl(nil, ws.Ping, []byte("hello"))))
	_ = c.SetReadDeadline(time.Now().Add(patience))
	if op, _, payload, err := c.frame(); err != nil || op != ws.Pong || string(payload) != "hello" {
		t.Errorf("%v %q %v", op, payload, err)
	}
}

func TestPingsDuringALongMessage(t *testing.T) {
	spec.Covers(t, "05.11")
	r, db, token := wsRig(t, func(o *Options) {
		o.WebSocket = WebSocketConfig{PingInterval: 10 * time.Millisecond, IdleTimeout: patience}
	})
	const size = 24 << 20
	db.mu.Lock()
	db.handle = func(c *subscribe.Client, m wire.ClientMessage) error {
		c.Out.Send(oneOff(c, m.(*wire.OneOffQuery), strings.Repeat("x", size)))
		return nil
	}
	db.mu.Unlock()
	c := r.raw(token, "v2.bsatn", "compression=None")
	c.write(masked(append(ws.AppendHeader(nil, ws.Binary, true, len(ask(1, 1))), ask(1, 1)...)))
	var inside bool
	got, pings, pongs := 0, 0, 0
	for {
		op, fin, payload, err := c.frame()
		if err != nil {
			t.Fatal(err)
		}
		switch op {
		case ws.Ping:
			if inside {
				pings++
			}
			c.write(masked(ws.AppendControl(nil, ws.Pong, nil)))
			c.write(masked(ws.AppendControl(nil, ws.Ping, []byte("me"))))
		case ws.Pong:
			pongs++
		default:
			got += len(payload)
			inside = !fin
			if inside {
				time.Sleep(200 * time.Microsecond) // a slow reader
			}
		}
		if got > size {
			break
		}
	}
	if pings < 2 || pongs < 2 {
		t.Errorf("%d pings and %d pongs inside the message", pings, pongs)
	}
}

func TestIncomingFlood(t *testing.T) {
	r, db, token := wsRig(t, func(o *Options) { o.WebSocket.IncomingQueue = 50 })
	hold := make(chan struct{})
	db.mu.Lock()
	db.hold = hold
	db.mu.Unlock()
	defer close(hold)
	p := r.dial(token, "", "v3.bsatn")
	p.first()
	for i := range 50 {
		p.send(ask(i, 1))
	}
	want := "spacetime_total_incoming_queue_length{db=\"" + db.info.Identity.String() + "\"} 50\n"
	eventually(t, want, func() bool { return strings.Contains(r.do("GET", "/v1/metrics", "", "").body, want) })
	p.send(ask(50, 1))
	p.wantClosed(1013, "too many requests")
}

func TestSlowReader(t *testing.T) {
	spec.Covers(t, "05.44", "08.45")
	r, db, token := wsRig(t)
	db.mu.Lock()
	db.handle = func(c *subscribe.Client, m wire.ClientMessage) error {
		for i := range 40_000 { // what the socket's buffers take, and 16384 more
			c.Out.Send(oneOff(c, &wire.OneOffQuery{RequestID: uint32(i)}, strings.Repeat("x", 1000)))
		}
		return nil
	}
	db.mu.Unlock()
	slow, other := r.raw(token, "v2.bsatn", ""), r.dial(token, "", "v2.bsatn")
	other.first()
	slow.write(masked(append(ws.AppendHeader(nil, ws.Binary, true, len(ask(1, 1))), ask(1, 1)...)))
	db.waitDetached(1)
	if got := slow.rest(); bytes.HasSuffix(got, []byte{0x88, 0x02}) {
		t.Error("dropped with a Close frame")
	}
	db.mu.Lock()
	db.handle = nil
	db.mu.Unlock()
	other.send(ask(3, 1))
	other.wantInOrder(3, 1)
	if got := r.do("GET", "/v1/metrics", "", "").body; !strings.Contains(got, "spacetime_client_outgoing_queue_disconnects_total{db=\"") {
		t.Error("the overflow is not counted")
	}
	flood, _ := wsFlood(t)
	flood.wantClosed(1013, "too many requests")
}

// wsFlood sends more requests than may wait at the default settings.
func wsFlood(t *testing.T) (*peer, *fakeDatabase) {
	t.Helper()
	r, db, token := wsRig(t)
	hold := make(chan struct{})
	db.mu.Lock()
	db.hold = hold
	db.mu.Unlock()
	t.Cleanup(func() { close(hold) })
	p := r.dial(token, "", "v3.bsatn")
	p.first()
	for i := range 17 {
		p.send(ask(1000*i, 1000))
	}
	return p, db
}

func TestOutboxBytes(t *testing.T) {
	full := 0
	o := newOutbox(newOutgoing(1<<40), 100, 1000, noWriter, func() { full++ })
	send := func(n int) { o.Send(subscribe.Message{Body: make([]byte, n)}) }
	send(5000) // a single message may always wait
	if full != 0 {
		t.Fatal("one message is too much")
	}
	o.sent(len(o.take(new(batch)).list), 5000)
	for range 10 {
		send(100)
	}
	if full != 0 || o.length() != 10 {
		t.Fatalf("full %d, %d wait", full, o.length())
	}
	send(1)
	send(1)
	if full != 1 {
		t.Errorf("full was called %d times", full)
	}
}

func TestConfirmedReads(t *testing.T) {
	spec.Covers(t, "05.39", "08.43", "08.44")
	r, db, token := wsRig(t)
	db.setDurable(10)
	db.mu.Lock()
	db.handle = func(c *subscribe.Client, m wire.ClientMessage) error {
		o := m.(*wire.OneOffQuery)
		answer := oneOff(c, o, "x")
		// Requests 0–99: computed from the transaction of that number; from 100 on
		// from none.
		if o.RequestID < 100 {
			answer.Gated, answer.Offset = true, uint64(o.RequestID)
		}
		c.Out.Send(answer)
		return nil
	}
	db.mu.Unlock()
	nothing := func(p *peer) {
		t.Helper()
		ctx, cancel := context.WithTimeout(context.Background(), 60*time.Millisecond)
		defer cancel()
		if _, b, err := p.conn.Read(ctx); err == nil {
			t.Fatalf("got %x before its transaction was durable", b)
		}
	}
	for _, tt := range []struct {
		protocol, query string
		waits           bool
	}{
		{"v2.bsatn", "", true}, {"v3.bsatn", "", true}, {"v3.bsatn", "confirmed=false", false},
		{"v1.bsatn", "", false}, {"v1.bsatn", "confirmed=true", true},
	} {
		db.setDurable(10)
		p := r.dial(token, tt.query, tt.protocol)
		p.next()
		payload := func(id int) []byte {
			if tt.protocol == "v1.bsatn" {
				// v1 names requests by bytes; the handler reads the number, so none here.
				return v1.AppendClient(nil, &wire.OneOffQuery{Query: "x"})
			}
			return ask(id, 1)
		}
		if tt.protocol == "v1.bsatn" {
			db.setDurable(0) // request id 0 for all: offset 0
			p.send(payload(0))
			if tt.waits {
				began := time.Now()
				time.AfterFunc(40*time.Millisecond, func() { db.setDurable(1) })
				p.next()
				if time.Since(began) < 30*time.Millisecond {
					t.Errorf("%+v: did not wait", tt)
				}
			} else {
				p.next()
			}
			continue
		}
		p.send(payload(9))
		p.wantInOrder(9, 1)
		p.send(payload(10))
		if !tt.waits {
			p.wantInOrder(10, 1)
			continue
		}
		// Order is kept: what waits for nothing waits behind what does.
		p.send(payload(100))
		p.send(payload(11))
		p.send(payload(101))
		began := time.Now()
		time.AfterFunc(50*time.Millisecond, func() { db.setDurable(11) })
		if got := p.answers(2); got[0] != 10 || got[1] != 100 || time.Since(began) < 40*time.Millisecond {
			t.Errorf("%+v: %v after %v", tt, got, time.Since(began))
		}
		began = time.Now()
		time.AfterFunc(50*time.Millisecond, func() { db.setDurable(12) })
		if got := p.answers(2); got[0] != 11 || got[1] != 101 || time.Since(began) < 40*time.Millisecond {
			t.Errorf("%+v: %v after %v", tt, got, time.Since(began))
		}
	}
	db.setDurable(10)
	p := r.dial(token, "", "v2.bsatn")
	p.first()
	p.send(ask(10, 1))
	nothing(p)

	// If the database stops while a message waits, the connection ends.
	q := r.dial(token, "", "v2.bsatn")
	q.first()
	q.send(ask(10, 1))
	db.waitHandled(len(db.waitHandled(0)))
	time.AfterFunc(30*time.Millisecond, db.stop)
	q.wantClosed(1001, "module exited")
}

func TestModuleExit(t *testing.T) {
	spec.Covers(t, "08.61")
	r, db, token := wsRig(t)
	a, b := r.dial(token, "", "v2.bsatn"), r.dial(token, "", "v1.json")
	a.first()
	b.next()
	// An update that breaks clients.
	db.mu.Lock()
	exits := db.clients
	db.mu.Unlock()
	for _, exited := range exits {
		exited()
	}
	a.wantClosed(1001, "module exited")
	b.wantClosed(1001, "module exited")
	db.waitDetached(2)
	// Deletion.
	c := r.dial(token, "", "v3.bsatn")
	c.first()
	r.want(r.do("DELETE", "/v1/database/db", token, ""), 200, "")
	c.wantClosed(1001, "module exited")
	db.waitDetached(3)
}

func TestSessionIDs(t *testing.T) {
	spec.Covers(t, "05.47", "05.48")
	r, db, token := wsRig(t)
	_, bob := r.identity()
	const id = "session_id=000102030405060708090a0b0c0d0e0f"
	r.fake.notes()
	first := r.dial(token, id, "v2.bsatn")
	first.first()
	// No conflict: another identity, another id, none.
	others := []*peer{r.dial(bob, id, "v2.bsatn"), r.dial(token, "session_id="+strings.Repeat("1", 32), "v2.bsatn"), r.dial(token, "", "v2.bsatn")}
	for _, o := range others {
		o.first()
	}
	r.fake.notes()
	second := r.dial(token, id+"&connection_id="+strings.Repeat("2", 32), "v2.bsatn")
	if code, _ := second.closed(); code != 4000 {
		t.Errorf("the newcomer was closed with %d", code)
	}
	first.wantClosed(-1, "")
	db.waitDetached(1)
	var retry *peer
	for retry == nil { // the key is free a moment after client_disconnected
		p := r.dial(token, id, "v2.bsatn")
		if _, b, err := p.read(); err == nil && len(b) > 0 {
			retry = p
		}
	}
	if got := r.fake.notes(); got != "detach; attach" {
		t.Errorf("order: %s", got)
	}
	for _, o := range others {
		o.send(ask(1, 1))
		o.wantInOrder(1, 1)
	}
	// A rejected connection gives its session back.
	db.mu.Lock()
	db.reject = &RejectedError{Message: "no"}
	db.mu.Unlock()
	const other = "session_id=ffffffffffffffffffffffffffffffff"
	for range 2 {
		r.dial(token, other, "v2.bsatn").wantClosed(-1, "")
	}
	db.mu.Lock()
	db.reject = nil
	db.mu.Unlock()
	for i := 0; ; i++ {
		p := r.dial(token, other, "v2.bsatn")
		if _, _, err := p.read(); err == nil {
			break
		}
		if i > 100 {
			t.Fatal("the session is never free")
		}
	}
}

func TestShutdownClosesSessions(t *testing.T) {
	r, db, token := wsRig(t)
	var all []*peer
	for _, protocol := range []string{"v1.json", "v1.bsatn", "v2.bsatn", "v3.bsatn"} {
		p := r.dial(token, "", protocol)
		p.next()
		all = append(all, p)
	}
	stuck := r.raw(token, "v2.bsatn", "") // never answers the Close
	db.waitAttached(5)
	done := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		done <- r.Shutdown(ctx)
	}()
	for _, p := range all {
		if code, _ := p.closed(); code != 1001 {
			t.Errorf("closed with %d", code)
		}
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	_ = stuck.rest()
	db.waitDetached(5)
	// Who comes later is dropped.
	p := r.dial(token, "", "v2.bsatn")
	p.wantClosed(-1, "")
}

// Compressed or not, the payload begins with its tag. Those who ask for gzip, and for
// brotli on v3, may be the SDK that applies compressed messages out of order.
func TestEnvelope(t *testing.T) {
	spec.Covers(t, "05.9", "05.10")
	const plain, brotli, gzip, text = 0, 1, 2, '{'
	for _, tt := range []struct {
		protocol, query string
		size            int
		tag, option     byte // the tag without and with the option gzip
	}{
		{"v2.bsatn", "compression=Gzip", 3000, plain, gzip},
		{"v3.bsatn", "compression=Gzip", 3000, plain, gzip},
		{"v1.bsatn", "compression=Gzip", 3000, plain, gzip},
		{"v2.bsatn", "compression=Gzip", 10, plain, plain},
		{"v2.bsatn", "compression=Brotli", 3000, brotli, brotli},
		{"v1.bsatn", "compression=Brotli", 3000, brotli, brotli},
		{"v3.bsatn", "compression=Brotli", 3000, plain, brotli},
		{"v2.bsatn", "compression=Brotli", 10, plain, plain},
		{"v2.bsatn", "", 3000, brotli, brotli},
		{"v3.bsatn", "", 3000, plain, brotli},
		{"v2.bsatn", "compression=None", 3000, plain, plain},
		{"v3.bsatn", "compression=None", 300_000, plain, plain},
		{"v1.json", "compression=Gzip", 3000, text, text},
		{"v1.json", "compression=Brotli", 3000, text, text},
		{"v1.json", "", 3000, text, text},
	} {
		for _, option := range []bool{false, true} {
			r, _, token := wsRig(t, func(o *Options) { o.WebSocket.Gzip = option })
			p := r.dial(token, tt.query, tt.protocol)
			p.next()
			question := &wire.OneOffQuery{Query: strings.Repeat("x", tt.size), MessageID: []byte{1}}
			want := tt.tag
			if option {
				want = tt.option
			}
			switch tt.protocol {
			case "v1.bsatn":
				p.send(v1.AppendClient(nil, question))
			case "v1.json":
				p.write(websocket.MessageText, fmt.Appendf(nil, `{"OneOffQuery":{"message_id":"01","query_string":%q}}`, question.Query))
				kind, b, err := p.read()
				if err != nil || kind != websocket.MessageText || b[0] != want || !bytes.Contains(b, []byte(question.Query)) {
					t.Errorf("%+v: %v %v, %.20q", tt, kind, err, b)
				}
				continue
			default:
				p.send(v2.AppendClient(nil, question))
			}
			b := p.next()
			body, err := wire.OpenEnvelope(b, 1<<20)
			if b[0] != want || err != nil || !bytes.Contains(body, []byte(question.Query)) {
				t.Errorf("%+v, option %v: tag %d, %v", tt, option, b[0], err)
			}
		}
	}
}

// discardConn swallows what is written.
type discardConn struct {
	net.Conn
	written int
}

func (c *discardConn) Write(b []byte) (int, error) {
	c.written++
	return len(b), nil
}

// What waits for a client costs one write and no allocation.
func TestWriterBatches(t *testing.T) {
	r, db, token := wsRig(t)
	r.dial(token, "", "v2.bsatn").first()
	for _, protocol := range []wire.Protocol{wire.V2, wire.V3, wire.V1JSON} {
		conn := &discardConn{}
		ss := &session{s: r.Server, conn: conn, protocol: protocol, confirmed: true, db: db, ctx: t.Context()}
		ss.watch.sent = r.metrics.sentSize.WithLabelValues("x")
		ss.out = newOutbox(newOutgoing(1<<40), 1000, 1<<20, noWriter, func() { t.Error("full") })
		w := newWriter()
		w.ss = ss
		body := bytes.Repeat([]byte("x"), 100)
		round := func() {
			for range 100 {
				ss.out.Send(subscribe.Message{Body: body, Gated: true, Offset: 5})
			}
			w.batch = ss.out.take(w.batch)
			if err := w.all(w.batch.list); err != nil {
				t.Fatal(err)
			}
		}
		round() // waits for the disk once and makes the buffers
		round()
		allocs := 1e9
		for range 5 { // others may allocate meanwhile, but not each time
			conn.written = 0
			allocs = min(allocs, testing.AllocsPerRun(20, round))
			if conn.written != 21 {
				t.Errorf("%v: %d writes in 21 rounds", protocol, conn.written)
			}
		}
		if allocs != 0 {
			t.Errorf("%v: %v allocations for 100 messages", protocol, allocs)
		}
		if ss.out.length() != 0 {
			t.Errorf("%v: %d messages still count", protocol, ss.out.length())
		}
	}
}

// BenchmarkEcho measures a session alone: frames, decoding, queues, the fake
// database's answer and the write, with 64 requests on their way at a time.
func BenchmarkEcho(b *testing.B) {
	const inFlight = 64
	r, _, token := wsRig(b)
	conn, err := net.Dial("tcp", strings.TrimPrefix(r.url, "http://"))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_, _ = fmt.Fprintf(conn, "GET /v1/database/db/subscribe?compression=None HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Protocol: v2.bsatn.spacetimedb\r\n\r\n", token)
	buf := make([]byte, 64<<10)
	if _, err := conn.Read(buf); err != nil {
		b.Fatal(err)
	}
	time.Sleep(50 * time.Millisecond)
	m := ask(1, 1)
	frame := masked(append(ws.AppendHeader(nil, ws.Binary, true, len(m)), m...))
	many := bytes.Repeat(frame, inFlight)
	_ = conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	for err == nil { // first message and ping
		_, err = conn.Read(buf)
	}
	_ = conn.SetReadDeadline(time.Time{})
	answer := len(oneOff(&subscribe.Client{Protocol: wire.V2}, &wire.OneOffQuery{}, "echo: 1").Body) + 3
	b.ReportAllocs()
	b.ResetTimer()
	for n := 0; n < b.N; n += inFlight {
		if _, err := conn.Write(many); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(conn, buf[:inFlight*answer]); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
}
