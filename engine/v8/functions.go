//go:build v8 && cgo

package v8

// #include "shim.h"
import "C"

import (
	"context"

	"github.com/stdbgo/spacetime/engine/internal/jshost"
	"github.com/stdbgo/spacetime/internal/abi"
)

// CallView evaluates a view, spec 04 §8.2. It works inside a procedure's commit too, and shares the procedure's time then.
func (in *instance) CallView(ctx context.Context, call *abi.ViewCall) (abi.ViewResult, abi.Outcome) {
	if in.dead != nil {
		return abi.ViewResult{}, in.unusable()
	}
	c := abi.Call{Kind: abi.KindView, ID: call.ID, Function: call.Name, Tx: call.Tx, Time: call.Time, Sender: call.Sender}
	if !in.host.Running() {
		in.begin(ctx, c, in.budget(call.Budget))
		result, out := in.runView(call)
		return result, in.complete(out)
	}
	outer, before := in.host.Enter(c), in.meter.Spent()
	result, out := in.runView(call)
	out.Fuel = in.meter.Spent() - before
	in.host.Leave(outer)
	return result, out
}

// runView calls the hook and reads what the view gave.
func (in *instance) runView(call *abi.ViewCall) (abi.ViewResult, abi.Outcome) {
	h := &hookCall{hook: C.V8_VIEW, kind: "view", name: call.Name, export: jshost.HookView, id: call.ID, sender: call.Sender, args: call.Args}
	if call.Anonymous {
		h.hook, h.export = C.V8_VIEW_ANON, jshost.HookViewAnon
	}
	in.depth++
	defer func() { in.depth-- }()
	r, out := in.run(h)
	switch {
	case out.Status == abi.StatusUserError: // views have no errors of their own
		return abi.ViewResult{}, abi.Outcome{Status: abi.StatusTrap, Message: abi.FatalErrorText, Err: &jshost.Thrown{Text: out.Message}}
	case out.Status != abi.StatusOK:
		return abi.ViewResult{}, out
	case r.bare != 0:
		return abi.ViewResult{Rows: goBytes(r.data)}, out
	}
	result, err := abi.ParseViewResult(goBytes(r.data))
	if err != nil {
		return abi.ViewResult{}, abi.BadViewResult(call.Name, err)
	}
	return result, out
}

// CallProcedure calls a procedure. After any failure the instance is not to be used again (spec 04 §11.1).
func (in *instance) CallProcedure(ctx context.Context, call *abi.ProcedureCall) (value []byte, out abi.Outcome) {
	if in.dead != nil {
		return nil, in.unusable()
	}
	in.begin(ctx, abi.Call{Kind: abi.KindProcedure, ID: call.ID, Function: call.Name, Time: call.Time,
		Sender: call.Sender, Conn: call.Conn, Host: call.Host, Done: ctx}, in.budget(call.Budget))
	in.depth++
	r, out := in.run(&hookCall{hook: C.V8_PROCEDURE, kind: "procedure", name: call.Name, export: jshost.HookProcedure, id: call.ID,
		sender: call.Sender, conn: call.Conn, time: call.Time, args: call.Args})
	if out.Status == abi.StatusOK {
		value = goBytes(r.data)
	}
	in.depth--
	return value, in.complete(in.lost(r, out))
}

// CallHandler lets an HTTP handler answer. Modules of version 1 have none.
func (in *instance) CallHandler(ctx context.Context, call *abi.HandlerCall) (result abi.HandlerResult, out abi.Outcome) {
	if in.dead != nil {
		return result, in.unusable()
	}
	in.begin(ctx, abi.Call{Kind: abi.KindHandler, ID: call.ID, Function: call.Name, Time: call.Time, Sender: call.Sender,
		Host: call.Host, Done: ctx}, in.budget(call.Budget))
	in.depth++
	r, out := in.run(&hookCall{hook: C.V8_HANDLER, kind: "HTTP handler", name: call.Name, export: jshost.HookHandler, id: call.ID,
		sender: call.Sender, time: call.Time, args: call.Request, body: call.Body, jwt: call.JWT})
	if out.Status == abi.StatusOK {
		result = abi.HandlerResult{Response: goBytes(r.data), Body: goBytes(r.more)}
	}
	in.depth--
	return result, in.complete(in.lost(r, out))
}

// lost marks a failed procedure or handler: its instance does not live on.
func (in *instance) lost(r *C.v8_result, out abi.Outcome) abi.Outcome {
	if out.Status == abi.StatusOK || r.outcome == C.V8_NO_HOOK {
		return out
	}
	if out.Status == abi.StatusUserError {
		out.Err = &jshost.Thrown{Text: out.Message}
	}
	out.Discard = true
	in.die(out.Err)
	return out
}
