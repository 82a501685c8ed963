package control

import (
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"path/filepath"

	"go.etcd.io/bbolt"

	"github.com/stdbgo/spacetime/internal/vfs"
	"github.com/stdbgo/spacetime/sats"
)

// Program returns a stored program. A file that does not have the hash it is
// stored under is an error.
func (d *DB) Program(hash sats.Hash) ([]byte, error) {
	path := d.programPath(hash)
	program, err := vfs.ReadFile(d.fs, path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("control: program %s is not stored here: %w", hash, err)
	case err != nil:
		return nil, fmt.Errorf("control: program %s: %w", hash, err)
	case d.hash(program) != hash:
		return nil, fmt.Errorf("control: %s is damaged: its content does not have the hash of its name", path)
	}
	return program, nil
}

// programPath is program-bytes/<2 hex>/<62 hex>.
func (d *DB) programPath(hash sats.Hash) string {
	text := hash.String()
	return filepath.Join(d.programs, text[:2], text[2:])
}

// Bounds of a balance: a signed 128-bit integer.
var (
	maxBalance = new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 127), big.NewInt(1))
	minBalance = new(big.Int).Neg(new(big.Int).Lsh(big.NewInt(1), 127))
)

// Energy returns the balance of an identity, zero if it has none.
func (d *DB) Energy(identity sats.Identity) (balance *big.Int, err error) {
	err = d.bolt.View(func(tx *bbolt.Tx) error {
		balance, err = energy(tx, identity)
		return err
	})
	return balance, wrap(err)
}

// AddEnergy adds to a balance, which stays within 128 bits, and returns it.
func (d *DB) AddEnergy(identity sats.Identity, amount *big.Int) (balance *big.Int, err error) {
	err = d.update(func(tx *bbolt.Tx) error {
		if balance, err = energy(tx, identity); err != nil {
			return err
		}
		balance.Add(balance, amount)
		if balance.Cmp(maxBalance) > 0 {
			balance.Set(maxBalance)
		}
		if balance.Cmp(minBalance) < 0 {
			balance.Set(minBalance)
		}
		return tx.Bucket(bucketEnergy).Put(identityKey(identity), []byte(balance.String()))
	})
	return balance, err
}

func energy(tx *bbolt.Tx, identity sats.Identity) (*big.Int, error) {
	v := tx.Bucket(bucketEnergy).Get(identityKey(identity))
	if v == nil {
		return new(big.Int), nil
	}
	balance, ok := new(big.Int).SetString(string(v), 10)
	if !ok {
		return nil, fmt.Errorf("balance of %s is damaged: %q", identity, v)
	}
	return balance, nil
}
