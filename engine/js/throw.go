package js

import (
	"fmt"
	"runtime/debug"

	lib "modernc.org/libquickjs"

	"github.com/stdbgo/spacetime/internal/abi"
)

// errnoTexts are the messages that errors of version 2 carry, spec 04 §5.2.
var errnoTexts = map[abi.Errno]string{
	abi.ErrHostCallFailure:         "ABI called by host returned an error",
	abi.ErrNotInTransaction:        "ABI call can only be made while in a transaction",
	abi.ErrBSATNDecode:             "Couldn't decode the BSATN to the expected type",
	abi.ErrNoSuchTable:             "No such table",
	abi.ErrNoSuchIndex:             "No such index",
	abi.ErrNoSuchIter:              "The provided row iterator is not valid",
	abi.ErrNoSuchConsoleTimer:      "The provided console timer does not exist",
	abi.ErrNoSuchBytes:             "The provided bytes source or sink is not valid",
	abi.ErrNoSpace:                 "The provided sink has no more space left",
	abi.ErrWrongIndexAlgo:          "The Index does not support range scans",
	abi.ErrBufferTooSmall:          "The provided buffer is not large enough to store the data",
	abi.ErrUniqueAlreadyExists:     "Value with given unique identifier already exists",
	abi.ErrScheduleDelayTooLong:    "Specified delay in scheduling row was too long",
	abi.ErrIndexNotUnique:          "The index was not unique",
	abi.ErrNoSuchRow:               "The row was not found, e.g., in an update call",
	abi.ErrAutoIncOverflow:         "The auto-increment sequence overflowed",
	abi.ErrWouldBlockTransaction:   "Attempted async or blocking op while holding open a transaction",
	abi.ErrTransactionNotAnonymous: "Not in an anonymous transaction. Called by a reducer?",
	abi.ErrTransactionIsReadOnly:   "ABI call can only be made while within a mutable transaction",
	abi.ErrTransactionIsMut:        "ABI call can only be made while within a read-only transaction",
	abi.ErrHTTP:                    "The HTTP request failed",
}

// callHost runs a host function for JavaScript. What the host panics with ends the call: no catch or finally runs, and every
// further host function is refused (spec 04 §5.4).
func (in *instance) callHost(f *hostFunction, a args) (v value) {
	if in.stop != nil || in.heap.full {
		return in.terminate()
	}
	defer func() {
		if p := recover(); p != nil {
			in.stop = asTrap(p, f.name)
			v = in.terminate()
		}
	}()
	v, e := f.run(in, a)
	if e == abi.OK {
		return v
	}
	if f.major == 1 {
		return in.throwObject(property{"__code_error__", intValue(int32(e))})
	}
	return in.throwErrno(e)
}

// asTrap makes a trap of what a host function panicked with.
func asTrap(p any, function string) *abi.Trap {
	if t, ok := p.(*abi.Trap); ok {
		if t.Reason != abi.TrapFault {
			return t
		}
		return &abi.Trap{Msg: "runtime error calling " + function, Err: t}
	}
	return &abi.Trap{Msg: "runtime error calling " + function, Err: fmt.Errorf("%v\n%s", p, debug.Stack())}
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
	text := errnoTexts[e]
	if text == "" {
		text = "Unknown error"
	}
	return in.throwErrnoText(e, text)
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
