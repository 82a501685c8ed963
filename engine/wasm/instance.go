package wasm

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/stdbgo/spacetime/engine/wasm/internal/meter"
	"github.com/stdbgo/spacetime/internal/abi"
)

// An instance is one running copy of a module.
type instance struct {
	p       *program
	host    *abi.Context
	mod     api.Module
	mem     api.Memory
	exports exports
	stack   [16]uint64 // arguments and result of the running call
	nested  [16]uint64 // of a view's call inside it
	ctx     callContext
	fuel    tank
	wasi    wasi
	def     []byte // what the module said in its description
	dead    error  // why the instance must not be used again
}

// exports are the functions that the host calls, nil where the module has none. They have stacks of their own, hence are
// fetched once and kept.
type exports struct {
	reducer, procedure, view, viewAnon, handler api.Function
}

func (x *exports) find(mod api.Module) {
	x.reducer = mod.ExportedFunction(exportReducer)
	x.procedure = mod.ExportedFunction(exportProcedure)
	x.view = mod.ExportedFunction(exportView)
	x.viewAnon = mod.ExportedFunction(exportViewAnon)
	x.handler = mod.ExportedFunction(exportHandler)
}

// callContext is the context that wazero hands from a call to the host functions. It leads them to the instance without a
// search.
type callContext struct {
	context.Context                 // of the running call
	in              *instance       //
	values          context.Context // what Value answers from; nil during calls, which makes them faster
}

// instanceKey finds the callContext if somebody has wrapped it.
type instanceKey struct{}

func (c *callContext) Value(key any) any {
	if _, ok := key.(instanceKey); ok {
		return c
	}
	if c.values == nil {
		return nil
	}
	return c.values.Value(key)
}

// instanceOf finds the instance that a host function was called by.
func instanceOf(ctx context.Context, mod api.Module) *instance {
	c, ok := ctx.(*callContext)
	if !ok {
		c = ctx.Value(instanceKey{}).(*callContext)
	}
	if c.in.mem == nil { // called by the start function
		c.in.mem = mod.Memory()
	}
	return c.in
}

// instances counts the instances of this process (spec 03 §17.5).
var instances atomic.Uint64

// Instantiate makes an instance and runs its initialisers (spec 03 §2.5).
func (p *program) Instantiate(ctx context.Context, s abi.Services) (abi.Instance, error) {
	in := &instance{p: p}
	in.fuel.services = s
	in.host = abi.NewContext(s, p.limits, &in.fuel)
	in.wasi.start(in)
	in.ctx.in = in
	in.begin(ctx, abi.Call{Kind: abi.KindInit}, p.limits.Fuel)
	err := in.initialise(ctx)
	in.fuel.end()
	if err != nil {
		in.wasi.trapped()
	}
	in.end()
	if err != nil {
		in.Close()
		return nil, err
	}
	return in, nil
}

func (in *instance) initialise(ctx context.Context) error {
	if err := in.instantiate(ctx); err != nil {
		return &abi.LoadError{Problem: "the module cannot be instantiated", Err: err}
	}
	if in.p.initialize {
		if err := in.run(exportInitialize); err != nil {
			return err
		}
	}
	for _, name := range in.p.preinits {
		if err := in.run(name); err != nil {
			return err
		}
	}
	if in.p.setup {
		if err := in.runSetup(); err != nil {
			return err
		}
	}
	in.exports.find(in.mod)
	return in.describe()
}

// instantiate makes the engine's instance and runs the start function if there is one.
func (in *instance) instantiate(ctx context.Context) (err error) {
	defer func() {
		if r := recover(); r != nil { // a memory that cannot be had
			err = fmt.Errorf("%v", r)
		}
	}()
	in.ctx.values = experimental.WithMemoryAllocator(ctx, allocator{in, in.p.memory})
	defer func() { in.ctx.values = nil }()
	// No name: instances of one module must not get into each other's way. No start functions: _start is not for us.
	config := wazero.NewModuleConfig().WithName("").WithStartFunctions()
	in.mod, err = in.p.e.rt.InstantiateModule(&in.ctx, in.p.code.CompiledModule, config)
	if err != nil {
		return err
	}
	in.mem = in.mod.Memory()
	in.fuel.global = in.mod.ExportedGlobal(meter.FuelExport).(api.MutableGlobal)
	return nil
}

// run calls an initialiser.
func (in *instance) run(name string) error {
	if err := in.mod.ExportedFunction(name).CallWithStack(&in.ctx, in.stack[:1]); err != nil {
		return &abi.LoadError{Problem: fmt.Sprintf("wasm trap while calling %q", name), Err: err}
	}
	return nil
}

func (in *instance) runSetup() error {
	sink := in.host.AddSink()
	in.stack[0] = uint64(sink)
	if err := in.mod.ExportedFunction(exportSetup).CallWithStack(&in.ctx, in.stack[:1]); err != nil {
		return &abi.LoadError{Problem: fmt.Sprintf("wasm trap while calling %q", exportSetup), Err: err}
	}
	text := abi.ValidText(in.host.TakeSink(sink))
	switch result := uint32(in.stack[0]); result {
	case 0:
		return nil
	case 1:
		return &abi.LoadError{Problem: "setup function returned an error: " + text}
	default:
		return &abi.LoadError{Problem: fmt.Sprintf("setup function returned the unknown code %d", result)}
	}
}

// describe asks the module for its definition. SDKs fill their tables of functions then, so every instance must be asked
// exactly once.
func (in *instance) describe() error {
	sink := in.host.AddSink()
	in.stack[0] = uint64(sink)
	if err := in.mod.ExportedFunction(exportDescribe).CallWithStack(&in.ctx, in.stack[:1]); err != nil {
		return &abi.LoadError{Problem: "error getting module description", Err: err}
	}
	in.def = append([]byte(nil), in.host.TakeSink(sink)...)
	return nil
}

// Describe returns the module definition.
func (in *instance) Describe(context.Context) ([]byte, error) { return in.def, nil }

// begin starts a top-level call.
func (in *instance) begin(ctx context.Context, call abi.Call, budget uint64) {
	in.ctx.Context = ctx
	in.host.Begin(call)
	in.fuel.begin(ctx, budget, in.p.limits.Time)
	in.wasi.begin(call)
}

// end finishes it. The fuel has been ended before, so that last log records cannot exceed it.
func (in *instance) end() {
	in.wasi.flush()
	in.host.End()
	in.ctx.Context = nil
}

// CallReducer calls a reducer, spec 03 §8.4.
func (in *instance) CallReducer(ctx context.Context, call *abi.ReducerCall) abi.Outcome {
	if in.dead != nil {
		return in.unusable()
	}
	in.begin(ctx, abi.Call{Kind: abi.KindReducer, ID: call.ID, Function: call.Name, Tx: call.Tx, Time: call.Time,
		Sender: call.Sender, Conn: call.Conn, HostTime: call.HostTime}, in.budget(call.Budget))
	sink := in.host.AddSink()
	s := in.stack[:10]
	s[0] = uint64(call.ID)
	words(s[1:5], call.Sender[:])
	words(s[5:7], call.Conn[:])
	s[7] = uint64(call.Time)
	s[8] = uint64(in.host.AddSource(call.Args))
	s[9] = uint64(sink)
	err := in.exports.reducer.CallWithStack(&in.ctx, s)
	used := in.fuel.end()
	var out abi.Outcome
	if err != nil {
		out = in.trapped(err)
	} else {
		out = result("reducer", uint32(s[0]), in.host.TakeSink(sink))
	}
	out.Fuel = used
	in.end()
	return out
}

// words splits bytes into little-endian words.
func words(s []uint64, b []byte) {
	for i := range s {
		s[i] = 0
		for j := range 8 {
			s[i] |= uint64(b[8*i+j]) << (8 * j)
		}
	}
}

// unusable is the outcome of calls after the instance's end.
func (in *instance) unusable() abi.Outcome {
	return abi.Outcome{Status: abi.StatusTrap, Message: abi.FatalErrorText, Discard: true,
		Err: fmt.Errorf("the instance must not be used any more: %w", in.dead)}
}

func (in *instance) budget(fuel uint64) uint64 {
	if fuel == 0 {
		return in.p.limits.Fuel
	}
	return fuel
}

// result makes an outcome of what a reducer or view returned, spec 03 §12.1.
func result(function string, code uint32, text []byte) abi.Outcome {
	switch code {
	case 0:
		return abi.Outcome{Status: abi.StatusOK}
	case 1:
		return abi.Outcome{Status: abi.StatusUserError, Message: abi.ValidText(text)}
	}
	return abi.Outcome{Status: abi.StatusBadResult, Message: abi.FatalErrorText,
		Err: fmt.Errorf("the %s returned the unknown code %d", function, int32(code))}
}

// trapped makes an outcome of the end of a call by force. Memory may be inconsistent, so nothing is called any more.
func (in *instance) trapped(err error) abi.Outcome {
	in.dead = err
	said := in.wasi.trapped()
	out := abi.Outcome{Status: abi.StatusTrap, Message: abi.FatalErrorText, Err: err, Discard: true}
	var trap *abi.Trap
	if errors.As(err, &trap) && trap.Reason == abi.TrapOutOfEnergy {
		out.Status, out.Message = abi.StatusOutOfEnergy, abi.OutOfEnergyText
	}
	out.Err = &callError{err, said}
	return out
}

// A callError is what the engine says about a trap, with the guest's stack, without the mention of who caught it.
type callError struct {
	err  error
	said string // by a panic of the module
}

func (e *callError) Error() string {
	return strings.Replace(e.err.Error(), " (recovered by wazero)", "", 1)
}

// Reason is what the panic said, or else what the engine says without the stack (abi.ReasonOf).
func (e *callError) Reason() string {
	if e.said != "" {
		return e.said
	}
	text, _, _ := strings.Cut(e.Error(), "\nwasm stack trace:")
	return text
}

func (e *callError) Unwrap() error { return e.err }

// MemoryBytes is the size of the module's memory.
func (in *instance) MemoryBytes() uint64 {
	if in.mem == nil {
		return 0
	}
	return uint64(in.mem.Size())
}

var errClosed = errors.New("the instance is closed")

// Close releases the instance.
func (in *instance) Close() error {
	if in.dead == nil {
		in.dead = errClosed
	}
	if in.mod == nil {
		return nil
	}
	return in.mod.Close(context.Background())
}
