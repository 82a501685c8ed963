package js

import (
	"errors"
	"fmt"

	lib "modernc.org/libquickjs"

	"github.com/stdbgo/spacetime/engine/internal/jshost"
	"github.com/stdbgo/spacetime/internal/abi"
)

// hooks are the functions of one instance's module. Those that are not there are undefined.
type hooks struct {
	major       int   // 1 or 2; 0: not yet known
	receiver    value // `this` of every call
	describe    value
	reducer     value
	errorClass  value // version 2 only
	senderError value // version 2 only
	others      map[string]value
}

func noHooks() hooks {
	return hooks{receiver: undefined, describe: undefined, reducer: undefined, errorClass: undefined, senderError: undefined,
		others: map[string]value{}}
}

// slot is where the hook of that name is kept; nil if others keeps it.
func (h *hooks) slot(name string) *value {
	switch name {
	case jshost.HookDescribe:
		return &h.describe
	case jshost.HookReducer:
		return &h.reducer
	case jshost.HookErrorClass:
		return &h.errorClass
	case jshost.HookSenderError:
		return &h.senderError
	}
	return nil
}

func (h *hooks) has(name string) bool {
	if s := h.slot(name); s != nil {
		return !isUndefined(*s)
	}
	_, ok := h.others[name]
	return ok
}

func (h *hooks) set(name string, v value) {
	if s := h.slot(name); s != nil {
		*s = v
		return
	}
	h.others[name] = v
}

// function reads a property of v that must be a function, or throws.
func (m *vm) function(v value, name string) (value, bool) {
	f := m.property(v, name)
	if isException(f) {
		return f, false
	}
	if lib.XJS_IsFunction(m.tls, m.ctx, f) == 0 {
		m.throw(m.typeError, fmt.Sprintf("Expected module function hook `%s`, got %s", name, m.kind(f)))
		m.drop(f)
		return exception, false
	}
	return f, true
}

// registerHooks is the function of version 1 by which a module gives its hooks, at most once each.
func (in *instance) registerHooks(a args, names []string) (value, abi.Errno) {
	object := a.get(0)
	if !isObject(object) {
		in.mismatch("an object of hooks", object)
		return exception, abi.OK
	}
	if in.hook.major == 2 {
		return in.throw(in.typeError, jshost.HooksMixed), abi.OK
	}
	for _, name := range names {
		if in.hook.has(name) {
			return in.throw(in.typeError, jshost.HooksTwice), abi.OK
		}
	}
	found := make([]value, 0, len(names))
	for _, name := range names {
		f, ok := in.function(object, name)
		if !ok {
			for _, f := range found {
				in.drop(f)
			}
			return exception, abi.OK
		}
		found = append(found, f)
	}
	for i, name := range names {
		in.hook.set(name, found[i])
	}
	return undefined, abi.OK
}

// discoverHooks finds the hooks after the module's evaluation, spec 04 §2.3.
func (in *instance) discoverHooks(namespace value) error {
	h := &in.hook
	if h.has(jshost.HookDescribe) && h.has(jshost.HookReducer) {
		h.major = 1
		return nil
	}
	schema := in.property(namespace, "default")
	defer in.drop(schema)
	switch {
	case isException(schema):
		return in.uncaught()
	case isUndefined(schema), isNull(schema):
		return &abi.LoadError{Problem: "must export schema as default export", Fix: jshost.FixDefault}
	case !isObject(schema):
		return &abi.LoadError{Problem: "default export is not a Schema object", Fix: jshost.FixDefault}
	case len(h.others) > 0 || h.has(jshost.HookDescribe) || h.has(jshost.HookReducer):
		return &abi.LoadError{Problem: "TypeError: " + jshost.HooksMixed}
	}
	object, err := in.schemaHooks(schema, namespace)
	if err != nil {
		return err
	}
	h.receiver = object
	for _, name := range []string{jshost.HookDescribe, jshost.HookErrorClass, jshost.HookSenderError, jshost.HookReducer, jshost.HookView, jshost.HookViewAnon, jshost.HookProcedure} {
		f, ok := in.function(object, name)
		if !ok {
			return in.uncaught()
		}
		h.set(name, f)
	}
	handler := in.property(object, jshost.HookHandler)
	switch {
	case isException(handler):
		return in.uncaught()
	case isUndefined(handler), isNull(handler):
	default:
		h.set(jshost.HookHandler, handler)
	}
	h.major = 2
	return nil
}

// schemaHooks calls the function that the schema keeps under the symbol moduleHooks.
func (in *instance) schemaHooks(schema, namespace value) (value, error) {
	atom := lib.XJS_ValueToAtom(in.tls, in.ctx, in.hooks)
	f := lib.XJS_GetPropertyInternal(in.tls, in.ctx, schema, atom, schema, 0)
	lib.XJS_FreeAtom(in.tls, in.ctx, atom)
	defer in.drop(f)
	if isException(f) {
		return f, in.uncaught()
	}
	if lib.XJS_IsFunction(in.tls, in.ctx, f) == 0 {
		return exception, &abi.LoadError{Problem: "TypeError: Expected hooks function, got " + in.kind(f)}
	}
	in.arg(0, namespace)
	object := in.call(f, schema, 1)
	if isException(object) {
		return object, in.uncaught()
	}
	if !isObject(object) {
		return exception, &abi.LoadError{Problem: "TypeError: Expected an object of hooks, got " + in.kind(object)}
	}
	return object, nil
}

var errNoBytes = errors.New("`__describe_module__` did not return a Uint8Array")

// runDescribe asks the module for its definition.
func (in *instance) runDescribe() ([]byte, error) {
	v := in.call(in.hook.describe, in.hook.receiver, 0)
	if isException(v) {
		return nil, in.uncaught()
	}
	defer in.drop(v)
	if in.classOf(v) == lib.EJS_CLASS_UINT8_ARRAY {
		if b, ok := in.arrayBytes(v); ok {
			return append([]byte(nil), b...), nil
		}
	}
	return nil, &abi.LoadError{Problem: "error getting module description", Err: errNoBytes}
}
