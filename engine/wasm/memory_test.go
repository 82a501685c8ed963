package wasm

import (
	"testing"

	"github.com/tetratelabs/wazero/experimental"

	"github.com/stdbgo/spacetime/internal/abi"
)

func TestLinearMemories(t *testing.T) {
	const most = 10 * pageSize
	for name, m := range map[string]experimental.LinearMemory{
		"allocated": allocator{&instance{}, most}.Allocate(0, 1<<32),
		"heap":      &heapMemory{in: &instance{}, max: most},
	} {
		t.Run(name, func(t *testing.T) {
			b := m.Reallocate(pageSize)
			b[0], b[pageSize-1] = 1, 2
			for pages := 2; pages <= 10; pages++ {
				b = m.Reallocate(uint64(pages) * pageSize)
				if len(b) != pages*pageSize || b[0] != 1 || b[pageSize-1] != 2 {
					t.Fatalf("%d pages: %d bytes, %d, %d", pages, len(b), b[0], b[pageSize-1])
				}
				if b[(pages-1)*pageSize] != 0 || b[len(b)-1] != 0 {
					t.Fatal("new memory is not zero")
				}
				b[(pages-1)*pageSize], b[len(b)-1] = 9, 9
			}
			if m.Reallocate(most+1) != nil || m.Reallocate(1<<40) != nil {
				t.Error("it grew beyond its maximum")
			}
			m.Free()
			m.Free()
		})
	}
}

// A guest that takes all the address space it can get, without a cap, harms nobody as long as it does not use it.
func TestGrowthWithoutCap(t *testing.T) {
	if r := reserve(maxMemory); r == nil {
		t.Skip("no address space can be reserved here")
	} else {
		release(r)
	}
	in := instantiate(t, loadFile(t, "testdata/behave.wasm", abi.Limits{}), newServices())
	out := in.CallReducer(t.Context(), &abi.ReducerCall{ID: doGrow})
	if out.Status != abi.StatusOK || in.MemoryBytes() != maxMemory {
		t.Errorf("%v %v with %d bytes", out.Status, out.Err, in.MemoryBytes())
	}
}
