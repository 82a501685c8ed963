package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stdbgo/spacetime/engine/wasm"
	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/engine/native"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/sats"
)

// A world is a database around one instance: what a host is to an engine, at its smallest.
type world struct {
	t       testing.TB
	program abi.Program
	inst    abi.Instance
	def     *schema.ModuleDef
	store   *store.Store
	logs    []abi.LogRecord
	now     sats.Timestamp
	conn    sats.ConnectionID
	env     map[string]string
	tx      *store.Tx // of a procedure
	http    func(request, body []byte) (response, responseBody []byte, err error)
}

var dbIdentity = sats.Identity{0: 0xdb, 31: 0xc2}

func (w *world) DatabaseIdentity() sats.Identity  { return dbIdentity }
func (w *world) Now() sats.Timestamp              { return w.now }
func (w *world) Log(r abi.LogRecord)              { w.logs = append(w.logs, r) }
func (w *world) ScheduleImmediate(string, []byte) {}
func (w *world) Seed(m []byte) (key [32]byte)     { copy(key[:], m); return key }

func (w *world) Env(_ *store.Tx, _, key string) (value []byte, declared, set bool) {
	v, set := w.env[key]
	return []byte(v), key == "GREETING" || key == "MOOD", set
}

func (w *world) JWT(*store.Tx, sats.ConnectionID) (claims []byte, _ bool) { return nil, false }

// newWorld makes a database of a program, without calling init.
func newWorld(t testing.TB, p abi.Program) *world {
	t.Helper()
	w := &world{t: t, program: p, store: store.New(store.Options{}), now: 1_700_000_000_000_000, conn: sats.ConnectionID{1}}
	w.instantiate()
	b, err := w.inst.Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	raw, err := schema.DecodeRaw(b)
	if err != nil {
		t.Fatal(err)
	}
	if w.def, err = schema.Validate(raw); err != nil {
		t.Fatal(err)
	}
	tx := w.store.Begin()
	for _, d := range w.def.Tables {
		if _, err := tx.CreateTable(d.Instantiate()); err != nil {
			t.Fatal(err)
		}
	}
	tx.Commit(nil)
	t.Cleanup(func() {
		w.inst.Close()
		if err := w.store.Check(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func (w *world) instantiate() {
	w.t.Helper()
	var err error
	if w.inst, err = w.program.Instantiate(context.Background(), w); err != nil {
		w.t.Fatal(err)
	}
}

// call calls a reducer as sender with BSATN arguments, and commits or rolls back as a host does.
func (w *world) call(sender sats.Identity, name string, args []byte) abi.Outcome {
	w.t.Helper()
	r, ok := w.def.Reducer(name)
	if !ok {
		w.t.Fatalf("the module has no reducer %s", name)
	}
	w.now++
	tx := w.store.Begin()
	out := w.inst.CallReducer(w.t.Context(), &abi.ReducerCall{ID: r.ID, Name: name, Sender: sender, Conn: w.conn,
		Time: w.now, Args: args, Tx: tx})
	if out.Status == abi.StatusOK {
		tx.Commit(nil)
	} else {
		tx.Rollback()
	}
	if out.Discard {
		w.inst.Close()
		w.instantiate()
	}
	return out
}

// do calls a reducer that must succeed.
func (w *world) do(name string, args []byte) {
	w.t.Helper()
	if out := w.call(alice, name, args); out.Status != abi.StatusOK {
		w.t.Fatalf("%s: %v %s %v", name, out.Status, out.Message, out.Err)
	}
}

// encode returns the BSATN of a value.
func encode[T any](v T) []byte { return sats.Append(nil, &v) }

// rows reads a table.
func rows[T any](w *world, table string) (list []T) {
	w.t.Helper()
	v := w.store.View()
	defer v.Close()
	t := v.TableByName(table)
	if t == nil {
		w.t.Fatalf("there is no table %s", table)
	}
	for b := range v.Scan(t.ID) {
		var row T
		if rest, err := sats.Decode(b, &row); err != nil || len(rest) > 0 {
			w.t.Fatalf("row %x of %s: %v, %d bytes left", b, table, err, len(rest))
		}
		list = append(list, row)
	}
	return list
}

var alice, bob = sats.Identity{0: 0xa1, 31: 0xc2}, sats.Identity{0: 0xb0, 31: 0xc2}

// build compiles a module of this repository as anybody would.
func build(t testing.TB, dir string) []byte {
	t.Helper()
	if testing.Short() {
		t.Skip("compiles a module with the Go tool chain; not in -short")
	}
	if skipWasm {
		t.Skip("the race detector makes compilers slow, and one instance is one goroutine")
	}
	out := filepath.Join(t.TempDir(), "module.wasm")
	cmd := exec.Command("go", "build", "-buildmode=c-shared", "-trimpath", "-ldflags=-s -w", "-o", out, ".")
	cmd.Dir = filepath.FromSlash(dir)
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build in %s: %v\n%s", dir, err, text)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var wasmEngine = sync.OnceValues(func() (*wasm.Engine, error) { return wasm.New(wasm.Options{}) })

func loadWasm(t testing.TB, dir string) abi.Program {
	t.Helper()
	program := build(t, dir)
	e, err := wasmEngine()
	if err != nil {
		t.Fatal(err)
	}
	return load(t, e, program)
}

func loadNative(t testing.TB) abi.Program {
	t.Helper()
	program, err := native.Program()
	if err != nil {
		t.Fatal(err)
	}
	return load(t, new(native.Engine), program)
}

func load(t testing.TB, e abi.Engine, program []byte) abi.Program {
	t.Helper()
	p, err := e.Load(t.Context(), program, abi.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// onBoth runs a test on both engines. The program is loaded once per engine and kept for the whole run.
func onBoth(t *testing.T, test func(*testing.T, *world)) {
	t.Run("native", func(t *testing.T) { test(t, newWorld(t, loadNative(t))) })
	t.Run("wasm", func(t *testing.T) {
		if everything.Program == nil {
			everything.Program = loadWasm(t, ".")
		}
		test(t, newWorld(t, everything))
	})
}

var everything struct{ abi.Program }
