package subscribe_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stdbgo/spacetime/internal/query"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/internal/subscribe"
	"github.com/stdbgo/spacetime/internal/wire"
	v1 "github.com/stdbgo/spacetime/internal/wire/v1"
	"github.com/stdbgo/spacetime/sats"
)

// A sink is the outbox of a client that nobody reads.
type sink struct{ messages int }

func (s *sink) Send(subscribe.Message) { s.messages++ }

// subscribed is a bench in which n clients have subscribed to the query that text makes
// of their number. Table a has 1000 rows.
func subscribed(t testing.TB, n int, text func(i int) string) (*bench, []*sink) {
	b := newBench(t)
	b.commit(func(tx *store.Tx) {
		for i := range uint32(1000) {
			if _, _, err := tx.Insert(b.a.ID, sats.AppendU32(sats.AppendU32(nil, i), 0)); err != nil {
				t.Fatal(err)
			}
		}
	}, &subscribe.Event{ReducerID: v1.NoReducer})
	sinks := make([]*sink, n)
	plans := map[string]*subscribe.Query{}
	compile := func(text string) ([]*subscribe.Query, error) {
		if q := plans[text]; q != nil {
			return []*subscribe.Query{q}, nil
		}
		qs, err := b.compile(text)
		if err == nil {
			plans[text] = qs[0]
		}
		return qs, err
	}
	v := b.store.View()
	defer v.Close()
	for i := range sinks {
		sinks[i] = &sink{}
		c := &subscribe.Client{Protocol: wire.V2, Connection: sats.ConnectionID{byte(i), byte(i >> 8), byte(i >> 16)}, Out: sinks[i]}
		b.m.Add(c)
		b.m.Handle(&subscribe.Request{Client: c, Reader: v, Compile: compile, Micros: func() uint64 { return 1 }},
			&wire.SubscribeSet{QuerySetID: 1, Queries: []string{text(i)}}).Deliver()
		if sinks[i].messages != 1 {
			t.Fatal("no answer")
		}
	}
	return b, sinks
}

// touch changes one row of table a and publishes that as the host does.
func (b *bench) touch(i int) (executor time.Duration, d subscribe.Delivery) {
	start := time.Now()
	tx := b.store.Begin()
	id := sats.AppendU32(nil, uint32(i%1000))
	if _, _, err := tx.Update(b.a.ID, b.a.Indexes[0].ID, sats.AppendU32(id, uint32(i))); err != nil {
		b.t.Fatal(err)
	}
	c := tx.Commit(nil)
	ev := &subscribe.Event{ReducerID: v1.NoReducer}
	if !b.m.Concerns(c.Delta) {
		d = b.m.Publish(nil, nil, c.Offset, c.Logged, ev)
	} else {
		tx = b.store.Begin()
		d = b.m.Publish(tx, c.Delta, c.Offset, c.Logged, ev)
		tx.Rollback()
	}
	c.Delta.Release()
	return time.Since(start), d
}

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}

// BenchmarkFanOut has 1,000 clients on one shared query beside one client: "ratio" is
// what a transaction of one row costs the executor, "send-ns" what the send stage takes
// for each client up to its outbox.
func BenchmarkFanOut(b *testing.B) {
	for name, text := range map[string]string{
		"table": "SELECT * FROM a",
		"join":  "SELECT a.* FROM a JOIN b ON a.id = b.a",
	} {
		b.Run(name, func(b *testing.B) {
			const clients = 1000
			shared := func(int) string { return text }
			one, _ := subscribed(b, 1, shared)
			many, sinks := subscribed(b, clients, shared)
			for _, w := range []*bench{one, many} {
				w.commit(func(tx *store.Tx) {
					for i := range uint32(1000) {
						_, _, _ = tx.Insert(w.b.ID, sats.AppendString(sats.AppendU32(sats.AppendU32(nil, i), i), "s"))
					}
				}, &subscribe.Event{ReducerID: v1.NoReducer})
			}
			var ones, manys, ratios, sends []float64
			i := 0
			for b.Loop() {
				const round = 8
				var single, several, sent time.Duration
				for range round {
					i++
					took, d := one.touch(i)
					d.Deliver()
					single += took
					took, d = many.touch(i)
					several += took
					start := time.Now()
					d.Deliver()
					sent += time.Since(start)
				}
				ones, manys = append(ones, float64(single)/round), append(manys, float64(several)/round)
				ratios, sends = append(ratios, float64(several)/float64(single)), append(sends, float64(sent)/(round*clients))
			}
			if sinks[clients-1].messages < i {
				b.Fatal("not all clients were told")
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(median(ones), "one-ns")
			b.ReportMetric(median(manys), "many-ns")
			b.ReportMetric(median(ratios), "ratio")
			b.ReportMetric(median(sends), "send-ns")
		})
	}
}

// BenchmarkPoints has 100,000 distinct point subscriptions beside none: "more-ns" is
// what a transaction of one row costs the executor more.
func BenchmarkPoints(b *testing.B) {
	none, _ := subscribed(b, 0, nil)
	many, _ := subscribed(b, 100_000, func(i int) string { return fmt.Sprintf("SELECT * FROM a WHERE id = %d", i) })
	var nones, manys, mores []float64
	i := 0
	for b.Loop() {
		const round = 8
		var without, with time.Duration
		for range round {
			i += 37
			took, d := none.touch(i)
			d.Deliver()
			without += took
			took, d = many.touch(i)
			d.Deliver()
			with += took
		}
		nones, manys = append(nones, float64(without)/round), append(manys, float64(with)/round)
		mores = append(mores, float64(with-without)/round)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(nones), "none-ns")
	b.ReportMetric(median(manys), "many-ns")
	b.ReportMetric(median(mores), "more-ns")
}

// BenchmarkSemijoin changes a row that 100 rows of the returned table join, and one row of
// the returned table: "pair-ns" is the evaluation for each affected pair.
func BenchmarkSemijoin(b *testing.B) {
	const fan = 100
	w := newBench(b)
	w.commit(func(tx *store.Tx) {
		for i := range uint32(1000) {
			_, _, _ = tx.Insert(w.a.ID, sats.AppendU32(sats.AppendU32(nil, i), 0))
		}
		for i := range uint32(1000 * fan) {
			_, _, _ = tx.Insert(w.b.ID, sats.AppendString(sats.AppendU32(sats.AppendU32(nil, i), i/fan), "some text"))
		}
	}, &subscribe.Event{ReducerID: v1.NoReducer})
	tx := w.store.Begin()
	bare := w.create(tx, "bare", []schema.ColumnDef{{Name: "id", Type: sats.U32}, {Name: "a", Type: sats.U32}}, 0)
	for i := range uint32(1000 * fan) {
		_, _, _ = tx.Insert(bare.ID, sats.AppendU32(sats.AppendU32(nil, i), i/fan))
	}
	tx.Commit(nil)
	planOf := func(text string) *query.Plan {
		qs, err := w.compile(text)
		if err != nil {
			b.Fatal(err)
		}
		w.keep(qs[0], 1)
		return qs[0].Plans[0]
	}
	plan := planOf("SELECT b.* FROM b JOIN a ON b.a = a.id WHERE a.x = 1")
	rows := 0
	count := func([]byte) { rows++ }
	x := uint32(0)
	run := func(b *testing.B, pairs int, change func(tx *store.Tx)) {
		var took []float64
		for b.Loop() {
			x++
			tx := w.store.Begin()
			change(tx)
			c := tx.Commit(nil)
			tx = w.store.Begin()
			before := rows
			start := time.Now()
			if err := plan.Delta(tx, c.Delta, count, count); err != nil {
				b.Fatal(err)
			}
			took = append(took, float64(time.Since(start))/float64(pairs))
			tx.Rollback()
			c.Delta.Release()
			if rows-before != pairs {
				b.Fatalf("%d rows", rows-before)
			}
		}
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(median(took), "pair-ns")
	}
	flip := func(tx *store.Tx) { // 5 gains or loses the value that is asked for
		if _, _, err := tx.Update(w.a.ID, w.a.Indexes[0].ID, sats.AppendU32(sats.AppendU32(nil, 5), x%2)); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("joined", func(b *testing.B) { run(b, fan, flip) })
	b.Run("unindexed", func(b *testing.B) { // no index leads from a to the 100,000 rows of bare
		indexed := plan
		plan = planOf("SELECT bare.* FROM bare JOIN a ON bare.a = a.id WHERE a.x = 1")
		run(b, fan, flip)
		plan = indexed
	})
	tx = w.store.Begin()
	_, _, _ = tx.Update(w.a.ID, w.a.Indexes[0].ID, sats.AppendU32(sats.AppendU32(nil, 7), 1))
	tx.Commit(nil)
	b.Run("returned", func(b *testing.B) {
		run(b, 2, func(tx *store.Tx) { // one row goes, one comes
			row := sats.AppendString(sats.AppendU32(sats.AppendU32(nil, 7*fan), 7), fmt.Sprint("text ", x))
			if _, _, err := tx.Update(w.b.ID, w.b.Indexes[0].ID, row); err != nil {
				b.Fatal(err)
			}
		})
	})
}
