package server

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stdbgo/spacetime/sats"
)

func TestTempo(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	clock := func() time.Time { return now }
	var a admission
	a.init(Limits{MessagesPerConnection: 10, MessagesPerIdentity: 15, MessageBurst: 20})
	alice, bob := sats.Identity{1}, sats.Identity{2}
	one, two, other := a.tempo(alice, clock), a.tempo(alice, clock), a.tempo(bob, clock)
	spend := func(who *tempo, n int, want time.Duration, wantOK bool) {
		t.Helper()
		if wait, ok := who.spend(n, 10*time.Second); wait.Round(time.Millisecond) != want || ok != wantOK {
			t.Errorf("wait %v, %t; want %v, %t", wait, ok, want, wantOK)
		}
	}
	spend(one, 20, 0, true) // the burst
	spend(one, 1, 100*time.Millisecond, true)
	spend(two, 2, 200*time.Millisecond, true) // three in advance of the identity's 15 a second
	spend(other, 20, 0, true)
	if one.since.IsZero() || !other.since.IsZero() {
		t.Error("who is held up is not known")
	}
	// Who goes on and on has to leave, who has rested not.
	now = now.Add(9 * time.Second)
	spend(one, 5, 0, true)
	if !one.since.IsZero() {
		t.Error("a client that has rested is not forgiven")
	}
	spend(one, 20, 500*time.Millisecond, true)
	now = now.Add(10 * time.Second)
	spend(one, 20, 0, true)
	if one.since.IsZero() {
		t.Fatal("a client that has spent everything counts as rested")
	}
	spend(one, 5, 500*time.Millisecond, false)
	now = now.Add(5 * time.Second)
	spend(one, 1, 0, true)
	if !one.since.IsZero() {
		t.Error("a client that has rested is not forgiven")
	}
	spend(one, 1000, 98100*time.Millisecond, false) // nobody waits for so long
}

func TestNoTempo(t *testing.T) {
	var a admission
	a.init(Limits{})
	if a.tempo(sats.Identity{1}, time.Now) != nil {
		t.Error("nothing is to be bounded")
	}
	// Only one of the two.
	now := time.Unix(1_800_000_000, 0)
	for _, l := range []Limits{{MessagesPerConnection: 1, MessageBurst: 1}, {MessagesPerIdentity: 1, MessageBurst: 1}} {
		var a admission
		a.init(l)
		p := a.tempo(sats.Identity{1}, func() time.Time { return now })
		if wait, ok := p.spend(3, time.Minute); wait != 2*time.Second || !ok {
			t.Errorf("%+v: %v, %t", l, wait, ok)
		}
	}
}

// A client that sends too much is answered all the same, but not sooner than it may be.
func TestMessagesAreHeldUp(t *testing.T) {
	r, _, token := wsRig(t, func(o *Options) {
		o.Limits = Limits{MessagesPerConnection: 100, MessageBurst: 10}
	})
	held := func() bool {
		return !strings.Contains(r.do("GET", "/metrics", "", "").body, "\nspacetime_websocket_held_up_total 0\n")
	}
	const n = 60
	flood := func(p *peer) {
		p.first()
		for i := range n {
			p.send(ask(i, 1))
		}
		p.wantInOrder(0, n)
	}
	// Tools on this machine are not bounded.
	flood(r.dial(token, "", "v2.bsatn"))
	if held() {
		t.Error("a local client was held up")
	}
	start := time.Now()
	flood(r.dialFrom("198.51.100.1", token, "", "v2.bsatn"))
	// The last one is read after those before it were paid for.
	if took := time.Since(start); took < (n-12)*10*time.Millisecond {
		t.Errorf("%d messages were taken in %v", n, took)
	}
	if !held() {
		t.Error("nobody was held up")
	}
}

func TestFloodsAreClosed(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	r, _, token := wsRig(t, func(o *Options) {
		o.Limits = Limits{MessagesPerConnection: 1, MessageBurst: 5}
		o.Now = func() time.Time { return now } // nobody is given more meanwhile
	})
	r.Server.holdAtMost = 500 * time.Millisecond
	p := r.dialFrom("198.51.100.1", token, "", "v2.bsatn")
	p.first()
	for i := range 5 {
		p.send(ask(i, 1))
	}
	p.wantInOrder(0, 5)
	p.send(ask(5, 1)) // would have to wait for a second
	if code, reason := p.closed(); code != 1008 || reason != "too many messages for too long: see [limits] messages-per-connection of the server" {
		t.Errorf("closed with %d %q", code, reason)
	}
	// Pings count, too.
	q := r.dialFrom("198.51.100.2", token, "", "v2.bsatn")
	q.first()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for range 6 {
		go func() { _ = q.conn.Ping(ctx) }()
	}
	if code, _ := q.closed(); code != 1008 {
		t.Errorf("closed with %d", code)
	}
}
