package sats_test

import (
	"bytes"
	"reflect"
	"strconv"
	"testing"
	"unsafe"

	. "github.com/stdbgo/spacetime/sats"
	"pgregory.net/rapid"
)

// fieldTypes are what the structs of TestPropertyShapes are made of: all sizes and alignments, with and without checks
// and pointers.
var fieldTypes = []reflect.Type{
	reflect.TypeFor[bool](), reflect.TypeFor[color](), reflect.TypeFor[uint8](), reflect.TypeFor[int16](), reflect.TypeFor[uint32](),
	reflect.TypeFor[float32](), reflect.TypeFor[int64](), reflect.TypeFor[float64](), reflect.TypeFor[U128](), reflect.TypeFor[I256](),
	reflect.TypeFor[Identity](), reflect.TypeFor[ConnectionID](), reflect.TypeFor[Timestamp](), reflect.TypeFor[inner](),
	reflect.TypeFor[struct{}](), reflect.TypeFor[fixedRow](), reflect.TypeFor[string](), reflect.TypeFor[[]byte](),
	reflect.TypeFor[*uint16](), reflect.TypeFor[[]string](), reflect.TypeFor[[]fixedRow](), reflect.TypeFor[[]bool](), reflect.TypeFor[*string](),
}

// TestPropertyShapes makes structs of any fields and compares their codecs with the general one. The struct lies
// between bytes that must stay as they are.
func TestPropertyShapes(t *testing.T) {
	guard := reflect.TypeFor[[32]byte]()
	rapid.Check(t, func(t *rapid.T) {
		usable := fieldTypes
		if rapid.Bool().Draw(t, "fixed") {
			usable = fieldTypes[:16]
		}
		fields := make([]reflect.StructField, rapid.IntRange(1, 24).Draw(t, "fields"))
		for i := range fields {
			fields[i] = reflect.StructField{Name: "F" + strconv.Itoa(i), Type: rapid.SampledFrom(usable).Draw(t, "type")}
		}
		row := reflect.StructOf(fields)
		c, err := CodecFor(row)
		if err != nil {
			t.Fatal(err)
		}
		v := reflect.New(reflect.StructOf([]reflect.StructField{{Name: "A", Type: guard}, {Name: "V", Type: row}, {Name: "Z", Type: guard}})).Elem()
		for i := range 32 {
			v.Field(0).Index(i).SetUint(0xaa)
			v.Field(2).Index(i).SetUint(0xaa)
		}
		p := v.Field(1).Addr().UnsafePointer()
		b := AppendValue(nil, genValue(t, c.Type()))
		room := bytes.Repeat([]byte{0xaa}, len(b)+40)
		for _, spare := range []int{0, 40} {
			// Decoded from exactly enough bytes and from more, encoded into exactly enough room and into more.
			n, err := c.Decode(append(bytes.Clone(b), room[:spare]...)[:len(b)+spare], p)
			if err != nil || n != len(b) {
				t.Fatalf("%v: %x: %d of %d bytes, %v", row, b, n, len(b), err)
			}
			out := append([]byte(nil), room...)
			if got := c.Append(out[:0:len(b)+spare], p); !bytes.Equal(got, b) || unsafe.SliceData(got) == unsafe.SliceData(out) && !bytes.Equal(out[len(b):], room[len(b):]) {
				t.Fatalf("%v: %x becomes %x", row, b, got)
			}
			if got := c.Append(nil, p); !bytes.Equal(got, b) {
				t.Fatalf("%v: %x becomes %x in no room", row, b, got)
			}
		}
		for i := range 32 {
			if v.Field(0).Index(i).Uint() != 0xaa || v.Field(2).Index(i).Uint() != 0xaa {
				t.Fatalf("%v: something was written beside it", row)
			}
		}
		if len(b) == 0 {
			return
		}
		at := rapid.IntRange(0, len(b)-1).Draw(t, "at")
		b[at] ^= byte(rapid.IntRange(1, 255).Draw(t, "flip"))
		n, werr := NewWalker(c.Type()).Validate(b)
		if got, err := c.Decode(b, p); (err == nil) != (werr == nil) || err == nil && got != n || err != nil && err.Error() != werr.Error() {
			t.Fatalf("%v: damaged at %d: %v, want %v", row, at, err, werr)
		}
	})
}
