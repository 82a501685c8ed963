package server

import (
	"bytes"
	"context"
	"log/slog"
	"regexp"
	"testing"
	"time"
)

func TestLogLines(t *testing.T) {
	var plain, colored bytes.Buffer
	h := &lineHandler{level: slog.LevelInfo, out: &lineWriter{all: []lineOutput{{&plain, false}, {&colored, true}}}}
	log := slog.New(h).With("database", "c200").WithGroup("job")
	log.Debug("not shown")
	log.Info("two words", "error", "a b\n", "n", 5, slog.Group("g", "x", true))
	line := regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z  INFO server/logging_test\.go:\d+: two words database=c200 job\.error="a b\\n" job\.n=5 job\.g\.x=true\n$`)
	if !line.MatchString(plain.String()) {
		t.Errorf("%q", plain.String())
	}
	if got := regexp.MustCompile(`\x1b\[\d+m`).ReplaceAllString(colored.String(), ""); got != plain.String() {
		t.Errorf("%q", colored.String())
	}
	plain.Reset()
	at := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.FixedZone("", 3600))
	for level, want := range map[slog.Level]string{slog.LevelError: "ERROR", slog.LevelWarn: " WARN", slog.LevelDebug: "DEBUG", levelTrace: "TRACE"} {
		plain.Reset()
		if err := h.Handle(context.Background(), slog.NewRecord(at, level, "m", 0)); err != nil {
			t.Fatal(err)
		}
		if got := plain.String(); got != "2026-01-02T02:04:05.000006Z "+want+" m\n" {
			t.Errorf("%q", got)
		}
	}
}
