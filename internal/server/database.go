package server

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"

	"github.com/stdbgo/spacetime/internal/control"
	"github.com/stdbgo/spacetime/sats"
)

// info describes a database, in the JSON of a SATS product.
func (s *Server) info(q *request) error {
	identity := func(id sats.Identity) string { return `{"__identity__":"` + sats.Hash(id).JSON() + `"}` }
	q.json(http.StatusOK, []byte(`{"database_identity":`+identity(q.rec.Identity)+
		`,"owner_identity":`+identity(q.rec.Owner)+
		`,"host_type":{"`+string(q.rec.Kind)+`":[]}`+
		`,"initial_program":"`+sats.Hash(q.rec.InitialProgram).JSON()+`"}`))
	return nil
}

// databaseIdentity answers with what a name leads to; an identity is echoed.
func (s *Server) databaseIdentity(q *request) error {
	t, err := q.target()
	if err != nil {
		return err
	}
	if !t.known {
		return notFound(t.name)
	}
	q.text(http.StatusOK, t.identity.String())
	return nil
}

func (s *Server) deleteDatabase(q *request) error {
	t, err := q.target()
	if err != nil {
		return err
	}
	if !t.known {
		return notFound(t.name)
	}
	defer s.publishes.lock(t.identity.String())()
	rec, err := s.control.Database(t.identity)
	if errors.Is(err, control.ErrNoDatabase) {
		return q.nothing()
	}
	if err != nil {
		return controlError(err)
	}
	q.setDatabase(rec)
	if err := q.mustOwn(rec, "delete database"); err != nil {
		return err
	}
	locked, err := s.control.Locked(t.identity)
	if err != nil {
		return controlError(err)
	}
	if locked {
		return failure(http.StatusForbidden, "Database is locked and cannot be deleted. Run `spacetime unlock` first.")
	}
	if err := s.control.Delete(t.identity); err != nil {
		return controlError(err)
	}
	s.discard(context.WithoutCancel(q.r.Context()), rec.Replica)
	s.sweptPrograms(s.control.SweepPrograms())
	s.metrics.forget(rec.Identity)
	return q.nothing()
}

func (s *Server) lock(q *request) error   { return s.setLocked(q, true) }
func (s *Server) unlock(q *request) error { return s.setLocked(q, false) }

func (s *Server) setLocked(q *request, locked bool) error {
	if err := q.mustOwn(q.rec, "delete database"); err != nil {
		return err
	}
	if err := s.control.SetLocked(q.database, locked); err != nil {
		return controlError(err)
	}
	return q.nothing()
}

func (s *Server) timestamp(q *request) error {
	q.json(http.StatusOK, []byte(`{"__timestamp_micros_since_unix_epoch__":`+strconv.FormatInt(s.now().UnixMicro(), 10)+`}`))
	return nil
}

// schema answers with the module's definition in the version asked for.
func (s *Server) schema(q *request) error {
	if _, found, err := q.query.get("version"); err != nil {
		return err
	} else if !found {
		return badQuery("missing field `version`")
	}
	i, err := q.query.variant("version", 0, "9", "10")
	if err != nil {
		return err
	}
	db, err := q.open(q.r.Context())
	if err != nil {
		return err
	}
	b, err := db.Schema(9 + i)
	if err != nil {
		return internal(err)
	}
	q.json(http.StatusOK, b)
	return nil
}

// maxTail is how many past lines a follower gets at most.
const maxTail = 2500

// logs streams the module log (spec 06 §4.11).
func (s *Server) logs(q *request) error {
	lines, limited, err := q.query.unsigned("num_lines", 32)
	if err != nil {
		return err
	}
	follow, err := q.query.boolean("follow", false)
	if err != nil {
		return err
	}
	if err := q.mustOwn(q.rec, "view module logs"); err != nil {
		return err
	}
	tail := -1
	switch {
	case follow:
		tail = int(min(lines, maxTail))
	case limited:
		tail = int(lines)
	}
	db, err := q.open(q.r.Context())
	if err != nil {
		return s.storedLog(q, tail, err)
	}
	// A follower ends with the request, with the database, and with the server.
	ctx, cancel := context.WithCancel(q.r.Context())
	defer cancel()
	defer context.AfterFunc(s.streams, cancel)()
	log, err := db.Logs(ctx, tail, follow)
	if err != nil {
		return failure(http.StatusServiceUnavailable, "Logs are temporarily not available")
	}
	defer func() { _ = log.Close() }()
	q.stream(log)
	return nil
}

// storedLog answers for a database that cannot be launched.
func (s *Server) storedLog(q *request, tail int, launch error) error {
	log, err := s.host.StoredLog(q.rec.Replica, tail)
	if err != nil || log == nil {
		return launch
	}
	q.ndjson()
	_, _ = q.w.Write(log)
	return nil
}

func (q *request) ndjson() {
	q.w.Header().Set("Content-Type", "application/x-ndjson")
	q.w.Header().Set("Cache-Control", "no-cache")
	q.w.WriteHeader(http.StatusOK)
}

// stream copies to the client, and sends on what there is after each read.
func (q *request) stream(from io.Reader) {
	q.ndjson()
	flush := http.NewResponseController(q.w)
	_ = flush.Flush()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if _, err := q.w.Write(buf[:n]); err != nil {
				return
			}
			_ = flush.Flush()
		}
		if err != nil {
			return
		}
	}
}
