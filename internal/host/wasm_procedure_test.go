package host

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/sats"
)

// A hearing keeps what an instance logs.
type hearing struct {
	nowhere
	mu   sync.Mutex
	said []string
}

func (h *hearing) Log(rec abi.LogRecord) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.said = append(h.said, rec.Message)
}

// Handlers of both forms answer: the short one of crates before 2.14, and the long
// one, which is told a sender.
func TestHandlerForms(t *testing.T) {
	spec.Covers(t, "03.66")
	db, err := wasmHost(t, t.TempDir()).Create(background, DatabaseInfo{Replica: 1, Identity: dbID, Owner: ownerID}, readModule(t, vectorModule("kitchen.wasm")))
	if err != nil {
		t.Fatal(err)
	}
	res, err := db.CallHandler(background, &RouteRequest{Path: "/echo", HTTPRequest: HTTPRequest{Method: "POST", URI: "http://h/echo?x", Version: HTTP11}, Body: []byte("tea"), Sender: aliceID})
	if err != nil || res.Code != 200 || !strings.HasPrefix(string(res.Body), "method=POST uri=http://h/echo?x version=HTTP/1.1 ") || !strings.HasSuffix(string(res.Body), `body="tea"`) {
		t.Errorf("the short form: %d %s, %v", res.Code, res.Body, err)
	}

	engine, err := wasmEngine()
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(filepath.Join("..", "..", "engine", "wasm", "testdata", "script.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := engine.Load(background, program, abi.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	h := &hearing{}
	inst, err := p.Instantiate(background, h)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = inst.Close(); _ = p.Close() }()
	for _, sender := range []sats.Identity{{'x'}, {'y'}} {
		// The guest's script is its request; it says the sender's first byte.
		_, out := inst.CallHandler(background, &abi.HandlerCall{Name: "h", Sender: sender, JWT: []byte("{}"), Request: []byte{'S', 0}, Host: &procedureRun{db: db}})
		if out.Status != abi.StatusOK {
			t.Errorf("the long form: %+v", out)
		}
	}
	if got := fmt.Sprintf("%q", h.said); got != `["@x" "@y"]` {
		t.Errorf("the long form was told the senders %s", got)
	}
}

// Procedures of a crate's module, with transactions, and one that panics.
func TestCrateProcedures(t *testing.T) {
	db, err := wasmHost(t, t.TempDir()).Create(background, DatabaseInfo{Replica: 1, Identity: dbID, Owner: ownerID}, readModule(t, vectorModule("live.wasm")))
	if err != nil {
		t.Fatal(err)
	}
	call := func(name, args string) ProcedureResult {
		t.Helper()
		res, err := db.CallProcedure(background, &ProcedureRequest{Caller: alice, Name: name, Args: []byte(args), ArgsJSON: true})
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	if res := call("add", "[2,3]"); res.Status != Committed || string(res.json()) != "5" || res.HasOffset {
		t.Errorf("add: %+v", res)
	}
	if res := call("proc_people", "[50]"); res.Status != Committed || string(res.json()) != "2" || !res.HasOffset {
		t.Errorf("proc_people: %+v", res)
	}
	want(t, "people", sqlText(t, db, "SELECT id FROM person"), []string{"(id = 50)", "(id = 52)"})
	for range 2 {
		if res := call("proc_boom", `["ouch"]`); res.Status != Trapped || !strings.HasPrefix(res.Message, fatalProcedureText) {
			t.Errorf("proc_boom: %+v", res)
		}
	}
	if logs := logsOf(t, db); strings.Count(logs, `"level":"Panic"`) != 2 || !strings.Contains(logs, `"message":"ouch"`) {
		t.Errorf("no record of the panic in %s", logs)
	}
	if res := call("add", "[2,3]"); res.Status != Committed {
		t.Errorf("add: %+v", res)
	}
}
