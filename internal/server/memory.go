package server

import (
	"bytes"
	"os"
	"strconv"
)

// wasmMemory is the default of the setting wasm.max-memory on a machine with so
// much memory; 0 stands for a size that is not known. A module that takes memory
// without end must not take the server down.
func wasmMemory(machine uint64) uint64 {
	const most, least = 4 << 30, 256 << 20
	if machine == 0 {
		return most
	}
	return min(max(machine/2, least), most)
}

// machineMemory is how much memory the machine has, or the container that the
// server runs in, where the system tells by the files of Linux; 0 elsewhere.
func machineMemory() uint64 {
	var size uint64
	if b, err := os.ReadFile("/proc/meminfo"); err == nil {
		_, rest, _ := bytes.Cut(b, []byte("MemTotal:"))
		kib, _, _ := bytes.Cut(rest, []byte("kB"))
		n, _ := strconv.ParseUint(string(bytes.TrimSpace(kib)), 10, 64)
		size = n << 10
	}
	for _, name := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		b, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		if n, err := strconv.ParseUint(string(bytes.TrimSpace(b)), 10, 64); err == nil && (size == 0 || n < size) {
			size = n
		}
	}
	return size
}
