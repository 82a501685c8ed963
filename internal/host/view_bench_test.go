package host

import (
	"context"
	"fmt"
	"testing"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/sats"
)

// viewedDB is counterDB with a view of one row by its key, evaluated for n keys.
func viewedDB(tb testing.TB, n int) *Database {
	h, engine := benchHost(tb, Options{InMemory: true})
	cols := params(sats.E("id", sats.U32), sats.E("n", sats.U64))
	m := newFake("viewed").
		addTable("counter", cols, primary(0)).
		reducer("set", cols, func(c *fakeCall) error {
			t := c.table("counter")
			ix := t.Indexes[0].ID
			if _, ok := c.Tx.FindUnique(ix, c.Args[:4]); !ok {
				_, _, err := c.Tx.Insert(t.ID, c.Args)
				return err
			}
			_, _, err := c.Tx.Update(t.ID, ix, c.Args)
			return err
		})
	var buf []byte
	m.view("one", "counter", true, params(sats.E("id", sats.U32)), func(_ context.Context, c *abi.ViewCall) (abi.ViewResult, error) {
		buf = append(buf[:0], 0, 0, 0, 0)
		if row, ok := c.Tx.FindUnique(c.Tx.TableByName("counter").Indexes[0].ID, c.Args); ok {
			buf = append(append(buf[:0], 1, 0, 0, 0), row...)
		}
		return abi.ViewResult{Rows: buf}, nil
	})
	db, err := h.Create(background, DatabaseInfo{Replica: 1, Identity: dbID, Owner: ownerID}, engine.register(m))
	if err != nil {
		tb.Fatal(err)
	}
	for i := range n {
		if _, err := db.SQL(background, alice, fmt.Sprintf("SELECT * FROM one(%d)", i)); err != nil {
			tb.Fatal(err)
		}
	}
	return db
}

// BenchmarkViews measures a call that rewrites one row, as BenchmarkCall does, where
// views have been evaluated: none, ten thousand that have read other rows, and, of as
// many, the one that has read this row.
func BenchmarkViews(b *testing.B) {
	for _, tt := range []struct {
		name      string
		instances int
		id        uint32
	}{{"none", 0, 20_000}, {"others", 10_000, 20_000}, {"touched", 10_000, 77}} {
		b.Run(tt.name, func(b *testing.B) {
			db := viewedDB(b, tt.instances)
			var n uint64
			b.ReportAllocs()
			for b.Loop() {
				n++
				req := &CallRequest{Caller: alice, Name: "set", Args: sats.AppendU64(u32(tt.id), n)}
				if _, err := db.CallReducer(background, req); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// A call that touches nothing that a view has read costs no allocation more than one
// where there are no views.
func TestUntouchedViewsAllocateNothing(t *testing.T) {
	per := func(instances int) float64 {
		db := viewedDB(t, instances)
		var n uint64
		req := &CallRequest{Caller: alice, Name: "set"}
		args := make([]byte, 12)
		return leastAllocs(func() {
			n++
			req.Args = sats.AppendU64(sats.AppendU32(args[:0], 20_000), n)
			if _, err := db.CallReducer(background, req); err != nil {
				t.Fatal(err)
			}
		})
	}
	if without, with := per(0), per(100); with > without {
		t.Errorf("a call makes %.0f allocations beside a hundred views and %.0f without", with, without)
	}
}
