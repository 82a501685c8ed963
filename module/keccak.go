package module

import (
	"encoding/binary"
	"math/bits"
)

// keccak256 is the hash function Keccak with 256 bits and the padding from before the standard, which the standard
// library does not have.
func keccak256(message []byte) (sum [32]byte) {
	const rate = 136
	var s [25]uint64
	absorb := func(block []byte) {
		for i := range rate / 8 {
			s[i] ^= binary.LittleEndian.Uint64(block[8*i:])
		}
		permute(&s)
	}
	for len(message) >= rate {
		absorb(message[:rate])
		message = message[rate:]
	}
	var last [rate]byte
	copy(last[:], message)
	last[len(message)] ^= 1
	last[rate-1] ^= 0x80
	absorb(last[:])
	for i := range 4 {
		binary.LittleEndian.PutUint64(sum[8*i:], s[i])
	}
	return sum
}

// permute is Keccak-f[1600] on lanes in the order of x + 5y.
func permute(s *[25]uint64) {
	lfsr := uint8(1)
	for range 24 {
		var c [5]uint64 // theta
		for x := range 5 {
			c[x] = s[x] ^ s[x+5] ^ s[x+10] ^ s[x+15] ^ s[x+20]
		}
		for i := range 25 {
			s[i] ^= c[(i+4)%5] ^ bits.RotateLeft64(c[(i+1)%5], 1)
		}
		x, y, lane := 1, 0, s[1] // rho and pi
		for t := range 24 {
			x, y = y, (2*x+3*y)%5
			lane, s[x+5*y] = s[x+5*y], bits.RotateLeft64(lane, (t+1)*(t+2)/2)
		}
		for y := 0; y < 25; y += 5 { // chi
			row := [5]uint64(s[y : y+5])
			for x := range 5 {
				s[y+x] = row[x] ^ ^row[(x+1)%5]&row[(x+2)%5]
			}
		}
		for j := range 7 { // iota: a bit at each place 2^j - 1, from a shift register
			if lfsr&1 != 0 {
				s[0] ^= 1 << (1<<j - 1)
			}
			lfsr = lfsr<<1 ^ lfsr>>7*0x71
		}
	}
}
