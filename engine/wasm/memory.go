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

func (a allocator) Allocate(_, most uint64) experimental.LinearMemory {
	most = min(most, a.cap)
	if region := reserve(most); region != nil {
		return &reservedMemory{region: region}
	}
	return &heapMemory{in: a.in, max: most}
}

// reservedMemory has all the address space that it may ever need, and takes memory from the system as it grows: nothing is
// copied, pages that are not touched cost nothing, and the garbage collector does not see it.
type reservedMemory struct {
	region    []byte // nil after Free
	committed uint64
}

func (m *reservedMemory) Reallocate(size uint64) []byte {
	if size > uint64(len(m.region)) {
		return nil
	}
	if size > m.committed {
		if commit(m.region[m.committed:size]) != nil {
			return nil
		}
		m.committed = size
	}
	return m.region[:size:size]
}

func (m *reservedMemory) Free() {
	if m.region != nil {
		release(m.region)
		m.region, m.committed = nil, 0
	}
}

// heapMemory serves where address space cannot be reserved. It grows by half at least, so that a guest which grows page by
// page does not copy its memory each time.
type heapMemory struct {
	in  *instance
	buf []byte
	max uint64
}

func (m *heapMemory) Reallocate(size uint64) []byte {
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

func (m *heapMemory) Free() { m.buf = nil }

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
