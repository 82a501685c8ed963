package meter

import (
	"bytes"
	"context"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
)

// run calls f of a generated module and tells everything that can be seen afterwards.
func run(t testing.TB, rt wazero.Runtime, bin []byte, a, b uint32) (result uint32, steps uint64, memory []byte, trap string) {
	ctx := context.Background()
	mod, err := rt.InstantiateWithConfig(ctx, bin, wazero.NewModuleConfig().WithName(""))
	if err != nil {
		t.Fatalf("%v\n%x", err, bin)
	}
	defer mod.Close(ctx)
	stack := []uint64{uint64(a), uint64(b)}
	if err := mod.ExportedFunction("f").CallWithStack(ctx, stack); err != nil {
		trap, _, _ = strings.Cut(err.Error(), "\n")
	}
	memory, _ = mod.Memory().Read(0, mod.Memory().Size())
	return uint32(stack[0]), mod.ExportedGlobal("steps").Get(), bytes.Clone(memory), trap
}

// compare runs a generated module in its original and its metered form.
func compare(t testing.TB, rt wazero.Runtime, data []byte, a, b uint32) (trap string) {
	bin := generate(data)
	r1, s1, m1, t1 := run(t, rt, bin, a, b)
	r2, s2, m2, t2 := run(t, rt, rewrite(t, bin), a, b)
	if t1 != t2 || t1 == "" && r1 != r2 || s1 != s2 || !bytes.Equal(m1, m2) {
		t.Fatalf("original: %d, %d steps left, trap %q; metered: %d, %d steps left, trap %q; memory equal: %v\n%x",
			int32(r1), s1, t1, int32(r2), s2, t2, bytes.Equal(m1, m2), bin)
	}
	return t1
}

// Metered programs compute what their originals compute. The slices of fuel are small, so that refilling happens everywhere.
func TestRewritingKeepsMeaning(t *testing.T) {
	for name, config := range map[string]wazero.RuntimeConfig{
		"compiler": wazero.NewRuntimeConfigCompiler(), "interpreter": wazero.NewRuntimeConfigInterpreter()} {
		t.Run(name, func(t *testing.T) {
			rt := runtime(t, config)
			(&counter{slice: 50, limit: 1 << 60}).install(t, rt)
			rng := rand.New(rand.NewPCG(1, 2))
			ended := 0
			for range 100 {
				data := make([]byte, 40+rng.IntN(500))
				for i := range data {
					data[i] = byte(rng.Uint32())
				}
				if compare(t, rt, data, rng.Uint32(), rng.Uint32()%100) == "" {
					ended++
				}
			}
			if ended < 30 {
				t.Errorf("only %d of 100 programs ended without a trap: the comparison says little", ended)
			}
		})
	}
}

func FuzzRewritingKeepsMeaning(f *testing.F) {
	f.Add([]byte("some bytes to make a program of"), uint32(1), uint32(2))
	rt := runtime(f, wazero.NewRuntimeConfigInterpreter())
	(&counter{slice: 50, limit: 1 << 60}).install(f, rt)
	f.Fuzz(func(t *testing.T, data []byte, a, b uint32) {
		if len(data) < 2000 {
			compare(t, rt, data, a, b)
		}
	})
}

// Without fuel a program that runs long is stopped, however it manages to run long.
func TestFuelStopsEverything(t *testing.T) {
	rt := runtime(t, wazero.NewRuntimeConfigInterpreter())
	c := &counter{slice: 10, limit: 20}
	c.install(t, rt)
	stopped := 0
	rng := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		data := make([]byte, 300)
		for i := range data {
			data[i] = byte(rng.Uint32())
		}
		bin := generate(data)
		_, left, _, trap := run(t, rt, bin, 7, 9)
		if trap != "" || left > 200 {
			continue
		}
		c.used, c.granted = 0, 0
		if _, _, _, trap := run(t, rt, rewrite(t, bin), 7, 9); !strings.Contains(trap, "out of fuel") {
			t.Fatalf("a program of %d steps was not stopped: %q\n%x", 300-left, trap, bin)
		}
		stopped++
	}
	if stopped < 10 {
		t.Errorf("only %d programs ran long", stopped)
	}
}
