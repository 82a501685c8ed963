package server

import (
	"net"
	"slices"
	"testing"
	"time"

	"github.com/stdbgo/spacetime/internal/subscribe"
)

// BenchmarkOutbox is the last part of the send stage: one message for each of 1,000
// outboxes, up to the writes. The writer of a busy one has something to write already.
// Idle ones have none: they are put on the crew's list, and writers are called, which
// work through it meanwhile. What they write costs nothing, or goes to a socket.
func BenchmarkOutbox(b *testing.B) {
	const clients = 1000
	m := subscribe.Message{Body: make([]byte, 100)}
	for _, kind := range []string{"busy", "idle", "idle-socket"} {
		b.Run(kind, func(b *testing.B) {
			var socket net.Conn
			if kind == "idle-socket" {
				socket = unread(b)
			}
			all := newOutgoing(1 << 40)
			boxes := make([]*outbox, clients)
			written := make(chan struct{}, clients)
			for i := range boxes {
				var o *outbox
				write := func(w *writer) {
					if kind == "busy" {
						return // never rests
					}
					w.batch = o.take(w.batch)
					if socket != nil {
						_, _ = socket.Write(w.batch.list[0].Body)
					}
					o.sent(len(w.batch.list), len(w.batch.list)*len(m.Body))
					o.rest()
					written <- struct{}{}
				}
				o = newOutbox(all, 1<<30, 1<<40, write, func() { b.Error("full") })
				boxes[i] = o
			}
			done := new(batch)
			var took []float64
			b.ReportAllocs()
			for b.Loop() {
				start := time.Now()
				for _, o := range boxes {
					o.Send(m)
				}
				took = append(took, float64(time.Since(start))/clients)
				for _, o := range boxes {
					if kind == "busy" {
						done = o.take(done)
						o.sent(len(done.list), len(done.list)*len(m.Body))
					} else {
						<-written
					}
				}
			}
			slices.Sort(took)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(took[len(took)/2], "send-ns")
			b.ReportMetric(took[len(took)*9/10], "send-p90-ns")
		})
	}
}

// unread returns a socket to which a write costs what it costs, and that is never full:
// what nobody reads is dropped.
func unread(b *testing.B) net.Conn {
	b.Helper()
	l, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = l.Close() })
	c, err := net.Dial("udp", l.LocalAddr().String())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = c.Close() })
	return c
}
