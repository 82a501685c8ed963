package host

import (
	"sync/atomic"
	"testing"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/subscribe"
	"github.com/stdbgo/spacetime/internal/vfs"
	"github.com/stdbgo/spacetime/internal/wire"
	"github.com/stdbgo/spacetime/sats"
)

// counterDB has a module whose reducer rewrites one row of fixed size.
func counterDB(tb testing.TB, h *Host, engine *fakeEngine) *Database {
	cols := params(sats.E("id", sats.U32), sats.E("n", sats.U64))
	m := newFake("counter").
		addTable("counter", cols, primary(0)).
		reducer("set", cols, func(c *fakeCall) error {
			t := c.table("counter")
			if t.ID == 0 {
				return trapError("no table")
			}
			ix := t.Indexes[0].ID
			if _, ok := c.Tx.FindUnique(ix, c.Args[:4]); !ok {
				_, _, err := c.Tx.Insert(t.ID, c.Args)
				return err
			}
			_, _, err := c.Tx.Update(t.ID, ix, c.Args)
			return err
		})
	db, err := h.Create(background, DatabaseInfo{Replica: 1, Identity: dbID, Owner: ownerID}, engine.register(m))
	if err != nil {
		tb.Fatal(err)
	}
	return db
}

func benchHost(tb testing.TB, o Options) (*Host, *fakeEngine) {
	engine := &fakeEngine{}
	o.Engines = map[ProgramKind]abi.Engine{Wasm: engine}
	h, err := New(o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { h.Close() })
	return h, engine
}

// BenchmarkCall measures a call from its arguments in BSATN to the commit in
// memory, with a reducer in Go that rewrites one row. What a module's engine
// costs, subscriptions and the disk's syncs are left out.
func BenchmarkCall(b *testing.B) {
	for _, name := range []string{"memory", "log"} {
		b.Run(name, func(b *testing.B) {
			o := Options{InMemory: true}
			if name == "log" {
				o = Options{Dir: b.TempDir(), FS: vfs.OS{}}
			}
			h, engine := benchHost(b, o)
			db := counterDB(b, h, engine)
			var n atomic.Uint64
			b.ReportAllocs()
			b.ResetTimer()
			cpu := cpuTime()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					i := n.Add(1)
					req := &CallRequest{Caller: alice, Name: "set", Args: sats.AppendU64(u32(uint32(i%100)), i)}
					if _, err := db.CallReducer(background, req); err != nil {
						b.Fatal(err)
					}
				}
			})
			b.ReportMetric(float64((cpuTime()-cpu).Nanoseconds())/float64(b.N), "cpu-ns/op")
		})
	}
}

// leastAllocs measures a few times: what others allocate meanwhile, or batches of the
// disk that differ in size, are no property of f.
func leastAllocs(f func()) float64 {
	least := testing.AllocsPerRun(1000, f)
	for range 4 {
		least = min(least, testing.AllocsPerRun(1000, f))
	}
	return least
}

// The way of a call costs few allocations, all of them small.
func TestCallAllocations(t *testing.T) {
	h, engine := benchHost(t, Options{InMemory: true})
	db := counterDB(t, h, engine)
	var n uint64
	req := &CallRequest{Caller: alice, Name: "set"}
	args := make([]byte, 12)
	allocs := leastAllocs(func() {
		n++
		req.Args = sats.AppendU64(append(args[:0], 1, 0, 0, 0), n)
		if _, err := db.CallReducer(background, req); err != nil {
			t.Fatal(err)
		}
	})
	t.Logf("%.1f allocations", allocs)
	if allocs > 3 {
		t.Errorf("a call makes %.0f allocations; want at most 3", allocs)
	}
}

// discard takes messages.
type discard struct{}

func (discard) Send(subscribe.Message) {}

// BenchmarkSubscribed is BenchmarkCall in memory with one client that subscribes to
// the table, so that every call is evaluated, encoded and delivered.
func BenchmarkSubscribed(b *testing.B) {
	h, engine := benchHost(b, Options{InMemory: true})
	db := counterDB(b, h, engine)
	c := &subscribe.Client{Identity: bobID, Connection: bob.Conn, Protocol: wire.V2, Out: discard{}}
	if err := db.Attach(background, c, bob, func() {}); err != nil {
		b.Fatal(err)
	}
	sub := &wire.SubscribeSet{QuerySetID: 1, Queries: []string{"SELECT * FROM counter"}}
	if _, err := db.Handle(background, c, bob, []wire.ClientMessage{sub}); err != nil {
		b.Fatal(err)
	}
	var n uint64
	b.ReportAllocs()
	for b.Loop() {
		n++
		req := &CallRequest{Caller: alice, Name: "set", Args: sats.AppendU64(u32(uint32(n%100)), n)}
		if _, err := db.CallReducer(background, req); err != nil {
			b.Fatal(err)
		}
	}
	db.send.flush()
}
