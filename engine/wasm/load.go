package wasm

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/stdbgo/spacetime/engine/wasm/internal/meter"
	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/sats"
)

// The version of the ABI that this host implements. It runs every module of the same major version up to the minor.
const (
	abiMajor = 10
	abiMinor = 6
)

// Names and types of the exports that the host calls, spec 03 §8.1.
const (
	exportMemory     = "memory"
	exportDescribe   = "__describe_module__"
	exportReducer    = "__call_reducer__"
	exportProcedure  = "__call_procedure__"
	exportView       = "__call_view__"
	exportViewAnon   = "__call_view_anon__"
	exportHandler    = "__call_http_handler__"
	exportSetup      = "__setup__"
	exportInitialize = "_initialize"
	prefixPreinit    = "__preinit__"
)

var (
	typeNone          = funcType("")
	typeDescribe      = funcType("i")
	typeSetup         = funcType("i:i")
	typeReducer       = funcType("iIIIIIIIii:i")
	typeView          = funcType("iIIIIii:i")
	typeViewAnon      = funcType("iii:i")
	typeHandler       = funcType("iIiiii:i")
	typeHandlerSender = funcType("iIIIIiIiiii:i")
)

// funcType reads "iI:i": i32, i64 to i32.
func funcType(s string) (t meter.FuncType) {
	params, results, _ := strings.Cut(s, ":")
	list := func(s string) (types []meter.ValueType) {
		for _, c := range s {
			v := meter.I32
			if c == 'I' {
				v = meter.I64
			}
			types = append(types, v)
		}
		return types
	}
	return meter.FuncType{Params: list(params), Results: list(results)}
}

// A program is a loaded module.
type program struct {
	e        *Engine
	code     *code
	closed   atomic.Bool
	hash     sats.Hash
	limits   abi.Limits
	memory   uint64   // cap in bytes
	preinits []string // in the order of their calls
	// which optional exports of the right type there are
	initialize, setup bool
	handlerSender     bool // the HTTP handler's export is the longer one
}

// Load checks, meters and compiles a module (spec 03 §2.2, steps 1 to 9).
func (e *Engine) Load(ctx context.Context, bin []byte, o abi.LoadOptions) (abi.Program, error) {
	p := &program{e: e, hash: o.Hash, limits: o.Limits.WithDefaults()}
	if p.hash == (sats.Hash{}) {
		p.hash = abi.HashProgram(bin)
	}
	m, err := meter.Parse(bin)
	if err != nil {
		return nil, &abi.LoadError{Problem: "this is no valid WebAssembly module", Err: err,
			Fix: "publish the .wasm file that your build made, for core WebAssembly 2.0"}
	}
	for _, check := range []func(*meter.Module) error{checkVersion, checkImports, p.checkExports, p.checkMemory} {
		if err := check(m); err != nil {
			return nil, err
		}
	}
	key := sha256.Sum256(bin)
	if p.code = e.share(key, nil); p.code != nil {
		return p, nil
	}
	metered, err := m.Rewrite()
	if err != nil {
		return nil, &abi.LoadError{Problem: "this is no valid WebAssembly module", Err: err}
	}
	compiled, err := e.compile(ctx, metered)
	if err != nil {
		return nil, &abi.LoadError{Problem: "the module does not compile", Err: err}
	}
	p.code = e.share(key, compiled)
	return p, nil
}

// checkVersion finds the ABI version that a module needs, spec 03 §2.3.
func checkVersion(m *meter.Module) error {
	var major, minor uint16
	found := false
	for _, im := range m.Imports {
		if im.Kind != meter.ExternFunc {
			continue
		}
		version, ok := strings.CutPrefix(im.Module, "spacetime_")
		if !ok {
			continue
		}
		a, b, _ := strings.Cut(version, ".")
		ma, err1 := strconv.ParseUint(a, 10, 16)
		mi, err2 := strconv.ParseUint(b, 10, 16)
		if err1 != nil || err2 != nil {
			return &abi.LoadError{Problem: fmt.Sprintf("import module %q has malformed version string", im.Module)}
		}
		if found && uint16(ma) != major {
			return &abi.LoadError{Problem: fmt.Sprintf("module cannot depend on both major version %d and major version %d", major, ma)}
		}
		found, major, minor = true, uint16(ma), max(minor, uint16(mi))
	}
	if !found {
		return &abi.LoadError{Problem: "unable to determine ABI of module (may be on an spacetime version < 0.8)",
			Fix: "build the module with an SDK of version 1.0 or later"}
	}
	if major != abiMajor || minor > abiMinor {
		return &abi.LoadError{
			Problem: fmt.Sprintf("abi version %d.%d is not supported (host implements %d.%d)", major, minor, abiMajor, abiMinor),
			Fix:     "update the server, or build the module with an older SDK"}
	}
	return nil
}

// checkImports demands that the host provides every import with exactly the module's type.
func checkImports(m *meter.Module) error {
	for _, im := range m.Imports {
		name := im.Module + "::" + im.Name
		if im.Module == meter.RefillModule {
			return &abi.LoadError{Problem: "unknown import: `" + name + "` is reserved for the host"}
		}
		host, ok := hostFunction(im.Module, im.Name)
		switch {
		case !ok:
			return &abi.LoadError{Problem: "unknown import: `" + name + "` has not been defined", Fix: importHint(im)}
		case im.Kind != meter.ExternFunc:
			return &abi.LoadError{Problem: fmt.Sprintf("incompatible import type for `%s`: expected %v found %v", name, im.Kind, host)}
		case !im.Type.Equal(host):
			return &abi.LoadError{Problem: fmt.Sprintf("incompatible import type for `%s`: expected type %v found type %v", name, im.Type, host)}
		}
	}
	return nil
}

// importHint says what may have gone wrong with an import that does not exist.
func importHint(im meter.Import) string {
	for minor := range abiMinor + 1 {
		if module := fmt.Sprintf("spacetime_%d.%d", abiMajor, minor); module != im.Module {
			if _, ok := hostFunction(module, im.Name); ok {
				return "the function is in " + module
			}
		}
	}
	switch im.Module {
	case "env":
		return "a library of the module expects an operating system; leave it out, or build for WASI"
	case "wbg", "__wbindgen_placeholder__":
		return "the module uses wasm-bindgen, which needs a browser; disable that feature of the library that brings it in"
	}
	return "modules may import what spacetime_10.0 to spacetime_10.6 and wasi_snapshot_preview1 offer"
}

// checkExports demands what the host needs and refuses optional exports of a wrong type.
func (p *program) checkExports(m *meter.Module) error {
	exports := make(map[string]meter.Export, len(m.Exports))
	for _, x := range m.Exports {
		exports[x.Name] = x
	}
	if x, ok := exports[exportMemory]; !ok || x.Kind != meter.ExternMemory {
		return &abi.LoadError{Problem: `there should be a memory export called "memory" but it does not exist`}
	}
	for _, x := range []struct {
		name, kind string
		typ        meter.FuncType
	}{{exportReducer, "call_reducer", typeReducer}, {exportDescribe, "describe_module", typeDescribe}} {
		got, ok := exports[x.name]
		if !ok {
			return &abi.LoadError{Problem: fmt.Sprintf("there should be a function called %q but it does not exist", x.name),
				Fix: "build the module with an SDK, as a library"}
		}
		if err := checkExport(got, x.kind, x.typ); err != nil {
			return err
		}
	}
	for _, x := range m.Exports {
		var err error
		switch {
		case x.Name == exportSetup:
			err = checkExport(x, "setup", typeSetup)
			p.setup = true
		case strings.HasPrefix(x.Name, prefixPreinit):
			err = checkExport(x, "preinit", typeNone)
			p.preinits = append(p.preinits, x.Name)
		case x.Name == exportInitialize:
			p.initialize = x.Kind == meter.ExternFunc && x.Type.Equal(typeNone)
		case x.Name == exportProcedure:
			err = checkExport(x, "call_procedure", typeReducer)
		case x.Name == exportView:
			err = checkExport(x, "call_view", typeView)
		case x.Name == exportViewAnon:
			err = checkExport(x, "call_view_anon", typeViewAnon)
		case x.Name == exportHandler:
			err = checkExport(x, "call_http_handler", typeHandler, typeHandlerSender)
			p.handlerSender = x.Type.Equal(typeHandlerSender)
		}
		if err != nil {
			return err
		}
	}
	slices.Sort(p.preinits)
	return nil
}

func checkExport(x meter.Export, kind string, types ...meter.FuncType) error {
	if x.Kind != meter.ExternFunc {
		return &abi.LoadError{Problem: fmt.Sprintf("expected %q export to be a %s with signature %v, but it wasn't a function at all",
			x.Name, kind, types[0])}
	}
	if slices.ContainsFunc(types, x.Type.Equal) {
		return nil
	}
	return &abi.LoadError{Problem: fmt.Sprintf("bad %s signature for %q; expected %v got %v", kind, x.Name, types[0], x.Type)}
}

// checkMemory refuses a memory that starts larger than it may become.
func (p *program) checkMemory(m *meter.Module) error {
	p.memory = maxMemory
	if l := p.limits.Memory; l > 0 {
		p.memory = min(l, maxMemory)
	}
	if m.Memory != nil && uint64(m.Memory.Min)*pageSize > p.memory {
		return &abi.LoadError{
			Problem: fmt.Sprintf("the module's memory starts with %d bytes, at most %d are allowed", uint64(m.Memory.Min)*pageSize, p.memory),
			Fix:     "raise the memory limit of the server, or build with a smaller initial memory"}
	}
	return nil
}

// Hash is the module hash.
func (p *program) Hash() sats.Hash { return p.hash }

// Close releases the compiled code, which other programs of the same bytes may still use.
func (p *program) Close() error {
	if p.closed.Swap(true) {
		return nil
	}
	return p.e.release(p.code)
}
