// The module of the test of procedures: what waits, asks the world outside, and
// answers it.
package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/stdbgo/spacetime/module"
)

// A Note is something that a function wants to be remembered.
type Note struct {
	Text   string          `stdb:"primarykey"`
	Sender module.Identity // of the transaction
}

// A Timer is a call of run.
type Timer struct {
	ID   uint64 `stdb:"primarykey,autoinc"`
	At   module.ScheduleAt
	Text string
}

var (
	notes      = module.NewTable[Note]("note", module.Public)
	noteByText = module.UniqueOf(notes, func(n *Note) *string { return &n.Text })
	timers     = module.NewTable[Timer]("timer")

	apiKey = module.Env("API_KEY")
	mode   = module.Env("MODE", module.OneOf("dev", "prod"), module.Optional)
)

func init() {
	module.OnInit(func(ctx *module.Context) error { return remember(ctx, "init "+keyIn(ctx)) })
	module.Reducer("note", func(ctx *module.Context, args struct{ Text string }) error { return remember(ctx, args.Text) })
	module.Reducer("schedule", func(ctx *module.Context, args struct{ Text string }) error {
		_, err := timers.Insert(ctx, Timer{At: module.At(ctx.Timestamp), Text: args.Text})
		return err
	})
	module.ScheduledProcedure(timers, "run", run)
	module.Procedure("add", func(_ *module.ProcedureContext, args struct{ A, B uint32 }) (uint64, error) {
		return uint64(args.A) + uint64(args.B), nil
	})
	module.Procedure("configuration", func(ctx *module.ProcedureContext, _ struct{}) (string, error) {
		m, ok := mode.Get(ctx)
		if !ok {
			m = "none"
		}
		return keyIn(ctx) + " " + m, nil
	})
	module.Procedure("fetch", func(ctx *module.ProcedureContext, args struct{ URL string }) (string, error) {
		res, err := ctx.Do(&module.HTTPRequest{URL: args.URL})
		var failed *module.HTTPError
		if errors.As(err, &failed) {
			return "failed: " + failed.Text, nil
		}
		return string(res.Body), err
	})
	module.Procedure("slow", func(ctx *module.ProcedureContext, args struct {
		Text    string
		Seconds uint32
	}) (string, error) {
		err := ctx.Tx(func(tx *module.Context) error { return remember(tx, fmt.Sprintf("sleeps-%d", args.Seconds)) })
		if err != nil {
			return "", err
		}
		ctx.Sleep(time.Duration(args.Seconds) * time.Second)
		return args.Text, ctx.Tx(func(tx *module.Context) error { return remember(tx, args.Text) })
	})
	module.Procedure("undo", func(ctx *module.ProcedureContext, _ struct{}) (string, error) {
		err := ctx.Tx(func(tx *module.Context) error {
			if err := remember(tx, "undone"); err != nil {
				return err
			}
			return errors.New("never mind")
		})
		return err.Error(), nil
	})
	module.Procedure("crash", func(*module.ProcedureContext, struct{}) (string, error) { panic("crashed") })
	module.HTTPHandler("echo", func(ctx *module.ProcedureContext, r *module.HTTPRequest) (*module.HTTPResponse, error) {
		err := ctx.Tx(func(tx *module.Context) error { return remember(tx, "echo "+string(r.Body)) })
		return &module.HTTPResponse{
			Status: 201, Header: module.HTTPHeader{{Name: "x-sender", Value: ctx.Sender.String()}},
			Body: []byte(r.Method + " " + r.URL + " " + r.Header.Get("x-a") + " " + string(r.Body)),
		}, err
	}, module.Route{Path: "/echo"})
	module.HTTPHandler("fail", func(*module.ProcedureContext, *module.HTTPRequest) (*module.HTTPResponse, error) {
		panic("no tea")
	}, module.Route{Method: "GET", Path: "/fail"})
	module.Reducer("key", func(ctx *module.Context, _ struct{}) error { return remember(ctx, "key "+keyIn(ctx)) })
}

// run sleeps before it remembers, so that calls overlap.
func run(ctx *module.ProcedureContext, row Timer) error {
	ctx.Sleep(300 * time.Millisecond)
	return ctx.Tx(func(tx *module.Context) error { return remember(tx, "ran "+row.Text) })
}

func keyIn(ctx module.Caller) string {
	key, _ := apiKey.Get(ctx)
	return strings.ToUpper(key)
}

func remember(ctx *module.Context, text string) error {
	if n, ok := noteByText.Find(ctx, text); ok {
		n.Sender = ctx.Sender
		_, err := noteByText.Update(ctx, n)
		return err
	}
	_, err := notes.Insert(ctx, Note{Text: text, Sender: ctx.Sender})
	return err
}

func main() { module.Main() }
