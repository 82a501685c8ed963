package subscribe

import "sync/atomic"

// A Tally says what the clients of a Manager are subscribed to. Others than its
// goroutine may read it at any time.
type Tally struct {
	Sets    atomic.Int64 // that clients hold under an id of theirs
	Queries atomic.Int64 // subscriptions to a query
	Legacy  atomic.Int64 // queries of subscriptions without an id
}

// holding is what of a client is in the tally.
type holding struct{ sets, queries, legacy int }

// recount brings the tally up to date with what an owner of subscriptions holds.
func (m *Manager) recount(c *Client) {
	now, was := holding{len(c.sets) + len(c.multi), c.count, len(c.legacy)}, c.tallied
	m.Tally.Sets.Add(int64(now.sets - was.sets))
	m.Tally.Queries.Add(int64(now.queries - was.queries))
	m.Tally.Legacy.Add(int64(now.legacy - was.legacy))
	c.tallied = now
}
