package sats_test

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	. "github.com/stdbgo/spacetime/sats"
)

// The rows of the benchmarks, each with what a careful person writes for it with encoding/binary: fields in order,
// one length check for what has a fixed size, Bools, tags and strings checked.

var le = binary.LittleEndian

var errHand = errors.New("bad row")

// narrowRow is a typical small row; its Bool leaves a gap in memory.
type narrowRow struct {
	ID    uint64
	On    bool
	Score int32
	Group uint16
}

//go:noinline
func (v *narrowRow) appendByHand(b []byte) []byte {
	b = le.AppendUint64(b, v.ID)
	b = AppendBool(b, v.On)
	b = le.AppendUint32(b, uint32(v.Score))
	return le.AppendUint16(b, v.Group)
}

//go:noinline
func (v *narrowRow) decodeByHand(b []byte) ([]byte, error) {
	if len(b) < 15 || b[8] > 1 {
		return nil, errHand
	}
	v.ID = le.Uint64(b)
	v.On = b[8] == 1
	v.Score = int32(le.Uint32(b[9:]))
	v.Group = le.Uint16(b[13:])
	return b[15:], nil
}

// pointRow lies in memory as it is encoded.
type pointRow struct {
	ID   uint64
	X, Y float64
	At   Timestamp
}

//go:noinline
func (v *pointRow) appendByHand(b []byte) []byte {
	b = le.AppendUint64(b, v.ID)
	b = le.AppendUint64(b, math.Float64bits(v.X))
	b = le.AppendUint64(b, math.Float64bits(v.Y))
	return le.AppendUint64(b, uint64(v.At))
}

//go:noinline
func (v *pointRow) decodeByHand(b []byte) ([]byte, error) {
	if len(b) < 32 {
		return nil, errHand
	}
	v.ID = le.Uint64(b)
	v.X = math.Float64frombits(le.Uint64(b[8:]))
	v.Y = math.Float64frombits(le.Uint64(b[16:]))
	v.At = Timestamp(le.Uint64(b[24:]))
	return b[32:], nil
}

//go:noinline
func (v *fixedRow) appendByHand(b []byte) []byte {
	b = le.AppendUint64(b, v.ID)
	b = append(b, byte(v.Kind))
	b = le.AppendUint32(b, math.Float32bits(v.X))
	b = le.AppendUint32(b, math.Float32bits(v.Y))
	b = append(b, v.Owner[:]...)
	b = le.AppendUint64(b, uint64(v.At))
	b = AppendBool(b, v.Flag)
	return le.AppendUint16(b, uint16(v.Level))
}

//go:noinline
func (v *fixedRow) decodeByHand(b []byte) ([]byte, error) {
	if len(b) < 60 || b[8] > 2 || b[57] > 1 {
		return nil, errHand
	}
	v.ID = le.Uint64(b)
	v.Kind = color(b[8])
	v.X = math.Float32frombits(le.Uint32(b[9:]))
	v.Y = math.Float32frombits(le.Uint32(b[13:]))
	copy(v.Owner[:], b[17:])
	v.At = Timestamp(le.Uint64(b[49:]))
	v.Flag = b[57] == 1
	v.Level = int16(le.Uint16(b[58:]))
	return b[60:], nil
}

// wideRow has many columns of all fixed sizes, most beside a gap.
type wideRow struct {
	ID          uint64
	Kind        color
	Team        uint16
	Level       uint8
	Health, Max int32
	X, Y, Z     float32
	Alive       bool
	Speed       float64
	Owner       Identity
	Visible     bool
	Seen        bool
	Mana        int16
	Conn        ConnectionID
	Created     Timestamp
	Flags       uint8
	Gold        int64
	Rank        uint32
	Muted       bool
	Left        TimeDuration
	Last        uint16
}

//go:noinline
func (v *wideRow) appendByHand(b []byte) []byte {
	b = le.AppendUint64(b, v.ID)
	b = append(b, byte(v.Kind))
	b = le.AppendUint16(b, v.Team)
	b = append(b, v.Level)
	b = le.AppendUint32(b, uint32(v.Health))
	b = le.AppendUint32(b, uint32(v.Max))
	b = le.AppendUint32(b, math.Float32bits(v.X))
	b = le.AppendUint32(b, math.Float32bits(v.Y))
	b = le.AppendUint32(b, math.Float32bits(v.Z))
	b = AppendBool(b, v.Alive)
	b = le.AppendUint64(b, math.Float64bits(v.Speed))
	b = append(b, v.Owner[:]...)
	b = AppendBool(b, v.Visible)
	b = AppendBool(b, v.Seen)
	b = le.AppendUint16(b, uint16(v.Mana))
	b = append(b, v.Conn[:]...)
	b = le.AppendUint64(b, uint64(v.Created))
	b = append(b, v.Flags)
	b = le.AppendUint64(b, uint64(v.Gold))
	b = le.AppendUint32(b, v.Rank)
	b = AppendBool(b, v.Muted)
	b = le.AppendUint64(b, uint64(v.Left))
	return le.AppendUint16(b, v.Last)
}

//go:noinline
func (v *wideRow) decodeByHand(b []byte) ([]byte, error) {
	if len(b) < 125 || b[8] > 2 || b[32] > 1 || b[73] > 1 || b[74] > 1 || b[114] > 1 {
		return nil, errHand
	}
	v.ID = le.Uint64(b)
	v.Kind = color(b[8])
	v.Team = le.Uint16(b[9:])
	v.Level = b[11]
	v.Health = int32(le.Uint32(b[12:]))
	v.Max = int32(le.Uint32(b[16:]))
	v.X = math.Float32frombits(le.Uint32(b[20:]))
	v.Y = math.Float32frombits(le.Uint32(b[24:]))
	v.Z = math.Float32frombits(le.Uint32(b[28:]))
	v.Alive = b[32] == 1
	v.Speed = math.Float64frombits(le.Uint64(b[33:]))
	copy(v.Owner[:], b[41:])
	v.Visible = b[73] == 1
	v.Seen = b[74] == 1
	v.Mana = int16(le.Uint16(b[75:]))
	copy(v.Conn[:], b[77:])
	v.Created = Timestamp(le.Uint64(b[93:]))
	v.Flags = b[101]
	v.Gold = int64(le.Uint64(b[102:]))
	v.Rank = le.Uint32(b[110:])
	v.Muted = b[114] == 1
	v.Left = TimeDuration(le.Uint64(b[115:]))
	v.Last = le.Uint16(b[123:])
	return b[125:], nil
}

// textRow is mostly strings.
type textRow struct {
	ID     uint64
	Name   string
	Email  string
	Age    uint8
	Bio    string
	City   string
	Active bool
	At     Timestamp
}

//go:noinline
func (v *textRow) appendByHand(b []byte) []byte {
	b = le.AppendUint64(b, v.ID)
	b = append(le.AppendUint32(b, uint32(len(v.Name))), v.Name...)
	b = append(le.AppendUint32(b, uint32(len(v.Email))), v.Email...)
	b = append(b, v.Age)
	b = append(le.AppendUint32(b, uint32(len(v.Bio))), v.Bio...)
	b = append(le.AppendUint32(b, uint32(len(v.City))), v.City...)
	b = AppendBool(b, v.Active)
	return le.AppendUint64(b, uint64(v.At))
}

// stringByHand takes a string off the start of b.
func stringByHand(b []byte) (string, []byte, error) {
	if len(b) < 4 {
		return "", nil, errHand
	}
	n := le.Uint32(b)
	if b = b[4:]; uint64(len(b)) < uint64(n) || !utf8.Valid(b[:n]) {
		return "", nil, errHand
	}
	return string(b[:n]), b[n:], nil
}

//go:noinline
func (v *textRow) decodeByHand(b []byte) (_ []byte, err error) {
	if len(b) < 8 {
		return nil, errHand
	}
	v.ID, b = le.Uint64(b), b[8:]
	if v.Name, b, err = stringByHand(b); err != nil {
		return nil, err
	}
	if v.Email, b, err = stringByHand(b); err != nil {
		return nil, err
	}
	if len(b) < 1 {
		return nil, errHand
	}
	v.Age, b = b[0], b[1:]
	if v.Bio, b, err = stringByHand(b); err != nil {
		return nil, err
	}
	if v.City, b, err = stringByHand(b); err != nil {
		return nil, err
	}
	if len(b) < 9 || b[0] > 1 {
		return nil, errHand
	}
	v.Active = b[0] == 1
	v.At = Timestamp(le.Uint64(b[1:]))
	return b[9:], nil
}

// listRow has parts of every variable kind.
type listRow struct {
	ID    uint32
	Tags  []string
	Path  []pointRow
	Nick  *string
	Blob  []byte
	Score float64
}

//go:noinline
func (v *listRow) appendByHand(b []byte) []byte {
	b = le.AppendUint32(b, v.ID)
	b = le.AppendUint32(b, uint32(len(v.Tags)))
	for _, s := range v.Tags {
		b = append(le.AppendUint32(b, uint32(len(s))), s...)
	}
	b = le.AppendUint32(b, uint32(len(v.Path)))
	for i := range v.Path {
		b = v.Path[i].appendByHand(b)
	}
	if v.Nick == nil {
		b = append(b, 1)
	} else {
		b = append(b, 0)
		b = append(le.AppendUint32(b, uint32(len(*v.Nick))), *v.Nick...)
	}
	b = append(le.AppendUint32(b, uint32(len(v.Blob))), v.Blob...)
	return le.AppendUint64(b, math.Float64bits(v.Score))
}

//go:noinline
func (v *listRow) decodeByHand(b []byte) (_ []byte, err error) {
	if len(b) < 8 {
		return nil, errHand
	}
	v.ID = le.Uint32(b)
	n := le.Uint32(b[4:])
	if b = b[8:]; uint64(n)*4 > uint64(len(b)) {
		return nil, errHand
	}
	v.Tags = make([]string, n)
	for i := range v.Tags {
		if v.Tags[i], b, err = stringByHand(b); err != nil {
			return nil, err
		}
	}
	if len(b) < 4 {
		return nil, errHand
	}
	n = le.Uint32(b)
	if b = b[4:]; uint64(n)*32 > uint64(len(b)) {
		return nil, errHand
	}
	v.Path = make([]pointRow, n)
	for i := range v.Path {
		if b, err = v.Path[i].decodeByHand(b); err != nil {
			return nil, err
		}
	}
	if len(b) < 1 || b[0] > 1 {
		return nil, errHand
	}
	some := b[0] == 0
	v.Nick, b = nil, b[1:]
	if some {
		v.Nick = new(string)
		if *v.Nick, b, err = stringByHand(b); err != nil {
			return nil, err
		}
	}
	if len(b) < 4 || uint64(len(b)-4) < uint64(le.Uint32(b)) {
		return nil, errHand
	}
	n, b = le.Uint32(b), b[4:]
	v.Blob, b = append([]byte(nil), b[:n]...), b[n:]
	if len(b) < 8 {
		return nil, errHand
	}
	v.Score = math.Float64frombits(le.Uint64(b))
	return b[8:], nil
}

// benchRows is how many different rows of a kind a benchmark goes through in turn.
const benchRows = 64

func rowsOf[T any](make func(i int) T) []T {
	rows := slices.Repeat([]T{*new(T)}, benchRows)
	for i := range rows {
		rows[i] = make(i)
	}
	return rows
}

func narrowRows() []narrowRow {
	return rowsOf(func(i int) narrowRow {
		return narrowRow{uint64(i * i), i%3 == 0, int32(50 - i), uint16(i)}
	})
}

func pointRows() []pointRow {
	return rowsOf(func(i int) pointRow {
		return pointRow{uint64(i), float64(i) / 8, -float64(i) / 3, 1700000000000000 + Timestamp(i)}
	})
}

func fixedRows() []fixedRow {
	return rowsOf(func(i int) fixedRow {
		return fixedRow{uint64(i), color(i % 3), float32(i), 1, Identity{byte(i), 31: 0xc2}, Timestamp(i), i%2 == 0, int16(-i)}
	})
}

func wideRows() []wideRow {
	return rowsOf(func(i int) wideRow {
		return wideRow{ID: uint64(i), Kind: color(i % 3), Level: uint8(i), Health: int32(i), X: float32(i) / 4, Alive: i%2 == 0,
			Speed: 1.5, Owner: Identity{byte(i), 31: 0xc2}, Seen: true, Conn: ConnectionID{byte(i)}, Created: Timestamp(i), Gold: int64(-i), Last: 7}
	})
}

const lorem = "Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt ut labore et dolore magna aliqua."

func textRows() []textRow {
	return rowsOf(func(i int) textRow {
		return textRow{uint64(1000 + i), "Ann Example"[:3+i%8], "ann.example" + strings.Repeat("x", i%5) + "@example.org",
			uint8(20 + i), lorem[:40+i], []string{"Zürich", "Wien", "Buenos Aires", "Tōkyō"}[i%4], i%2 == 0, 1700000000000000 + Timestamp(i)}
	})
}

func listRows() []listRow {
	points := pointRows()
	return rowsOf(func(i int) listRow {
		r := listRow{uint32(i), []string{"red", "green", "blue"}[:i%4], points[:i%6], nil, []byte(lorem[:i]), float64(i) * 1.25}
		if i%2 == 0 {
			r.Nick = new(string)
			*r.Nick = "nick"
		}
		return r
	})
}

// The rows of the JSON benchmarks have only types whose JSON package encoding/json writes alike, but for the layout of
// floats.

type jsonNarrow struct {
	ID    uint64 `json:"id"`
	On    bool   `json:"on"`
	Score int32  `json:"score"`
	Group uint16 `json:"group"`
}

type jsonPoint struct {
	X float64 `json:"x"`
	Y float64 `json:"y"`
}

type jsonWide struct {
	ID      uint64    `json:"id"`
	Level   uint8     `json:"level"`
	Health  int32     `json:"health"`
	Speed   float32   `json:"speed"`
	Pos     jsonPoint `json:"pos"`
	Dir     jsonPoint `json:"dir"`
	Alive   bool      `json:"alive"`
	Created int64     `json:"created"`
	Gold    int64     `json:"gold"`
	Mana    int16     `json:"mana"`
	Rank    uint32    `json:"rank"`
	Muted   bool      `json:"muted"`
	Price   float64   `json:"price"`
	Team    uint16    `json:"team"`
	Seen    uint64    `json:"seen"`
}

type jsonText struct {
	ID     uint64 `json:"id"`
	Name   string `json:"name"`
	Email  string `json:"email"`
	Bio    string `json:"bio"`
	City   string `json:"city"`
	Quote  string `json:"quote"`
	Active bool   `json:"active"`
}

type jsonList struct {
	ID     uint64      `json:"id"`
	Name   string      `json:"name"`
	Score  float64     `json:"score"`
	Tags   []string    `json:"tags"`
	Path   []jsonPoint `json:"path"`
	Levels []uint32    `json:"levels"`
	On     bool        `json:"on"`
}

func jsonNarrows() []jsonNarrow {
	return rowsOf(func(i int) jsonNarrow { return jsonNarrow{uint64(i * i * i), i%3 == 0, int32(50 - i*100), uint16(i)} })
}

func jsonWides() []jsonWide {
	return rowsOf(func(i int) jsonWide {
		return jsonWide{ID: uint64(i) << 20, Level: uint8(i), Health: int32(100 - i), Speed: float32(i) / 4,
			Pos: jsonPoint{float64(i) * 1.37, -float64(i) / 8}, Dir: jsonPoint{math.Sin(float64(i)), math.Cos(float64(i))},
			Alive: i%2 == 0, Created: 1700000000000000 + int64(i)*7919, Gold: int64(i) * 12345, Mana: int16(-i), Rank: uint32(i),
			Price: float64(i)*3 + 0.99, Team: 7, Seen: uint64(i)}
	})
}

func jsonTexts() []jsonText {
	texts := textRows()
	return rowsOf(func(i int) jsonText {
		r := texts[i]
		quote := "nothing to say"
		if i%4 == 0 {
			quote = "he said: \"so it is\"\nand left"
		}
		return jsonText{r.ID, r.Name, r.Email, r.Bio, r.City, quote, r.Active}
	})
}

func jsonLists() []jsonList {
	wides := jsonWides()
	return rowsOf(func(i int) jsonList {
		r := jsonList{uint64(i), "Ann Example", float64(i) * 1.25, []string{"red", "green", "blue"}[:i%4], make([]jsonPoint, i%5), make([]uint32, i%7), i%2 == 0}
		for k := range r.Path {
			r.Path[k] = wides[(i+k)%benchRows].Pos
		}
		for k := range r.Levels {
			r.Levels[k] = uint32(i * k)
		}
		return r
	})
}
