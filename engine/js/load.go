package js

import (
	"context"
	"errors"
	"sync"

	lib "modernc.org/libquickjs"

	"github.com/stdbgo/spacetime/engine/internal/jshost"
	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/sats"
)

// A program is a loaded module.
type program struct {
	e        *Engine
	hash     sats.Hash
	limits   abi.Limits
	bytecode []byte
	origin   jshost.Origin

	mu struct {
		sync.Mutex
		def []byte // what the first instance said in its description; nil before
	}
}

// Load checks, lowers and compiles a program (spec 04 §13, steps 1 and 2).
func (e *Engine) Load(ctx context.Context, text []byte, o abi.LoadOptions) (abi.Program, error) {
	p := &program{e: e, hash: o.Hash, limits: o.Limits.WithDefaults()}
	if p.hash == (sats.Hash{}) {
		p.hash = abi.HashProgram(text)
	}
	if p.limits.Memory == 0 {
		p.limits.Memory = jshost.DefaultMemory
	}
	code, err := jshost.Prepare(text, &p.origin, func(code []byte) error {
		_, err := p.compile(code)
		return err
	})
	if err != nil {
		return nil, err
	}
	if p.bytecode, err = p.compile(code); err != nil {
		return nil, err
	}
	return p, ctx.Err()
}

// compile compiles a module and resolves its imports.
func (p *program) compile(code []byte) (bytecode []byte, err error) {
	m := new(vm)
	defer m.close()
	err = guard(func() error {
		if err := m.init(p.limits.Memory, func() bool { return false }); err != nil {
			return err
		}
		m.linking = true
		text := m.heap.alloc(uint64(len(code)) + 1)
		if text == 0 {
			return errNoMemory
		}
		copy(memory(text, len(code)), code)
		memory(text, len(code)+1)[len(code)] = 0
		v := lib.XJS_Eval(m.tls, m.ctx, text, lib.Tsize_t(len(code)), m.cstring(jshost.Resource),
			lib.MJS_EVAL_TYPE_MODULE|lib.MJS_EVAL_FLAG_COMPILE_ONLY)
		if isException(v) {
			return &abi.LoadError{Problem: m.exceptionText(&p.origin), Fix: jshost.FixParse}
		}
		out := lib.XJS_WriteObject(m.tls, m.ctx, m.out, v, lib.MJS_WRITE_OBJ_BYTECODE)
		if out == 0 {
			return &abi.LoadError{Problem: m.exceptionText(&p.origin)}
		}
		bytecode = append([]byte(nil), memory(out, int(*(*lib.Tsize_t)(at(m.out))))...)
		return nil
	})
	if errors.Is(err, errNoMemory) {
		err = &abi.LoadError{Problem: "the program needs more memory to compile than an instance may have", Err: err}
	}
	return bytecode, err
}

// Hash is the module hash.
func (p *program) Hash() sats.Hash { return p.hash }

// Close releases nothing that the garbage collector would not find.
func (p *program) Close() error { return nil }
