package commitlog

import (
	"fmt"
	"path/filepath"

	"github.com/stdbgo/spacetime/internal/vfs"
)

// A SegmentInfo says what one segment holds.
type SegmentInfo struct {
	File       string // path
	First      Offset // its name
	Next       Offset // after its last whole commit
	Commits    int
	Size       int64 // of the file
	Compressed bool

	// Torn says where the segment stops being readable without a transaction being
	// lost: a commit that a power cut left unfinished.
	Torn error
	// Damage says what is lost.
	Damage error
}

// Inspect reads and verifies every commit of a log that is not open, without
// changing it, and goes on behind damage. An error means that the directory itself
// cannot be read; what is wrong with the log stands in the segments.
func Inspect(fsys vfs.FS, dir string) ([]SegmentInfo, error) {
	list, err := listOffsets(fsys, dir, segmentSuffix)
	if err != nil {
		return nil, fmt.Errorf("commitlog: %w", err)
	}
	segments := make([]SegmentInfo, len(list))
	tails := make([]tail, len(list))
	for i, min := range list {
		segments[i], tails[i] = inspectSegment(fsys, dir, min)
	}
	for i := range segments {
		s := &segments[i]
		if s.Torn == nil || s.Damage != nil {
			continue
		}
		if i+1 < len(segments) && segments[i+1].First == s.Next {
			continue // the writer went on there
		}
		if err := checkTorn(fsys, dir, tails[i]); err != nil {
			s.Damage = err
		} else if i+1 < len(segments) && !onlyEmpty(tails[i+1:]) {
			s.Damage = s.Torn
		}
	}
	for i := 1; i < len(segments); i++ {
		prev, s := &segments[i-1], &segments[i]
		if s.First != prev.Next && s.Damage == nil && !onlyEmpty(tails[i:]) {
			s.Damage = &CorruptionError{File: s.File, At: 0, Err: fmt.Errorf("%w: expected-offset=%d actual-offset=%d", ErrOrder, prev.Next, s.First)}
		}
	}
	return segments, nil
}

func inspectSegment(fsys vfs.FS, dir string, min Offset) (SegmentInfo, tail) {
	s := SegmentInfo{File: filepath.Join(dir, segmentName(min)), First: min, Next: min}
	if info, err := fsys.Stat(s.File); err != nil {
		s.Damage = err
	} else {
		s.Size = info.Size()
	}
	t, err := scanSegment(fsys, dir, min)
	s.Next, s.Commits, s.Compressed = t.next, t.commits, t.sealed
	switch {
	case err != nil:
		s.Damage = err
	case t.damage != nil && t.sealed:
		s.Damage = t.damage
	case t.damage != nil:
		s.Torn = t.damage
	}
	return s, t
}

// onlyEmpty reports whether segments hold nothing: opening the log removes them.
func onlyEmpty(tails []tail) bool {
	for _, t := range tails {
		if !t.empty() {
			return false
		}
	}
	return true
}

// Read calls fn for every record from an offset on of a log that is not open,
// without changing it; see ReplayFunc. It returns the offset after the last one.
// A damaged last commit of the last segment ends the log and is no error.
func Read(fsys vfs.FS, dir string, from Offset, fn ReplayFunc) (next Offset, err error) {
	return Verify(fsys, dir, from, func(c Commit) error { return eachRecord(c, fn) })
}
