package client

import "slices"

// A sorted holds entries in the order of their keys, equal keys in that of their
// slots, in chunks of bounded length.
type sorted[K any] struct {
	compare func(a, b K) int
	chunks  [][]entry[K] // none is empty
}

type entry[K any] struct {
	key  K
	slot uint32
}

// maxChunk bounds a chunk; a longer one is halved.
const maxChunk = 512

func (s *sorted[K]) order(a, b entry[K]) int {
	if n := s.compare(a.key, b.key); n != 0 || a.slot == b.slot {
		return n
	}
	if a.slot < b.slot {
		return -1
	}
	return 1
}

// chunkOf returns the chunk where e is or belongs, and its place there.
func (s *sorted[K]) place(e entry[K]) (chunk, at int, found bool) {
	chunk, found = slices.BinarySearchFunc(s.chunks, e, func(c []entry[K], e entry[K]) int { return s.order(c[0], e) })
	if found {
		return chunk, 0, true
	}
	if chunk == 0 {
		return 0, 0, false
	}
	chunk--
	at, found = slices.BinarySearchFunc(s.chunks[chunk], e, s.order)
	return chunk, at, found
}

func (s *sorted[K]) add(e entry[K]) {
	if len(s.chunks) == 0 {
		s.chunks = append(s.chunks, append(make([]entry[K], 0, 8), e))
		return
	}
	n, at, _ := s.place(e)
	c := slices.Insert(s.chunks[n], at, e)
	if len(c) > maxChunk {
		half := len(c) / 2
		second := append(make([]entry[K], 0, maxChunk), c[half:]...)
		clear(c[half:])
		c = c[:half]
		s.chunks = slices.Insert(s.chunks, n+1, second)
	}
	s.chunks[n] = c
}

func (s *sorted[K]) remove(e entry[K]) {
	n, at, found := s.place(e)
	if !found {
		return
	}
	if s.chunks[n] = slices.Delete(s.chunks[n], at, at+1); len(s.chunks[n]) == 0 {
		s.chunks = slices.Delete(s.chunks, n, n+1)
	}
}

// from calls f for the entries whose keys stand at 0: at is below zero for keys before
// the wanted ones, above for those behind.
func (s *sorted[K]) from(at func(K) int, f func(slot uint32)) {
	n, _ := slices.BinarySearchFunc(s.chunks, 0, func(c []entry[K], _ int) int {
		if at(c[len(c)-1].key) < 0 {
			return -1
		}
		return 1
	})
	if n == len(s.chunks) {
		return
	}
	i, _ := slices.BinarySearchFunc(s.chunks[n], 0, func(e entry[K], _ int) int {
		if at(e.key) < 0 {
			return -1
		}
		return 1
	})
	for ; n < len(s.chunks); n, i = n+1, 0 {
		for _, e := range s.chunks[n][i:] {
			if at(e.key) > 0 {
				return
			}
			f(e.slot)
		}
	}
}
