package subscribe

import (
	"iter"
	"maps"
	"slices"
	"sync/atomic"

	"github.com/stdbgo/spacetime/internal/query"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/internal/wire"
	"github.com/stdbgo/spacetime/sats"
)

// A Manager keeps the live queries of one database.
type Manager struct {
	// HideCaller is set for modules of definition version 10: v1 clients other
	// than the caller then never learn who caused a transaction (spec 05 §11.1).
	HideCaller bool
	// Watch, if set, is told of each query that becomes live (step 1) and that is live
	// no more (step -1).
	Watch func(q *Query, step int)
	// Evaluated counts the live queries that transactions concerned, Matched those of
	// them whose rows changed. Others may read them at any time.
	Evaluated, Matched atomic.Uint64
	Tally              Tally
	Traffic            Traffic
	// Duplicates of joins: rows that were evaluated, and sent, more than once.
	DuplicatesEvaluated, DuplicatesSent atomic.Uint64

	queries map[string]*liveQuery
	tables  map[schema.TableID]*tableTriggers
	clients map[*Client]struct{}
	// owners holds, of the sockets with the same identity and connection id, the one
	// that subscribed first since none of them has ended: all they subscribe to is
	// its, and so are the transactions of others (spec 05 §4).
	owners map[owner]*Client
	tx     uint64 // counts evaluations, to visit a query once in each
	hit    []*liveQuery
}

// NewManager returns a Manager without queries.
func NewManager() *Manager {
	return &Manager{
		queries: map[string]*liveQuery{},
		tables:  map[schema.TableID]*tableTriggers{},
		clients: map[*Client]struct{}{},
		owners:  map[owner]*Client{},
	}
}

// An owner names sockets that share their subscriptions. Those of v1 and the others
// have two kinds of them.
type owner struct {
	identity   sats.Identity
	connection sats.ConnectionID
	v1         bool
}

func (c *Client) owner() owner { return owner{c.Identity, c.Connection, c.Protocol.Version() == 1} }

// ownerOf returns who holds the subscriptions of a client: itself, if nobody does yet.
func (m *Manager) ownerOf(c *Client) *Client {
	if o := m.owners[c.owner()]; o != nil {
		return o
	}
	return c
}

// own makes c, an owner or one that becomes it, able to hold subscriptions.
func (m *Manager) own(c *Client) {
	if c.known {
		return
	}
	c.known = true
	m.owners[c.owner()] = c
	if c.Protocol.Version() == 1 {
		c.held = map[*liveQuery]int{}
		c.multi = map[uint32][]*liveQuery{}
		c.single = map[uint32]bool{}
		return
	}
	c.sets = map[uint32][]*liveQuery{}
}

// A liveQuery is a query with at least one subscriber.
type liveQuery struct {
	*Query
	subs []sub // appended to or replaced, never changed in place: deliveries read old slices
	json int   // how many of them get JSON
	seen uint64
}

// A sub is one subscription to a query: by a v1 client (in one of two kinds) or
// by one query set of a v2 client.
type sub struct {
	client *Client
	kind   subKind
	set    uint32
}

type subKind uint8

const (
	subV1 subKind = iota
	subLegacy
	subV2
)

// tableTriggers holds the queries that changes of one table concern.
type tableTriggers struct {
	all   map[*liveQuery]int           // on any change
	keyed map[schema.ColID]keyTriggers // on a row with a value in a column
	edges map[edge]keyTriggers         // on a row that joins one with a value
}

// keyTriggers maps a column's encoded value to the queries it concerns.
type keyTriggers map[string]map[*liveQuery]int

// An edge leads from a column of a changed row through a unique index of another
// table to a column there (spec 07 §23.4).
type edge struct {
	col   schema.ColID
	index schema.IndexID
	value schema.ColID
}

// Add registers a client, without subscriptions.
func (m *Manager) Add(c *Client) {
	c.live = true
	m.clients[c] = struct{}{}
	c.traffic = &m.Traffic
}

// Remove ends a client and all subscriptions of its identity and connection id.
// Messages already on their way reach its outbox still.
func (m *Manager) Remove(c *Client) {
	if !c.live {
		return
	}
	c.live = false
	delete(m.clients, c)
	name := c.owner()
	for _, name.v1 = range []bool{false, true} {
		if o := m.owners[name]; o != nil {
			delete(m.owners, name)
			m.disown(o)
		}
	}
}

// disown ends all subscriptions of an owner, which is none any more.
func (m *Manager) disown(c *Client) {
	ended := map[*liveQuery]struct{}{} // many sets may hold the same query
	end := func(qs iter.Seq[*liveQuery]) {
		for q := range qs {
			if _, ok := ended[q]; !ok {
				ended[q] = struct{}{}
				m.unsubscribeAll(q, c)
			}
		}
	}
	end(slices.Values(c.legacy))
	end(maps.Keys(c.held))
	for _, qs := range c.sets {
		end(slices.Values(qs))
	}
	c.known, c.legacy, c.held, c.multi, c.single, c.sets = false, nil, nil, nil, nil, nil
	m.recount(c)
}

// Len returns the number of clients and of distinct queries.
func (m *Manager) Len() (clients, queries int) { return len(m.clients), len(m.queries) }

func (m *Manager) drop(c *Client, qs []*liveQuery, s sub) {
	for _, q := range qs {
		m.unsubscribe(q, s)
	}
}

// live returns the registered form of q, which need not have subscribers yet.
func (m *Manager) live(q *Query) *liveQuery {
	if l := m.queries[q.Key]; l != nil {
		return l
	}
	return &liveQuery{Query: q}
}

func (m *Manager) subscribe(q *liveQuery, s sub) {
	if len(q.subs) == 0 {
		m.queries[q.Key] = q
		m.trigger(q, 1)
	}
	q.subs = append(q.subs, s)
	s.client.count++
	if s.client.Protocol == wire.V1JSON {
		q.json++
	}
}

func (m *Manager) unsubscribe(q *liveQuery, s sub) {
	i := slices.Index(q.subs, s)
	if i < 0 {
		return
	}
	m.keep(q, append(slices.Clone(q.subs[:i]), q.subs[i+1:]...), s.client, 1)
}

// unsubscribeAll ends all subscriptions of a client to a query.
func (m *Manager) unsubscribeAll(q *liveQuery, c *Client) {
	var left []sub
	for _, s := range q.subs {
		if s.client != c {
			left = append(left, s)
		}
	}
	if gone := len(q.subs) - len(left); gone > 0 {
		m.keep(q, left, c, gone)
	}
}

// keep leaves a query these of its subscriptions; gone are those of a client.
func (m *Manager) keep(q *liveQuery, subs []sub, c *Client, gone int) {
	c.count -= gone
	if c.Protocol == wire.V1JSON {
		q.json -= gone
	}
	if q.subs = subs; len(subs) == 0 {
		delete(m.queries, q.Key)
		m.trigger(q, -1)
	}
}

// trigger enters a query under all its triggers, or with step -1 removes it.
func (m *Manager) trigger(q *liveQuery, step int) {
	if m.Watch != nil {
		m.Watch(q.Query, step)
	}
	for _, p := range q.Plans {
		for _, o := range p.Occurrences() {
			m.triggerOn(&o, q, step)
		}
	}
}

func (m *Manager) triggerOn(o *query.Occurrence, q *liveQuery, step int) {
	tt := m.tables[o.Table.ID]
	if tt == nil {
		tt = &tableTriggers{all: map[*liveQuery]int{}, keyed: map[schema.ColID]keyTriggers{}, edges: map[edge]keyTriggers{}}
		m.tables[o.Table.ID] = tt
	}
	switch {
	case o.Keys != nil:
		for _, k := range o.Keys {
			enter(tt.keyed, k.Col, k.Value, q, step)
		}
	case o.Edge != nil:
		e := o.Edge
		enter(tt.edges, edge{e.Col, e.OtherIndex.ID, e.Key.Col}, e.Key.Value, q, step)
	default:
		count(tt.all, q, step)
	}
	if len(tt.all) == 0 && len(tt.keyed) == 0 && len(tt.edges) == 0 {
		delete(m.tables, o.Table.ID)
	}
}

// enter counts q at a value under key, and leaves no empty map behind.
func enter[K comparable](m map[K]keyTriggers, key K, value []byte, q *liveQuery, step int) {
	values := m[key]
	if values == nil {
		values = keyTriggers{}
		m[key] = values
	}
	at := values[string(value)]
	if at == nil {
		at = map[*liveQuery]int{}
		values[string(value)] = at
	}
	if count(at, q, step); len(at) == 0 {
		delete(values, string(value))
	}
	if len(values) == 0 {
		delete(m, key)
	}
}

func count(m map[*liveQuery]int, q *liveQuery, step int) {
	if m[q] += step; m[q] <= 0 {
		delete(m, q)
	}
}

// Concerns reports whether some live query reads a table that a transaction
// changed. If not, Publish needs neither the delta nor a reader.
func (m *Manager) Concerns(d *store.Delta) bool {
	if d == nil || len(m.tables) == 0 {
		return false
	}
	for i := range d.Tables {
		if m.tables[d.Tables[i].Table.ID] != nil {
			return true
		}
	}
	return false
}

// concerned returns the queries that a delta can change, each once. r reads the
// state after it. The result is valid until the next call.
func (m *Manager) concerned(r store.Reader, d *store.Delta) []*liveQuery {
	m.tx++
	m.hit = m.hit[:0]
	for i := range d.Tables {
		td := &d.Tables[i]
		tt := m.tables[td.Table.ID]
		if tt == nil {
			continue
		}
		m.collect(tt.all)
		if len(tt.keyed) > 0 || len(tt.edges) > 0 {
			m.collectRows(r, tt, td.Table, &td.Inserts)
			m.collectRows(r, tt, td.Table, &td.Deletes)
		}
	}
	return m.hit
}

func (m *Manager) collectRows(r store.Reader, tt *tableTriggers, t *schema.Table, rows *store.Rows) {
	for i, n := 0, rows.Len(); i < n; i++ {
		row := rows.At(i)
		for col, values := range tt.keyed {
			m.collect(values[string(t.Layout.Col(row, int(col)))])
		}
		for e, values := range tt.edges {
			// Without a row at the other end the change cannot matter: the row that
			// vanished there is an occurrence of its own.
			other, _ := r.IndexByID(e.index)
			if joined, ok := r.FindUnique(e.index, t.Layout.Col(row, int(e.col))); ok {
				m.collect(values[string(other.Layout.Col(joined, int(e.value)))])
			}
		}
	}
}

func (m *Manager) collect(qs map[*liveQuery]int) {
	for q := range qs {
		if q.seen != m.tx {
			q.seen = m.tx
			m.hit = append(m.hit, q)
		}
	}
}
