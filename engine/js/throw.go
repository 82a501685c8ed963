package js

import (
	"time"

	lib "modernc.org/libquickjs"

	"github.com/stdbgo/spacetime/engine/internal/jshost"
	"github.com/stdbgo/spacetime/internal/abi"
)

// callHost runs a host function for JavaScript. What the host panics with ends the call: no catch or finally runs, and every
// further host function is refused (spec 04 §5.4).
func (in *instance) callHost(f *hostFunction, a args) (v value) {
	if in.stop != nil || in.heap.full {
		return in.terminate()
	}
	defer func() {
		if p := recover(); p != nil {
			in.stop = jshost.AsTrap(p, f.name)
			v = in.terminate()
		}
	}()
	var start time.Time
	if in.host.Timed() {
		start = time.Now()
	}
	v, e := f.run(in, a)
	if !start.IsZero() {
		in.host.Took(time.Since(start))
	}
	if e == abi.OK {
		return v
	}
	if f.major == 1 {
		return in.throwObject(property{"__code_error__", intValue(int32(e))})
	}
	return in.throwErrno(e)
}

// A property is one of a sealed object.
type property struct {
	name string
	v    value
}

// sealed makes an object with these properties, whose values it takes over. Nothing can be added to it.
func (m *vm) sealed(properties ...property) value {
	o := lib.XJS_NewObject(m.tls, m.ctx)
	if isException(o) {
		for _, p := range properties {
			m.drop(p.v)
		}
		return o
	}
	const flags = lib.MJS_PROP_WRITABLE | lib.MJS_PROP_ENUMERABLE
	ok := true
	for _, p := range properties { // a value is taken over in any case
		ok = lib.XJS_DefinePropertyValueStr(m.tls, m.ctx, o, m.cstring(p.name), p.v, flags) >= 0 && ok
	}
	if !ok || lib.XJS_PreventExtensions(m.tls, m.ctx, o) < 0 {
		m.drop(o)
		return exception
	}
	return o
}

// throwObject throws a sealed object, which is no Error.
func (m *vm) throwObject(properties ...property) value {
	o := m.sealed(properties...)
	if isException(o) {
		return o
	}
	return lib.XJS_Throw(m.tls, m.ctx, o)
}

func (m *vm) throwTooSmall(needed int) value {
	return m.throwObject(property{"__buffer_too_small__", uint32Value(uint32(needed))})
}

// throwErrno throws an instance of the class that the module has for the number. While the hooks are not known it is an Error.
func (in *instance) throwErrno(e abi.Errno) value {
	return in.throwErrnoText(e, jshost.ErrnoText(e))
}

func (in *instance) throwErrnoText(e abi.Errno, text string) value {
	if isUndefined(in.hook.errorClass) {
		return in.throw(in.plainError, text)
	}
	in.arg(0, intValue(int32(e)))
	class := in.call(in.hook.errorClass, undefined, 1)
	if isException(class) {
		return class
	}
	defer in.drop(class)
	if lib.XJS_IsFunction(in.tls, in.ctx, class) == 0 {
		in.mismatch("an error constructor", class)
		return exception
	}
	return in.throw(class, text)
}
