package host

import (
	"crypto/hmac"
	"crypto/sha256"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/sats"
)

// services is what a database offers to the instances of its module.
type services struct{ db *Database }

var _ abi.Services = (*services)(nil)

func (s *services) DatabaseIdentity() sats.Identity { return s.db.info.Identity }

func (s *services) Now() sats.Timestamp { return timestamp(s.db.host.opts.Clock) }

func (s *services) Log(rec abi.LogRecord) { s.db.log.write(rec) }

func (s *services) ScheduleImmediate(fn string, args []byte) {
	if !s.db.sched.immediate(fn, args) {
		abi.Fault("more than %d immediate calls are waiting", maxImmediate)
	}
}

func (s *services) Seed(message []byte) (key [32]byte) {
	h := hmac.New(sha256.New, s.db.secret[:])
	h.Write(message)
	h.Sum(key[:0])
	return key
}

func (s *services) JWT(tx *store.Tx, conn sats.ConnectionID) ([]byte, bool) {
	ix := tx.Table(schema.StConnectionCredentials).UniqueIndexOn(0)
	row, ok := tx.FindUnique(ix.ID, conn[:])
	if !ok {
		return nil, false
	}
	var c schema.StConnectionCredentialsRow
	if c.Decode(row) != nil {
		return nil, false
	}
	return []byte(c.JWTPayload), true
}

// Env finds nothing: which variables there are depends on the module, hence [moduleServices] answers for its instances.
func (s *services) Env(*store.Tx, string, string) ([]byte, bool, bool) { return nil, false, false }
