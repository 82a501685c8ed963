package host

import (
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/query"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/internal/subscribe"
	"github.com/stdbgo/spacetime/sats"
)

// views are the instances of a database's views: what was evaluated, what that has
// read, and who looks at it (spec 08 §14.2). It belongs to the writer, is kept in
// memory only, and changes when the transaction commits in which an instance was
// evaluated.
type views struct {
	instances map[viewKey]*viewInstance
	numbers   map[uint64]*viewInstance // by the owner in reads
	last      uint64
	reads     store.ReadIndex
	// wanted counts the live queries that read an instance, whether or not it exists:
	// its evaluation may have failed when they were subscribed to.
	wanted map[viewKey]int
	expiry viewExpiry
	diff   rowDiff
	spent  uint64       // fuel of all evaluations so far
	limit  int          // of instances
	count  atomic.Int64 // of instances, for those who only look
}

// A viewKey names an instance: one per view, list of arguments and, if the view
// depends on it, sender.
type viewKey struct {
	view schema.ViewID
	hash query.ViewHash
}

// A viewInstance is an evaluated view. Its rows lie in the backing table.
type viewInstance struct {
	viewKey
	name   string
	number uint64
	sender sats.Identity
	args   []byte
	used   sats.Timestamp // last asked for, or last left by a subscriber
}

// maxInstances bounds the instances of a database: anybody who may read a view with
// parameters can make one after another, and each has to be refreshed.
const maxInstances = 1 << 20

func newViews() views {
	return views{
		instances: map[viewKey]*viewInstance{}, numbers: map[uint64]*viewInstance{}, wanted: map[viewKey]int{}, limit: maxInstances,
	}
}

func viewKeyOf(r *query.ViewRead) viewKey { return viewKey{r.View, r.Hash} }

// add enters an evaluated instance.
func (w *views) add(x *viewInstance, reads *store.ReadSet) {
	w.last++
	x.number = w.last
	w.instances[x.viewKey], w.numbers[x.number] = x, x
	w.reads.Replace(x.number, reads)
	w.count.Store(int64(len(w.instances)))
}

func (w *views) drop(x *viewInstance) {
	delete(w.instances, x.viewKey)
	delete(w.numbers, x.number)
	w.reads.Remove(x.number)
	w.count.Store(int64(len(w.instances)))
}

// A viewError says that a view could not be evaluated. The transaction that needed
// it has to be rolled back.
type viewError struct {
	view    string
	status  abi.Status // of the enclosing call: StatusTrap or StatusOutOfEnergy
	message string     // for the caller
	err     error      // for the log of the server
}

func (e *viewError) Error() string { return e.message }
func (e *viewError) Unwrap() error { return e.err }

// outcome makes the failure that of the enclosing call.
func (e *viewError) outcome(out abi.Outcome) abi.Outcome {
	out.Status, out.Message, out.Err = e.status, e.message, fmt.Errorf("view %s: %w", e.view, e.err)
	return out
}

// refreshViews evaluates anew the views that have read what the transaction has
// changed, once each, before it commits (spec 08 §14.4). After an error, a *viewError
// or a *sizeError, the transaction must be rolled back.
func (db *Database) refreshViews(tx *store.Tx, at sats.Timestamp) error {
	if err := checkSize(tx); err != nil {
		return err
	}
	if db.views.reads.Empty() {
		return nil
	}
	for _, n := range tx.Stale(&db.views.reads) {
		if err := db.refreshView(tx, db.mod, db.views.numbers[n], at); err != nil {
			return err
		}
	}
	return nil
}

// refreshView evaluates an instance anew. Its reads replace the old ones when the
// transaction commits.
func (db *Database) refreshView(tx *store.Tx, m *module, x *viewInstance, at sats.Timestamp) error {
	reads, err := db.evaluate(tx, m, x, at)
	if err != nil {
		db.logViewError(x, err, "a view could not be refreshed; the transaction is rolled back")
		return err
	}
	tx.OnCommit(func() { db.views.reads.Replace(x.number, reads) })
	return nil
}

// refreshAfter is refreshViews behind a call that ended with out, to whose fuel it
// adds what the views have used.
func (db *Database) refreshAfter(tx *store.Tx, at sats.Timestamp, out abi.Outcome) abi.Outcome {
	if out.Status != abi.StatusOK {
		return out
	}
	before := db.views.spent
	err := db.refreshViews(tx, at)
	out.Fuel += db.views.spent - before
	if err != nil {
		if size := (*sizeError)(nil); errors.As(err, &size) {
			out.Status, out.Message, out.Err = abi.StatusTrap, size.Error(), size
			return out
		}
		var failed *viewError
		if !errors.As(err, &failed) {
			failed = &viewError{status: abi.StatusTrap, message: abi.FatalErrorText, err: err}
		}
		return failed.outcome(out)
	}
	return out
}

func (db *Database) logViewError(x *viewInstance, err error, what string) {
	attrs := []any{slog.String("view", x.name), slog.Any("error", err)}
	if cause := errors.Unwrap(err); cause != nil && cause.Error() != err.Error() {
		attrs = append(attrs, slog.Any("cause", cause))
	}
	db.logger.Warn(what, attrs...)
}

// A viewRound is the evaluation of the views that one message or statement reads
// and that have not been evaluated.
type viewRound struct {
	db     *Database
	at     sats.Timestamp
	failed map[viewKey]bool
	ended  bool // an instance has trapped: the remaining views stay as they are
}

// materialise evaluates the views that are not, each in a transaction of its own,
// so that one that fails leaves nothing behind: no instance, no rows, no reads (spec
// 08 §14.3). Views that exist are noted as used. An error means that the database has
// stopped, or that there are too many instances.
func (r *viewRound) materialise(reads []*query.ViewRead) error {
	for _, v := range reads {
		key := viewKeyOf(v)
		if x := r.db.views.instances[key]; x != nil {
			x.used = max(x.used, r.at)
			continue
		}
		if r.ended || r.failed[key] {
			continue
		}
		if limit := r.db.views.limit; len(r.db.views.instances) >= limit {
			return fmt.Errorf("view `%s`: %d instances of views are in use, and there may not be more; unused ones vanish after %v", v.Table.Name, limit, viewLife)
		}
		x := &viewInstance{viewKey: key, name: v.Table.Name, args: v.Args, used: r.at}
		if !v.Anonymous {
			x.sender = v.Sender
		}
		if err := r.create(x); err != nil {
			return err
		}
	}
	return nil
}

func (r *viewRound) create(x *viewInstance) error {
	db := r.db
	tx := db.store.Begin()
	reads, err := db.evaluate(tx, db.mod, x, r.at)
	if err != nil {
		tx.Rollback()
		db.logViewError(x, err, "a view could not be evaluated; it has no rows")
		if r.failed == nil {
			r.failed = map[viewKey]bool{}
		}
		r.failed[x.viewKey] = true
		var failed *viewError
		r.ended = errors.As(err, &failed) && failed.trapped()
		return nil
	}
	tx.OnCommit(func() { db.views.add(x, reads) })
	if _, err := db.commit(tx, nil, nil); err != nil {
		return ErrStopped
	}
	db.expireViewsLater()
	return nil
}

// freshViews evaluates what the queries of one message read, and opens a view of the
// state in which that has been done.
type freshViews struct {
	round viewRound
	views []*store.View
}

// prepare returns a reader for the evaluation of queries: r, if they read nothing that
// had to be evaluated first.
func (f *freshViews) prepare(r store.Reader, qs []*subscribe.Query) (store.Reader, error) {
	var reads []*query.ViewRead
	for _, q := range qs {
		for _, p := range q.Plans {
			reads = append(reads, p.Views()...)
		}
	}
	if len(reads) == 0 && len(f.views) == 0 {
		return r, nil
	}
	if err := f.round.materialise(reads); err != nil {
		return nil, err
	}
	v := f.round.db.store.View()
	f.views = append(f.views, v)
	return v, nil
}

func (f *freshViews) close() {
	for _, v := range f.views {
		v.Close()
	}
}

// watchViews counts who reads which instance. step is 1 for a query that became
// live and -1 for one that is no more.
func (db *Database) watchViews(q *subscribe.Query, step int) {
	for _, p := range q.Plans {
		for _, v := range p.Views() {
			key := viewKeyOf(v)
			if db.views.wanted[key] += step; db.views.wanted[key] > 0 {
				continue
			}
			delete(db.views.wanted, key)
			if x := db.views.instances[key]; x != nil {
				x.used = max(x.used, db.services.Now())
			}
		}
	}
}
