package host

import (
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/commitlog"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/internal/subscribe"
	"github.com/stdbgo/spacetime/sats"
)

// Stats are counts of one database since it was launched, and sizes at the moment.
type Stats struct {
	Identity        sats.Identity
	Transactions    []TxStats
	Tables          []store.TableStats
	Log             commitlog.Stats // zero in memory
	ModuleMemory    uint64          // bytes of the module's instance, after its last call
	Waiting         int             // jobs that wait for the right to write
	Timers          int             // rows of schedule tables that wait for their time
	Clients         int             // attached ones
	Queries         int             // distinct live queries
	Views           []ViewStats
	Instances       int                  // of views that have been evaluated
	HTTP            HTTPStats            // requests of the module
	Delays          map[string]Histogram // of scheduled functions, behind their time
	Flying          int                  // scheduled functions that run
	Replay          Replay
	Snapshots       Histogram // times that checkpoints took
	MadeInstances   Histogram // times that instances of the module took to be made
	ModuleInstances int       // that there are
	Functions       []FunctionStats
	Launches        uint64 // how often it was tried to launch the database
	JS              bool   // the kind of its program
	Program         sats.Hash
	LogBytes        uint64 // of the commit log on disk
	LogFile         uint64 // bytes of the module's log of today
	Outboxes        OutboxStats
	QueryKinds      []QueryStats
	Subscriptions   SubscriptionStats
	Sent            []SentStats
	SentRows        RowHistogram
	Serialize       Histogram // times to encode what a transaction means to clients, of some
}

// ViewStats count the evaluations of one view.
type ViewStats struct {
	View  string
	Count uint64
	Time  time.Duration // spent in them
}

// HTTPStats count the HTTP requests of modules.
type HTTPStats struct {
	Requests, Successful, Failed, TimedOut uint64 // TimedOut ones are Failed, too
	InProgress                             int64
	RequestBytes, ResponseBytes            uint64 // of bodies
}

// TxStats count the calls of one reducer that ended alike, or the transactions of one
// procedure or HTTP handler.
type TxStats struct {
	Reducer   string
	Procedure bool // that is what Reducer names
	Committed bool
	Count     uint64
	Time      time.Duration // spent in them

	Kind string // Reducer, Procedure, Sql, …
}

// A FunctionStats counts what the transactions of one kind and function did,
// committed or not.
type FunctionStats struct {
	Kind, Function  string
	Elapsed, CPU    Histogram     // with and without the wait for the right to write
	Wait, Whole     Histogram     // the wait; until everything about it was handed on
	Trip            Histogram     // from a request to its end; of reducers
	HostTime        time.Duration // in host functions, by samples; of reducers
	Fuel            uint64
	Traps, Refusals uint64 // crashes, and errors that the module returned
	Scans           store.Scans
	Bytes           uint64 // of rows written
	Tables          []TableCount
}

// Stats returns the database's counts.
func (db *Database) Stats() Stats {
	s := Stats{
		Identity: db.info.Identity, Transactions: db.counts.stats(), Tables: db.store.Stats(),
		ModuleMemory: db.gauges.memory.Load(), Waiting: db.exec.waiting(), Timers: db.sched.waiting(),
		Clients: int(db.gauges.clients.Load()), Queries: int(db.gauges.queries.Load()),
	}
	s.Instances = int(db.views.count.Load())
	s.Views = db.viewCounts()
	for _, t := range db.procedureCounts.stats() {
		t.Procedure = true
		s.Transactions = append(s.Transactions, t)
	}
	s.HTTP = db.requests.stats()
	s.Outboxes = db.outboxes.stats()
	db.meterStats(&s)
	if l, ok := db.journal.(*commitlog.Log); ok {
		s.Log = l.Stats()
	}
	return s
}

// gauges are what the writer tells of its own things.
type gauges struct {
	memory           atomic.Uint64
	clients, queries atomic.Int64
}

// gauge tells the numbers of clients and queries. It belongs to the writer.
func (db *Database) gauge() {
	clients, queries := db.subs.Len()
	db.gauges.clients.Store(int64(clients))
	db.gauges.queries.Store(int64(queries))
}

// viewCounts returns the counts of all views, successful evaluations and others together.
func (db *Database) viewCounts() []ViewStats {
	sum := map[string]*ViewStats{}
	var list []ViewStats
	for _, t := range db.viewRuns.stats() {
		v := sum[t.Reducer]
		if v == nil {
			v = &ViewStats{View: t.Reducer}
			sum[t.Reducer] = v
		}
		v.Count, v.Time = v.Count+t.Count, v.Time+t.Time
	}
	for _, v := range byName(slices.Collect(maps.Values(sum)), func(v *ViewStats) string { return v.View }) {
		list = append(list, *v)
	}
	return list
}

// A txCount counts the calls of one reducer or view. Its counts are plain numbers under
// one lock, which a call takes a few times for all of them: a further count costs an
// addition in called, changed or handedOn, as long as it needs no look at the clock.
type txCount struct {
	workload subscribe.Workload
	calls    uint64 // the writer's: to time one of some

	mu                sync.Mutex
	committed, failed struct{ count, nanos uint64 }
	elapsed, cpu      tally
	wait, whole       tally
	trip              tally         // from a request to its end
	host              time.Duration // in host functions

	fuel, traps, refusals uint64
	scans                 store.Scans
	changes               changes
}

func newTxCount(w subscribe.Workload) *txCount {
	c := &txCount{workload: w}
	c.trip.bounds = standardBounds
	c.elapsed.bounds, c.cpu.bounds, c.wait.bounds, c.whole.bounds = txnBounds, txnBounds, waitBounds, standardBounds
	return c
}

// sample reports whether a call is to be timed in its host functions: the first one, and
// one in abiOf after it.
func (c *txCount) sample() bool {
	c.calls++
	return c.calls%abiOf == 1
}

// served counts time in host functions.
func (c *txCount) served(d time.Duration) {
	c.mu.Lock()
	c.host += d
	c.mu.Unlock()
}

// called counts a call that waited and then ran for so long, how it ended, and what it
// has read.
func (c *txCount) called(out abi.Outcome, waited, took time.Duration, scans store.Scans) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ranLocked(out.Status == abi.StatusOK, waited, took)
	c.fuel += out.Fuel
	switch out.Status {
	case abi.StatusUserError:
		c.refusals++
	case abi.StatusTrap:
		c.traps++
	}
	c.scannedLocked(scans)
}

// ran counts a transaction that waited and then ran for so long.
func (c *txCount) ran(committed bool, waited, took time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ranLocked(committed, waited, took)
}

func (c *txCount) ranLocked(committed bool, waited, took time.Duration) {
	c.addLocked(committed, took)
	c.wait.observe(waited)
	c.cpu.observe(took)
	c.elapsed.observe(max(waited, 0) + took)
}

// scanned counts what a transaction has read.
func (c *txCount) scanned(s store.Scans) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.scannedLocked(s)
}

func (c *txCount) scannedLocked(s store.Scans) {
	c.scans.Rows += s.Rows
	c.scans.Bytes += s.Bytes
	c.scans.Seeks += s.Seeks
}

// changed counts what a transaction has changed.
func (c *txCount) changed(d *store.Delta) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changes.add(d)
}

// handedOn counts a call about which everything was handed on so long after it was made,
// and after its request came. whole is negative for one that has changed nothing.
func (c *txCount) handedOn(whole, trip time.Duration) {
	c.mu.Lock()
	if whole >= 0 {
		c.whole.observe(whole)
	}
	c.trip.observe(trip)
	c.mu.Unlock()
}

func (c *txCount) add(committed bool, d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.addLocked(committed, d)
}

func (c *txCount) addLocked(committed bool, d time.Duration) {
	n := &c.failed
	if committed {
		n = &c.committed
	}
	n.count++
	n.nanos += uint64(d)
}

// txCounts hold the counts of all reducers there ever were.
type txCounts struct {
	workload subscribe.Workload

	mu sync.Mutex
	m  map[string]*txCount
}

func (t *txCounts) of(reducer string) *txCount {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.m[reducer]
	if c == nil {
		c = newTxCount(t.workload)
		if t.m == nil {
			t.m = map[string]*txCount{}
		}
		t.m[reducer] = c
	}
	return c
}

func (t *txCounts) stats() (list []TxStats) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for name, c := range t.m {
		c.mu.Lock()
		committed, failed := c.committed, c.failed
		c.mu.Unlock()
		if committed.count > 0 {
			list = append(list, TxStats{Reducer: name, Committed: true, Count: committed.count, Time: time.Duration(committed.nanos)})
		}
		if failed.count > 0 {
			list = append(list, TxStats{Reducer: name, Count: failed.count, Time: time.Duration(failed.nanos)})
		}
	}
	return list
}

// functions returns the counts of everything that was counted by name.
func (t *txCounts) functions(kind string) (list []FunctionStats) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for name, c := range t.m {
		list = append(list, c.function(kind, name))
	}
	return list
}

func (c *txCount) function(kind, name string) FunctionStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return FunctionStats{
		Kind: kind, Function: name, Elapsed: c.elapsed.stats(), CPU: c.cpu.stats(), Wait: c.wait.stats(), Whole: c.whole.stats(), Trip: c.trip.stats(),
		HostTime: c.host, Scans: c.scans,
		Fuel: c.fuel, Traps: c.traps, Refusals: c.refusals, Bytes: c.changes.bytes, Tables: slices.Clone(c.changes.tables),
	}
}

// meterStats adds what the meter has counted.
func (db *Database) meterStats(s *Stats) {
	m := &db.meter
	for i := range s.Transactions {
		t := &s.Transactions[i]
		if t.Kind = txReducer; t.Procedure {
			t.Kind = txProcedure
		}
	}
	for kind, c := range m.kinds {
		counts := txCounts{m: map[string]*txCount{"": c}}
		for _, t := range counts.stats() {
			t.Kind = kind
			s.Transactions = append(s.Transactions, t)
		}
		s.Functions = append(s.Functions, c.function(kind, ""))
	}
	for _, t := range db.viewRuns.stats() {
		t.Kind = txView
		s.Transactions = append(s.Transactions, t)
	}
	s.Functions = append(s.Functions, db.counts.functions(txReducer)...)
	s.Functions = append(s.Functions, db.procedureCounts.functions(txProcedure)...)
	s.Delays = map[string]Histogram{}
	m.delays.Range(func(name, h any) bool {
		s.Delays[name.(string)] = h.(*histogram).stats()
		return true
	})
	s.Flying, s.Replay, s.Snapshots = db.sched.inFlight(), m.replay, m.snapshot.stats()
	s.MadeInstances, s.ModuleInstances = m.instances.stats(), int(m.running.Load())
	q := &m.queries
	s.QueryKinds = q.stats()
	s.Subscriptions = SubscriptionStats{q.subscribed.Load(), q.news.Load(), db.subs.Evaluated.Load(), db.subs.Matched.Load(),
		db.subs.Tally.Sets.Load(), db.subs.Tally.Queries.Load(), db.subs.Tally.Legacy.Load(),
		db.subs.DuplicatesEvaluated.Load(), db.subs.DuplicatesSent.Load()}
	s.Sent, s.SentRows = db.sentStats()
	s.Serialize = m.serialize.stats()
	s.LogBytes = db.logBytes()
	s.LogFile, s.Launches = db.log.size(), db.host.launchesOf(db.info.Replica)
	mod := db.current.Load()
	s.JS, s.Program = mod.kind == JS, mod.hash
}

// logBytes is the length of the files of the commit log.
func (db *Database) logBytes() (n uint64) {
	if db.dir == "" {
		return 0
	}
	entries, err := db.host.opts.FS.ReadDir(filepath.Join(db.dir, clogDir))
	if err != nil {
		return 0
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil {
			n += uint64(info.Size())
		}
	}
	return n
}

// httpCounts are the HTTPStats that grow.
type httpCounts struct {
	requests, successful, failed, timedOut, sent, received atomic.Uint64
	running                                                atomic.Int64
}

func (c *httpCounts) begin(body []byte) {
	c.requests.Add(1)
	c.running.Add(1)
	c.sent.Add(uint64(len(body)))
}

func (c *httpCounts) end(body []byte, err error) {
	c.running.Add(-1)
	c.received.Add(uint64(len(body)))
	switch {
	case err == nil:
		c.successful.Add(1)
		return
	case errors.Is(err, errTimeout):
		c.timedOut.Add(1)
	}
	c.failed.Add(1)
}

func (c *httpCounts) stats() HTTPStats {
	return HTTPStats{
		Requests: c.requests.Load(), Successful: c.successful.Load(), Failed: c.failed.Load(), TimedOut: c.timedOut.Load(),
		InProgress: c.running.Load(), RequestBytes: c.sent.Load(), ResponseBytes: c.received.Load(),
	}
}
