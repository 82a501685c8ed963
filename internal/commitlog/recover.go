package commitlog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/stdbgo/spacetime/internal/vfs"
)

// A tail is what a look at one segment found.
type tail struct {
	min     Offset // the segment's name
	next    Offset // after its last whole commit
	epoch   uint64
	commits int   // whole ones
	end     int64 // byte after the last whole commit
	last    int64 // byte where the last whole commit begins; 0 when there is none
	size    int64 // of the file; -1 when compressed
	version byte
	header  bool  // false: too short to hold even a header
	sealed  bool  // compressed
	damage  error // why reading stopped early; nil at a clean end
}

func (t tail) empty() bool { return t.last == 0 && t.damage == nil }

// scanSegment reads a whole segment. Commits that are whole but do not follow
// each other are an error at once; anything unreadable is the tail's damage.
func scanSegment(fsys vfs.FS, dir string, min Offset) (tail, error) {
	t := tail{min: min, next: min}
	s, err := openSegment(fsys, dir, min)
	if errors.Is(err, errEmptyFile) {
		return t, nil
	} else if err != nil {
		return t, err
	}
	defer s.close()
	t.header, t.version, t.sealed, t.size, t.end = true, s.version, s.sealed(), s.size, s.pos

	c := chain{next: min}
	for {
		at := s.pos
		commit, err := s.next()
		var bad *CorruptionError
		switch {
		case err == io.EOF:
			return t, nil
		case errors.As(err, &bad):
			t.damage = bad
			return t, nil
		case err != nil:
			return t, err
		}
		if _, err := c.accept(commit); err != nil {
			return t, &CorruptionError{File: s.path, At: at, Err: err}
		}
		t.next, t.epoch, t.end, t.last = c.next, c.epoch, s.pos, at
		t.commits++
	}
}

// newestTail finds the segment in which writing may resume: the newest, unless
// it is empty and the one before does not end where it begins. Such segments
// hold nothing and are returned to be removed (spec 08 §28.1).
func newestTail(fsys vfs.FS, dir string, segments []Offset) (t tail, useless []Offset, err error) {
	i := len(segments) - 1
	if t, err = scanSegment(fsys, dir, segments[i]); err != nil {
		return t, nil, err
	}
	for ; t.empty() && i > 0; i-- {
		prev, err := scanSegment(fsys, dir, segments[i-1])
		if err != nil {
			return t, nil, err
		}
		if prev.next == t.min && !(prev.sealed && prev.damage != nil) {
			t.epoch = prev.epoch
			break
		}
		useless = append(useless, t.min)
		t = prev
	}
	return t, useless, nil
}

// checkTorn decides whether a segment's damage can come from a power cut. It can
// if it is the last commit that is damaged: the next one is written only after
// the previous sync returned. A whole commit behind the damage means that
// acknowledged transactions are lost, which is an error (spec 08 §28.1, Decision).
func checkTorn(fsys vfs.FS, dir string, t tail) error {
	if t.sealed {
		return t.damage // it was complete when it was compressed
	}
	at, found, err := findWholeCommit(fsys, dir, t)
	if err != nil {
		return err
	}
	if found {
		return fmt.Errorf("%w, and a whole commit follows at byte %d: acknowledged transactions are damaged; "+
			"restore the file from a copy", t.damage, at)
	}
	return nil
}

// maxAhead is how far above the expected offset a later commit can begin: the
// damaged one between has at most 65,535 records.
const maxAhead = maxBatchRecords

// findWholeCommit searches behind a segment's damage, at every byte because the
// length field may be what is damaged, for a commit with a good checksum and an
// offset that can follow.
func findWholeCommit(fsys vfs.FS, dir string, t tail) (at int64, found bool, err error) {
	f, err := fsys.Open(filepath.Join(dir, segmentName(t.min)))
	if err != nil {
		return 0, false, err
	}
	defer f.Close()

	search := commitSearch{r: f, t: t, hsize: int64(headerSize(t.version))}
	buf := make([]byte, readBufferSize)
	for at := t.end + 1; at+search.hsize+checksumSize <= t.size; {
		n := min(int64(len(buf)), t.size-at)
		if err := readFullAt(f, buf[:n], at); err != nil {
			return 0, false, err
		}
		hit, found, err := search.window(buf[:n], at)
		if err != nil || found {
			return hit, found, err
		}
		at += n - search.hsize + 1
	}
	return 0, false, nil
}

type commitSearch struct {
	r     io.ReaderAt
	t     tail
	hsize int64
	crc   *rangeCRC // made for the first candidate
}

// window tests every position of b that holds a whole header; b stands at byte
// base of the file.
func (s *commitSearch) window(b []byte, base int64) (at int64, found bool, err error) {
	for i := range len(b) - int(s.hsize) + 1 {
		ahead := binary.LittleEndian.Uint64(b[i:]) - uint64(s.t.next)
		if ahead == 0 || ahead > maxAhead {
			continue
		}
		h, ok := parseCommitHeader(s.t.version, b[i:])
		if !ok || h.min < s.t.next || h.epoch < s.t.epoch {
			continue
		}
		at := base + int64(i)
		body := at + s.hsize + h.len
		if body+checksumSize > s.t.size {
			continue
		}
		if whole, err := s.whole(at, body); err != nil || whole {
			return at, whole, err
		}
	}
	return 0, false, nil
}

// whole compares the checksum of [at, end) with the one that stands at end.
func (s *commitSearch) whole(at, end int64) (bool, error) {
	if s.crc == nil {
		crc, err := newRangeCRC(s.r, s.t.end, s.t.size)
		if err != nil {
			return false, err
		}
		s.crc = crc
	}
	sum, err := s.crc.sum(at, end)
	if err != nil {
		return false, err
	}
	var stored [checksumSize]byte
	if err := readFullAt(s.r, stored[:], end); err != nil {
		return false, err
	}
	return sum == binary.LittleEndian.Uint32(stored[:]), nil
}
