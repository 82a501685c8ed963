package server

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stdbgo/spacetime/sats"
)

// from sends a request as if it came from an address.
func (r *rig) from(address, method, path, token string, headers ...string) *httptest.ResponseRecorder {
	req := httptest.NewRequest(method, path, http.NoBody)
	req.RemoteAddr = address
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Add(name, value)
	}
	w := httptest.NewRecorder()
	r.Handler().ServeHTTP(w, req)
	return w
}

func TestRequestRates(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	r := newRig(t, func(o *Options) {
		o.Limits = Limits{RequestsPerAddress: 2, RequestsPerIdentity: 1, RequestBurst: 5}
		o.Now = func() time.Time { return now }
	})
	ask := func(address, token string, headers ...string) *httptest.ResponseRecorder {
		return r.from(address, "GET", "/v1/ping", token, headers...)
	}
	for i := range 5 {
		if w := ask("198.51.100.1:5", ""); w.Code != 200 {
			t.Fatalf("request %d: %d", i, w.Code)
		}
	}
	w := ask("198.51.100.1:6", "")
	if w.Code != 429 || w.Header().Get("Retry-After") != "1" || !strings.HasPrefix(w.Body.String(), "Too many requests from your address: try again in 1 s") ||
		w.Header().Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("one too many: %d %v %s", w.Code, w.Header(), w.Body)
	}
	// Others are not concerned, tools on this machine never.
	if w := ask("198.51.100.2:5", ""); w.Code != 200 {
		t.Errorf("another address: %d", w.Code)
	}
	for range 50 {
		for _, local := range []string{"127.0.0.1:5", "[::1]:5", "[::ffff:127.0.0.1]:5"} {
			if w := ask(local, ""); w.Code != 200 {
				t.Fatalf("%s: %d", local, w.Code)
			}
		}
	}
	// The rate counts from then on.
	now = now.Add(500 * time.Millisecond)
	if a, b := ask("198.51.100.1:5", "").Code, ask("198.51.100.1:5", "").Code; a != 200 || b != 429 {
		t.Errorf("half a second later: %d, %d", a, b)
	}
	// An identity is the same at every address; a network of IPv6 is one client.
	_, alice := r.identity()
	codes := map[int]int{}
	for i := range 10 {
		codes[ask(fmt.Sprintf("203.0.113.%d:5", i), alice).Code]++
	}
	if codes[200] != 5 || codes[429] != 5 {
		t.Errorf("an identity at ten addresses: %v", codes)
	}
	codes = map[int]int{}
	for i := range 10 {
		codes[ask(fmt.Sprintf("[2001:db8::%x]:5", i+1), "").Code]++
	}
	if codes[200] != 5 || codes[429] != 5 {
		t.Errorf("ten addresses of a network: %v", codes)
	}
	// Behind a trusted proxy the client counts, whoever claims to be one does not.
	codes = map[int]int{}
	for i := range 10 {
		codes[ask("127.0.0.1:5", "", "X-Forwarded-For: 192.0.2.7, 198.51.100.77").Code]++
		codes[ask("198.51.100.78:5", "", fmt.Sprintf("X-Forwarded-For: 192.0.2.%d", i)).Code]++
	}
	if codes[200] != 10 || codes[429] != 10 {
		t.Errorf("proxies: %v", codes)
	}
	// Neither are metrics wrong.
	if body := r.do("GET", "/metrics", "", "").body; !strings.Contains(body, "\nspacetime_http_refused_requests_total 22\n") {
		t.Errorf("metrics: %s", body[strings.Index(body, "spacetime_http_refused"):][:200])
	}
}

// A refused request is not read.
func TestRefusedBodiesAreNotRead(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Limits = Limits{RequestsPerAddress: 1, RequestBurst: 1} })
	for i, want := range []int{404, 429} {
		body := &endless{}
		req := httptest.NewRequest("POST", "/v1/database/nope/sql", io.LimitReader(body, 8<<20))
		req.RemoteAddr = "198.51.100.1:5"
		w := httptest.NewRecorder()
		r.Handler().ServeHTTP(w, req)
		if w.Code != want || (body.read == 0) != (want == 429) {
			t.Errorf("request %d: %d, read %d", i, w.Code, body.read)
		}
	}
}

type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	e.read += len(p)
	return len(p), nil
}

func TestRatesAreBounded(t *testing.T) {
	r := rates[int]{rate: 1, burst: 1}
	now := time.Unix(0, 0)
	for i := range 2 * maxTracked {
		if wait := r.take(i, now); wait != 0 {
			t.Fatalf("key %d waits %v", i, wait)
		}
	}
	if len(r.buckets) > maxTracked {
		t.Errorf("%d buckets", len(r.buckets))
	}
	// A clock that goes back gives nothing away.
	now = now.Add(time.Hour)
	_ = r.take(-1, now)
	if len(r.buckets) != 1 {
		t.Errorf("%d buckets when all are full again", len(r.buckets))
	}
	if wait := r.take(-1, now.Add(-time.Minute)); wait <= 0 {
		t.Errorf("wait %v", wait)
	}
}

func TestSessionLimits(t *testing.T) {
	var a admission
	a.init(Limits{SessionsPerIdentity: 2, ConnectionsPerAddress: 3})
	at := netip.MustParseAddr("198.51.100.1")
	one, two, three := sats.Identity{1}, sats.Identity{2}, sats.Identity{3}
	var leave []func()
	admit := func(id sats.Identity, from netip.Addr) error {
		done, err := a.session(from, id, true)
		if err == nil {
			leave = append(leave, done)
		}
		return err
	}
	for _, id := range []sats.Identity{one, one, two} {
		if err := admit(id, at); err != nil {
			t.Fatal(err)
		}
	}
	if err := admit(one, at); err == nil || !strings.Contains(err.Error(), "Too many connections of your identity") {
		t.Errorf("a third of one: %v", err)
	}
	if err := admit(three, at); err == nil || !strings.Contains(err.Error(), "Too many connections from your address") {
		t.Errorf("a fourth of the address: %v", err)
	}
	if err := admit(one, netip.MustParseAddr("127.0.0.1")); err != nil {
		t.Errorf("on this machine: %v", err)
	}
	for _, f := range leave {
		f()
	}
	if len(a.sessions.m)+len(a.clients.m) != 0 {
		t.Errorf("left over: %v %v", a.sessions.m, a.clients.m)
	}
}

// The refusal is an answer to the handshake.
func TestHandshakeIsRefused(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Limits = Limits{SessionsPerIdentity: 1} })
	id, alice := r.identity()
	r.published("main", alice, "program")
	who, err := sats.ParseIdentity(id)
	if err != nil {
		t.Fatal(err)
	}
	if !r.admission.sessions.add(who, 1) {
		t.Fatal("not counted")
	}
	w := r.from("198.51.100.1:5", "GET", "/v1/database/main/subscribe", alice, "Connection: upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: x", "Sec-WebSocket-Protocol: v2.bsatn.spacetimedb")
	if w.Code != 429 || w.Header().Get("Retry-After") != "10" {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
}

// One connection too many is told so, and counted out when it closes.
func TestConnectionLimit(t *testing.T) {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t)
	l := &limitedListener{TCPListener: tcp.(*net.TCPListener), limits: Limits{Connections: 2}, proxies: r.proxies}
	web := &http.Server{Handler: r.Handler(), ConnContext: connContext}
	served := make(chan error, 1)
	go func() { served <- web.Serve(l) }()
	defer func() {
		_ = web.Close()
		<-served
	}()
	ask := func() (net.Conn, *http.Response) {
		c, err := net.Dial("tcp", tcp.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetDeadline(time.Now().Add(patience))
		if _, err := io.WriteString(c, "GET /v1/ping HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		return c, res
	}
	one, res := ask()
	if res.StatusCode != 200 {
		t.Fatalf("first: %s", res.Status)
	}
	two, res := ask()
	if res.StatusCode != 200 {
		t.Fatalf("second: %s", res.Status)
	}
	three, res := ask()
	if res.StatusCode != 503 || res.Header.Get("Retry-After") == "" || !res.Close {
		t.Errorf("third: %s %v", res.Status, res.Header)
	}
	_, _ = three.Close(), one.Close()
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		c, res := ask()
		_ = c.Close()
		if res.StatusCode == 200 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the room of a closed connection is not given back")
		}
	}
	_ = two.Close()
}

// Beyond those that are told why, connections are closed at once.
func TestRefusedConnectionsAreBounded(t *testing.T) {
	l := &limitedListener{limits: Limits{Connections: 1}, proxies: &Proxies{}}
	var open []*limitedConn
	for i := range maxRefused + 5 {
		c := l.admit(&net.TCPConn{})
		if (c == nil) != (i > maxRefused) {
			t.Fatalf("connection %d: %v", i, c)
		}
		if c != nil {
			open = append(open, c)
		}
	}
	for _, c := range open {
		c.done()
	}
	if l.total != 0 || l.refused != 0 {
		t.Errorf("%d open, %d refused", l.total, l.refused)
	}
}

func TestClientAddress(t *testing.T) {
	plain := Proxies{Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")}}
	standard := plain
	standard.Forwarded = true
	for i, tt := range []struct {
		p       *Proxies
		peer    string
		headers []string
		client  string
		uri     string
	}{
		{&plain, "198.51.100.1:5", nil, "198.51.100.1", "http://example.org/x"},
		{&plain, "198.51.100.1:5", []string{"X-Forwarded-For: 1.2.3.4", "X-Forwarded-Proto: https", "X-Forwarded-Host: evil"}, "198.51.100.1", "http://example.org/x"},
		{&plain, "10.1.1.1:5", []string{"X-Forwarded-For: 1.2.3.4", "X-Forwarded-Proto: https", "X-Forwarded-Host: db.example"}, "1.2.3.4", "https://db.example/x"},
		{&plain, "10.1.1.1:5", []string{"X-Forwarded-For: 9.9.9.9, 1.2.3.4"}, "1.2.3.4", "http://example.org/x"},
		{&plain, "10.1.1.1:5", []string{"X-Forwarded-For: 9.9.9.9", "X-Forwarded-For: 1.2.3.4, 10.7.7.7"}, "1.2.3.4", "http://example.org/x"},
		{&plain, "10.1.1.1:5", []string{"X-Forwarded-For: 10.2.2.2"}, "10.2.2.2", "http://example.org/x"},
		{&plain, "10.1.1.1:5", []string{"X-Forwarded-For: nonsense, 10.2.2.2"}, "10.2.2.2", "http://example.org/x"},
		{&plain, "10.1.1.1:5", []string{"X-Forwarded-For: 1.2.3.4:777"}, "1.2.3.4", "http://example.org/x"},
		{&plain, "10.1.1.1:5", []string{"Forwarded: for=1.2.3.4;proto=https"}, "10.1.1.1", "http://example.org/x"},
		{&plain, "[2001:db8::1]:5", []string{"X-Forwarded-For: [2001:dead::7]:80"}, "2001:dead::7", "http://example.org/x"},
		{&standard, "10.1.1.1:5", []string{`Forwarded: for="[2001:dead::7]:80";proto=https;host=db.example, for=10.3.3.3`}, "2001:dead::7", "https://db.example/x"},
		{&standard, "10.1.1.1:5", []string{"X-Forwarded-For: 1.2.3.4", "Forwarded: For=_hidden"}, "10.1.1.1", "http://example.org/x"},
		{&standard, "198.51.100.1:5", []string{"Forwarded: for=1.2.3.4;proto=https"}, "198.51.100.1", "http://example.org/x"},
		{&plain, "", nil, "invalid IP", "http://example.org/x"},
	} {
		req := httptest.NewRequest("GET", "/x", http.NoBody)
		req.Host, req.RemoteAddr = "example.org", tt.peer
		for _, h := range tt.headers {
			name, value, _ := strings.Cut(h, ": ")
			req.Header.Add(name, value)
		}
		if got := tt.p.client(req).String(); got != tt.client {
			t.Errorf("case %d: client %s, want %s", i, got, tt.client)
		}
		if got := tt.p.externalURI(req); got != tt.uri {
			t.Errorf("case %d: %s, want %s", i, got, tt.uri)
		}
	}
}

// Bodies are never unpacked: what a client sends is as large as it says.
func TestCompressedBodiesAreNotUnpacked(t *testing.T) {
	r := newRig(t)
	_, alice := r.identity()
	r.published("main", alice, "program")
	a := r.do("POST", "/v1/database/main/sql", alice, "\x1f\x8b\x08", "Content-Encoding: gzip")
	if a.status != 400 || !strings.Contains(a.body, "valid UTF-8") {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// A header may be as large as the configuration says.
func TestLargeHeaders(t *testing.T) {
	o := runOptions(t.TempDir(), io.Discard)
	o.Overrides.Set = []string{"http.max-header-bytes=8192"}
	r := started(t, o)
	defer func() {
		if err := r.Shutdown(); err != nil {
			t.Error(err)
		}
	}()
	for size, want := range map[int]string{1000: "200", 64 << 10: "431"} {
		c, err := net.Dial("tcp", r.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetDeadline(time.Now().Add(patience))
		_, _ = io.WriteString(c, "GET /v1/ping HTTP/1.1\r\nHost: x\r\nX-Large: "+strings.Repeat("a", size)+"\r\n\r\n") // refused while it is written
		line, err := bufio.NewReader(c).ReadString('\n')
		if err != nil || !strings.HasPrefix(line, "HTTP/1.1 "+want) {
			t.Errorf("%d bytes: %q, %v", size, line, err)
		}
		_ = c.Close()
	}
}

// A client that sends its header slowly is let go.
func TestSlowHeaders(t *testing.T) {
	o := runOptions(t.TempDir(), io.Discard)
	o.Overrides.Set = []string{"http.header-timeout=50ms"}
	r := started(t, o)
	defer func() {
		if err := r.Shutdown(); err != nil {
			t.Error(err)
		}
	}()
	c, err := net.Dial("tcp", r.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c, "GET /v1/ping HTTP/1.1\r\nHost: x\r\nX-Slow: "); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(c); err != nil {
		t.Errorf("the connection stays open: %q, %v", b, err)
	}
}
