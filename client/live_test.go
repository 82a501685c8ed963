package client_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stdbgo/spacetime/client"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/sats"
)

func names(rows func(func(*person) bool)) []string {
	var out []string
	for p := range rows {
		out = append(out, p.Name)
	}
	return out
}

func sortedNames(rows func(func(*person) bool)) string {
	list := names(rows)
	slices.Sort(list)
	return strings.Join(list, " ")
}

// What the cache holds and what callbacks say, from the first subscription to the last
// row, over every protocol.
func TestCache(t *testing.T) {
	spec.Covers(t, "10.29")
	each(t, func(t *testing.T, w *world, p client.Protocol) {
		ada, bob := connect(t, w.options(p)), connect(t, w.options(p))
		if ada.Protocol() != p {
			t.Errorf("speaks %s", ada.Protocol())
		}
		do(t, bob, "add_person", addPerson{"zoe", 9, "rom"})
		log := newDiary()
		note := func(what string, ev *client.Event, text string) {
			who := "?"
			switch {
			case ev.Caller == ada.Identity() && ev.ConnectionID == ada.ConnectionID():
				who = "ada"
			case ev.Caller == bob.Identity():
				who = "bob"
			}
			args := ""
			if ev.Reducer != nil {
				args = fmt.Sprintf(" %T", ev.Reducer)
			}
			log.add(fmt.Sprintf("%s %s by %s%s: %s", ev.Kind, what, who, args, text))
		}
		ada.person.OnInsert(func(ev *client.Event, r *person) { note("+", ev, r.Name) })
		cancel := ada.person.OnDelete(func(ev *client.Event, r *person) { note("-", ev, r.Name) })
		ada.person.OnUpdate(func(ev *client.Event, old, new *person) { note("=", ev, old.Name+" "+new.Name) })
		expect := func(want ...string) {
			t.Helper()
			if got := log.take(t, len(want)); !slices.Equal(got, want) {
				t.Errorf("got  %q\nwant %q", got, want)
			}
		}
		foreign := "transaction %s by ?: "
		if p == client.V1 && moduleTellsCallers {
			foreign = "reducer %s by bob: "
		}

		people, err := ada.SubscribeSQL(within(t), "SELECT * FROM person")
		if err != nil {
			t.Fatal(err)
		}
		expect("applied + by ?: zoe")
		do(t, ada, "add_person", addPerson{"ann", 30, "ulm"})
		expect("reducer + by ada client_test.addPerson: ann")
		ann, ok := ada.person.Name.Find("ann")
		if !ok || ann.Age != 30 || ann.City != "ulm" {
			t.Fatalf("the row of an own call: %v, %t", ann, ok)
		}
		do(t, bob, "add_person", addPerson{"bea", 20, "ulm"})
		expect(fmt.Sprintf(foreign, "+") + "bea")
		do(t, bob, "rename_person", renamePerson{ann.ID, "amy"})
		expect(fmt.Sprintf(foreign, "=") + "ann amy")
		if amy, ok := ada.person.ID.Find(ann.ID); !ok || amy.Name != "amy" || ann.Name != "ann" {
			t.Errorf("after the update: %v and %v", amy, ann)
		}
		if _, ok := ada.person.Name.Find("ann"); ok {
			t.Error("the old name is still found")
		}

		// Another set with some of the rows: only its own go with it.
		if _, err := ada.SubscribeSQL(within(t), "SELECT * FROM person WHERE age >= 20"); err != nil {
			t.Fatal(err)
		}
		do(t, bob, "remove_person", struct{ ID uint32 }{ann.ID})
		expect(fmt.Sprintf(foreign, "-") + "amy")
		if err := people.Unsubscribe(within(t)); err != nil || people.Err() != nil {
			t.Fatal(err, people.Err())
		}
		expect("unapplied - by ?: zoe")
		if got := sortedNames(ada.person.All()); got != "bea" || ada.person.Len() != 1 {
			t.Errorf("left: %q", got)
		}
		cancel()
		bea, _ := ada.person.Name.Find("bea")
		do(t, ada, "remove_person", struct{ ID uint32 }{bea.ID})
		if ada.person.Len() != 0 {
			t.Errorf("%d rows left", ada.person.Len())
		}
		expect()
	})
}

// The linked module describes itself in version 10, whose V1 clients are not told of
// callers (spec 05 §11.1).
const moduleTellsCallers = false

func TestIndexes(t *testing.T) {
	w := newWorld(t)
	d := connect(t, w.options(client.V3))
	for _, p := range []addPerson{{"a", 3, "ulm"}, {"b", 5, "ulm"}, {"c", 5, "rom"}, {"d", 7, "ulm"}, {"e", 5, "ulm"}, {"f", 1, "bonn"}} {
		do(t, d, "add_person", p)
	}
	if _, err := d.SubscribeAll(within(t)); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		rows func(func(*person) bool)
		want string
	}{
		{d.person.ByCity.Filter(cityAge{"ulm", 5}), "b e"},
		{d.person.ByCity.Filter(cityAge{"ulm", 4}), ""},
		{d.person.ByCity.Search(func(k cityAge) int { return strings.Compare(k.City, "ulm") }), "a b d e"},
		{d.person.ByCity.Range(cityAge{"bonn", 2}, cityAge{"ulm", 5}), "a c"},
		{d.person.ByCity.RangeOf(client.Bound[cityAge]{}, client.Incl(cityAge{"rom", 5})), "c f"},
		{d.person.Name.Range("b", "d"), "b c"},
		{d.person.ID.RangeOf(client.Excl(uint32(4)), client.Bound[uint32]{}), "e f"},
	} {
		if got := sortedNames(test.rows); got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
	if got := names(d.person.ByCity.Search(func(cityAge) int { return 0 })); strings.Join(got, "") != "fcabed" {
		t.Errorf("in order: %q", got)
	}
	if r, ok := d.person.ID.Find(77); ok || r != nil {
		t.Errorf("nobody: %v", r)
	}
	for r := range d.person.All() { // stopping early is fine, and so is writing meanwhile
		do(t, d, "remove_person", struct{ ID uint32 }{r.ID})
		break
	}
}

// A callback sees the whole transaction, and so does View.
func TestTransactionsAreAtomic(t *testing.T) {
	each(t, func(t *testing.T, w *world, p client.Protocol) {
		d, other := connect(t, w.options(p)), connect(t, w.options(p))
		sub, err := d.Subscribe(within(t), client.From[person]{Name: "person"}, client.From[line]{Name: "line"})
		if err != nil || len(sub.Queries()) != 2 {
			t.Fatal(err)
		}
		const n = 50
		told := newDiary()
		d.person.OnInsert(func(*client.Event, *person) { told.add(fmt.Sprint(d.line.Len(), d.person.Len())) })
		stop := make(chan struct{})
		var views sync.WaitGroup
		views.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := d.View(func() error {
					if a, b := d.line.Len(), len(names(d.person.All())); a != b {
						return fmt.Errorf("%d lines, %d persons", a, b)
					}
					return d.View(func() error { return nil })
				}); err != nil {
					t.Error(err)
				}
				runtime.Gosched()
			}
		})
		for i := range n {
			do(t, other, "add_pair", addPair{fmt.Sprint(i), fmt.Sprint(i)})
		}
		for i, s := range told.take(t, n) {
			if s != fmt.Sprint(i+1, i+1) {
				t.Errorf("callback %d saw %s", i, s)
			}
		}
		close(stop)
		views.Wait()
	})
}

func TestCallOutcomes(t *testing.T) {
	each(t, func(t *testing.T, w *world, p client.Protocol) {
		d := connect(t, w.options(p))
		told := newDiary()
		d.OnReducer(func(ev *client.Event) {
			told.add(fmt.Sprintf("%s %v %v", ev.ReducerName, ev.Reducer, ev.Err))
		})
		rename := bsatn(renamePerson{ID: 1, Name: "x"})
		var refused *client.ReducerError
		if err := d.CallWait(within(t), "rename_person", rename); !errors.As(err, &refused) || *refused != (client.ReducerError{Reducer: "rename_person", Message: "no such person"}) {
			t.Errorf("refused: %#v", err)
		}
		if got := told.take(t, 1); got[0] != "rename_person {1 x} no such person" {
			t.Errorf("told %q", got)
		}
		var unable *client.HostError
		if err := d.CallWait(within(t), "crash", bsatn(struct{}{})); !errors.As(err, &unable) || unable.Call != "crash" {
			t.Errorf("crash: %#v", err)
		}
		if err := d.CallWait(within(t), "no_such", bsatn(struct{}{})); !errors.As(err, &unable) || unable.Message != "no such reducer" {
			t.Errorf("unknown: %#v", err)
		}
		// Pipelined: the failure of one that never starts may overtake the others.
		calls := []*client.Call{
			d.CallAppend("rename_person", rename), d.CallAppend("rename_person", bsatn(uint8(1))), d.CallAppend("rename_person", rename),
			d.CallAppend("add_person", bsatn(addPerson{"n", 1, ""})), d.Call("rename_person", nil),
		}
		for i, call := range calls {
			err := call.Wait(within(t))
			switch i {
			case 0, 2:
				if !errors.As(err, &refused) {
					t.Errorf("call %d: %#v", i, err)
				}
			case 3:
				if err != nil || call.Timestamp() == 0 || call.Err() != nil {
					t.Errorf("call %d: %v at %s", i, err, call.Timestamp())
				}
			default:
				if !errors.As(err, &unable) {
					t.Errorf("call %d: %#v", i, err)
				}
			}
		}
		if s := d.Stats(); s.Calls != 8 || s.MessagesReceived < 9 || s.BytesSent == 0 || s.BytesReceived == 0 {
			t.Errorf("stats: %+v", s)
		}
	})
}

func TestProceduresAndQueries(t *testing.T) {
	each(t, func(t *testing.T, w *world, p client.Protocol) {
		d := connect(t, w.options(p))
		n, err := client.ProcedureResult(within(t), d.Conn, "double", bsatn(uint32(21)), (*sats.Reader).U64)
		if err != nil || n != 42 {
			t.Errorf("double: %d, %v", n, err)
		}
		var unable *client.HostError
		if _, err := d.CallProcedure(within(t), "no_such", nil); !errors.As(err, &unable) || unable.Message != "No such procedure" {
			t.Errorf("unknown: %#v", err)
		}
		if _, err := d.CallProcedure(within(t), "double", bsatn(uint32(0))); !errors.As(err, &unable) || !strings.Contains(unable.Message, "nothing to double") {
			t.Errorf("failed: %#v", err)
		}
		if _, err := client.ProcedureResult(within(t), d.Conn, "double", bsatn(uint32(1)), (*sats.Reader).U8); err == nil || !strings.Contains(err.Error(), "double") {
			t.Errorf("read as another type: %v", err)
		}
		do(t, d, "add_person", addPerson{"o'neil", 50, "ulm"})
		rows, err := client.QuerySQL[person](within(t), d.Conn, "SELECT * FROM person WHERE name = 'o''neil'")
		if err != nil || len(rows) != 1 || rows[0].Age != 50 {
			t.Errorf("query: %v, %v", rows, err)
		}
		var wrong *client.QueryError
		if _, err := client.QuerySQL[person](within(t), d.Conn, "SELECT * FROM nobody"); !errors.As(err, &wrong) || wrong.Query != "SELECT * FROM nobody" {
			t.Errorf("wrong query: %#v", err)
		}
		if _, err := client.QuerySQL[line](within(t), d.Conn, "SELECT * FROM person"); err == nil || !strings.Contains(err.Error(), "line") {
			t.Errorf("rows of another type: %v", err)
		}
		if _, err := client.QuerySQL[map[string]int](within(t), d.Conn, "SELECT * FROM person"); err == nil {
			t.Error("a map is a row")
		}
		if d.person.Len() != 0 {
			t.Error("a query fills the cache")
		}
	})
}

func TestSubscriptionErrorsTyped(t *testing.T) {
	each(t, func(t *testing.T, w *world, p client.Protocol) {
		d := connect(t, w.options(p))
		var refused *client.SubscriptionError
		if _, err := d.SubscribeSQL(within(t), "SELECT * FROM person", "SELECT * FROM nobody"); !errors.As(err, &refused) || len(refused.Queries) != 2 || !strings.Contains(refused.Message, "nobody") {
			t.Errorf("refused: %#v", err)
		}
		s, err := d.SubscribeAsync(client.From[person]{Name: "nobody"})
		if err != nil {
			t.Fatal(err)
		}
		<-s.Done()
		if !errors.As(s.Err(), &refused) {
			t.Errorf("async: %#v", s.Err())
		}
		if p == client.V1 {
			if _, err := d.SubscribeSQL(within(t), "SELECT * FROM shout"); !errors.As(err, &refused) || !strings.Contains(refused.Message, "requires WebSocket v2") {
				t.Errorf("event table: %#v", err)
			}
			if _, err := d.SubscribeRows(within(t), nil, "SELECT * FROM person"); !errors.Is(err, client.ErrNeedsV2) {
				t.Errorf("rows: %v", err)
			}
		}
		if _, err := d.SubscribeAll(within(t)); err != nil {
			t.Errorf("all: %v", err)
		}
	})
	c := dial(t, serve(t, (*peer).untilEnd).options())
	if _, err := c.SubscribeSQL(within(t), "SELECT * FROM t"); !errors.Is(err, client.ErrNoModule) {
		t.Errorf("without a module: %v", err)
	}
}

func TestEventTablesAndViews(t *testing.T) {
	each(t, func(t *testing.T, w *world, p client.Protocol) {
		d := connect(t, w.options(p))
		told := newDiary()
		d.shout.OnInsert(func(ev *client.Event, r *shout) { told.add(fmt.Sprint(ev.Kind, r.Text)) })
		d.adults.OnInsert(func(_ *client.Event, r *person) { told.add("+" + r.Name) })
		d.adults.OnDelete(func(_ *client.Event, r *person) { told.add("-" + r.Name) })
		if _, err := d.SubscribeAll(within(t)); err != nil {
			t.Fatal(err)
		}
		do(t, d, "add_person", addPerson{"old", 40, ""})
		do(t, d, "add_person", addPerson{"young", 4, ""})
		if got := told.take(t, 1); !slices.Equal(got, []string{"+old"}) || sortedNames(d.adults.All()) != "old" {
			t.Errorf("view: %q", got)
		}
		s, err := d.Subscribe(within(t), client.CallView[person]("older_than", uint8(3)))
		if err != nil {
			t.Fatal(err)
		}
		if got := sortedNames(d.older.All()); got != "old young" {
			t.Errorf("view with an argument: %q", got)
		}
		if err := s.Unsubscribe(within(t)); err != nil || d.older.Len() != 0 {
			t.Errorf("%v, %d rows left", err, d.older.Len())
		}
		if p == client.V1 {
			return // no event tables
		}
		do(t, d, "shout", shout{"hey"})
		if got := told.take(t, 1); got[0] != "reducerhey" {
			t.Errorf("event: %q", got)
		}
	})
}

// Everything that waits refuses to in a callback, whatever its context.
func TestInCallback(t *testing.T) {
	spec.Covers(t, "10.29")
	w := newWorld(t)
	d := connect(t, w.options(client.V3))
	sub, err := d.SubscribeAll(within(t))
	if err != nil {
		t.Fatal(err)
	}
	pending := make(chan *client.Subscription, 1)
	results := make(chan error, 16)
	d.person.OnInsert(func(ev *client.Event, r *person) {
		if r.Name != "first" {
			return
		}
		for _, ctx := range []context.Context{ev.Context(), background} {
			results <- d.CallWait(ctx, "crash", nil)
			results <- d.Call("add_line", sats.Append(nil, &line{})).Wait(ctx)
			_, err := d.SubscribeSQL(ctx, "SELECT * FROM person")
			results <- err
			_, err = d.CallProcedure(ctx, "double", nil)
			results <- err
			_, err = client.QuerySQL[person](ctx, d.Conn, "SELECT * FROM person")
			results <- err
			results <- sub.Unsubscribe(ctx)
			results <- d.Step(ctx)
		}
		s, err := d.SubscribeAsync(client.From[person]{Name: "person"}.Where(client.Col[person, uint8]{Table: "person", Name: "age"}.Gt(3)))
		if err != nil {
			t.Error(err)
		}
		pending <- s
		close(results)
	})
	do(t, d, "add_person", addPerson{"first", 5, ""})
	n := 0
	for err := range results {
		if n++; !errors.Is(err, client.ErrInCallback) {
			t.Errorf("result %d: %v", n, err)
		}
	}
	select {
	case <-(<-pending).Applied():
	case <-time.After(patience):
		t.Error("what does not wait does not work")
	}
	if n != 14 {
		t.Errorf("%d results", n)
	}
}

func TestPanicInCallback(t *testing.T) {
	w := newWorld(t)
	caught := newDiary()
	for _, handled := range []bool{true, false} {
		o := w.options(client.V3)
		if handled {
			o.OnPanic = func(v any, stack []byte) {
				caught.add(fmt.Sprint(v, strings.Contains(string(stack), "live_test.go")))
			}
		}
		d := connect(t, o)
		if _, err := d.SubscribeAll(within(t)); err != nil {
			t.Fatal(err)
		}
		d.person.OnInsert(func(_ *client.Event, r *person) { panic("boom " + r.Name) })
		others := newDiary()
		d.person.OnInsert(func(_ *client.Event, r *person) { others.add(r.Name) })
		err := d.CallWait(within(t), "add_person", bsatn(addPerson{Name: fmt.Sprint(handled)}))
		if handled {
			if got := caught.take(t, 1); err != nil || got[0] != "boom truetrue" || others.take(t, 1)[0] != "true" {
				t.Errorf("%v, %q", err, got)
			}
			continue
		}
		<-d.Done()
		var p *client.PanicError
		if !errors.As(d.Err(), &p) || p.Value != "boom false" || !strings.Contains(d.Err().Error(), "live_test.go") {
			t.Errorf("the connection: %v", d.Err())
		}
	}
}

func TestCloseInCallback(t *testing.T) {
	w := newWorld(t)
	for _, manual := range []bool{false, true} {
		o := w.options(client.V3)
		o.Manual = manual
		d := connect(t, o)
		closed := make(chan struct{})
		d.CallFunc("add_line", sats.Append(nil, &line{}), func(*client.Call) {
			if err := d.Close(); err != nil {
				t.Error(err)
			}
			close(closed)
		})
		for manual && d.Step(within(t)) == nil {
		}
		<-closed
		<-d.Done()
		if err := d.Err(); err != nil {
			t.Errorf("after Close: %v", err)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
}

// With Manual nothing happens but in Tick and Step.
func TestManual(t *testing.T) {
	each(t, func(t *testing.T, w *world, p client.Protocol) {
		o := w.options(p)
		o.Manual = true
		d := connect(t, o)
		var told []string
		d.person.OnInsert(func(ev *client.Event, r *person) { told = append(told, r.Name) })
		s, err := d.SubscribeAsync(client.From[person]{Name: "person"})
		if err != nil {
			t.Fatal(err)
		}
		applied := func() bool {
			select {
			case <-s.Applied():
				return true
			default:
				return false
			}
		}
		for !applied() {
			if err := d.Step(within(t)); err != nil {
				t.Fatal(err)
			}
		}
		call := d.CallAppend("add_person", bsatn(addPerson{Name: "x"}))
		for d.Stats().Receiving == 0 {
			time.Sleep(time.Millisecond)
		}
		if len(told) != 0 || d.person.Len() != 0 {
			t.Error("delivered without being asked")
		}
		for len(told) == 0 {
			if err := d.Tick(); err != nil {
				t.Fatal(err)
			}
		}
		if err := call.Wait(background); err != nil || d.person.Len() != 1 {
			t.Errorf("%v, %d rows", err, d.person.Len())
		}
		short, cancel := context.WithCancelCause(background)
		why := errors.New("enough")
		cancel(why)
		if err := d.Step(short); !errors.Is(err, why) {
			t.Errorf("Step: %v", err)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if err := d.Tick(); !errors.Is(err, client.ErrDisconnected) {
			t.Errorf("Tick after Close: %v", err)
		}
		if err := d.Step(within(t)); !errors.Is(err, client.ErrDisconnected) {
			t.Errorf("Step after Close: %v", err)
		}
	})
}

func TestCallFlagsAndLight(t *testing.T) {
	w := newWorld(t)
	for _, p := range []client.Protocol{client.V1, client.V3} {
		o := w.options(p)
		o.Light = true
		d := connect(t, o)
		if _, err := d.SubscribeAll(within(t)); err != nil {
			t.Fatal(err)
		}
		before := d.line.Len()
		err := d.CallWait(within(t), "add_line", bsatn(line{1, "flagged"}), client.NoSuccessNotify)
		call := d.CallAppend("add_line", bsatn(line{1, p.String()}), client.NoSuccessNotify)
		if p == client.V1 {
			if !errors.Is(err, client.ErrNoOutcome) || !errors.Is(call.Wait(within(t)), client.ErrNoOutcome) {
				t.Errorf("V1: %v", err)
			}
		} else if err != nil || call.Wait(within(t)) != nil {
			t.Errorf("V3: %v", err)
		}
		do(t, d, "add_line", line{2, "another" + p.String()})
		want := before + 2
		if p != client.V1 {
			want++
		}
		for end := time.Now().Add(patience); d.line.Len() != want && time.Now().Before(end); {
			time.Sleep(time.Millisecond)
		}
		if d.line.Len() != want {
			t.Errorf("%s: %d lines, want %d", p, d.line.Len(), want)
		}
	}
}

func TestTokenFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deep", "token")
	if token, err := client.LoadToken(path); token != "" || err != nil {
		t.Errorf("before: %q, %v", token, err)
	}
	for _, token := range []string{"one", "two"} {
		if err := client.SaveToken(path, token); err != nil {
			t.Fatal(err)
		}
		if got, err := client.LoadToken(path); got != token || err != nil {
			t.Errorf("%q, %v; want %q", got, err, token)
		}
	}
	checkMode(t, path)
	if err := client.SaveToken(filepath.Dir(path), "x"); err == nil || !strings.HasPrefix(err.Error(), "client: the token: ") {
		t.Errorf("over a directory: %v", err)
	}
	if _, err := client.LoadToken(filepath.Dir(path)); err == nil {
		t.Error("a directory is a token")
	}
}

// Without a Module a connection says the same over every protocol, V1 alone included:
// that is how old servers are watched.
func TestRowsWithoutModule(t *testing.T) {
	each(t, func(t *testing.T, w *world, p client.Protocol) {
		told := newDiary()
		c := dial(t, w.options(p))
		s, err := c.SubscribeUpdates(within(t), func(r client.Rows) {
			told.add(fmt.Sprintf("%s %s +%d -%d", r.Kind, r.Table, r.Inserted.Len(), r.Deleted.Len()))
		}, func(k client.EventKind) { told.add("end of " + k.String()) }, "SELECT * FROM person WHERE age > 1", "SELECT * FROM line")
		if err != nil {
			t.Fatal(err)
		}
		other := connect(t, w.options(client.V3))
		do(t, other, "add_person", addPerson{"ann", 30, "ulm"})
		if err := c.CallWait(within(t), "add_line", bsatn(line{1, "own"})); err != nil {
			t.Fatal(err)
		}
		if err := c.CallWait(within(t), "add_person", bsatn(addPerson{"ann", 30, "ulm"})); err == nil {
			t.Error("a name is there twice")
		}
		if rows, err := c.QueryRows(within(t), "SELECT * FROM person"); err != nil || rows.Len() != 1 {
			t.Errorf("%d rows, %v", rows.Len(), err)
		}
		if err := s.Unsubscribe(within(t)); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, line := range told.take(t, 8) {
			if !strings.HasPrefix(line, "applied") { // V1 names tables without rows, too
				got = append(got, line)
			}
		}
		slices.Sort(got[len(got)-3:])
		want := []string{"end of applied", "transaction person +1 -0", "end of transaction", "reducer line +1 -0", "end of reducer",
			"end of unapplied", "unapplied line +0 -1", "unapplied person +0 -1"}
		if !slices.Equal(got, want) {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	})
}
