package sql

import (
	"math"
	"strconv"
	"strings"

	"github.com/stdbgo/spacetime/sats"
)

// Literals beyond those of the original (spec 07 §34.6): every type has one.

// parseStructured reads a string as a value of a type that has no literal of its
// own in the original.
func parseStructured(dst []byte, l *litExpr, t *sats.Type) ([]byte, bool) {
	if inner, ok := t.IsOption(); ok {
		// An option inside an option: what the outer one holds.
		out, ok := parseLiteral(sats.AppendSome(dst), l, inner)
		return out, ok
	}
	if l.kind != litString {
		return dst, false
	}
	switch t.Special() {
	case sats.SpecialTimeDuration:
		v, ok := parseDuration(l.text)
		return v.AppendBSATN(dst), ok
	case sats.SpecialScheduleAt:
		if v, ok := parseDuration(l.text); ok {
			return v.AppendBSATN(sats.AppendTag(dst, 0)), true
		}
		v, ok := parseTimestamp(l.text)
		return v.AppendBSATN(sats.AppendTag(dst, 1)), ok
	}
	switch t.Kind {
	case sats.KindSum:
		for i, v := range t.Elems {
			if v.Name.Set && v.Name.Text == l.text && v.Type.IsUnit() {
				return sats.AppendTag(dst, uint8(i)), true
			}
		}
		return parseJSON(dst, l.text, t, "{[")
	case sats.KindProduct:
		return parseJSON(dst, l.text, t, "{[")
	case sats.KindArray:
		return parseJSON(dst, l.text, t, "[")
	}
	return dst, false
}

func parseJSON(dst []byte, text string, t *sats.Type, starts string) ([]byte, bool) {
	trimmed := strings.TrimLeft(text, " \t\r\n")
	if trimmed == "" || !strings.Contains(starts, trimmed[:1]) {
		return dst, false
	}
	out, err := sats.ParseJSON(dst, &sats.Typespace{}, t, []byte(text))
	if err != nil {
		return dst, false
	}
	return out, true
}

// parseTimestamp reads RFC 3339, and years beyond four digits with a sign.
func parseTimestamp(s string) (sats.Timestamp, bool) {
	if v, err := sats.ParseTimestamp(s); err == nil {
		return v, true
	}
	if s == "" || s[0] != '+' && s[0] != '-' {
		return 0, false
	}
	year, rest, ok := strings.Cut(s[1:], "-")
	if !ok || len(year) < 4 || len(year) > 6 {
		return 0, false
	}
	y, err := strconv.Atoi(year)
	if err != nil || strings.Trim(year, "0123456789") != "" {
		return 0, false
	}
	if s[0] == '-' {
		y = -y
	}
	// The calendar repeats every 400 years: read the date in a year of four digits
	// and move it.
	const cycle, cycleMicros = 400, 146097 * 86400 * 1_000_000
	shift := (y - 2000) / cycle
	if y-2000 < 0 && (y-2000)%cycle != 0 {
		shift--
	}
	base, err := sats.ParseTimestamp(strconv.Itoa(y-shift*cycle) + "-" + rest)
	if err != nil {
		return 0, false
	}
	move := int64(shift) * cycleMicros
	if v := int64(base) + move; shift == 0 || (v > int64(base)) == (move > 0) && move/cycleMicros == int64(shift) {
		return sats.Timestamp(v), true
	}
	return 0, false
}

// parseDuration reads a span of time: seconds as they are printed (-1.5), or ISO
// 8601 without years and months (-P1DT2H3M4.5S).
func parseDuration(s string) (sats.TimeDuration, bool) {
	neg := false
	if s != "" && (s[0] == '+' || s[0] == '-') {
		neg = s[0] == '-'
		s = s[1:]
	}
	var micros uint64
	ok := false
	if strings.HasPrefix(s, "P") {
		micros, ok = isoMicros(s[1:])
	} else {
		micros, ok = secondsMicros(s, 1)
	}
	switch {
	case !ok || micros > 1<<63 || micros == 1<<63 && !neg:
		return 0, false
	case neg:
		return sats.TimeDuration(-micros), true
	}
	return sats.TimeDuration(micros), true
}

// isoMicros reads what follows P: days, then T and hours, minutes and seconds.
func isoMicros(s string) (sum uint64, ok bool) {
	units := "DHMS"
	size := []uint64{86_400, 3_600, 60, 1}
	inTime, any := false, false
	for s != "" {
		if s[0] == 'T' && !inTime {
			inTime, units, size, s = true, strings.TrimPrefix(units, "D"), size[len(size)-3:], s[1:]
			if s == "" {
				return 0, false
			}
			continue
		}
		n := strings.IndexAny(s, "DHMS")
		if n < 0 {
			return 0, false
		}
		i := strings.IndexByte(units, s[n])
		if i < 0 || (s[n] != 'D') != inTime || strings.Contains(s[:n], ".") && s[n] != 'S' {
			return 0, false
		}
		m, ok := secondsMicros(s[:n], size[i])
		if !ok || sum+m < sum {
			return 0, false
		}
		sum, any = sum+m, true
		units, size, s = units[i+1:], size[i+1:], s[n+1:]
	}
	return sum, any
}

// secondsMicros reads digits with at most six decimals, times a number of seconds.
func secondsMicros(s string, each uint64) (uint64, bool) {
	whole, frac, point := strings.Cut(s, ".")
	if whole == "" || point && frac == "" || len(frac) > 6 || strings.Trim(whole+frac, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseUint(whole, 10, 64)
	if err != nil || n > math.MaxUint64/each/2_000_000 {
		return 0, false
	}
	f, _ := strconv.ParseUint((frac + "000000")[:6], 10, 64)
	return n*each*1_000_000 + f, true
}

// floatName reads the names of floats that have no digits.
func floatName(s string) (float64, bool) {
	switch strings.ToLower(s) {
	case "nan", "-nan", "+nan":
		return math.NaN(), true
	case "inf", "infinity", "+inf", "+infinity":
		return math.Inf(1), true
	case "-inf", "-infinity":
		return math.Inf(-1), true
	}
	return 0, false
}
