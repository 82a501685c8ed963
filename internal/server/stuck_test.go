package server

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stdbgo/spacetime/internal/server/ws"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/internal/subscribe"
	"github.com/stdbgo/spacetime/internal/wire"
	v2 "github.com/stdbgo/spacetime/internal/wire/v2"
	"github.com/stdbgo/spacetime/sats"
)

// smallBuffers accepts connections that hold little of what nobody reads.
type smallBuffers struct{ net.Listener }

func (l smallBuffers) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if sized, ok := c.(interface{ SetWriteBuffer(int) error }); ok && err == nil {
		err = sized.SetWriteBuffer(32 << 10)
	}
	return c, err
}

// serveSmall serves with small buffers, over connections of a kind; dial makes one, whose
// client may have a small buffer, too.
func serveSmall(t *testing.T, h http.Handler, kind string) (dial func(small bool) (net.Conn, error)) {
	t.Helper()
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var l net.Listener = smallBuffers{plain}
	if kind != "unable to tell" {
		l = smallBuffers{&limitedListener{TCPListener: plain.(*net.TCPListener), proxies: &Proxies{}}}
	}
	dial = func(small bool) (net.Conn, error) {
		c, err := net.Dial("tcp", plain.Addr().String())
		if err == nil && small {
			err = c.(*net.TCPConn).SetReadBuffer(4 << 10)
		}
		return c, err
	}
	if kind == "tls" {
		dir := t.TempDir()
		pool := writePair(t, dir, "x")
		cert, err := tls.LoadX509KeyPair(filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"))
		if err != nil {
			t.Fatal(err)
		}
		l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{cert}})
		raw := dial
		dial = func(small bool) (net.Conn, error) {
			c, err := raw(small)
			return tls.Client(c, &tls.Config{RootCAs: pool, ServerName: "127.0.0.1"}), err
		}
	}
	web := &http.Server{Handler: h}
	go func() { _ = web.Serve(l) }()
	t.Cleanup(func() { _ = web.Close() })
	return dial
}

// subscriber connects to database db over a new connection.
func subscriber(t *testing.T, conn net.Conn, err error, token string) *bufio.Reader {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_, err = fmt.Fprintf(conn, "GET /v1/database/db/subscribe?compression=None HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nConnection: upgrade\r\n"+
		"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Protocol: v2.bsatn.spacetimedb\r\n\r\n", token)
	if err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReaderSize(conn, 1<<10)
	res, err := http.ReadResponse(r, nil)
	if err != nil || res.StatusCode != http.StatusSwitchingProtocols {
		t.Fatal(res, err)
	}
	return r
}

// nextAnswer returns the request that the next answer is to.
func nextAnswer(r io.Reader) (uint32, error) {
	for {
		var head [4]byte
		if _, err := io.ReadFull(r, head[:2]); err != nil {
			return 0, err
		}
		n := int(head[1])
		if n == 126 {
			if _, err := io.ReadFull(r, head[2:]); err != nil {
				return 0, err
			}
			n = int(binary.BigEndian.Uint16(head[2:]))
		}
		payload := make([]byte, n)
		if _, err := io.ReadFull(r, payload); err != nil {
			return 0, err
		}
		if head[0] != 0x80|byte(ws.Binary) {
			continue // a ping
		}
		m := v2.ReadServer(sats.NewReader(payload[1:]))
		if answer, ok := m.(*v2.OneOffQueryResult); ok {
			return answer.RequestID, nil
		}
	}
}

// Clients that never read, read a byte now and then, or leave in the middle of a batch
// hold up nobody: the others get every message in order, and only the bad ones lose
// their connections. What waits for them is bounded.
func TestStuckClients(t *testing.T) {
	spec.Covers(t, "05.44", "08.45")
	for _, kind := range []string{"plain", "tls", "unable to tell"} {
		t.Run(strings.ReplaceAll(kind, " ", "-"), func(t *testing.T) { stuckClients(t, kind) })
	}
}

func stuckClients(t *testing.T, kind string) {
	const good, never, slow, leaving, messages, ahead, queue = 30, 4, 3, 3, 400, 50, 100
	r, db, token := wsRig(t, func(o *Options) { o.WebSocket.OutgoingQueue = queue })
	dial := serveSmall(t, r.Handler(), kind)

	done := make(chan struct{})
	var readers sync.WaitGroup
	defer readers.Wait()
	defer close(done)
	var got [good]atomic.Int64
	for i := range got {
		conn, err := dial(false)
		in := subscriber(t, conn, err, token)
		readers.Go(func() {
			for n := range messages {
				if id, err := nextAnswer(in); err != nil || id != uint32(n) {
					t.Errorf("client %d: message %d is number %d: %v", i, n, id, err)
					return
				}
				got[i].Add(1)
			}
		})
	}
	for i := range never + slow + leaving {
		conn, err := dial(true)
		in := subscriber(t, conn, err, token)
		if i < never {
			continue
		}
		readers.Go(func() {
			for n := range int64(1) << 40 {
				if i >= never+slow && n > 500 {
					_ = conn.Close()
					return
				}
				if _, err := in.ReadByte(); err != nil {
					return
				}
				select {
				case <-done: // reads what is left
				case <-time.After(time.Duration(n/100) * time.Millisecond):
				}
			}
		})
	}

	text := strings.Repeat("x", 2000)
	least := func() int64 {
		n := int64(messages)
		for i := range got {
			n = min(n, got[i].Load())
		}
		return n
	}
	for n := range messages {
		for c := range everybody(db) {
			c.Out.Send(oneOff(c, &wire.OneOffQuery{RequestID: uint32(n)}, text))
		}
		if waiting := r.outgoing.bytes.Load(); waiting > (good+never+slow+leaving)*queue*3000 {
			t.Fatalf("%d bytes wait", waiting)
		}
		eventually(t, "all good clients follow", func() bool { return t.Failed() || int64(n)-least() < ahead })
	}
	eventually(t, "all good clients have everything", func() bool { return t.Failed() || least() == messages })
	eventually(t, "the others are gone", func() bool { return len(everybody(db)) == good })
	if working, _ := r.outgoing.crew.writersOf(); working > r.outgoing.crew.limit {
		t.Errorf("%d writers work through the list", working)
	}
}

// Clients that read are not taken for slow ones because the disk is, unless too much
// waits for it.
func TestSlowDisk(t *testing.T) {
	const queue = 100
	r, db, token := wsRig(t, func(o *Options) { o.WebSocket.OutgoingQueue = queue })
	db.setDurable(5)
	p := r.dial(token, "confirmed=true", "v2.bsatn")
	p.first()
	send := func(n, offset int) {
		for c := range everybody(db) {
			m := oneOff(c, &wire.OneOffQuery{RequestID: uint32(n)}, "x")
			m.Gated, m.Offset = true, uint64(offset)
			c.Out.Send(m)
		}
	}
	waiting := func() (n int, late bool) {
		r.sessions.mu.Lock()
		defer r.sessions.mu.Unlock()
		for ss := range r.sessions.mu.all {
			ss.out.mu.Lock()
			n, late = ss.out.mu.count, ss.out.mu.late
			ss.out.mu.Unlock()
		}
		return n, late
	}
	late := func() bool { _, late := waiting(); return late }
	send(0, 5)
	eventually(t, "the message waits for the disk", late)
	for n := 1; n < 3*queue; n++ {
		send(n, 5)
	}
	db.setDurable(6)
	p.wantInOrder(0, 3*queue)
	eventually(t, "the client has caught up", func() bool { n, late := waiting(); return n == 0 && !late })

	send(0, 1000)
	eventually(t, "the message waits for the disk", late)
	for n := range lateFactor * queue {
		send(1+n, 1000)
	}
	db.waitDetached(1)
}

// everybody is a copy of the clients of a database.
func everybody(db *fakeDatabase) map[*subscribe.Client]func() {
	db.mu.Lock()
	defer db.mu.Unlock()
	return maps.Clone(db.clients)
}
