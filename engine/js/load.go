package js

import (
	"context"
	"errors"
	"sync"
	"unicode/utf8"

	lib "modernc.org/libquickjs"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/sats"
)

// A program is a loaded module.
type program struct {
	e        *Engine
	hash     sats.Hash
	limits   abi.Limits
	bytecode []byte
	origin   origin

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
		p.limits.Memory = DefaultMemory
	}
	if !utf8.Valid(text) {
		return nil, &abi.LoadError{Problem: "the program is not valid UTF-8",
			Fix: "publish the bundled JavaScript file; for a WebAssembly module leave host_type=Js away"}
	}
	code, bundleMap := splitMap(text)
	p.origin.bundle.raw = bundleMap
	if check := standIn(code); check != nil {
		// The engine's parser knows its limits, so it goes first.
		if _, err := p.compile(check); err != nil {
			return nil, err
		}
		lowered, rawMap, err := lower(code)
		if err != nil {
			return nil, err
		}
		code, p.origin.lowered.raw = lowered, rawMap
	}
	var err error
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
		v := lib.XJS_Eval(m.tls, m.ctx, text, lib.Tsize_t(len(code)), m.cstring(resource),
			lib.MJS_EVAL_TYPE_MODULE|lib.MJS_EVAL_FLAG_COMPILE_ONLY)
		if isException(v) {
			return &abi.LoadError{Problem: m.exceptionText(&p.origin), Fix: fixParse}
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

// An origin leads from positions in the compiled text to those in the files that people wrote.
type origin struct {
	lowered lazyMap // compiled text to published text
	bundle  lazyMap // published text to source files
}

// A lazyMap parses a source map when it is first asked for. Raw is nil if there is none.
type lazyMap struct {
	raw  []byte
	once sync.Once
	m    *sourceMap
}

func (l *lazyMap) get() *sourceMap {
	l.once.Do(func() {
		if l.raw != nil {
			l.m, _ = parseMap(l.raw) // a damaged map is none
			l.raw = nil
		}
	})
	return l.m
}

// published returns the position in the published text.
func (o *origin) published(p position) position {
	if q, ok := o.lowered.get().at(p.line, p.column); ok && p.file == resource {
		return q
	}
	return p
}

// source returns the position in a source file, as far as known.
func (o *origin) source(p position) position {
	p = o.published(p)
	if q, ok := o.bundle.get().at(p.line, p.column); ok && p.file == resource {
		return q
	}
	return p
}
