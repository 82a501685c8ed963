package sats

import (
	"encoding/hex"
	"testing"
)

// TestSwappedNumbers compiles a codec as on a big-endian machine. Run on a little-endian one it must give the numbers
// with their bytes reversed, word for word, and read them back.
func TestSwappedNumbers(t *testing.T) {
	if !littleEndian {
		t.Skip("the machine is big-endian: all other tests cover this")
	}
	littleEndian = false
	defer func() { littleEndian = true }()
	type swapped struct {
		A uint32
		B uint8
		C U128
		D []uint16
	}
	v := swapped{0x01020304, 5, U128{Lo: 0x1112131415161718, Hi: 0x2122232425262728}, []uint16{0x3132}}
	b := Append(nil, &v)
	want := "01020304" + "05" + "1112131415161718" + "2122232425262728" + "01000000" + "3132"
	if got := hex.EncodeToString(b); got != want {
		t.Fatalf("got  %s\nwant %s", got, want)
	}
	var back swapped
	if rest, err := Decode(b, &back); err != nil || len(rest) != 0 || back.A != v.A || back.C != v.C || back.D[0] != v.D[0] {
		t.Errorf("read back as %+v, %v", back, err)
	}
}

// TestRecentCodecs pins that the generic functions find their codec without package reflect.
func TestRecentCodecs(t *testing.T) {
	type row struct{ A, B uint32 }
	var v row
	Append(nil, &v)
	c, err := CodecOf[row]()
	if err != nil {
		t.Fatal(err)
	}
	var pointer any = &v
	if word := at[iface](addrOf(&pointer))[0]; word != c.word || recentAt(word).Load() != c {
		t.Error("the codec of the type is not found by the word of a pointer to it")
	}
}
