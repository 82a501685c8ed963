package server

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
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
