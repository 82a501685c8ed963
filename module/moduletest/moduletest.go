// Package moduletest tests modules in Go: it calls the functions of the program under a fresh database in memory.
//
//	func TestSetName(t *testing.T) {
//		db := moduletest.New(t)
//		alice := db.Connect(moduletest.User("alice"))
//		if err := moduletest.Call(alice, SetName, SetNameArgs{Name: "Ada"}); err != nil {
//			t.Fatal(err)
//		}
//		if u, _ := userByID.Find(db.Read(), alice.Identity); *u.Name != "Ada" {
//			t.Errorf("the name is %s", *u.Name)
//		}
//	}
//
// Reducers and procedures are called through a client, HTTP handlers by Do. A view is a function that Read's context can be
// given, or a table that Rows reads.
//
// It owns the database, its clients and its clock, and promises what a server does with the same module: transactions,
// lifecycle reducers, schedules, visibility. It does not know how any of that is done.
package moduletest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/auth"
	"github.com/stdbgo/spacetime/internal/engine/native"
	"github.com/stdbgo/spacetime/internal/guest"
	"github.com/stdbgo/spacetime/internal/host"
	"github.com/stdbgo/spacetime/module"
	"github.com/stdbgo/spacetime/sats"
)

// A DB is a database in memory with the module of the program.
type DB struct {
	// Clock is the database's. It begins at 2026-01-01T00:00:00Z and stands still until Advance.
	Clock *Clock

	t       testing.TB
	db      *host.Database
	conns   atomic.Uint64
	remotes remotes
}

// An Option says more about the database that New makes: Env.
type Option interface{ apply(*host.DatabaseInfo) }

// Env gives environment variables their values.
type Env map[string]string

func (e Env) apply(info *host.DatabaseInfo) { info.Environment.Values = e }

// New makes a database and runs the reducer given to module.OnInit. It is closed when the test ends. The test fails at
// once if the module is not right or the reducer returns an error.
func New(t testing.TB, options ...Option) *DB {
	t.Helper()
	program, err := native.Program()
	if err != nil {
		t.Fatal(err)
	}
	db := &DB{t: t, Clock: &Clock{now: start}}
	db.remotes.db = db
	h, err := host.New(host.Options{
		InMemory: true, Clock: db.Clock, Courier: &db.remotes,
		Engines: map[host.ProgramKind]abi.Engine{host.Wasm: &native.Engine{Sleep: db.Clock.sleep}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	info := host.DatabaseInfo{Replica: 1, Identity: User("database"), Owner: User("owner")}
	for _, o := range options {
		o.apply(&info)
	}
	db.db, err = h.Create(context.Background(), info, program)
	if err != nil {
		t.Fatalf("moduletest: %v", err)
	}
	db.Clock.settle = db.settle
	db.Clock.Advance(0)
	return db
}

// start is the time at which a test begins.
var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// User returns the identity of a user, always the same for one name.
func User(name string) module.Identity { return auth.IdentityFromClaims("moduletest", name) }

// A Client is a caller of reducers.
type Client struct {
	Identity     module.Identity     // the Sender that reducers see
	ConnectionID module.ConnectionID // another one for each client

	db    *DB
	owner bool
}

func (db *DB) client(id module.Identity) *Client {
	return &Client{Identity: id, ConnectionID: sats.ConnectionIDFromU128(sats.U128From(db.conns.Add(1))), db: db}
}

func (c *Client) caller() host.Caller {
	return host.Caller{Identity: c.Identity, Conn: c.ConnectionID, IsOwner: c.owner}
}

// Connect connects a client and runs the reducer given to module.OnConnect. The test fails at once if that turns the
// client away; see TryConnect.
func (db *DB) Connect(id module.Identity) *Client {
	db.t.Helper()
	c, err := db.TryConnect(id)
	if err != nil {
		db.t.Fatal("moduletest: Connect: ", err)
	}
	return c
}

// TryConnect is Connect for clients that may be turned away, with a *CallError.
func (db *DB) TryConnect(id module.Identity) (*Client, error) {
	db.t.Helper()
	c := db.client(id)
	err := db.db.Connect(context.Background(), c.caller())
	db.Clock.Advance(0)
	var rejected *host.RejectedError
	if errors.As(err, &rejected) {
		return nil, db.callError("client_connected", rejected.Message)
	}
	if err != nil {
		db.t.Fatal("moduletest: Connect: ", err)
	}
	return c, nil
}

// Disconnect disconnects the client and runs the reducer given to module.OnDisconnect, whose error stands in the log.
func (c *Client) Disconnect() {
	c.db.t.Helper()
	if err := c.db.db.Disconnect(context.Background(), c.caller()); err != nil {
		c.db.t.Fatal("moduletest: Disconnect: ", err)
	}
	c.db.Clock.Advance(0)
}

// Owner returns the owner of the database as a client: the one who may call private reducers.
func (db *DB) Owner() *Client {
	c := db.client(User("owner"))
	c.owner = true
	return c
}

// A CallError says that a reducer or procedure failed: what its last transaction wrote is undone.
type CallError struct {
	Reducer string // or procedure
	Message string // what the caller gets to see: the text of the error that the reducer returned
	Panic   string // the text of the panic that ended the call, if one did
}

// Error returns the reducer and its panic, or what the caller gets to see.
func (e *CallError) Error() string {
	if e.Panic != "" {
		return e.Reducer + " panicked: " + e.Panic
	}
	return e.Message
}

// Call calls a reducer, given by its function, in a transaction of its own. The error is a *CallError.
func Call[A any](c *Client, reducer func(*module.Context, A) error, args A) error {
	c.db.t.Helper()
	return c.db.call(c, c.db.nameOf(reflect.ValueOf(reducer).Pointer()), sats.Append(nil, &args))
}

// nameOf finds the name of a reducer or procedure by its function.
func (db *DB) nameOf(entry uintptr) string {
	db.t.Helper()
	names := guest.Registered().(interface{ FunctionsOf(uintptr) []string }).FunctionsOf(entry)
	if len(names) != 1 {
		fn := runtime.FuncForPC(entry).Name()
		if len(names) == 0 {
			db.t.Fatalf("moduletest: %s is not declared with module.Reducer or module.Procedure", fn)
		}
		db.t.Fatalf("moduletest: %s is declared several times: %q", fn, names)
	}
	return names[0]
}

func (db *DB) call(c *Client, name string, args []byte) error {
	db.t.Helper()
	res, err := db.db.CallReducer(context.Background(), &host.CallRequest{Caller: c.caller(), Name: name, Args: args})
	// Each call has a time of its own, a microsecond after the last at least; what it planned for then is due now.
	db.Clock.Advance(max(res.Timestamp.ToTime().Sub(db.Clock.Now()), 0))
	if errors.Is(err, host.ErrNoSuchReducer) {
		return &CallError{Reducer: name, Message: "reducer " + name + " is private: only the owner may call it"}
	}
	if err != nil {
		db.t.Fatalf("moduletest: %s: %v", name, err)
	}
	if res.Status == host.Committed {
		return nil
	}
	return db.callError(name, res.Message)
}

// callError makes the error of a call that has just failed.
func (db *DB) callError(reducer, message string) error {
	e := &CallError{Reducer: reducer, Message: message}
	if message != abi.FatalErrorText {
		return e
	}
	for _, rec := range db.Log() {
		if rec.Level == "Panic" && rec.Function == reducer {
			e.Panic = rec.Message
		}
	}
	return e
}

// A LogRecord is one record of the module's log.
type LogRecord struct {
	Level    string // Error, Warn, Info, Debug, Trace or Panic
	Function string // the reducer that ran
	Message  string
}

// Log returns the module's log, oldest first.
func (db *DB) Log() (log []LogRecord) {
	db.t.Helper()
	r, err := db.db.Logs(context.Background(), -1, false)
	if err != nil {
		db.t.Fatal("moduletest: log: ", err)
	}
	defer r.Close()
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var rec LogRecord
		if err := json.Unmarshal(lines.Bytes(), &rec); err != nil {
			db.t.Fatal("moduletest: log: ", err)
		}
		log = append(log, rec)
	}
	if err := lines.Err(); err != nil {
		db.t.Fatal("moduletest: log: ", err)
	}
	return log
}

// settle returns when everything has run that is due.
func (db *DB) settle() {
	// The queue of the database is first come first served, so its turn is the last.
	_ = db.db.Disconnect(context.Background(), host.Caller{Conn: sats.ConnectionID{15: 0xff}})
	if db.Clock.sleepers.Load() == 0 { // else the one who sleeps may be what there is to wait for
		db.db.Settle()
	}
}

// Read returns a context for reading tables between calls. Each read sees the newest committed state; writing panics.
// Given to the function of a view it makes that a view without a sender.
func (db *DB) Read() *module.Context {
	m := guest.Registered().(interface {
		ContextOn(guest.Host) *module.Context
	})
	return m.ContextOn(&reader{db: db})
}

// Read returns a context for reading as DB.Read does, with the client as the sender: what the function of a view is given.
func (c *Client) Read() *module.Context {
	ctx := c.db.Read()
	ctx.Sender, ctx.ConnectionID = c.Identity, c.ConnectionID
	return ctx
}
