package host

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/internal/wire"
	v1 "github.com/stdbgo/spacetime/internal/wire/v1"
	v2 "github.com/stdbgo/spacetime/internal/wire/v2"
	"github.com/stdbgo/spacetime/sats"
)

// tailed is a fake whose description is followed by more bytes.
type tailed struct{ *fakeEngine }

func (e tailed) Load(ctx context.Context, program []byte, o abi.LoadOptions) (abi.Program, error) {
	p, err := e.fakeEngine.Load(ctx, program, o)
	if err != nil {
		return nil, err
	}
	return tailedProgram{p}, nil
}

type tailedProgram struct{ abi.Program }

func (p tailedProgram) Instantiate(ctx context.Context, s abi.Services) (abi.Instance, error) {
	i, err := p.Program.Instantiate(ctx, s)
	return tailedInstance{i}, err
}

type tailedInstance struct{ abi.Instance }

func (i tailedInstance) Describe(ctx context.Context) ([]byte, error) {
	b, err := i.Instance.Describe(ctx)
	return append(b, 0xff, 1, 2), err
}

// Bytes behind a value, at each place of the table in spec 01 §3.7.
func TestTrailingBytes(t *testing.T) {
	spec.Covers(t, "01.8")
	w := newWorld(t)
	w.opts.Engines = map[ProgramKind]abi.Engine{Wasm: tailed{w.engine}}
	w.restart()
	tail := []byte{0xaa, 0xbb, 0xcc}
	with := func(b []byte) []byte { return append(bytes.Clone(b), tail...) }

	var c *abi.Context
	in := func(do func(call *fakeCall, c *abi.Context) error) reducerFunc {
		return func(call *fakeCall) error {
			c = abi.NewContext(call.Services, abi.Limits{}, nil)
			c.Begin(abi.Call{Kind: abi.KindReducer, Function: call.Name, Tx: call.Tx, Time: call.Time})
			defer c.End()
			return do(call, c)
		}
	}
	fixedCols := params(sats.E("id", sats.U32), sats.E("n", sats.U64))
	fixed := func(id uint32) []byte { return append(u32(id), u64(7)...) }
	person := func(id uint32) []byte { return append(u32(id), str("Ann")...) }
	var args []byte
	m := people("tailed").addTable("fixed", fixedCols, primary(0), func(_ *fakeModule, t *schema.RawTableV10) {
		t.Indexes = append(t.Indexes, schema.RawIndex{Name: sats.Named("fixed_both"), Cols: []schema.ColID{0, 1}})
	}).
		reducer("keep", personCols, func(call *fakeCall) error { args = bytes.Clone(call.Args); return nil }).
		reducer("rows", nil, in(func(call *fakeCall, c *abi.Context) error {
			f, p := uint32(call.table("fixed").ID), uint32(call.table("person").ID)
			// A row of fixed size has exactly that size.
			for _, row := range [][]byte{with(fixed(1)), fixed(1)[:11]} {
				if _, e := c.Insert(f, row); e != abi.ErrBSATNDecode {
					t.Errorf("insert of %d bytes of a row of 12: %v", len(row), e)
				}
			}
			if _, e := c.Insert(f, fixed(1)); e != abi.OK {
				t.Errorf("insert: %v", e)
			}
			index := uint32(call.table("fixed").UniqueIndexOn(0).ID)
			if _, e := c.Update(f, index, with(fixed(1))); e != abi.ErrBSATNDecode {
				t.Errorf("update with bytes behind a row of fixed size: %v", e)
			}
			// Of another they are ignored, and not stored.
			if _, e := c.Insert(p, with(person(1))); e != abi.OK {
				t.Errorf("insert with bytes behind a row: %v", e)
			}
			if _, e := c.Update(p, uint32(call.table("person").UniqueIndexOn(0).ID), with(person(1))); e != abi.OK {
				t.Errorf("update with bytes behind a row: %v", e)
			}
			for row := range call.Tx.Scan(call.table("person").ID) {
				if !bytes.Equal(row, person(1)) {
					t.Errorf("stored row %x, want %x", row, person(1))
				}
			}
			// Keys of several columns end where their values do (spec 03 §5.4).
			if _, e := c.ScanPoint(index, with(u32(1))); e != abi.OK {
				t.Errorf("bytes behind a key of one column: %v", e)
			}
			both, e := c.IndexIDFromName("fixed_both")
			if e != abi.OK {
				t.Fatal(e)
			}
			if _, e := c.ScanPoint(both, with(fixed(1))); e != abi.ErrBSATNDecode {
				t.Errorf("bytes behind a key of two columns: %v", e)
			}
			if it, e := c.ScanPoint(both, fixed(1)); e != abi.OK {
				t.Errorf("key: %d, %v", it, e)
			}
			// Behind the rows to delete they are ignored.
			if n, e := c.DeleteAllByEq(p, with(append(u32(1), person(1)...))); n != 1 || e != abi.OK {
				t.Errorf("delete with bytes behind the rows: %d, %v", n, e)
			}
			return nil
		}))
	// The module's own description has some, too.
	db := w.create(m)
	w.call(db, alice, "rows")
	// Arguments reach the module without them.
	w.call(db, alice, "keep", with(person(5)))
	if !bytes.Equal(args, person(5)) {
		t.Errorf("arguments %x, want %x", args, person(5))
	}

	// Messages of the binary protocols: ignored in v1 and, by the session, in v2;
	// in a frame of v3 more messages follow.
	query := &wire.OneOffQuery{RequestID: 3, MessageID: []byte{1}, Query: "SELECT 1"}
	if got, err := v1.DecodeClient(with(v1.AppendClient(nil, query))); err != nil || got.(*wire.OneOffQuery).Query != query.Query {
		t.Errorf("v1: %v, %v", got, err)
	}
	r := sats.NewReader(v2.AppendClient(v2.AppendClient(nil, query), query))
	for i := range 2 {
		if got, ok := v2.ReadClient(r).(*wire.OneOffQuery); !ok || r.Err() != nil || got.Query != query.Query {
			t.Errorf("message %d of a frame: %v, %v", i, got, r.Err())
		}
	}
	if r.Len() != 0 {
		t.Errorf("%d bytes are left", r.Len())
	}
}

// The same program again leaves everything as it is: a call that runs, the timers
// and the subscriptions.
func TestSameProgramDisturbsNothing(t *testing.T) {
	spec.Covers(t, "02.76")
	w := newWorld(t)
	k := newTicker(w, "ticker")
	begun, end := make(chan struct{}), make(chan struct{})
	k.addTable("person", personCols, primary(0)).
		reducer("slow", personCols, func(c *fakeCall) error {
			close(begun)
			<-end
			c.globals["slow"]++
			return c.insert("person", c.Args)
		}).
		reducer("globals", nil, func(c *fakeCall) error {
			if c.globals["slow"] != 1 {
				return userError("another instance")
			}
			return nil
		})
	db := w.create(k.fakeModule)
	c, out, exited := w.attach(db, alice)
	w.subscribe(db, c, alice, "SELECT * FROM person")
	w.call(db, alice, "plan", timerRow(0, sats.ScheduleInterval(second), "tick"))
	w.clock.advance(500 * time.Millisecond)

	done := make(chan CallResult)
	go func() {
		res, err := db.CallReducer(background, &CallRequest{Caller: bob, Name: "slow", Args: append(u32(1), str("Ann")...)})
		if err != nil {
			t.Error(err)
		}
		done <- res
	}()
	<-begun
	loads, live := w.engine.loads, w.engine.live
	res, err := w.update(db, k.fakeModule, UpdatePolicy{})
	if err != nil || !res.Unchanged {
		t.Errorf("update = %+v, %v; want unchanged", res, err)
	}
	if w.engine.loads != loads || w.engine.live != live || *exited {
		t.Errorf("%d loads and %d instances more; client gone: %t", w.engine.loads-loads, w.engine.live-live, *exited)
	}
	close(end)
	if got := <-done; got.Status != Committed {
		t.Errorf("the running call ended with %+v", got)
	}
	w.call(db, bob, "globals")
	db.send.flush()
	if len(out.got) != 2 {
		t.Errorf("%d messages; want the first rows and one update", len(out.got))
	}
	w.clock.advance(600 * time.Millisecond)
	k.expect("the interval goes on", "tick at 1000000")
	if logs := logsOf(t, db); bytes.Contains([]byte(logs), []byte("Updated program")) {
		t.Errorf("the log says\n%s", logs)
	}
}
