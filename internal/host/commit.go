package host

import (
	"context"
	"fmt"

	"github.com/stdbgo/spacetime/internal/commitlog"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/internal/subscribe"
	v1 "github.com/stdbgo/spacetime/internal/wire/v1"
	"github.com/stdbgo/spacetime/sats"
)

// commit makes a transaction part of the database: in memory, in the log's
// buffer, in the schedule, and on its way to subscribers. It belongs to the
// writer. An error means that the log does not take it, and the database has
// stopped: nobody may be told of the transaction.
func (db *Database) commit(tx *store.Tx, in *store.Inputs, ev *subscribe.Event) (offset uint64, err error) {
	c := tx.Commit(in)
	if c.Logged {
		if err := db.append(c); err != nil {
			db.fail(err)
			return 0, err
		}
	}
	offset, delta := c.Offset, c.Delta
	workload := db.charge(delta)
	if db.newSchema {
		db.newSchema = false
		db.recompile()
	}
	if len(delta.Tables) > 0 {
		db.sched.observe(delta)
		db.outboxes.observe(delta)
	}
	db.publish(c, ev, workload)
	if c.Logged {
		db.ckpt.count(db, len(c.Record))
	}
	delta.Release()
	return offset, nil
}

// charge counts what a transaction has changed, and tells of what kind it is.
func (db *Database) charge(d *store.Delta) subscribe.Workload {
	by := db.charged
	if db.charged = nil; by == nil {
		by = db.meter.kinds[txInternal]
		by.add(true, 0)
	}
	if len(d.Tables) > 0 {
		by.changed(d)
	}
	return by.workload
}

// maxTxRows is how many bytes of rows a transaction may change. The rest of a record
// is for the arguments of the call. Tests set it lower.
var maxTxRows = commitlog.MaxRecordBytes - 128<<20

// A sizeError refuses a transaction that the log could not take.
type sizeError struct{ rows int }

func (e *sizeError) Error() string {
	return fmt.Sprintf("the transaction changes %d bytes of rows; at most %d fit into one: change fewer rows at a time", e.rows, maxTxRows)
}

// checkSize is asked while the transaction can still be rolled back.
func checkSize(tx *store.Tx) error {
	if n := tx.RowBytes(); n > maxTxRows {
		return &sizeError{n}
	}
	return nil
}

// undo rolls back a transaction that may have taken numbers of sequences. No number is
// given twice, not after a crash either (spec 08 §6.4), so the batch they came from is
// written down; that happens once in 4,096 numbers. A log that refuses has stopped the
// database. Where nothing was ever committed there is nothing a number could be in.
func (db *Database) undo(tx *store.Tx) {
	tx.Rollback()
	db.charged = nil
	if !db.store.SequencesBehind() || db.store.NextOffset() == 0 {
		return
	}
	tx = db.store.Begin()
	tx.SaveSequences()
	_, _ = db.commit(tx, nil, nil)
}

func (db *Database) append(c *store.Commit) error {
	off, err := db.journal.Append(c.Record)
	if err != nil {
		return fmt.Errorf("host: a transaction of %d bytes cannot be logged: %w", len(c.Record), err)
	}
	if uint64(off) != c.Offset {
		return fmt.Errorf("host: the log stands at transaction %d, the store at %d", off, c.Offset)
	}
	return nil
}

// publish evaluates what a transaction means to subscribers and hands that to the
// sender.
func (db *Database) publish(c *store.Commit, ev *subscribe.Event, w subscribe.Workload) {
	if clients, _ := db.subs.Len(); clients == 0 {
		return
	}
	if ev == nil {
		ev = &subscribe.Event{ReducerID: v1.NoReducer}
	}
	ev.Workload = w
	_, gated := db.lastOffset()
	if !db.subs.Concerns(c.Delta) { // nobody looks at what changed: no view of the state is needed
		db.push(db.subs.Publish(nil, nil, c.Offset, gated, ev))
		return
	}
	// A transaction without changes reads what has just been committed, and costs less
	// than a view.
	tx := db.store.Begin()
	defer tx.Rollback()
	db.push(db.subs.Publish(tx, c.Delta, c.Offset, gated, ev))
}

func (db *Database) push(d subscribe.Delivery) {
	if d != subscribe.Nothing {
		db.send.push(d)
	}
}

// lastOffset returns the offset of the last logged transaction; ok is false if
// there is none.
func (db *Database) lastOffset() (off uint64, ok bool) {
	next := db.store.NextOffset()
	return max(next, 1) - 1, next > 0
}

// WaitDurable returns when the transaction at an offset is on disk, with the
// offset below which everything is; at once for a database in memory.
func (db *Database) WaitDurable(ctx context.Context, offset uint64) (durable uint64, err error) {
	if db.dir == "" {
		return offset + 1, nil
	}
	if err := db.journal.WaitDurable(ctx, commitlog.Offset(offset)); err != nil {
		return 0, err
	}
	return uint64(db.journal.Durable()), nil
}

// event describes a transaction by a reducer to subscribers.
func event(r *reducer, c Caller, at sats.Timestamp, args []byte) *subscribe.Event {
	return &subscribe.Event{
		Caller: c.Identity, Connection: c.Conn, Reducer: r.Name, ReducerID: r.ID, Args: args, Timestamp: at,
		ArgsJSON: func() []byte { return r.argsJSON(args) },
	}
}

// argsJSON returns a call's arguments as a JSON array.
func (r *reducer) argsJSON(args []byte) []byte {
	b, _, err := sats.AppendJSON(nil, r.Typespace, r.Params, args, sats.FlavorUntyped)
	if err != nil {
		return []byte("[]") // they were checked before the call
	}
	return b
}
