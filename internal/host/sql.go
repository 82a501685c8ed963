package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stdbgo/spacetime/internal/abi"
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
// writer, on the state committed last, once the views that it reads have been
// evaluated; one that writes is a transaction. The text of an error is the answer.
func (db *Database) SQL(ctx context.Context, who Caller, text string) (SQLResult, error) {
	if db.isEnding() {
		return SQLResult{}, ErrStopped
	}
	start := db.host.opts.Clock.Now()
	caller := sql.Caller{Identity: who.Identity, IsOwner: who.IsOwner}
	res, kind, err := db.read(text, caller)
	switch {
	case err != nil:
	case kind == writes:
		res, err = db.write(ctx, who, text, caller)
	case kind == readsViews:
		res, err = db.readViews(ctx, text, caller)
	}
	res.Duration = db.since(start)
	return res, err
}

// statementKind is what a statement is about.
type statementKind uint8

const (
	reads statementKind = iota
	readsViews
	writes
)

// read answers a statement that reads tables only, and tells what any other does.
func (db *Database) read(text string, caller sql.Caller) (res SQLResult, kind statementKind, err error) {
	v := db.store.View()
	defer v.Close()
	st, err := sql.CompileStatement(v, text, caller)
	switch {
	case err != nil:
		return res, reads, err
	case st.Writes():
		return res, writes, nil
	case st.Plan() != nil && len(st.Plan().Views()) > 0:
		return res, readsViews, nil
	}
	res, err = db.rows(v, st)
	return res, reads, err
}

func (db *Database) rows(v *store.View, st *sql.Statement) (res SQLResult, err error) {
	res.Columns = st.RowType()
	err = st.Query(v, func(row []byte) bool {
		res.Rows = append(res.Rows, bytes.Clone(row))
		return true
	})
	res.Offset, res.HasOffset = v.Offset(), db.store.NextOffset() > 0
	return res, err
}

// readViews answers a statement that reads views: it has those evaluated that are not,
// and then reads beside the writer like any other.
func (db *Database) readViews(ctx context.Context, text string, caller sql.Caller) (res SQLResult, err error) {
	var st *sql.Statement
	var v *store.View
	var failed error
	err = db.exec.do(ctx, func(at sats.Timestamp) {
		if st, failed = db.compile(text, caller); failed != nil {
			return
		}
		if st.Plan() != nil {
			round := viewRound{db: db, at: at}
			failed = round.materialise(st.Plan().Views())
		}
		if failed == nil {
			v = db.store.View()
		}
	})
	if err == nil {
		err = failed
	}
	if err != nil {
		return res, err
	}
	defer v.Close()
	return db.rows(v, st)
}

func (db *Database) compile(text string, caller sql.Caller) (*sql.Statement, error) {
	v := db.store.View()
	defer v.Close()
	return sql.CompileStatement(v, text, caller)
}

// write runs a statement that writes.
func (db *Database) write(ctx context.Context, who Caller, text string, caller sql.Caller) (res SQLResult, err error) {
	var failed error
	err = db.exec.do(ctx, func(at sats.Timestamp) {
		tx := db.store.Begin()
		if res.Stats, failed = execute(tx, text, caller); failed == nil {
			failed = fatal(db.refreshViews(tx, at))
		}
		if failed != nil {
			tx.Rollback()
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

// fatal words the failure of a view for the caller of a statement (spec 08 §14.4).
func fatal(err error) error {
	var view *viewError
	if errors.As(err, &view) && view.status != abi.StatusOutOfEnergy {
		return fmt.Errorf("The module instance encountered a fatal error: %w", err)
	}
	return err
}

func execute(tx *store.Tx, text string, caller sql.Caller) (sql.Stats, error) {
	st, err := sql.CompileStatement(tx, text, caller)
	if err != nil {
		return sql.Stats{}, err
	}
	return st.Exec(tx)
}
