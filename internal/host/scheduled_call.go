package host

import (
	"bytes"
	"fmt"
	"time"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/internal/subscribe"
	"github.com/stdbgo/spacetime/sats"
)

// runScheduled calls the function of a row that is due, then, in a transaction of
// its own, removes the row or sets its next time (spec 08 §13.4). It belongs to
// the writer.
func (db *Database) runScheduled(at sats.Timestamp, t *timer) {
	if !db.sched.valid(t) {
		return
	}
	tx := db.store.Begin()
	table, row := t.find(tx)
	if row == nil {
		tx.Rollback()
		return
	}
	fn := table.Schedule.Function
	at = db.exec.after(at, t.due)
	db.meter.late(fn, time.Duration(db.services.Now()-t.due)*time.Microsecond)
	if !db.runAsDatabase(tx, at, fn, bytes.Clone(row)) {
		return
	}
	db.finishScheduled(t)
}

// find returns the row that a timer was set for, unless it has changed.
func (t *timer) find(r store.Reader) (*schema.Table, []byte) {
	table := r.Table(t.table)
	if table == nil || table.Schedule == nil {
		return nil, nil
	}
	ix := table.UniqueIndexOn(table.Schedule.IDCol)
	if ix == nil {
		return nil, nil
	}
	row, ok := r.FindUnique(ix.ID, sats.AppendU64(nil, t.id))
	if !ok || sats.HashBytes(row) != t.row {
		return nil, nil
	}
	return table, row
}

// runAsDatabase calls a reducer in the name of the database itself, in tx, which
// it ends. It reports whether the database still runs.
func (db *Database) runAsDatabase(tx *store.Tx, at sats.Timestamp, fn string, args []byte) bool {
	self := Caller{Identity: db.info.Identity}
	r := db.mod.reducers[fn]
	if r == nil {
		tx.Rollback()
		db.log.call(at, fn, fmt.Sprintf("The module has no reducer %q to call.", fn))
		return true
	}
	args, err := r.decodeArgs(args, false)
	if err != nil {
		tx.Rollback()
		db.log.call(at, fn, err.Error())
		return true
	}
	out, took := db.invoke(tx, r, self, at, args)
	out = db.refreshAfter(tx, at, out)
	if out.Status != abi.StatusOK {
		db.rollback(tx, r, at, out)
		return db.calls.Err() == nil // stopped by the closing: the row runs at the next start
	}
	ev := event(r, self, at, args)
	ev.Energy.Lo, ev.Duration = out.Fuel, sats.TimeDurationOf(took)
	_, err = db.commit(tx, db.inputs(r.Name, self, at, args), ev)
	return err == nil
}

// finishScheduled is what follows a scheduled reducer, however it ended. A row
// that the reducer has changed has a timer of its own already.
func (db *Database) finishScheduled(t *timer) {
	tx := db.store.Begin()
	table, row := t.find(tx)
	if row == nil {
		tx.Rollback()
		return
	}
	if when := scheduleOf(table, row); when.IsInterval() {
		tx.Rollback()
		db.sched.again(t, nextDue(t.due, db.services.Now(), when.Interval()))
		return
	}
	at := db.exec.stamp()
	_, err := tx.DeleteRow(table.ID, bytes.Clone(row))
	if err == nil {
		err = db.refreshViews(tx, at)
	}
	if err != nil {
		tx.Rollback()
		db.logger.Error("a schedule row cannot be removed", "table", table.Name, "error", err)
		return
	}
	// Reducer 0 is what clients know of such a transaction (spec 05 §7.2).
	ev := &subscribe.Event{Caller: db.info.Identity, ReducerID: 0, Timestamp: at}
	if _, err := db.commit(tx, nil, ev); err != nil {
		return // the database has stopped; the row runs again after the next start
	}
}

// runImmediate calls a function that the module asked for without a row.
func (db *Database) runImmediate(at sats.Timestamp, c immediateCall) {
	if db.mod.procedures[c.fn] != nil {
		db.sched.start(scheduledProcedure{immediate: c})
		return
	}
	db.runAsDatabase(db.store.Begin(), at, c.fn, c.args)
}
