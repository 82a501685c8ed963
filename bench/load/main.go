// Command load measures money transfers: it keeps a number of reducer calls in
// flight over a number of connections for a while and prints how many committed,
// how long they took and what they cost.
//
//	load -url http://127.0.0.1:3000 -db bench -name rust -pid 4711
//
// Its output is one line of JSON. The call is transfer(from u32, to u32, amount
// i64); seed(n u32) must have filled the table accounts.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stdbgo/spacetime/bench/cputime"
	"github.com/stdbgo/spacetime/client"
	"github.com/stdbgo/spacetime/sats"
)

type config struct {
	url, db, name       string
	accounts            int
	connections, flight int
	warm, duration      time.Duration
	pid                 int
	confirmed           bool
	empty               bool
}

func main() {
	var c config
	flag.StringVar(&c.url, "url", "http://127.0.0.1:3000", "the server")
	flag.StringVar(&c.db, "db", "bench", "the database")
	flag.StringVar(&c.name, "name", "", "name in the output")
	flag.IntVar(&c.accounts, "accounts", 100_000, "rows of the table; seeded if it is empty")
	flag.IntVar(&c.connections, "c", 64, "connections")
	flag.IntVar(&c.flight, "flight", 40, "calls in flight on each connection")
	flag.DurationVar(&c.warm, "warm", 2*time.Second, "time before measuring")
	flag.DurationVar(&c.duration, "d", 10*time.Second, "time of measuring")
	flag.IntVar(&c.pid, "pid", 0, "process of the server, to measure its CPU time")
	flag.BoolVar(&c.confirmed, "confirmed", true, "wait until every transfer is on disk")
	flag.BoolVar(&c.empty, "empty", false, "call the reducer empty() instead of transfer")
	flag.Parse()
	if err := run(context.Background(), c); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

// A result is what the program prints.
type result struct {
	Name       string  `json:"name"`
	PerSecond  float64 `json:"per_second"`
	P50Millis  float64 `json:"p50_ms"`
	P99Millis  float64 `json:"p99_ms"`
	ServerCPU  float64 `json:"server_cpu_s_per_million"`
	ClientCPU  float64 `json:"client_cpu_s_per_million"`
	Transfers  uint64  `json:"transfers"`
	Refused    uint64  `json:"refused"`
	Seconds    float64 `json:"seconds"`
	Confirmed  bool    `json:"confirmed"`
	Connection int     `json:"connections"`
	Flight     int     `json:"in_flight"`
}

func run(ctx context.Context, c config) error {
	if err := seed(ctx, c); err != nil {
		return err
	}
	l := &load{config: c}
	defer l.close()
	if err := l.connect(ctx); err != nil {
		return err
	}
	for _, w := range l.workers {
		w.begin()
	}
	time.Sleep(c.warm)
	l.measuring.Store(true)
	start, server, own := time.Now(), cputime.Of(c.pid), cputime.Of(os.Getpid())
	before := l.committed.Load()
	time.Sleep(c.duration)
	l.measuring.Store(false)
	n := l.committed.Load() - before
	elapsed := time.Since(start).Seconds()
	server, own = cputime.Of(c.pid)-server, cputime.Of(os.Getpid())-own
	l.stopping.Store(true)
	l.inFlight.Wait()
	if err := l.failure(); err != nil {
		return err
	}
	if err := checkSum(ctx, c); err != nil {
		return err
	}
	if n == 0 {
		return errors.New("no transfer committed")
	}
	lat := l.latencies()
	millions := float64(n) / 1e6
	return json.NewEncoder(os.Stdout).Encode(result{
		Name: c.name, PerSecond: float64(n) / elapsed, Transfers: n, Refused: l.refused.Load(), Seconds: elapsed,
		P50Millis: quantile(lat, 0.50), P99Millis: quantile(lat, 0.99),
		ServerCPU: server / millions, ClientCPU: own / millions,
		Confirmed: c.confirmed, Connection: c.connections, Flight: c.flight,
	})
}

func dial(ctx context.Context, c config) (*client.Conn, error) {
	confirmed := client.ConfirmedNo
	if c.confirmed {
		confirmed = client.ConfirmedYes
	}
	return client.Dial(ctx, nil, client.Options{URL: c.url, Database: c.db, ConfirmedReads: confirmed})
}

// seed fills the table, in the module, if nobody has.
func seed(ctx context.Context, c config) error {
	conn, err := dial(ctx, c)
	if err != nil {
		return err
	}
	defer conn.Close()
	return conn.Call("seed", sats.AppendU32(nil, uint32(c.accounts))).Wait(ctx)
}

// startBalance is what seed gives every account.
const startBalance = 1_000_000

// checkSum fails unless the accounts together hold what they held at first.
func checkSum(ctx context.Context, c config) error {
	conn, err := dial(ctx, c)
	if err != nil {
		return err
	}
	defer conn.Close()
	var rows, sum int64
	_, err = conn.SubscribeRows(ctx, func(r client.Rows) {
		for i := range r.Inserted.Len() {
			account := sats.NewReader(r.Inserted.At(i))
			account.U32()
			sum += account.I64()
			rows++
		}
	}, "SELECT * FROM accounts")
	if err != nil {
		return err
	}
	if rows != int64(c.accounts) || sum != rows*startBalance {
		return fmt.Errorf("%d accounts hold %d together, %d should hold %d: the run is not valid", rows, sum, c.accounts, int64(c.accounts)*startBalance)
	}
	return nil
}

type load struct {
	config
	workers   []*worker
	measuring atomic.Bool
	stopping  atomic.Bool
	committed atomic.Uint64
	refused   atomic.Uint64
	inFlight  sync.WaitGroup
	failed    atomic.Pointer[error]
}

// A worker is one connection. After begin its fields belong to the connection's
// reading goroutine.
type worker struct {
	load *load
	conn *client.Conn
	rand *rand.Rand
	lat  []time.Duration
}

func (l *load) connect(ctx context.Context) error {
	for i := range l.connections {
		conn, err := dial(ctx, l.config)
		if err != nil {
			return err
		}
		l.workers = append(l.workers, &worker{load: l, conn: conn, rand: rand.New(rand.NewPCG(1, uint64(i)))})
	}
	return nil
}

func (l *load) close() {
	for _, w := range l.workers {
		_ = w.conn.Close()
	}
}

func (l *load) failure() error {
	if err := l.failed.Load(); err != nil {
		return *err
	}
	return nil
}

func (w *worker) begin() {
	w.load.inFlight.Add(w.load.flight)
	args := make([][]byte, w.load.flight)
	for i := range args {
		args[i] = w.args() // drawn before the reading goroutine draws
	}
	for _, a := range args {
		w.send(a)
	}
}

func (w *worker) args() []byte {
	if w.load.empty {
		return nil
	}
	n := uint32(w.load.accounts)
	from := w.rand.Uint32N(n)
	to := (from + 1 + w.rand.Uint32N(n-1)) % n
	b := sats.AppendU32(make([]byte, 0, 16), from)
	return sats.AppendI64(sats.AppendU32(b, to), 1+int64(w.rand.Uint32N(10)))
}

// send makes one call; its end makes the next.
func (w *worker) send(args []byte) {
	l := w.load
	name := "transfer"
	if l.empty {
		name = "empty"
	}
	start := time.Now()
	w.conn.CallFunc(name, args, func(call *client.Call) {
		var refused *client.ReducerError
		switch err := call.Err(); {
		case err == nil:
			l.committed.Add(1)
			if l.measuring.Load() {
				w.lat = append(w.lat, time.Since(start))
			}
		case errors.As(err, &refused): // not enough money
			l.refused.Add(1)
		default:
			l.failed.CompareAndSwap(nil, &err)
			l.inFlight.Done()
			return
		}
		if l.stopping.Load() {
			l.inFlight.Done()
			return
		}
		w.send(w.args())
	})
}

func (l *load) latencies() []time.Duration {
	var all []time.Duration
	for _, w := range l.workers {
		all = append(all, w.lat...)
	}
	slices.Sort(all)
	return all
}

// quantile returns a quantile of sorted durations in milliseconds.
func quantile(sorted []time.Duration, q float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return float64(sorted[int(q*float64(len(sorted)-1))]) / float64(time.Millisecond)
}
