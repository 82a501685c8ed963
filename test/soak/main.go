// Command soak holds many connections of every kind open for a while, with a
// mixed load, and watches the server's memory: it must be flat, and when all
// clients have gone nothing of them may be left.
//
//	soak -url http://127.0.0.1:3000 -db soak -n 500 -d 2m
//
// The database runs test/conformance/module. Exit code 0 means that all held.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"time"
)

type world struct {
	url, db string
	calls   atomic.Int64 // answered reducer calls
	rows    atomic.Int64 // messages that watchers got
	dials   atomic.Int64
	broken  atomic.Int64 // connections that ended as they should not

	mu    sync.Mutex
	first error // why the first of them did
}

// fail notes that a well-behaved connection has ended.
func (w *world) fail(err error) {
	w.broken.Add(1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.first == nil {
		w.first = err
	}
}

func main() {
	w := &world{}
	n := flag.Int("n", 500, "connections")
	d := flag.Duration("d", 2*time.Minute, "time under load")
	flag.StringVar(&w.url, "url", "http://127.0.0.1:3000", "the server")
	flag.StringVar(&w.db, "db", "soak", "the database")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := w.run(ctx, *n, *d); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

// kinds are the clients there are, in the proportion in which they come.
var kinds = []func(*world, context.Context, uint32){
	(*world).caller, (*world).watcher, (*world).idle, (*world).caller, (*world).churner,
	(*world).jsonClient, (*world).caller, (*world).watcher, (*world).idle, (*world).rude,
}

func (w *world) run(ctx context.Context, n int, d time.Duration) error {
	before, err := w.measure(ctx)
	if err != nil {
		return err
	}
	loaded, end := context.WithCancel(ctx)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { kinds[i%len(kinds)](w, loaded, uint32(i+1)) })
	}
	samples, err := w.watch(ctx, d)
	end()
	wg.Wait()
	if err != nil {
		return err
	}
	fmt.Printf("%d connections for %v: %d calls, %d messages to watchers, %d connections made\n",
		n, d, w.calls.Load(), w.rows.Load(), w.dials.Load())
	if w.broken.Load() > 0 {
		return fmt.Errorf("%d connections ended that did nothing wrong, the first by: %w", w.broken.Load(), w.first)
	}
	if w.calls.Load() == 0 || w.rows.Load() == 0 {
		return fmt.Errorf("no load: %d calls, %d messages", w.calls.Load(), w.rows.Load())
	}
	if err := flat(samples); err != nil {
		return err
	}
	return w.settled(ctx, before)
}
