package subscribe

import (
	"slices"
	"strings"
	"sync"

	"github.com/stdbgo/spacetime/internal/query"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/internal/wire"
	v1 "github.com/stdbgo/spacetime/internal/wire/v1"
	v2 "github.com/stdbgo/spacetime/internal/wire/v2"
	"github.com/stdbgo/spacetime/sats"
)

// An Event says who and what caused a transaction.
type Event struct {
	// Client is the connection that called the reducer; nil if the call did not
	// come over a WebSocket. It is answered even if nothing it subscribed to
	// changed.
	Client     *Client
	Caller     sats.Identity
	Connection sats.ConnectionID
	Reducer    string // "" without a reducer
	ReducerID  uint32 // v1.NoReducer without a reducer
	RequestID  uint32
	Flags      wire.CallFlags
	Args       []byte        // BSATN; not changed after
	ArgsJSON   func() []byte // the same as JSON text; nil stands for "[]". Called by the sender
	Timestamp  sats.Timestamp
	Duration   sats.TimeDuration
	Energy     sats.U128
	Workload   Workload
}

// Publish evaluates a committed transaction once per distinct query. r reads the
// state after it; r and d may be nil if Concerns is false for d. offset and gated are those of its messages: gated is false if
// nothing was logged.
func (m *Manager) Publish(r store.Reader, d *store.Delta, offset uint64, gated bool, ev *Event) Delivery {
	u := &update{ev: ev, offset: offset, gated: gated, hideCaller: m.HideCaller, traffic: &m.Traffic}
	if ev.Client != nil {
		u.owner = m.ownerOf(ev.Client)
	}
	var failed []failedQuery
	if d != nil && len(d.Tables) > 0 {
		for _, q := range m.concerned(r, d) {
			before := len(u.results)
			if err := u.evaluate(r, d, q); err != nil {
				failed = append(failed, failedQuery{q, err})
			}
			m.Evaluated.Add(1)
			if len(u.results) > before {
				m.Matched.Add(1)
			}
		}
		m.dropFailed(u, failed)
		if u.duplicates.Evaluated > 0 {
			m.DuplicatesEvaluated.Add(u.duplicates.Evaluated)
			m.DuplicatesSent.Add(u.duplicates.Sent)
		}
	}
	if len(u.results) == 0 && len(u.errors) == 0 && ev.Client == nil {
		return Nothing
	}
	return u
}

// An update is what one transaction means to all subscribers.
type update struct {
	ev         *Event
	owner      *Client // of what the caller subscribes to
	offset     uint64
	gated      bool
	hideCaller bool
	traffic    *Traffic
	duplicates query.Duplicates
	results    []*result
	errors     []addressed
	silent     []*Client // v1 clients that lost their subscriptions by this transaction
	bodies     map[string]Message
	key        []byte
}

// A result is the change of one fragment and who hears of it.
type result struct {
	table            *schema.Table
	subs             []sub
	inserts, deletes wire.RowList
	encoded          [wire.NumFormats][]byte
	// changed holds the rows that the transaction itself changed in the table, for
	// joins with a subscriber that speaks JSON; nil: all are.
	changed map[string]struct{}
}

// form is the jsonForm of the result's rows: those of a join that the transaction
// did not touch were read from the table.
func (res *result) form(row []byte) sats.Flavor {
	if res.changed != nil {
		if _, ok := res.changed[string(row)]; !ok {
			return sats.FlavorStored
		}
	}
	return sats.FlavorUntyped
}

var results = sync.Pool{New: func() any { return new(result) }}

func (u *update) evaluate(r store.Reader, d *store.Delta, q *liveQuery) error {
	for _, p := range q.Plans {
		res := results.Get().(*result)
		if err := p.DeltaCounted(r, d, res.inserts.Add, res.deletes.Add, &u.duplicates); err != nil {
			res.release()
			return err
		}
		if res.inserts.Len()+res.deletes.Len() == 0 {
			results.Put(res)
			continue
		}
		res.table, res.subs = p.ReturnTable(), q.subs
		if p.ReadsOthers() && q.json > 0 {
			res.changed = changedRows(d, res.table)
		}
		u.results = append(u.results, res)
	}
	return nil
}

// changedRows returns the rows of a table that a transaction inserted or deleted.
func changedRows(d *store.Delta, t *schema.Table) map[string]struct{} {
	rows := map[string]struct{}{}
	for i := range d.Tables {
		if td := &d.Tables[i]; td.Table.ID == t.ID {
			for _, list := range []*store.Rows{&td.Inserts, &td.Deletes} {
				for row := range list.All() {
					rows[string(row)] = struct{}{}
				}
			}
		}
	}
	return rows
}

type failedQuery struct {
	q   *liveQuery
	err error
}

// dropFailed ends what a query that cannot be evaluated any more takes with it:
// all subscriptions of a v1 client, the query set of a v2 client (spec 05 §10.4,
// §12.1). The clients are told before anything else of the transaction.
func (m *Manager) dropFailed(u *update, failed []failedQuery) {
	for _, f := range failed {
		for _, s := range f.q.subs {
			c := s.client
			if s.kind == subV2 {
				m.drop(c, c.sets[s.set], s)
				delete(c.sets, s.set)
				m.recount(c)
				e := &v2.SubscriptionError{QuerySetID: s.set, Error: f.err.Error()}
				u.errors = append(u.errors, addressed{c, Message{Body: e.Append(nil), Offset: u.offset, Gated: u.gated}})
				continue
			}
			m.drop(c, c.legacy, sub{c, subLegacy, 0})
			for id := range c.multi {
				m.release(c, id)
			}
			c.legacy = nil
			m.recount(c)
			u.errors = append(u.errors, addressed{c, Message{Body: bodyV1(c, &v1.SubscriptionError{Error: f.err.Error()})}})
			u.silent = append(u.silent, c)
		}
	}
}

// addressed is a message and whom it is for.
type addressed struct {
	to *Client
	m  Message
}

func (res *result) fragment(format wire.Format) []byte {
	if len(res.encoded[format]) == 0 {
		res.encoded[format] = appendUpdate(res.encoded[format], format, res.table, &res.inserts, &res.deletes, res.form)
	}
	return res.encoded[format]
}

func (res *result) release() {
	res.table, res.subs, res.changed = nil, nil, nil
	res.inserts.Reset()
	res.deletes.Reset()
	for i := range res.encoded {
		res.encoded[i] = res.encoded[i][:0]
	}
	results.Put(res)
}

// fan is the sender's note at a client while it works on one update.
type fan struct {
	of      *update
	parts   []part
	waiting *waiting // nil: messages go out at once
}

// A part is one result for a client: of its query set if it speaks v2.
type part struct {
	result int
	set    uint32
}

// Deliver sends each client that hears of the update its one message.
func (u *update) Deliver() {
	var touched []*Client
	note := func(c *Client) {
		if c.fan.of != u {
			c.fan.of, c.fan.parts = u, c.fan.parts[:0]
			touched = append(touched, c)
		}
	}
	for _, e := range u.errors {
		e.to.Send(e.m)
	}
	toCaller := u.toCaller()
	if toCaller {
		note(u.ev.Client)
	}
	for i, res := range u.results {
		for _, s := range res.subs {
			if s.kind != subV2 && slices.Contains(u.silent, s.client) {
				continue
			}
			c := s.client
			if c == u.owner && toCaller {
				c = u.ev.Client // who hears of it instead
			}
			note(c)
			c.fan.parts = append(c.fan.parts, part{i, s.set})
		}
	}
	var sent load
	for _, c := range touched {
		m := u.body(c, len(touched) > 1)
		m.Offset, m.Gated, m.Workload = u.offset, u.gated, u.ev.Workload
		sent.add(&m)
		c.send(m)
		c.fan.of = nil
	}
	u.traffic.add(u.ev.Workload, &sent)
	for _, res := range u.results {
		res.release()
	}
}

// toCaller reports whether the caller is told even of a transaction without
// changes for it.
func (u *update) toCaller() bool {
	c := u.ev.Client
	return c != nil && (c.Protocol.Version() > 1 || u.ev.Flags == wire.FullUpdate)
}

// form is one of the messages that an update can become.
type form byte

const (
	formFull form = iota
	formFullJSON
	formLight
	formLightJSON
	formV2
	formV2Result
)

func (u *update) form(c *Client) form {
	caller := c == u.ev.Client && u.toCaller()
	if c.Protocol.Version() > 1 {
		if caller {
			return formV2Result
		}
		return formV2
	}
	f := formFull
	if !caller && (u.hideCaller || c.Light) {
		f = formLight
	}
	if c.Protocol == wire.V1JSON {
		f++
	}
	return f
}

// body returns the client's message. Clients whose messages are equal share it, and
// with others there its compressed forms if it is long enough to have them.
func (u *update) body(c *Client, others bool) Message {
	f := u.form(c)
	if f == formV2Result {
		return Message{Body: u.result(c), Rows: u.rows(c)}
	}
	u.key = append(u.key[:0], byte(f))
	for _, p := range c.fan.parts {
		u.key = sats.AppendU32(sats.AppendU32(u.key, uint32(p.result)), p.set)
	}
	if m, ok := u.bodies[string(u.key)]; ok {
		return m
	}
	var b []byte
	switch f {
	case formV2:
		m := v2.TransactionUpdate{Sets: u.sets(c)}
		b = m.Append(nil)
	case formLight, formLightJSON:
		b = bodyV1(c, &v1.TransactionUpdateLight{RequestID: u.ev.RequestID, Update: u.tables(c)})
	default:
		b = bodyV1(c, u.ev.full(c, v1.UpdateStatus{Update: u.tables(c)}))
	}
	shared := Message{Body: b, Rows: u.rows(c)}
	if others && len(b) > wire.CompressAbove {
		shared.Shared = new(wire.Shared)
	}
	if u.bodies == nil {
		u.bodies = map[string]Message{}
	}
	u.bodies[string(u.key)] = shared
	return shared
}

// rows is how many there are for a client.
func (u *update) rows(c *Client) (n int) {
	for _, p := range c.fan.parts {
		res := u.results[p.result]
		n += res.inserts.Len() + res.deletes.Len()
	}
	return n
}

func (u *update) result(c *Client) []byte {
	m := v2.ReducerResult{RequestID: u.ev.RequestID, Timestamp: u.ev.Timestamp, Sets: u.sets(c)}
	return m.Append(nil)
}

// tables groups a v1 client's parts by table.
func (u *update) tables(c *Client) v1.DatabaseUpdate {
	parts := c.fan.parts
	slices.SortStableFunc(parts, func(a, b part) int {
		return int(u.results[a.result].table.ID) - int(u.results[b.result].table.ID)
	})
	out := v1.DatabaseUpdate{}
	for _, p := range parts {
		res := u.results[p.result]
		id := uint32(res.table.ID)
		if n := len(out.Tables); n == 0 || out.Tables[n-1].TableID != id {
			out.Tables = append(out.Tables, v1.TableUpdate{TableID: id, TableName: res.table.Name})
		}
		t := &out.Tables[len(out.Tables)-1]
		t.NumRows += uint64(res.inserts.Len() + res.deletes.Len())
		t.Updates = append(t.Updates, res.fragment(c.Protocol.Format()))
	}
	return out
}

// sets groups a v2 client's parts by ascending query set and table name.
func (u *update) sets(c *Client) []v2.QuerySetUpdate {
	parts := c.fan.parts
	name := func(p part) string { return u.results[p.result].table.Name }
	slices.SortStableFunc(parts, func(a, b part) int {
		if a.set != b.set {
			if a.set < b.set {
				return -1
			}
			return 1
		}
		return strings.Compare(name(a), name(b))
	})
	var out []v2.QuerySetUpdate
	for _, p := range parts {
		if n := len(out); n == 0 || out[n-1].QuerySetID != p.set {
			out = append(out, v2.QuerySetUpdate{QuerySetID: p.set})
		}
		s := &out[len(out)-1]
		if n := len(s.Tables); n == 0 || s.Tables[n-1].Table != name(p) {
			s.Tables = append(s.Tables, v2.TableUpdate{Table: name(p)})
		}
		t := &s.Tables[len(s.Tables)-1]
		t.Rows = append(t.Rows, u.results[p.result].fragment(wire.FormatV2))
	}
	return out
}

// full returns the full v1 message of the event for a client.
func (ev *Event) full(c *Client, status v1.UpdateStatus) *v1.TransactionUpdate {
	args := ev.Args
	if c.Protocol == wire.V1JSON {
		if args = []byte("[]"); ev.ArgsJSON != nil {
			args = ev.ArgsJSON()
		}
	}
	return &v1.TransactionUpdate{
		Status: status, Timestamp: ev.Timestamp, Caller: ev.Caller, ConnectionID: ev.Connection,
		Reducer: v1.ReducerCall{Name: ev.Reducer, ID: ev.ReducerID, Args: args, RequestID: ev.RequestID},
		Energy:  ev.Energy, Duration: ev.Duration,
	}
}
