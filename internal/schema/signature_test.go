package schema

import (
	"encoding/hex"
	"os"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/sats"
)

// The vectors are what the published crate spacetimedb-schema 2.14.0 computes of the
// same definitions: each line is a module definition, then name=hash per reducer.
// The second and third differ in an unrelated type only, the first and second in the
// canonical names of parameters and columns.
func TestSignatureHash(t *testing.T) {
	spec.Covers(t, "06.66")
	text, err := os.ReadFile("testdata/signatures.txt")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		b, err := hex.DecodeString(fields[0])
		if err != nil {
			t.Fatal(err)
		}
		raw, err := DecodeRaw(b)
		if err != nil {
			t.Fatal(err)
		}
		def, err := Validate(raw)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range fields[1:] {
			name, hash, _ := strings.Cut(want, "=")
			r, ok := def.Reducer(name)
			if !ok {
				t.Fatalf("no reducer %s", name)
			}
			if got := r.SignatureHash().String(); got != hash {
				t.Errorf("%s: hash %s; want %s", name, got, hash)
			}
			n++
		}
	}
	if n != 9 {
		t.Errorf("%d hashes were compared; want 9", n)
	}
}

// A recursive type ends, and a parameter's type counts although its name stays.
func TestSignatureHashDistinguishes(t *testing.T) {
	ts := &sats.Typespace{}
	ts.Types = []*sats.Type{sats.Product(sats.E("next", sats.Option(sats.Ref(0))))}
	of := func(params ...sats.Element) sats.Hash {
		p := sats.Product(params...)
		return (&ReducerDef{Typespace: ts, Params: p, ParamCols: p}).SignatureHash()
	}
	seen := map[sats.Hash]int{}
	for i, h := range []sats.Hash{
		of(), of(sats.E("a", sats.U8)), of(sats.E("b", sats.U8)), of(sats.E("a", sats.U16)), of(sats.E("a", sats.Ref(0))),
		of(sats.E("a", sats.U8), sats.E("b", sats.U8)),
	} {
		if j, taken := seen[h]; taken {
			t.Errorf("signatures %d and %d have one hash", j, i)
		}
		seen[h] = i
	}
}
