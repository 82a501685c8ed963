// Package nethttp lets modules use net/http: its client for the requests of procedures, its handlers for the requests that a
// database answers. It stands apart from package module because net/http makes a module some megabytes larger.
//
//	func Import(ctx *module.ProcedureContext, args ImportArgs) (uint32, error) {
//		resp, err := nethttp.Client(ctx).Get(args.URL)
//		…
//	}
//
// It owns the way between the types of the two packages, and promises that a request does in a module what it does elsewhere, but
// that bodies are read whole. It knows nothing of the host.
package nethttp

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/stdbgo/spacetime/module"
)

// Client returns a client that makes its requests through ctx, and is good as long as that. The server follows redirects by
// itself; so the client sees the last response only.
func Client(ctx *module.ProcedureContext) *http.Client {
	return &http.Client{Transport: Transport(ctx)}
}

// Transport returns what Client uses. A deadline of the request's context becomes the request's timeout.
func Transport(ctx *module.ProcedureContext) http.RoundTripper { return &transport{do: ctx.Do} }

// A transport makes requests by the procedure's Do.
type transport struct {
	do func(*module.HTTPRequest) (*module.HTTPResponse, error)
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	req := &module.HTTPRequest{Method: r.Method, URL: r.URL.String(), Header: fields(r.Header)}
	if r.Host != "" && r.Host != r.URL.Host {
		req.Header = append(req.Header, module.HTTPField{Name: "host", Value: r.Host})
	}
	if deadline, ok := r.Context().Deadline(); ok {
		if req.Timeout = time.Until(deadline); req.Timeout <= 0 {
			return nil, context.DeadlineExceeded
		}
	}
	if r.Body != nil {
		defer r.Body.Close()
		var err error
		if req.Body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
	}
	resp, err := t.do(req)
	if err != nil {
		return nil, err
	}
	return &http.Response{
		Status: strconv.Itoa(resp.Status) + " " + http.StatusText(resp.Status), StatusCode: resp.Status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: header(resp.Header), Body: io.NopCloser(bytes.NewReader(resp.Body)), ContentLength: int64(len(resp.Body)),
		Request: r,
	}, nil
}

// fields lists a header, each value by itself.
func fields(h http.Header) (list module.HTTPHeader) {
	for name, values := range h {
		for _, v := range values {
			list = append(list, module.HTTPField{Name: strings.ToLower(name), Value: v})
		}
	}
	return list
}

func header(list module.HTTPHeader) http.Header {
	h := make(http.Header, len(list))
	for _, f := range list {
		h.Add(f.Name, f.Value)
	}
	return h
}

// Handler makes of a handler what module.HTTPHandler takes. It is made anew for each request, from the request's context, so
// that it can open transactions:
//
//	module.HTTPHandler("site", nethttp.Handler(func(ctx *module.ProcedureContext) http.Handler {
//		mux := http.NewServeMux()
//		mux.HandleFunc("GET /v1/database/{name}/route/tasks", func(w http.ResponseWriter, r *http.Request) { … })
//		return mux
//	}), module.Route{Path: "/tasks"})
//
// The URL is the complete one of the request, as a proxy in front of the server may have it.
func Handler(handler func(ctx *module.ProcedureContext) http.Handler) func(*module.ProcedureContext, *module.HTTPRequest) (*module.HTTPResponse, error) {
	return func(ctx *module.ProcedureContext, req *module.HTTPRequest) (*module.HTTPResponse, error) {
		return serve(handler(ctx), req)
	}
}

func serve(h http.Handler, req *module.HTTPRequest) (*module.HTTPResponse, error) {
	r, err := http.NewRequest(req.Method, req.URL, bytes.NewReader(req.Body))
	if err != nil {
		return nil, err
	}
	r.Header, r.RequestURI = header(req.Header), r.URL.RequestURI()
	if host := req.Header.Get("host"); host != "" {
		r.Host = host
	}
	w := &answer{header: http.Header{}}
	h.ServeHTTP(w, r)
	w.WriteHeader(http.StatusOK)
	return &module.HTTPResponse{Status: w.status, Header: fields(w.sent), Body: w.body.Bytes()}, nil
}

// An answer collects what a handler writes.
type answer struct {
	header, sent http.Header
	status       int // 0: nothing has been written
	body         bytes.Buffer
}

// Header implements http.ResponseWriter.
func (w *answer) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter. Only the first status counts, and the header as it is then.
func (w *answer) WriteHeader(status int) {
	if w.status == 0 {
		w.status, w.sent = status, w.header.Clone()
	}
}

// Write implements http.ResponseWriter.
func (w *answer) Write(b []byte) (int, error) {
	if w.status == 0 {
		if w.header.Get("Content-Type") == "" && len(b) > 0 {
			w.header.Set("Content-Type", http.DetectContentType(b))
		}
		w.WriteHeader(http.StatusOK)
	}
	return w.body.Write(b)
}
