package server

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stdbgo/spacetime/internal/server/ws"
	"github.com/stdbgo/spacetime/internal/wire"
	v1 "github.com/stdbgo/spacetime/internal/wire/v1"
)

// No path, query or header makes a handler panic or redirect.
func FuzzRequest(f *testing.F) {
	r := newRig(f)
	_, token := r.identity()
	r.published("db", token, "p")
	for _, seed := range []string{
		"/v1/ping?token=x", "/v1/database/db/schema?version=9&version=%zz", "/v1/database/%6e%2f/names", "//v1/../x",
		"/v1/database/db/logs?num_lines=-1", "/v1/identity/abc/verify", "/v1/database/db/subscribe?connection_id=0&compression=Gzip",
		"/v1/database/0x" + someone + "/call/x", "/v1/database?update_confirmation_timeout=1y&token=0x1",
	} {
		f.Add("GET", seed, "Bearer "+token, "[]")
		f.Add("PUT", seed, "Basic x", "")
	}
	f.Fuzz(func(t *testing.T, method, target, authorization, body string) {
		u, err := url.ParseRequestURI(target)
		if err != nil || !strings.HasPrefix(target, "/") || strings.Contains(target, "follow=true") {
			return
		}
		req := httptest.NewRequest("GET", "/", strings.NewReader(body))
		req.Method, req.URL, req.RequestURI = method, u, target
		req.Header.Set("Authorization", authorization)
		req.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		r.Handler().ServeHTTP(w, req)
		if w.Code >= 300 && w.Code < 400 || w.Code < 200 {
			t.Errorf("%s %q: %d", method, target, w.Code)
		}
		if w.Code == http.StatusOK && w.Header().Get("Content-Type") == "application/json; charset=utf-8" {
			t.Error("JSON with a charset")
		}
	})
}

// Whatever a client sends in whatever frames, the connection answers, closes or
// drops, and what it took from the server is given back.
func FuzzConnection(f *testing.F) {
	r, _, token := wsRig(f, func(o *Options) { o.WebSocket.IdleTimeout = time.Minute })
	for i, message := range [][]byte{
		question("x"), v1.AppendClient(nil, &wire.SubscribeMulti{Queries: []string{"SELECT * FROM a"}}),
		ask(1, 1), ask(1, 3),
	} {
		for _, frames := range [][]byte{join(every(5, ws.Binary, message)...), frame(fin|byte(ws.Binary), message), frame(fin|byte(ws.Text), message)} {
			f.Add(byte(i), frames)
			f.Add(byte(i), append(frames, bye(1000, "why")...))
		}
	}
	f.Add(byte(2), append(ping("x"), pong("")...))
	f.Add(byte(3), []byte{0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0})
	protocols := []string{"v1.json", "v1.bsatn", "v2.bsatn", "v3.bsatn"}
	f.Fuzz(func(t *testing.T, protocol byte, stream []byte) {
		on := *r
		on.t = t
		c := on.raw(token, protocols[protocol%4], "confirmed=false")
		if _, err := c.Write(stream); err == nil {
			_ = c.Conn.(*net.TCPConn).CloseWrite()
		}
		_ = c.rest() // to the end: there is one
		_ = c.Close()
	})
}
