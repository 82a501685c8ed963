package host

import (
	"context"
	"errors"

	"github.com/stdbgo/spacetime/internal/abi"
)

// A fakeModule may set these beside its reducers: views, procedures and handlers by their names.
type (
	fakeView      func(ctx context.Context, call *abi.ViewCall) (abi.ViewResult, error)
	fakeProcedure func(ctx context.Context, call *abi.ProcedureCall) ([]byte, error)
	fakeHandler   func(ctx context.Context, call *abi.HandlerCall) (abi.HandlerResult, error)
)

func fakeOutcome(err error) abi.Outcome {
	out := abi.Outcome{Fuel: 7}
	var user userError
	switch {
	case err == nil:
	case errors.As(err, &user):
		out.Status, out.Message = abi.StatusUserError, string(user)
	case err == errNoEnergy:
		out.Status, out.Discard = abi.StatusOutOfEnergy, true
	case err == errBadResult:
		out.Status = abi.StatusBadResult
	default:
		out.Status, out.Err, out.Discard = abi.StatusTrap, err, true
	}
	return out
}

func (i *fakeInstance) CallView(ctx context.Context, call *abi.ViewCall) (abi.ViewResult, abi.Outcome) {
	f := i.p.views[call.Name]
	if f == nil {
		return abi.ViewResult{}, fakeOutcome(errors.New("no such view"))
	}
	res, err := f(ctx, call)
	return res, fakeOutcome(err)
}

func (i *fakeInstance) CallProcedure(ctx context.Context, call *abi.ProcedureCall) ([]byte, abi.Outcome) {
	f := i.p.procedures[call.Name]
	if f == nil {
		return nil, fakeOutcome(errors.New("no such procedure"))
	}
	res, err := f(ctx, call)
	return res, fakeOutcome(err)
}

func (i *fakeInstance) CallHandler(ctx context.Context, call *abi.HandlerCall) (abi.HandlerResult, abi.Outcome) {
	f := i.p.handlers[call.Name]
	if f == nil {
		return abi.HandlerResult{}, fakeOutcome(errors.New("no such handler"))
	}
	res, err := f(ctx, call)
	return res, fakeOutcome(err)
}
