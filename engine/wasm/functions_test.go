package wasm

import (
	"context"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/sats"
)

// op encodes a step of a script for testdata/script.wasm.
func op(op byte, operand string) []byte { return append([]byte{op, byte(len(operand))}, operand...) }

func TestViewResults(t *testing.T) {
	in := instantiate(t, loadFile(t, "testdata/script.wasm", abi.Limits{}), newServices())
	const rows = "\x01\x00\x00\x00row"
	for _, c := range []struct {
		name        string
		script      []byte
		rows, query string
		status      abi.Status
		err         string
	}{
		{"bare rows", op('v', rows), rows, "", abi.StatusOK, ""},
		{"rows behind a header", op('V', rows), rows, "", abi.StatusOK, ""},
		{"a query", op('Q', "SELECT"), "", "SELECT", abi.StatusOK, ""},
		{"an error", op('u', "no"), "", "", abi.StatusUserError, ""},
		{"an unknown code", op('R', "\x03"), "", "", abi.StatusBadResult, "the view returned the unknown code 3"},
		{"a negative code", op('R', "\xff"), "", "", abi.StatusBadResult, "the view returned the unknown code -1"},
		{"no header", op('R', "\x02"), "", "", abi.StatusBadResult, "Error materializing view `v`: the header of the result is missing"},
		{"an unknown header", append(op('v', "\x07"), op('R', "\x02")...), "", "", abi.StatusBadResult, "neither rows nor a query"},
		{"a query cut short", append(op('v', "\x01\x09\x00\x00\x00x"), op('R', "\x02")...), "", "", abi.StatusBadResult, "Error materializing view `v`: "},
	} {
		r, out := in.CallView(t.Context(), &abi.ViewCall{Name: "v", Args: c.script})
		if out.Status != c.status || out.Discard || string(r.Rows) != c.rows || r.Query != c.query || r.IsQuery != (c.query != "") {
			t.Errorf("%s: %+v, %+v", c.name, r, out)
		}
		if c.err != "" && (out.Err == nil || !strings.Contains(out.Err.Error(), c.err)) {
			t.Errorf("%s: %v, want %s", c.name, out.Err, c.err)
		}
		if c.status == abi.StatusUserError && out.Message != "no" {
			t.Errorf("%s: %q", c.name, out.Message)
		}
	}
}

// Codes of procedures and handlers have no meaning but 0.
func TestProcedureCodes(t *testing.T) {
	p := loadFile(t, "testdata/script.wasm", abi.Limits{})
	for code, want := range map[string]string{"\x01": "the procedure returned the code 1", "\x02": "the procedure returned the code 2"} {
		in := instantiate(t, p, newServices())
		_, out := in.CallProcedure(t.Context(), &abi.ProcedureCall{Name: "p", Args: op('R', code)})
		if out.Status != abi.StatusTrap || !out.Discard || !strings.Contains(out.Err.Error(), want) {
			t.Errorf("%+v", out)
		}
	}
}

// A module may define what it does not export; that is told when it is called.
func TestMissingExports(t *testing.T) {
	in := instantiate(t, loadFile(t, "testdata/echo.wasm", abi.Limits{}), newServices())
	_, view := in.CallView(t.Context(), &abi.ViewCall{Name: "v"})
	_, anonymous := in.CallView(t.Context(), &abi.ViewCall{Name: "v", Anonymous: true})
	_, procedure := in.CallProcedure(t.Context(), &abi.ProcedureCall{Name: "p"})
	_, handler := in.CallHandler(t.Context(), &abi.HandlerCall{Name: "h"})
	for want, out := range map[string]abi.Outcome{
		"Module defines view v but does not export `__call_view__`":                 view,
		"Module defines view v but does not export `__call_view_anon__`":            anonymous,
		"Module defines procedure p but does not export `__call_procedure__`":       procedure,
		"Module defines HTTP handler h but does not export `__call_http_handler__`": handler,
	} {
		if out.Status != abi.StatusTrap || out.Err == nil || out.Err.Error() != want {
			t.Errorf("%+v, want %s", out, want)
		}
	}
}

// What host functions of procedures write to memory, spec 03 §10.3 and §11.2.
func TestProcedureFunctions(t *testing.T) {
	g := newGuest(t, abi.KindInit, nil)
	g.s.now = func() sats.Timestamp { return 1_700_000_000_000_000 }
	h := &procedureHost{s: g.s}
	g.begin(abi.Call{Kind: abi.KindProcedure, Function: "p", Host: h, Done: t.Context()})
	g.want(0, "procedure_start_mut_tx", atOut)
	if got := g.u64(atOut); got != 1_700_000_000_000_007 {
		t.Errorf("the transaction began at %d", got)
	}
	g.want(0, "procedure_commit_mut_tx")
	request := append(sats.AppendString([]byte{0, 0, 0, 0, 0, 1}, "http://x/"), 2)
	p, n := g.put(atIn, request...)
	g.put(atOut, 1, 2, 3, 4, 5, 6, 7, 8)
	g.wantTrap("procedure_http_request", p, n, 0, 0, atOut) // even an empty body has an address
	h.body = ""
	g.want(0, "procedure_http_request", p, n, atIn2, 0, atOut)
	if head, body := g.u32(atOut), g.u32(atOut+4); head == 0 || body != 0 {
		t.Errorf("sources %d, %d; want a response without a body", head, body)
	}
	h.fail = &abi.HTTPError{Text: "boom"}
	g.put(atOut+4, 5, 6, 7, 8)
	g.want(21, "procedure_http_request", p, n, atIn2, 0, atOut)
	if g.u32(atOut+4) != 0x08070605 {
		t.Error("a failed request wrote a second source")
	}
	src := uint64(g.u32(atOut))
	g.putU32(atOut, 100)
	g.want(minusOne, "bytes_source_read", src, atBuf, atOut)
	if got := string(g.bytes(atBuf, g.u32(atOut))); got != "\x04\x00\x00\x00boom" {
		t.Errorf("the failure is %q", got)
	}
	g.putU32(atOut, 77)
	g.want(3, "procedure_http_request", p, 3, atIn2, 0, atOut)
	if g.u32(atOut) != 77 {
		t.Error("a refused request wrote its result")
	}
	if got := g.call("procedure_sleep_until", 1_700_000_000_000_100); got != uint32(1_700_000_000_000_100&0xffffffff) {
		t.Errorf("woke up at %d", got)
	}
}

// A procedureHost answers requests without a network.
type procedureHost struct {
	s    *services
	db   *store.Store
	tx   *store.Tx
	body string
	fail error
	wait func(until sats.Timestamp) // called by SleepUntil
	// commit is called by CommitTx.
	commit func()
}

func (h *procedureHost) StartTx(context.Context) (*store.Tx, sats.Timestamp, error) {
	if h.db == nil {
		h.db = store.New(store.Options{})
	}
	h.tx = h.db.Begin()
	return h.tx, 1_700_000_000_000_007, nil
}

func (h *procedureHost) CommitTx(context.Context) error {
	if h.commit != nil {
		h.commit()
	}
	h.tx.Commit(nil)
	return nil
}
func (h *procedureHost) AbortTx()          { h.tx.Rollback() }
func (h *procedureHost) HTTPEnabled() bool { return true }

func (h *procedureHost) SleepUntil(_ context.Context, t sats.Timestamp) (sats.Timestamp, error) {
	if h.wait != nil {
		h.wait(t)
	}
	return max(t, h.s.Now()), nil
}

func (h *procedureHost) HTTP(context.Context, []byte, []byte) (response, body []byte, err error) {
	return []byte("response"), []byte(h.body), h.fail
}
