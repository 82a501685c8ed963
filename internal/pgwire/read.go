package pgwire

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Bounds of what a client may send.
const (
	// MaxStartup bounds start-up packets and passwords, in bytes (spec 06 §7.1).
	MaxStartup = 10_000
	// MaxMessage bounds every other message.
	MaxMessage = 2 << 20
)

// A SizeError is a message that is longer than it may be, or shorter than any can be.
type SizeError struct{ Length, Max int64 }

func (e *SizeError) Error() string {
	return fmt.Sprintf("a message of %d bytes is not within the limits: at most %d", e.Length, e.Max)
}

// ErrMalformed is the body of a message that is not what its type says.
var ErrMalformed = errors.New("malformed message")

// A Reader reads what a client sends.
type Reader struct{ r *bufio.Reader }

// NewReader reads from r.
func NewReader(r io.Reader) *Reader { return &Reader{bufio.NewReaderSize(r, 4<<10)} }

// Buffered is how many bytes have been received and not been read.
func (r *Reader) Buffered() int { return r.r.Buffered() }

// A Message is one message of a client. The bodies of different messages do not
// share memory.
type Message struct {
	Type byte
	Body []byte
}

// Message reads the next message, whose body may have max bytes.
func (r *Reader) Message(max int) (Message, error) {
	kind, err := r.r.ReadByte()
	if err != nil {
		return Message{}, err
	}
	body, err := r.body(4, max)
	return Message{kind, body}, err
}

// body reads a length, which counts itself, and the bytes that it announces. least
// is the smallest length that there can be.
func (r *Reader) body(least, max int) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r.r, head[:]); err != nil {
		return nil, unexpected(err)
	}
	length := int64(binary.BigEndian.Uint32(head[:]))
	if length < int64(least) || length-4 > int64(max) {
		return nil, &SizeError{length, int64(max)}
	}
	left := int(length) - 4
	// The memory follows the bytes, not the length that was announced.
	body := make([]byte, 0, min(left, 16<<10))
	for left > 0 {
		if len(body) == cap(body) {
			body = append(make([]byte, 0, len(body)+min(left, len(body))), body...)
		}
		step := min(left, cap(body)-len(body))
		at := len(body)
		body = body[:at+step]
		if _, err := io.ReadFull(r.r, body[at:]); err != nil {
			return nil, unexpected(err)
		}
		left -= step
	}
	return body, nil
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// Codes of the first packet, where a protocol version could stand.
const (
	CodeCancel = 80877102
	CodeSSL    = 80877103
	CodeGSS    = 80877104
)

// A Startup is the first packet of a client, which has no type.
type Startup struct {
	Code   uint32 // Code…, or major version << 16 | minor version
	Params []Setting
}

// A Setting is one parameter of a session.
type Setting struct{ Name, Value string }

// Major and Minor are the parts of a protocol version.
func (s *Startup) Major() uint32 { return s.Code >> 16 }
func (s *Startup) Minor() uint32 { return s.Code & 0xffff }

// Param returns a parameter, the last if it is given several times.
func (s *Startup) Param(name string) (value string, found bool) {
	for _, p := range s.Params {
		if p.Name == name {
			value, found = p.Value, true
		}
	}
	return value, found
}

// Startup reads the first packet of a connection, or the next one after an answer to
// a request for encryption.
func (r *Reader) Startup() (s Startup, err error) {
	body, err := r.body(8, MaxStartup-4)
	if err != nil {
		return s, err
	}
	s.Code = binary.BigEndian.Uint32(body)
	if s.Major() != 3 {
		return s, nil // not a form that is known
	}
	in := decoder{b: body[4:]}
	for {
		name := in.text()
		if in.bad || name == "" {
			break
		}
		s.Params = append(s.Params, Setting{name, in.text()})
	}
	return s, in.end()
}

// A decoder takes the body of a message apart.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) take(n int) []byte {
	if n < 0 || n > len(d.b) || d.bad {
		d.bad = true
		return nil
	}
	out := d.b[:n:n]
	d.b = d.b[n:]
	return out
}

func (d *decoder) u16() int {
	if b := d.take(2); b != nil {
		return int(binary.BigEndian.Uint16(b))
	}
	return 0
}

func (d *decoder) i32() int {
	if b := d.take(4); b != nil {
		return int(int32(binary.BigEndian.Uint32(b)))
	}
	return 0
}

// text reads what a zero byte ends.
func (d *decoder) text() string {
	for i, c := range d.b {
		if c == 0 {
			return string(d.take(i + 1)[:i])
		}
	}
	d.bad = true
	return ""
}

// end reports whether everything has been read, and nothing was missing.
func (d *decoder) end() error {
	if d.bad || len(d.b) > 0 {
		return ErrMalformed
	}
	return nil
}
