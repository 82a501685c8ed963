// Package control keeps what must be known while a database is closed: which
// databases there are, who owns them, their names and locks, the ids of their
// replicas, and the program each was created with (spec 06 §6).
//
// It owns `<data>/control-db` (an embedded key-value store) and
// `<data>/program-bytes`. Promise: every change is one transaction, durable when
// the method returns, and after a crash it is there whole or not at all; an id
// is never given out twice. It does not know what a database contains, whether
// it runs, or who may do what beyond the ownership of names.
//
// All methods may be called concurrently.
package control

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"

	"github.com/stdbgo/spacetime/internal/vfs"
	"github.com/stdbgo/spacetime/sats"
)

// format is the version of the layout below; another one is refused.
const format = 1

// Buckets. Identities as keys are big-endian, so that their order is that of
// their text; ids are big-endian as well.
var (
	bucketMeta       = []byte("meta")        // "format" → decimal text; its sequence is the id generator
	bucketDatabases  = []byte("databases")   // id → JSON of Database
	bucketByIdentity = []byte("by_identity") // identity → id
	bucketDNS        = []byte("dns")         // domain, lower case → identity
	bucketReverse    = []byte("reverse_dns") // identity → JSON array of domains, in order of insertion
	bucketTLDs       = []byte("tlds")        // first segment of a domain, lower case → identity of its owner
	bucketLocks      = []byte("locks")       // identity → nothing; present: locked
	bucketLitter     = []byte("litter")      // what may lie on disk without belonging to a database; see litter.go
	bucketEnergy     = []byte("energy")      // identity → decimal text

	keyFormat = []byte("format")

	buckets = [][]byte{bucketMeta, bucketDatabases, bucketByIdentity, bucketDNS, bucketReverse, bucketTLDs, bucketLocks, bucketLitter, bucketEnergy}
)

// ErrNoDatabase means that there is no record of a database with this identity.
var ErrNoDatabase = errors.New("no such database")

// Kind says what a program is written in, in the words of the HTTP interface.
type Kind string

// The kinds of programs.
const (
	Wasm Kind = "Wasm"
	JS   Kind = "Js"
)

// A Database is the record of one database.
type Database struct {
	ID             uint64        `json:"id"`
	Identity       sats.Identity `json:"identity"`
	Owner          sats.Identity `json:"owner"`
	Kind           Kind          `json:"kind"` // of InitialProgram
	InitialProgram Hash          `json:"initial_program"`
	Replica        uint64        `json:"replica"` // names the directory of its data
}

// A Hash is a program hash whose text in JSON is the plain digest.
type Hash sats.Hash

// MarshalText gives 64 hex digits.
func (h Hash) MarshalText() ([]byte, error) { return []byte(sats.Hash(h).String()), nil }

// UnmarshalText reads 64 hex digits.
func (h *Hash) UnmarshalText(b []byte) error {
	v, err := sats.ParseHash(string(b))
	*h = Hash(v)
	return err
}

// Options of Open; all are required.
type Options struct {
	Dir  string // the data directory
	FS   vfs.FS // for the programs; the key-value store opens its own file
	Hash func(program []byte) sats.Hash
}

// A DB is an open control database.
type DB struct {
	bolt     *bbolt.DB
	fs       vfs.FS
	programs string
	hash     func([]byte) sats.Hash
	inUse    programsInUse
}

// Open opens the control database of a data directory, creating it if there is
// none. Another process that has it open is an error.
func Open(o Options) (*DB, error) {
	dir := filepath.Join(o.Dir, "control-db")
	d := &DB{fs: o.FS, programs: filepath.Join(o.Dir, "program-bytes"), hash: o.Hash}
	d.inUse.count = map[sats.Hash]int{}
	if err := (vfs.OS{}).MkdirAll(dir); err != nil {
		return nil, fmt.Errorf("control: %w", err)
	}
	path := filepath.Join(dir, "control.db")
	var err error
	if d.bolt, err = openStore(path, &bbolt.Options{Timeout: time.Second}); err != nil {
		return nil, err
	}
	if err := d.bolt.Update(d.prepare); err != nil {
		return nil, errors.Join(fmt.Errorf("control: %s: %w", path, err), d.bolt.Close())
	}
	err = vfs.OS{}.SyncDir(dir)
	if err == nil {
		err = d.SweepPrograms()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("control: %w", err), d.bolt.Close())
	}
	return d, nil
}

// Read opens a control database that no server has open, for reading only. One that
// is not there is an error that wraps [fs.ErrNotExist].
func Read(o Options) (*DB, error) {
	path := filepath.Join(o.Dir, "control-db", "control.db")
	if _, err := o.FS.Stat(path); err != nil {
		return nil, fmt.Errorf("control: %w", err)
	}
	bolt, err := openStore(path, &bbolt.Options{Timeout: time.Second, ReadOnly: true})
	if err != nil {
		return nil, err
	}
	d := &DB{bolt: bolt, fs: o.FS, programs: filepath.Join(o.Dir, "program-bytes"), hash: o.Hash}
	err = bolt.View(func(tx *bbolt.Tx) error {
		if b := tx.Bucket(bucketMeta); b == nil || string(b.Get(keyFormat)) != fmt.Sprint(format) {
			return errors.New("another version wrote it")
		}
		return nil
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("control: %s: %w", path, err), bolt.Close())
	}
	return d, nil
}

func (d *DB) prepare(tx *bbolt.Tx) error {
	for _, name := range buckets {
		if _, err := tx.CreateBucketIfNotExists(name); err != nil {
			return err
		}
	}
	meta, want := tx.Bucket(bucketMeta), fmt.Sprint(format)
	switch have := string(meta.Get(keyFormat)); have {
	case want:
		return nil
	case "":
		return meta.Put(keyFormat, []byte(want))
	default:
		return fmt.Errorf("format %s was written by another version; this one reads format %s", have, want)
	}
}

// Close closes the files.
func (d *DB) Close() error { return d.bolt.Close() }

// NextID gives an id that was never given before; see NextReplica for replicas.
func (d *DB) NextID() (id uint64, err error) {
	err = d.update(func(tx *bbolt.Tx) error {
		id, err = tx.Bucket(bucketMeta).NextSequence()
		return err
	})
	return id, err
}

// Database returns the record of a database, or ErrNoDatabase.
func (d *DB) Database(identity sats.Identity) (rec Database, err error) {
	err = d.bolt.View(func(tx *bbolt.Tx) error {
		rec, err = record(tx, identity)
		return err
	})
	return rec, wrap(err)
}

// Databases returns all records, oldest first.
func (d *DB) Databases() ([]Database, error) {
	var all []Database
	err := d.bolt.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketDatabases).ForEach(func(_, v []byte) error {
			var rec Database
			err := json.Unmarshal(v, &rec)
			all = append(all, rec)
			return err
		})
	})
	return all, wrap(err)
}

// Owned returns the identities of an owner's databases, oldest first.
func (d *DB) Owned(owner sats.Identity) ([]sats.Identity, error) {
	all, err := d.Databases()
	owned := []sats.Identity{}
	for _, rec := range all {
		if rec.Owner == owner {
			owned = append(owned, rec.Identity)
		}
	}
	return owned, err
}

// Insert records a new database. Its id comes from NextID, its replica from
// NextReplica, its program from PutProgram. With a
// name, the name is registered in the same transaction, as InsertName does for
// the owner; a name that leads to this very identity already is left as it is.
func (d *DB) Insert(rec Database, name string) error {
	return d.update(func(tx *bbolt.Tx) error {
		if tx.Bucket(bucketByIdentity).Get(identityKey(rec.Identity)) != nil {
			return fmt.Errorf("database %s exists already", rec.Identity)
		}
		if name != "" && lookup(tx, name) != rec.Identity {
			if err := insertName(tx, name, rec.Identity, rec.Owner); err != nil {
				return err
			}
		}
		if err := tx.Bucket(bucketByIdentity).Put(identityKey(rec.Identity), idKey(rec.ID)); err != nil {
			return err
		}
		if err := claim(tx, rec); err != nil {
			return err
		}
		return put(tx, rec)
	})
}

// Replace gives a database another replica and initial program, as a reset does.
// What it had is litter then.
func (d *DB) Replace(identity sats.Identity, replica uint64, kind Kind, program sats.Hash) error {
	return d.update(func(tx *bbolt.Tx) error {
		rec, err := record(tx, identity)
		if err != nil {
			return err
		}
		old := rec
		rec.Replica, rec.Kind, rec.InitialProgram = replica, kind, Hash(program)
		if err := put(tx, rec); err != nil {
			return err
		}
		return errors.Join(claim(tx, rec), abandon(tx, old))
	})
}

// Delete forgets a database and its lock. Names keep leading to its identity, and
// its replica and program become litter. A database that is not there is no error.
func (d *DB) Delete(identity sats.Identity) error {
	return d.update(func(tx *bbolt.Tx) error {
		key := identityKey(identity)
		id := tx.Bucket(bucketByIdentity).Get(key)
		if id == nil {
			return nil
		}
		rec, err := record(tx, identity)
		if err != nil {
			return err
		}
		if err := tx.Bucket(bucketDatabases).Delete(id); err != nil {
			return err
		}
		if err := abandon(tx, rec); err != nil {
			return err
		}
		if err := tx.Bucket(bucketLocks).Delete(key); err != nil {
			return err
		}
		return tx.Bucket(bucketByIdentity).Delete(key)
	})
}

// SetLocked locks or unlocks a database.
func (d *DB) SetLocked(identity sats.Identity, locked bool) error {
	return d.update(func(tx *bbolt.Tx) error {
		if _, err := record(tx, identity); err != nil {
			return err
		}
		if !locked {
			return tx.Bucket(bucketLocks).Delete(identityKey(identity))
		}
		return tx.Bucket(bucketLocks).Put(identityKey(identity), []byte{1})
	})
}

// Locked reports whether a database is locked.
func (d *DB) Locked(identity sats.Identity) (locked bool, err error) {
	err = d.bolt.View(func(tx *bbolt.Tx) error {
		locked = tx.Bucket(bucketLocks).Get(identityKey(identity)) != nil
		return nil
	})
	return locked, wrap(err)
}

// update makes a change, durably. The store falls back to the state before its last
// commit when the page that names the newest one is unreadable; after a second commit,
// of nothing, both pages name the same. The change stands even if that one fails.
func (d *DB) update(fn func(*bbolt.Tx) error) error {
	err := d.bolt.Update(fn)
	if err == nil {
		_ = d.bolt.Update(func(*bbolt.Tx) error { return nil })
	}
	return wrap(err)
}

// wrap names the room in errors that are not part of its interface.
func wrap(err error) error {
	var taken *TakenError
	var permission *PermissionError
	if err == nil || errors.Is(err, ErrNoDatabase) || errors.As(err, &taken) || errors.As(err, &permission) {
		return err
	}
	return fmt.Errorf("control: %w", err)
}

func record(tx *bbolt.Tx, identity sats.Identity) (rec Database, err error) {
	id := tx.Bucket(bucketByIdentity).Get(identityKey(identity))
	if id == nil {
		return rec, ErrNoDatabase
	}
	return rec, json.Unmarshal(tx.Bucket(bucketDatabases).Get(id), &rec)
}

func put(tx *bbolt.Tx, rec Database) error {
	b, err := json.Marshal(summed{rec, sumOf(rec)})
	if err != nil {
		return err
	}
	return tx.Bucket(bucketDatabases).Put(idKey(rec.ID), b)
}

func idKey(id uint64) []byte { return binary.BigEndian.AppendUint64(nil, id) }

// identityKey is the identity with its most significant byte first.
func identityKey(id sats.Identity) []byte {
	b := make([]byte, len(id))
	for i := range id {
		b[len(id)-1-i] = id[i]
	}
	return b
}

func identityOf(key []byte) (id sats.Identity) {
	for i := range key {
		id[len(id)-1-i] = key[i]
	}
	return id
}
