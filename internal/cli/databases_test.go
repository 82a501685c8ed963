package cli_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stdbgo/spacetime/client"
	"github.com/stdbgo/spacetime/internal/spec"
)

func TestSQL(t *testing.T) {
	u := realUser(t)
	db := u.publish("kitchen")
	spec.Covers(t, "09.57", "09.58", "09.59")
	u.ok("call", db, "fill")
	wantEqual(t, u.ok("sql", db, "select id, name from item where id = 99"), " id | name \n----+------\n")
	wantEqual(t, u.ok("sql", db, "select id from scalar where id = 1"), " id \n----\n 1  \n")
	wantEqual(t, u.ok("sql", db, "select", "id", "from", "scalar", "where", "id", "=", "1"), " id \n----\n 1  \n")
	wantEqual(t, u.ok("sql", db, "insert into item (id, name, kind, rank) values (0, 'plate', 3, 1)"), "\n")
	wantEqual(t, u.ok("sql", db, "select id, color, shape, opt_text, outcome from compound where id <= 2"), ""+
		" id | color       | shape                                  | opt_text        | outcome         \n"+
		"----+-------------+----------------------------------------+-----------------+-----------------\n"+
		" 1  | (blue = ()) | (named = (n = -7, label = \"say \"hi\"\")) | (some = \"some\") | (ok = 1)        \n"+
		" 2  | (red = ())  | (circle = 2.5)                         | (none = ())     | (err = \"burnt\") \n")
	wantEqual(t, u.ok("sql", db, "select text from scalar where id = 1"), " text                   \n------------------------\n \"grün \"quoted\" \\ tab\t\" \n")
	want(t, u.ok("sql", db, "select f32 from scalar where id = 2"), "null")
	for _, args := range [][]string{
		{"sql", "--confirmed", "true", db, "select id from scalar where id = 1"}, {"sql", "--confirmed", db, "select id from scalar where id = 1"},
		{"sql", "--confirmed=false", db, "select id from scalar where id = 1"}, {"sql", db, "--confirmed", "select id from scalar where id = 1"},
	} {
		wantEqual(t, u.ok(args...), " id \n----\n 1  \n")
	}
	var body []struct {
		Rows [][]int `json:"rows"`
	}
	if err := json.Unmarshal([]byte(u.ok("sql", "--format", "json", db, "select id from scalar where id = 1")), &body); err != nil || len(body) != 1 || body[0].Rows[0][0] != 1 {
		t.Errorf("%+v, %v", body, err)
	}
	want(t, u.fails(1, "sql", db, "select * from nope"), unstable+"Error: no such table: `nope`. If the table exists, it may be marked private.\n\nCaused by:\n    HTTP status client error (400 Bad Request) for url (")
	want(t, u.fails(1, "sql", db, "hello"), "Line: 1, Column 1")
	want(t, u.fails(1, "sql", "--anonymous", db, "select * from secret"), "no such table: `secret`")
	want(t, u.fails(1, "sql", "--interactive", db, "x"), "Too many positional arguments for interactive mode.")
}

func TestLogs(t *testing.T) {
	u := realUser(t)
	db := u.publish("kitchen")
	spec.Covers(t, "09.48", "09.49")
	for i, text := range []string{"error", "warn", "info", "debug", "trace"} {
		u.ok("call", db, "say", fmt.Sprint(i), "said "+text)
	}
	const at = `\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3}(\d{3})?)?Z`
	wantMatch(t, u.ok("logs", db, "-n", "5"), `^`+at+` ERROR: say src/lib.rs:\d+: said error\n`+at+`  WARN: say src/lib.rs:\d+: said warn\n`+at+`  INFO: .*\n`+at+` DEBUG: .*\n`+at+` TRACE: say src/lib.rs:\d+: said trace\n$`)
	wantMatch(t, u.ok("logs", db, "-n", "5", "-l", "info", "--level-exact"), `^`+at+`  INFO: [^\n]*said info\n$`)
	if n := strings.Count(u.ok("logs", db, "-n", "5", "--level", "warn"), "\n"); n != 2 {
		t.Errorf("%d lines of warnings and errors", n)
	}
	for _, line := range strings.Split(strings.TrimSpace(u.ok("logs", db, "-n", "2", "--format", "json")), "\n") {
		if err := json.Unmarshal([]byte(line), &struct{ Level string }{}); err != nil || !strings.HasPrefix(line, `{"level":"`) {
			t.Errorf("%s: %v", line, err)
		}
	}
	want(t, u.ok("logs", db), "INFO: ", "Creating table") // the host's own records, without its marks
	if strings.Contains(u.ok("logs", db), "__spacetimedb__") {
		t.Error("system locations are printed")
	}
	var r result
	for limit := time.Second; limit < patience && strings.Count(r.stdout, "\n") < 10; limit *= 4 { // a busy machine needs more
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		r = u.runContext(ctx, strings.NewReader(""), "logs", "-f", db)
		cancel()
	}
	if r.code != 0 || strings.Count(r.stdout, "\n") != 10 {
		t.Errorf("-f gave %d lines: %s", strings.Count(r.stdout, "\n"), r)
	}
}

// Frames, levels and times that no module produces at will.
func TestLogLines(t *testing.T) {
	f := newFake(t)
	u := newUser(t)
	token, _ := tokenOf("l")
	u.setConfig(f.URL, fmt.Sprintf("spacetimedb_token = %q\n", token))
	path := "GET /v1/database/" + someIdentity + "/logs"
	lines := []string{
		`{"level":"Panic","ts":1736769603123456,"filename":"src/lib.rs","line_number":7,"message":"oh","trace":[{"module_name":"m","func_name":"f"},{"func_name":"g"},{}]}`,
		`{"level":"Warn","ts":1736769603123000,"function":"__spacetimedb__","filename":"__spacetimedb__","message":"w"}`,
		`{"level":"Info","ts":1736769603000000,"function":"f","message":"i"}`,
		`not JSON`,
	}
	f.on(path, 200, "application/x-ndjson", strings.Join(lines, "\n"))
	wantEqual(t, u.ok("logs", someIdentity), "2025-01-13T12:00:03.123456Z PANIC: src/lib.rs:7: oh\n    in m :: f\n    in :: g\n    in\n2025-01-13T12:00:03.123Z  WARN: w\n2025-01-13T12:00:03Z  INFO: f: i\nnot JSON\n")
	wantEqual(t, u.ok("logs", someIdentity, "--format=json"), strings.Join(lines, "\n")+"\n")
	f.on(path, 404, "text/plain", "No such database.")
	wantEqual(t, u.fails(1, "logs", someIdentity), "Error: No such database.\n")
	f.on(path, 500, "text/plain", "")
	want(t, u.fails(1, "logs", someIdentity), "500 Internal Server Error")
}

func TestDescribe(t *testing.T) {
	u := realUser(t)
	db := u.publish("kitchen")
	spec.Covers(t, "09.55")
	all := u.ok("describe", "--json", db)
	want(t, all, "{\n  \"sections\": [\n", `"sql": "SELECT * FROM diary WHERE writer = :sender"`)
	want(t, u.ok("describe", "--json", db, "reducer", "add_item"), "{\n  \"source_name\": \"add_item\",\n  \"params\": {\n")
	want(t, u.ok("describe", db, "table", "item"), `"source_name": "item"`, `"primary_key"`)
	want(t, u.fails(1, "describe", "--json", db, "table", "nope"), "Error: no such table\n")
	want(t, u.fails(1, "describe", "--json", db, "reducer", "nope"), "Error: no such reducer\n")
	want(t, u.fails(1, "describe", "--json", db, "view", "x"), "Error: Invalid entity_type 'view'. Expected one of: reducer, table.\n")
	want(t, u.fails(1, "describe", "--json", db, "x"), "Invalid describe arguments.")
	want(t, u.fails(1, "describe", "--json", "nope"), "Error: failed to find database `nope`.\n", "No such database")
	want(t, u.ok("describe", db), "Tables:\n", "  item(id: u64, name: String, kind: u8, rank: i32)  public\n", "Views:\n", "  my_secret: (", ")  public, of the caller\n", "  kind_one: (id: u64, name: String, kind: u8, rank: i32)  public\n", "Reducers:\n", "  add_item(name: String, kind: u8, rank: i32)\n")
}

func TestNamesAndLocks(t *testing.T) {
	u := realUser(t)
	spec.Covers(t, "09.64", "09.65", "09.66", "09.47")
	db, other := u.publish("kettle1"), u.publish("kettle1")
	id := u.identity(db)
	list := u.ok("list")
	wantMatch(t, list, `(?m)^Associated databases for user [0-9a-f]{64}:\n\n Database Name\(s\) \| Identity {57}\n-+\+-+\n`)
	wantMatch(t, list, `(?m)^ `+db+` +\| `+id+` $`)
	renamed := db + "-new"
	wantEqual(t, u.ok("rename", "--to", renamed, id), "Name set to "+renamed+" for identity "+id+".\n")
	want(t, u.fails(1, "rename", "--to", other, id), "Error: Cannot rename to "+other+" because it already is in use.\n")
	want(t, u.fails(1, "logs", db), "failed to find database `"+db+"`")
	u.ok("logs", renamed)

	for range 2 {
		wantEqual(t, u.ok("lock", renamed), "Database "+id+" is now locked. It cannot be deleted until unlocked.\n")
	}
	want(t, u.fails(1, "delete", "-y", renamed), "locked", "403 Forbidden")
	for range 2 {
		wantEqual(t, u.ok("unlock", renamed), "Database "+id+" is now unlocked.\n")
	}
	question := "Are you sure you want to delete database " + renamed + " (" + id + ")? This action cannot be undone. [y/N]"
	if r := u.run("delete", renamed); r.code != 0 || r.stdout != question+"Aborting\n" {
		t.Error(r)
	}
	u.ok("logs", renamed)
	if r := u.runWith("y\n", "delete", renamed); r.code != 0 || r.stdout != question {
		t.Error(r)
	}
	want(t, u.fails(1, "logs", id), "No such database.")
	wantEqual(t, u.ok("delete", "-y", other), "Skipping confirmation due to --yes\n")
	wantEqual(t, u.runWith("", "list").stdout[:len("No databases found for ")], "No databases found for ")
}

func TestSubscribe(t *testing.T) {
	u := realUser(t)
	db := u.publish("kitchen")
	spec.Covers(t, "09.61", "09.62", "09.63")
	u.ok("call", db, "fill")
	if r := u.run("subscribe", db, "select * from pulse", "-n", "1", "-t", "1"); r.code != 1 || r.stdout != "" || r.stderr != unstable+"timed out after 1s\nError: subscription timed out after 1s after receiving 0/1 updates\n" {
		t.Error(r)
	}
	if r := u.run("subscribe", db, "select * from pulse", "--timeout", "5", "--print-initial-update"); r.code != 0 || r.stdout != "{}\n" || r.stderr != unstable+"timed out after 5s\n" {
		t.Error(r)
	}
	wantEqual(t, u.ok("subscribe", db, "-n", "0", "-t", "60", "--print-initial-update", "--confirmed", "true", "--", "select * from pulse", "select * from timer"), "{}\n")
	initial := u.ok("subscribe", db, "select * from scalar", "-n", "0", "--print-initial-update")
	want(t, initial, `{"scalar":{"deletes":[],"inserts":[{"id":1,"flag":true,`, `"a_64":9007199254740993`, `"a_128":12800000000000000000000`, `"a_64":18446744073709551615`, `340282366920938463463374607431768211455`, `"a_256":"0x`+strings.Repeat("f", 64)+`"`)

	// an insert, then an update: deletes stand before inserts
	at := realServer(t)
	done := make(chan result, 1)
	live := make(chan struct{})
	first := sync.OnceFunc(func() { close(live) })
	go func() {
		done <- u.runWatched(t.Context(), strings.NewReader(""), writerFunc(func(p []byte) (int, error) {
			first()
			return len(p), nil
		}), "subscribe", db, "select * from item where kind = 77", "-n", "2", "-t", "60", "--print-initial-update")
		first()
	}()
	conn, err := client.Dial(t.Context(), nil, client.Options{URL: at, Database: db})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	owner := newUser(t)
	owner.setConfig(at, wantMatch(t, u.config(), `(?m)^spacetimedb_token = .*$`)[0]+"\n")
	<-live // the initial update is the sign that the subscription is there
	owner.ok("call", db, "add_item", "bowl", "77", "1")
	owner.ok("sql", db, "update item set rank = 2 where kind = 77")
	r := <-done
	wantMatch(t, r.stdout, `^\{\}\n\{"item":\{"deletes":\[\],"inserts":\[\{"id":(\d+),"name":"bowl","kind":77,"rank":1\}\]\}\}\n\{"item":\{"deletes":\[\{"id":\d+,"name":"bowl","kind":77,"rank":1\}\],"inserts":\[\{"id":\d+,"name":"bowl","kind":77,"rank":2\}\]\}\}\n$`)
	if r.code != 0 {
		t.Error(r)
	}
	wantEqual(t, u.fails(1, "subscribe", db, "select * from nope", "-t", "60"), unstable+"Error: encountered error in initial subscribe: no such table: `nope`. If the table exists, it may be marked private., executing: `select * from nope`\n")
	want(t, u.fails(1, "subscribe", db), "  <query>\n\nUsage: spacetime subscribe [database] <query> [query...] (or --no-config for legacy behavior)\n")
}

// A server that speaks v1 only, as those before 2.3 do, is watched over that.
func TestSubscribeOldServer(t *testing.T) {
	u := realUser(t)
	db := u.publish("kitchen")
	at, err := url.Parse(realServer(t))
	if err != nil {
		t.Fatal(err)
	}
	var offered atomic.Int32
	old := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(at)
		if names := r.In.Header.Get("Sec-WebSocket-Protocol"); names != "" {
			if strings.Contains(names, "v1.bsatn.spacetimedb") {
				offered.Add(1)
			}
			r.Out.Header.Set("Sec-WebSocket-Protocol", "v1.bsatn.spacetimedb")
		}
	}})
	defer old.Close()
	live := make(chan struct{})
	first := sync.OnceFunc(func() { close(live) })
	done := make(chan result, 1)
	go func() {
		done <- u.runWatched(t.Context(), strings.NewReader(""), writerFunc(func(p []byte) (int, error) {
			first()
			return len(p), nil
		}), "subscribe", "-s", old.URL, db, "select * from item where kind = 78", "select * from timer", "-n", "2", "-t", "60", "--print-initial-update")
		first()
	}()
	<-live
	owner := newUser(t)
	owner.setConfig(at.String(), wantMatch(t, u.config(), `(?m)^spacetimedb_token = .*$`)[0]+"\n")
	owner.ok("call", db, "add_item", "bowl", "78", "1")
	owner.ok("sql", db, "update item set rank = 2 where kind = 78")
	r := <-done
	wantMatch(t, r.stdout, `^\{\}\n\{"item":\{"deletes":\[\],"inserts":\[\{"id":(\d+),"name":"bowl","kind":78,"rank":1\}\]\}\}\n\{"item":\{"deletes":\[\{"id":\d+,"name":"bowl","kind":78,"rank":1\}\],"inserts":\[\{"id":\d+,"name":"bowl","kind":78,"rank":2\}\]\}\}\n$`)
	if r.code != 0 || offered.Load() != 1 {
		t.Errorf("v1 was offered %d times: %s", offered.Load(), r)
	}
	want(t, u.fails(1, "subscribe", "-s", old.URL, db, "select * from nope", "-t", "60"), "Error: encountered error in initial subscribe: ", "nope")
}

// The server's end of a subscription: orderly is fine, unless updates are missing.
func TestSubscribeServerCloses(t *testing.T) {
	f := newFake(t)
	u := newUser(t)
	token, _ := tokenOf("s")
	u.setConfig(f.URL, fmt.Sprintf("spacetimedb_token = %q\n", token))
	base := "/v1/database/" + someIdentity
	f.schemaVersions(base, map[string]string{"10": `{"sections":[]}`})
	// InitialConnection of 05 §6 with zero ids and an empty token, then SubscribeApplied without rows
	hello := append([]byte{0, 0}, make([]byte, 32+16+4)...)
	applied := []byte{0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	var orderly atomic.Bool
	f.answers["GET "+base+"/subscribe"] = func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"v3.bsatn.spacetimedb"}})
		if err != nil {
			t.Error(err)
			return
		}
		_ = c.Write(r.Context(), websocket.MessageBinary, hello)
		_, payload, err := c.Read(r.Context())
		if err != nil {
			t.Error(err)
			return
		}
		answer := slices.Clone(applied)
		copy(answer[2:10], payload[1:9]) // request and query set ids
		_ = c.Write(r.Context(), websocket.MessageBinary, answer)
		if orderly.Load() {
			_ = c.Close(websocket.StatusGoingAway, "")
		} else {
			_ = c.CloseNow()
		}
	}
	r := u.run("subscribe", someIdentity, "select * from x", "-t", "20")
	if r.code != 1 || !strings.Contains(r.stderr, "Error: websocket error\n") {
		t.Errorf("a connection that is cut: %s", r)
	}
	orderly.Store(true)
	r = u.run("subscribe", someIdentity, "select * from x", "-t", "20")
	if r.code != 0 || r.stderr != unstable+"disconnected by server\n" {
		t.Error(r)
	}
	r = u.run("subscribe", someIdentity, "select * from x", "-t", "20", "-n", "1")
	if r.code != 1 || r.stderr != unstable+"disconnected by server\nError: subscription closed after receiving 0/1 updates\n" {
		t.Error(r)
	}
}
