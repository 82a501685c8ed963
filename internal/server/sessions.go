package server

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/stdbgo/spacetime/internal/server/ws"
	"github.com/stdbgo/spacetime/sats"
)

// A sessionKey names a session that clients resume (spec 05 §4.1).
type sessionKey struct {
	database sats.Identity
	client   sats.Identity
	id       sats.ConnectionID
}

// sessions is the set of all WebSocket sessions of a server.
type sessions struct {
	mu struct {
		sync.Mutex
		closed bool
		all    map[*session]bool
		held   map[sessionKey]*session
		on     map[Database]*audience
	}
	running sync.WaitGroup
}

// An audience is the sessions of one database, and whoever watches it for them.
type audience struct {
	sessions map[*session]bool
	gone     chan struct{} // closed when there are none
}

func (all *sessions) init() {
	all.mu.all = map[*session]bool{}
	all.mu.held = map[sessionKey]*session{}
	all.mu.on = map[Database]*audience{}
}

// add takes a session in; false means that the server shuts down.
func (all *sessions) add(ss *session) bool {
	all.mu.Lock()
	defer all.mu.Unlock()
	if all.mu.closed {
		return false
	}
	all.mu.all[ss] = true
	all.running.Add(1)
	a := all.mu.on[ss.db]
	if a == nil {
		a = &audience{map[*session]bool{}, make(chan struct{})}
		all.mu.on[ss.db] = a
		all.running.Go(func() { all.watch(ss.db, a) })
	}
	a.sessions[ss] = true
	return true
}

// watch ends the sessions of a database that stops.
func (all *sessions) watch(db Database, a *audience) {
	select {
	case <-a.gone:
		return
	case <-db.Done():
	}
	all.mu.Lock()
	left := slices.Collect(maps.Keys(a.sessions))
	delete(all.mu.on, db)
	all.mu.Unlock()
	for _, ss := range left {
		ss.exited()
	}
}

// remove lets a session go, after everything about it is done, and frees its key.
func (all *sessions) remove(ss *session) {
	all.mu.Lock()
	defer all.mu.Unlock()
	delete(all.mu.all, ss)
	if a := all.mu.on[ss.db]; a != nil {
		if delete(a.sessions, ss); len(a.sessions) == 0 {
			delete(all.mu.on, ss.db)
			close(a.gone)
		}
	}
	all.freeLocked(ss)
	all.running.Done()
}

// free frees the key of a session that never began.
func (all *sessions) free(ss *session) {
	all.mu.Lock()
	defer all.mu.Unlock()
	all.freeLocked(ss)
}

func (all *sessions) freeLocked(ss *session) {
	if ss.claimed && all.mu.held[ss.claim] == ss {
		delete(all.mu.held, ss.claim)
	}
}

// claim takes the key of a session. If another connection holds it, that one is
// killed, unless its connect transaction has not ended yet, and the newcomer must
// come again: it cannot have the key before client_disconnected of the old one has
// ended.
func (all *sessions) claim(ss *session) bool {
	all.mu.Lock()
	holder := all.mu.held[ss.claim]
	kill := holder != nil && holder.live
	if holder == nil {
		all.mu.held[ss.claim] = ss
	}
	all.mu.Unlock()
	if kill {
		holder.kill("replaced")
	}
	return holder == nil
}

// attached notes that the connect transaction of a session has been made.
func (all *sessions) attached(ss *session) {
	all.mu.Lock()
	defer all.mu.Unlock()
	ss.live = true
}

// queues are numbers of messages that wait.
type queues struct{ incoming, outgoing int }

// waiting sums up the queues by database.
func (all *sessions) waiting() map[sats.Identity]queues {
	all.mu.Lock()
	defer all.mu.Unlock()
	sums := map[sats.Identity]queues{}
	for ss := range all.mu.all {
		q := sums[ss.claim.database]
		q.incoming += ss.in.length()
		q.outgoing += ss.out.length()
		sums[ss.claim.database] = q
	}
	return sums
}

// shutdown closes all sessions with 1001 and waits for them; when ctx ends first
// their connections are cut.
func (all *sessions) shutdown(ctx context.Context) error {
	all.mu.Lock()
	all.mu.closed = true
	open := make([]*session, 0, len(all.mu.all))
	for ss := range all.mu.all {
		open = append(open, ss)
	}
	all.mu.Unlock()
	for _, ss := range open {
		ss.close(ws.StatusGoingAway, "server is shutting down", "server_shutdown", true)
	}
	done := make(chan struct{})
	go func() {
		all.running.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	for _, ss := range open {
		ss.kill("server_shutdown")
	}
	return ctx.Err()
}
