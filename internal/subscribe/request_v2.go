package subscribe

import (
	"errors"

	"github.com/stdbgo/spacetime/internal/wire"
	v2 "github.com/stdbgo/spacetime/internal/wire/v2"
)

// openSet registers a query set and returns its rows. Its error is the text that
// the client gets; the id is then as free or as taken as before.
func (m *Manager) openSet(req *Request, id uint32, texts []string) (v2.QueryRows, error) {
	c := req.Client
	qs, err := m.compile(req, texts)
	if err != nil {
		return nil, err
	}
	if _, taken := c.sets[id]; taken {
		return nil, errors.New(duplicateID(c, id))
	}
	rows, err := req.rowsV2(qs)
	if err != nil {
		return nil, errEvaluating
	}
	c.sets[id], c.known = qs, true
	for _, q := range qs {
		m.subscribe(q, sub{c, subV2, id})
	}
	return rows, nil
}

func (m *Manager) subscribeSet(req *Request, msg *wire.SubscribeSet) Delivery {
	rows, err := m.openSet(req, msg.QuerySetID, msg.Queries)
	if err != nil {
		return req.errorV2(msg.RequestID, msg.QuerySetID, err.Error())
	}
	a := &v2.SubscribeApplied{RequestID: msg.RequestID, QuerySetID: msg.QuerySetID, Rows: rows}
	return req.answer(a.Append(nil))
}

func (m *Manager) subscribeBatch(req *Request, msg *wire.SubscribeBatch) Delivery {
	a := &v2.SubscribeBatchApplied{RequestID: msg.RequestID}
	applied, total := false, 0
	for _, s := range msg.Sets {
		res := v2.SetResult{QuerySetID: s.QuerySetID}
		var rows v2.QueryRows
		err := errManyQueries
		if total += max(len(s.Queries), 1); total <= maxQueries {
			rows, err = m.openSet(req, s.QuerySetID, s.Queries)
		}
		if err != nil {
			text := err.Error()
			res.Error = &text
		} else {
			applied, res.Rows = true, rows
		}
		a.Results = append(a.Results, res)
	}
	if !applied {
		return refuse(req.Client, a.Append(nil))
	}
	return req.answer(a.Append(nil))
}

func (m *Manager) endSet(req *Request, msg *wire.UnsubscribeSet) Delivery {
	c := req.Client
	qs, ok := c.sets[msg.QuerySetID]
	if !ok {
		return req.errorV2(msg.RequestID, msg.QuerySetID, c.unknownID(msg.QuerySetID))
	}
	delete(c.sets, msg.QuerySetID)
	m.drop(c, qs, sub{c, subV2, msg.QuerySetID})
	a := &v2.UnsubscribeApplied{RequestID: msg.RequestID, QuerySetID: msg.QuerySetID}
	if msg.SendDroppedRows {
		rows, err := req.rowsV2(qs)
		if err != nil {
			return req.errorV2(msg.RequestID, msg.QuerySetID, errEvaluating.Error())
		}
		a.HasRows, a.Rows = true, rows
	}
	return req.answer(a.Append(nil))
}

func (req *Request) errorV2(request, set uint32, text string) Delivery {
	e := &v2.SubscriptionError{RequestID: &request, QuerySetID: set, Error: text}
	return refuse(req.Client, e.Append(nil))
}

// rowsV2 returns one entry per fragment, except those that read an empty table.
func (req *Request) rowsV2(qs []*liveQuery) (v2.QueryRows, error) {
	out := v2.QueryRows{}
	var l wire.RowList
	for _, q := range qs {
		for _, p := range q.Plans {
			if p.EmptyInput(req.Reader) {
				continue
			}
			l.Reset()
			if err := addRows(&l, req.Reader, p); err != nil {
				return nil, err
			}
			out = append(out, v2.TableRows{Table: p.ReturnTable().Name, Rows: l.Append(nil)})
		}
	}
	return out, nil
}
