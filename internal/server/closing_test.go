package server

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stdbgo/spacetime/internal/server/ws"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/internal/subscribe"
	"github.com/stdbgo/spacetime/internal/wire"
)

// untilClose reads up to the server's Close frame.
func (c *rawConn) untilClose(code int) {
	c.t.Helper()
	for {
		op, _, payload, err := c.frame()
		if err != nil {
			c.t.Fatal(err)
		}
		if op == ws.Close {
			if got, _, _ := ws.ParseClose(payload); got != code {
				c.t.Errorf("closed with %d, want %d", got, code)
			}
			return
		}
	}
}

// A client that does not answer our Close is let go after a time; one that does, at
// once (spec 05 §14).
func TestCloseHandshake(t *testing.T) {
	r, db, token := wsRig(t, func(o *Options) { o.WebSocket.CloseTimeout = 100 * time.Millisecond })
	silent := r.raw(token, "v2.bsatn", "")
	silent.write(masked([]byte{0x82, 0x01, 99})) // no message begins so
	silent.untilClose(1011)
	_ = silent.rest() // its end comes without ours
	db.waitDetached(1)

	r, db, token = wsRig(t, func(o *Options) { o.WebSocket.CloseTimeout = time.Hour })
	polite := r.raw(token, "v2.bsatn", "")
	polite.write(masked([]byte{0x82, 0x01, 99}))
	polite.untilClose(1011)
	polite.write(bye(1011, ""))
	if rest := polite.rest(); len(rest) > 0 {
		t.Errorf("%d bytes behind the Close frame", len(rest))
	}
	db.waitDetached(1)
}

// Before a Close frame the message is finished that is partly sent; what waits
// behind it is lost, and what the client sends afterwards is not heard (spec 05 §14).
func TestCloseDuringALongMessage(t *testing.T) {
	r, db, token := wsRig(t, func(o *Options) { o.WebSocket.CloseTimeout = patience })
	const size = 8 << 20
	long := strings.Repeat("x", size)
	begun := make(chan struct{})
	db.mu.Lock()
	db.handle = func(c *subscribe.Client, m wire.ClientMessage) error {
		q := m.(*wire.OneOffQuery)
		c.Out.Send(oneOff(c, q, long))
		c.Out.Send(oneOff(c, q, "lost"))
		close(begun)
		return nil
	}
	db.mu.Unlock()
	c := r.raw(token, "v2.bsatn", "compression=None")
	c.write(frame(fin|byte(ws.Binary), ask(1, 1)))
	for {
		op, last, _, err := c.frame()
		if err != nil {
			t.Fatal(err)
		}
		if op == ws.Binary && !last { // the first fragment of the long message
			break
		}
	}
	<-begun
	db.stop()
	ss := r.session(t)
	eventually(t, "the session is closing", ss.out.closing)
	c.write(frame(fin|byte(ws.Binary), ask(2, 1)))
	var whole int
	for {
		op, last, payload, err := c.frame()
		if err != nil {
			t.Fatal(err)
		}
		if op == ws.Close {
			if code, reason, _ := ws.ParseClose(payload); code != 1001 || reason != "module exited" {
				t.Errorf("closed with %d %q", code, reason)
			}
			break
		}
		if op == ws.Continuation && last {
			whole++
		} else if op == ws.Binary {
			t.Errorf("a message of %d bytes behind the long one", len(payload))
		}
	}
	if whole != 1 {
		t.Error("the long message was not finished")
	}
	c.write(bye(1001, ""))
	_ = c.rest()
	db.waitDetached(1)
	if got := db.waitHandled(1); len(got) != 1 {
		t.Errorf("%d requests were carried out", len(got))
	}
}

// A connection that is still in its connect transaction keeps its session; the
// newcomer is refused all the same (spec 05 §4.1).
func TestSessionInConnect(t *testing.T) {
	spec.Covers(t, "05.47")
	r, db, token := wsRig(t)
	connects := make(chan struct{})
	db.mu.Lock()
	db.connects = connects
	db.mu.Unlock()
	const id = "session_id=0000000000000000000000000000000a"
	holder := r.dial(token, id, "v3.bsatn")
	eventually(t, "the holder has its session", func() bool {
		r.sessions.mu.Lock()
		defer r.sessions.mu.Unlock()
		return len(r.sessions.mu.held) == 1
	})
	newcomer := r.dial(token, id, "v2.bsatn")
	if code, _ := newcomer.closed(); code != 4000 {
		t.Errorf("the newcomer was closed with %d", code)
	}
	<-connects
	holder.first()
	holder.send(ask(1, 3))
	holder.wantInOrder(1, 3)
	db.mu.Lock()
	db.connects = nil
	db.mu.Unlock()
}

// A database that stops while its connections are idle closes them, although no
// goroutine of theirs waits for that.
func TestIdleConnectionsHearOfTheEnd(t *testing.T) {
	r, db, token := wsRig(t)
	var all []*peer
	for range 5 {
		p := r.dial(token, "", "v2.bsatn")
		p.first()
		all = append(all, p)
	}
	for _, ss := range sessionsOf(r) {
		eventually(t, "the writer has ended", func() bool {
			ss.out.mu.Lock()
			defer ss.out.mu.Unlock()
			return !ss.out.mu.writing && ss.out.mu.queue == nil
		})
	}
	db.stop()
	for _, p := range all {
		p.wantClosed(1001, "module exited")
	}
	db.waitDetached(5)
	eventually(t, "nobody watches the database", func() bool {
		r.sessions.mu.Lock()
		defer r.sessions.mu.Unlock()
		return len(r.sessions.mu.on) == 0 && len(r.sessions.mu.all) == 0
	})
}

func sessionsOf(r *rig) (all []*session) {
	r.sessions.mu.Lock()
	defer r.sessions.mu.Unlock()
	for ss := range r.sessions.mu.all {
		all = append(all, ss)
	}
	return all
}

// The writer and the runner come and go while messages do: none is lost and none
// overtakes another.
func TestWritersComeAndGo(t *testing.T) {
	r, db, token := wsRig(t)
	db.mu.Lock()
	db.handle = func(c *subscribe.Client, m wire.ClientMessage) error {
		c.Out.Send(oneOff(c, m.(*wire.OneOffQuery), "now"))
		return nil
	}
	db.mu.Unlock()
	p := r.dial(token, "compression=None", "v3.bsatn")
	p.first()
	next := 1
	for _, rest := range []time.Duration{0, lingerFor / 2, lingerFor, lingerFor + time.Millisecond, 2 * lingerFor, 0, lingerFor - time.Millisecond} {
		for range 5 {
			time.Sleep(rest)
			p.send(ask(next, 3))
			p.wantInOrder(next, 3)
			next += 3
		}
	}
	ss := r.session(t)
	eventually(t, "both have ended", func() bool {
		ss.in.mu.Lock()
		defer ss.in.mu.Unlock()
		ss.out.mu.Lock()
		defer ss.out.mu.Unlock()
		return !ss.in.mu.running && !ss.out.mu.writing && ss.in.mu.queue == nil && ss.out.mu.queue == nil
	})
}

// A long message that several clients get is compressed once and is what each of
// them would have got alone, on its own in a payload of v3, too.
func TestSharedMessages(t *testing.T) {
	r, db, token := wsRig(t, func(o *Options) { o.WebSocket.Gzip = true })
	clients := map[string]*peer{}
	for _, name := range []string{"v2.bsatn Brotli", "v2.bsatn Gzip", "v2.bsatn None", "v3.bsatn Brotli", "v3.bsatn Gzip", "v3.bsatn None"} {
		protocol, compression, _ := strings.Cut(name, " ")
		p := r.dial(token, "confirmed=false&compression="+compression, protocol)
		p.first()
		clients[name] = p
	}
	db.waitAttached(len(clients))
	shared := &wire.Shared{}
	var bodies [][]byte
	for i := range 3 {
		bodies = append(bodies, oneOff(&subscribe.Client{Protocol: wire.V2}, &wire.OneOffQuery{RequestID: uint32(i)}, strings.Repeat(fmt.Sprint(i), 3000)).Body)
	}
	db.mu.Lock()
	for c := range db.clients {
		c.Out.Send(subscribe.Message{Body: bodies[0]})
		c.Out.Send(subscribe.Message{Body: bodies[1], Shared: shared})
		c.Out.Send(subscribe.Message{Body: bodies[2]})
	}
	db.mu.Unlock()
	for name, p := range clients {
		want := bytes.Join(bodies, nil)
		for len(want) > 0 {
			payload := p.next()
			body, err := wire.OpenEnvelope(payload, 1<<20)
			if err != nil || !bytes.HasPrefix(want, body) {
				t.Fatalf("%s: %v, %.60q", name, err, body)
			}
			if tag := payload[0]; tag != map[string]byte{"Brotli": 1, "Gzip": 2, "None": 0}[strings.Fields(name)[1]] {
				t.Errorf("%s: tag %d", name, tag)
			}
			want = want[len(body):]
		}
	}
}

// A session counts against its identity's limit until it has ended.
func TestSessionsAreCounted(t *testing.T) {
	r, db, token := wsRig(t, func(o *Options) { o.Limits = Limits{SessionsPerIdentity: 2} })
	const elsewhere = "X-Forwarded-For: 198.51.100.1\r\n"
	open := func() (*rawConn, string) {
		c, head := r.rawHandshake(token, "v2.bsatn", "", elsewhere)
		status, _, _ := strings.Cut(string(head), "\r\n")
		return c, status
	}
	first, status := open()
	if status != "HTTP/1.1 101 Switching Protocols" {
		t.Fatal(status)
	}
	if _, status = open(); status != "HTTP/1.1 101 Switching Protocols" {
		t.Fatal(status)
	}
	db.waitAttached(2)
	if _, status = open(); status != "HTTP/1.1 429 Too Many Requests" {
		t.Errorf("the third of two: %s", status)
	}
	_ = first.Close()
	db.waitDetached(1)
	counted := func(want int) {
		t.Helper()
		eventually(t, fmt.Sprintf("%d are counted", want), func() bool {
			r.admission.sessions.mu.Lock()
			defer r.admission.sessions.mu.Unlock()
			total := 0
			for _, n := range r.admission.sessions.m {
				total += n
			}
			return total == want
		})
	}
	counted(1)
	if _, status = open(); status != "HTTP/1.1 101 Switching Protocols" {
		t.Errorf("after one has ended: %s", status)
	}
	db.waitAttached(2)
	// One that is refused by the module is not counted.
	db.mu.Lock()
	db.reject = &RejectedError{Message: "no"}
	db.mu.Unlock()
	for _, ss := range sessionsOf(r) {
		ss.kill("test")
	}
	db.waitDetached(3)
	for range 3 {
		counted(0)
		c, status := open()
		if status != "HTTP/1.1 101 Switching Protocols" {
			t.Errorf("a session that is rejected: %s", status)
		}
		_ = c.rest()
	}
	counted(0)
}
