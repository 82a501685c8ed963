package control

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"slices"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/stdbgo/spacetime/sats"
)

// openStore opens the key-value store. It trusts its file: a damaged page makes it
// panic, read outside of the file or run in circles. So the pages are checked
// before, and the records after.
func openStore(path string, o *bbolt.Options) (*bbolt.DB, error) {
	file, err := os.ReadFile(path)
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("control: %w", err)
	case len(file) > 0:
		if err := checkPages(file); err != nil {
			return nil, damaged(path, err)
		}
	}
	store, err := bbolt.Open(path, 0o600, o)
	var refused *fs.PathError
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, fmt.Errorf("control: %s is open in another process; stop that server first", path)
	case errors.As(err, &refused):
		return nil, fmt.Errorf("control: %w", err)
	case err != nil:
		return nil, damaged(path, err)
	}
	if err := store.View(checkRecords); err != nil {
		return nil, errors.Join(damaged(path, err), store.Close())
	}
	return store, nil
}

func damaged(path string, why error) error {
	return fmt.Errorf("control: %s is damaged: %w; restore the data directory from a copy", path, why)
}

// A summed is the record of a database as it is stored: with a checksum, which
// records of older versions do not have.
type summed struct {
	Database
	Sum *uint32 `json:"crc32c,omitempty"`
}

// sumOf is the checksum of a record's fields.
func sumOf(rec Database) *uint32 {
	sum := crc32.Checksum(fmt.Appendf(nil, "%d %x %x %s %x %d", rec.ID, rec.Identity, rec.Owner, rec.Kind, rec.InitialProgram, rec.Replica),
		crc32.MakeTable(crc32.Castagnoli))
	return &sum
}

// checkRecords reads everything and compares what is written down twice. The pages
// have no checksums, and what a start removes as litter must not be what a rotten
// bit made so.
func checkRecords(tx *bbolt.Tx) error {
	found := 0
	err := tx.ForEach(func(name []byte, b *bbolt.Bucket) error {
		if found++; b == nil || !slices.ContainsFunc(buckets, func(known []byte) bool { return bytes.Equal(known, name) }) {
			return fmt.Errorf("it holds %q, which is not known", name)
		}
		return nil
	})
	if err != nil || found == 0 {
		return err // an empty one is filled in a moment
	}
	if found != len(buckets) {
		return fmt.Errorf("it has %d of %d buckets", found, len(buckets))
	}
	for _, check := range []func(*bbolt.Tx) error{checkDatabases, checkNames, checkLitter} {
		if err := check(tx); err != nil {
			return err
		}
	}
	return nil
}

func checkDatabases(tx *bbolt.Tx) error {
	meta, byIdentity := tx.Bucket(bucketMeta), tx.Bucket(bucketByIdentity)
	replicas := map[uint64]bool{}
	err := tx.Bucket(bucketDatabases).ForEach(func(key, value []byte) error {
		var rec summed
		if err := json.Unmarshal(value, &rec); err != nil {
			return fmt.Errorf("the record of database %x: %w", key, err)
		}
		switch {
		case !bytes.Equal(idKey(rec.ID), key):
			return fmt.Errorf("the record of database %x is that of %d", key, rec.ID)
		case rec.Sum != nil && *rec.Sum != *sumOf(rec.Database):
			return fmt.Errorf("the record of database %d: checksum differs", rec.ID)
		case !bytes.Equal(byIdentity.Get(identityKey(rec.Identity)), key):
			return fmt.Errorf("database %s is not found by its identity", rec.Identity)
		case replicas[rec.Replica]:
			return fmt.Errorf("replica %d belongs to two databases", rec.Replica)
		case rec.Replica > meta.Sequence():
			return fmt.Errorf("replica %d has a number that was never given", rec.Replica)
		}
		replicas[rec.Replica] = true
		return nil
	})
	if err != nil {
		return err
	}
	if n := byIdentity.Stats().KeyN; n != len(replicas) {
		return fmt.Errorf("it has %d identities for %d databases", n, len(replicas))
	}
	return tx.Bucket(bucketLocks).ForEach(func(key, _ []byte) error {
		if byIdentity.Get(key) == nil {
			return fmt.Errorf("the lock of %x belongs to no database", key)
		}
		return nil
	})
}

// checkNames compares the names of each identity with the identity of each name.
func checkNames(tx *bbolt.Tx) error {
	dns, tlds, n := tx.Bucket(bucketDNS), tx.Bucket(bucketTLDs), 0
	err := tx.Bucket(bucketReverse).ForEach(func(key, value []byte) error {
		var names []string
		if err := json.Unmarshal(value, &names); err != nil {
			return fmt.Errorf("the names of %x: %w", key, err)
		}
		for _, name := range names {
			if !bytes.Equal(dns.Get(domainKey(name)), key) || len(tlds.Get(tldKey(name))) != len(sats.Identity{}) {
				return fmt.Errorf("the name %q does not lead to its database", name)
			}
			n++
		}
		return nil
	})
	if have := dns.Stats().KeyN; err == nil && have != n {
		return fmt.Errorf("it has %d names, and databases have %d", have, n)
	}
	return err
}

// checkLitter makes sure that nothing belongs to a database that is to be removed.
func checkLitter(tx *bbolt.Tx) error {
	litter := tx.Bucket(bucketLitter)
	err := litter.ForEach(func(key, _ []byte) error {
		replica, program := len(key) == 9 && key[0] == litterReplica, len(key) == 33 && key[0] == litterProgram
		if !replica && !program || replica && binary.BigEndian.Uint64(key[1:]) > tx.Bucket(bucketMeta).Sequence() {
			return fmt.Errorf("%x is no replica and no program", key)
		}
		return nil
	})
	if err != nil {
		return err
	}
	c := litter.Cursor()
	has := func(key []byte) bool { found, _ := c.Seek(key); return bytes.Equal(found, key) }
	return tx.Bucket(bucketDatabases).ForEach(func(_, value []byte) error {
		var rec Database
		if err := json.Unmarshal(value, &rec); err != nil {
			return err
		}
		if has(replicaKey(rec.Replica)) || has(programKey(sats.Hash(rec.InitialProgram))) {
			return fmt.Errorf("what belongs to database %d is to be removed", rec.ID)
		}
		return nil
	})
}
