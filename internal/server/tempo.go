package server

import (
	"context"
	"time"

	"github.com/stdbgo/spacetime/sats"
)

// holdAtMost is for how long a client may be held up without a rest before it is sent
// away.
const holdAtMost = time.Minute

// A tempo holds up a client that sends more messages than [Limits] allow: its
// connection is not read for a while, so that its own socket makes it wait. It belongs
// to the reader of the connection. One that goes on and on is to be closed.
type tempo struct {
	rate, burst float64
	own         bucket
	all         *rates[sats.Identity] // of the connections of one identity
	identity    sats.Identity
	now         func() time.Time
	since       time.Time // when it began to be held up; zero: it is not
}

// tempo bounds the messages of a connection; nil: nothing does.
func (a *admission) tempo(identity sats.Identity, now func() time.Time) *tempo {
	if a.MessagesPerConnection == 0 && a.MessagesPerIdentity == 0 {
		return nil
	}
	burst := float64(max(a.MessageBurst, 1))
	return &tempo{
		rate: float64(a.MessagesPerConnection), burst: burst, own: bucket{burst, now()},
		all: &a.messages, identity: identity, now: now,
	}
}

// spend counts n messages. It returns how long the client has to wait before it is
// heard again; false means that it has been held up for too long.
func (t *tempo) spend(n int, most time.Duration) (wait time.Duration, ok bool) {
	now := t.now()
	wait = t.all.spend(t.identity, n, now)
	rested := true
	if t.rate > 0 {
		wait = max(wait, t.own.spend(n, t.rate, t.burst, now))
		rested = t.own.tokens >= t.burst/2
	}
	switch {
	case wait == 0 && rested:
		t.since = time.Time{}
	case wait > 0 && t.since.IsZero():
		t.since = now
	}
	return wait, wait == 0 || now.Sub(t.since)+wait <= most
}

// hold waits.
func hold(ctx context.Context, wait time.Duration) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
