package wasm

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/engine/wasm/internal/meter"
	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/spec"
)

// A mod describes a module for the tests of loading. Every function that it defines returns zeros.
type mod struct {
	imports  []imp
	exports  []exp
	noMemory bool
	pages    byte
}

type imp struct{ module, name, typ string } // typ as for funcType
type exp struct{ name, typ string }         // typ "memory": the memory under this name

// good has what every module needs.
func good(imports ...imp) mod {
	return mod{
		imports: append([]imp{{"spacetime_10.0", "bytes_sink_write", "iii:i"}}, imports...),
		exports: []exp{{"memory", "memory"}, {exportDescribe, "i"}, {exportReducer, "iIIIIIIIii:i"}},
		pages:   1,
	}
}

func (m mod) with(name, typ string) mod {
	m.exports = append(append([]exp(nil), m.exports...), exp{name, typ})
	return m
}

func (m mod) without(name string) mod {
	var kept []exp
	for _, x := range m.exports {
		if x.name != name {
			kept = append(kept, x)
		}
	}
	m.exports = kept
	return m
}

// bytes encodes the module. All numbers stay below 128, hence are one byte each.
func (m mod) bytes() []byte {
	vec := func(items [][]byte) (b []byte) {
		b = append(b, byte(len(items)))
		for _, it := range items {
			b = append(b, it...)
		}
		return b
	}
	str := func(s string) []byte { return append([]byte{byte(len(s))}, s...) }
	types := func(t []meter.ValueType) []byte {
		b := []byte{byte(len(t))}
		for _, v := range t {
			b = append(b, byte(v))
		}
		return b
	}
	var typ, im, fn, ex, code [][]byte
	addType := func(s string) byte {
		t := funcType(s)
		typ = append(typ, append(append([]byte{0x60}, types(t.Params)...), types(t.Results)...))
		return byte(len(typ) - 1)
	}
	for _, i := range m.imports {
		im = append(im, append(append(str(i.module), str(i.name)...), 0, addType(i.typ)))
	}
	for _, x := range m.exports {
		if x.typ == "memory" {
			ex = append(ex, append(str(x.name), 2, 0))
			continue
		}
		index := byte(len(m.imports) + len(fn))
		ex = append(ex, append(str(x.name), 0, index))
		fn = append(fn, []byte{addType(x.typ)})
		body := []byte{0}
		for _, r := range funcType(x.typ).Results {
			op := byte(0x41)
			if r == meter.I64 {
				op = 0x42
			}
			body = append(body, op, 0)
		}
		body = append(body, 0x0b)
		code = append(code, append([]byte{byte(len(body))}, body...))
	}
	out := []byte("\x00asm\x01\x00\x00\x00")
	section := func(id byte, contents []byte) {
		if len(contents) > 127 {
			out = append(out, id, byte(len(contents))|0x80, byte(len(contents)>>7))
		} else {
			out = append(out, id, byte(len(contents)))
		}
		out = append(out, contents...)
	}
	section(1, vec(typ))
	section(2, vec(im))
	section(3, vec(fn))
	if !m.noMemory {
		section(5, []byte{1, 0, m.pages})
	}
	section(7, vec(ex))
	section(10, vec(code))
	return out
}

func TestLoadRefuses(t *testing.T) {
	spec.Covers(t, "03.2", "03.3", "03.4", "03.5")
	only := func(imports ...imp) mod { m := good(); m.imports = imports; return m }
	noMemory := good().without("memory")
	noMemory.noMemory = true
	twice := good().without("memory").with("memory", "i")
	big := good()
	big.pages = 100
	for _, c := range []struct {
		name string
		mod  mod
		want []string // parts of the message
	}{
		{"later minor", good(imp{"spacetime_10.7", "anything", "i:i"}), []string{"10.7", "10.6"}},
		{"other major", only(imp{"spacetime_9.0", "x", "i"}), []string{"abi version 9.0 is not supported"}},
		{"two majors", good(imp{"spacetime_9.0", "x", "i"}), []string{"both major version 10 and major version 9"}},
		{"malformed version", good(imp{"spacetime_ten", "x", "i"}), []string{`"spacetime_ten" has malformed version`}},
		{"malformed minor", good(imp{"spacetime_10.0.1", "x", "i"}), []string{"malformed version"}},
		{"no version", only(imp{"wasi_snapshot_preview1", "sched_yield", ":i"}), []string{"unable to determine ABI"}},
		{"function under another minor", good(imp{"spacetime_10.1", "get_jwt", "ii:i"}),
			[]string{"unknown import", "spacetime_10.1::get_jwt", "the function is in spacetime_10.2"}},
		{"unknown import", good(imp{"env", "getentropy", "ii:i"}), []string{"unknown import", "env::getentropy", "operating system"}},
		{"the meter's import", good(imp{meter.RefillModule, meter.RefillName, "I:I"}), []string{"reserved"}},
		{"import of another type", good(imp{"spacetime_10.2", "get_jwt", "i:i"}),
			[]string{"incompatible import type", "spacetime_10.2::get_jwt", "(func (param i32) (result i32))", "(func (param i32 i32) (result i32))"}},
		{"no memory", noMemory, []string{`memory export called "memory"`}},
		{"memory is a function", twice, []string{`memory export called "memory"`}},
		{"no reducers", good().without(exportReducer), []string{`function called "__call_reducer__" but it does not exist`}},
		{"no description", good().without(exportDescribe), []string{`function called "__describe_module__" but it does not exist`}},
		{"reducers of another type", good().without(exportReducer).with(exportReducer, "i:i"),
			[]string{`bad call_reducer signature for "__call_reducer__"; expected (func (param i32 i64 i64 i64 i64 i64 i64 i64 i32 i32) (result i32)) got (func (param i32) (result i32))`}},
		{"description of another type", good().without(exportDescribe).with(exportDescribe, ""),
			[]string{`bad describe_module signature`, "got (func)"}},
		{"setup of another type", good().with(exportSetup, "i"), []string{"bad setup signature"}},
		{"setup is no function", good().with(exportSetup, "memory"), []string{`expected "__setup__" export to be a setup with signature`}},
		{"preinit of another type", good().with("__preinit__20_x", "i"), []string{`bad preinit signature for "__preinit__20_x"`}},
		{"procedures of another type", good().with(exportProcedure, "i"), []string{"bad call_procedure signature"}},
		{"views of another type", good().with(exportView, "i"), []string{"bad call_view signature"}},
		{"anonymous views of another type", good().with(exportViewAnon, "i"), []string{"bad call_view_anon signature"}},
		{"handlers of another type", good().with(exportHandler, "iIIIIiIiii:i"), []string{"bad call_http_handler signature"}},
		{"the meter's export", good().with(meter.FuelExport, "i"), []string{"reserved"}},
		{"large memory", big, []string{"6553600 bytes", "at most 1048576"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := engine(t).Load(t.Context(), c.mod.bytes(), abi.LoadOptions{Limits: abi.Limits{Memory: 1 << 20}})
			var load *abi.LoadError
			if !errors.As(err, &load) {
				t.Fatalf("got %v", err)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %q, want %q in it", err, want)
				}
			}
		})
	}
}

func TestLoadRefusesGarbage(t *testing.T) {
	whole := good().bytes()
	for n := range len(whole) {
		if _, err := engine(t).Load(t.Context(), whole[:n], abi.LoadOptions{}); err == nil {
			t.Fatalf("the first %d of %d bytes load", n, len(whole))
		}
	}
	if _, err := engine(t).Load(t.Context(), []byte("(module)"), abi.LoadOptions{}); err == nil {
		t.Error("text loads")
	}
	ill := good().bytes()
	ill[len(ill)-3] = 0x42 // the reducer's result is an i64 now
	if _, err := engine(t).Load(t.Context(), ill, abi.LoadOptions{}); err == nil {
		t.Error("an ill-typed module loads")
	}
}

func TestLoadAcceptsAllImports(t *testing.T) {
	spec.Covers(t, "03.1", "03.61")
	instantiate(t, loadFile(t, "testdata/imports.wasm", abi.Limits{}), newServices())
	all := good()
	all.imports = nil
	for module, functions := range modules {
		if module == meter.RefillModule {
			continue
		}
		for _, f := range functions {
			p, err := engine(t).Load(t.Context(), good(imp{module, f.name, shortType(f.typ)}).bytes(), abi.LoadOptions{})
			if err != nil {
				t.Errorf("%s::%s: %v", module, f.name, err)
				continue
			}
			instantiate(t, p, newServices())
		}
	}
	// The same import may stand there twice.
	p, err := engine(t).Load(t.Context(), good(imp{"spacetime_10.0", "bytes_sink_write", "iii:i"}).bytes(), abi.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	instantiate(t, p, newServices())
}

func shortType(t meter.FuncType) (s string) {
	list := func(types []meter.ValueType) {
		for _, v := range types {
			s += map[meter.ValueType]string{meter.I32: "i", meter.I64: "I"}[v]
		}
	}
	list(t.Params)
	s += ":"
	list(t.Results)
	return s
}

func TestImportCount(t *testing.T) {
	count := 0
	for minor, want := range []int{20, 1, 1, 5, 2, 1, 1} {
		got := len(modules[fmt.Sprintf("spacetime_10.%d", minor)])
		if got != want {
			t.Errorf("10.%d has %d functions, want %d", minor, got, want)
		}
		count += got
	}
	if n := len(modules["wasi_snapshot_preview1"]); count != 31 || n != 46 {
		t.Errorf("%d functions of the ABI and %d of WASI, want 31 and 46", count, n)
	}
}

// Handlers have had two types.
func TestHandlerTypes(t *testing.T) {
	for _, typ := range []string{"iIiiii:i", "iIIIIiIiiii:i"} {
		if _, err := engine(t).Load(t.Context(), good().with(exportHandler, typ).bytes(), abi.LoadOptions{}); err != nil {
			t.Errorf("%s: %v", typ, err)
		}
	}
}
