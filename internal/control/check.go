package control

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"runtime/debug"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// The key-value store trusts its file: pages have no checksums, and a damaged one
// makes it panic or read outside of the file. So everything is read once at the
// opening, where a panic can be made an error.

// openStore opens the key-value store and reads all of it.
func openStore(path string, o *bbolt.Options) (store *bbolt.DB, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			// Closing would wait for what the panic has left locked.
			store, err = nil, damaged(path, fmt.Errorf("%v", p))
		}
	}()
	store, err = bbolt.Open(path, 0o600, o)
	var refused *fs.PathError
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, fmt.Errorf("control: %s is open in another process; stop that server first", path)
	case errors.As(err, &refused):
		return nil, fmt.Errorf("control: %w", err)
	case err != nil:
		return nil, damaged(path, err)
	}
	if err := store.View(check); err != nil {
		_ = store.Close()
		return nil, damaged(path, err)
	}
	return store, nil
}

func damaged(path string, why error) error {
	return fmt.Errorf("control: %s is damaged: %w; restore the data directory from a copy", path, why)
}

// check reads every key and value, and understands every record of a database.
func check(tx *bbolt.Tx) error {
	if err := tx.ForEach(func(_ []byte, b *bbolt.Bucket) error { return readAll(b) }); err != nil {
		return err
	}
	if b := tx.Bucket(bucketDatabases); b != nil {
		if err := b.ForEach(checkRecord); err != nil {
			return err
		}
	}
	var first error
	for err := range tx.Check() { // to its end, or its goroutine stays
		if first == nil {
			first = err
		}
	}
	return first
}

func readAll(b *bbolt.Bucket) error {
	sum := byte(0)
	err := b.ForEach(func(k, v []byte) error {
		for _, part := range [][]byte{k, v} {
			for _, c := range part {
				sum ^= c
			}
		}
		return nil
	})
	_ = sum // reading is the point
	return err
}

func checkRecord(key, value []byte) error {
	var rec Database
	if err := json.Unmarshal(value, &rec); err != nil {
		return fmt.Errorf("the record of database %x: %w", key, err)
	}
	if string(idKey(rec.ID)) != string(key) {
		return fmt.Errorf("the record of database %x is that of %d", key, rec.ID)
	}
	return nil
}
