package sats

import (
	"errors"
	"math"
	"strconv"
	"time"
)

// A Timestamp is a point in time in microseconds since 1970-01-01T00:00:00Z.
type Timestamp int64

// A TimeDuration is a signed span of time in microseconds.
type TimeDuration int64

// The timestamps that have a text form (spec 01 §5.1).
const (
	MinTextTimestamp Timestamp = -8334601228800000000
	MaxTextTimestamp Timestamp = 8210266876799999999
)

// TimestampOf returns t truncated to microseconds towards the past.
func TimestampOf(t time.Time) Timestamp { return Timestamp(t.UnixMicro()) }

// ToTime returns ts as a time in UTC.
func (ts Timestamp) ToTime() time.Time { return time.UnixMicro(int64(ts)).UTC() }

// Micros returns the microseconds since the epoch.
func (ts Timestamp) Micros() int64 { return int64(ts) }

// Add returns ts+d and whether the sum fits.
func (ts Timestamp) Add(d TimeDuration) (Timestamp, bool) {
	s := ts + Timestamp(d)
	return s, (s >= ts) == (d >= 0)
}

// Sub returns ts-o and whether the difference fits.
func (ts Timestamp) Sub(o Timestamp) (TimeDuration, bool) {
	d := ts - o
	return TimeDuration(d), (d <= ts) == (o >= 0)
}

// AppendBSATN appends ts in 8 bytes, the least significant first.
func (ts Timestamp) AppendBSATN(b []byte) []byte { return AppendI64(b, int64(ts)) }

// ReadBSATN sets ts to what r reads; what is wrong stands in r.Err.
func (ts *Timestamp) ReadBSATN(r *Reader) { *ts = r.Timestamp() }

// AppendBSATN appends d in 8 bytes, the least significant first.
func (d TimeDuration) AppendBSATN(b []byte) []byte { return AppendI64(b, int64(d)) }

// ReadBSATN sets d to what r reads; what is wrong stands in r.Err.
func (d *TimeDuration) ReadBSATN(r *Reader) { *d = r.TimeDuration() }

// Timestamp reads a Timestamp: its microseconds as an I64.
func (r *Reader) Timestamp() Timestamp { return Timestamp(r.I64()) }

// TimeDuration reads a TimeDuration: its microseconds as an I64.
func (r *Reader) TimeDuration() TimeDuration { return TimeDuration(r.I64()) }

// String returns the RFC 3339 form of spec 01 §5.1, or the number of microseconds outside the range that has one.
func (ts Timestamp) String() string { return string(ts.AppendText(nil)) }

// AppendText appends the text of String.
func (ts Timestamp) AppendText(b []byte) []byte {
	if ts < MinTextTimestamp || ts > MaxTextTimestamp {
		return strconv.AppendInt(b, int64(ts), 10)
	}
	days, micros := floorDiv(int64(ts), 86400e6)
	year, month, day := civil(days)
	if year < 0 || year > 9999 {
		sign := byte('+')
		if year < 0 {
			sign, year = '-', -year
		}
		b = append(b, sign)
	}
	b = append(appendPadded(b, year, 4), '-')
	b = append(appendPadded(b, month, 2), '-')
	b = append(appendPadded(b, day, 2), 'T')
	secs := micros / 1e6
	b = append(appendPadded(b, secs/3600, 2), ':')
	b = append(appendPadded(b, secs/60%60, 2), ':')
	b = appendPadded(b, secs%60, 2)
	switch frac := micros % 1e6; {
	case frac == 0:
	case frac%1000 == 0:
		b = appendPadded(append(b, '.'), frac/1000, 3)
	default:
		b = appendPadded(append(b, '.'), frac, 6)
	}
	return append(b, "+00:00"...)
}

func floorDiv(a, b int64) (q, r int64) {
	q, r = a/b, a%b
	if r < 0 {
		q, r = q-1, r+b
	}
	return q, r
}

func appendPadded(b []byte, n int64, width int) []byte {
	limit := int64(1)
	for i := 1; i < width; i++ {
		if limit *= 10; n < limit {
			b = append(b, '0')
		}
	}
	return strconv.AppendInt(b, n, 10)
}

// civil converts days since 1970-01-01 to a date of the proleptic Gregorian calendar. Years are counted from March
// so that the leap day comes last, in eras of 400 years.
func civil(days int64) (year, month, day int64) {
	era, doe := floorDiv(days+719468, 146097)
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	day = doy - (153*mp+2)/5 + 1
	month = mp + 3
	year = yoe + era*400
	if month > 12 {
		month, year = month-12, year+1
	}
	return year, month, day
}

// daysFromCivil is the inverse of civil.
func daysFromCivil(year, month, day int64) int64 {
	if month <= 2 {
		month, year = month+12, year-1
	}
	era, yoe := floorDiv(year, 400)
	doy := (153*(month-3)+2)/5 + day - 1
	return era*146097 + yoe*365 + yoe/4 - yoe/100 + doy - 719468
}

//lint:ignore ST1005 clients know this text
var errTimestamp = errors.New("Invalid timestamp format. Expected RFC 3339 format (e.g. '2025-02-10 15:45:30').")

// ParseTimestamp parses RFC 3339 with a mandatory offset, as spec 01 §5.2 says; fractions are cut to microseconds.
func ParseTimestamp(s string) (Timestamp, error) {
	p := timeParser{s: s, ok: true}
	year := p.digits(4)
	p.expect("-")
	month := p.digits(2)
	p.expect("-")
	day := p.digits(2)
	p.expect("Tt ")
	hour := p.digits(2)
	p.expect(":")
	minute := p.digits(2)
	p.expect(":")
	second := p.digits(2)
	micros := p.fraction()
	offset := p.offset()
	if !p.ok || p.s != "" || hour > 23 || minute > 59 || second > 60 ||
		month < 1 || month > 12 || day < 1 || day > daysInMonth(year, month) {
		return 0, errTimestamp
	}
	secs := daysFromCivil(year, month, day)*86400 + hour*3600 + minute*60 + second - offset
	return Timestamp(secs*1e6 + micros), nil
}

func daysInMonth(year, month int64) int64 {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

type timeParser struct {
	s  string
	ok bool
}

func (p *timeParser) digits(n int) (v int64) {
	if len(p.s) < n {
		p.ok = false
		return 0
	}
	for i := 0; i < n; i++ {
		c := p.s[i]
		if c < '0' || c > '9' {
			p.ok = false
			return 0
		}
		v = v*10 + int64(c-'0')
	}
	p.s = p.s[n:]
	return v
}

// expect consumes one character of set.
func (p *timeParser) expect(set string) (c byte) {
	if p.s != "" {
		for i := 0; i < len(set); i++ {
			if p.s[0] == set[i] {
				p.s = p.s[1:]
				return set[i]
			}
		}
	}
	p.ok = false
	return 0
}

// fraction consumes an optional point with at least one digit and returns microseconds.
func (p *timeParser) fraction() (micros int64) {
	if p.s == "" || p.s[0] != '.' {
		return 0
	}
	n := 1
	for scale := int64(100000); n < len(p.s) && p.s[n] >= '0' && p.s[n] <= '9'; n++ {
		micros += int64(p.s[n]-'0') * scale
		scale /= 10
	}
	if n == 1 {
		p.ok = false
	}
	p.s = p.s[n:]
	return micros
}

// offset consumes Z or ±hh:mm and returns seconds east of UTC.
func (p *timeParser) offset() int64 {
	c := p.expect("Zz+-")
	if c != '+' && c != '-' {
		return 0
	}
	hour := p.digits(2)
	p.expect(":")
	minute := p.digits(2)
	if hour > 23 || minute > 59 {
		p.ok = false
	}
	if secs := hour*3600 + minute*60; c == '+' {
		return secs
	} else {
		return -secs
	}
}

// TimeDurationOf returns d truncated to microseconds towards zero.
func TimeDurationOf(d time.Duration) TimeDuration { return TimeDuration(d / time.Microsecond) }

// Duration returns d; spans beyond the range of time.Duration give its nearest value.
func (d TimeDuration) Duration() time.Duration {
	switch {
	case d > math.MaxInt64/1000:
		return math.MaxInt64
	case d < math.MinInt64/1000:
		return math.MinInt64
	}
	return time.Duration(d) * time.Microsecond
}

// Micros returns the microseconds.
func (d TimeDuration) Micros() int64 { return int64(d) }

// Abs returns the absolute value; that of the least value is the greatest.
func (d TimeDuration) Abs() TimeDuration {
	switch {
	case d == math.MinInt64:
		return math.MaxInt64
	case d < 0:
		return -d
	}
	return d
}

func (d TimeDuration) split() (neg bool, secs, micros uint64) {
	u := uint64(d)
	if d < 0 {
		u = -u
	}
	return d < 0, u / 1e6, u % 1e6
}

// String returns sign, seconds and six digits of fraction: +0.000000.
func (d TimeDuration) String() string { return string(d.AppendText(nil)) }

// AppendText appends the text of String.
func (d TimeDuration) AppendText(b []byte) []byte {
	neg, secs, micros := d.split()
	sign := byte('+')
	if neg {
		sign = '-'
	}
	b = strconv.AppendUint(append(b, sign), secs, 10)
	return appendPadded(append(b, '.'), int64(micros), 6)
}

// ISO8601 returns the form of the PostgreSQL wire: P0D, PT86400S, -PT1.5S.
func (d TimeDuration) ISO8601() string {
	if d == 0 {
		return "P0D"
	}
	neg, secs, micros := d.split()
	b := []byte("-PT")
	b = strconv.AppendUint(b, secs, 10)
	if micros != 0 {
		b = appendPadded(append(b, '.'), int64(micros), 6)
		for b[len(b)-1] == '0' {
			b = b[:len(b)-1]
		}
	}
	b = append(b, 'S')
	if !neg {
		b = b[1:]
	}
	return string(b)
}

// A ScheduleAt says when a scheduled function runs: at a time, or again and again after an interval. The zero value
// is an interval of zero.
type ScheduleAt struct {
	micros int64
	isTime bool
}

// ScheduleInterval runs every d.
func ScheduleInterval(d TimeDuration) ScheduleAt { return ScheduleAt{micros: int64(d)} }

// ScheduleTime runs once, at t.
func ScheduleTime(t Timestamp) ScheduleAt { return ScheduleAt{micros: int64(t), isTime: true} }

// IsInterval reports whether s repeats.
func (s ScheduleAt) IsInterval() bool { return !s.isTime }

// Interval returns the interval, 0 if s is a time.
func (s ScheduleAt) Interval() TimeDuration {
	if s.isTime {
		return 0
	}
	return TimeDuration(s.micros)
}

// Time returns the time, 0 if s is an interval.
func (s ScheduleAt) Time() Timestamp {
	if s.isTime {
		return Timestamp(s.micros)
	}
	return 0
}

// String returns the text of the time or the interval.
func (s ScheduleAt) String() string {
	if s.isTime {
		return Timestamp(s.micros).String()
	}
	return TimeDuration(s.micros).String()
}

// AppendBSATN appends a tag, 0 for an interval and 1 for a time, and the microseconds as an I64.
func (s ScheduleAt) AppendBSATN(b []byte) []byte { return AppendI64(AppendBool(b, s.isTime), s.micros) }

// ReadBSATN sets s to what r reads; what is wrong stands in r.Err.
func (s *ScheduleAt) ReadBSATN(r *Reader) { *s = r.ScheduleAt() }

// ScheduleAt reads a ScheduleAt.
func (r *Reader) ScheduleAt() ScheduleAt {
	isTime := r.Tag(2) == 1
	s := ScheduleAt{micros: r.I64(), isTime: isTime}
	if r.err != nil {
		return ScheduleAt{}
	}
	return s
}
