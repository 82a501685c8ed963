package client

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/stdbgo/spacetime/internal/wire"
	v1 "github.com/stdbgo/spacetime/internal/wire/v1"
	"github.com/stdbgo/spacetime/sats"
)

// dispatchV1 handles one message of V1. Its updates do not say which query set they
// belong to, and the server sends the rows of a query once however many sets have it;
// so in the cache all rows belong to one set, the generation.
func (c *Conn) dispatchV1(l *link, m serverMessage) error {
	switch m := m.(type) {
	case *v1.TransactionUpdate:
		return c.transactionV1(l, m)
	case *v1.TransactionUpdateLight:
		return c.changesV1(&Event{Kind: Transaction}, &m.Update)
	case *v1.SubscribeMultiApplied:
		return c.appliedV1(l, m)
	case *v1.SubscriptionError:
		c.errorV1(m)
	case *v1.OneOffQueryResponse:
		return c.oneOffV1(l, m)
	case *v1.ProcedureResult:
		c.answer(l, m.RequestID, func(a *ask) {
			a.value = m.Value
			switch m.Kind {
			case v1.ProcedureOutOfEnergy:
				a.failure = &outOfEnergy
			case v1.ProcedureFailed:
				a.failure = &m.Message
			}
		})
	default:
		c.warn("a message that was not asked for", "message", fmt.Sprintf("%T", m))
	}
	return nil
}

var outOfEnergy = "ran out of energy"

// appendChangesV1 appends the changes that a message has.
func (c *Conn) appendChangesV1(changes []change, u *v1.DatabaseUpdate) ([]change, error) {
	for _, t := range u.Tables {
		for _, fragment := range t.Updates {
			r := sats.NewReader(fragment)
			ch := change{set: c.delivery.generation, table: t.TableName}
			ch.deleted, ch.inserted = v1.ReadQueryUpdate(r)
			if err := r.Err(); err != nil {
				return changes, err
			}
			changes = append(changes, ch)
		}
	}
	return changes, nil
}

func (c *Conn) changesV1(ev *Event, u *v1.DatabaseUpdate) error {
	changes, err := c.appendChangesV1(nil, u)
	if err != nil || len(changes) == 0 {
		return err
	}
	if c.module == nil {
		c.handChangesV1(ev.Kind, changes)
		return nil
	}
	return c.transact(ev, changes)
}

func (c *Conn) appliedV1(l *link, m *v1.SubscribeMultiApplied) error {
	changes, err := c.appendChangesV1(nil, &m.Update)
	if err != nil {
		return err
	}
	if m.End {
		s := c.forget(m.QueryID)
		if c.module == nil {
			c.handChangesV1(Unapplied, changes)
		} else if err := c.transact(&Event{Kind: Unapplied}, changes); err != nil {
			return err
		}
		if s != nil {
			c.dropSets(s)
			s.end(nil)
		}
		return nil
	}
	s := c.pending(l, m.QueryID)
	if s == nil {
		return fmt.Errorf("client: the server applies the query set %d, which was not asked for", m.QueryID)
	}
	return c.begin(s, m.QueryID, changes)
}

// errorV1 ends one subscription that was refused, or all of them.
func (c *Conn) errorV1(m *v1.SubscriptionError) {
	if m.QueryID != nil {
		if s := c.leaves(*m.QueryID); s != nil {
			c.dropSets(s)
			s.end(&SubscriptionError{s.queries, m.Error})
		}
		return
	}
	if c.module != nil {
		_ = c.transact(&Event{Kind: Unapplied}, nil, c.delivery.generation) // nothing is decoded
	}
	for id, s := range c.delivery.sets {
		delete(c.delivery.sets, id)
		c.forget(id)
		s.cached = 0
		s.end(&SubscriptionError{s.queries, m.Error})
	}
}

func (c *Conn) oneOffV1(l *link, m *v1.OneOffQueryResponse) error {
	id, err := strconv.ParseUint(string(m.MessageID), 10, 32)
	if err != nil {
		c.warn("the server answers a query that was not asked", "message id", m.MessageID)
		return nil
	}
	var rows wire.RowList
	if len(m.Tables) > 0 {
		r := sats.NewReader(m.Tables[0].Rows)
		if rows = wire.ReadRowList(r); r.Err() != nil {
			return r.Err()
		}
	}
	c.answer(l, uint32(id), func(a *ask) { a.rows, a.failure = rows, m.Error })
	return nil
}

// transactionV1 applies a transaction, and hands a call of this connection its outcome.
func (c *Conn) transactionV1(l *link, m *v1.TransactionUpdate) error {
	own := m.ConnectionID == l.session.connectionID && m.Caller == l.session.identity
	ev := &Event{
		Kind: Reducer, ReducerName: m.Reducer.Name, Timestamp: m.Timestamp, Caller: m.Caller, ConnectionID: m.ConnectionID,
		Energy: m.Energy, conn: c,
	}
	if m.Reducer.Name == "" || m.Reducer.Name == "<none>" {
		ev.Kind = Transaction
	} else {
		c.decodeReducer(ev, m.Reducer.Args)
	}
	if own {
		ev.Err = failureV1(m)
	}
	if err := c.changesV1(ev, &m.Status.Update); err != nil {
		return err
	}
	if ev.Kind == Reducer {
		c.tellReducer(ev)
	}
	if own {
		c.outcomeV1(l, m, ev.Err)
	}
	return nil
}

// trapped are the beginnings of failures that no reducer returns (spec 05 §9.6, §11.2).
var trapped = []string{"The instance encountered a fatal error.", "Error materializing view `"}

func failureV1(m *v1.TransactionUpdate) error {
	switch m.Status.Kind {
	case v1.OutOfEnergy:
		return &HostError{m.Reducer.Name, outOfEnergy}
	case v1.Failed:
		for _, text := range trapped {
			if strings.HasPrefix(m.Status.Message, text) {
				return &HostError{m.Reducer.Name, m.Status.Message}
			}
		}
		if m.Reducer.RequestID == 0 {
			return &HostError{m.Reducer.Name, m.Status.Message}
		}
		return &ReducerError{m.Reducer.Name, m.Status.Message}
	}
	return nil
}

// outcomeV1 ends the call that a message belongs to, and those that must have failed
// before.
func (c *Conn) outcomeV1(l *link, m *v1.TransactionUpdate, err error) {
	c.mu.Lock()
	var ended []ended
	if m.Reducer.RequestID == 0 && m.Status.Kind == v1.Failed {
		ended = l.unknown.failed(l.calls, m.Reducer.Name, err)
	} else {
		ended = l.unknown.answered(l.calls, m.Reducer.RequestID, err)
	}
	c.mu.Unlock()
	for _, e := range ended {
		e.call.timestamp = m.Timestamp
		e.call.finish(e.err)
	}
}

// An ended call and its outcome.
type ended struct {
	call *Call
	err  error
}

// v1Failures finds out which call a failure belongs to that the server reports by the
// reducer's name alone, before those of earlier calls (spec 05 §11.3). All others are
// answered in their order: so a call that a later one's answer overtakes has failed.
type v1Failures struct {
	order    []uint32           // calls in the order of sending, some of them answered
	failures map[string][]error // by reducer: of calls not known yet
}

func (f *v1Failures) sent(id uint32) { f.order = append(f.order, id) }

// failed notes a failure. If no other call of the reducer is under way it is known
// whose it is.
func (f *v1Failures) failed(calls map[uint32]*Call, reducer string, err error) (out []ended) {
	if f.failures == nil {
		f.failures = map[string][]error{}
	}
	f.failures[reducer] = append(f.failures[reducer], err)
	var open []uint32
	for _, id := range f.order {
		if call := calls[id]; call != nil && call.reducer == reducer {
			open = append(open, id)
		}
	}
	if len(open) > len(f.failures[reducer]) {
		return nil
	}
	for i, id := range open {
		out = append(out, ended{calls[id], f.failures[reducer][i]})
		delete(calls, id)
	}
	delete(f.failures, reducer)
	return out
}

// answered ends the call id, and the earlier ones that have failed.
func (f *v1Failures) answered(calls map[uint32]*Call, id uint32, err error) (out []ended) {
	for len(f.order) > 0 {
		first := f.order[0]
		call := calls[first]
		if call != nil && first != id {
			list := f.failures[call.reducer]
			if len(list) == 0 {
				break // answers are not in order after all
			}
			out = append(out, ended{call, list[0]})
			if f.failures[call.reducer] = list[1:]; len(list) == 1 {
				delete(f.failures, call.reducer)
			}
			delete(calls, first)
		}
		f.order = f.order[1:]
		if first == id {
			break
		}
	}
	if call := calls[id]; call != nil {
		out = append(out, ended{call, err})
		delete(calls, id)
	}
	return out
}
