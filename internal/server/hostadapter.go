package server

import (
	"context"
	"errors"
	"io"

	"github.com/stdbgo/spacetime/internal/host"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/subscribe"
	"github.com/stdbgo/spacetime/internal/wire"
	"github.com/stdbgo/spacetime/sats"
)

// Databases makes a Host of the real one.
func Databases(h *host.Host) Host { return databases{h} }

type databases struct{ h *host.Host }

func hostInfo(i DatabaseInfo) host.DatabaseInfo {
	return host.DatabaseInfo{
		Replica: i.Replica, Identity: i.Identity, Owner: i.Owner,
		Kind: programKind(i.JS), ProgramHash: i.Program, Environment: i.Environment,
	}
}

func programKind(js bool) host.ProgramKind {
	if js {
		return host.JS
	}
	return host.Wasm
}

func (d databases) Open(ctx context.Context, info DatabaseInfo, initial func() ([]byte, error)) (Database, error) {
	db, err := d.h.Open(ctx, hostInfo(info), initial)
	if err != nil {
		return nil, err
	}
	return database{db}, nil
}

func (d databases) Create(ctx context.Context, info DatabaseInfo, program []byte) (Database, error) {
	db, err := d.h.Create(ctx, hostInfo(info), program)
	if err == nil {
		return database{db}, nil
	}
	var refused *host.InitError
	if errors.As(err, &refused) {
		err = refused // its text alone is the answer
	}
	return nil, err
}

func (d databases) Stop(ctx context.Context, replica uint64) error { return d.h.Stop(ctx, replica) }

func (d databases) Delete(ctx context.Context, replica uint64) error { return d.h.Delete(ctx, replica) }

func (d databases) Running() []uint64 { return d.h.Running() }

func (d databases) StoredLog(replica uint64, tail int) ([]byte, error) {
	return d.h.StoredLog(replica, tail)
}

func (d databases) Close() error { return d.h.Close() }

// Stats returns the counts of the running databases.
func (d databases) Stats() []DatabaseStats {
	var all []DatabaseStats
	for _, db := range d.h.All() {
		all = append(all, db.Stats())
	}
	return all
}

type database struct{ db *host.Database }

func hostCaller(c Caller) host.Caller {
	return host.Caller{Identity: c.Identity, Conn: c.Conn, JWT: c.JWT, IsOwner: c.IsOwner, Confirmed: c.Confirmed}
}

// connected translates a refusal by client_connected.
func connected(err error) error {
	var r *host.RejectedError
	if errors.As(err, &r) {
		return &RejectedError{Message: r.Message, OutOfEnergy: r.OutOfEnergy}
	}
	return err
}

func (d database) Connect(ctx context.Context, c Caller) error {
	return connected(d.db.Connect(ctx, hostCaller(c)))
}

func (d database) Disconnect(ctx context.Context, c Caller) error {
	return d.db.Disconnect(ctx, hostCaller(c))
}

func (d database) Attach(ctx context.Context, c *subscribe.Client, who Caller, exited func()) error {
	return connected(d.db.Attach(ctx, c, hostCaller(who), exited))
}

func (d database) Detach(ctx context.Context, c *subscribe.Client, who Caller) error {
	err := d.db.Detach(ctx, c, hostCaller(who))
	if errors.Is(err, host.ErrStopped) {
		return nil // the host has let go of its clients
	}
	return err
}

func (d database) Handle(ctx context.Context, c *subscribe.Client, who Caller, batch []wire.ClientMessage) (int, error) {
	return d.db.Handle(ctx, c, hostCaller(who), batch)
}

func (d database) Call(ctx context.Context, who Caller, function string, args []byte) (CallResult, error) {
	out, err := d.callReducer(ctx, who, function, args, true)
	if errors.Is(err, host.ErrIsProcedure) {
		return d.callProcedure(ctx, who, function, args)
	}
	return out, err
}

func (d database) CallReducer(ctx context.Context, who Caller, reducer string, args []byte) (CallResult, error) {
	return d.callReducer(ctx, who, reducer, args, false)
}

func (d database) callReducer(ctx context.Context, who Caller, name string, args []byte, orProcedure bool) (CallResult, error) {
	res, err := d.db.CallReducer(ctx, &host.CallRequest{Caller: hostCaller(who), Name: name, Args: args, ArgsJSON: true, OrProcedure: orProcedure})
	if orProcedure && errors.Is(err, host.ErrIsProcedure) {
		return CallResult{}, err
	}
	if err != nil {
		return CallResult{}, callError(err)
	}
	out := CallResult{Message: res.Message, Energy: res.Energy, Duration: res.Duration, Offset: res.Offset, HasOffset: res.HasOffset}
	switch res.Status {
	case host.Committed:
		out.Status = Committed
	case host.OutOfEnergy:
		out.Status = OutOfEnergy
	default:
		out.Status = Failed
	}
	return out, nil
}

func (d database) callProcedure(ctx context.Context, who Caller, name string, args []byte) (CallResult, error) {
	res, err := d.db.CallProcedure(ctx, &host.ProcedureRequest{Caller: hostCaller(who), Name: name, Args: args, ArgsJSON: true})
	if err != nil {
		return CallResult{}, callError(err)
	}
	out := CallResult{
		Procedure: true, Message: res.Message, Energy: res.Energy, Duration: res.Duration,
		Return: res.Value, ReturnType: res.Procedure.Return, Types: res.Procedure.Typespace, Offset: res.Offset, HasOffset: res.HasOffset,
	}
	switch res.Status {
	case host.Committed:
		out.Status = Committed
	case host.OutOfEnergy:
		out.Status = OutOfEnergy
	default:
		out.Status = Trapped
	}
	return out, nil
}

func (d database) Receive(ctx context.Context, c *host.OutboxCall, conn sats.ConnectionID) (host.OutboxAnswer, error) {
	return d.db.Receive(ctx, c, conn)
}

func (d database) HasRoute(method, path string) bool { return d.db.HasRoute(method, path) }

func (d database) CallHandler(ctx context.Context, req *RouteRequest) (RouteResponse, error) {
	return d.db.CallHandler(ctx, req)
}

func (d database) Environment() (EnvInfo, error) { return d.db.Environment() }

func (d database) SetEnvironment(ctx context.Context, expected sats.Hash, u EnvUpdate) (UpdateResult, error) {
	res, err := d.db.SetEnvironment(ctx, expected, u)
	return UpdateResult{Unchanged: res.Unchanged, Offset: res.Offset}, err
}

// callError translates the reasons why a function did not run.
func callError(err error) error {
	var lifecycle *host.LifecycleError
	var args *host.InvalidArgsError
	switch {
	case errors.Is(err, host.ErrNoSuchReducer), errors.Is(err, host.ErrNoSuchProcedure):
		return &CallError{Kind: NoSuchFunction, Message: "No such procedure"}
	case errors.Is(err, host.ErrBusy):
		return &CallError{Kind: TooBusy, Message: err.Error()}
	case errors.As(err, &lifecycle):
		return &CallError{Kind: LifecycleCall, Message: err.Error()}
	case errors.As(err, &args):
		return &CallError{Kind: InvalidArguments, Message: args.Chain()}
	case errors.Is(err, host.ErrStopped):
		return &CallError{Kind: ModuleGone, Message: err.Error()}
	}
	return &CallError{Kind: WorkerDied, Message: "The reducer worker encountered a fatal error: " + err.Error()}
}

func (d database) SQL(ctx context.Context, who Caller, text string) (SQLResult, error) {
	res, err := d.db.SQL(ctx, hostCaller(who), text)
	if err != nil {
		return SQLResult{}, err
	}
	return sqlResult(res), nil
}

func (d database) StreamSQL(ctx context.Context, gone <-chan struct{}, who Caller, st SQLStatement, sink SQLSink) (SQLResult, error) {
	res, err := d.db.StreamSQL(ctx, gone, hostCaller(who), st, hostSink{sink})
	if err != nil {
		return SQLResult{}, err
	}
	return sqlResult(res), nil
}

func (d database) DescribeSQL(who Caller, st SQLStatement) (SQLResult, error) {
	res, err := d.db.DescribeSQL(hostCaller(who), st)
	return sqlResult(res), err
}

type hostSink struct{ SQLSink }

func (s hostSink) Begin(head host.SQLResult) error { return s.SQLSink.Begin(sqlResult(head)) }

func sqlResult(res host.SQLResult) SQLResult {
	return SQLResult{
		Columns: res.Columns, Nulls: res.Nulls, Verb: res.Verb, Rows: res.Rows,
		Inserted: uint64(res.Stats.Inserted), Deleted: uint64(res.Stats.Deleted), Updated: uint64(res.Stats.Updated),
		Duration: res.Duration, Offset: res.Offset, HasOffset: res.HasOffset,
	}
}

func (d database) Schema(version int) ([]byte, error) {
	if version == 9 {
		return d.db.Module().ExportV9()
	}
	return d.db.Module().ExportV10()
}

func (d database) PrePublish(ctx context.Context, program []byte, js, color bool) (PrePublishResult, error) {
	res, err := d.db.PrePublish(ctx, programKind(js), program)
	if err != nil {
		return PrePublishResult{}, err
	}
	out := PrePublishResult{Manual: res.Manual, BreakClients: res.BreaksUsers, Token: res.Token, MajorUpgrade: res.MajorUpgrade}
	if res.Plan != nil {
		style := schema.NoColor
		if color {
			style = schema.AnsiColor
		}
		out.Plan = res.Plan.Pretty(style)
	}
	return out, nil
}

func (d database) Update(ctx context.Context, program []byte, js bool, p UpdatePolicy) (UpdateResult, error) {
	res, err := d.db.Update(ctx, programKind(js), program, host.UpdatePolicy{
		BreakClients: p.BreakClients, Token: p.Token, Environment: p.Environment,
	})
	var refused *host.MigrationError
	if errors.As(err, &refused) {
		return UpdateResult{}, &UpdateError{Manual: refused.Manual, Message: refused.Error()}
	}
	return UpdateResult{Unchanged: res.Unchanged, Offset: res.Offset}, err
}

func (d database) WaitDurable(ctx context.Context, offset uint64) (uint64, error) {
	return d.db.WaitDurable(ctx, offset)
}

func (d database) Logs(ctx context.Context, tail int, follow bool) (io.ReadCloser, error) {
	return d.db.Logs(ctx, tail, follow)
}

func (d database) Done() <-chan struct{} { return d.db.Done() }
