// Package commitlog keeps a database's transactions in order on disk and gives
// them back after a crash; beside them, checkpoints that shorten the way back.
//
// It owns the segment files, the one goroutine that writes and syncs them, and the
// checkpoint files. It knows bytes and offsets; what a record means is the
// caller's business.
//
// Promise: every transaction below [Log.Durable] survives a power cut. Recovery
// keeps the longest prefix of whole commits, never a gap and never half a
// transaction. Damage that cannot come from a cut is an error that names file and
// byte, and changes nothing. A failed sync is final. DESIGN.md tells why.
package commitlog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"

	"github.com/stdbgo/spacetime/internal/vfs"
)

// An Offset counts the transactions of a database; the first has 0.
type Offset uint64

var (
	// ErrClosed is returned once Close was called.
	ErrClosed = errors.New("commit log is closed")
	// ErrRecordSize is returned by Append for a record it cannot take; the log
	// stays usable.
	ErrRecordSize = errors.New("commit log record has an impossible size")
)

// MaxRecordBytes bounds one transaction record.
const MaxRecordBytes = 1 << 30

// Options says where a log lives and what it may use. FS and Dir are required;
// the zero value of every other field means its default.
type Options struct {
	FS  vfs.FS
	Dir string // holds the segments, and nothing else; created if missing

	// MaxSegmentBytes is the length at which a segment is closed and the next
	// begun; a segment exceeds it by less than one commit. Default 1 GiB.
	MaxSegmentBytes int64

	// QueueTx and QueueBytes bound what Append takes ahead of the disk: a full
	// queue makes it wait. A batch being written is not counted, so the memory
	// used may reach twice QueueBytes. Defaults 16,384 (at most 65,535) and 64
	// MiB (at most 1 GiB). A record larger than QueueBytes is taken when the
	// queue is empty.
	QueueTx    int
	QueueBytes int64

	// Epoch is the term of leadership written into commits; it may not be lower
	// than the one in the log. 0 keeps the log's own.
	Epoch uint64

	// Retention says what Retain leaves. The zero value leaves what is needed.
	Retention Retention

	// Logger receives what recovery repaired. Default: nobody.
	Logger *slog.Logger

	firstStep int64 // first step of pre-writing; tests make it small
}

const (
	maxBatchRecords   = math.MaxUint16
	defaultQueueTx    = 16384
	defaultQueueBytes = 64 << 20
	maxQueueBytes     = 1 << 30
	defaultMaxSegment = 1 << 30
)

// validate fills in defaults and reports every violation at once.
func (o Options) validate() (Options, error) {
	var errs []error
	if o.FS == nil {
		errs = append(errs, errors.New("no FS is given"))
	}
	if o.Dir == "" {
		errs = append(errs, errors.New("no Dir is given"))
	}
	if o.QueueTx < 0 || o.QueueTx > maxBatchRecords {
		errs = append(errs, fmt.Errorf("QueueTx is %d; want 1 to %d", o.QueueTx, maxBatchRecords))
	}
	if o.QueueBytes < 0 || o.QueueBytes > maxQueueBytes {
		errs = append(errs, fmt.Errorf("QueueBytes is %d; want 1 to %d", o.QueueBytes, maxQueueBytes))
	}
	if o.MaxSegmentBytes < 0 {
		errs = append(errs, fmt.Errorf("MaxSegmentBytes is %d; want a positive number", o.MaxSegmentBytes))
	}
	if len(errs) > 0 {
		return o, fmt.Errorf("commitlog: options: %w", errors.Join(errs...))
	}
	if o.QueueTx == 0 {
		o.QueueTx = defaultQueueTx
	}
	if o.QueueBytes == 0 {
		o.QueueBytes = defaultQueueBytes
	}
	if o.MaxSegmentBytes == 0 {
		o.MaxSegmentBytes = defaultMaxSegment
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.firstStep == 0 {
		o.firstStep = minStep
	}
	return o, nil
}

// A Journal is what a database needs of its log. [Log] keeps it on disk,
// [Memory] nowhere; a replicated one can stand in their place, because nothing
// here says that an appended record will stay: only the durable offset does.
type Journal interface {
	// First is the lowest offset that Replay can start from.
	First() Offset
	// Next is the offset that the next Append returns.
	Next() Offset
	// Durable is the offset below which every transaction survives.
	Durable() Offset

	// Replay hands out the durable records from an offset on; see ReplayFunc.
	Replay(from Offset, fn ReplayFunc) error
	// Append takes a copy of a record and returns its offset. It waits only
	// while the queue is full. One goroutine at a time may append.
	Append(record []byte) (Offset, error)
	// Cut makes the next record begin a commit and a segment, so that Replay can
	// start there without reading records before it, and returns its offset.
	Cut() Offset

	// WaitDurable waits until the transaction at off is durable. It returns the
	// log's error if that will not happen, or the context's.
	WaitDurable(ctx context.Context, off Offset) error

	// Failed is closed when the log has failed; Err then says why.
	Failed() <-chan struct{}
	Err() error

	// Retain allows everything below an offset to go.
	Retain(from Offset) error
	// Close makes what was appended durable and stops the log.
	Close() error
}

// A ReplayFunc receives a record at the start of data, says how many bytes it
// has, and must not keep data after returning.
//
// Records of a commit follow each other without framing (spec 08 §26), so only
// one who can decode a record knows its length; data reaches to the end of the
// commit, and the last record of a commit must end there. When a replay starts
// inside a commit, its earlier records come too, with offsets below the start:
// they need to be measured, not applied. That does not happen where [Log.Cut]
// was called, nor at the start of a segment.
type ReplayFunc func(off Offset, data []byte) (n int, err error)

var (
	_ Journal = (*Log)(nil)
	_ Journal = (*Memory)(nil)
)
