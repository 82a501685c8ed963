package auth

import (
	"github.com/zeebo/blake3"
	"golang.org/x/crypto/sha3"

	"github.com/stdbgo/spacetime/sats"
)

// hashLen is how many bytes of the BLAKE3 digest an identity keeps.
const hashLen = 26

// IdentityFromClaims derives the identity of a user from the issuer and subject
// of a token (spec 06 §3.1, spec 01 §7.1). Both are used byte for byte: a
// trailing slash in the issuer gives another identity.
func IdentityFromClaims(issuer, subject string) sats.Identity {
	h := blake3.New()
	_, _ = h.WriteString(issuer)
	_, _ = h.WriteString("|")
	_, _ = h.WriteString(subject)
	digest := h.Sum(nil)

	// The identity as a big-endian number: two marker bytes, a checksum over
	// marker and hash, the hash.
	var big [32]byte
	big[0], big[1] = 0xC2, 0x00
	copy(big[6:], digest[:hashLen])

	var sum [2 + hashLen]byte
	sum[0], sum[1] = big[0], big[1]
	copy(sum[2:], digest[:hashLen])
	check := blake3.Sum256(sum[:])
	copy(big[2:6], check[:4])

	var id sats.Identity // little-endian
	for i, b := range big {
		id[len(id)-1-i] = b
	}
	return id
}

// HashProgram is the Keccak-256 digest by which programs and migration tokens
// are known (spec 06 §4.12).
func HashProgram(program []byte) sats.Hash {
	h := sha3.NewLegacyKeccak256()
	_, _ = h.Write(program)
	var out sats.Hash
	h.Sum(out[:0])
	return out
}
