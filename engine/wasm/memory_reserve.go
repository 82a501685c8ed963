//go:build (linux || darwin) && (amd64 || arm64)

package wasm

import "syscall"

// reserve takes address space without memory; nil if there is none.
func reserve(size uint64) []byte {
	if size == 0 {
		return nil
	}
	region, err := syscall.Mmap(-1, 0, int(size), syscall.PROT_NONE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return nil
	}
	return region
}

// commit makes a part of reserved address space usable. It reads as zeros.
func commit(part []byte) error { return syscall.Mprotect(part, syscall.PROT_READ|syscall.PROT_WRITE) }

// release gives address space and memory back.
func release(region []byte) {
	// The only possible error is a region that was never reserved.
	_ = syscall.Munmap(region)
}
