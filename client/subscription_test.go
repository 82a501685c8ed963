package client_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stdbgo/spacetime/client"
	"github.com/stdbgo/spacetime/internal/wire"
	v1 "github.com/stdbgo/spacetime/internal/wire/v1"
	v2 "github.com/stdbgo/spacetime/internal/wire/v2"
)

// The whole life of a subscription, in the server's order, a call's own changes
// before its result.
func TestSubscription(t *testing.T) {
	f := serve(t, func(p *peer) {
		s := as[*wire.SubscribeSet](p)
		if !slices.Equal(s.Queries, []string{"SELECT * FROM a", "SELECT * FROM b"}) {
			t.Errorf("queries %q", s.Queries)
		}
		id := s.QuerySetID
		p.send(&v2.SubscribeApplied{RequestID: s.RequestID, QuerySetID: id, Rows: v2.QueryRows{{Table: "a", Rows: list("1", "2")}, {Table: "b", Rows: list()}}})
		p.send(&v2.TransactionUpdate{Sets: []v2.QuerySetUpdate{change(id, "a", []string{"3"}, []string{"1"}), change(999, "a", []string{"x"}, nil)}})
		call := as[*wire.CallReducer](p)
		p.send(&v2.ReducerResult{RequestID: call.RequestID, Sets: []v2.QuerySetUpdate{change(id, "b", []string{"own"}, nil)}})
		var events wire.RowList
		events.Add([]byte("bang"))
		p.send(&v2.TransactionUpdate{Sets: []v2.QuerySetUpdate{{QuerySetID: id, Tables: []v2.TableUpdate{{Table: "e", Rows: [][]byte{v2.AppendEvents(nil, &events)}}}}}})
		u := as[*wire.UnsubscribeSet](p)
		if u.QuerySetID != id || !u.SendDroppedRows {
			t.Errorf("unsubscribe %+v", u)
		}
		p.send(&v2.UnsubscribeApplied{RequestID: u.RequestID, QuerySetID: id, HasRows: true, Rows: v2.QueryRows{{Table: "a", Rows: list("2", "3")}}})
		p.send(&v2.TransactionUpdate{Sets: []v2.QuerySetUpdate{change(id, "a", []string{"late"}, nil)}})
		call = as[*wire.CallReducer](p)
		p.send(&v2.ReducerResult{RequestID: call.RequestID})
		p.untilEnd()
	})
	c := dial(t, f.options())
	var got []string
	s, err := c.SubscribeUpdates(within(t), func(r client.Rows) { got = append(got, text(r)) }, func(client.EventKind) { got = append(got, ".") },
		"SELECT * FROM a", "SELECT * FROM b")
	if err != nil {
		t.Fatal(err)
	}
	if s.Err() != nil || len(s.Queries()) != 2 {
		t.Errorf("a live subscription: %v %q", s.Err(), s.Queries())
	}
	if err := c.Call("r", nil).Wait(within(t)); err != nil {
		t.Fatal(err)
	}
	if err := s.Unsubscribe(within(t)); err != nil || s.Err() != nil {
		t.Fatalf("unsubscribe: %v, %v", err, s.Err())
	}
	<-s.Done()
	if err := s.Unsubscribe(within(t)); err != nil {
		t.Errorf("unsubscribe again: %v", err)
	}
	if err := c.Call("r", nil).Wait(within(t)); err != nil {
		t.Fatal(err)
	}
	want := "applied a +1 +2|applied b|.|transaction a +3 -1|.|reducer b +own|.|transaction e +bang event|.|unapplied a -2 -3|."
	if text := strings.Join(got, "|"); text != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
}

func TestSubscriptionErrors(t *testing.T) {
	f := serve(t, func(p *peer) {
		s := as[*wire.SubscribeSet](p)
		p.send(&v2.SubscriptionError{RequestID: &s.RequestID, QuerySetID: s.QuerySetID, Error: "no such table"})
		s = as[*wire.SubscribeSet](p)
		p.send(&v2.SubscribeApplied{RequestID: s.RequestID, QuerySetID: s.QuerySetID})
		p.send(&v2.SubscriptionError{QuerySetID: s.QuerySetID, Error: "the view failed"})
		p.untilEnd()
	})
	c := dial(t, f.options())
	ignore := func(client.Rows) {}
	_, err := c.SubscribeRows(within(t), ignore, "SELECT * FROM x")
	var refused *client.SubscriptionError
	if !errors.As(err, &refused) || err.Error() != "no such table" || !slices.Equal(refused.Queries, []string{"SELECT * FROM x"}) {
		t.Errorf("refused: %#v", err)
	}
	s, err := c.SubscribeRows(within(t), ignore, "SELECT * FROM y")
	if err != nil && err.Error() != "the view failed" { // both answers may be there already
		t.Fatal(err)
	}
	if s != nil {
		<-s.Done()
		if err := s.Err(); err == nil || err.Error() != "the view failed" {
			t.Errorf("later: %v", err)
		}
		if err := s.Unsubscribe(within(t)); err != nil {
			t.Errorf("unsubscribe after the end: %v", err)
		}
	}
	if c.Err() != nil {
		t.Errorf("the connection ended: %v", c.Err())
	}
}

func TestSubscriptionDisconnected(t *testing.T) {
	f := serve(t, func(p *peer) {
		s := as[*wire.SubscribeSet](p)
		p.send(&v2.SubscribeApplied{RequestID: s.RequestID, QuerySetID: s.QuerySetID})
		as[*wire.SubscribeSet](p)
	})
	c := dial(t, f.options())
	s, err := c.SubscribeRows(within(t), func(client.Rows) {}, "SELECT * FROM a")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.SubscribeRows(within(t), func(client.Rows) {}, "SELECT * FROM b"); !errors.Is(err, client.ErrDisconnected) {
		t.Errorf("under way: %v", err)
	}
	<-s.Done()
	if !errors.Is(s.Err(), client.ErrDisconnected) {
		t.Errorf("live: %v", s.Err())
	}
}

// A subscription that nobody waits for any more is taken back, and its rows are
// handed to nobody.
func TestSubscriptionAbandoned(t *testing.T) {
	ctx, cancel := context.WithCancel(background)
	defer cancel()
	f := serve(t, func(p *peer) {
		s := as[*wire.SubscribeSet](p)
		cancel()
		if u := as[*wire.UnsubscribeSet](p); u.QuerySetID != s.QuerySetID {
			t.Errorf("taken back: %d, not %d", u.QuerySetID, s.QuerySetID)
		}
		call := as[*wire.CallReducer](p)
		p.send(&v2.SubscribeApplied{RequestID: s.RequestID, QuerySetID: s.QuerySetID, Rows: v2.QueryRows{{Table: "a", Rows: list("1")}}},
			&v2.TransactionUpdate{Sets: []v2.QuerySetUpdate{change(s.QuerySetID, "a", []string{"2"}, nil)}},
			&v2.UnsubscribeApplied{QuerySetID: s.QuerySetID},
			&v2.ReducerResult{RequestID: call.RequestID})
		p.untilEnd()
	})
	c := dial(t, f.options())
	_, err := c.SubscribeRows(ctx, func(r client.Rows) { t.Errorf("got %s", text(r)) }, "SELECT * FROM a")
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if err := c.Call("r", nil).Wait(within(t)); err != nil {
		t.Error(err)
	}
}

// What a server must not send ends the connection with a reason, or is ignored.
func TestSubscriptionNonsense(t *testing.T) {
	applied := func(id uint32) *v2.SubscribeApplied { return &v2.SubscribeApplied{QuerySetID: id} }
	for name, test := range map[string]struct {
		send func(p *peer, id uint32)
		want string // "": the connection goes on
	}{
		"applied twice": {func(p *peer, id uint32) { p.send(applied(id), applied(id)) }, "applies the query set 1 twice"},
		"unknown set": {func(p *peer, id uint32) {
			p.send(applied(id+7), applied(id), &v2.UnsubscribeApplied{QuerySetID: id + 7})
		}, ""},
		"unasked": {func(p *peer, id uint32) { p.send(&v2.OneOffQueryResult{}, applied(id)) }, ""},
		"damaged rows": {func(p *peer, id uint32) {
			p.send(&v2.SubscribeApplied{QuerySetID: id, Rows: v2.QueryRows{{Table: "a", Rows: []byte{9}}}})
		}, "does not decode"},
		"damaged fragment": {func(p *peer, id uint32) {
			p.send(applied(id), &v2.TransactionUpdate{Sets: []v2.QuerySetUpdate{{QuerySetID: id, Tables: []v2.TableUpdate{{Table: "a", Rows: [][]byte{{5}}}}}}})
		}, "does not decode"},
		"end before begin": {func(p *peer, id uint32) { p.send(&v2.UnsubscribeApplied{QuerySetID: id}) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := serve(t, func(p *peer) {
				test.send(p, as[*wire.SubscribeSet](p).QuerySetID)
				if call, ok := p.next().(*wire.CallReducer); ok {
					p.send(&v2.ReducerResult{RequestID: call.RequestID})
				}
				p.untilEnd()
			})
			c := dial(t, f.options())
			_, _ = c.SubscribeRows(within(t), func(client.Rows) {}, "SELECT * FROM a")
			if test.want == "" {
				if err := c.Call("r", nil).Wait(within(t)); err != nil {
					t.Errorf("the connection ended: %v", err)
				}
				return
			}
			select {
			case <-c.Done():
			case <-time.After(patience):
				t.Fatal("the connection goes on")
			}
			if err := c.Err(); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("ended with %v, want %q", err, test.want)
			}
		})
	}
}

// On V1 a connection without a Module has one subscription at a time: whose the rows
// of an update are is then known.
func TestRowsOnV1(t *testing.T) {
	update := func(table string, inserted, deleted []string) v1.DatabaseUpdate {
		var in, out wire.RowList
		for _, row := range inserted {
			in.Add([]byte(row))
		}
		for _, row := range deleted {
			out.Add([]byte(row))
		}
		return v1.DatabaseUpdate{Tables: []v1.TableUpdate{{TableName: table, Updates: [][]byte{v1.AppendQueryUpdate(nil, &out, &in)}}}}
	}
	send := func(p *peer, m v1.ServerMessage) { p.raw(wire.AppendEnvelope(nil, m.Append(nil), wire.CompressNone)) }
	f := serve(t, func(p *peer) {
		next := func() wire.ClientMessage {
			_, b, err := p.ws.Read(background)
			if err != nil {
				return nil
			}
			m, err := v1.DecodeClient(b)
			if err != nil {
				t.Error(err)
			}
			return m
		}
		send(p, &v1.IdentityToken{Identity: fakeIdentity, ConnectionID: fakeConnectionID, Token: "a token"})
		s, _ := next().(*wire.SubscribeMulti)
		send(p, &v1.SubscribeMultiApplied{RequestID: s.RequestID, QueryID: s.QueryID, Update: update("a", []string{"1", "2"}, nil)})
		send(p, &v1.TransactionUpdateLight{Update: update("a", []string{"3"}, []string{"1"})})
		u, _ := next().(*wire.UnsubscribeMulti)
		send(p, &v1.SubscribeMultiApplied{RequestID: u.RequestID, QueryID: u.QueryID, End: true, Update: update("a", nil, []string{"2", "3"})})
		s, _ = next().(*wire.SubscribeMulti)
		send(p, &v1.SubscriptionError{QueryID: &s.QueryID, Error: "no such table"})
		s, _ = next().(*wire.SubscribeMulti)
		send(p, &v1.SubscribeMultiApplied{RequestID: s.RequestID, QueryID: s.QueryID})
		send(p, &v1.TransactionUpdateLight{Update: update("a", []string{"4"}, nil)})
		send(p, &v1.SubscriptionError{Error: "the view failed"}) // of all
		next()
	}, func(f *fake) { f.mute, f.protocol = true, wire.V1Binary })
	c := dial(t, f.options())
	var got []string
	note := func(r client.Rows) { got = append(got, text(r)) }
	end := func(client.EventKind) { got = append(got, ".") }
	s, err := c.SubscribeUpdates(within(t), note, end, "SELECT * FROM a")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.SubscribeRows(within(t), note, "SELECT * FROM b"); !errors.Is(err, client.ErrNeedsV2) {
		t.Errorf("a second one: %v", err)
	}
	if err := s.Unsubscribe(within(t)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.SubscribeUpdates(within(t), note, end, "SELECT * FROM x"); err == nil || err.Error() != "no such table" {
		t.Errorf("refused: %v", err)
	}
	s, err = c.SubscribeUpdates(within(t), note, end, "SELECT * FROM a")
	if err != nil && err.Error() != "the view failed" { // both answers may be there already
		t.Fatal(err)
	}
	if s != nil {
		<-s.Done()
		if err := s.Err(); err == nil || err.Error() != "the view failed" {
			t.Errorf("later: %v", err)
		}
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	want := "applied a +1 +2|.|transaction a +3 -1|.|unapplied a -2 -3|.|.|transaction a +4|."
	if text := strings.Join(got, "|"); text != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
}
