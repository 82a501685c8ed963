package js

import (
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"unicode/utf8"
	"unsafe"

	"modernc.org/libc"
	lib "modernc.org/libquickjs"
)

// maxArgs is the longest argument list that the host calls a function with.
const maxArgs = 8

// A vm is one engine: a heap, a realm in it, and a few places in its memory through which Go and the engine exchange data.
type vm struct {
	heap heap
	tls  *libc.TLS
	rt   uintptr
	ctx  uintptr

	argv    uintptr // room for maxArgs values
	out     uintptr // room for three sizes that functions return by address
	scratch uintptr // room for text and bytes on their way in
	room    int     // size of scratch

	pollFunc      func(tls *libc.TLS, rt, opaque uintptr) int32
	normalizeFunc func(tls *libc.TLS, ctx, base, name, opaque uintptr) uintptr
	loadFunc      func(tls *libc.TLS, ctx, name, opaque uintptr) uintptr
	exportFunc    func(tls *libc.TLS, ctx, module uintptr) int32
	hostFunc      func(tls *libc.TLS, ctx uintptr, this value, argc int32, argv uintptr, magic int32) value

	linking bool                   // imports are being resolved; at any other time import() is refused
	modules map[uintptr]*sysModule // by address of the engine's record
	hooks   value                  // the symbol moduleHooks
	host    func(f *hostFunction, a args) value
	natives []native

	typeError, rangeError, plainError, dataView, bigInt value // constructors as they were before user code ran
}

var errNoMemory = errors.New("the JavaScript engine got no memory")

const (
	outSize     = 64
	firstRoom   = 4 << 10
	interrupted = 1 // result of a poll function that ends the call
)

// init makes the engine. Poll is called now and then while JavaScript runs; if it returns true, JavaScript ends.
func (m *vm) init(limit uint64, poll func() bool) error {
	m.heap.init(limit)
	m.tls = libc.NewTLS()
	functions := m.heap.functions()
	if functions == 0 {
		return errNoMemory
	}
	if m.rt = lib.XJS_NewRuntime2(m.tls, functions, 0); m.rt == 0 {
		return errNoMemory
	}
	if m.ctx = lib.XJS_NewContext(m.tls, m.rt); m.ctx == 0 {
		return errNoMemory
	}
	lib.XJS_SetCanBlock(m.tls, m.rt, 0)
	m.pollFunc = func(*libc.TLS, uintptr, uintptr) int32 {
		if poll() {
			return interrupted
		}
		return 0
	}
	lib.XJS_SetInterruptHandler(m.tls, m.rt, functionPointer(&m.pollFunc), 0)
	m.argv = m.heap.alloc(maxArgs * valueSize)
	m.out = m.heap.alloc(outSize)
	if m.argv == 0 || m.out == 0 || !m.grow(firstRoom) {
		return errNoMemory
	}
	m.provideModules()
	return m.findConstructors()
}

func (m *vm) findConstructors() error {
	global := lib.XJS_GetGlobalObject(m.tls, m.ctx)
	defer m.drop(global)
	for name, v := range map[string]*value{"TypeError": &m.typeError, "RangeError": &m.rangeError, "Error": &m.plainError,
		"DataView": &m.dataView, "BigInt": &m.bigInt} {
		*v = m.property(global, name)
		if !isObject(*v) {
			return fmt.Errorf("the JavaScript engine has no %s", name)
		}
	}
	return nil
}

// close throws the engine away. Values are not freed one by one: their memory goes as a whole, whatever state it is in.
func (m *vm) close() error {
	if m.tls != nil {
		m.tls.Close()
		m.tls = nil
	}
	return m.heap.close()
}

// guard runs f such that a fault of the engine becomes an error. After one the engine must not be used any more.
func guard(f func() error) (err error) {
	old := debug.SetPanicOnFault(true)
	defer debug.SetPanicOnFault(old)
	defer func() {
		if p := recover(); p != nil {
			err = &crashError{p, debug.Stack()}
		}
	}()
	return f()
}

// A crashError is a fault inside the engine.
type crashError struct {
	cause any
	stack []byte
}

func (e *crashError) Error() string { return fmt.Sprintf("the JavaScript engine crashed: %v", e.cause) }

// grow makes scratch at least n bytes large.
func (m *vm) grow(n int) bool {
	if n <= m.room {
		return true
	}
	size := max(n, 2*m.room)
	p := m.heap.realloc(m.scratch, uint64(size))
	if p == 0 {
		return false
	}
	m.scratch, m.room = p, size
	return true
}

// cstring puts s with a final zero into scratch, where it stays until scratch is used again.
func (m *vm) cstring(s string) uintptr {
	if !m.grow(len(s) + 1) {
		panic(errNoMemory)
	}
	b := memory(m.scratch, len(s)+1)
	copy(b, s)
	b[len(s)] = 0
	return m.scratch
}

func (m *vm) dup(v value) value { return lib.XDupValue(m.tls, m.ctx, v) }

// drop frees a reference.
func (m *vm) drop(v value) {
	if counted(v) {
		lib.XFreeValue(m.tls, m.ctx, v)
	}
}

// arg stores the i-th argument of the next call.
func (m *vm) arg(i int, v value) { *(*value)(at(m.argv + uintptr(i)*valueSize)) = v }

// call calls a function with the first n stored arguments, which it does not free.
func (m *vm) call(f, this value, n int) value {
	return lib.XJS_Call(m.tls, m.ctx, f, this, int32(n), m.argv)
}

// construct is call with `new`.
func (m *vm) construct(f value, n int) value {
	return lib.XJS_CallConstructor(m.tls, m.ctx, f, int32(n), m.argv)
}

func (m *vm) property(v value, name string) value {
	return lib.XJS_GetPropertyStr(m.tls, m.ctx, v, m.cstring(name))
}

// text makes a string of valid UTF-8.
func (m *vm) text(s string) value {
	if !m.grow(len(s)) {
		return lib.XJS_ThrowOutOfMemory(m.tls, m.ctx)
	}
	copy(memory(m.scratch, len(s)), s)
	return lib.XJS_NewStringLen(m.tls, m.ctx, m.scratch, lib.Tsize_t(len(s)))
}

// goString returns the text of v, which is converted as String(v) does unless it is a string. Lone surrogates become U+FFFD.
// It fails if the conversion throws.
func (m *vm) goString(v value) (string, bool) {
	p := lib.XJS_ToCStringLen2(m.tls, m.ctx, m.out, v, 0)
	if p == 0 {
		return "", false
	}
	s := string(memory(p, int(*(*lib.Tsize_t)(at(m.out)))))
	lib.XJS_FreeCString(m.tls, m.ctx, p)
	if !utf8.ValidString(s) {
		s = replaceSurrogates(s)
	}
	return s, true
}

// replaceSurrogates writes U+FFFD for each surrogate, which the engine encodes in three bytes like any other character.
func replaceSurrogates(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 {
			if s[i] == 0xed && len(s)-i >= 3 {
				n = 3
			}
		}
		b.WriteRune(r)
		i += n
	}
	return b.String()
}

// newBuffer makes an ArrayBuffer with a copy of b. Its memory is the engine's own, so that it can be resized and transferred.
func (m *vm) newBuffer(b []byte) value {
	p := m.scratch
	if len(b) > m.room {
		if p = m.heap.alloc(uint64(len(b))); p == 0 {
			return lib.XJS_ThrowOutOfMemory(m.tls, m.ctx)
		}
		defer m.heap.release(p)
	}
	copy(memory(p, len(b)), b)
	return lib.XJS_NewArrayBufferCopy(m.tls, m.ctx, p, lib.Tsize_t(len(b)))
}

// newBytes makes a Uint8Array over a buffer of its own with a copy of b. It uses the stored arguments.
func (m *vm) newBytes(b []byte) value {
	buf := m.newBuffer(b)
	if isException(buf) {
		return buf
	}
	m.arg(0, buf)
	m.arg(1, undefined) // the engine reads three arguments, given or not
	m.arg(2, undefined)
	v := lib.XJS_NewTypedArray(m.tls, m.ctx, 3, m.argv, lib.EJS_TYPED_ARRAY_UINT8)
	m.drop(buf)
	return v
}

// newView makes a DataView over a buffer of its own with a copy of b. It uses the stored arguments.
func (m *vm) newView(b []byte) value {
	buf := m.newBuffer(b)
	if isException(buf) {
		return buf
	}
	m.arg(0, buf)
	v := m.construct(m.dataView, 1)
	m.drop(buf)
	return v
}

// classOf is the engine's class number of an object, 0 for anything else.
func (m *vm) classOf(v value) uint32 {
	if !isObject(v) {
		return 0
	}
	return uint32(lib.XJS_GetClassID(m.tls, v))
}

// bufferBytes returns the bytes of an ArrayBuffer as they lie in the engine's memory, good until JavaScript runs again.
func (m *vm) bufferBytes(v value) ([]byte, bool) {
	p := lib.XJS_GetArrayBuffer(m.tls, m.ctx, m.out, v)
	n := int(*(*lib.Tsize_t)(at(m.out)))
	if p == 0 && m.discardException() {
		return nil, false
	}
	return memory(p, n), true
}

// arrayBytes is bufferBytes for what a typed array shows.
func (m *vm) arrayBytes(v value) ([]byte, bool) {
	const word = unsafe.Sizeof(lib.Tsize_t(0))
	buf := lib.XJS_GetTypedArrayBuffer(m.tls, m.ctx, v, m.out+word, m.out+2*word, 0)
	if isException(buf) {
		m.discardException()
		return nil, false
	}
	offset, size := *(*lib.Tsize_t)(at(m.out + word)), *(*lib.Tsize_t)(at(m.out + 2*word))
	all, ok := m.bufferBytes(buf)
	m.drop(buf) // the array keeps it alive
	if !ok || uint64(offset)+uint64(size) > uint64(len(all)) {
		return nil, false
	}
	return all[offset : offset+size], true
}

// discardException forgets the pending exception and tells whether there was one.
func (m *vm) discardException() bool {
	if lib.XJS_HasException(m.tls, m.ctx) == 0 {
		return false
	}
	m.drop(lib.XJS_GetException(m.tls, m.ctx))
	return true
}

// throw makes a new error the pending exception.
func (m *vm) throw(constructor value, message string) value {
	text := m.text(message)
	if isException(text) {
		return text
	}
	m.arg(0, text)
	e := m.construct(constructor, 1)
	m.drop(text)
	if isException(e) {
		return e
	}
	return lib.XJS_Throw(m.tls, m.ctx, e)
}

// terminate makes an exception pending that no catch or finally sees.
func (m *vm) terminate() value {
	v := lib.XJS_ThrowInternalError(m.tls, m.ctx, m.cstring("terminated"), 0)
	lib.XJS_SetUncatchableException(m.tls, m.ctx, 1)
	return v
}

// wide makes a BigInt of the bytes of an unsigned little-endian number.
func (m *vm) wide(b []byte) value {
	const digits = "0123456789abcdef"
	text := make([]byte, 2, 2+64)
	copy(text, "0x")
	for i := len(b) - 1; i >= 0; i-- {
		text = append(text, digits[b[i]>>4], digits[b[i]&15])
	}
	s := m.text(string(text))
	if isException(s) {
		return s
	}
	m.arg(0, s)
	v := m.call(m.bigInt, undefined, 1)
	m.drop(s)
	return v
}

// jobs runs what promises have queued, until nothing is left. Exceptions nobody handles are dropped (spec 04 §9.3).
func (m *vm) jobs(stopped func() bool) {
	for !stopped() && lib.XJS_IsJobPending(m.tls, m.rt) != 0 {
		if lib.XJS_ExecutePendingJob(m.tls, m.rt, 0) < 0 {
			m.discardException()
		}
	}
}
