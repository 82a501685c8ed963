package host

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/sats"
)

var timerCols = params(sats.E("id", sats.U64), sats.E("at", sats.ScheduleAtType), sats.E("what", sats.String))

func timerRow(id uint64, at sats.ScheduleAt, what string) []byte {
	return append(at.AppendBSATN(u64(id)), str(what)...)
}

// readTimer takes a row of the timer table apart.
func readTimer(row []byte) (id uint64, at sats.ScheduleAt, what string) {
	r := sats.NewReader(row)
	return r.U64(), r.ScheduleAt(), r.Str()
}

// A ticker is a module with a schedule table. What its scheduled reducer does
// depends on the text in the row.
type ticker struct {
	*fakeModule
	t     *testing.T
	runs  []string // "<what> at <microseconds since the start>"
	start sats.Timestamp
	w     *world
}

func newTicker(w *world, name string) *ticker {
	k := &ticker{fakeModule: newFake(name), t: w.t, start: w.clock.micros(), w: w}
	k.addTable("timer", timerCols, scheduled("tick")).
		reducer("plan", timerCols, func(c *fakeCall) error { return c.insert("timer", c.Args) }).
		reducer("plan_and_fail", timerCols, func(c *fakeCall) error {
			if err := c.insert("timer", c.Args); err != nil {
				return err
			}
			return userError("never mind")
		}).
		reducer("cancel", params(sats.E("id", sats.U64)), func(c *fakeCall) error {
			_, err := c.Tx.DeletePoint(c.table("timer").UniqueIndexOn(0).ID, c.Args)
			return err
		}).
		reducer("replan", timerCols, func(c *fakeCall) error {
			t := c.table("timer")
			_, _, err := c.Tx.Update(t.ID, t.UniqueIndexOn(0).ID, c.Args)
			return err
		}).
		reducer("immediately", nil, func(c *fakeCall) error {
			c.ScheduleImmediate("soon", str("x"))
			return userError("rolled back")
		}).
		function("tick", schema.VisibilityPrivate, params(sats.E("row", sats.Ref(0))), k.tick).
		function("soon", schema.VisibilityPrivate, params(sats.E("x", sats.String)), func(c *fakeCall) error {
			k.note("soon", c)
			return nil
		})
	return k
}

func (k *ticker) note(what string, c *fakeCall) {
	if c.Sender != dbID || !c.Conn.IsZero() {
		k.t.Errorf("%s: sender %v, connection %v; want the database itself", what, c.Sender, c.Conn)
	}
	k.runs = append(k.runs, fmt.Sprintf("%s at %d", what, c.Time-k.start))
}

func (k *ticker) tick(c *fakeCall) error {
	id, at, what := readTimer(c.Args)
	k.note(what, c)
	if !at.IsInterval() && c.Time < at.Time() {
		k.t.Errorf("%s: called for %v at %v", what, at, c.Time)
	}
	t := c.table("timer")
	rewrite := func(at sats.ScheduleAt, what string) error {
		_, _, err := c.Tx.Update(t.ID, t.UniqueIndexOn(0).ID, timerRow(id, at, what))
		return err
	}
	switch what {
	case "fail":
		return userError("failed")
	case "trap":
		return trapError("trapped")
	case "later":
		return rewrite(sats.ScheduleTime(c.Time+1_000_000), "once more")
	case "same":
		return rewrite(at, what)
	case "slow":
		k.w.clock.advance(2500 * time.Millisecond)
	}
	return nil
}

func (k *ticker) expect(what string, runs ...string) {
	k.t.Helper()
	want(k.t, what, k.runs, runs)
	k.runs = nil
}

const second = 1_000_000

func TestOneShot(t *testing.T) {
	spec.Covers(t, "08.26", "08.29", "03.44", "03.68")
	w := newWorld(t)
	k := newTicker(w, "ticker")
	db := w.create(k.fakeModule)
	at := func(s int) sats.ScheduleAt { return sats.ScheduleTime(w.clock.micros() + sats.Timestamp(s*second)) }
	w.call(db, alice, "plan", timerRow(0, at(2), "b"))
	w.call(db, alice, "plan", timerRow(0, at(1), "fail"))
	w.call(db, alice, "plan", timerRow(0, at(3), "trap"))
	w.clock.advance(900 * time.Millisecond)
	k.expect("runs before it is time")
	before, _ := db.lastOffset()
	w.clock.advance(10 * time.Second)
	k.expect("runs", "fail at 1000000", "b at 2000000", "trap at 3000000")
	if after, _ := db.lastOffset(); after-before != 3 {
		t.Errorf("%d transactions; want 3 deletes, as the successful call changed nothing", after-before)
	}
	want(t, "rows", w.rows(db, "timer"), nil)
	// What is past already fires at once.
	w.call(db, alice, "plan", timerRow(0, sats.ScheduleTime(math.MinInt64), "past"))
	w.clock.advance(0)
	k.expect("past", fmt.Sprintf("past at %d", w.clock.micros()-k.start+1))
}

func TestInterval(t *testing.T) {
	spec.Covers(t, "08.27")
	w := newWorld(t)
	k := newTicker(w, "ticker")
	db := w.create(k.fakeModule)
	w.call(db, alice, "plan", timerRow(0, sats.ScheduleInterval(-second), "tick"))
	w.clock.advance(3 * time.Second)
	k.expect("ticks", "tick at 1000000", "tick at 2000000", "tick at 3000000")
	// A run of 2.5 seconds makes two ticks be missed; the next keeps the beat.
	w.call(db, alice, "replan", timerRow(1, sats.ScheduleInterval(second), "slow"))
	w.clock.advance(4 * time.Second)
	k.expect("slow ticks", "slow at 4000000", "slow at 7000000")
	// A restart begins a new phase.
	w.call(db, alice, "replan", timerRow(1, sats.ScheduleInterval(second), "tick"))
	w.clock.advance(300 * time.Millisecond)
	k.runs = nil
	w.restart()
	at := w.clock.micros() - k.start
	w.open()
	w.clock.advance(time.Second)
	k.expect("after restart", fmt.Sprintf("tick at %d", at+second))
}

func TestNextDue(t *testing.T) {
	for _, tt := range []struct {
		due, now sats.Timestamp
		interval sats.TimeDuration
		want     sats.Timestamp
	}{
		{100, 100, 10, 110},
		{100, 95, 10, 110},
		{100, 109, 10, 110},
		{100, 110, 10, 120},
		{100, 1000, -10, 1010},
		{100, 1000, 0, 100},
		{100, 1000, math.MinInt64, math.MaxInt64},
		{math.MaxInt64 - 5, math.MaxInt64 - 5, 10, math.MaxInt64},
		{math.MinInt64, math.MaxInt64, 1, math.MinInt64 + 1},
	} {
		if got := nextDue(tt.due, tt.now, tt.interval); got != tt.want {
			t.Errorf("nextDue(%d, %d, %d) = %d; want %d", tt.due, tt.now, tt.interval, got, tt.want)
		}
	}
}

func TestCancelAndReplan(t *testing.T) {
	spec.Covers(t, "08.28")
	w := newWorld(t)
	k := newTicker(w, "ticker")
	db := w.create(k.fakeModule)
	in := func(s int) sats.ScheduleAt { return sats.ScheduleTime(w.clock.micros() + sats.Timestamp(s*second)) }
	w.call(db, alice, "plan", timerRow(0, in(1), "cancelled"))
	w.call(db, alice, "cancel", u64(1))
	w.call(db, alice, "plan", timerRow(0, in(1), "moved"))
	w.call(db, alice, "replan", timerRow(2, in(3), "moved"))
	if res, err := db.CallReducer(background, &CallRequest{Caller: alice, Name: "plan_and_fail", Args: timerRow(0, in(1), "rolled back")}); err != nil || res.Status != Failed {
		t.Fatal(res, err)
	}
	if n := db.sched.waiting(); n != 1 {
		t.Errorf("%d timers; want 1: a transaction that is rolled back sets none, a deleted row takes its own along", n)
	}
	w.clock.advance(10 * time.Second)
	k.expect("runs", "moved at 3000000")
}

// A row that its own reducer has moved to a later time runs again then; one that
// was written back as it was counts as unchanged.
func TestRewrittenRow(t *testing.T) {
	spec.Covers(t, "08.79")
	w := newWorld(t)
	k := newTicker(w, "ticker")
	db := w.create(k.fakeModule)
	now := sats.ScheduleTime(w.clock.micros())
	w.call(db, alice, "plan", timerRow(0, now, "later"))
	w.call(db, alice, "plan", timerRow(0, now, "same"))
	w.clock.advance(10 * time.Second)
	k.expect("runs", "later at 3", "same at 4", "once more at 1000003")
	want(t, "rows", w.rows(db, "timer"), nil)
}

// A call without a row happens although the transaction that asked for it was
// rolled back.
func TestImmediateCall(t *testing.T) {
	w := newWorld(t)
	k := newTicker(w, "ticker")
	db := w.create(k.fakeModule)
	if res, err := db.CallReducer(background, &CallRequest{Caller: alice, Name: "immediately"}); err != nil || res.Status != Failed {
		t.Fatal(res, err)
	}
	w.clock.advance(0)
	k.expect("runs", "soon at 2")
}

// A schedule that is due while the database is closed fires once it is open.
func TestScheduleSurvivesRestart(t *testing.T) {
	w := newWorld(t)
	k := newTicker(w, "ticker")
	db := w.create(k.fakeModule)
	w.call(db, alice, "plan", timerRow(0, sats.ScheduleTime(w.clock.micros()+second), "late"))
	w.stop()
	w.clock.advance(5 * time.Second)
	k.expect("while closed")
	w.start()
	w.open()
	w.clock.advance(0)
	k.expect("once open", "late at 5000001")
}

// Timers that lie further ahead than the scheduler sleeps at most fire in time.
func TestLongSleep(t *testing.T) {
	w := newWorld(t)
	k := newTicker(w, "ticker")
	db := w.create(k.fakeModule)
	w.call(db, alice, "plan", timerRow(0, sats.ScheduleTime(w.clock.micros()+5*3600*second), "far"))
	w.clock.advance(6 * time.Hour)
	k.expect("runs", fmt.Sprintf("far at %d", 5*3600*second))
	w.call(db, alice, "plan", timerRow(0, sats.ScheduleTime(math.MaxInt64), "never"))
	w.clock.advance(100 * time.Hour)
	k.expect("never")
}

// The scheduler counts what runs and how late it has begun.
func TestScheduleStats(t *testing.T) {
	w := newWorld(t)
	k := newTicker(w, "ticker")
	flying := -1
	var db *Database
	i := slices.IndexFunc(k.section(schema.SecReducers).Reducers, func(r schema.RawReducerV10) bool { return r.SourceName == "tick" })
	run := k.fns[i]
	k.fns[i] = func(c *fakeCall) error {
		flying = db.Stats().Flying
		return run(c)
	}
	db = w.create(k.fakeModule)
	w.call(db, alice, "plan", timerRow(0, sats.ScheduleTime(w.clock.micros()-2*second), "late"))
	w.call(db, alice, "plan", timerRow(0, sats.ScheduleTime(w.clock.micros()+second), "in time"))
	w.clock.advance(time.Minute)
	if flying != 1 {
		t.Errorf("%d functions were active while one ran", flying)
	}
	s := db.Stats()
	h, ok := s.Delays["tick"]
	if s.Flying != 0 || len(s.Delays) != 1 || !ok {
		t.Fatalf("stats: %d %+v", s.Flying, s.Delays)
	}
	if h.Counts[0] != 1 || h.Counts[slices.Index(h.Bounds, 5*time.Second)] != 1 || h.Sum < 2*time.Second || h.Sum > 3*time.Second || len(h.Counts) != len(h.Bounds)+1 {
		t.Errorf("delays: %+v", h)
	}
}
