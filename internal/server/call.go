package server

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/stdbgo/spacetime/sats"
)

// statusReducerFailed is the status of a reducer that ran and refused.
const statusReducerFailed = 530

// confirmTimeout bounds how long an answer is held back for the disk.
const confirmTimeout = 60 * time.Second

// call runs a reducer or procedure (spec 06 §4.8). What began runs to its end,
// also when the client goes away: no st_client row is left behind.
func (s *Server) call(q *request) error {
	confirmed, err := q.query.boolean("confirmed", false)
	if err != nil {
		return err
	}
	args, err := q.callBody()
	if err != nil {
		return err
	}
	ctx := context.WithoutCancel(q.r.Context())
	db, err := q.open(ctx)
	if err != nil {
		return err
	}
	var res CallResult
	err = q.connected(ctx, db, func(who Caller) error {
		who.Confirmed = confirmed
		res, err = db.Call(ctx, who, q.params["function"], args)
		if err == nil && confirmed && res.HasOffset {
			err = waitDurable(ctx, db, res.Offset)
		}
		return err
	})
	var refused *CallError
	if errors.As(err, &refused) {
		return refused.answer()
	}
	if err != nil {
		return err
	}
	return q.callResult(res)
}

// callBody reads the arguments. The header is judged in two steps, around the
// body: whether it is there, and what it says.
func (q *request) callBody() ([]byte, error) {
	lines := q.r.Header.Values("Content-Type")
	if len(lines) == 0 {
		return nil, badRequest("Header of type `content-type` was missing")
	}
	media, _, _ := strings.Cut(lines[0], ";")
	if kind, sub, ok := strings.Cut(strings.TrimSpace(media), "/"); !ok || kind == "" || sub == "" {
		return nil, badRequest("invalid HTTP header (content-type)")
	}
	args, err := q.body(defaultBodyLimit)
	if err != nil {
		return nil, err
	}
	if invalidUTF8(args) >= 0 {
		return nil, badRequest("Request body didn't contain valid UTF-8")
	}
	if !strings.EqualFold(strings.TrimSpace(media), "application/json") {
		return nil, errNotJSON
	}
	return args, nil
}

// connected runs fn between the connect and the disconnect hook of the module,
// on a connection of its own.
func (q *request) connected(ctx context.Context, db Database, fn func(Caller) error) error {
	return q.s.connected(ctx, db, &q.caller, q.rec.Owner, fn)
}

func (s *Server) connected(ctx context.Context, db Database, c *caller, owner sats.Identity, fn func(Caller) error) (err error) {
	conn, err := s.newConnectionID()
	if err != nil {
		return internal(err)
	}
	who := c.at(conn, owner)
	if err := db.Connect(ctx, who); err != nil {
		return connectError(err)
	}
	defer func() {
		// Only an internal failure counts, and not over the answer of fn.
		if errDisconnect := db.Disconnect(ctx, who); errDisconnect != nil && err == nil {
			err = internal(errDisconnect)
		}
	}()
	return fn(who)
}

func connectError(err error) error {
	var rejected *RejectedError
	switch {
	case errors.As(err, &rejected) && rejected.OutOfEnergy:
		return failure(http.StatusServiceUnavailable, "Insufficient energy balance to run `client_connected` reducer")
	case errors.As(err, &rejected):
		return failure(http.StatusForbidden, "%s", rejected.Message)
	}
	return internal(err)
}

func (e *CallError) answer() error {
	status := http.StatusInternalServerError
	switch e.Kind {
	case NoSuchFunction, ModuleGone:
		status = http.StatusNotFound
	case InvalidArguments, LifecycleCall:
		status = http.StatusBadRequest
	case TooBusy:
		status = http.StatusServiceUnavailable
	}
	return failure(status, "%s", e.Message)
}

func waitDurable(ctx context.Context, db Database, offset uint64) error {
	ctx, cancel := context.WithTimeout(ctx, confirmTimeout)
	defer cancel()
	if _, err := db.WaitDurable(ctx, offset); err != nil {
		return failure(http.StatusServiceUnavailable, "the transaction is not confirmed to be on disk and may be lost: %v", err)
	}
	return nil
}

// callResult answers with what a function returned.
func (q *request) callResult(res CallResult) error {
	duration := func() { q.setDuration(res.Duration) }
	if res.Procedure {
		switch res.Status {
		case OutOfEnergy:
			return failure(http.StatusPaymentRequired, "Procedure terminated due to insufficient budget")
		case Trapped, Failed:
			return internal(errors.New(res.Message))
		}
		body, rest, err := sats.AppendJSON(nil, res.Types, res.ReturnType, res.Return, sats.FlavorUntyped)
		if err == nil && len(rest) > 0 {
			err = errors.New("bytes after the result")
		}
		if err != nil {
			return failure(http.StatusInternalServerError, "result of procedure %s: %v", q.params["function"], err)
		}
		duration()
		q.json(http.StatusOK, body)
		return nil
	}
	duration()
	q.w.Header().Set("Spacetime-Energy-Used", strconv.FormatUint(res.Energy, 10))
	switch res.Status {
	case Committed:
		q.text(http.StatusOK, "")
	case OutOfEnergy:
		q.text(http.StatusPaymentRequired, "Module energy budget exhausted.")
	default:
		q.text(statusReducerFailed, res.Message)
	}
	return nil
}

func (q *request) setDuration(d time.Duration) {
	q.w.Header().Set("Spacetime-Execution-Duration-Micros", strconv.FormatInt(d.Microseconds(), 10))
}

// sql runs one statement (spec 06 §4.9).
func (s *Server) sql(q *request) error {
	confirmed, err := q.query.boolean("confirmed", true)
	if err != nil {
		return err
	}
	text, err := q.utf8Body()
	if err != nil {
		return err
	}
	ctx := context.WithoutCancel(q.r.Context())
	db, err := q.open(ctx)
	if err != nil {
		return err
	}
	a := &sqlAnswer{q: q, ctx: ctx, db: db, confirmed: confirmed}
	err = q.connected(ctx, db, func(who Caller) error { return a.run(who, text) })
	if a.started {
		// The status is on its way. What can still be said of a failure is that the
		// answer has no end.
		if err != nil || a.end() != nil {
			panic(http.ErrAbortHandler)
		}
		return nil
	}
	if err != nil {
		return err
	}
	return a.end()
}

// hint tells beside the answer's text, which is fixed to the byte, where in the
// statement the fault is and what may have been meant.
func (q *request) hint(err error) {
	var h interface{ Hint() string }
	if !errors.As(err, &h) {
		return
	}
	text := strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' {
			return '?'
		}
		return c
	}, h.Hint())
	if text != "" {
		q.w.Header().Set("Spacetime-Hint", text)
	}
}
