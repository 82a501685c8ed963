package host

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/internal/subscribe"
	"github.com/stdbgo/spacetime/internal/wire"
	v1 "github.com/stdbgo/spacetime/internal/wire/v1"
	v2 "github.com/stdbgo/spacetime/internal/wire/v2"
	"github.com/stdbgo/spacetime/sats"
)

// A viewer is a client of the second protocol that keeps the rows it is told of.
type viewer struct {
	t       *testing.T
	client  *subscribe.Client
	who     Caller
	rows    map[string]int
	log     []string // messages in order, in short
	offsets []uint64
	initial []string // of the last answer to a subscription

	mu sync.Mutex // for those who look while messages come
}

func (w *world) viewer(db *Database, n byte) *viewer {
	w.t.Helper()
	v := &viewer{t: w.t, rows: map[string]int{}}
	v.who = Caller{Identity: sats.Identity{n}, Conn: sats.ConnectionID{n}}
	v.client = &subscribe.Client{Identity: v.who.Identity, Connection: v.who.Conn, Protocol: wire.V2, Out: v}
	if err := db.Attach(background, v.client, v.who, func() {}); err != nil {
		w.t.Fatal(err)
	}
	return v
}

// Send is called by the sender, one message at a time.
func (v *viewer) Send(m subscribe.Message) {
	v.mu.Lock()
	defer v.mu.Unlock()
	r := sats.NewReader(m.Body)
	msg := v2.ReadServer(r)
	if r.Err() != nil || r.Len() > 0 {
		v.t.Errorf("message: %v, %d bytes left", r.Err(), r.Len())
	}
	if m.Gated {
		if n := len(v.offsets); n > 0 && m.Offset < v.offsets[n-1] {
			v.t.Errorf("a message of offset %d after one of %d", m.Offset, v.offsets[n-1])
		}
		v.offsets = append(v.offsets, m.Offset)
	}
	switch m := msg.(type) {
	case *v2.SubscribeApplied:
		v.log = append(v.log, fmt.Sprintf("applied %d", m.RequestID))
		v.applied(m.Rows)
	case *v2.SubscribeBatchApplied:
		v.log = append(v.log, fmt.Sprintf("applied %d", m.RequestID))
		var all v2.QueryRows
		for _, r := range m.Results {
			if r.Error != nil {
				v.log = append(v.log, "error "+*r.Error)
			}
			all = append(all, r.Rows...)
		}
		v.applied(all)
	case *v2.UnsubscribeApplied:
		v.log = append(v.log, fmt.Sprintf("ended %d", m.RequestID))
		for _, t := range m.Rows {
			v.add(wire.ReadRowList(sats.NewReader(t.Rows)), -1)
		}
	case *v2.SubscriptionError:
		v.log = append(v.log, "error "+m.Error)
	case *v2.TransactionUpdate:
		v.log = append(v.log, "update")
		v.update(m.Sets)
	case *v2.ReducerResult:
		v.log = append(v.log, strings.TrimSpace(fmt.Sprintf("result %d %d %s", m.RequestID, m.Kind, m.Message)))
		v.update(m.Sets)
	case *v2.OneOffQueryResult:
		v.log = append(v.log, fmt.Sprintf("rows %d", m.RequestID))
	case *v2.ProcedureResult:
		v.log = append(v.log, fmt.Sprintf("procedure %d %s", m.RequestID, m.Message))
	default:
		v.t.Errorf("message %T", m)
	}
}

func (v *viewer) applied(rows v2.QueryRows) {
	for _, t := range rows {
		v.add(wire.ReadRowList(sats.NewReader(t.Rows)), 1)
	}
	v.initial = nil
	for row := range v.rows {
		v.initial = append(v.initial, fmt.Sprintf("%x", row))
	}
	slices.Sort(v.initial)
}

func (v *viewer) update(sets []v2.QuerySetUpdate) {
	for _, s := range sets {
		for _, t := range s.Tables {
			for _, f := range t.Rows {
				ins, del, _ := v2.ReadFragment(sats.NewReader(f))
				v.add(ins, 1)
				v.add(del, -1)
			}
		}
	}
}

func (v *viewer) add(l wire.RowList, n int) {
	for i := range l.Len() {
		row := string(l.At(i))
		v.rows[row] += n
		switch v.rows[row] {
		case 0:
			delete(v.rows, row)
		case 1:
		default:
			v.t.Errorf("a row is held %d times", v.rows[row])
		}
	}
}

func (v *viewer) handle(db *Database, batch ...wire.ClientMessage) {
	v.t.Helper()
	for len(batch) > 0 {
		n, err := db.Handle(background, v.client, v.who, batch)
		if err != nil {
			v.t.Error(err)
			return
		}
		batch = batch[n:]
	}
}

func call(id uint32, name string, args []byte) *wire.CallReducer {
	return &wire.CallReducer{RequestID: id, Reducer: name, Args: args}
}

// A client's messages are answered in the order in which they came, whatever
// becomes of them.
func TestAnswersInOrder(t *testing.T) {
	spec.Covers(t, "08.42")
	w := newWorld(t)
	db := w.create(people("people"))
	v := w.viewer(db, 9)
	v.handle(db,
		call(1, "add", append(u32(1), str("a")...)),
		call(2, "add_and_fail", append(u32(2), str("b")...)),
		call(3, "nobody", nil),
		call(4, "add", u32(1)),
		call(5, "trap", nil),
		call(6, "exhaust", nil),
		call(7, "secret", nil),
		&wire.SubscribeSet{RequestID: 8, QuerySetID: 1, Queries: []string{"SELECT * FROM person"}},
		&wire.SubscribeSet{RequestID: 9, QuerySetID: 2, Queries: []string{"SELECT * FROM nothing"}},
		&wire.OneOffQuery{RequestID: 10, Query: "SELECT * FROM person"},
		&wire.CallProcedure{RequestID: 11, Procedure: "p"},
		call(12, "add", append(u32(3), str("c")...)),
	)
	want(t, "messages", v.log, []string{
		"result 1 0",
		"result 2 2 no thanks",
		"result 3 3 no such reducer",
		"result 4 3 invalid arguments for reducer add: data too short for u32: Expected 4, given 0",
		"result 5 3 The instance encountered a fatal error.",
		"result 6 3 reducer ran out of energy",
		"result 7 3 no such reducer",
		"applied 8",
		"error no such table: `nothing`. If the table exists, it may be marked private., executing: `SELECT * FROM nothing`",
		"rows 10",
		"procedure 11 No such procedure",
		"result 12 0",
	})
	if len(v.rows) != 2 {
		t.Errorf("the client holds %d rows; want 2", len(v.rows))
	}
}

// Only version 1 shows the causes of bad arguments (spec 05 §11.3).
func TestTextOfBadArguments(t *testing.T) {
	short := &sats.DecodeError{Kind: sats.ErrBufferLength, What: "u32", Expected: 4}
	err := &InvalidArgsError{Kind: "reducer", Name: "add", Err: short}
	const text = "invalid arguments for reducer add: data too short for u32: Expected 4, given 0"
	for p, want := range map[wire.Protocol]string{
		wire.V1Binary: text + ": invalid arguments for function add: data too short for u32: Expected 4, given 0: data too short for u32: Expected 4, given 0",
		wire.V2:       text, wire.V3: text,
	} {
		if got := notStartedText(&subscribe.Client{Protocol: p}, err); got != want {
			t.Errorf("protocol %v: %s", p, got)
		}
	}
}

// lastV1 is a version 1 client that remembers its last message.
type lastV1 struct {
	t   *testing.T
	msg v1.ServerMessage
}

func (l *lastV1) Send(m subscribe.Message) {
	msg, err := v1.DecodeServer(m.Body)
	if err != nil {
		l.t.Error(err)
	}
	l.msg = msg
}

// Full updates tell who did what. A statement is nobody's call: subscribers see who sent it, but neither a
// reducer nor the connection of the request (spec 05 §7.2).
func TestEventsSeenByClients(t *testing.T) {
	w := newWorld(t)
	db := w.create(people("people"))
	db.subs.HideCaller = false // as with a module of definition version 9
	w.call(db, alice, "add", append(u32(1), str("x")...))
	out := &lastV1{t: t}
	c := &subscribe.Client{Identity: alice.Identity, Connection: alice.Conn, Protocol: wire.V1Binary, Out: out}
	if err := db.Attach(background, c, alice, func() {}); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Handle(background, c, alice, []wire.ClientMessage{&wire.Subscribe{Queries: []string{"SELECT * FROM person"}}}); err != nil {
		t.Fatal(err)
	}
	// A call shows its arguments as they were sent, bytes beyond the last one
	// included; the reducer does not see those (spec 03 §8.4).
	sent := append(append(u32(2), str("y")...), 7)
	if _, err := db.Handle(background, c, alice, []wire.ClientMessage{call(1, "add", sent)}); err != nil {
		t.Fatal(err)
	}
	if m, ok := out.msg.(*v1.TransactionUpdate); !ok || m.Status.Kind != v1.Committed || !bytes.Equal(m.Reducer.Args, sent) {
		t.Errorf("%+v", out.msg)
	}
	who := owner
	who.Conn = sats.ConnectionID{9}
	if _, err := db.SQL(background, who, "DELETE FROM person"); err != nil {
		t.Fatal(err)
	}
	db.send.flush()
	m, ok := out.msg.(*v1.TransactionUpdate)
	if !ok || m.Caller != who.Identity || m.ConnectionID != (sats.ConnectionID{}) || m.Reducer.ID != v1.NoReducer || len(m.Status.Update.Tables) != 1 {
		t.Errorf("%+v", out.msg)
	}
}

// Whoever subscribes while others write gets every row once: in the initial rows or
// in one later update.
func TestSubscribersMissNothing(t *testing.T) {
	spec.Covers(t, "08.41")
	w := newWorld(t)
	db := w.create(people("people"))
	const writers, rows = 4, 200
	var viewers []*viewer
	var wg sync.WaitGroup
	for g := range writers {
		wg.Go(func() {
			who := Caller{Identity: sats.Identity{byte(100 + g)}}
			for i := range rows {
				req := &CallRequest{Caller: who, Name: "add", Args: append(u32(uint32(g*rows+i)), str("x")...)}
				if _, err := db.CallReducer(background, req); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for n := range 10 {
		v := w.viewer(db, byte(10+n))
		viewers = append(viewers, v)
		wg.Go(func() {
			v.handle(db, &wire.SubscribeSet{RequestID: 1, QuerySetID: 1, Queries: []string{"SELECT * FROM person"}})
			v.handle(db, call(2, "add", append(u32(uint32(10000+n)), str("own")...)))
		})
	}
	wg.Wait()
	db.send.flush()
	for i, v := range viewers {
		if len(v.rows) != writers*rows+len(viewers) {
			t.Errorf("client %d holds %d rows; want %d", i, len(v.rows), writers*rows+len(viewers))
		}
		if v.log[0] != "applied 1" {
			t.Errorf("client %d got %s before its initial rows", i, v.log[0])
		}
	}
}

// Clients that subscribe with one text to what is theirs get what is theirs, whoever came
// first and whether or not a transaction changes something for both.
func TestSendersAreKeptApart(t *testing.T) {
	spec.Covers(t, "07.55")
	w := newWorld(t)
	cols := params(sats.E("id", sats.U32), sats.E("owner", sats.IdentityType))
	db := w.create(newFake("notes").addTable("note", cols, primary(0)).
		reducer("note", params(sats.E("first", sats.U32), sats.E("owners", sats.Array(sats.IdentityType))), func(c *fakeCall) error {
			r := sats.NewReader(c.Args)
			id := r.U32()
			for n := r.U32(); n > 0; n-- {
				if err := c.insert("note", append(u32(id), r.View(32)...)); err != nil {
					return err
				}
				id++
			}
			return r.End()
		}))
	note := func(first uint32, owners ...byte) {
		args := append(u32(first), u32(uint32(len(owners)))...)
		for _, o := range owners {
			id := sats.Identity{o}
			args = append(args, id[:]...)
		}
		w.call(db, alice, "note", args)
	}
	note(0, 1, 2, 2, 3)
	one, two := w.viewer(db, 1), w.viewer(db, 2)
	for _, v := range []*viewer{one, two} {
		v.handle(db, &wire.SubscribeSet{RequestID: 1, QuerySetID: 1, Queries: []string{"SELECT * FROM note WHERE owner = :sender"}})
	}
	held := func(v *viewer) (ids []uint32) {
		for row := range v.rows {
			if row[4] != v.who.Identity[0] {
				t.Errorf("client %d holds a row of %d", v.who.Identity[0], row[4])
			}
			ids = append(ids, sats.NewReader([]byte(row)).U32())
		}
		slices.Sort(ids)
		return ids
	}
	check := func(when string, first, second []uint32) {
		t.Helper()
		db.send.flush()
		if a, b := held(one), held(two); !slices.Equal(a, first) || !slices.Equal(b, second) {
			t.Errorf("%s: %v and %v; want %v and %v", when, a, b, first, second)
		}
	}
	check("at first", []uint32{0}, []uint32{1, 2})
	note(10, 2)
	check("a row of one", []uint32{0}, []uint32{1, 2, 10})
	note(20, 1, 3, 2)
	check("rows of both", []uint32{0, 20}, []uint32{1, 2, 10, 22})
}

// The row limit binds everybody but the owner.
func TestRowLimitOfSubscriptions(t *testing.T) {
	w := newWorld(t)
	db := w.create(people("people"))
	for i := range 5 {
		w.call(db, alice, "add", append(u32(uint32(i)), str("x")...))
	}
	if _, err := db.SQL(background, owner, "SET row_limit = 4"); err != nil {
		t.Fatal(err)
	}
	v := w.viewer(db, 9)
	sub := func(id uint32) wire.ClientMessage {
		return &wire.SubscribeSet{RequestID: id, QuerySetID: id, Queries: []string{"SELECT * FROM person"}}
	}
	v.handle(db, sub(1))
	v.who.IsOwner = true
	v.handle(db, sub(2))
	want(t, "messages", v.log, []string{"error Estimated cardinality (5 rows) exceeds limit (4 rows)", "applied 2"})
}

// A batch whose messages take long is carried out in parts, so that others get
// their turn in between; nothing is left out or changes its place.
func TestLongBatchIsShared(t *testing.T) {
	w := newWorld(t)
	db := w.create(people("people").reducer("slow", nil, func(*fakeCall) error {
		w.clock.advance(maxTurn * 3 / 4)
		return nil
	}))
	v := w.viewer(db, 9)
	var batch []wire.ClientMessage
	for i := range uint32(5) {
		batch = append(batch, call(i, "slow", nil))
	}
	var parts []int
	for len(batch) > 0 {
		n, err := db.Handle(background, v.client, v.who, batch)
		if err != nil {
			t.Fatal(err)
		}
		parts, batch = append(parts, n), batch[n:]
	}
	if !slices.Equal(parts, []int{2, 2, 1}) {
		t.Errorf("parts of %v messages", parts)
	}
	want(t, "messages", v.log, []string{"result 0 0", "result 1 0", "result 2 0", "result 3 0", "result 4 0"})
}
