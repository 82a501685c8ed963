package server

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stdbgo/spacetime/internal/subscribe"
	"github.com/stdbgo/spacetime/sats"
)

// dialRaw opens a connection for requests that no library sends.
func (r *rig) dialRaw() (net.Conn, *bufio.Reader) {
	r.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(r.url, "http://"))
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	return conn, bufio.NewReader(conn)
}

// A client that sends its body too slowly is answered and let go, whether or not
// somebody wants to read the body. One that is slow but goes on is served.
func TestSlowBodies(t *testing.T) {
	r := newRig(t)
	r.pace.body, r.pace.bodyRate = 500*time.Millisecond, 2
	_, token := r.identity()
	r.published("db", token, "program")
	head := func(method, path string, length int) string {
		return fmt.Sprintf("%s %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", method, path, length)
	}
	for _, tt := range []struct {
		method, path string
		status       int
	}{
		{"POST", "/v1/database/db/call/ok", http.StatusBadRequest},
		{"GET", "/v1/ping", http.StatusOK},
		{"GET", "/nowhere", http.StatusNotFound},
	} {
		conn, in := r.dialRaw()
		start := time.Now()
		_, _ = io.WriteString(conn, head(tt.method, tt.path, 1000)+"[")
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Errorf("%s: %v", tt.path, err)
			continue
		}
		_, _ = io.ReadAll(res.Body)
		if _, err := in.ReadByte(); !errors.Is(err, io.EOF) && !strings.Contains(fmt.Sprint(err), "reset") || res.StatusCode != tt.status {
			t.Errorf("%s: status %d, then %v", tt.path, res.StatusCode, err)
		}
		if took := time.Since(start); took > defaultPace.body*2/3 {
			t.Errorf("%s: it took %v", tt.path, took)
		}
	}
	conn, in := r.dialRaw()
	// Its first bytes alone win it more time than a busy machine takes for the next.
	_, _ = io.WriteString(conn, head("POST", "/v1/database/db/call/fails", 82)+"[]")
	for range 40 {
		time.Sleep(r.pace.body / 20)
		_, _ = io.WriteString(conn, "[]")
	}
	if res, err := http.ReadResponse(in, nil); err != nil || res.StatusCode != statusReducerFailed {
		t.Errorf("a slow client: %v %v", res, err)
	}
}

// A client that does not read its answer is let go.
func TestUnreadAnswers(t *testing.T) {
	r := newRig(t)
	r.pace.write = 500 * time.Millisecond
	_, token := r.identity()
	r.published("db", token, "program")
	db := r.fake.the(t)
	db.mu.Lock()
	db.logText = strings.Repeat("x", 64<<20) + "\n"
	db.mu.Unlock()
	over := make(chan struct{})
	web := httptest.NewUnstartedServer(r.Handler())
	web.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateClosed {
			close(over)
		}
	}
	web.Start()
	defer web.Close()
	r.url = web.URL
	conn, in := r.dialRaw()
	_, _ = fmt.Fprintf(conn, "GET /v1/database/db/logs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n", token)
	select {
	case <-over:
	case <-time.After(defaultPace.write * 2 / 3):
		t.Fatal("the connection does not end")
	}
	if n, err := io.Copy(io.Discard, in); n == 0 || n >= 64<<20 || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%d bytes came, then %v", n, err)
	}
}

// noWriter leaves what waits to the test.
func noWriter(*writer) {}

// All outboxes together hold no more than their bound and a little for each
// client, and what was taken or thrown away counts no longer.
func TestOutboxesTogether(t *testing.T) {
	all := newOutgoing(10 << 20)
	var full []int
	var boxes []*outbox
	for i := range 20 {
		boxes = append(boxes, newOutbox(all, 1000, 1<<30, noWriter, func() { full = append(full, i) }))
	}
	send := func(i, n int) { boxes[i].Send(subscribe.Message{Body: make([]byte, n)}) }
	for i := range boxes {
		send(i, 2<<20)
	}
	if got := all.bytes.Load(); got > 12<<20 || len(full) != 20-6 {
		t.Fatalf("%d bytes wait; dropped are %v", got, full)
	}
	send(0, 1<<20) // this client is slow while there is no room
	if len(full) != 15 || full[14] != 0 {
		t.Errorf("dropped are %v", full)
	}
	quiet := newOutbox(all, 1000, 1<<30, noWriter, func() { t.Error("a client without much to read is dropped") })
	quiet.Send(subscribe.Message{Body: make([]byte, 1000)})
	n := len(boxes[1].take(new(batch)).list)
	boxes[1].sent(n, 2<<20)
	for _, o := range append(boxes, quiet) {
		o.release()
	}
	if got := all.bytes.Load(); got != 0 {
		t.Errorf("%d bytes are left", got)
	}
}

// Identities that clients make up leave nothing behind.
func TestUnknownDatabasesLeaveNoSeries(t *testing.T) {
	r := newRig(t)
	count := func() int { return strings.Count(r.do("GET", "/v1/metrics", "", "").body, "\n") }
	path := func(i int) string { return fmt.Sprintf("/v1/database/%064x/subscribe", i) }
	upgrade := []string{"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: x"}
	r.do("GET", path(1), "", "", upgrade...)
	before := count()
	for i := range 50 {
		if a := r.do("GET", path(i+2), "", "", upgrade...); a.status != http.StatusInternalServerError {
			t.Fatalf("%d %s", a.status, a.body)
		}
		r.do("POST", fmt.Sprintf("/v1/database/%064x/sql", i+100), "", "SELECT 1")
	}
	if after := count(); after > before+2 {
		t.Errorf("%d lines of metrics, then %d", before, after)
	}
}

// A request that was on its way when its database was deleted does not bring it
// back to life.
func TestDeletedDatabaseStaysStopped(t *testing.T) {
	r := newRig(t)
	_, token := r.identity()
	id, err := sats.ParseIdentity(r.published("db", token, "program"))
	if err != nil {
		t.Fatal(err)
	}
	rec, err := r.ctl.Database(id)
	if err != nil {
		t.Fatal(err)
	}
	if a := r.do("DELETE", "/v1/database/db", token, ""); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	var refused *httpError
	if _, err := r.open(context.Background(), rec); !errors.As(err, &refused) || refused.status != http.StatusNotFound {
		t.Errorf("opened: %v", err)
	}
	if n := len(r.fake.running); n != 0 {
		t.Errorf("%d databases run", n)
	}
	// After a reset such a request goes to the new replica.
	id, _ = sats.ParseIdentity(r.published("db2", token, "program"))
	if rec, err = r.ctl.Database(id); err != nil {
		t.Fatal(err)
	}
	if a := r.do("PUT", "/v1/database/db2/reset", token, ""); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if _, err := r.open(context.Background(), rec); err != nil {
		t.Error(err)
	}
	if got := r.fake.the(t).info.Replica; got == rec.Replica {
		t.Errorf("replica %d runs again", got)
	}
}
