package server

import (
	"context"
	"net/http"
	"time"

	"github.com/stdbgo/spacetime/internal/control"
	"github.com/stdbgo/spacetime/sats"
)

// reset begins a database anew, with the program in the body if there is one.
func (s *Server) reset(q *request) error {
	replicas, _, err := q.query.unsigned("num_replicas", 64)
	if err != nil {
		return err
	}
	kind, err := q.hostType(control.Wasm)
	if err != nil {
		return err
	}
	env, err := environmentHeaders(q.r.Header)
	if err != nil {
		return err
	}
	program, err := q.body(s.maxProgram)
	if err != nil {
		return err
	}
	if len(program) == 0 {
		program = nil
	}
	defer s.publishes.lock(q.database.String())()
	if err := q.resolve(); err != nil { // it may be gone meanwhile
		return err
	}
	t := target{identity: q.database, known: true}
	if _, err := sats.IdentityFromHexPrefixed(q.params["n"]); err != nil {
		t.name = q.params["n"]
	}
	return s.restart(q, t, replicas, kind, program, env)
}

// restart gives the database of the request a new replica, initialised with the
// program, or with the initial program if that is nil. Until the new replica
// stands the old one runs on.
func (s *Server) restart(q *request, t target, replicas uint64, kind control.Kind, program []byte, env EnvUpdate) error {
	if err := q.mustOwn(q.rec, "reset database"); err != nil {
		return err
	}
	locked, err := s.control.Locked(q.database)
	if err != nil {
		return controlError(err)
	}
	if locked {
		return failure(http.StatusForbidden, "Database is locked and cannot be reset with --delete-data. Run `spacetime unlock` first.")
	}
	if err := checkReplicas(replicas); err != nil {
		return err
	}
	if program == nil {
		kind = q.rec.Kind
		if program, err = s.control.Program(sats.Hash(q.rec.InitialProgram)); err != nil {
			return controlError(err)
		}
	}
	old, rec := q.rec.Replica, q.rec
	rec.Kind = kind
	if err := s.launchNew(q, &rec, program, env); err != nil {
		return err
	}
	defer s.release(sats.Hash(rec.InitialProgram))
	ctx := context.WithoutCancel(q.r.Context())
	if err := s.control.Replace(rec.Identity, rec.Replica, rec.Kind, sats.Hash(rec.InitialProgram)); err != nil {
		s.discard(ctx, rec.Replica)
		return controlError(err)
	}
	s.discard(ctx, old)
	q.published(t, rec.Identity, "updated")
	return nil
}

// stopTimeout bounds the wait for a replica to stop.
const stopTimeout = 30 * time.Second

func (s *Server) stop(ctx context.Context, replica uint64) error {
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	return s.host.Stop(ctx, replica)
}

// discard ends a replica that belongs to no database and removes its files. What
// does not succeed now is done at the next start.
func (s *Server) discard(ctx context.Context, replica uint64) {
	defer s.ready.failed.Delete(replica)
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	err := s.host.Delete(ctx, replica)
	if err == nil {
		err = s.control.Swept(replica)
	}
	if err != nil {
		s.log.Error("the files of a deleted replica are still there", "replica", replica, "error", err)
	}
}

// release ends the use of a program by a publish.
func (s *Server) release(program sats.Hash) { s.sweptPrograms(s.control.ReleaseProgram(program)) }

func (s *Server) sweptPrograms(err error) {
	if err != nil {
		s.log.Error("programs that nobody needs are still there", "error", err)
	}
}

// sweep removes replicas that publishes and deletions left behind in another run.
func (s *Server) sweep(ctx context.Context, replicas []uint64) {
	for _, replica := range replicas {
		if ctx.Err() == nil {
			s.discard(ctx, replica)
		}
	}
}
