package subscribe_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/stdbgo/spacetime/internal/query"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/internal/sql"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/internal/subscribe"
	"github.com/stdbgo/spacetime/internal/wire"
	v1 "github.com/stdbgo/spacetime/internal/wire/v1"
	v2 "github.com/stdbgo/spacetime/internal/wire/v2"
	"github.com/stdbgo/spacetime/sats"
	"pgregory.net/rapid"
)

// A bench is a store with two tables and a manager over it.
type bench struct {
	t     rapid.TB
	store *store.Store
	m     *subscribe.Manager
	a, b  *schema.Table
	next  uint32
}

func newBench(t rapid.TB) *bench {
	b := &bench{t: t, store: store.New(store.Options{}), m: subscribe.NewManager()}
	tx := b.store.Begin()
	b.a = b.create(tx, "a", []schema.ColumnDef{{Name: "id", Type: sats.U32}, {Name: "x", Type: sats.U32}}, 0)
	b.b = b.create(tx, "b", []schema.ColumnDef{{Name: "id", Type: sats.U32}, {Name: "a", Type: sats.U32}, {Name: "s", Type: sats.String}}, 0, 1)
	tx.Commit(nil)
	b.m.Watch = b.keep
	return b
}

// keep has the store keep the columns by which live queries look rows up, as the host
// does.
func (b *bench) keep(q *subscribe.Query, step int) {
	for _, p := range q.Plans {
		for _, k := range p.KeptColumns() {
			if step > 0 {
				b.store.KeepIndex(k.Table, k.Col)
			} else {
				b.store.DropKept(k.Table, k.Col)
			}
		}
	}
}

// create makes a table whose first listed column is its key; all are indexed.
func (b *bench) create(tx *store.Tx, name string, cols []schema.ColumnDef, indexed ...schema.ColID) *schema.Table {
	pk := indexed[0]
	def := &schema.TableDef{Name: name, Accessor: name, Columns: cols, PrimaryKey: &pk, Access: schema.Public, Kind: schema.User}
	elems := make([]sats.Element, len(cols))
	for i, c := range cols {
		elems[i] = sats.E(c.Name, c.Type)
		def.Columns[i].Accessor = c.Name
	}
	def.RowType = sats.Product(elems...)
	def.Constraints = []schema.ConstraintDef{{Name: name + "_key", Cols: []schema.ColID{pk}}}
	for _, col := range indexed {
		def.Indexes = append(def.Indexes, schema.IndexDef{Name: fmt.Sprintf("%s_%d", name, col), Algo: schema.BTree, Cols: []schema.ColID{col}})
	}
	table, err := tx.CreateTable(def.Instantiate())
	if err != nil {
		b.t.Fatal(err)
	}
	return table
}

func (b *bench) compile(text string) ([]*subscribe.Query, error) {
	v := b.store.View()
	defer v.Close()
	qs, err := sql.CompileSubscriptionSet(v, []string{text}, sql.Caller{})
	var qe *sql.QueryError
	if errors.As(err, &qe) {
		return nil, qe.Err
	}
	if err != nil {
		return nil, err
	}
	out := make([]*subscribe.Query, len(qs))
	for i, q := range qs {
		out[i] = &subscribe.Query{Key: string(q.Hash[:]), Text: q.Text}
		out[i].Plans = append(out[i].Plans, q.Plan)
	}
	return out, nil
}

func (b *bench) compileOne(text string) (*subscribe.Query, error) {
	v := b.store.View()
	defer v.Close()
	q, err := sql.CompileSubscription(v, text, sql.Caller{})
	if err != nil {
		q, err = sql.CompileOneOff(v, text, sql.Caller{})
	}
	if err != nil {
		return nil, err
	}
	return &subscribe.Query{Key: string(q.Hash[:]), Text: q.Text, Plans: []*query.Plan{q.Plan}}, nil
}

// handle carries out a message and delivers the answer.
func (b *bench) handle(c *subscribe.Client, msg wire.ClientMessage) {
	v := b.store.View()
	defer v.Close()
	b.m.Handle(&subscribe.Request{Client: c, Reader: v, Compile: b.compile, CompileOne: b.compileOne, Micros: func() uint64 { return 1 }}, msg).Deliver()
}

// commit runs fn in a transaction and publishes it.
func (b *bench) commit(fn func(tx *store.Tx), ev *subscribe.Event) {
	tx := b.store.Begin()
	fn(tx)
	c := tx.Commit(nil)
	tx = b.store.Begin()
	defer tx.Rollback()
	b.m.Publish(tx, c.Delta, c.Offset, c.Logged, ev).Deliver()
}

func (b *bench) evaluate(text string) map[string]int {
	bag := map[string]int{}
	qs, err := b.compile(text)
	if err != nil {
		b.t.Fatal(err)
	}
	v := b.store.View()
	defer v.Close()
	for _, q := range qs {
		for _, p := range q.Plans {
			if err := p.Run(v, func(row []byte) bool { bag[string(row)]++; return true }); err != nil {
				b.t.Fatal(err)
			}
		}
	}
	return bag
}

// A cache is what a client that trusts every message knows: per query set if it
// speaks v2, all in one if it speaks v1.
type cache struct {
	t        rapid.TB
	c        *subscribe.Client
	rows     map[uint32]map[string]int
	messages int
	last     any
}

func (b *bench) client(p wire.Protocol) *cache {
	k := &cache{t: b.t, rows: map[uint32]map[string]int{}}
	b.next++
	k.c = &subscribe.Client{Protocol: p, Out: k, Connection: sats.ConnectionID{byte(b.next), byte(b.next >> 8)}}
	b.m.Add(k.c)
	return k
}

func (k *cache) Send(m subscribe.Message) {
	k.messages++
	if k.c.Protocol.Version() > 1 {
		r := sats.NewReader(m.Body)
		msg := v2.ReadServer(r)
		if r.Err() != nil || r.Len() != 0 {
			k.t.Fatalf("%v, %d bytes left", r.Err(), r.Len())
		}
		k.v2(msg)
		return
	}
	msg, err := v1.DecodeServer(m.Body)
	if err != nil {
		k.t.Fatal(err)
	}
	k.v1(msg)
}

func (k *cache) change(set uint32, l wire.RowList, n int) {
	if k.rows[set] == nil {
		k.rows[set] = map[string]int{}
	}
	for i := range l.Len() {
		row := string(l.At(i))
		if k.rows[set][row] += n; k.rows[set][row] < 0 {
			k.t.Fatalf("a row is deleted that the client does not hold: %x", row)
		} else if k.rows[set][row] == 0 {
			delete(k.rows[set], row)
		}
	}
}

func (k *cache) v2(m v2.ServerMessage) {
	k.last = m
	all := func(set uint32, rows v2.QueryRows, n int) {
		for _, t := range rows {
			r := sats.NewReader(t.Rows)
			k.change(set, wire.ReadRowList(r), n)
		}
	}
	update := func(sets []v2.QuerySetUpdate) {
		for _, s := range sets {
			for _, t := range s.Tables {
				for _, f := range t.Rows {
					ins, del, _ := v2.ReadFragment(sats.NewReader(f))
					k.change(s.QuerySetID, ins, 1) // inserts first, as clients do
					k.change(s.QuerySetID, del, -1)
				}
			}
		}
	}
	switch m := m.(type) {
	case *v2.SubscribeApplied:
		all(m.QuerySetID, m.Rows, 1)
	case *v2.UnsubscribeApplied:
		all(m.QuerySetID, m.Rows, -1)
	case *v2.SubscribeBatchApplied:
		for _, r := range m.Results {
			all(r.QuerySetID, r.Rows, 1)
		}
	case *v2.TransactionUpdate:
		if len(m.Sets) == 0 {
			k.t.Fatal("an update without changes")
		}
		update(m.Sets)
	case *v2.ReducerResult:
		update(m.Sets)
	}
}

func (k *cache) v1(m v1.ServerMessage) {
	k.last = m
	update := func(u v1.DatabaseUpdate) {
		for _, t := range u.Tables {
			n := 0
			for _, f := range t.Updates {
				del, ins := v1.ReadQueryUpdate(sats.NewReader(f))
				k.change(0, ins, 1)
				k.change(0, del, -1)
				n += ins.Len() + del.Len()
			}
			if uint64(n) != t.NumRows {
				k.t.Fatalf("num_rows %d of %d", t.NumRows, n)
			}
		}
	}
	switch m := m.(type) {
	case *v1.SubscribeMultiApplied:
		update(m.Update)
	case *v1.TransactionUpdate:
		update(m.Status.Update)
	case *v1.TransactionUpdateLight:
		update(m.Update)
	}
}

var queries = []string{
	"SELECT * FROM a",
	"SELECT * FROM b",
	"SELECT * FROM *",
	"SELECT * FROM a WHERE x = 1",
	"SELECT * FROM a WHERE x = 1 OR x = 2",
	"SELECT * FROM a WHERE x > 1 AND id < 3",
	"SELECT a.* FROM a JOIN b ON a.id = b.a",
	"SELECT b.* FROM b JOIN a ON b.a = a.id WHERE a.x = 1",
	"SELECT b.* FROM a JOIN b ON a.id = b.a WHERE b.s = 's1'",
}

// TestCachesFollow makes random transactions and subscriptions and demands that
// every client knows exactly what its queries yield, after every step.
func TestCachesFollow(t *testing.T) {
	spec.Covers(t, "05.15", "05.28", "05.40")
	rapid.Check(t, func(t *rapid.T) {
		b := newBench(t)
		type held struct{ texts map[uint32][]string }
		clients := map[*cache]*held{}
		for _, p := range []wire.Protocol{wire.V2, wire.V3, wire.V1Binary, wire.V1Binary} {
			clients[b.client(p)] = &held{map[uint32][]string{}}
		}
		order := slices.SortedFunc(maps.Keys(clients), func(x, y *cache) int { return int(x.c.Connection[0]) - int(y.c.Connection[0]) })
		ids := rapid.Uint32Range(0, 4)
		step := map[string]func(*rapid.T){
			"transaction": func(t *rapid.T) {
				ev := &subscribe.Event{ReducerID: v1.NoReducer}
				if rapid.Bool().Draw(t, "called") {
					ev.Client = rapid.SampledFrom(order).Draw(t, "caller").c
				}
				counts := map[*cache]int{}
				for k := range clients {
					counts[k] = k.messages
				}
				b.commit(func(tx *store.Tx) { randomChanges(t, b, tx, ids) }, ev)
				for k := range clients {
					if n := k.messages - counts[k]; n > 1 || n == 0 && k.c == ev.Client {
						t.Fatalf("%d messages for one transaction", n)
					}
				}
			},
			"subscribe": func(t *rapid.T) {
				k := rapid.SampledFrom(order).Draw(t, "client")
				id := rapid.Uint32Range(0, 3).Draw(t, "id")
				texts := rapid.SliceOfN(rapid.SampledFrom(queries), 0, 3).Draw(t, "texts")
				if k.c.Protocol.Version() > 1 {
					b.handle(k.c, &wire.SubscribeSet{QuerySetID: id, Queries: texts})
				} else {
					b.handle(k.c, &wire.SubscribeMulti{QueryID: id, Queries: texts})
				}
				if _, taken := clients[k].texts[id]; !taken {
					clients[k].texts[id] = texts
				}
			},
			"unsubscribe": func(t *rapid.T) {
				k := rapid.SampledFrom(order).Draw(t, "client")
				id := rapid.Uint32Range(0, 3).Draw(t, "id")
				if k.c.Protocol.Version() > 1 {
					b.handle(k.c, &wire.UnsubscribeSet{QuerySetID: id, SendDroppedRows: true})
				} else {
					b.handle(k.c, &wire.UnsubscribeMulti{QueryID: id})
				}
				delete(clients[k].texts, id)
			},
			"": func(t *rapid.T) {
				sets := 0
				for _, h := range clients {
					sets += len(h.texts)
				}
				if got := b.m.Tally.Sets.Load(); got != int64(sets) {
					t.Fatalf("%d sets are counted, %d are held", got, sets)
				}
				for _, k := range order {
					want := map[uint32]map[string]int{}
					distinct := map[string]bool{}
					for id, texts := range clients[k].texts {
						if k.c.Protocol.Version() == 1 {
							id = 0
						} else {
							distinct = map[string]bool{}
						}
						for _, text := range expand(texts) {
							if distinct[text] {
								continue
							}
							distinct[text] = true
							if want[id] == nil {
								want[id] = map[string]int{}
							}
							for row, n := range b.evaluate(text) {
								want[id][row] += n
							}
						}
					}
					for id := range uint32(4) {
						if !maps.Equal(k.rows[id], want[id]) {
							t.Fatalf("client %d (%v), set %d holds %v, its queries %v yield %v", k.c.Connection[0], k.c.Protocol, id, k.rows[id], clients[k].texts, want[id])
						}
					}
				}
			},
		}
		t.Repeat(step)
		for _, k := range order {
			b.m.Remove(k.c)
		}
		if clients, queries := b.m.Len(); clients+queries != 0 {
			t.Fatalf("%d clients and %d queries are left", clients, queries)
		}
		if n := &b.m.Tally; n.Sets.Load() != 0 || n.Queries.Load() != 0 || n.Legacy.Load() != 0 {
			t.Fatalf("%d sets, %d queries, %d without an id are counted still", n.Sets.Load(), n.Queries.Load(), n.Legacy.Load())
		}
	})
}

func expand(texts []string) (out []string) {
	for _, text := range texts {
		if text == "SELECT * FROM *" {
			out = append(out, "SELECT * FROM a", "SELECT * FROM b")
		} else {
			out = append(out, text)
		}
	}
	return out
}

func randomChanges(t *rapid.T, b *bench, tx *store.Tx, ids *rapid.Generator[uint32]) {
	for range rapid.IntRange(0, 4).Draw(t, "changes") {
		id, other := ids.Draw(t, "id"), ids.Draw(t, "other")
		switch rapid.IntRange(0, 3).Draw(t, "what") {
		case 0, 1: // a refused row changes nothing
			_, _, _ = tx.Insert(b.a.ID, sats.AppendU32(sats.AppendU32(nil, id), other))
			_, _, _ = tx.Insert(b.b.ID, sats.AppendString(sats.AppendU32(sats.AppendU32(nil, other), id), fmt.Sprint("s", id)))
		case 2:
			_, _ = tx.DeletePoint(b.a.Indexes[0].ID, sats.AppendU32(nil, id))
		case 3:
			_, _ = tx.DeletePoint(b.b.Indexes[0].ID, sats.AppendU32(nil, other))
		}
	}
}
