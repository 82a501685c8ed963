package host

import (
	"sync/atomic"
	"time"

	"github.com/stdbgo/spacetime/internal/subscribe"
	"github.com/stdbgo/spacetime/internal/wire"
	"github.com/stdbgo/spacetime/sats"
)

// QueryStats count what clients ask of live queries, by the kind of transaction.
type QueryStats struct {
	Kind      string
	Evaluated uint64    // queries
	Compile   Histogram // times to compile one
	Wait      Histogram // for the right to write
	Trip      Histogram // from the message to its answer
}

// SubscriptionStats count the queries of subscriptions.
type SubscriptionStats struct {
	Subscribed, New    uint64 // queries; those that nobody was subscribed to
	Evaluated, Matched uint64 // live queries of transactions; those whose rows changed
	// What clients hold now: sets of queries, subscriptions to queries, and those of them
	// that have no id.
	Sets, Queries, Legacy int64
	// Rows of joins that transactions changed: found, and sent, more than once.
	DuplicatesEvaluated, DuplicatesSent uint64
}

// SentStats count the messages that were handed to clients' connections.
type SentStats struct {
	Kind  string // of transactions
	Bytes uint64
}

// A RowHistogram counts messages by how many rows they have.
type RowHistogram struct {
	Bounds []int    // upper ones, ascending
	Counts []uint64 // one per bound, and one for what is above all
	Sum    uint64
}

// sentStats reads what the sender has counted.
func (db *Database) sentStats() (list []SentStats, rows RowHistogram) {
	t := &db.subs.Traffic
	for w := range subscribe.NumWorkloads {
		list = append(list, SentStats{w.String(), t.Bytes[w].Load()})
	}
	rows = RowHistogram{Bounds: subscribe.RowBounds, Sum: t.Rows.Load()}
	for i := range len(subscribe.RowBounds) + 1 {
		rows.Counts = append(rows.Counts, t.Messages[i].Load())
	}
	return list, rows
}

// queryMeter counts the messages about queries.
type queryMeter struct {
	kinds            map[string]*queryCount // read only
	subscribed, news atomic.Uint64
}

type queryCount struct {
	kind          string
	evaluated     atomic.Uint64
	compile, wait histogram
	trip          histogram // from the message to its answer
}

func (m *queryMeter) init() {
	m.kinds = map[string]*queryCount{}
	for _, kind := range []string{txSubscribe, txLeave, txSQL} {
		m.kinds[kind] = &queryCount{kind: kind, compile: newHistogram(standardBounds), wait: newHistogram(standardBounds), trip: newHistogram(standardBounds)}
	}
}

func (m *queryMeter) stats() (list []QueryStats) {
	for _, c := range m.kinds {
		list = append(list, QueryStats{c.kind, c.evaluated.Load(), c.compile.stats(), c.wait.stats(), c.trip.stats()})
	}
	return list
}

// A queryRun is one message about queries, being carried out.
type queryRun struct {
	db      *Database
	of      *queryCount
	waited  time.Duration
	began   time.Time
	queries int
	read    sats.Timestamp // when the message came
}

// measure begins to count a message that was submitted at a time.
func (db *Database) measure(at, read sats.Timestamp, msg wire.ClientMessage) *queryRun {
	kind := txSubscribe
	r := &queryRun{db: db, began: db.host.opts.Clock.Now(), read: read}
	switch msg.(type) {
	case *wire.OneOffQuery:
		kind, r.queries = txSQL, 1
	case *wire.Unsubscribe, *wire.UnsubscribeMulti, *wire.UnsubscribeSet:
		kind = txLeave
	}
	r.of, r.waited = db.meter.queries.kinds[kind], max(r.began.Sub(at.ToTime()), 0)
	return r
}

// compiling times the compilation of a query; the result ends it.
func (r *queryRun) compiling() (ended func()) {
	start := r.db.host.opts.Clock.Now()
	return func() { r.of.compile.observe(r.db.since(start)) }
}

// end counts a message that has been carried out.
func (r *queryRun) end() {
	r.of.wait.observe(r.waited)
	r.of.evaluated.Add(uint64(r.queries))
	if r.of.kind == txSubscribe {
		r.db.meter.queries.subscribed.Add(uint64(r.queries))
	}
	r.of.trip.observe(r.db.since(r.read.ToTime()))
	r.db.meter.kinds[r.of.kind].ran(true, r.waited, r.db.since(r.began))
}
