package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/internal/wire"
)

// guestFunc is a function of a module that calls the host functions of the ABI.
type guestFunc func(c *abi.Context)

// guest runs f in the context of a call, as an engine does.
func guest(db func() *Database, call abi.Call, f guestFunc) (err error) {
	c := abi.NewContext(db().current.Load().services, abi.Limits{}, nil)
	c.Begin(call)
	defer c.End()
	defer func() {
		switch v := recover().(type) {
		case nil:
		case *abi.Trap:
			err = trapError(v.Error())
		default:
			panic(v)
		}
	}()
	f(c)
	return nil
}

// guestProc declares a procedure that calls host functions.
func (m *fakeModule) guestProc(name string, db func() *Database, f guestFunc) *fakeModule {
	return m.open(name, func(ctx context.Context, c *abi.ProcedureCall) error {
		return guest(db, abi.Call{Kind: abi.KindProcedure, Function: c.Name, Sender: c.Sender, Conn: c.Conn, Time: c.Time, Host: c.Host, Done: ctx}, f)
	})
}

func (m *fakeModule) guestReducer(name string, db func() *Database, f guestFunc) *fakeModule {
	return m.reducer(name, nil, func(c *fakeCall) error {
		return guest(db, abi.Call{Kind: abi.KindReducer, Function: c.Name, Sender: c.Sender, Conn: c.Conn, Time: c.Time, Tx: c.Tx}, f)
	})
}

// drain reads a source to its end.
func drain(c *abi.Context, src uint32) string {
	b := make([]byte, 1000)
	n, _, _ := c.SourceRead(src, b)
	return string(b[:n])
}

// Which host function is allowed when, down to the database.
func TestProcedureContexts(t *testing.T) {
	spec.Covers(t, "08.30", "03.46", "03.49", "03.54")
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hi") })
	request := (&HTTPRequest{Method: "GET", URI: s.URL}).Append(nil)
	w := newWorld(t)
	w.opts.HTTP = HTTPOptions{AllowPrivate: true}
	w.restart()
	var db *Database
	get := func() *Database { return db }
	var got []string
	note := func(what string, e abi.Errno) { got = append(got, fmt.Sprintf("%s %d", what, e)) }
	data := func(c *abi.Context, id uint32) {
		_, e := c.TableIDFromName("person")
		note("table", e)
		_, e = c.RowCount(id)
		note("count", e)
		_, e = c.Insert(id, append(u32(1), str("Ann")...))
		note("insert", e)
	}
	var id uint32
	m := people("contexts").
		guestProc("all", get, func(c *abi.Context) {
			data(c, id)
			note("commit", c.AbortTx())
			_, _, e := c.HTTPRequest(request, nil)
			note("http", e)
			_, e = c.StartTx()
			note("start", e)
			_, e = c.StartTx()
			note("start again", e)
			_, _, e = c.HTTPRequest(request, nil)
			note("http in a transaction", e)
			data(c, id)
			e, _ = c.CommitTx()
			note("commit", e)
			e, _ = c.CommitTx()
			note("commit again", e)
			note("abort", c.AbortTx())
		}).
		guestProc("sleep_in_tx", get, func(c *abi.Context) { c.StartTx(); c.SleepUntil(1 << 60) }).
		guestReducer("reducer", get, func(c *abi.Context) {
			_, e := c.StartTx()
			note("start", e)
			e, _ = c.CommitTx()
			note("commit", e)
			note("abort", c.AbortTx())
		}).
		guestReducer("sleep", get, func(c *abi.Context) { c.SleepUntil(0) }).
		guestReducer("request", get, func(c *abi.Context) { c.HTTPRequest(request, nil) })
	db = w.create(m)
	v := db.View()
	id = uint32(v.TableByName("person").ID)
	v.Close()
	if res := w.procedure(db, alice, "all"); res.Status != Committed {
		t.Errorf("all: %+v", res)
	}
	want(t, "error numbers", got, []string{
		"table 2", "count 2", "insert 2", "commit 18", "http 0", "start 0", "start again 17", "http in a transaction 17",
		"table 0", "count 0", "insert 0", "commit 0", "commit again 18", "abort 18",
	})
	want(t, "persons", w.rows(db, "person"), []string{`(id = 1, name = "Ann")`})
	got = nil
	w.call(db, alice, "reducer")
	want(t, "error numbers in a reducer", got, []string{"start 17", "commit 18", "abort 18"})
	for _, name := range []string{"sleep", "request"} {
		if res, err := db.CallReducer(background, &CallRequest{Caller: alice, Name: name}); err != nil || res.Status != Trapped {
			t.Errorf("%s in a reducer: %+v, %v", name, res, err)
		}
	}
	if res := w.procedure(db, alice, "sleep_in_tx"); res.Status != Trapped {
		t.Errorf("sleep in a transaction: %+v", res)
	}
	w.call(db, alice, "add", u32(2), str("Bob"))

	// Without permission nothing is sent.
	w.stop()
	w.opts.HTTP.Disabled = true
	w.start()
	off := people("off").guestProc("ask", get, func(c *abi.Context) {
		c.StartTx()
		src, _, e := c.HTTPRequest(request, nil)
		note("http", e)
		if e == abi.ErrHTTP {
			got = append(got, drain(c, src))
		}
	})
	got = nil
	if _, err := w.update(w.open(), off, UpdatePolicy{}); err != nil {
		t.Fatal(err)
	}
	db = w.open()
	w.procedure(db, alice, "ask")
	want(t, "answers", got, []string{"http 21", string(str("module outbound HTTP requests are disabled"))})
}

// A commit makes rows visible to subscribers and refreshes views before it returns;
// a view that fails rolls it back and ends the procedure.
func TestCommitOfGuestRefreshesViews(t *testing.T) {
	spec.Covers(t, "03.47", "08.37")
	w := newWorld(t)
	var db *Database
	get := func() *Database { return db }
	fail := false
	seen := 0
	m := people("refreshing").
		guestProc("insert", get, func(c *abi.Context) {
			c.StartTx()
			id, _ := c.TableIDFromName("person")
			c.Insert(id, append(u32(uint32(seen)+10), str("p")...))
			if e, view := c.CommitTx(); e != abi.OK || view != nil {
				abi.Fault("commit: %d, %v", e, view)
			}
			v := db.View()
			defer v.Close()
			for range v.Scan(v.TableByName("names").ID) {
				seen++
			}
		})
	m.view("names", "person", true, nil, func(_ context.Context, c *abi.ViewCall) (abi.ViewResult, error) {
		if fail {
			return abi.ViewResult{}, trapError("no view today")
		}
		var rows [][]byte
		for row := range c.Tx.Scan(c.Tx.TableByName("person").ID) {
			rows = append(rows, row)
		}
		return viewRows(rows...), nil
	})
	db = w.create(m)
	v := w.viewer(db, 9)
	v.handle(db, &wire.SubscribeSet{RequestID: 1, QuerySetID: 1, Queries: []string{"SELECT * FROM names"}})
	if res := w.procedure(db, alice, "insert"); res.Status != Committed || seen != 1 {
		t.Errorf("insert: %+v; the procedure saw %d rows of the view", res, seen)
	}
	db.send.flush()
	want(t, "messages", v.messages(), []string{"applied 1", "update"})
	fail = true
	before, _ := db.lastOffset()
	res := w.procedure(db, alice, "insert")
	if after, _ := db.lastOffset(); res.Status != Trapped || !strings.Contains(res.Message, "names") || after != before || seen != 1 {
		t.Errorf("with a failing view: %+v, %d transactions", res, after-before)
	}
	fail = false
	if res := w.procedure(db, alice, "insert"); res.Status != Committed || seen != 3 {
		t.Errorf("afterwards: %+v, %d", res, seen)
	}
}

// env_get as each kind of function sees it.
func TestEnvGet(t *testing.T) {
	spec.Covers(t, "03.62", "03.63")
	w := newWorld(t)
	var db *Database
	get := func() *Database { return db }
	seen := map[string]string{}
	read := func(where, key string) guestFunc {
		return func(c *abi.Context) {
			seen[where] = "trap"
			src, e := c.EnvGet(key)
			switch {
			case e != abi.OK:
				seen[where] = fmt.Sprintf("errno %d", e)
			case src == 0:
				seen[where] = "unset"
			default:
				seen[where] = "=" + drain(c, src)
			}
		}
	}
	m := people("reading").declares("A", "EMPTY?", "UNSET?").
		guestReducer("reducer", get, read("reducer", "A")).
		guestReducer("empty", get, read("empty", "EMPTY")).
		guestReducer("unset", get, read("unset", "UNSET")).
		guestReducer("undeclared", get, read("undeclared", "OTHER")).
		guestReducer("no_key", get, read("no_key", "")).
		guestReducer("long_key", get, read("long_key", strings.Repeat("k", 257))).
		guestReducer("bad_key", get, read("bad_key", "A=B")).
		guestReducer("digit_key", get, read("digit_key", "1A")).
		guestReducer("many", get, func(c *abi.Context) {
			for range 256 {
				if src, e := c.EnvGet("A"); e != abi.OK || src == 0 {
					abi.Fault("source %d, errno %d", src, e)
				}
			}
			read("many", "A")(c)
		}).
		guestProc("procedure", get, read("procedure", "A")).
		guestProc("transaction", get, func(c *abi.Context) {
			c.StartTx()
			read("transaction", "A")(c)
			c.AbortTx()
		})
	m.view("v", "person", true, nil, func(_ context.Context, c *abi.ViewCall) (abi.ViewResult, error) {
		return viewRows(), guest(get, abi.Call{Kind: abi.KindView, Function: c.Name, Tx: c.Tx}, read("view", "A"))
	})
	m.answers("handler", "/h", -1, func(ctx context.Context, c *abi.HandlerCall) (abi.HandlerResult, error) {
		err := guest(get, abi.Call{Kind: abi.KindHandler, Function: c.Name, Sender: c.Sender, Host: c.Host, Done: ctx}, read("handler", "A"))
		res, _ := answer(200, "")
		return res, err
	})
	var err error
	if db, err = w.createWith(m, set("A", "value", "EMPTY", "", "OTHER", "x")); err != nil {
		t.Fatal(err)
	}
	for name, wanted := range map[string]string{
		"reducer": "=value", "empty": "=", "unset": "unset", "undeclared": "trap", "no_key": "errno 1", "long_key": "errno 1", "bad_key": "errno 1",
		"digit_key": "errno 1", "many": "errno 9",
	} {
		_, err := db.CallReducer(background, &CallRequest{Caller: alice, Name: name})
		if got := seen[name]; err != nil || got != wanted {
			t.Errorf("%s: %q, %v; want %q", name, got, err, wanted)
		}
	}
	w.procedure(db, alice, "procedure")
	w.procedure(db, alice, "transaction")
	w.sql(db, alice, "SELECT * FROM v")
	if _, err := db.CallHandler(background, &RouteRequest{Path: "/h", HTTPRequest: HTTPRequest{Method: "GET"}}); err != nil {
		t.Error(err)
	}
	for _, where := range []string{"procedure", "transaction", "view", "handler"} {
		if got := seen[where]; got != "=value" {
			t.Errorf("%s: %q", where, got)
		}
	}
	// The functions of a submodule, which has no environment.
	for _, kind := range []abi.Kind{abi.KindProcedure, abi.KindHandler} {
		call := abi.Call{Kind: kind, Function: "lib.look", Host: &procedureRun{db: db}, Done: background}
		var trap trapError
		if err := guest(get, call, read("submodule", "A")); !errors.As(err, &trap) || seen["submodule"] != "trap" {
			t.Errorf("in a submodule: %v, %q", err, seen["submodule"])
		}
	}
	if err := guest(get, abi.Call{Kind: abi.KindInit}, read("init", "A")); err == nil {
		t.Error("env_get works while no function runs")
	}
}
