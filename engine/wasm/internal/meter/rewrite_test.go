package meter

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// modules returns the binaries at hand: hand-written ones and real ones in Rust.
func modules(t testing.TB) map[string][]byte {
	found := map[string][]byte{}
	for _, pattern := range []string{"../../testdata/*.wasm", "../../selftest/*.wasm", "../../../../testdata/vectors/live/modules/*.wasm"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("no modules like %s: %v", pattern, err)
		}
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			found[filepath.Base(f)] = b
		}
	}
	return found
}

func rewrite(t testing.TB, bin []byte) []byte {
	m, err := Parse(bin)
	if err != nil {
		t.Fatal(err)
	}
	out, err := m.Rewrite()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func runtime(t testing.TB, config wazero.RuntimeConfig) wazero.Runtime {
	rt := wazero.NewRuntimeWithConfig(context.Background(), config.WithDebugInfoEnabled(false))
	t.Cleanup(func() { rt.Close(context.Background()) })
	return rt
}

func TestRewrittenModulesAreValid(t *testing.T) {
	rt := runtime(t, wazero.NewRuntimeConfigInterpreter())
	for name, bin := range modules(t) {
		out := rewrite(t, bin)
		code, err := rt.CompileModule(t.Context(), out)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if code.ExportedMemories() == nil && strings.Contains(name, "kitchen") {
			t.Errorf("%s lost its memory", name)
		}
		if growth := float64(len(out)) / float64(len(bin)); growth > 1.4 && len(bin) > 10_000 {
			t.Errorf("%s grew by the factor %.2f", name, growth)
		}
		// What has been rewritten cannot be rewritten again: its names are taken.
		m, err := Parse(out)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if _, err := m.Rewrite(); err == nil {
			t.Errorf("%s: the reserved export was accepted", name)
		}
	}
}

func TestRewritingIsDeterministic(t *testing.T) {
	for name, bin := range modules(t) {
		if !bytes.Equal(rewrite(t, bin), rewrite(t, bin)) {
			t.Errorf("%s: two results", name)
		}
	}
}

// The same input must give the same output until Version changes, since compiled code is kept under it.
func TestNamesMove(t *testing.T) {
	// (module (func $first) (func $second)) with a name section.
	bin := []byte("\x00asm\x01\x00\x00\x00" +
		"\x01\x04\x01\x60\x00\x00" + "\x03\x03\x02\x00\x00" + "\x0a\x07\x02\x02\x00\x0b\x02\x00\x0b" +
		"\x00\x17\x04name\x01\x10\x02\x00\x05first\x01\x06second")
	want := "\x04name\x01\x10\x02\x01\x05first\x02\x06second"
	if out := rewrite(t, bin); !bytes.Contains(out, []byte(want)) {
		t.Errorf("names in %q", out)
	}
}

// A counting host lets the fuel run for a while and then stops.
type counter struct {
	slice, used, limit int64
	granted            int64
}

func (c *counter) install(t testing.TB, rt wazero.Runtime) {
	_, err := rt.NewHostModuleBuilder(RefillModule).NewFunctionBuilder().WithGoFunction(api.GoFunc(func(_ context.Context, s []uint64) {
		c.used += c.granted - int64(s[0])
		if c.used > c.limit {
			panic("out of fuel")
		}
		c.granted = c.slice
		s[0] = uint64(c.slice)
	}), []api.ValueType{api.ValueTypeI64}, []api.ValueType{api.ValueTypeI64}).Export(RefillName).Instantiate(context.Background())
	if err != nil {
		t.Fatal(err)
	}
}

// A module cannot name the global, the local or the type that rewriting adds.
func TestAddedThingsCannotBeReached(t *testing.T) {
	for name, c := range map[string]struct{ code, want string }{
		"global": {"\x23\x00\x1a\x0b", "no global 0"},
		"set":    {"\x42\x00\x24\x00\x0b", "no global 0"},
		"local":  {"\x20\x00\x1a\x0b", "no local 0"},
		"block":  {"\x02\x01\x0b\x0b", "no type 1"},
		"call":   {"\x10\x01\x0b", "no function 1"},
		"table":  {"\x41\x00\x11\x01\x00\x0b", "no type 1"},
	} {
		bin := "\x00asm\x01\x00\x00\x00\x01\x04\x01\x60\x00\x00\x03\x02\x01\x00\x0a" +
			string([]byte{byte(len(c.code) + 3), 1, byte(len(c.code) + 1), 0}) + c.code
		m, err := Parse([]byte(bin))
		if err != nil {
			t.Fatal(name, err)
		}
		if _, err = m.Rewrite(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

// What would take the compiler minutes is refused at once.
func TestBounds(t *testing.T) {
	for name, c := range map[string]struct {
		code, want string
		functions  int
	}{
		"nesting":  {strings.Repeat("\x02\x40", 20_000), "nested more than", 1},
		"blocks":   {strings.Repeat("\x03\x40\x0b", 30_000) + "\x0b", "more than 20000 blocks", 1},
		"branches": {"\x02\x40" + strings.Repeat("\x41\x00\x0d\x00", 20_000) + "\x0b\x0b", "more than 20000 blocks", 1},
		"tables":   {"\x02\x40" + strings.Repeat("\x41\x00\x0e\x00\x00", 20_000) + "\x0b\x0b", "more than 20000 blocks", 1},
		"together": {strings.Repeat("\x03\x40\x0b", 5_000) + "\x0b", "would take too long", 4},
		"one less": {strings.Repeat("\x03\x40\x0b", 5_000) + "\x0b", "", 3},
	} {
		body := appendU32(nil, uint32(len(c.code)+1))
		body = append(append(body, 0), c.code...)
		code := append([]byte{byte(c.functions)}, bytes.Repeat(body, c.functions)...)
		types := append([]byte{3, byte(c.functions + 1), byte(c.functions)}, make([]byte, c.functions)...)
		bin := append([]byte("\x00asm\x01\x00\x00\x00\x01\x04\x01\x60\x00\x00"), append(types, 10)...)
		m, err := Parse(append(appendU32(bin, uint32(len(code))), code...))
		if err != nil {
			t.Fatal(name, err)
		}
		if _, err := m.Rewrite(); err == nil && c.want != "" || err != nil && (c.want == "" || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
	table := []byte("\x00asm\x01\x00\x00\x00\x04\x08\x01\x70\x00\xff\xff\xff\xff\x0f")
	if _, err := Parse(table); err == nil || !strings.Contains(err.Error(), "too large") {
		t.Errorf("a large table: %v", err)
	}
}

// Whatever the bytes: no panic, and rewriting neither makes a bad module good nor a good one bad.
func FuzzRewrite(f *testing.F) {
	for _, bin := range modules(f) {
		if len(bin) < 10_000 {
			f.Add(bin)
		}
	}
	for seed := range 20 {
		f.Add(generate(bytes.Repeat([]byte{byte(seed * 37), byte(seed * 101), 7, byte(seed)}, 40)))
	}
	config := wazero.NewRuntimeConfigInterpreter().WithDebugInfoEnabled(false)
	f.Fuzz(func(t *testing.T, bin []byte) {
		m, err := Parse(bin)
		if err != nil {
			return
		}
		out, err := m.Rewrite()
		if err != nil {
			return
		}
		rt := runtime(t, config)
		_, before := rt.CompileModule(t.Context(), bin)
		_, after := rt.CompileModule(t.Context(), out)
		if (before == nil) != (after == nil) && !customSection(before) {
			t.Fatalf("original: %v, rewritten: %v", before, after)
		}
	})
}

// customSection tells whether an engine refuses a module for a section without meaning, which rewriting leaves out.
func customSection(err error) bool {
	return err != nil && (strings.Contains(err.Error(), "custom") || strings.Contains(err.Error(), "name"))
}
