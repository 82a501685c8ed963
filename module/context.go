package module

import (
	"encoding/binary"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/stdbgo/spacetime/internal/guest"
	"github.com/stdbgo/spacetime/sats"
)

// A Context is one call of a reducer or view, or one transaction of a procedure: who calls, when, and the transaction that
// tables work in. It is good until the function returns that was given it, and belongs to the goroutine that this runs on; used
// later it panics.
type Context struct {
	// Sender is who calls: a client, or the database itself for scheduled reducers.
	Sender Identity
	// ConnectionID is the caller's connection; zero for calls from inside the database.
	ConnectionID ConnectionID
	// Timestamp is when the call began. No two calls of a database have the same.
	Timestamp Timestamp
	// Rand is a source of random numbers that depend on Timestamp and Sender alone: good for games, not for secrets,
	// for which there is crypto/rand.
	Rand *rand.Rand

	in *instance // nil once the call is over
}

// use returns the instance of a call if the context is alive and the table belongs to its module.
func (c *Context) use(d *tableDef, op string) *instance {
	if c == nil || c.in == nil || c.in.reg != d.reg {
		c.misuse(d, op)
	}
	return c.in
}

func (c *Context) misuse(d *tableDef, op string) {
	what := "module: " + op + " on table " + d.name + ": "
	switch {
	case c == nil:
		panic(what + "the context is nil; pass on the one that the reducer was given")
	case c.in == nil:
		panic(what + "the call that the context belongs to is over; a context must not be kept")
	default:
		panic(what + "the table belongs to another module than the context")
	}
}

func (c *Context) alive(op string) *instance {
	if c == nil || c.in == nil {
		panic("module: " + op + ": the call that the context belongs to is over; a context must not be kept")
	}
	return c.in
}

// Log returns the logger of the module, which adds file and line. What it is given stays even if the transaction is
// undone.
func (c *Context) Log() *slog.Logger { return c.alive("Log").logger }

// Database returns the identity of the database, which is the sender of scheduled reducers.
func (c *Context) Database() (id Identity) {
	c.alive("Database").host.Identity((*[32]byte)(&id))
	return id
}

// Claims returns the claims of the caller's token, JSON text, or nil if there are none, as for calls from inside the database and
// in views.
func (c *Context) Claims() []byte {
	in := c.alive("Claims")
	if c.ConnectionID == (ConnectionID{}) {
		return in.jwt
	}
	claims, e := in.host.JWT((*[16]byte)(&c.ConnectionID))
	if e != guest.OK {
		panic("module: Claims: there is no open transaction")
	}
	return claims
}

// After makes a row of a scheduled table fire once, d after the call began.
func (c *Context) After(d time.Duration) ScheduleAt {
	return At(c.Timestamp + Timestamp(sats.TimeDurationOf(d)))
}

// A randomSource seeds itself when the first number of a call is drawn.
type randomSource struct {
	pcg            rand.PCG
	seed, sequence uint64
	seeded         bool
}

func (s *randomSource) call(c *guest.Call) {
	s.seed, s.sequence = uint64(c.Timestamp), binary.LittleEndian.Uint64(c.Sender[:])
	s.seeded = false
}

// Uint64 implements rand.Source.
func (s *randomSource) Uint64() uint64 {
	if !s.seeded {
		s.pcg.Seed(s.seed, s.sequence)
		s.seeded = true
	}
	return s.pcg.Uint64()
}
