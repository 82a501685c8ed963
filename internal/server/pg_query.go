package server

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stdbgo/spacetime/internal/pgwire"
	"github.com/stdbgo/spacetime/internal/sql"
)

// query answers a simple query (spec 06 §7.2).
func (ss *pgSession) query(body []byte) error {
	text, err := pgwire.DecodeText(body)
	if err != nil {
		return err
	}
	if emptyQuery(text) {
		ss.out = pgwire.AppendEmpty(ss.out, pgwire.EmptyQuery)
		return nil
	}
	a := &pgAnswer{ss: ss, describe: true}
	res, err := ss.answer(SQLStatement{Text: text, Partners: true}, a)
	if err != nil {
		return err
	}
	tag := "SELECT " + strconv.FormatUint(a.rows, 10)
	if a.encoder == nil {
		tag = changeTag(&res)
	}
	ss.out = pgwire.AppendComplete(ss.out, tag)
	return nil
}

// emptyQuery reports whether a text is nothing, or one semicolon.
func emptyQuery(text string) bool {
	text = strings.TrimSpace(text)
	return text == "" || text == ";"
}

// changeTag says what a statement changed in the words of the original.
func changeTag(res *SQLResult) string {
	var parts []string
	for _, c := range [...]struct {
		name string
		n    uint64
	}{{"inserted", res.Inserted}, {"deleted", res.Deleted}, {"updated", res.Updated}} {
		if c.n > 0 {
			parts = append(parts, c.name+": "+strconv.FormatUint(c.n, 10))
		}
	}
	return strings.Join(append(parts, "server: "+shortDuration(res.Duration)), ", ")
}

// shortDuration is a duration with two decimals in the largest unit of which it has
// one.
func shortDuration(d time.Duration) string {
	for _, u := range [...]struct {
		unit time.Duration
		name string
	}{{time.Second, "s"}, {time.Millisecond, "ms"}, {time.Microsecond, "µs"}} {
		if d >= u.unit {
			return strconv.FormatFloat(float64(d)/float64(u.unit), 'f', 2, 64) + u.name
		}
	}
	return strconv.FormatFloat(float64(d), 'f', 2, 64) + "ns"
}

// answer runs one statement as POST /sql does, and has its rows sent. Of what fails
// before anything is sent nothing is left but the error.
func (ss *pgSession) answer(st SQLStatement, a *pgAnswer) (res SQLResult, err error) {
	a.mark = len(ss.out)
	a.ctx = context.Background()
	rec, err := ss.record()
	if err != nil {
		return res, err
	}
	if a.db, err = ss.s.open(a.ctx, rec); err == nil {
		err = ss.s.connected(a.ctx, a.db, &ss.caller, rec.Owner, func(who Caller) (err error) {
			res, err = a.db.StreamSQL(a.ctx, ss.gone, who, st, a)
			if errors.Is(err, errEnoughRows) {
				err = nil
			}
			if err != nil || a.started {
				return err
			}
			return a.durable(&res)
		})
	}
	if err != nil {
		ss.out = ss.out[:a.mark]
		return res, ss.failure(st.Text, err)
	}
	return res, nil
}

// failure is the error of a statement in the words of the protocol. Whatever is
// not found ends the connection: it is the database.
func (ss *pgSession) failure(text string, err error) error {
	var known *pgwire.Error
	var refused *httpError
	var bad *sql.Error
	switch {
	case errors.Is(err, errQuiet), errors.As(err, &known):
		return err
	case errors.As(err, &refused) && refused.status == http.StatusNotFound:
		return pgFatal(pgNoDatabase, "database %q does not exist", ss.database)
	case errors.As(err, &refused):
		return pgError(pgInternal, "(Sql) %s", refused.body)
	case errors.As(err, &bad):
		out := pgError(pgInternal, "(Sql) %v", err)
		out.Hint, out.Position = bad.Suggestion, position(text, bad.Pos)
		if out.Hint == "" {
			out.Hint = missingHint(text, bad.Msg)
		}
		return out
	}
	return pgError(pgInternal, "(Sql) %v", err)
}

// missingHint says what to do without what clients of PostgreSQL expect.
func missingHint(text, msg string) string {
	switch {
	case strings.Contains(text, "pg_catalog.") || strings.Contains(text, "information_schema."):
		return "There is no catalog of PostgreSQL here. SELECT table_name, table_access FROM st_table lists the tables."
	case msg == "Unsupported: BEGIN TRANSACTION", strings.HasPrefix(msg, "Unsupported: START TRANSACTION"):
		return "Every statement is a transaction of its own. Have the driver commit automatically."
	}
	return ""
}

// position counts the characters up to a place in a text, from 1 on; 0 if there is
// no such place.
func position(text string, at sql.Pos) int {
	line, column, n := 1, 1, 1
	for _, c := range text {
		if line == at.Line && column == at.Column {
			return n
		}
		if c == '\n' {
			line, column = line+1, 0
		}
		column++
		n++
	}
	if line == at.Line && column == at.Column { // the end
		return n
	}
	return 0
}

// errEnoughRows ends a statement whose client wanted no more rows.
var errEnoughRows = errors.New("enough rows")

// A pgAnswer sends the rows of one statement as they come. Small results are sent when
// they are complete, so that a failure can still be answered as one.
type pgAnswer struct {
	ss       *pgSession
	describe bool // send the columns
	formats  []int
	style    pgwire.Style
	prepared *pgPrepared // the columns must be those it was described with
	limit    uint64      // rows; 0: all

	ctx     context.Context
	db      Database
	head    SQLResult
	encoder *pgwire.RowEncoder
	mark    int // of the session's output, where the answer begins
	rows    uint64
	started bool // a part has been sent
	more    bool // there were more rows than limit
}

func (a *pgAnswer) Begin(head SQLResult) (err error) {
	if p := a.prepared; p != nil && !(p.head.Columns.Equal(head.Columns) && slices.Equal(p.head.Nulls, head.Nulls)) {
		return pgError(pgUnsupported, "cached plan must not change result type")
	}
	a.head = head
	if a.encoder, err = rowEncoder(&head, a.formats, a.style); err != nil {
		return err
	}
	if a.describe {
		a.ss.out = pgwire.AppendRowDescription(a.ss.out, a.encoder.Columns)
	}
	return nil
}

// sentColumns counts the columns of a result that the client gets.
func sentColumns(head *SQLResult) int {
	n := len(head.Columns.Elems)
	for n > 0 && n <= len(head.Nulls) && head.Nulls[n-1] == sql.NullPartner {
		n--
	}
	return n
}

func rowEncoder(head *SQLResult, formats []int, style pgwire.Style) (*pgwire.RowEncoder, error) {
	nulls := make([]pgwire.NullForm, len(head.Nulls))
	for i, n := range head.Nulls {
		nulls[i] = map[sql.NullForm]pgwire.NullForm{
			sql.NullStored: pgwire.NullStored, sql.NullComputed: pgwire.NullComputed, sql.NullJoined: pgwire.NullJoined, sql.NullPartner: pgwire.NullPartner,
		}[n]
	}
	return pgwire.NewRowEncoder(head.Columns, nulls, formats, style)
}

func (a *pgAnswer) Row(row []byte) (err error) {
	if a.limit > 0 && a.rows == a.limit {
		a.more = true
		return errEnoughRows
	}
	if a.ss.out, err = a.encoder.Append(a.ss.out, row); err != nil {
		return err
	}
	a.rows++
	if len(a.ss.out) < pgFlush {
		return nil
	}
	if !a.started {
		if err := a.durable(&a.head); err != nil {
			return err
		}
		a.started, a.mark = true, 0
	}
	return a.ss.flush()
}

// durable waits until what the answer shows is on disk.
func (a *pgAnswer) durable(res *SQLResult) error {
	if !res.HasOffset {
		return nil
	}
	return waitDurable(a.ctx, a.db, res.Offset)
}
