package module

import (
	"context"
	"log/slog"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"

	"github.com/stdbgo/spacetime/internal/guest"
)

// A logHandler writes records into the module's log as "message key=value". Keeping those of low level away is the
// business of whoever reads the log.
type logHandler struct {
	host   guest.Host
	groups string // "a.b." inside groups a and b
	attrs  []byte // from WithAttrs, as text
}

func (h *logHandler) Enabled(context.Context, slog.Level) bool { return true }

func (h *logHandler) Handle(_ context.Context, rec slog.Record) error {
	b := make([]byte, 0, 256)
	b = append(append(b, rec.Message...), h.attrs...)
	rec.Attrs(func(a slog.Attr) bool {
		b = appendAttr(b, h.groups, a)
		return true
	})
	at := siteOf(rec.PC)
	h.host.Log(logLevel(rec.Level), at.pkg, at.file, at.line, b)
	return nil
}

func logLevel(l slog.Level) uint32 {
	switch {
	case l >= slog.LevelError:
		return guest.LevelError
	case l >= slog.LevelWarn:
		return guest.LevelWarn
	case l >= slog.LevelInfo:
		return guest.LevelInfo
	case l >= slog.LevelDebug:
		return guest.LevelDebug
	}
	return guest.LevelTrace
}

func (h *logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	with := *h
	with.attrs = slices.Clip(with.attrs)
	for _, a := range attrs {
		with.attrs = appendAttr(with.attrs, h.groups, a)
	}
	return &with
}

func (h *logHandler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	with := *h
	with.groups += name + "."
	return &with
}

func appendAttr(b []byte, groups string, a slog.Attr) []byte {
	v := a.Value.Resolve()
	if v.Kind() == slog.KindGroup {
		if a.Key != "" {
			groups += a.Key + "."
		}
		for _, inner := range v.Group() {
			b = appendAttr(b, groups, inner)
		}
		return b
	}
	if a.Equal(slog.Attr{}) {
		return b
	}
	b = append(append(b, ' '), groups...)
	b = append(append(b, a.Key...), '=')
	text := v.String()
	if text == "" || strings.ContainsFunc(text, func(r rune) bool {
		return r == ' ' || r == '"' || r == '=' || !unicode.IsPrint(r)
	}) {
		return strconv.AppendQuote(b, text)
	}
	return append(b, text...)
}

// A site is a place in the module's source.
type site struct {
	pkg, file string
	line      uint32
}

// sites keeps what is costly to find out: a module logs from few places.
var sites struct {
	sync.Mutex
	byPC map[uintptr]site
}

func siteOf(pc uintptr) site {
	if pc == 0 {
		return site{line: guest.NoLine}
	}
	sites.Lock()
	defer sites.Unlock()
	s, ok := sites.byPC[pc]
	if !ok {
		frame, _ := runtime.CallersFrames([]uintptr{pc}).Next()
		s = site{packageOf(frame.Function), frame.File[strings.LastIndexByte(frame.File, '/')+1:], uint32(frame.Line)}
		if sites.byPC == nil {
			sites.byPC = map[uintptr]site{}
		}
		sites.byPC[pc] = s
	}
	return s
}

// packageOf returns the import path of a function like example.com/game.(*T).Tick.
func packageOf(function string) string {
	slash := strings.LastIndexByte(function, '/') + 1
	name, _, _ := strings.Cut(function[slash:], ".")
	return function[:slash] + name
}
