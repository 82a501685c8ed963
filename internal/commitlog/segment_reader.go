package commitlog

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"path/filepath"
	"slices"

	"github.com/klauspost/compress/zstd"

	"github.com/stdbgo/spacetime/internal/vfs"
)

const (
	readBufferSize = 256 << 10
	zstdMagic      = "\x28\xb5\x2f\xfd"
	seekTableMagic = "\xb1\xea\x92\x8f" // last bytes of a compressed segment

	// Frames of compressed segments hold 4 KiB (spec 08 §25.5); a window far
	// above that is still accepted, without letting a file ask for gigabytes.
	maxSealedWindow = 8 << 20
)

// errEmptyFile means that a file is too short to hold a segment header.
var errEmptyFile = errors.New("segment has no header")

// A segmentReader reads the commits of one segment, plain or compressed.
type segmentReader struct {
	path    string
	f       vfs.File
	src     *source
	zstd    *zstd.Decoder // nil for a plain segment
	r       *bufio.Reader
	version byte
	size    int64 // length of a plain file; -1 when compressed
	pos     int64 // where the next commit begins, uncompressed
	buf     []byte
}

// openSegment opens a segment and checks its header. A file shorter than a
// header is errEmptyFile.
func openSegment(fsys vfs.FS, dir string, min Offset) (*segmentReader, error) {
	path := filepath.Join(dir, segmentName(min))
	f, err := fsys.Open(path)
	if err != nil {
		return nil, err
	}
	s := &segmentReader{path: path, f: f}
	if err := s.start(); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *segmentReader) start() error {
	size, err := s.f.Size()
	if err != nil {
		return err
	}
	if err := s.startStream(s.f, size); err != nil || !s.sealed() {
		return err
	}
	var footer [len(seekTableMagic)]byte
	if _, err := s.f.ReadAt(footer[:], size-int64(len(footer))); err != nil && err != io.EOF {
		return err
	}
	if string(footer[:]) != seekTableMagic {
		return s.bad(fmt.Errorf("%w: the compressed segment does not end in a seek table", ErrTorn))
	}
	return nil
}

// startStream reads the header of a segment whose stored bytes come from r.
func (s *segmentReader) startStream(r io.Reader, size int64) error {
	s.size = size
	s.src = &source{r: r}
	s.r = bufio.NewReaderSize(s.src, readBufferSize)
	magic, err := s.r.Peek(len(zstdMagic))
	if err != nil && err != io.EOF {
		return s.readError(err)
	}
	if string(magic) == zstdMagic {
		if err := s.startSealed(); err != nil {
			return err
		}
	}
	var h [segmentHeaderSize]byte
	if _, err := io.ReadFull(s.r, h[:]); err == io.EOF || err == io.ErrUnexpectedEOF {
		return errEmptyFile
	} else if err != nil {
		return s.readError(err)
	}
	version, err := parseSegmentHeader(h[:])
	if err != nil {
		return &CorruptionError{File: s.path, At: 0, Err: err}
	}
	s.version, s.pos = version, segmentHeaderSize
	return nil
}

func (s *segmentReader) startSealed() error {
	z, err := zstd.NewReader(s.r, zstd.WithDecoderConcurrency(1),
		zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxSealedWindow))
	if err != nil {
		return s.readError(err)
	}
	s.zstd, s.size = z, -1
	s.r = bufio.NewReaderSize(sealedStream{z}, readBufferSize)
	return nil
}

func (s *segmentReader) sealed() bool { return s.zstd != nil }

func (s *segmentReader) close() error {
	if s.zstd != nil {
		s.zstd.Close()
	}
	if s.f == nil {
		return nil
	}
	return s.f.Close()
}

// next returns the next whole commit, valid until the following call. At the end
// it returns io.EOF, also when nothing but zeros follows: that is space written
// ahead. A commit that is not whole is a CorruptionError, a failing disk is not.
func (s *segmentReader) next() (Commit, error) {
	hsize := headerSize(s.version)
	if err := s.fill(0, hsize); err == io.EOF || err == errShort {
		if len(s.buf) == 0 || allZero(s.buf) {
			return Commit{}, io.EOF
		}
		return Commit{}, s.bad(errFragment)
	} else if err != nil {
		return Commit{}, err
	}
	if allZero(s.buf) {
		return Commit{}, s.zerosToEnd()
	}
	h, ok := parseCommitHeader(s.version, s.buf)
	if !ok {
		return Commit{}, s.bad(fmt.Errorf("%w: its header is impossible", ErrChecksum))
	}
	whole := int64(hsize) + h.len + checksumSize
	if s.size >= 0 && s.pos+whole > s.size {
		return Commit{}, s.bad(ErrTorn)
	}
	if err := s.fill(hsize, int(whole)); err == errShort {
		return Commit{}, s.bad(ErrTorn)
	} else if err != nil {
		return Commit{}, err
	}
	body := s.buf[:whole-checksumSize]
	crc := binary.LittleEndian.Uint32(s.buf[whole-checksumSize:])
	if crc32.Checksum(body, castagnoli) != crc {
		return Commit{}, s.bad(ErrChecksum)
	}
	s.pos += whole
	return Commit{Min: h.min, Epoch: h.epoch, N: h.n, Records: body[hsize:], CRC: crc}, nil
}

// errFragment is ErrTorn for a piece shorter than a commit header.
var errFragment = fmt.Errorf("%w: %w", ErrTorn, errors.New("a fragment shorter than its header is left"))

// errShort means that the stream ended before the bytes asked for.
var errShort = errors.New("stream is short")

// fill makes buf hold want bytes, of which it has the first have. It grows buf
// as bytes arrive, so that a damaged length cannot make it large.
func (s *segmentReader) fill(have, want int) error {
	s.buf = s.buf[:have]
	for have < want {
		chunk := min(want-have, max(have, readBufferSize))
		s.buf = slices.Grow(s.buf[:have], chunk)[:have+chunk]
		n, err := io.ReadFull(s.r, s.buf[have:])
		have += n
		s.buf = s.buf[:have]
		switch {
		case err == io.EOF || err == io.ErrUnexpectedEOF:
			return errShort
		case err != nil:
			return s.readError(err)
		}
	}
	return nil
}

// zerosToEnd is called after an all-zero header: io.EOF if only zeros follow.
func (s *segmentReader) zerosToEnd() error {
	for {
		b, err := s.r.Peek(readBufferSize / 2)
		if !allZero(b) {
			return s.bad(fmt.Errorf("%w: zeros stand in its place", ErrTorn))
		}
		if err == io.EOF {
			return io.EOF
		} else if err != nil {
			return s.readError(err)
		}
		if _, err := s.r.Discard(len(b)); err != nil {
			return s.readError(err)
		}
	}
}

// readError tells a failing disk from a compressed stream that is damaged.
func (s *segmentReader) readError(err error) error {
	if s.src.err != nil {
		return fmt.Errorf("read %s: %w", s.path, s.src.err)
	}
	return s.bad(fmt.Errorf("%w: %w", ErrChecksum, err))
}

// A source remembers the first failure of the file below the decompressor.
type source struct {
	r   io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF && s.err == nil {
		s.err = err
	}
	return n, err
}

var errSealedTorn = errors.New("the compressed stream is cut short")

// A sealedStream keeps a truncated compressed stream from looking like an end.
type sealedStream struct{ z io.Reader }

func (s sealedStream) Read(p []byte) (int, error) {
	n, err := s.z.Read(p)
	if err == io.ErrUnexpectedEOF {
		err = errSealedTorn
	}
	return n, err
}

func (s *segmentReader) bad(err error) error {
	return &CorruptionError{File: s.path, At: s.pos, Err: err}
}

var zeros [64 << 10]byte

func allZero(b []byte) bool {
	for len(b) > len(zeros) {
		if !bytes.Equal(b[:len(zeros)], zeros[:]) {
			return false
		}
		b = b[len(zeros):]
	}
	return bytes.Equal(b, zeros[:len(b)])
}
