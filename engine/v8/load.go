//go:build v8 && cgo

package v8

// #include "shim.h"
import "C"

import (
	"context"
	"sync"

	"github.com/stdbgo/spacetime/engine/internal/jshost"
	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/sats"
)

// minMemory is the smallest heap that V8 can start with.
const minMemory = 8 << 20

// A program is a loaded module.
type program struct {
	hash   sats.Hash
	limits abi.Limits
	code   []byte
	origin jshost.Origin

	mu struct {
		sync.Mutex
		def   []byte // what the first instance said in its description; nil before
		cache []byte // what the first instance had compiled
	}
}

// Load checks, lowers and compiles a program (spec 04 §13, steps 1 and 2).
func (e *Engine) Load(ctx context.Context, text []byte, o abi.LoadOptions) (abi.Program, error) {
	p := &program{hash: o.Hash, limits: o.Limits.WithDefaults()}
	if p.hash == (sats.Hash{}) {
		p.hash = abi.HashProgram(text)
	}
	if p.limits.Memory == 0 {
		p.limits.Memory = jshost.DefaultMemory
	}
	p.limits.Memory = max(p.limits.Memory, minMemory)
	var err error
	if p.code, err = jshost.Prepare(text, &p.origin, p.check); err != nil {
		return nil, err
	}
	if err := p.check(p.code); err != nil {
		return nil, err
	}
	return p, ctx.Err()
}

// check compiles a text and resolves its imports.
func (p *program) check(code []byte) error {
	c := C.v8_new(0, C.uint64_t(p.limits.Memory))
	defer C.v8_close(c)
	var r C.v8_result
	C.v8_check(c, pointer(code), C.size_t(len(code)), &r)
	switch r.outcome {
	case C.V8_OK:
		return nil
	case C.V8_THROWN:
		return &abi.LoadError{Problem: p.thrown(&r).Error(), Fix: jshost.FixParse}
	}
	return &abi.LoadError{Problem: "the program needs more memory to compile than an instance may have"}
}

// thrown makes an exception of a result.
func (p *program) thrown(r *C.v8_result) *jshost.Thrown {
	return &jshost.Thrown{Text: goText(r.text), Frames: p.userFrames(r)}
}

func (p *program) userFrames(r *C.v8_result) []jshost.Frame {
	return jshost.UserFrames(goFrames(r), &p.origin)
}

// Hash is the module hash.
func (p *program) Hash() sats.Hash { return p.hash }

// Close releases nothing that the garbage collector would not find.
func (p *program) Close() error { return nil }
