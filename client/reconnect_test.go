package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/stdbgo/spacetime/client"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/internal/wire"
	v1 "github.com/stdbgo/spacetime/internal/wire/v1"
	v2 "github.com/stdbgo/spacetime/internal/wire/v2"
	"github.com/stdbgo/spacetime/sats"
)

// A word is a row of the table of these tests.
type word struct{ Text string }

var (
	wordInfo   = &client.TableInfo[word]{Name: "word"}
	wordModule = &client.Module{Tables: []client.TableDef{wordInfo}}
)

func words(texts ...string) (l wire.RowList) {
	for _, s := range texts {
		l.Add(sats.AppendString(nil, s))
	}
	return l
}

func queryRows(texts ...string) v2.QueryRows {
	l := words(texts...)
	return v2.QueryRows{{Table: "word", Rows: l.Append(nil)}}
}

func wordChange(set uint32, inserted, deleted []string) v2.QuerySetUpdate {
	in, out := words(inserted...), words(deleted...)
	return v2.QuerySetUpdate{QuerySetID: set, Tables: []v2.TableUpdate{{Table: "word", Rows: [][]byte{v2.AppendPersistent(nil, &in, &out)}}}}
}

// A follower is a connection that reconnects, with what its callbacks said.
type follower struct {
	*client.Conn
	words client.Table[word]
	told  *diary
}

func follow(t *testing.T, f *fake, change ...func(*client.Options)) *follower {
	t.Helper()
	o := f.options()
	o.Reconnect = client.Reconnect{Initial: time.Millisecond, Max: 20 * time.Millisecond}
	for _, c := range change {
		c(&o)
	}
	c, err := client.Dial(within(t), wordModule, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	d := &follower{c, client.TableOf(c, wordInfo), newDiary()}
	d.words.OnInsert(func(ev *client.Event, r *word) { d.told.add(fmt.Sprintf("%s +%s", ev.Kind, r.Text)) })
	d.words.OnDelete(func(ev *client.Event, r *word) { d.told.add(fmt.Sprintf("%s -%s", ev.Kind, r.Text)) })
	return d
}

func (d *follower) rows() string {
	var texts []string
	for r := range d.words.All() {
		texts = append(texts, r.Text)
	}
	slices.Sort(texts)
	return strings.Join(texts, " ")
}

func (d *follower) expect(t *testing.T, want ...string) {
	t.Helper()
	got := d.told.take(t, len(want))
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// links runs one script after the other, one for each connection.
func links(t *testing.T, scripts ...func(*peer)) func(*peer) {
	var n atomic.Int32
	return func(p *peer) {
		i := int(n.Add(1)) - 1
		if i >= len(scripts) {
			t.Errorf("connection %d was not expected", i+1)
			return
		}
		scripts[i](p)
	}
}

// applySets answers one Subscribe for each list of rows.
func applySets(p *peer, sets ...[]string) (ids []uint32) {
	for _, rows := range sets {
		s := as[*wire.SubscribeSet](p)
		p.send(&v2.SubscribeApplied{RequestID: s.RequestID, QuerySetID: s.QuerySetID, Rows: queryRows(rows...)})
		ids = append(ids, s.QuerySetID)
	}
	return ids
}

// All sets come back by one SubscribeBatch, the difference is one transaction, and a
// call under way ends.
func TestReconnect(t *testing.T) {
	spec.Covers(t, "10.29", "10.33")
	second := make(chan []uint32, 1)
	f := serve(t, links(t,
		func(p *peer) {
			applySets(p, []string{"a", "b"}, []string{"b", "c"})
			as[*wire.CallReducer](p)
		},
		func(p *peer) {
			b := as[*wire.SubscribeBatch](p)
			if len(b.Sets) != 2 || !slices.Equal(b.Sets[0].Queries, []string{"one"}) || !slices.Equal(b.Sets[1].Queries, []string{"two", "three"}) {
				t.Errorf("batch %+v", b)
			}
			second <- []uint32{b.Sets[0].QuerySetID, b.Sets[1].QuerySetID}
			p.send(&v2.SubscribeBatchApplied{RequestID: b.RequestID, Results: []v2.SetResult{
				{QuerySetID: b.Sets[0].QuerySetID, Rows: queryRows("b", "new")}, {QuerySetID: b.Sets[1].QuerySetID, Rows: queryRows("b", "c")}}})
			p.send(&v2.TransactionUpdate{Sets: []v2.QuerySetUpdate{wordChange(b.Sets[1].QuerySetID, []string{"later"}, []string{"b"})}})
			u := as[*wire.UnsubscribeSet](p)
			p.send(&v2.UnsubscribeApplied{RequestID: u.RequestID, QuerySetID: u.QuerySetID})
			p.untilEnd()
		}))
	var states diary
	states.more = make(chan struct{}, 1)
	d := follow(t, f, func(o *client.Options) {
		o.OnState = func(s client.State) { states.add(fmt.Sprint(s.Phase, s.Err != nil, !s.Next.IsZero())) }
	})
	one, err := d.SubscribeSQL(within(t), "one")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.SubscribeSQL(within(t), "two", "three"); err != nil {
		t.Fatal(err)
	}
	d.expect(t, "applied +a", "applied +b", "applied +c")
	if err := d.CallWait(within(t), "r", func(b []byte) []byte { return b }); !errors.Is(err, client.ErrDisconnected) ||
		errors.Is(err, client.ErrReconnecting) || !strings.Contains(err.Error(), "broke before the outcome was known, and is being re-established") {
		t.Errorf("the call under way: %v", err)
	}
	d.expect(t, "resync -a", "resync +new", "transaction +later")
	if got := d.rows(); got != "b c later new" {
		t.Errorf("rows %q", got)
	}
	if err := one.Unsubscribe(within(t)); err != nil {
		t.Error(err)
	}
	d.expect(t, "unapplied -b", "unapplied -new")
	if got := states.take(t, 4); !slices.Equal(got, []string{"live false false", "waiting true true", "connecting false false", "live false false"}) {
		t.Errorf("states %q", got)
	}
	if d.State().Phase != client.Live || d.Stats().Reconnects != 1 || d.Err() != nil {
		t.Errorf("%+v %+v %v", d.State(), d.Stats(), d.Err())
	}
	first, again := <-f.requests, <-f.requests
	id := first.URL.Query().Get("session_id")
	if len(id) != 32 || again.URL.Query().Get("session_id") != id || again.Header.Get("Authorization") != "Bearer a token" {
		t.Errorf("%s\n%s %s", first.URL, again.URL, again.Header.Get("Authorization"))
	}
	if err := d.Close(); err != nil || d.State().Phase != client.Closed || d.State().Err != nil {
		t.Errorf("%v, %+v", err, d.State())
	}
}

// A server without SubscribeBatch gets one Subscribe for each set, for good; what it
// rejects ends; updates and results between the answers are held until all are there.
func TestReconnectWithoutBatch(t *testing.T) {
	spec.Covers(t, "10.33")
	resume := func(p *peer) {
		one, two := as[*wire.SubscribeSet](p), as[*wire.SubscribeSet](p)
		p.send(&v2.SubscribeApplied{RequestID: one.RequestID, QuerySetID: one.QuerySetID, Rows: queryRows("a", "x")},
			&v2.TransactionUpdate{Sets: []v2.QuerySetUpdate{wordChange(one.QuerySetID, []string{"y"}, []string{"x"})}})
		call := as[*wire.CallReducer](p)
		p.send(&v2.ReducerResult{RequestID: call.RequestID, Sets: []v2.QuerySetUpdate{wordChange(one.QuerySetID, []string{"own"}, nil)}},
			&v2.SubscriptionError{RequestID: &two.RequestID, QuerySetID: two.QuerySetID, Error: "no longer"})
		p.untilEnd()
	}
	seen := make(chan struct{})
	f := serve(t, links(t,
		func(p *peer) { applySets(p, []string{"a"}, []string{"b"}); p.until(seen) },
		func(p *peer) {
			as[*wire.SubscribeBatch](p)
			_ = p.ws.Close(websocket.StatusInternalError, "unknown tag 0x5 for sum type ClientMessage")
		},
		resume))
	d := follow(t, f)
	if _, err := d.SubscribeSQL(within(t), "one"); err != nil {
		t.Fatal(err)
	}
	two, err := d.SubscribeSQL(within(t), "two")
	if err != nil {
		t.Fatal(err)
	}
	d.expect(t, "applied +a", "applied +b")
	close(seen)
	for {
		call := d.CallAppend("r", func(b []byte) []byte { return b })
		if err := call.Wait(within(t)); err == nil {
			break
		} else if !errors.Is(err, client.ErrDisconnected) {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
	}
	if got := d.rows(); got != "a own y" {
		t.Errorf("when the call has returned: %q", got)
	}
	<-two.Done()
	var refused *client.SubscriptionError
	if !errors.As(two.Err(), &refused) || refused.Message != "no longer" {
		t.Errorf("the rejected set: %v", two.Err())
	}
	d.expect(t, "resync +own", "resync +y", "resync -b")
}

// The server still ends the old connection: trying again does not count, so that the
// wait stays short.
func TestReconnectSessionBusy(t *testing.T) {
	spec.Covers(t, "10.33")
	const busy = 40 // a wait that doubled so often would not end
	scripts := []func(*peer){func(p *peer) { p.hello(fakeIdentity) }}
	for range busy {
		scripts = append(scripts, func(p *peer) { _ = p.ws.Close(4000, "the session is held") })
	}
	scripts = append(scripts, func(p *peer) { p.hello(fakeIdentity); p.untilEnd() })
	f := serve(t, links(t, scripts...), func(f *fake) { f.mute, f.requests = true, make(chan *http.Request, busy+10) })
	d := follow(t, f, func(o *client.Options) { o.Reconnect.Max = time.Hour })
	waitLive(t, d.Conn, 1)
}

func (p *peer) hello(id sats.Identity) {
	p.send(&v2.InitialConnection{Identity: id, ConnectionID: fakeConnectionID, Token: "a token"})
}

// waitLive waits until the connection is live after so many reconnections.
func waitLive(t *testing.T, c *client.Conn, n uint64) {
	t.Helper()
	for end := time.Now().Add(patience); c.Stats().Reconnects < n; time.Sleep(time.Millisecond) {
		if c.Err() != nil || time.Now().After(end) {
			t.Fatalf("%d reconnections, want %d: %+v", c.Stats().Reconnects, n, c.State())
		}
	}
}

// What cannot become better ends the connection, and everything with it.
func TestReconnectEnds(t *testing.T) {
	spec.Covers(t, "10.33")
	for name, test := range map[string]struct {
		again func(p *peer)
		http  int
		want  string
	}{
		"another identity": {again: func(p *peer) { p.hello(sats.Identity{9}); p.untilEnd() }, want: "takes this client for 0000"},
		"other rows": {again: func(p *peer) {
			p.hello(fakeIdentity)
			b := as[*wire.SubscribeBatch](p)
			var foreign wire.RowList
			foreign.Add([]byte{1, 2, 3})
			rows := v2.QueryRows{{Table: "word", Rows: foreign.Append(nil)}}
			p.send(&v2.SubscribeBatchApplied{RequestID: b.RequestID, Results: []v2.SetResult{{QuerySetID: b.Sets[0].QuerySetID, Rows: rows}}})
			p.untilEnd()
		}, want: "the bindings do not fit the module; generate them again"},
		"forbidden": {http: 403, want: "answers 403"},
		"gone":      {http: 404, want: "answers 404"},
		"given up":  {http: 503, want: "no connection for 30ms"},
	} {
		t.Run(name, func(t *testing.T) {
			seen := make(chan struct{})
			f := serve(t, links(t, func(p *peer) { p.hello(fakeIdentity); applySets(p, []string{"a"}); p.until(seen) }, test.again),
				func(f *fake) { f.mute, f.requests = true, make(chan *http.Request, 1000) })
			if test.http != 0 {
				accept := f.Config.Handler
				var n atomic.Int32
				f.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if n.Add(1) == 1 {
						accept.ServeHTTP(w, r)
						return
					}
					w.WriteHeader(test.http)
				})
			}
			d := follow(t, f, func(o *client.Options) { o.Reconnect.GiveUp = 30 * time.Millisecond })
			s, err := d.SubscribeSQL(within(t), "one")
			if err != nil {
				t.Fatal(err)
			}
			close(seen)
			<-d.Done()
			if err := d.Err(); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("ended with %v", err)
			}
			if !errors.Is(s.Err(), client.ErrDisconnected) || d.State().Phase != client.Closed || d.State().Err == nil {
				t.Errorf("%v, %+v", s.Err(), d.State())
			}
			if d.rows() != "a" {
				t.Errorf("rows %q", d.rows())
			}
			if err := d.Call("r", nil).Wait(within(t)); !errors.Is(err, client.ErrDisconnected) || errors.Is(err, client.ErrReconnecting) {
				t.Errorf("a call: %v", err)
			}
		})
	}
}

// Subscribing and unsubscribing while there is no connection, and another break before
// everything is answered.
func TestReconnectInterrupted(t *testing.T) {
	seen, let := make(chan struct{}), make(chan struct{})
	f := serve(t, links(t,
		func(p *peer) { applySets(p, []string{"a"}, []string{"b"}); p.until(seen) },
		func(p *peer) { as[*wire.SubscribeBatch](p) }, // and no answer
		func(p *peer) {
			b := as[*wire.SubscribeBatch](p)
			if len(b.Sets) != 2 || b.Sets[0].Queries[0] != "one" || b.Sets[1].Queries[0] != "three" {
				t.Errorf("batch %+v", b)
			}
			p.send(&v2.SubscribeBatchApplied{RequestID: b.RequestID, Results: []v2.SetResult{
				{QuerySetID: b.Sets[0].QuerySetID, Rows: queryRows("a")}, {QuerySetID: b.Sets[1].QuerySetID, Rows: queryRows("c")}}})
			p.untilEnd()
		}))
	accept := f.Config.Handler
	var n atomic.Int32
	f.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1) == 2 {
			<-let
		}
		accept.ServeHTTP(w, r)
	})
	d := follow(t, f)
	if _, err := d.SubscribeSQL(within(t), "one"); err != nil {
		t.Fatal(err)
	}
	two, err := d.SubscribeSQL(within(t), "two")
	if err != nil {
		t.Fatal(err)
	}
	d.expect(t, "applied +a", "applied +b")
	close(seen)
	for d.State().Phase == client.Live {
		time.Sleep(time.Millisecond)
	}
	if err := d.Call("r", nil).Wait(within(t)); !errors.Is(err, client.ErrDisconnected) || !errors.Is(err, client.ErrReconnecting) {
		t.Errorf("a call meanwhile: %v", err)
	}
	if err := two.Unsubscribe(within(t)); err != nil {
		t.Error(err)
	}
	d.expect(t, "unapplied -b")
	three, err := d.SubscribeSQLAsync("three")
	if err != nil {
		t.Fatal(err)
	}
	close(let)
	<-three.Applied()
	d.expect(t, "resync +c")
	if d.rows() != "a c" {
		t.Errorf("rows %q", d.rows())
	}
}

// V1 has no batch and no sets in its updates: the rows of all sets are exchanged.
func TestReconnectV1(t *testing.T) {
	update := func(inserted, deleted []string) v1.DatabaseUpdate {
		in, out := words(inserted...), words(deleted...)
		return v1.DatabaseUpdate{Tables: []v1.TableUpdate{{TableName: "word", Updates: [][]byte{v1.AppendQueryUpdate(nil, &out, &in)}}}}
	}
	send := func(p *peer, m v1.ServerMessage) { p.raw(wire.AppendEnvelope(nil, m.Append(nil), wire.CompressNone)) }
	hello := func(p *peer) {
		send(p, &v1.IdentityToken{Identity: fakeIdentity, ConnectionID: fakeConnectionID, Token: "a token"})
	}
	subscribe := func(p *peer) *wire.SubscribeMulti {
		_, b, err := p.ws.Read(background)
		if err != nil {
			t.Error(err)
			return &wire.SubscribeMulti{}
		}
		m, err := v1.DecodeClient(b)
		s, ok := m.(*wire.SubscribeMulti)
		if !ok {
			t.Errorf("%T %v", m, err)
			return &wire.SubscribeMulti{}
		}
		return s
	}
	applied := func(p *peer, s *wire.SubscribeMulti, rows ...string) {
		send(p, &v1.SubscribeMultiApplied{RequestID: s.RequestID, QueryID: s.QueryID, Update: update(rows, nil)})
	}
	seen := make(chan struct{})
	f := serve(t, links(t,
		func(p *peer) {
			hello(p)
			applied(p, subscribe(p), "a", "b")
			applied(p, subscribe(p), "b", "c")
			p.until(seen)
		},
		func(p *peer) {
			hello(p)
			one, two := subscribe(p), subscribe(p)
			applied(p, one, "b", "d")
			send(p, &v1.TransactionUpdateLight{Update: update([]string{"e"}, []string{"d"})})
			applied(p, two, "b")
			send(p, &v1.TransactionUpdateLight{Update: update([]string{"f"}, nil)})
			send(p, &v1.SubscriptionError{Error: "the view failed"}) // of all
			p.untilEnd()
		}), func(f *fake) { f.mute, f.protocol = true, wire.V1Binary })
	d := follow(t, f)
	one, err := d.SubscribeSQL(within(t), "one")
	if err != nil {
		t.Fatal(err)
	}
	two, err := d.SubscribeSQL(within(t), "two")
	if err != nil {
		t.Fatal(err)
	}
	d.expect(t, "applied +a", "applied +b", "applied +c")
	close(seen)
	<-one.Done()
	<-two.Done()
	d.expect(t, "resync -a", "resync -c", "resync +e", "transaction +f", "unapplied -b", "unapplied -e", "unapplied -f")
	var refused *client.SubscriptionError
	if !errors.As(one.Err(), &refused) || !errors.As(two.Err(), &refused) || d.words.Len() != 0 || d.Err() != nil {
		t.Errorf("%v, %v, %d rows, %v", one.Err(), two.Err(), d.words.Len(), d.Err())
	}
}

// Close ends waiting for the next attempt, and a silent server is a broken one.
func TestReconnectCloseAndIdle(t *testing.T) {
	f := serve(t, links(t, func(*peer) {}))
	d := follow(t, f, func(o *client.Options) { o.Reconnect = client.Reconnect{Initial: time.Hour} })
	for d.State().Phase != client.Waiting || d.State().Next.IsZero() {
		time.Sleep(time.Millisecond)
	}
	if err := d.Close(); err != nil || d.Err() != nil {
		t.Errorf("%v, %v", err, d.Err())
	}

	ctx, release := context.WithCancel(background)
	t.Cleanup(release)
	g := serve(t, links(t, func(p *peer) { <-ctx.Done() }, func(p *peer) { p.untilEnd() }))
	e := follow(t, g, func(o *client.Options) { o.IdleTimeout = 200 * time.Millisecond })
	waitLive(t, e.Conn, 1)
}

// A damaged transaction breaks the link, and the next one puts the cache in order.
func TestReconnectAfterDamage(t *testing.T) {
	f := serve(t, links(t,
		func(p *peer) {
			id := applySets(p, []string{"a"})[0]
			p.send(&v2.TransactionUpdate{Sets: []v2.QuerySetUpdate{wordChange(id, []string{"b"}, []string{"never there"})}},
				&v2.TransactionUpdate{Sets: []v2.QuerySetUpdate{wordChange(id, []string{"lost"}, nil)}})
			p.untilEnd()
		},
		func(p *peer) {
			b := as[*wire.SubscribeBatch](p)
			p.send(&v2.SubscribeBatchApplied{RequestID: b.RequestID, Results: []v2.SetResult{{QuerySetID: b.Sets[0].QuerySetID, Rows: queryRows("b", "c")}}})
			p.untilEnd()
		}))
	d := follow(t, f)
	if _, err := d.SubscribeSQL(within(t), "one"); err != nil {
		t.Fatal(err)
	}
	d.expect(t, "applied +a", "resync -a", "resync +b", "resync +c")
	if d.rows() != "b c" {
		t.Errorf("rows %q", d.rows())
	}
}
