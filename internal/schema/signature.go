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
	reached := reachable{of: d.Typespace, numbers: map[uint32]uint32{}}
	b := []byte(signatureDomain)
	for _, t := range []*sats.Type{d.ParamCols, orUnit(d.ok), orString(d.err)} {
		b = sats.AppendType(b, reached.renumber(t))
	}
	b = sats.AppendU32(b, uint32(len(reached.entries)))
	for _, t := range reached.entries {
		b = sats.AppendType(b, t)
	}
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

// reachable are the entries of a typespace that some types refer to, in the order
// of first use.
type reachable struct {
	of      *sats.Typespace
	numbers map[uint32]uint32 // by the number in of
	entries []*sats.Type
}

// renumber returns a copy of t whose references are those to r.entries.
func (r *reachable) renumber(t *sats.Type) *sats.Type {
	c := *t
	switch t.Kind {
	case sats.KindRef:
		n, known := r.numbers[t.Ref]
		if !known {
			n = uint32(len(r.entries))
			r.numbers[t.Ref] = n
			r.entries = append(r.entries, sats.Unit) // its place, before its own content takes one
			if entry, err := r.of.Get(t.Ref); err == nil {
				r.entries[n] = r.renumber(entry)
			}
		}
		c.Ref = n
	case sats.KindArray:
		c.Elem = r.renumber(t.Elem)
	case sats.KindProduct, sats.KindSum:
		c.Elems = make([]sats.Element, len(t.Elems))
		for i, e := range t.Elems {
			e.Type = r.renumber(e.Type)
			c.Elems[i] = e
		}
	}
	return &c
}
