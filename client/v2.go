package client

import (
	"fmt"

	"github.com/stdbgo/spacetime/internal/wire"
	v2 "github.com/stdbgo/spacetime/internal/wire/v2"
	"github.com/stdbgo/spacetime/sats"
)

// dispatchV2 handles one message of V2 and V3.
func (c *Conn) dispatchV2(l *link, m serverMessage) error {
	switch m := m.(type) {
	case *v2.ReducerResult:
		return c.reducerResult(l, m)
	case *v2.TransactionUpdate:
		return c.update(l, m.Sets, func() *Event { return &Event{Kind: Transaction} })
	case *v2.SubscribeApplied:
		return c.subscribeApplied(l, m)
	case *v2.UnsubscribeApplied:
		return c.unsubscribeApplied(m)
	case *v2.SubscriptionError:
		if s := c.leaves(m.QuerySetID); s != nil {
			c.dropSets(s)
			s.end(&SubscriptionError{s.queries, m.Error})
		}
	case *v2.OneOffQueryResult:
		rows, err := oneOffRows(m.Rows)
		if err != nil {
			return err
		}
		c.answer(l, m.RequestID, func(a *ask) { a.rows, a.failure = rows, m.Error })
	case *v2.ProcedureResult:
		c.answer(l, m.RequestID, func(a *ask) {
			if a.value = m.Value; m.Failed {
				a.failure = &m.Message
			}
		})
	default:
		c.warn("a message that was not asked for", "message", fmt.Sprintf("%T", m))
	}
	return nil
}

// oneOffRows returns the rows of a one-off query, which has one table.
func oneOffRows(tables v2.QueryRows) (list wire.RowList, err error) {
	if len(tables) > 0 {
		r := sats.NewReader(tables[0].Rows)
		list = wire.ReadRowList(r)
		err = r.Err()
	}
	return list, err
}

// reducerResult hands a call its outcome, after its changes.
func (c *Conn) reducerResult(l *link, m *v2.ReducerResult) error {
	c.mu.Lock()
	call := l.calls[m.RequestID]
	delete(l.calls, m.RequestID)
	c.mu.Unlock()
	if call == nil {
		c.warn("the server answers a call that was not made", "request", m.RequestID)
		return c.update(l, m.Sets, func() *Event { return &Event{Kind: Transaction} })
	}
	call.timestamp = m.Timestamp
	err := call.outcome(m)
	var ev *Event
	event := func() *Event {
		if ev == nil {
			ev = c.ownEvent(l, call, err)
		}
		return ev
	}
	if len(m.Sets) > 0 {
		if err := c.update(l, m.Sets, event); err != nil {
			c.mu.Lock()
			unknown := c.unknown(err)
			c.mu.Unlock()
			call.finish(unknown)
			return err
		}
	}
	if len(c.events.all()) > 0 {
		c.tellReducer(event())
	}
	call.finish(err)
	return nil
}

func (call *Call) outcome(m *v2.ReducerResult) error {
	switch m.Kind {
	case v2.OutcomeErr:
		return &ReducerError{call.reducer, m.Message}
	case v2.OutcomeInternalError:
		return &HostError{call.reducer, m.Message}
	}
	return nil
}

// ownEvent is the event of a call of this connection.
func (c *Conn) ownEvent(l *link, call *Call, err error) *Event {
	ev := &Event{
		Kind: Reducer, ReducerName: call.reducer, Timestamp: call.timestamp,
		Caller: l.session.identity, ConnectionID: l.session.connectionID, Err: err, conn: c,
	}
	if c.module != nil {
		c.decodeReducer(ev, call.args)
	}
	return ev
}

// update hands over what a transaction changed.
func (c *Conn) update(l *link, sets []v2.QuerySetUpdate, event func() *Event) error {
	d := &c.delivery
	changes := d.changes[:0]
	cached := false
	var err error
	for i := range sets {
		set := &sets[i]
		s := d.sets[set.QuerySetID]
		if s == nil {
			continue // it ended while the update was under way
		}
		if s.raw != nil {
			if err := c.rawUpdate(s.raw, set, event().Kind); err != nil {
				return err
			}
			continue
		}
		cached = true
		if changes, err = appendChanges(changes, set); err != nil {
			return err
		}
	}
	if cached {
		err = c.transact(event(), changes)
	}
	clear(changes)
	d.changes = changes
	return err
}

// appendChanges appends the changes of a set.
func appendChanges(changes []change, set *v2.QuerySetUpdate) ([]change, error) {
	for _, t := range set.Tables {
		for _, fragment := range t.Rows {
			r := sats.NewReader(fragment)
			ch := change{set: set.QuerySetID, table: t.Table}
			ch.inserted, ch.deleted, ch.event = v2.ReadFragment(r)
			if err := r.Err(); err != nil {
				return changes, err
			}
			changes = append(changes, ch)
		}
	}
	return changes, nil
}

func (c *Conn) rawUpdate(raw *rawRows, set *v2.QuerySetUpdate, kind EventKind) error {
	changes, err := appendChanges(nil, set)
	if err != nil {
		return err
	}
	for _, ch := range changes {
		c.handRows(raw, Rows{Kind: kind, Table: ch.table, Inserted: ch.inserted, Deleted: ch.deleted, Event: ch.event})
	}
	c.handEnd(raw, kind)
	return nil
}

// initialChanges returns the rows of a set that begins.
func initialChanges(changes []change, set uint32, rows v2.QueryRows) ([]change, error) {
	for _, t := range rows {
		r := sats.NewReader(t.Rows)
		list := wire.ReadRowList(r)
		if err := r.Err(); err != nil {
			return changes, err
		}
		changes = append(changes, change{set: set, table: t.Table, inserted: list})
	}
	return changes, nil
}

func (c *Conn) subscribeApplied(l *link, m *v2.SubscribeApplied) error {
	s := c.pending(l, m.QuerySetID)
	if s == nil {
		return nil // it is not wanted any more
	}
	if c.delivery.sets[m.QuerySetID] != nil {
		return fmt.Errorf("client: the server applies the query set %d twice", m.QuerySetID)
	}
	changes, err := initialChanges(nil, m.QuerySetID, m.Rows)
	if err != nil {
		return err
	}
	return c.begin(s, m.QuerySetID, changes)
}

// begin hands over the initial rows of a subscription.
func (c *Conn) begin(s *Subscription, set uint32, changes []change) error {
	s.cached = set
	c.delivery.sets[set] = s
	if s.raw == nil {
		if err := c.transact(&Event{Kind: Applied}, changes); err != nil {
			delete(c.delivery.sets, set)
			s.cached = 0
			return err
		}
	} else {
		for _, ch := range changes {
			c.handRows(s.raw, Rows{Kind: Applied, Table: ch.table, Inserted: ch.inserted})
		}
		c.handEnd(s.raw, Applied)
	}
	s.apply()
	return nil
}

func (c *Conn) unsubscribeApplied(m *v2.UnsubscribeApplied) error {
	s := c.leaves(m.QuerySetID)
	if s == nil {
		return nil
	}
	if s.raw != nil && s.cached != 0 {
		changes, err := initialChanges(nil, m.QuerySetID, m.Rows)
		if err != nil {
			return err
		}
		for _, ch := range changes {
			c.handRows(s.raw, Rows{Kind: Unapplied, Table: ch.table, Deleted: ch.inserted})
		}
		c.handEnd(s.raw, Unapplied)
	}
	c.dropSets(s)
	s.end(nil)
	return nil
}
