package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stdbgo/spacetime/internal/auth"
	"github.com/stdbgo/spacetime/internal/control"
	"github.com/stdbgo/spacetime/internal/host"
	"github.com/stdbgo/spacetime/internal/leaktest"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/subscribe"
	"github.com/stdbgo/spacetime/internal/vfs"
	"github.com/stdbgo/spacetime/internal/wire"
	v1 "github.com/stdbgo/spacetime/internal/wire/v1"
	v2 "github.com/stdbgo/spacetime/internal/wire/v2"
	"github.com/stdbgo/spacetime/sats"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// A fakeHost runs fakeDatabases. Programs are texts: "bad…" does not load,
// "init: …" fails in init with the rest as message, anything else is good.
type fakeHost struct {
	mu      sync.Mutex
	running map[uint64]*fakeDatabase
	deleted []uint64
	log     []string // what was asked of it
	stored  []byte   // module log of databases that do not start
	noStart error
}

func newFakeHost() *fakeHost { return &fakeHost{running: map[uint64]*fakeDatabase{}} }

func (h *fakeHost) note(text string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.log = append(h.log, text)
}

// notes returns what was asked since the last time.
func (h *fakeHost) notes() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := strings.Join(h.log, "; ")
	h.log = nil
	return all
}

func (h *fakeHost) Open(_ context.Context, info DatabaseInfo, initial func() ([]byte, error)) (Database, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.noStart != nil {
		return nil, h.noStart
	}
	if db := h.running[info.Replica]; db != nil {
		return db, nil
	}
	program, err := initial()
	if err != nil {
		return nil, err
	}
	return h.start(info, program), nil
}

func (h *fakeHost) start(info DatabaseInfo, program []byte) *fakeDatabase {
	db := &fakeDatabase{host: h, info: info, program: string(program), done: make(chan struct{}), durable: 1 << 40,
		clients: map[*subscribe.Client]func(){}}
	db.moved = sync.NewCond(&db.mu)
	h.running[info.Replica] = db
	return db
}

func badProgram(program []byte) error {
	if len(program) == 0 || bytes.HasPrefix(program, []byte("bad")) {
		return errors.New("failed to parse the module")
	}
	return nil
}

func (h *fakeHost) Create(_ context.Context, info DatabaseInfo, program []byte) (Database, error) {
	if err := badProgram(program); err != nil {
		return nil, err
	}
	if message, ok := strings.CutPrefix(string(program), "init: "); ok {
		return nil, errors.New(message)
	}
	env := fakeEnv{needed: bytes.HasPrefix(program, []byte("needy"))}
	if _, err := env.change(info.Environment); err != nil {
		return nil, err
	}
	h.note("create")
	h.mu.Lock()
	defer h.mu.Unlock()
	db := h.start(info, program)
	db.env = env
	return db, nil
}

func (h *fakeHost) Running() (list []uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for replica := range h.running {
		list = append(list, replica)
	}
	return list
}

func (h *fakeHost) Stop(_ context.Context, replica uint64) error {
	h.mu.Lock()
	db := h.running[replica]
	delete(h.running, replica)
	h.mu.Unlock()
	if db != nil {
		h.note("stop")
		db.stop()
	}
	return nil
}

func (h *fakeHost) Delete(ctx context.Context, replica uint64) error {
	h.mu.Lock()
	h.deleted = append(h.deleted, replica)
	h.mu.Unlock()
	return h.Stop(ctx, replica)
}

func (h *fakeHost) StoredLog(uint64, int) ([]byte, error) { return h.stored, nil }
func (h *fakeHost) Close() error                          { return nil }

// the returns the one database that runs.
func (h *fakeHost) the(t testing.TB) *fakeDatabase {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.running) != 1 {
		t.Fatalf("%d databases run", len(h.running))
	}
	for _, db := range h.running {
		return db
	}
	return nil
}

// A fakeDatabase answers by the names of what is called.
type fakeDatabase struct {
	host     *fakeHost
	info     DatabaseInfo
	program  string
	done     chan struct{}
	received []host.OutboxCall

	mu       sync.Mutex
	moved    *sync.Cond
	durable  uint64 // transactions below it are durable
	stopped  bool
	reject   error // of Connect and Attach
	clients  map[*subscribe.Client]func()
	detached int
	handled  []wire.ClientMessage
	hold     chan struct{} // Handle waits for it to be closed
	connects chan struct{} // Attach takes one from it, if there is one
	handle   func(c *subscribe.Client, m wire.ClientMessage) error
	logText  string
	follower *io.PipeWriter
	routed   []*RouteRequest // what handlers were asked
	env      fakeEnv
}

// A fakeEnv is an environment that must have NEEDED, and MODE as x or y.
type fakeEnv struct {
	needed bool // declared at all
	values map[string]string
}

func (e *fakeEnv) change(u EnvUpdate) (changed bool, err error) {
	if err := u.Check(); err != nil {
		return false, err
	}
	now := map[string]string{}
	if !u.RemoveAll {
		maps.Copy(now, e.values)
	}
	for _, k := range u.Remove {
		delete(now, k)
	}
	maps.Copy(now, u.Values)
	if _, ok := now["NEEDED"]; !ok && e.needed {
		return false, &host.MissingEnvError{Keys: []string{"NEEDED"}}
	}
	if v, ok := now["MODE"]; ok && v != "x" && v != "y" {
		return false, &host.EnvError{Key: "MODE", Reason: "value does not satisfy its declared string constraint"}
	}
	changed = !maps.Equal(now, e.values)
	e.values = now
	return changed, nil
}

func (db *fakeDatabase) Environment() (EnvInfo, error) {
	return EnvInfo{
		Program: auth.HashProgram([]byte(db.program)), Keys: slices.Sorted(maps.Keys(db.env.values)),
		Declarations: []schema.EnvironmentVar{
			{Name: "LIT", Kind: schema.EnvLiteral, Values: []string{"q"}, Optional: true},
			{Name: "MODE", Kind: schema.EnvUnion, Values: []string{"x", "y"}, Optional: true},
			{Name: "NEEDED"},
		},
	}, nil
}

func (db *fakeDatabase) SetEnvironment(_ context.Context, expected sats.Hash, u EnvUpdate) (UpdateResult, error) {
	if expected != auth.HashProgram([]byte(db.program)) {
		return UpdateResult{}, host.ErrEnvConflict
	}
	changed, err := db.env.change(u)
	return UpdateResult{Unchanged: !changed, Offset: 3}, err
}

func (db *fakeDatabase) stop() {
	db.mu.Lock()
	defer db.mu.Unlock()
	if !db.stopped {
		db.stopped = true
		close(db.done)
		db.moved.Broadcast()
	}
}

func (db *fakeDatabase) Connect(_ context.Context, c Caller) error {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.reject != nil {
		return db.reject
	}
	db.host.note("connect")
	return nil
}

func (db *fakeDatabase) Disconnect(context.Context, Caller) error {
	db.host.note("disconnect")
	return nil
}

func (db *fakeDatabase) Attach(_ context.Context, c *subscribe.Client, who Caller, exited func()) error {
	db.mu.Lock()
	connects := db.connects
	db.mu.Unlock()
	if connects != nil {
		connects <- struct{}{}
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.reject != nil {
		return db.reject
	}
	db.host.note("attach")
	db.clients[c] = exited
	db.moved.Broadcast()
	return nil
}

func (db *fakeDatabase) Detach(_ context.Context, c *subscribe.Client, who Caller) error {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.host.note("detach")
	delete(db.clients, c)
	db.detached++
	db.moved.Broadcast()
	return nil
}

// waitAttached waits until n clients are there: a session begins after its handshake
// has been answered.
func (db *fakeDatabase) waitAttached(n int) {
	db.mu.Lock()
	defer db.mu.Unlock()
	for len(db.clients) < n {
		db.moved.Wait()
	}
}

// waitDetached waits until n clients have been detached.
func (db *fakeDatabase) waitDetached(n int) {
	db.mu.Lock()
	defer db.mu.Unlock()
	for db.detached < n {
		db.moved.Wait()
	}
}

func (db *fakeDatabase) Handle(_ context.Context, c *subscribe.Client, _ Caller, batch []wire.ClientMessage) (int, error) {
	db.mu.Lock()
	hold, handle := db.hold, db.handle
	db.mu.Unlock()
	if hold != nil {
		<-hold
	}
	for _, m := range batch {
		db.mu.Lock()
		db.handled = append(db.handled, m)
		db.moved.Broadcast()
		db.mu.Unlock()
		if handle != nil {
			if err := handle(c, m); err != nil {
				return 0, err
			}
			continue
		}
		if o, ok := m.(*wire.OneOffQuery); ok {
			text := "echo: " + o.Query
			c.Out.Send(oneOff(c, o, text))
		}
	}
	return len(batch), nil
}

// oneOff is the error answer of a one-off query, the simplest message there is.
func oneOff(c *subscribe.Client, o *wire.OneOffQuery, text string) subscribe.Message {
	switch c.Protocol {
	case wire.V2, wire.V3:
		m := &v2.OneOffQueryResult{RequestID: o.RequestID, Error: &text}
		return subscribe.Message{Body: m.Append(nil)}
	case wire.V1Binary:
		m := &v1.OneOffQueryResponse{MessageID: o.MessageID, Error: &text}
		return subscribe.Message{Body: m.Append(nil)}
	}
	b, err := v1.JSON(nil, &v1.OneOffQueryResponse{MessageID: o.MessageID, Error: &text})
	if err != nil {
		panic(err)
	}
	return subscribe.Message{Body: b}
}

func (db *fakeDatabase) waitHandled(n int) []wire.ClientMessage {
	db.mu.Lock()
	defer db.mu.Unlock()
	for len(db.handled) < n {
		db.moved.Wait()
	}
	return db.handled
}

func (db *fakeDatabase) Call(_ context.Context, who Caller, function string, args []byte) (CallResult, error) {
	db.host.note("call " + function)
	res := CallResult{Energy: 1843, Duration: 212 * time.Microsecond, Offset: 7, HasOffset: true}
	switch function {
	case "good":
		if string(args) != `["Alice"]` {
			return res, &CallError{Kind: InvalidArguments, Message: "invalid arguments for reducer good: " + string(args)}
		}
	case "fails":
		res.Status, res.Message = Failed, "no more salt"
	case "expensive":
		res.Status = OutOfEnergy
	case "opened":
		return res, &CallError{Kind: LifecycleCall, Message: "can't directly call special OnConnect lifecycle reducer"}
	case "gone":
		return res, &CallError{Kind: ModuleGone, Message: "no such module"}
	case "dead":
		return res, &CallError{Kind: WorkerDied, Message: "The reducer worker encountered a fatal error: x"}
	case "maybe":
		res.Procedure, res.ReturnType = true, sats.Option(sats.String)
		res.Return = sats.AppendString([]byte{0}, "x")
	case "pair":
		res.Procedure, res.ReturnType = true, sats.Product(sats.E("n", sats.U32), sats.E("kind", sats.Enum("Red", "Green")))
		res.Return = []byte{7, 0, 0, 0, 1}
	case "trips":
		res.Procedure, res.Status, res.Message = true, Trapped, "The module instance encountered a fatal error: x"
	case "greedy":
		res.Procedure, res.Status = true, OutOfEnergy
	default:
		return res, &CallError{Kind: NoSuchFunction, Message: "No such procedure"}
	}
	return res, nil
}

func (db *fakeDatabase) CallReducer(ctx context.Context, who Caller, reducer string, args []byte) (CallResult, error) {
	res, err := db.Call(ctx, who, reducer, args)
	if err == nil && res.Procedure {
		return CallResult{}, &CallError{Kind: NoSuchFunction, Message: "No such procedure"}
	}
	return res, err
}

// A path of the fake's router says what its handler does.
func (db *fakeDatabase) HasRoute(method, path string) bool {
	switch path {
	case "", "/", "/a b", "//x", "/echo", "/crash", "/busy", "/gone", "/tea", "/none":
		return method != "OPTIONS"
	}
	return false
}

func (db *fakeDatabase) CallHandler(_ context.Context, req *RouteRequest) (res RouteResponse, err error) {
	db.mu.Lock()
	db.routed = append(db.routed, req)
	db.mu.Unlock()
	res.Code = 200
	header := func(name, value string) {
		res.Headers = append(res.Headers, host.HTTPHeader{Name: name, Value: []byte(value)})
	}
	switch req.Path {
	case "/crash":
		return res, &host.HandlerError{Message: "unreachable"}
	case "/busy":
		return res, host.ErrBusy
	case "/gone":
		return res, host.ErrStopped
	case "/tea":
		res.Code, res.Body = 418, []byte("short and stout")
		header("x-pot", "one")
		header("X-Pot", "two")
		header("access-control-allow-origin", "https://elsewhere")
		header("access-control-expose-headers", "x-pot")
		header("vary", "x-cup")
		header("content-type", "text/tea")
		header("content-length", "3")
		header("transfer-encoding", "gzip")
	case "/none":
		res.Code, res.Body = 204, []byte("dropped")
	default:
		res.Body = []byte(req.Method + " " + req.Path + " " + string(req.Body))
	}
	return res, nil
}

func (db *fakeDatabase) lastRouted() *RouteRequest {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.routed[len(db.routed)-1]
}

func (db *fakeDatabase) SQL(_ context.Context, who Caller, text string) (SQLResult, error) {
	db.host.note("sql")
	switch text {
	case "SELECT":
		return SQLResult{
			Columns:  sats.Product(sats.E("id", sats.U32), sats.E("name", sats.String)),
			Rows:     [][]byte{sats.AppendString(sats.AppendU32(nil, 1), "al\"ice"), sats.AppendString(sats.AppendU32(nil, 2), "bob")},
			Duration: 97 * time.Microsecond, Offset: 5, HasOffset: true,
		}, nil
	case "WHO":
		return SQLResult{Columns: sats.Product(sats.E("who", sats.IdentityType)), Rows: [][]byte{who.Identity.AppendBSATN(nil)}}, nil
	case "INSERT":
		return SQLResult{Columns: sats.Unit, Inserted: 2, Duration: time.Microsecond, Offset: 6, HasOffset: true}, nil
	}
	return SQLResult{}, errors.New("no such table: `x`. If the table exists, it may be marked private.")
}

func (db *fakeDatabase) StreamSQL(ctx context.Context, gone <-chan struct{}, who Caller, st SQLStatement, sink SQLSink) (SQLResult, error) {
	text := st.Text
	if text == "FOREVER" {
		db.host.note("forever")
		<-gone
		db.host.note("gone")
		return SQLResult{}, errors.New("The caller of the SQL statement has gone")
	}
	switch text {
	case "MANY", "BROKEN":
		return db.many(manyRows, text == "BROKEN", sink)
	case "HUGE":
		return db.many(10*manyRows, false, sink)
	}
	res, err := db.SQL(ctx, who, text)
	if err != nil || len(res.Columns.Elems) == 0 {
		return res, err
	}
	if err := sink.Begin(res); err != nil {
		return res, err
	}
	for _, row := range res.Rows {
		if err := sink.Row(row); err != nil {
			return res, err
		}
	}
	res.Rows = nil
	return res, nil
}

func (db *fakeDatabase) DescribeSQL(who Caller, st SQLStatement) (SQLResult, error) {
	if st.Text == "MANY" {
		return SQLResult{Columns: sats.Product(sats.E("id", sats.U32)), Verb: "MANY"}, nil
	}
	res, err := db.SQL(context.Background(), who, st.Text)
	res.Rows, res.Verb = nil, st.Text
	return res, err
}

// manyRows is how many rows the statement MANY has; BROKEN fails after half of them.
const manyRows = 200_000

func (db *fakeDatabase) many(rows uint32, broken bool, sink SQLSink) (res SQLResult, err error) {
	res = SQLResult{Columns: sats.Product(sats.E("id", sats.U32)), Duration: time.Millisecond, Offset: 5, HasOffset: true}
	if err := sink.Begin(res); err != nil {
		return res, err
	}
	for i := range rows {
		if broken && i == rows/2 {
			return res, errors.New("Division by zero")
		}
		if err := sink.Row(sats.AppendU32(nil, i)); err != nil {
			return res, err
		}
	}
	return res, nil
}

func (db *fakeDatabase) Schema(version int) ([]byte, error) {
	if version == 9 {
		return []byte(`{"typespace":{"types":[]}}`), nil
	}
	return []byte(`{"sections":[]}`), nil
}

func (db *fakeDatabase) PrePublish(_ context.Context, program []byte, _, color bool) (PrePublishResult, error) {
	if err := badProgram(program); err != nil {
		return PrePublishResult{}, err
	}
	if bytes.HasPrefix(program, []byte("manual")) {
		return PrePublishResult{Manual: "Errors occurred:\nChanging x"}, nil
	}
	plan := "plain"
	if color {
		plan = "coloured"
	}
	token, _ := sats.ParseHash("dac1f240b8256d4a99f9bdbaa6db218bc2721af535277a00e60c09122e8e3014")
	return PrePublishResult{Plan: plan, BreakClients: true, Token: token}, nil
}

func (db *fakeDatabase) Update(_ context.Context, program []byte, _ bool, policy UpdatePolicy) (UpdateResult, error) {
	env := db.env
	env.needed = bytes.HasPrefix(program, []byte("needy"))
	if _, err := env.change(policy.Environment); err != nil {
		return UpdateResult{}, err
	}
	db.env = env
	if string(program) == db.program {
		db.host.note("update unchanged")
		return UpdateResult{Unchanged: true}, nil
	}
	if err := badProgram(program); err != nil {
		return UpdateResult{}, err
	}
	switch {
	case bytes.HasPrefix(program, []byte("manual")):
		return UpdateResult{}, &UpdateError{Manual: true, Message: "Errors occurred:\nChanging x\n\n"}
	case bytes.HasPrefix(program, []byte("breaks")) && !policy.BreakClients:
		return UpdateResult{}, &UpdateError{Message: "Migration plan contains a client-breaking change which is disallowed under current policy"}
	case policy.BreakClients && policy.Token == sats.Hash{31: 0x01}:
		return UpdateResult{}, &UpdateError{Message: "Token provided is invalid or does not match expected hash"}
	}
	db.host.note("update")
	db.program = string(program)
	return UpdateResult{Offset: 9}, nil
}

func (db *fakeDatabase) WaitDurable(ctx context.Context, offset uint64) (uint64, error) {
	defer context.AfterFunc(ctx, func() {
		db.mu.Lock()
		defer db.mu.Unlock()
		db.moved.Broadcast()
	})()
	db.mu.Lock()
	defer db.mu.Unlock()
	for offset >= db.durable {
		if db.stopped {
			return 0, errors.New("no such module")
		}
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		db.moved.Wait()
	}
	return db.durable, nil
}

func (db *fakeDatabase) setDurable(n uint64) {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.durable = n
	db.moved.Broadcast()
}

func (db *fakeDatabase) Logs(ctx context.Context, tail int, follow bool) (io.ReadCloser, error) {
	lines := strings.SplitAfter(db.logText, "\n")
	lines = lines[:len(lines)-1]
	if tail >= 0 && tail < len(lines) {
		lines = lines[len(lines)-tail:]
	}
	past := strings.NewReader(strings.Join(lines, ""))
	if !follow {
		return io.NopCloser(past), nil
	}
	r, w := io.Pipe()
	db.mu.Lock()
	db.follower = w
	db.moved.Broadcast()
	db.mu.Unlock()
	context.AfterFunc(ctx, func() { _ = w.Close() })
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(past, r), r}, nil
}

func (db *fakeDatabase) Done() <-chan struct{} { return db.done }

// Receive does what the name of the reducer says.
func (db *fakeDatabase) Receive(_ context.Context, c *host.OutboxCall, conn sats.ConnectionID) (host.OutboxAnswer, error) {
	db.received = append(db.received, *c)
	if conn.IsZero() {
		return host.OutboxAnswer{}, errors.New("no connection id")
	}
	switch c.Reducer {
	case "fine":
		return host.OutboxAnswer{Status: schema.ResultOk}, nil
	case "refuses":
		return host.OutboxAnswer{Status: schema.ResultErr, Text: "not today"}, nil
	case "burns":
		return host.OutboxAnswer{Status: schema.ResultBudget, Text: "Module energy budget exhausted."}, nil
	case "forgotten":
		return host.OutboxAnswer{Forgotten: true}, nil
	case "early":
		return host.OutboxAnswer{}, &host.OutOfOrderError{Expected: 2, Got: c.Seq}
	}
	return host.OutboxAnswer{}, host.ErrStopped
}

// A rig is a server on a fake host, with its HTTP listener.
type rig struct {
	*Server
	t    testing.TB
	fake *fakeHost
	url  string
	ctl  *control.DB
	dir  string
}

func newRig(t testing.TB, change ...func(*Options)) *rig {
	t.Helper()
	dir := t.TempDir()
	keys, err := auth.LoadKeys(vfs.OS{}, filepath.Join(dir, "k"), filepath.Join(dir, "k.pub"), nil)
	if err != nil {
		t.Fatal(err)
	}
	ctl, err := control.Open(control.Options{Dir: dir, FS: vfs.OS{}, Hash: auth.HashProgram})
	if err != nil {
		t.Fatal(err)
	}
	fake := newFakeHost()
	o := Options{Auth: auth.New(auth.Options{Keys: keys}), Control: ctl, Host: fake, Version: "2.8.3"}
	for _, f := range change {
		f(&o)
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(s.Handler())
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if n := s.outgoing.bytes.Load(); n != 0 {
			t.Errorf("%d bytes wait for clients that are gone", n)
		}
		web.Close()
		http.DefaultClient.CloseIdleConnections()
		o.Auth.Close()
		_ = ctl.Close()
	})
	return &rig{Server: s, t: t, fake: fake, url: web.URL, ctl: ctl, dir: dir}
}

// An answer is what came back, read whole.
type answer struct {
	status int
	header http.Header
	body   string
}

// client sends requests as they are: no redirects followed.
var client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// do sends a request. Headers are given as "name: value".
func (r *rig) do(method, path, token, body string, headers ...string) answer {
	r.t.Helper()
	var from io.Reader
	if body != "" {
		from = strings.NewReader(body)
	}
	req, err := http.NewRequest(method, r.url+path, from)
	if err != nil {
		r.t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Add(name, value)
	}
	res, err := client.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, string(b)}
}

// want checks status and body of an answer.
func (r *rig) want(a answer, status int, body string) answer {
	r.t.Helper()
	if a.status != status || a.body != body {
		r.t.Errorf("got %d %q, want %d %q", a.status, a.body, status, body)
	}
	return a
}

// identity makes a new identity and its token.
func (r *rig) identity() (id, token string) {
	r.t.Helper()
	a := r.do("POST", "/v1/identity", "", "")
	var got struct{ Identity, Token string }
	if err := json.Unmarshal([]byte(a.body), &got); err != nil {
		r.t.Fatalf("%d %s: %v", a.status, a.body, err)
	}
	return got.Identity, got.Token
}

// published publishes a program and returns the database's identity.
func (r *rig) published(name, token, program string) string {
	r.t.Helper()
	a := r.do("PUT", "/v1/database/"+name, token, program)
	var got struct {
		Success struct {
			Identity string `json:"database_identity"`
		}
	}
	if err := json.Unmarshal([]byte(a.body), &got); err != nil || a.status != 200 {
		r.t.Fatalf("publish: %d %s", a.status, a.body)
	}
	return got.Success.Identity
}
