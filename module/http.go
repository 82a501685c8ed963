package module

import (
	"errors"
	"strings"
	"time"

	"github.com/stdbgo/spacetime/internal/guest"
	"github.com/stdbgo/spacetime/sats"
)

// An HTTPHeader holds the fields of an HTTP message in their order; a name with several values stands in it several times.
type HTTPHeader []HTTPField

// An HTTPField is one field of a header.
type HTTPField struct{ Name, Value string }

// Get returns the first value of a field, "" if there is none. Names differ by more than capital letters.
func (h HTTPHeader) Get(name string) string {
	for _, f := range h {
		if strings.EqualFold(f.Name, name) {
			return f.Value
		}
	}
	return ""
}

// An HTTPRequest is a request that a module makes, or one that its handler answers.
type HTTPRequest struct {
	Method  string // "" is GET
	URL     string // complete, with scheme and host
	Header  HTTPHeader
	Body    []byte        // the whole of it; no more than the server's [module-http] settings allow
	Timeout time.Duration // of a request that is made; 0: 30 seconds. At most 180 seconds count.
}

// An HTTPResponse is what answers a request.
type HTTPResponse struct {
	Status int // 0 is 200
	Header HTTPHeader
	Body   []byte // the whole of it
}

// An HTTPError is why a request got no response: no such host, no connection, a timeout, an address that the server does not
// let modules reach.
type HTTPError struct{ Text string }

// Error returns Text.
func (e *HTTPError) Error() string { return e.Text }

// Do makes a request and returns the response, whatever its status. Meanwhile reducers run. The error is an *HTTPError.
func (c *ProcedureContext) Do(r *HTTPRequest) (*HTTPResponse, error) {
	in := c.alive("Do")
	head, body, failure, e := in.host.HTTP(appendRequest(nil, r), r.Body)
	switch e {
	case guest.OK:
	case guest.HTTPFailed:
		return nil, &HTTPError{failure}
	case guest.WouldBlock:
		panic("module: Do: a transaction is open; make requests outside of Tx")
	default:
		panic("module: Do: the request cannot be encoded; is a text not valid UTF-8?")
	}
	resp, err := decodeResponse(head)
	if err != nil {
		panic("module: Do: the response does not decode: " + err.Error())
	}
	resp.Body = body
	return resp, nil
}

// methods are those that have a number (spec 03 §11.1); others travel as text.
var methods = [...]string{"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"}

const (
	http11      = 2
	httpVersion = 5 // number of versions
)

func appendMethod(b []byte, method string) []byte {
	if method == "" {
		return append(b, 0)
	}
	for i, m := range methods {
		if m == method {
			return append(b, byte(i))
		}
	}
	return sats.AppendString(append(b, byte(len(methods))), method)
}

func appendHeader(b []byte, h HTTPHeader) []byte {
	b = sats.AppendLen(b, len(h))
	for _, f := range h {
		b = sats.AppendString(b, strings.ToLower(f.Name))
		b = sats.AppendString(b, f.Value) // bytes have the same form
	}
	return b
}

func appendRequest(b []byte, r *HTTPRequest) []byte {
	b = appendHeader(appendMethod(b, r.Method), r.Header)
	if r.Timeout != 0 {
		b = sats.AppendI64(sats.AppendSome(b), int64(sats.TimeDurationOf(r.Timeout)))
	} else {
		b = sats.AppendNone(b)
	}
	return append(sats.AppendString(b, r.URL), http11)
}

func appendResponse(b []byte, r *HTTPResponse) []byte {
	status := r.Status
	if status == 0 {
		status = 200
	}
	return sats.AppendU16(append(appendHeader(b, r.Header), http11), uint16(status))
}

func decodeHeader(r *sats.Reader) (h HTTPHeader) {
	for range r.Count(8) {
		name := r.Str()
		h = append(h, HTTPField{name, string(r.BytesView())})
	}
	return h
}

func decodeResponse(b []byte) (*HTTPResponse, error) {
	r := sats.NewReader(b)
	resp := &HTTPResponse{Header: decodeHeader(r)}
	r.Tag(httpVersion)
	resp.Status = int(r.U16())
	return resp, r.Err()
}

func decodeRequest(b []byte) (*HTTPRequest, error) {
	r := sats.NewReader(b)
	req := new(HTTPRequest)
	if m := int(r.Tag(len(methods) + 1)); m < len(methods) {
		req.Method = methods[m]
	} else {
		req.Method = r.Str()
	}
	req.Header = decodeHeader(r)
	if r.Option() {
		req.Timeout = time.Duration(r.I64()) * time.Microsecond
	}
	req.URL = r.Str()
	r.Tag(httpVersion)
	return req, r.Err()
}

// A Route is a method and a path below the database's own, such as "/orders", at which an HTTP handler answers. An empty
// method is any; an empty path is the root itself.
type Route struct{ Method, Path string }

// handlerDef is an HTTP handler.
type handlerDef struct {
	name   string
	routes []Route
	serve  func(*ProcedureContext, *HTTPRequest) (*HTTPResponse, error)
}

// HTTPHandler declares a function that answers HTTP requests at the routes, without any client of the database being
// involved. An error is answered with status 500 and its text.
func HTTPHandler(name string, fn func(*ProcedureContext, *HTTPRequest) (*HTTPResponse, error), routes ...Route) {
	std.open("HTTPHandler")
	std.addHandler(&handlerDef{name, routes, fn})
}

func (r *registry) addHandler(h *handlerDef) {
	if why := nameProblem(h.name); why != "" {
		r.problem("HTTP handler %q: the name %s", h.name, why)
	}
	if h.serve == nil {
		r.problem("HTTP handler %q: the function is nil", h.name)
	}
	if len(h.routes) == 0 {
		r.problem("HTTP handler %q has no route, so nothing can reach it", h.name)
	}
	for _, other := range r.handlers {
		if other.name == h.name {
			r.problem("HTTP handler %q is declared twice", h.name)
		}
	}
	for i, route := range h.routes {
		if err := route.check(); err != nil {
			r.problem("HTTP handler %q: %v", h.name, err)
		}
		for _, other := range append(r.handlers, &handlerDef{name: h.name, routes: h.routes[:i]}) {
			for _, taken := range other.routes {
				if taken.overlaps(route) {
					r.problem("HTTP handler %q: the path %q belongs to the HTTP handler %q already", h.name, route.Path, other.name)
				}
			}
		}
	}
	r.handlers = append(r.handlers, h)
}

// check applies the rules of spec 02 §6.10.
func (r Route) check() error {
	if r.Path != "" && r.Path[0] != '/' {
		return errors.New("the path " + r.Path + " does not begin with /")
	}
	for _, c := range r.Path {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && !strings.ContainsRune("-_~/", c) {
			return errors.New("the path " + r.Path + " has the character " + string(c) + "; only a-z, 0-9, -, _, ~ and / may stand in it")
		}
	}
	return nil
}

func (r Route) overlaps(other Route) bool {
	return r.Path == other.Path && (r.Method == "" || other.Method == "" || r.Method == other.Method)
}

func (r *registry) routes() (n int) {
	for _, h := range r.handlers {
		n += len(h.routes)
	}
	return n
}

func (d *definer) httpHandlers() []byte {
	b := sats.AppendLen([]byte{sectionHandlers}, len(d.r.handlers))
	for _, h := range d.r.handlers {
		b = sats.AppendString(b, h.name)
	}
	return b
}

func (d *definer) httpRoutes() []byte {
	b := sats.AppendLen([]byte{sectionRoutes}, d.r.routes())
	for _, h := range d.r.handlers {
		for _, route := range h.routes {
			b = sats.AppendString(b, h.name)
			const anyMethod, oneMethod = 0, 1
			if route.Method == "" {
				b = append(b, anyMethod)
			} else {
				b = appendMethod(append(b, oneMethod), route.Method)
			}
			b = sats.AppendString(b, route.Path)
		}
	}
	return b
}
