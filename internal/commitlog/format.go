package commitlog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
)

// Segment header, 10 bytes: magic, format version, checksum algorithm, two zero
// bytes (spec 08 §25.2).
const (
	segmentMagic      = "(ds)^2"
	segmentHeaderSize = 10
	formatVersion     = 1 // what is written; 0 and 1 are read
	checksumCRC32C    = 0
)

// Commit, little endian (spec 08 §25.3):
//
//	| min_tx_offset u64 | epoch u64 | n u16 | len u32 | records, len bytes | crc32c u32 |
//
// In version 0 there is no epoch. The checksum covers everything before it.
const (
	commitHeaderSize = 22
	checksumSize     = 4
	commitFraming    = commitHeaderSize + checksumSize

	commitHeaderSizeV0 = 14
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var (
	// ErrTorn means that a segment ends, or turns to zeros, inside a commit.
	ErrTorn = errors.New("commit is cut short")
	// ErrChecksum means that a commit's bytes are not those that were written.
	ErrChecksum = errors.New("commit checksum differs")
	// ErrHeader means that a file is not a segment, or damaged at its start.
	ErrHeader = errors.New("segment header is damaged")
	// ErrOrder means that whole commits do not follow each other.
	ErrOrder = errors.New("out-of-order commit")
	// ErrForked means that two commits claim one offset.
	ErrForked = errors.New("forked history")
	// ErrVersion means that a newer server wrote the log.
	ErrVersion = errors.New("unsupported log format version")
)

// A CorruptionError says where a log stops being readable, and why.
type CorruptionError struct {
	File string // path of the segment or checkpoint
	At   int64  // byte where the damage begins; uncompressed in compressed files
	Err  error
}

func (e *CorruptionError) Error() string { return fmt.Sprintf("%s, byte %d: %v", e.File, e.At, e.Err) }
func (e *CorruptionError) Unwrap() error { return e.Err }

// A Commit is one commit as it stands in a segment.
type Commit struct {
	Min     Offset // offset of the first record
	Epoch   uint64
	N       int    // number of records, 1 to 65,535
	Records []byte // the records, one after the other without framing
	CRC     uint32 // stored checksum, verified
}

// Next returns the offset after the commit's last record.
func (c Commit) Next() Offset { return c.Min + Offset(c.N) }

func segmentHeader() []byte {
	h := make([]byte, segmentHeaderSize)
	copy(h, segmentMagic)
	h[6], h[7] = formatVersion, checksumCRC32C
	return h
}

// parseSegmentHeader returns the format version.
func parseSegmentHeader(h []byte) (version byte, err error) {
	switch {
	case len(h) < segmentHeaderSize || string(h[:6]) != segmentMagic:
		return 0, fmt.Errorf("%w: it does not begin with %q", ErrHeader, segmentMagic)
	case h[6] > formatVersion:
		return 0, fmt.Errorf("%w: %d", ErrVersion, h[6])
	case h[7] != checksumCRC32C:
		return 0, fmt.Errorf("%w: unknown checksum algorithm %d", ErrHeader, h[7])
	}
	return h[6], nil
}

// A commitHeader is the part of a commit before its records.
type commitHeader struct {
	min   Offset
	epoch uint64
	n     int
	len   int64
}

func headerSize(version byte) int {
	if version == 0 {
		return commitHeaderSizeV0
	}
	return commitHeaderSize
}

// parseCommitHeader decodes the header at the start of b, which must hold
// headerSize(version) bytes. ok is false for values that no writer produces.
func parseCommitHeader(version byte, b []byte) (h commitHeader, ok bool) {
	h.min = Offset(binary.LittleEndian.Uint64(b))
	b = b[8:]
	if version > 0 {
		h.epoch = binary.LittleEndian.Uint64(b)
		b = b[8:]
	}
	h.n = int(binary.LittleEndian.Uint16(b))
	h.len = int64(binary.LittleEndian.Uint32(b[2:]))
	return h, h.n > 0 && uint64(h.min) <= math.MaxUint64-uint64(h.n)
}

// putCommitHeader fills in the first commitHeaderSize bytes of b.
func putCommitHeader(b []byte, h commitHeader) {
	binary.LittleEndian.PutUint64(b, uint64(h.min))
	binary.LittleEndian.PutUint64(b[8:], h.epoch)
	binary.LittleEndian.PutUint16(b[16:], uint16(h.n))
	binary.LittleEndian.PutUint32(b[18:], uint32(h.len))
}

// A chain checks that whole commits follow each other (spec 08 §28.2).
type chain struct {
	next  Offset // expected
	epoch uint64
	prev  struct {
		any bool
		min Offset
		crc uint32
	}
}

// accept takes the next whole commit. skip reports a repetition of the previous
// one, which is harmless.
func (c *chain) accept(commit Commit) (skip bool, err error) {
	switch {
	case commit.Min == c.next:
	case c.prev.any && commit.Min == c.prev.min:
		if commit.CRC == c.prev.crc {
			return true, nil
		}
		return false, fmt.Errorf("%w: offset=%d", ErrForked, commit.Min)
	default:
		return false, fmt.Errorf("%w: expected-offset=%d actual-offset=%d", ErrOrder, c.next, commit.Min)
	}
	if commit.Epoch < c.epoch {
		return false, fmt.Errorf("%w: new epoch %d is smaller than current epoch %d", ErrOrder, commit.Epoch, c.epoch)
	}
	c.next, c.epoch = commit.Next(), commit.Epoch
	c.prev.any, c.prev.min, c.prev.crc = true, commit.Min, commit.CRC
	return false, nil
}
