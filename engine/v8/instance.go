//go:build v8 && cgo

package v8

// #include <stdlib.h>
// #include "shim.h"
import "C"

import (
	"context"
	"errors"
	"runtime/cgo"
	"strings"
	"unsafe"

	"github.com/stdbgo/spacetime/engine/internal/jshost"
	"github.com/stdbgo/spacetime/internal/abi"
)

// An instance is one running copy of a module.
type instance struct {
	c      *C.v8_instance
	handle cgo.Handle // by which the engine calls
	p      *program
	host   *abi.Context
	meter  jshost.Meter
	watch  watchdog
	def    []byte
	frame  *callFrame
	room   []byte // memory of the engine for answers of host functions
	depth  int    // calls under way: 2 while a procedure's commit refreshes a view
	polled bool   // the running call has been asked before

	// stop is why the running call ends by force. While it is set host functions are refused.
	stop *abi.Trap
	dead error // why the instance must not be used again
}

// A callFrame is memory of C for one level of calls.
type callFrame struct {
	args   C.v8_call_args
	result C.v8_result
}

// frames are the levels that calls may have.
const frames = 2

// Instantiate makes an instance: it evaluates the module and finds its hooks. Only the first instance of a program is asked for
// the definition.
func (p *program) Instantiate(ctx context.Context, s abi.Services) (abi.Instance, error) {
	in := &instance{p: p}
	in.handle = cgo.NewHandle(in)
	in.c = C.v8_new(C.uintptr_t(in.handle), C.uint64_t(p.limits.Memory))
	in.frame = (*callFrame)(C.calloc(frames, C.size_t(unsafe.Sizeof(callFrame{}))))
	in.watch.init(in.c)
	in.meter.Services, in.meter.PollFuel = s, tickFuel
	in.host = abi.NewContext(s, p.limits, &in.meter)
	r := &in.level().result
	C.v8_prepare(in.c, r) // before the module's time begins
	err := in.startError(r)
	if err == nil {
		in.begin(ctx, abi.Call{Kind: abi.KindInit}, p.limits.Fuel)
		err = in.start()
		in.end()
	}
	if err != nil {
		in.Close()
		return nil, err
	}
	return in, nil
}

// level is the memory for the running call.
func (in *instance) level() *callFrame {
	return &unsafe.Slice(in.frame, frames)[max(in.depth, 1)-1]
}

// start evaluates the module, and asks it for its definition unless another instance has been.
func (in *instance) start() error {
	p := in.p
	p.mu.Lock()
	in.def = p.mu.def
	cache := p.mu.cache
	p.mu.Unlock()
	in.depth++
	defer func() { in.depth-- }()
	r := &in.level().result
	C.v8_start(in.c, pointer(p.code), C.size_t(len(p.code)), pointer(cache), C.size_t(len(cache)), cBool(in.def == nil), r)
	if err := in.startError(r); err != nil {
		return err
	}
	if in.def == nil {
		in.def = goBytes(r.data)
		compiled := goBytes(C.v8_cache(in.c))
		p.mu.Lock()
		p.mu.def, p.mu.cache = in.def, compiled
		p.mu.Unlock()
	}
	return nil
}

// startError makes a LoadError of the end of an initialisation, nil if it is well.
func (in *instance) startError(r *C.v8_result) error {
	switch r.outcome {
	case C.V8_OK:
		return nil
	case C.V8_THROWN:
		return &abi.LoadError{Problem: in.p.thrown(r).Error()}
	case C.V8_STOPPED, C.V8_CRASHED:
		if in.stop != nil {
			return &abi.LoadError{Problem: "the module's initialisation was ended", Err: in.stop}
		}
		if C.v8_full(in.c) != 0 {
			return &abi.LoadError{Problem: jshost.MemoryText(in.p.limits.Memory)}
		}
	}
	e := &abi.LoadError{Problem: goText(r.text)}
	switch {
	case strings.Contains(e.Problem, "default export"):
		e.Fix = jshost.FixDefault
	case strings.Contains(e.Problem, "top-level await"):
		e.Fix = "await only what settles by itself at the top level"
	}
	return e
}

// v8GoPoll is asked now and then while JavaScript runs, and tells whether it must end.
//
//export v8GoPoll
func v8GoPoll(handle C.uintptr_t) C.int {
	in := cgo.Handle(handle).Value().(*instance)
	if in.stop == nil && in.polled {
		in.stop = in.meter.Poll()
	}
	in.polled = true
	return cBool(in.stop != nil)
}

// Describe returns the module definition.
func (in *instance) Describe(context.Context) ([]byte, error) { return in.def, nil }

// begin starts a top-level call.
func (in *instance) begin(ctx context.Context, call abi.Call, budget uint64) {
	in.stop, in.polled = nil, false
	in.host.Begin(call)
	in.meter.Begin(ctx, budget, in.p.limits.Time)
	in.watch.begin()
}

// end finishes it and returns the fuel it used.
func (in *instance) end() uint64 {
	in.watch.end()
	used := in.meter.End()
	in.host.End()
	return used
}

// MemoryBytes is the size of the engine's heap, as it was after the last collection, and of the buffers.
func (in *instance) MemoryBytes() uint64 {
	in.watch.mu.Lock()
	defer in.watch.mu.Unlock()
	if in.watch.c == nil {
		return 0
	}
	return uint64(C.v8_memory(in.c))
}

// Close releases the instance.
func (in *instance) Close() error {
	if in.dead == nil {
		in.dead = errors.New("the instance is closed")
	}
	if c := in.watch.close(); c != nil {
		C.v8_close(c)
		in.handle.Delete()
		C.free(unsafe.Pointer(in.frame))
		in.c, in.frame, in.room = nil, nil, nil
	}
	return nil
}
