package js

import (
	"context"

	lib "modernc.org/libquickjs"

	"github.com/stdbgo/spacetime/engine/internal/jshost"
	"github.com/stdbgo/spacetime/internal/abi"
)

// CallView evaluates a view, spec 04 §8.2. It works inside a procedure's commit too, and shares the procedure's time then.
func (in *instance) CallView(ctx context.Context, call *abi.ViewCall) (result abi.ViewResult, out abi.Outcome) {
	if in.dead != nil {
		return result, in.unusable()
	}
	c := abi.Call{Kind: abi.KindView, ID: call.ID, Function: call.Name, Tx: call.Tx, Time: call.Time, Sender: call.Sender}
	run := func() (out abi.Outcome, raised *jshost.Thrown) {
		result, out, raised = in.runView(call)
		return out, raised
	}
	if !in.host.Running() {
		in.begin(ctx, c, in.budget(call.Budget))
		out = in.complete(run)
		return result, out
	}
	outer, before := in.host.Enter(c), in.meter.Spent()
	out = in.guarded(run)
	out.Fuel = in.meter.Spent() - before
	in.host.Leave(outer)
	return result, out
}

// runView calls the hook and reads what the view gave.
func (in *instance) runView(call *abi.ViewCall) (result abi.ViewResult, out abi.Outcome, raised *jshost.Thrown) {
	name := jshost.HookView
	if call.Anonymous {
		name = jshost.HookViewAnon
	}
	hook, ok := in.hook.others[name]
	if !ok {
		return result, jshost.MissingHook("view", call.Name, name), nil
	}
	v, ok := in.callHook(hook, in.hookArgs().id(call.ID).identity(!call.Anonymous, call.Sender).bytes(call.Args))
	if !ok {
		out, raised = in.failed()
		if out.Status == abi.StatusUserError { // views have no errors of their own
			out = abi.Outcome{Status: abi.StatusTrap, Message: abi.FatalErrorText, Err: &jshost.Thrown{Text: out.Message}}
		}
		return result, out, raised
	}
	defer in.drop(v)
	b, header, ok := in.viewBytes(v)
	if !ok {
		out, raised = in.failed()
		return result, out, raised
	}
	if !header {
		return abi.ViewResult{Rows: b}, abi.Outcome{}, nil
	}
	result, err := abi.ParseViewResult(b)
	if err != nil {
		return abi.ViewResult{}, abi.BadViewResult(call.Name, err), nil
	}
	return result, abi.Outcome{}, nil
}

// viewBytes copies what a view returned: bytes alone, which version 1 may, or the property data that begins with a header.
// A false means that it has thrown.
func (in *instance) viewBytes(v value) (b []byte, header, ok bool) {
	if in.hook.major == 1 && in.classOf(v) == lib.EJS_CLASS_UINT8_ARRAY {
		b, ok = in.copied(v)
		return b, false, ok
	}
	if !isObject(v) {
		in.mismatch("a view result with data", v)
		return nil, false, false
	}
	data := in.property(v, "data")
	if isException(data) {
		return nil, false, false
	}
	defer in.drop(data)
	b, ok = in.copied(data)
	return b, true, ok
}

// copied copies the bytes of a Uint8Array, or throws.
func (in *instance) copied(v value) ([]byte, bool) {
	if in.classOf(v) == lib.EJS_CLASS_UINT8_ARRAY {
		if b, ok := in.arrayBytes(v); ok {
			return append([]byte(nil), b...), true
		}
	}
	in.mismatch("Uint8Array", v)
	return nil, false
}

// CallProcedure calls a procedure. After any failure the instance is not to be used again (spec 04 §11.1).
func (in *instance) CallProcedure(ctx context.Context, call *abi.ProcedureCall) (value []byte, out abi.Outcome) {
	if in.dead != nil {
		return nil, in.unusable()
	}
	in.begin(ctx, abi.Call{Kind: abi.KindProcedure, ID: call.ID, Function: call.Name, Time: call.Time,
		Sender: call.Sender, Conn: call.Conn, Host: call.Host, Done: ctx}, in.budget(call.Budget))
	out = in.complete(func() (abi.Outcome, *jshost.Thrown) {
		hook, ok := in.hook.others[jshost.HookProcedure]
		if !ok {
			return jshost.MissingHook("procedure", call.Name, jshost.HookProcedure), nil
		}
		v, ok := in.callHook(hook, in.hookArgs().id(call.ID).identity(true, call.Sender).connection(call.Conn).
			time(call.Time).bytes(call.Args))
		if !ok {
			return in.lost()
		}
		defer in.drop(v)
		if value, ok = in.copied(v); !ok {
			return in.lost()
		}
		return abi.Outcome{Status: abi.StatusOK}, nil
	})
	return value, out
}

// CallHandler lets an HTTP handler answer. Modules of version 1 have none. The last two arguments are for packages since
// 2.14, others ignore them (spec 04 §8.1).
func (in *instance) CallHandler(ctx context.Context, call *abi.HandlerCall) (result abi.HandlerResult, out abi.Outcome) {
	if in.dead != nil {
		return result, in.unusable()
	}
	in.begin(ctx, abi.Call{Kind: abi.KindHandler, ID: call.ID, Function: call.Name, Time: call.Time, Sender: call.Sender,
		Host: call.Host, Done: ctx}, in.budget(call.Budget))
	out = in.complete(func() (abi.Outcome, *jshost.Thrown) {
		hook, ok := in.hook.others[jshost.HookHandler]
		if !ok {
			return jshost.MissingHook("HTTP handler", call.Name, jshost.HookHandler), nil
		}
		if lib.XJS_IsFunction(in.tls, in.ctx, hook) == 0 {
			in.throw(in.typeError, "Expected module function hook `"+jshost.HookHandler+"`, got "+in.kind(hook))
			return in.lost()
		}
		v, ok := in.callHook(hook, in.hookArgs().id(call.ID).time(call.Time).bytes(call.Request).bytes(call.Body).
			identity(true, call.Sender).bytes(call.JWT))
		if !ok {
			return in.lost()
		}
		defer in.drop(v)
		if result, ok = in.handlerResult(v); !ok {
			return in.lost()
		}
		return abi.Outcome{Status: abi.StatusOK}, nil
	})
	return result, out
}

// handlerResult reads [response, body]: an Array of exactly two.
func (in *instance) handlerResult(v value) (r abi.HandlerResult, ok bool) {
	if in.classOf(v) != lib.EJS_CLASS_ARRAY {
		in.mismatch("an array of response and body", v)
		return r, false
	}
	length := in.property(v, "length")
	if n, isInt := integerOf(length); !isInt || n != 2 {
		in.drop(length)
		in.throw(in.typeError, "Expected an array of exactly two elements, response and body")
		return r, false
	}
	for i, part := range []*[]byte{&r.Response, &r.Body} {
		e := lib.XJS_GetPropertyUint32(in.tls, in.ctx, v, uint32(i))
		if isException(e) {
			return r, false
		}
		*part, ok = in.copied(e)
		in.drop(e)
		if !ok {
			return r, false
		}
	}
	return r, true
}

// lost classifies the pending exception of a procedure or handler, whose instance does not live on.
func (in *instance) lost() (abi.Outcome, *jshost.Thrown) {
	out, raised := in.failed()
	out.Discard = true
	if out.Status == abi.StatusUserError {
		out.Err = &jshost.Thrown{Text: out.Message}
	}
	return out, raised
}
