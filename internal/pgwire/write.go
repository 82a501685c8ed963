package pgwire

import (
	"encoding/binary"
	"strconv"
)

// Latest is the newest protocol version that is spoken.
const Latest = 3<<16 | 2

// begin starts a message; finish sets its length.
func begin(dst []byte, kind byte) ([]byte, int) {
	dst = append(dst, kind, 0, 0, 0, 0)
	return dst, len(dst) - 4
}

func finish(dst []byte, at int) []byte {
	binary.BigEndian.PutUint32(dst[at:], uint32(len(dst)-at))
	return dst
}

// appendText appends a text without the zero bytes in it, which would end it.
func appendText(dst []byte, s string) []byte {
	for i := range len(s) {
		if s[i] != 0 {
			dst = append(dst, s[i])
		}
	}
	return append(dst, 0)
}

func appendU16(dst []byte, n int) []byte    { return binary.BigEndian.AppendUint16(dst, uint16(n)) }
func appendU32(dst []byte, n uint32) []byte { return binary.BigEndian.AppendUint32(dst, n) }

// Codes of authentication requests.
const (
	AuthOK       = 0
	AuthPassword = 3 // in clear text
)

// AppendAuth appends an authentication request.
func AppendAuth(dst []byte, code uint32) []byte {
	return appendU32(append(dst, 'R', 0, 0, 0, 8), code)
}

// AppendNegotiate appends the answer to a start-up packet of a newer version: the
// newest that is spoken, and the options that are not known.
func AppendNegotiate(dst []byte, unknown []string) []byte {
	dst, at := begin(dst, 'v')
	dst = appendU32(dst, Latest)
	dst = appendU32(dst, uint32(len(unknown)))
	for _, o := range unknown {
		dst = appendText(dst, o)
	}
	return finish(dst, at)
}

// AppendParameter appends a parameter of the session.
func AppendParameter(dst []byte, name, value string) []byte {
	dst, at := begin(dst, 'S')
	return finish(appendText(appendText(dst, name), value), at)
}

// AppendKey appends what a client would have to name to cancel a statement.
func AppendKey(dst []byte, process, secret uint32) []byte {
	return appendU32(appendU32(append(dst, 'K', 0, 0, 0, 12), process), secret)
}

// AppendReady says that the next query may come. There are no transactions.
func AppendReady(dst []byte) []byte { return append(dst, 'Z', 0, 0, 0, 5, 'I') }

// An Error is a failure as clients read it.
type Error struct {
	Severity string // ERROR, or FATAL if the connection ends
	Code     string // SQLSTATE, five characters
	Message  string
	Hint     string // may be empty
	Position int    // in the query's text, in characters from 1 on; 0: none
}

func (e *Error) Error() string { return e.Severity + " " + e.Code + ": " + e.Message }

// AppendError appends an error.
func AppendError(dst []byte, e *Error) []byte {
	dst, at := begin(dst, 'E')
	field := func(kind byte, text string) {
		if text != "" {
			dst = appendText(append(dst, kind), text)
		}
	}
	field('S', e.Severity)
	field('C', e.Code)
	field('M', e.Message)
	field('H', e.Hint)
	if e.Position > 0 {
		field('P', strconv.Itoa(e.Position))
	}
	return finish(append(dst, 0), at)
}

// A Column describes one column of a result.
type Column struct {
	Name   string
	OID    uint32
	Format int
}

// AppendRowDescription appends the columns of a result. Sizes and modifiers are those
// of the original, 0 (spec 06 §7.3).
func AppendRowDescription(dst []byte, columns []Column) []byte {
	dst, at := begin(dst, 'T')
	dst = appendU16(dst, len(columns))
	for _, c := range columns {
		dst = appendText(dst, c.Name)
		dst = append(dst, 0, 0, 0, 0, 0, 0) // table, column
		dst = appendU32(dst, c.OID)
		dst = append(dst, 0, 0, 0, 0, 0, 0) // size, modifier
		dst = appendU16(dst, c.Format)
	}
	return finish(dst, at)
}

// AppendParameterDescription appends the types of a statement's parameters.
func AppendParameterDescription(dst []byte, oids []uint32) []byte {
	dst, at := begin(dst, 't')
	dst = appendU16(dst, len(oids))
	for _, o := range oids {
		dst = appendU32(dst, o)
	}
	return finish(dst, at)
}

// AppendComplete ends the result of a statement.
func AppendComplete(dst []byte, tag string) []byte {
	dst, at := begin(dst, 'C')
	return finish(appendText(dst, tag), at)
}

// Messages without a body.
const (
	EmptyQuery      = 'I'
	NoData          = 'n'
	ParseComplete   = '1'
	BindComplete    = '2'
	CloseComplete   = '3'
	PortalSuspended = 's'
)

// AppendEmpty appends a message without a body.
func AppendEmpty(dst []byte, kind byte) []byte { return append(dst, kind, 0, 0, 0, 4) }
