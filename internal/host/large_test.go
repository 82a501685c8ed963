package host

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/internal/wire"
	"github.com/stdbgo/spacetime/sats"
)

// crowd is people with so many of them that reading all is a large answer, and
// reducers that change some.
func crowd(name string, n uint32) *fakeModule {
	return people(name).
		reducer("fill", nil, func(c *fakeCall) error {
			for i := range n {
				if err := c.insert("person", append(u32(i), str(fmt.Sprint("person ", i))...)); err != nil {
					return err
				}
			}
			return nil
		}).
		// rename deletes a person, or inserts one again under a name.
		reducer("rename", personCols, func(c *fakeCall) error {
			t := c.table("person")
			if _, err := c.Tx.DeletePoint(t.Indexes[0].ID, c.Args[:4]); err != nil {
				return err
			}
			if sats.NewReader(c.Args[4:]).Str() == "" {
				return nil
			}
			return c.insert("person", c.Args)
		})
}

func halves(request uint32) *wire.SubscribeBatch {
	return &wire.SubscribeBatch{RequestID: request, Sets: []wire.SubscribeSet{
		{QuerySetID: 1, Queries: []string{"SELECT * FROM person WHERE id < 4000"}},
		{QuerySetID: 2, Queries: []string{"SELECT * FROM person WHERE id >= 4000"}},
	}}
}

// hold makes all large answers wait until the function that it returns is called.
func (w *world) hold(db *Database) (release func()) {
	for range cap(db.evaluations) {
		db.evaluations <- struct{}{}
	}
	return func() {
		for range cap(db.evaluations) {
			<-db.evaluations
		}
	}
}

// While a large answer is made transactions go on, other clients are told of them, and
// the client gets them behind its answer, once.
func TestLargeAnswersHoldNobodyUp(t *testing.T) {
	spec.Covers(t, "07.49")
	const n = 8000
	w := newWorld(t)
	db := w.create(crowd("crowd", n))
	w.call(db, alice, "fill")
	for _, msg := range []wire.ClientMessage{
		&wire.SubscribeSet{RequestID: 1, QuerySetID: 1, Queries: []string{"SELECT * FROM person"}},
		halves(1),
	} {
		t.Run(fmt.Sprintf("%T", msg), func(t *testing.T) {
			slow, quick := w.viewer(db, 1), w.viewer(db, 2)
			quick.handle(db, &wire.SubscribeSet{RequestID: 1, QuerySetID: 1, Queries: []string{"SELECT * FROM person WHERE id = 5"}})
			release := w.hold(db)
			before := persons(db)
			done := make(chan struct{})
			go func() {
				defer close(done)
				slow.handle(db, msg, call(2, "rename", append(u32(7), str(fmt.Sprintf("own %T", msg))...)))
			}()
			for { // it is registered
				var sets int
				if err := db.exec.do(background, func(sats.Timestamp) { _, sets = db.subs.Len() }); err != nil {
					t.Fatal(err)
				}
				if sets > 1 {
					break
				}
				time.Sleep(time.Millisecond)
			}
			w.call(db, alice, "rename", u32(5), str(""))
			w.call(db, alice, "rename", u32(5), str(fmt.Sprintf("back %T", msg)))
			w.call(db, alice, "rename", u32(6), str(fmt.Sprintf("other %T", msg)))
			db.send.flush()
			want(t, "messages of the other", quick.log, []string{"applied 1", "update", "update"})
			if len(slow.log) > 0 {
				t.Errorf("the client that waits got %v", slow.log)
			}
			release()
			<-done
			want(t, "messages", slow.log, []string{"applied 1", "update", "update", "update", "result 2 0"})
			if !slices.Equal(slow.initial, before) {
				t.Errorf("%d initial rows are not the %d at the time of the message", len(slow.initial), len(before))
			}
			slow.holds(db)
			for _, v := range []*viewer{slow, quick} {
				if err := db.Detach(background, v.client, v.who); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// Subscriptions to much and to little, alone and in batches, race with writers, with
// each other and with their end: what a client holds is what there is.
func TestLargeAnswersMissNothing(t *testing.T) {
	spec.Covers(t, "05.36", "05.51")
	const n = 4500
	w := newWorld(t)
	db := w.create(crowd("crowd", n))
	w.call(db, alice, "fill")
	stop := make(chan struct{})
	var writers, readers sync.WaitGroup
	for g := range 3 {
		writers.Go(func() {
			who := Caller{Identity: sats.Identity{byte(100 + g)}}
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				name := fmt.Sprint("name ", i)
				if i%3 == 0 {
					name = ""
				}
				id := uint32(i*37%(2*n)/3*3 + g) // each writer has its own persons
				req := &CallRequest{Caller: who, Name: "rename", Args: append(u32(id), str(name)...)}
				if _, err := db.CallReducer(background, req); err != nil {
					t.Error(err)
				}
			}
		})
	}
	var viewers []*viewer
	for k := range 4 {
		v := w.viewer(db, byte(10+k))
		if k >= 2 {
			v.client.Protocol = wire.V3
		}
		viewers = append(viewers, v)
		readers.Go(func() {
			for round := range uint32(3) {
				one := &wire.SubscribeSet{RequestID: 1, QuerySetID: 1, Queries: []string{"SELECT * FROM person"}}
				switch {
				case k%2 == 0:
					v.handle(db, one)
				default:
					v.handle(db, &wire.OneOffQuery{RequestID: 9, Query: "SELECT * FROM person"}, halves(1))
				}
				if round < 2 {
					v.handle(db, &wire.UnsubscribeSet{RequestID: 3, QuerySetID: 1, SendDroppedRows: true})
					if k%2 == 1 {
						v.handle(db, &wire.UnsubscribeSet{RequestID: 3, QuerySetID: 2, SendDroppedRows: true})
					}
					if len(v.rows) != 0 {
						t.Errorf("%d rows are left after the end", len(v.rows))
					}
				}
			}
		})
	}
	readers.Wait()
	close(stop)
	writers.Wait()
	db.send.flush()
	for _, v := range viewers {
		v.holds(db)
	}
}

func persons(db *Database) (rows []string) {
	v := db.View()
	defer v.Close()
	for row := range v.Scan(v.TableByName("person").ID) {
		rows = append(rows, fmt.Sprintf("%x", row))
	}
	slices.Sort(rows)
	return rows
}

// holds compares what the client has with the table.
func (v *viewer) holds(db *Database) {
	v.t.Helper()
	held := make([]string, 0, len(v.rows))
	for row := range v.rows {
		held = append(held, fmt.Sprintf("%x", row))
	}
	slices.Sort(held)
	there := persons(db)
	if !slices.Equal(held, there) {
		v.t.Errorf("client %x holds %d rows of %d", v.who.Conn[0], len(held), len(there))
	}
}

// A subscription that begins with more rows than fit one message is refused, while
// transactions go on, and what else the client asks for is answered.
func TestSubscriptionsThatAreTooLarge(t *testing.T) {
	w := newWorld(t)
	w.stop()
	w.opts.SubscriptionBytes = 50_000
	w.start()
	db := w.create(crowd("crowd", 8000))
	w.call(db, alice, "fill")
	v := w.viewer(db, 1)
	release := w.hold(db)
	done := make(chan struct{})
	go func() {
		defer close(done)
		v.handle(db, &wire.SubscribeSet{RequestID: 1, QuerySetID: 1, Queries: []string{"SELECT * FROM person"}},
			&wire.SubscribeSet{RequestID: 2, QuerySetID: 1, Queries: []string{"SELECT * FROM person WHERE id < 1000"}},
			&wire.SubscribeSet{RequestID: 3, QuerySetID: 2, Queries: []string{"SELECT * FROM person WHERE id = 7777"}})
	}()
	w.call(db, alice, "rename", u32(5), str("while it is counted"))
	release()
	<-done
	const refusal = "error The initial rows of the subscription are larger than 50000 bytes, which is as much as fits one message; " +
		"narrow the queries with WHERE, or spread them over several subscriptions ([sql] max-subscription-bytes in the server's config.toml)"
	want(t, "messages", v.log, []string{refusal, "applied 2", "applied 3"})
	if len(v.rows) != 1001 {
		t.Errorf("%d rows", len(v.rows))
	}
}
