package golang_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/stdbgo/spacetime/internal/codegen/golang/testdata/alltypes"
	"github.com/stdbgo/spacetime/internal/codegen/golang/testdata/odd"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/sats"
)

// The types of the module as a programmer would write them by hand, for the compiled
// codecs of package sats.

type handLeaf struct {
	X float32
	Y float64
}

type handColor uint8

type handShape interface{ isHandShape() }

type (
	handNothing struct{}
	handRadius  float64
	handCorner  struct{ Value handLeaf }
	handGroup   struct{ Value []handShape }
)

func (handNothing) isHandShape() {}
func (handRadius) isHandShape()  {}
func (handCorner) isHandShape()  {}
func (handGroup) isHandShape()   {}

func init() {
	sats.RegisterEnum[handColor]("Red", "Green")
	sats.RegisterSum[handShape](sats.Variant[handNothing]("Nothing"), sats.Variant[handRadius]("Radius"),
		sats.WrappedVariant[handCorner]("Corner"), sats.WrappedVariant[handGroup]("Group"))
}

type handEverything struct {
	ABool   bool
	AnI8    int8
	AU8     uint8
	AnI16   int16
	AU16    uint16
	AnI32   int32
	AU32    uint32
	AnI64   int64
	AU64    uint64
	AnI128  sats.I128
	AU128   sats.U128
	AnI256  sats.I256
	AU256   sats.U256
	AnF32   float32
	AnF64   float64
	AString string
	Bytes   []byte
	Ident   sats.Identity
	Conn    sats.ConnectionID
	Ts      sats.Timestamp
	Dur     sats.TimeDuration
	At      sats.ScheduleAt
	Uuid    sats.Uuid
	Unit    struct{}
	OptI32  *int32
	OptOpt  **bool
	Res     sats.ResultOf[uint8, string]
	Nums    []int32
	Nested  [][]string
	Color   handColor
	Shape   handShape
	OptLeaf *handLeaf
	Empty   struct{}
	Deep    *[]handShape
	ResLeaf sats.ResultOf[handLeaf, handColor]
}

type handSetAll struct {
	All    handEverything
	Delete bool
}

// golden are the arguments of the vector.
func golden(t testing.TB) (args alltypes.SetAllArgs, encoded []byte) {
	t.Helper()
	var vector struct {
		Hex string `json:"args_hex"`
	}
	b, err := os.ReadFile("../../../testdata/vectors/codegen/set_all.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &vector); err != nil {
		t.Fatal(err)
	}
	if encoded, err = hex.DecodeString(vector.Hex); err != nil {
		t.Fatal(err)
	}
	five := int32(5)
	deep := []alltypes.Shape{alltypes.ShapeNothing{}}
	uuid, err := sats.ParseUuid("00112233-4455-6677-8899-aabbccddeeff")
	if err != nil {
		t.Fatal(err)
	}
	return alltypes.SetAllArgs{
		All: alltypes.Everything{
			ABool: true, AnI8: -1, AU8: 2, AnI16: -3, AU16: 4, AnI32: -5, AU32: 6, AnI64: -7, AU64: 8,
			AnI128: sats.I128From(-9), AU128: sats.U128From(10), AnI256: sats.I256From(-11), AU256: sats.U256From(12), AnF32: 0.5, AnF64: 0.25,
			AString: "hé", Bytes: []byte{1, 2}, Ident: sats.Identity{13}, Conn: sats.ConnectionID{14}, Ts: 15, Dur: 16,
			At: sats.ScheduleInterval(17), Uuid: uuid, OptI32: &five, Res: sats.ErrResult[uint8, string]("no"), Nums: []int32{1, -1},
			Nested: [][]string{{"a"}, {}}, Color: alltypes.ColorGreen,
			Shape: alltypes.ShapeGroup{Value: []alltypes.Shape{alltypes.ShapeNothing{}, alltypes.ShapeRadius{Value: 1.5}, alltypes.ShapeCorner{Value: alltypes.Leaf{X: 1, Y: 2}}}},
			Deep:  &deep, ResLeaf: sats.OkResult[alltypes.Leaf, alltypes.Color](alltypes.Leaf{}),
		},
		Delete: true,
	}, encoded
}

// The golden vector of all SDKs, both ways.
func TestGoldenVector(t *testing.T) {
	spec.Covers(t, "10.28")
	args, want := golden(t)
	if got := args.AppendBSATN(nil); !bytes.Equal(got, want) {
		t.Errorf("got  %x\nwant %x", got, want)
	}
	var back alltypes.SetAllArgs
	r := sats.NewReader(want)
	if back.ReadBSATN(r); r.End() != nil || !reflect.DeepEqual(back, args) {
		t.Errorf("%v: %+v\nwant %+v", r.End(), back, args)
	}
	var hand handSetAll
	if rest, err := sats.Decode(want, &hand); err != nil || len(rest) > 0 || !bytes.Equal(sats.Append(nil, &hand), want) {
		t.Errorf("by hand: %v, %d left, %x", err, len(rest), sats.Append(nil, &hand))
	}
}

func shapes(depth int) *rapid.Generator[alltypes.Shape] {
	return rapid.Custom(func(t *rapid.T) alltypes.Shape {
		switch n := rapid.IntRange(0, 3).Draw(t, "variant"); {
		case n == 1:
			return alltypes.ShapeRadius{Value: rapid.Float64().Draw(t, "radius")}
		case n == 2:
			return alltypes.ShapeCorner{Value: alltypes.Leaf{X: rapid.Float32().Draw(t, "x")}}
		case n == 3 && depth > 0:
			return alltypes.ShapeGroup{Value: rapid.SliceOfN(shapes(depth-1), 0, 3).Draw(t, "group")}
		}
		return alltypes.ShapeNothing{}
	})
}

// Generated types and hand-written ones write the same bytes and read them back.
func TestSameBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := alltypes.Everything{
			ABool: rapid.Bool().Draw(t, "bool"), AnI8: rapid.Int8().Draw(t, "i8"), AU16: rapid.Uint16().Draw(t, "u16"), AnI32: rapid.Int32().Draw(t, "i32"),
			AU64: rapid.Uint64().Draw(t, "u64"), AnI128: sats.I128From(rapid.Int64().Draw(t, "i128")), AnF32: rapid.Float32().Draw(t, "f32"), AnF64: rapid.Float64().Draw(t, "f64"),
			AString: rapid.String().Draw(t, "string"), Bytes: rapid.SliceOfN(rapid.Byte(), 0, 5).Draw(t, "bytes"), Ts: sats.Timestamp(rapid.Int64().Draw(t, "ts")),
			At: sats.ScheduleTime(sats.Timestamp(rapid.Int64().Draw(t, "at"))), OptI32: rapid.Ptr(rapid.Int32(), true).Draw(t, "opt"), OptOpt: rapid.Ptr(rapid.Ptr(rapid.Bool(), true), true).Draw(t, "optopt"),
			Nums: rapid.SliceOfN(rapid.Int32(), 0, 4).Draw(t, "nums"), Nested: rapid.SliceOfN(rapid.SliceOfN(rapid.String(), 0, 2), 0, 3).Draw(t, "nested"),
			Color: alltypes.Color(rapid.IntRange(0, 1).Draw(t, "color")), Shape: shapes(3).Draw(t, "shape"),
			Deep: rapid.Ptr(rapid.SliceOfN(shapes(1), 0, 3), true).Draw(t, "deep"),
		}
		if rapid.Bool().Draw(t, "err") {
			v.ResLeaf = sats.ErrResult[alltypes.Leaf](alltypes.ColorGreen)
		}
		b := v.AppendBSATN(nil)
		var hand handEverything
		if rest, err := sats.Decode(b, &hand); err != nil || len(rest) > 0 {
			t.Fatalf("by hand: %v, %d left of %x", err, len(rest), b)
		}
		if got := sats.Append(nil, &hand); !bytes.Equal(got, b) {
			t.Errorf("by hand %x\nwant    %x", got, b)
		}
		var back alltypes.Everything
		r := sats.NewReader(b)
		if back.ReadBSATN(r); r.End() != nil || !bytes.Equal(back.AppendBSATN(nil), b) {
			t.Errorf("%v: %+v", r.End(), back)
		}
	})
}

// No input makes a generated type panic, hang or exhaust the stack, and what is read
// is written back as it was.
func FuzzGenerated(f *testing.F) {
	_, b := golden(f)
	f.Add(b)
	f.Add(bytes.Repeat([]byte{0, 0, 0, 0, 1, 0, 0, 0}, 5000)) // nodes in nodes
	f.Fuzz(func(t *testing.T, b []byte) {
		r := sats.NewReader(b)
		var all alltypes.Everything
		if all.ReadBSATN(r); r.Err() == nil && !bytes.Equal(all.AppendBSATN(nil), b[:r.Pos()]) {
			t.Errorf("%x is written back as %x", b[:r.Pos()], all.AppendBSATN(nil))
		}
		r.Reset(b)
		var node alltypes.Node
		if node.ReadBSATN(r); r.Err() == nil && !bytes.Equal(node.AppendBSATN(nil), b[:r.Pos()]) {
			t.Errorf("%x is written back as %x", b[:r.Pos()], node.AppendBSATN(nil))
		}
		r.Reset(b)
		var tree odd.Tree
		tree.ReadBSATN(r)
		r.Reset(b)
		if left := odd.ReadLeft(r); r.Err() == nil && !bytes.Equal(odd.AppendLeft(nil, left), b[:r.Pos()]) {
			t.Errorf("%x is written back as %x", b[:r.Pos()], odd.AppendLeft(nil, left))
		}
	})
}

func TestReadRefuses(t *testing.T) {
	deep := bytes.Repeat([]byte{0, 0, 0, 0, 1, 0, 0, 0}, 100_000)
	var node alltypes.Node
	r := sats.NewReader(deep)
	if node.ReadBSATN(r); r.Err() == nil {
		t.Error("a hundred thousand nodes in one another are read")
	}
	var color alltypes.Color
	r = sats.NewReader([]byte{2})
	if color.ReadBSATN(r); r.Err() == nil {
		t.Error("an unknown colour is read")
	}
	if color.String() != "Red" || alltypes.ColorGreen.String() != "Green" || alltypes.Color(7).String() != "Color(7)" {
		t.Error("colours have wrong names")
	}
	defer func() {
		if v := recover(); v != "alltypes: a <nil> is no Shape; use its variants by value" {
			t.Errorf("panic %v", v)
		}
	}()
	alltypes.AppendShape(nil, nil)
}
