//go:build !wasip1

package sats

import (
	"encoding/binary"
	"math/big"
)

// The conversions to math/big stay out of modules compiled to WebAssembly, which they would make larger.

// Big returns u as a big integer.
func (u U256) Big() *big.Int {
	var b [32]byte
	for k, limb := range u {
		binary.BigEndian.PutUint64(b[24-8*k:], limb)
	}
	return new(big.Int).SetBytes(b[:])
}

// Big returns i as a big integer.
func (i I256) Big() *big.Int {
	n := i.abs().Big()
	if i.IsNeg() {
		n.Neg(n)
	}
	return n
}

// Big returns u as a big integer.
func (u U128) Big() *big.Int { return u.wide().Big() }

// Big returns i as a big integer.
func (i I128) Big() *big.Int { return i.wide().Big() }

// U256FromBig returns n as a U256 and whether it fits.
func U256FromBig(n *big.Int) (u U256, ok bool) {
	if n.Sign() < 0 || n.BitLen() > 256 {
		return U256{}, false
	}
	var b [32]byte
	n.FillBytes(b[:])
	for k := range u {
		u[k] = binary.BigEndian.Uint64(b[24-8*k:])
	}
	return u, true
}

// I256FromBig returns n as an I256 and whether it fits.
func I256FromBig(n *big.Int) (I256, bool) {
	u, ok := U256FromBig(new(big.Int).Abs(n))
	if !ok {
		return I256{}, false
	}
	i, err := u.signed(n.Sign() < 0)
	return i, err == nil
}

// U128FromBig returns n as a U128 and whether it fits.
func U128FromBig(n *big.Int) (U128, bool) {
	u, ok := U256FromBig(n)
	return U128{Lo: u[0], Hi: u[1]}, ok && u[2]|u[3] == 0
}

// I128FromBig returns n as an I128 and whether it fits.
func I128FromBig(n *big.Int) (I128, bool) {
	w, ok := I256FromBig(n)
	i := I128{Lo: w[0], Hi: int64(w[1])}
	return i, ok && i.wide() == w
}
