// Package engines measures what a call costs with each engine in a whole
// database, and what a database holds in memory while nobody calls it.
package engines

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/engine/wasm"
	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/engine/native"
	"github.com/stdbgo/spacetime/internal/host"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/internal/vfs"
	"github.com/stdbgo/spacetime/module"
	"github.com/stdbgo/spacetime/module/moduletest"
	"github.com/stdbgo/spacetime/sats"
)

// The native module.

// A Person has the columns of the table of that name in the Rust module.
type Person struct {
	ID   uint32 `stdb:"primarykey"`
	Name string
	Age  uint8
}

var people = module.NewTable[Person]("person", module.Public)

func empty(*module.Context, struct{}) error { return nil }

func init() {
	module.Reducer("empty", empty)
	module.Reducer("add_people", func(ctx *module.Context, args struct {
		From, N uint32
		Age     uint8
	}) error {
		for i := range args.N {
			if _, err := people.Insert(ctx, Person{ID: args.From + i, Name: "p" + strconv.Itoa(int(args.From+i)), Age: args.Age}); err != nil {
				return err
			}
		}
		return nil
	})
}

// A subject is a module with a reducer that does nothing.
type subject struct {
	name  string
	empty string
	build func(testing.TB) []byte
}

var subjects = []subject{
	{"native", "empty", func(tb testing.TB) []byte {
		p, err := native.Program()
		if err != nil {
			tb.Fatal(err)
		}
		return p
	}},
	{"rust", "noop", func(tb testing.TB) []byte { return rustModule(tb) }},
	{"go", "empty", goModule},
}

func rustModule(tb testing.TB) []byte {
	b, err := os.ReadFile("../../testdata/vectors/live/modules/live.wasm")
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func goModule(tb testing.TB) []byte {
	out := filepath.Join(tb.TempDir(), "module.wasm")
	cmd := exec.Command("go", "build", "-buildmode=c-shared", "-ldflags=-s -w", "-o", out, "../modules/go")
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0", "GOFLAGS=")
	if msg, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("%v\n%s", err, msg)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// newHost makes a host whose databases are in memory, or have a log below dir.
func (s subject) newHost(tb testing.TB, dir string) *host.Host {
	var engine abi.Engine = &native.Engine{}
	if s.name != "native" {
		var err error
		if engine, err = wasm.New(wasm.Options{}); err != nil {
			tb.Fatal(err)
		}
	}
	o := host.Options{InMemory: dir == "", Engines: map[host.ProgramKind]abi.Engine{host.Wasm: engine}}
	if dir != "" {
		o.Dir, o.FS = dir, vfs.OS{}
	}
	h, err := host.New(o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := h.Close(); err != nil {
			tb.Error(err)
		}
	})
	return h
}

func create(tb testing.TB, h *host.Host, replica uint64, program []byte) *host.Database {
	db, err := h.Create(context.Background(), host.DatabaseInfo{Replica: replica, Identity: sats.Identity{0: byte(replica), 1: byte(replica >> 8), 31: 0xc2}}, program)
	if err != nil {
		tb.Fatal(err)
	}
	return db
}

func call(tb testing.TB, db *host.Database, req *host.CallRequest) {
	res, err := db.CallReducer(context.Background(), req)
	if err != nil || res.Status != host.Committed {
		tb.Fatalf("%s: %+v, %v", req.Name, res, err)
	}
}

// BenchmarkEmpty calls a reducer that does nothing, 64 callers at a time, from
// the request to the commit in memory.
func BenchmarkEmpty(b *testing.B) {
	for _, s := range subjects {
		b.Run(s.name, func(b *testing.B) {
			db := create(b, s.newHost(b, ""), 1, s.build(b))
			b.SetParallelism(max(64/runtime.GOMAXPROCS(0), 1))
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				req := &host.CallRequest{Caller: host.Caller{Identity: sats.Identity{31: 2}}, Name: s.empty}
				for pb.Next() {
					call(b, db, req)
				}
			})
		})
	}
}

// BenchmarkInsert has one reducer insert 10,000 rows, beside the store alone and
// the same rows: the columns id (unique), name and age of the Rust module.
func BenchmarkInsert(b *testing.B) {
	const rows = 10_000
	perRow := func(b *testing.B) {
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/row")
	}
	for _, s := range subjects[:2] {
		b.Run(s.name, func(b *testing.B) {
			db := create(b, s.newHost(b, ""), 1, s.build(b))
			args := make([]byte, 0, 9)
			for i := 0; b.Loop(); i++ {
				args = append(sats.AppendU32(sats.AppendU32(args[:0], uint32(i*rows)), rows), 30)
				call(b, db, &host.CallRequest{Name: "add_people", Args: args})
			}
			perRow(b)
		})
	}
	b.Run("store", func(b *testing.B) {
		db := create(b, subjects[1].newHost(b, ""), 1, rustModule(b))
		def, _ := db.Module().Table("person")
		st := store.New(store.Options{})
		tx := st.Begin()
		t, err := tx.CreateTable(def.Instantiate())
		if err != nil {
			b.Fatal(err)
		}
		tx.Commit(nil)
		row := make([]byte, 0, 32)
		for i := 0; b.Loop(); i++ {
			tx := st.Begin()
			for j := range rows {
				id := uint32(i*rows + j)
				row = append(sats.AppendString(sats.AppendU32(row[:0], id), "p"+strconv.Itoa(int(id))), 30)
				if _, _, err := tx.Insert(t.ID, row); err != nil {
					b.Fatal(err)
				}
			}
			tx.Commit(nil)
		}
		perRow(b)
	})
}

// A scope is a test that ends before the benchmark does.
type scope struct {
	testing.TB
	cleanups []func()
}

func (s *scope) Cleanup(f func()) { s.cleanups = append(s.cleanups, f) }

func (s *scope) end() {
	for _, f := range slices.Backward(s.cleanups) {
		f()
	}
}

// BenchmarkFresh makes the database of a unit test and calls a reducer in it.
func BenchmarkFresh(b *testing.B) {
	for b.Loop() {
		s := &scope{TB: b}
		db := moduletest.New(s)
		if err := moduletest.Call(db.Connect(moduletest.User("ann")), empty, struct{}{}); err != nil {
			b.Fatal(err)
		}
		s.end()
	}
}

// BenchmarkIdle reports how much more memory the process has with each further
// database that nobody calls; the code of the module is shared.
func BenchmarkIdle(b *testing.B) {
	const databases = 20
	for _, s := range subjects {
		b.Run(s.name, func(b *testing.B) {
			program := s.build(b)
			h := s.newHost(b, b.TempDir())
			for replica := range uint64(3) {
				create(b, h, 1+replica, program)
			}
			before := resident(b)
			for replica := range uint64(databases) {
				db := create(b, h, 100+replica, program)
				call(b, db, &host.CallRequest{Name: s.empty})
			}
			after := resident(b)
			for b.Loop() { // nothing is timed
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(after-before)/databases/(1<<20), "MiB/database")
		})
	}
}

// resident returns the memory that the process has, in bytes.
func resident(tb testing.TB) int64 {
	runtime.GC()
	debug.FreeOSMemory()
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		tb.Skip("the system does not tell what a process has in memory")
	}
	_, rest, _ := bytes.Cut(b, []byte("VmRSS:"))
	kib, err := strconv.ParseInt(strings.TrimSpace(strings.Split(string(rest), "kB")[0]), 10, 64)
	if err != nil {
		tb.Fatal(fmt.Errorf("/proc/self/status: %w", err))
	}
	return kib << 10
}
