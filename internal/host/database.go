package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/commitlog"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/internal/subscribe"
	"github.com/stdbgo/spacetime/sats"
)

// A Database is one running database. All exported methods may be called
// concurrently; a context ends the caller's wait at most.
//
// What stands under "writer" belongs to the holder of the right to write.
type Database struct {
	host     *Host
	info     DatabaseInfo
	dir      string // empty in memory
	logger   *slog.Logger
	log      *moduleLog
	services *services
	secret   [secretSize]byte

	// calls ends when the database closes and a call does not come to its end.
	calls     context.Context
	stopCalls context.CancelFunc

	exec  *executor
	send  *sender
	sched *scheduler
	procs procedures
	// outboxes carry calls to other databases.
	outboxes *outboxes

	// writer
	store   *store.Store
	journal commitlog.Journal
	mod     *module
	subs    *subscribe.Manager
	clients map[*subscribe.Client]*attached
	views   views
	ckpt    checkpointer
	scratch struct { // of the call that runs
		call abi.ReducerCall
		in   store.Inputs

		hostTime time.Duration // that it spends in host functions, if it is timed
	}
	evaluations chan struct{} // one per evaluation of a large answer
	// newSchema: the transaction to be committed changes the schema, and plans of
	// live queries have to be renewed.
	newSchema bool

	current  atomic.Pointer[module] // mod, for those who only look
	selects  chan struct{}          // a place for each SELECT that runs
	updating sync.Mutex             // one update at a time

	owned abi.Program // closed with the database; writer

	lock   io.Closer // of the replica's directory; nil in memory
	done   chan struct{}
	watch  sync.WaitGroup // the goroutine that looks at the log
	ending struct {
		once  sync.Once
		begun chan struct{}
		err   error
	}
	failure  atomic.Pointer[failure]
	counts   txCounts
	viewRuns txCounts // by view
	// procedureCounts are of transactions, not of calls.
	procedureCounts txCounts
	requests        httpCounts
	gauges          gauges
	meter           meter
	charged         *txCount // counts what the next commit changes; nil: nobody's; writer
}

type failure struct{ err error }

// An attached client is told when its module leaves.
type attached struct {
	caller Caller
	exited func()
}

func newDatabase(h *Host, info DatabaseInfo, s *store.Store, j commitlog.Journal) *Database {
	db := &Database{
		host: h, info: info, store: s, journal: j,
		logger:  h.opts.Logger.With(slog.String("database", info.Identity.String())),
		subs:    subscribe.NewManager(),
		clients: map[*subscribe.Client]*attached{},
		views:   newViews(),
		done:    make(chan struct{}),
		selects: make(chan struct{}, maxSelects()),
	}
	db.evaluations = make(chan struct{}, runtime.GOMAXPROCS(0))
	db.ending.begun = make(chan struct{})
	db.calls, db.stopCalls = context.WithCancel(background)
	db.services = &services{db}
	db.exec = newExecutor(h.opts.Clock, db.fail)
	db.send = newSender(db.fail, func() (ended func()) {
		start := h.opts.Clock.Now()
		return func() { db.meter.serialize.observe(db.since(start)) }
	})
	db.counts.workload, db.procedureCounts.workload, db.viewRuns.workload = subscribe.Reducer, subscribe.Procedure, subscribe.View
	db.sched = newScheduler(db)
	db.outboxes = newOutboxes(db)
	db.procs.init()
	db.meter.init()
	db.subs.Watch = db.watchQuery
	return db
}

// Info says which database it is.
func (db *Database) Info() DatabaseInfo { return db.info }

// Module is the definition of the module that runs now.
func (db *Database) Module() *schema.ModuleDef { return db.current.Load().def }

// ProgramHash is the hash of the program that runs now.
func (db *Database) ProgramHash() sats.Hash { return db.current.Load().hash }

// Done is closed when the database has stopped: by Stop or Close of its host, or
// by a failure, which Err tells.
func (db *Database) Done() <-chan struct{} { return db.done }

// Err returns the failure that ended the database, or nil.
func (db *Database) Err() error {
	if f := db.failure.Load(); f != nil {
		return f.err
	}
	return nil
}

// isEnding reports whether the database has failed or is being closed.
func (db *Database) isEnding() bool {
	select {
	case <-db.ending.begun:
		return true
	default:
		return db.Err() != nil
	}
}

// View returns the committed state for reading. It does not wait for the writer.
func (db *Database) View() *store.View { return db.store.View() }

// use makes m the module that runs. It belongs to the writer.
func (db *Database) use(m *module) {
	for _, r := range m.reducers {
		r.counts = db.counts.of(r.Name)
	}
	db.mod = m
	db.subs.HideCaller = m.def.Version == schema.V10
	for _, p := range m.procedures {
		p.counts = db.procedureCounts.of(p.Name)
	}
	for _, h := range m.handlers {
		h.counts = db.procedureCounts.of(h.Name)
	}
	db.current.Store(m)
}

// fail ends the database after a fault that is not a module's: a log that cannot
// be written, a bug. What was appended but not durable may be lost; opening the
// database again reads what is really on disk.
func (db *Database) fail(err error) {
	if !db.failure.CompareAndSwap(nil, &failure{err}) {
		return
	}
	db.logger.Error("the database stops", slog.Any("error", err))
	db.exec.refuse(ErrStopped)
	db.host.closeFailed(db)
}

// watchLog stops the database when its log fails while nobody writes. It returns
// when the database has stopped.
func (db *Database) watchLog() {
	db.watch.Add(1)
	go func() {
		defer db.watch.Done()
		select {
		case <-db.journal.Failed():
			db.fail(fmt.Errorf("host: the log of the database: %w", db.journal.Err()))
		case <-db.ending.begun:
		}
	}()
}

// close stops the database: no job runs afterwards, everything appended is on
// disk, every goroutine has ended. With disconnect the clients that are left are
// disconnected first.
func (db *Database) close(disconnect bool) error {
	db.ending.once.Do(func() {
		close(db.ending.begun)
		db.ending.err = db.shut(disconnect)
		close(db.done)
	})
	return db.ending.err
}

// closePatience is how long a database that closes waits for the calls that run;
// what is stopped then is rolled back.
const closePatience = 2 * time.Second

// lastPatience is how long it waits for calls that do not stop when they are told
// to. They are left behind then: what they would commit, the closed log refuses.
const lastPatience = 10 * time.Second

func (db *Database) shut(disconnect bool) error {
	clock := db.host.opts.Clock
	abandoned := make(chan struct{})
	defer clock.AfterFunc(closePatience, db.stopCalls).Stop()
	defer clock.AfterFunc(closePatience+lastPatience, func() { close(abandoned) }).Stop()
	defer db.stopCalls()
	quiet := make(chan error, 1)
	go func() { quiet <- db.quiesce(disconnect) }()
	var errs []error
	select {
	case err := <-quiet:
		errs = append(errs, err)
	case <-abandoned:
		errs = append(errs, errors.New("a function of the module does not end; it was left behind, and its memory with it"))
	}
	errs = append(errs, db.journal.Close())
	db.log.close()
	if db.lock != nil {
		errs = append(errs, db.lock.Close())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("host: close database %s: %w", db.info.Identity, err)
	}
	return nil
}

// quiesce ends everything that runs in the database.
func (db *Database) quiesce(disconnect bool) error {
	if disconnect {
		err := db.exec.do(background, func(at sats.Timestamp) { db.disconnectAll(at) })
		if err != nil {
			db.logger.Warn("clients are left for the next start to disconnect", slog.Any("error", err))
		}
	}
	db.watch.Wait()
	db.sched.stop()
	db.outboxes.stop()
	db.endProcedures()
	var errs []error
	db.exec.stop(ErrStopped, func() {
		for _, a := range db.clients {
			a.exited()
		}
		clear(db.clients)
		db.ckpt.wait()
		errs = append(errs, db.mod.close())
		if db.owned != nil {
			errs = append(errs, db.owned.Close())
		}
	})
	db.sched.wait()
	db.views.expiry.stop()
	db.send.wait()
	return errors.Join(errs...)
}

// endProcedures refuses procedures that have not begun and waits for the others.
func (db *Database) endProcedures() {
	db.procs.refuse()
	if m := db.current.Load(); m != nil {
		m.pool.close(nil)
	}
	db.procs.wait()
}
