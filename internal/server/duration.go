package server

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"strings"
	"time"
)

// units are those of humantime; a month is 30.44 days and a year 365.25.
var units = map[string]time.Duration{
	"ns": 1, "nsec": 1, "nanos": 1,
	"us": time.Microsecond, "usec": time.Microsecond, "µs": time.Microsecond,
	"ms": time.Millisecond, "msec": time.Millisecond, "millis": time.Millisecond,
	"s": time.Second, "sec": time.Second, "secs": time.Second, "second": time.Second, "seconds": time.Second,
	"m": time.Minute, "min": time.Minute, "mins": time.Minute, "minute": time.Minute, "minutes": time.Minute,
	"h": time.Hour, "hr": time.Hour, "hrs": time.Hour, "hour": time.Hour, "hours": time.Hour,
	"d": day, "day": day, "days": day,
	"w": 7 * day, "wk": 7 * day, "wks": 7 * day, "week": 7 * day, "weeks": 7 * day,
	"M": month, "month": month, "months": month,
	"y": year, "yr": year, "yrs": year, "year": year, "years": year,
}

const (
	day   = 24 * time.Hour
	month = 2_630_016 * time.Second
	year  = 31_557_600 * time.Second
)

// parseDuration reads a sum like "1m 30s" (spec 06 §5.2): whole numbers, each
// with a unit, with or without spaces.
func parseDuration(text string) (time.Duration, error) {
	rest := strings.TrimSpace(text)
	if rest == "" {
		return 0, errors.New("value was empty")
	}
	if rest == "0" {
		return 0, nil
	}
	var sum uint64
	for rest != "" {
		n, after := leading(rest, "0123456789")
		if n == "" {
			return 0, fmt.Errorf("expected number in duration `%s`", text)
		}
		after = strings.TrimLeft(after, " ")
		unit, next := leading(after, "abcdefghijklmnopqrstuvwxyzMµ")
		size, ok := units[unit]
		if !ok && unit == "" {
			return 0, fmt.Errorf("time unit needed in duration `%s`, for example %sms", text, n)
		}
		if !ok {
			return 0, fmt.Errorf("unknown time unit `%s` in duration `%s`", unit, text)
		}
		var value uint64
		if _, err := fmt.Sscan(n, &value); err != nil {
			return 0, fmt.Errorf("number is too large in duration `%s`", text)
		}
		hi, lo := bits.Mul64(value, uint64(size))
		lo, carry := bits.Add64(sum, lo, 0)
		if hi != 0 || carry != 0 || lo > math.MaxInt64 {
			return 0, fmt.Errorf("duration `%s` is too long", text)
		}
		sum, rest = lo, strings.TrimLeft(next, " ")
	}
	return time.Duration(sum), nil
}

// leading splits s after the characters of set.
func leading(s, set string) (string, string) {
	rest := strings.TrimLeft(s, set)
	return s[:len(s)-len(rest)], rest
}
