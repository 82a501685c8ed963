package control

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"go.etcd.io/bbolt"

	"github.com/stdbgo/spacetime/sats"
)

// A TakenError refuses a name that is in the registry already.
type TakenError struct{ Name string }

func (e *TakenError) Error() string {
	return fmt.Sprintf("record with the name %s already exists", e.Name)
}

// A PermissionError refuses a name whose first segment belongs to another identity.
type PermissionError struct{ Name string }

func (e *PermissionError) Error() string {
	return fmt.Sprintf("the name %s belongs to another identity", e.Name)
}

// MaxNames is how many names a database may have. Anybody may give it some, and with each
// the list of all is written.
const MaxNames = 1000

// ErrManyNames refuses a name beyond MaxNames.
var ErrManyNames = fmt.Errorf("a database has at most %d names", MaxNames)

// Lookup finds the identity that a name leads to. There need not be a database.
func (d *DB) Lookup(name string) (id sats.Identity, found bool, err error) {
	err = d.bolt.View(func(tx *bbolt.Tx) error {
		id = lookup(tx, name)
		found = tx.Bucket(bucketDNS).Get(domainKey(name)) != nil
		return nil
	})
	return id, found, wrap(err)
}

// Names returns the names of a database in order of insertion, never nil.
func (d *DB) Names(identity sats.Identity) (names []string, err error) {
	err = d.bolt.View(func(tx *bbolt.Tx) error {
		names, err = namesOf(tx, identity)
		return err
	})
	return names, wrap(err)
}

// NameOwner returns the identity that the first segment of a name is registered to.
func (d *DB) NameOwner(name string) (owner sats.Identity, found bool, err error) {
	err = d.bolt.View(func(tx *bbolt.Tx) error {
		v := tx.Bucket(bucketTLDs).Get(tldKey(name))
		owner, found = identityOf(v), v != nil
		return nil
	})
	return owner, found, wrap(err)
}

// InsertName adds a name to a database. The first segment of the name must be
// free or belong to the caller, and is registered to the caller
// (*[PermissionError]); the name must be free (*[TakenError], checked first).
// ErrManyNames: there is no room for it.
func (d *DB) InsertName(name string, identity, caller sats.Identity) error {
	return d.update(func(tx *bbolt.Tx) error { return insertName(tx, name, identity, caller) })
}

// ReplaceNames gives a database these names instead of all it had. The first
// segments of the old names and of the new ones must be free or belong to the
// owner. The new names must be free even of this database. A name given twice
// counts once.
func (d *DB) ReplaceNames(identity, owner sats.Identity, names []string) error {
	if names = distinct(names); len(names) > MaxNames {
		return ErrManyNames
	}
	return d.update(func(tx *bbolt.Tx) error {
		old, err := namesOf(tx, identity)
		if err != nil {
			return err
		}
		for _, name := range names {
			if tx.Bucket(bucketDNS).Get(domainKey(name)) != nil {
				return &TakenError{Name: name}
			}
		}
		for _, name := range slices.Concat(old, names) {
			if v := tx.Bucket(bucketTLDs).Get(tldKey(name)); v != nil && identityOf(v) != owner {
				return &PermissionError{Name: name}
			}
		}
		for _, name := range old {
			if err := tx.Bucket(bucketDNS).Delete(domainKey(name)); err != nil {
				return err
			}
		}
		if err := tx.Bucket(bucketReverse).Delete(identityKey(identity)); err != nil {
			return err
		}
		for _, name := range names {
			if err := insertName(tx, name, identity, owner); err != nil {
				return err
			}
		}
		return nil
	})
}

// distinct drops repetitions.
func distinct(names []string) (list []string) {
	seen := make(map[string]bool, len(names))
	for _, name := range names {
		if !seen[name] {
			seen[name] = true
			list = append(list, name)
		}
	}
	return list
}

func insertName(tx *bbolt.Tx, name string, identity, caller sats.Identity) error {
	if tx.Bucket(bucketDNS).Get(domainKey(name)) != nil {
		return &TakenError{Name: name}
	}
	names, err := namesOf(tx, identity)
	if err != nil {
		return err
	}
	if len(names) >= MaxNames {
		return ErrManyNames
	}
	tlds := tx.Bucket(bucketTLDs)
	switch v := tlds.Get(tldKey(name)); {
	case v == nil:
		if err := tlds.Put(tldKey(name), identityKey(caller)); err != nil {
			return err
		}
	case identityOf(v) != caller:
		return &PermissionError{Name: name}
	}
	if err := tx.Bucket(bucketDNS).Put(domainKey(name), identityKey(identity)); err != nil {
		return err
	}
	b, err := json.Marshal(append(names, name))
	if err != nil {
		return err
	}
	return tx.Bucket(bucketReverse).Put(identityKey(identity), b)
}

func namesOf(tx *bbolt.Tx, identity sats.Identity) ([]string, error) {
	names := []string{}
	v := tx.Bucket(bucketReverse).Get(identityKey(identity))
	if v == nil {
		return names, nil
	}
	return names, json.Unmarshal(v, &names)
}

// lookup is the identity of a name, zero if there is none.
func lookup(tx *bbolt.Tx, name string) sats.Identity {
	return identityOf(tx.Bucket(bucketDNS).Get(domainKey(name)))
}

func domainKey(name string) []byte { return []byte(strings.ToLower(name)) }

func tldKey(name string) []byte {
	tld, _, _ := strings.Cut(name, "/")
	return domainKey(tld)
}
