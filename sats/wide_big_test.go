//go:build !wasip1

package sats_test

import (
	"math/big"
	"strings"
	"testing"

	. "github.com/stdbgo/spacetime/sats"
	"pgregory.net/rapid"
)

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
