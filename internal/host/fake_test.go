package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/internal/vfs"
	"github.com/stdbgo/spacetime/sats"
)

// fakeEngine runs programs that are written in the tests: a program's bytes are
// the name under which a fakeModule is registered.
type fakeEngine struct {
	mu      sync.Mutex
	modules map[string]*fakeModule
	loads   int
	live    int // instances not closed yet
}

func (e *fakeEngine) Name() string { return "fake" }

func (e *fakeEngine) register(m *fakeModule) []byte {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.modules == nil {
		e.modules = map[string]*fakeModule{}
	}
	e.modules[m.name] = m
	return []byte(m.name)
}

func (e *fakeEngine) Load(_ context.Context, program []byte, _ abi.LoadOptions) (abi.Program, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.loads++
	m := e.modules[string(program)]
	if m == nil {
		return nil, &abi.LoadError{Problem: "not a program", Fix: "register it"}
	}
	return &fakeProgram{e, m}, nil
}

type fakeProgram struct {
	engine *fakeEngine
	*fakeModule
}

func (p *fakeProgram) Hash() sats.Hash { return abi.HashProgram([]byte(p.name)) }
func (p *fakeProgram) Close() error    { return nil }

func (p *fakeProgram) Instantiate(_ context.Context, s abi.Services) (abi.Instance, error) {
	if p.instantiate != nil {
		if err := p.instantiate(); err != nil {
			return nil, err
		}
	}
	p.engine.mu.Lock()
	defer p.engine.mu.Unlock()
	p.engine.live++
	return &fakeInstance{p: p, s: s, globals: map[string]int{}}, nil
}

type fakeInstance struct {
	p       *fakeProgram
	s       abi.Services
	globals map[string]int
	closed  bool
}

func (i *fakeInstance) Describe(context.Context) ([]byte, error) { return i.p.raw.Append(nil), nil }
func (i *fakeInstance) MemoryBytes() uint64                      { return 0 }

func (i *fakeInstance) Close() error {
	if i.closed {
		return errors.New("closed twice")
	}
	i.closed = true
	i.p.engine.mu.Lock()
	defer i.p.engine.mu.Unlock()
	i.p.engine.live--
	return nil
}

type (
	userError string
	trapError string
)

func (e userError) Error() string { return string(e) }
func (e trapError) Error() string { return string(e) }

var (
	errNoEnergy  = errors.New("no energy")
	errBadResult = errors.New("bad result")
)

func (i *fakeInstance) CallReducer(ctx context.Context, call *abi.ReducerCall) abi.Outcome {
	if i.closed {
		panic("call of a closed instance")
	}
	err := i.p.fns[call.ID](&fakeCall{ReducerCall: call, Services: i.s, globals: i.globals, ctx: ctx})
	return fakeOutcome(err)
}

// fakeCall is what a reducer of a test works with.
type fakeCall struct {
	*abi.ReducerCall
	abi.Services
	globals map[string]int // of the instance
	ctx     context.Context
}

func (c *fakeCall) table(name string) *schema.Table { return c.Tx.TableByName(name) }

func (c *fakeCall) insert(table string, row []byte) error {
	def := c.table(table)
	stored, _, err := c.Tx.Insert(def.ID, row)
	if err == nil && def.Outbox != nil {
		err = abi.RecordOutbox(c.Tx, def, bytes.Clone(stored), c.Time)
	}
	return err
}

func (c *fakeCall) rows(table string) (rows [][]byte) {
	for r := range c.Tx.Scan(c.table(table).ID) {
		rows = append(rows, bytes.Clone(r))
	}
	return rows
}

type reducerFunc func(*fakeCall) error

// fakeModule is a module definition with functions in Go.
type fakeModule struct {
	views      map[string]fakeView
	procedures map[string]fakeProcedure
	handlers   map[string]fakeHandler

	name        string
	raw         *schema.RawModule
	v10         *schema.RawV10
	fns         []reducerFunc
	instantiate func() error
}

// section returns a section of the definition, added when it is missing.
func (m *fakeModule) section(tag schema.SectionTag) *schema.RawSection {
	for i := range m.v10.Sections {
		if m.v10.Sections[i].Tag == tag {
			return &m.v10.Sections[i]
		}
	}
	m.v10.Sections = append(m.v10.Sections, schema.RawSection{Tag: tag})
	return &m.v10.Sections[len(m.v10.Sections)-1]
}

func newFake(name string) *fakeModule {
	v10 := &schema.RawV10{}
	m := &fakeModule{name: name, v10: v10, raw: &schema.RawModule{V10: v10}}
	m.section(schema.SecTypespace).Typespace = &sats.Typespace{}
	return m
}

type tableOption func(m *fakeModule, t *schema.RawTableV10)

// addTable declares a public table.
func (m *fakeModule) addTable(name string, cols []sats.Element, opts ...tableOption) *fakeModule {
	ts := m.section(schema.SecTypespace).Typespace
	ref := uint32(len(ts.Types))
	ts.Types = append(ts.Types, sats.Product(cols...))
	types := m.section(schema.SecTypes)
	types.Types = append(types.Types, schema.RawType{Name: "T" + strings.ToUpper(name[:1]) + name[1:], Ref: ref, CustomOrdering: true})
	t := schema.RawTableV10{SourceName: name, ProductTypeRef: ref, Kind: schema.User}
	for _, o := range opts {
		o(m, &t)
	}
	sec := m.section(schema.SecTables)
	sec.Tables = append(sec.Tables, t)
	return m
}

func unique(col schema.ColID) tableOption {
	return func(_ *fakeModule, t *schema.RawTableV10) {
		t.Indexes = append(t.Indexes, schema.RawIndex{Name: sats.Named(fmt.Sprintf("%s_%d", t.SourceName, col)), Cols: []schema.ColID{col}})
		t.Constraints = append(t.Constraints, schema.RawConstraint{Cols: []schema.ColID{col}})
	}
}

func primary(col schema.ColID) tableOption {
	return func(m *fakeModule, t *schema.RawTableV10) {
		unique(col)(m, t)
		t.PrimaryKey = []schema.ColID{col}
	}
}

func autoInc(col schema.ColID) tableOption {
	return func(_ *fakeModule, t *schema.RawTableV10) {
		t.Sequences = append(t.Sequences, schema.RawSequence{Col: col, Increment: sats.I128From(1)})
	}
}

func index(col schema.ColID) tableOption {
	return func(_ *fakeModule, t *schema.RawTableV10) {
		t.Indexes = append(t.Indexes, schema.RawIndex{Name: sats.Named(fmt.Sprintf("%s_i%d", t.SourceName, col)), Cols: []schema.ColID{col}})
	}
}

func defaultValue(col schema.ColID, value []byte) tableOption {
	return func(_ *fakeModule, t *schema.RawTableV10) {
		t.Defaults = append(t.Defaults, schema.RawColumnDefault{Col: col, Value: value})
	}
}

// scheduled makes a table of (id u64, at, …) a timer of a reducer.
func scheduled(fn string) tableOption {
	return func(m *fakeModule, t *schema.RawTableV10) {
		primary(0)(m, t)
		autoInc(0)(m, t)
		sec := m.section(schema.SecSchedules)
		sec.Schedules = append(sec.Schedules, schema.RawScheduleV10{Table: t.SourceName, AtCol: 1, Function: fn})
	}
}

// reducer declares a reducer that every client may call.
func (m *fakeModule) reducer(name string, params []sats.Element, fn reducerFunc) *fakeModule {
	return m.function(name, schema.VisibilityClient, params, fn)
}

func (m *fakeModule) function(name string, v schema.Visibility, params []sats.Element, fn reducerFunc) *fakeModule {
	sec := m.section(schema.SecReducers)
	sec.Reducers = append(sec.Reducers, schema.RawReducerV10{
		SourceName: name, Params: sats.Product(params...), Visibility: v, Ok: sats.Unit, Err: sats.String,
	})
	m.fns = append(m.fns, fn)
	return m
}

func (m *fakeModule) lifecycle(event schema.Lifecycle, name string, fn reducerFunc) *fakeModule {
	m.function(name, schema.VisibilityPrivate, nil, fn)
	sec := m.section(schema.SecLifecycle)
	sec.Lifecycle = append(sec.Lifecycle, schema.RawLifecycle{Event: event, Function: name})
	return m
}

// fakeClock stands still until a test moves it.
type fakeClock struct {
	mu     sync.Mutex
	now    time.Time
	timers []*fakeTimer
}

type fakeTimer struct {
	c    *fakeClock
	at   time.Time
	f    func()
	dead bool
}

func newFakeClock() *fakeClock {
	return &fakeClock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
}

func (c *fakeClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *fakeClock) AfterFunc(d time.Duration, f func()) Timer {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := &fakeTimer{c: c, at: c.now.Add(d), f: f}
	c.timers = append(c.timers, t)
	return t
}

func (t *fakeTimer) Stop() bool {
	t.c.mu.Lock()
	defer t.c.mu.Unlock()
	was := !t.dead
	t.dead = true
	return was
}

// pending reports whether something is due after exactly d.
func (c *fakeClock) pending(d time.Duration) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.ContainsFunc(c.timers, func(t *fakeTimer) bool { return !t.dead && t.at.Equal(c.now.Add(d)) })
}

// advance moves the clock, calling what becomes due on the way in order.
func (c *fakeClock) advance(d time.Duration) {
	c.mu.Lock()
	end := c.now.Add(d)
	for range 100_000 {
		var next *fakeTimer
		for _, t := range c.timers {
			if !t.dead && !t.at.After(end) && (next == nil || t.at.Before(next.at)) {
				next = t
			}
		}
		if next == nil {
			break
		}
		next.dead = true
		if next.at.After(c.now) {
			c.now = next.at
		}
		c.mu.Unlock()
		next.f()
		c.mu.Lock()
	}
	if end.After(c.now) {
		c.now = end
	}
	c.mu.Unlock()
}

func (c *fakeClock) micros() sats.Timestamp { return sats.TimestampOf(c.Now()) }

// A world is a host with everything that surrounds it.
type world struct {
	t      *testing.T
	fs     *vfs.Mem
	clock  *fakeClock
	engine *fakeEngine
	opts   Options
	host   *Host
	info   DatabaseInfo
	log    *logBuffer
}

type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

var (
	ownerID = sats.Identity{1}
	aliceID = sats.Identity{2}
	bobID   = sats.Identity{3}
	dbID    = sats.Identity{0xdb}
	owner   = Caller{Identity: ownerID, IsOwner: true}
	alice   = Caller{Identity: aliceID, Conn: sats.ConnectionID{2}, JWT: []byte(`{"sub":"alice"}`)}
	bob     = Caller{Identity: bobID, Conn: sats.ConnectionID{3}, JWT: []byte(`{"sub":"bob"}`)}
)

func newWorld(t *testing.T) *world {
	w := &world{t: t, fs: vfs.NewMem(), clock: newFakeClock(), engine: &fakeEngine{}, log: &logBuffer{}}
	w.info = DatabaseInfo{Replica: 1, Identity: dbID, Owner: ownerID}
	w.opts = Options{
		Dir: "/data", FS: w.fs, Clock: w.clock, Rand: rand.NewChaCha8([32]byte{1}),
		Engines: map[ProgramKind]abi.Engine{Wasm: w.engine},
		Logger:  slog.New(slog.NewTextHandler(w.log, nil)),
	}
	w.start()
	t.Cleanup(func() {
		w.stop()
		w.engine.mu.Lock()
		defer w.engine.mu.Unlock()
		if w.engine.live != 0 {
			t.Errorf("%d instances were not closed", w.engine.live)
		}
	})
	return w
}

func (w *world) start() {
	w.t.Helper()
	h, err := New(w.opts)
	if err != nil {
		w.t.Fatal(err)
	}
	w.host = h
}

func (w *world) stop() {
	w.t.Helper()
	if w.host == nil {
		return
	}
	if err := w.host.Close(); err != nil {
		w.t.Errorf("close: %v", err)
	}
	w.host = nil
}

// create publishes a module for the first time.
func (w *world) create(m *fakeModule) *Database {
	w.t.Helper()
	db, err := w.host.Create(background, w.info, w.engine.register(m))
	if err != nil {
		w.t.Fatalf("create: %v", err)
	}
	return db
}

// open launches the database, which must exist.
func (w *world) open() *Database {
	w.t.Helper()
	db, err := w.host.Open(background, w.info, func() ([]byte, error) { return nil, errors.New("no initial program") })
	if err != nil {
		w.t.Fatalf("open: %v", err)
	}
	return db
}

// crash ends the host as a power cut would and starts another on what was left.
func (w *world) crash(seed uint64) {
	w.t.Helper()
	disk := w.fs.CrashClone(rand.New(rand.NewPCG(seed, 0)))
	w.stop()
	w.fs = disk
	w.opts.FS = disk
	w.start()
}

func (w *world) restart() {
	w.t.Helper()
	w.stop()
	w.start()
}

// call calls a reducer and wants it to commit.
func (w *world) call(db *Database, who Caller, name string, args ...[]byte) CallResult {
	w.t.Helper()
	res, err := db.CallReducer(background, &CallRequest{Caller: who, Name: name, Args: bytes.Join(args, nil)})
	if err != nil {
		w.t.Fatalf("call %s: %v", name, err)
	}
	if res.Status != Committed {
		w.t.Fatalf("call %s: status %d, %s", name, res.Status, res.Message)
	}
	return res
}

// rows returns a table's rows as SATN text, sorted by their bytes.
func (w *world) rows(db *Database, table string) []string {
	w.t.Helper()
	v := db.View()
	defer v.Close()
	return rowsOf(w.t, v, table)
}

func rowsOf(t *testing.T, r store.Reader, table string) []string {
	t.Helper()
	def := r.TableByName(table)
	if def == nil {
		t.Fatalf("no table %s", table)
	}
	var out []string
	for row := range r.Scan(def.ID) {
		text, _, err := sats.AppendSATN(nil, nil, def.RowType(), row)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, string(text))
	}
	sortStrings(out)
	return out
}
