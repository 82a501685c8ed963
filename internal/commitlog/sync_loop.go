package commitlog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"path/filepath"

	"github.com/stdbgo/spacetime/internal/vfs"
)

// Space is written ahead in steps that double: growing a file costs 40 % more
// time per commit than writing into it, but an idle database shall own little.
const (
	minStep = 256 << 10
	maxStep = 16 << 20
)

// A batch is one commit being collected: its header's place, then the records.
type batch struct {
	min Offset
	n   int
	cut bool // it begins a segment
	buf []byte
}

func (b *batch) reset(min Offset) {
	b.min, b.n, b.cut = min, 0, false
	b.buf = append(b.buf[:0], zeros[:commitHeaderSize]...)
}

func (b *batch) add(record []byte) {
	b.buf = append(b.buf, record...)
	b.n++
}

// seal fills in the header and appends the checksum.
func (b *batch) seal(epoch uint64) {
	putCommitHeader(b.buf, commitHeader{min: b.min, epoch: epoch, n: b.n, len: int64(len(b.buf) - commitHeaderSize)})
	b.buf = binary.LittleEndian.AppendUint32(b.buf, crc32.Checksum(b.buf, castagnoli))
}

// syncLoop writes batches, each as one commit with one sync, until the log is
// closed or fails. No timer: under load batches grow by themselves, and when
// idle a transaction is synced at once.
func (l *Log) syncLoop() {
	defer close(l.done)
	for {
		b := l.take()
		if b == nil {
			return
		}
		if err := l.commit(b); err != nil {
			l.fail(err)
			return
		}
		l.recycle(b)
	}
}

// commit makes a batch durable and says so. Segments end where Cut was called,
// and where they have become too long.
func (l *Log) commit(b *batch) error {
	if b.cut && l.end > segmentHeaderSize {
		if err := l.rotate(b.min); err != nil {
			return err
		}
	}
	if err := l.write(b); err != nil {
		return err
	}
	l.publish(b)
	if l.end < l.maxSegment {
		return nil
	}
	return l.rotate(b.min + Offset(b.n))
}

// take waits for a batch; nil means that the log is closing and all is written.
func (l *Log) take() *batch {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.mu.queue) == 0 {
		if l.mu.closing {
			return nil
		}
		l.mu.work.Wait()
	}
	b := l.mu.queue[0]
	rest := copy(l.mu.queue, l.mu.queue[1:])
	l.mu.queue[rest] = nil
	l.mu.queue = l.mu.queue[:rest]
	l.mu.queuedTx -= b.n
	l.mu.queuedB -= int64(len(b.buf) - commitHeaderSize)
	l.mu.room.Broadcast()
	return b
}

const (
	maxFree      = 2       // one batch is written while one is filled
	maxIdleBatch = 4 << 20 // what a batch may keep once the load is gone
	largeRecord  = 1 << 18 // records like this, a program for one, come seldom
)

// recycle keeps a written batch for reuse.
func (l *Log) recycle(b *batch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.mu.queue) == 0 && (cap(b.buf) > maxIdleBatch || len(b.buf) > b.n*largeRecord) {
		return
	}
	if len(l.mu.free) < maxFree {
		l.mu.free = append(l.mu.free, b)
	}
}

// write makes one batch durable.
func (l *Log) write(b *batch) error {
	b.seal(l.epoch)
	if _, err := l.f.WriteAt(b.buf, l.end); err != nil {
		if vfs.IsDiskFull(err) {
			// The piece that was written is nothing, and without the space that it
			// takes the log could not even be opened.
			_ = l.f.Truncate(l.end)
		}
		return l.failure("write", err)
	}
	l.end += int64(len(b.buf))
	if l.end > l.prewritten {
		l.writeAhead()
	}
	if err := l.f.SyncData(); err != nil {
		return l.failure("sync", err)
	}
	return nil
}

// writeAhead appends zeros behind the commit just written, to be synced with it.
// It may fail, as on a nearly full disk: then the file grows by commits.
func (l *Log) writeAhead() {
	l.prewritten = l.end
	target := min(l.end+l.step, max(l.end, l.maxSegment))
	l.step = min(2*l.step, maxStep)
	for at := l.end; at < target; {
		n, err := l.f.WriteAt(zeros[:min(int64(len(zeros)), target-at)], at)
		if err != nil {
			return
		}
		at += int64(n)
		l.prewritten = at
	}
}

// publish announces that a batch is durable.
func (l *Log) publish(b *batch) {
	durable := b.min + Offset(b.n)
	l.durable.Store(uint64(durable))
	l.counts.records.Add(uint64(b.n))
	l.counts.commits.Add(1)
	l.counts.bytes.Add(uint64(len(b.buf)))
	l.mu.Lock()
	l.wakeWaitersLocked()
	l.mu.Unlock()
}

// rotate completes the newest segment and begins the next.
func (l *Log) rotate(next Offset) error {
	if err := l.trim(); err != nil {
		return l.failure("complete", err)
	}
	old := l.f
	l.f = nil
	if err := old.Close(); err != nil {
		return l.failure("close", err)
	}
	f, err := createSegment(l.fs, l.dir, next, false)
	if err != nil {
		return fmt.Errorf("commitlog: begin segment %s: %w%s", segmentName(next), err, advice(err))
	}
	l.f, l.end, l.prewritten, l.step = f, segmentHeaderSize, segmentHeaderSize, l.firstStep
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.segments = append(l.mu.segments[:len(l.mu.segments):len(l.mu.segments)], next)
	return nil
}

// trim gives back the space written ahead. It needs no sync: zeros at the end
// mean nothing.
func (l *Log) trim() error {
	if l.prewritten == l.end {
		return nil
	}
	if err := l.f.Truncate(l.end); err != nil {
		return err
	}
	l.prewritten = l.end
	return nil
}

// failure describes a failed operation on the newest segment.
func (l *Log) failure(what string, err error) error {
	l.mu.Lock()
	name := segmentName(l.mu.segments[len(l.mu.segments)-1])
	l.mu.Unlock()
	return fmt.Errorf("commitlog: %s %s at byte %d: %w%s", what, filepath.Join(l.dir, name), l.end, err, advice(err))
}

func advice(err error) string {
	if vfs.IsDiskFull(err) {
		return "; free some space, then open the database again"
	}
	return "; the database must be opened again"
}

// fail records the first failure and wakes everybody.
func (l *Log) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.err = err
	close(l.failed)
	l.mu.queue = nil
	l.mu.room.Broadcast()
	l.wakeWaitersLocked()
}

// Close makes what was appended durable, stops the log's goroutine and closes
// the newest segment. It returns the log's failure if there was one. A second
// call does nothing.
func (l *Log) Close() error {
	l.mu.Lock()
	if l.mu.closing {
		l.mu.Unlock()
		<-l.done
		return nil
	}
	l.mu.closing = true
	l.mu.work.Broadcast()
	l.mu.room.Broadcast()
	l.wakeWaitersLocked() // those who wait for what was never appended
	l.mu.Unlock()
	<-l.done

	err := l.Err()
	if err == nil {
		if err = l.trim(); err != nil {
			err = l.failure("complete", err)
		}
	}
	if l.f != nil {
		err = errors.Join(err, l.f.Close())
	}
	return err
}
