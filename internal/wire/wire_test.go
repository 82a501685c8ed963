package wire

import (
	"bytes"
	"runtime"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/sats"
	"pgregory.net/rapid"
)

func TestNegotiate(t *testing.T) {
	const v1j, v1, v2, v3 = "v1.json.spacetimedb", "v1.bsatn.spacetimedb", "v2.bsatn.spacetimedb", "v3.bsatn.spacetimedb"
	for _, tt := range []struct {
		offer []string
		want  Protocol
		ok    bool
	}{
		{[]string{v3 + ", " + v2}, V3, true},
		{[]string{v2 + "," + v3}, V3, true},
		{[]string{v2 + "," + v1}, V2, true},
		{[]string{v1j, v1}, V1Binary, true},
		{[]string{" " + v1j + " "}, V1JSON, true},
		{[]string{"V2.bsatn.spacetimedb"}, 0, false},
		{nil, 0, false},
	} {
		if got, ok := Negotiate(tt.offer); got != tt.want || ok != tt.ok {
			t.Errorf("%q: %v, %v", tt.offer, got, ok)
		}
	}
}

func TestRowListHints(t *testing.T) {
	spec.Covers(t, "05.13", "01.48")
	long := bytes.Repeat([]byte{7}, 70000)
	for _, tt := range []struct {
		name string
		rows [][]byte
		tag  byte
	}{
		{"empty", nil, 1},
		{"equal", [][]byte{{1, 2}, {3, 4}}, 0},
		{"one", [][]byte{{1, 2, 3}}, 0},
		{"mixed", [][]byte{{1, 2}, {3}}, 1},
		{"no bytes", [][]byte{{}, {}}, 1},
		{"too long", [][]byte{long, long}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var l RowList
			for _, r := range tt.rows {
				l.Add(r)
			}
			b := l.Append(nil)
			if b[0] != tt.tag {
				t.Errorf("hint %d, want %d", b[0], tt.tag)
			}
			checkRows(t, b, tt.rows)
		})
	}
	var empty RowList
	if got := empty.Append(nil); !bytes.Equal(got, []byte{1, 0, 0, 0, 0, 0, 0, 0, 0}) {
		t.Errorf("empty list %x", got)
	}
}

func checkRows(t rapid.TB, b []byte, rows [][]byte) {
	r := sats.NewReader(b)
	l := ReadRowList(r)
	if r.Err() != nil || r.Len() != 0 || l.Len() != len(rows) {
		t.Fatalf("%v, %d bytes left, %d rows of %d", r.Err(), r.Len(), l.Len(), len(rows))
	}
	for i, want := range rows {
		if !bytes.Equal(l.At(i), want) {
			t.Errorf("row %d is %x, want %x", i, l.At(i), want)
		}
	}
}

func TestRowListProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := rapid.SliceOf(rapid.SliceOfN(rapid.Byte(), 0, 3)).Draw(t, "rows")
		var l RowList
		for range 2 { // a list that was reset is as good as new
			l.Reset()
			for _, r := range rows {
				l.Add(r)
			}
		}
		checkRows(t, l.Append(nil), rows)
	})
}

func TestReadRowListRefuses(t *testing.T) {
	for name, b := range map[string][]byte{
		"size zero":       {0, 0, 0, 0, 0, 0, 0},
		"not a multiple":  {0, 2, 0, 3, 0, 0, 0, 1, 2, 3},
		"absurd count":    {1, 0xff, 0xff, 0xff, 0xff},
		"offset too big":  {1, 1, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 5},
		"offsets descend": {1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0},
		"first not zero":  {1, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 5},
	} {
		r := sats.NewReader(b)
		if l := ReadRowList(r); r.Err() == nil {
			t.Errorf("%s: read %d rows", name, l.Len())
		}
	}
}

func TestEnvelope(t *testing.T) {
	spec.Covers(t, "05.9")
	for _, tt := range []struct {
		size int
		c    Compression
		tag  byte
	}{
		{1024, CompressGzip, tagPlain},
		{1025, CompressGzip, tagGzip},
		{1024, CompressBrotli, tagPlain},
		{1025, CompressBrotli, tagBrotli},
		{3 << 20, CompressBrotli, tagBrotli},
		{1025, CompressNone, tagPlain},
		{1 << 20, CompressNone, tagPlain},
	} {
		body := bytes.Repeat([]byte("row "), tt.size/4+1)[:tt.size]
		frame := AppendEnvelope(nil, body, tt.c)
		if frame[0] != tt.tag {
			t.Errorf("%d bytes, %v: tag %d, want %d", tt.size, tt.c, frame[0], tt.tag)
		}
		if got, err := OpenEnvelope(frame, tt.size); err != nil || !bytes.Equal(got, body) {
			t.Errorf("%d bytes, %v: does not come back: %v", tt.size, tt.c, err)
		}
		if _, err := OpenEnvelope(frame, tt.size-1); err == nil {
			t.Errorf("%d bytes, %v: a smaller limit does not refuse it", tt.size, tt.c)
		}
	}
	for name, frame := range map[string][]byte{
		"empty": {}, "unknown tag": {9}, "not gzip": {tagGzip, 1, 2}, "not brotli": {tagBrotli, 0xff, 0xff, 0xff},
		"no brotli stream": {tagBrotli}, "half a brotli stream": AppendEnvelope(nil, make([]byte, 5000), CompressBrotli)[:10],
	} {
		if _, err := OpenEnvelope(frame, 1<<16); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// A few bytes that decompress to very many cost no more than the limit.
func TestDecompressionIsBounded(t *testing.T) {
	for name, c := range map[string]Compression{"gzip": CompressGzip, "brotli": CompressBrotli} {
		bomb := AppendEnvelope(nil, make([]byte, 64<<20), c)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := OpenEnvelope(bomb, 1<<20)
		runtime.ReadMemStats(&after)
		if err == nil || !strings.Contains(err.Error(), "more than 1048576 bytes") {
			t.Errorf("%s: %v", name, err)
		}
		if got := after.TotalAlloc - before.TotalAlloc; got > 64<<20 { // windows are up to 16 MiB
			t.Errorf("%s: %d bytes allocated for a message of %d", name, got, len(bomb))
		}
	}
}

// What either compressor makes of any body comes back, also when the compressor has
// been used before.
func TestCompressionProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 1, 40), 1, 20).Draw(t, "words")
		var body []byte
		for _, i := range rapid.SliceOfN(rapid.IntRange(0, len(words)-1), 1, 4000).Draw(t, "order") {
			body = append(body, words[i]...)
		}
		for _, c := range []Compression{CompressBrotli, CompressGzip} {
			got, err := OpenEnvelope(AppendEnvelope([]byte("before"), body, c)[len("before"):], len(body))
			if err != nil || !bytes.Equal(got, body) {
				t.Fatalf("%v: %d bytes do not come back: %v", c, len(body), err)
			}
		}
	})
}

func TestSharedCompressesOnce(t *testing.T) {
	body := bytes.Repeat([]byte("row "), 1000)
	var s Shared
	for _, c := range []Compression{CompressBrotli, CompressGzip} {
		first := s.Envelope(body, c)
		if !bytes.Equal(first, AppendEnvelope(nil, body, c)) {
			t.Errorf("%v: another envelope than the client's own", c)
		}
		if n := testing.AllocsPerRun(10, func() {
			if again := s.Envelope(body, c); &again[0] != &first[0] {
				t.Errorf("%v: compressed again", c)
			}
		}); n != 0 {
			t.Errorf("%v: %v allocations for an envelope that is there", c, n)
		}
	}
}

func FuzzOpenEnvelope(f *testing.F) {
	body := bytes.Repeat([]byte("some row "), 300)
	for _, c := range []Compression{CompressNone, CompressBrotli, CompressGzip} {
		f.Add(AppendEnvelope(nil, body, c))
	}
	f.Add([]byte{})
	f.Add([]byte{tagBrotli, 0x3b})
	f.Fuzz(func(t *testing.T, payload []byte) {
		const limit = 1 << 16
		body, err := OpenEnvelope(payload, limit)
		if err == nil && len(body) > limit {
			t.Fatalf("%d bytes", len(body))
		}
	})
}

func TestRowListAllocs(t *testing.T) {
	var l RowList
	row, out := make([]byte, 40), make([]byte, 0, 1<<12)
	if n := testing.AllocsPerRun(100, func() {
		l.Reset()
		for range 50 {
			l.Add(row)
		}
		out = l.Append(out[:0])
	}); n != 0 {
		t.Errorf("%v allocations for a list of 50 rows", n)
	}
}

// Rows that were read are written and read again as the same rows.
func FuzzReadRowList(f *testing.F) {
	for _, rows := range [][]string{{}, {"ab", "cd"}, {"a", "bcd", ""}, {"", ""}} {
		var l RowList
		for _, r := range rows {
			l.Add([]byte(r))
		}
		f.Add(l.Append(nil))
	}
	f.Add([]byte{1, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		r := sats.NewReader(b)
		l := ReadRowList(r)
		if r.Err() != nil {
			return
		}
		r = sats.NewReader(l.Append(nil))
		again := ReadRowList(r)
		if r.Err() != nil || again.Len() != l.Len() {
			t.Fatalf("%d rows became %d: %v", l.Len(), again.Len(), r.Err())
		}
		for i := range l.Len() {
			if !bytes.Equal(again.At(i), l.At(i)) {
				t.Fatalf("row %d changed", i)
			}
		}
	})
}
