//go:build v8 && cgo

package v8

// #cgo CXXFLAGS: -I/usr/include/node -std=c++17 -O2 -fno-rtti -fno-exceptions -Wall
// #cgo LDFLAGS: -lnode
// #include <stdlib.h>
// #include "shim.h"
import "C"

import (
	_ "embed"
	"log/slog"
	"strings"
	"sync"
	"unsafe"

	"github.com/stdbgo/spacetime/engine/internal/jshost"
	"github.com/stdbgo/spacetime/internal/abi"
)

// Options configure an engine. The zero value works.
type Options struct {
	Logger *slog.Logger // nil: none
}

// An Engine compiles and runs modules. It implements the engine interface of the server.
type Engine struct{ log *slog.Logger }

var _ abi.Engine = (*Engine)(nil)

// New makes an engine. All of them share one V8, which is never shut down.
func New(o Options) *Engine {
	begin()
	e := &Engine{log: o.Logger}
	if e.log == nil {
		e.log = slog.New(slog.DiscardHandler)
	}
	return e
}

// Name is "js/v8".
func (e *Engine) Name() string { return "js/v8" }

// Version is that of the V8 that the process runs.
func Version() string { return C.GoString(C.v8_version()) }

// polyfill is a script whose value is a function. Called with two of the engine's, it adds what V8 14 has and this one lacks:
// detach(buffer), isDetached(buffer).
//
//go:embed polyfill.js
var polyfill string

var begin = sync.OnceFunc(func() {
	C.v8_begin()
	C.v8_set_scripts(cText(polyfill), cText(jshost.Prelude), cText(jshost.Resource), cText(jshost.SymbolText))
	for _, m := range sysModules {
		major := m.version[0] - '0'
		C.v8_add_module(C.CString("spacetime:sys@"+m.version), C.int(major), cBool(m.hooks))
		for _, f := range m.functions {
			C.v8_add_function(C.CString(f.name), C.CString(f.signature), C.int(f.arity))
			hostFunctions = append(hostFunctions, f)
		}
	}
})

// cText copies a text for the engine, for ever.
func cText(s string) C.v8_text { return C.v8_text{C.CString(s), C.size_t(len(s))} }

func cBool(b bool) C.int {
	if b {
		return 1
	}
	return 0
}

// goText copies a text of the engine.
func goText(t C.v8_text) string {
	if t.n == 0 {
		return ""
	}
	return strings.Clone(unsafe.String((*byte)(unsafe.Pointer(t.p)), int(t.n)))
}

// goBytes copies bytes of the engine; the result is never nil.
func goBytes(t C.v8_text) []byte { return append([]byte{}, view(t.p, t.n)...) }

// view is memory of the engine.
func view(p *C.char, n C.size_t) []byte {
	if n == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(p)), int(n))
}

// pointer is the address of bytes for a call of C.
func pointer(b []byte) *C.char { return (*C.char)(unsafe.Pointer(unsafe.SliceData(b))) }
