package server

import (
	"runtime"
	"testing"

	"github.com/stdbgo/spacetime/internal/host"
)

func TestInstanceMemory(t *testing.T) {
	for _, c := range []struct{ machine, want uint64 }{
		{0, 4 << 30}, {1 << 20, 256 << 20}, {2 << 30, 1 << 30}, {64 << 30, 4 << 30},
	} {
		if got := wasmMemory(c.machine); got != c.want {
			t.Errorf("a machine with %d bytes: %d, want %d", c.machine, got, c.want)
		}
	}
	if n := machineMemory(); runtime.GOOS == "linux" && n < 64<<20 {
		t.Errorf("this machine has %d bytes of memory", n)
	}
	size, heap := int64(5<<20), int64(70)
	var c Config
	c.Wasm.MaxMemory, c.V8Heap.LimitMB = &size, &heap
	if got := c.instanceMemory(); got[host.Wasm] != 5<<20 || got[host.JS] != 70<<20 {
		t.Errorf("configured: %v", got)
	}
}
