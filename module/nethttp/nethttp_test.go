package nethttp

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stdbgo/spacetime/module"
)

func TestTransport(t *testing.T) {
	var asked *module.HTTPRequest
	client := &http.Client{Transport: &transport{do: func(r *module.HTTPRequest) (*module.HTTPResponse, error) {
		if asked = r; strings.HasSuffix(r.URL, "/nowhere") {
			return nil, &module.HTTPError{Text: "nobody is there"}
		}
		return &module.HTTPResponse{Status: 418, Header: module.HTTPHeader{{Name: "x-kind", Value: "a"}, {Name: "x-kind", Value: "b"}},
			Body: []byte("short and stout")}, nil
	}}}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "POST", "http://kettle/tea?milk=no", strings.NewReader("please"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-From", "me")
	req.Host = "other"
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 418 || string(body) != "short and stout" || strings.Join(resp.Header.Values("X-Kind"), ",") != "a,b" {
		t.Errorf("got %+v, %q, %v", resp, body, err)
	}
	if asked.Method != "POST" || asked.URL != "http://kettle/tea?milk=no" || string(asked.Body) != "please" || asked.Header.Get("x-from") != "me" ||
		asked.Header.Get("host") != "other" || asked.Timeout <= 0 || asked.Timeout > time.Minute {
		t.Errorf("asked %+v", asked)
	}
	var failed *module.HTTPError
	if _, err := client.Get("http://kettle/nowhere"); !errors.As(err, &failed) || failed.Text != "nobody is there" || asked.Timeout != 0 {
		t.Errorf("got %v, asked %+v", err, asked)
	}
	over, cancel := context.WithTimeout(t.Context(), -time.Second)
	defer cancel()
	req, _ = http.NewRequestWithContext(over, "GET", "http://kettle/", nil)
	if _, err := client.Do(req); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a request without time: %v", err)
	}
}

func TestHandler(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/database/{name}/route/echo", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Header.Get("X-Who") != "me" || r.Host != "db.example" || r.URL.Query().Get("q") != "1" {
			http.Error(w, "not what was sent", http.StatusBadRequest)
			return
		}
		w.Header().Set("X-Name", r.PathValue("name"))
		w.WriteHeader(http.StatusCreated)
		w.Header().Set("X-Late", "is not sent")
		w.WriteHeader(http.StatusTeapot) // too late
		_, _ = w.Write(body)
	})
	mux.HandleFunc("/v1/database/{name}/route/page", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") })
	mux.HandleFunc("/v1/database/{name}/route/empty", func(http.ResponseWriter, *http.Request) {})
	answer := Handler(func(*module.ProcedureContext) http.Handler { return mux })
	const base = "http://db.example/v1/database/shop/route/"
	for _, c := range []struct {
		method, path, body string
		status             int
		field, value, want string
	}{
		{"POST", "echo?q=1", "ho", 201, "X-Name", "shop", "ho"},
		{"POST", "echo?q=1", "ho", 201, "X-Late", "", "ho"},
		{"POST", "echo", "ho", 400, "Content-Type", "text/plain; charset=utf-8", "not what was sent\n"},
		{"GET", "page", "", 200, "Content-Type", "text/html; charset=utf-8", "<html>"},
		{"GET", "empty", "", 200, "Content-Type", "", ""},
		{"GET", "nowhere", "", 404, "X-Name", "", "404 page not found\n"},
	} {
		resp, err := answer(nil, &module.HTTPRequest{Method: c.method, URL: base + c.path, Body: []byte(c.body),
			Header: module.HTTPHeader{{Name: "x-who", Value: "me"}, {Name: "host", Value: "db.example"}}})
		if err != nil || resp.Status != c.status || resp.Header.Get(c.field) != c.value || string(resp.Body) != c.want {
			t.Errorf("%s %s: %+v, %v", c.method, c.path, resp, err)
		}
	}
	if _, err := answer(nil, &module.HTTPRequest{Method: "GET", URL: "http://%/"}); err == nil {
		t.Error("a URL that is none is answered")
	}
}
