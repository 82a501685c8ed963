package abi

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/stdbgo/spacetime/sats"
)

// A timer measures a span in a module's log.
type timer struct {
	name  string
	start sats.Timestamp
}

// levelPanic is the number of the level that modules use for panics (spec 03 §5.12).
const levelPanic = 101

// Level translates a module's level number; what it does not know is Debug.
func Level(n uint8) LogLevel {
	switch {
	case n <= uint8(LogTrace):
		return LogLevel(n)
	case n == levelPanic:
		return LogPanic
	}
	return LogDebug
}

// Log writes a record into the module's log. The context adds time and function. It works in every kind of call.
func (c *Context) Log(rec LogRecord) {
	c.spend(rowOverhead + uint64(len(rec.Message))/unitsPerByte)
	rec.Time = c.svc.Now()
	rec.Function = c.call.Function
	c.svc.Log(rec)
}

// ValidText returns b as a string in which each invalid sequence is replaced by U+FFFD.
func ValidText(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	var s strings.Builder
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 {
			n = invalidPrefix(b)
		}
		s.WriteRune(r)
		b = b[n:]
	}
	return s.String()
}

// invalidPrefix is the length of the invalid sequence at the start of b: the longest prefix that could have started a
// valid one, or one byte.
func invalidPrefix(b []byte) int {
	for n := 3; n > 1; n-- {
		if n <= len(b) && incomplete(b[:n]) {
			return n
		}
	}
	return 1
}

// incomplete tells whether more continuation bytes could make a valid sequence of b.
func incomplete(b []byte) bool {
	for _, tail := range [...]string{"\x80", "\xbf", "\x80\x80", "\xbf\xbf"} {
		var buf [4]byte
		s := append(append(buf[:0], b...), tail...)
		if len(s) <= 4 {
			if r, n := utf8.DecodeRune(s); n == len(s) && r != utf8.RuneError {
				return true
			}
		}
	}
	return false
}

// TimerStart starts a timer.
func (c *Context) TimerStart(name string) uint32 {
	id := c.timers.add(timer{name, c.svc.Now()})
	if id == 0 {
		Fault("too many console timers")
	}
	c.spend(rowOverhead)
	return id
}

// TimerEnd ends a timer and logs its span.
func (c *Context) TimerEnd(id uint32) Errno {
	t, ok := c.timers.remove(id)
	if !ok {
		return ErrNoSuchConsoleTimer
	}
	elapsed := max(c.svc.Now()-t.start, 0)
	c.Log(LogRecord{Level: LogInfo, Message: "Timing span " + quote(t.name) + ": " + formatMicros(uint64(elapsed))})
	return OK
}

// quote writes s as a Rust debug string, spec 03 §5.13.
func quote(s string) string {
	b := make([]byte, 0, len(s)+2)
	b = append(b, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r == '\n':
			b = append(b, `\n`...)
		case r == '\r':
			b = append(b, `\r`...)
		case r == '\t':
			b = append(b, `\t`...)
		case r == 0:
			b = append(b, `\0`...)
		case unicode.IsPrint(r):
			b = utf8.AppendRune(b, r)
		default:
			b = append(b, `\u{`...)
			b = strconv.AppendUint(b, uint64(r), 16)
			b = append(b, '}')
		}
	}
	return string(append(b, '"'))
}

// formatMicros writes a span with the largest unit that is not above it and no useless zeros: "2.5s", "1.234ms", "12µs".
func formatMicros(us uint64) string {
	switch {
	case us >= 1_000_000:
		return decimal(us, 1_000_000, 6) + "s"
	case us >= 1000:
		return decimal(us, 1000, 3) + "ms"
	case us > 0:
		return strconv.FormatUint(us, 10) + "µs"
	}
	return "0ns"
}

func decimal(n, unit uint64, digits int) string {
	s := strconv.FormatUint(n/unit, 10)
	frac := strconv.FormatUint(n%unit, 10)
	frac = strings.TrimRight(strings.Repeat("0", digits-len(frac))+frac, "0")
	if frac == "" {
		return s
	}
	return s + "." + frac
}
