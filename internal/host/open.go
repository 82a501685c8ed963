package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/commitlog"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/internal/vfs"
	"github.com/stdbgo/spacetime/sats"
)

// background is for work that no caller can give up.
var background = context.Background()

// secretSize is the length of the key that random numbers of a database's modules
// are derived from (spec 03 §17.5).
const secretSize = 32

// createDatabase tries a program, then makes the database for real.
func createDatabase(h *Host, info DatabaseInfo, program []byte) (*Database, error) {
	p, err := h.load(info.Kind, program)
	if err != nil {
		return nil, err
	}
	if err := h.try(info, p, program); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	db, err := h.createReplica(info, p, program)
	if err != nil {
		return nil, errors.Join(err, p.Close()) // after its instances
	}
	return db, nil
}

// startNew starts a database that was never there. Nobody else knows its
// environment: it must be on disk before somebody relies on it.
func (db *Database) startNew(info DatabaseInfo, p abi.Program, program []byte) error {
	err := db.start(info.Kind, p, program, true)
	db.info.Environment = EnvUpdate{} // values stay in no more places than need be
	if err == nil && len(info.Environment.Values) > 0 {
		_, err = db.WaitDurable(background, 0)
	}
	return err
}

// createReplica makes the files of a replica and its first transaction; after an
// error there are none. A directory that was there before is left alone.
func (h *Host) createReplica(info DatabaseInfo, p abi.Program, program []byte) (*Database, error) {
	if !h.opts.InMemory {
		if _, err := h.opts.FS.Stat(h.replicaDir(info.Replica)); err == nil {
			return nil, fmt.Errorf("host: replica %d exists already", info.Replica)
		}
	}
	db, _, err := h.recover(info)
	if err == nil {
		if err = db.startNew(info, p, program); err == nil {
			return db, nil
		}
		err = errors.Join(err, db.close(false))
	}
	return nil, errors.Join(err, h.remove(info.Replica))
}

// openDatabase launches a database (spec 08 §20.3).
func openDatabase(h *Host, info DatabaseInfo, initial func() ([]byte, error)) (*Database, error) {
	db, fresh, err := h.recover(info)
	if err != nil {
		return nil, err
	}
	kind, program, err := db.program(fresh, initial)
	if err != nil {
		return nil, errors.Join(err, db.close(false))
	}
	p, err := h.load(kind, program)
	if err != nil && kind == Wasm && !fresh && h.opts.Engines[JS] != nil {
		// Old servers recorded every program as WebAssembly.
		if js, jsErr := h.load(JS, program); jsErr == nil {
			kind, p, err = JS, js, nil
		}
	}
	if err != nil {
		return nil, errors.Join(err, db.close(false))
	}
	if err := db.start(kind, p, program, fresh); err != nil {
		err = errors.Join(err, db.close(false))
		return nil, errors.Join(err, p.Close()) // after its instances
	}
	return db, nil
}

// program returns the program to run: that of st_module, or the initial one in a
// database without a first transaction.
func (db *Database) program(fresh bool, initial func() ([]byte, error)) (ProgramKind, []byte, error) {
	if fresh {
		if initial == nil {
			return 0, nil, fmt.Errorf("host: database %s was never initialised, and there is no program to do it with", db.info.Identity)
		}
		b, err := initial()
		if err != nil {
			return 0, nil, fmt.Errorf("host: the initial program of database %s: %w", db.info.Identity, err)
		}
		if want := db.info.ProgramHash; !want.IsZero() && abi.HashProgram(b) != want {
			return 0, nil, fmt.Errorf("host: the initial program of database %s has hash %s; want %s", db.info.Identity, abi.HashProgram(b), want)
		}
		return db.info.Kind, b, nil
	}
	v := db.store.View()
	defer v.Close()
	row, ok, err := storedProgram(v)
	switch {
	case err != nil:
		return 0, nil, fmt.Errorf("host: database %s: %w", db.info.Identity, err)
	case !ok:
		return 0, nil, fmt.Errorf("host: database %s has transactions but no program", db.info.Identity)
	case row.Database != db.info.Identity:
		return 0, nil, fmt.Errorf("mismatched database identity: %s != %s", row.Database, db.info.Identity)
	case row.Owner != db.info.Owner:
		return 0, nil, fmt.Errorf("mismatched owner identity: %s != %s", row.Owner, db.info.Owner)
	}
	return ProgramKind(row.ProgramKind), row.Program, nil
}

// start sets the module of a recovered database to work. After an error the
// program is still the caller's.
func (db *Database) start(kind ProgramKind, p abi.Program, program []byte, fresh bool) error {
	m, err := db.newModule(kind, p, db.services)
	if err != nil {
		return err
	}
	db.use(m)
	if fresh {
		if err := db.initialise(program); err != nil {
			return err
		}
	} else if err := db.resume(kind, program); err != nil {
		return err
	}
	db.owned = p
	db.watchLog()
	// Nothing must be committed between the two.
	if err := db.exec.borrow(background); err != nil {
		return err
	}
	defer db.exec.release()
	db.restartSchedule()
	db.restartOutboxes()
	return nil
}

// resume brings a database that has run before in order.
func (db *Database) resume(kind ProgramKind, program []byte) error {
	var failed error
	err := db.exec.do(background, func(at sats.Timestamp) {
		failed = db.correctKind(kind, program)
		if failed == nil {
			failed = db.repairViews()
		}
		if failed == nil {
			failed = db.sweepClients(at)
		}
		db.ckpt.tidy(db)
	})
	if err == nil {
		err = failed
	}
	return err
}

// correctKind writes the kind that a program turned out to have into st_module.
func (db *Database) correctKind(kind ProgramKind, program []byte) error {
	v := db.store.View()
	row, _, err := storedProgram(v)
	v.Close()
	if err != nil || ProgramKind(row.ProgramKind) == kind {
		return err
	}
	tx := db.store.Begin()
	if err := db.storeProgram(tx, db.mod, program); err != nil {
		tx.Rollback()
		return err
	}
	_, err = db.commit(tx, nil, nil)
	return err
}

// recover reads back what a replica has on disk: the newest checkpoint and the
// log behind it. fresh means that there was nothing.
func (h *Host) recover(info DatabaseInfo) (db *Database, fresh bool, err error) {
	if h.opts.InMemory {
		return h.newInMemory(info)
	}
	dir := h.replicaDir(info.Replica)
	if err := h.opts.FS.MkdirAll(dir); err != nil {
		return nil, false, err
	}
	lock, err := h.opts.FS.Lock(filepath.Join(dir, lockFile))
	if errors.Is(err, vfs.ErrLocked) {
		return nil, false, fmt.Errorf("host: replica %d is open already, in this process or another: %w", info.Replica, err)
	} else if err != nil {
		return nil, false, err
	}
	if db, fresh, err = h.recoverLocked(info, dir); err != nil {
		return nil, false, errors.Join(err, lock.Close())
	}
	db.lock = lock
	return db, fresh, nil
}

func (h *Host) newInMemory(info DatabaseInfo) (*Database, bool, error) {
	s := store.New(store.Options{DatabaseID: info.Identity})
	db := newDatabase(h, info, s, commitlog.NewMemory())
	if _, err := io.ReadFull(h.opts.Rand, db.secret[:]); err != nil {
		return nil, false, fmt.Errorf("host: randomness for a secret: %w", err)
	}
	var err error
	db.log, err = openModuleLog(nil, "", db.services.Now(), db.logger)
	return db, true, err
}

func (h *Host) recoverLocked(info DatabaseInfo, dir string) (db *Database, fresh bool, err error) {
	secret, err := h.secret(dir)
	if err != nil {
		return nil, false, err
	}
	if err := h.opts.FS.SyncDir(dir); err != nil { // who made the secret may have died before doing so
		return nil, false, err
	}
	ckpts, err := commitlog.OpenCheckpoints(h.checkpointOptions(dir))
	if err != nil {
		return nil, false, err
	}
	journal, err := commitlog.Open(h.commitlogOptions(dir))
	if err != nil {
		return nil, false, err
	}
	r, err := h.replay(info, journal, ckpts)
	if err != nil {
		return nil, false, errors.Join(err, journal.Close())
	}
	s := r.store
	db = newDatabase(h, info, s, journal)
	db.dir, db.secret = dir, secret
	db.ckpt.open(ckpts, r)
	db.meter.replay = r.took
	db.log, err = openModuleLog(h.opts.FS, filepath.Join(dir, logsDir), db.services.Now(), db.logger)
	if err != nil {
		return nil, false, errors.Join(err, journal.Close())
	}
	return db, s.NextOffset() == 0, nil
}

// secret returns the replica's secret, made when it is first needed.
func (h *Host) secret(dir string) (key [secretSize]byte, err error) {
	name := filepath.Join(dir, secretFile)
	b, err := vfs.ReadFile(h.opts.FS, name)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := io.ReadFull(h.opts.Rand, key[:]); err != nil {
			return key, fmt.Errorf("host: randomness for a secret: %w", err)
		}
		return key, vfs.WriteFileAtomic(h.opts.FS, name, key[:])
	}
	if err != nil {
		return key, err
	}
	if len(b) != secretSize {
		return key, fmt.Errorf("host: %s has %d bytes; want %d. If it is lost, delete it: a new one is made, and modules get other random numbers", name, len(b), secretSize)
	}
	return [secretSize]byte(b), nil
}

// newestLog returns the last lines of the newest log file of a directory.
func newestLog(fsys vfs.FS, dir string, tail int) ([]byte, error) {
	entries, err := fsys.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	for _, e := range slices.Backward(entries) {
		day, ok := strings.CutSuffix(e.Name(), logSuffix)
		if !ok {
			day, ok = strings.CutSuffix(e.Name(), fullSuffix)
		}
		if !e.IsDir() && ok {
			return readLog(fsys, logFile(dir, day), tail)
		}
	}
	return nil, nil
}
