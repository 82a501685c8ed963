package host

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/sats"
)

// Letters arrive in the order in which they were inserted, each once; the sender is
// told, and nothing of them is left. What was rolled back is not sent.
func TestOutboxDelivers(t *testing.T) {
	spec.Covers(t, "08.86")
	p := newPair(t, post("post"))
	for i := range 20 {
		p.send("letter", 0, rightID, fmt.Sprintf("letter %02d", i))
		if i%5 == 0 {
			res, err := p.left.CallReducer(background, &CallRequest{Caller: alice, Name: "send_letter",
				Args: slices.Concat(u64(0), rightID.AppendBSATN(nil), str("rolled back"))})
			if err != nil || res.Status != Failed {
				t.Fatal(res, err)
			}
		}
	}
	p.settled()
	got := p.got(p.right)
	if len(got) != 20 {
		t.Fatalf("%d letters have arrived: %v", len(got), got)
	}
	for i, l := range got {
		if want := fmt.Sprintf("letter %02d", i); l.body != want || l.sender != leftID {
			t.Errorf("letter %d is %+v; want %s", i, l, want)
		}
	}
	for _, table := range []string{"letter", "st_outbound_msg"} {
		if rows := p.rows(p.left, table); len(rows) > 0 {
			t.Errorf("table %s has %v", table, rows)
		}
	}
	if rows := p.rows(p.left, "outcome"); len(rows) != 20 || strings.Count(strings.Join(rows, ""), `text = "ok"`) != 20 {
		t.Errorf("outcomes: %v", rows)
	}
	if rows := p.rows(p.left, "st_outbound_stream"); len(rows) != 1 || !strings.Contains(rows[0], "next_seq = 21, ack_prefix = 20") {
		t.Errorf("streams: %v", rows)
	}
	if got := p.rows(p.right, "st_inbound_msg"); len(got) != 1 { // all but the last are acknowledged
		t.Errorf("outcomes kept: %v", got)
	}
	s := p.left.Stats().Outboxes
	if len(s.Tables) != 1 || s.Tables[0].Table != "letter" || s.Tables[0].Attempts != 20 || s.Tables[0].Failures != 0 || s.InFlightBytes != 0 {
		t.Errorf("stats: %+v", s)
	}
}

// A row that waits already is not sent twice, and a database may write to itself.
func TestOutboxToItself(t *testing.T) {
	p := newPair(t, post("post"))
	p.post.set(func() { p.post.route[leftID] = nil })
	p.send("letter", 7, leftID, "to me")
	p.send("letter", 7, leftID, "to me")
	p.pendingRetry(firstRetry)
	p.post.set(func() { p.post.route[leftID] = p.left })
	p.clock.advance(firstRetry)
	p.settled()
	if rows := p.rows(p.left, "got"); len(rows) != 1 {
		t.Errorf("arrived: %v", rows)
	}
}

// What the receiver answers reaches the callback; a callback that fails does not stop
// the stream, and is not called again.
func TestOutboxOutcomes(t *testing.T) {
	spec.Covers(t, "08.87")
	p := newPair(t, post("post"))
	p.send("letter", 1, rightID, "refuse this")
	p.send("letter", 2, rightID, "trap")
	p.send("letter", 3, rightID, "energy")
	p.send("letter", 4, rightID, "callback refuses")
	p.send("letter", 5, rightID, "callback traps")
	p.send("odd", 6, rightID, "wrong signature")
	p.send("quiet", 7, rightID, "refuse quietly")
	p.send("letter", 8, rightID, "the last one")
	p.settled()
	want := map[string]string{
		"1": "refuse this", "2": "The instance encountered a fatal error.", "3": "Module energy budget exhausted.", "8": "ok",
		"6": fmt.Sprintf("IDC reducer signature mismatch for receive: expected 01%062d, got %s", 0, receiveHash()),
	}
	got := map[string]string{}
	for _, row := range p.rows(p.left, "outcome") {
		_, row, _ = strings.Cut(row, ", id = ")
		id, row, _ := strings.Cut(row, ", text = \"")
		got[id] = strings.TrimSuffix(row, "\")")
	}
	if len(got) != len(want) {
		t.Errorf("outcomes: %v; want %v", got, want)
	}
	for id, text := range want {
		if got[id] != text {
			t.Errorf("outcome of %s: %q; want %q", id, got[id], text)
		}
	}
	if rows := p.rows(p.right, "got"); len(rows) != 3 {
		t.Errorf("arrived: %v", rows)
	}
	for _, table := range []string{"letter", "odd", "quiet"} {
		if rows := p.rows(p.left, table); len(rows) != 0 {
			t.Errorf("table %s: %v", table, rows)
		}
	}
	var failed uint64
	for _, s := range p.left.Stats().Outboxes.Tables {
		failed += s.CallbackFailures
	}
	if failed != 2 {
		t.Errorf("%d failed callbacks were counted; want 2", failed)
	}
	if log := p.moduleLog(p.left); !strings.Contains(log, "outbox `quiet`") || !strings.Contains(log, "refuse quietly") {
		t.Errorf("the log does not tell of a failed call that nobody is told of: %s", log)
	}
}

// Attempts that fail are repeated after 100 ms, then after twice the time, up to 30 s.
// New rows do not shorten the wait, other streams go on, and success resets it.
func TestOutboxRetries(t *testing.T) {
	p := newPair(t, post("post"))
	third := p.database(3, sats.Identity{0xc3}, post("post"))
	p.post.set(func() {
		p.post.before = func(c *OutboxCall) error {
			if c.Target == rightID {
				return errors.New("503 Service Unavailable: too busy")
			}
			return nil
		}
	})
	p.send("letter", 1000, rightID, "one")
	wait := firstRetry
	for range 11 {
		p.pendingRetry(wait)
		before := p.post.attempts()
		p.send("letter", 0, rightID, "more")
		p.clock.advance(wait - time.Millisecond)
		if n := p.post.attempts(); n != before {
			t.Fatalf("another attempt before %s have passed", wait)
		}
		p.clock.advance(time.Millisecond)
		wait = min(2*wait, lastRetry)
	}
	if wait != lastRetry {
		t.Fatalf("the wait has grown to %s only", wait)
	}
	p.pendingRetry(lastRetry)
	p.send("letter", 0, sats.Identity{0xc3}, "elsewhere")
	eventually(t, "a letter to another database", func() bool { return len(p.rows(third, "got")) == 1 })
	rows := strings.Join(p.rows(p.left, "st_outbound_msg"), "\n")
	if !strings.Contains(rows, `retry_count = 12, last_transport_error = (some = "503 Service Unavailable: too busy")`) {
		t.Errorf("messages:\n%s", rows)
	}
	if log := p.moduleLog(p.left); strings.Count(log, "503 Service Unavailable") != 1 {
		t.Errorf("the log tells of more or less than the first failure: %s", log)
	}
	p.post.set(func() { p.post.before = nil })
	p.clock.advance(lastRetry)
	p.settled()
	if n := len(p.rows(p.right, "got")); n != 12 {
		t.Errorf("%d letters have arrived; want 12", n)
	}
}

// A lost answer repeats the call, which does not run again.
func TestOutboxLostAnswers(t *testing.T) {
	p := newPair(t, post("post"))
	lost := 0
	p.post.set(func() {
		p.post.after = func(*OutboxCall) error {
			p.post.mu.Lock()
			defer p.post.mu.Unlock()
			if lost++; lost%2 == 1 {
				return errors.New("connection reset by peer")
			}
			return nil
		}
	})
	p.send("letter", 1, rightID, "one")
	p.send("letter", 2, rightID, "refuse two")
	for range 2 {
		p.pendingRetry(firstRetry)
		p.clock.advance(firstRetry)
	}
	p.settled()
	if got := p.rows(p.right, "got"); len(got) != 1 {
		t.Errorf("arrived: %v", got)
	}
	if got := strings.Join(p.rows(p.left, "outcome"), "\n"); !strings.Contains(got, `id = 1, text = "ok"`) || !strings.Contains(got, `id = 2, text = "refuse two"`) {
		t.Errorf("outcomes: %s", got)
	}
}

// A receiver that does not answer is given five seconds.
func TestOutboxTimeout(t *testing.T) {
	p := newPair(t, post("post"))
	slow := make(chan struct{})
	p.post.set(func() {
		p.post.before = func(*OutboxCall) error { <-slow; return errors.New("too late") }
	})
	p.send("quiet", 1, rightID, "one")
	eventually(t, "an attempt", func() bool { return p.post.attempts() == 1 })
	p.clock.advance(deliveryTimeout)
	close(slow)
	eventually(t, "the failure", func() bool {
		return strings.Contains(strings.Join(p.rows(p.left, "st_outbound_msg"), ""), "no answer within 5s")
	})
}

// A row that was deleted before its delivery stops its stream alone, until it is there
// again: its number cannot be left out.
func TestOutboxDeletedRow(t *testing.T) {
	p := newPair(t, post("post"))
	p.post.set(func() { p.post.route[rightID] = nil })
	p.send("letter", 1, rightID, "first")
	p.pendingRetry(firstRetry)
	p.call(p.left, alice, "drop", u64(1))
	p.send("letter", 2, rightID, "second")
	p.post.set(func() { p.post.route[rightID] = p.right })
	p.clock.advance(firstRetry)
	eventually(t, "the end of the stream", func() bool { return strings.Contains(p.moduleLog(p.left), "was deleted or got another key") })
	p.send("quiet", 3, rightID, "another outbox")
	eventually(t, "another stream's letter", func() bool { return len(p.rows(p.right, "got")) == 1 })
	p.send("letter", 1, rightID, "first again")
	p.settled()
	got := p.got(p.right)
	if len(got) != 3 || got[1].body != "first again" || got[2].body != "second" {
		t.Errorf("arrived: %v", got)
	}
}

// No more than 64 messages are under way, and closing does not wait for them.
func TestOutboxBounds(t *testing.T) {
	p := newPair(t, post("post"))
	block := make(chan struct{})
	p.post.set(func() {
		p.post.before = func(*OutboxCall) error { <-block; return errNoRoute }
	})
	for i := range 100 {
		p.send("letter", 0, sats.Identity{byte(i), 9}, "to nobody")
	}
	eventually(t, "64 attempts", func() bool { return p.post.attempts() == maxInFlight })
	if s := p.left.Stats().Outboxes; s.InFlight != maxInFlight || s.Waiting != 100-maxInFlight || s.InFlightBytes != maxInFlight*(8+4+9) {
		t.Errorf("stats: %+v", s)
	}
	close(block)
	eventually(t, "100 attempts", func() bool { return p.post.attempts() == 100 })
}

// Large messages share the room for bytes, and one that is larger than that goes alone.
func TestOutboxByteBound(t *testing.T) {
	o := newOutboxes(&Database{})
	ctx := t.Context()
	if !o.load(ctx, 2*maxInFlightBytes) {
		t.Fatal("a message alone has no room")
	}
	through := make(chan bool)
	go func() { through <- o.load(ctx, 1) }()
	select {
	case <-through:
		t.Fatal("there was room beside a message that fills it")
	default:
	}
	o.unload(2 * maxInFlightBytes)
	if !<-through {
		t.Error("no room after the large message")
	}
}

// An update waits for nothing, keeps what waits, and changes the outbox for it; a
// table that gets another id keeps its streams.
func TestOutboxUpdate(t *testing.T) {
	spec.Covers(t, "02.75")
	p := newPair(t, post("post"))
	p.post.set(func() { p.post.route[rightID] = nil })
	p.send("letter", 1, rightID, "one")
	p.send("letter", 2, rightID, "two")
	p.pendingRetry(firstRetry)

	more := append(slices.Clone(letterCols), sats.E("stamp", sats.U32))
	next := post("next")
	ts := next.section(schema.SecTypespace).Typespace
	ts.Types[0] = sats.Product(more...)
	tables := next.section(schema.SecTables).Tables
	defaultValue(3, u32(9))(next, &tables[0])
	if _, err := p.left.Update(background, Wasm, p.engine.register(next), p.permission("next")); err != nil {
		t.Fatal(err)
	}
	p.pendingRetry(firstRetry) // of the attempt with which deliveries begin again
	p.post.set(func() { p.post.route[rightID] = p.right })
	p.clock.advance(firstRetry)
	p.settled()
	if got := p.rows(p.right, "got"); len(got) != 2 {
		t.Errorf("arrived: %v", got)
	}
	if got := p.rows(p.left, "outcome"); len(got) != 2 {
		t.Errorf("outcomes: %v", got)
	}
}

// permission allows the left database's update to a program whatever it breaks.
func (p *pair) permission(program string) UpdatePolicy {
	p.t.Helper()
	plan, err := p.left.PrePublish(background, Wasm, []byte(program))
	if err != nil {
		p.t.Fatal(err)
	}
	return UpdatePolicy{BreakClients: plan.BreaksUsers, Token: plan.Token}
}

// What waits survives a restart, also an outcome that the module was not told yet.
func TestOutboxRestart(t *testing.T) {
	p := newPair(t, post("post"))
	p.post.set(func() { p.post.route[rightID] = nil })
	p.send("letter", 1, rightID, "one")
	p.pendingRetry(firstRetry)
	p.reopen()
	p.settled()
	if got := p.rows(p.right, "got"); len(got) != 1 {
		t.Errorf("arrived: %v", got)
	}
	if got := p.rows(p.left, "outcome"); len(got) != 1 {
		t.Errorf("outcomes: %v", got)
	}
}

// reopen restarts the host with both databases.
func (p *pair) reopen() {
	p.t.Helper()
	p.restart()
	p.launch()
}

// launch opens both databases.
func (p *pair) launch() {
	p.t.Helper()
	open := func(replica uint64, id sats.Identity) *Database {
		db, err := p.host.Open(background, DatabaseInfo{Replica: replica, Identity: id, Owner: ownerID}, nil)
		if err != nil {
			p.t.Fatal(err)
		}
		p.post.set(func() { p.post.route[id] = db })
		return db
	}
	p.right = open(2, rightID)
	p.left = open(1, leftID)
}

// A first publish that fails after init has sent something sends nothing, and what
// init sends is sent once.
func TestOutboxInit(t *testing.T) {
	p := newPair(t, post("post"))
	m := post("starter")
	m.lifecycle(schema.LifecycleInit, "init", func(c *fakeCall) error {
		return c.insert("letter", slices.Concat(u64(0), rightID.AppendBSATN(nil), str("born")))
	})
	db := p.database(3, sats.Identity{0xc3}, m)
	eventually(t, "the answer", func() bool { return len(p.rows(db, "outcome")) == 1 })
	if got := p.rows(p.right, "got"); len(got) != 1 {
		t.Errorf("arrived: %v", got)
	}
}

// Closing stops a call of another database, and a result reducer, without an outcome:
// both run at the next start.
func TestOutboxClose(t *testing.T) {
	for _, fn := range []string{"receive", "answered"} {
		t.Run(fn, func(t *testing.T) {
			m := post("hanging")
			begun, hang := make(chan struct{}, 4), true
			i := slices.IndexFunc(m.section(schema.SecReducers).Reducers, func(r schema.RawReducerV10) bool { return r.SourceName == fn })
			run := m.fns[i]
			m.fns[i] = func(c *fakeCall) error {
				if !hang {
					return run(c)
				}
				begun <- struct{}{}
				<-c.ctx.Done()
				return trapError("stopped")
			}
			p := newPair(t, m)
			p.send("letter", 1, rightID, "one")
			<-begun
			closed := make(chan error, 1)
			go func() { closed <- p.host.Close() }()
			// The databases close one after the other, each with patience of its own.
			eventually(t, "the close", func() bool {
				if p.clock.pending(closePatience) { // no further, or what is being stopped is left behind
					p.clock.advance(closePatience)
				}
				return len(closed) > 0
			})
			if err := <-closed; err != nil {
				t.Error(err)
			}
			p.host = nil
			hang = false
			p.start()
			p.launch()
			p.clock.advance(firstRetry)
			p.settled()
			if got := p.got(p.right); len(got) != 1 || got[0].body != "one" {
				t.Errorf("arrived: %+v", got)
			}
			if got := p.rows(p.left, "outcome"); len(got) != 1 || !strings.Contains(got[0], `"ok"`) {
				t.Errorf("outcomes: %v", got)
			}
		})
	}
}

// SQL writes neither to outboxes nor to schedules nor to the environment, whether or
// not a row matches (spec 08 §18).
func TestSQLRefusals(t *testing.T) {
	spec.Covers(t, "08.80")
	w := newWorld(t)
	m := post("post").addTable("timer", timerCols, scheduled("tick")).
		reducer("tick", params(sats.E("row", sats.Ref(5))), func(*fakeCall) error { return nil })
	db := w.create(m)
	to := "0x" + strings.Repeat("00", 32)
	for text, statements := range map[string][]string{
		"SQL writes to outbox tables are not supported": {
			"INSERT INTO letter (id, to, body) VALUES (1, " + to + ", 'x')", "DELETE FROM letter", "DELETE FROM letter WHERE id = 5", "UPDATE letter SET body = 'y' WHERE id = 5",
		},
		"SQL writes to scheduled tables are not supported": {"DELETE FROM timer", "DELETE FROM timer WHERE id = 5", "UPDATE timer SET what = 'y'"},
		"Database environment variables can only be changed by publishing": {
			"INSERT INTO st_env (key, value) VALUES ('K', 'v')", "DELETE FROM st_env WHERE key = 'K'", "UPDATE st_env SET value = 'w'",
		},
	} {
		for _, s := range statements {
			if got := w.sqlError(db, owner, s); !strings.HasPrefix(got, text) {
				t.Errorf("%s: %q; want %q", s, got, text)
			}
		}
	}
	if rows := w.rows(db, "st_outbound_msg"); len(rows) > 0 {
		t.Errorf("messages: %v", rows)
	}
}

// A receiver that was cleared expects the first message again. What waits gets to it,
// in a stream of its own; what it had answered does not come again.
func TestOutboxClearedReceiver(t *testing.T) {
	p := newPair(t, post("post"))
	p.send("letter", 1, rightID, "one")
	p.send("letter", 2, rightID, "two")
	p.settled()
	old := p.rows(p.left, "st_outbound_stream")
	p.post.set(func() { p.post.route[rightID] = nil })
	for i, body := range []string{"three", "refuse four", "five"} {
		p.send("letter", uint64(3+i), rightID, body)
	}
	p.pendingRetry(firstRetry)
	if err := p.host.Delete(background, 2); err != nil {
		t.Fatal(err)
	}
	p.right = p.database(4, rightID, post("post"))
	p.clock.advance(firstRetry)
	p.settled()
	got := p.got(p.right)
	if len(got) != 2 || got[0].body != "three" || got[1].body != "five" {
		t.Errorf("arrived: %+v", got)
	}
	if n := len(p.rows(p.left, "outcome")); n != 5 {
		t.Errorf("%d outcomes; want 5", n)
	}
	if now := p.rows(p.left, "st_outbound_stream"); len(now) != 1 || now[0] == old[0] || !strings.Contains(now[0], "next_seq = 4, ack_prefix = 3") {
		t.Errorf("streams: %v; before: %v", now, old)
	}
	if log := p.moduleLog(p.left); !strings.Contains(log, "was cleared, or set back") {
		t.Errorf("the log says nothing of it: %s", log)
	}
	p.send("letter", 6, rightID, "six")
	p.settled()
	if n := len(p.got(p.right)); n != 3 {
		t.Errorf("%d letters have arrived after another; want 3", n)
	}
}

// A message that is too early is no sign of that: it is tried again.
func TestOutboxOutOfOrder(t *testing.T) {
	p := newPair(t, post("post"))
	early := true
	p.post.set(func() {
		p.post.before = func(c *OutboxCall) error {
			p.post.mu.Lock()
			defer p.post.mu.Unlock()
			if early {
				return &OutOfOrderError{Expected: c.Seq + 1, Got: c.Seq}
			}
			return nil
		}
	})
	p.send("letter", 1, rightID, "one")
	p.pendingRetry(firstRetry)
	p.post.set(func() { early = false })
	p.clock.advance(firstRetry)
	p.settled()
	if rows := p.rows(p.left, "st_outbound_stream"); len(rows) != 1 || !strings.Contains(rows[0], "next_seq = 2, ack_prefix = 1") {
		t.Errorf("streams: %v", rows)
	}
}
