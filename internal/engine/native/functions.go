package native

import (
	"context"
	"errors"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/guest"
)

// CallView evaluates a view, spec 03 §8.6. It works inside a procedure's commit too, and shares the procedure's fuel then.
func (in *instance) CallView(ctx context.Context, call *abi.ViewCall) (result abi.ViewResult, out abi.Outcome) {
	if in.dead != nil {
		return result, in.unusable()
	}
	c := abi.Call{Kind: abi.KindView, ID: call.ID, Function: call.Name, Tx: call.Tx, Time: call.Time, Sender: call.Sender}
	if !in.host.ctx.Running() {
		in.begin(ctx, c, call.Budget)
		defer in.end(&out)
		return in.runView(call)
	}
	outer, before, running := in.host.ctx.Enter(c), in.meter.used, in.meter.ctx
	in.host.busy = false // the commit is; what counts now is whether the view's host functions end
	defer func() {
		in.meter.ctx = running
		in.host.busy = true
		out.Fuel = in.meter.used - before
		in.host.ctx.Leave(outer)
	}()
	return in.runView(call)
}

func (in *instance) runView(call *abi.ViewCall) (result abi.ViewResult, out abi.Outcome) {
	c := guest.Call{ID: call.ID, Args: call.Args, Anonymous: call.Anonymous}
	if !call.Anonymous {
		c.Sender = call.Sender
	}
	returned := false
	defer func() {
		if !returned {
			out = in.panicked(recover())
		}
	}()
	b, text, ok := in.guest.CallView(&c)
	returned = true
	if out = in.returned(text, ok); out.Status != abi.StatusOK {
		return result, out
	}
	result, err := abi.ParseViewResult(b)
	if err != nil {
		return result, abi.BadViewResult(call.Name, err)
	}
	return result, out
}

// CallProcedure calls a procedure, spec 03 §8.5.
func (in *instance) CallProcedure(ctx context.Context, call *abi.ProcedureCall) (result []byte, out abi.Outcome) {
	if in.dead != nil {
		return nil, in.unusable()
	}
	in.begin(ctx, abi.Call{Kind: abi.KindProcedure, ID: call.ID, Function: call.Name, Time: call.Time,
		Sender: call.Sender, Conn: call.Conn, Host: call.Host, Done: ctx}, call.Budget)
	c := guest.Call{ID: call.ID, Sender: call.Sender, ConnectionID: call.Conn, Timestamp: call.Time.Micros(), Args: call.Args}
	out = in.waiting(func() (text string, ok bool) {
		result, text, ok = in.guest.CallProcedure(&c)
		return text, ok
	})
	return result, out
}

// CallHandler lets an HTTP handler answer, spec 03 §11.3.
func (in *instance) CallHandler(ctx context.Context, call *abi.HandlerCall) (result abi.HandlerResult, out abi.Outcome) {
	if in.dead != nil {
		return result, in.unusable()
	}
	in.begin(ctx, abi.Call{Kind: abi.KindHandler, ID: call.ID, Function: call.Name, Time: call.Time,
		Sender: call.Sender, Host: call.Host, Done: ctx}, call.Budget)
	c := guest.Call{ID: call.ID, Sender: call.Sender, Timestamp: call.Time.Micros(), Args: call.Request, Body: call.Body, JWT: call.JWT}
	out = in.waiting(func() (text string, ok bool) {
		result.Response, result.Body, text, ok = in.guest.CallHandler(&c)
		return text, ok
	})
	return result, out
}

// waiting runs a function of the module that may wait, and ends its call. Every failure is as bad as a panic: the instance is
// not used any more (spec 03 §12.2).
func (in *instance) waiting(f func() (text string, ok bool)) (out abi.Outcome) {
	returned := false
	defer func() {
		if !returned {
			out = in.panicked(recover())
		}
		in.end(&out)
	}()
	text, ok := f()
	returned = true
	if out = in.returned(text, ok); out.Status == abi.StatusUserError {
		return in.trapped(errors.New(out.Message))
	}
	return out
}
