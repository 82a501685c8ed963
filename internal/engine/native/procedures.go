package native

import (
	"context"
	"errors"

	"github.com/stdbgo/spacetime/internal/abi"
)

var errNoCall = errors.New("the engine offers reducers only")

func noCall() abi.Outcome {
	return abi.Outcome{Status: abi.StatusTrap, Message: abi.FatalErrorText, Err: errNoCall}
}

// CallView evaluates a view.
func (in *instance) CallView(context.Context, *abi.ViewCall) (abi.ViewResult, abi.Outcome) {
	return abi.ViewResult{}, noCall()
}

// CallProcedure calls a procedure.
func (in *instance) CallProcedure(context.Context, *abi.ProcedureCall) ([]byte, abi.Outcome) {
	return nil, noCall()
}

// CallHandler lets an HTTP handler answer.
func (in *instance) CallHandler(context.Context, *abi.HandlerCall) (abi.HandlerResult, abi.Outcome) {
	return abi.HandlerResult{}, noCall()
}
