//go:build v8 && cgo

package v8

// #include "shim.h"
import "C"

import (
	"encoding/binary"
	"runtime/cgo"
	"time"
	"unicode/utf8"
	"unsafe"

	"github.com/stdbgo/spacetime/engine/internal/jshost"
	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/sats"
)

// A hostFunction is one function of a spacetime:sys module. The engine checks and converts arguments as the signature says
// (shim.h). Its run sets the answer unless it is undefined, or returns an Errno, which is then thrown in the way of the
// module's major version.
type hostFunction struct {
	name      string
	signature string
	arity     int
	run       func(c hostCall) abi.Errno
}

// A sysModule is one module that programs may import (spec 04 §2.2). A minor version holds its additions only.
type sysModule struct {
	version   string
	hooks     bool // exports the symbol moduleHooks
	functions []hostFunction
}

// hostFunctions are the functions of all modules, by the engine's number.
var hostFunctions []hostFunction

// A hostCall is a running call of a host function.
type hostCall struct {
	in   *instance
	args *[maxArgs]C.v8_arg
	out  *C.v8_answer
}

// maxArgs is the longest signature.
const maxArgs = 6

// v8GoHost runs a host function for JavaScript. What the host panics with ends the call: no catch or finally runs, and every
// further host function is refused (spec 04 §5.4).
//
//export v8GoHost
func v8GoHost(handle C.uintptr_t, function C.int, args *C.v8_arg, answer *C.v8_answer) {
	in := cgo.Handle(handle).Value().(*instance)
	f := &hostFunctions[function]
	defer func() {
		if p := recover(); p != nil {
			in.stop = jshost.AsTrap(p, f.name)
			answer.kind = C.V8_TERMINATE
		}
	}()
	c := hostCall{in, (*[maxArgs]C.v8_arg)(unsafe.Pointer(args)), answer}
	var start time.Time
	if in.host.Timed() {
		start = time.Now()
	}
	e := f.run(c)
	if !start.IsZero() {
		in.host.Took(time.Since(start))
	}
	if e != abi.OK {
		c.text(C.V8_ERRNO, jshost.ErrnoText(e))
		answer.num = C.uint64_t(e)
	}
}

// v8GoUnknownModule answers the text of the error for an import that names no module.
//
//export v8GoUnknownModule
func v8GoUnknownModule(c *C.v8_instance, spec *C.char, n C.size_t, answer *C.v8_answer) {
	text := jshost.UnknownModule(goText(C.v8_text{spec, n}))
	p := C.v8_buffer(c, C.size_t(len(text)))
	answer.p, answer.n = p, C.size_t(copy(view(p, C.size_t(len(text))), text))
}

func (c hostCall) u32(i int) uint32 { return uint32(c.args[i].num) }

// str copies a text.
func (c hostCall) str(i int) string { return goText(C.v8_text{c.args[i].p, c.args[i].n}) }

// bytes are those of an array or buffer, good until JavaScript runs again.
func (c hostCall) bytes(i int) []byte { return view(c.args[i].p, c.args[i].n) }

// prefix are as many leading bytes of a buffer as the argument after it says.
func (c hostCall) prefix(i int) []byte { return c.bytes(i)[:c.args[i+1].num] }

func (c hostCall) connection(i int) (id sats.ConnectionID) {
	binary.LittleEndian.PutUint64(id[:], uint64(c.args[i].num))
	binary.LittleEndian.PutUint64(id[8:], uint64(c.args[i].high))
	return id
}

// integer answers a number.
func (c hostCall) integer(n int64) { c.out.kind, c.out.num = C.V8_INT, C.uint64_t(n) }

// id answers a number unless there is an error.
func (c hostCall) id(n uint32, e abi.Errno) abi.Errno {
	c.integer(int64(n))
	return e
}

// big answers a bigint.
func (c hostCall) big(n uint64) { c.out.kind, c.out.num = C.V8_BIG_UINT, C.uint64_t(n) }

// room is memory of the engine for n bytes of an answer.
func (c hostCall) room(n int) []byte {
	in := c.in
	if n > len(in.room) {
		size := max(n, 2*len(in.room), 1<<12)
		p := C.v8_buffer(in.c, C.size_t(size))
		if p == nil {
			abi.Fault("there is no memory for %d bytes", size)
		}
		in.room = view(p, C.size_t(size))
	}
	return in.room[:n]
}

// give answers the first n bytes of room.
func (c hostCall) give(kind C.int, n int) {
	c.out.kind, c.out.n = kind, C.size_t(n)
	c.out.p = pointer(c.in.room)
}

// content answers bytes.
func (c hostCall) content(kind C.int, b []byte) {
	copy(c.room(len(b)), b)
	c.give(kind, len(b))
}

// text answers or throws a text.
func (c hostCall) text(kind C.int, s string) {
	if !utf8.ValidString(s) {
		s = abi.ValidText([]byte(s))
	}
	copy(c.room(len(s)), s)
	c.give(kind, len(s))
}

// tooSmall throws the size of the buffer that is needed.
func (c hostCall) tooSmall(needed int) { c.out.kind, c.out.num = C.V8_TOO_SMALL, C.uint64_t(needed) }
