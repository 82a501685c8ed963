package commitlog

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/stdbgo/spacetime/internal/vfs"
)

// ErrGone is returned for a replay from an offset that was deleted by Retain.
var ErrGone = errors.New("transactions before the start of the log are gone")

// Replay calls fn for every durable record from an offset on, in order, and
// verifies each checksum on the way. It covers what was durable when it was
// called, and may run beside Append; Retain waits for it. An error of fn stops it
// and is returned as it is.
func (l *Log) Replay(from Offset, fn ReplayFunc) error {
	return l.ReplayCommits(from, func(c Commit) error { return eachRecord(c, fn) })
}

// ReplayCommits calls fn for every durable commit that holds a record at or above
// an offset. The commit's bytes are valid during the call only.
func (l *Log) ReplayCommits(from Offset, fn func(Commit) error) error {
	l.reading.RLock()
	defer l.reading.RUnlock()
	durable := l.Durable()
	l.mu.Lock()
	segments := l.mu.segments
	l.mu.Unlock()
	t := traversal{fs: l.fs, dir: l.dir, from: from, to: durable, fn: fn}
	_, err := t.runAhead(segments)
	return err
}

// Verify reads a log that is not open, without changing it, and calls fn, which
// may be nil, for every whole commit that holds a record at or above an offset.
// It returns the offset after the last one. A damaged last commit of the last
// segment ends the log and is no error.
func Verify(fsys vfs.FS, dir string, from Offset, fn func(Commit) error) (next Offset, err error) {
	segments, err := listOffsets(fsys, dir, segmentSuffix)
	if err != nil {
		return 0, fmt.Errorf("commitlog: %w", err)
	}
	if len(segments) == 0 {
		return 0, nil
	}
	if fn == nil {
		fn = func(Commit) error { return nil }
	}
	t := traversal{fs: fsys, dir: dir, from: from, to: maxOffset, fn: fn}
	return t.runAhead(segments)
}

const maxOffset = ^Offset(0)

// errRecordLength means that fn and the log disagree about a record's length.
var errRecordLength = errors.New("commit does not divide into its records")

// eachRecord hands the records of a commit to fn, one by one.
func eachRecord(c Commit, fn ReplayFunc) error {
	rest := c.Records
	for i := range c.N {
		off := c.Min + Offset(i)
		n, err := fn(off, rest)
		if err != nil {
			return err
		}
		if n < 0 || n > len(rest) || i == c.N-1 && n != len(rest) {
			return fmt.Errorf("commitlog: transaction %d: %w: it takes %d of %d bytes", off, errRecordLength, n, len(rest))
		}
		rest = rest[n:]
	}
	return nil
}

// A traversal reads commits across segments (spec 08 §28.2).
type traversal struct {
	fs       vfs.FS
	dir      string
	from, to Offset
	fn       func(Commit) error

	chain  chain
	last   Offset // the segment read last
	damage error  // why it ended early
}

// run returns the offset after the last commit read.
func (t *traversal) run(segments []Offset) (Offset, error) {
	if t.from < segments[0] {
		return 0, fmt.Errorf("commitlog: %w: it starts at %d, and %d is asked for", ErrGone, segments[0], t.from)
	}
	if t.from >= t.to {
		return t.from, nil
	}
	first := 0
	for first+1 < len(segments) && segments[first+1] <= t.from {
		first++
	}
	t.chain.next = segments[first]
	for i := first; i < len(segments) && t.chain.next < t.to; i++ {
		if segments[i] != t.chain.next {
			if t.onlyEmptyAfter(segments[i:]) && t.to == maxOffset {
				break
			}
			return t.chain.next, t.gap(segments[i])
		}
		if err := t.segment(segments[i]); err != nil {
			return t.chain.next, err
		}
	}
	return t.chain.next, t.checkEnd()
}

// checkEnd makes sure that the log does not end too early.
func (t *traversal) checkEnd() error {
	if t.to == maxOffset {
		return t.tornOnly()
	}
	if t.chain.next < t.to {
		return t.withDamage(fmt.Errorf("commitlog: %s: %w: transactions below %d were durable, and it ends at %d",
			filepath.Join(t.dir, segmentName(t.last)), ErrOrder, t.to, t.chain.next))
	}
	return nil
}

// gap describes that the log lacks [chain.next, actual).
func (t *traversal) gap(actual Offset) error {
	return t.withDamage(fmt.Errorf("commitlog: %s: %w: expected-offset=%d actual-offset=%d",
		filepath.Join(t.dir, segmentName(actual)), ErrOrder, t.chain.next, actual))
}

// withDamage adds why the last segment ended where it did.
func (t *traversal) withDamage(err error) error {
	if t.damage == nil {
		return err
	}
	return fmt.Errorf("%w: %w", err, t.damage)
}

// onlyEmptyAfter reports whether no segment of a list holds a commit. Opening
// the log removes such segments.
func (t *traversal) onlyEmptyAfter(segments []Offset) bool {
	for _, min := range segments {
		tail, err := scanSegment(t.fs, t.dir, min)
		if err != nil || !tail.empty() {
			return false
		}
	}
	return true
}

// tornOnly makes sure that damage at the end of the log is a torn tail.
func (t *traversal) tornOnly() error {
	if t.damage == nil {
		return nil
	}
	tail, err := scanSegment(t.fs, t.dir, t.last)
	if err == nil && tail.damage != nil {
		err = checkTorn(t.fs, t.dir, tail)
	}
	if err != nil {
		return fmt.Errorf("commitlog: %w", err)
	}
	return nil
}

// segment reads one segment. Damage ends it without an error: the next segment
// may begin exactly there, as it does after a torn write.
func (t *traversal) segment(min Offset) error {
	t.last, t.damage = min, nil
	s, err := openSegment(t.fs, t.dir, min)
	if errors.Is(err, errEmptyFile) {
		return nil
	} else if err != nil {
		return fmt.Errorf("commitlog: %w", err)
	}
	defer s.close()
	for t.chain.next < t.to {
		at := s.pos
		commit, err := s.next()
		var bad *CorruptionError
		switch {
		case err == io.EOF:
			return nil
		case errors.As(err, &bad):
			t.damage = bad
			return nil
		case err != nil:
			return fmt.Errorf("commitlog: %w", err)
		}
		skip, err := t.chain.accept(commit)
		if err != nil {
			return fmt.Errorf("commitlog: %w", &CorruptionError{File: s.path, At: at, Err: err})
		}
		if skip || t.chain.next <= t.from {
			continue
		}
		if err := t.fn(commit); err != nil {
			return err
		}
	}
	return nil
}
