package sats_test

import (
	"fmt"
	"time"

	"github.com/stdbgo/spacetime/sats"
)

type player struct {
	ID    uint32
	Name  string
	Score *int16 // optional
}

// A struct is a product of its fields: numbers little-endian, strings behind their
// length, an option behind a tag.
func ExampleAppend() {
	b := sats.Append(nil, &player{ID: 7, Name: "Ada"})
	fmt.Printf("% x\n", b)
	// Output: 07 00 00 00 03 00 00 00 41 64 61 01
}

func ExampleDecode() {
	var p player
	rest, err := sats.Decode([]byte{7, 0, 0, 0, 3, 0, 0, 0, 'A', 'd', 'a', 0, 0xff, 0xff, 'x'}, &p)
	fmt.Println(p.ID, p.Name, *p.Score, len(rest), err)
	_, err = sats.Decode([]byte{7, 0, 0, 0, 200, 0, 0, 0, 'A'}, &p)
	fmt.Println(err)
	// Output:
	// 7 Ada -1 1 <nil>
	// data too short for [u8]: Expected 200, given 1
}

// A codec tells the type that a struct maps to. Whoever reads or writes many rows holds
// it; Append and Decode look it up each time.
func ExampleCodecOf() {
	c, err := sats.CodecOf[player]()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(c.Type())
	_, err = sats.CodecOf[struct{ Size int }]()
	fmt.Println(err)
	// Output:
	// (id: U32, name: String, score: (some: I16 | none: ()))
	// sats: type struct { Size int }: struct.Size: int differs between machines; use a type of fixed size such as int64
}

// JSON is written from the encoded row, without a value in between.
func ExampleAppendJSON() {
	t := sats.Product(sats.E("id", sats.U32), sats.E("tags", sats.Array(sats.String)))
	row := sats.AppendString(sats.AppendLen(sats.AppendU32(nil, 7), 1), "new")
	text, _, err := sats.AppendJSON(nil, nil, t, row, sats.FlavorNamed)
	fmt.Println(string(text), err)
	// Output: {"id":7,"tags":["new"]} <nil>
}

func ExampleParseJSON() {
	t := sats.Product(sats.E("id", sats.U32), sats.E("name", sats.String))
	b, err := sats.ParseJSON(nil, nil, t, []byte(`{"id": 7, "name": "Ada"}`))
	fmt.Printf("% x %v\n", b, err)
	_, err = sats.ParseJSON(nil, nil, t, []byte(`{"id": -7, "name": "Ada"}`))
	fmt.Println(err)
	// Output:
	// 07 00 00 00 03 00 00 00 41 64 61 <nil>
	// invalid value: integer `-7`, expected u32 at line 1 column 9
}

type figure interface{ isFigure() }

type (
	disc struct{ Radius float32 }
	tile struct{ Side uint8 }
)

func (disc) isFigure() {}
func (tile) isFigure() {}

// The tag of a sum is the position of the variant.
func ExampleRegisterSum() {
	sats.RegisterSum[figure](sats.Variant[disc]("Disc"), sats.Variant[tile]("Tile"))
	var s figure = tile{Side: 3}
	fmt.Printf("% x\n", sats.Append(nil, &s))
	// Output: 01 03
}

func ExampleTimestampOf() {
	ts := sats.TimestampOf(time.Date(2026, 1, 2, 3, 4, 5, 999, time.UTC)) // 999 ns are less than a microsecond
	fmt.Println(ts, ts.Micros())
	// Output: 2026-01-02T03:04:05+00:00 1767323045000000
}

// The text of an identity begins with its most significant byte, BSATN with the least.
func ExampleParseIdentity() {
	id, err := sats.ParseIdentity("c200000000000000000000000000000000000000000000000000000000000001")
	b := id.AppendBSATN(nil)
	fmt.Println(id.Abbreviated(), b[0], b[31], err)
	_, err = sats.ParseIdentity("c2")
	fmt.Println(err)
	// Output:
	// c200000000000000 1 194 <nil>
	// invalid identity: expected 64 hexadecimal digits
}
