package host

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/sats"
)

// procTicker is a module with a schedule table for procedures. What one does
// depends on the text in its row.
type procTicker struct {
	*fakeModule
	t     *testing.T
	start sats.Timestamp
	w     *world

	mu    sync.Mutex
	runs  []string
	begun chan string   // of those that wait
	end   chan struct{} // ends one
}

func newProcTicker(w *world, name string) *procTicker {
	k := &procTicker{
		fakeModule: newFake(name), t: w.t, start: w.clock.micros(), w: w,
		begun: make(chan string, 64), end: make(chan struct{}),
	}
	k.addTable("timer", timerCols, scheduled("run")).
		addTable("person", personCols, primary(0)).
		reducer("plan", timerCols, func(c *fakeCall) error { return c.insert("timer", c.Args) }).
		reducer("replan", timerCols, func(c *fakeCall) error {
			t := c.table("timer")
			_, _, err := c.Tx.Update(t.ID, t.UniqueIndexOn(0).ID, c.Args)
			return err
		}).
		reducer("nothing", nil, func(*fakeCall) error { return nil }).
		reducer("immediately", nil, func(c *fakeCall) error {
			c.ScheduleImmediate("soon", str("x"))
			return userError("rolled back")
		}).
		proc("soon", schema.VisibilityPrivate, params(sats.E("x", sats.String)), sats.Unit, func(_ context.Context, c *abi.ProcedureCall) ([]byte, error) {
			k.note("soon", c)
			return nil, nil
		}).
		proc("run", schema.VisibilityPrivate, params(sats.E("row", sats.Ref(0))), sats.Unit, k.run)
	return k
}

func (k *procTicker) note(what string, c *abi.ProcedureCall) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if c.Sender != dbID || !c.Conn.IsZero() {
		k.t.Errorf("%s: sender %v, connection %v; want the database itself", what, c.Sender, c.Conn)
	}
	k.runs = append(k.runs, fmt.Sprintf("%s at %d", what, (c.Time-k.start)/1000))
}

func (k *procTicker) run(ctx context.Context, c *abi.ProcedureCall) ([]byte, error) {
	_, at, what := readTimer(c.Args)
	k.note(what, c)
	if !at.IsInterval() && c.Time < at.Time() {
		k.t.Errorf("%s: called for %v at %v", what, at, c.Time)
	}
	switch what {
	case "crash":
		return nil, trapError("oh")
	case "add":
		return nil, add(ctx, c.Host, 1)
	case "rows":
		tx, _, err := c.Host.StartTx(ctx)
		if err != nil {
			return nil, err
		}
		k.mu.Lock()
		k.runs = append(k.runs, fmt.Sprint(tx.RowCount(tx.TableByName("timer").ID), " rows"))
		k.mu.Unlock()
		c.Host.AbortTx()
	default:
		if strings.HasPrefix(what, "wait") {
			k.begun <- what
			<-k.end
		}
	}
	return nil, nil
}

func (k *procTicker) ran() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.runs)
}

// settled waits until nothing scheduled runs.
func settled(t *testing.T, db *Database) {
	t.Helper()
	eventually(t, "the end of scheduled procedures", func() bool {
		db.sched.mu.Lock()
		defer db.sched.mu.Unlock()
		return db.sched.mu.flying == 0 && db.sched.mu.ready.len() == 0
	})
}

func msTime(k *procTicker, ms int64) sats.ScheduleAt {
	return sats.ScheduleTime(k.start + sats.Timestamp(ms*1000))
}

// A row that runs once is gone before its procedure runs, whatever becomes of that;
// intervals go on.
func TestScheduledProcedures(t *testing.T) {
	spec.Covers(t, "08.26", "08.29")
	w := newWorld(t)
	k := newProcTicker(w, "once")
	db := w.create(k.fakeModule)
	w.call(db, alice, "plan", timerRow(0, msTime(k, 100), "rows"))
	w.clock.advance(100 * time.Millisecond)
	settled(t, db)
	w.call(db, alice, "plan", timerRow(0, msTime(k, 300), "crash"))
	before, _ := db.lastOffset()
	w.clock.advance(200 * time.Millisecond)
	settled(t, db)
	if after, _ := db.lastOffset(); after != before+1 {
		t.Errorf("a failing procedure made %d transactions; want the removal of its row", after-before)
	}
	w.call(db, alice, "plan", timerRow(0, msTime(k, 500), "add"))
	w.clock.advance(200 * time.Millisecond)
	settled(t, db)
	want(t, "runs", k.ran(), []string{"rows at 100", "0 rows", "crash at 300", "add at 500"})
	want(t, "rows", w.rows(db, "timer"), nil)
	want(t, "persons", w.rows(db, "person"), []string{`(id = 1, name = "p")`})

	k.runs = nil
	w.call(db, alice, "plan", timerRow(0, sats.ScheduleInterval(sats.TimeDuration(100_000)), "tick"))
	for range 3 {
		w.clock.advance(100 * time.Millisecond)
		settled(t, db)
	}
	want(t, "ticks", k.ran(), []string{"tick at 600", "tick at 700", "tick at 800"})
	if n := len(w.rows(db, "timer")); n != 1 {
		t.Errorf("%d rows; the interval is to stay", n)
	}
	k.runs = nil
	res, err := db.CallReducer(background, &CallRequest{Caller: alice, Name: "immediately"})
	if err != nil || res.Status != Failed {
		t.Fatal(res, err)
	}
	w.clock.advance(time.Millisecond)
	settled(t, db)
	// It is due at once, so it may run before the clock goes on, or after.
	if ran := k.ran(); len(ran) != 1 || ran[0] != "soon at 800" && ran[0] != "soon at 801" {
		t.Errorf("without a row: %q; want one call", ran)
	}
}

// Two scheduled procedures that are due together overlap, and a reducer runs
// meanwhile; a row's own ticks do not overlap, and missed ones are skipped. An
// update waits for those under way and starts none in between.
func TestScheduledProceduresOverlap(t *testing.T) {
	spec.Covers(t, "08.78")
	w := newWorld(t)
	w.opts.ProcedureInstances = map[ProgramKind]int{Wasm: 3}
	w.restart()
	k := newProcTicker(w, "overlap")
	db := w.create(k.fakeModule)
	w.call(db, alice, "plan", timerRow(0, msTime(k, 100), "wait a"))
	w.call(db, alice, "plan", timerRow(0, sats.ScheduleInterval(sats.TimeDuration(100_000)), "wait b"))
	w.clock.advance(100 * time.Millisecond)
	both := []string{<-k.begun, <-k.begun}
	slices.Sort(both)
	want(t, "procedures under way", both, []string{"wait a", "wait b"})
	w.call(db, alice, "nothing")
	w.clock.advance(350 * time.Millisecond) // ticks at 200, 300, 400 are missed
	select {
	case what := <-k.begun:
		t.Errorf("%s overlaps itself", what)
	default:
	}
	k.end <- struct{}{}
	k.end <- struct{}{}
	eventually(t, "the next tick", func() bool { w.clock.advance(0); return len(k.begun) > 0 })
	<-k.begun
	// The next tick was computed before the run: it is the one of 200, due at once.
	want(t, "runs", sorted(k.ran()), []string{"wait a at 100", "wait b at 100", "wait b at 450"})

	next := newProcTicker(w, "overlap2")
	next.addTable("more", personCols)
	updated := make(chan error, 1)
	go func() {
		_, err := w.update(db, next.fakeModule, UpdatePolicy{})
		updated <- err
	}()
	eventually(t, "the new module", func() bool { return db.current.Load().def.Tables[len(db.current.Load().def.Tables)-1].Name == "more" })
	w.call(db, alice, "plan", timerRow(0, msTime(k, 460), "rows"))
	w.clock.advance(300 * time.Millisecond)
	select {
	case err := <-updated:
		t.Fatalf("the update did not wait: %v", err)
	case <-time.After(5 * time.Millisecond):
	}
	want(t, "runs of the new module", next.ran(), nil)
	k.end <- struct{}{}
	if err := <-updated; err != nil {
		t.Fatal(err)
	}
	w.clock.advance(time.Millisecond)
	eventually(t, "the new module's run", func() bool { return len(next.ran()) == 2 })
	// It is overdue, so it may run before the clock goes on, or after.
	if ran := next.ran(); ran[0] != "rows at 300" && ran[0] != "rows at 301" || ran[1] != "1 rows" {
		t.Errorf("runs of the new module: %q", ran)
	}
	w.clock.advance(100 * time.Millisecond)
	<-next.begun // the interval goes on
	next.end <- struct{}{}
	settled(t, db)
}

func sorted(s []string) []string {
	slices.Sort(s)
	return s
}

// No more scheduled procedures are under way than there are instances; the others
// keep their rows until it is their turn.
func TestScheduledProceduresAreBounded(t *testing.T) {
	w := newWorld(t)
	w.opts.ProcedureInstances = map[ProgramKind]int{Wasm: 2}
	w.restart()
	k := newProcTicker(w, "bounded")
	db := w.create(k.fakeModule)
	for i := range 5 {
		w.call(db, alice, "plan", timerRow(0, msTime(k, 100), fmt.Sprint("wait ", i)))
	}
	w.clock.advance(time.Second)
	<-k.begun
	<-k.begun
	eventually(t, "two rows fewer", func() bool { return len(w.rows(db, "timer")) == 3 })
	for range 3 {
		k.end <- struct{}{}
		<-k.begun
	}
	k.end <- struct{}{}
	k.end <- struct{}{}
	settled(t, db)
	if n := len(k.ran()); n != 5 {
		t.Errorf("%d procedures ran; want 5", n)
	}
}

// Rows that wait when the database closes run after the next start.
func TestWaitingProceduresSurvive(t *testing.T) {
	w := newWorld(t)
	w.opts.ProcedureInstances = map[ProgramKind]int{Wasm: 1}
	w.restart()
	k := newProcTicker(w, "survive")
	db := w.create(k.fakeModule)
	w.call(db, alice, "plan", timerRow(0, msTime(k, 100), "wait"))
	w.call(db, alice, "plan", timerRow(0, msTime(k, 101), "add"))
	w.clock.advance(time.Second)
	<-k.begun
	closed := make(chan error, 1)
	go func() { closed <- w.host.Close() }()
	eventually(t, "the closing", db.isEnding)
	k.end <- struct{}{}
	if err := <-closed; err != nil {
		t.Fatal(err)
	}
	w.host = nil
	w.start()
	db = w.open()
	w.clock.advance(time.Millisecond)
	settled(t, db)
	want(t, "persons", w.rows(db, "person"), []string{`(id = 1, name = "p")`})
	want(t, "rows", w.rows(db, "timer"), nil)
	if errors.Is(db.Err(), ErrStopped) {
		t.Error(db.Err())
	}
}

// A call without a row that waits for its turn when an update comes has it after that.
func TestImmediateProcedurePassesUpdate(t *testing.T) {
	w := newWorld(t)
	w.opts.ProcedureInstances = map[ProgramKind]int{Wasm: 1}
	w.restart()
	k := newProcTicker(w, "immediate")
	db := w.create(k.fakeModule)
	w.call(db, alice, "plan", timerRow(0, msTime(k, 1), "wait"))
	w.clock.advance(time.Millisecond)
	<-k.begun
	if res, err := db.CallReducer(background, &CallRequest{Caller: alice, Name: "immediately"}); err != nil || res.Status != Failed {
		t.Fatal(res, err)
	}
	w.clock.advance(time.Millisecond) // it is due, but the only place is taken
	next := newProcTicker(w, "immediate2")
	next.addTable("more", personCols)
	updated := make(chan error, 1)
	go func() {
		_, err := w.update(db, next.fakeModule, UpdatePolicy{})
		updated <- err
	}()
	eventually(t, "the pause", func() bool {
		db.sched.mu.Lock()
		defer db.sched.mu.Unlock()
		return !db.sched.mu.running
	})
	k.end <- struct{}{}
	if err := <-updated; err != nil {
		t.Fatal(err)
	}
	eventually(t, "the call without a row", func() bool { return len(next.ran()) == 1 })
}

// A scheduled procedure that has found no instance yet does not hold up an update,
// nor does a client's that runs; both end as they should.
func TestUpdatePassesWaitingProcedures(t *testing.T) {
	w := newWorld(t)
	w.opts.ProcedureInstances = map[ProgramKind]int{Wasm: 1}
	w.restart()
	k := newProcTicker(w, "passes")
	held, release := make(chan struct{}), make(chan struct{})
	k.open("hold", func(context.Context, *abi.ProcedureCall) error {
		close(held)
		<-release
		return nil
	})
	db := w.create(k.fakeModule)
	ended := make(chan ProcedureResult, 1)
	go func() { ended <- w.procedure(db, alice, "hold") }()
	<-held
	w.call(db, alice, "plan", timerRow(0, msTime(k, 1), "add"))
	w.clock.advance(time.Second)
	eventually(t, "a scheduled procedure that waits", func() bool { return db.current.Load().pool.lenWaiting() == 1 })
	next := newProcTicker(w, "passes2")
	next.open("hold", func(context.Context, *abi.ProcedureCall) error { return nil })
	if _, err := w.update(db, next.fakeModule, UpdatePolicy{}); err != nil {
		t.Fatal(err)
	}
	w.clock.advance(time.Millisecond)
	settled(t, db)
	// It is overdue, so it may run before the clock goes on, or after.
	if ran := next.ran(); len(ran) != 1 || ran[0] != "add at 0" && ran[0] != "add at 1" {
		t.Errorf("runs of the new module: %q; want one", ran)
	}
	want(t, "runs of the old module", k.ran(), nil)
	close(release)
	if res := <-ended; res.Status != Committed {
		t.Errorf("the client's procedure: %+v", res)
	}
}
