package sats_test

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
	"time"
	"unsafe"

	. "github.com/stdbgo/spacetime/sats"
	"pgregory.net/rapid"
)

type color uint8

type shape interface{ isShape() }

type circle struct{ Radius float32 }
type square struct {
	Side  uint16
	Label string
}
type nothing struct{}
type wrapped struct{ Value []uint32 }
type pointing struct{ Value *uint8 }
type scalar int64

func (circle) isShape()   {}
func (square) isShape()   {}
func (nothing) isShape()  {}
func (wrapped) isShape()  {}
func (pointing) isShape() {}
func (scalar) isShape()   {}

func init() {
	RegisterEnum[color]("Red", "Green", "Blue")
	RegisterSum[shape](Variant[circle]("Circle"), Variant[square]("Square"), Variant[nothing]("Nothing"),
		WrappedVariant[wrapped]("Wrapped"), WrappedVariant[pointing]("Pointing"), Variant[scalar]("Scalar"))
}

type inner struct {
	X, Y int32
	OK   bool
}

type everything struct {
	B        bool
	I8       int8
	U8       uint8
	I16      int16
	U16      uint16
	I32      int32
	U32      uint32
	I64      int64
	U64      uint64
	F32      float32
	F64      float64
	S        string
	Blob     []byte
	Wide     U128
	Signed   I128
	Huge     U256
	Negative I256
	ID       Identity
	Conn     ConnectionID
	At       Timestamp
	For      TimeDuration
	When     ScheduleAt
	Uuid     Uuid
	Hash     Hash
	Unit     struct{}
	In       inner
	Packed   []inner
	Numbers  []uint64
	Names    []string
	Colors   []color
	Nick     *string
	Nested   **uint32
	Color    color `stdb:"primarykey, name=hue"`
	Shape    shape
	Shapes   []shape
	Outcome  ResultOf[uint32, string]
}

const everythingType = "(b: Bool, i_8: I8, u_8: U8, i_16: I16, u_16: U16, i_32: I32, u_32: U32, i_64: I64, u_64: U64, f_32: F32, f_64: F64, " +
	"s: String, blob: Array<U8>, wide: U128, signed: I128, huge: U256, negative: I256, id: (__identity__: U256), conn: (__connection_id__: U128), " +
	"at: (__timestamp_micros_since_unix_epoch__: I64), for: (__time_duration_micros__: I64), " +
	"when: (Interval: (__time_duration_micros__: I64) | Time: (__timestamp_micros_since_unix_epoch__: I64)), uuid: (__uuid__: U128), hash: U256, unit: (), " +
	"in: (x: I32, y: I32, ok: Bool), packed: Array<(x: I32, y: I32, ok: Bool)>, numbers: Array<U64>, names: Array<String>, " +
	"colors: Array<(Red: () | Green: () | Blue: ())>, nick: (some: String | none: ()), nested: (some: (some: U32 | none: ()) | none: ()), " +
	"hue: (Red: () | Green: () | Blue: ()), shape: " + shapeType + ", shapes: Array<" + shapeType + ">, outcome: (ok: U32 | err: String))"

const shapeType = "(Circle: (radius: F32) | Square: (side: U16, label: String) | Nothing: () | Wrapped: Array<U32> | Pointing: (some: U8 | none: ()) | Scalar: I64)"

func TestCodecType(t *testing.T) {
	got, err := TypeOf[everything]()
	if err != nil || got.String() != everythingType {
		t.Fatalf("%v\ngot  %s\nwant %s", err, got, everythingType)
	}
}

// TestPropertyCodec feeds the codec values of its type that the general codec made, and compares bytes.
func TestPropertyCodec(t *testing.T) {
	typ, err := TypeOf[everything]()
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		b := AppendValue(nil, genValue(t, typ))
		var v everything
		rest, err := Decode(append(b, 1, 2, 3), &v)
		if err != nil || len(rest) != 3 {
			t.Fatalf("%x: %d left, %v", b, len(rest), err)
		}
		if again := Append([]byte("x"), &v); string(again) != "x"+string(b) {
			t.Fatalf("%x becomes %x", b, again[1:])
		}
		cut := rapid.IntRange(0, len(b)-1).Draw(t, "cut")
		_, werr := NewWalker(typ).Validate(b[:cut])
		if _, err := Decode(b[:cut], &v); err == nil || err.Error() != werr.Error() {
			t.Fatalf("%d of %d bytes: %v, want %v", cut, len(b), err, werr)
		}
		at := rapid.IntRange(0, len(b)-1).Draw(t, "at")
		b[at] ^= byte(rapid.IntRange(1, 255).Draw(t, "flip"))
		n, werr := NewWalker(typ).Validate(b)
		rest, err = Decode(b, &v)
		if (err == nil) != (werr == nil) || err == nil && len(rest) != len(b)-n {
			t.Fatalf("damaged at %d: codec %v, walker %v", at, err, werr)
		}
	})
}

func TestCodecValues(t *testing.T) {
	nick, seven := "ann", uint8(7)
	v := everything{
		B: true, I32: -2, S: "é", Blob: []byte{0, 255}, Wide: U128{1, 2}, ID: Identity{1}, When: ScheduleTime(5), Nick: &nick,
		Color: 2, Shape: square{3, "s"}, Numbers: []uint64{1, 2}, Colors: []color{1},
		Shapes:  []shape{circle{1.5}, nothing{}, wrapped{[]uint32{9}}, pointing{&seven}, pointing{}, &square{Side: 1}, scalar(-1)},
		Outcome: ErrResult[uint32]("bad"),
	}
	var got everything
	if rest, err := Decode(Append(nil, &v), &got); err != nil || len(rest) != 0 {
		t.Fatal(err, rest)
	}
	v.Shapes[5] = square{Side: 1}
	if !reflect.DeepEqual(v, got) {
		t.Errorf("got  %+v\nwant %+v", got, v)
	}
	if !reflect.DeepEqual(OkResult[int8, int8](1), ResultOf[int8, int8]{Ok: 1}) {
		t.Error("OkResult")
	}
}

func TestDecodeSharesNoMemory(t *testing.T) {
	type row struct {
		S string
		B []byte
		N []uint32
	}
	v := row{"text", []byte("blob"), []uint32{1, 2}}
	b := Append(nil, &v)
	var got row
	if _, err := Decode(b, &got); err != nil {
		t.Fatal(err)
	}
	kept := got
	clear(b)
	var zero row
	if _, err := Decode(Append(nil, &zero), &got); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(kept, v) || !reflect.DeepEqual(got, zero) {
		t.Errorf("kept %v, decoded %v", kept, got)
	}
}

type tree struct {
	Name string
	Kids []tree
	Next *tree
	Any  recursiveSum
}

type recursiveSum interface{ isRecursive() }
type leaf struct{ N uint8 }
type branch struct{ Sub []recursiveSum }

func (leaf) isRecursive()   {}
func (branch) isRecursive() {}

func init() { RegisterSum[recursiveSum](Variant[leaf]("leaf"), Variant[branch]("branch")) }

func TestRecursiveTypes(t *testing.T) {
	v := tree{Name: "a", Kids: []tree{{Name: "b", Any: leaf{2}}}, Next: &tree{Name: "c", Any: leaf{3}}, Any: branch{[]recursiveSum{leaf{1}}}}
	var got tree
	b := Append(nil, &v)
	if rest, err := Decode(b, &got); err != nil || len(rest) != 0 {
		t.Fatal(err)
	}
	if !bytes.Equal(Append(nil, &got), b) {
		t.Errorf("%+v becomes %+v", v, got)
	}
	if _, err := TypeOf[tree](); err == nil {
		t.Error("a recursive type is inline")
	}
	var set TypeSet
	typ, err := set.Type(reflect.TypeFor[tree]())
	want := "&0 tree (name: String, kids: Array<&0>, next: (some: &0 | none: ()), any: &1)\n" +
		"&1 recursiveSum (leaf: &2 | branch: &3)\n&2 leaf (n: U8)\n&3 branch (sub: Array<&1>)\n"
	if err != nil || typ.String() != "&0" || set.String() != want {
		t.Errorf("%s, %v\n%s", typ, err, &set)
	}
	if n, err := set.Typespace().Validate(typ, b); err != nil || n != len(b) {
		t.Errorf("%d of %d bytes are a value of the type set's type: %v", n, len(b), err)
	}
	deep := append(bytes.Repeat([]byte{0, 0, 0, 0, 0, 0, 0, 0, 0}, 300), 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0)
	if _, err := Decode(deep, &got); err == nil || !strings.Contains(err.Error(), "256") {
		t.Errorf("300 levels: %v", err)
	}
	loop := &tree{Any: leaf{}}
	loop.Next = loop
	mustPanic(t, "256 levels", func() { Append(nil, loop) })
}

func mustPanic(t *testing.T, want string, f func()) {
	t.Helper()
	defer func() {
		t.Helper()
		p := recover()
		text, _ := p.(string)
		if err, ok := p.(error); ok {
			text = err.Error()
		}
		if !strings.Contains(text, want) {
			t.Errorf("panic %v, want one with %q", p, want)
		}
	}()
	f()
}

type stranger struct{}

func (stranger) isShape() {}

func TestCodecMisuse(t *testing.T) {
	var nilShape shape
	mustPanic(t, "is nil", func() { Append(nil, &nilShape) })
	nilShape = (*square)(nil)
	mustPanic(t, "is nil", func() { Append(nil, &nilShape) })
	nilShape = stranger{}
	mustPanic(t, "registered variants", func() { Append(nil, &nilShape) })
	mustPanic(t, "registered twice", func() { RegisterEnum[color]("x") })
	mustPanic(t, "registered twice", func() { RegisterSum[shape](Variant[circle]("c")) })
	mustPanic(t, "not an interface", func() { RegisterSum[circle]() })
	mustPanic(t, "two variants", func() { RegisterSum[interface{ isShape() }](Variant[circle]("c"), Variant[circle]("d")) })
	mustPanic(t, "one field", func() { RegisterSum[interface{ isShape() }](WrappedVariant[square]("c")) })
	mustPanic(t, "does not implement", func() { RegisterSum[interface{ isShape() }](Variant[inner]("c")) })
	mustPanic(t, "names", func() { RegisterEnum[uint8]("x") })
}

func TestUnmappedTypes(t *testing.T) {
	type embeds struct{ inner }
	for _, c := range []struct {
		typ  reflect.Type
		want string
	}{
		{reflect.TypeFor[struct{ Age int }](), "struct.Age: int differs between machines"},
		{reflect.TypeFor[struct{ A []struct{ M map[string]int } }](), "struct.A: struct.M: there is no map type"},
		{reflect.TypeFor[struct{ At time.Time }](), "use sats.Timestamp"},
		{reflect.TypeFor[struct{ For time.Duration }](), "use sats.TimeDuration"},
		{reflect.TypeFor[struct{ hidden bool }](), "hidden: unexported"},
		{reflect.TypeFor[embeds](), "embedded"},
		{reflect.TypeFor[struct{ F [4]uint8 }](), "use a slice"},
		{reflect.TypeFor[struct{ C chan int }](), "chan int has no encoding"},
		{reflect.TypeFor[struct{ E error }](), "RegisterSum"},
		{reflect.TypeFor[struct {
			AB, Ab uint8
		}](), "called ab as well"},
	} {
		if _, err := CodecFor(c.typ); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.typ, err, c.want)
		}
	}
	var set TypeSet
	if _, err := set.Type(reflect.TypeFor[struct{ A struct{ B bool } }]()); err == nil || !strings.Contains(err.Error(), "no name") {
		t.Errorf("an anonymous struct in a type set: %v", err)
	}
	if p, err := set.Product(reflect.TypeFor[inner]()); err != nil || p.String() != "(x: I32, y: I32, ok: Bool)" {
		t.Errorf("parameters: %s, %v", p, err)
	}
}

func TestSnakeCase(t *testing.T) {
	for in, want := range map[string]string{
		"user": "user", "playerScore": "player_score", "HTTPRequest": "http_request", "userID": "user_id", "u64": "u_64",
		"vec3": "vec_3", "Vec3D": "vec_3_d", "player1Name": "player_1_name", "get2FACode": "get_2_fa_code", "ABCd": "ab_cd",
		"_id": "id", "id_": "id", "__id__": "id", "many___x": "many_x", "RED": "red", "GrannySmith": "granny_smith",
		"item_2d": "item_2_d", "_": "", "x1y": "x_1_y", "aB1c": "a_b_1_c", "straßeX": "straße_x", "日本Go": "日本go",
	} {
		if got := SnakeCase(in); got != want {
			t.Errorf("%s becomes %s, want %s", in, got, want)
		}
	}
}

// fixedRow is a row without strings or arrays, with gaps in memory.
type fixedRow struct {
	ID    uint64
	Kind  color
	X, Y  float32
	Owner Identity
	At    Timestamp
	Flag  bool
	Level int16
}

func TestFixedRowsAllocateNothing(t *testing.T) {
	v := fixedRow{ID: 1, Kind: 2, X: 3, Owner: Identity{4}, At: 5, Flag: true, Level: -1}
	b := Append(nil, &v)
	c, err := CodecOf[fixedRow]()
	if err != nil {
		t.Fatal(err)
	}
	if size, ok := c.FixedSize(); !ok || size != len(b) || size != 8+1+4+4+32+8+1+2 {
		t.Errorf("fixed size %d %v, %d bytes", size, ok, len(b))
	}
	l, err := NewLayout(c.Type())
	if err != nil {
		t.Fatal(err)
	}
	enc, err := NewJSONEncoder(c.Type(), FlavorNamed)
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 0, 1024)
	key := NewKeyEncoder([]*Type{l.ColType(0), l.ColType(4)})
	var got fixedRow
	for name, f := range map[string]func(){
		"Append":       func() { buf = Append(buf[:0], &v) },
		"Decode":       func() { _, err = Decode(b, &got) },
		"Codec.Append": func() { buf = c.Append(buf[:0], unsafe.Pointer(&v)) },
		"local":        func() { w := fixedRow{ID: 9}; buf = Append(buf[:0], &w) },
		"local row":    func() { var w fixedRow; _, err = Decode(b, &w) },
		"held": func() {
			w := fixedRow{ID: 9}
			buf = c.Append(buf[:0], unsafe.Pointer(&w))
			_, err = c.Decode(buf, unsafe.Pointer(&w))
		},
		"Validate":     func() { _, err = l.Validate(b) },
		"Col":          func() { buf = append(buf[:0], l.Col(b, 4)...) },
		"key":          func() { buf = key.AppendRow(buf[:0], l, b, []int{0, 4}) },
		"values":       func() { buf = key.AppendKey(buf[:0], l.Col(b, 0), l.Col(b, 4)) },
		"compare":      func() { l.CompareCol(b, b, 4) },
		"hash":         func() { HashBytes(b) },
		"json of type": func() { buf = enc.Append(buf[:0], b) },
		"json":         func() { buf, _, err = AppendJSON(buf[:0], nil, c.Type(), b, FlavorNamed) },
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 || err != nil {
			t.Errorf("%s allocates %v times, %v", name, n, err)
		}
	}
	if got != v {
		t.Errorf("decoded %+v", got)
	}
}
