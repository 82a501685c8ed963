package main

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/module"
	"github.com/stdbgo/spacetime/module/moduletest"
	"github.com/stdbgo/spacetime/sats"
)

// The definition says what the module declares, and the SDK computes the same signature of the receiver's parameters as the
// server does; an insert makes a message, and the result reaches the function for it.
func TestOutbox(t *testing.T) {
	spec.Covers(t, "02.68")
	onBoth(t, func(t *testing.T, w *world) {
		table, _ := w.def.Table("letter")
		receive, _ := w.def.Reducer("receive")
		answered, _ := w.def.Reducer("letter_answered")
		if o := table.Outbox; o == nil || o.RemoteReducer != "receive" || o.TargetCol != 1 || !slices.Equal(o.ArgCols, []schema.ColID{3, 2}) ||
			o.OnResult != "letter_answered" || o.SignatureHash != receive.SignatureHash() {
			t.Errorf("the outbox is %+v; the signature of receive is %s", o, receive.SignatureHash())
		}
		if !answered.Private {
			t.Error("clients may call the function for results")
		}
		postcard, _ := w.def.Table("postcard")
		if o := postcard.Outbox; o == nil || o.RemoteReducer != "post.pin_up" || o.TargetCol != 1 || o.OnResult != "" {
			t.Errorf("the other outbox is %+v", o)
		}
		letter := Letter{To: bob, Text: "hello", Where: Point{1, 2}}
		w.do("write_letter", encode(letter))
		w.call(alice, "write_letter", encode(Letter{To: bob, Text: "torn up"}))
		v := w.store.View()
		defer v.Close()
		if n := v.RowCount(schema.StOutboundMsg); n != 1 {
			t.Errorf("%d messages wait; want 1", n)
		}
		for row := range v.Scan(schema.StOutboundStream) {
			var s schema.StOutboundStreamRow
			if err := s.Decode(row); err != nil || s.Target != bob || s.NextSeq != 2 {
				t.Errorf("stream %+v, %v", s, err)
			}
		}
		letter.ID = 1
		for _, result := range [][]byte{{0}, sats.AppendString([]byte{1}, "not at home")} {
			out := w.callAsNobody("letter_answered", append(encode(letter), result...))
			if out.Status != abi.StatusOK {
				t.Fatalf("letter_answered: %+v", out)
			}
			letter.ID++
		}
		got := rows[Outcome](w, "outcome")
		if len(got) != 2 || got[0] != (Outcome{1, ""}) || got[1] != (Outcome{2, "not at home"}) {
			t.Errorf("outcomes: %+v", got)
		}
	})
}

// callAsNobody calls a reducer without a sender and a connection.
func (w *world) callAsNobody(name string, args []byte) abi.Outcome {
	conn := w.conn
	w.conn = sats.ConnectionID{}
	defer func() { w.conn = conn }()
	return w.call(sats.Identity{}, name, args)
}

// A test of a module sees what its outboxes send, and answers for the other databases.
func TestModuletestOutbox(t *testing.T) {
	db := moduletest.New(t)
	alice := db.Connect(moduletest.User("alice"))
	far := moduletest.User("far away")
	var arrived []ReceiveArgs
	moduletest.Remote(db, far, "receive", func(sender module.Identity, args ReceiveArgs) error {
		if sender != moduletest.User("database") {
			t.Errorf("the sender is %v", sender)
		}
		arrived = append(arrived, args)
		if args.Text == "bad news" {
			return errors.New("not here")
		}
		return nil
	})
	for _, text := range []string{"good news", "bad news", "torn up"} {
		err := moduletest.Call(alice, WriteLetter, Letter{To: far, Text: text, Where: Point{3, 4}})
		if (err != nil) != (text == "torn up") {
			t.Fatal(err)
		}
	}
	if len(arrived) != 2 || arrived[0] != (ReceiveArgs{Point{3, 4}, "good news"}) {
		t.Errorf("arrived: %+v", arrived)
	}
	results := func() map[uint64]string {
		m := map[uint64]string{}
		for o := range outcomes.All(db.Read()) {
			m[o.ID] = o.Failure
		}
		return m
	}
	if got := results(); len(got) != 2 || got[1] != "" || got[2] != "not here" {
		t.Errorf("outcomes: %v", got)
	}
	if n := letters.Count(db.Read()); n != 0 {
		t.Errorf("%d letters are left", n)
	}

	// The database itself is a target like any other.
	if err := moduletest.Call(alice, WriteLetter, Letter{To: moduletest.User("database"), Text: "to me"}); err != nil {
		t.Fatal(err)
	}
	for r := range received.All(db.Read()) {
		if r.Text != "to me" || r.From != moduletest.User("database") {
			t.Errorf("received %+v", r)
		}
	}
	if received.Count(db.Read()) != 1 {
		t.Errorf("received %d letters", received.Count(db.Read()))
	}

	// Nobody answers for this one yet.
	if err := moduletest.Call(alice, WritePostcard, Postcard{To: far, Text: "later"}); err != nil {
		t.Fatal(err)
	}
	db.Clock.Advance(time.Second)
	if n := postcards.Count(db.Read()); n != 1 {
		t.Fatalf("%d postcards wait; want 1", n)
	}
	pinned := ""
	moduletest.Remote(db, far, "post.pin_up", func(_ module.Identity, args struct{ Text string }) error {
		pinned = args.Text
		return nil
	})
	db.Clock.Advance(time.Minute)
	if pinned != "later" || postcards.Count(db.Read()) != 0 {
		t.Errorf("pinned %q, %d postcards wait", pinned, postcards.Count(db.Read()))
	}
}
