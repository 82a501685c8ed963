package client

import (
	"context"
	"fmt"
	"sync"

	"github.com/stdbgo/spacetime/internal/wire"
	v2 "github.com/stdbgo/spacetime/internal/wire/v2"
	"github.com/stdbgo/spacetime/sats"
)

// An EventKind says where rows come from.
type EventKind uint8

const (
	Applied     EventKind = iota // the initial rows of a subscription
	Transaction                  // a transaction of somebody else
	Own                          // a transaction of a call of this connection
	Unapplied                    // the last rows of a subscription that ends
)

// A RowList holds encoded rows: Len of them, the bytes of each by At.
type RowList = wire.RowList

// Rows are the rows of one query that a message adds and removes. The bytes are
// valid during the call that hands them over.
type Rows struct {
	Kind              EventKind
	Table             string
	Inserted, Deleted RowList
	Event             bool // the rows belong to an event table: they are told, not kept
}

// A Subscription is a set of queries that the server keeps this connection
// informed of.
type Subscription struct {
	conn    *Conn
	id      uint32
	queries []string
	handle  func(Rows)
	after   func(EventKind) // once per message, after its rows; nil: nobody
	applied chan struct{}
	done    chan struct{}
	once    sync.Once
	err     error // set before done is closed
}

// SubscribeRows subscribes to SQL queries as one set and returns when their
// initial rows have been handed over. handle runs on the reading goroutine, once
// for each query and message that concerns it. If ctx ends first the subscription
// is taken back; one more call of handle may then be under way.
func (c *Conn) SubscribeRows(ctx context.Context, handle func(Rows), queries ...string) (*Subscription, error) {
	return c.SubscribeUpdates(ctx, handle, nil, queries...)
}

// SubscribeUpdates is SubscribeRows for callers who treat the rows of a message
// as one change: end, unless nil, is called once after the rows of each message
// that concerns the set, of the initial one, too, and if that has no rows.
func (c *Conn) SubscribeUpdates(ctx context.Context, rows func(Rows), end func(EventKind), queries ...string) (*Subscription, error) {
	s := &Subscription{conn: c, queries: queries, handle: rows, after: end, applied: make(chan struct{}), done: make(chan struct{})}
	err := c.enqueue(ctx, func(id uint32) wire.ClientMessage {
		s.id = id
		c.mu.subs[id] = s
		return &wire.SubscribeSet{RequestID: id, QuerySetID: id, Queries: queries}
	})
	if err != nil {
		return nil, err
	}
	select {
	case <-s.applied:
		return s, nil
	case <-s.done:
		return nil, s.err
	case <-ctx.Done():
		s.abandon(context.Cause(ctx))
		return nil, context.Cause(ctx)
	}
}

// abandon ends a subscription that nobody waits for any more: what the server
// still says about it is dropped, and the server is told.
func (s *Subscription) abandon(err error) {
	c := s.conn
	c.mu.Lock()
	if c.mu.subs[s.id] == s {
		delete(c.mu.subs, s.id)
		if c.mu.ended() == nil {
			c.push(func(id uint32) wire.ClientMessage {
				return &wire.UnsubscribeSet{RequestID: id, QuerySetID: s.id}
			})
		}
	}
	c.mu.Unlock()
	s.end(err)
}

// Queries returns the SQL of the set.
func (s *Subscription) Queries() []string { return s.queries }

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

// Unsubscribe ends the subscription and returns when its rows have been handed
// over as deleted. It does nothing if the subscription has ended.
func (s *Subscription) Unsubscribe(ctx context.Context) error {
	select {
	case <-s.done:
		return nil
	default:
	}
	err := s.conn.enqueue(ctx, func(id uint32) wire.ClientMessage {
		return &wire.UnsubscribeSet{RequestID: id, QuerySetID: s.id, SendDroppedRows: true}
	})
	if err != nil {
		return err
	}
	select {
	case <-s.done:
		return s.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (s *Subscription) end(err error) {
	s.once.Do(func() {
		s.err = err
		close(s.done)
	})
}

// dispatch handles one message of the server.
func (c *Conn) dispatch(m v2.ServerMessage) error {
	switch m := m.(type) {
	case *v2.ReducerResult:
		return c.result(m)
	case *v2.TransactionUpdate:
		return c.changes(m.Sets, false)
	case *v2.SubscribeApplied:
		s := c.subscription(m.QuerySetID, false)
		if s == nil {
			return nil // abandoned
		}
		select {
		case <-s.applied:
			return fmt.Errorf("client: the server applies the query set %d twice", s.id)
		default:
		}
		err := s.rows(m.Rows, Applied)
		close(s.applied)
		return err
	case *v2.UnsubscribeApplied:
		s := c.subscription(m.QuerySetID, true)
		if s == nil {
			return nil
		}
		err := s.rows(m.Rows, Unapplied)
		s.end(nil)
		return err
	case *v2.SubscriptionError:
		if s := c.subscription(m.QuerySetID, true); s != nil {
			s.end(&SubscriptionError{s.queries, m.Error})
		}
		return nil
	}
	c.warn("a message that was not asked for", "message", m)
	return nil
}

// subscription returns the live subscription of a query set, and forgets it if it
// ends.
func (c *Conn) subscription(id uint32, ends bool) *Subscription {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.mu.subs[id]
	if ends {
		delete(c.mu.subs, id)
	}
	return s
}

func (s *Subscription) rows(tables v2.QueryRows, kind EventKind) error {
	for _, t := range tables {
		r := sats.NewReader(t.Rows)
		list := wire.ReadRowList(r)
		if err := r.Err(); err != nil {
			return err
		}
		rows := Rows{Kind: kind, Table: t.Table, Inserted: list}
		if kind == Unapplied {
			rows.Inserted, rows.Deleted = RowList{}, list
		}
		s.handle(rows)
	}
	s.ended(kind)
	return nil
}

func (s *Subscription) ended(kind EventKind) {
	if s.after != nil {
		s.after(kind)
	}
}

// changes hands over what a transaction changed.
func (c *Conn) changes(sets []v2.QuerySetUpdate, own bool) error {
	kind := Transaction
	if own {
		kind = Own
	}
	for _, set := range sets {
		s := c.subscription(set.QuerySetID, false)
		if s == nil {
			continue // unsubscribed while the update was under way
		}
		for _, t := range set.Tables {
			for _, fragment := range t.Rows {
				r := sats.NewReader(fragment)
				rows := Rows{Kind: kind, Table: t.Table}
				rows.Inserted, rows.Deleted, rows.Event = v2.ReadFragment(r)
				if err := r.Err(); err != nil {
					return err
				}
				s.handle(rows)
			}
		}
		s.ended(kind)
	}
	return nil
}
