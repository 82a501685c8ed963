package sats

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// The functions of this file append JSON text without looking at the capacity more often than they must.

// digitPairs are the numbers from 00 to 99.
var digitPairs = func() (t [100][2]byte) {
	for i := range t {
		t[i] = [2]byte{'0' + byte(i/10), '0' + byte(i%10)}
	}
	return t
}()

// hexPairs are the bytes in lower-case hexadecimal digits.
var hexPairs = func() (t [256][2]byte) {
	for i := range t {
		t[i] = [2]byte{hexDigits[i>>4], hexDigits[i&15]}
	}
	return t
}()

var powersOf10 = func() (t [20]uint64) {
	t[0] = 1
	for i := range t[1:] {
		t[i+1] = 10 * t[i]
	}
	return t
}()

// countDigits returns the number of decimal digits of n > 0.
func countDigits(n uint64) int {
	d := bits.Len64(n) * 1233 >> 12 // the binary digits times log10(2), one too few unless n is below that power of 10
	if n >= powersOf10[d] {
		d++
	}
	return d
}

// appendUint appends n in decimal.
func appendUint(b []byte, n uint64) []byte {
	if n < 10 {
		return append(b, '0'+byte(n))
	}
	return appendDigits(b, n, countDigits(n))
}

// appendInt appends n in decimal.
func appendInt(b []byte, n int64) []byte {
	if n < 0 {
		return appendUint(append(b, '-'), -uint64(n))
	}
	return appendUint(b, uint64(n))
}

// digits8 returns the eight decimal digits of n < 10⁸, as bytes from 0 to 9, the first lowest.
func digits8(n uint64) uint64 {
	// Lanes of two numbers of four digits, four of two, eight of one. The products are the quotients by 100 and 10,
	// rounded down, for numbers of four and two digits.
	n = n/10000 | n%10000<<32
	q := n * 10486 >> 20 & 0x7f0000007f
	n = q | (n-100*q)<<16
	q = n * 103 >> 10 & 0x000f000f000f000f
	return q | (n-10*q)<<8
}

const asciiZeros = 0x3030303030303030

// putDigits8 writes digits8 of n.
func putDigits8(d []byte, n uint64) { binary.LittleEndian.PutUint64(d, digits8(n)|asciiZeros) }

// putShort writes n < 10⁸ without leading zeros in front of other bytes and returns its length.
func putShort(d []byte, n uint64) int {
	w := digits8(n)
	zeros := bits.TrailingZeros64(w|1<<56) / 8
	binary.LittleEndian.PutUint64(d, (w|asciiZeros)>>(8*zeros))
	return 8 - zeros
}

// putUint writes n in decimal and returns its length. d has room for 24 bytes, all of which it may write.
func putUint(d []byte, n uint64) int {
	const e8, e16 = 100_000_000, 10_000_000_000_000_000
	if n < 10 {
		d[0] = '0' + byte(n)
		return 1
	}
	if n < e8 {
		return putShort(d, n)
	}
	size := 0
	if n >= e16 {
		size = putShort(d, n/e16)
		n %= e16
		putDigits8(d[size:], n/e8)
		size += 8
	} else {
		size = putShort(d, n/e8)
	}
	putDigits8(d[size:], n%e8)
	return size + 8
}

// putInt is putUint for signed numbers.
func putInt(d []byte, n int64) int {
	if n < 0 {
		d[0] = '-'
		return 1 + putUint(d[1:], -uint64(n))
	}
	return putUint(d, uint64(n))
}

// appendDigits appends the last count decimal digits of n.
func appendDigits(b []byte, n uint64, count int) []byte {
	size := len(b)
	if cap(b)-size < count {
		b = slices.Grow(b, count)
	}
	b = b[:size+count]
	d := b[size:]
	for len(d) >= 8 {
		q := n / 100_000_000
		putDigits8(d[len(d)-8:], n-100_000_000*q)
		n, d = q, d[:len(d)-8]
	}
	for len(d) > 1 {
		q := n / 100
		*(*[2]byte)(d[len(d)-2:]) = digitPairs[n-100*q]
		n, d = q, d[:len(d)-2]
	}
	if len(d) > 0 {
		d[0] = '0' + byte(n%10)
	}
	return b
}

// appendHexBytes appends two hexadecimal digits for every byte.
func appendHexBytes(b, p []byte) []byte {
	size := len(b)
	b = slices.Grow(b, 2*len(p))[:size+2*len(p)]
	d := b[size:]
	for i, c := range p {
		*(*[2]byte)(d[2*i:]) = hexPairs[c]
	}
	return b
}

// appendJSONText appends a JSON string, copying eight bytes at a time as long as there is nothing to escape.
func appendJSONText(b, s []byte) []byte {
	size := len(b)
	if cap(b)-size < len(s)+2 {
		b = slices.Grow(b, len(s)+2)
	}
	b = append(b, '"')
	d := b[size+1 : size+1+len(s)]
	i := 0
	if len(s) >= 8 {
		for ; i < len(s); i += 8 {
			i = min(i, len(s)-8) // the last word overlaps the one before
			w := binary.LittleEndian.Uint64(s[i:])
			if mustEscape(w) {
				return appendEscaped(b, s)
			}
			binary.LittleEndian.PutUint64(d[i:], w)
		}
		return append(b[:size+1+len(s)], '"')
	}
	if len(s) >= 4 {
		first, last := binary.LittleEndian.Uint32(s), binary.LittleEndian.Uint32(s[len(s)-4:])
		if mustEscape(uint64(first)<<32 | uint64(last)) {
			return appendEscaped(b, s)
		}
		binary.LittleEndian.PutUint32(d, first)
		binary.LittleEndian.PutUint32(d[len(d)-4:], last)
		return append(b[:size+1+len(s)], '"')
	}
	for i, c := range s {
		if jsonEscape[c] {
			return appendEscaped(b, s)
		}
		d[i] = c
	}
	return append(b[:size+1+len(s)], '"')
}

// mustEscape reports whether one of the eight bytes of w must be escaped in a JSON string.
func mustEscape(w uint64) bool {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	quote, slash := w^'"'*ones, w^'\\'*ones
	// Subtracting k from a byte without its highest bit sets that bit if the byte is below k. A borrow from a lower byte
	// can give a false alarm, but only if that byte gave a true one.
	return ((w-' '*ones)&^w|(quote-ones)&^quote|(slash-ones)&^slash)&high != 0
}

// appendEscaped appends s and the closing quote, escaping what must be.
func appendEscaped[S string | []byte](b []byte, s S) []byte {
	from := 0
	for i := 0; i < len(s); i++ {
		if jsonEscape[s[i]] {
			b = appendJSONEscape(append(b, s[from:i]...), s[i])
			from = i + 1
		}
	}
	return append(append(b, s[from:]...), '"')
}
