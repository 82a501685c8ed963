package host

import (
	"context"
	"errors"
	"fmt"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/internal/subscribe"
	v1 "github.com/stdbgo/spacetime/internal/wire/v1"
	"github.com/stdbgo/spacetime/sats"
)

// An UpdatePolicy says what a migration may do.
type UpdatePolicy struct {
	BreakClients bool      // it may disconnect everybody; Token proves that the publisher knows
	Token        sats.Hash // from PrePublish
	// Environment is stored in the same transaction.
	Environment EnvUpdate
}

// An UpdateResult says what an update did.
type UpdateResult struct {
	Unchanged bool   // the program was the current one: nothing was done
	Offset    uint64 // of its transaction otherwise
}

// A PrePublishResult describes what an update would do.
type PrePublishResult struct {
	Manual string // not empty: there is no automatic way, and why
	// Of an automatic way:
	Plan        *schema.Plan
	BreaksUsers bool
	Token       sats.Hash

	MajorUpgrade bool // from a definition of version 9 or older to version 10
}

// The refusals of spec 06 §4.5.
var (
	errBreaking = errors.New("Migration plan contains a client-breaking change which is disallowed under current policy")
	errToken    = errors.New("Token provided is invalid or does not match expected hash")
)

// PrePublish plans the update to a program; nothing changes. An error is about the
// program.
func (db *Database) PrePublish(ctx context.Context, kind ProgramKind, program []byte) (PrePublishResult, error) {
	p, err := db.host.load(kind, program)
	if err != nil {
		return PrePublishResult{}, err
	}
	m, err := db.newModule(kind, p, silent{db.services})
	if err != nil {
		return PrePublishResult{}, errors.Join(err, p.Close())
	}
	old := db.current.Load()
	res := PrePublishResult{MajorUpgrade: old.def.Version <= schema.V9 && m.def.Version >= schema.V10}
	plan, err := schema.PlanMigration(old.def, m.def)
	if err != nil {
		res.Manual = err.Error()
	} else {
		res.Plan, res.BreaksUsers = plan, plan.BreaksClients
		res.Token = plan.Token(db.info.Identity, old.hash, m.hash)
	}
	return res, errors.Join(m.close(), p.Close())
}

// silent keeps what a module says while it is only looked at out of the log.
type silent struct{ *services }

func (silent) Log(abi.LogRecord) {}

// Update replaces the program of the database: the new module is made first, the
// schema is migrated in one transaction, and then the module takes over. After an
// error the old module runs on. Errors: *ProgramError, *MigrationError,
// *EnvError, *MissingEnvError, ErrStopped.
func (db *Database) Update(ctx context.Context, kind ProgramKind, program []byte, policy UpdatePolicy) (UpdateResult, error) {
	db.updating.Lock()
	defer db.updating.Unlock()
	old := db.current.Load()
	if abi.HashProgram(program) == old.hash {
		if policy.Environment.isZero() {
			return UpdateResult{Unchanged: true}, nil
		}
		return db.publishEnvironment(ctx, &policy.Environment)
	}
	if err := policy.Environment.Check(); err != nil {
		return UpdateResult{}, err
	}
	p, err := db.host.load(kind, program)
	if err != nil {
		return UpdateResult{}, err
	}
	m, err := db.newModule(kind, p, db.services)
	if err != nil {
		return UpdateResult{}, errors.Join(err, p.Close())
	}
	plan, err := db.permit(old, m, policy)
	if err != nil {
		return UpdateResult{}, errors.Join(err, m.close(), p.Close())
	}
	var res UpdateResult
	var failed error
	db.outboxes.pause()
	err = db.exec.do(context.WithoutCancel(ctx), func(at sats.Timestamp) {
		if res.Offset, failed = db.migrate(at, m, program, plan, &policy.Environment); failed == nil {
			db.swap(m, plan.BreaksClients)
		}
		db.restartOutboxes()
	})
	if err == nil {
		err = failed
	}
	if err != nil {
		return UpdateResult{}, errors.Join(err, m.close(), p.Close())
	}
	return res, db.succeed(old)
}

// succeed ends a module that was replaced, and starts the schedule of its successor.
func (db *Database) succeed(old *module) error {
	err := old.retire(func() {
		if err := old.program.Close(); err != nil {
			db.logger.Warn("the old program does not close", "error", err)
		}
	})
	if err != nil {
		db.logger.Warn("the old module does not close", "error", err)
	}
	db.sched.settle()
	return db.exec.do(background, func(sats.Timestamp) { db.restartSchedule() })
}

// restartSchedule sets the timers of all schedule rows. It belongs to the writer.
func (db *Database) restartSchedule() {
	v := db.store.View()
	defer v.Close()
	db.sched.restart(v)
}

// restartOutboxes delivers what the rows say. It belongs to the writer.
func (db *Database) restartOutboxes() {
	v := db.store.View()
	defer v.Close()
	db.outboxes.restart(v)
}

// permit plans a migration and checks it against the policy.
func (db *Database) permit(old, m *module, policy UpdatePolicy) (*schema.Plan, error) {
	plan, err := schema.PlanMigration(old.def, m.def)
	switch {
	case err != nil:
		return nil, &MigrationError{Manual: true, Err: err}
	case policy.BreakClients && policy.Token != plan.Token(db.info.Identity, old.hash, m.hash):
		return nil, &MigrationError{Err: errToken}
	case !policy.BreakClients && plan.BreaksClients:
		return nil, &MigrationError{Err: errBreaking}
	}
	return plan, nil
}

// migrate changes the schema from the running module's to m's.
func (db *Database) migrate(at sats.Timestamp, m *module, program []byte, plan *schema.Plan, env *EnvUpdate) (uint64, error) {
	tx := db.store.Begin()
	db.system("Updated program to %s", m.hash)
	err := db.storeProgram(tx, m, program)
	if err == nil {
		_, err = storeEnvironment(tx, env, m.def)
	}
	if err != nil {
		tx.Rollback()
		db.log.system(db.services.Now(), abi.LogWarn, fmt.Sprintf("Database update failed: %v", err))
		return 0, err
	}
	err = db.carryOut(tx, plan)
	if err == nil {
		err = db.reevaluateViews(tx, m, at)
	}
	if err == nil {
		err = checkSize(tx)
	}
	if err != nil {
		tx.Rollback()
		db.log.system(db.services.Now(), abi.LogWarn, fmt.Sprintf("Database update failed: %v", err))
		return 0, &MigrationError{Err: err}
	}
	if plan.BreaksClients { // they could not decode what they would be told
		for c := range db.clients {
			db.subs.Remove(c)
		}
	}
	ev := &subscribe.Event{Caller: db.info.Owner, ReducerID: v1.NoReducer, Timestamp: at}
	db.newSchema = true
	offset, err := db.commit(tx, nil, ev)
	if err != nil {
		return 0, ErrStopped
	}
	db.system("Database updated")
	return offset, nil
}

// swap makes m the module that runs. Its schedule starts when nothing is left that
// the old one's has begun (spec 08 §13.6). It belongs to the writer.
func (db *Database) swap(m *module, breaks bool) {
	db.sched.pause()
	db.use(m)
	db.owned = m.program
	if breaks {
		db.disconnectAll(db.exec.stamp())
		db.exitAll()
	}
}

// carryOut carries out a plan in tx.
func (db *Database) carryOut(tx *store.Tx, plan *schema.Plan) error {
	if err := matches(tx, plan.Old); err != nil {
		return err
	}
	for _, c := range plan.Prechecks {
		if err := precheck(tx, c); err != nil {
			return err
		}
	}
	for _, s := range plan.Steps {
		if err := db.step(tx, s); err != nil {
			return err
		}
	}
	return checkRLS(tx)
}
