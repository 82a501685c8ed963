package commitlog

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/stdbgo/spacetime/internal/vfs"
)

// A Retention says which segments stay although recovery no longer needs them,
// and where those go that leave. A segment stays if any of the rules keeps it, and
// then the newer ones stay, too: a log has no gaps. The zero value keeps none and
// deletes.
type Retention struct {
	Segments int           // so many of the newest
	Bytes    int64         // the newest that have so many bytes together
	Age      time.Duration // those written to within this time
	Now      func() time.Time

	// Archive is a directory into which segments are moved that would be deleted.
	Archive string
}

// Retain removes the closed segments that lie wholly below an offset and that the
// log's Retention does not keep, the oldest first, so that a crash leaves no gap.
// The newest segment always stays. It waits for replays that are running, and
// they for it.
func (l *Log) Retain(from Offset) error {
	l.reading.Lock()
	defer l.reading.Unlock()
	n, err := l.superfluous(from)
	if err == nil {
		err = l.dropTorn(from)
	}
	for ; n > 0 && err == nil; n-- {
		err = l.dropOldest()
	}
	if err != nil {
		return fmt.Errorf("commitlog: retain: %w", err)
	}
	return nil
}

// superfluous counts the segments that may go.
func (l *Log) superfluous(from Offset) (n int, err error) {
	l.mu.Lock()
	segments := l.mu.segments
	l.mu.Unlock()
	for n+1 < len(segments) && segments[n+1] <= from {
		n++
	}
	r := l.retention
	kept, size := 0, int64(0)
	for ; n > 0; n-- { // from the newest that is not needed
		info, err := l.fs.Stat(filepath.Join(l.dir, segmentName(segments[n-1])))
		if errors.Is(err, fs.ErrNotExist) {
			break // a Retain before this one failed when it was gone
		} else if err != nil {
			return 0, err
		}
		kept, size = kept+1, size+info.Size()
		young := r.Age > 0 && r.Now().Sub(info.ModTime()) < r.Age
		if kept > r.Segments && size > r.Bytes && !young {
			break
		}
	}
	return n, nil
}

// dropOldest removes the file of the oldest segment and forgets it. If that fails
// it is the oldest still, and the next Retain begins with it: there must not be a
// gap behind it.
func (l *Log) dropOldest() error {
	l.mu.Lock()
	oldest := l.mu.segments[0]
	l.mu.Unlock()
	err := ignoreMissing(l.fs.Remove(filepath.Join(l.dir, indexName(oldest))))
	if err == nil {
		err = remove(l.fs, filepath.Join(l.dir, segmentName(oldest)), l.retention.Archive)
	}
	if err != nil {
		return err
	}
	l.mu.Lock()
	l.mu.segments = l.mu.segments[1:]
	l.mu.Unlock()
	return nil
}

// dropTorn deletes segments that were set aside and lie below an offset.
func (l *Log) dropTorn(from Offset) error {
	entries, err := l.fs.ReadDir(l.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name, _, torn := strings.Cut(e.Name(), tornSuffix)
		if min, ok := parseOffsetName(name, segmentSuffix); !torn || !ok || min >= from {
			continue
		}
		if err := ignoreMissing(l.fs.Remove(filepath.Join(l.dir, e.Name()))); err != nil {
			return err
		}
	}
	return nil
}

func indexName(min Offset) string { return fmt.Sprintf("%0*d%s", offsetDigits, min, indexSuffix) }

// remove deletes a file for good, having copied it into the archive if there is
// one. A rename would not do: the archive may be another file system, and without
// a journal the two directories may reach the disk in the wrong order.
func remove(fsys vfs.FS, path, archive string) error {
	if _, err := fsys.Stat(path); err == nil && archive != "" {
		if err := copyInto(fsys, path, archive); err != nil {
			return fmt.Errorf("archive %s: %w", path, err)
		}
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := ignoreMissing(fsys.Remove(path)); err != nil {
		return err
	}
	return fsys.SyncDir(filepath.Dir(path))
}

// copyInto copies a file into a directory, durably. Whatever has its name there,
// left by a crash between copying and removing, is replaced.
func copyInto(fsys vfs.FS, path, dir string) error {
	if err := fsys.MkdirAll(dir); err != nil {
		return err
	}
	from, err := fsys.Open(path)
	if err != nil {
		return err
	}
	defer from.Close()
	to := filepath.Join(dir, filepath.Base(path))
	err = writeSynced(fsys, to+vfs.TempSuffix, func(w io.Writer) error {
		_, err := io.Copy(w, from)
		return err
	})
	if err == nil {
		err = fsys.Rename(to+vfs.TempSuffix, to)
	}
	if err != nil {
		return errors.Join(err, ignoreMissing(fsys.Remove(to+vfs.TempSuffix)))
	}
	return fsys.SyncDir(dir)
}

// writeSynced creates a file with what fn writes, and syncs it.
func writeSynced(fsys vfs.FS, path string, fn func(io.Writer) error) error {
	f, err := fsys.Create(path)
	if err != nil {
		return err
	}
	if err = fn(f); err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
