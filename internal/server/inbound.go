package server

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/stdbgo/spacetime/internal/auth"
	"github.com/stdbgo/spacetime/internal/host"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/sats"
)

// callFromDatabase runs a call by an outbox of another database (spec 06 §4.21). The
// caller is that database, as its host's token says.
func (s *Server) callFromDatabase(q *request) error {
	sender, err := q.sendingDatabase()
	if err != nil {
		return err
	}
	c, err := q.outboxCall()
	if err != nil {
		return err
	}
	c.Sender, c.Target, c.Reducer = sender, q.database, q.params["reducer"]
	if c.Args, err = q.body(s.maxProgram); err != nil {
		return err
	}
	ctx := context.WithoutCancel(q.r.Context())
	db, err := q.open(ctx)
	if err != nil {
		return err
	}
	answer, err := s.receive(ctx, db, c)
	var order *host.OutOfOrderError
	switch {
	case errors.As(err, &order):
		return failure(http.StatusConflict, "%v", order)
	case errors.Is(err, host.ErrStopped):
		return failure(http.StatusServiceUnavailable, "%v", err)
	case err != nil:
		return err
	}
	q.outboxAnswer(answer)
	return nil
}

// sendingDatabase authenticates the caller; no token for clients counts.
func (q *request) sendingDatabase() (sats.Identity, error) {
	scheme, token, ok := strings.Cut(q.r.Header.Get("Authorization"), " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return sats.Identity{}, failure(http.StatusUnauthorized, "Authorization required: calls between databases need a token of their host")
	}
	sender, err := q.s.auth.ValidateHost(strings.TrimSpace(token), q.database)
	var refused *auth.Error
	if errors.As(err, &refused) {
		return sender, failure(http.StatusUnauthorized, "%s", refused.Text)
	}
	return sender, err
}

// outboxCall reads the query.
func (q *request) outboxCall() (*host.OutboxCall, error) {
	c := &host.OutboxCall{}
	for _, f := range []struct {
		name string
		to   *uint64
	}{{"stream_id", &c.Stream}, {"seq", &c.Seq}, {"ack_prefix", &c.AckedTo}} {
		n, found, err := q.query.unsigned(f.name, 64)
		if err != nil {
			return nil, err
		}
		if !found {
			return nil, badQuery("missing field `%s`", f.name)
		}
		*f.to = n
	}
	text, found, err := q.query.get("signature_hash")
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, badQuery("missing field `signature_hash`")
	}
	if c.Signature, err = sats.ParseHash(text); err != nil {
		return nil, badQuery("signature_hash: %v", err)
	}
	return c, nil
}

// receive hands a call to the database it is for, between the connect and the
// disconnect hook of the module, without credentials. A refusal by the connect hook is
// the call's outcome. An error means that the call is to be made again.
func (s *Server) receive(ctx context.Context, db Database, c *host.OutboxCall) (answer host.OutboxAnswer, err error) {
	conn, err := s.newConnectionID()
	if err != nil {
		return answer, internal(err)
	}
	who := Caller{Identity: c.Sender, Conn: conn}
	if err := db.Connect(ctx, who); err != nil {
		var rejected *RejectedError
		if !errors.As(err, &rejected) {
			return answer, internal(err)
		}
		// A module that lets nobody in must not stop what the sender has for it and others behind it for ever.
		refused := *c
		refused.Refused = &host.RejectedError{Message: rejected.Message, OutOfEnergy: rejected.OutOfEnergy}
		return db.Receive(ctx, &refused, conn)
	}
	defer func() {
		if errDisconnect := db.Disconnect(ctx, who); errDisconnect != nil && err == nil {
			err = internal(errDisconnect)
		}
	}()
	return db.Receive(ctx, c, conn)
}

// outboxAnswer answers with the status that says how a call ended.
func (q *request) outboxAnswer(a host.OutboxAnswer) {
	switch {
	case a.Forgotten:
		q.text(http.StatusAlreadyReported, "")
	case a.Status == schema.ResultOk:
		q.text(http.StatusOK, "")
	case a.Status == schema.ResultBudget:
		q.text(http.StatusPaymentRequired, a.Text)
	default:
		q.text(http.StatusUnprocessableEntity, a.Text)
	}
}
