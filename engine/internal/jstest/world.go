package jstest

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/sats"
)

// services stands for a database.
type services struct {
	mu        sync.Mutex
	logs      []abi.LogRecord
	scheduled []string
	jwts      map[sats.ConnectionID]string
	env       map[string]*string // declared variables; nil: without a value
	now       func() sats.Timestamp
}

func newServices() *services {
	return &services{now: func() sats.Timestamp { return sats.Timestamp(time.Now().UnixMicro()) }}
}

func (s *services) DatabaseIdentity() (id sats.Identity) {
	for i := range id {
		id[i] = byte(i + 1)
	}
	return id
}

func (s *services) Now() sats.Timestamp { return s.now() }

func (s *services) Log(r abi.LogRecord) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.logs = append(s.logs, r)
}

func (s *services) ScheduleImmediate(fn string, args []byte) {
	s.scheduled = append(s.scheduled, fn+"("+string(args)+")")
}

func (s *services) Seed([]byte) (key [32]byte) { return key }

func (s *services) Env(_ *store.Tx, _, key string) (value []byte, declared, set bool) {
	v, declared := s.env[key]
	if v == nil {
		return nil, declared, false
	}
	return []byte(*v), declared, true
}

func (s *services) JWT(_ *store.Tx, conn sats.ConnectionID) ([]byte, bool) {
	claims, ok := s.jwts[conn]
	return []byte(claims), ok
}

// messages returns the texts logged so far and forgets them.
func (s *services) messages() (texts []string) {
	for _, r := range s.logs {
		texts = append(texts, r.Message)
	}
	s.logs = nil
	return texts
}

func load(t testing.TB, text []byte, l abi.Limits) abi.Program {
	t.Helper()
	p, err := engine.New().Load(t.Context(), text, abi.LoadOptions{Limits: l})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func mustRead(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.FromSlash(name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A world is an instance with a store that holds its module's tables.
type world struct {
	t testing.TB
	abi.Instance
	program  abi.Program
	services *services
	store    *store.Store
	def      *schema.ModuleDef
	sender   sats.Identity
	conn     sats.ConnectionID
	time     sats.Timestamp
}

func newWorld(t testing.TB, text []byte, l abi.Limits) *world {
	t.Helper()
	s := newServices()
	p := load(t, text, l)
	in, err := p.Instantiate(context.Background(), s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close() })
	w := &world{t: t, Instance: in, program: p, services: s, store: store.New(store.Options{}),
		sender: sats.Identity{0x34, 0x12}, conn: sats.ConnectionID{1}, time: 1_700_000_000_000_000}
	raw, err := in.Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.def = definition(t, raw)
	w.createTables(w.def)
	return w
}

// rawWorld is newWorld for a module that describes no tables: it gets those of the module edges-2.10.
func rawWorld(t testing.TB, text []byte, l abi.Limits) *world {
	t.Helper()
	w := newWorld(t, text, l)
	w.createTables(edges(t))
	return w
}

var edgesDef *schema.ModuleDef

func edges(t testing.TB) *schema.ModuleDef {
	if edgesDef == nil {
		in, err := load(t, bundle(t, "edges-2.10"), abi.Limits{}).Instantiate(t.Context(), newServices())
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		raw, _ := in.Describe(t.Context())
		edgesDef = definition(t, raw)
	}
	return edgesDef
}

func definition(t testing.TB, raw []byte) *schema.ModuleDef {
	t.Helper()
	module, err := schema.DecodeRaw(raw)
	if err != nil {
		t.Fatal(err)
	}
	def, err := schema.Validate(module)
	if err != nil {
		t.Fatal(err)
	}
	return def
}

func (w *world) createTables(def *schema.ModuleDef) {
	tx := w.store.Begin()
	for _, d := range def.Tables {
		if _, err := tx.CreateTable(d.Instantiate()); err != nil {
			w.t.Fatal(err)
		}
	}
	tx.Commit(nil)
}

// call calls a reducer by name and commits if it succeeds.
func (w *world) call(name string, args ...[]byte) abi.Outcome {
	w.t.Helper()
	r, ok := w.def.Reducer(name)
	if !ok {
		w.t.Fatalf("no reducer %s", name)
	}
	return w.callID(r.ID, name, args...)
}

func (w *world) callID(id uint32, name string, args ...[]byte) abi.Outcome {
	var all []byte
	for _, a := range args {
		all = append(all, a...)
	}
	tx := w.store.Begin()
	out := w.CallReducer(context.Background(), &abi.ReducerCall{ID: id, Name: name, Sender: w.sender, Conn: w.conn,
		Time: w.time, Args: all, Tx: tx})
	if out.Status == abi.StatusOK {
		tx.Commit(nil)
	} else {
		tx.Rollback()
	}
	return out
}

// must is call for a reducer that is to succeed.
func (w *world) must(name string, args ...[]byte) {
	w.t.Helper()
	if out := w.call(name, args...); out.Status != abi.StatusOK {
		w.t.Fatalf("%s: %v %q: %v", name, out.Status, out.Message, out.Err)
	}
}

func u32(n uint32) []byte { return sats.AppendU32(nil, n) }

func i64(n int64) []byte { return sats.AppendI64(nil, n) }

func str(s string) []byte { return sats.AppendString(nil, s) }
