package store

import "github.com/stdbgo/spacetime/internal/schema"

// An idMap finds catalogue objects by id without hashing: ids of system objects
// are small, those of user objects follow one another from 4096. Few are neither.
type idMap[T any] struct {
	low, high []*T
	rest      map[uint32]*T
}

const (
	lowIDs  = 256
	highIDs = 1 << 16
)

func (m *idMap[T]) get(id uint32) *T {
	if i := id - schema.FirstUserID; uint64(i) < uint64(len(m.high)) {
		return m.high[i]
	}
	if uint64(id) < uint64(len(m.low)) {
		return m.low[id]
	}
	return m.rest[id]
}

func (m *idMap[T]) set(id uint32, v *T) {
	switch i := id - schema.FirstUserID; {
	case id < lowIDs:
		m.low = grow(m.low, id)
		m.low[id] = v
	case id >= schema.FirstUserID && i < highIDs && int(i) < 8*len(m.high)+64:
		m.high = grow(m.high, i)
		m.high[i] = v
	default:
		if m.rest == nil {
			m.rest = map[uint32]*T{}
		}
		m.rest[id] = v
	}
}

func grow[T any](s []*T, i uint32) []*T {
	if int(i) < len(s) {
		return s
	}
	return append(s, make([]*T, int(i)+1-len(s))...)
}
