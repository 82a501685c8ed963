package commitlog

import (
	"context"
	"fmt"
	"sync"
)

// A Memory counts transactions and keeps none: the journal of a database that
// lives in memory. Whatever is appended counts as durable at once, so that nobody
// ever waits.
type Memory struct {
	failed chan struct{} // never closed

	mu struct {
		sync.Mutex
		next   Offset
		closed bool
		moved  chan struct{} // made by waiters; closed when next or closed changed
	}
}

// NewMemory returns an empty journal.
func NewMemory() *Memory { return &Memory{failed: make(chan struct{})} }

// Append gives the record an offset and forgets it.
func (m *Memory) Append(record []byte) (Offset, error) {
	if len(record) == 0 || len(record) > MaxRecordBytes {
		return 0, fmt.Errorf("commitlog: %w: %d bytes; want 1 to %d", ErrRecordSize, len(record), MaxRecordBytes)
	}
	m.mu.Lock()
	if m.mu.closed {
		m.mu.Unlock()
		return 0, ErrClosed
	}
	off := m.mu.next
	m.mu.next++
	m.wakeWaitersLocked()
	m.mu.Unlock()
	return off, nil
}

// Next returns the offset of the next record.
func (m *Memory) Next() Offset {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mu.next
}

// First, Durable and Cut return Next: nothing is kept, everything is durable.
func (m *Memory) First() Offset   { return m.Next() }
func (m *Memory) Durable() Offset { return m.Next() }
func (m *Memory) Cut() Offset     { return m.Next() }

// WaitDurable waits for a record only until it is appended.
func (m *Memory) WaitDurable(ctx context.Context, off Offset) error {
	for {
		moved, err := m.movement(off)
		if moved == nil {
			return err
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (m *Memory) movement(off Offset) (chan struct{}, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case off < m.mu.next:
		return nil, nil
	case m.mu.closed:
		return nil, ErrClosed
	case m.mu.moved == nil:
		m.mu.moved = make(chan struct{})
	}
	return m.mu.moved, nil
}

func (m *Memory) wakeWaitersLocked() {
	if m.mu.moved != nil {
		close(m.mu.moved)
		m.mu.moved = nil
	}
}

// Replay has nothing to hand out; an offset below Next is ErrGone.
func (m *Memory) Replay(from Offset, _ ReplayFunc) error {
	if next := m.Next(); from < next {
		return fmt.Errorf("commitlog: %w: the database is in memory", ErrGone)
	}
	return nil
}

// Failed is never closed, and Err is always nil.
func (m *Memory) Failed() <-chan struct{} { return m.failed }
func (m *Memory) Err() error              { return nil }

// Retain has nothing to delete.
func (m *Memory) Retain(Offset) error { return nil }

// Close refuses further records.
func (m *Memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mu.closed = true
	m.wakeWaitersLocked()
	return nil
}
