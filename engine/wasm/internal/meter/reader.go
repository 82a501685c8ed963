package meter

import (
	"fmt"
	"unicode/utf8"
)

// A FormatError says where a binary is not a module that this package understands.
type FormatError struct {
	Offset int // in the binary
	Msg    string
}

func (e *FormatError) Error() string { return fmt.Sprintf("offset 0x%x: %s", e.Offset, e.Msg) }

// A reader walks over a binary. The first error sticks: from then on every method returns zero.
type reader struct {
	b   []byte // the whole binary, so that offsets in errors are those of the file
	pos int
	end int // where the current section or body ends
	err error
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = &FormatError{r.pos, fmt.Sprintf(format, args...)}
		r.pos = r.end
	}
}

func (r *reader) more() bool { return r.pos < r.end && r.err == nil }

func (r *reader) byte() byte {
	if r.pos >= r.end {
		r.fail("unexpected end")
		return 0
	}
	b := r.b[r.pos]
	r.pos++
	return b
}

func (r *reader) take(n int) []byte {
	if n < 0 || n > r.end-r.pos {
		r.fail("unexpected end")
		return nil
	}
	b := r.b[r.pos : r.pos+n]
	r.pos += n
	return b
}

// u32 reads an unsigned LEB128 number of at most 32 bits.
func (r *reader) u32() uint32 {
	var v uint32
	for shift := 0; shift < 35; shift += 7 {
		b := r.byte()
		if shift == 28 && b > 0x0f {
			break
		}
		v |= uint32(b&0x7f) << shift
		if b < 0x80 {
			return v
		}
	}
	r.fail("malformed number")
	return 0
}

// s64 reads a signed LEB128 number of at most bits bits.
func (r *reader) s64(bits int) int64 {
	var v int64
	for shift := 0; shift < bits; shift += 7 {
		b := r.byte()
		v |= int64(b&0x7f) << shift
		if b < 0x80 {
			if s := shift + 7; s < 64 {
				v = v << (64 - s) >> (64 - s) // sign
			}
			if bits < 64 && (v >= 1<<(bits-1) || v < -1<<(bits-1)) {
				break
			}
			if shift == 63 && b != 0 && b != 0x7f {
				break // bits beyond the 64th that are not its copies
			}
			return v
		}
	}
	r.fail("malformed number")
	return 0
}

// count reads the length of a vector whose elements take at least one byte each.
func (r *reader) count(what string) int {
	n := r.u32()
	if uint64(n) > uint64(r.end-r.pos) {
		r.fail("%d %s do not fit into the section", n, what)
		return 0
	}
	return int(n)
}

func (r *reader) name() string {
	b := r.take(int(r.u32()))
	if !utf8.Valid(b) {
		r.fail("name is not UTF-8")
	}
	return string(b)
}

// appendU32 appends an unsigned LEB128 number.
func appendU32(b []byte, v uint32) []byte {
	for v >= 0x80 {
		b = append(b, byte(v)|0x80)
		v >>= 7
	}
	return append(b, byte(v))
}

// appendS64 appends a signed LEB128 number.
func appendS64(b []byte, v int64) []byte {
	for {
		c := byte(v & 0x7f)
		v >>= 7
		if v == 0 && c&0x40 == 0 || v == -1 && c&0x40 != 0 {
			return append(b, c)
		}
		b = append(b, c|0x80)
	}
}

func appendName(b []byte, s string) []byte { return append(appendU32(b, uint32(len(s))), s...) }
