package js

import (
	"unicode/utf8"

	lib "modernc.org/libquickjs"

	"github.com/stdbgo/spacetime/engine/internal/jshost"
	"github.com/stdbgo/spacetime/internal/abi"
)

// sysEnvGet answers null for an optional variable that is not set.
func sysEnvGet(in *instance, a args) (value, abi.Errno) {
	key, ok := a.str(0)
	if !ok {
		return exception, abi.OK
	}
	b, set, e := in.host.Env(key)
	switch {
	case e != abi.OK:
		return undefined, e
	case !set:
		return null, abi.OK
	}
	return in.text(abi.ValidText(b)), abi.OK
}

// initialising tells whether the module's top level or its description runs, which may not open transactions (spec 04 §2.1).
func (in *instance) initialising() bool { return in.host.Call().Kind == abi.KindInit }

func sysStartTx(in *instance, _ args) (value, abi.Errno) {
	if in.initialising() {
		return undefined, abi.ErrWouldBlockTransaction
	}
	now, e := in.host.StartTx()
	if e != abi.OK {
		return undefined, e
	}
	return lib.XJS_NewBigInt64(in.tls, in.ctx, int64(now)), abi.OK
}

// sysCommitTx throws a TypeError if a view fails, which has rolled the transaction back.
func sysCommitTx(in *instance, _ args) (value, abi.Errno) {
	e, failed := in.host.CommitTx()
	switch {
	case in.dead != nil: // by a view
		panic(&abi.Trap{Msg: "a view ended the instance", Err: in.dead})
	case in.stopped():
		return in.terminate(), abi.OK
	case failed != nil:
		return in.throw(in.typeError, failed.Error()), abi.OK
	}
	return undefined, e
}

func sysAbortTx(in *instance, _ args) (value, abi.Errno) { return undefined, in.host.AbortTx() }

// sysHTTPRequest answers [response, body]. It is refused while a transaction is open, which is always in reducers and views.
func sysHTTPRequest(in *instance, a args) (value, abi.Errno) {
	request, ok := a.bytes(0)
	if !ok {
		return exception, abi.OK
	}
	body, ok := a.text(1)
	if !ok {
		return exception, abi.OK
	}
	if in.host.Call().Host == nil {
		return undefined, abi.ErrWouldBlockTransaction
	}
	head, content, failed, e := in.host.HTTP(request, body)
	switch {
	case failed != nil:
		return in.throwHTTP(a.major, failed.Text), abi.OK
	case e == abi.ErrBSATNDecode:
		return in.throw(in.typeError, jshost.BadRequest), abi.OK
	case e != abi.OK:
		return undefined, e
	}
	return in.pair(head, content), abi.OK
}

// pair makes an array of two Uint8Arrays.
func (in *instance) pair(first, second []byte) value {
	one := in.newBytes(first)
	if isException(one) {
		return one
	}
	two := in.newBytes(second)
	if isException(two) {
		in.drop(one)
		return two
	}
	list := lib.XJS_NewArray(in.tls, in.ctx)
	lib.XJS_SetPropertyUint32(in.tls, in.ctx, list, 0, one)
	lib.XJS_SetPropertyUint32(in.tls, in.ctx, list, 1, two)
	return list
}

// text reads a Uint8Array or a string, of which it gives the UTF-8. It copies: JavaScript of a view may run before it is used.
func (a args) text(i int) ([]byte, bool) {
	v := a.get(i)
	if isString(v) {
		s, ok := a.m.goString(v)
		return []byte(s), ok
	}
	if a.m.classOf(v) == lib.EJS_CLASS_UINT8_ARRAY {
		if b, ok := a.m.arrayBytes(v); ok {
			return append([]byte(nil), b...), true
		}
	}
	a.m.mismatch("Uint8Array or string", v)
	return nil, false
}

// throwHTTP throws the error of a request that got no response, with its text.
func (in *instance) throwHTTP(major int, text string) value {
	if !utf8.ValidString(text) {
		text = abi.ValidText([]byte(text))
	}
	if major == 2 {
		return in.throwErrnoText(abi.ErrHTTP, text)
	}
	message := in.text(text)
	if isException(message) {
		return message
	}
	return in.throwObject(property{"__code_error__", intValue(int32(abi.ErrHTTP))}, property{"__error_message__", message})
}
