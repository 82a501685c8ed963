package client_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stdbgo/spacetime/client"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/internal/wire"
	v2 "github.com/stdbgo/spacetime/internal/wire/v2"
)

// Whatever the server compresses with is understood, and loopback gets it plain.
func TestCompression(t *testing.T) {
	spec.Covers(t, "10.29")
	each(t, func(t *testing.T, w *world, p client.Protocol) {
		d := connect(t, w.options(p))
		text := strings.Repeat("the same again ", 400)
		for n := range uint32(5) {
			do(t, d, "add_line", line{n, text})
		}
		received := map[client.Compression]uint64{}
		for _, c := range []client.Compression{client.CompressionNone, client.CompressionAuto, client.CompressionBrotli, client.CompressionGzip} {
			o := w.options(p)
			o.Compression = c
			e := connect(t, o)
			if _, err := e.SubscribeSQL(within(t), "SELECT * FROM line"); err != nil {
				t.Fatal(err)
			}
			for l := range e.line.All() {
				if l.Text != text {
					t.Errorf("%d bytes", len(l.Text))
				}
			}
			if e.line.Len() != 5 {
				t.Errorf("%d lines", e.line.Len())
			}
			received[c] = e.Stats().BytesReceived
		}
		if plain := received[client.CompressionNone]; received[client.CompressionAuto] < plain/2 || p != client.V3 && received[client.CompressionBrotli] > plain/2 {
			t.Errorf("bytes received: %v", received)
		}
	})
	for _, tag := range []wire.Compression{wire.CompressBrotli, wire.CompressGzip} { // by any protocol
		f := serve(t, func(p *peer) {
			s := as[*wire.SubscribeSet](p)
			big := &v2.SubscribeApplied{RequestID: s.RequestID, QuerySetID: s.QuerySetID, Rows: queryRows(strings.Repeat("x", 5000))}
			p.raw(wire.AppendEnvelope(nil, big.Append(nil), tag))
			p.untilEnd()
		})
		d := follow(t, f)
		if _, err := d.SubscribeSQL(within(t), "one"); err != nil || d.words.Len() != 1 {
			t.Errorf("%v, %d rows", err, d.words.Len())
		}
	}
}

// What decompresses to more than the limit ends the connection.
func TestCompressionIsBounded(t *testing.T) {
	for _, tag := range []wire.Compression{wire.CompressBrotli, wire.CompressGzip} {
		f := serve(t, func(p *peer) {
			p.raw(wire.AppendEnvelope(nil, make([]byte, 1<<20), tag))
			p.untilEnd()
		})
		o := f.options()
		o.MaxMessage = 100_000
		c := dial(t, o)
		<-c.Done()
		if err := c.Err(); err == nil || !strings.Contains(err.Error(), "100000 bytes") {
			t.Errorf("ended with %v", err)
		}
	}
}

// What waits to be delivered is bounded: beyond that the connection is not read.
func TestReceivingIsBounded(t *testing.T) {
	const limit, message, n = 100_000, 10_000, 2000
	sent := make(chan int, n)
	f := serve(t, func(p *peer) {
		s := as[*wire.SubscribeSet](p)
		p.send(&v2.SubscribeApplied{RequestID: s.RequestID, QuerySetID: s.QuerySetID})
		for i := range n {
			p.send(&v2.TransactionUpdate{Sets: []v2.QuerySetUpdate{wordChange(s.QuerySetID, []string{strings.Repeat("x", message) + string(rune('a'+i))}, nil)}})
			sent <- i
		}
		p.untilEnd()
	})
	o := f.options()
	o.Manual, o.ReceiveBytes = true, limit
	c, err := client.Dial(within(t), wordModule, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	table := client.TableOf(c, wordInfo)
	if _, err := c.SubscribeSQLAsync("one"); err != nil {
		t.Fatal(err)
	}
	for ctx := within(t); c.Stats().Receiving < limit; time.Sleep(time.Millisecond) {
		if ctx.Err() != nil {
			t.Fatalf("%d bytes wait", c.Stats().Receiving)
		}
	}
	time.Sleep(200 * time.Millisecond) // time for what should not come
	if r := c.Stats().Receiving; r < limit || r > limit+2*message || len(sent) == n {
		t.Errorf("%d bytes wait, %d messages of %d were sent", r, len(sent), n)
	}
	for table.Len() < n {
		if err := c.Step(within(t)); err != nil {
			t.Fatal(err)
		}
	}
	if c.Stats().Receiving != 0 {
		t.Errorf("%d bytes still wait", c.Stats().Receiving)
	}
}

// A set that fails later takes its rows with it, and no others.
func TestSubscriptionFailsLater(t *testing.T) {
	f := serve(t, func(p *peer) {
		ids := applySets(p, []string{"a", "b"}, []string{"b", "c"})
		p.send(&v2.SubscriptionError{QuerySetID: ids[0], Error: "the view failed"},
			&v2.TransactionUpdate{Sets: []v2.QuerySetUpdate{wordChange(ids[0], []string{"late"}, nil), wordChange(ids[1], []string{"d"}, nil)}})
		p.untilEnd()
	})
	d := follow(t, f)
	one, err := d.SubscribeSQL(within(t), "one")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.SubscribeSQL(within(t), "two"); err != nil {
		t.Fatal(err)
	}
	d.expect(t, "applied +a", "applied +b", "applied +c", "unapplied -a", "transaction +d")
	var failed *client.SubscriptionError
	if <-one.Done(); !errors.As(one.Err(), &failed) || failed.Message != "the view failed" || d.rows() != "b c d" {
		t.Errorf("%v, %q", one.Err(), d.rows())
	}
}

// A subscription outside the cache ends with its link, also if another one comes.
func TestRawSubscriptionEndsWithLink(t *testing.T) {
	seen, resumed := make(chan struct{}), make(chan struct{})
	f := serve(t, links(t,
		func(p *peer) { applySets(p, []string{"a"}, []string{"b"}); p.until(seen) },
		func(p *peer) {
			if b := as[*wire.SubscribeBatch](p); len(b.Sets) != 1 || b.Sets[0].Queries[0] != "kept" {
				t.Errorf("batch %+v", b)
			} else {
				p.send(&v2.SubscribeBatchApplied{RequestID: b.RequestID, Results: []v2.SetResult{{QuerySetID: b.Sets[0].QuerySetID, Rows: queryRows("b")}}})
			}
			close(resumed)
			p.untilEnd()
		}))
	d := follow(t, f)
	raw, err := d.SubscribeRows(within(t), func(client.Rows) {}, "raw")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.SubscribeSQL(within(t), "kept"); err != nil {
		t.Fatal(err)
	}
	close(seen)
	<-raw.Done()
	if !errors.Is(raw.Err(), client.ErrDisconnected) {
		t.Errorf("ended with %v", raw.Err())
	}
	select { // also a broken link leaves the other set in place, so the new one is waited for
	case <-resumed:
	case <-within(t).Done():
		t.Fatal("the client does not come back")
	}
	waitLive(t, d.Conn, 1)
}
