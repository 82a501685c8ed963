package abi

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/sats"
)

type services struct {
	now  sats.Timestamp
	logs []LogRecord
}

func (s *services) DatabaseIdentity() sats.Identity                  { return sats.Identity{1} }
func (s *services) Now() sats.Timestamp                              { return s.now }
func (s *services) Log(r LogRecord)                                  { s.logs = append(s.logs, r) }
func (s *services) ScheduleImmediate(string, []byte)                 {}
func (s *services) Seed([]byte) (key [32]byte)                       { return key }
func (*services) Env(*store.Tx, string, string) ([]byte, bool, bool) { return nil, false, false }

func (s *services) JWT(*store.Tx, sats.ConnectionID) (claims []byte, ok bool) { return nil, false }

// open starts a call over a store with the table t (id: u64 unique, kind: u8 indexed, name: string) and n rows.
func open(t testing.TB, n uint64, l Limits, m Meter) (c *Context, table, byID, byKind uint32) {
	layout, err := sats.NewLayout(sats.Product(sats.E("id", sats.U64), sats.E("kind", sats.U8), sats.E("name", sats.String)))
	if err != nil {
		t.Fatal(err)
	}
	def := &schema.Table{Name: "t", Kind: schema.User, Layout: layout,
		Cols: []schema.Column{{Name: "id", Type: sats.U64}, {Name: "kind", Type: sats.U8}, {Name: "name", Type: sats.String}},
		Indexes: []*schema.Index{{Name: "t_id_idx_btree", Algo: schema.BTree, Cols: []schema.ColID{0}},
			{Name: "t_kind_idx_btree", Algo: schema.BTree, Cols: []schema.ColID{1}}},
		Constraints: []*schema.Constraint{{Name: "t_id_key", Cols: []schema.ColID{0}}}}
	db := store.New(store.Options{})
	tx := db.Begin()
	if def, err = tx.CreateTable(def); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if _, _, err := tx.Insert(def.ID, row(i)); err != nil {
			t.Fatal(err)
		}
	}
	tx.Commit(nil)
	tx = db.Begin()
	t.Cleanup(func() { tx.Rollback() })
	c = NewContext(&services{}, l, m)
	c.Begin(Call{Kind: KindReducer, Function: "test", Tx: tx})
	find := func(name string) uint32 {
		id, e := c.IndexIDFromName(name)
		if e != OK {
			t.Fatal(name, e)
		}
		return id
	}
	return c, uint32(def.ID), find("t_id_idx_btree"), find("t_kind_idx_btree")
}

func row(i uint64) []byte {
	return sats.AppendString(append(sats.AppendU64(nil, i), byte(i%4)), "some name")
}

// Calls that modules make all the time take no memory.
func TestHostCallsDoNotAllocate(t *testing.T) {
	c, table, byID, byKind := open(t, 100, Limits{}, nil)
	buf := make([]byte, 64<<10)
	key, kind, args := sats.AppendU64(nil, 42), []byte{3}, []byte("arguments")
	bounds := RangeArg{Start: append([]byte{0}, sats.AppendU64(nil, 10)...), End: append([]byte{1}, sats.AppendU64(nil, 20)...)}
	fresh, next := row(1000), uint64(1000)
	drain := func(it uint32, e Errno) {
		if n, exhausted, _, e2 := c.IterAdvance(it, buf); e != OK || e2 != OK || !exhausted || n == 0 {
			t.Fatal(e, e2, exhausted, n)
		}
	}
	for name, call := range map[string]func(){
		"find":           func() { drain(c.ScanPoint(byID, key)) },
		"filter":         func() { drain(c.ScanPoint(byKind, kind)) },
		"range":          func() { drain(c.ScanRange(byID, bounds)) },
		"scan":           func() { drain(c.TableScan(table)) },
		"count":          func() { c.RowCount(table) },
		"source":         func() { c.SourceRead(c.AddSource(args), buf) },
		"sink":           func() { s := c.AddSink(); c.SinkWrite(s, args); c.TakeSink(s) },
		"insert, delete": func() { c.Insert(table, fresh); c.DeleteByPoint(byID, fresh[:8]) },
		"identity":       func() { c.Identity() },
		"whole call":     func() { tx := c.call.Tx; c.End(); c.Begin(Call{Kind: KindReducer, Tx: tx}) },
	} {
		next++
		for range 20 {
			call() // fills the pools
		}
		allowed := 0.0
		if name == "range" {
			allowed = 4 // the store's two bounds, whatever the number of rows
		} else if raceDetector {
			allowed = 1 // an iterator's function that is not inlined
		}
		if n := testing.AllocsPerRun(100, call); n > allowed {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}

// Work is told to the meter, which may end the call.
type meter struct{ spent, limit uint64 }

func (m *meter) Spend(n uint64) {
	if m.spent += n; m.spent > m.limit {
		panic(&Trap{Reason: TrapOutOfEnergy, Msg: "enough"})
	}
}

func (*meter) Pause()  {}
func (*meter) Resume() {}

func trapOf(f func()) (trap *Trap) {
	defer func() {
		if r := recover(); r != nil {
			trap = r.(*Trap)
		}
	}()
	f()
	return nil
}

func TestWorkIsMetered(t *testing.T) {
	m := &meter{limit: 1 << 62}
	c, table, _, _ := open(t, 5000, Limits{}, m)
	c.TableScan(table)
	if m.spent < meterStep {
		t.Errorf("scanning 5000 rows costs %d", m.spent)
	}
	m.limit = m.spent + 200_000
	trap := trapOf(func() {
		for range 1000 {
			it, _ := c.TableScan(table)
			c.IterClose(it)
		}
	})
	if trap == nil || trap.Reason != TrapOutOfEnergy {
		t.Errorf("got %v", trap)
	}
}

func TestStreamsAreBounded(t *testing.T) {
	c, table, _, _ := open(t, 100, Limits{Streams: 10_000}, nil)
	it, e := c.TableScan(table)
	if e != OK {
		t.Fatal(e)
	}
	if c.held == 0 {
		t.Error("open rows are not counted")
	}
	trap := trapOf(func() {
		for range 10 {
			c.TableScan(table)
		}
	})
	if trap == nil || !strings.Contains(trap.Error(), "10000 bytes") {
		t.Errorf("got %v", trap)
	}
	_ = it
	c.End()
	if c.held != 0 {
		t.Errorf("%d bytes are held after the call", c.held)
	}
	// What is closed counts no longer.
	c.Begin(Call{Kind: KindReducer, Tx: c.call.Tx})
	s := c.AddSink()
	for range 100 {
		c.SinkWrite(s, make([]byte, 90))
		c.TakeSink(s)
		s = c.AddSink()
	}
}

// handles against a map.
func TestHandlesModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var h handles[int]
		model := map[uint32]int{}
		var ids []uint32
		last := uint32(0)
		for i := range rapid.IntRange(1, 200).Draw(t, "steps") {
			switch op := rapid.IntRange(0, 9).Draw(t, "op"); {
			case op < 5 || len(ids) == 0:
				id := h.add(i)
				if id <= last {
					t.Fatalf("handle %d after %d", id, last)
				}
				last = id
				model[id] = i
				ids = append(ids, id)
			case op < 9:
				id := rapid.SampledFrom(ids).Draw(t, "id")
				want, ok := model[id]
				delete(model, id)
				if got, found := h.remove(id); found != ok || got != want {
					t.Fatalf("remove(%d) = %d, %v, want %d, %v", id, got, found, want, ok)
				}
			default:
				h.reset(nil)
				clear(model)
			}
			if h.live() != len(model) {
				t.Fatalf("%d live, want %d", h.live(), len(model))
			}
			for _, id := range ids {
				want, ok := model[id]
				if got := h.get(id); (got != nil) != ok || ok && *got != want {
					t.Fatalf("get(%d) = %v, want %d, %v", id, got, want, ok)
				}
			}
		}
		if h.get(0) != nil || h.get(last+1) != nil {
			t.Fatal("a handle that was never given out")
		}
	})
}

// Iterators that stay open do not make others expensive.
func TestHandlesDoNotGrow(t *testing.T) {
	var h handles[int]
	h.add(1)
	for i := range 100_000 {
		id := h.add(i)
		h.add(i)
		h.remove(id)
		h.remove(id + 1)
	}
	if cap(h.slots) > 100 {
		t.Errorf("room for %d handles", cap(h.slots))
	}
}

func TestValidText(t *testing.T) {
	for in, want := range map[string]string{
		"":                    "",
		"plain ü \U0001F600":  "plain ü \U0001F600",
		"\xff":                "\uFFFD",
		"a\xf0\x9f\x98b":      "a\uFFFDb", // a truncated sequence is one error
		"\xf0\x9f\x98\xf0":    "\uFFFD\uFFFD",
		"\xe2\x82":            "\uFFFD",
		"\xc0\xaf":            "\uFFFD\uFFFD", // never the start of anything
		"\xed\xa0\x80":        "\uFFFD\uFFFD\uFFFD",
		"\xf4\x90\x80\x80":    "\uFFFD\uFFFD\uFFFD\uFFFD",
		"\uFFFD ok \xe2\x82(": "\uFFFD ok \uFFFD(",
	} {
		if got := ValidText([]byte(in)); got != want || !utf8.ValidString(got) {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestSpanTexts(t *testing.T) {
	for us, want := range map[uint64]string{0: "0ns", 1: "1µs", 999: "999µs", 1000: "1ms", 1230: "1.23ms", 1234: "1.234ms", 999_999: "999.999ms",
		1_000_000: "1s", 2_500_000: "2.5s", 61_000_001: "61.000001s"} {
		if got := formatMicros(us); got != want {
			t.Errorf("%d: got %s, want %s", us, got, want)
		}
	}
	for in, want := range map[string]string{`a"b\`: `"a\"b\\"`, "\n\r\t\x00": `"\n\r\t\0"`, "ü'\x7f": `"ü'\u{7f}"`} {
		if got := quote(in); got != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
}

func TestHashProgram(t *testing.T) {
	h := HashProgram(nil) // a well-known value of Keccak-256
	if got := hex.EncodeToString(h[:]); got != "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470" {
		t.Errorf("got %s", got)
	}
}

func TestErrors(t *testing.T) {
	cause := errors.New("cause")
	if e := (&LoadError{Problem: "p", Fix: "f", Err: cause}); e.Error() != "p: cause (f)" || !errors.Is(e, cause) {
		t.Error(e)
	}
	if e := (&Trap{Msg: "m", Err: cause}); e.Error() != "m: cause" || !errors.Is(e, cause) {
		t.Error(e)
	}
	c, _, _, _ := open(t, 0, Limits{}, nil)
	if e := c.errno(&store.Error{Code: store.ErrNoSuchRow}); e != ErrNoSuchRow {
		t.Error(e)
	}
	if trap := trapOf(func() { c.errno(cause) }); !errors.Is(trap, cause) {
		t.Errorf("got %v", trap)
	}
	for e := OK; e <= ErrHTTP; e++ {
		if e.Error() == "" {
			t.Errorf("errno %d has no text", e)
		}
	}
}

func TestLevels(t *testing.T) {
	for n, want := range map[uint8]string{0: "Error", 1: "Warn", 2: "Info", 3: "Debug", 4: "Trace", 5: "Debug", 100: "Debug", 101: "Panic", 255: "Debug"} {
		if got := Level(n).String(); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}

func BenchmarkFind(b *testing.B) {
	c, _, byID, _ := open(b, 10_000, Limits{}, nil)
	buf := make([]byte, 64<<10)
	key := sats.AppendU64(nil, 4242)
	for b.Loop() {
		it, _ := c.ScanPoint(byID, key)
		c.IterAdvance(it, buf)
	}
}

func BenchmarkScan(b *testing.B) {
	c, table, _, _ := open(b, 10_000, Limits{}, nil)
	buf := make([]byte, 1<<20)
	for b.Loop() {
		it, _ := c.TableScan(table)
		c.IterAdvance(it, buf)
	}
}
