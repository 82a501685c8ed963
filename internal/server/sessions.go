package server

import (
	"context"
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
	}
	running sync.WaitGroup
}

func (all *sessions) init() {
	all.mu.all = map[*session]bool{}
	all.mu.held = map[sessionKey]*session{}
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
	return true
}

// remove lets a session go, after everything about it is done, and frees its key.
func (all *sessions) remove(ss *session) {
	all.mu.Lock()
	defer all.mu.Unlock()
	delete(all.mu.all, ss)
	if ss.claimed && all.mu.held[ss.claim] == ss {
		delete(all.mu.held, ss.claim)
	}
	all.running.Done()
}

// claim takes the key of a session. If another connection holds it, that one is
// killed and the newcomer must come again: it cannot have the key before
// client_disconnected of the old one has ended.
func (all *sessions) claim(ss *session) bool {
	all.mu.Lock()
	holder := all.mu.held[ss.claim]
	if holder == nil {
		all.mu.held[ss.claim] = ss
	}
	all.mu.Unlock()
	if holder == nil {
		return true
	}
	holder.kill("replaced")
	return false
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
