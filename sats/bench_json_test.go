package sats_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"

	. "github.com/stdbgo/spacetime/sats"
)

// BenchmarkJSONOut compares the way from a stored row, which is BSATN, to JSON text with package encoding/json: with
// json.Marshal of the same row held as a Go struct ("struct"), with a json.Encoder that keeps its buffer ("encoder"),
// and with decoding the stored row and json.Marshal ("stored"), which is what a server would do with it. "checked" is
// AppendJSON, which is not compiled and checks the row, against json.Marshal of the struct.
func BenchmarkJSONOut(b *testing.B) {
	b.Run("narrow", func(b *testing.B) { benchJSON(b, jsonNarrows()) })
	b.Run("wide", func(b *testing.B) { benchJSON(b, jsonWides()) })
	b.Run("strings", func(b *testing.B) { benchJSON(b, jsonTexts()) })
	b.Run("lists", func(b *testing.B) { benchJSON(b, jsonLists()) })
}

func benchJSON[T any](b *testing.B, rows []T) {
	typ, err := TypeOf[T]()
	if err != nil {
		b.Fatal(err)
	}
	e, err := NewJSONEncoder(typ, FlavorNamed)
	if err != nil {
		b.Fatal(err)
	}
	encs := make([][]byte, len(rows))
	for i := range rows {
		encs[i] = Append(nil, &rows[i])
		theirs, err := json.Marshal(&rows[i])
		var a, o any
		if err != nil || json.Unmarshal(theirs, &a) != nil || json.Unmarshal(e.Append(nil, encs[i]), &o) != nil || !reflect.DeepEqual(a, o) {
			b.Fatalf("%s is not %s", e.Append(nil, encs[i]), theirs)
		}
	}
	buf := make([]byte, 0, 4096)
	ours := func() {
		for _, enc := range encs {
			buf = e.Append(buf[:0], enc)
		}
	}
	marshal := func() {
		for i := range rows {
			_, err := json.Marshal(&rows[i])
			note(err)
		}
	}
	b.Run("struct", func(b *testing.B) { race(b, benchRows, marshal, ours) })
	b.Run("encoder", func(b *testing.B) {
		var out bytes.Buffer
		enc := json.NewEncoder(&out)
		race(b, benchRows, func() {
			for i := range rows {
				out.Reset()
				note(enc.Encode(&rows[i]))
			}
		}, ours)
	})
	b.Run("stored", func(b *testing.B) {
		race(b, benchRows, func() {
			for _, enc := range encs {
				var v T
				_, err := Decode(enc, &v)
				note(err)
				_, err = json.Marshal(&v)
				note(err)
			}
		}, ours)
	})
	b.Run("checked", func(b *testing.B) {
		race(b, benchRows, marshal, func() {
			for _, enc := range encs {
				var err error
				buf, _, err = AppendJSON(buf[:0], nil, typ, enc, FlavorNamed)
				note(err)
			}
		})
	})
}

// BenchmarkJSONIn compares the way from JSON text to a row in BSATN with json.Unmarshal into a Go struct.
func BenchmarkJSONIn(b *testing.B) {
	b.Run("narrow", func(b *testing.B) { benchJSONIn(b, jsonNarrows()) })
	b.Run("wide", func(b *testing.B) { benchJSONIn(b, jsonWides()) })
	b.Run("strings", func(b *testing.B) { benchJSONIn(b, jsonTexts()) })
	b.Run("lists", func(b *testing.B) { benchJSONIn(b, jsonLists()) })
}

func benchJSONIn[T any](b *testing.B, rows []T) {
	typ, err := TypeOf[T]()
	if err != nil {
		b.Fatal(err)
	}
	texts := make([][]byte, len(rows))
	for i := range rows {
		if texts[i], _, err = AppendJSON(nil, nil, typ, Append(nil, &rows[i]), FlavorNamed); err != nil {
			b.Fatal(err)
		}
	}
	buf := make([]byte, 0, 4096)
	race(b, benchRows, func() {
		for _, text := range texts {
			var v T
			note(json.Unmarshal(text, &v))
		}
	}, func() {
		for _, text := range texts {
			var err error
			buf, err = ParseJSON(buf[:0], nil, typ, text)
			note(err)
		}
	})
}
