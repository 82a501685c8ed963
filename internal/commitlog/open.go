package commitlog

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"strings"

	"github.com/stdbgo/spacetime/internal/vfs"
)

// Open opens the log in a directory, creating it if there is none, and starts
// its goroutine. It reads the newest segment, repairs a torn tail, and stands
// behind the last whole commit; older segments are verified by Replay. Damage
// that is not a torn tail is a CorruptionError, and then nothing was changed.
// The caller makes sure that one process at a time has the directory open.
func Open(opts Options) (*Log, error) {
	opts, err := opts.validate()
	if err != nil {
		return nil, err
	}
	l := newLog(opts)
	if err := l.open(); err != nil {
		if vfs.IsDiskFull(err) {
			err = fmt.Errorf("%w; free some space", err)
		}
		return nil, fmt.Errorf("commitlog: open: %w", err)
	}
	go l.syncLoop()
	return l, nil
}

func (l *Log) open() error {
	if err := l.fs.MkdirAll(l.dir); err != nil {
		return err
	}
	segments, err := listOffsets(l.fs, l.dir, segmentSuffix)
	if err != nil {
		return err
	}
	t := tail{}
	var useless []Offset
	if len(segments) > 0 {
		if t, useless, err = newestTail(l.fs, l.dir, segments); err != nil {
			return err
		}
		segments = segments[:len(segments)-len(useless)]
	}
	if err := l.setEpoch(t.epoch); err != nil {
		return err
	}
	step, err := l.planResume(segments, t)
	if err != nil {
		return err
	}

	// From here on the directory is changed.
	if err := l.tidy(useless); err != nil {
		return err
	}
	f, end, err := step()
	if err != nil {
		return err
	}
	if l.mu.segments, err = listOffsets(l.fs, l.dir, segmentSuffix); err != nil {
		return errors.Join(err, f.Close())
	}
	l.startAt(f, t.next, end)
	if l.prewritten, err = f.Size(); err != nil {
		return errors.Join(err, f.Close())
	}
	return nil
}

func (l *Log) setEpoch(found uint64) error {
	if l.epoch == 0 {
		l.epoch = found
	}
	if l.epoch < found {
		return fmt.Errorf("new epoch %d is smaller than the log's epoch %d", l.epoch, found)
	}
	return nil
}

// A resumption opens the segment to append to and tells where its commits end.
type resumption func() (f vfs.File, end int64, err error)

// planResume chooses what to do with the newest segment, without doing it
// (spec 08 §28.1).
func (l *Log) planResume(segments []Offset, t tail) (resumption, error) {
	fresh := func(replace bool) resumption {
		return func() (vfs.File, int64, error) {
			f, err := createSegment(l.fs, l.dir, t.next, replace)
			return f, segmentHeaderSize, err
		}
	}
	switch {
	case len(segments) == 0:
		return fresh(false), nil
	case t.damage == nil && (t.sealed || t.version != formatVersion) && t.header:
		return fresh(t.last == 0), nil
	case t.empty() && !t.header:
		return fresh(true), nil
	case t.damage == nil, !t.sealed && t.version == formatVersion && errors.Is(t.damage, errFragment):
		return func() (vfs.File, int64, error) { return l.resumeIn(t) }, nil
	}
	if err := checkTorn(l.fs, l.dir, t); err != nil {
		return nil, err
	}
	if t.last != 0 {
		return func() (vfs.File, int64, error) {
			l.log.Warn("commit log ends in a torn commit; a new segment is begun behind the last whole one",
				slog.Any("damage", t.damage), slog.Uint64("next", uint64(t.next)))
			if err := syncFile(l.fs, filepath.Join(l.dir, segmentName(t.min))); err != nil {
				return nil, 0, err
			}
			return fresh(false)()
		}, nil
	}
	if err := l.checkPrevious(segments, t); err != nil {
		return nil, err
	}
	return func() (vfs.File, int64, error) {
		aside, err := setAside(l.fs, l.dir, t.min)
		if err != nil {
			return nil, 0, err
		}
		l.log.Warn("the first commit of the newest segment is torn; the file is set aside",
			slog.Any("damage", t.damage), slog.String("aside", aside))
		return fresh(false)()
	}, nil
}

// checkPrevious makes sure that a segment without a whole commit may be begun
// anew: the one before, if any, must end exactly where it starts.
func (l *Log) checkPrevious(segments []Offset, t tail) error {
	if len(segments) < 2 {
		return nil
	}
	prev, err := scanSegment(l.fs, l.dir, segments[len(segments)-2])
	if err != nil {
		return err
	}
	if prev.next != t.min {
		return fmt.Errorf("%w, and the segment before ends at offset %d", t.damage, prev.next)
	}
	return nil
}

// resumeIn opens the newest segment for appending. What stands behind the last
// whole commit is a fragment, cut off here, or zeros.
//
// The last commit is written again, in place, and synced: whoever wrote it may
// have died before its sync, or have seen that sync fail, and then a page cache
// shows bytes that are not on disk and that a sync alone would not write.
func (l *Log) resumeIn(t tail) (vfs.File, int64, error) {
	f, err := l.fs.OpenRW(filepath.Join(l.dir, segmentName(t.min)))
	if err != nil {
		return nil, 0, err
	}
	err = func() error {
		if t.damage != nil {
			l.log.Warn("a fragment at the end of the commit log is cut off", slog.Any("damage", t.damage))
			if err := f.Truncate(t.end); err != nil {
				return err
			}
		}
		if t.last != 0 {
			commit := make([]byte, t.end-t.last)
			if err := readFullAt(f, commit, t.last); err != nil {
				return err
			}
			if _, err := f.WriteAt(commit, t.last); err != nil {
				return err
			}
		}
		if err := f.Sync(); err != nil {
			return err
		}
		return l.fs.SyncDir(l.dir)
	}()
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, t.end, nil
}

// syncFile makes sure that what was read from a file is also on disk.
func syncFile(fsys vfs.FS, path string) error {
	f, err := fsys.OpenRW(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// tidy removes empty segments that lead nowhere and files left over by a crash.
func (l *Log) tidy(useless []Offset) error {
	for _, min := range useless {
		l.log.Warn("an empty segment of the commit log is removed", slog.String("file", segmentName(min)))
		if err := l.fs.Remove(filepath.Join(l.dir, segmentName(min))); err != nil {
			return err
		}
	}
	return removeTemps(l.fs, l.dir)
}

func removeTemps(fsys vfs.FS, dir string) error {
	entries, err := fsys.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), vfs.TempSuffix) || e.IsDir() {
			continue
		}
		err := fsys.Remove(filepath.Join(dir, e.Name()))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
