package server

import (
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stdbgo/spacetime/internal/subscribe"
)

// numbered is a message that holds a number.
func numbered(n int) subscribe.Message {
	return subscribe.Message{Body: binary.BigEndian.AppendUint32(nil, uint32(n))}
}

// An ordered outbox checks that messages come in order, each once.
type ordered struct {
	*outbox
	t     *testing.T
	got   atomic.Int64
	delay func(round int)
	round int
}

func newOrdered(t *testing.T, all *outgoing, delay func(round int)) *ordered {
	o := &ordered{t: t, delay: delay}
	o.outbox = newOutbox(all, 1<<20, 1<<30, o.write, func() { t.Error("full") })
	return o
}

func (o *ordered) write(w *writer) {
	for {
		w.batch = o.take(w.batch)
		if o.delay != nil {
			o.round++
			o.delay(o.round)
		}
		for _, m := range w.batch.list {
			if n := int64(binary.BigEndian.Uint32(m.Body)); n != o.got.Add(1)-1 {
				o.t.Errorf("message %d came as number %d", n, o.got.Load()-1)
			}
			o.sent(1, len(m.Body))
		}
		if len(w.batch.list) == 0 && o.rest() {
			return
		}
	}
}

// writersOf is how many writers work, are called or wait.
func (c *crew) writersOf() (working, idle int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.working, len(c.mu.idle)
}

// Whatever comes when, each client gets every message once and in order, and in the
// end no writer is left.
func TestCrewKeepsOrder(t *testing.T) {
	all := newOutgoing(1 << 40)
	const clients, messages = 200, 300
	boxes := make([]*ordered, clients)
	for i := range boxes {
		boxes[i] = newOrdered(t, all, func(round int) {
			if (i+round)%37 == 0 {
				boxes[i].mayWait()
			}
			if (i+round)%41 == 0 {
				time.Sleep(time.Millisecond)
			}
		})
	}
	for n := range messages {
		for _, o := range boxes {
			o.Send(numbered(n))
		}
		if n%60 == 59 {
			time.Sleep(lingerFor / 2) // so that writers rest, and some have just ended
		}
	}
	for i, o := range boxes {
		eventually(t, "all messages are written", func() bool { return o.got.Load() == messages })
		if n := o.length(); n != 0 {
			t.Errorf("%d messages of client %d count as waiting", n, i)
		}
	}
	eventually(t, "the writers have ended", func() bool {
		working, idle := all.crew.writersOf()
		return working == 0 && idle == 0
	})
	if n := all.bytes.Load(); n != 0 {
		t.Errorf("%d bytes count as waiting", n)
	}
}

// Those who wait for a client do not hold up others, however many they are.
func TestCrewStuckWriters(t *testing.T) {
	all := newOutgoing(1 << 40)
	const clients, messages = 1000, 20
	hold := make(chan struct{})
	var stuck atomic.Int64
	boxes := make([]*ordered, clients)
	for i := range boxes {
		var delay func(int)
		if i%10 == 0 {
			delay = func(round int) {
				if round == 1 {
					stuck.Add(1)
					boxes[i].mayWait()
					<-hold
				}
			}
		}
		boxes[i] = newOrdered(t, all, delay)
	}
	for n := range messages {
		for _, o := range boxes {
			o.Send(numbered(n))
		}
	}
	for i, o := range boxes {
		if i%10 != 0 {
			eventually(t, "the others are served", func() bool { return o.got.Load() == messages })
		}
	}
	if n := stuck.Load(); n != clients/10 {
		t.Errorf("%d writers wait, not %d", n, clients/10)
	}
	if working, _ := all.crew.writersOf(); working > all.crew.limit {
		t.Errorf("%d writers work through the list, more than %d", working, all.crew.limit)
	}
	close(hold)
	for _, o := range boxes {
		eventually(t, "the stuck ones are served", func() bool { return o.got.Load() == messages })
	}
	eventually(t, "the writers have ended", func() bool {
		working, idle := all.crew.writersOf()
		return working == 0 && idle == 0
	})
}

// A message for a client at rest costs no memory.
func TestIdleSendAllocatesNothing(t *testing.T) {
	all := newOutgoing(1 << 40)
	boxes := make([]*outbox, 100)
	var written sync.WaitGroup
	for i := range boxes {
		var o *outbox
		o = newOutbox(all, 10, 1<<20, func(w *writer) {
			w.batch = o.take(w.batch)
			o.sent(len(w.batch.list), len(w.batch.list)*4)
			if !o.rest() {
				t.Error("there is more to write")
			}
			written.Done()
		}, func() { t.Error("full") })
		boxes[i] = o
	}
	m := numbered(1)
	round := func() {
		written.Add(len(boxes))
		for _, o := range boxes {
			o.Send(m)
		}
		written.Wait()
	}
	round()
	allocs := 1e9
	for range 5 { // others may allocate meanwhile, but not each time
		allocs = min(allocs, testing.AllocsPerRun(20, round))
	}
	if !raceDetector && allocs > 2 { // of 100 messages; a writer may have ended
		t.Errorf("%v allocations for %d messages", allocs, len(boxes))
	}
	for _, o := range boxes {
		if o.mu.queue != nil || o.mu.alone {
			t.Fatal("an outbox at rest keeps messages")
		}
	}
}

// tcpPair is a counted connection of the server and its client's end.
func tcpPair(t *testing.T) (*limitedConn, net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	counting := &limitedListener{TCPListener: l.(*net.TCPListener), proxies: &Proxies{}}
	t.Cleanup(func() { _ = counting.Close() })
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	server, err := counting.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	return server.(*limitedConn), client
}

// A connection tells that a write has to wait, not before, and loses no byte then.
func TestTellWaits(t *testing.T) {
	server, client := tcpPair(t)
	if !triesWrites {
		t.Skip("sockets of this system cannot be written to without waiting")
	}
	told := make(chan struct{}, 1<<20)
	if !tellWaits(server, func() { told <- struct{}{} }) {
		t.Fatal("the connection cannot tell")
	}
	if n, err := server.Write([]byte("hello")); n != 5 || err != nil {
		t.Fatal(n, err)
	}
	if len(told) != 0 {
		t.Error("a short write is told to wait")
	}
	const size = 32 << 20 // more than the buffers of the sockets hold
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(i >> 10)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := server.Write(data)
		ended <- err
		_ = server.Close()
	}()
	<-told // nobody reads
	got, err := io.ReadAll(client)
	if err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if string(got) != "hello"+string(data) {
		t.Errorf("%d bytes came, or not the right ones", len(got))
	}
	if _, err := server.Write([]byte("x")); err == nil {
		t.Error("a closed connection takes a write")
	}
}

// A TLS connection tells what the one below tells.
func TestTellWaitsTLS(t *testing.T) {
	if !triesWrites {
		t.Skip("sockets of this system cannot be written to without waiting")
	}
	dir := t.TempDir()
	pool := writePair(t, dir, "x")
	cert, err := tls.LoadX509KeyPair(filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	below, raw := tcpPair(t)
	server := tls.Server(below, &tls.Config{Certificates: []tls.Certificate{cert}})
	client := tls.Client(raw, &tls.Config{RootCAs: pool, ServerName: "127.0.0.1"})
	shaken := make(chan error, 1)
	go func() { shaken <- client.Handshake() }()
	if err := server.Handshake(); err != nil {
		t.Fatal(err)
	}
	if err := <-shaken; err != nil {
		t.Fatal(err)
	}
	told := make(chan struct{}, 1<<20)
	if !tellWaits(server, func() { told <- struct{}{} }) {
		t.Fatal("the connection cannot tell")
	}
	const size = 32 << 20
	go func() {
		_, _ = server.Write(make([]byte, size))
		_ = server.Close()
	}()
	<-told
	if n, err := io.Copy(io.Discard, client); n != size || err != nil {
		t.Errorf("%d bytes came: %v", n, err)
	}
}

// Any other connection cannot tell.
func TestTellWaitsElsewhere(t *testing.T) {
	a, b := net.Pipe()
	defer func() { _, _ = a.Close(), b.Close() }()
	if tellWaits(a, func() {}) {
		t.Error("a pipe tells")
	}
}
