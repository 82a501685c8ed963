package sats_test

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"testing"
	"unsafe"

	. "github.com/stdbgo/spacetime/sats"
)

// appendByHand is what a careful person writes for fixedRow.
func appendByHand(b []byte, v *fixedRow) []byte {
	le := binary.LittleEndian
	b = le.AppendUint64(b, v.ID)
	b = append(b, byte(v.Kind))
	b = le.AppendUint32(b, math.Float32bits(v.X))
	b = le.AppendUint32(b, math.Float32bits(v.Y))
	b = append(b, v.Owner[:]...)
	b = le.AppendUint64(b, uint64(v.At))
	b = AppendBool(b, v.Flag)
	return le.AppendUint16(b, uint16(v.Level))
}

func decodeByHand(b []byte, v *fixedRow) bool {
	le := binary.LittleEndian
	if len(b) < 60 {
		return false
	}
	v.ID = le.Uint64(b)
	v.Kind = color(b[8])
	v.X = math.Float32frombits(le.Uint32(b[9:]))
	v.Y = math.Float32frombits(le.Uint32(b[13:]))
	copy(v.Owner[:], b[17:])
	v.At = Timestamp(le.Uint64(b[49:]))
	v.Flag = b[57] == 1
	v.Level = int16(le.Uint16(b[58:]))
	return v.Kind < 3 && b[57] < 2
}

func BenchmarkCodec(b *testing.B) {
	v := fixedRow{ID: 1, Kind: 2, X: 3, Owner: Identity{4}, At: 5, Flag: true, Level: -1}
	enc := Append(nil, &v)
	buf := make([]byte, 0, 128)
	b.Run("encode/hand", func(b *testing.B) {
		for b.Loop() {
			buf = appendByHand(buf[:0], &v)
		}
	})
	b.Run("encode/codec", func(b *testing.B) {
		for b.Loop() {
			buf = Append(buf[:0], &v)
		}
	})
	c, err := CodecOf[fixedRow]()
	if err != nil {
		b.Fatal(err)
	}
	b.Run("encode/codec-held", func(b *testing.B) {
		for b.Loop() {
			buf = c.Append(buf[:0], unsafe.Pointer(&v))
		}
	})
	b.Run("encode/reflecting", func(b *testing.B) {
		for b.Loop() {
			buf, _ = binary.Append(buf[:0], binary.LittleEndian, &v)
		}
	})
	b.Run("decode/hand", func(b *testing.B) {
		for b.Loop() {
			decodeByHand(enc, &v)
		}
	})
	b.Run("decode/codec", func(b *testing.B) {
		for b.Loop() {
			if _, err := Decode(enc, &v); err != nil {
				b.Fatal(err)
			}
		}
	})
}

type jsonRow struct {
	ID    uint64   `json:"id"`
	Name  string   `json:"name"`
	Score float64  `json:"score"`
	Tags  []string `json:"tags"`
	On    bool     `json:"on"`
}

func BenchmarkJSON(b *testing.B) {
	v := jsonRow{42, "Ann Example", 1234.5, []string{"red", "green", "blue"}, true}
	typ, err := TypeOf[jsonRow]()
	if err != nil {
		b.Fatal(err)
	}
	enc := Append(nil, &v)
	buf, _, _ := AppendJSON(nil, nil, typ, enc, FlavorNamed)
	b.Run("out/encoding-json", func(b *testing.B) {
		for b.Loop() {
			if _, err := json.Marshal(&v); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("out/decode-then-encoding-json", func(b *testing.B) {
		for b.Loop() {
			if _, err := Decode(enc, &v); err != nil {
				b.Fatal(err)
			}
			if _, err := json.Marshal(&v); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("out/sats", func(b *testing.B) {
		for b.Loop() {
			if buf, _, err = AppendJSON(buf[:0], nil, typ, enc, FlavorNamed); err != nil {
				b.Fatal(err)
			}
		}
	})
	e, err := NewJSONEncoder(typ, FlavorNamed)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("out/sats-compiled", func(b *testing.B) {
		for b.Loop() {
			buf = e.Append(buf[:0], enc)
		}
	})
	text := append([]byte(nil), buf...)
	b.Run("in/encoding-json", func(b *testing.B) {
		for b.Loop() {
			if err := json.Unmarshal(text, &v); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("in/sats", func(b *testing.B) {
		for b.Loop() {
			if buf, err = ParseJSON(buf[:0], nil, typ, text); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkLayout(b *testing.B) {
	v := jsonRow{42, "Ann Example", 1234.5, []string{"red", "green", "blue"}, true}
	typ, err := TypeOf[jsonRow]()
	if err != nil {
		b.Fatal(err)
	}
	l, err := NewLayout(typ)
	if err != nil {
		b.Fatal(err)
	}
	row := Append(nil, &v)
	key := NewKeyEncoder([]*Type{U64, String})
	buf := make([]byte, 0, 128)
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
			l.Col(row, 4)
		}
	})
	b.Run("key", func(b *testing.B) {
		for b.Loop() {
			buf = key.AppendRow(buf[:0], l, row, []int{0, 1})
		}
	})
	b.Run("hash", func(b *testing.B) {
		for b.Loop() {
			HashBytes(row)
		}
	})
}
