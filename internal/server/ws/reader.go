package ws

import (
	"encoding/binary"
	"errors"
	"io"
	"unicode/utf8"
)

// growBy bounds how much memory is made ready for bytes that have not arrived.
const growBy = 64 << 10

// smallMessage is up to which size messages share blocks of memory: a message is
// handed on to others, so its memory cannot be used again, and one allocation for
// the few hundred small messages of a read is cheaper than one for each.
const smallMessage = 4 << 10

// A Reader reads frames from a client and joins them to messages. It belongs to
// one goroutine.
//
// Invariant: while op is not Continuation, a fragmented message of that kind is
// under way and partial holds what came of it.
type Reader struct {
	in      input
	limit   int // bytes of a message over all its fragments
	op      Op
	partial []byte
	arena   []byte

	// Hold, if set, is told of the memory that a long message takes while it arrives,
	// and of its end by a negative number. False: there is no room for it.
	Hold func(bytes int) bool
	held int
}

// NewReader reads from src. A message of more than limit bytes is an error. While
// src has nothing to read, a Reader between messages holds less than a kilobyte.
func NewReader(src io.Reader, limit int) *Reader {
	r := &Reader{limit: limit}
	r.in.src = src
	return r
}

// Close gives back what the Reader borrowed; nothing can be read any more.
func (r *Reader) Close() {
	r.in.release()
	r.free()
}

// hold takes memory for a message.
func (r *Reader) hold(n int) error {
	if r.Hold != nil {
		if !r.Hold(n) {
			return &ProtocolError{Code: StatusTryAgainLater, Reason: "no room for the message"}
		}
		r.held += n
	}
	return nil
}

// free gives back what hold took.
func (r *Reader) free() {
	if r.held > 0 {
		r.Hold(-r.held)
		r.held = 0
	}
}

// Next returns the next message, or a control frame, which may come between the
// fragments of a message. The payload belongs to the caller. io.EOF means that
// the stream ended between frames.
func (r *Reader) Next() (Op, []byte, error) {
	for {
		h, err := r.header()
		if err != nil {
			return 0, nil, err
		}
		if h.op.control() {
			payload := make([]byte, h.n)
			if _, err := io.ReadFull(&r.in, payload); err != nil {
				return 0, nil, cut(err)
			}
			unmask(payload, h.key)
			return h.op, payload, nil
		}
		if h.n > uint64(r.limit-len(r.partial)) {
			return 0, nil, &ProtocolError{Code: StatusTooBig, Reason: "message too big"}
		}
		if r.op == Continuation && h.fin {
			payload, err := r.whole(h)
			if err != nil {
				return 0, nil, err
			}
			return checked(h.op, payload)
		}
		if h.op != Continuation {
			r.op = h.op
		}
		if err := r.fragment(h); err != nil {
			return 0, nil, err
		}
		if !h.fin {
			continue
		}
		r.free()
		op, payload := r.op, r.partial
		r.op, r.partial = Continuation, nil
		return checked(op, payload)
	}
}

func checked(op Op, payload []byte) (Op, []byte, error) {
	if op == Text && !utf8.Valid(payload) {
		return 0, nil, &ProtocolError{Code: StatusInvalidData, Reason: "text message is not UTF-8"}
	}
	return op, payload, nil
}

// whole reads the payload of a message of one frame.
func (r *Reader) whole(h header) ([]byte, error) {
	n := int(h.n)
	if n > smallMessage {
		payload, err := r.read(nil, n)
		r.free()
		unmask(payload, h.key)
		return payload, err
	}
	if len(r.arena) < n {
		r.arena = make([]byte, max(n, r.in.buffered()))
	}
	payload := r.arena[:n:n]
	if _, err := io.ReadFull(&r.in, payload); err != nil {
		return nil, cut(err)
	}
	r.arena = r.arena[n:]
	unmask(payload, h.key)
	return payload, nil
}

// fragment appends the payload of a frame to the message under way.
func (r *Reader) fragment(h header) (err error) {
	at := len(r.partial)
	r.partial, err = r.read(r.partial, int(h.n))
	unmask(r.partial[at:], h.key)
	return err
}

// read appends n bytes of the stream to b, whose capacity grows as they arrive.
func (r *Reader) read(b []byte, n int) ([]byte, error) {
	for n > 0 {
		if len(b) == cap(b) {
			had := cap(b)
			b = append(b, make([]byte, min(n, max(growBy, len(b))))...)[:len(b)]
			if had >= growBy {
				if err := r.hold(cap(b) - had); err != nil {
					return b, err
				}
			}
		}
		into := b[len(b):min(cap(b), len(b)+n)]
		got, err := r.in.Read(into)
		b, n = b[:len(b)+got], n-got
		if err != nil && n > 0 {
			return b, cut(err)
		}
	}
	return b, nil
}

type header struct {
	op  Op
	fin bool
	n   uint64
	key [4]byte
}

// header reads the header of a frame and checks all that can be told from it.
func (r *Reader) header() (h header, err error) {
	if r.in.buffered() == 0 {
		r.arena = nil
	}
	b, err := r.peek(2)
	if err != nil {
		return h, err
	}
	h.fin, h.op = b[0]&0x80 != 0, Op(b[0]&0x0f)
	h.n = uint64(b[1] & 0x7f)
	switch {
	case b[0]&0x70 != 0:
		return h, violation("reserved bits are set")
	case b[1]&0x80 == 0:
		return h, violation("frame is not masked")
	}
	switch h.op {
	case Continuation:
		if r.op == Continuation {
			return h, violation("continuation of no message")
		}
	case Text, Binary:
		if r.op != Continuation {
			return h, violation("message begins inside another")
		}
	case Close, Ping, Pong:
		if !h.fin || h.n > maxControl {
			return h, violation("control frame is fragmented or above 125 bytes")
		}
	default:
		return h, violation("unknown opcode %d", h.op)
	}
	err = r.lengthAndKey(&h)
	return h, err
}

// lengthAndKey reads an extended payload length, which must be the shortest
// form, and the mask key, and leaves the stream behind the header.
func (r *Reader) lengthAndKey(h *header) error {
	size := 2
	switch h.n {
	case 126:
		size = 4
	case 127:
		size = 10
	}
	b, err := r.peek(size + 4)
	if err != nil {
		return cut(err)
	}
	switch size {
	case 4:
		if h.n = uint64(binary.BigEndian.Uint16(b[2:])); h.n < 126 {
			return violation("length is not in its shortest form")
		}
	case 10:
		switch h.n = binary.BigEndian.Uint64(b[2:]); {
		case h.n>>63 != 0:
			return violation("length above 63 bits")
		case h.n <= 0xffff:
			return violation("length is not in its shortest form")
		}
	}
	h.key = [4]byte(b[size:])
	r.in.discard(size + 4)
	return nil
}

// peek shows the next n bytes; io.EOF means that there are none at all.
func (r *Reader) peek(n int) ([]byte, error) {
	b, err := r.in.peek(n)
	if err != nil && len(b) > 0 {
		err = cut(err)
	}
	return b, err
}

// cut turns the end of the stream inside a frame into what it is.
func cut(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
