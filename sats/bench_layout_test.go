package sats_test

import (
	"bytes"
	"cmp"
	"hash/maphash"
	"math"
	"testing"

	. "github.com/stdbgo/spacetime/sats"
)

// The functions compare… order encoded rows by their columns as a person would write it for the one type.

//go:noinline
func compareNarrow(a, b []byte) int {
	if c := cmp.Compare(le.Uint64(a), le.Uint64(b)); c != 0 {
		return c
	}
	if c := int(a[8]) - int(b[8]); c != 0 {
		return c
	}
	if c := cmp.Compare(int32(le.Uint32(a[9:])), int32(le.Uint32(b[9:]))); c != 0 {
		return c
	}
	return cmp.Compare(le.Uint16(a[13:]), le.Uint16(b[13:]))
}

func orderedBits(bits uint32) float32 { return math.Float32frombits(bits) }

//go:noinline
func compareFixed(a, b []byte) int {
	if c := cmp.Compare(le.Uint64(a), le.Uint64(b)); c != 0 {
		return c
	}
	if c := int(a[8]) - int(b[8]); c != 0 {
		return c
	}
	if c := cmp.Compare(orderedBits(le.Uint32(a[9:])), orderedBits(le.Uint32(b[9:]))); c != 0 {
		return c
	}
	if c := cmp.Compare(orderedBits(le.Uint32(a[13:])), orderedBits(le.Uint32(b[13:]))); c != 0 {
		return c
	}
	if c := compareDown(a[17:49], b[17:49]); c != 0 {
		return c
	}
	if c := cmp.Compare(int64(le.Uint64(a[49:])), int64(le.Uint64(b[49:]))); c != 0 {
		return c
	}
	if c := int(a[57]) - int(b[57]); c != 0 {
		return c
	}
	return cmp.Compare(int16(le.Uint16(a[58:])), int16(le.Uint16(b[58:])))
}

//go:noinline
func compareWide(a, b []byte) int {
	if c := cmp.Compare(le.Uint64(a), le.Uint64(b)); c != 0 {
		return c
	}
	if c := int(a[8]) - int(b[8]); c != 0 {
		return c
	}
	if c := cmp.Compare(le.Uint16(a[9:]), le.Uint16(b[9:])); c != 0 {
		return c
	}
	if c := int(a[11]) - int(b[11]); c != 0 {
		return c
	}
	for _, at := range []int{12, 16} {
		if c := cmp.Compare(int32(le.Uint32(a[at:])), int32(le.Uint32(b[at:]))); c != 0 {
			return c
		}
	}
	for _, at := range []int{20, 24, 28} {
		if c := cmp.Compare(orderedBits(le.Uint32(a[at:])), orderedBits(le.Uint32(b[at:]))); c != 0 {
			return c
		}
	}
	if c := int(a[32]) - int(b[32]); c != 0 {
		return c
	}
	if c := cmp.Compare(math.Float64frombits(le.Uint64(a[33:])), math.Float64frombits(le.Uint64(b[33:]))); c != 0 {
		return c
	}
	if c := compareDown(a[41:73], b[41:73]); c != 0 {
		return c
	}
	for _, at := range []int{73, 74} {
		if c := int(a[at]) - int(b[at]); c != 0 {
			return c
		}
	}
	if c := cmp.Compare(int16(le.Uint16(a[75:])), int16(le.Uint16(b[75:]))); c != 0 {
		return c
	}
	if c := compareDown(a[77:93], b[77:93]); c != 0 {
		return c
	}
	if c := cmp.Compare(int64(le.Uint64(a[93:])), int64(le.Uint64(b[93:]))); c != 0 {
		return c
	}
	if c := int(a[101]) - int(b[101]); c != 0 {
		return c
	}
	if c := cmp.Compare(int64(le.Uint64(a[102:])), int64(le.Uint64(b[102:]))); c != 0 {
		return c
	}
	if c := cmp.Compare(le.Uint32(a[110:]), le.Uint32(b[110:])); c != 0 {
		return c
	}
	if c := int(a[114]) - int(b[114]); c != 0 {
		return c
	}
	if c := cmp.Compare(int64(le.Uint64(a[115:])), int64(le.Uint64(b[115:]))); c != 0 {
		return c
	}
	return cmp.Compare(le.Uint16(a[123:]), le.Uint16(b[123:]))
}

// compareDown orders numbers of many bytes.
func compareDown(a, b []byte) int {
	for i := len(a) - 1; i >= 0; i-- {
		if a[i] != b[i] {
			return int(a[i]) - int(b[i])
		}
	}
	return 0
}

//go:noinline
func compareText(a, b []byte) int {
	if c := cmp.Compare(le.Uint64(a), le.Uint64(b)); c != 0 {
		return c
	}
	a, b = a[8:], b[8:]
	text := func() int {
		n, m := 4+le.Uint32(a), 4+le.Uint32(b)
		c := bytes.Compare(a[4:n], b[4:m])
		a, b = a[n:], b[m:]
		return c
	}
	for range 2 {
		if c := text(); c != 0 {
			return c
		}
	}
	if c := int(a[0]) - int(b[0]); c != 0 {
		return c
	}
	a, b = a[1:], b[1:]
	for range 2 {
		if c := text(); c != 0 {
			return c
		}
	}
	if c := int(a[0]) - int(b[0]); c != 0 {
		return c
	}
	return cmp.Compare(int64(le.Uint64(a[1:])), int64(le.Uint64(b[1:])))
}

// BenchmarkLayoutRows compares what is done to stored rows without decoding them: "compare" orders rows that are equal,
// so that every column is looked at, against a comparison written for the type; "hash" is HashBytes against the
// machine's own hash in package hash/maphash.
func BenchmarkLayoutRows(b *testing.B) {
	_, narrow := encoded(b, narrowRows())
	_, fixed := encoded(b, fixedRows())
	_, wide := encoded(b, wideRows())
	_, text := encoded(b, textRows())
	b.Run("narrow", func(b *testing.B) { benchLayout[narrowRow](b, narrow, compareNarrow) })
	b.Run("identity", func(b *testing.B) { benchLayout[fixedRow](b, fixed, compareFixed) })
	b.Run("wide", func(b *testing.B) { benchLayout[wideRow](b, wide, compareWide) })
	b.Run("strings", func(b *testing.B) { benchLayout[textRow](b, text, compareText) })
}

func benchLayout[T any](b *testing.B, encs [][]byte, hand func(a, b []byte) int) {
	typ, err := TypeOf[T]()
	if err != nil {
		b.Fatal(err)
	}
	l, err := NewLayout(typ)
	if err != nil {
		b.Fatal(err)
	}
	twins := make([][]byte, len(encs))
	for i, enc := range encs {
		twins[i] = bytes.Clone(enc)
		next := encs[(i+1)%len(encs)]
		if c, h := l.CompareRows(enc, next), hand(enc, next); (c < 0) != (h < 0) || (c > 0) != (h > 0) {
			b.Fatalf("%x and %x: %d, by hand %d", enc, next, c, h)
		}
	}
	sum := 0
	b.Run("compare", func(b *testing.B) {
		race(b, laps*benchRows, func() {
			for range laps {
				for i, enc := range encs {
					sum += hand(enc, twins[i])
				}
			}
		}, func() {
			for range laps {
				for i, enc := range encs {
					sum += l.CompareRows(enc, twins[i])
				}
			}
		})
	})
	seed, mixed := maphash.MakeSeed(), uint64(0)
	b.Run("hash", func(b *testing.B) {
		race(b, laps*benchRows, func() {
			for range laps {
				for _, enc := range encs {
					mixed ^= maphash.Bytes(seed, enc)
				}
			}
		}, func() {
			for range laps {
				for _, enc := range encs {
					mixed ^= HashBytes(enc)
				}
			}
		})
	})
	if sum != 0 {
		b.Fatal("equal rows differ")
	}
}

// BenchmarkLayout times what indexes do to stored rows.
func BenchmarkLayout(b *testing.B) {
	typ, err := TypeOf[textRow]()
	if err != nil {
		b.Fatal(err)
	}
	l, err := NewLayout(typ)
	if err != nil {
		b.Fatal(err)
	}
	_, encs := encoded(b, textRows())
	row := encs[5]
	key := NewKeyEncoder([]*Type{U64, String})
	buf := make([]byte, 0, 256)
	b.Run("validate", func(b *testing.B) {
		for b.Loop() {
			if _, err := l.Validate(row); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("column/first", func(b *testing.B) {
		for b.Loop() {
			l.Col(row, 0)
		}
	})
	b.Run("column/last", func(b *testing.B) {
		for b.Loop() {
			l.Col(row, 7)
		}
	})
	b.Run("key", func(b *testing.B) {
		for b.Loop() {
			buf = key.AppendRow(buf[:0], l, row, []int{0, 1})
		}
	})
}
