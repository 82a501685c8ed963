package server

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A lineHandler writes one compact line per record (spec 06 §5.6):
//
//	2026-01-02T03:04:05.123456Z  INFO server/run.go:12: message key=value
type lineHandler struct {
	out    *lineWriter
	level  slog.Leveler
	attrs  string // rendered, with a leading blank each
	prefix string // of groups, with a trailing point
}

// lineWriter serializes whole lines to its outputs.
type lineWriter struct {
	mu  sync.Mutex
	all []lineOutput
}

type lineOutput struct {
	w     io.Writer
	color bool
}

func (h *lineHandler) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level.Level() }

func (h *lineHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	c := *h
	var b strings.Builder
	for _, a := range attrs {
		appendAttr(&b, h.prefix, a)
	}
	c.attrs += b.String()
	return &c
}

func (h *lineHandler) WithGroup(name string) slog.Handler {
	c := *h
	if name != "" {
		c.prefix += name + "."
	}
	return &c
}

func (h *lineHandler) Handle(_ context.Context, r slog.Record) error {
	var rest strings.Builder
	rest.WriteByte(' ')
	if r.PC != 0 {
		frame, _ := runtime.CallersFrames([]uintptr{r.PC}).Next()
		rest.WriteString(sourceName(frame.File, frame.Line) + ": ")
	}
	rest.WriteString(r.Message)
	rest.WriteString(h.attrs)
	r.Attrs(func(a slog.Attr) bool {
		appendAttr(&rest, h.prefix, a)
		return true
	})
	rest.WriteByte('\n')
	return h.out.line(r.Time, r.Level, rest.String())
}

func appendAttr(b *strings.Builder, prefix string, a slog.Attr) {
	v := a.Value.Resolve()
	if v.Kind() == slog.KindGroup {
		if a.Key != "" {
			prefix += a.Key + "."
		}
		for _, g := range v.Group() {
			appendAttr(b, prefix, g)
		}
		return
	}
	text := v.String()
	if strings.ContainsAny(text, " \t\r\n\"=") || text == "" {
		text = strconv.Quote(text)
	}
	b.WriteString(" " + prefix + a.Key + "=" + text)
}

func (w *lineWriter) line(at time.Time, l slog.Level, rest string) error {
	name, color := levelName(l)
	stamp := at.UTC().Format("2006-01-02T15:04:05.000000Z")
	w.mu.Lock()
	defer w.mu.Unlock()
	var first error
	for _, o := range w.all {
		text := fmt.Sprintf("%s %5s%s", stamp, name, rest)
		if o.color {
			text = fmt.Sprintf("\x1b[2m%s\x1b[0m \x1b[%dm%5s\x1b[0m%s", stamp, color, name, rest)
		}
		if _, err := io.WriteString(o.w, text); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// Write writes a whole line as it is to all outputs.
func (w *lineWriter) Write(line []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var first error
	for _, o := range w.all {
		if _, err := o.w.Write(line); err != nil && first == nil {
			first = err
		}
	}
	return len(line), first
}

// jsonHandler writes one JSON object a line, with the members time, level, source,
// msg and those of the message.
func jsonHandler(out *lineWriter, level slog.Leveler) slog.Handler {
	return slog.NewJSONHandler(out, &slog.HandlerOptions{
		AddSource: true, Level: level,
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) > 0 {
				return a
			}
			switch v := a.Value.Any().(type) {
			case slog.Level:
				name, _ := levelName(v)
				a.Value = slog.StringValue(name)
			case *slog.Source:
				a.Value = slog.StringValue(sourceName(v.File, v.Line))
			}
			return a
		},
	})
}

// sourceName is a place in the program: its directory, file and line.
func sourceName(path string, line int) string {
	dir, file := filepath.Split(path)
	return filepath.Base(dir) + "/" + file + ":" + strconv.Itoa(line)
}

func levelName(l slog.Level) (name string, color int) {
	switch {
	case l >= slog.LevelError:
		return "ERROR", 31
	case l >= slog.LevelWarn:
		return "WARN", 33
	case l >= slog.LevelInfo:
		return "INFO", 32
	case l >= slog.LevelDebug:
		return "DEBUG", 34
	}
	return "TRACE", 35
}
