package subscribe

import (
	"errors"

	"github.com/stdbgo/spacetime/internal/query"
	"github.com/stdbgo/spacetime/internal/wire"
	v2 "github.com/stdbgo/spacetime/internal/wire/v2"
)

// admitSet compiles the queries of a set and checks that it may be opened beside others
// that hold as many queries. Its error is the text that the client gets.
func (m *Manager) admitSet(req *Request, id uint32, texts []string, others int) ([]*liveQuery, error) {
	qs, err := m.compile(req, texts)
	if err != nil {
		return nil, err
	}
	c := m.ownerOf(req.Client)
	if _, taken := c.sets[id]; taken {
		return nil, errors.New(duplicateID(c, id))
	}
	return qs, c.room(len(qs) + others)
}

// openSet registers a set that has been admitted, prepared and, if that was soon done,
// read.
func (m *Manager) openSet(req *Request, id uint32, qs []*liveQuery) {
	c := m.ownerOf(req.Client)
	m.own(c)
	c.sets[id] = qs
	for i, q := range qs {
		qs[i] = m.live(q.Query) // another set of the message may have registered it
		m.subscribe(qs[i], sub{c, subV2, id})
	}
}

func (m *Manager) subscribeSet(req *Request, msg *wire.SubscribeSet) Delivery {
	qs, err := m.admitSet(req, msg.QuerySetID, msg.Queries, 0)
	if err == nil {
		err = req.prepare(qs)
	}
	var d Delivery
	if err == nil {
		plans := plansOf(qs)
		d, err = req.evaluate(plans, func() Message {
			a := &v2.SubscribeApplied{RequestID: msg.RequestID, QuerySetID: msg.QuerySetID, Rows: req.rowsV2(plans)}
			return req.shows(a.Append(nil))
		})
	}
	if err != nil {
		return req.errorV2(msg.RequestID, msg.QuerySetID, err.Error())
	}
	if d == nil {
		return Nothing
	}
	m.openSet(req, msg.QuerySetID, qs)
	return d
}

// subscribeBatch opens several sets at once: all are admitted, then what they read is
// prepared, then they are evaluated, so that they show one state.
func (m *Manager) subscribeBatch(req *Request, msg *wire.SubscribeBatch) Delivery {
	c := m.ownerOf(req.Client)
	sets := make([][]*liveQuery, len(msg.Sets))
	parts := make([]*reading, len(msg.Sets))
	rows := make([]v2.QueryRows, len(msg.Sets))
	taken := map[uint32]bool{}
	var all []*liveQuery
	total := 0
	for i, s := range msg.Sets {
		part := &reading{err: errManyQueries}
		parts[i] = part
		if total += max(len(s.Queries), 1); total > maxQueries {
			continue
		}
		sets[i], part.err = m.admitSet(req, s.QuerySetID, s.Queries, len(all))
		if part.err == nil && taken[s.QuerySetID] {
			part.err = errors.New(duplicateID(c, s.QuerySetID))
		}
		if part.err == nil {
			taken[s.QuerySetID] = true
			all = append(all, sets[i]...)
			part.plans = plansOf(sets[i])
			part.read = func() { rows[i] = req.rowsV2(part.plans) }
		}
	}
	if failed := req.prepare(all); failed != nil {
		for _, part := range parts {
			if part.err == nil {
				part.err = failed
			}
		}
	}
	done := req.read(parts...)
	if req.heavy != nil {
		return Nothing
	}
	applied := false
	for i, s := range msg.Sets {
		if parts[i].err == nil {
			m.openSet(req, s.QuerySetID, sets[i])
			applied = true
		}
	}
	answer := func() Message {
		a := &v2.SubscribeBatchApplied{RequestID: msg.RequestID}
		for i, s := range msg.Sets {
			res := v2.SetResult{QuerySetID: s.QuerySetID}
			if parts[i].err == nil {
				res.Rows = rows[i]
			} else {
				text := parts[i].err.Error()
				res.Error = &text
			}
			a.Results = append(a.Results, res)
		}
		if !applied {
			return Message{Body: a.Append(nil)}
		}
		return req.shows(a.Append(nil))
	}
	if done {
		return send(req.Client, answer())
	}
	return req.evaluation(func() Message {
		for _, part := range parts {
			if part.err == nil {
				part.read()
			}
		}
		return answer()
	})
}

func (m *Manager) endSet(req *Request, msg *wire.UnsubscribeSet) Delivery {
	c := m.ownerOf(req.Client)
	qs, ok := c.sets[msg.QuerySetID]
	if !ok {
		return req.errorV2(msg.RequestID, msg.QuerySetID, c.unknownID(msg.QuerySetID))
	}
	delete(c.sets, msg.QuerySetID)
	m.drop(c, qs, sub{c, subV2, msg.QuerySetID})
	a := &v2.UnsubscribeApplied{RequestID: msg.RequestID, QuerySetID: msg.QuerySetID}
	if !msg.SendDroppedRows {
		return send(req.Client, req.shows(a.Append(nil)))
	}
	plans := plansOf(qs)
	if err := req.fits(plans); err != nil {
		return req.errorV2(msg.RequestID, msg.QuerySetID, err.Error())
	}
	return req.mustEvaluate(plans, func() Message {
		a.HasRows, a.Rows = true, req.rowsV2(plans)
		return req.shows(a.Append(nil))
	})
}

func (req *Request) errorV2(request, set uint32, text string) Delivery {
	e := &v2.SubscriptionError{RequestID: &request, QuerySetID: set, Error: text}
	return req.refuse(e.Append(nil))
}

// rowsV2 returns one entry per fragment, except those that read an empty table. The
// plans fit the Reader.
func (req *Request) rowsV2(plans []*query.Plan) v2.QueryRows {
	out := v2.QueryRows{}
	var l wire.RowList
	for _, p := range plans {
		if p.EmptyInput(req.Reader) {
			continue
		}
		l.Reset()
		req.mustAddRows(&l, p)
		out = append(out, v2.TableRows{Table: p.ReturnTable().Name, Rows: l.Append(nil)})
	}
	return out
}
