package host

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/internal/vfs"
	"github.com/stdbgo/spacetime/sats"
)

const noon = sats.Timestamp(1_772_366_400_000_000) // 2026-03-01 12:00 UTC

func newLog(t *testing.T, fsys vfs.FS) *moduleLog {
	t.Helper()
	l, err := openModuleLog(fsys, "/logs", noon, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.close)
	return l
}

func (l *moduleLog) text(t *testing.T, tail int) string {
	t.Helper()
	r, err := l.read(background, tail, false)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestLogRecordFormat(t *testing.T) {
	spec.Covers(t, "08.62")
	for _, tt := range []struct {
		rec  abi.LogRecord
		want string
	}{
		{
			abi.LogRecord{Level: abi.LogInfo, Time: 7, Message: "hi"},
			`{"level":"Info","ts":7,"message":"hi"}`,
		},
		{
			abi.LogRecord{Level: abi.LogWarn, Time: 7, Target: "m", Filename: "src/lib.rs", HasLine: true, Function: "add", Message: "a \"b\"\nc\u0001"},
			`{"level":"Warn","ts":7,"target":"m","filename":"src/lib.rs","line_number":0,"function":"add","message":"a \"b\"\nc\u0001"}`,
		},
		{
			abi.LogRecord{Level: abi.LogPanic, Time: 7, HasLine: true, Line: 12, Message: "p", Trace: []string{"f", "g"}},
			`{"level":"Panic","ts":7,"line_number":12,"message":"p","trace":[{"func_name":"f"},{"func_name":"g"}]}`,
		},
		{
			abi.LogRecord{Level: abi.LogPanic, Time: 7, Message: "p"},
			`{"level":"Panic","ts":7,"message":"p","trace":[]}`,
		},
	} {
		got := string(appendLogRecord(nil, &tt.rec))
		if got != tt.want+"\n" {
			t.Errorf("record = %s; want %s", got, tt.want)
		}
		var v map[string]any
		if err := json.Unmarshal([]byte(got), &v); err != nil {
			t.Errorf("%s: %v", got, err)
		}
	}
	for level, name := range []string{"Error", "Warn", "Info", "Debug", "Trace", "Panic"} {
		if got := appendLogRecord(nil, &abi.LogRecord{Level: abi.LogLevel(level)}); !bytes.HasPrefix(got, []byte(`{"level":"`+name+`"`)) {
			t.Errorf("level %d: %s", level, got)
		}
	}
}

func TestLogFilesAndTails(t *testing.T) {
	spec.Covers(t, "08.62")
	for _, where := range []string{"disk", "memory"} {
		t.Run(where, func(t *testing.T) {
			var fsys vfs.FS
			mem := vfs.NewMem()
			if where == "disk" {
				fsys = mem
			}
			l := newLog(t, fsys)
			var lines []string
			for i := range 10 {
				rec := abi.LogRecord{Level: abi.LogInfo, Time: noon + sats.Timestamp(i), Message: fmt.Sprint(i)}
				l.write(rec)
				lines = append(lines, string(appendLogRecord(nil, &rec)))
			}
			for _, n := range []int{-1, 0, 1, 3, 10, 11} {
				want := lines
				if n >= 0 {
					want = lines[max(0, 10-n):]
				}
				if got := l.text(t, n); got != strings.Join(want, "") {
					t.Errorf("tail %d = %q; want %q", n, got, want)
				}
			}
			if where == "memory" {
				return
			}
			// A record of a later day begins a new file; one of an earlier day does not.
			l.write(abi.LogRecord{Time: noon + sats.Timestamp(12*time.Hour/time.Microsecond), Message: "tomorrow"})
			l.write(abi.LogRecord{Time: noon, Message: "late"})
			if got := l.text(t, -1); strings.Count(got, "\n") != 2 || !strings.Contains(got, "late") {
				t.Errorf("the new day's log is %q", got)
			}
			l.drain()
			for name, lines := range map[string]int{"2026-03-01.log": 10, "2026-03-02.log": 2} {
				b, err := vfs.ReadFile(mem, "/logs/"+name)
				if err != nil || bytes.Count(b, []byte("\n")) != lines {
					t.Errorf("%s = %q, %v; want %d lines", name, b, err, lines)
				}
			}
			stored, err := newestLog(mem, "/logs", 1)
			if err != nil || !bytes.Contains(stored, []byte("late")) {
				t.Errorf("newest stored line = %q, %v", stored, err)
			}
		})
	}
}

func TestLogFollow(t *testing.T) {
	spec.Covers(t, "08.62")
	l := newLog(t, vfs.NewMem())
	for i := range followTail + 5 {
		l.write(abi.LogRecord{Time: noon, Message: fmt.Sprint(i)})
	}
	ctx, cancel := context.WithCancel(context.Background())
	follow := func(tail int) *bufio.Scanner {
		r, err := l.read(ctx, tail, true)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.Close() })
		return bufio.NewScanner(r)
	}
	next := func(s *bufio.Scanner, message string) {
		t.Helper()
		if !s.Scan() || !strings.Contains(s.Text(), `"message":"`+message+`"`) {
			t.Errorf("line = %q, %v; want %s", s.Text(), s.Err(), message)
		}
	}
	all, two, none := follow(1_000_000), follow(2), follow(-1)
	slow := follow(0)
	l.write(abi.LogRecord{Time: noon, Message: "new"})
	for i := 5; i < followTail+5; i++ {
		next(all, fmt.Sprint(i))
	}
	next(all, "new")
	next(two, fmt.Sprint(followTail+3))
	next(two, fmt.Sprint(followTail+4))
	next(two, "new")
	next(none, "new")
	for i := range 3 * followBuffer { // nobody reads: what is too much is lost
		l.write(abi.LogRecord{Time: noon, Message: "m" + fmt.Sprint(i)})
	}
	next(slow, "new")
	next(slow, "m0")
	lines := 0
	cancel()
	for slow.Scan() {
		lines++
	}
	if lines > followBuffer {
		t.Errorf("a slow follower got %d lines; want at most %d", lines, followBuffer)
	}
	late, err := l.read(context.Background(), 1, true)
	if err != nil {
		t.Fatal(err)
	}
	l.close()
	b, err := io.ReadAll(late)
	if err != nil || bytes.Count(b, []byte("\n")) != 1 {
		t.Errorf("the rest after the end = %q, %v", b, err)
	}
}

// Records that come faster than the disk takes them are counted, not kept.
func TestLogLoss(t *testing.T) {
	mem := vfs.NewMem()
	hold := make(chan struct{})
	release := sync.OnceFunc(func() { close(hold) })
	defer release() // before the log is closed
	mem.SetHook(func(op vfs.Op, name string) error {
		if strings.HasSuffix(name, ".log") && op.Changes() {
			<-hold
		}
		return nil
	})
	l := newLog(t, mem)
	big := strings.Repeat("x", 1<<20)
	for range 20 { // some may be on their way to the disk already, 8 MiB wait
		l.write(abi.LogRecord{Time: noon, Message: big})
	}
	l.mu.Lock()
	lost := l.mu.lost
	l.mu.Unlock()
	if lost == 0 {
		t.Fatal("nothing was lost")
	}
	release()
	l.drain()
	l.write(abi.LogRecord{Time: noon, Message: "after"})
	if got := l.text(t, 2); !strings.Contains(got, fmt.Sprintf("%d records of this log were lost", lost)) || !strings.Contains(got, "after") {
		t.Errorf("the last two lines are %q", got)
	}
}

// drain waits until everything is written.
func (l *moduleLog) drain() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.drainLocked()
}

// A log that cannot be written does not stop its database, and says so once.
func TestLogDiskFull(t *testing.T) {
	mem := vfs.NewMem()
	out := &logBuffer{}
	l, err := openModuleLog(mem, "/logs", noon, slog.New(slog.NewTextHandler(out, nil)))
	if err != nil {
		t.Fatal(err)
	}
	mem.SetHook(func(op vfs.Op, name string) error {
		if strings.HasSuffix(name, ".log") && op.Changes() {
			return errors.New("no space")
		}
		return nil
	})
	for range 5 {
		l.write(abi.LogRecord{Time: noon, Message: "m"})
		l.drain()
	}
	l.close()
	if n := strings.Count(out.String(), "records are lost"); n != 1 {
		t.Errorf("%d warnings; want 1:\n%s", n, out)
	}
}

// The memory of a database in memory is bounded, and whole lines are cut off.
func TestMemoryLogIsBounded(t *testing.T) {
	l := newLog(t, nil)
	big := strings.Repeat("x", 1<<20)
	for i := range 40 {
		l.write(abi.LogRecord{Time: noon, Message: fmt.Sprint(i) + big})
	}
	got := l.text(t, -1)
	if len(got) > memoryLog || !strings.HasPrefix(got, `{"level":`) || !strings.Contains(got, `"message":"39x`) {
		t.Errorf("%d bytes that begin with %.20q", len(got), got)
	}
}

// A log that grows without end keeps its newest records in two files of bounded
// size, and reading goes on over both.
func TestLogIsBounded(t *testing.T) {
	mem := vfs.NewMem()
	l := newLog(t, mem)
	l.limit = 250 << 10
	const records = 20_000
	for i := range records {
		l.write(abi.LogRecord{Time: noon, Message: fmt.Sprintf("record %d %s", i, strings.Repeat("x", 40))})
		if i%100 == 0 {
			l.mu.Lock()
			l.drainLocked()
			l.mu.Unlock()
		}
	}
	var total int64
	entries, err := mem.ReadDir("/logs")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		total += info.Size()
	}
	if len(entries) > 2 || total > 3*l.limit {
		t.Errorf("%d files of %d bytes together", len(entries), total)
	}
	for _, tail := range []int{1, 2, 700, 1500, -1} {
		lines := strings.SplitAfter(strings.TrimSuffix(l.text(t, tail), "\n"), "\n")
		if tail > 0 && len(lines) != tail || len(lines) < 1000 && tail < 0 {
			t.Errorf("%d lines of the last %d", len(lines), tail)
		}
		for i, line := range lines {
			if want := fmt.Sprintf("record %d ", records-len(lines)+i); !strings.Contains(line, want) {
				t.Fatalf("the last %d: line %d is %q; want %q", tail, i, line, want)
			}
		}
	}
}
