package jstest

import (
	"testing"

	"github.com/stdbgo/spacetime/internal/abi"
)

// BenchmarkReducer measures calls of reducers with a real store, without log, subscribers and network.
func benchReducer(b *testing.B) {
	for _, version := range []string{"1.12", "2.10"} {
		edges := newWorld(b, bundle(b, "edges-"+version), abi.Limits{})
		chat := newWorld(b, bundle(b, "chat-"+version), abi.Limits{})
		edges.must("seed", u32(1000))
		chat.must("on_connect")
		for _, c := range []struct {
			w    *world
			name string
			args [][]byte
		}{
			{edges, "empty", nil},
			{edges, "transfer", [][]byte{u32(1), u32(2), i64(1)}},
			{chat, "send_message", [][]byte{str("hello")}},
			{chat, "set_name", [][]byte{str("Al")}},
		} {
			b.Run("sdk="+version+"/"+c.name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					c.w.must(c.name, c.args...)
				}
			})
		}
	}
}

func benchLoad(b *testing.B) {
	for _, version := range []string{"1.12", "2.10"} {
		text := bundle(b, "chat-"+version)
		b.Run("sdk="+version, func(b *testing.B) {
			for b.Loop() {
				load(b, text, abi.Limits{})
			}
		})
	}
}

func benchInstantiate(b *testing.B) {
	for _, version := range []string{"1.12", "2.10"} {
		p := load(b, bundle(b, "chat-"+version), abi.Limits{})
		b.Run("sdk="+version, func(b *testing.B) {
			for b.Loop() {
				in, err := p.Instantiate(b.Context(), newServices())
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(in.MemoryBytes()), "heap-bytes")
				in.Close()
			}
		})
	}
}

// EmptyReducer starts a module of the official package and returns a function that calls its reducer that does nothing.
func EmptyReducer(b *testing.B, e Engine) func() {
	engine = e
	w := newWorld(b, bundle(b, "edges-2.10"), abi.Limits{})
	return func() { w.must("empty") }
}
