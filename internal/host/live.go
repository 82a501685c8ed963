package host

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/stdbgo/spacetime/internal/query"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/sql"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/internal/subscribe"
	"github.com/stdbgo/spacetime/internal/wire"
	v1 "github.com/stdbgo/spacetime/internal/wire/v1"
	"github.com/stdbgo/spacetime/sats"
)

// maxTurn is after how much time the rest of a batch has to wait for its turn
// again: others wait for a client's messages no longer than for one of them.
const maxTurn = 5 * time.Millisecond

// maxRead is how many rows queries may be expected to read while nobody can write.
// Others are evaluated beside the transactions that follow.
const maxRead = 2000

// Handle carries out the first messages of an attached client's batch in order,
// as one job, and returns how many, at least one, when their answers are in the
// client's outbox. A procedure is a batch of its own: its answer comes when it ends. An error means that the database has stopped, or that ctx
// ended before the job began.
func (db *Database) Handle(ctx context.Context, c *subscribe.Client, who Caller, batch []wire.ClientMessage) (n int, err error) {
	if call, ok := batch[0].(*wire.CallProcedure); ok {
		return 1, db.handleProcedure(ctx, c, who, call)
	}
	read := db.services.Now()
	var left unfinished
	err = db.exec.do(ctx, func(at sats.Timestamp) {
		began := db.exec.began
		end, _ := at.Add(sats.TimeDurationOf(maxTurn))
		for n = 0; n < len(batch) && (n == 0 || at < end) && left.close == nil; n++ {
			if _, ok := batch[n].(*wire.CallProcedure); ok {
				break // waits for an instance, which nobody else may have to
			}
			left, began = db.handle(at, read, began, c, who, batch[n])
			at = db.exec.stampAt(began)
		}
		db.gauge()
		db.exec.ended = began
	})
	if left.measure != nil {
		counted := left.count(db)
		left = unfinished{}
		if err == nil {
			err = db.exec.do(ctx, func(at sats.Timestamp) {
				left = db.handleQuery(at, read, c, who, batch[n-1], counted)
				db.gauge()
			})
		}
	}
	if left.evaluation != nil { // also if the job failed behind it: others wait for the answer
		left.make(db)
	}
	if err != nil {
		return 0, err
	}
	db.send.flush()
	return n, nil
}

// An unfinished message needs its rows read or counted, on the goroutine of whoever
// handed it in, and then close called. The zero value is a message that is done.
type unfinished struct {
	evaluation *subscribe.Evaluation
	measure    *subscribe.Measure
	close      func()
}

// count counts the rows of a message. As with evaluations no more run at a time than
// there are processors.
func (u *unfinished) count(db *Database) *subscribe.Count {
	db.evaluations <- struct{}{}
	defer func() { <-db.evaluations }()
	defer u.close()
	return u.measure.Run()
}

// make evaluates and sends the answer. No more evaluations run at a time than there
// are processors: each may hold a large message.
func (u *unfinished) make(db *Database) {
	db.evaluations <- struct{}{}
	defer func() {
		<-db.evaluations
		if v := recover(); v != nil {
			db.send.panicked(fmt.Errorf("host: internal error in an evaluation: %v\n%s", v, debug.Stack()))
		}
		u.close()
		db.send.push(u.evaluation.Answer())
	}()
	u.evaluation.Run()
}

// handle carries out a message, as far as that is the writer's business. began and ended
// are as with call.
func (db *Database) handle(at, read sats.Timestamp, began time.Time, c *subscribe.Client, who Caller, msg wire.ClientMessage) (_ unfinished, ended time.Time) {
	if call, ok := msg.(*wire.CallReducer); ok {
		return unfinished{}, db.handleCall(at, read, began, c, who, call)
	}
	return db.handleQuery(at, read, c, who, msg, nil), ended
}

func (db *Database) handleCall(at, read sats.Timestamp, began time.Time, c *subscribe.Client, who Caller, msg *wire.CallReducer) (ended time.Time) {
	req := &CallRequest{
		Caller: who, Name: msg.Reducer, Args: msg.Args, ArgsJSON: msg.ArgsJSON,
		Client: c, RequestID: msg.RequestID, Flags: msg.Flags, received: read,
	}
	r, args, err := db.prepare(db.mod, req)
	if err == nil {
		_, ended, err = db.call(at, began, r, args, req)
		if err == nil {
			return ended
		}
	}
	ev := &subscribe.Event{Client: c, RequestID: msg.RequestID, ReducerID: v1.NoReducer, Timestamp: at}
	if schema.CheckIdentifier(msg.Reducer) == nil {
		ev.Reducer = msg.Reducer
	}
	if r := db.mod.reducers[msg.Reducer]; r != nil {
		ev.ReducerID = r.ID
	}
	db.push(&single{c, subscribe.NotStarted(ev, notStartedText(c, err))})
	return time.Time{}
}

// notStartedText returns what a client reads; only clients of version 1 get the
// causes of bad arguments (spec 05 §11.3).
func notStartedText(c *subscribe.Client, err error) string {
	var args *InvalidArgsError
	if errors.As(err, &args) && c.Protocol.Version() == 1 {
		return args.Chain()
	}
	return err.Error()
}

// handleQuery carries out a subscribe, unsubscribe or one-off message. If its rows have
// been counted, counted says what came of it.
func (db *Database) handleQuery(at, read sats.Timestamp, c *subscribe.Client, who Caller, msg wire.ClientMessage, counted *subscribe.Count) unfinished {
	v := db.store.View()
	fresh := freshViews{round: viewRound{db: db, at: at}}
	release := func() {
		fresh.close()
		v.Close()
	}
	kept := false
	defer func() {
		if !kept {
			release()
		}
	}()
	run := db.measure(at, read, msg)
	offset, gated := db.lastOffset()
	caller := sql.Caller{Identity: who.Identity, IsOwner: who.IsOwner}
	one := compileOne
	if _, once := msg.(*wire.OneOffQuery); once {
		one = compileOnce
	}
	d := db.subs.Handle(&subscribe.Request{
		Client: c, Reader: v, Offset: offset, Gated: gated, Large: maxRead,
		MaxBytes: db.host.opts.SubscriptionBytes, Counted: counted,
		Compile: func(text string) ([]*subscribe.Query, error) {
			defer run.compiling()()
			return compileLive(v, text, caller)
		},
		CompileOne: func(text string) (*subscribe.Query, error) {
			defer run.compiling()()
			return one(v, text, caller)
		},
		Admit: func(fresh []*subscribe.Query) error {
			var plans []*query.Plan
			for _, q := range fresh {
				plans = append(plans, q.Plans...)
			}
			return sql.CheckRowLimit(v, caller, plans...)
		},
		Prepare: func(qs []*subscribe.Query) (store.Reader, error) {
			run.queries += len(qs)
			return fresh.prepare(v, qs)
		},
		Once:   db.sqlLimits(caller, db.host.opts.Clock.Now(), nil),
		Micros: func() uint64 { return uint64(max(db.services.Now()-read, 0)) },
	}, msg)
	switch d := d.(type) {
	case *subscribe.Measure:
		kept = true
		return unfinished{measure: d, close: release} // it is carried out once more
	case *subscribe.Evaluation:
		run.end()
		kept = true
		db.push(d)
		return unfinished{evaluation: d, close: release}
	}
	run.end()
	db.push(d)
	return unfinished{}
}

// A single is the delivery of one message.
type single struct {
	to  *subscribe.Client
	msg subscribe.Message
}

func (s *single) Deliver() { s.to.Send(s.msg) }

// compileLive compiles a query to subscribe to; SELECT * FROM * gives several.
func compileLive(r store.Reader, text string, caller sql.Caller) ([]*subscribe.Query, error) {
	qs, err := sql.CompileSubscriptionSet(r, []string{text}, caller)
	if err != nil {
		if q, ok := err.(*sql.QueryError); ok {
			err = q.Err
		}
		return nil, err
	}
	return liveQueries(qs, caller), nil
}

// compileOne compiles a query to subscribe to that stands for itself only.
func compileOne(r store.Reader, text string, caller sql.Caller) (*subscribe.Query, error) {
	q, err := sql.CompileSubscription(r, text, caller)
	if err != nil {
		return nil, err
	}
	return liveQuery(q, caller), nil
}

// compileOnce compiles a query that is answered once.
func compileOnce(r store.Reader, text string, caller sql.Caller) (*subscribe.Query, error) {
	q, err := sql.CompileOneOff(r, text, caller)
	if err != nil {
		return nil, err
	}
	if err := sql.CheckRowLimit(r, caller, q.Plan); err != nil {
		return nil, err
	}
	return liveQuery(q, caller), nil
}

func liveQueries(qs []*sql.Query, caller sql.Caller) []*subscribe.Query {
	out := make([]*subscribe.Query, len(qs))
	for i, q := range qs {
		out[i] = liveQuery(q, caller)
	}
	return out
}

func liveQuery(q *sql.Query, caller sql.Caller) *subscribe.Query {
	key := "*" + q.Text
	if q.PerCaller {
		key = queryKey(q.Text, caller)
	}
	return &subscribe.Query{Key: key, Text: q.Text, Plans: []*query.Plan{q.Plan}}
}

// The key of a query whose result depends on the caller names him, so that it can
// be compiled again after an update: "o" or "c" for owner or other, his identity,
// the text.
func queryKey(text string, c sql.Caller) string {
	kind := "c"
	if c.IsOwner {
		kind = "o"
	}
	return kind + c.Identity.String() + text
}

func callerOf(key string) (c sql.Caller) {
	if kind := key[0]; kind != '*' {
		c.IsOwner = kind == 'o'
		c.Identity, _ = sats.ParseIdentity(key[1:65])
	}
	return c
}

// watchQuery is told of each query that becomes live or is live no more.
func (db *Database) watchQuery(q *subscribe.Query, step int) {
	if step > 0 {
		db.meter.queries.news.Add(1)
	}
	db.watchViews(q, step)
	for _, p := range q.Plans {
		for _, k := range p.KeptColumns() {
			if step > 0 {
				db.store.KeepIndex(k.Table, k.Col)
			} else {
				db.store.DropKept(k.Table, k.Col)
			}
		}
	}
}

// recompile renews the plans of live queries after the schema has changed. It
// belongs to the writer.
func (db *Database) recompile() {
	v := db.store.View()
	defer v.Close()
	db.subs.Recompile(func(q *subscribe.Query) (*subscribe.Query, error) {
		qs, err := compileLive(v, q.Text, callerOf(q.Key))
		if err != nil {
			return nil, err
		}
		return qs[0], nil
	})
}
