package sats_test

import (
	"slices"
	"testing"
	"time"
	"unsafe"

	. "github.com/stdbgo/spacetime/sats"
)

// A race runs two ways of doing the same n times, in turn in short rounds, so that whatever else the machine does
// meets both, and reports the median of the rounds' ratios, beside the medians of the times.
func race(b *testing.B, n int, hand, ours func()) {
	b.Helper()
	hand()
	ours()
	var hands, ourss, ratios []float64
	for b.Loop() {
		start := time.Now()
		hand()
		middle := time.Now()
		ours()
		h, o := float64(middle.Sub(start)), float64(time.Since(middle))
		hands, ourss, ratios = append(hands, h), append(ourss, o), append(ratios, o/h)
	}
	median := func(v []float64) float64 {
		slices.Sort(v)
		return v[len(v)/2]
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(hands)/float64(n), "hand-ns")
	b.ReportMetric(median(ourss)/float64(n), "ours-ns")
	b.ReportMetric(median(ratios), "ratio")
}

const laps = 16 // times through all rows in one round of a race

// A lap does something with row i, for the rows with numbers from 0 to benchRows-1. The loops are spelt out for each
// type of row below, so that the compiler sees in them what it sees in a program.
type ways struct{ hand, held, generic, decodeHand, decodeHeld, decodeGeneric func() }

func (w ways) race(b *testing.B) {
	many := func(lap func()) func() {
		return func() {
			for range laps {
				lap()
			}
		}
	}
	run := func(name string, hand, ours func()) {
		b.Run(name, func(b *testing.B) { race(b, laps*benchRows, many(hand), many(ours)) })
	}
	run("encode/held", w.hand, w.held)
	run("encode/generic", w.hand, w.generic)
	run("decode/held", w.decodeHand, w.decodeHeld)
	run("decode/generic", w.decodeHand, w.decodeGeneric)
}

// encoded returns the codec of the rows and their encodings, and checks the one written by hand.
func encoded[T any, P byHand[T]](b testing.TB, rows []T) (*Codec, [][]byte) {
	c, err := CodecOf[T]()
	if err != nil {
		b.Fatal(err)
	}
	encs := make([][]byte, len(rows))
	for i := range rows {
		encs[i] = Append(nil, &rows[i])
		var v T
		if rest, err := P(&v).decodeByHand(encs[i]); err != nil || len(rest) != 0 || string(P(&v).appendByHand(nil)) != string(encs[i]) {
			b.Fatalf("by hand: %+v of %+v, %v", v, rows[i], err)
		}
	}
	return c, encs
}

// byHand is a row with a codec written by hand.
type byHand[T any] interface {
	*T
	appendByHand(b []byte) []byte
	decodeByHand(b []byte) ([]byte, error)
}

var bad int // decodings that failed

func note(err error) {
	if err != nil {
		bad++
	}
}

func TestRowsByHand(t *testing.T) {
	encoded(t, narrowRows())
	encoded(t, pointRows())
	encoded(t, fixedRows())
	encoded(t, wideRows())
	encoded(t, textRows())
	encoded(t, listRows())
}

// BenchmarkStruct compares codecs with what is written by hand: "held" uses a *Codec as the tables of a module do,
// "generic" the functions Append and Decode.
func BenchmarkStruct(b *testing.B) {
	buf := make([]byte, 0, 4096)
	b.Run("narrow", func(b *testing.B) {
		rows, v := narrowRows(), narrowRow{}
		c, encs := encoded(b, rows)
		ways{
			func() {
				for i := range rows {
					buf = rows[i].appendByHand(buf[:0])
				}
			},
			func() {
				for i := range rows {
					buf = c.Append(buf[:0], unsafe.Pointer(&rows[i]))
				}
			},
			func() {
				for i := range rows {
					buf = Append(buf[:0], &rows[i])
				}
			},
			func() {
				for _, enc := range encs {
					_, err := v.decodeByHand(enc)
					note(err)
				}
			},
			func() {
				for _, enc := range encs {
					_, err := c.Decode(enc, unsafe.Pointer(&v))
					note(err)
				}
			},
			func() {
				for _, enc := range encs {
					_, err := Decode(enc, &v)
					note(err)
				}
			},
		}.race(b)
	})
	b.Run("equal", func(b *testing.B) {
		rows, v := pointRows(), pointRow{}
		c, encs := encoded(b, rows)
		ways{
			func() {
				for i := range rows {
					buf = rows[i].appendByHand(buf[:0])
				}
			},
			func() {
				for i := range rows {
					buf = c.Append(buf[:0], unsafe.Pointer(&rows[i]))
				}
			},
			func() {
				for i := range rows {
					buf = Append(buf[:0], &rows[i])
				}
			},
			func() {
				for _, enc := range encs {
					_, err := v.decodeByHand(enc)
					note(err)
				}
			},
			func() {
				for _, enc := range encs {
					_, err := c.Decode(enc, unsafe.Pointer(&v))
					note(err)
				}
			},
			func() {
				for _, enc := range encs {
					_, err := Decode(enc, &v)
					note(err)
				}
			},
		}.race(b)
	})
	b.Run("identity", func(b *testing.B) {
		rows, v := fixedRows(), fixedRow{}
		c, encs := encoded(b, rows)
		ways{
			func() {
				for i := range rows {
					buf = rows[i].appendByHand(buf[:0])
				}
			},
			func() {
				for i := range rows {
					buf = c.Append(buf[:0], unsafe.Pointer(&rows[i]))
				}
			},
			func() {
				for i := range rows {
					buf = Append(buf[:0], &rows[i])
				}
			},
			func() {
				for _, enc := range encs {
					_, err := v.decodeByHand(enc)
					note(err)
				}
			},
			func() {
				for _, enc := range encs {
					_, err := c.Decode(enc, unsafe.Pointer(&v))
					note(err)
				}
			},
			func() {
				for _, enc := range encs {
					_, err := Decode(enc, &v)
					note(err)
				}
			},
		}.race(b)
	})
	b.Run("wide", func(b *testing.B) {
		rows, v := wideRows(), wideRow{}
		c, encs := encoded(b, rows)
		ways{
			func() {
				for i := range rows {
					buf = rows[i].appendByHand(buf[:0])
				}
			},
			func() {
				for i := range rows {
					buf = c.Append(buf[:0], unsafe.Pointer(&rows[i]))
				}
			},
			func() {
				for i := range rows {
					buf = Append(buf[:0], &rows[i])
				}
			},
			func() {
				for _, enc := range encs {
					_, err := v.decodeByHand(enc)
					note(err)
				}
			},
			func() {
				for _, enc := range encs {
					_, err := c.Decode(enc, unsafe.Pointer(&v))
					note(err)
				}
			},
			func() {
				for _, enc := range encs {
					_, err := Decode(enc, &v)
					note(err)
				}
			},
		}.race(b)
	})
	b.Run("strings", func(b *testing.B) {
		rows, v := textRows(), textRow{}
		c, encs := encoded(b, rows)
		ways{
			func() {
				for i := range rows {
					buf = rows[i].appendByHand(buf[:0])
				}
			},
			func() {
				for i := range rows {
					buf = c.Append(buf[:0], unsafe.Pointer(&rows[i]))
				}
			},
			func() {
				for i := range rows {
					buf = Append(buf[:0], &rows[i])
				}
			},
			func() {
				for _, enc := range encs {
					_, err := v.decodeByHand(enc)
					note(err)
				}
			},
			func() {
				for _, enc := range encs {
					_, err := c.Decode(enc, unsafe.Pointer(&v))
					note(err)
				}
			},
			func() {
				for _, enc := range encs {
					_, err := Decode(enc, &v)
					note(err)
				}
			},
		}.race(b)
	})
	b.Run("lists", func(b *testing.B) {
		rows, v := listRows(), listRow{}
		c, encs := encoded(b, rows)
		ways{
			func() {
				for i := range rows {
					buf = rows[i].appendByHand(buf[:0])
				}
			},
			func() {
				for i := range rows {
					buf = c.Append(buf[:0], unsafe.Pointer(&rows[i]))
				}
			},
			func() {
				for i := range rows {
					buf = Append(buf[:0], &rows[i])
				}
			},
			func() {
				for _, enc := range encs {
					_, err := v.decodeByHand(enc)
					note(err)
				}
			},
			func() {
				for _, enc := range encs {
					_, err := c.Decode(enc, unsafe.Pointer(&v))
					note(err)
				}
			},
			func() {
				for _, enc := range encs {
					_, err := Decode(enc, &v)
					note(err)
				}
			},
		}.race(b)
	})
}
