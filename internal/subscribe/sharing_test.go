package subscribe_test

import (
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/internal/subscribe"
	"github.com/stdbgo/spacetime/internal/wire"
	v2 "github.com/stdbgo/spacetime/internal/wire/v2"
	"github.com/stdbgo/spacetime/sats"
)

// A counter is a reader that counts what is read through it.
type counter struct {
	store.Reader
	reads int
}

func (c *counter) Scan(id schema.TableID) iter.Seq[[]byte] {
	c.reads++
	return c.Reader.Scan(id)
}

func (c *counter) Point(id schema.IndexID, key []byte) iter.Seq[[]byte] {
	c.reads++
	return c.Reader.Point(id, key)
}

func (c *counter) Range(id schema.IndexID, r store.Range) iter.Seq[[]byte] {
	c.reads++
	return c.Reader.Range(id, r)
}

func (c *counter) FindUnique(id schema.IndexID, key []byte) ([]byte, bool) {
	c.reads++
	return c.Reader.FindUnique(id, key)
}

// A keeper is an outbox that keeps the messages.
type keeper struct{ messages []subscribe.Message }

func (k *keeper) Send(m subscribe.Message) { k.messages = append(k.messages, m) }

// open subscribes a new client to a query.
func (b *bench) open(p wire.Protocol, text string) *keeper {
	k := &keeper{}
	b.next++
	c := &subscribe.Client{Protocol: p, Out: k, Connection: sats.ConnectionID{byte(b.next), byte(b.next >> 8)}}
	b.m.Add(c)
	if p.Version() > 1 {
		b.handle(c, &wire.SubscribeSet{QuerySetID: 1, Queries: []string{text}})
	} else {
		b.handle(c, &wire.SubscribeMulti{QueryID: 1, Queries: []string{text}})
	}
	return k
}

// count runs fn in a transaction, publishes it, and returns the number of reads that
// took and the texts of the queries that were evaluated.
func (b *bench) count(fn func(tx *store.Tx)) (reads int, texts []string) {
	tx := b.store.Begin()
	fn(tx)
	c := tx.Commit(nil)
	tx = b.store.Begin()
	defer tx.Rollback()
	texts = b.m.Concerned(tx, c.Delta)
	r := &counter{Reader: tx}
	b.m.Publish(r, c.Delta, c.Offset, c.Logged, nobody).Deliver()
	return r.reads, texts
}

func (b *bench) insertB(id, a uint32, s string) func(tx *store.Tx) {
	return func(tx *store.Tx) {
		if _, _, err := tx.Insert(b.b.ID, sats.AppendString(sats.AppendU32(sats.AppendU32(nil, id), a), s)); err != nil {
			b.t.Fatal(err)
		}
	}
}

// However many clients have a query, a transaction evaluates it once and encodes it once
// for each wire format.
func TestOneEvaluationForAll(t *testing.T) {
	spec.Covers(t, "07.54")
	const join = "SELECT b.* FROM b JOIN a ON b.a = a.id WHERE a.x > 0"
	b := newBench(t)
	b.commit(addA(b, 1, 1), nobody)
	b.open(wire.V2, join)
	one, texts := b.count(b.insertB(1, 1, "first"))
	if one == 0 || len(texts) != 1 {
		t.Fatalf("one client: %d reads for %q", one, texts)
	}
	bodies := map[wire.Protocol]map[*byte]int{}
	var all []*keeper
	var of []wire.Protocol
	for range 25 {
		for _, p := range []wire.Protocol{wire.V2, wire.V3, wire.V1Binary, wire.V1JSON} {
			all, of = append(all, b.open(p, join)), append(of, p)
		}
	}
	many, texts := b.count(b.insertB(2, 1, "second"))
	if many != one || len(texts) != 1 {
		t.Errorf("100 clients: %d reads for %q, one client: %d", many, texts, one)
	}
	for i, k := range all {
		if bodies[of[i]] == nil {
			bodies[of[i]] = map[*byte]int{}
		}
		bodies[of[i]][&k.messages[len(k.messages)-1].Body[0]]++
	}
	for p, of := range bodies {
		if len(of) != 1 {
			t.Errorf("%v: %d different messages", p, len(of))
		}
	}
}

// Of many queries with a value each, a transaction evaluates those whose value it
// touches, and does not read for the others: in the table that they return and, through
// a unique join, in the one that they join.
func TestValuesPrune(t *testing.T) {
	spec.Covers(t, "07.57")
	for _, text := range []string{
		"SELECT * FROM b WHERE id = %d",
		"SELECT * FROM b WHERE a = %d AND s <> 'x'",
		"SELECT b.* FROM b JOIN a ON b.a = a.id WHERE b.id = %d",
		"SELECT b.* FROM b JOIN a ON b.a = a.id WHERE a.x = %d",
	} {
		t.Run(text, func(t *testing.T) {
			reads := map[int]int{}
			for _, n := range []int{1, 1000} {
				b := newBench(t)
				for i := range uint32(3) {
					b.commit(addA(b, i, i), nobody)
				}
				var told *keeper
				for i := range n {
					k := b.open(wire.V2, fmt.Sprintf(text, (i+2)%(n+2)))
					if i == 0 {
						told = k
					}
				}
				before := len(told.messages)
				took, texts := b.count(b.insertB(2, 2, "s"))
				if want := fmt.Sprintf(text, 2); len(texts) != 1 || texts[0] != want {
					t.Errorf("%d queries: evaluated %q, want %s", n, texts, want)
				}
				if len(told.messages) != before+1 {
					t.Errorf("%d queries: the client of the value got %d messages", n, len(told.messages)-before)
				}
				reads[n] = took
			}
			if reads[1000] != reads[1] {
				t.Errorf("%d reads with a thousand queries, %d with one", reads[1000], reads[1])
			}
		})
	}
}

// The sets of a batch have their outcomes in the order of the request, and those that
// are applied show one state, also when the answer is made after further transactions,
// which are told behind it. The ids of the others are free.
func TestBatchIsOneState(t *testing.T) {
	spec.Covers(t, "07.79")
	b := newBench(t)
	b.commit(addA(b, 1, 1), nobody)
	b.commit(b.insertB(1, 1, "s"), nobody)
	k := b.client(wire.V3)
	v := b.store.View()
	d := b.m.Handle(&subscribe.Request{
		Client: k.c, Reader: v, Large: 1,
		Compile: b.compile, CompileOne: b.compileOne, Micros: func() uint64 { return 1 },
	}, &wire.SubscribeBatch{RequestID: 4, Sets: []wire.SubscribeSet{
		{QuerySetID: 1, Queries: []string{"SELECT * FROM a"}},
		{QuerySetID: 2, Queries: []string{"nonsense"}},
		{QuerySetID: 3, Queries: []string{"SELECT * FROM b"}},
		{QuerySetID: 1, Queries: []string{"SELECT * FROM b"}},
	}})
	d.Deliver()
	e, ok := d.(*subscribe.Evaluation)
	if !ok {
		t.Fatalf("%T", d)
	}
	b.commit(func(tx *store.Tx) {
		addA(b, 2, 2)(tx)
		b.insertB(2, 2, "later")(tx)
	}, nobody)
	if k.messages != 0 {
		t.Fatalf("%d messages before the answer", k.messages)
	}
	var got []any
	record := k.c.Out
	k.c.Out = outboxFunc(func(m subscribe.Message) {
		record.Send(m)
		got = append(got, k.last)
	})
	e.Run()
	v.Close()
	e.Answer().Deliver()
	if len(got) != 2 {
		t.Fatalf("%d messages", len(got))
	}
	m, ok := got[0].(*v2.SubscribeBatchApplied)
	if !ok || m.RequestID != 4 || len(m.Results) != 4 {
		t.Fatalf("%+v", got[0])
	}
	for i, want := range []struct {
		id   uint32
		err  string
		rows int
	}{{1, "", 1}, {2, ", executing: `nonsense`", 0}, {3, "", 1}, {1, "already exists", 0}} {
		res := m.Results[i]
		n := 0
		for _, t := range res.Rows {
			l := wire.ReadRowList(sats.NewReader(t.Rows))
			n += l.Len()
		}
		if res.QuerySetID != want.id || (res.Error == nil) != (want.err == "") || res.Error != nil && !strings.Contains(*res.Error, want.err) || n != want.rows {
			t.Errorf("result %d: %+v with %d rows", i, res, n)
		}
	}
	if u, ok := got[1].(*v2.TransactionUpdate); !ok || len(u.Sets) != 2 {
		t.Errorf("behind the answer: %+v", got[1])
	}
	b.handle(k.c, &wire.SubscribeSet{QuerySetID: 2, Queries: []string{"SELECT * FROM b"}})
	if _, ok := k.last.(*v2.SubscribeApplied); !ok {
		t.Errorf("the id of the failed set: %+v", k.last)
	}
}

type outboxFunc func(m subscribe.Message)

func (f outboxFunc) Send(m subscribe.Message) { f(m) }

// What waits for a large answer is bounded: when it is too much the sender waits for the
// answer, and nothing is lost or changes its place.
func TestMessagesThatWaitAreBounded(t *testing.T) {
	b := newBench(t)
	b.commit(addA(b, 0, 1), nobody)
	k := b.client(wire.V2)
	v := b.store.View()
	d := b.m.Handle(&subscribe.Request{
		Client: k.c, Reader: v, Large: 1,
		Compile: b.compile, CompileOne: b.compileOne, Micros: func() uint64 { return 1 },
	}, &wire.SubscribeSet{QuerySetID: 1, Queries: []string{"SELECT * FROM a"}})
	d.Deliver()
	e := d.(*subscribe.Evaluation)
	const most = 4096
	for i := range uint32(most) {
		b.commit(addA(b, i+1, 1), nobody)
	}
	if k.messages > 0 {
		t.Fatal("a message before the answer")
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.commit(addA(b, most+1, 1), nobody)
	}()
	select {
	case <-done:
		t.Error("more waits than may")
	case <-time.After(20 * time.Millisecond):
	}
	e.Run()
	<-done
	v.Close()
	e.Answer().Deliver()
	if k.messages != most+2 || len(k.rows[1]) != most+2 {
		t.Errorf("%d messages, %d rows; want %d", k.messages, len(k.rows[1]), most+2)
	}
}
