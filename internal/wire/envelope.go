package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
)

// A Compression is what a client allows the server to use in binary messages.
type Compression uint8

const (
	CompressNone Compression = iota
	CompressBrotli
	CompressGzip
)

// The first byte of every binary message from the server (spec 05 §5.3).
const (
	tagPlain  = 0
	tagBrotli = 1
	tagGzip   = 2
)

// CompressAbove is the size of a body, without tag, beyond which it is compressed
// for clients that allow it.
const CompressAbove = 1024

var gzipWriters = sync.Pool{New: func() any {
	w, err := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed)
	if err != nil {
		panic(err) // the level is a constant
	}
	return w
}}

// brotliLevel is the fastest level that compresses literals, too: for rows it gives
// as little as the levels above it.
const brotliLevel = 1

var brotliWriters = sync.Pool{New: func() any { return brotli.NewWriterV2(io.Discard, brotliLevel) }}

// A compressor is what both libraries have in common.
type compressor interface {
	io.WriteCloser
	Reset(io.Writer)
}

// AppendEnvelope appends the tag and the body, compressed as the client allows if
// the body is long enough.
func AppendEnvelope(dst, body []byte, c Compression) []byte {
	if len(body) > CompressAbove {
		switch c {
		case CompressBrotli:
			return appendCompressed(append(dst, tagBrotli), body, &brotliWriters)
		case CompressGzip:
			return appendCompressed(append(dst, tagGzip), body, &gzipWriters)
		}
	}
	return append(append(dst, tagPlain), body...)
}

func appendCompressed(dst, body []byte, writers *sync.Pool) []byte {
	out := bytes.NewBuffer(dst)
	w := writers.Get().(compressor)
	defer func() {
		w.Reset(io.Discard) // it keeps no body alive
		writers.Put(w)
	}()
	w.Reset(out)
	_, err := w.Write(body)
	if err = errors.Join(err, w.Close()); err != nil {
		panic(err) // a bytes.Buffer does not fail
	}
	return out.Bytes()
}

// A Shared remembers the envelopes of a body that several clients get, so that it is
// compressed once in each way. The zero value is ready; it may be used by several
// goroutines at once, and those that come while one compresses wait for it.
type Shared struct {
	once      [2]sync.Once // of brotli and of gzip
	envelopes [2][]byte
}

// Envelope is AppendEnvelope(nil, body, c), which must not be changed. All calls
// are for the same body, longer than CompressAbove; c is not CompressNone.
func (s *Shared) Envelope(body []byte, c Compression) []byte {
	i := c - CompressBrotli
	s.once[i].Do(func() { s.envelopes[i] = AppendEnvelope(nil, body, c) })
	return s.envelopes[i]
}

// OpenEnvelope returns the body of a binary message from the server, at most
// limit bytes of it. A plain body aliases payload.
func OpenEnvelope(payload []byte, limit int) ([]byte, error) {
	if len(payload) == 0 {
		return nil, errors.New("wire: empty message from the server")
	}
	body := payload[1:]
	switch payload[0] {
	case tagPlain:
		if len(body) > limit {
			return nil, fmt.Errorf("wire: message of more than %d bytes", limit)
		}
		return body, nil
	case tagGzip:
		zr, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			return nil, fmt.Errorf("wire: gzip message: %w", err)
		}
		return inflate("gzip", zr, limit)
	case tagBrotli:
		return inflate("brotli", brotli.NewReader(bytes.NewReader(body)), limit)
	}
	return nil, fmt.Errorf("wire: unknown compression tag %#x", payload[0])
}

// inflate reads what a stream decompresses to, whose memory grows with what came of
// it. A stream of more than limit bytes is an error.
func inflate(kind string, r io.Reader, limit int) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
	if err != nil {
		return nil, fmt.Errorf("wire: %s message: %w", kind, err)
	}
	if len(body) > limit {
		return nil, fmt.Errorf("wire: %s message decompresses to more than %d bytes", kind, limit)
	}
	return body, nil
}
