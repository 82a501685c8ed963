package wasm

import (
	"context"
	"fmt"

	"github.com/tetratelabs/wazero/api"

	"github.com/stdbgo/spacetime/internal/abi"
)

// missing is the outcome of a call of what the module defines but does not export.
func missing(kind, name, export string) abi.Outcome {
	return abi.Outcome{Status: abi.StatusTrap, Message: abi.FatalErrorText,
		Err: fmt.Errorf("Module defines %s %s but does not export `%s`", kind, name, export)} //nolint:staticcheck // the text of spec 03 §8.1
}

// CallView evaluates a view, spec 03 §8.6. It works inside a procedure's commit too, and shares the procedure's fuel then.
func (in *instance) CallView(ctx context.Context, call *abi.ViewCall) (abi.ViewResult, abi.Outcome) {
	if in.dead != nil {
		return abi.ViewResult{}, in.unusable()
	}
	fn, export := in.exports.view, exportView
	if call.Anonymous {
		fn, export = in.exports.viewAnon, exportViewAnon
	}
	if fn == nil {
		return abi.ViewResult{}, missing("view", call.Name, export)
	}
	c := abi.Call{Kind: abi.KindView, ID: call.ID, Function: call.Name, Tx: call.Tx, Time: call.Time, Sender: call.Sender}
	if in.host.Running() {
		outer, before := in.host.Enter(c), in.fuel.spent()
		result, out := in.runView(fn, in.nested[:], call)
		out.Fuel = in.fuel.spent() - before
		in.host.Leave(outer)
		return result, out
	}
	in.begin(ctx, c, in.budget(call.Budget))
	result, out := in.runView(fn, in.stack[:], call)
	out.Fuel = in.fuel.end()
	in.end()
	return result, out
}

// runView calls the export and reads what the view gave.
func (in *instance) runView(fn api.Function, s []uint64, call *abi.ViewCall) (result abi.ViewResult, out abi.Outcome) {
	sink := in.host.AddSink()
	source := in.host.AddSource(call.Args)
	s[0] = uint64(call.ID)
	if call.Anonymous {
		s = s[:3]
	} else {
		s = s[:7]
		words(s[1:5], call.Sender[:])
	}
	s[len(s)-2], s[len(s)-1] = uint64(source), uint64(sink)
	if err := fn.CallWithStack(&in.ctx, s); err != nil {
		return result, in.trapped(err)
	}
	return viewResult(call.Name, uint32(s[0]), in.host.TakeSink(sink))
}

// Codes of views that succeed: bare rows, as SDKs before 1.11 gave them, and a header with what it says.
const (
	codeRows   = 0
	codeHeader = 2
)

func viewResult(view string, code uint32, b []byte) (abi.ViewResult, abi.Outcome) {
	switch code {
	case codeRows:
		return abi.ViewResult{Rows: b}, abi.Outcome{}
	case codeHeader:
		r, err := abi.ParseViewResult(b)
		if err != nil {
			return r, abi.BadViewResult(view, err)
		}
		return r, abi.Outcome{}
	}
	return abi.ViewResult{}, result("view", code, b)
}

// CallProcedure calls a procedure, spec 03 §8.5.
func (in *instance) CallProcedure(ctx context.Context, call *abi.ProcedureCall) ([]byte, abi.Outcome) {
	switch {
	case in.dead != nil:
		return nil, in.unusable()
	case in.exports.procedure == nil:
		return nil, missing("procedure", call.Name, exportProcedure)
	}
	in.begin(ctx, abi.Call{Kind: abi.KindProcedure, ID: call.ID, Function: call.Name, Time: call.Time,
		Sender: call.Sender, Conn: call.Conn, Host: call.Host, Done: ctx}, in.budget(call.Budget))
	sink := in.host.AddSink()
	s := in.stack[:10]
	s[0] = uint64(call.ID)
	words(s[1:5], call.Sender[:])
	words(s[5:7], call.Conn[:])
	s[7] = uint64(call.Time)
	s[8] = uint64(in.host.AddSource(call.Args))
	s[9] = uint64(sink)
	err := in.exports.procedure.CallWithStack(&in.ctx, s)
	used := in.fuel.end()
	value := in.host.TakeSink(sink)
	out := in.ended("procedure", uint32(s[0]), value, err)
	out.Fuel = used
	in.end()
	return value, out
}

// CallHandler lets an HTTP handler answer, spec 03 §11.3.
func (in *instance) CallHandler(ctx context.Context, call *abi.HandlerCall) (abi.HandlerResult, abi.Outcome) {
	switch {
	case in.dead != nil:
		return abi.HandlerResult{}, in.unusable()
	case in.exports.handler == nil:
		return abi.HandlerResult{}, missing("HTTP handler", call.Name, exportHandler)
	}
	c := abi.Call{Kind: abi.KindHandler, ID: call.ID, Function: call.Name, Time: call.Time, Host: call.Host, Done: ctx}
	if in.p.handlerSender {
		c.Sender = call.Sender
	}
	in.begin(ctx, c, in.budget(call.Budget))
	response, body := in.host.AddSink(), in.host.AddSink()
	s := append(in.stack[:0], uint64(call.ID))
	if in.p.handlerSender {
		s = s[:5]
		words(s[1:5], call.Sender[:])
		s = append(s, uint64(in.host.AddSource(call.JWT)))
	}
	s = append(s, uint64(call.Time), uint64(in.host.AddSource(call.Request)), uint64(in.host.AddSource(call.Body)),
		uint64(response), uint64(body))
	err := in.exports.handler.CallWithStack(&in.ctx, s)
	used := in.fuel.end()
	r := abi.HandlerResult{Response: in.host.TakeSink(response), Body: in.host.TakeSink(body)}
	out := in.ended("HTTP handler", uint32(s[0]), r.Response, err)
	out.Fuel = used
	in.end()
	return r, out
}

// ended makes an outcome of the end of a procedure or handler: every code but 0 is as bad as a trap (spec 03 §12.2). What
// the module wrote to its sink may say why.
func (in *instance) ended(kind string, code uint32, text []byte, err error) abi.Outcome {
	switch {
	case err != nil:
		return in.trapped(err)
	case code == 0:
		return abi.Outcome{Status: abi.StatusOK}
	}
	err = fmt.Errorf("the %s returned the code %d", kind, int32(code))
	if code == 1 && len(text) > 0 {
		err = fmt.Errorf("%s", abi.ValidText(text))
	}
	in.dead = err
	return abi.Outcome{Status: abi.StatusTrap, Message: abi.FatalErrorText, Err: err, Discard: true}
}
