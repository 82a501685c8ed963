package server

import (
	"context"
	"io"
	"time"

	"github.com/stdbgo/spacetime/internal/host"
	"github.com/stdbgo/spacetime/internal/sql"
	"github.com/stdbgo/spacetime/internal/subscribe"
	"github.com/stdbgo/spacetime/internal/wire"
	"github.com/stdbgo/spacetime/sats"
)

// This file is all the server asks of the databases behind it. Handlers and
// sessions are tested against a small implementation of these interfaces;
// hostadapter.go gives the real one.

// A Host runs databases. All methods may be called concurrently.
type Host interface {
	// Open returns the database if it runs, else launches it: recovery, module
	// instance, and `init` if it was never initialised, with the program that
	// initial returns. Concurrent calls for one replica share one launch; a
	// failure is reported to all of them and tried again by the next call.
	// ctx ends the caller's wait, not the launch.
	Open(ctx context.Context, info DatabaseInfo, initial func() ([]byte, error)) (Database, error)

	// Create launches a database for the first time: the program is checked, its
	// tables are made and `init` runs. After an error nothing of it is left, on
	// disk or running. A replica of the same database may be running meanwhile.
	// For an `init` that returned an error, the error's text is just that message.
	// An environment that does not fit is a *host.EnvError or *host.MissingEnvError.
	Create(ctx context.Context, info DatabaseInfo, program []byte) (Database, error)

	// Stop ends a running replica: its clients are closed with 1001 `module
	// exited`, its log is flushed. A replica that does not run is no error. The
	// files stay.
	Stop(ctx context.Context, replica uint64) error

	// Delete is Stop, and then removes the replica's files; it cannot be opened
	// again.
	Delete(ctx context.Context, replica uint64) error

	// Running are the replicas that run.
	Running() []uint64

	// StoredLog is the newest stored module log of a replica that cannot be
	// launched: its last tail lines, or all of it if tail < 0.
	StoredLog(replica uint64, tail int) ([]byte, error)

	// Close ends all databases: disconnect handling for the clients that are
	// left, log flushed. No other method is called during or after it.
	Close() error
}

// DatabaseInfo says which database to run.
type DatabaseInfo struct {
	Replica  uint64
	Identity sats.Identity
	Owner    sats.Identity
	JS       bool      // program kind: JavaScript instead of WebAssembly
	Program  sats.Hash // initial program
	// Environment is what a new database begins with.
	Environment EnvUpdate
}

// What databases know of environments, HTTP handlers and statements.
type (
	EnvUpdate     = host.EnvUpdate
	EnvInfo       = host.EnvInfo
	RouteRequest  = host.RouteRequest
	RouteResponse = host.RouteResponse
	SQLStatement  = host.SQLStatement
)

// A Caller is who asks for something.
type Caller struct {
	Identity sats.Identity
	Conn     sats.ConnectionID
	JWT      []byte // payload of the token, for st_connection_credentials
	IsOwner  bool
	// Confirmed has commits inside procedures wait until they are durable.
	Confirmed bool
}

// A Database is one running database. Contexts end the caller's wait at most;
// what began runs to its end.
type Database interface {
	// Connect runs the connect transaction of a caller of the HTTP interface
	// (st_client row, credentials, client_connected); *RejectedError if the
	// module refused. Disconnect undoes it, running client_disconnected.
	Connect(ctx context.Context, c Caller) error
	Disconnect(ctx context.Context, c Caller) error

	// Attach is Connect for a WebSocket connection: on success the client is
	// registered with the subscription manager. Detach removes its subscriptions
	// and runs client_disconnected; it is called once after a successful Attach,
	// from any goroutine, and returns when client_disconnected has ended. exited,
	// which does not block, is called when an update disconnects the client.
	Attach(ctx context.Context, c *subscribe.Client, who Caller, exited func()) error
	Detach(ctx context.Context, c *subscribe.Client, who Caller) error

	// Handle runs requests of one client in order, as many as are done in a short
	// while, and returns how many when their answers are in the client's outbox,
	// except those of procedures, which go on by themselves. Without an error it
	// is at least one. A returned error ends the connection with Close 1011 and
	// the error's text. Not called concurrently for one client.
	Handle(ctx context.Context, c *subscribe.Client, who Caller, batch []wire.ClientMessage) (int, error)

	// Call runs a function on behalf of the HTTP interface: reducers first, then
	// procedures (spec 06 §4.8). Errors: *CallError.
	Call(ctx context.Context, who Caller, function string, argsJSON []byte) (CallResult, error)
	// CallReducer is Call for reducers alone.
	CallReducer(ctx context.Context, who Caller, reducer string, argsJSON []byte) (CallResult, error)

	// Receive runs a call by an outbox of another database, once, and returns when the
	// outcome is durable. Errors: *host.OutOfOrderError, host.ErrStopped; the call is to
	// be made again then.
	Receive(ctx context.Context, c *host.OutboxCall, conn sats.ConnectionID) (host.OutboxAnswer, error)

	// HasRoute reports whether the module has an HTTP handler for a method and a
	// path behind /route. CallHandler runs it. Errors: host.ErrNoRoute,
	// *host.HandlerError, host.ErrBusy, host.ErrStopped.
	HasRoute(method, path string) bool
	CallHandler(ctx context.Context, req *RouteRequest) (RouteResponse, error)

	// Environment describes the environment, without values. SetEnvironment changes
	// it, for the program expected. Errors: *host.EnvError, *host.MissingEnvError,
	// host.ErrEnvConflict; nothing has changed then.
	Environment() (EnvInfo, error)
	SetEnvironment(ctx context.Context, expected sats.Hash, u EnvUpdate) (UpdateResult, error)

	// SQL runs one statement. An error's text is the answer.
	SQL(ctx context.Context, who Caller, text string) (SQLResult, error)
	// StreamSQL is SQL with the rows going to sink one after another instead of into
	// the result. It ends early when gone is closed.
	StreamSQL(ctx context.Context, gone <-chan struct{}, who Caller, st SQLStatement, sink SQLSink) (SQLResult, error)
	// DescribeSQL compiles a statement and runs nothing: the result has Columns and
	// Nulls, and the parameters of the statement get their types.
	DescribeSQL(who Caller, st SQLStatement) (SQLResult, error)

	// Schema is the definition of the module that runs now, in JSON, as version 9
	// or 10 of the raw form (spec 06 §4.10).
	Schema(version int) ([]byte, error)

	// PrePublish plans the migration to a program; nothing changes. An error is
	// about the program (it does not load, its definition is not valid).
	PrePublish(ctx context.Context, program []byte, js bool, color bool) (PrePublishResult, error)

	// Update replaces the program. The same program again is Unchanged, unless values
	// of the environment change. Errors: *UpdateError, *host.EnvError,
	// *host.MissingEnvError, else the program itself is bad. After an error the old
	// module runs on.
	Update(ctx context.Context, program []byte, js bool, policy UpdatePolicy) (UpdateResult, error)

	// WaitDurable returns when the transaction at offset is on disk, with the
	// offset below which everything is; at once for a database in memory. It
	// returns an error when ctx ends or the database stops first.
	WaitDurable(ctx context.Context, offset uint64) (durable uint64, err error)

	// Logs opens the module log: with tail < 0 the whole current file, else its
	// last tail lines; with follow, new lines as they come, until ctx ends or the
	// database stops. Each line is a JSON object and a line feed.
	Logs(ctx context.Context, tail int, follow bool) (io.ReadCloser, error)

	// Done is closed when the database has been stopped (deletion, reset, fault).
	Done() <-chan struct{}
}

// A RejectedError is a refusal by client_connected; Message is the module's.
type RejectedError struct {
	Message     string
	OutOfEnergy bool
}

func (e *RejectedError) Error() string { return e.Message }

// A CallResult is what became of a function that ran.
type CallResult struct {
	Status    CallStatus
	Message   string // of Failed: the error the reducer returned, or that of a trap
	Procedure bool   // Return holds the BSATN of its result, ReturnType its type
	Return    []byte
	// ReturnType may refer into Types.
	ReturnType *sats.Type
	Types      *sats.Typespace
	Energy     uint64
	Duration   time.Duration
	Offset     uint64 // of its transaction
	HasOffset  bool   // false: it committed nothing
}

// CallStatus tells how a call ended.
type CallStatus uint8

const (
	Committed CallStatus = iota
	Failed
	OutOfEnergy
	Trapped // procedures only; a reducer's trap is Failed
)

// A CallError says why a function did not run.
type CallError struct {
	Kind    CallErrorKind
	Message string // the answer's text, as in spec 06 §4.8
}

func (e *CallError) Error() string { return e.Message }

// CallErrorKind groups the reasons by HTTP status.
type CallErrorKind uint8

const (
	NoSuchFunction   CallErrorKind = iota // 404; also a private function and a caller who is not the owner
	InvalidArguments                      // 400
	LifecycleCall                         // 400
	ModuleGone                            // 404
	WorkerDied                            // 500
	TooBusy                               // 503
)

// An SQLResult is the outcome of one statement.
type SQLResult struct {
	Columns                    *sats.Type     // ref-free product; no elements for DML
	Nulls                      []sql.NullForm // where the options among Columns are from
	Verb                       string         // the statement's first word, in capitals
	Rows                       [][]byte       // BSATN of Columns each
	Inserted, Deleted, Updated uint64
	Duration                   time.Duration
	Offset                     uint64 // of the transaction read from or written
	HasOffset                  bool
}

// An SQLSink takes the rows of a result as they come. An error of its ends the
// statement.
type SQLSink interface {
	// Begin is called once, before the first row of a statement that reads, with
	// Columns, Offset and HasOffset.
	Begin(head SQLResult) error
	// Row takes one row, BSATN of Columns, valid during the call.
	Row(row []byte) error
}

// A PrePublishResult describes a planned migration.
type PrePublishResult struct {
	Manual       string // not empty: automatic migration is impossible, and why
	Plan         string // rendered, if not Manual
	BreakClients bool
	Token        sats.Hash
	MajorUpgrade bool // from a definition of version 9 or older to version 10
}

// An UpdatePolicy says what a migration may do.
type UpdatePolicy struct {
	BreakClients bool
	Token        sats.Hash // from pre-publish, with BreakClients
	Environment  EnvUpdate
}

// An UpdateResult says what an update did.
type UpdateResult struct {
	Unchanged bool
	Offset    uint64 // of its transaction, if not Unchanged
}

// An UpdateError refuses a migration. Message is the text after the fixed
// beginning of the answer.
type UpdateError struct {
	Manual  bool // `Database update rejected: ` instead of `Failed to create or update the database: `
	Message string
}

func (e *UpdateError) Error() string { return e.Message }
