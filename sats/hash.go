package sats

import (
	"encoding/binary"
	"math/bits"
)

// Odd constants with well spread bits (the fractional digits of square roots of primes).
const (
	hashK0 = 0x6a09e667f3bcc909
	hashK1 = 0xbb67ae8584caa73b
	hashK2 = 0x3c6ef372fe94f82b
	hashK3 = 0xa54ff53a5f1d36f1
)

// mix folds the 128-bit product of its arguments.
func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

// HashBytes returns a fast 64-bit hash of b, the same on every machine and in every run. It is for tables in memory;
// it does not resist somebody who searches for collisions: see HashBytesSeed.
func HashBytes(b []byte) uint64 { return HashBytesSeed(0, b) }

// HashBytesSeed is HashBytes with a seed, which one who wants collisions has to know.
func HashBytesSeed(seed uint64, b []byte) uint64 {
	le := binary.LittleEndian
	h := seed ^ hashK0
	n := uint64(len(b))
	for len(b) > 32 {
		h = mix(le.Uint64(b)^hashK1, le.Uint64(b[8:])^h) ^ mix(le.Uint64(b[16:])^hashK2, le.Uint64(b[24:])^bits.RotateLeft64(h, 32))
		b = b[32:]
	}
	if len(b) > 16 {
		h = mix(le.Uint64(b)^hashK1, le.Uint64(b[8:])^h)
		b = b[16:]
	}
	var x, y uint64
	switch {
	case len(b) >= 8:
		x, y = le.Uint64(b), le.Uint64(b[len(b)-8:])
	case len(b) >= 4:
		x, y = uint64(le.Uint32(b)), uint64(le.Uint32(b[len(b)-4:]))
	case len(b) > 0:
		x = uint64(b[0])<<16 | uint64(b[len(b)/2])<<8 | uint64(b[len(b)-1])
	}
	return mix(hashK3^n, mix(x^hashK2, y^h))
}
