package host

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/internal/subscribe"
)

// A Histogram counts durations by how long they are.
type Histogram struct {
	Bounds []time.Duration // upper ones, ascending
	Counts []uint64        // one per bound, and one for what is above all
	Sum    time.Duration
}

// Buckets of histograms (spec 06 §8).
var (
	txnBounds = []time.Duration{10 * time.Microsecond, 50 * time.Microsecond, 100 * time.Microsecond, 500 * time.Microsecond, time.Millisecond,
		5 * time.Millisecond, 10 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond, 500 * time.Millisecond, time.Second, 5 * time.Second, 10 * time.Second}
	waitBounds     = txnBounds[2:]
	standardBounds = []time.Duration{5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond,
		250 * time.Millisecond, 500 * time.Millisecond, time.Second, 2500 * time.Millisecond, 5 * time.Second, 10 * time.Second}
	delayBounds = []time.Duration{time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond, 500 * time.Millisecond,
		time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second, time.Minute, 5 * time.Minute}
	instanceBounds = []time.Duration{time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond, 500 * time.Millisecond,
		time.Second, 5 * time.Second, 10 * time.Second, 50 * time.Second, 100 * time.Second}
	serializeBounds = []time.Duration{time.Millisecond, 10 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond, time.Second}
	snapshotBounds  = []time.Duration{500 * time.Microsecond, time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond, 100 * time.Millisecond,
		time.Second, 5 * time.Second, 10 * time.Second}
)

// A tally is a Histogram that grows, under a lock of its owner's.
type tally struct {
	bounds []time.Duration
	counts [16]uint64
	nanos  uint64
}

func (t *tally) observe(d time.Duration) {
	d = max(d, 0)
	i := 0
	for i < len(t.bounds) && d > t.bounds[i] {
		i++
	}
	t.counts[i]++
	t.nanos += uint64(d)
}

func (t *tally) stats() Histogram {
	return Histogram{Bounds: t.bounds, Sum: time.Duration(t.nanos), Counts: slices.Clone(t.counts[:len(t.bounds)+1])}
}

// A histogram is a Histogram that grows; safe for concurrent use.
type histogram struct {
	mu sync.Mutex
	tally
}

func (h *histogram) observe(d time.Duration) {
	h.mu.Lock()
	h.tally.observe(d)
	h.mu.Unlock()
}

func (h *histogram) stats() Histogram {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.tally.stats()
}

func newHistogram(bounds []time.Duration) histogram { return histogram{tally: tally{bounds: bounds}} }

// A TableCount is what the transactions of one kind and function changed in a table.
type TableCount struct {
	Table                       *schema.Table
	Inserted, Deleted           uint64 // rows
	IndexInserted, IndexDeleted uint64 // entries of indexes
}

// A changes counter counts what transactions change, under a lock of its owner's.
type changes struct {
	bytes  uint64 // of rows
	tables []TableCount
}

func (c *changes) add(d *store.Delta) {
	for i := range d.Tables {
		td := &d.Tables[i]
		t := c.of(td.Table)
		ins, del, indexes := uint64(td.Inserts.Len()), uint64(td.Deletes.Len()), uint64(len(td.Table.Indexes))
		t.Inserted += ins
		t.Deleted += del
		t.IndexInserted += ins * indexes
		t.IndexDeleted += del * indexes
		c.bytes += uint64(len(td.Inserts.Bytes()))
	}
}

// of finds the counts of a table. Few tables are changed by one function.
func (c *changes) of(t *schema.Table) *TableCount {
	for i := range c.tables {
		if c.tables[i].Table.ID == t.ID {
			return &c.tables[i]
		}
	}
	c.tables = append(c.tables, TableCount{Table: t})
	return &c.tables[len(c.tables)-1]
}

// Names of the kinds of transactions (spec 06 §8).
const (
	txReducer   = "Reducer"
	txProcedure = "Procedure"
	txSQL       = "Sql"
	txSubscribe = "Subscribe"
	txLeave     = "Unsubscribe"
	txUpdate    = "Update"
	txInternal  = "Internal"
	txView      = "View"
)

// workloads are the kinds in the words of subscribe.
var workloads = func() map[string]subscribe.Workload {
	m := map[string]subscribe.Workload{}
	for w := range subscribe.NumWorkloads {
		m[w.String()] = w
	}
	return m
}()

// A meter counts what a database does besides the calls of its functions.
type meter struct {
	kinds    map[string]*txCount // of transactions without a function; read only
	delays   sync.Map            // of scheduled functions: *histogram by name
	replay   Replay
	snapshot histogram
	// Instances of the module that were made, and how long that took.
	instances histogram
	running   atomic.Int64
	queries   queryMeter
	// serialize takes one delivery of serializeOf: how long messages take to be encoded.
	serialize histogram
}

// One call of a reducer in abiOf is timed in its host functions, one delivery in
// serializeOf as a whole: the clock costs as much as what is measured.
const (
	abiOf       = 64
	serializeOf = 16
)

// A Replay is what it took to read a database back from disk.
type Replay struct {
	Total, Log   time.Duration
	Transactions uint64 // of the log
}

func (m *meter) init() {
	m.queries.init()
	m.kinds = map[string]*txCount{}
	for _, kind := range []string{txSQL, txSubscribe, txLeave, txUpdate, txInternal} {
		m.kinds[kind] = newTxCount(workloads[kind])
	}
	m.serialize.bounds = serializeBounds
	m.snapshot.bounds, m.instances.bounds = snapshotBounds, instanceBounds
}

// late notes how long after its time a scheduled function was called.
func (m *meter) late(fn string, d time.Duration) {
	h, ok := m.delays.Load(fn)
	if !ok {
		h, _ = m.delays.LoadOrStore(fn, &histogram{tally: tally{bounds: delayBounds}})
	}
	h.(*histogram).observe(d)
}

// instance makes an instance of the module, which is counted until it is discarded.
func (m *meter) instance(db *Database, make func() (abi.Instance, error)) (abi.Instance, error) {
	start := db.host.opts.Clock.Now()
	inst, err := make()
	if err == nil {
		m.instances.observe(db.since(start))
		m.running.Add(1)
	}
	return inst, err
}
