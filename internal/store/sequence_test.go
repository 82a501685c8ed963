package store

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/sats"
)

func testSequence(minimum, maximum, inc, start int64) *sequence {
	def := &schema.Sequence{
		Name: "q", Start: sats.I128From(start), Min: sats.I128From(minimum), Max: sats.I128From(maximum), Increment: sats.I128From(inc),
	}
	return newSequence(def, tableDef("t", col("n", sats.I64)), def.Start)
}

// The law of spec 08 §35.2: value i is ((start + i·inc − min) mod range) + min.
func TestSequenceLaw(t *testing.T) {
	for _, p := range [][4]int64{{1, 10, 1, 1}, {1, 100, 3, 1}, {1, 100, 3, 10}, {-100, -1, 3, -50}, {1, 10, -1, 1}} {
		t.Run(fmt.Sprint(p), func(t *testing.T) {
			minimum, maximum, inc, start := p[0], p[1], p[2], p[3]
			size := maximum - minimum + 1
			q := testSequence(minimum, maximum, inc, start)
			for i := range int64(100) {
				want := ((start+i*inc-minimum)%size+size)%size + minimum
				if got := q.take(10); got != sats.I128From(want) {
					t.Fatalf("value %d is %v, want %d", i, got, want)
				}
			}
		})
	}
}

func TestSequenceBatches(t *testing.T) {
	q := testSequence(1, 1<<40, 1, 1)
	for i := range int64(40) {
		if got := q.take(40); got != sats.I128From(i+1) {
			t.Fatalf("value %d is %v", i, got)
		}
		if q.pos.allocated != sats.I128From(41) {
			t.Fatalf("allocated is %v, want 41", q.pos.allocated)
		}
	}
	if q.take(1); q.pos.allocated != sats.I128From(42) {
		t.Errorf("allocated is %v, want 42", q.pos.allocated)
	}
}

func TestSequenceEndsOfI128(t *testing.T) {
	top := sats.I128{Lo: 1<<64 - 1, Hi: 1<<63 - 1}
	q := testSequence(1, 1, 1, 1)
	q.def.Max = top
	q.pos.value, q.pos.allocated = top, top
	for _, want := range []sats.I128{top, sats.I128From(1), sats.I128From(2)} {
		if got := q.take(5); got != want {
			t.Errorf("value is %v, want %v", got, want)
		}
	}
}

func TestLoadedPosition(t *testing.T) {
	for _, c := range []struct{ allocated, want int64 }{{7, 7}, {0, 3}} {
		q := testSequence(1, 10, 1, 3)
		if got, err := loadedPosition(q.def, sats.I128From(c.allocated)); err != nil || got != sats.I128From(c.want) {
			t.Errorf("loadedPosition(%d) = %v, %v, want %d", c.allocated, got, err, c.want)
		}
	}
	if _, err := loadedPosition(testSequence(1, 10, 1, 3).def, sats.I128From(100)); err == nil {
		t.Error("a position out of range is accepted")
	}
}

// Zero means generate in columns of any width; negative values are stored as given,
// and the value given is cut to the column's width.
func TestGeneratedWidths(t *testing.T) {
	for _, typ := range []*sats.Type{
		sats.I8, sats.U8, sats.I16, sats.U16, sats.I32, sats.U32, sats.I64, sats.U64,
		sats.I128Type, sats.U128Type, sats.I256Type, sats.U256Type,
	} {
		s := New(Options{})
		d := withSequence(tableDef("t", col("n", typ)), 0)
		d.Sequences[0].Start, d.Sequences[0].Min, d.Sequences[0].Increment = sats.I128From(-1), sats.I128From(-5), sats.I128From(-1)
		def := create(t, s, d)
		size, _ := typ.FixedSize()
		tx := s.Begin()
		got := mustInsert(t, tx, def.ID, make([]byte, size))
		if len(got) != size {
			t.Fatalf("%v: generated %x, want %d bytes", typ, got, size)
		}
		for _, b := range got {
			if b != 0xff {
				t.Errorf("%v: generated %x, want -1", typ, got)
			}
		}
		one := make([]byte, size)
		one[0] = 1
		if got := mustInsert(t, tx, def.ID, one); len(got) != 0 {
			t.Errorf("%v: an explicit value generates %x", typ, got)
		}
		tx.Commit(nil)
		check(t, s)
	}
}

// A zero is replaced and nothing else, in integers of every width, signed or not; values
// that were given, negative ones too, are kept and do not move the sequence.
func TestSequenceTrigger(t *testing.T) {
	spec.Covers(t, "08.11", "08.14")
	for _, typ := range []*sats.Type{
		sats.U8, sats.I8, sats.U16, sats.I16, sats.U32, sats.I32, sats.U64, sats.I64, sats.U128Type, sats.I128Type, sats.U256Type, sats.I256Type,
	} {
		s := New(Options{})
		def := create(t, s, withSequence(tableDef("t", col("n", typ), col("x", sats.U32)), 0))
		size := typ.Kind.Size()
		number := func(n int64) []byte {
			b := make([]byte, size)
			for i := range b {
				b[i] = byte(n >> min(8*i, 63))
			}
			return b
		}
		want := int64(1)
		for i, n := range []int64{0, -1, 0, -128, 5, 0, 1 << 6, 0, 0} {
			tx := s.Begin()
			stored, generated, err := tx.Insert(def.ID, append(number(n), u32(uint32(i))...))
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case n != 0 && (len(generated) > 0 || !bytes.Equal(stored[:size], number(n))):
				t.Errorf("%v: %d becomes %x, and %x is generated", typ, n, stored[:size], generated)
			case n == 0 && (!bytes.Equal(generated, number(want)) || !bytes.Equal(stored[:size], generated)):
				t.Errorf("%v: %x is generated and %x stored, want %d", typ, generated, stored[:size], want)
			}
			if n == 0 {
				want++
			}
			tx.Commit(nil)
		}
		check(t, s)
	}
}
