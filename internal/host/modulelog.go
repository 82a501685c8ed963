package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/vfs"
	"github.com/stdbgo/spacetime/sats"
)

const (
	// memoryLog is how much of its log a database in memory keeps.
	memoryLog = 16 << 20
	// pendingLog bounds the records that wait to be written. Beyond it records
	// are dropped and counted: a module that logs faster than the disk writes
	// must not stop its database.
	pendingLog = 8 << 20
	// followBuffer is how many lines a follower may be behind before it loses some.
	followBuffer = 64
	// maxLogFile bounds the file of a day: beyond it the file moves to a second
	// one, which takes the place of what was there. So a module that logs without
	// end keeps its newest records and does not fill the disk.
	maxLogFile = 128 << 20
	// followTail is the most past lines that a follower gets.
	followTail = 2500
)

// hostTarget marks the records that the host writes itself.
const hostTarget = "__spacetimedb__"

// A moduleLog is the log of one database: a file for each day (UTC), or the most
// recent records in memory. Records become visible to readers at once and reach
// the file soon; nothing is synced (spec 08 §21).
type moduleLog struct {
	fs     vfs.FS // nil: in memory
	dir    string
	logger *slog.Logger
	limit  int64 // of a file; maxLogFile outside of tests

	panics atomic.Uint64 // records of panics so far

	mu struct {
		sync.Mutex
		day       string // of the current file, YYYY-MM-DD
		pending   []byte // lines not written yet; of a database in memory all it keeps
		lost      int    // records dropped since the last that was taken
		writing   bool
		pausing   int // who wants the writing to stop for a moment
		closed    bool
		failed    bool // the last write failed, and the logger was told
		followers map[*follower]struct{}
		quiet     *sync.Cond // writing became false
		panicked  string     // the message of the last record of a panic
	}
}

// openModuleLog opens the log of today. A nil fs keeps it in memory.
func openModuleLog(fsys vfs.FS, dir string, now sats.Timestamp, logger *slog.Logger) (*moduleLog, error) {
	l := &moduleLog{fs: fsys, dir: dir, logger: logger, limit: maxLogFile}
	l.mu.day = day(now)
	l.mu.followers = map[*follower]struct{}{}
	l.mu.quiet = sync.NewCond(&l.mu.Mutex)
	if fsys != nil {
		if err := fsys.MkdirAll(dir); err != nil {
			return nil, fmt.Errorf("module log: %w", err)
		}
	}
	return l, nil
}

// discardLog is the log of a trial run.
func discardLog() *moduleLog {
	l := &moduleLog{}
	l.mu.closed = true
	l.mu.quiet = sync.NewCond(&l.mu.Mutex)
	return l
}

// size is the length of the current file, or of what is kept in memory.
func (l *moduleLog) size() uint64 {
	l.mu.Lock()
	today, n := l.mu.day, uint64(len(l.mu.pending))
	l.mu.Unlock()
	if l.fs == nil {
		return n
	}
	info, err := l.fs.Stat(logFile(l.dir, today))
	if err != nil {
		return n // nothing has been written today
	}
	return n + uint64(info.Size())
}

func day(ts sats.Timestamp) string { return ts.ToTime().Format(time.DateOnly) }

func logFile(dir, day string) string { return filepath.Join(dir, day+logSuffix) }

const (
	logSuffix  = ".log"
	fullSuffix = ".full" // the older half of the log of a busy day
)

// fullFile is where a log file goes that has grown too long.
func fullFile(file string) string { return strings.TrimSuffix(file, logSuffix) + fullSuffix }

// system writes a record of the host about the database itself.
func (l *moduleLog) system(at sats.Timestamp, level abi.LogLevel, message string) {
	l.write(abi.LogRecord{Level: level, Time: at, Function: hostTarget, Target: hostTarget, Filename: hostTarget, Message: message})
}

// call writes a record of the host about a call of fn.
func (l *moduleLog) call(at sats.Timestamp, fn, message string) {
	l.write(abi.LogRecord{Level: abi.LogError, Time: at, Function: fn, Target: hostTarget, Filename: hostTarget, Message: message})
}

// stopped writes why a call of fn was ended, unless the module has said so itself
// by a record of a panic: before is how many there were when the call began.
func (l *moduleLog) stopped(at sats.Timestamp, fn string, out abi.Outcome, before uint64) {
	if l.panics.Load() != before {
		return
	}
	text := abi.OutOfEnergyText
	if out.Status != abi.StatusOutOfEnergy {
		text = strings.TrimSuffix(abi.FatalErrorText, ".") + ": " + detailOf(out)
	}
	l.call(at, fn, text)
}

// write appends a record. It waits for no disk.
func (l *moduleLog) write(rec abi.LogRecord) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if rec.Level == abi.LogPanic {
		l.mu.panicked = rec.Message
		l.panics.Add(1)
	}
	if l.mu.closed {
		return
	}
	if l.fs != nil && len(l.mu.pending) >= pendingLog {
		l.mu.lost++
		return
	}
	if l.mu.lost > 0 {
		l.appendLocked(abi.LogRecord{
			Level: abi.LogWarn, Time: rec.Time, Function: hostTarget, Target: hostTarget, Filename: hostTarget,
			Message: fmt.Sprintf("%d records of this log were lost because they came faster than the disk takes them", l.mu.lost),
		})
		l.mu.lost = 0
	}
	l.appendLocked(rec)
}

// lastPanic returns the message of the last record of a panic, "" before any.
func (l *moduleLog) lastPanic() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mu.panicked
}

func (l *moduleLog) appendLocked(rec abi.LogRecord) {
	if d := day(rec.Time); d > l.mu.day {
		l.turnLocked(d)
	}
	at := len(l.mu.pending)
	l.mu.pending = appendLogRecord(l.mu.pending, &rec)
	if len(l.mu.followers) > 0 {
		line := bytes.Clone(l.mu.pending[at:])
		for f := range l.mu.followers {
			f.offer(line)
		}
	}
	if l.fs == nil {
		l.trimLocked()
		return
	}
	l.startLocked()
}

func (l *moduleLog) startLocked() {
	if l.fs != nil && !l.mu.writing && l.mu.pausing == 0 && len(l.mu.pending) > 0 {
		l.mu.writing = true
		go l.flush()
	}
}

// pauseLocked waits until nobody writes: then the log is the file and what is
// pending. The caller goes on with startLocked.
func (l *moduleLog) pauseLocked() {
	l.mu.pausing++
	for l.mu.writing {
		l.mu.quiet.Wait()
	}
	l.mu.pausing--
}

// turnLocked begins a new day. Lines of the old one that are not written yet go
// to its file first: the one time a record waits for a disk.
func (l *moduleLog) turnLocked(d string) {
	if l.fs != nil {
		l.drainLocked()
	}
	l.mu.day = d
}

func (l *moduleLog) drainLocked() {
	for l.mu.writing || len(l.mu.pending) > 0 {
		l.startLocked()
		l.mu.quiet.Wait()
	}
}

// trimLocked keeps the newest whole lines that fit in memory. It cuts a quarter
// at once, so that it is rarely done.
func (l *moduleLog) trimLocked() {
	if len(l.mu.pending) <= memoryLog {
		return
	}
	cut := len(l.mu.pending) - memoryLog*3/4
	if i := bytes.IndexByte(l.mu.pending[cut:], '\n'); i >= 0 {
		cut += i + 1
	}
	l.mu.pending = append(l.mu.pending[:0], l.mu.pending[cut:]...)
}

// flush writes pending lines until there are none.
func (l *moduleLog) flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.mu.pending) > 0 && l.mu.pausing == 0 {
		name, lines := logFile(l.dir, l.mu.day), l.mu.pending
		l.mu.pending = nil
		l.mu.Unlock()
		err := l.appendFile(name, lines)
		l.mu.Lock()
		if err != nil && !l.mu.failed {
			l.logger.Warn("module log: records are lost", slog.String("file", name), slog.Any("error", err))
		}
		l.mu.failed = err != nil
	}
	l.mu.writing = false
	l.mu.quiet.Broadcast()
}

func (l *moduleLog) appendFile(name string, b []byte) error {
	f, err := l.fs.OpenAppend(name)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	size, sizeErr := f.Size()
	if err = errors.Join(err, sizeErr, f.Close()); err != nil || size < l.limit {
		return err
	}
	return l.fs.Rename(name, fullFile(name))
}

// close writes what is pending and ends all followers.
func (l *moduleLog) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.closed = true
	if l.fs != nil {
		l.drainLocked()
	}
	for f := range l.mu.followers {
		close(f.lines)
	}
	clear(l.mu.followers)
}

// read returns the current file's last lines, all of them if tail is negative.
// With follow it goes on with new lines until ctx ends or the log is closed; then
// tail is at most 2500, and a negative one means none.
func (l *moduleLog) read(ctx context.Context, tail int, follow bool) (io.ReadCloser, error) {
	if follow {
		tail = min(max(tail, 0), followTail)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	past, err := l.pastLocked(tail)
	if err != nil {
		return nil, err
	}
	if !follow {
		return io.NopCloser(bytes.NewReader(past)), nil
	}
	f := &follower{log: l, ctx: ctx, rest: past, lines: make(chan []byte, followBuffer)}
	if l.mu.closed {
		close(f.lines)
	} else {
		l.mu.followers[f] = struct{}{}
	}
	return f, nil
}

func (l *moduleLog) pastLocked(tail int) ([]byte, error) {
	if tail == 0 {
		return nil, nil
	}
	if l.fs == nil {
		return lastLines(bytes.Clone(l.mu.pending), tail), nil
	}
	l.pauseLocked()
	defer l.startLocked()
	recent := lastLines(l.mu.pending, tail)
	if tail > 0 {
		tail -= bytes.Count(recent, []byte{'\n'})
	}
	older, err := readLog(l.fs, logFile(l.dir, l.mu.day), tail)
	return append(older, recent...), err
}

// readLog returns the last lines of a log file and of what has moved out of it,
// all of them if tail is negative; missing files are empty.
func readLog(fsys vfs.FS, name string, tail int) (lines []byte, err error) {
	for _, name := range []string{name, fullFile(name)} {
		b, err := readTail(fsys, name, tail)
		if err != nil {
			return nil, fmt.Errorf("module log: %w", err)
		}
		if tail > 0 {
			tail -= bytes.Count(b, []byte{'\n'})
		}
		lines = append(b, lines...)
	}
	return lines, nil
}

// tailStep is how much of a file is read at a time to find its last lines.
const tailStep = 64 << 10

// readTail returns the last n lines of a file, all of them if n is negative,
// without reading more of it than that.
func readTail(fsys vfs.FS, name string, n int) (_ []byte, err error) {
	if n == 0 {
		return nil, nil
	}
	f, err := fsys.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	at, err := f.Size()
	if err != nil {
		return nil, err
	}
	var pieces [][]byte // from the end
	for lines := 0; at > 0 && (n < 0 || lines <= n); {
		b := make([]byte, min(at, tailStep))
		at -= int64(len(b))
		if _, err := f.ReadAt(b, at); err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		lines += bytes.Count(b, []byte{'\n'})
		pieces = append(pieces, b)
	}
	slices.Reverse(pieces)
	return lastLines(bytes.Join(pieces, nil), n), nil
}

// lastLines returns the last n lines of b; all of them if n is negative.
func lastLines(b []byte, n int) []byte {
	if n < 0 {
		return b
	}
	end := len(b)
	for ; n > 0 && end > 0; n-- {
		end = bytes.LastIndexByte(b[:end-1], '\n') + 1
	}
	return b[end:]
}

// A follower reads a log as it grows.
type follower struct {
	log   *moduleLog
	ctx   context.Context
	rest  []byte
	lines chan []byte // closed by the log
}

// offer hands a line over, or drops it if the reader is too slow. It belongs to
// the holder of the log's lock.
func (f *follower) offer(line []byte) {
	select {
	case f.lines <- line:
	default:
	}
}

// Read waits for at least one line.
func (f *follower) Read(p []byte) (int, error) {
	if len(f.rest) == 0 {
		select {
		case line, ok := <-f.lines:
			if !ok {
				return 0, io.EOF
			}
			f.rest = line
		case <-f.ctx.Done():
			return 0, io.EOF
		}
	}
	n := copy(p, f.rest)
	f.rest = f.rest[n:]
	return n, nil
}

// Close ends the reading.
func (f *follower) Close() error {
	f.log.mu.Lock()
	defer f.log.mu.Unlock()
	delete(f.log.mu.followers, f)
	return nil
}

// appendLogRecord appends a record as one line of JSON, members in the order of
// spec 08 §21, absent ones left out.
func appendLogRecord(b []byte, r *abi.LogRecord) []byte {
	b = append(b, `{"level":"`...)
	b = append(b, r.Level.String()...)
	b = append(b, `","ts":`...)
	b = fmt.Appendf(b, "%d", r.Time.Micros())
	text := func(key, value string) {
		if value != "" {
			b = append(append(append(b, `,"`...), key...), `":`...)
			b = sats.AppendJSONString(b, value)
		}
	}
	text("target", r.Target)
	text("filename", r.Filename)
	if r.HasLine {
		b = fmt.Appendf(b, `,"line_number":%d`, r.Line)
	}
	text("function", r.Function)
	b = append(b, `,"message":`...)
	b = sats.AppendJSONString(b, r.Message)
	if r.Level == abi.LogPanic {
		b = append(b, `,"trace":[`...)
		for i, frame := range r.Trace {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(b, '{')
			if i < len(r.TraceAt) {
				b = append(sats.AppendJSONString(append(b, `"module_name":`...), r.TraceAt[i]), ',')
			}
			b = append(b, `"func_name":`...)
			b = append(sats.AppendJSONString(b, frame), '}')
		}
		b = append(b, ']')
	}
	return append(b, '}', '\n')
}
