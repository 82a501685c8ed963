package client

import (
	"context"

	"github.com/stdbgo/spacetime/internal/wire"
)

// A RowList holds encoded rows: Len of them, the bytes of each by At.
type RowList = wire.RowList

// Rows are the rows of one query that a message adds and removes. The bytes are
// valid during the call that hands them over.
type Rows struct {
	Kind              EventKind // what the message tells of
	Table             string    // canonical; the one whose rows the query selects
	Inserted, Deleted RowList   // BSATN of whole rows
	Event             bool      // the rows belong to an event table: they are told, not kept
}

// rawRows are the callbacks of a subscription outside the cache.
type rawRows struct {
	rows func(Rows)
	end  func(EventKind) // once per message, after its rows; nil: nobody
}

// SubscribeRows subscribes to SQL queries as one set, outside the cache, and returns
// when their initial rows have been handed over. handle is a callback that runs once
// for each query and message that concerns it. If ctx ends first the subscription is
// taken back; one more call of handle may then be under way. Such a subscription ends
// with its link, also if Options.Reconnect makes another one. On V1 a connection
// without a Module can have one such subscription at a time; else the error is
// ErrNeedsV2.
func (c *Conn) SubscribeRows(ctx context.Context, handle func(Rows), queries ...string) (*Subscription, error) {
	return c.SubscribeUpdates(ctx, handle, nil, queries...)
}

// SubscribeUpdates is SubscribeRows for callers who treat the rows of a message
// as one change: end, unless nil, is called once after the rows of each message
// that concerns the set, of the initial one, too, and if that has no rows.
func (c *Conn) SubscribeUpdates(ctx context.Context, rows func(Rows), end func(EventKind), queries ...string) (*Subscription, error) {
	if err := c.mayWait(ctx); err != nil {
		return nil, err
	}
	s, err := c.subscribe(ctx, &rawRows{rows, end}, queries)
	if err != nil {
		return nil, err
	}
	if err := s.wait(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// handChangesV1 hands the changes of a V1 message to the only subscription that there
// can be on a connection without a Module.
func (c *Conn) handChangesV1(kind EventKind, changes []change) {
	for _, s := range c.delivery.sets {
		select {
		case <-s.done:
			continue // given up
		default:
		}
		for _, ch := range changes {
			c.handRows(s.raw, Rows{Kind: kind, Table: ch.table, Inserted: ch.inserted, Deleted: ch.deleted})
		}
		c.handEnd(s.raw, kind)
	}
}

func (c *Conn) handRows(r *rawRows, rows Rows) {
	c.guard(func() { r.rows(rows) })
}

func (c *Conn) handEnd(r *rawRows, kind EventKind) {
	if r.end != nil {
		c.guard(func() { r.end(kind) })
	}
}
