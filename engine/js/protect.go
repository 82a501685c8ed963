package js

import (
	"reflect"
	"runtime/debug"
	"slices"
)

// A span is memory of a heap, in bytes.
type span struct{ start, size uintptr }

// protect takes the memory away: whoever touches it faults. It tells whether that works here. The heap's owner must be held where it
// does not allocate.
func (h *heap) protect() (ok bool) {
	old := debug.SetPanicOnFault(true)
	defer debug.SetPanicOnFault(old)
	defer func() {
		if recover() != nil { // the allocator is not what it was
			h.unprotect()
			ok = false
		}
	}()
	for _, s := range h.spans() {
		if setAccess(s, false) == nil {
			h.protected = append(h.protected, s)
		}
	}
	return len(h.protected) > 0
}

// unprotect gives it back.
func (h *heap) unprotect() {
	for _, s := range h.protected {
		_ = setAccess(s, true) // else the heap cannot be closed, which faults, too
	}
	h.protected = nil
}

// spans returns what the allocator has from the operating system. It does not tell; but it has a set of the addresses of its regions, at
// which their headers begin with four words, the third of which is the size.
func (h *heap) spans() []span {
	const sizeWord = 2
	const word = 4 << (^uintptr(0) >> 63)
	regions := reflect.ValueOf(&h.pool).Elem().FieldByName("regs")
	if regions.Kind() != reflect.Map || regions.Type().Key().Kind() != reflect.Uintptr {
		return nil
	}
	list := make([]span, 0, regions.Len())
	for i := regions.MapRange(); i.Next(); {
		start := uintptr(i.Key().Uint())
		size := *(*uintptr)(at(start + sizeWord*word))
		if start%pageBytes != 0 || size == 0 || size%pageBytes != 0 || size > maxSpan {
			return nil
		}
		list = append(list, span{start, size})
	}
	return joined(list)
}

const (
	pageBytes = 4096
	maxSpan   = 1 << 31
)

// joined makes one span of those that touch.
func joined(list []span) []span {
	slices.SortFunc(list, func(a, b span) int {
		if a.start < b.start {
			return -1
		}
		return 1
	})
	var out []span
	for _, s := range list {
		if n := len(out); n > 0 && out[n-1].start+out[n-1].size == s.start {
			out[n-1].size += s.size
			continue
		}
		out = append(out, s)
	}
	return out
}
