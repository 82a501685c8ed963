package host

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stdbgo/spacetime/engine/wasm"
	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/internal/vfs"
	"github.com/stdbgo/spacetime/sats"
)

// wasmEngine is shared by the tests.
var wasmEngine = sync.OnceValues(func() (*wasm.Engine, error) {
	return wasm.New(wasm.Options{CacheDir: cacheDir})
})

// wasmHost makes a host for WebAssembly modules on the operating system's files.
func wasmHost(t *testing.T, dir string) *Host {
	t.Helper()
	engine, err := wasmEngine()
	if err != nil {
		t.Fatal(err)
	}
	h, err := New(Options{
		Dir: dir, FS: vfs.OS{}, Engines: map[ProgramKind]abi.Engine{Wasm: engine},
		Logger: slog.New(slog.NewTextHandler(testWriter{t}, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

type testWriter struct{ t *testing.T }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Log(string(bytes.TrimSpace(p)))
	return len(p), nil
}

func readModule(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func vectorModule(name string) string {
	return filepath.Join("..", "..", "testdata", "vectors", "live", "modules", name)
}

func sqlText(t *testing.T, db *Database, q string) []string {
	t.Helper()
	res, err := db.SQL(background, owner, q)
	if err != nil {
		t.Fatalf("%s: %v", q, err)
	}
	var out []string
	for _, row := range res.Rows {
		text, _, err := sats.AppendSATN(nil, nil, res.Columns, row)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, string(text))
	}
	sortStrings(out)
	return out
}

func TestChatModule(t *testing.T) {
	dir := t.TempDir()
	info := DatabaseInfo{Replica: 7, Identity: dbID, Owner: ownerID}
	h := wasmHost(t, dir)
	db, err := h.Create(background, info, readModule(t, "testdata/chat1.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Connect(background, alice); err != nil {
		t.Fatal(err)
	}
	call := func(name, args string) CallResult {
		t.Helper()
		res, err := db.CallReducer(background, &CallRequest{Caller: alice, Name: name, Args: []byte(args), ArgsJSON: true})
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	if res := call("set_name", `["Alice"]`); res.Status != Committed {
		t.Fatalf("set_name: %+v", res)
	}
	if res := call("send_message", `["hello"]`); res.Status != Committed {
		t.Fatalf("send_message: %+v", res)
	}
	if res := call("send_message", `[""]`); res.Status != Failed || res.Message != "Messages must not be empty" {
		t.Errorf("empty message: %+v", res)
	}
	want(t, "text", sqlText(t, db, "SELECT text FROM message"), []string{`(text = "hello")`})
	want(t, "user", sqlText(t, db, "SELECT name, online FROM user"), []string{`(name = (some = "Alice"), online = true)`})
	if logs := logsOf(t, db); !strings.Contains(logs, "sets name to Alice") {
		t.Errorf("the module's own record is missing in %s", logs)
	}
	if _, err := db.SQL(background, alice, "DELETE FROM message"); err == nil || !strings.Contains(err.Error(), "is not authorized to run SQL DML statements") {
		t.Errorf("DML by another than the owner: %v", err)
	}
	// The client is still connected when the host goes: the next launch of a host
	// that was closed properly finds nobody.
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	h = wasmHost(t, dir)
	db, err = h.Open(background, info, nil)
	if err != nil {
		t.Fatal(err)
	}
	want(t, "user after restart", sqlText(t, db, "SELECT name, online FROM user"), []string{`(name = (some = "Alice"), online = false)`})
	want(t, "clients after restart", sqlText(t, db, "SELECT * FROM st_client"), nil)
	if res, err := db.SQL(background, owner, "DELETE FROM message WHERE text = 'hello'"); err != nil || res.Stats.Deleted != 1 {
		t.Errorf("DELETE: %+v, %v", res, err)
	}
	want(t, "text", sqlText(t, db, "SELECT text FROM message"), nil)
}

// Every module of the recorded suite can be published, but for the one whose init
// fails.
func TestVectorModules(t *testing.T) {
	for i, name := range []string{"kettle1", "kettle2", "kitchen", "kitchen_added", "kitchen_widened", "live", "kitchen_badinit"} {
		t.Run(name, func(t *testing.T) {
			h := wasmHost(t, t.TempDir())
			info := DatabaseInfo{Replica: uint64(i), Identity: dbID, Owner: ownerID}
			_, err := h.Create(background, info, readModule(t, vectorModule(name+".wasm")))
			if name == "kitchen_badinit" {
				if err == nil {
					t.Error("no error")
				} else {
					t.Log(err)
				}
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

// The modules of the recorded suite follow each other as they did when it was
// recorded.
func TestVectorUpdates(t *testing.T) {
	spec.Covers(t, "08.57", "08.58")
	h := wasmHost(t, t.TempDir())
	program := func(name string) []byte { return readModule(t, vectorModule(name+".wasm")) }
	db, err := h.Create(background, DatabaseInfo{Replica: 1, Identity: dbID, Owner: ownerID}, program("kitchen"))
	if err != nil {
		t.Fatal(err)
	}
	call := func(fn, args string) {
		t.Helper()
		res, err := db.CallReducer(background, &CallRequest{Caller: alice, Name: fn, Args: []byte(args), ArgsJSON: true})
		if err != nil || res.Status != Committed {
			t.Fatalf("%s: %+v, %v", fn, res, err)
		}
	}
	call("add_item", `["kettle",1,-5]`)
	if _, err := db.Update(background, Wasm, program("kitchen_added"), UpdatePolicy{}); err != nil {
		t.Errorf("added: %v", err)
	}
	var refused *MigrationError
	if _, err := db.Update(background, Wasm, program("kitchen_widened"), UpdatePolicy{}); !errors.As(err, &refused) || refused.Manual {
		t.Errorf("widened without consent: %v", err)
	}
	plan, err := db.PrePublish(background, Wasm, program("kitchen_widened"))
	if err != nil || !plan.BreaksUsers {
		t.Fatalf("plan: %+v, %v", plan, err)
	}
	if _, err := db.Update(background, Wasm, program("kitchen_widened"), UpdatePolicy{BreakClients: true, Token: plan.Token}); err != nil {
		t.Errorf("widened: %v", err)
	}
	if _, err := db.Update(background, Wasm, program("kitchen_broken"), UpdatePolicy{}); !errors.As(err, &refused) || !refused.Manual {
		t.Errorf("broken: %v", err)
	}
	if _, err := db.Update(background, Wasm, []byte("no module at all"), UpdatePolicy{}); err == nil {
		t.Error("garbage became the module")
	}
	call("add_item", `["pan",2,7]`)
	if got := sqlText(t, db, "SELECT * FROM item"); len(got) != 2 || !strings.Contains(strings.Join(got, " "), `"kettle"`) {
		t.Errorf("items = %q", got)
	}
	for i := range 3 { // what a trap leaves behind does not reach the next call
		res, err := db.CallReducer(background, &CallRequest{Caller: alice, Name: "must_add_item", Args: []byte(`["kettle"]`), ArgsJSON: true})
		if err != nil || res.Status != Trapped {
			t.Errorf("call %d of a reducer that panics: %+v, %v", i, res, err)
		}
	}
	call("add_item", `["pot",3,1]`)
}
