package pgwire

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/sats"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The transcript of spec 06 §7.5.
func TestTranscript(t *testing.T) {
	spec.Covers(t, "06.54")
	in := NewReader(bytes.NewReader(unhex(t, "00000036000300007573657200616e79006461746162617365006d792d646200636c69656e745f656e636f64696e6700555446380000"+
		"700000000a544f4b454e00"+"510000001473656c656374202a2066726f6d207400")))
	start, err := in.Startup()
	if err != nil || start.Major() != 3 || start.Minor() != 0 {
		t.Fatalf("%+v, %v", start, err)
	}
	for name, want := range map[string]string{"user": "any", "database": "my-db", "client_encoding": "UTF8"} {
		if got, ok := start.Param(name); !ok || got != want {
			t.Errorf("%s is %q", name, got)
		}
	}
	for _, want := range []Message{{TypePassword, []byte("TOKEN\x00")}, {TypeQuery, []byte("select * from t\x00")}} {
		m, err := in.Message(MaxMessage)
		if err != nil || m.Type != want.Type || !bytes.Equal(m.Body, want.Body) {
			t.Fatalf("%+v, %v", m, err)
		}
		if text, err := DecodeText(m.Body); err != nil || text+"\x00" != string(want.Body) {
			t.Errorf("%q, %v", text, err)
		}
	}
	if _, err := in.Message(MaxMessage); err != io.EOF {
		t.Errorf("at the end: %v", err)
	}

	row := sats.Product(sats.E("id", sats.U32), sats.E("name", sats.String), sats.E("owner", sats.Array(sats.U8)), sats.E("opt", sats.Option(sats.I32)), sats.E("ok", sats.Bool))
	e, err := NewRowEncoder(row, nil, nil, StyleOriginal)
	if err != nil {
		t.Fatal(err)
	}
	value := sats.AppendBytes(sats.AppendString(sats.AppendU32(nil, 7), "alice"), []byte{0xc2, 0})
	value = sats.AppendBool(append(sats.AppendSome(value), 1, 0, 0, 0), true)
	data, err := e.Append(nil, value)
	if err != nil {
		t.Fatal(err)
	}
	for name, pair := range map[string][2]string{
		"password?": {string(AppendAuth(nil, AuthPassword)), "520000000800000003"},
		"ok":        {string(AppendAuth(nil, AuthOK)), "520000000800000000"},
		"parameter": {string(AppendParameter(nil, "server_version", "spacetime 2.8.3")), "53000000237365727665725f76657273696f6e00737061636574696d6520322e382e3300"},
		"key":       {string(AppendKey(nil, 0, 0)), "4b0000000c0000000000000000"},
		"ready":     {string(AppendReady(nil)), "5a0000000549"},
		"columns":   {string(AppendRowDescription(nil, e.Columns)), "540000007500056964000000000000000000001400000000000000006e616d65000000000000000000041300000000000000006f776e6572000000000000000000001100000000000000006f7074000000000000000000007200000000000000006f6b00000000000000000000100000000000000000"},
		"row":       {string(data), "44000000320005 0000000137 00000005616c696365 000000065c7863323030 0000000b7b22736f6d65223a20317d 0000000174"},
		"complete":  {string(AppendComplete(nil, "SELECT 1")), "430000000d53454c454354203100"},
		"updated":   {string(AppendComplete(nil, "updated: 1, server: 1.72ms")), "430000001f757064617465643a20312c207365727665723a20312e37326d7300"},
		"error": {string(AppendError(nil, &Error{Severity: "ERROR", Code: "XX000", Message: "(Sql) no such table: `nope`. If the table exists, it may be marked private."})),
			"4500000060534552524f5200435858303030004d2853716c29206e6f2073756368207461626c653a20606e6f7065602e20496620746865207461626c65206578697374732c206974206d6179206265206d61726b656420707269766174652e0000"},
	} {
		if want := unhex(t, pair[1]); pair[0] != string(want) {
			t.Errorf("%s: %x, want %x", name, pair[0], want)
		}
	}
}

var (
	gray   = sats.Sum(sats.E("Gray", sats.U8), sats.E("Rgb", sats.Unit))
	color  = sats.Enum("Red", "Green")
	u64Max = bytes.Repeat([]byte{0xff}, 8)
)

func str(s string) []byte { return sats.AppendString(nil, s) }

func cat(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// Types and texts of spec 06 §7.3 and §7.4; postgres is the text of the extended
// protocol where it is another.
var values = []struct {
	t        *sats.Type
	oid      uint32
	bsatn    []byte
	text     string
	postgres string
}{
	{sats.Bool, 16, []byte{1}, "t", ""},
	{sats.Bool, 16, []byte{0}, "f", ""},
	{sats.U8, 21, []byte{255}, "255", ""},
	{sats.I8, 21, []byte{255}, "-1", ""},
	{sats.I16, 21, []byte{0, 0x80}, "-32768", ""},
	{sats.U16, 23, []byte{255, 255}, "65535", ""},
	{sats.I32, 23, []byte{0, 0, 0, 0x80}, "-2147483648", ""},
	{sats.U32, 20, []byte{255, 255, 255, 255}, "4294967295", ""},
	{sats.I64, 20, u64Max, "-1", ""},
	{sats.U64, 1700, u64Max, "18446744073709551615", ""},
	{sats.I128Type, 1700, cat(u64Max, u64Max), "-1", ""},
	{sats.U128Type, 1700, cat(u64Max, u64Max), "340282366920938463463374607431768211455", ""},
	{sats.I256Type, 1700, append(bytes.Repeat([]byte{0}, 31), 0x80), "-57896044618658097711785492504343953926634992332820282019728792003956564819968", ""},
	{sats.U256Type, 1700, bytes.Repeat([]byte{0xff}, 32), "115792089237316195423570985008687907853269984665640564039457584007913129639935", ""},
	{sats.F32, 700, sats.AppendF32(nil, 12.34), "12.34", ""},
	{sats.F64, 701, sats.AppendF64(nil, 1e20), "100000000000000000000", ""},
	{sats.F64, 701, sats.AppendF64(nil, math.Inf(1)), "inf", "Infinity"},
	{sats.F64, 701, sats.AppendF64(nil, math.Inf(-1)), "-inf", "-Infinity"},
	{sats.F32, 700, sats.AppendF32(nil, float32(math.NaN())), "NaN", ""},
	{sats.String, 1043, str("a\"\\\n"), "a\"\\\n", ""},
	{sats.Array(sats.U8), 17, sats.AppendBytes(nil, []byte("test")), `\x74657374`, ""},
	{sats.IdentityType, 17, append([]byte{0x2a}, make([]byte, 31)...), `\x` + strings.Repeat("0", 62) + "2a", ""},
	{sats.ConnectionIDType, 17, append([]byte{0x2a}, make([]byte, 15)...), `\x` + strings.Repeat("0", 30) + "2a", ""},
	{sats.TimestampType, 1114, sats.AppendI64(nil, 1622545800000), "1970-01-19T18:42:25.800+00:00", "1970-01-19 18:42:25.8"},
	{sats.TimestampType, 1114, sats.AppendI64(nil, 1), "1970-01-01T00:00:00.000001+00:00", "1970-01-01 00:00:00.000001"},
	{sats.TimestampType, 1114, sats.AppendI64(nil, 0), "1970-01-01T00:00:00+00:00", "1970-01-01 00:00:00"},
	{sats.TimestampType, 1114, sats.AppendI64(nil, -62167219200000000-1), "-0001-12-31T23:59:59.999999+00:00", "0002-12-31 23:59:59.999999 BC"},
	{sats.TimeDurationType, 1186, sats.AppendI64(nil, 0), "P0D", "00:00:00"},
	{sats.TimeDurationType, 1186, sats.AppendI64(nil, -1_500_000), "-PT1.5S", "-00:00:01.5"},
	{sats.TimeDurationType, 1186, sats.AppendI64(nil, 90_061_000_001), "PT90061.000001S", "25:01:01.000001"},
	{sats.TimeDurationType, 1186, sats.AppendI64(nil, math.MinInt64), "-PT9223372036854.775808S", "-2562047788:00:54.775808"},
	{sats.UuidType, 2950, []byte{0xff, 0xee, 0xdd, 0xcc, 0xbb, 0xaa, 0x99, 0x88, 0x77, 0x46, 0x55, 0x44, 0x33, 0x22, 0x11, 0x00}, "00112233-4455-4677-8899-aabbccddeeff", ""},
	{color, 3500, []byte{1}, "Green", ""},
	{gray, 114, []byte{0, 1}, `{"Gray": 1}`, ""},
	{gray, 114, []byte{1}, `{"Rgb": {}}`, ""},
	{sats.Option(sats.I64), 114, sats.AppendI64(sats.AppendSome(nil), 1), `{"some": 1}`, ""},
	{sats.Option(sats.I64), 114, sats.AppendNone(nil), `{"none": {}}`, ""},
	{sats.Result(sats.U8, sats.String), 114, []byte{0, 1}, `{"ok": 1}`, ""},
	{sats.Result(sats.U8, sats.String), 114, cat([]byte{1}, str("error")), `{"err": "error"}`, ""},
	{sats.Option(gray), 114, []byte{0, 0, 2}, `{"some": {"Gray": 2}}`, ""},
	{sats.Product(sats.E("x", sats.Product(sats.Unnamed(gray), sats.Unnamed(sats.Option(gray)))), sats.E("y", sats.String)), 114,
		cat([]byte{0, 1, 0, 0, 2}, str("a")), `{"x": {"col_0": {"Gray": 1}, "col_1": {"some": {"Gray": 2}}}, "y": "a"}`, ""},
	{sats.Product(sats.E("q\"", sats.String), sats.E("f", sats.F64)), 114, cat(str("say \"hi\"\n"), sats.AppendF64(nil, math.Inf(1))), `{"q\"": "say \"hi\"\n", "f": "inf"}`, ""},
	{sats.Unit, 114, nil, "{}", ""},
	{sats.ScheduleAtType, 114, sats.AppendI64([]byte{0}, 250_000), `{"Interval": {"__time_duration_micros__": "PT0.25S"}}`, ""},
	{sats.ScheduleAtType, 114, sats.AppendI64([]byte{1}, 0), `{"Time": {"__timestamp_micros_since_unix_epoch__": "1970-01-01T00:00:00+00:00"}}`, ""},
	{sats.Array(sats.String), 1015, cat([]byte{3, 0, 0, 0}, str(`a"b`), str(`\`), str("")), `{"a\"b","\\",""}`, ""},
	{sats.Array(sats.String), 1015, []byte{0, 0, 0, 0}, "{}", ""},
	{sats.Array(sats.Bool), 1000, []byte{2, 0, 0, 0, 1, 0}, "{t,f}", ""},
	{sats.Array(sats.I8), 1005, []byte{2, 0, 0, 0, 1, 255}, "{1,-1}", ""},
	{sats.Array(sats.I16), 1005, []byte{1, 0, 0, 0, 1, 0}, "{1}", ""},
	{sats.Array(sats.U16), 1007, []byte{1, 0, 0, 0, 1, 0}, "{1}", ""},
	{sats.Array(sats.I32), 1007, []byte{1, 0, 0, 0, 1, 0, 0, 0}, "{1}", ""},
	{sats.Array(sats.U32), 1016, []byte{1, 0, 0, 0, 1, 0, 0, 0}, "{1}", ""},
	{sats.Array(sats.I64), 1016, cat([]byte{1, 0, 0, 0}, u64Max), "{-1}", ""},
	{sats.Array(sats.U64), 1231, cat([]byte{1, 0, 0, 0}, u64Max), "{18446744073709551615}", ""},
	{sats.Array(sats.I256Type), 1231, cat([]byte{1, 0, 0, 0}, bytes.Repeat([]byte{0xff}, 32)), "{-1}", ""},
	{sats.Array(sats.F64), 2277, cat([]byte{2, 0, 0, 0}, sats.AppendF64(nil, 1.5), sats.AppendF64(nil, 2)), "[1.5, 2]", ""},
	{sats.Array(sats.Array(sats.U8)), 2277, []byte{1, 0, 0, 0, 1, 0, 0, 0, 9}, `["0x09"]`, ""},
	{sats.Array(color), 2277, []byte{1, 0, 0, 0, 1}, `[{"Green": {}}]`, ""},
	{sats.Array(sats.IdentityType), 2277, []byte{0, 0, 0, 0}, "[]", ""},
	{sats.Sum(), 114, nil, "", ""},
	{sats.Ref(0), 705, nil, "", ""},
}

func TestValues(t *testing.T) {
	spec.Covers(t, "06.57")
	for _, v := range values {
		if got := OID(v.t); got != v.oid {
			t.Errorf("%s is %d, want %d", v.t, got, v.oid)
		}
		if v.text == "" {
			continue
		}
		for _, style := range []Style{StyleOriginal, StylePostgres} {
			want := v.text
			if style == StylePostgres && v.postgres != "" {
				want = v.postgres
			}
			if got := one(t, v.t, v.bsatn, FormatText, style); string(got) != want {
				t.Errorf("%s: %s, want %s", v.t, got, want)
			}
		}
		if v.oid == oidJSON && !json.Valid([]byte(v.text)) {
			t.Errorf("%s is no JSON", v.text)
		}
		one(t, v.t, v.bsatn, FormatBinary, StylePostgres)
	}
}

// one writes one value as the only column of a row.
func one(t testing.TB, typ *sats.Type, bsatn []byte, format int, style Style) []byte {
	t.Helper()
	e, err := NewRowEncoder(sats.Product(sats.Unnamed(typ)), nil, []int{format}, style)
	if err != nil {
		t.Fatal(err)
	}
	if e.Columns[0].Name != "col_0" {
		t.Errorf("an unnamed column is called %s", e.Columns[0].Name)
	}
	b, err := e.Append([]byte("before"), bsatn)
	if err != nil {
		t.Fatalf("%s: %v", typ, err)
	}
	b = b[len("before"):]
	if b[0] != 'D' || int(binary.BigEndian.Uint32(b[1:])) != len(b)-1 || int(binary.BigEndian.Uint32(b[7:])) != len(b)-11 {
		t.Fatalf("%s: %x", typ, b)
	}
	return b[11:]
}

// What is binary comes back as a parameter.
func TestBinaryValues(t *testing.T) {
	for _, v := range values {
		switch {
		case v.text == "" || v.oid == oidJSON || v.oid == oidAnyarray || v.oid == oidAnyenum:
			continue
		}
		want := v.text
		switch {
		case v.oid == oidBool:
			want = map[string]string{"t": "true", "f": "false"}[want]
		case v.oid == oidBytea:
			want = "0x" + want[2:]
		case v.oid == oidTimestamp:
			want = sats.Timestamp(int64(binary.LittleEndian.Uint64(v.bsatn))).String()
		case v.oid == oidInterval:
			want = sats.TimeDuration(int64(binary.LittleEndian.Uint64(v.bsatn))).String()
		case v.text == "inf" || v.text == "-inf":
			want = strings.Replace(v.text, "inf", "Inf", 1)
			if want[0] != '-' {
				want = "+" + want
			}
		case v.text == "100000000000000000000":
			want = "1e+20"
		case v.oid == oidVarchars:
			want = `["a\"b","\\",""]`
			if v.text == "{}" {
				want = "[]"
			}
		case v.oid == oidBools:
			want = "[true,false]"
		case strings.HasPrefix(v.text, "{"):
			want = "[" + strings.Trim(v.text, "{}") + "]"
		}
		if v.t.Kind == sats.KindProduct && binary.LittleEndian.Uint64(v.bsatn) == 1<<63 {
			continue // an interval whose sum may not fit
		}
		b := one(t, v.t, v.bsatn, FormatBinary, StylePostgres)
		got, err := ParamText(v.oid, FormatBinary, b)
		if err != nil || got != want {
			t.Errorf("%s %s: %x is %s, %v; want %s", v.t, v.text, b, got, err, want)
		}
	}
}

func TestNumeric(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		digits := rapid.StringMatching(`[1-9][0-9]{0,77}`).Draw(t, "digits")
		if rapid.Bool().Draw(t, "zeros") {
			digits += strings.Repeat("0", rapid.IntRange(1, 20).Draw(t, "n"))
		}
		if rapid.Bool().Draw(t, "negative") {
			digits = "-" + digits
		}
		b := appendNumeric(nil, []byte(digits))
		got, err := ParamText(oidNumeric, FormatBinary, b)
		if err != nil || got != digits {
			t.Fatalf("%s is %s, %v", digits, got, err)
		}
	})
	for text, b := range map[string]string{
		"0":          "0000 0000 0000 0000",
		"15000e-4":   "0002 0000 0000 0001 0001 1388",
		"-5e-4":      "0001 ffff 4000 0004 0005",
		"NaN":        "0000 0000 c000 0000",
		"Infinity":   "0000 0000 d000 0000",
		"1234567800": "0003 0002 0000 0000 000c 0d80 1e78",
	} {
		raw := unhex(t, b)
		if got, err := ParamText(oidNumeric, FormatBinary, raw); err != nil || got != text {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
}

func TestTextParameters(t *testing.T) {
	for _, c := range []struct {
		oid        uint32
		text, want string
	}{
		{oidText, "a{b", "a{b"}, {oidBytea, `\x00ff`, "0x00ff"}, {oidBytea, "00ff", "00ff"},
		{oidTimestamp, "2021-06-01 11:10:00.5", "2021-06-01 11:10:00.5Z"}, {oidTimestamp, "2021-06-01T11:10:00Z", "2021-06-01T11:10:00Z"},
		{oidTimestamp, "2021-06-01T11:10:00.123+02:00", "2021-06-01T11:10:00.123+02:00"}, {oidTimestamp, "2021-06-01 11:10:00+00", "2021-06-01 11:10:00+00:00"},
		{oidTimestamp, "2021-06-01 11:10:00-0130", "2021-06-01 11:10:00-01:30"}, {oidTimestamp, "2021-06-01", "2021-06-01T00:00:00Z"}, {oidTimestamp, "now", "now"},
		{oidInterval, "25:01:01.000001", "90061.000001"}, {oidInterval, "-00:00:01.5", "-1.5"}, {oidInterval, "PT1S", "PT1S"}, {oidInterval, "1:99:00", "1:99:00"},
		{oidInt4s, "{1,-2,3}", "[1,-2,3]"}, {oidInt4s, "{}", "[]"}, {oidBools, "{t,f,true}", "[true,false,true]"},
		{oidVarchars, `{a,"b,\"c\"","\\"}`, `["a","b,\"c\"","\\"]`}, {oidVarchars, `["a"]`, `["a"]`},
	} {
		if got, err := ParamText(c.oid, FormatText, []byte(c.text)); err != nil || got != c.want {
			t.Errorf("%d %s: %s, %v; want %s", c.oid, c.text, got, err, c.want)
		}
	}
	for oid, bad := range map[uint32][]string{
		oidInt4s: {"{1", "{1,}", "{,1}", "{{1}}", "{NULL}", `{"1}`, `{"1\`}, oidText: {"\xff"},
	} {
		for _, s := range bad {
			if got, err := ParamText(oid, FormatText, []byte(s)); err == nil {
				t.Errorf("%q is %s", s, got)
			}
		}
	}
	for oid, bad := range map[uint32]string{
		oidInt4: "00", oidBool: "", oidNumeric: "0001", oidInt2s: "00000002", oidInterval: "00000000000000000000000000000001", oidJSONB: "02", oidTimestamp: "7fffffffffffffff",
	} {
		if got, err := ParamText(oid, FormatBinary, unhex(t, bad)); err == nil {
			t.Errorf("%d %s is %s", oid, bad, got)
		}
	}
}

// A none that is stored differs from that of a LEFT JOIN without a partner (spec 07
// §34.5) where the rows tell.
func TestPartners(t *testing.T) {
	opt := sats.Option(sats.U8)
	row := sats.Product(sats.E("a", opt), sats.E("b", sats.U8), sats.E("c", opt), sats.Element{Type: sats.Bool}, sats.Element{Type: sats.Bool})
	e, err := NewRowEncoder(row, []NullForm{NullJoined, NullStored, NullJoined, NullPartner, NullPartner}, []int{0, 0, 0}, StyleOriginal)
	if err != nil || len(e.Columns) != 3 {
		t.Fatal(err, len(e.Columns))
	}
	for _, tt := range []struct {
		row  []byte
		want string
	}{
		{[]byte{1, 9, 1, 0, 0}, "0003 0000000c 7b226e6f6e65223a207b7d7d 00000001 39 0000000c 7b226e6f6e65223a207b7d7d"},
		{[]byte{1, 9, 1, 1, 0}, "0003 ffffffff 00000001 39 0000000c 7b226e6f6e65223a207b7d7d"},
		{[]byte{1, 9, 1, 0, 1}, "0003 0000000c 7b226e6f6e65223a207b7d7d 00000001 39 ffffffff"},
		{[]byte{0, 5, 9, 0, 5, 0, 0}, "0003 0000000b 7b22736f6d65223a20357d 00000001 39 0000000b 7b22736f6d65223a20357d"},
	} {
		b, err := e.Append(nil, tt.row)
		if want := unhex(t, tt.want); err != nil || !bytes.Equal(b[5:], want) {
			t.Errorf("%x: %x, %v", tt.row, b, err)
		}
	}
	for _, bad := range [][]byte{nil, {1}, {1, 9, 1, 0}, {1, 9, 1, 0, 0, 0}} {
		if b, err := e.Append([]byte("x"), bad); err == nil || string(b) != "x" {
			t.Errorf("%x: %x, %v", bad, b, err)
		}
	}
	if _, err := NewRowEncoder(row, []NullForm{NullJoined, NullStored, NullJoined, NullPartner, NullPartner}, []int{0, 0, 0, 0, 0}, StyleOriginal); err == nil {
		t.Error("five formats for three columns")
	}
}

func TestNulls(t *testing.T) {
	opt := sats.Option(sats.U8)
	row := sats.Product(sats.E("stored", opt), sats.E("computed", opt), sats.E("joined", opt), sats.E("plain", sats.U8))
	e, err := NewRowEncoder(row, []NullForm{NullStored, NullComputed, NullJoined, NullComputed}, nil, StyleOriginal)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []uint32{oidJSON, oidInt2, oidJSON, oidInt2} {
		if e.Columns[i].OID != want {
			t.Errorf("column %d is %d, want %d", i, e.Columns[i].OID, want)
		}
	}
	b, err := e.Append(nil, []byte{1, 1, 1, 9})
	if want := unhex(t, "0004 0000000c 7b226e6f6e65223a207b7d7d ffffffff ffffffff 00000001 39"); err != nil || !bytes.Equal(b[5:], want) {
		t.Errorf("%x, %v", b, err)
	}
	b, err = e.Append(nil, []byte{0, 5, 0, 5, 0, 5, 9})
	if want := unhex(t, "0004 0000000b 7b22736f6d65223a20357d 00000001 35 0000000b 7b22736f6d65223a20357d 00000001 39"); err != nil || !bytes.Equal(b[5:], want) {
		t.Errorf("%x, %v", b, err)
	}
	for _, bad := range [][]byte{nil, {1, 1, 1}, {1, 1, 1, 9, 9}, {7, 1, 1, 9}, {1, 7, 1, 9}} {
		if b, err := e.Append([]byte("x"), bad); err == nil || string(b) != "x" {
			t.Errorf("%x: %x, %v", bad, b, err)
		}
	}
	if _, err := NewRowEncoder(row, nil, []int{0, 1}, StyleOriginal); err == nil {
		t.Error("two formats for four columns")
	}
}

func TestMessages(t *testing.T) {
	p, err := DecodeParse([]byte("s\x00select $1\x00\x00\x02\x00\x00\x00\x17\x00\x00\x00\x00"))
	if err != nil || p.Name != "s" || p.SQL != "select $1" || len(p.OIDs) != 2 || p.OIDs[0] != 23 {
		t.Errorf("%+v, %v", p, err)
	}
	b, err := DecodeBind([]byte("p\x00s\x00\x00\x00\x00\x03\xff\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00\x02hi\x00\x02\x00\x00\x00\x01"))
	if err != nil || b.Portal != "p" || b.Statement != "s" || b.Params[0] != nil || b.Params[1] == nil || string(b.Params[2]) != "hi" || FormatOf(b.Results, 1) != 1 || FormatOf(b.Formats, 2) != 0 {
		t.Errorf("%+v, %v", b, err)
	}
	if e, err := DecodeExecute([]byte("p\x00\x00\x00\x00\x05")); err != nil || e.Portal != "p" || e.MaxRows != 5 {
		t.Errorf("%+v, %v", e, err)
	}
	if d, err := DecodeTarget([]byte("Sname\x00")); err != nil || d.Kind != KindStatement || d.Name != "name" {
		t.Errorf("%+v, %v", d, err)
	}
	for _, bad := range []string{"", "X\x00", "S", "Sx", "Sx\x00y"} {
		if _, err := DecodeTarget([]byte(bad)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestBounds(t *testing.T) {
	var size *SizeError
	for _, bad := range []string{"1603010005", "0000271100030000", "00000004", "00000007000300", "ffffffff00030000"} {
		if _, err := NewReader(bytes.NewReader(unhex(t, bad))).Startup(); !errors.As(err, &size) {
			t.Errorf("%s: %v", bad, err)
		}
	}
	for _, bad := range []string{"5100000003", "51ffffffff", "5100200005"} {
		if _, err := NewReader(bytes.NewReader(unhex(t, bad))).Message(MaxMessage); !errors.As(err, &size) {
			t.Errorf("%s: %v", bad, err)
		}
	}
	// What was announced and does not come takes no memory.
	announced := unhex(t, "5100200004616263")
	if n := testing.AllocsPerRun(10, func() {
		if _, err := NewReader(bytes.NewReader(announced)).Message(MaxMessage); err != io.ErrUnexpectedEOF {
			t.Fatal(err)
		}
	}); n > 10 {
		t.Errorf("%v allocations", n)
	}
	big := append(unhex(t, "5100200004"), bytes.Repeat([]byte{'x'}, MaxMessage)...)
	m, err := NewReader(bytes.NewReader(big)).Message(MaxMessage)
	if err != nil || !bytes.Equal(m.Body, big[5:]) {
		t.Errorf("%d bytes, %v", len(m.Body), err)
	}
}

func TestAllocations(t *testing.T) {
	row := sats.Product(sats.E("id", sats.U64), sats.E("name", sats.String), sats.E("at", sats.TimestampType), sats.E("f", sats.F64), sats.E("who", sats.IdentityType))
	value := cat(sats.AppendU64(nil, 1), str("alice"), sats.AppendI64(nil, 1), sats.AppendF64(nil, 1.5), make([]byte, 32))
	for _, format := range []int{FormatText, FormatBinary} {
		e, err := NewRowEncoder(row, nil, []int{format}, StyleOriginal)
		if err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 0, 1024)
		if n := testing.AllocsPerRun(100, func() { buf, _ = e.Append(buf[:0], value) }); n > 0 {
			t.Errorf("format %d: %v allocations a row", format, n)
		}
	}
}

func FuzzMessages(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x10\x00\x03\x00\x00user\x00a\x00\x00Q\x00\x00\x00\x06x\x00X\x00\x00\x00\x04"))
	f.Add([]byte("\x00\x00\x00\x08\x04\xd2\x16\x2f"))
	f.Add([]byte("\x00\x00\x00\x09\x00\x03\x00\x00\x00B\x00\x00\x00\x12\x00\x00\x00\x00\x00\x01\xff\xff\xff\xff\x00\x00P\x00\x00\x00\x08\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		in := NewReader(bytes.NewReader(data))
		if _, err := in.Startup(); err != nil {
			return
		}
		for {
			m, err := in.Message(1 << 16)
			if err != nil {
				return
			}
			_, _ = DecodeText(m.Body)
			_, _ = DecodeParse(m.Body)
			_, _ = DecodeTarget(m.Body)
			_, _ = DecodeExecute(m.Body)
			if b, err := DecodeBind(m.Body); err == nil {
				for i := range b.Params {
					FormatOf(b.Formats, i)
				}
			}
		}
	})
}

func FuzzParameters(f *testing.F) {
	f.Add(uint32(oidNumeric), 1, []byte("\x00\x02\x00\x00\x00\x00\x00\x01\x00\x01\x13\x88"))
	f.Add(uint32(oidVarchars), 0, []byte(`{a,"b"}`))
	f.Add(uint32(oidInt4s), 1, []byte("\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x17\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x04\x00\x00\x00\x05"))
	f.Add(uint32(oidInterval), 0, []byte("1:2:3.5"))
	f.Add(uint32(oidTimestamp), 0, []byte("2021-06-01 11:10:00+00"))
	f.Fuzz(func(t *testing.T, oid uint32, format int, value []byte) {
		text, err := ParamText(oid, format&1, value)
		if err == nil && len(text) > 100+8*len(value)+400 {
			t.Errorf("%d bytes of %d", len(text), len(value))
		}
	})
}
