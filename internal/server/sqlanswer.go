package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/stdbgo/spacetime/sats"
)

// An sqlAnswer writes the result of one statement as it comes (spec 06 §4.9). What
// fits flushBytes is sent in one piece once it is complete, so that a failure can
// still be answered as one; a larger answer holds no more than that in memory.
type sqlAnswer struct {
	q         *request
	ctx       context.Context
	db        Database
	confirmed bool

	head    SQLResult
	res     SQLResult
	body    []byte
	rows    int
	rowJSON *sats.JSONEncoder
	started bool // a part has been sent
}

const flushBytes = 256 << 10

func (a *sqlAnswer) run(who Caller, text string) (err error) {
	a.res, err = a.db.StreamSQL(a.ctx, a.q.r.Context().Done(), who, SQLStatement{Text: text}, a)
	if err != nil {
		var refused *httpError
		if errors.As(err, &refused) {
			return refused
		}
		a.q.hint(err)
		return badRequest("%v", err)
	}
	if a.rowJSON == nil { // a statement that writes
		a.head = a.res
		a.open()
	}
	if !a.started {
		return a.durable()
	}
	return nil
}

func (a *sqlAnswer) durable() error {
	if a.confirmed && a.head.HasOffset {
		return waitDurable(a.ctx, a.db, a.head.Offset)
	}
	return nil
}

func (a *sqlAnswer) Begin(head SQLResult) (err error) {
	if a.rowJSON, err = sats.NewJSONEncoder(head.Columns, sats.FlavorUntyped); err != nil {
		return fmt.Errorf("the result has no JSON form: %w", err)
	}
	a.head = head
	a.open()
	return nil
}

func (a *sqlAnswer) open() {
	a.body = append(a.body, `[{"schema":`...)
	a.body = sats.AppendProductTypeJSON(a.body, a.head.Columns)
	a.body = append(a.body, `,"rows":[`...)
}

func (a *sqlAnswer) Row(row []byte) error {
	if a.rows++; a.rows > 1 {
		a.body = append(a.body, ',')
	}
	a.body = a.rowJSON.Append(a.body, row)
	if len(a.body) < flushBytes {
		return nil
	}
	if !a.started {
		if err := a.durable(); err != nil {
			return err
		}
		a.started = true
		a.q.w.Header().Set("Content-Type", "application/json")
		a.q.w.WriteHeader(http.StatusOK)
	}
	return a.flush()
}

func (a *sqlAnswer) flush() error {
	_, err := a.q.w.Write(a.body) // how long a slow reader may take is the writer's business
	a.body = a.body[:0]
	return err
}

// end completes the answer.
func (a *sqlAnswer) end() error {
	b := append(a.body, `],"total_duration_micros":`...)
	b = strconv.AppendInt(b, a.res.Duration.Microseconds(), 10)
	b = append(b, `,"stats":{"rows_inserted":`...)
	b = strconv.AppendUint(b, a.res.Inserted, 10)
	b = append(b, `,"rows_deleted":`...)
	b = strconv.AppendUint(b, a.res.Deleted, 10)
	b = append(b, `,"rows_updated":`...)
	b = strconv.AppendUint(b, a.res.Updated, 10)
	a.body = append(b, `}}]`...)
	if a.started {
		return a.flush()
	}
	a.q.setDuration(a.res.Duration)
	a.q.json(http.StatusOK, a.body)
	return nil
}
