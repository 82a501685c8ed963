package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"pgregory.net/rapid"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/netguard"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/sats"
)

// An egressTest makes requests as a module does.
type egressTest struct {
	*egress
	t *testing.T
}

func newEgressTest(t *testing.T, o HTTPOptions) *egressTest {
	e := newEgress(o, SystemClock{})
	t.Cleanup(e.close)
	return &egressTest{e, t}
}

// local has names resolve to the addresses given.
func (e *egressTest) local(names map[string][]string) {
	e.dialer.Resolve = func(_ context.Context, host string) (addrs []netip.Addr, err error) {
		for _, a := range names[host] {
			addrs = append(addrs, netip.MustParseAddr(a))
		}
		if addrs == nil {
			return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
		}
		return addrs, nil
	}
}

func (e *egressTest) get(uri string, headers ...HTTPHeader) (HTTPResponse, []byte, error) {
	return e.send(&HTTPRequest{Method: "GET", URI: uri, Version: HTTP11, Headers: headers}, nil)
}

func (e *egressTest) send(r *HTTPRequest, body []byte) (res HTTPResponse, content []byte, err error) {
	e.t.Helper()
	b, content, err := e.do(background, r.Append(nil), body)
	if err != nil {
		return res, nil, err
	}
	res, err = DecodeHTTPResponse(b)
	if err != nil {
		e.t.Fatal(err)
	}
	return res, content, nil
}

func (r *HTTPResponse) header(name string) string {
	var all []string
	for _, h := range r.Headers {
		if h.Name == name {
			all = append(all, string(h.Value))
		}
	}
	return strings.Join(all, "|")
}

func serve(t *testing.T, h http.HandlerFunc) *httptest.Server {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

// The bytes of spec 03 §11.1.
func TestHTTPMessageBytes(t *testing.T) {
	ms100 := sats.TimeDuration(100_000)
	for name, tt := range map[string]struct {
		got  []byte
		want []byte
	}{
		"GET": {(&HTTPRequest{Method: "GET", URI: "https://example.com/", Version: HTTP11}).Append(nil),
			[]byte("\x00\x00\x00\x00\x00\x01\x14\x00\x00\x00https://example.com/\x02")},
		"POST": {(&HTTPRequest{Method: "POST", URI: "http://h/", Version: HTTP11, Timeout: &ms100, Headers: []HTTPHeader{{"x-a", []byte("b")}}}).Append(nil),
			[]byte("\x02\x01\x00\x00\x00\x03\x00\x00\x00x-a\x01\x00\x00\x00b\x00\xa0\x86\x01\x00\x00\x00\x00\x00\x09\x00\x00\x00http://h/\x02")},
		"404": {(&HTTPResponse{Code: 404, Version: HTTP11, Headers: []HTTPHeader{{"a", []byte("b")}}}).Append(nil),
			[]byte("\x01\x00\x00\x00\x01\x00\x00\x00a\x01\x00\x00\x00b\x02\x94\x01")},
	} {
		if !bytes.Equal(tt.got, tt.want) {
			t.Errorf("%s: % x; want % x", name, tt.got, tt.want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		d := sats.TimeDuration(rapid.Int64().Draw(t, "timeout"))
		r := HTTPRequest{
			Method: rapid.SampledFrom([]string{"GET", "PATCH", "PROPFIND"}).Draw(t, "method"), URI: rapid.String().Draw(t, "uri"),
			Timeout: &d, Version: HTTP2, Headers: []HTTPHeader{{"a", rapid.SliceOf(rapid.Byte()).Draw(t, "value")}},
		}
		back, err := DecodeHTTPRequest(append(r.Append(nil), 1, 2))
		if err != nil || !bytes.Equal(back.Append(nil), r.Append(nil)) {
			t.Fatalf("%+v came back as %+v, %v", r, back, err)
		}
	})
}

// Hostile bytes give an error, and no more memory than they are worth.
func FuzzHTTPMessages(f *testing.F) {
	f.Add((&HTTPRequest{Method: "POST", URI: "http://h/", Headers: []HTTPHeader{{"x-a", []byte("b")}}}).Append(nil))
	f.Add((&HTTPResponse{Code: 404, Headers: []HTTPHeader{{"a", nil}}}).Append(nil))
	f.Add([]byte{9, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := DecodeHTTPRequest(b); err == nil {
			if again, err := DecodeHTTPRequest(r.Append(nil)); err != nil || len(again.Headers) != len(r.Headers) {
				t.Errorf("%+v does not come back: %v", r, err)
			}
		}
		if r, err := DecodeHTTPResponse(b); err == nil {
			if _, err := DecodeHTTPResponse(r.Append(nil)); err != nil {
				t.Errorf("%+v does not come back: %v", r, err)
			}
		}
	})
}

// Blocked addresses are refused as literals, as what names resolve to, behind
// redirects, and at last by the socket itself.
func TestEgressFilter(t *testing.T) {
	spec.Covers(t, "08.32", "03.51")
	var served atomic.Int32
	s := serve(t, func(http.ResponseWriter, *http.Request) { served.Add(1) })
	port := s.Listener.Addr().(*net.TCPAddr).Port
	e := newEgressTest(t, HTTPOptions{})
	e.local(map[string][]string{"inside.example": {"10.0.0.7", "127.0.0.1", "fe80::1"}, "mapped.example": {"::ffff:127.0.0.1"}, "localhost": {"127.0.0.1", "::1"}})
	refused := func(what string, err error) {
		t.Helper()
		var failed *abi.HTTPError
		if !errors.As(err, &failed) || !strings.Contains(failed.Text, "refusing to connect to private or special-purpose addresses") {
			t.Errorf("%s: %v", what, err)
		}
	}
	hosts := []string{
		"127.0.0.1", "10.0.0.1", "[::1]", "169.254.169.254", "[::ffff:127.0.0.1]", "[::ffff:8.8.8.8]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]",
		"[fe80::1%25lo]", "inside.example", "mapped.example", "localhost",
	}
	for _, host := range hosts {
		_, _, err := e.get(fmt.Sprintf("http://%s:%d/", host, port))
		refused(host, err)
	}
	if served.Load() != 0 {
		t.Error("a request got through")
	}
	// A redirect from a place that is allowed.
	transport := e.transport.Clone()
	hop := make(chan string, 1)
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		if strings.HasPrefix(address, "public.example:") {
			return net.Dial(network, s.Listener.Addr().String())
		}
		return e.dialer.DialContext(ctx, network, address)
	}
	e.transport = transport
	s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, <-hop, http.StatusFound) })
	for _, host := range hosts {
		hop <- fmt.Sprintf("http://%s:%d/secret?key=hidden", host, port)
		_, _, err := e.get("http://public.example/")
		refused("redirect to "+host, err)
		if strings.Contains(err.Error(), "hidden") {
			t.Errorf("redirect to %s: the error tells the query: %v", host, err)
		}
	}
	transport.CloseIdleConnections()
}

// Of the addresses of a name only the public ones are used.
func TestEgressMixedNames(t *testing.T) {
	spec.Covers(t, "08.69")
	e := newEgressTest(t, HTTPOptions{})
	e.local(map[string][]string{"mixed.example": {"10.0.0.1", "192.0.9.1", "::1", "2a00::1"}})
	got, err := e.dialer.Addresses(background, "mixed.example")
	if err != nil || len(got) != 2 || got[0].String() != "192.0.9.1" || got[1].String() != "2a00::1" {
		t.Errorf("addresses %v, %v", got, err)
	}
	// The error is that of an address that was tried, not a refusal.
	ctx, cancel := context.WithCancel(background)
	cancel()
	if _, err := e.dialer.DialContext(ctx, "tcp", "mixed.example:80"); err == nil || errors.Is(err, netguard.ErrBlocked) {
		t.Errorf("dial: %v", err)
	}
}

// What a server gets to see, and what a module gets back.
func TestEgressExchange(t *testing.T) {
	spec.Covers(t, "03.50")
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/echo":
			body, _ := io.ReadAll(r.Body)
			w.Header().Add("X-Two", "one")
			w.Header().Add("X-Two", "two")
			w.Header().Set("Content-Type", "text/x")
			_, _ = fmt.Fprintf(w, "%s %s host=%s x=%s agent=%q accept=%s encoding=%s body=%s", r.Method, r.RequestURI, r.Host,
				strings.Join(r.Header["X-A"], "|"), r.UserAgent(), r.Header.Get("Accept"), r.Header.Get("Accept-Encoding"), body)
		case "/missing":
			w.WriteHeader(http.StatusNotFound)
		case "/hop":
			http.Redirect(w, r, "/echo?from=hop", http.StatusTemporaryRedirect)
		case "/loop":
			http.Redirect(w, r, "/loop?token=hidden", http.StatusFound)
		case "/nowhere":
			w.Header().Set("Location", "http://[bad?token=hidden")
			w.WriteHeader(http.StatusFound)
		case "/large":
			_, _ = w.Write(make([]byte, 2000))
		}
	})
	e := newEgressTest(t, HTTPOptions{AllowPrivate: true, MaxResponse: 1000})
	host := s.Listener.Addr().String()
	req := HTTPRequest{Method: "POST", URI: s.URL + "/echo?q=1%20x", Headers: []HTTPHeader{{"x-a", []byte("1")}, {"X-A", []byte("2")}}}
	res, body, err := e.send(&req, []byte("content"))
	wantBody := "POST /echo?q=1%20x host=" + host + ` x=1|2 agent="" accept=*/* encoding=gzip, br body=content`
	if err != nil || res.Code != 200 || res.Version != HTTP11 || string(body) != wantBody {
		t.Errorf("echo: %+v %v\n got %s\nwant %s", res, err, body, wantBody)
	}
	if res.header("x-two") != "one|two" || res.header("content-type") != "text/x" {
		t.Errorf("headers %q", res.Headers)
	}
	req = HTTPRequest{Method: "PROPFIND", URI: s.URL + "/echo", Headers: []HTTPHeader{
		{"host", []byte("other.example")}, {"user-agent", []byte("m")}, {"accept", []byte("a/b")}, {"accept-encoding", []byte("identity")},
	}}
	if _, body, err = e.send(&req, nil); err != nil || string(body) != `PROPFIND /echo host=other.example x= agent="m" accept=a/b encoding=identity body=` {
		t.Errorf("echo with headers: %s, %v", body, err)
	}
	if res, body, err = e.get(s.URL + "/missing?x"); err != nil || res.Code != 404 || len(body) != 0 {
		t.Errorf("missing: %+v %q %v", res, body, err)
	}
	req = HTTPRequest{Method: "PUT", URI: s.URL + "/hop"}
	if _, body, err = e.send(&req, []byte("again")); err != nil || !strings.HasPrefix(string(body), "PUT /echo?from=hop ") || !strings.HasSuffix(string(body), "body=again") {
		t.Errorf("redirect: %s, %v", body, err)
	}

	closed := serve(t, nil)
	closed.Close()
	for _, tt := range []struct {
		name    string
		request HTTPRequest
		text    string
	}{
		{"refused", HTTPRequest{Method: "GET", URI: closed.URL + "/p?token=hidden"}, "error sending request for url (" + closed.URL + "/p): dial tcp "},
		{"loop", HTTPRequest{Method: "GET", URI: s.URL + "/loop"}, "error sending request for url (" + s.URL + "/loop): too many redirects"},
		{"nowhere", HTTPRequest{Method: "GET", URI: s.URL + "/nowhere"}, "the response redirects to an invalid URL"},
		{"large", HTTPRequest{Method: "GET", URI: s.URL + "/large"}, "the response body is too large: more than 1000 bytes"},
		{"scheme", HTTPRequest{Method: "GET", URI: "file:///etc/passwd?hidden"}, "invalid URI"},
		{"other scheme", HTTPRequest{Method: "GET", URI: "ftp://h.example/?hidden"}, "neither http nor https"},
		{"no URI", HTTPRequest{Method: "GET", URI: "/relative?hidden"}, "invalid URI"},
		{"bad URI", HTTPRequest{Method: "GET", URI: "http://h:port/?hidden"}, "invalid URI"},
		{"method", HTTPRequest{Method: "GE T", URI: s.URL}, "invalid HTTP method"},
		{"header name", HTTPRequest{Method: "GET", URI: s.URL, Headers: []HTTPHeader{{"x:", []byte("hidden")}}}, "invalid HTTP header name"},
		{"header value", HTTPRequest{Method: "GET", URI: s.URL, Headers: []HTTPHeader{{"x-a", []byte("hidden\n")}}}, "invalid value of the HTTP header x-a"},
		{"user", HTTPRequest{Method: "GET", URI: strings.Replace(closed.URL, "//", "//hidden:hidden@", 1)}, "error sending request for url (" + closed.URL + "): dial tcp "},
	} {
		_, _, err := e.send(&tt.request, nil)
		var failed *abi.HTTPError
		if !errors.As(err, &failed) || !strings.Contains(failed.Text, tt.text) || strings.Contains(failed.Text, "hidden") {
			t.Errorf("%s: %v; want %q", tt.name, err, tt.text)
		}
	}
	var undecoded *store.Error
	if _, _, err := e.do(background, []byte{0}, nil); !errors.As(err, &undecoded) || undecoded.Code != store.ErrDecode {
		t.Errorf("no request at all: %v", err)
	}
	off := newEgressTest(t, HTTPOptions{Disabled: true})
	if _, _, err := off.get(s.URL); err == nil || err.Error() != "module outbound HTTP requests are disabled" {
		t.Errorf("disabled: %v", err)
	}
}

// Compressed responses arrive decoded, without the headers that no longer fit; what
// they unpack to is bounded.
func TestEgressDecodes(t *testing.T) {
	spec.Covers(t, "03.70")
	text := strings.Repeat("hello ", 100)
	var zipped, brotlied bytes.Buffer
	z := gzip.NewWriter(&zipped)
	b := brotli.NewWriter(&brotlied)
	for _, w := range []io.WriteCloser{z, b} {
		if _, err := io.WriteString(w, text); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(r.URL.Path, "/")
		w.Header().Set("Content-Encoding", strings.TrimSuffix(name, "!"))
		switch name {
		case "gzip":
			_, _ = w.Write(zipped.Bytes())
		case "br":
			_, _ = w.Write(brotlied.Bytes())
		case "zstd":
			_, _ = w.Write([]byte("as it is"))
		case "gzip!", "br!":
			_, _ = w.Write([]byte("nonsense"))
		}
	})
	e := newEgressTest(t, HTTPOptions{AllowPrivate: true})
	for _, encoding := range []string{"gzip", "br"} {
		res, body, err := e.get(s.URL + "/" + encoding)
		if err != nil || string(body) != text || res.header("content-encoding") != "" || res.header("content-length") != "" {
			t.Errorf("%s: %d bytes, %q, %v", encoding, len(body), res.Headers, err)
		}
		req := HTTPRequest{Method: "HEAD", URI: s.URL + "/" + encoding}
		if _, body, err := e.send(&req, nil); err != nil || len(body) != 0 {
			t.Errorf("%s without a body: %q, %v", encoding, body, err)
		}
		if _, _, err := e.get(s.URL + "/" + encoding + "!"); err == nil {
			t.Errorf("%s: nonsense is taken", encoding)
		}
	}
	if res, body, err := e.get(s.URL + "/zstd"); err != nil || string(body) != "as it is" || res.header("content-encoding") != "zstd" {
		t.Errorf("another encoding: %q, %q, %v", body, res.Headers, err)
	}
	small := newEgressTest(t, HTTPOptions{AllowPrivate: true, MaxResponse: int64(len(text)) - 1})
	if _, _, err := small.get(s.URL + "/gzip"); err == nil || !strings.Contains(err.Error(), "too large") {
		t.Errorf("a bomb: %v", err)
	}
}

// A request ends when its time is up, whether the server sends nothing, or only a
// header; or when the call is stopped.
func TestEgressTimeouts(t *testing.T) {
	release := make(chan struct{})
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/header" {
			w.WriteHeader(200)
			_ = http.NewResponseController(w).Flush()
		}
		<-release
	})
	defer close(release)
	e := newEgressTest(t, HTTPOptions{AllowPrivate: true})
	for _, micros := range []int64{-5, 0, 20_000} {
		d := sats.TimeDuration(micros)
		for _, path := range []string{"/", "/header"} {
			req := HTTPRequest{Method: "GET", URI: s.URL + path + "?hidden", Timeout: &d}
			_, _, err := e.send(&req, nil)
			var failed *abi.HTTPError
			if !errors.As(err, &failed) || failed.Text != "error sending request for url ("+s.URL+path+"): operation timed out" {
				t.Errorf("timeout %d, %s: %v", micros, path, err)
			}
		}
	}
	ctx, cancel := context.WithCancelCause(background)
	stop := errors.New("stop")
	time.AfterFunc(10*time.Millisecond, func() { cancel(stop) })
	if _, _, err := e.do(ctx, (&HTTPRequest{Method: "GET", URI: s.URL}).Append(nil), nil); !errors.Is(err, stop) {
		t.Errorf("stopped: %v", err)
	}
	long, short := sats.TimeDuration(200_000_000), sats.TimeDuration(-1)
	for want, r := range map[time.Duration]HTTPRequest{
		30 * time.Second: {}, 180 * time.Second: {Timeout: &long}, 0: {Timeout: &short},
	} {
		if got := timeoutOf(&r); got != want {
			t.Errorf("timeout of %v is %v; want %v", r.Timeout, got, want)
		}
	}
}

// HTTP/2 is spoken where the server offers it.
func TestEgressHTTP2(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Proto) }))
	s.EnableHTTP2 = true
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	e := newEgressTest(t, HTTPOptions{AllowPrivate: true})
	e.transport.TLSClientConfig = s.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	e.transport.TLSClientConfig.NextProtos = nil
	u, _ := url.Parse(s.URL)
	res, body, err := e.get(u.String())
	if err != nil || string(body) != "HTTP/2.0" || res.Version != HTTP2 {
		t.Errorf("%s, version %d, %v", body, res.Version, err)
	}
	plain := newEgressTest(t, HTTPOptions{AllowPrivate: true})
	if _, _, err := plain.get(s.URL); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("a certificate of nobody: %v", err)
	}
}

// While a procedure waits for a response, reducers run.
func TestReducersRunDuringHTTP(t *testing.T) {
	asked, release := make(chan struct{}), make(chan struct{})
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		close(asked)
		<-release
		_, _ = io.WriteString(w, "hi")
	})
	w := newWorld(t)
	w.opts.HTTP = HTTPOptions{AllowPrivate: true}
	w.restart()
	m := people("fetching").open("fetch", func(ctx context.Context, c *abi.ProcedureCall) error {
		_, body, err := c.Host.HTTP(ctx, (&HTTPRequest{Method: "GET", URI: s.URL}).Append(nil), nil)
		if err == nil && string(body) != "hi" {
			err = fmt.Errorf("body %q", body)
		}
		return err
	})
	db := w.create(m)
	ended := make(chan ProcedureResult, 1)
	go func() { ended <- w.procedure(db, alice, "fetch") }()
	<-asked
	w.call(db, alice, "add", u32(1), str("Ann"))
	close(release)
	if res := <-ended; res.Status != Committed {
		t.Errorf("fetch: %+v", res)
	}
	s.Close()
	if res := w.procedure(db, alice, "fetch"); res.Status != Trapped {
		t.Errorf("without a server: %+v", res)
	}
	if got, want := db.Stats().HTTP, (HTTPStats{Requests: 2, Successful: 1, Failed: 1, ResponseBytes: 2}); got != want {
		t.Errorf("counts %+v; want %+v", got, want)
	}
}
