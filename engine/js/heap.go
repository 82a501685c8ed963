package js

import (
	"unsafe"

	"modernc.org/libc"
	lib "modernc.org/libquickjs"
	cmem "modernc.org/memory"
)

// A heap holds everything that one engine allocates, apart from other instances', so that a damaged instance can be thrown
// away whole, and no lock is needed.
type heap struct {
	pool  cmem.Allocator
	limit uint64 // bytes
	used  uint64 // bytes
	full  bool   // an allocation failed that was not by itself beyond the limit
	funcs lib.TJSMallocFunctions
	gate  gate

	protected []span

	// The engine holds these as addresses only; the fields keep them alive.
	malloc func(tls *libc.TLS, s uintptr, size lib.Tsize_t) uintptr
	free   func(tls *libc.TLS, s, p uintptr)
	resize func(tls *libc.TLS, s, p uintptr, size lib.Tsize_t) uintptr
	size   func(tls *libc.TLS, p uintptr) lib.Tsize_t
}

// overhead is what the bookkeeping of one allocation is taken to cost.
const overhead = 8

func (h *heap) init(limit uint64) {
	h.limit = limit
	h.malloc = func(_ *libc.TLS, s uintptr, size lib.Tsize_t) uintptr {
		p := h.alloc(uint64(size))
		h.tell(s)
		return p
	}
	h.free = func(_ *libc.TLS, s, p uintptr) {
		h.release(p)
		h.tell(s)
	}
	h.resize = func(_ *libc.TLS, s, p uintptr, size lib.Tsize_t) uintptr {
		q := h.realloc(p, uint64(size))
		h.tell(s)
		return q
	}
	h.size = func(_ *libc.TLS, p uintptr) lib.Tsize_t {
		if p == 0 {
			return 0
		}
		return lib.Tsize_t(cmem.UintptrUsableSize(p))
	}
	h.funcs = lib.TJSMallocFunctions{
		Fjs_malloc:             functionPointer(&h.malloc),
		Fjs_free:               functionPointer(&h.free),
		Fjs_realloc:            functionPointer(&h.resize),
		Fjs_malloc_usable_size: functionPointer(&h.size),
	}
}

// tell writes the bytes in use where the engine looks for them to decide when to collect garbage.
func (h *heap) tell(s uintptr) { (*lib.TJSMallocState)(at(s)).Fmalloc_size = lib.Tsize_t(h.used) }

// fits tells whether size more bytes stay below the limit.
func (h *heap) fits(size uint64) bool {
	if h.used+size+overhead <= h.limit && size < 1<<40 {
		return true
	}
	if size < h.limit/2 {
		h.full = true
	}
	return false
}

// alloc returns the address of size bytes, 0 if they cannot be had.
func (h *heap) alloc(size uint64) uintptr {
	entered := h.gate.enter()
	p := h.allocate(size)
	h.gate.leave(entered)
	return p
}

func (h *heap) allocate(size uint64) uintptr {
	if !h.fits(size) {
		return 0
	}
	p, err := h.pool.UintptrMalloc(int(size))
	if err != nil || p == 0 {
		h.full = true
		return 0
	}
	h.used += uint64(cmem.UintptrUsableSize(p)) + overhead
	return p
}

func (h *heap) release(p uintptr) {
	if p == 0 {
		return
	}
	entered := h.gate.enter()
	h.used -= uint64(cmem.UintptrUsableSize(p)) + overhead
	h.pool.UintptrFree(p) // it fails only if the kernel refuses to take pages back
	h.gate.leave(entered)
}

func (h *heap) realloc(p uintptr, size uint64) uintptr {
	switch {
	case p == 0 && size == 0:
		return 0
	case p == 0:
		return h.alloc(size)
	case size == 0:
		h.release(p)
		return 0
	}
	entered := h.gate.enter()
	defer h.gate.leave(entered)
	old := uint64(cmem.UintptrUsableSize(p))
	if size > old && !h.fits(size-old) {
		return 0
	}
	q, err := h.pool.UintptrRealloc(p, int(size))
	if err != nil || q == 0 {
		h.full = true
		return 0
	}
	h.used += uint64(cmem.UintptrUsableSize(q)) - old
	return q
}

// functions copies the table of allocation functions to where the engine can read it.
func (h *heap) functions() uintptr {
	p := h.alloc(uint64(unsafe.Sizeof(h.funcs)))
	if p != 0 {
		*(*lib.TJSMallocFunctions)(at(p)) = h.funcs
	}
	return p
}

// close gives all memory back to the operating system.
func (h *heap) close() error {
	h.used = 0
	return h.pool.Close()
}
