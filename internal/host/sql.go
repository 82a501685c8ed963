package host

import (
	"bytes"
	"context"
	"time"

	"github.com/stdbgo/spacetime/internal/sql"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/internal/subscribe"
	v1 "github.com/stdbgo/spacetime/internal/wire/v1"
	"github.com/stdbgo/spacetime/sats"
)

// An SQLResult is the outcome of one statement.
type SQLResult struct {
	Columns  *sats.Type // product without references; no elements if the statement writes
	Rows     [][]byte   // BSATN of Columns each
	Stats    sql.Stats
	Duration time.Duration
	// Offset is of the transaction read from or written; HasOffset is false if
	// the log is empty.
	Offset    uint64
	HasOffset bool
}

// SQL runs one statement for a caller. A statement that reads does so beside the
// writer, on the state committed last; one that writes is a transaction. The
// text of an error is the answer.
func (db *Database) SQL(ctx context.Context, who Caller, text string) (SQLResult, error) {
	if db.isEnding() {
		return SQLResult{}, ErrStopped
	}
	start := db.host.opts.Clock.Now()
	caller := sql.Caller{Identity: who.Identity, IsOwner: who.IsOwner}
	res, writes, err := db.read(text, caller)
	if writes && err == nil {
		res, err = db.write(ctx, who, text, caller)
	}
	res.Duration = db.since(start)
	return res, err
}

// read answers a statement that reads, or reports that it writes.
func (db *Database) read(text string, caller sql.Caller) (res SQLResult, writes bool, err error) {
	v := db.store.View()
	defer v.Close()
	st, err := sql.CompileStatement(v, text, caller)
	if err != nil || st.Writes() {
		return res, err == nil, err
	}
	if p := st.Plan(); p != nil {
		if err := refuseViews(p.Tables()); err != nil {
			return res, false, err
		}
	}
	res.Columns = st.RowType()
	err = st.Query(v, func(row []byte) bool {
		res.Rows = append(res.Rows, bytes.Clone(row))
		return true
	})
	res.Offset, res.HasOffset = v.Offset(), db.store.NextOffset() > 0
	return res, false, err
}

// write runs a statement that writes.
func (db *Database) write(ctx context.Context, who Caller, text string, caller sql.Caller) (res SQLResult, err error) {
	var failed error
	err = db.exec.do(ctx, func(at sats.Timestamp) {
		tx := db.store.Begin()
		if res.Stats, failed = execute(tx, text, caller); failed != nil {
			db.undo(tx)
			return
		}
		// Subscribers see no connection: the one of a request is nobody's (spec 05 §7.2).
		ev := &subscribe.Event{Caller: who.Identity, ReducerID: v1.NoReducer, Timestamp: at}
		if res.Offset, failed = db.commit(tx, nil, ev); failed != nil {
			failed = ErrStopped
			return
		}
		_, res.HasOffset = db.lastOffset()
	})
	if err == nil {
		err = failed
	}
	res.Columns = sats.Unit
	return res, err
}

func execute(tx *store.Tx, text string, caller sql.Caller) (sql.Stats, error) {
	st, err := sql.CompileStatement(tx, text, caller)
	if err != nil {
		return sql.Stats{}, err
	}
	return st.Exec(tx)
}
