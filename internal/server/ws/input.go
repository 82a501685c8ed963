package ws

import (
	"io"
	"sync"
)

const (
	// smallBuffer is what a connection reads into that has been quiet: most
	// messages of a client, and its control frames, fit.
	smallBuffer = 512
	// largeBuffer is what a connection reads into while it has much to say.
	largeBuffer = 16 << 10
)

var largeBuffers = sync.Pool{New: func() any { return new([largeBuffer]byte) }}

// An input reads ahead. While nothing comes it holds no more than its small
// buffer; one that was filled by a single read makes place for a large one, and
// that goes back when a read brings little again.
type input struct {
	src   io.Reader
	large *[largeBuffer]byte // nil: small is in use
	r, w  int                // what was read and not yet taken
	last  int                // bytes of the last read
	small [smallBuffer]byte
}

func (in *input) buf() []byte {
	if in.large != nil {
		return in.large[:]
	}
	return in.small[:]
}

func (in *input) buffered() int { return in.w - in.r }

// release gives the large buffer back. It may not be used again by the reader.
func (in *input) release() {
	if in.large != nil {
		largeBuffers.Put(in.large)
		in.large = nil
	}
	in.r, in.w = 0, 0
}

// more reads some more bytes behind those that are there.
func (in *input) more() error {
	switch {
	case in.r == in.w && in.large != nil && in.last < smallBuffer:
		in.release()
	case in.large == nil && in.last == smallBuffer:
		in.large = largeBuffers.Get().(*[largeBuffer]byte)
		in.w = copy(in.large[:], in.small[in.r:in.w])
		in.r = 0
	case in.r > 0:
		b := in.buf()
		in.w = copy(b, b[in.r:in.w])
		in.r = 0
	}
	for range 100 {
		n, err := in.src.Read(in.buf()[in.w:])
		if n > 0 {
			in.w += n
			in.last = n
			return nil // an error comes again
		}
		if err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}

// peek shows the next n bytes, or as many as came before an error. n is at most
// the size of the small buffer.
func (in *input) peek(n int) ([]byte, error) {
	for in.buffered() < n {
		if err := in.more(); err != nil {
			return in.buf()[in.r:in.w], err
		}
	}
	return in.buf()[in.r : in.r+n], nil
}

// discard drops n bytes that were peeked at.
func (in *input) discard(n int) { in.r += n }

// Read takes what was read ahead, or reads: a long piece past the buffer.
func (in *input) Read(p []byte) (int, error) {
	if in.r == in.w && len(p) >= len(in.buf()) {
		n, err := in.src.Read(p)
		in.last = n
		return n, err
	}
	if in.r == in.w && len(p) > 0 {
		if err := in.more(); err != nil {
			return 0, err
		}
	}
	n := copy(p, in.buf()[in.r:in.w])
	in.r += n
	return n, nil
}
