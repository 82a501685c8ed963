package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/internal/subscribe"
	"github.com/stdbgo/spacetime/internal/vfs"
	"github.com/stdbgo/spacetime/internal/wire"
	v1 "github.com/stdbgo/spacetime/internal/wire/v1"
	v2 "github.com/stdbgo/spacetime/internal/wire/v2"
	"github.com/stdbgo/spacetime/sats"
)

// proc declares a procedure.
func (m *fakeModule) proc(name string, v schema.Visibility, in []sats.Element, out *sats.Type, fn fakeProcedure) *fakeModule {
	sec := m.section(schema.SecProcedures)
	sec.Procedures = append(sec.Procedures, schema.RawProcedureV10{SourceName: name, Params: sats.Product(in...), Return: out, Visibility: v})
	if m.procedures == nil {
		m.procedures = map[string]fakeProcedure{}
	}
	m.procedures[name] = fn
	return m
}

// open declares a procedure that everybody may call and that returns nothing.
func (m *fakeModule) open(name string, fn func(ctx context.Context, c *abi.ProcedureCall) error) *fakeModule {
	return m.proc(name, schema.VisibilityClient, nil, sats.Unit, func(ctx context.Context, c *abi.ProcedureCall) ([]byte, error) {
		return nil, fn(ctx, c)
	})
}

// addIn inserts a person in a transaction of a procedure, which stays open.
func addIn(ctx context.Context, h abi.ProcedureHost, id uint32) error {
	tx, _, err := h.StartTx(ctx)
	if err != nil {
		return err
	}
	_, _, err = tx.Insert(tx.TableByName("person").ID, append(u32(id), str("p")...))
	return err
}

func add(ctx context.Context, h abi.ProcedureHost, id uint32) error {
	if err := addIn(ctx, h, id); err != nil {
		return err
	}
	return h.CommitTx(ctx)
}

func (w *world) procedure(db *Database, who Caller, name string, args ...[]byte) ProcedureResult {
	w.t.Helper()
	res, err := db.CallProcedure(background, &ProcedureRequest{Caller: who, Name: name, Args: bytes.Join(args, nil)})
	if err != nil {
		w.t.Fatalf("procedure %s: %v", name, err)
	}
	return res
}

func (w *world) live() int {
	w.engine.mu.Lock()
	defer w.engine.mu.Unlock()
	return w.engine.live
}

// eventually waits for something that other goroutines bring about.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s did not come about", what)
		}
	}
}

// A procedure that ends its goroutine takes its instance with it, and nothing else.
func TestProcedureExit(t *testing.T) {
	w := newWorld(t)
	m := people("exits").
		open("exit", func(context.Context, *abi.ProcedureCall) error { runtime.Goexit(); return nil }).
		open("fine", func(context.Context, *abi.ProcedureCall) error { return nil })
	db := w.create(m)
	var done sync.WaitGroup
	done.Go(func() {
		_, _ = db.CallProcedure(background, &ProcedureRequest{Caller: alice, Name: "exit"}) // it does not return
	})
	done.Wait()
	if n := w.live(); n != 1 {
		t.Errorf("%d instances afterwards; want the main one", n)
	}
	if res := w.procedure(db, alice, "fine"); res.Status != Committed {
		t.Errorf("the next procedure: %+v", res)
	}
}

// How procedures end, and what becomes of their instances.
func TestProcedureOutcomes(t *testing.T) {
	w := newWorld(t)
	type echoed struct {
		sender sats.Identity
		conn   sats.ConnectionID
		time   sats.Timestamp
	}
	var got echoed
	in := params(sats.E("a", sats.U32), sats.E("b", sats.U32))
	m := people("outcomes").
		proc("sum", schema.VisibilityClient, in, sats.U64, func(_ context.Context, c *abi.ProcedureCall) ([]byte, error) {
			got = echoed{c.Sender, c.Conn, c.Time}
			r := sats.NewReader(c.Args)
			return u64(uint64(r.U32()) + uint64(r.U32())), r.End()
		}).
		proc("hidden", schema.VisibilityPrivate, nil, sats.Unit, func(context.Context, *abi.ProcedureCall) ([]byte, error) { return nil, nil }).
		proc("wrong", schema.VisibilityClient, nil, sats.U64, func(context.Context, *abi.ProcedureCall) ([]byte, error) { return u32(1), nil }).
		proc("more", schema.VisibilityClient, nil, sats.U32, func(context.Context, *abi.ProcedureCall) ([]byte, error) { return u64(1), nil }).
		open("crash", func(context.Context, *abi.ProcedureCall) error { return trapError("unreachable") }).
		open("greedy", func(context.Context, *abi.ProcedureCall) error { return errNoEnergy }).
		open("strange", func(context.Context, *abi.ProcedureCall) error { return errBadResult })
	db := w.create(m)
	if n := w.live(); n != 1 {
		t.Errorf("%d instances before the first procedure; want the main one", n)
	}
	before := w.clock.micros()
	res := w.procedure(db, alice, "sum", u32(4_000_000_000), u32(1), []byte{9, 9})
	if res.Status != Committed || !bytes.Equal(res.Value, u64(4_000_000_001)) || res.HasOffset {
		t.Errorf("sum = %+v", res)
	}
	if got.sender != aliceID || got.conn != alice.Conn || got.time < before || res.Timestamp != got.time {
		t.Errorf("the procedure saw %+v", got)
	}
	if n := w.live(); n != 2 {
		t.Errorf("%d instances after a procedure; want 2", n)
	}
	for _, tt := range []struct {
		name    string
		status  CallStatus
		message string
		live    int
	}{
		{"wrong", Trapped, "The module instance encountered a fatal error: the returned value of procedure wrong: ", 2},
		{"more", Trapped, "The module instance encountered a fatal error: the returned value of procedure more: 4 bytes follow it", 2},
		{"crash", Trapped, "The module instance encountered a fatal error: unreachable", 1},
		{"greedy", OutOfEnergy, "Procedure terminated due to insufficient budget", 1},
		{"strange", Trapped, "The module instance encountered a fatal error: bad result", 2},
	} {
		res := w.procedure(db, alice, tt.name)
		if res.Status != tt.status || !strings.HasPrefix(res.Message, tt.message) || res.Value != nil || res.Timestamp != 0 {
			t.Errorf("%s: %+v; want %q", tt.name, res, tt.message)
		}
		if n := w.live(); n != tt.live {
			t.Errorf("%d instances after %s; want %d", n, tt.name, tt.live)
		}
	}
	call := func(who Caller, name, args string) error {
		_, err := db.CallProcedure(background, &ProcedureRequest{Caller: who, Name: name, Args: []byte(args), ArgsJSON: true})
		return err
	}
	if err := call(alice, "nobody", "[]"); !errors.Is(err, ErrNoSuchProcedure) {
		t.Errorf("unknown: %v", err)
	}
	if err := call(alice, "hidden", "[]"); !errors.Is(err, ErrNoSuchProcedure) {
		t.Errorf("private: %v", err)
	}
	if err := call(owner, "hidden", "[]"); err != nil {
		t.Errorf("private, by the owner: %v", err)
	}
	var bad *InvalidArgsError
	if err := call(alice, "sum", "[1]"); !errors.As(err, &bad) || bad.Chain() != "invalid arguments for procedure sum: .: invalid arguments for function sum: .: .: invalid length 1, expected reducer args for sum with 2 elements at line 1 column 3" {
		t.Errorf("short arguments: %v", err)
	}
	for _, record := range []string{
		`"function":"nobody","message":"External attempt to call nonexistent procedure \"nobody\" failed. Have you run`,
		`"function":"hidden","message":"External attempt to call nonexistent procedure \"hidden\" failed. Have you run`,
		`"function":"sum","message":"External attempt to call procedure \"sum\" failed, invalid arguments.\nThis is likely due`,
	} {
		if logs := logsOf(t, db); !strings.Contains(logs, record) {
			t.Errorf("no record %s in %s", record, logs)
		}
	}
}

// Transactions of procedures: committed, given up, and left open.
func TestProcedureTransactions(t *testing.T) {
	spec.Covers(t, "08.31", "03.48")
	w := newWorld(t)
	ctx := background
	m := people("transactions").
		open("several", func(_ context.Context, c *abi.ProcedureCall) error {
			if err := errors.Join(addIn(ctx, c.Host, 1), c.Host.CommitTx(ctx), addIn(ctx, c.Host, 2)); err != nil {
				return err
			}
			c.Host.AbortTx()
			return add(ctx, c.Host, 3)
		}).
		open("abort", func(_ context.Context, c *abi.ProcedureCall) error {
			err := addIn(ctx, c.Host, 4)
			c.Host.AbortTx()
			return err
		}).
		open("dangle", func(_ context.Context, c *abi.ProcedureCall) error { return addIn(ctx, c.Host, 5) }).
		open("crash", func(_ context.Context, c *abi.ProcedureCall) error {
			return errors.Join(addIn(ctx, c.Host, 6), trapError("oh"))
		})
	db := w.create(m)
	first, _ := db.lastOffset()
	people := func() []string { return w.rows(db, "person") }
	both := []string{`(id = 1, name = "p")`, `(id = 3, name = "p")`}
	if res := w.procedure(db, alice, "several"); res.Status != Committed || !res.HasOffset || res.Offset != first+2 {
		t.Errorf("several: %+v; want offset %d", res, first+2)
	}
	want(t, "persons", people(), both)
	for name, status := range map[string]CallStatus{"abort": Committed, "dangle": Committed, "crash": Trapped} {
		if res := w.procedure(db, alice, name); res.Status != status || !res.HasOffset || res.Offset != first+2 {
			t.Errorf("%s: %+v; want offset %d", name, res, first+2)
		}
		want(t, "persons after "+name, people(), both)
	}
	logs := logsOf(t, db)
	for _, name := range []string{"dangle", "crash"} {
		line := `"level":"Error","ts":` + fmt.Sprint(w.clock.micros().Micros()) + `,"target":"__spacetimedb__","filename":"__spacetimedb__","message":"aborting dangling anonymous transaction in procedure ` + name + `"`
		if !strings.Contains(logs, line) {
			t.Errorf("no record %s in %s", line, logs)
		}
	}
	w.call(db, alice, "add", u32(9), str("Ida")) // the right to write is free
	counts := map[string]uint64{}
	for _, s := range db.Stats().Transactions {
		if s.Procedure {
			counts[fmt.Sprint(s.Reducer, " ", s.Committed)] = s.Count
		}
	}
	if got := fmt.Sprint(counts); got != "map[abort false:1 crash false:1 dangle false:1 several false:1 several true:2]" {
		t.Errorf("counts %s", got)
	}
	// Nothing of whoever called is in the log: a restart reads it all back.
	w.restart()
	db = w.open()
	want(t, "persons after a restart", people(), append(both, `(id = 9, name = "Ida")`))
}

// Reducers run while a procedure sleeps, and wait while it has a transaction open.
func TestReducersRunMeanwhile(t *testing.T) {
	spec.Covers(t, "03.52")
	w := newWorld(t)
	in, out := make(chan string), make(chan struct{})
	var woke sats.Timestamp
	start := w.clock.micros()
	m := people("meanwhile").
		open("sleep", func(ctx context.Context, c *abi.ProcedureCall) (err error) {
			if now, err := c.Host.SleepUntil(ctx, start-5); err != nil || now < start {
				return fmt.Errorf("a past time: %v, %v", now, err)
			}
			in <- "sleeping"
			if woke, err = c.Host.SleepUntil(ctx, start+3_000_000); err != nil {
				return err
			}
			if err := addIn(ctx, c.Host, 2); err != nil {
				return err
			}
			in <- "open"
			<-out
			return c.Host.CommitTx(ctx)
		})
	db := w.create(m)
	ended := make(chan ProcedureResult, 1)
	go func() { ended <- w.procedure(db, alice, "sleep") }()
	<-in
	w.call(db, alice, "add", u32(1), str("Ann"))
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			w.clock.advance(time.Second / 2)
			select {
			case <-in:
				return
			case <-time.After(time.Millisecond):
			}
		}
	}()
	<-done
	second := make(chan CallResult, 1)
	go func() { second <- w.call(db, alice, "add", u32(3), str("Cy")) }()
	eventually(t, "a reducer that waits", func() bool { return db.exec.waiting() == 1 })
	close(out)
	if res := <-ended; res.Status != Committed || woke < start+3_000_000 {
		t.Errorf("the procedure: %+v; it woke at %d", res, woke-start)
	}
	<-second
	want(t, "persons", w.rows(db, "person"), []string{`(id = 1, name = "Ann")`, `(id = 2, name = "p")`, `(id = 3, name = "Cy")`})
}

// Who finds all instances in use waits for one; who gives up leaves no trace.
func TestPoolIsBounded(t *testing.T) {
	w := newWorld(t)
	w.opts.ProcedureInstances = map[ProgramKind]int{Wasm: 2}
	w.restart()
	in, out := make(chan struct{}), make(chan struct{})
	m := newFake("bounded").open("wait", func(context.Context, *abi.ProcedureCall) error {
		in <- struct{}{}
		<-out
		return nil
	})
	db := w.create(m)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() { w.procedure(db, alice, "wait") })
		<-in
	}
	ctx, cancel := context.WithCancel(background)
	gaveUp := make(chan error)
	go func() {
		_, err := db.CallProcedure(ctx, &ProcedureRequest{Caller: alice, Name: "wait"})
		gaveUp <- err
	}()
	eventually(t, "a call that waits", func() bool { return db.current.Load().pool.lenWaiting() == 1 })
	wg.Go(func() { w.procedure(db, alice, "wait") })
	eventually(t, "a second one", func() bool { return db.current.Load().pool.lenWaiting() == 2 })
	cancel()
	if err := <-gaveUp; !errors.Is(err, context.Canceled) {
		t.Errorf("who gives up: %v", err)
	}
	if n := w.live(); n != 3 {
		t.Errorf("%d instances; want the main one and two", n)
	}
	out <- struct{}{}
	<-in // the third has got the place of the first
	close(out)
	wg.Wait()
	if n := w.live(); n != 3 {
		t.Errorf("%d instances afterwards; they are to be kept", n)
	}
}

func (p *pool) lenWaiting() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mu.waiting.len()
}

// A client's answer follows what its procedure committed, in every protocol; later
// requests of the client do not wait for the procedure.
func TestProcedureMessages(t *testing.T) {
	spec.Covers(t, "05.38")
	w := newWorld(t)
	release := make(chan struct{})
	in := params(sats.E("id", sats.U32))
	m := people("messages").
		proc("two", schema.VisibilityClient, in, sats.Ref(0), func(ctx context.Context, c *abi.ProcedureCall) ([]byte, error) {
			id := sats.NewReader(c.Args).U32()
			<-release
			err := errors.Join(add(ctx, c.Host, id), add(ctx, c.Host, id+1))
			return append(u32(id), str("done")...), err
		}).
		open("crash", func(context.Context, *abi.ProcedureCall) error { return trapError("unreachable") }).
		open("greedy", func(context.Context, *abi.ProcedureCall) error { return errNoEnergy })
	db := w.create(m)
	v := w.viewer(db, 7)
	v.handle(db, &wire.SubscribeSet{RequestID: 1, QuerySetID: 1, Queries: []string{"SELECT * FROM person"}})
	proc := func(id uint32, name string, args []byte) *wire.CallProcedure {
		return &wire.CallProcedure{RequestID: id, Procedure: name, Args: args}
	}
	v.handle(db, proc(2, "two", u32(10)), call(3, "add", append(u32(1), str("Ann")...)), proc(4, "nobody", nil), proc(5, "two", []byte{1}))
	close(release)
	eventually(t, "the answer", func() bool { db.send.flush(); return v.has("procedure 2") })
	v.handle(db, proc(6, "crash", nil))
	eventually(t, "the answer", func() bool { db.send.flush(); return v.has("procedure 6") })
	v.handle(db, proc(7, "greedy", nil))
	eventually(t, "the answer", func() bool { db.send.flush(); return v.has("procedure 7") })
	got := v.messages()
	wantLog := []string{
		"applied 1", "result 3 0", "procedure 4 No such procedure", "procedure 5 invalid arguments for procedure two: ",
		"update", "update", "procedure 2 ",
		"procedure 6 The module instance encountered a fatal error: unreachable",
		"procedure 7 Procedure terminated due to insufficient budget",
	}
	if len(got) != len(wantLog) {
		t.Fatalf("messages %q; want %q", got, wantLog)
	}
	for i := range got {
		if !strings.HasPrefix(got[i], wantLog[i]) {
			t.Errorf("message %d is %q; want %q", i, got[i], wantLog[i])
		}
	}
	if len(v.rows) != 3 {
		t.Errorf("the client has %d rows; want 3", len(v.rows))
	}
	// The answer itself, as each protocol has it.
	start := w.clock.micros()
	for _, p := range []wire.Protocol{wire.V1JSON, wire.V1Binary, wire.V2, wire.V3} {
		for _, name := range []string{"two", "crash", "greedy", "nobody"} {
			out := make(outbox, 8)
			c := &subscribe.Client{Identity: aliceID, Connection: alice.Conn, Protocol: p, Out: out}
			if err := db.handleProcedure(background, c, alice, proc(9, name, u32(uint32(p)*100+100))); err != nil {
				t.Fatal(err)
			}
			checkProcedureMessage(t, p, name, <-out, start)
		}
	}
}

type outbox chan subscribe.Message

func (o outbox) Send(m subscribe.Message) { o <- m }

func (v *viewer) messages() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Clone(v.log)
}

func (v *viewer) has(prefix string) bool {
	return slices.ContainsFunc(v.messages(), func(s string) bool { return strings.HasPrefix(s, prefix) })
}

func checkProcedureMessage(t *testing.T, p wire.Protocol, name string, m subscribe.Message, start sats.Timestamp) {
	t.Helper()
	id := uint32(p)*100 + 100
	texts := map[string]string{
		"two": "", "nobody": "No such procedure", "crash": "The module instance encountered a fatal error: unreachable",
		"greedy": "Procedure terminated due to insufficient budget",
	}
	if returned := name == "two"; m.Gated != returned || returned && m.Offset == 0 {
		t.Errorf("%v %s: offset %d, %t", p, name, m.Offset, m.Gated)
	}
	var at sats.Timestamp
	var value, text string
	switch p {
	case wire.V1JSON:
		body := string(m.Body)
		for _, part := range map[string][]string{
			"two":    {fmt.Sprintf(`{"ProcedureResult":{"status":{"Returned":"[%d,\"done\"]"},"timestamp":{"__timestamp_micros_since_unix_epoch__":`, id), `"request_id":9}}`},
			"nobody": {`{"ProcedureResult":{"status":{"InternalError":"No such procedure"},"timestamp":{"__timestamp_micros_since_unix_epoch__":0},"total_host_execution_duration":{"__time_duration_micros__":0},"request_id":9}}`},
			"crash":  {`{"InternalError":"` + texts["crash"] + `"}`},
			"greedy": {`{"status":{"OutOfEnergy":[]}`},
		}[name] {
			if !strings.Contains(body, part) {
				t.Errorf("%v %s: %s; want %s in it", p, name, body, part)
			}
		}
		return
	case wire.V1Binary:
		r, err := v1.DecodeServer(m.Body)
		res, ok := r.(*v1.ProcedureResult)
		if !ok || err != nil {
			t.Fatalf("%v %s: %T, %v", p, name, r, err)
		}
		kind := map[string]v1.ProcedureKind{"two": v1.ProcedureReturned, "greedy": v1.ProcedureOutOfEnergy, "crash": v1.ProcedureFailed, "nobody": v1.ProcedureFailed}[name]
		if res.Kind != kind || res.RequestID != 9 {
			t.Errorf("%v %s: %+v", p, name, res)
		}
		at, value, text = res.Timestamp, string(res.Value), res.Message
		texts["greedy"] = ""
	default:
		res := v2.ReadServer(sats.NewReader(m.Body)).(*v2.ProcedureResult)
		if res.Failed == (name == "two") || res.RequestID != 9 {
			t.Errorf("%v %s: %+v", p, name, res)
		}
		at, value, text = res.Timestamp, string(res.Value), res.Message
	}
	wantValue := ""
	if name == "two" {
		wantValue = string(append(u32(id), str("done")...))
	}
	if value != wantValue || text != texts[name] || (name == "two") != (at >= start) || at < 0 || name != "two" && at != 0 {
		t.Errorf("%v %s: value %q, text %q, at %d", p, name, value, text, at)
	}
}

// gate holds back what is synced to disk.
type gate struct {
	mu   sync.Mutex
	shut chan struct{}
}

func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = make(chan struct{})
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut != nil {
		close(g.shut)
		g.shut = nil
	}
}

func (g *gate) hook(op vfs.Op, name string) error {
	if op != vfs.OpSync || !strings.Contains(name, clogDir) {
		return nil
	}
	g.mu.Lock()
	shut := g.shut
	g.mu.Unlock()
	if shut != nil {
		<-shut
	}
	return nil
}

// A commit of a confirmed caller returns when it is durable, others at once;
// reducers run meanwhile. Who waits too long is stopped, and the commit stands.
func TestConfirmedCommits(t *testing.T) {
	spec.Covers(t, "08.83", "03.69")
	w := newWorld(t)
	var disk gate
	w.fs.SetHook(disk.hook)
	t.Cleanup(disk.open)
	committed := make(chan uint32, 4)
	m := people("confirmed").proc("add_confirmed", schema.VisibilityClient, params(sats.E("id", sats.U32)), sats.Unit,
		func(ctx context.Context, c *abi.ProcedureCall) ([]byte, error) {
			id := sats.NewReader(c.Args).U32()
			if err := add(ctx, c.Host, id); err != nil {
				return nil, err
			}
			committed <- id
			return nil, nil
		})
	db := w.create(m)
	sure := alice
	sure.Confirmed = true
	w.procedure(db, sure, "add_confirmed", u32(1))
	<-committed

	disk.close()
	w.procedure(db, alice, "add_confirmed", u32(2))
	<-committed // although nothing is synced
	ended := make(chan ProcedureResult, 1)
	go func() { ended <- w.procedure(db, sure, "add_confirmed", u32(3)) }()
	eventually(t, "the commit in memory", func() bool { return len(w.rows(db, "person")) == 3 })
	w.call(db, alice, "add", u32(4), str("Dan"))
	select {
	case <-committed:
		t.Error("a commit returned before it was durable")
	default:
	}
	disk.open()
	if res := <-ended; res.Status != Committed || <-committed != 3 {
		t.Errorf("after the disk has done its work: %+v", res)
	}

	disk.close()
	go func() { ended <- w.procedure(db, sure, "add_confirmed", u32(5)) }()
	eventually(t, "the commit in memory", func() bool { return len(w.rows(db, "person")) == 5 })
	var res ProcedureResult
	eventually(t, "the end of the patience", func() bool {
		w.clock.advance(confirmPatience / 4)
		select {
		case res = <-ended:
			return true
		default:
			return false
		}
	})
	if res.Status != Trapped || !strings.HasSuffix(res.Message, "durability confirmation timed out; outcome unknown, do not retry without deduplication") {
		t.Errorf("without a disk: %+v", res)
	}
	if n := len(w.rows(db, "person")); n != 5 {
		t.Errorf("%d persons; the commit was to stand", n)
	}
	disk.open()

	// A database in memory has nothing to wait for.
	w.stop()
	w.opts.InMemory = true
	w.start()
	db = w.create(m)
	if res := w.procedure(db, sure, "add_confirmed", u32(1)); res.Status != Committed {
		t.Errorf("in memory: %+v", res)
	}
}

// A procedure that does not end does not hold up the end of its database: asleep or
// with a transaction open it is stopped, and what is left is rolled back.
func TestCloseStopsProcedures(t *testing.T) {
	w := newWorld(t)
	begun := make(chan struct{}, 1)
	m := people("unending").
		open("sleep", func(ctx context.Context, c *abi.ProcedureCall) error {
			begun <- struct{}{}
			_, err := c.Host.SleepUntil(ctx, 1<<62)
			return err
		}).
		open("hold", func(ctx context.Context, c *abi.ProcedureCall) error {
			err := addIn(ctx, c.Host, 1)
			begun <- struct{}{}
			<-ctx.Done()
			return errors.Join(err, context.Cause(ctx))
		})
	w.create(m)
	for _, name := range []string{"sleep", "hold"} {
		db := w.open()
		answered := make(chan ProcedureResult, 1)
		go func() { answered <- w.procedure(db, alice, name) }()
		w.closeHanging(begun)
		if res := <-answered; res.Status != Trapped {
			t.Errorf("%s was answered with %+v", name, res)
		}
		if _, err := db.CallProcedure(background, &ProcedureRequest{Caller: alice, Name: name}); !errors.Is(err, ErrStopped) {
			t.Errorf("%s afterwards: %v", name, err)
		}
		w.start()
	}
	if rows := w.rows(w.open(), "person"); len(rows) != 0 {
		t.Errorf("rows %v of a transaction that was stopped", rows)
	}
}

// A procedure that heeds nothing is left behind; what it commits afterwards goes
// nowhere.
func TestCloseLeavesBehind(t *testing.T) {
	w := newWorld(t)
	begun, end := make(chan struct{}), make(chan struct{})
	m := people("deaf").open("hold", func(_ context.Context, c *abi.ProcedureCall) error {
		err := addIn(background, c.Host, 1)
		close(begun)
		<-end
		return errors.Join(err, c.Host.CommitTx(background))
	})
	db := w.create(m)
	w.call(db, alice, "add", u32(2), str("Bea"))
	answered := make(chan ProcedureResult, 1)
	go func() { answered <- w.procedure(db, alice, "hold") }()
	<-begun
	closed := make(chan error, 1)
	go func() { closed <- w.host.Close() }()
	var err error
	eventually(t, "the end", func() bool {
		w.clock.advance(time.Second)
		select {
		case err = <-closed:
			return true
		default:
			return false
		}
	})
	if err == nil || !strings.Contains(err.Error(), "does not end") {
		t.Errorf("closing: %v", err)
	}
	close(end)
	if res := <-answered; res.Status != Trapped {
		t.Errorf("the procedure: %+v", res)
	}
	w.host = nil
	eventually(t, "the end of the quiet", func() bool { return w.live() == 0 })
	w.start()
	want(t, "persons", w.rows(w.open(), "person"), []string{`(id = 2, name = "Bea")`})
}

// Instances that nobody has needed for a minute are closed, those in use are not.
func TestIdleInstances(t *testing.T) {
	w := newWorld(t)
	w.stop()
	w.opts.ProcedureInstances = map[ProgramKind]int{Wasm: 3}
	w.start()
	begun, gate := make(chan struct{}, 3), make(chan struct{}, 3)
	m := people("idle").open("wait", func(context.Context, *abi.ProcedureCall) error {
		begun <- struct{}{}
		<-gate
		return nil
	})
	db := w.create(m)
	var wg sync.WaitGroup
	begin := func() {
		wg.Go(func() {
			if _, err := db.CallProcedure(background, &ProcedureRequest{Caller: alice, Name: "wait"}); err != nil {
				t.Error(err)
			}
		})
		<-begun
	}
	for range 3 {
		begin()
	}
	for range 3 {
		gate <- struct{}{}
	}
	wg.Wait()
	if n := w.live(); n != 4 {
		t.Fatalf("%d instances after three procedures; want 4", n)
	}
	w.clock.advance(idleInstances / 2)
	begin()
	w.clock.advance(idleInstances / 2)
	if n := w.live(); n != 2 {
		t.Errorf("%d instances a minute later, with one in use; want 2", n)
	}
	gate <- struct{}{}
	wg.Wait()
	w.clock.advance(idleInstances - time.Second)
	if n := w.live(); n != 2 {
		t.Errorf("%d instances before the last one was idle for a minute; want 2", n)
	}
	w.clock.advance(time.Second)
	if n := w.live(); n != 1 {
		t.Errorf("%d instances in the end; want the main one", n)
	}
	begin()
	gate <- struct{}{}
	wg.Wait()
}
