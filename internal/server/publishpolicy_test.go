package server

import (
	"strings"
	"sync"
	"testing"

	"github.com/stdbgo/spacetime/sats"
)

func TestWhoMayPublish(t *testing.T) {
	// as publishes under a name and wants the status.
	as := func(r *rig, token, name string, status int) {
		r.t.Helper()
		if a := r.do("PUT", "/v1/database/"+name, token, "program"); a.status != status {
			r.t.Errorf("%s: %d %s, want %d", name, a.status, a.body, status)
		}
	}

	t.Run("owner", func(t *testing.T) {
		r := newRig(t, func(o *Options) { o.Publish = PublishPolicy{Owners: true} })
		_, alice := r.identity()
		bobID, bob := r.identity()
		as(r, alice, "first", 200)
		as(r, alice, "second", 200)
		a := r.want(r.do("PUT", "/v1/database/third", bob, "program"), 403, bobID+" is not authorized to perform action on database third: create database\n"+
			"This server lets only those who own a database on it create others. Log in as its owner, or ask its operator to change [publish] allow in config.toml.")
		if a.header.Get("Content-Type") != textType {
			t.Errorf("%v", a.header)
		}
		if a := r.do("POST", "/v1/database", bob, "program"); a.status != 403 || !strings.Contains(a.body, "on database (without a name): create database") {
			t.Errorf("POST: %d %s", a.status, a.body)
		}
		as(r, "", "third", 403)
		r.want(r.do("GET", "/v1/database/third", bob, ""), 404, "`third` not found")
		// Updates are as ever.
		as(r, alice, "first", 200)
		as(r, bob, "first", 403)
		// When all are gone, the next one to publish is the first again.
		for _, name := range []string{"first", "second"} {
			r.want(r.do("DELETE", "/v1/database/"+name, alice, ""), 200, "")
		}
		as(r, bob, "third", 200)
		as(r, alice, "first", 403)
	})

	t.Run("list", func(t *testing.T) {
		r := newRig(t)
		id, alice := r.identity()
		_, bob := r.identity()
		who, err := sats.ParseIdentity(id)
		if err != nil {
			t.Fatal(err)
		}
		r.Server.policy = PublishPolicy{Listed: true, Identities: []sats.Identity{who}}
		as(r, alice, "first", 200)
		if a := r.do("PUT", "/v1/database/second", bob, "program"); a.status != 403 || !strings.Contains(a.body, "add yours to [publish] identities in config.toml; `spacetime login show` prints it") {
			t.Errorf("%d %s", a.status, a.body)
		}
		r.Server.policy = PublishPolicy{Listed: true}
		as(r, alice, "first", 200) // an update
		as(r, alice, "third", 403)
		r.Server.policy = PublishPolicy{Listed: true, Issuers: []string{"localhost"}}
		as(r, bob, "third", 200)
	})
}

// Of many who come first at the same time, one is.
func TestOneIsTheFirstToPublish(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Publish = PublishPolicy{Owners: true} })
	var tokens []string
	for range 8 {
		_, token := r.identity()
		tokens = append(tokens, token)
	}
	var mu sync.Mutex
	status := map[int]int{}
	var all sync.WaitGroup
	for i, token := range tokens {
		all.Go(func() {
			a := r.do("PUT", "/v1/database/db"+string(rune('a'+i)), token, "program")
			mu.Lock()
			status[a.status]++
			mu.Unlock()
		})
	}
	all.Wait()
	if status[200] != 1 || status[403] != 7 {
		t.Errorf("%v", status)
	}
}
