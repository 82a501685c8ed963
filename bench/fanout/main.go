// Command fanout measures how fast changes reach subscribers: one writer changes a
// row a transaction, and a number of clients are subscribed to the same query.
//
//	fanout -url http://127.0.0.1:3000 -db fanout -pid 4711
//
// It prints a table: delivered rows per second, and per second of the server's CPU
// time. The database runs test/conformance/module.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stdbgo/spacetime/bench/cputime"
	"github.com/stdbgo/spacetime/client"
	"github.com/stdbgo/spacetime/internal/wire"
	v2 "github.com/stdbgo/spacetime/internal/wire/v2"
	"github.com/stdbgo/spacetime/sats"
)

type config struct {
	url, db  string
	pid      int
	duration time.Duration
	flight   int
	text     int
	query    string
	compress string
}

func main() {
	var c config
	flag.StringVar(&c.url, "url", "http://127.0.0.1:3000", "the server")
	flag.StringVar(&c.db, "db", "fanout", "the database")
	flag.IntVar(&c.pid, "pid", 0, "process of the server, to measure its CPU time")
	flag.DurationVar(&c.duration, "d", 5*time.Second, "time of measuring each")
	flag.IntVar(&c.flight, "flight", 32, "the writer's calls in flight")
	flag.IntVar(&c.text, "text", 16, "bytes of text in a row")
	flag.StringVar(&c.query, "query", "SELECT * FROM item", "what all subscribe to")
	flag.StringVar(&c.compress, "compression", "None", "None, Gzip or Brotli")
	counts := flag.String("n", "1,10,100,1000", "numbers of subscribers")
	flag.Parse()
	fmt.Println("| subscribers | transactions/s | rows delivered/s | rows a second of server CPU | server CPU µs a transaction |")
	fmt.Println("| ---: | ---: | ---: | ---: | ---: |")
	for _, text := range strings.Split(*counts, ",") {
		n, err := strconv.Atoi(text)
		if err == nil {
			err = c.measure(n)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "fanout:", err)
			os.Exit(1)
		}
	}
}

func (c *config) measure(n int) error {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	var rows atomic.Int64
	failed := make(chan error, 1)
	fail := func(err error) {
		select {
		case failed <- err:
		default:
		}
	}
	for range n {
		conn, r, err := c.subscriber(ctx)
		if err != nil {
			return err
		}
		context.AfterFunc(ctx, func() { _ = conn.Close() })
		wg.Go(func() {
			if err := count(conn, r, &rows); ctx.Err() == nil {
				fail(err)
			}
		})
	}
	w, err := client.Dial(ctx, nil, client.Options{URL: c.url, Database: c.db, ConfirmedReads: client.ConfirmedNo})
	if err != nil {
		return err
	}
	defer func() { _ = w.Close() }()
	var calls atomic.Int64
	text := strings.Repeat("x", c.text)
	for i := range c.flight {
		wg.Go(func() {
			for k := uint32(0); ctx.Err() == nil; k++ {
				// One row, updated again and again, is an insert and a delete; a new one is
				// an insert only.
				args := sats.AppendString(sats.AppendU32(nil, uint32(i+1)), fmt.Sprintf("%08x%s", k, text))
				if err := w.Call("put", args).Wait(ctx); err != nil {
					if ctx.Err() == nil {
						fail(err)
					}
					return
				}
				calls.Add(1)
			}
		})
	}
	time.Sleep(time.Second) // to warm up
	rows0, calls0, cpu0, begin := rows.Load(), calls.Load(), cputime.Of(c.pid), time.Now()
	select {
	case err := <-failed:
		return err
	case <-time.After(c.duration):
	}
	took, cpu := time.Since(begin).Seconds(), cputime.Of(c.pid)-cpu0
	delivered, done := float64(rows.Load()-rows0), float64(calls.Load()-calls0)
	fmt.Printf("| %d | %.0f | %.0f | %.0f | %.1f |\n", n, done/took, delivered/took, delivered/max(cpu, 1e-9), cpu*1e6/max(done, 1))
	return nil
}

// subscriber connects without a library and subscribes.
func (c *config) subscriber(ctx context.Context) (net.Conn, *bufio.Reader, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", strings.TrimPrefix(c.url, "http://"))
	if err != nil {
		return nil, nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url+"/v1/database/"+c.db+"/subscribe?confirmed=false&compression="+c.compress, nil)
	if err != nil {
		return nil, nil, err
	}
	req.Header = http.Header{"Connection": {"upgrade"}, "Upgrade": {"websocket"}, "Sec-WebSocket-Version": {"13"},
		"Sec-WebSocket-Key": {"x"}, "Sec-WebSocket-Protocol": {wire.V2.String()}}
	if err := req.Write(conn); err != nil {
		return nil, nil, err
	}
	r := bufio.NewReaderSize(conn, 64<<10)
	res, err := http.ReadResponse(r, req)
	if err != nil {
		return nil, nil, err
	}
	if res.StatusCode != http.StatusSwitchingProtocols {
		body, _ := io.ReadAll(io.LimitReader(res.Body, 1000))
		return nil, nil, fmt.Errorf("%s: %s", res.Status, body)
	}
	q := v2.AppendClient(nil, &wire.SubscribeSet{QuerySetID: 1, Queries: []string{c.query}})
	if len(q) > 125 {
		return nil, nil, errors.New("the query is too long for one short frame")
	}
	_, err = conn.Write(append([]byte{0x82, 0x80 | byte(len(q)), 0, 0, 0, 0}, q...))
	return conn, r, err
}

// count counts the messages of a subscriber, each of which is a changed row, and
// answers pings.
func count(conn net.Conn, r *bufio.Reader, rows *atomic.Int64) error {
	for {
		head, err := r.Peek(2)
		if err != nil {
			return err
		}
		n, size := int(head[1]), 2
		switch head[1] {
		case 126:
			if head, err = r.Peek(4); err != nil {
				return err
			}
			n, size = int(head[2])<<8|int(head[3]), 4
		case 127:
			return errors.New("a frame that is too long for a change of one row")
		}
		switch op := head[0] & 0x0f; {
		case op == 9:
			if _, err := conn.Write([]byte{0x8a, 0x80, 0, 0, 0, 0}); err != nil {
				return err
			}
		case op == 8:
			return errors.New("the server has closed the connection")
		case op == 2:
			rows.Add(1)
		}
		if _, err := r.Discard(size + n); err != nil {
			return err
		}
	}
}
