package commitlog

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/stdbgo/spacetime/internal/vfs"
)

// A Log is a commit log on disk. Append and Cut belong to one goroutine at a
// time; everything else may be called from any.
//
// Invariants:
//
//	durable <= next, and neither ever decreases
//	once err is set it stays, and durable no longer moves
//	the records of queue are those of [in-flight batch's end, next), in order
//	every segment but the newest is complete and synced
type Log struct {
	fs         vfs.FS
	dir        string
	log        *slog.Logger
	epoch      uint64
	maxSegment int64
	maxTx      int
	maxBytes   int64
	retention  Retention

	// Of the sync goroutine alone.
	f          vfs.File // the newest segment
	end        int64    // byte after its last commit
	prewritten int64    // its length; [end, prewritten) is zeros
	step       int64    // how far to write ahead next time
	firstStep  int64    // what step is in a new segment

	durable atomic.Uint64
	counts  counters
	done    chan struct{} // closed when the sync goroutine has returned
	failed  chan struct{} // closed when mu.err is set

	// reading is held shared by Replay and exclusively while segments are
	// deleted. Taken before mu.
	reading sync.RWMutex

	mu struct {
		sync.Mutex
		segments []Offset // the newest last
		next     Offset
		queue    []*batch // what the sync goroutine has not taken; each is one commit
		free     []*batch // written ones, to be used again
		queuedTx int
		queuedB  int64
		cut      bool // the next record begins a batch, and that a segment
		closing  bool
		err      error

		work  *sync.Cond    // queue or closing changed
		room  *sync.Cond    // the queue became shorter, or err or closing changed
		moved chan struct{} // made by waiters; closed when durable, err or closing changed
	}
}

// counters are what Stats reports.
type counters struct {
	records, commits, bytes atomic.Uint64
}

// Stats are counts since Open, and sizes at the moment.
type Stats struct {
	Records  uint64 // made durable
	Commits  uint64 // made durable, each with one sync
	Bytes    uint64 // of these commits, framing included
	QueuedTx int    // records that wait to be written
	Segments int    // files
}

func newLog(o Options) *Log {
	l := &Log{
		fs: o.FS, dir: o.Dir, log: o.Logger, epoch: o.Epoch,
		maxSegment: o.MaxSegmentBytes, maxTx: o.QueueTx, maxBytes: o.QueueBytes,
		step: o.firstStep, firstStep: o.firstStep, retention: o.Retention,
		done: make(chan struct{}), failed: make(chan struct{}),
	}
	l.mu.work = sync.NewCond(&l.mu.Mutex)
	l.mu.room = sync.NewCond(&l.mu.Mutex)
	return l
}

// startAt sets where the log continues; before the goroutine runs.
func (l *Log) startAt(f vfs.File, next Offset, end int64) {
	l.f, l.end, l.mu.next = f, end, next
	l.durable.Store(uint64(next))
}

// Append copies a record into the batch that is written next and returns its
// offset. It waits only while the queue is full, which is how a slow disk slows
// its database down. After a failure of the log it returns that failure.
func (l *Log) Append(record []byte) (Offset, error) {
	if len(record) == 0 || len(record) > MaxRecordBytes {
		return 0, fmt.Errorf("commitlog: %w: %d bytes; want 1 to %d", ErrRecordSize, len(record), MaxRecordBytes)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.stoppedLocked() == nil && l.fullLocked(len(record)) {
		l.mu.room.Wait()
	}
	if err := l.stoppedLocked(); err != nil {
		return 0, err
	}
	b := l.openBatchLocked()
	b.add(record)
	off := l.mu.next
	l.mu.next++
	l.mu.queuedTx++
	l.mu.queuedB += int64(len(record))
	l.mu.work.Signal()
	return off, nil
}

func (l *Log) stoppedLocked() error {
	if l.mu.err == nil && l.mu.closing {
		return ErrClosed
	}
	return l.mu.err
}

func (l *Log) fullLocked(size int) bool {
	if l.mu.queuedTx == 0 {
		return false
	}
	return l.mu.queuedTx >= l.maxTx || l.mu.queuedB+int64(size) > l.maxBytes
}

// openBatchLocked returns the batch that takes the next record.
func (l *Log) openBatchLocked() *batch {
	if n := len(l.mu.queue); n > 0 && !l.mu.cut {
		return l.mu.queue[n-1]
	}
	b := &batch{}
	if n := len(l.mu.free); n > 0 {
		b, l.mu.free = l.mu.free[n-1], l.mu.free[:n-1]
	}
	b.reset(l.mu.next)
	b.cut, l.mu.cut = l.mu.cut, false
	l.mu.queue = append(l.mu.queue, b)
	return b
}

// Cut makes the next record begin a commit and a segment. A checkpoint is taken at
// the offset it returns, so that a replay from there reads nothing older, and
// Retain can drop everything before.
func (l *Log) Cut() Offset {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.cut = true
	return l.mu.next
}

// First returns the offset of the oldest transaction still kept.
func (l *Log) First() Offset {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mu.segments[0]
}

// Next returns the offset of the next record appended.
func (l *Log) Next() Offset {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mu.next
}

// Durable returns the offset below which every transaction survives a power cut.
func (l *Log) Durable() Offset { return Offset(l.durable.Load()) }

// WaitDurable waits until the transaction at off is durable.
func (l *Log) WaitDurable(ctx context.Context, off Offset) error {
	for {
		if l.Durable() > off {
			return nil
		}
		moved, err := l.movement(off)
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

// movement returns a channel that is closed with the next change; nil when there
// is nothing to wait for.
func (l *Log) movement(off Offset) (chan struct{}, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.Durable() > off {
		return nil, nil
	}
	if l.mu.err != nil {
		return nil, l.mu.err
	}
	if l.mu.closing && off >= l.mu.next {
		return nil, ErrClosed
	}
	if l.mu.moved == nil {
		l.mu.moved = make(chan struct{})
	}
	return l.mu.moved, nil
}

func (l *Log) wakeWaitersLocked() {
	if l.mu.moved != nil {
		close(l.mu.moved)
		l.mu.moved = nil
	}
}

// Failed is closed when a write or a sync has failed; Err then says which. The
// log accepts nothing more, and what is durable is known only after opening it
// again: a failed sync is never retried, because the system may have dropped the
// data and report success.
func (l *Log) Failed() <-chan struct{} { return l.failed }

// Err returns the failure, or nil.
func (l *Log) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mu.err
}

// Stats returns the log's counters.
func (l *Log) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	return Stats{
		Records:  l.counts.records.Load(),
		Commits:  l.counts.commits.Load(),
		Bytes:    l.counts.bytes.Load(),
		QueuedTx: l.mu.queuedTx,
		Segments: len(l.mu.segments),
	}
}
