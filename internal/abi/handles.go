package abi

import "sort"

// maxHandles bounds the live handles of one kind. Programs use a handful; a module that leaks in a loop is stopped.
const maxHandles = 1 << 20

// handles gives out handles 1, 2, 3 … and never gives one out twice between two resets, so that a stale close cannot
// hit a newer object (spec 03 §3.4). Live objects stand in the order of their handles.
type handles[T any] struct {
	next  uint32
	slots []slot[T]
	dead  int // slots whose object is gone
}

type slot[T any] struct {
	id   uint32
	live bool
	v    T
}

// add registers v and returns its handle, or 0 if there are too many.
func (h *handles[T]) add(v T) uint32 {
	if len(h.slots)-h.dead >= maxHandles || h.next == 1<<32-1 {
		return 0
	}
	h.next++
	h.slots = append(h.slots, slot[T]{id: h.next, live: true, v: v})
	return h.next
}

// get returns the object behind a handle, nil if there is none. The pointer is good until the next add or remove.
func (h *handles[T]) get(id uint32) *T {
	if s := h.find(id); s != nil {
		return &s.v
	}
	return nil
}

func (h *handles[T]) find(id uint32) *slot[T] {
	n := len(h.slots)
	if n == 0 || id == 0 {
		return nil
	}
	if s := &h.slots[n-1]; s.id == id { // the newest is nearly always the one in use
		if s.live {
			return s
		}
		return nil
	}
	i := sort.Search(n, func(i int) bool { return h.slots[i].id >= id })
	if i < n && h.slots[i].id == id && h.slots[i].live {
		return &h.slots[i]
	}
	return nil
}

// remove forgets a live handle and returns its object.
func (h *handles[T]) remove(id uint32) (v T, ok bool) {
	s := h.find(id)
	if s == nil {
		return v, false
	}
	var zero T
	v, s.v, s.live = s.v, zero, false
	h.dead++
	for n := len(h.slots); n > 0 && !h.slots[n-1].live; n-- {
		h.slots = h.slots[:n-1]
		h.dead--
	}
	if h.dead > 16 && h.dead > len(h.slots)/2 {
		h.compact()
	}
	return v, true
}

func (h *handles[T]) compact() {
	kept := h.slots[:0]
	for _, s := range h.slots {
		if s.live {
			kept = append(kept, s)
		}
	}
	clear(h.slots[len(kept):])
	h.slots, h.dead = kept, 0
}

// live is the number of handles in use.
func (h *handles[T]) live() int { return len(h.slots) - h.dead }

// reset drops all objects, calling drop for each, but goes on counting.
func (h *handles[T]) reset(drop func(T)) {
	for i := range h.slots {
		if h.slots[i].live && drop != nil {
			drop(h.slots[i].v)
		}
	}
	clear(h.slots)
	h.slots, h.dead = h.slots[:0], 0
}

// restart drops all objects and counts from 1 again.
func (h *handles[T]) restart() {
	h.reset(nil)
	h.next = 0
}
