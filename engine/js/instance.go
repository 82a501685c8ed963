package js

import (
	"context"
	"errors"

	lib "modernc.org/libquickjs"

	"github.com/stdbgo/spacetime/engine/internal/jshost"
	"github.com/stdbgo/spacetime/internal/abi"
)

// An instance is one running copy of a module.
type instance struct {
	vm
	p        *program
	host     *abi.Context
	meter    jshost.Meter
	hook     hooks
	def      []byte
	ids      idCache
	rows     []byte // rowBuffer
	watchdog watchdog
	killed   *abi.Trap // by the watchdog
	depth    int       // calls under way: 2 while a procedure's commit refreshes a view

	// stop is why the running call ends by force. While it is set host functions are refused.
	stop *abi.Trap
	dead error // why the instance must not be used again
}

// Instantiate makes an instance: it evaluates the module and finds its hooks. Only the first instance of a program is asked for
// the definition.
func (p *program) Instantiate(ctx context.Context, s abi.Services) (abi.Instance, error) {
	in := &instance{p: p, hook: noHooks()}
	in.meter.Services, in.meter.PollFuel = s, pollFuel
	in.host = abi.NewContext(s, p.limits, &in.meter)
	in.vm.host = in.callHost
	in.begin(ctx, abi.Call{Kind: abi.KindInit}, p.limits.Fuel)
	err := in.guard(in.initialise)
	in.end()
	if err != nil {
		in.Close()
		return nil, in.startError(err)
	}
	return in, nil
}

// startError makes a LoadError of whatever ended the initialisation.
func (in *instance) startError(err error) error {
	var load *abi.LoadError
	switch {
	case in.heap.full || errors.Is(err, errNoMemory):
		return &abi.LoadError{Problem: jshost.MemoryText(in.p.limits.Memory)}
	case in.stop != nil:
		return &abi.LoadError{Problem: "the module's initialisation was ended", Err: in.stop}
	case errors.As(err, &load):
		return err
	}
	return &abi.LoadError{Problem: err.Error()}
}

func (in *instance) initialise() error {
	if err := in.vm.init(in.p.limits.Memory, in.poll); err != nil {
		return err
	}
	if err := in.runPrelude(); err != nil {
		return err
	}
	namespace, err := in.evaluate()
	if err != nil {
		return err
	}
	defer in.drop(namespace)
	if err := in.discoverHooks(namespace); err != nil {
		return err
	}
	err = in.findDefinition()
	in.jobs(in.stopped)
	if err == nil && in.stopped() {
		err = in.stop
	}
	return err
}

// evaluate runs the module's top level, and returns its namespace.
func (in *instance) evaluate() (value, error) {
	code := in.heap.alloc(uint64(len(in.p.bytecode)))
	if code == 0 {
		return exception, errNoMemory
	}
	copy(memory(code, len(in.p.bytecode)), in.p.bytecode)
	module := lib.XJS_ReadObject(in.tls, in.ctx, code, lib.Tsize_t(len(in.p.bytecode)), lib.MJS_READ_OBJ_BYTECODE)
	in.heap.release(code)
	if isException(module) {
		return exception, in.uncaught()
	}
	in.linking = true
	resolved := lib.XJS_ResolveModule(in.tls, in.ctx, module)
	in.linking = false
	if resolved < 0 {
		return exception, in.uncaught()
	}
	record := uintptr(bitsOf(module))
	promise := lib.XJS_EvalFunction(in.tls, in.ctx, module) // takes module over
	if isException(promise) {
		return exception, in.uncaught()
	}
	in.jobs(in.stopped)
	defer in.drop(promise)
	switch lib.XJS_PromiseState(in.tls, in.ctx, promise) {
	case lib.EJS_PROMISE_REJECTED:
		return exception, in.describe(lib.XJS_PromiseResult(in.tls, in.ctx, promise), &in.p.origin)
	case lib.EJS_PROMISE_PENDING:
		return exception, &abi.LoadError{Problem: jshost.PendingAwait,
			Fix: "await only what settles by itself at the top level"}
	}
	namespace := lib.XJS_GetModuleNamespace(in.tls, in.ctx, record)
	if isException(namespace) {
		return exception, in.uncaught()
	}
	return namespace, nil
}

// findDefinition asks the module for its definition unless another instance has been.
func (in *instance) findDefinition() (err error) {
	in.p.mu.Lock()
	in.def = in.p.mu.def
	in.p.mu.Unlock()
	if in.def != nil {
		return nil
	}
	if in.def, err = in.runDescribe(); err != nil {
		return err
	}
	in.p.mu.Lock()
	in.p.mu.def = in.def
	in.p.mu.Unlock()
	return nil
}

// uncaught makes an error of the pending exception.
func (in *instance) uncaught() error {
	return in.describe(lib.XJS_GetException(in.tls, in.ctx), &in.p.origin)
}

// pollFuel is the least that a poll costs. They are ten thousand loop rounds or calls apart, of which the emptiest take 40
// microseconds.
const pollFuel = 20 * jshost.FuelPerMicro

// poll is called now and then while JavaScript runs, and tells whether it must end.
func (in *instance) poll() bool {
	if in.stop == nil {
		in.stop = in.meter.Poll()
	}
	return in.stopped()
}

// stopped tells whether the running call ends by force.
func (in *instance) stopped() bool { return in.stop != nil || in.heap.full }

// Describe returns the module definition.
func (in *instance) Describe(context.Context) ([]byte, error) { return in.def, nil }

// begin starts a top-level call.
func (in *instance) begin(ctx context.Context, call abi.Call, budget uint64) {
	in.stop = nil
	in.host.Begin(call)
	in.meter.Begin(ctx, budget, in.p.limits.Time)
	in.watch()
}

// end finishes it and returns the fuel it used.
func (in *instance) end() uint64 {
	in.watchdog.stop()
	used := in.meter.End()
	in.host.End()
	return used
}

// rowBuffer returns n bytes for rows on their way into the engine.
func (in *instance) rowBuffer(n int) []byte {
	if n > len(in.rows) {
		in.rows = make([]byte, n)
	}
	return in.rows[:n]
}

// maxRowBuffer bounds what version 1 modules get of an iterator at a time, unless one row needs more.
const maxRowBuffer = 64 << 20

// MemoryBytes is the size of the engine's heap.
func (in *instance) MemoryBytes() uint64 { return in.heap.used }

// Close releases the instance.
func (in *instance) Close() error {
	if in.dead == nil {
		in.dead = errors.New("the instance is closed")
	}
	return in.vm.close()
}
