package commitlog

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/zstd"

	"github.com/stdbgo/spacetime/internal/vfs"
)

// A checkpoint file, little endian:
//
//	| "stdbckpt" | version u32 = 1 | zero u32 | offset u64 | crc32c u32 |
//	| stored u32 | raw u32 | crc32c u32 | stored bytes |   any number of times
//	| 0 u32 | 0 u32 | crc32c u32 |                         the end
//
// Each block is one zstd frame of raw bytes, at most maxBlock, that can be
// decompressed without the others. Each checksum goes on from the one before and
// covers all bytes since but checksums, so that a block that is missing, repeated
// or moved shows as well as a damaged one. Nothing follows the end.
const (
	checkpointMagic      = "stdbckpt"
	checkpointVersion    = 1
	checkpointHeaderSize = 28
	blockHeaderSize      = 12

	rawBlock = 1 << 20 // what is written
	maxBlock = 4 << 20 // what is read
)

// ErrCheckpoint means that a checkpoint file is damaged.
var ErrCheckpoint = errors.New("checkpoint is damaged")

// A checkpointWriter collects blocks and writes them.
type checkpointWriter struct {
	f        vfs.File
	enc      *zstd.Encoder
	raw      []byte
	stored   []byte
	unsynced int
	crc      uint32
	err      error // the first failure; sticky
}

// syncEvery is how much of a checkpoint may wait to be synced. All of it at once
// would keep the disk busy for long, and the log's syncs behind it.
const syncEvery = 4 << 20

func newCheckpointWriter(f vfs.File, off Offset) (*checkpointWriter, error) {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1),
		zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderCRC(false))
	if err != nil {
		return nil, err
	}
	h := make([]byte, 0, checkpointHeaderSize)
	h = append(h, checkpointMagic...)
	h = binary.LittleEndian.AppendUint32(h, checkpointVersion)
	h = binary.LittleEndian.AppendUint32(h, 0)
	h = binary.LittleEndian.AppendUint64(h, uint64(off))
	crc := crc32.Checksum(h, castagnoli)
	h = binary.LittleEndian.AppendUint32(h, crc)
	w := &checkpointWriter{f: f, enc: enc, crc: crc, raw: make([]byte, 0, rawBlock)}
	if _, err := f.Write(h); err != nil {
		w.release()
		return nil, err
	}
	return w, nil
}

// release frees what the compressor holds.
func (w *checkpointWriter) release() { w.enc.Close() }

func (w *checkpointWriter) Write(p []byte) (n int, err error) {
	for len(p) > 0 && w.err == nil {
		part := p[:min(len(p), rawBlock-len(w.raw))]
		w.raw = append(w.raw, part...)
		p, n = p[len(part):], n+len(part)
		if len(w.raw) == rawBlock {
			w.flush()
		}
	}
	return n, w.err
}

// flush writes what was collected as one block; nothing collected is the end.
func (w *checkpointWriter) flush() {
	w.stored = append(w.stored[:0], zeros[:blockHeaderSize]...)
	if len(w.raw) > 0 {
		w.stored = w.enc.EncodeAll(w.raw, w.stored)
	}
	h, body := w.stored[:blockHeaderSize], w.stored[blockHeaderSize:]
	binary.LittleEndian.PutUint32(h, uint32(len(body)))
	binary.LittleEndian.PutUint32(h[4:], uint32(len(w.raw)))
	w.crc = crc32.Update(crc32.Update(w.crc, castagnoli, h[:8]), castagnoli, body)
	binary.LittleEndian.PutUint32(h[8:], w.crc)
	w.raw = w.raw[:0]
	if _, w.err = w.f.Write(w.stored); w.err != nil {
		return
	}
	if w.unsynced += len(w.stored); w.unsynced >= syncEvery {
		w.unsynced, w.err = 0, w.f.SyncData()
	}
}

// finish writes the last block and the end.
func (w *checkpointWriter) finish() error {
	if len(w.raw) > 0 && w.err == nil {
		w.flush()
	}
	if w.err == nil {
		w.flush()
	}
	return w.err
}

// A checkpointReader verifies and decompresses block by block.
type checkpointReader struct {
	f      vfs.File
	path   string
	r      *bufio.Reader
	dec    *zstd.Decoder
	pos    int64 // where the next block begins
	size   int64
	crc    uint32
	stored []byte // the current block
	raw    int    // its length when decompressed
	out    []byte // decompressed bytes not yet read
	buf    []byte
	err    error // sticky
}

func newCheckpointReader(f vfs.File, path string, off Offset) (*checkpointReader, error) {
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	r := &checkpointReader{f: f, path: path, size: size}
	r.r = bufio.NewReaderSize(f, readBufferSize)
	if err := r.readHeader(off); err != nil {
		return nil, err
	}
	r.dec, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxBlock))
	return r, err
}

func (r *checkpointReader) readHeader(off Offset) error {
	var h [checkpointHeaderSize]byte
	if err := r.readFull(h[:]); err != nil {
		return err
	}
	r.crc = crc32.Checksum(h[:24], castagnoli)
	switch {
	case string(h[:8]) != checkpointMagic || binary.LittleEndian.Uint32(h[24:]) != r.crc:
		return r.bad("its header is not one")
	case binary.LittleEndian.Uint32(h[8:]) != checkpointVersion:
		return fmt.Errorf("commitlog: %s: a newer server wrote it: checkpoint version %d", r.path, binary.LittleEndian.Uint32(h[8:]))
	case Offset(binary.LittleEndian.Uint64(h[16:])) != off:
		return r.bad(fmt.Sprintf("it is of offset %d", binary.LittleEndian.Uint64(h[16:])))
	}
	r.pos = checkpointHeaderSize
	return nil
}

// nextBlock reads and verifies one block; io.EOF at the end of the file.
func (r *checkpointReader) nextBlock() error {
	var h [blockHeaderSize]byte
	if err := r.readFull(h[:]); err != nil {
		return err
	}
	stored := int64(binary.LittleEndian.Uint32(h[:]))
	raw := binary.LittleEndian.Uint32(h[4:])
	if raw > maxBlock || stored > r.size-r.pos-blockHeaderSize || stored > maxStored {
		return r.bad("a block has an impossible size")
	}
	if int64(cap(r.stored)) < stored {
		r.stored = make([]byte, stored)
	}
	r.stored, r.raw = r.stored[:stored], int(raw)
	if err := r.readFull(r.stored); err != nil {
		return err
	}
	r.crc = crc32.Update(crc32.Update(r.crc, castagnoli, h[:8]), castagnoli, r.stored)
	if binary.LittleEndian.Uint32(h[8:]) != r.crc {
		return r.bad("checksum differs")
	}
	r.pos += blockHeaderSize + stored
	if stored > 0 {
		return nil
	}
	if r.pos != r.size {
		return r.bad("something follows its end")
	}
	return io.EOF
}

// maxStored bounds a compressed block: zstd adds little to what it cannot
// compress.
const maxStored = maxBlock + maxBlock/64

func (r *checkpointReader) Read(p []byte) (int, error) {
	for len(r.out) == 0 && r.err == nil {
		if r.err = r.nextBlock(); r.err == nil {
			r.err = r.decompress()
		}
	}
	if len(r.out) == 0 {
		return 0, r.err
	}
	n := copy(p, r.out)
	r.out = r.out[n:]
	return n, nil
}

func (r *checkpointReader) decompress() (err error) {
	r.buf, err = r.dec.DecodeAll(r.stored, r.buf[:0])
	if err != nil || len(r.buf) != r.raw {
		return r.bad("a block does not decompress")
	}
	r.out = r.buf
	return nil
}

func (r *checkpointReader) readFull(p []byte) error {
	_, err := io.ReadFull(r.r, p)
	switch {
	case err == io.EOF || err == io.ErrUnexpectedEOF:
		return r.bad("it is cut short")
	case err != nil:
		return fmt.Errorf("commitlog: read checkpoint: %w", err)
	}
	return nil
}

func (r *checkpointReader) bad(why string) error {
	return fmt.Errorf("commitlog: %w",
		&CorruptionError{File: r.path, At: r.pos, Err: fmt.Errorf("%w: %s", ErrCheckpoint, why)})
}

// Close closes the file.
func (r *checkpointReader) Close() error {
	if r.dec != nil {
		r.dec.Close()
	}
	return r.f.Close()
}
