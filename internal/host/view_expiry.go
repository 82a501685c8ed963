package host

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/sats"
)

// How instances of views that nobody looks at any more vanish (spec 08 §14.7).
const (
	viewLife       = 10 * time.Minute // unused for as long
	viewInterval   = 10 * time.Minute // between two looks
	viewIntervalLo = 10 * time.Second // between looks while much is left to do
	viewBatch      = 1024             // instances a transaction
	viewTurn       = 10 * time.Millisecond
)

// A viewExpiry is the timer of the next look. There is none without instances.
type viewExpiry struct {
	interval time.Duration
	armed    bool

	mu     sync.Mutex
	timer  Timer
	closed bool
	work   sync.WaitGroup // the timer's call, to come or running
}

// expireViewsLater sees to it that unused instances vanish some time. It belongs to
// the writer.
func (db *Database) expireViewsLater() {
	if e := &db.views.expiry; !e.armed {
		e.interval = viewInterval
		e.arm(db)
	}
}

func (e *viewExpiry) arm(db *Database) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return
	}
	e.armed = true
	e.work.Add(1)
	e.timer = db.host.opts.Clock.AfterFunc(e.interval, func() {
		defer e.work.Done()
		// An error means that the database stops.
		_ = db.exec.do(db.calls, db.expireViews)
	})
}

// stop ends the looks. It must not be called by the writer.
func (e *viewExpiry) stop() {
	e.mu.Lock()
	e.closed = true
	if e.timer != nil && e.timer.Stop() {
		e.work.Done()
	}
	e.mu.Unlock()
	e.work.Wait()
}

// expireViews drops the instances that nobody looks at and nobody has asked for in a
// while, oldest first, and arms the next look if any are left. It belongs to the writer.
func (db *Database) expireViews(at sats.Timestamp) {
	e := &db.views.expiry
	e.armed = false
	start := db.host.opts.Clock.Now()
	old := db.unusedViews(at)
	for len(old) > 0 {
		n := min(len(old), viewBatch)
		if db.dropViews(old[:n]) != nil {
			return // the database stops
		}
		if old = old[n:]; db.since(start) >= viewTurn {
			break
		}
	}
	if len(db.views.instances) == 0 {
		return
	}
	if len(old) > 0 {
		e.interval = max(e.interval/2, viewIntervalLo)
	} else {
		e.interval = viewInterval
	}
	e.arm(db)
}

// unusedViews lists what may vanish, in order of last use.
func (db *Database) unusedViews(at sats.Timestamp) []*viewInstance {
	var old []*viewInstance
	for key, x := range db.views.instances {
		if db.views.wanted[key] == 0 && at-x.used >= sats.Timestamp(sats.TimeDurationOf(viewLife)) {
			old = append(old, x)
		}
	}
	slices.SortFunc(old, func(a, b *viewInstance) int {
		return cmp.Or(cmp.Compare(a.used, b.used), cmp.Compare(a.number, b.number))
	})
	return old
}

// dropViews removes instances with their rows and reads, in a transaction that is
// not logged.
func (db *Database) dropViews(list []*viewInstance) error {
	tx := db.store.Begin()
	for _, x := range list {
		if err := dropRows(tx, x); err != nil {
			tx.Rollback()
			return err
		}
		tx.OnCommit(func() { db.views.drop(x) })
	}
	_, err := db.commit(tx, nil, nil)
	return err
}

func dropRows(tx *store.Tx, x *viewInstance) error {
	t, err := tableOf(tx, x.name)
	if err != nil || !t.IsView {
		return nil // the view is gone, and its rows with it
	}
	_, err = tx.DeletePoint(t.IndexOn(0).ID, x.hash[:])
	return err
}
