package store

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// Entries are sorted by key, then by address, whichever bytes of the keys differ and however
// many are equal.
func TestSortEntries(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, n := range []int{0, 1, 2, fewEntries, fewEntries + 1, 5000} {
		for name, key := range map[string]func() uint64{
			"any":           r.Uint64,
			"small":         func() uint64 { return r.Uint64N(1000) },
			"three":         func() uint64 { return r.Uint64N(3) },
			"equal":         func() uint64 { return 7 },
			"upper":         func() uint64 { return r.Uint64() << 40 },
			"two far apart": func() uint64 { return r.Uint64N(2) << 63 },
		} {
			es := make([]entry, n)
			for i := range es {
				es[i] = entry{key(), rowPtr(r.Uint64N(1 << 30))}
			}
			want := slices.SortedFunc(slices.Values(es), compareEntry)
			parts := slices.Clone(es)
			if sortEntries(es); !slices.Equal(es, want) {
				t.Errorf("%d entries, %s keys, are not sorted", n, name)
			}
			const upper = 11
			partitionEntries(parts, upper)
			if n > fewEntries && !slices.IsSortedFunc(parts, func(a, b entry) int { return int(a.key>>(64-upper)) - int(b.key>>(64-upper)) }) {
				t.Errorf("%d entries, %s keys, are not in parts", n, name)
			}
			slices.SortFunc(parts, compareEntry)
			if !slices.Equal(parts, want) {
				t.Errorf("%d entries, %s keys: some are lost", n, name)
			}
		}
	}
}
