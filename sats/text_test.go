package sats_test

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"math/rand/v2"
	"sort"
	"strconv"
	"testing"

	"github.com/stdbgo/spacetime/internal/spec"
	. "github.com/stdbgo/spacetime/sats"
)

type textFile struct {
	vectorHead
	TimestampFormat []struct {
		Micros  string `json:"micros"`
		RFC3339 string `json:"rfc3339"`
		Error   bool   `json:"error"`
	} `json:"timestamp_format"`
	TimestampParse []struct {
		Text   string `json:"text"`
		Micros string `json:"micros"`
		Error  bool   `json:"error"`
	} `json:"timestamp_parse"`
	DurationFormat []struct {
		Micros string `json:"micros"`
		ISO    string `json:"iso8601"`
		Text   string `json:"text"`
		NPM    string `json:"npm_2_10_1_text"`
		Note   string `json:"note"`
	} `json:"duration_format"`
	UuidParse []struct {
		Text      string `json:"text"`
		Canonical string `json:"canonical"`
		BSATN     string `json:"bsatn"`
		Error     bool   `json:"error"`
	} `json:"uuid_parse"`
	FloatText []struct {
		Bits    string `json:"f64_bits"`
		JSON    string `json:"f64_json"`
		Text    string `json:"f64_text"`
		F32JSON string `json:"as_f32_json"`
		F32Text string `json:"as_f32_text"`
	} `json:"float_text"`
	Ordering []struct {
		ID        string          `json:"id"`
		Type      json.RawMessage `json:"type"`
		Ascending []string        `json:"ascending_bsatn"`
		Equal     [][]string      `json:"equal_groups_bsatn"`
	} `json:"ordering"`
}

func loadText(t testing.TB) (f textFile) {
	t.Helper()
	load(t, "text.json", &f)
	return f
}

func micros(t *testing.T, s string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestTimestampText(t *testing.T) {
	spec.Covers(t, "01.35")
	f := loadText(t)
	for _, v := range f.TimestampFormat {
		want := v.RFC3339
		if v.Error {
			want = v.Micros
		}
		if got := Timestamp(micros(t, v.Micros)).String(); got != want {
			t.Errorf("%s: %s, want %s", v.Micros, got, want)
		}
	}
	for _, v := range f.TimestampParse {
		got, err := ParseTimestamp(v.Text)
		if (err != nil) != v.Error || err == nil && int64(got) != micros(t, v.Micros) {
			t.Errorf("%q: %d, %v, want %s", v.Text, got, err, v.Micros)
		}
	}
	for range 20000 {
		ts := Timestamp(rand.Int64())
		if rand.IntN(2) == 0 {
			ts = -ts
		}
		got := ts.ToTime()
		if back := TimestampOf(got); back != ts {
			t.Fatalf("%d becomes %d through time.Time", ts, back)
		}
		if ts < 0 || ts > 253402300799999999 {
			ts = Timestamp(rand.Int64N(253402300799999999))
		}
		if back, err := ParseTimestamp(ts.String()); err != nil || back != ts {
			t.Fatalf("%s parses as %d, %v", ts, back, err)
		}
		if want := ts.ToTime().Format("2006-01-02T15:04:05"); ts.String()[:19] != want {
			t.Fatalf("%d: %s, time.Time says %s", ts, ts, want)
		}
	}
}

func TestDurationText(t *testing.T) {
	spec.Covers(t, "01.36")
	for _, v := range loadText(t).DurationFormat {
		d := TimeDuration(micros(t, v.Micros))
		if v.Text == "" { // the original panics; the SDK's text is the one to print
			v.Text = v.NPM
		}
		if d.String() != v.Text || d.String() != v.NPM || d.ISO8601() != v.ISO {
			t.Errorf("%s: %s and %s, want %s and %s", v.Micros, d, d.ISO8601(), v.Text, v.ISO)
		}
	}
}

func TestUuidText(t *testing.T) {
	spec.Covers(t, "01.37", "01.44")
	for _, v := range loadText(t).UuidParse {
		u, err := ParseUuid(v.Text)
		if (err != nil) != v.Error {
			t.Errorf("%q: %v", v.Text, err)
			continue
		}
		if err == nil && (u.String() != v.Canonical || string(u[:]) != string(unhex(t, v.BSATN))) {
			t.Errorf("%q: %s, %x", v.Text, u, u[:])
		}
	}
}

func TestUuidGeneration(t *testing.T) {
	u, next, err := UuidV7(1686000000000, 1, [4]byte{})
	if err != nil || next != 2 || u.String() != "0000647e-5180-7000-8000-000200000000" {
		t.Errorf("got %s, %d, %v", u, next, err)
	}
	u, next, err = UuidV7(1700000000123456, 0x7fffffff, [4]byte{0xff, 1, 2, 3})
	if err != nil || next != 0 || u.String() != "018bcfe5-687b-70ff-80ff-fffe7f010203" || u.Version() != 7 {
		t.Errorf("got %s, %d, %v", u, next, err)
	}
	if _, _, err := UuidV7(-1, 0, [4]byte{}); err == nil {
		t.Error("a time before the epoch is accepted")
	}
	if got := UuidV4([16]byte{6: 0xff, 8: 0xff}); got.String() != "00000000-0000-4f00-bf00-000000000000" {
		t.Errorf("got %s", got)
	}
}

func TestFloatText(t *testing.T) {
	spec.Covers(t, "01.30", "01.31")
	for _, v := range loadText(t).FloatText {
		bits, err := strconv.ParseUint(v.Bits, 16, 64)
		if err != nil {
			t.Fatal(err)
		}
		f := math.Float64frombits(bits)
		g := float64(float32(f))
		for _, c := range []struct{ got, want string }{
			{string(AppendJSONFloat(nil, f, 64)), v.JSON}, {string(AppendFloatText(nil, f, 64)), v.Text},
			{string(AppendJSONFloat(nil, g, 32)), v.F32JSON}, {string(AppendFloatText(nil, g, 32)), v.F32Text},
		} {
			if c.got != c.want {
				t.Errorf("%s: %s, want %s", v.Bits, c.got, c.want)
			}
		}
	}
}

func TestJSONStringEscapes(t *testing.T) {
	spec.Covers(t, "01.32")
	in := "\x00\x01\b\t\n\v\f\r\x1f\"\\/<>&\x7f\u2028\u2029é🥶"
	want := `"\u0000\u0001\b\t\n\u000b\f\r\u001f\"\\/<>&` + "\x7f\u2028\u2029é🥶" + `"`
	if got := string(AppendJSONString(nil, in)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	back, err := ParseJSON(nil, nil, String, []byte(want))
	if err != nil || string(back) != string(AppendString(nil, in)) {
		t.Errorf("parsed %q, %v", back, err)
	}
}

func TestOrderingVectors(t *testing.T) {
	spec.Covers(t, "01.38", "01.39")
	for _, v := range loadText(t).Ordering {
		typ, err := ParseTypeJSON(v.Type)
		if err != nil {
			t.Fatal(err)
		}
		o := newOrderings(t, typ)
		for i, a := range v.Ascending {
			for k, b := range v.Ascending {
				o.check(v.ID, unhex(t, a), unhex(t, b), i-k)
			}
		}
		for _, group := range v.Equal {
			for _, a := range group {
				for _, b := range group {
					o.check(v.ID, unhex(t, a), unhex(t, b), 0)
				}
			}
		}
	}
}

// A reporter is what tests and property tests have in common.
type reporter interface {
	Helper()
	Errorf(format string, args ...any)
	Fatal(args ...any)
}

// orderings compares two values in every way the package offers.
type orderings struct {
	t   reporter
	typ *Type
	cmp Cmp
	w   *Walker
	key *KeyEncoder
}

func newOrderings(t reporter, typ *Type) *orderings {
	return &orderings{t: t, typ: typ, cmp: NewCompare(typ), w: NewWalker(typ), key: NewKeyEncoder([]*Type{typ})}
}

func sign(n int) int {
	switch {
	case n < 0:
		return -1
	case n > 0:
		return 1
	}
	return 0
}

func (o *orderings) check(id string, a, b []byte, want int) {
	o.t.Helper()
	va, err1 := DecodeValue(NewReader(a), nil, o.typ)
	vb, err2 := DecodeValue(NewReader(b), nil, o.typ)
	if err1 != nil || err2 != nil {
		o.t.Fatal(err1, err2)
	}
	ka, kb := string(o.key.AppendKey(nil, a)), string(o.key.AppendKey(nil, b))
	keyOrder := 0
	if ka < kb {
		keyOrder = -1
	} else if ka > kb {
		keyOrder = 1
	}
	for how, got := range map[string]int{
		"NewCompare": o.cmp(a, b), "Walker": o.w.Compare(a, b), "Compare": Compare(va, vb), "key": keyOrder,
	} {
		if sign(got) != sign(want) {
			o.t.Errorf("%s: %s of %x and %x is %d, want %d", id, how, a, b, got, sign(want))
		}
	}
	if eq := want == 0; Equal(va, vb) != eq || eq && HashValue(va) != HashValue(vb) {
		o.t.Errorf("%s: %x and %x: equal %v, hashes %x and %x", id, a, b, Equal(va, vb), HashValue(va), HashValue(vb))
	}
}

func TestFloatRowsAreDistinctByBytes(t *testing.T) {
	spec.Covers(t, "01.2", "01.40")
	for _, bits := range []uint64{0, 1 << 63, 0x7ff8000000000001, 0xfff0000000000001, 0x7ff0000000000001} {
		b := binary.LittleEndian.AppendUint64(nil, bits)
		v, err := DecodeValue(NewReader(b), nil, F64)
		if err != nil || string(AppendValue(nil, v)) != string(b) {
			t.Errorf("%x does not survive: %v", bits, v)
		}
	}
	neg, pos := AppendF64(nil, math.Copysign(0, -1)), AppendF64(nil, 0)
	if HashBytes(neg) == HashBytes(pos) {
		t.Error("rows of -0 and +0 hash alike")
	}
	if NewCompare(F64)(neg, pos) != 0 {
		t.Error("-0 and +0 differ in order")
	}
	for bits := uint32(0); bits < 1<<31; bits += 65521 * 7 {
		b := AppendU32(nil, bits|1)
		v, _ := DecodeValue(NewReader(b), nil, F32)
		if string(AppendValue(nil, v)) != string(b) {
			t.Fatalf("F32 bits %x change", bits)
		}
	}
}

func TestMinMaxBounds(t *testing.T) {
	all := []Value{MaxValue{}, U8Value(255), MinValue{}, StringValue("z"), U256{^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0)}}
	sort.Slice(all, func(i, k int) bool { return Compare(all[i], all[k]) < 0 })
	if _, ok := all[0].(MinValue); !ok {
		t.Error("MinValue is not least")
	}
	if _, ok := all[len(all)-1].(MaxValue); !ok {
		t.Error("MaxValue is not greatest")
	}
}
