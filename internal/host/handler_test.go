package host

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/sats"
)

// Tags of methods in a definition.
const (
	methodGet  = 0
	methodPost = 2
)

// answers declares a handler with one route; method < 0 means any.
func (m *fakeModule) answers(name, path string, method int, fn fakeHandler) *fakeModule {
	m.section(schema.SecHTTPHandlers).HTTPHandlers = append(m.section(schema.SecHTTPHandlers).HTTPHandlers, name)
	if m.handlers == nil {
		m.handlers = map[string]fakeHandler{}
	}
	m.handlers[name] = fn
	return m.route(name, path, method)
}

func (m *fakeModule) route(name, path string, method int) *fakeModule {
	sec := m.section(schema.SecHTTPRoutes)
	r := schema.RawHTTPRoute{Handler: name, Path: path}
	if method >= 0 {
		r.Method = schema.RawHTTPMethod{Set: true, Tag: uint8(method)}
	}
	sec.HTTPRoutes = append(sec.HTTPRoutes, r)
	return m
}

func answer(code uint16, body string, headers ...HTTPHeader) (abi.HandlerResult, error) {
	r := HTTPResponse{Code: code, Version: HTTP11, Headers: headers}
	return abi.HandlerResult{Response: r.Append(nil), Body: []byte(body)}, nil
}

func says(text string) fakeHandler {
	return func(context.Context, *abi.HandlerCall) (abi.HandlerResult, error) { return answer(200, text) }
}

// A path stands for itself alone, and the first route that fits wins.
func TestRoutes(t *testing.T) {
	w := newWorld(t)
	m := newFake("routes").
		answers("root", "", methodGet, says("root")).
		answers("slash", "/", methodGet, says("slash")).
		answers("first", "/x", methodGet, says("first")).
		answers("posted", "/x", methodPost, says("posted")).
		answers("any", "/any", -1, says("any")).
		answers("double", "//x", -1, says("double"))
	db := w.create(m)
	for _, tt := range []struct{ method, path, body string }{
		{"GET", "", "root"}, {"GET", "/", "slash"}, {"GET", "/x", "first"}, {"POST", "/x", "posted"}, {"GET", "//x", "double"},
		{"GET", "/any", "any"}, {"PROPFIND", "/any", "any"}, {"HEAD", "/any", "any"},
		{"GET", "/x/", ""}, {"HEAD", "/x", ""}, {"get", "/x", ""}, {"POST", "", ""}, {"GET", "/X", ""}, {"GET", "x", ""}, {"GET", "//", ""},
	} {
		res, err := db.CallHandler(background, &RouteRequest{Path: tt.path, HTTPRequest: HTTPRequest{Method: tt.method}})
		if found := tt.body != ""; db.HasRoute(tt.method, tt.path) != found || found && (err != nil || string(res.Body) != tt.body) || !found && !errors.Is(err, ErrNoRoute) {
			t.Errorf("%s %q: %q, %v; want %q", tt.method, tt.path, res.Body, err, tt.body)
		}
	}
}

// What a handler gets and gives.
func TestHandlers(t *testing.T) {
	w := newWorld(t)
	var got *abi.HandlerCall
	sender := sats.Identity{0x77}
	m := people("handlers").
		answers("tea", "/tea", -1, func(ctx context.Context, c *abi.HandlerCall) (abi.HandlerResult, error) {
			got = c
			if err := add(ctx, c.Host, 1); err != nil {
				return abi.HandlerResult{}, err
			}
			return answer(418, "short", HTTPHeader{"X-Pot", []byte("one")}, HTTPHeader{"x-pot", []byte("two")})
		}).
		answers("crash", "/crash", -1, func(context.Context, *abi.HandlerCall) (abi.HandlerResult, error) {
			return abi.HandlerResult{}, trapError("unreachable")
		}).
		answers("garbage", "/garbage", -1, func(context.Context, *abi.HandlerCall) (abi.HandlerResult, error) {
			return abi.HandlerResult{Response: []byte{1}}, nil
		}).
		answers("early", "/early", -1, func(context.Context, *abi.HandlerCall) (abi.HandlerResult, error) { return answer(101, "") }).
		answers("split", "/split", -1, func(context.Context, *abi.HandlerCall) (abi.HandlerResult, error) {
			return answer(200, "", HTTPHeader{"x", []byte("a\r\nset-cookie: b")})
		}).
		answers("wild", "/wild", -1, func(context.Context, *abi.HandlerCall) (abi.HandlerResult, error) { return answer(1000, "") })
	db := w.create(m)
	req := &RouteRequest{
		Path: "/tea", Body: []byte("leaves"), Sender: sender, JWT: []byte(`{"sub":"x"}`),
		HTTPRequest: HTTPRequest{Method: "BREW", URI: "http://h/v1/database/x/route/tea?a=b", Version: HTTP11, Headers: []HTTPHeader{{"authorization", []byte("Bearer x")}}},
	}
	res, err := db.CallHandler(background, req)
	if err != nil || res.Code != 418 || string(res.Body) != "short" || res.header("x-pot") != "one|two" {
		t.Errorf("tea: %+v, %v", res, err)
	}
	seen, err := DecodeHTTPRequest(got.Request)
	if err != nil || seen.Method != "BREW" || seen.URI != req.URI || string(seen.Headers[0].Value) != "Bearer x" || seen.Timeout != nil ||
		string(got.Body) != "leaves" || got.Sender != sender || string(got.JWT) != `{"sub":"x"}` || got.Time < w.clock.micros() {
		t.Errorf("the handler saw %+v, %+v, %v", got, seen, err)
	}
	want(t, "persons", w.rows(db, "person"), []string{`(id = 1, name = "p")`})
	for path, text := range map[string]string{
		"/crash": "unreachable", "/garbage": "the response of HTTP handler garbage: ", "/early": "invalid status code 101",
		"/split": "invalid value of the HTTP header x", "/wild": "invalid status code 1000",
	} {
		_, err := db.CallHandler(background, &RouteRequest{Path: path, HTTPRequest: HTTPRequest{Method: "GET"}})
		var failed *HandlerError
		if !errors.As(err, &failed) || !strings.Contains(failed.Message, text) {
			t.Errorf("%s: %v; want %q", path, err, text)
		}
	}
}
