package client

import (
	"context"
	"errors"
	"sync"

	"github.com/stdbgo/spacetime/internal/wire"
)

// A Subscription is a set of queries that the server keeps this connection
// informed of.
type Subscription struct {
	conn    *Conn
	queries []string
	raw     *rawRows // nil: the rows go to the cache
	applied chan struct{}
	done    chan struct{}
	once    sync.Once
	err     error // set before done is closed

	// Under the lock of the connection.
	id       uint32 // the query set, on the present link
	ending   bool   // it is not wanted any more
	answered bool   // it was applied on the present link

	cached uint32 // of the delivering goroutine: the set that its rows have in the cache; 0: none
}

// Subscribe subscribes to typed queries as one set and returns when their rows are in
// the cache and the callbacks for them have run. The error is a *SubscriptionError if
// the server refuses a query. If ctx ends first the subscription is taken back.
func (c *Conn) Subscribe(ctx context.Context, queries ...Query) (*Subscription, error) {
	texts, err := queryTexts(queries)
	if err != nil {
		return nil, err
	}
	return c.SubscribeSQL(ctx, texts...)
}

// SubscribeSQL is Subscribe for queries in SQL.
func (c *Conn) SubscribeSQL(ctx context.Context, queries ...string) (*Subscription, error) {
	if err := c.mayWait(ctx); err != nil {
		return nil, err
	}
	s, err := c.subscribe(ctx, nil, queries)
	if err != nil {
		return nil, err
	}
	if err := s.wait(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// SubscribeAll is Subscribe for all rows of all tables and views of the module that
// need no arguments.
func (c *Conn) SubscribeAll(ctx context.Context) (*Subscription, error) {
	return c.SubscribeSQL(ctx, c.allQueries()...)
}

// SubscribeAsync is Subscribe for those who cannot wait, such as callbacks. The
// subscription ends with the error if the server refuses it.
func (c *Conn) SubscribeAsync(queries ...Query) (*Subscription, error) {
	texts, err := queryTexts(queries)
	if err != nil {
		return nil, err
	}
	return c.SubscribeSQLAsync(texts...)
}

// SubscribeSQLAsync is SubscribeAsync for queries in SQL.
func (c *Conn) SubscribeSQLAsync(queries ...string) (*Subscription, error) {
	return c.subscribe(context.Background(), nil, queries)
}

func (c *Conn) allQueries() []string {
	var queries []string
	if c.module != nil {
		for _, t := range c.module.Tables {
			if d := t.definition(); !d.Arguments && !(d.Event && c.Protocol() == V1) {
				queries = append(queries, "SELECT * FROM "+quoteTable(d.Name))
			}
		}
	}
	return queries
}

// subscribe registers a set and asks the server for it. While the connection is
// interrupted it waits with the others for the next link.
func (c *Conn) subscribe(ctx context.Context, raw *rawRows, queries []string) (*Subscription, error) {
	if raw == nil && c.module == nil {
		return nil, ErrNoModule
	}
	s := &Subscription{conn: c, queries: append([]string(nil), queries...), raw: raw, applied: make(chan struct{}), done: make(chan struct{})}
	c.mu.Lock()
	defer c.mu.Unlock()
	err := c.waitForSpace(ctx)
	if err != nil && (raw != nil || !errors.Is(err, ErrDisconnected) || c.mu.ended() != nil || c.opts.Reconnect.Initial <= 0) {
		return nil, err
	}
	s.id = c.mu.freshID()
	c.mu.sets[s.id] = s
	if err == nil {
		if raw != nil && c.mu.link.session.protocol == V1 && (c.module != nil || len(c.mu.sets) > 1) {
			delete(c.mu.sets, s.id)
			return nil, ErrNeedsV2
		}
		c.push(c.request(s))
	}
	return s, nil
}

// request is the message that asks for a set on its own. The lock is held.
func (c *Conn) request(s *Subscription) wire.ClientMessage {
	if c.mu.link.session.protocol == V1 {
		return &wire.SubscribeMulti{Queries: s.queries, RequestID: s.id, QueryID: s.id}
	}
	return &wire.SubscribeSet{RequestID: s.id, QuerySetID: s.id, Queries: s.queries}
}

// wait waits until the initial rows are there; if ctx ends first the subscription is
// taken back.
func (s *Subscription) wait(ctx context.Context) error {
	select {
	case <-s.applied:
		return nil
	case <-s.done:
		return s.err
	case <-ctx.Done():
		s.abandon(context.Cause(ctx))
		return context.Cause(ctx)
	}
}

// abandon ends a subscription that nobody waits for any more.
func (s *Subscription) abandon(err error) {
	s.conn.mu.Lock()
	s.leave(false)
	s.conn.mu.Unlock()
	s.end(err)
}

// leave says that the set is not wanted any more. The lock is held.
func (s *Subscription) leave(rows bool) {
	c := s.conn
	if s.ending || c.mu.sets[s.id] != s || c.mu.ended() != nil {
		return
	}
	s.ending = true
	switch {
	case c.mu.link == nil:
		delete(c.mu.sets, s.id)
		c.in.push(item{drop: s})
	case c.mu.link.session.protocol == V1:
		c.push(&wire.UnsubscribeMulti{RequestID: c.mu.freshID(), QueryID: s.id})
	default:
		c.push(&wire.UnsubscribeSet{RequestID: c.mu.freshID(), QuerySetID: s.id, SendDroppedRows: rows})
	}
}

// Queries returns the SQL of the set.
func (s *Subscription) Queries() []string { return append([]string(nil), s.queries...) }

// Applied is closed when the initial rows are there and the callbacks for them have
// run.
func (s *Subscription) Applied() <-chan struct{} { return s.applied }

// Done is closed when the subscription has ended.
func (s *Subscription) Done() <-chan struct{} { return s.done }

// Err returns why the subscription ended; nil while it lives or after Unsubscribe.
func (s *Subscription) Err() error {
	select {
	case <-s.done:
		return s.err
	default:
		return nil
	}
}

// Unsubscribe ends the subscription and returns when its rows have left the cache,
// or have been handed over as deleted. It does nothing if the subscription has ended.
func (s *Subscription) Unsubscribe(ctx context.Context) error {
	select {
	case <-s.done:
		return nil
	default:
	}
	if err := s.conn.mayWait(ctx); err != nil {
		return err
	}
	s.UnsubscribeAsync()
	select {
	case <-s.done:
		return s.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// UnsubscribeAsync is Unsubscribe for those who cannot wait.
func (s *Subscription) UnsubscribeAsync() {
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	s.leave(s.raw != nil)
}

func (s *Subscription) end(err error) {
	s.once.Do(func() {
		s.err = err
		close(s.done)
	})
}

// pending returns the subscription that waits for its initial rows, or nil if there
// is none or it is not wanted any more. V1 sends the rows of a query once, so there
// they count even then.
func (c *Conn) pending(l *link, id uint32) *Subscription {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.mu.sets[id]
	if s == nil || s.ending && l.session.protocol != V1 {
		return nil
	}
	s.answered = true
	return s
}

// forget takes a set from those that the server is asked for, and returns it.
func (c *Conn) forget(id uint32) *Subscription {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.mu.sets[id]
	delete(c.mu.sets, id)
	return s
}

// apply says that the initial rows are there. The goroutine that delivers calls it,
// again after every reconnection.
func (s *Subscription) apply() {
	select {
	case <-s.applied:
	default:
		close(s.applied)
	}
}

// leaves is forget for a set that the server says has ended. Its link may have broken
// since, and the set with it, but its rows go now.
func (c *Conn) leaves(id uint32) *Subscription {
	if s := c.forget(id); s != nil {
		return s
	}
	return c.delivery.sets[id]
}
