package server

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"

	"github.com/stdbgo/spacetime/internal/host"
)

// route has the database's module answer a request (spec 06 §4.17). Nobody is
// authenticated: what the request says of its sender is the handler's business.
func (s *Server) route(q *request) error {
	ctx := context.WithoutCancel(q.r.Context())
	db, err := q.open(ctx)
	if err != nil {
		return err
	}
	path := ""
	if rest, ok := q.params["path"]; ok {
		path = "/" + rest
	}
	if !db.HasRoute(q.r.Method, path) {
		return routeError(host.ErrNoRoute)
	}
	body, err := q.body(s.maxRouteBody)
	if err != nil {
		return err
	}
	req := &RouteRequest{Path: path, HTTPRequest: moduleRequest(q.r, s.proxies.externalURI(q.r)), Body: body}
	var token string
	if req.Sender, token, err = s.auth.NewIdentity(); err != nil {
		return internal(err)
	}
	if req.JWT, err = tokenPayload(token); err != nil {
		return internal(err)
	}
	res, err := db.CallHandler(ctx, req)
	if err != nil {
		return routeError(err)
	}
	q.relay(&res)
	return nil
}

func routeError(err error) error {
	switch {
	case errors.Is(err, host.ErrNoRoute):
		return failure(http.StatusNotFound, "%v", err)
	case errors.Is(err, host.ErrStopped):
		return failure(http.StatusNotFound, "No such database.")
	case errors.Is(err, host.ErrBusy):
		return failure(http.StatusServiceUnavailable, "%v", err)
	}
	return internal(err)
}

// tokenPayload is the claims of a token that we have made.
func tokenPayload(token string) ([]byte, error) {
	_, rest, _ := strings.Cut(token, ".")
	payload, _, _ := strings.Cut(rest, ".")
	return base64.RawURLEncoding.DecodeString(payload)
}

// moduleRequest translates a request for a module: all headers, and the URI by which
// the outside world knows it.
func moduleRequest(r *http.Request, uri string) host.HTTPRequest {
	out := host.HTTPRequest{Method: r.Method, URI: uri, Version: host.HTTP11}
	switch {
	case r.ProtoMajor == 2:
		out.Version = host.HTTP2
	case r.ProtoMajor == 1 && r.ProtoMinor == 0:
		out.Version = host.HTTP10
	}
	if r.Host != "" && r.ProtoMajor == 1 {
		out.Headers = append(out.Headers, host.HTTPHeader{Name: "host", Value: []byte(r.Host)})
	}
	for name, values := range r.Header {
		for _, v := range values {
			out.Headers = append(out.Headers, host.HTTPHeader{Name: strings.ToLower(name), Value: []byte(v)})
		}
	}
	return out
}

// relay sends a module's answer. Of its headers one is ours (spec 06 §1.1), and those
// that describe how the body is sent are the HTTP library's.
func (q *request) relay(res *RouteResponse) {
	h := q.w.Header()
	vary := h["Vary"]
	delete(h, "Vary")
	for _, line := range res.Headers {
		switch name := http.CanonicalHeaderKey(line.Name); name {
		case "Access-Control-Allow-Origin", "Transfer-Encoding", "Connection", "Upgrade":
		case "Content-Length":
			if q.r.Method == http.MethodHead {
				h.Set(name, string(line.Value))
			}
		default:
			h[name] = append(h[name], string(line.Value))
		}
	}
	h["Vary"] = append(h["Vary"], vary...)
	if _, typed := h["Content-Type"]; !typed {
		h["Content-Type"] = nil // instead of a guess
	}
	q.w.WriteHeader(int(res.Code))
	_, _ = q.w.Write(res.Body)
}
