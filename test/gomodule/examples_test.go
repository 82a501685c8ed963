package main

import (
	"context"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/sats"
)

// The modules of this repository as their users build them.
const (
	chatDir     = "../../examples/chat/module"
	transferDir = "../../bench/modules/go"
)

func TestChat(t *testing.T) {
	w := newWorld(t, loadWasm(t, chatDir))
	type user struct {
		Identity sats.Identity
		Name     *string
		Online   bool
	}
	type message struct {
		Sender sats.Identity
		Sent   sats.Timestamp
		Text   string
	}
	users := func() map[sats.Identity]user {
		m := map[sats.Identity]user{}
		for _, u := range rows[user](w, "user") {
			m[u.Identity] = u
		}
		return m
	}
	fails := func(who sats.Identity, reducer, arg, want string) {
		t.Helper()
		if out := w.call(who, reducer, encode(arg)); out.Status != abi.StatusUserError || out.Message != want || out.Discard {
			t.Errorf("%s(%q): %v %q %v; want %q", reducer, arg, out.Status, out.Message, out.Err, want)
		}
	}

	w.do("init", nil)
	fails(bob, "set_name", "Bob", "Cannot set name for unknown user")
	w.do("client_connected", nil)
	w.do("set_name", encode("Alice"))
	if u := users()[alice]; u.Name == nil || *u.Name != "Alice" || !u.Online {
		t.Errorf("after connecting and naming: %+v", u)
	}
	fails(alice, "set_name", "", "Names must not be empty")
	fails(alice, "send_message", "", "Messages must not be empty")
	w.do("send_message", encode("Hello, World!"))
	sent := w.now
	w.do("client_disconnected", nil)
	if u := users()[alice]; u.Name == nil || *u.Name != "Alice" || u.Online {
		t.Errorf("after leaving: %+v", u)
	}
	w.do("client_connected", nil)
	if u := users(); len(u) != 1 || !u[alice].Online || *u[alice].Name != "Alice" {
		t.Errorf("after coming back: %+v", u)
	}
	if got := rows[message](w, "message"); len(got) != 1 || got[0] != (message{alice, sent, "Hello, World!"}) {
		t.Errorf("messages %+v", got)
	}
	var logged []string
	for _, r := range w.logs {
		logged = append(logged, r.Level.String()+" "+r.Filename+" "+r.Message)
	}
	want := "Info main.go User " + alice.String() + " sets name to Alice"
	if len(logged) < 2 || logged[0] != want || !strings.HasSuffix(logged[1], ": Hello, World!") {
		t.Errorf("log %q; want %q first", logged, want)
	}
}

// account is a row of the transfer benchmark.
type account struct {
	ID      uint32
	Balance int64
}

func transferArgs(b []byte, from, to uint32, amount int64) []byte {
	b = binary.LittleEndian.AppendUint32(b, from)
	b = binary.LittleEndian.AppendUint32(b, to)
	return binary.LittleEndian.AppendUint64(b, uint64(amount))
}

func TestTransfer(t *testing.T) {
	w := newWorld(t, loadWasm(t, transferDir))
	w.do("seed", encode(uint32(1000)))
	w.do("seed", encode(uint32(1000)))
	w.do("empty", nil)
	w.do("transfer", transferArgs(nil, 1, 2, 300))
	total := int64(0)
	for _, a := range rows[account](w, "accounts") {
		total += a.Balance
		if want := map[uint32]int64{1: 999_700, 2: 1_000_300}[a.ID]; want != 0 && a.Balance != want {
			t.Errorf("account %d has %d; want %d", a.ID, a.Balance, want)
		}
	}
	if total != 1000*1_000_000 {
		t.Errorf("all accounts have %d", total)
	}
	for args, want := range map[string]string{
		string(transferArgs(nil, 1, 5000, 1)):      "no such account",
		string(transferArgs(nil, 1, 2, 1_000_000)): "insufficient funds",
	} {
		if out := w.call(alice, "transfer", []byte(args)); out.Message != want {
			t.Errorf("%x: %q; want %q", args, out.Message, want)
		}
	}
}

// BenchmarkCall measures one call of the transfer benchmark's module: what engine and module cost, with the store but
// without log, subscriptions and network. The transaction is rolled back, for committing is not the question.
func BenchmarkCall(b *testing.B) {
	w := newWorld(b, loadWasm(b, transferDir))
	w.do("seed", encode(uint32(100_000)))
	for _, name := range []string{"empty", "transfer"} {
		b.Run("engine=wasm/reducer="+name, func(b *testing.B) { benchmarkCall(b, w, name) })
	}
	n := newWorld(b, loadNative(b))
	for i := range uint32(100_000) {
		n.insertAccount(account{ID: i, Balance: 1_000_000})
	}
	for _, name := range []string{"empty", "transfer"} {
		b.Run("engine=native/reducer="+name, func(b *testing.B) { benchmarkCall(b, n, name) })
	}
}

// insertAccount puts a row into the table without the module.
func (w *world) insertAccount(a account) {
	w.t.Helper()
	tx := w.store.Begin()
	defer tx.Commit(nil)
	if _, _, err := tx.Insert(tx.TableByName("accounts").ID, encode(a)); err != nil {
		w.t.Fatal(err)
	}
}

func benchmarkCall(b *testing.B, w *world, name string) {
	r, _ := w.def.Reducer(name)
	call := &abi.ReducerCall{ID: r.ID, Name: name, Sender: alice, Conn: w.conn}
	ctx := context.Background()
	x := uint32(1)
	b.ReportAllocs()
	for b.Loop() {
		x = x*1664525 + 1013904223
		w.now++
		call.Time = w.now
		if name == "transfer" {
			call.Args = transferArgs(call.Args[:0], x>>8%100_000, x>>16%100_000, 1)
		}
		call.Tx = w.store.Begin()
		if out := w.inst.CallReducer(ctx, call); out.Status != abi.StatusOK {
			b.Fatal(out.Message, out.Err)
		}
		call.Tx.Rollback()
	}
}
