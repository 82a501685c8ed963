// Command outbox has databases write letters to each other over a real server: once
// in order and with errors, then under load while the server is killed with SIGKILL
// again and again. Afterwards each letter that was sent must have arrived once, in
// the order of sending, and each outcome must have been told once.
//
//	test/outbox/run [-rounds N] [-seed N]
//
// The databases named by DATABASES have been published in DATA, and no server runs.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	rounds := flag.Int("rounds", 4, "how often the server is killed under load")
	seed := flag.Uint64("seed", uint64(time.Now().UnixNano()), "of the random choices; the machine's timing stays its own")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, *rounds, *seed))
}

type report struct{ passed, failed int }

// check runs one test and counts it; items are what it proves of the specification.
func (r *report) check(what string, test func() error, items ...string) bool {
	begin := time.Now()
	if err := test(); err != nil {
		r.failed++
		fmt.Printf("FAIL %s: %v\n", what, err)
		return false
	}
	r.passed++
	fmt.Printf("ok   %s (%.1f s)\n", what, time.Since(begin).Seconds())
	for _, item := range items {
		fmt.Println("covers:", item)
	}
	return true
}

func run(ctx context.Context, rounds int, seed uint64) int {
	fmt.Printf("seed %d\n", seed)
	s := newServer()
	w := &world{ctx: ctx, server: s, rng: rand.New(rand.NewPCG(seed, 0)), sent: map[uint64]bool{}}
	var r report
	if r.check("the server starts", func() error { return s.start(ctx) }) && r.check("the databases are there", w.open) {
		w.suite(&r, rounds)
	}
	s.kill()
	fmt.Printf("%d passed, %d failed\n", r.passed, r.failed)
	if r.failed > 0 {
		return 1
	}
	return 0
}

func (w *world) suite(r *report, rounds int) {
	for _, from := range w.databases {
		for _, to := range w.databases {
			r.check(fmt.Sprintf("letters from %s to %s", from.name, to.name), func() error { return w.exchange(from, to) }, "08.86", "08.87")
		}
	}
	for i := range rounds {
		if !r.check(fmt.Sprintf("round %d of kill -9 under load", i+1), w.round) || w.ctx.Err() != nil {
			return
		}
	}
	if rounds == 0 {
		return
	}
	r.check("all letters have arrived, once and in order, and all outcomes were told", w.verify, "08.86")
	r.check("the load was no trifle", func() error {
		fmt.Printf("     %d letters acknowledged, %d there; %d kills\n", w.acknowledged, w.there, rounds)
		if w.acknowledged < 20*rounds {
			return errors.New("too few letters to prove anything")
		}
		return nil
	})
}

// names of the databases under test.
func names() []string { return strings.Fields(os.Getenv("DATABASES")) }
