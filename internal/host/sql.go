package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/query"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/sql"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/internal/subscribe"
	v1 "github.com/stdbgo/spacetime/internal/wire/v1"
	"github.com/stdbgo/spacetime/sats"
)

// What one statement of somebody other than the owner may take by default (spec 07
// §34.13).
const (
	defaultSQLMemory = 256 << 20
	defaultSQLTime   = 30 * time.Second
	// defaultSubscription is how many bytes of rows a subscription may begin with.
	defaultSubscription = 256 << 20
)

// maxCollected bounds a result that has to be in one piece.
const maxCollected = 256 << 20

// An SQLResult is the outcome of one statement.
type SQLResult struct {
	Columns  *sats.Type     // product without references; no elements if the statement writes
	Nulls    []sql.NullForm // where the options among Columns are from
	Verb     string         // the statement's first word, in capitals
	Rows     [][]byte       // BSATN of Columns each
	Stats    sql.Stats
	Duration time.Duration
	// Offset is of the transaction read from or written; HasOffset is false if
	// the log is empty.
	Offset    uint64
	HasOffset bool
}

// An SQLStatement is a text and, if it was prepared, its parameters.
type SQLStatement struct {
	Text     string
	Params   *sql.Params
	Partners bool // see sql.Env
}

// An SQLSink takes the rows of a result as they come. An error of its ends the
// statement.
type SQLSink interface {
	// Begin is called once, before the first row, with the columns and the
	// transaction that the result shows.
	Begin(head SQLResult) error
	// Row takes one row, BSATN of the columns, valid during the call.
	Row(row []byte) error
}

// SQL is StreamSQL with the rows in the result; a large one is an error.
func (db *Database) SQL(ctx context.Context, who Caller, text string) (SQLResult, error) {
	var c collector
	res, err := db.StreamSQL(ctx, ctx.Done(), who, SQLStatement{Text: text}, &c)
	res.Rows = c.rows
	return res, err
}

type collector struct {
	rows  [][]byte
	bytes int
}

func (c *collector) Begin(SQLResult) error { return nil }

func (c *collector) Row(row []byte) error {
	if c.bytes += len(row); c.bytes > maxCollected {
		return fmt.Errorf("The result is larger than %d MiB, which is as much as fits one answer; narrow it, or read it in parts with ORDER BY, LIMIT and OFFSET", maxCollected>>20)
	}
	c.rows = append(c.rows, bytes.Clone(row))
	return nil
}

// StreamSQL runs one statement for a caller. A statement that reads does so beside
// the writer, on the state committed last, once the views that it reads have been
// evaluated, and hands its rows to sink; one that writes is a transaction. The text
// of an error is the answer. gone is closed when the caller is no longer interested.
func (db *Database) StreamSQL(ctx context.Context, gone <-chan struct{}, who Caller, st SQLStatement, sink SQLSink) (SQLResult, error) {
	if db.isEnding() {
		return SQLResult{}, ErrStopped
	}
	r := &sqlRun{
		db: db, ctx: ctx, gone: gone, text: st.Text, params: st.Params, partners: st.Partners, sink: sink, who: who, start: db.host.opts.Clock.Now(),
		caller: sql.Caller{Identity: who.Identity, IsOwner: who.IsOwner},
	}
	res, kind, err := r.read()
	switch {
	case err != nil:
	case kind == writes:
		res, err = r.write()
	case kind == readsViews:
		res, err = r.readViews()
	}
	res.Duration = db.since(r.start)
	db.meter.kinds[txSQL].ran(err == nil, 0, res.Duration)
	return res, err
}

// DescribeSQL compiles a statement as a caller and runs nothing: the result has the
// columns, and the parameters get their types.
func (db *Database) DescribeSQL(who Caller, st SQLStatement) (res SQLResult, err error) {
	if db.isEnding() {
		return res, ErrStopped
	}
	v := db.store.View()
	defer v.Close()
	compiled, err := sql.CompileStatement(v, st.Text, sql.Caller{Identity: who.Identity, IsOwner: who.IsOwner},
		sql.Env{Default: db.columnDefault, Params: st.Params, Partners: st.Partners})
	if err != nil {
		return res, err
	}
	res.Columns, res.Nulls, res.Verb = compiled.RowType(), compiled.Nulls(), compiled.Verb
	return res, nil
}

// An sqlRun is one statement on its way.
type sqlRun struct {
	db       *Database
	ctx      context.Context
	gone     <-chan struct{}
	who      Caller
	caller   sql.Caller
	text     string
	params   *sql.Params
	partners bool
	sink     SQLSink
	start    time.Time
	views    bool // a statement that writes also reads views
}

// statementKind is what a statement is about.
type statementKind uint8

const (
	reads statementKind = iota
	readsViews
	writes
)

// env is what the statement gets from the database. The time counts from the
// request on.
func (r *sqlRun) env() sql.Env {
	return sql.Env{
		Default: r.db.columnDefault,
		Params:  r.params, Partners: r.partners,
		Limits: r.db.sqlLimits(r.caller, r.start, r.gone),
		Micros: func() int64 { return r.db.since(r.start).Microseconds() },
	}
}

// sqlLimits bounds what began at start, and ends it when gone is closed. The owner's
// may take as much as they need.
func (db *Database) sqlLimits(c sql.Caller, start time.Time, gone <-chan struct{}) query.Limits {
	opts := &db.host.opts
	l := query.Limits{Check: func() error {
		select {
		case <-gone:
			return errors.New("The caller of the SQL statement has gone")
		default:
		}
		if !c.IsOwner && opts.SQLTime > 0 && db.since(start) > opts.SQLTime {
			return timeLimit(opts.SQLTime)
		}
		return nil
	}}
	if !c.IsOwner {
		l.Memory = max(opts.SQLMemory, 0)
	}
	return l
}

func timeLimit(d time.Duration) error {
	return fmt.Errorf("SQL statement exceeded its time limit (%d ms)", d.Milliseconds())
}

// columnDefault is the default that the module declares for a column.
func (db *Database) columnDefault(t *schema.Table, col schema.ColID) []byte {
	m := db.current.Load()
	if m == nil {
		return nil
	}
	for _, d := range m.def.Tables {
		if d.Name == t.Name && int(col) < len(d.Columns) {
			return d.Columns[col].Default
		}
	}
	return nil
}

// read answers a statement that reads tables only, and tells what any other does.
func (r *sqlRun) read() (res SQLResult, kind statementKind, err error) {
	v := r.db.store.View()
	defer v.Close()
	st, err := sql.CompileStatement(v, r.text, r.caller, r.env())
	switch {
	case err != nil:
		return res, reads, err
	case st.Writes():
		r.views = len(st.Views()) > 0
		return res, writes, nil
	case len(st.Views()) > 0:
		return res, readsViews, nil
	}
	if err := r.order(v, st); err != nil {
		return res, reads, err
	}
	res, err = r.rows(v, st)
	return res, reads, err
}

// minOrdered is how many rows a table has whose order is worth asking the writer for.
const minOrdered = 4096

// order has the writer order the indexes that the statement wants to read in order, if
// they are not yet: that takes as long as a sort, once.
func (r *sqlRun) order(v *store.View, st *sql.Statement) (err error) {
	for _, ix := range st.Plan().OrderIndexes() {
		if t, _ := v.IndexByID(ix.ID); t == nil || v.RowCount(t.ID) < minOrdered || v.Ordered(ix.ID) {
			continue
		}
		if err = r.db.exec.do(r.ctx, func(sats.Timestamp) { r.db.store.OrderIndex(ix.ID) }); err != nil {
			return err
		}
	}
	return nil
}

// rows hands the rows of a statement to the sink. Few statements run at once, so
// that those of others find a processor; the rest wait.
func (r *sqlRun) rows(v *store.View, st *sql.Statement) (res SQLResult, err error) {
	if err := r.enter(); err != nil {
		return res, err
	}
	defer func() { <-r.db.selects }()
	res.Columns, res.Nulls = st.RowType(), st.Nulls()
	res.Offset, res.HasOffset = v.Offset(), r.db.store.NextOffset() > 0
	if err := r.sink.Begin(res); err != nil {
		return res, err
	}
	var failed error
	err = st.Query(v, func(row []byte) bool {
		failed = r.sink.Row(row)
		return failed == nil
	})
	if err == nil {
		err = failed
	}
	return res, err
}

// maxSelects is how many SELECTs of one database run at the same time.
func maxSelects() int { return 2 * runtime.GOMAXPROCS(0) }

func (r *sqlRun) enter() error {
	select {
	case r.db.selects <- struct{}{}:
		return nil
	default:
	}
	var late <-chan time.Time
	if limit := r.db.host.opts.SQLTime; limit > 0 && !r.caller.IsOwner {
		timer := time.NewTimer(limit - r.db.since(r.start))
		defer timer.Stop()
		late = timer.C
	}
	select {
	case r.db.selects <- struct{}{}:
		return nil
	case <-late:
		return timeLimit(r.db.host.opts.SQLTime)
	case <-r.gone:
		return errors.New("The caller of the SQL statement has gone")
	case <-r.ctx.Done():
		return r.ctx.Err()
	}
}

// readViews answers a statement that reads views: it has those evaluated that are not,
// and then reads beside the writer like any other.
func (r *sqlRun) readViews() (res SQLResult, err error) {
	var st *sql.Statement
	var v *store.View
	var failed error
	err = r.db.exec.do(r.ctx, func(at sats.Timestamp) {
		if st, failed = r.materialised(at); failed == nil {
			v = r.db.store.View()
		}
	})
	if err == nil {
		err = failed
	}
	if err != nil {
		return res, err
	}
	defer v.Close()
	return r.rows(v, st)
}

// materialised compiles the statement and has the views evaluated that it reads. It
// belongs to the writer.
func (r *sqlRun) materialised(at sats.Timestamp) (*sql.Statement, error) {
	v := r.db.store.View()
	defer v.Close()
	st, err := sql.CompileStatement(v, r.text, r.caller, r.env())
	if err != nil {
		return nil, err
	}
	round := viewRound{db: r.db, at: at}
	return st, round.materialise(st.Views())
}

// write runs a statement that writes.
func (r *sqlRun) write() (res SQLResult, err error) {
	db := r.db
	var failed error
	err = db.exec.do(r.ctx, func(at sats.Timestamp) {
		if r.views {
			if _, failed = r.materialised(at); failed != nil {
				return
			}
		}
		tx := db.store.Begin()
		if res.Stats, failed = r.execute(tx); failed == nil {
			failed = fatal(db.refreshViews(tx, at))
		}
		if failed != nil {
			db.undo(tx)
			return
		}
		// Subscribers see no connection: the one of a request is nobody's (spec 05 §7.2).
		ev := &subscribe.Event{Caller: r.who.Identity, ReducerID: v1.NoReducer, Timestamp: at}
		db.charged = db.meter.kinds[txSQL]
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

func (r *sqlRun) execute(tx *store.Tx) (sql.Stats, error) {
	st, err := sql.CompileStatement(tx, r.text, r.caller, r.env())
	if err != nil {
		return sql.Stats{}, err
	}
	return st.Exec(tx)
}
