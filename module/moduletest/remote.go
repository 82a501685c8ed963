package moduletest

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/stdbgo/spacetime/internal/host"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/module"
	"github.com/stdbgo/spacetime/sats"
)

// Remote makes a reducer of another database: the outboxes of the module under test call fn in its place. What fn returns is
// the outcome that the function given to module.OnResult is told. A call for a database and a reducer without Remote is tried
// again until there is one: after 100 ms of the clock, then after twice the time, up to 30 s. The database under test itself,
// User("database"), needs none.
//
// Calls are made in the background; they have ended when a function of this package that runs something returns.
func Remote[Args any](db *DB, target module.Identity, reducer string, fn func(sender module.Identity, args Args) error) {
	db.t.Helper()
	db.remotes.mu.Lock()
	defer db.remotes.mu.Unlock()
	if db.remotes.fns == nil {
		db.remotes.fns = map[remoteKey]func(module.Identity, []byte) error{}
	}
	db.remotes.fns[remoteKey{target, reducer}] = func(sender module.Identity, b []byte) error {
		var args Args
		if rest, err := sats.Decode(b, &args); err != nil || len(rest) > 0 {
			return fmt.Errorf("the arguments of %s do not decode: %v, %d bytes left", reducer, err, len(rest))
		}
		return fn(sender, args)
	}
}

type remoteKey struct {
	target  module.Identity
	reducer string
}

// remotes carry the calls of the outboxes of a database.
type remotes struct {
	db *DB

	mu    sync.Mutex
	fns   map[remoteKey]func(sender module.Identity, args []byte) error
	conns uint64
}

var _ host.Courier = (*remotes)(nil)

// Deliver implements host.Courier.
func (r *remotes) Deliver(ctx context.Context, c *host.OutboxCall) (host.OutboxAnswer, error) {
	r.mu.Lock()
	fn := r.fns[remoteKey{c.Target, c.Reducer}]
	r.conns++
	conn := sats.ConnectionIDFromU128(sats.U128{Lo: r.conns, Hi: 1})
	r.mu.Unlock()
	switch {
	case fn == nil && c.Target == c.Sender:
		return r.db.db.Receive(ctx, c, conn)
	case fn == nil:
		return host.OutboxAnswer{}, errors.New("there is no moduletest.Remote for it")
	}
	if err := fn(c.Sender, c.Args); err != nil {
		return host.OutboxAnswer{Status: schema.ResultErr, Text: err.Error()}, nil
	}
	return host.OutboxAnswer{Status: schema.ResultOk}, nil
}
