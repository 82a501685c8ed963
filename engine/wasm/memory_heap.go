//go:build !((linux || darwin) && (amd64 || arm64))

package wasm

// Without a way to reserve address space, memory comes from the heap.

func reserve(uint64) []byte { return nil }

func commit([]byte) error { return nil }

func release([]byte) {}
