package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/internal/subscribe"
	"github.com/stdbgo/spacetime/sats"
)

// confirmPatience is how long a commit of a procedure waits for the disk.
const confirmPatience = 5 * time.Second

var (
	errUnconfirmed = errors.New("durability confirmation timed out; outcome unknown, do not retry without deduplication")
	errNoConfirm   = errors.New("transaction committed, but durability could not be confirmed; outcome unknown, do not retry without deduplication")
)

// A procedureRun is one call of a procedure or HTTP handler, as what it asks of the
// host knows it. It holds the right to write while tx is open.
type procedureRun struct {
	db        *Database
	name      string
	counts    *txCount // of its transactions
	confirmed bool     // commits return when they are durable

	tx    *store.Tx
	at    sats.Timestamp // of tx
	began time.Time

	viewFuel  uint64 // of the views that its commits have refreshed
	offset    uint64 // of the last transaction that ended
	hasOffset bool
}

var _ abi.ProcedureHost = (*procedureRun)(nil)

// StartTx implements abi.ProcedureHost.
func (r *procedureRun) StartTx(ctx context.Context) (*store.Tx, sats.Timestamp, error) {
	if err := r.db.exec.borrow(ctx); err != nil {
		return nil, 0, err
	}
	r.tx, r.at, r.began = r.db.store.Begin(), r.db.exec.stamp(), r.db.host.opts.Clock.Now()
	return r.tx, r.at, nil
}

// CommitTx implements abi.ProcedureHost.
func (r *procedureRun) CommitTx(ctx context.Context) error {
	var failed error
	err := r.db.exec.guarded(func() { failed = r.commit() })
	r.tx = nil
	r.db.exec.release()
	if err == nil {
		err = failed
	}
	r.counts.ran(err == nil, 0, r.db.since(r.began))
	if err != nil || !r.confirmed || !r.hasOffset {
		return err
	}
	return r.confirm(ctx)
}

// commit ends the transaction under the right to write.
func (r *procedureRun) commit() error {
	before := r.db.views.spent
	err := r.db.refreshViews(r.tx, r.at)
	r.viewFuel += r.db.views.spent - before
	if err != nil {
		r.db.undo(r.tx)
		r.offset, r.hasOffset = r.db.lastOffset()
		return viewErrorOf(err)
	}
	ev := &subscribe.Event{Caller: r.db.info.Identity, ReducerID: 0, Timestamp: r.at}
	r.db.charged = r.counts
	r.counts.scanned(r.tx.TakeScans())
	offset, err := r.db.commit(r.tx, nil, ev)
	if err != nil {
		return ErrStopped
	}
	_, has := r.db.lastOffset()
	r.offset, r.hasOffset = offset, has
	return nil
}

// viewErrorOf tells a module which view could not be refreshed.
func viewErrorOf(err error) error {
	var failed *viewError
	if !errors.As(err, &failed) {
		return err
	}
	return &abi.ViewError{View: failed.view, Err: failed.err}
}

// confirm waits for the disk, without the right to write.
func (r *procedureRun) confirm(ctx context.Context) error {
	timed, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer r.db.host.opts.Clock.AfterFunc(confirmPatience, func() { cancel(errUnconfirmed) }).Stop()
	_, err := r.db.WaitDurable(timed, r.offset)
	switch {
	case err == nil:
		return nil
	case errors.Is(context.Cause(timed), errUnconfirmed):
		return errUnconfirmed
	}
	return fmt.Errorf("%w: %w", errNoConfirm, err)
}

// AbortTx implements abi.ProcedureHost.
func (r *procedureRun) AbortTx() {
	r.counts.scanned(r.tx.TakeScans())
	if err := r.db.exec.guarded(func() { r.db.undo(r.tx) }); err == nil {
		r.offset, r.hasOffset = r.db.lastOffset()
	}
	r.tx = nil
	r.db.exec.release()
	r.counts.ran(false, 0, r.db.since(r.began))
}

// finish ends a transaction that the call has left open. Instances do that
// themselves unless something has gone wrong in them.
func (r *procedureRun) finish() {
	if r.tx == nil {
		return
	}
	r.AbortTx()
	r.db.log.write(abi.LogRecord{
		Level: abi.LogError, Time: r.db.services.Now(), Target: hostTarget, Filename: hostTarget,
		Message: "aborting dangling anonymous transaction in procedure " + r.name,
	})
}

// SleepUntil implements abi.ProcedureHost. Who sleeps long looks at the wall clock
// now and then, in case that it is set.
func (r *procedureRun) SleepUntil(ctx context.Context, t sats.Timestamp) (sats.Timestamp, error) {
	for {
		now := r.db.services.Now()
		if now >= t {
			return now, nil
		}
		sleep := longestSleep
		if d, ok := t.Sub(now); ok && d.Duration() < sleep {
			sleep = d.Duration()
		}
		woken := make(chan struct{})
		alarm := r.db.host.opts.Clock.AfterFunc(sleep, func() { close(woken) })
		select {
		case <-woken:
		case <-ctx.Done():
			alarm.Stop()
			return 0, context.Cause(ctx)
		}
	}
}

// HTTP implements abi.ProcedureHost.
func (r *procedureRun) HTTP(ctx context.Context, request, body []byte) (response, responseBody []byte, err error) {
	r.db.requests.begin(body)
	response, responseBody, err = r.db.host.egress.do(ctx, request, body)
	r.db.requests.end(responseBody, err)
	var failed *abi.HTTPError
	if errors.As(err, &failed) {
		r.db.logger.Debug("a request of a module failed", slog.String("function", r.name), slog.String("error", failed.Text))
	}
	return response, responseBody, err
}

// HTTPEnabled implements abi.ProcedureHost.
func (r *procedureRun) HTTPEnabled() bool { return !r.db.host.egress.o.Disabled }
