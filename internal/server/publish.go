package server

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/stdbgo/spacetime/internal/control"
	"github.com/stdbgo/spacetime/sats"
)

// maxConfirmation bounds how long an update may wait for the disk.
const maxConfirmation = 5 * time.Minute

// publishOptions are the query parameters of a publish (spec 06 §4.5).
type publishOptions struct {
	clear        bool
	kind         control.Kind
	breakClients bool
	token        *sats.Hash
	parent       string
	organization string
	replicas     uint64
	confirmation time.Duration
	environment  EnvUpdate
}

func (q *request) publishOptions() (o publishOptions, err error) {
	if o.clear, err = q.query.boolean("clear", false); err != nil {
		return o, err
	}
	if o.replicas, _, err = q.query.unsigned("num_replicas", 64); err != nil {
		return o, err
	}
	token, found, err := q.query.hash("token")
	if err != nil {
		return o, err
	}
	if found {
		o.token = &token
	}
	policy, err := q.query.variant("policy", 0, "Compatible", "BreakClients")
	if err != nil {
		return o, err
	}
	o.breakClients = policy == 1
	if o.kind, err = q.hostType(control.Wasm); err != nil {
		return o, err
	}
	if o.parent, _, err = q.query.get("parent"); err != nil {
		return o, err
	}
	if o.organization, _, err = q.query.get("organization", "org"); err != nil {
		return o, err
	}
	o.confirmation = 5 * time.Second
	text, found, err := q.query.get("update_confirmation_timeout")
	if err != nil {
		return o, err
	}
	if found {
		if o.confirmation, err = parseDuration(text); err != nil {
			return o, badQuery("%v", err)
		}
	}
	o.confirmation = min(o.confirmation, maxConfirmation)
	return o, nil
}

func (q *request) hostType(absent control.Kind) (control.Kind, error) {
	kinds := []control.Kind{control.Wasm, control.JS}
	i, err := q.query.variant("host_type", -1, string(control.Wasm), string(control.JS))
	if err != nil || i < 0 {
		return absent, err
	}
	return kinds[i], nil
}

// publish creates or updates a database.
func (s *Server) publish(q *request) error {
	var t target
	var err error
	named := q.params["n"] != ""
	if named {
		if t, err = q.target(); err != nil {
			return err
		}
	}
	o, err := q.publishOptions()
	if err != nil {
		return err
	}
	if o.environment, err = environmentHeaders(q.r.Header); err != nil {
		return err
	}
	program, err := q.body(s.maxProgram)
	if err != nil {
		return err
	}
	if o.clear && !named {
		return badRequest("Clear database requires database name or identity")
	}
	// From here on nobody else may publish under the name, then under the
	// identity; what the name means is looked up again.
	if t.name != "" {
		defer s.publishes.lock("name " + t.name)()
		if t, err = q.target(); err != nil {
			return err
		}
	}
	if t.known {
		defer s.publishes.lock(t.identity.String())()
		rec, err := s.control.Database(t.identity)
		if err == nil {
			q.setDatabase(rec)
			return s.republish(q, t, o, program)
		}
		if !errors.Is(err, control.ErrNoDatabase) {
			return controlError(err)
		}
	}
	return s.create(q, t, o, program)
}

// republish updates the database of the request, or with clear begins it anew.
func (s *Server) republish(q *request, t target, o publishOptions, program []byte) error {
	if o.clear && o.parent != "" {
		return badRequest("Setting the parent of an existing database is not supported")
	}
	if o.clear {
		return s.restart(q, t, o.replicas, o.kind, program, o.environment)
	}
	if err := s.checkReferences(o); err != nil {
		return err
	}
	if err := q.mustOwn(q.rec, "update database"); err != nil {
		return err
	}
	if err := o.checkPolicy(); err != nil {
		return err
	}
	ctx := context.WithoutCancel(q.r.Context())
	db, err := q.open(ctx)
	if err != nil {
		return err
	}
	policy := UpdatePolicy{BreakClients: o.breakClients, Environment: o.environment}
	if o.token != nil {
		policy.Token = *o.token
	}
	res, err := db.Update(ctx, program, o.kind == control.JS, policy)
	var refused *UpdateError
	switch {
	case errors.As(err, &refused) && refused.Manual:
		return badRequest("Database update rejected: %s", refused.Message)
	case errors.As(err, &refused):
		return badRequest("Failed to create or update the database: %s", refused.Message)
	case err != nil:
		return publishError(err)
	}
	if !res.Unchanged {
		if err := confirmUpdate(ctx, db, res.Offset, o.confirmation); err != nil {
			return err
		}
	}
	q.published(t, q.rec.Identity, "updated")
	return nil
}

// confirmUpdate waits until the transaction of an update is durable.
func confirmUpdate(ctx context.Context, db Database, offset uint64, most time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	_, err := db.WaitDurable(ctx, offset)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.DeadlineExceeded):
		return failure(http.StatusGatewayTimeout, "Database update failed: timeout waiting for transaction confirmation")
	}
	return failure(http.StatusServiceUnavailable, "Database update failed: database crashed while waiting for transaction confirmation")
}

func (o publishOptions) checkPolicy() error {
	if o.breakClients && o.token == nil {
		return badRequest("Migration policy is set to `BreakClients`, but no migration token was provided.")
	}
	return nil
}

// checkReferences looks at parameters that have no effect but must be valid.
func (s *Server) checkReferences(o publishOptions) error {
	for _, name := range []string{o.parent, o.organization} {
		if name == "" {
			continue
		}
		if _, err := sats.IdentityFromHexPrefixed(name); err == nil {
			continue
		}
		lookup := s.control.Lookup
		if name == o.organization {
			lookup = s.control.NameOwner
		}
		if _, found, err := lookup(name); err != nil {
			return controlError(err)
		} else if !found {
			return notFound(name)
		}
	}
	return checkReplicas(o.replicas)
}

func checkReplicas(n uint64) error {
	if n > 255 {
		return badRequest("Replication factor %d out of bounds", n)
	}
	return nil
}

// create makes a new database. The name is registered together with the record,
// once the module has been initialised: a failed first publish leaves nothing.
func (s *Server) create(q *request, t target, o publishOptions, program []byte) error {
	wanted := t.name
	if wanted == "" {
		wanted = "(without a name)"
	}
	release, err := s.mayCreate(q, wanted)
	defer release()
	if err != nil {
		return err
	}
	if t.name != "" {
		if err := checkNewName(t.name); err != nil {
			return badRequest("Invalid URL: %v", err)
		}
		// A name that outlived its database stays with its owner.
		owner, found, err := s.control.NameOwner(t.name)
		if err != nil {
			return controlError(err)
		}
		if found && owner != q.caller.identity {
			return permissionDenied(t.name)
		}
	}
	if err := s.checkReferences(o); err != nil {
		return err
	}
	if err := o.checkPolicy(); err != nil {
		return err
	}
	if !t.known {
		var err error
		if t.identity, _, err = s.auth.NewIdentity(); err != nil {
			return internal(err)
		}
	}
	rec := control.Database{Identity: t.identity, Owner: q.caller.identity, Kind: o.kind}
	if err := s.launchNew(q, &rec, program, o.environment); err != nil {
		return err
	}
	defer s.release(sats.Hash(rec.InitialProgram))
	if err := s.control.Insert(rec, t.name); err != nil {
		s.discard(context.WithoutCancel(q.r.Context()), rec.Replica)
		var permission *control.PermissionError
		if errors.As(err, &permission) {
			return permissionDenied(t.name)
		}
		return controlError(err)
	}
	q.published(t, rec.Identity, "created")
	return nil
}

// launchNew stores the program, draws ids and initialises a replica for rec. After
// success the program is in use until it is released; after an error nothing is
// left.
func (s *Server) launchNew(q *request, rec *control.Database, program []byte, env EnvUpdate) (err error) {
	hash, err := s.control.PutProgram(program)
	if err != nil {
		return controlError(err)
	}
	defer func() {
		if err != nil {
			s.release(hash)
		}
	}()
	rec.InitialProgram = control.Hash(hash)
	if rec.ID == 0 {
		if rec.ID, err = s.control.NextID(); err != nil {
			return controlError(err)
		}
	}
	if rec.Replica, err = s.control.NextReplica(); err != nil {
		return controlError(err)
	}
	info := databaseInfo(*rec)
	info.Environment = env
	ctx := context.WithoutCancel(q.r.Context())
	if _, err := s.host.Create(ctx, info, program); err != nil {
		s.discard(ctx, rec.Replica)
		q.hint(err)
		return publishError(err)
	}
	return nil
}

func permissionDenied(name string) error {
	return &httpError{status: http.StatusUnauthorized, json: true, body: string(variant("PermissionDenied", struct {
		Name string `json:"name"`
	}{name}))}
}

// published answers a successful publish.
func (q *request) published(t target, identity sats.Identity, op string) {
	var domain *string
	if t.name != "" {
		domain = &t.name
	}
	q.json(http.StatusOK, variant("Success", struct {
		Domain   *string       `json:"domain"`
		Identity sats.Identity `json:"database_identity"`
		Op       string        `json:"op"`
	}{domain, identity, op}))
}
