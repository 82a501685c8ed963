package host

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/sats"
)

// The receiver's side alone (spec 08 §38.3).
func TestReceive(t *testing.T) {
	spec.Covers(t, "08.88")
	p := newPair(t, post("post"))
	conn := sats.ConnectionID{7}
	call := func(seq, acked uint64, reducer, body string, change ...func(*OutboxCall)) (OutboxAnswer, error) {
		t.Helper()
		c := &OutboxCall{
			Sender: leftID, Target: rightID, Stream: 5, Seq: seq, AckedTo: acked, Reducer: reducer, Signature: receiveHash(),
			Args: slices.Concat(u64(seq), str(body)),
		}
		for _, f := range change {
			f(c)
		}
		return p.right.Receive(background, c, conn)
	}
	wants := func(what string, want OutboxAnswer, answer OutboxAnswer, err error) {
		t.Helper()
		if err != nil || answer.Status != want.Status || answer.Forgotten != want.Forgotten || !strings.HasPrefix(answer.Text, want.Text) || want.Text == "" && answer.Text != "" {
			t.Errorf("%s: %+v, %v; want %+v", what, answer, err, want)
		}
	}
	outOfOrder := func(what string, expected uint64, answer OutboxAnswer, err error) {
		t.Helper()
		var order *OutOfOrderError
		if !errors.As(err, &order) || order.Expected != expected {
			t.Errorf("%s: %+v, %v; want a refusal that expects %d", what, answer, err, expected)
		}
	}
	ok := OutboxAnswer{Status: schema.ResultOk}
	refused := func(text string) OutboxAnswer { return OutboxAnswer{Status: schema.ResultErr, Text: text} }

	answer, err := call(2, 0, "receive", "too early")
	outOfOrder("the second call first", 1, answer, err)
	answer, err = call(0, 0, "receive", "no number")
	outOfOrder("number zero", 1, answer, err)
	if rows := p.rows(p.right, "st_inbound_stream"); len(rows) > 0 {
		t.Errorf("a refusal was recorded: %v", rows)
	}
	answer, err = call(1, 0, "receive", "first")
	wants("the first call", ok, answer, err)
	answer, err = call(1, 0, "receive", "first again")
	wants("the first call again", ok, answer, err)
	answer, err = call(3, 0, "receive", "third")
	outOfOrder("two ahead", 2, answer, err)

	next := uint64(1)
	for _, tt := range []struct {
		what, reducer, body string
		change              func(*OutboxCall)
		want                OutboxAnswer
	}{
		{"a reducer that fails", "receive", "refuse it", nil, refused("refuse it")},
		{"a private reducer", "hidden", "x", nil, refused("IDC reducer does not exist: hidden")},
		{"a result reducer", "answered", "x", nil, refused("IDC reducer does not exist: answered")},
		{"no reducer", "nothing", "x", nil, refused("IDC reducer does not exist: nothing")},
		{"another signature", "receive", "x", func(c *OutboxCall) { c.Signature = sats.Hash{1} }, refused("IDC reducer signature mismatch for receive: expected 01")},
		{"arguments cut short", "receive", "x", func(c *OutboxCall) { c.Args = c.Args[:9] }, refused("invalid arguments for reducer receive: ")},
		{"arguments and more", "receive", "x", func(c *OutboxCall) { c.Args = append(c.Args, 1) }, refused("invalid arguments for reducer receive: ")},
		{"a trap", "receive", "trap", nil, refused("The instance encountered a fatal error.")},
		{"no energy", "receive", "energy", nil, OutboxAnswer{Status: schema.ResultBudget, Text: "Module energy budget exhausted."}},
		{"success", "receive", "fine", nil, ok},
	} {
		next++
		for _, when := range []string{"", ", again"} {
			answer, err := call(next, 0, tt.reducer, tt.body, func(c *OutboxCall) {
				if tt.change != nil {
					tt.change(c)
				}
			})
			wants(tt.what+when, tt.want, answer, err)
		}
	}
	if got := p.got(p.right); len(got) != 2 || got[0].body != "first" || got[1].body != "fine" || got[0].sender != leftID {
		t.Errorf("what has run: %+v", got)
	}
	if n := len(p.rows(p.right, "st_inbound_msg")); n != int(next) {
		t.Errorf("%d outcomes are kept; want %d", n, next)
	}

	answer, err = call(next, next-1, "receive", "repeated")
	wants("the last one again, with the others acknowledged", ok, answer, err)
	answer, err = call(next-1, 0, "receive", "forgotten")
	wants("an outcome that was acknowledged", OutboxAnswer{Forgotten: true}, answer, err)
	if rows := p.rows(p.right, "st_inbound_msg"); len(rows) != 1 {
		t.Errorf("kept: %v", rows)
	}
	// Other streams and senders count for themselves.
	answer, err = call(1, 0, "receive", "another stream", func(c *OutboxCall) { c.Stream = 6 })
	wants("another stream", ok, answer, err)
	answer, err = call(1, 0, "receive", "another sender", func(c *OutboxCall) { c.Sender = sats.Identity{9} })
	wants("another sender", ok, answer, err)

	p.reopen()
	answer, err = call(next, 0, "receive", "after a restart")
	wants("the last one after a restart", ok, answer, err)
	answer, err = call(1, 0, "receive", "first, after a restart")
	wants("the first one after a restart", OutboxAnswer{Forgotten: true}, answer, err)
}

// Whom client_connected refuses hears so once; what comes after it is decided on its own.
func TestReceiveRefused(t *testing.T) {
	p := newPair(t, post("post"))
	db := p.left
	refused := &RejectedError{Message: "members only"}
	call := func(seq uint64, r *RejectedError, want OutboxAnswer) {
		t.Helper()
		answer, err := db.Receive(background, &OutboxCall{Sender: sats.Identity{8}, Stream: 1, Seq: seq, Reducer: "nobody", Refused: r}, sats.ConnectionID{1})
		if err != nil || answer != want {
			t.Errorf("call %d: %+v, %v; want %+v", seq, answer, err, want)
		}
	}
	members := OutboxAnswer{Status: schema.ResultErr, Text: "Connection rejected by `client_connected` reducer: members only"}
	unknown := OutboxAnswer{Status: schema.ResultErr, Text: "IDC reducer does not exist: nobody"}
	call(1, refused, members)
	call(1, nil, members)
	call(2, nil, unknown)
	call(2, refused, unknown)
	call(3, &RejectedError{Message: "tired", OutOfEnergy: true}, OutboxAnswer{Status: schema.ResultBudget, Text: budgetText})
}

// A lifecycle reducer cannot be called by an outbox.
func TestReceiveLifecycle(t *testing.T) {
	p := newPair(t, post("post"))
	m := post("lively")
	m.lifecycle(schema.LifecycleOnConnect, "arrive", func(*fakeCall) error { return nil })
	db := p.database(3, sats.Identity{3}, m)
	answer, err := db.Receive(background, &OutboxCall{Sender: leftID, Stream: 1, Seq: 1, Reducer: "arrive"}, sats.ConnectionID{1})
	if err != nil || answer.Status != schema.ResultErr || answer.Text != "IDC reducer does not exist: arrive" {
		t.Errorf("%+v, %v", answer, err)
	}
}
