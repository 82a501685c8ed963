package control

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
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

// checkRecords reads the record of every database.
func checkRecords(tx *bbolt.Tx) error {
	b := tx.Bucket(bucketDatabases)
	if b == nil {
		return nil // it is made in a moment
	}
	return b.ForEach(func(key, value []byte) error {
		var rec Database
		if err := json.Unmarshal(value, &rec); err != nil {
			return fmt.Errorf("the record of database %x: %w", key, err)
		}
		if string(idKey(rec.ID)) != string(key) {
			return fmt.Errorf("the record of database %x is that of %d", key, rec.ID)
		}
		return nil
	})
}
