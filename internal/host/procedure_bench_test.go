package host

import (
	"context"
	"testing"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/sats"
)

// BenchmarkProcedure measures a call of a procedure in Go beside BenchmarkCall:
// one that returns at once, and one that rewrites a row in a transaction, alone and
// from as many callers as there are processors.
func BenchmarkProcedure(b *testing.B) {
	h, engine := benchHost(b, Options{InMemory: true})
	cols := params(sats.E("id", sats.U32), sats.E("n", sats.U64))
	var n uint64
	m := newFake("procedures").addTable("counter", cols, primary(0)).
		open("empty", func(context.Context, *abi.ProcedureCall) error { return nil }).
		open("write", func(ctx context.Context, c *abi.ProcedureCall) error {
			tx, _, err := c.Host.StartTx(ctx)
			if err != nil {
				return err
			}
			t := tx.TableByName("counter")
			n++
			row := sats.AppendU64(u32(1), n)
			if tx.RowCount(t.ID) == 0 {
				_, _, err = tx.Insert(t.ID, row)
			} else {
				_, _, err = tx.Update(t.ID, t.Indexes[0].ID, row)
			}
			if err != nil {
				return err
			}
			return c.Host.CommitTx(ctx)
		})
	db, err := h.Create(background, DatabaseInfo{Replica: 1, Identity: dbID, Owner: ownerID}, engine.register(m))
	if err != nil {
		b.Fatal(err)
	}
	call := func(b *testing.B, name string) {
		res, err := db.CallProcedure(background, &ProcedureRequest{Caller: alice, Name: name})
		if err != nil || res.Status != Committed {
			b.Fatal(res, err)
		}
	}
	for _, name := range []string{"empty", "write"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				call(b, name)
			}
		})
		b.Run(name+"/parallel", func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					call(b, name)
				}
			})
		})
	}
}
