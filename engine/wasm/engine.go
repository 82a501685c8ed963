package wasm

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/stdbgo/spacetime/engine/wasm/internal/meter"
	"github.com/stdbgo/spacetime/internal/abi"
)

// A Mode says how modules are executed.
type Mode string

const (
	// Auto compiles to machine code if the compiler passes SelfTest, and interprets otherwise.
	Auto Mode = "auto"
	// Compiler compiles in any case.
	Compiler Mode = "compiler"
	// Interpreter never compiles: correct everywhere, some thirty times slower.
	Interpreter Mode = "interpreter"
)

// Options configure an engine. The zero value works.
type Options struct {
	CacheDir string       // where compiled code is kept between processes; empty: nowhere
	Engine   Mode         // empty: Auto
	Logger   *slog.Logger // nil: none
}

// An Engine compiles and runs modules. It implements the engine interface of the server.
type Engine struct {
	mode    Mode // Compiler or Interpreter
	unsound []string
	log     *slog.Logger
	cache   string // folder of compiled code, or empty

	rt wazero.Runtime
	cc wazero.CompilationCache // nil without cache

	mu    sync.Mutex
	codes map[[32]byte]*code // what programs in use were compiled to
}

var _ abi.Engine = (*Engine)(nil)

// features of WebAssembly that modules may use. The self-test and its patch were judged for these only.
const features = api.CoreFeaturesV2

// New makes an engine. It runs SelfTest if the outcome matters.
func New(o Options) (*Engine, error) {
	e := &Engine{mode: o.Engine, log: o.Logger, codes: map[[32]byte]*code{}}
	if e.log == nil {
		e.log = slog.New(slog.DiscardHandler)
	}
	switch o.Engine {
	case Interpreter:
	case Auto, "", Compiler:
		e.unsound = SelfTest()
		if e.mode != Compiler {
			e.mode = Compiler
			if len(e.unsound) > 0 {
				e.mode = Interpreter
			}
		}
		e.report()
	default:
		return nil, fmt.Errorf("wasm: engine %q is unknown; use auto, compiler or interpreter", o.Engine)
	}
	if e.mode == Compiler && o.CacheDir != "" {
		e.cache = filepath.Join(o.CacheDir, "wasm", e.verdict(), fmt.Sprintf("meter-%d", meter.Version))
	}
	if err := e.open(context.Background()); err != nil {
		return nil, err
	}
	return e, nil
}

// report tells the operator about a compiler that computes wrongly.
func (e *Engine) report() {
	if len(e.unsound) == 0 {
		return
	}
	e.log.Error("the WebAssembly compiler of this binary computes wrong results",
		"functions", strings.Join(e.unsound, " "), "engine", string(e.mode),
		"cure", "run `go run ./tools/patchdeps` in the source tree and build again, or use a release binary")
}

// verdict names the cache folder, so that code from a compiler that failed the self-test is never run by a sound one.
func (e *Engine) verdict() string {
	if len(e.unsound) > 0 {
		return "unsound"
	}
	return "sound"
}

// Name is "wasm/compiler" or "wasm/interpreter".
func (e *Engine) Name() string { return "wasm/" + string(e.mode) }

// Unsound returns what SelfTest found when the engine was made; nil if the engine only interprets.
func (e *Engine) Unsound() []string { return e.unsound }

// open makes the runtime with all host modules.
func (e *Engine) open(ctx context.Context) error {
	config := wazero.NewRuntimeConfigInterpreter()
	if e.mode == Compiler {
		config = wazero.NewRuntimeConfigCompiler()
	}
	// Line tables would describe the code before rewriting; stack traces name functions.
	config = config.WithCoreFeatures(features).WithDebugInfoEnabled(false)
	if e.cache != "" {
		cc, err := wazero.NewCompilationCacheWithDir(e.cache)
		if err != nil {
			e.log.Warn("compiled modules are not kept", "folder", e.cache, "error", err)
		} else {
			e.cc = cc
			config = config.WithCompilationCache(cc)
		}
	}
	rt := wazero.NewRuntimeWithConfig(ctx, config)
	for name, functions := range hostModules() {
		b := rt.NewHostModuleBuilder(name)
		for _, f := range functions {
			b.NewFunctionBuilder().WithGoModuleFunction(f.goFunction(), valueTypes(f.typ.Params), valueTypes(f.typ.Results)).
				Export(f.name)
		}
		if _, err := b.Instantiate(ctx); err != nil {
			return fmt.Errorf("wasm: host module %s: %w", name, err)
		}
	}
	e.rt = rt
	return nil
}

// Close releases the engine. All programs must have been closed.
func (e *Engine) Close() error {
	ctx := context.Background()
	err := e.rt.Close(ctx)
	if e.cc != nil {
		err = errors.Join(err, e.cc.Close(ctx))
	}
	return err
}

// compile compiles a rewritten module, using the cache if there is one.
func (e *Engine) compile(ctx context.Context, bin []byte) (wazero.CompiledModule, error) {
	ctx = experimental.WithCompilationWorkers(ctx, runtime.GOMAXPROCS(0))
	code, err := e.rt.CompileModule(ctx, bin)
	if err == nil || e.cache == "" || !isCacheError(err) {
		return code, err
	}
	// A damaged or full cache must not keep a module from running. The entry's name is the engine's secret, so all go.
	e.log.Warn("the cache of compiled modules is unusable and has been emptied", "folder", e.cache, "error", err)
	e.emptyCache()
	if code, err = e.rt.CompileModule(ctx, bin); err == nil || !isCacheError(err) {
		return code, err
	}
	return nil, fmt.Errorf("cannot write the cache of compiled modules in %s: %w", e.cache, err)
}

// isCacheError tells errors of the cache from those of the module.
func isCacheError(err error) bool {
	var path *os.PathError
	var link *os.LinkError
	return strings.Contains(err.Error(), "compilationcache:") || errors.As(err, &path) || errors.As(err, &link)
}

func (e *Engine) emptyCache() {
	folders, _ := filepath.Glob(filepath.Join(e.cache, "wazero-*"))
	for _, dir := range folders {
		files, _ := filepath.Glob(filepath.Join(dir, "*"))
		for _, f := range files {
			os.Remove(f)
		}
	}
}
