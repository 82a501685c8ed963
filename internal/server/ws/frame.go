// Package ws is the server's side of the WebSocket framing of RFC 6455: frames
// and messages, without a socket.
//
// It owns reading masked client frames into messages (fragmentation, control
// frames in between, UTF-8, limits) and writing frames. It promises that memory
// follows the bytes that arrived and never a length that a peer merely claims,
// and that every violation is a [*ProtocolError] with the close code of the RFC.
// It knows no extension, no handshake, no timer and no goroutine.
package ws

import (
	"encoding/binary"
	"fmt"
	"unicode/utf8"
)

// An Op is the opcode of a frame.
type Op byte

// The opcodes.
const (
	Continuation Op = 0x0
	Text         Op = 0x1
	Binary       Op = 0x2
	Close        Op = 0x8
	Ping         Op = 0x9
	Pong         Op = 0xA
)

func (o Op) control() bool { return o&0x8 != 0 }

// Close codes used here.
const (
	StatusGoingAway     = 1001
	StatusProtocolError = 1002
	StatusNoCode        = -1 // never on the wire: a Close frame without a code
	StatusInvalidData   = 1007
	StatusPolicy        = 1008
	StatusTooBig        = 1009
	StatusInternalError = 1011
	StatusTryAgainLater = 1013
)

// maxControl is the largest payload of a control frame, in bytes.
const maxControl = 125

// A ProtocolError says how the peer broke the protocol. The connection cannot go on.
type ProtocolError struct {
	Code   int // the close code that RFC 6455 assigns
	Reason string
}

func (e *ProtocolError) Error() string { return fmt.Sprintf("websocket: %s (%d)", e.Reason, e.Code) }

func violation(format string, args ...any) error {
	return &ProtocolError{Code: StatusProtocolError, Reason: fmt.Sprintf(format, args...)}
}

// AppendHeader appends the header of an unmasked frame of n payload bytes.
func AppendHeader(b []byte, op Op, fin bool, n int) []byte {
	first := byte(op)
	if fin {
		first |= 0x80
	}
	switch {
	case n <= maxControl:
		return append(b, first, byte(n))
	case n <= 0xffff:
		return binary.BigEndian.AppendUint16(append(b, first, 126), uint16(n))
	}
	return binary.BigEndian.AppendUint64(append(b, first, 127), uint64(n))
}

// AppendControl appends a whole control frame. A payload above 125 bytes is cut.
func AppendControl(b []byte, op Op, payload []byte) []byte {
	if len(payload) > maxControl {
		payload = payload[:maxControl]
	}
	return append(AppendHeader(b, op, true, len(payload)), payload...)
}

// AppendClose appends a Close frame. The reason is cut to 123 bytes of whole
// characters. StatusNoCode gives a frame without payload.
func AppendClose(b []byte, code int, reason string) []byte {
	if code == StatusNoCode {
		return AppendControl(b, Close, nil)
	}
	payload := binary.BigEndian.AppendUint16(make([]byte, 0, maxControl), uint16(code))
	return AppendControl(b, Close, append(payload, CutReason(reason)...))
}

// CutReason is the longest beginning of a reason that fits into a Close frame
// and is valid UTF-8.
func CutReason(reason string) string {
	const most = maxControl - 2
	end := 0
	for end < len(reason) {
		r, n := utf8.DecodeRuneInString(reason[end:])
		if r == utf8.RuneError && n == 1 || end+n > most {
			break
		}
		end += n
	}
	return reason[:end]
}

// ParseClose reads the payload of a Close frame from a client. Without payload
// the code is StatusNoCode.
func ParseClose(payload []byte) (code int, reason string, err error) {
	if len(payload) == 0 {
		return StatusNoCode, "", nil
	}
	if len(payload) == 1 {
		return 0, "", violation("close frame with half a code")
	}
	code = int(binary.BigEndian.Uint16(payload))
	if !utf8.Valid(payload[2:]) {
		return 0, "", &ProtocolError{Code: StatusInvalidData, Reason: "close reason is not UTF-8"}
	}
	return code, string(payload[2:]), nil
}

// ValidCode reports whether a code may stand in a Close frame (RFC 6455 §7.4,
// and those registered since).
func ValidCode(code int) bool {
	switch {
	case code >= 3000 && code <= 4999:
		return true
	case code >= 1000 && code <= 1003, code >= 1007 && code <= 1014:
		return true
	}
	return false
}

// unmask removes the mask from b in place.
func unmask(b []byte, key [4]byte) {
	k32 := binary.LittleEndian.Uint32(key[:])
	k64 := uint64(k32)<<32 | uint64(k32)
	for len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^k64)
		b = b[8:]
	}
	for i := range b {
		b[i] ^= key[i&3]
	}
}
