package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
)

// A Compression is what a client allows the server to use in binary messages.
type Compression uint8

const (
	CompressNone Compression = iota
	CompressBrotli
	CompressGzip
)

// ParseCompression reads the value of the query parameter compression, which is
// case-sensitive.
func ParseCompression(s string) (Compression, bool) {
	switch s {
	case "None":
		return CompressNone, true
	case "Brotli":
		return CompressBrotli, true
	case "Gzip":
		return CompressGzip, true
	}
	return 0, false
}

// The first byte of every binary message from the server (spec 05 §5.3).
const (
	tagPlain  = 0
	tagBrotli = 1
	tagGzip   = 2
)

// compressAbove is the size of a body, without tag, from which on it is
// compressed.
const compressAbove = 1024

var gzipWriters = sync.Pool{New: func() any {
	w, err := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed)
	if err != nil {
		panic(err) // the level is a constant
	}
	return w
}}

// AppendEnvelope appends the tag and the body, compressed with gzip if the
// client allows that and the body is long enough. Brotli clients get the body as
// it is, which every client accepts.
func AppendEnvelope(dst, body []byte, c Compression) []byte {
	if c != CompressGzip || len(body) <= compressAbove {
		return append(append(dst, tagPlain), body...)
	}
	out := bytes.NewBuffer(append(dst, tagGzip))
	w := gzipWriters.Get().(*gzip.Writer)
	defer gzipWriters.Put(w)
	w.Reset(out)
	_, err := w.Write(body)
	if err = errors.Join(err, w.Close()); err != nil {
		panic(err) // a bytes.Buffer does not fail
	}
	return out.Bytes()
}

// OpenEnvelope returns the body of a binary message from the server, at most
// limit bytes of it. A plain body aliases payload.
func OpenEnvelope(payload []byte, limit int) ([]byte, error) {
	if len(payload) == 0 {
		return nil, errors.New("wire: empty message from the server")
	}
	switch payload[0] {
	case tagPlain:
		return payload[1:], nil
	case tagGzip:
		zr, err := gzip.NewReader(bytes.NewReader(payload[1:]))
		if err != nil {
			return nil, fmt.Errorf("wire: gzip message: %w", err)
		}
		body, err := io.ReadAll(io.LimitReader(zr, int64(limit)+1))
		if err != nil {
			return nil, fmt.Errorf("wire: gzip message: %w", err)
		}
		if len(body) > limit {
			return nil, fmt.Errorf("wire: message decompresses to more than %d bytes", limit)
		}
		return body, nil
	case tagBrotli:
		return nil, errors.New("wire: brotli message, which this client did not ask for")
	}
	return nil, fmt.Errorf("wire: unknown compression tag %#x", payload[0])
}
