// Command crash kills the server with SIGKILL at random moments under load,
// starts it again on the same data directory and compares what is there with what
// was acknowledged. It also damages the log by hand: a torn end must be cut off, a
// flipped byte in the middle must be refused.
//
//	test/crash/run [-rounds N] [-seed N]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

const module = "internal/host/testdata/chat1.wasm"

type report struct{ passed, failed int }

// check runs one test and counts it; items are what it proves of the
// specification.
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

func main() {
	rounds := flag.Int("rounds", 5, "how often the server is killed under load")
	seed := flag.Uint64("seed", uint64(time.Now().UnixNano()), "of the random choices; the machine's timing stays its own")
	keep := flag.Bool("keep", false, "keep the data directory")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, *rounds, *seed, *keep))
}

func run(ctx context.Context, rounds int, seed uint64, keep bool) int {
	fmt.Printf("seed %d\n", seed)
	dir, err := os.MkdirTemp("", "stdb-crash.")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	s, err := newServer(dir)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	w := &world{ctx: ctx, server: s, rng: rand.New(rand.NewPCG(seed, 0)), messages: map[string]state{}}
	var r report
	w.suite(&r, rounds)
	s.kill()
	if keep || r.failed > 0 {
		fmt.Printf("the data directory and the server's log are kept in %s\n", dir)
	} else if err := os.RemoveAll(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	fmt.Printf("%d passed, %d failed\n", r.passed, r.failed)
	if r.failed > 0 {
		return 1
	}
	return 0
}

func (w *world) suite(r *report, rounds int) {
	if !r.check("a database survives kill -9 right after its first publish", w.firstPublish, "08.66") {
		return
	}
	for i := range rounds {
		if !r.check(fmt.Sprintf("round %d of kill -9 under load", i+1), w.round) || w.ctx.Err() != nil {
			return
		}
	}
	if rounds > 0 {
		fmt.Printf("     %d messages and %d updates of a group acknowledged, %d of unknown outcome, %d of them there\n",
			w.acknowledged, w.updates, w.unknown, w.survived)
		r.check("the load was no trifle", func() error {
			if w.acknowledged < 100*rounds || w.unknown == 0 {
				return errors.New("too few calls to prove anything")
			}
			return nil
		}, "08.25", "08.46")
	}
	if w.acknowledged >= 40_000 { // on a slow machine there may be nothing to remove
		r.check("checkpoints were taken and the log was cut down", w.retained)
	}
	if r.check("a torn end of the log is cut off", w.tornTail) {
		r.check("a flipped byte in the middle is refused, other databases work", w.flippedByte, "08.50")
	}
}

// clogOf is the only folder of log segments below the replicas that are not in
// known.
func clogOf(data string, known map[string]bool) (string, error) {
	all, err := filepath.Glob(filepath.Join(data, "replicas", "*", "clog"))
	if err != nil {
		return "", err
	}
	found := ""
	for _, dir := range all {
		if known[dir] {
			continue
		}
		if found != "" {
			return "", fmt.Errorf("several new replicas: %s, %s", found, dir)
		}
		found = dir
	}
	if found == "" {
		return "", fmt.Errorf("no new replica in %s", data)
	}
	return found, nil
}
