package pgwire

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/stdbgo/spacetime/sats"
)

// ParamText turns the value of a parameter into the text of an SQL literal of its
// type: the PostgreSQL type oid, in the format of the Bind message.
func ParamText(oid uint32, format int, value []byte) (string, error) {
	if format == FormatBinary {
		return binaryParam(oid, value)
	}
	if !utf8.Valid(value) {
		return "", errors.New("the text is not UTF-8")
	}
	s := string(value)
	switch oid {
	case oidBytea:
		if rest, ok := strings.CutPrefix(s, `\x`); ok {
			return "0x" + rest, nil
		}
	case oidTimestamp, oidTimestamptz, oidDate:
		return timestampText(s), nil
	case oidInterval:
		return intervalText(s), nil
	}
	if element, ok := elementOf(oid); ok && strings.HasPrefix(s, "{") {
		return arrayParam(s, element)
	}
	return s, nil
}

// timestampText completes a time that has no offset, or hours only: times are of UTC.
func timestampText(s string) string {
	clock := strings.LastIndexAny(s, ":")
	if clock < 0 {
		if len(s) == len("2006-01-02") {
			return s + "T00:00:00Z"
		}
		return s
	}
	if strings.HasSuffix(s, "Z") || strings.HasSuffix(s, "z") {
		return s
	}
	offset := strings.LastIndexAny(s, "+-")
	switch {
	case offset < len("2006-01-02"): // the hyphens of the date
		return s + "Z"
	case offset < clock: // ±hh:mm
		return s
	case len(s)-offset == len("+00"):
		return s + ":00"
	case len(s)-offset == len("+0000"):
		return s[:len(s)-2] + ":" + s[len(s)-2:]
	}
	return s
}

// intervalText turns hours, minutes and seconds into seconds; other forms are SQL's
// business.
func intervalText(s string) string {
	sign, rest := "", s
	if strings.HasPrefix(s, "-") {
		sign, rest = "-", s[1:]
	}
	parts := strings.Split(rest, ":")
	if len(parts) != 3 {
		return s
	}
	hours, err1 := strconv.ParseUint(parts[0], 10, 32)
	minutes, err2 := strconv.ParseUint(parts[1], 10, 8)
	secs, frac, _ := strings.Cut(parts[2], ".")
	seconds, err3 := strconv.ParseUint(secs, 10, 8)
	if err1 != nil || err2 != nil || err3 != nil || minutes > 59 || seconds > 59 {
		return s
	}
	out := sign + strconv.FormatUint(3600*hours+60*minutes+seconds, 10)
	if frac != "" {
		out += "." + frac
	}
	return out
}

// arrayParam turns {1,2} into the JSON that SQL reads.
func arrayParam(s string, element uint32) (string, error) {
	bad := fmt.Errorf("%q is not an array of one dimension", s)
	if len(s) < 2 || s[len(s)-1] != '}' {
		return "", bad
	}
	in := s[1 : len(s)-1]
	out := []byte{'['}
	for first := true; in != ""; first = false {
		if !first {
			if in[0] != ',' || len(in) == 1 {
				return "", bad
			}
			in, out = in[1:], append(out, ',')
		}
		var item string
		var ok bool
		if item, in, ok = arrayItem(in); !ok {
			return "", bad
		}
		switch {
		case element == oidVarchar:
			out = sats.AppendJSONString(out, item)
		case element == oidBool && (item == "t" || item == "true"):
			out = append(out, "true"...)
		case element == oidBool && (item == "f" || item == "false"):
			out = append(out, "false"...)
		default:
			out = append(out, item...)
		}
	}
	return string(append(out, ']')), nil
}

// arrayItem takes one element off an array's text.
func arrayItem(in string) (item, rest string, ok bool) {
	if in[0] != '"' {
		n := strings.IndexByte(in, ',')
		if n < 0 {
			n = len(in)
		}
		item = in[:n]
		return item, in[n:], item != "" && !strings.ContainsAny(item, `{}"\`) && !strings.EqualFold(item, "NULL")
	}
	var b strings.Builder
	for i := 1; i < len(in); i++ {
		switch in[i] {
		case '"':
			return b.String(), in[i+1:], true
		case '\\':
			if i++; i == len(in) {
				return "", "", false
			}
		}
		b.WriteByte(in[i])
	}
	return "", "", false
}

// binaryParam reads the binary form of a type.
func binaryParam(oid uint32, v []byte) (string, error) {
	size, fixed := map[uint32]int{oidBool: 1, oidInt2: 2, oidInt4: 4, oidInt8: 8, oidFloat4: 4, oidFloat8: 8,
		oidUUID: 16, oidTimestamp: 8, oidTimestamptz: 8, oidDate: 4, oidInterval: 16}[oid]
	if fixed && len(v) != size {
		return "", fmt.Errorf("%d bytes where the type has %d", len(v), size)
	}
	switch oid {
	case oidBool:
		return strconv.FormatBool(v[0] != 0), nil
	case oidInt2:
		return strconv.Itoa(int(int16(binary.BigEndian.Uint16(v)))), nil
	case oidInt4:
		return strconv.Itoa(int(int32(binary.BigEndian.Uint32(v)))), nil
	case oidInt8:
		return strconv.FormatInt(int64(binary.BigEndian.Uint64(v)), 10), nil
	case oidFloat4:
		return strconv.FormatFloat(float64(math.Float32frombits(binary.BigEndian.Uint32(v))), 'g', -1, 32), nil
	case oidFloat8:
		return strconv.FormatFloat(math.Float64frombits(binary.BigEndian.Uint64(v)), 'g', -1, 64), nil
	case oidNumeric:
		return numericParam(v)
	case oidBytea:
		return "0x" + hex.EncodeToString(v), nil
	case oidUUID:
		return sats.UuidFromBytes([16]byte(v)).String(), nil
	case oidTimestamp, oidTimestamptz:
		micros := int64(binary.BigEndian.Uint64(v))
		if micros > math.MaxInt64-epochMicros {
			return "", errors.New("the time is out of range")
		}
		return sats.Timestamp(micros + epochMicros).String(), nil
	case oidDate:
		days := int64(int32(binary.BigEndian.Uint32(v)))
		return sats.Timestamp(days*86_400_000_000 + epochMicros).String(), nil
	case oidInterval:
		return intervalParam(v)
	case oidJSONB:
		if len(v) == 0 || v[0] != 1 {
			return "", errors.New("not the known version of jsonb")
		}
		v = v[1:]
	}
	if element, ok := elementOf(oid); ok {
		return binaryArrayParam(v, element)
	}
	return ParamText(oidText, FormatText, v) // texts, JSON, names of variants
}

func intervalParam(v []byte) (string, error) {
	micros := int64(binary.BigEndian.Uint64(v))
	days, months := int64(int32(binary.BigEndian.Uint32(v[8:]))), binary.BigEndian.Uint32(v[12:])
	const day = 86_400_000_000
	if months != 0 {
		return "", errors.New("an interval with months has no fixed length")
	}
	if abs := max(days, -days); abs > math.MaxInt64/2/day || max(micros, -micros) > math.MaxInt64/2 || micros == math.MinInt64 {
		return "", errors.New("the interval is out of range")
	}
	return sats.TimeDuration(micros + days*day).String(), nil
}

func numericParam(v []byte) (string, error) {
	d := decoder{b: v}
	n, weight, sign := d.u16(), int(int16(d.u16())), d.u16()
	d.u16() // digits behind the point, for show
	if d.bad || 2*n != len(d.b) {
		return "", errors.New("malformed numeric")
	}
	switch sign {
	case 0xc000:
		return "NaN", nil
	case 0xd000:
		return "Infinity", nil
	case 0xf000:
		return "-Infinity", nil
	case 0, 0x4000:
	default:
		return "", errors.New("malformed numeric")
	}
	digits := []byte{}
	for range n {
		group := d.u16()
		if group > 9999 {
			return "", errors.New("malformed numeric")
		}
		digits = appendPadded(digits, group, 4)
	}
	out := strings.TrimLeft(string(digits), "0")
	switch exp := 4 * (weight - n + 1); {
	case out == "":
		return "0", nil
	case exp > 0 && exp < 100:
		out += strings.Repeat("0", exp)
	case exp != 0:
		out += "e" + strconv.Itoa(exp)
	}
	if sign != 0 {
		out = "-" + out
	}
	return out, nil
}

func binaryArrayParam(v []byte, element uint32) (string, error) {
	d := decoder{b: v}
	dims, nulls, oid := d.i32(), d.i32(), uint32(d.i32())
	if d.bad || dims < 0 || dims > 1 {
		return "", errors.New("only arrays of one dimension can be parameters")
	}
	if dims == 0 {
		return "[]", d.end()
	}
	n := d.i32()
	d.i32()
	if d.bad || n < 0 || 4*n > len(d.b) || nulls != 0 {
		return "", errors.New("malformed array, or one with NULL")
	}
	out := []byte{'['}
	for i := range n {
		if i > 0 {
			out = append(out, ',')
		}
		item, err := binaryParam(oid, d.take(max(d.i32(), 0)))
		if err != nil {
			return "", err
		}
		if element == oidVarchar {
			out = sats.AppendJSONString(out, item)
		} else {
			out = append(out, item...)
		}
	}
	return string(append(out, ']')), d.end()
}
