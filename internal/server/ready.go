package server

import (
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
)

// readiness is what is known of the start: it is over when every database has been
// tried.
type readiness struct {
	started  atomic.Bool
	stopping atomic.Bool
	failed   sync.Map // replicas that could not be launched when it was last tried: uint64 to struct{}
}

// alive answers whoever asks whether the process serves requests at all.
func (s *Server) alive(q *request) error {
	q.text(http.StatusOK, "ok\n")
	return nil
}

// readyNow answers load balancers: 200 from when the databases have been started
// until the server begins to stop. It counts the databases that run at the moment and
// those that cannot be started; the latter do not take the others away.
func (s *Server) readyNow(q *request) error {
	status, state := http.StatusOK, "ready"
	switch {
	case s.ready.stopping.Load():
		status, state = http.StatusServiceUnavailable, "stopping"
	case !s.ready.started.Load():
		status, state = http.StatusServiceUnavailable, "starting"
	}
	running, failed := len(s.host.Running()), 0
	s.ready.failed.Range(func(any, any) bool { failed++; return true })
	q.json(status, []byte(`{"state":"`+state+`","databases":{"started":`+strconv.Itoa(running)+`,"failed":`+strconv.Itoa(failed)+`}}`))
	return nil
}

// launched notes whether a replica could be launched.
func (r *readiness) launched(replica uint64, err error) {
	if err != nil {
		r.failed.Store(replica, struct{}{})
	} else if _, failed := r.failed.Load(replica); failed {
		r.failed.Delete(replica)
	}
}
