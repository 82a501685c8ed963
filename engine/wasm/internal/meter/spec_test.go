package meter

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// The WebAssembly specification's own tests come with the engine's module, translated to JSON and binaries by wast2json.
type (
	specFile struct {
		Commands []specCommand `json:"commands"`
	}
	specCommand struct {
		Type       string      `json:"type"`
		Line       int         `json:"line"`
		Name       string      `json:"name"`
		As         string      `json:"as"`
		Filename   string      `json:"filename"`
		ModuleType string      `json:"module_type"`
		Text       string      `json:"text"`
		Action     specAction  `json:"action"`
		Expected   []specValue `json:"expected"`
	}
	specAction struct {
		Type   string      `json:"type"`
		Module string      `json:"module"`
		Field  string      `json:"field"`
		Args   []specValue `json:"args"`
	}
	specValue struct {
		Type     string          `json:"type"`
		LaneType string          `json:"lane_type"`
		Value    json.RawMessage `json:"value"`
	}
)

// specFolder finds the tests in the module cache; the copy that is built lacks them.
func specFolder(t *testing.T) string {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Version}}", "github.com/tetratelabs/wazero").Output()
	if err != nil {
		t.Fatalf("finding the engine's version: %v", err)
	}
	version := strings.TrimSpace(string(out))
	out, err = exec.Command("go", "env", "GOMODCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(strings.TrimSpace(string(out)), "github.com/tetratelabs/wazero@"+version, "internal/integration_test/spectest")
	if _, err := os.Stat(folder); err != nil {
		t.Skipf("the engine's module is not in the cache: %v", err)
	}
	return folder
}

// Metered modules pass the specification's tests, with slices of fuel so small that refilling happens everywhere.
func TestSpecification(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector sees nothing in compiled modules")
	}
	folder := specFolder(t)
	total := 0
	for version, features := range map[string]api.CoreFeatures{"v1": api.CoreFeaturesV1, "v2": api.CoreFeaturesV2} {
		files, err := filepath.Glob(filepath.Join(folder, version, "testdata", "*.json"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no tests of %s: %v", version, err)
		}
		for _, f := range files {
			t.Run(version+"/"+strings.TrimSuffix(filepath.Base(f), ".json"), func(t *testing.T) {
				total += runSpec(t, features, f, filepath.Join(folder, "testdata/spectest.wasm"))
			})
		}
	}
	t.Logf("%d assertions", total)
	if total < 60_000 {
		t.Errorf("only %d assertions were checked", total)
	}
}

// A specRun is the state of one file's tests.
type specRun struct {
	t       *testing.T
	rt      wazero.Runtime
	folder  string
	last    api.Module
	modules map[string]api.Module // by the name in the test
	checked int
}

func runSpec(t *testing.T, features api.CoreFeatures, file, spectest string) int {
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var f specFile
	if err := json.Unmarshal(b, &f); err != nil {
		t.Fatal(err)
	}
	r := &specRun{t: t, rt: runtime(t, wazero.NewRuntimeConfigCompiler().WithCoreFeatures(features)), folder: filepath.Dir(file), modules: map[string]api.Module{}}
	(&counter{slice: 50, limit: 1 << 60}).install(t, r.rt)
	if b, err = os.ReadFile(spectest); err != nil {
		t.Fatal(err)
	}
	// Its own functions are imported by name, so the host's module is what modules see; it need not be metered.
	if _, err := r.rt.InstantiateWithConfig(context.Background(), b, wazero.NewModuleConfig().WithName("spectest")); err != nil {
		t.Fatal(err)
	}
	for i := range f.Commands {
		c := &f.Commands[i]
		// The engine finds what is imported by the name that an instance was given when it was made.
		if c.Type == "module" && i+1 < len(f.Commands) && f.Commands[i+1].Type == "register" {
			c.As = f.Commands[i+1].As
		}
		r.command(c)
	}
	return r.checked
}

func (r *specRun) command(c *specCommand) {
	fail := func(format string, args ...any) {
		r.t.Errorf("line %d: %s", c.Line, fmt.Sprintf(format, args...))
	}
	switch c.Type {
	case "module":
		mod, err := r.instantiate(c.Filename, c.As)
		if err != nil {
			fail("%s: %v", c.Filename, err)
			return
		}
		r.last = mod
		if c.Name != "" {
			r.modules[c.Name] = mod
		}
	case "register":
	case "action", "assert_return":
		got, err := r.do(&c.Action)
		if err != nil {
			fail("%s: %v", c.Action.Field, err)
			return
		}
		r.checked++
		if c.Type == "assert_return" {
			if problem := differs(got, c.Expected); problem != "" {
				fail("%s: %s", c.Action.Field, problem)
			}
		}
	case "assert_trap", "assert_exhaustion":
		r.checked++
		if _, err := r.do(&c.Action); err == nil {
			fail("%s did not trap: %s", c.Action.Field, c.Text)
		} else if text := trapText(err); !sameTrap(text, c.Text) {
			fail("%s: %s, want %s", c.Action.Field, text, c.Text)
		}
	case "assert_invalid", "assert_malformed", "assert_unlinkable", "assert_uninstantiable":
		if c.ModuleType == "text" {
			return // says nothing about binaries
		}
		_, err := r.instantiate(c.Filename, "")
		if c.Text == "out of bounds table access" {
			return // the engine takes such a module and leaves the elements out, so that its functions stay usable
		}
		if r.checked++; err == nil {
			fail("%s was accepted: %s", c.Filename, c.Text)
		}
	default:
		fail("unknown command %s", c.Type)
	}
}

func (r *specRun) instantiate(file, name string) (api.Module, error) {
	bin, err := os.ReadFile(filepath.Join(r.folder, file))
	if err != nil {
		r.t.Fatal(err)
	}
	m, err := Parse(bin)
	if err != nil {
		return nil, err
	}
	if bin, err = m.Rewrite(); err != nil {
		return nil, err
	}
	return r.rt.InstantiateWithConfig(context.Background(), bin, wazero.NewModuleConfig().WithName(name))
}

// do calls a function or reads a global.
func (r *specRun) do(a *specAction) ([]uint64, error) {
	mod := r.last
	if a.Module != "" {
		mod = r.modules[a.Module]
	}
	if mod == nil {
		return nil, fmt.Errorf("there is no module %q", a.Module)
	}
	if a.Type == "get" {
		g := mod.ExportedGlobal(a.Field)
		if g == nil {
			return nil, fmt.Errorf("there is no global %q", a.Field)
		}
		return []uint64{g.Get()}, nil
	}
	f := mod.ExportedFunction(a.Field)
	if f == nil {
		return nil, fmt.Errorf("there is no function %q", a.Field)
	}
	var args []uint64
	for _, v := range a.Args {
		words, _ := v.words()
		args = append(args, words...)
	}
	return f.Call(context.Background(), args...)
}

// The two kinds of NaN that tests ask for.
const (
	nanCanonical  = "nan:canonical"
	nanArithmetic = "nan:arithmetic"
)

// lanes returns a value's bits lane by lane, the width of a lane, and which lanes are to be a NaN of what kind.
func (v specValue) lanes() (bits []uint64, width int, nan []string) {
	var texts []string
	typ := v.Type
	if typ == "v128" {
		typ = v.LaneType
		if err := json.Unmarshal(v.Value, &texts); err != nil {
			panic(err)
		}
	} else {
		var text string
		if err := json.Unmarshal(v.Value, &text); err != nil {
			panic(err)
		}
		texts = []string{text}
	}
	width = map[string]int{"i8": 8, "i16": 16, "i32": 32, "f32": 32}[typ]
	if width == 0 {
		width = 64
	}
	for _, text := range texts {
		kind := ""
		var n uint64
		switch {
		case text == nanCanonical || text == nanArithmetic:
			kind = text
		case text == "null":
		case typ == "externref":
			n, _ = strconv.ParseUint(text, 10, 64)
			n++ // the engine takes zero for null
		case strings.HasPrefix(text, "-"):
			i, err := strconv.ParseInt(text, 10, 64)
			if err != nil {
				panic(err)
			}
			n = uint64(i) & (math.MaxUint64 >> (64 - width))
		default:
			var err error
			if n, err = strconv.ParseUint(text, 10, 64); err != nil {
				panic(err)
			}
		}
		bits, nan = append(bits, n), append(nan, kind)
	}
	return bits, width, nan
}

// words returns a value as the engine takes it.
func (v specValue) words() (words []uint64, nan []string) {
	bits, width, nan := v.lanes()
	if v.Type != "v128" {
		return bits, nan
	}
	words = make([]uint64, 2)
	for i, b := range bits {
		words[i*width/64] |= b << (i * width % 64)
	}
	return words, nan
}

// differs says what is wrong with results.
func differs(got []uint64, want []specValue) string {
	var count int
	for _, v := range want {
		words, _ := v.words()
		if count += len(words); count > len(got) {
			return fmt.Sprintf("%d results, want more", len(got))
		}
		bits, width, nan := v.lanes()
		mine := got[count-len(words) : count]
		for i := range bits {
			b := mine[i*width/64] >> (i * width % 64) & (math.MaxUint64 >> (64 - width))
			if nan[i] != "" && !isNaN(b, width, nan[i]) || nan[i] == "" && b != bits[i] {
				return fmt.Sprintf("%#x in lane %d, want %#x %s", b, i, bits[i], nan[i])
			}
		}
	}
	if count != len(got) {
		return fmt.Sprintf("%d results, want %d", len(got), count)
	}
	return ""
}

// isNaN tells whether bits are a NaN of a kind: canonical ones have the quiet bit alone, arithmetic ones at least that.
func isNaN(bits uint64, width int, kind string) bool {
	quiet, sign := uint64(0x7fc00000), uint64(1)<<31
	if width == 64 {
		quiet, sign = 0x7ff8000000000000, 1<<63
	}
	if kind == nanCanonical {
		return bits&^sign == quiet
	}
	return bits&quiet == quiet
}

func trapText(err error) string {
	text, _, _ := strings.Cut(err.Error(), "\n")
	return text
}

// sameTrap tells whether the engine's words mean those of the specification.
func sameTrap(got, want string) bool {
	switch {
	case want == "call stack exhausted":
		want = "stack overflow"
	case want == "out of bounds table access", strings.HasPrefix(want, "undefined"), strings.HasPrefix(want, "uninitialized"):
		want = "invalid table access"
	}
	return strings.Contains(got, want)
}
