package wasm

import (
	"encoding/binary"

	"github.com/tetratelabs/wazero/experimental"

	"github.com/stdbgo/spacetime/internal/abi"
)

const (
	pageSize = 1 << 16
	// maxMemory is one page less than the address space, so that a size always fits into 32 bits.
	maxMemory = 1<<32 - pageSize
)

// An allocator makes the memory of one instance and refuses to let it grow beyond its cap.
type allocator struct {
	in  *instance
	cap uint64 // bytes
}

func (a allocator) Allocate(_, max uint64) experimental.LinearMemory {
	return &linearMemory{in: a.in, max: min(max, a.cap)}
}

// linearMemory grows by half at least, so that a guest which grows page by page does not copy its memory each time.
type linearMemory struct {
	in  *instance
	buf []byte
	max uint64
}

func (m *linearMemory) Reallocate(size uint64) []byte {
	if size > m.max {
		return nil
	}
	if size > uint64(cap(m.buf)) {
		room := size
		if len(m.buf) > 0 {
			room = min(max(size, uint64(len(m.buf))*3/2), m.max)
		}
		buf := make([]byte, size, room)
		m.in.fuel.note(uint64(copy(buf, m.buf)) / 16)
		m.buf = buf
	}
	m.buf = m.buf[:size]
	return m.buf
}

func (m *linearMemory) Free() { m.buf = nil }

// The functions below implement the access rules of spec 03 §3.2: a null pointer or a range outside the memory ends the call.

func (in *instance) view(ptr, size uint32) []byte {
	if ptr != 0 {
		if b, ok := in.mem.Read(ptr, size); ok {
			return b
		}
	}
	badPointer(ptr, size)
	return nil
}

func badPointer(ptr, size uint32) {
	if ptr == 0 {
		abi.Fault("the module passed a null pointer")
	}
	abi.Fault("the module passed a pointer outside its memory: %d bytes at 0x%x", size, ptr)
}

func (in *instance) u32(ptr uint32) uint32 { return binary.LittleEndian.Uint32(in.view(ptr, 4)) }

func (in *instance) putU32(ptr, v uint32) { binary.LittleEndian.PutUint32(in.view(ptr, 4), v) }

func (in *instance) putU64(ptr uint32, v uint64) { binary.LittleEndian.PutUint64(in.view(ptr, 8), v) }
