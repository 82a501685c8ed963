package sats_test

import (
	"encoding/json"
	"testing"

	"github.com/stdbgo/spacetime/internal/spec"
	. "github.com/stdbgo/spacetime/sats"
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
