package server

import (
	"slices"
	"testing"
	"time"

	"github.com/stdbgo/spacetime/internal/subscribe"
)

// BenchmarkOutbox is the last part of the send stage: one message for each of 1,000
// outboxes. The writer of a busy one has something to write already; that of an idle one
// has to be woken.
func BenchmarkOutbox(b *testing.B) {
	const clients = 1000
	m := subscribe.Message{Body: make([]byte, 100)}
	for _, busy := range []bool{true, false} {
		name := "idle"
		if busy {
			name = "busy"
		}
		b.Run(name, func(b *testing.B) {
			all := &outgoing{max: 1 << 40}
			boxes := make([]*outbox, clients)
			written := make(chan struct{}, clients)
			for i := range boxes {
				var o *outbox
				var reuse []subscribe.Message
				write := func() {
					if busy {
						return // never rests
					}
					taken := o.take(reuse)
					o.sent(len(taken), len(taken)*len(m.Body))
					reuse = taken
					o.rest(nil)
					written <- struct{}{}
				}
				o = newOutbox(all, 1<<30, 1<<40, write, func() { b.Error("full") })
				boxes[i] = o
			}
			var took []float64
			for b.Loop() {
				start := time.Now()
				for _, o := range boxes {
					o.Send(m)
				}
				took = append(took, float64(time.Since(start))/clients)
				for _, o := range boxes {
					if busy {
						taken := o.take(nil)
						o.sent(len(taken), len(taken)*len(m.Body))
						o.mu.queue = taken[:0]
					} else {
						<-written
					}
				}
			}
			slices.Sort(took)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(took[len(took)/2], "send-ns")
		})
	}
}
