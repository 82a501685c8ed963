package commitlog

import (
	"errors"
	"hash/crc32"
	"io"
)

// A rangeCRC answers the CRC32C of any range of a file in nearly constant time,
// from checksums of all prefixes at multiples of crcGrain. A search that tests
// every byte of a damaged segment as a possible commit needs it: with lengths
// chosen by whoever wrote the rows, plain checksums would take quadratic time.
type rangeCRC struct {
	r      io.ReaderAt
	start  int64    // file position that the prefixes count from
	prefix []uint32 // prefix[i] is the checksum of [start, start+i*crcGrain)
	buf    [crcGrain]byte
}

const crcGrain = 4 << 10

// newRangeCRC reads [start, end) once.
func newRangeCRC(r io.ReaderAt, start, end int64) (*rangeCRC, error) {
	c := &rangeCRC{r: r, start: start, prefix: []uint32{0}}
	crc := uint32(0)
	for at := start; at+crcGrain <= end; at += crcGrain {
		if err := readFullAt(r, c.buf[:], at); err != nil {
			return nil, err
		}
		crc = crc32.Update(crc, castagnoli, c.buf[:])
		c.prefix = append(c.prefix, crc)
	}
	return c, nil
}

// sum returns the checksum of [from, to).
func (c *rangeCRC) sum(from, to int64) (uint32, error) {
	a, err := c.upTo(from)
	if err != nil {
		return 0, err
	}
	b, err := c.upTo(to)
	if err != nil {
		return 0, err
	}
	return b ^ crcShift(a, to-from), nil
}

// upTo returns the checksum of [start, to).
func (c *rangeCRC) upTo(to int64) (uint32, error) {
	grain := (to - c.start) / crcGrain
	at := c.start + grain*crcGrain
	rest := c.buf[:to-at]
	if err := readFullAt(c.r, rest, at); err != nil {
		return 0, err
	}
	return crc32.Update(c.prefix[grain], castagnoli, rest), nil
}

func readFullAt(r io.ReaderAt, p []byte, at int64) error {
	n, err := r.ReadAt(p, at)
	if n == len(p) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// A CRC is a polynomial over GF(2) modulo the Castagnoli polynomial, here with
// the coefficient of x^0 in the highest bit. crc(A||B) = crc(A)·x^(8·|B|) +
// crc(B), the inversions at both ends cancelling out.

// crcShift multiplies by x^(8n).
func crcShift(crc uint32, n int64) uint32 {
	for i := 0; n > 0; i, n = i+1, n>>1 {
		if n&1 != 0 {
			crc = crcMul(crc, crcPowers[i])
		}
	}
	return crc
}

// crcPowers[i] is x^(8·2^i).
var crcPowers = func() (p [63]uint32) {
	p[0] = 1 << (31 - 8)
	for i := 1; i < len(p); i++ {
		p[i] = crcMul(p[i-1], p[i-1])
	}
	return p
}()

func crcMul(a, b uint32) uint32 {
	var sum uint32
	for ; a != 0; a <<= 1 {
		if a>>31 != 0 {
			sum ^= b
		}
		carry := b & 1 // the coefficient of x^31 becomes x^32, which is reduced
		b >>= 1
		if carry != 0 {
			b ^= crc32.Castagnoli
		}
	}
	return sum
}
