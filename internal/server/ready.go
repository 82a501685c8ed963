package server

import (
	"net/http"
	"strconv"
	"sync/atomic"
)

// readiness is what is known of the start: it is over when every database has been
// tried.
type readiness struct {
	started  atomic.Bool
	stopping atomic.Bool
	running  atomic.Int64 // databases that were started
	failed   atomic.Int64 // and those that could not be
}

// alive answers whoever asks whether the process serves requests at all.
func (s *Server) alive(q *request) error {
	q.text(http.StatusOK, "ok\n")
	return nil
}

// readyNow answers load balancers: 200 from when the databases have been started
// until the server begins to stop. One that could not be started is counted; it
// does not take the others away.
func (s *Server) readyNow(q *request) error {
	status, state := http.StatusOK, "ready"
	switch {
	case s.ready.stopping.Load():
		status, state = http.StatusServiceUnavailable, "stopping"
	case !s.ready.started.Load():
		status, state = http.StatusServiceUnavailable, "starting"
	}
	q.json(status, []byte(`{"state":"`+state+`","databases":{"started":`+strconv.FormatInt(s.ready.running.Load(), 10)+
		`,"failed":`+strconv.FormatInt(s.ready.failed.Load(), 10)+`}}`))
	return nil
}
