package subscribe

import (
	"fmt"

	"github.com/stdbgo/spacetime/internal/query"
	"github.com/stdbgo/spacetime/internal/wire"
	v1 "github.com/stdbgo/spacetime/internal/wire/v1"
	"github.com/stdbgo/spacetime/sats"
)

// subscribeLegacy replaces the legacy set. Its answer holds all rows of the new
// set; a text given twice is answered twice, later updates come once (spec 05 §10.3).
func (m *Manager) subscribeLegacy(req *Request, msg *wire.Subscribe) Delivery {
	c := m.ownerOf(req.Client)
	refused := func(err error) Delivery {
		return req.refuse(bodyV1(req.Client, &v1.SubscriptionError{DurationMicros: req.Micros(), RequestID: &msg.RequestID, Error: err.Error()}))
	}
	all, err := m.compileAll(req, msg.Queries)
	qs := distinct(all)
	if err == nil {
		err = req.admit(qs)
	}
	if err == nil {
		err = req.prepare(qs)
	}
	if err != nil {
		return refused(err)
	}
	plans := plansOf(all)
	d, err := req.evaluate(plans, func() Message {
		return req.showsV1(&v1.InitialSubscription{
			Update:    v1.DatabaseUpdate{Tables: req.tablesV1(plans, false)},
			RequestID: msg.RequestID,
			Duration:  sats.TimeDuration(req.Micros()),
		})
	})
	if err != nil {
		return refused(err)
	}
	if d == nil {
		return Nothing
	}
	m.drop(c, c.legacy, sub{c, subLegacy, 0})
	m.own(c)
	c.legacy = qs
	for _, q := range qs {
		m.subscribe(q, sub{c, subLegacy, 0})
	}
	return d
}

func (m *Manager) subscribeMulti(req *Request, msg *wire.SubscribeMulti) Delivery {
	c := m.ownerOf(req.Client)
	qs, err := m.compileV1(req, msg.Queries)
	if err != nil {
		return req.errorV1(msg.RequestID, msg.QueryID, err.Error())
	}
	if _, taken := c.multi[msg.QueryID]; taken {
		return req.errorV1(msg.RequestID, msg.QueryID, duplicateID(c, msg.QueryID))
	}
	if err := req.prepare(qs); err != nil {
		return req.errorV1(msg.RequestID, msg.QueryID, err.Error())
	}
	plans := plansOf(c.fresh(qs))
	d, err := req.evaluate(plans, req.multiApplied(msg.RequestID, msg.QueryID, plans, false))
	if err != nil {
		return req.errorV1(msg.RequestID, msg.QueryID, err.Error())
	}
	if d == nil {
		return Nothing
	}
	m.hold(c, msg.QueryID, qs)
	return d
}

// multiApplied makes the answer with the rows that come or, if it is the end, go.
func (req *Request) multiApplied(request, query uint32, plans []*query.Plan, end bool) func() Message {
	return func() Message {
		return req.showsV1(&v1.SubscribeMultiApplied{
			End: end, RequestID: request, QueryID: query,
			Update:         v1.DatabaseUpdate{Tables: req.tablesV1(plans, end)},
			DurationMicros: req.Micros(),
		})
	}
}

// fresh returns those of the queries that the client does not hold.
func (c *Client) fresh(qs []*liveQuery) (out []*liveQuery) {
	for _, q := range qs {
		if c.held[q] == 0 {
			out = append(out, q)
		}
	}
	return out
}

// hold counts the queries under a query id.
func (m *Manager) hold(c *Client, id uint32, qs []*liveQuery) {
	m.own(c)
	c.multi[id] = qs
	for _, q := range qs {
		if c.held[q]++; c.held[q] == 1 {
			m.subscribe(q, sub{c, subV1, 0})
		}
	}
}

// release undoes hold and returns the queries that the client holds no longer.
func (m *Manager) release(c *Client, id uint32) (gone []*liveQuery) {
	for _, q := range c.multi[id] {
		if c.held[q]--; c.held[q] == 0 {
			delete(c.held, q)
			m.unsubscribe(q, sub{c, subV1, 0})
			gone = append(gone, q)
		}
	}
	delete(c.multi, id)
	delete(c.single, id)
	return gone
}

func (m *Manager) endMulti(req *Request, msg *wire.UnsubscribeMulti) Delivery {
	c := m.ownerOf(req.Client)
	if text := c.notSubscribed(msg.QueryID, false); text != "" {
		return req.errorV1(msg.RequestID, msg.QueryID, text)
	}
	plans := plansOf(m.release(c, msg.QueryID))
	if err := req.fits(plans); err != nil {
		return req.errorV1(msg.RequestID, msg.QueryID, err.Error())
	}
	return req.mustEvaluate(plans, req.multiApplied(msg.RequestID, msg.QueryID, plans, true))
}

func (m *Manager) subscribeSingle(req *Request, msg *wire.SubscribeSingle) Delivery {
	c := m.ownerOf(req.Client)
	compiled, err := req.CompileOne(msg.Query)
	var q *liveQuery
	if err == nil {
		q = m.live(compiled)
		if err = c.room(1); err == nil {
			err = req.admit([]*liveQuery{q})
		}
	}
	switch {
	case err != nil:
		err = fmt.Errorf("%w, executing: `%s`", err, msg.Query)
	case compiled.readsEvents():
		err = errEventTable
	}
	if err != nil {
		return req.errorV1(msg.RequestID, msg.QueryID, err.Error())
	}
	if _, taken := c.multi[msg.QueryID]; taken {
		return req.errorV1(msg.RequestID, msg.QueryID, duplicateID(c, msg.QueryID))
	}
	if err := req.prepare([]*liveQuery{q}); err != nil {
		return req.errorV1(msg.RequestID, msg.QueryID, err.Error())
	}
	plans := q.Plans
	d, err := req.evaluate(plans, func() Message {
		return req.showsV1(&v1.SubscribeApplied{
			RequestID: msg.RequestID, QueryID: msg.QueryID,
			Rows:           req.tableV1(plans, false),
			DurationMicros: req.Micros(),
		})
	})
	if err != nil {
		return req.errorV1(msg.RequestID, msg.QueryID, fmt.Sprintf("%v, executing: `%s`", err, msg.Query))
	}
	if d == nil {
		return Nothing
	}
	m.hold(c, msg.QueryID, []*liveQuery{q})
	c.single[msg.QueryID] = true
	return d
}

func (m *Manager) endSingle(req *Request, msg *wire.Unsubscribe) Delivery {
	c := m.ownerOf(req.Client)
	if text := c.notSubscribed(msg.QueryID, true); text != "" {
		return req.errorV1(msg.RequestID, msg.QueryID, text)
	}
	plans := c.multi[msg.QueryID][0].Plans
	ended := func(rows v1.TableUpdate) Message {
		return req.showsV1(&v1.SubscribeApplied{End: true, RequestID: msg.RequestID, QueryID: msg.QueryID, Rows: rows, DurationMicros: req.Micros()})
	}
	if gone := m.release(c, msg.QueryID); len(gone) == 0 { // another id holds the query still
		t := plans[0].ReturnTable()
		return send(req.Client, ended(v1.TableUpdate{TableID: uint32(t.ID), TableName: t.Name,
			Updates: [][]byte{appendUpdate(nil, req.Client.Protocol.Format(), t, new(wire.RowList), new(wire.RowList), storedForm)}}))
	}
	if err := req.fits(plans); err != nil {
		return req.errorV1(msg.RequestID, msg.QueryID, err.Error())
	}
	return req.mustEvaluate(plans, func() Message { return ended(req.tableV1(plans, true)) })
}

// notSubscribed returns the refusal for a query id that names no subscription of
// the kind, or "".
func (c *Client) notSubscribed(id uint32, single bool) string {
	if _, ok := c.multi[id]; ok && c.single[id] == single {
		return ""
	}
	return c.unknownID(id)
}

// unknownID is the refusal to end what is not there.
func (c *Client) unknownID(id uint32) string {
	if !c.known {
		return fmt.Sprintf("Client not found: %s", c)
	}
	return fmt.Sprintf("Subscription not found: (%s, QuerySetId { id: %d })", c, id)
}

func duplicateID(c *Client, id uint32) string {
	return fmt.Sprintf("Subscription with id QuerySetId { id: %d } already exists for client: %s", id, c)
}

// String names the client in messages.
func (c *Client) String() string {
	return fmt.Sprintf("(Identity(%s), ConnectionId(%s))", c.Identity, c.Connection)
}

func (req *Request) errorV1(request, query uint32, text string) Delivery {
	return req.refuse(bodyV1(req.Client, &v1.SubscriptionError{
		DurationMicros: req.Micros(), RequestID: &request, QueryID: &query, Error: text}))
}

// tablesV1 returns one entry per fragment, except those that read an empty table. The
// plans fit the Reader.
func (req *Request) tablesV1(plans []*query.Plan, deletes bool) []v1.TableUpdate {
	out := []v1.TableUpdate{}
	for _, p := range plans {
		if !p.EmptyInput(req.Reader) {
			out = append(out, req.fragmentV1(p, deletes))
		}
	}
	return out
}

// tableV1 returns the one entry of a single query.
func (req *Request) tableV1(plans []*query.Plan, deletes bool) v1.TableUpdate {
	t := req.fragmentV1(plans[0], deletes)
	for _, p := range plans[1:] {
		more := req.fragmentV1(p, deletes)
		t.NumRows += more.NumRows
		t.Updates = append(t.Updates, more.Updates...)
	}
	return t
}

func (req *Request) fragmentV1(p *query.Plan, deletes bool) v1.TableUpdate {
	rows, none := new(wire.RowList), new(wire.RowList)
	req.mustAddRows(rows, p)
	n := uint64(rows.Len())
	if deletes {
		rows, none = none, rows
	}
	t := p.ReturnTable()
	return v1.TableUpdate{TableID: uint32(t.ID), TableName: t.Name, NumRows: n,
		Updates: [][]byte{appendUpdate(nil, req.Client.Protocol.Format(), t, rows, none, storedForm)}}
}
