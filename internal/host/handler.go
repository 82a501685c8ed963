package host

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/sats"
)

// ErrNoRoute means that the module has no handler for a request. Its text is the
// answer (spec 08 §17).
var ErrNoRoute = errors.New("Database has not registered a handler for this route")

// A RouteRequest is a request for an HTTP handler of a module.
type RouteRequest struct {
	Path string // behind /route, percent-decoded
	HTTPRequest
	Body []byte
	// Sender was made up for this request; JWT is the payload of a token for it.
	Sender sats.Identity
	JWT    []byte
}

// A RouteResponse is what a handler answered.
type RouteResponse struct {
	HTTPResponse
	Body []byte
}

// A HandlerError is a handler that gave no answer. Its text is for whoever asked.
type HandlerError struct{ Message string }

func (e *HandlerError) Error() string { return e.Message }

// A handler is a function of a module that answers HTTP requests.
type handler struct {
	*schema.HTTPHandlerDef
	counts *txCount
}

// HasRoute reports whether the module has a handler for a method and a path.
func (db *Database) HasRoute(method, path string) bool {
	return db.current.Load().route(method, path) != nil
}

// route finds the handler for a request: the first route that is declared for it,
// each path standing for itself only.
func (m *module) route(method, path string) *handler {
	for i := range m.def.HTTPRoutes {
		r := &m.def.HTTPRoutes[i]
		if r.Path == path && (r.Method == "" || r.Method == method) {
			return m.handlers[r.Handler]
		}
	}
	return nil
}

// CallHandler has the module answer a request. It waits for an instance; ctx ends
// that wait, not the call. Errors: ErrNoRoute, a *HandlerError, ErrBusy, ErrStopped.
func (db *Database) CallHandler(ctx context.Context, req *RouteRequest) (RouteResponse, error) {
	if err := db.procs.enter(); err != nil {
		return RouteResponse{}, err
	}
	defer db.procs.leave()
	for {
		m := db.current.Load()
		h := m.route(req.Method, req.Path)
		if h == nil {
			return RouteResponse{}, ErrNoRoute
		}
		inst, err := db.instance(ctx, m)
		if errors.Is(err, errReplaced) {
			continue
		}
		if err != nil {
			return RouteResponse{}, err
		}
		return db.runHandler(m, h, inst, req)
	}
}

func (db *Database) runHandler(m *module, h *handler, inst abi.Instance, req *RouteRequest) (res RouteResponse, err error) {
	run := &procedureRun{db: db, name: h.Name, counts: h.counts, confirmed: true}
	at, panics := db.exec.stamp(), db.log.panics.Load()
	out := db.guard(m, inst, run, func(ctx context.Context) abi.Outcome {
		result, out := inst.CallHandler(ctx, &abi.HandlerCall{
			ID: h.ID, Name: h.Name, Time: at, Sender: req.Sender, JWT: req.JWT,
			Request: req.Append(nil), Body: req.Body, Host: run,
		})
		if out.Status == abi.StatusOK {
			res, err = routeResponse(result)
		}
		return out
	})
	if out.Status != abi.StatusOK {
		db.log.stopped(at, h.Name, out, panics)
		return RouteResponse{}, &HandlerError{reasonOf(out)}
	}
	if err != nil {
		return RouteResponse{}, &HandlerError{fmt.Sprintf("the response of HTTP handler %s: %v", h.Name, err)}
	}
	return res, nil
}

// routeResponse decodes and checks a handler's answer, and copies what belongs to
// the instance.
func routeResponse(result abi.HandlerResult) (RouteResponse, error) {
	res, err := DecodeHTTPResponse(result.Response)
	if err != nil {
		return RouteResponse{}, err
	}
	if res.Code < 200 || res.Code > 999 { // those below are no final answers
		return RouteResponse{}, fmt.Errorf("invalid status code %d", res.Code)
	}
	for i := range res.Headers {
		h := &res.Headers[i]
		if err := h.Check(); err != nil {
			return RouteResponse{}, err
		}
		h.Name = strings.ToLower(h.Name)
	}
	return RouteResponse{res, append([]byte(nil), result.Body...)}, nil
}
