package server

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/host"
	"github.com/stdbgo/spacetime/internal/spec"
)

func (r *rig) header(name string) string {
	r.t.Helper()
	var all []string
	for _, h := range r.fake.the(r.t).lastRouted().Headers {
		if h.Name == name {
			all = append(all, string(h.Value))
		}
	}
	return strings.Join(all, "|")
}

// Which paths and methods reach a handler, and that nobody is asked who they are.
func TestRoutes(t *testing.T) {
	spec.Covers(t, "06.42")
	r := newRig(t)
	_, alice := r.identity()
	id := r.published("main", alice, "program")
	const base = "/v1/database/main/route"
	for path, body := range map[string]string{
		"": "GET  ", "/": "GET / ", "/a%20b": "GET /a b ", "//x": "GET //x ", "/echo": "GET /echo ", "/echo?x=/y": "GET /echo ",
	} {
		a := r.want(r.do("GET", base+path, "", ""), 200, body)
		for _, name := range []string{"Spacetime-Identity", "Spacetime-Identity-Token", "Content-Type"} {
			if got := a.header.Get(name); got != "" {
				t.Errorf("%s: %s: %s", path, name, got)
			}
		}
		if a.header.Get("Access-Control-Allow-Origin") != "*" || a.header.Get("Vary") != varyHeader {
			t.Errorf("%s: headers %v", path, a.header)
		}
	}
	for _, path := range []string{"/nope", "/echo/", "//echo", "//"} {
		r.want(r.do("GET", base+path, "", ""), 404, "Database has not registered a handler for this route")
	}
	r.want(r.do("PROPFIND", base+"/echo", "", "x"), 200, "PROPFIND /echo x")
	r.want(r.do("HEAD", base+"/echo", "", ""), 200, "")
	if got := r.fake.the(t).lastRouted().Method; got != "HEAD" {
		t.Errorf("HEAD became %s", got)
	}
	r.want(r.do("GET", "/v1/database/"+id+"/route/echo", "", ""), 200, "GET /echo ")
	r.want(r.do("GET", "/v1/database/nope/route/echo", "", ""), 404, "`nope` not found")
	r.want(r.do("GET", "/v1/database/"+strings.Repeat("0", 64)+"/route/echo", "", ""), 404, "No such database.")
	r.want(r.do("GET", base+"/crash", "", ""), 500, "unreachable")
	r.want(r.do("GET", base+"/gone", "", ""), 404, "No such database.")
	if a := r.do("GET", base+"/busy", "", ""); a.status != 503 {
		t.Errorf("busy: %d %s", a.status, a.body)
	}
	// A body that nobody wants is read nevertheless.
	r.want(r.do("POST", base+"/nope", "", strings.Repeat("x", 3<<20)), 404, "Database has not registered a handler for this route")
}

// What the handler sees of a request, and what becomes of its answer.
func TestRouteMessages(t *testing.T) {
	spec.Covers(t, "08.33", "06.42", "03.53")
	r := newRig(t, func(o *Options) { o.MaxRouteBytes = 3 << 20 })
	_, alice := r.identity()
	r.published("main", alice, "program")
	const base = "/v1/database/main/route"
	addr := strings.TrimPrefix(r.url, "http://")
	body := strings.Repeat("ü", 3<<19)
	r.want(r.do("POST", base+"/echo?a=b%20c&d", "garbage", body, "x-echo: one", "x-echo: two", "content-type: text/x"), 200, "POST /echo "+body)
	got := r.fake.the(t).lastRouted()
	if want := "http://" + addr + base + "/echo?a=b%20c&d"; got.URI != want || got.Version != host.HTTP11 || got.Timeout != nil {
		t.Errorf("URI %s, version %d; want %s", got.URI, got.Version, want)
	}
	for name, want := range map[string]string{"x-echo": "one|two", "content-type": "text/x", "authorization": "Bearer garbage", "host": addr} {
		if got := r.header(name); got != want {
			t.Errorf("%s: %q; want %q", name, got, want)
		}
	}
	r.want(r.do("POST", base+"/echo", "", body+"x"), 413, "Failed to buffer the request body: length limit exceeded")
	for _, tt := range []struct{ proto, host, uri string }{
		{"https, http", "a.example:99, b", "https://a.example:99"}, {" ,http", "", "http://" + addr}, {"", " ", "http://" + addr}, {"https", "", "https://" + addr},
	} {
		r.do("GET", base+"/echo?q", "", "", "x-forwarded-proto: "+tt.proto, "x-forwarded-host: "+tt.host)
		if got := r.fake.the(t).lastRouted().URI; got != tt.uri+base+"/echo?q" {
			t.Errorf("forwarded %q, %q: %s", tt.proto, tt.host, got)
		}
	}
	for _, line := range []string{
		"GET http://other.example/v1/database/main/route/echo?z HTTP/1.1\r\nHost: h\r\n", "GET " + base + "/echo HTTP/1.0\r\n",
	} {
		r.line(line)
	}
	db := r.fake.the(t)
	if a, b := db.routed[len(db.routed)-2], db.lastRouted(); a.URI != "http://other.example/v1/database/main/route/echo?z" || b.URI != base+"/echo" || b.Version != host.HTTP10 {
		t.Errorf("URIs %s and %s, version %d", a.URI, b.URI, b.Version)
	}

	a := r.want(r.do("GET", base+"/tea", "", ""), 418, "short and stout")
	for name, want := range map[string]string{
		"X-Pot": "one|two", "Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "x-pot", "Vary": "x-cup|" + varyHeader,
		"Content-Type": "text/tea", "Content-Length": "15", "Transfer-Encoding": "",
	} {
		if got := strings.Join(a.header[name], "|"); got != want {
			t.Errorf("%s: %q; want %q", name, got, want)
		}
	}
	r.want(r.do("GET", base+"/none", "", ""), 204, "")
}

// line sends a request as it is written.
func (r *rig) line(head string) {
	r.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(r.url, "http://"))
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, head+"Connection: close\r\n\r\n"); err != nil {
		r.t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || res.StatusCode != 200 {
		r.t.Fatalf("%s: %v, %v", head, res, err)
	}
	_ = res.Body.Close()
}

// Each request has a sender of its own, with claims that fit, whoever asks.
func TestRouteSender(t *testing.T) {
	spec.Covers(t, "08.84")
	r := newRig(t)
	id, alice := r.identity()
	r.published("main", alice, "program")
	seen := map[string]bool{id: true}
	for range 3 {
		r.do("GET", "/v1/database/main/route/echo", alice, "")
		got := r.fake.the(t).lastRouted()
		if got.Sender.IsZero() || seen[got.Sender.String()] {
			t.Errorf("sender %s again", got.Sender)
		}
		seen[got.Sender.String()] = true
		if want := fmt.Sprintf(`{"hex_identity":"%s","sub":"`, got.Sender); !strings.HasPrefix(string(got.JWT), want) {
			t.Errorf("claims %s; want %s…", got.JWT, want)
		}
	}
}
