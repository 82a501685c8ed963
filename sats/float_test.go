package sats_test

import (
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	. "github.com/stdbgo/spacetime/sats"
)

// floatByRules lays the shortest digits out as spec 01 §4.8 says, step by step.
func floatByRules(f float64, bits int) string {
	lo, hi := -5, 16
	if bits == 32 {
		lo, hi = -6, 13
	}
	sign := ""
	if math.Signbit(f) {
		sign, f = "-", -f
	}
	if f == 0 {
		return sign + "0.0"
	}
	digits, exp, _ := strings.Cut(strconv.FormatFloat(f, 'e', -1, bits), "e")
	digits = strings.Replace(digits, ".", "", 1)
	e, _ := strconv.Atoi(exp)
	n, kk := len(digits), e+1
	switch {
	case n <= kk && kk <= hi:
		return sign + digits + strings.Repeat("0", kk-n) + ".0"
	case 0 < kk && kk <= hi:
		return sign + digits[:kk] + "." + digits[kk:]
	case lo < kk && kk <= 0:
		return sign + "0." + strings.Repeat("0", -kk) + digits
	case n == 1:
		return sign + digits + "e" + strconv.Itoa(kk-1)
	}
	return sign + digits[:1] + "." + digits[1:] + "e" + strconv.Itoa(kk-1)
}

func TestFloatsByRules(t *testing.T) {
	check := func(f float64) {
		if f-f != 0 {
			return
		}
		if got, want := string(AppendJSONFloat(nil, f, 64)), floatByRules(f, 64); got != want {
			t.Fatalf("%x: %s, want %s", math.Float64bits(f), got, want)
		}
		if g := float64(float32(f)); g-g == 0 {
			if got, want := string(AppendJSONFloat(nil, g, 32)), floatByRules(g, 32); got != want {
				t.Fatalf("32 bits of %x: %s, want %s", math.Float64bits(f), got, want)
			}
		}
	}
	// Around all powers of two and ten, and halves: the ends of the intervals and of the ranges.
	for e := -1074; e < 1024; e++ {
		f := math.Ldexp(1, e)
		for _, g := range []float64{f, math.Nextafter(f, 0), math.Nextafter(f, 2*f), 1.5 * f, float64(math.Nextafter32(float32(f), 0)), float64(math.Nextafter32(float32(f), math.MaxFloat32))} {
			check(g)
			check(-g)
		}
	}
	for e := -323; e < 309; e++ {
		f, _ := strconv.ParseFloat("1e"+strconv.Itoa(e), 64)
		for _, g := range []float64{f, math.Nextafter(f, 0), math.Nextafter(f, math.MaxFloat64)} {
			check(g)
		}
	}
	rounds := 200_000
	if testing.Short() {
		rounds = 50_000
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range rounds {
		check(math.Float64frombits(r.Uint64()))
		check(float64(math.Float32frombits(r.Uint32())))
		check(r.Float64() * math.Pow10(r.IntN(21)-5))                       // all digits
		check(float64(r.Int64N(1e15)>>r.IntN(50)) / math.Pow10(r.IntN(17))) // decimals
		check(float64(float32(r.IntN(1<<24)>>r.IntN(24)) / float32(math.Pow10(r.IntN(9)))))
		check(float64(r.Int64()>>r.IntN(63)) / float64(uint64(1)<<r.IntN(64))) // few bits
	}
}
