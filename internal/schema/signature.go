package schema

import (
	"golang.org/x/crypto/sha3"

	"github.com/stdbgo/spacetime/sats"
)

// signatureDomain begins what a signature hash is computed of.
const signatureDomain = "spacetimedb:idc:reducer-signature:v1\x00"

// SignatureHash is the hash by which an outbox and the reducer that it calls find
// out whether they mean the same parameters (spec 08 §38.5).
func (d *ReducerDef) SignatureHash() (h sats.Hash) {
	b := sats.AppendReachable([]byte(signatureDomain), d.Typespace, d.ParamCols, orUnit(d.ok), orString(d.err))
	k := sha3.NewLegacyKeccak256()
	k.Write(b)
	k.Sum(h[:0])
	return h
}

func orString(t *sats.Type) *sats.Type {
	if t == nil {
		return sats.String
	}
	return t
}
