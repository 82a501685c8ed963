package wasm

import (
	"context"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/stdbgo/spacetime/internal/abi"
)

// Host to guest: one call of a reducer that does nothing.
func BenchmarkCallReducer(b *testing.B) {
	in := instantiate(b, loadFile(b, "testdata/behave.wasm", abi.Limits{}), newServices())
	call := &abi.ReducerCall{Name: "nothing", Args: []byte{1, 2, 3}}
	b.ReportAllocs()
	for b.Loop() {
		in.CallReducer(context.Background(), call)
	}
}

// A Rust reducer that inserts a row with a sequence and two unique indexes, and one that deletes and inserts.
func BenchmarkRustReducers(b *testing.B) {
	for _, c := range []struct{ reducer, args string }{{"nop", "[]"}, {"put_bytes", `[1, "0011"]`}, {"write_diary", `["x"]`}} {
		b.Run(c.reducer, func(b *testing.B) {
			d := open(b, "kitchen")
			b.ReportAllocs()
			for b.Loop() {
				d.must(c.reducer, c.args)
			}
		})
	}
}

// What metering costs: the same functions in their original and their metered form. identities is a loop of calls from guest
// to host, 100,000 each time.
func BenchmarkMetering(b *testing.B) {
	p := loadFile(b, "testdata/behave.wasm", abi.Limits{}).(*program)
	metered := instantiate(b, p, newServices())
	original := originalOf(b, p, "testdata/behave.wasm")
	for _, f := range []struct {
		name string
		arg  uint64
	}{{"fib", 25}, {"sum", 1_000_000}, {"sort", 1000}, {"identities", 100_000}} {
		run := func(b *testing.B, in *instance, fn api.Function) {
			for b.Loop() {
				in.begin(context.Background(), abi.Call{}, abi.DefaultFuel)
				stack := [1]uint64{f.arg}
				if err := fn.CallWithStack(&in.ctx, stack[:]); err != nil {
					b.Fatal(err)
				}
			}
		}
		b.Run(f.name+"/original", func(b *testing.B) { run(b, original, original.mod.ExportedFunction(f.name)) })
		b.Run(f.name+"/metered", func(b *testing.B) { run(b, metered, metered.mod.ExportedFunction(f.name)) })
	}
}

// originalOf instantiates a module without metering it.
func originalOf(b *testing.B, p *program, name string) *instance {
	in := &instance{p: p}
	in.fuel.services = newServices()
	in.host = abi.NewContext(in.fuel.services, abi.Limits{}, nil)
	in.wasi.start(in)
	in.ctx.in = in
	in.ctx.Context = context.Background()
	code, err := p.e.rt.CompileModule(b.Context(), file(b, name))
	if err != nil {
		b.Fatal(err)
	}
	in.mod, err = p.e.rt.InstantiateModule(&in.ctx, code, wazero.NewModuleConfig().WithName("").WithStartFunctions())
	if err != nil {
		b.Fatal(err)
	}
	in.mem = in.mod.Memory()
	b.Cleanup(func() { in.mod.Close(context.Background()); code.Close(context.Background()) })
	return in
}

func BenchmarkLoad(b *testing.B) {
	bin := file(b, "../../testdata/vectors/live/modules/kitchen.wasm")
	for _, cached := range []bool{false, true} {
		name, options := "compile", Options{}
		if cached {
			name, options = "cached", Options{CacheDir: b.TempDir()}
		}
		b.Run(name, func(b *testing.B) {
			e, err := New(options)
			if err != nil {
				b.Fatal(err)
			}
			defer e.Close()
			for b.Loop() {
				p, err := e.Load(b.Context(), bin, abi.LoadOptions{})
				if err != nil {
					b.Fatal(err)
				}
				p.Close()
			}
		})
	}
}

func BenchmarkInstantiate(b *testing.B) {
	p := loadFile(b, "../../testdata/vectors/live/modules/kitchen.wasm", abi.Limits{})
	for b.Loop() {
		in, err := p.Instantiate(b.Context(), newServices())
		if err != nil {
			b.Fatal(err)
		}
		in.Close()
	}
}

// What a host function costs beyond its work: a guest asks for the database's identity again and again.
func BenchmarkHostCall(b *testing.B) {
	in := instantiate(b, loadFile(b, "testdata/behave.wasm", abi.Limits{}), newServices())
	in.begin(b.Context(), abi.Call{Kind: abi.KindReducer}, 1<<62)
	defer in.end()
	const calls = 1000
	f := in.mod.ExportedFunction("identities")
	for b.Loop() {
		in.stack[0] = calls
		if err := f.CallWithStack(&in.ctx, in.stack[:1]); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/calls, "ns/call")
}

// Empty functions beside reducers.
func BenchmarkCallFunctions(b *testing.B) {
	in := instantiate(b, loadFile(b, "testdata/script.wasm", abi.Limits{}), newServices())
	b.Run("view", func(b *testing.B) {
		call := &abi.ViewCall{Name: "v"}
		for b.Loop() {
			in.CallView(b.Context(), call)
		}
	})
	h := &procedureHost{s: newServices()}
	b.Run("procedure", func(b *testing.B) {
		call := &abi.ProcedureCall{Name: "p", Host: h}
		for b.Loop() {
			in.CallProcedure(b.Context(), call)
		}
	})
	b.Run("handler", func(b *testing.B) {
		call := &abi.HandlerCall{Name: "h", Host: h}
		for b.Loop() {
			in.CallHandler(b.Context(), call)
		}
	})
}
