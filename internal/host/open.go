package host

import (
	"context"
	"encoding/binary"
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
	db, fresh, err := h.recover(info)
	if err != nil {
		return nil, errors.Join(err, p.Close())
	}
	if !fresh {
		err = errors.Join(fmt.Errorf("host: replica %d exists already", info.Replica), db.close(false))
	} else if err = db.start(info.Kind, p, program, true); err != nil {
		err = errors.Join(err, db.close(false), h.remove(db))
	}
	if err != nil {
		return nil, errors.Join(err, p.Close()) // after its instances
	}
	return db, nil
}

// remove deletes the files of a database whose creation failed.
func (h *Host) remove(db *Database) error {
	if db.dir == "" {
		return nil
	}
	return h.opts.FS.RemoveAll(db.dir)
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
	m, err := newModule(kind, p, db.services)
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
	v := db.store.View()
	defer v.Close()
	db.sched.restart(v)
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
	ckpts, err := commitlog.OpenCheckpoints(h.opts.FS, filepath.Join(dir, checkpointsDir), h.opts.Logger)
	if err != nil {
		return nil, false, err
	}
	journal, err := commitlog.Open(h.commitlogOptions(dir))
	if err != nil {
		return nil, false, err
	}
	s, from, err := h.replay(info, journal, ckpts)
	if err != nil {
		return nil, false, errors.Join(err, journal.Close())
	}
	db = newDatabase(h, info, s, journal)
	db.dir, db.secret = dir, secret
	db.ckpt.open(ckpts, s.NextOffset()-from)
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

// replay builds the store from the newest checkpoint and the log. from is the
// offset at which the log took over.
func (h *Host) replay(info DatabaseInfo, journal *commitlog.Log, ckpts *commitlog.Checkpoints) (s *store.Store, from uint64, err error) {
	var seed [8]byte
	if _, err := io.ReadFull(h.opts.Rand, seed[:]); err != nil {
		return nil, 0, fmt.Errorf("host: randomness for hash tables: %w", err)
	}
	s = store.New(store.Options{DatabaseID: info.Identity, HashSeed: binary.LittleEndian.Uint64(seed[:])})
	off, ok, err := ckpts.Newest(journal.Next())
	if err != nil {
		return nil, 0, err
	}
	if ok {
		if err := loadCheckpoint(s, ckpts, off); err != nil {
			return nil, 0, err
		}
		from = uint64(off)
	}
	if first := journal.First(); uint64(first) > from {
		return nil, 0, fmt.Errorf("host: replica %d: no checkpoint leads to transaction %d, where the log begins", info.Replica, first)
	}
	err = journal.Replay(commitlog.Offset(from), func(off commitlog.Offset, data []byte) (int, error) {
		return s.ReplayRecord(uint64(off), data)
	})
	if err != nil {
		return nil, 0, fmt.Errorf("host: replica %d: %w", info.Replica, err)
	}
	if err := s.FinishReplay(); err != nil {
		return nil, 0, fmt.Errorf("host: replica %d: %w", info.Replica, err)
	}
	if got, want := s.NextOffset(), uint64(journal.Next()); got != want {
		return nil, 0, fmt.Errorf("host: replica %d: replay ended at transaction %d, the log at %d", info.Replica, got, want)
	}
	return s, from, nil
}

func loadCheckpoint(s *store.Store, ckpts *commitlog.Checkpoints, off commitlog.Offset) error {
	r, err := ckpts.Open(off)
	if err != nil {
		return err
	}
	err = s.LoadSnapshot(r)
	if err == nil && s.NextOffset() != uint64(off) {
		err = fmt.Errorf("it holds the transactions before %d", s.NextOffset())
	}
	if err = errors.Join(err, r.Close()); err != nil {
		return fmt.Errorf("host: checkpoint %d: %w", off, err)
	}
	return nil
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
