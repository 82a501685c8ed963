package js

import (
	"fmt"
	"unicode/utf8"

	"modernc.org/libc"
	lib "modernc.org/libquickjs"

	"github.com/stdbgo/spacetime/engine/internal/jshost"
	"github.com/stdbgo/spacetime/internal/abi"
)

// A native is a function that the prelude gets from the host.
type native = func(tls *libc.TLS, ctx uintptr, this value, argc int32, argv uintptr) value

// runPrelude evaluates the prelude. The engine calls the natives by address; the instance keeps them alive.
func (m *vm) runPrelude() error {
	m.natives = []native{
		func(_ *libc.TLS, _ uintptr, _ value, argc int32, argv uintptr) value {
			return m.encodeText(args{m: m, n: argc, argv: argv})
		},
		func(_ *libc.TLS, _ uintptr, _ value, argc int32, argv uintptr) value {
			return m.decodeText(args{m: m, n: argc, argv: argv})
		},
		func(_ *libc.TLS, _ uintptr, _ value, argc int32, argv uintptr) value {
			return m.asUintN(args{m: m, n: argc, argv: argv})
		},
	}
	text := m.heap.alloc(uint64(len(jshost.Prelude)) + 1)
	if text == 0 {
		return errNoMemory
	}
	defer m.heap.release(text)
	copy(memory(text, len(jshost.Prelude)), jshost.Prelude)
	memory(text, len(jshost.Prelude)+1)[len(jshost.Prelude)] = 0
	f := lib.XJS_Eval(m.tls, m.ctx, text, lib.Tsize_t(len(jshost.Prelude)), m.cstring("spacetimedb_prelude"), lib.MJS_EVAL_TYPE_GLOBAL)
	if isException(f) {
		return fmt.Errorf("prelude: %s", m.exceptionText(new(jshost.Origin)))
	}
	for i := range m.natives {
		m.arg(i, lib.XJS_NewCFunction2(m.tls, m.ctx, functionPointer(&m.natives[i]), m.cstring(""), 2, lib.EJS_CFUNC_generic, 0))
	}
	r := m.call(f, undefined, len(m.natives))
	if isException(r) {
		return fmt.Errorf("prelude: %s", m.exceptionText(new(jshost.Origin)))
	}
	return m.makeSymbol()
}

// makeSymbol makes the symbol moduleHooks, which no user code can make.
func (m *vm) makeSymbol() error {
	global := lib.XJS_GetGlobalObject(m.tls, m.ctx)
	defer m.drop(global)
	constructor := m.property(global, "Symbol")
	defer m.drop(constructor)
	text := m.text(jshost.SymbolText)
	defer m.drop(text)
	m.arg(0, text)
	if m.hooks = m.call(constructor, undefined, 1); isException(m.hooks) {
		return errNoMemory
	}
	return nil
}

// encodeText is TextEncoder's encode for a string.
func (m *vm) encodeText(a args) value {
	v := a.get(0)
	p := lib.XJS_ToCStringLen2(m.tls, m.ctx, m.out, v, 0)
	if p == 0 {
		return exception
	}
	defer lib.XJS_FreeCString(m.tls, m.ctx, p)
	b := memory(p, int(*(*lib.Tsize_t)(at(m.out))))
	if !utf8.Valid(b) {
		b = []byte(replaceSurrogates(string(b)))
	}
	return m.newBytes(b)
}

// decodeText is TextDecoder's decode for anything but a DataView.
func (m *vm) decodeText(a args) value {
	v := a.get(0)
	var b []byte
	ok := false
	switch class := m.classOf(v); {
	case class == lib.EJS_CLASS_ARRAY_BUFFER, class == lib.EJS_CLASS_SHARED_ARRAY_BUFFER:
		b, ok = m.bufferBytes(v)
	case lib.EJS_CLASS_UINT8C_ARRAY <= class && class <= lib.EJS_CLASS_FLOAT64_ARRAY:
		b, ok = m.arrayBytes(v)
	}
	if !ok {
		m.mismatch("ArrayBuffer or ArrayBufferView", v)
		return exception
	}
	if len(b) == 0 {
		return m.text("")
	}
	if utf8.Valid(b) {
		return lib.XJS_NewStringLen(m.tls, m.ctx, addressOf(b), lib.Tsize_t(len(b)))
	}
	if fatal := a.get(1); tagOf(fatal) == lib.EJS_TAG_BOOL && bitsOf(fatal) != 0 {
		return m.throw(m.typeError, "The encoded data was not valid utf-8")
	}
	return m.text(abi.ValidText(b))
}

// asUintN is BigInt.asUintN for at most 64 bits.
func (m *vm) asUintN(a args) value {
	bits, ok := integerOf(a.get(0))
	if !ok || bits < 1 || bits > 64 {
		return m.throw(m.rangeError, "invalid width")
	}
	if lib.XJS_ToBigInt64(m.tls, m.ctx, m.out, a.get(1)) < 0 {
		return exception
	}
	n := *(*uint64)(at(m.out))
	return lib.XJS_NewBigUint64(m.tls, m.ctx, n&(^uint64(0)>>(64-uint(bits))))
}
