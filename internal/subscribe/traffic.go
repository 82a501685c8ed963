package subscribe

import (
	"slices"
	"sync/atomic"
)

// A Workload is the kind of what a message is about (spec 06 §8, txn_type).
type Workload uint8

const (
	Subscribing Workload = iota
	Unsubscribing
	SQL
	Reducer
	Procedure
	Update
	View
	Internal
	NumWorkloads
)

// String is the value of the label.
func (w Workload) String() string {
	return [...]string{"Subscribe", "Unsubscribe", "Sql", "Reducer", "Procedure", "Update", "View", "Internal"}[w]
}

// RowBounds are the upper bounds of the counts of messages by their rows.
var RowBounds = []int{5, 10, 50, 100, 500, 1e3, 5e3, 10e3, 50e3, 100e3, 250e3, 500e3, 750e3, 1e6, 5e6}

// Traffic counts what was handed to the outboxes of clients. Others than the sender may
// read it at any time.
type Traffic struct {
	Bytes [NumWorkloads]atomic.Uint64
	// Messages counts by rows: one for each of RowBounds, and one for what is above.
	Messages [16]atomic.Uint64
	Rows     atomic.Uint64 // of all messages
}

// A load is some messages of one workload that are counted together.
type load struct {
	bytes, rows uint64
	messages    [16]uint32
}

func rowBucket(rows int) int {
	if rows <= RowBounds[0] {
		return 0
	}
	i, _ := slices.BinarySearch(RowBounds, rows)
	return i
}

func (l *load) add(m *Message) {
	l.bytes += uint64(len(m.Body))
	l.rows += uint64(m.Rows)
	l.messages[rowBucket(m.Rows)]++
}

// add counts messages.
func (t *Traffic) add(w Workload, l *load) {
	t.Bytes[w].Add(l.bytes)
	if l.rows > 0 {
		t.Rows.Add(l.rows)
	}
	for i, n := range l.messages {
		if n > 0 {
			t.Messages[i].Add(uint64(n))
		}
	}
}

// one counts a message; t may be nil.
func (t *Traffic) one(m *Message) {
	if t == nil {
		return
	}
	t.Bytes[m.Workload].Add(uint64(len(m.Body)))
	t.Messages[rowBucket(m.Rows)].Add(1)
	if m.Rows > 0 {
		t.Rows.Add(uint64(m.Rows))
	}
}
