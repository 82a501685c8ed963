package sats_test

import (
	"encoding/json"
	"math/big"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/spec"
	. "github.com/stdbgo/spacetime/sats"
	"pgregory.net/rapid"
)

// identityFile has the parts of identity.json that are about texts; derivation and
// claims are tested where identities are derived, in internal/auth.
type identityFile struct {
	vectorHead
	Derivation json.RawMessage `json:"derivation"`
	Claims     json.RawMessage `json:"claims"`
	HexParse   []struct {
		Note    string `json:"note"`
		Kind    string `json:"kind"`
		Input   string `json:"input"`
		OK      bool   `json:"ok"`
		BSATN   string `json:"bsatn"`
		Display string `json:"display"`
	} `json:"hex_parse"`
	ConnectionID []struct {
		Hex     string `json:"hex"`
		Decimal string `json:"decimal"`
		BSATN   string `json:"bsatn"`
		JSON    string `json:"sats_json_named"`
	} `json:"connection_id"`
	Hash []struct {
		Input   string `json:"input_hex"`
		Display string `json:"display_hex"`
		BSATN   string `json:"bsatn"`
		JSON    string `json:"sats_json"`
	} `json:"hash_keccak256"`
}

func TestHexParse(t *testing.T) {
	spec.Covers(t, "01.43", "01.44")
	var f identityFile
	load(t, "identity.json", &f)
	for _, v := range f.HexParse {
		var bsatn []byte
		var text string
		var err error
		switch v.Kind {
		case "identity":
			var id Identity
			id, err = IdentityFromHexPrefixed(v.Input)
			bsatn, text = id.AppendBSATN(nil), id.String()
		case "identity_serde":
			var id Identity
			err = id.UnmarshalText([]byte(v.Input))
			bsatn, text = id.AppendBSATN(nil), id.String()
		case "connection_id":
			var id ConnectionID
			id, err = ConnectionIDFromHexPrefixed(v.Input)
			bsatn, text = id.AppendBSATN(nil), id.String()
		case "connection_id_url":
			var id ConnectionID
			id, err = ParseConnectionID(v.Input)
			bsatn, text = id.AppendBSATN(nil), id.String()
		default:
			t.Fatalf("unknown kind %s", v.Kind)
		}
		if (err == nil) != v.OK {
			t.Errorf("%s %q: %v", v.Kind, v.Input, err)
		}
		if v.OK && (string(bsatn) != string(unhex(t, v.BSATN)) || text != v.Display) {
			t.Errorf("%s %q: %x, %s", v.Kind, v.Input, bsatn, text)
		}
	}
	for _, v := range f.ConnectionID {
		id, err := ParseConnectionID(v.Hex)
		if err != nil || string(id[:]) != string(unhex(t, v.BSATN)) || id.U128().String() != v.Decimal || ConnectionIDFromU128(id.U128()) != id {
			t.Errorf("%s: %x, %s, %v", v.Hex, id[:], id.U128(), err)
		}
		if got, _, err := AppendJSON(nil, nil, ConnectionIDType, id[:], FlavorNamed); err != nil || string(got) != v.JSON {
			t.Errorf("%s: %s, %v", v.Hex, got, err)
		}
	}
	for _, v := range f.Hash {
		h, err := ParseHash(v.Display)
		if err != nil || string(h[:]) != string(unhex(t, v.BSATN)) || h.String() != v.Display || `"`+h.JSON()+`"` != v.JSON {
			t.Errorf("%s: %s, %s, %v", v.Display, h, h.JSON(), err)
		}
		if got, _, err := AppendJSON(nil, nil, HashType, h[:], FlavorMessage); err != nil || string(got) != v.JSON {
			t.Errorf("%s: %s, %v", v.Display, got, err)
		}
	}
}

func TestIdentityNumber(t *testing.T) {
	id := Identity{31: 0xc2, 0: 7}
	if IdentityFromU256(id.U256()) != id || id.Cmp(Identity{30: 0xff}) <= 0 || id.Abbreviated() != "c200000000000000" {
		t.Errorf("%s", id)
	}
	var back Identity
	r := NewReader(id.AppendBSATN(nil))
	if back.ReadBSATN(r); back != id || r.End() != nil {
		t.Errorf("%s becomes %s", id, back)
	}
}

func TestWideIntegers(t *testing.T) {
	limb := rapid.OneOf(rapid.Uint64(), rapid.SampledFrom([]uint64{0, 1, 1<<63 - 1, 1 << 63, 1<<64 - 1, 10000000000000000000}))
	rapid.Check(t, func(t *rapid.T) {
		draw := func() U256 {
			return U256{limb.Draw(t, "0"), limb.Draw(t, "1"), limb.Draw(t, "2"), limb.Draw(t, "3")}
		}
		u, v := draw(), draw()
		if u.Big().Cmp(v.Big()) != u.Cmp(v) || I256(u).Big().Cmp(I256(v).Big()) != I256(u).Cmp(I256(v)) {
			t.Fatalf("order of %s and %s", u, v)
		}
		if u.String() != u.Big().String() || I256(u).String() != I256(u).Big().String() {
			t.Fatalf("%s is %s, %s is %s", u.Big(), u, I256(u).Big(), I256(u))
		}
		if back, err := ParseU256(u.String()); err != nil || back != u {
			t.Fatalf("%s becomes %s, %v", u, back, err)
		}
		if back, err := ParseI256(I256(u).String()); err != nil || back != I256(u) {
			t.Fatalf("%s becomes %s, %v", I256(u), back, err)
		}
		if back, ok := U256FromBig(u.Big()); !ok || back != u {
			t.Fatalf("%s becomes %s", u, back)
		}
		if back, ok := I256FromBig(I256(u).Big()); !ok || back != I256(u) {
			t.Fatalf("%s becomes %s", u, back)
		}
		a, b := U128{u[0], u[1]}, U128{v[0], v[1]}
		i, k := I128{u[0], int64(u[1])}, I128{v[0], int64(v[1])}
		if a.Big().Cmp(b.Big()) != a.Cmp(b) || i.Big().Cmp(k.Big()) != i.Cmp(k) || a.String() != a.Big().String() || i.String() != i.Big().String() {
			t.Fatalf("%s, %s, %s, %s", a, b, i, k)
		}
		pa, err1 := ParseU128(a.String())
		pi, err2 := ParseI128(i.String())
		if err1 != nil || err2 != nil || pa != a || pi != i {
			t.Fatalf("%s and %s become %s and %s", a, i, pa, pi)
		}
		ba, ok1 := U128FromBig(a.Big())
		bi, ok2 := I128FromBig(i.Big())
		if !ok1 || !ok2 || ba != a || bi != i {
			t.Fatalf("%s and %s become %s and %s", a, i, ba, bi)
		}
	})
	one := big.NewInt(1)
	for bits, parse := range map[uint]func(string) error{
		128: func(s string) error { _, err := ParseU128(s); return err },
		127: func(s string) error { _, err := ParseI128(s); return err },
		256: func(s string) error { _, err := ParseU256(s); return err },
		255: func(s string) error { _, err := ParseI256(s); return err },
	} {
		limit := new(big.Int).Lsh(one, bits)
		if parse(limit.String()) == nil || parse(new(big.Int).Sub(limit, one).String()) != nil {
			t.Errorf("limit at %d bits", bits)
		}
		neg := new(big.Int).Neg(limit)
		if (parse(neg.String()) == nil) != (bits%2 == 1) || parse(neg.Sub(neg, one).String()) == nil {
			t.Errorf("negative limit at %d bits", bits)
		}
		for _, bad := range []string{"", "-", "1x", "+1", " 1", "1_0", strings.Repeat("9", 100)} {
			if parse(bad) == nil {
				t.Errorf("%q is accepted for %d bits", bad, bits)
			}
		}
	}
	if U128From(7).String() != "7" || I128From(-7).String() != "-7" || U256From(7).String() != "7" || I256From(-7).String() != "-7" {
		t.Error("conversions from 64 bits")
	}
	if _, ok := U128FromBig(new(big.Int).Lsh(one, 128)); ok {
		t.Error("2^128 fits a U128")
	}
	if _, ok := I128FromBig(new(big.Int).Lsh(one, 127)); ok {
		t.Error("2^127 fits an I128")
	}
}
