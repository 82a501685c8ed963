package server

import (
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/stdbgo/spacetime/internal/control"
	"github.com/stdbgo/spacetime/sats"
)

// class says what a route does about tokens (spec 06 §3.6).
type class uint8

const (
	classNone      class = iota // the Authorization header is not read
	classPing                   // a token may be absent, but not bad
	classRequired               // a token must be there
	classAnonymous              // without a token a new identity is allocated
)

// resolution says what is done about the database in the path before the handler.
type resolution uint8

const (
	resolveNothing resolution = iota
	resolveOwn                // the handler looks the name up itself
	resolveRecord             // the database must exist
)

type handler func(*request) error

// A method is one method of a route, with what precedes its handler.
type method struct {
	name    string
	class   class
	resolve resolution
	handle  handler
}

// A route is a path pattern and its methods, in the order of the Allow header.
// A segment of the pattern that begins with a colon is a parameter; a last one that
// begins with an asterisk takes all that is left. A method without a name is any.
type route struct {
	pattern []string
	methods []method
	// wrong says what precedes the 405 for another method.
	wrong class
	// wrongResolve: the 405 comes only for databases that exist.
	wrongResolve bool
}

// table is the interface as of spec 06 §4.0.
func (s *Server) table() []route {
	var all []route
	add := func(path string, wrong class, wrongResolve bool, methods ...method) {
		all = append(all, route{strings.Split(path, "/")[1:], methods, wrong, wrongResolve})
	}
	add("/v1/ping", classNone, false, method{"GET", classPing, resolveNothing, s.ping})
	add("/v1/health", classNone, false, method{"GET", classNone, resolveNothing, s.health})
	add("/v1/metrics", classNone, false, method{"GET", classNone, resolveNothing, s.serveMetrics})
	add("/v1/prometheus/sd_config", classNone, false, method{"GET", classNone, resolveNothing, s.sdConfig})
	add("/v1/identity", classNone, false, method{"POST", classNone, resolveNothing, s.newIdentity})
	add("/v1/identity/public-key", classNone, false, method{"GET", classNone, resolveNothing, s.publicKey})
	add("/v1/identity/websocket-token", classNone, false, method{"POST", classRequired, resolveNothing, s.websocketToken})
	add("/v1/identity/:identity/verify", classNone, false, method{"GET", classNone, resolveNothing, s.verify})
	add("/v1/identity/:identity/databases", classNone, false, method{"GET", classNone, resolveNothing, s.ownedDatabases})
	add("/v1/energy/:identity", classNone, false,
		method{"GET", classNone, resolveNothing, s.energy},
		method{"PUT", classNone, resolveNothing, s.setEnergy},
		method{"POST", classNone, resolveNothing, s.addEnergy})

	add("/v1/database", classAnonymous, false, method{"POST", classAnonymous, resolveNothing, s.publish})
	add("/v1/database/:n", classAnonymous, false,
		method{"GET", classAnonymous, resolveRecord, s.info},
		method{"PUT", classAnonymous, resolveOwn, s.publish},
		method{"DELETE", classAnonymous, resolveOwn, s.deleteDatabase})
	add("/v1/database/:n/identity", classAnonymous, false, method{"GET", classAnonymous, resolveOwn, s.databaseIdentity})
	add("/v1/database/:n/subscribe", classAnonymous, false, method{"GET", classAnonymous, resolveOwn, s.subscribe})

	database := func(path string, methods ...method) {
		for i := range methods {
			methods[i].class, methods[i].resolve = classAnonymous, resolveRecord
		}
		add("/v1/database/:n/"+path, classAnonymous, true, methods...)
	}
	database("names", method{name: "GET", handle: s.names}, method{name: "POST", handle: s.addName}, method{name: "PUT", handle: s.replaceNames})
	database("call/:function", method{name: "POST", handle: s.call})
	database("procedure/:function", method{name: "POST", handle: s.call})
	database("unstable/procedure/:function", method{name: "POST", handle: s.call})
	database("unstable/timestamp", method{name: "GET", handle: s.timestamp})
	database("sql", method{name: "POST", handle: s.sql})
	database("schema", method{name: "GET", handle: s.schema})
	database("logs", method{name: "GET", handle: s.logs})
	database("pre_publish", method{name: "POST", handle: s.prePublish})
	database("pre-publish", method{name: "POST", handle: s.prePublish})
	database("reset", method{name: "PUT", handle: s.reset})
	database("lock", method{name: "POST", handle: s.lock})
	database("unlock", method{name: "POST", handle: s.unlock})
	database("environment", method{name: "GET", handle: s.environment},
		method{name: "PUT", handle: s.putEnvironment}, method{name: "PATCH", handle: s.patchEnvironment})
	add("/v1/database/:n/call-from-database/:reducer", classNone, true,
		method{"POST", classNone, resolveRecord, s.callFromDatabase})
	for _, path := range []string{"route", "route/*path"} {
		add("/v1/database/:n/"+path, classNone, true, method{"", classNone, resolveRecord, s.route})
	}

	add("/v1/database/:n/mcp", classAnonymous, false, method{"POST", classAnonymous, resolveNothing, s.mcpDatabase})
	add("/v1/mcp", classNone, false, method{"POST", classAnonymous, resolveNothing, s.mcpServer})

	add("/healthz", classNone, false, method{"GET", classNone, resolveNothing, s.alive})
	add("/readyz", classNone, false, method{"GET", classNone, resolveNothing, s.readyNow})
	add("/metrics", classNone, false, method{"GET", classNone, resolveNothing, s.serveMetrics})
	add("/internal/heap", classNone, false, method{"GET", classNone, resolveNothing, s.heap})
	add("/internal/heap/settings", classNone, false,
		method{"GET", classNone, resolveNothing, s.heapSettings}, method{"POST", classNone, resolveNothing, s.setHeapSettings})
	add("/internal/task-dump", classNone, false, method{"GET", classNone, resolveNothing, s.taskDump})
	return all
}

// allow is the value of the Allow header: GET brings HEAD along.
func (rt *route) allow() string {
	var names []string
	for _, m := range rt.methods {
		names = append(names, m.name)
		if m.name == http.MethodGet {
			names = append(names, http.MethodHead)
		}
	}
	return strings.Join(names, ",")
}

// A request is one request on its way through a route.
type request struct {
	s        *Server
	w        http.ResponseWriter
	r        *http.Request
	route    *route
	params   map[string]string // decoded path parameters
	query    query
	caller   caller           // of the classes that have one
	database sats.Identity    // of resolveRecord
	rec      control.Database // of resolveRecord
	counter  *countingWriter
	client   netip.Addr // where it comes from; invalid: nobody knows
	held     holding    // of the body
	counted  netip.Addr // whose requests are counted; invalid: nobody's
}

// match finds the route of an escaped path. Paths are compared as they are:
// nothing is cleaned and nothing is redirected.
func (s *Server) match(escaped string) (*route, map[string]string) {
	if !strings.HasPrefix(escaped, "/") {
		return nil, nil
	}
	segments := strings.Split(escaped[1:], "/")
	for i := range s.routes {
		if params, ok := s.routes[i].match(segments); ok {
			return &s.routes[i], params
		}
	}
	return nil, nil
}

func (rt *route) match(segments []string) (map[string]string, bool) {
	last := len(rt.pattern) - 1
	if rest := rt.pattern[last]; rest[0] == '*' && len(segments) > last {
		segments = append(segments[:last:last], strings.Join(segments[last:], "/"))
	}
	if len(segments) != len(rt.pattern) {
		return nil, false
	}
	for i, p := range rt.pattern {
		if p[0] == '*' {
			continue
		}
		if p[0] == ':' && segments[i] == "" || p[0] != ':' && segments[i] != p {
			return nil, false
		}
	}
	params := map[string]string{}
	for i, p := range rt.pattern {
		if p[0] == ':' || p[0] == '*' {
			value, err := url.PathUnescape(segments[i])
			if err != nil {
				value = segments[i]
			}
			params[p[1:]] = value
		}
	}
	return params, true
}

// serve is the way of every request: find the route, answer preflights, then
// token, path, database, handler, in the order of spec 06 §4.1.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	w, done := s.pace.bound(w, r)
	defer done()
	s.metrics.inProgress.Inc()
	defer s.metrics.inProgress.Dec()
	if s.logRequests {
		seen := &seenWriter{ResponseWriter: w}
		defer s.logRequest(seen, r, s.now())
		w = seen
	}
	rt, params := s.match(r.URL.EscapedPath())
	if rt == nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	if rt.pattern[0] == "v1" {
		setCORS(w.Header())
		if r.Method == http.MethodOptions {
			preflight(w.Header())
			if rt.methods[0].name != "" {
				w.Header().Set("Allow", rt.allow())
			}
			w.WriteHeader(http.StatusOK)
			return
		}
	}
	req := &request{s: s, w: w, r: r, route: rt, params: params, query: parseQuery(r.URL.RawQuery), client: s.proxies.client(r)}
	req.counted = counted(r, req.client)
	defer req.held.release()
	err := refusal(r)
	if err != nil {
		w.Header().Set("Connection", "close")
	} else if err = s.admission.address(req.counted, s.now()); err == nil {
		err = req.run()
	}
	if err != nil {
		req.fail(err)
	}
	if isRefusal(err) {
		s.metrics.refused.Inc()
		return
	}
	req.drain()
	if req.counter != nil {
		s.metrics.responseBytes(req.database, req.counter)
	}
}

func (q *request) run() error {
	m := q.route.find(q.r.Method)
	if m == nil {
		return q.wrongMethod()
	}
	if err := q.authenticate(m.class); err != nil {
		return err
	}
	if m.resolve == resolveRecord {
		if err := q.resolve(); err != nil {
			return err
		}
	}
	return m.handle(q)
}

func (rt *route) find(name string) *method {
	if name == http.MethodHead {
		name = http.MethodGet
	}
	for i := range rt.methods {
		if rt.methods[i].name == name || rt.methods[i].name == "" {
			return &rt.methods[i]
		}
	}
	return nil
}

// wrongMethod answers 405, or what precedes it; either carries the Allow header.
func (q *request) wrongMethod() error {
	q.w.Header().Set("Allow", q.route.allow())
	if err := q.authenticate(q.route.wrong); err != nil {
		return err
	}
	if q.route.wrongResolve {
		if err := q.resolve(); err != nil {
			return err
		}
	}
	return &httpError{status: http.StatusMethodNotAllowed, empty: true}
}

// drain reads what is left of the body, so that a client that writes all of it
// before it reads gets the answer (spec 06 §4.1). A client that waits for a
// "100 Continue" has not sent anything.
func (q *request) drain() {
	if q.r.Body == nil || q.r.Body == http.NoBody || q.r.Header.Get("Expect") != "" {
		return
	}
	_, _ = io.CopyN(io.Discard, q.r.Body, q.s.maxProgram)
}

func setCORS(h http.Header) {
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Vary", "origin, access-control-request-method, access-control-request-headers")
}

func preflight(h http.Header) {
	h.Set("Access-Control-Allow-Methods", "*")
	h.Set("Access-Control-Allow-Headers", "authorization,accept,content-type,spacetime-environment,spacetime-environment-remove")
}
