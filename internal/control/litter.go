package control

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sync"

	"go.etcd.io/bbolt"

	"github.com/stdbgo/spacetime/internal/vfs"
	"github.com/stdbgo/spacetime/sats"
)

// Litter is what may lie on disk without belonging to a database: replicas and
// programs of publishes that are under way, that failed or that a crash cut short,
// and of databases that were deleted or reset. It is written down before anything
// is on disk and crossed out in the transaction that makes it belong to a
// database, so that at any moment everything on disk is either recorded or litter.
//
// Keys of the bucket: 'r' and a replica's id, big-endian; 'p' and a program's hash.
const (
	litterReplica = 'r'
	litterProgram = 'p'
)

func replicaKey(id uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{litterReplica}, id)
}
func programKey(hash sats.Hash) []byte { return append([]byte{litterProgram}, hash[:]...) }

// claim crosses out what belongs to a database from now on.
func claim(tx *bbolt.Tx, rec Database) error {
	b := tx.Bucket(bucketLitter)
	return errors.Join(b.Delete(replicaKey(rec.Replica)), b.Delete(programKey(sats.Hash(rec.InitialProgram))))
}

// abandon makes litter of what a database had that it has no more.
func abandon(tx *bbolt.Tx, old Database) error {
	b := tx.Bucket(bucketLitter)
	if err := b.Put(replicaKey(old.Replica), nil); err != nil {
		return err
	}
	if used, err := isUsed(tx, old.InitialProgram); err != nil || used {
		return err
	}
	return b.Put(programKey(sats.Hash(old.InitialProgram)), nil)
}

// isUsed reports whether a program is the initial one of a database.
func isUsed(tx *bbolt.Tx, program Hash) (used bool, err error) {
	err = tx.Bucket(bucketDatabases).ForEach(func(_, v []byte) error {
		var rec Database
		err := json.Unmarshal(v, &rec)
		used = used || rec.InitialProgram == program
		return err
	})
	return used, err
}

// NextReplica gives an id for a replica, which is litter until Insert or Replace
// makes it that of a database.
func (d *DB) NextReplica() (id uint64, err error) {
	err = d.update(func(tx *bbolt.Tx) error {
		if id, err = tx.Bucket(bucketMeta).NextSequence(); err != nil {
			return err
		}
		return tx.Bucket(bucketLitter).Put(replicaKey(id), nil)
	})
	return id, err
}

// Litter returns the replicas that belong to no database. Those of publishes under
// way are among them.
func (d *DB) Litter() (replicas []uint64, err error) {
	err = d.bolt.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketLitter).ForEach(func(k, _ []byte) error {
			if len(k) == 9 && k[0] == litterReplica {
				replicas = append(replicas, binary.BigEndian.Uint64(k[1:]))
			}
			return nil
		})
	})
	return replicas, wrap(err)
}

// Swept says that nothing of a replica is left on disk.
func (d *DB) Swept(replica uint64) error {
	return d.update(func(tx *bbolt.Tx) error { return tx.Bucket(bucketLitter).Delete(replicaKey(replica)) })
}

// programsInUse counts the publishes under way by program. The lock is held while
// programs are written and removed.
type programsInUse struct {
	sync.Mutex
	count map[sats.Hash]int
}

// PutProgram stores a program and returns its hash. It stays until ReleaseProgram
// is called, and after that as long as it is the initial program of a database.
// Storing one again costs little and repairs a file that was damaged.
func (d *DB) PutProgram(program []byte) (sats.Hash, error) {
	hash := d.hash(program)
	d.inUse.Lock()
	defer d.inUse.Unlock()
	err := d.update(func(tx *bbolt.Tx) error {
		if used, err := isUsed(tx, Hash(hash)); err != nil || used {
			return err
		}
		return tx.Bucket(bucketLitter).Put(programKey(hash), nil)
	})
	if err == nil {
		err = d.writeProgram(hash, program)
	}
	if err != nil {
		return hash, fmt.Errorf("control: store program %s: %w", hash, err)
	}
	d.inUse.count[hash]++
	return hash, nil
}

func (d *DB) writeProgram(hash sats.Hash, program []byte) error {
	path := d.programPath(hash)
	if _, err := d.Program(hash); err == nil {
		return d.fs.SyncDir(filepath.Dir(path)) // who wrote it may have died before doing so
	}
	if err := d.fs.MkdirAll(filepath.Dir(path)); err != nil {
		return err
	}
	return vfs.WriteFileAtomic(d.fs, path, program)
}

// ReleaseProgram ends a publish that called PutProgram, and removes programs that
// belong to no database.
func (d *DB) ReleaseProgram(hash sats.Hash) error {
	d.inUse.Lock()
	if d.inUse.count[hash]--; d.inUse.count[hash] <= 0 {
		delete(d.inUse.count, hash)
	}
	d.inUse.Unlock()
	return d.SweepPrograms()
}

// SweepPrograms removes the files of programs that are litter and that no publish
// under way needs.
func (d *DB) SweepPrograms() error {
	d.inUse.Lock()
	defer d.inUse.Unlock()
	var litter []sats.Hash
	err := d.bolt.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketLitter).ForEach(func(k, _ []byte) error {
			if len(k) == 1+len(sats.Hash{}) && k[0] == litterProgram {
				litter = append(litter, sats.Hash(k[1:]))
			}
			return nil
		})
	})
	for _, hash := range litter {
		if err == nil && d.inUse.count[hash] == 0 {
			err = d.removeProgram(hash)
		}
	}
	return wrap(err)
}

func (d *DB) removeProgram(hash sats.Hash) error {
	path := d.programPath(hash)
	for _, name := range []string{path, path + vfs.TempSuffix} {
		if err := d.fs.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	// The directory may hold others, and then it stays.
	_ = d.fs.Remove(filepath.Dir(path))
	if err := d.fs.SyncDir(d.programs); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return d.update(func(tx *bbolt.Tx) error { return tx.Bucket(bucketLitter).Delete(programKey(hash)) })
}
