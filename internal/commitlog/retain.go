package commitlog

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
)

// Retain deletes the closed segments that lie wholly below an offset, the oldest
// first, so that a crash leaves no gap. The newest segment always stays. It waits
// for replays that are running.
func (l *Log) Retain(from Offset) error {
	l.reading.Lock()
	defer l.reading.Unlock()
	for {
		oldest, ok := l.dropOldest(from)
		if !ok {
			break
		}
		for _, name := range []string{segmentName(oldest), indexName(oldest)} {
			err := l.fs.Remove(filepath.Join(l.dir, name))
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("commitlog: retain: %w", err)
			}
		}
		if err := l.fs.SyncDir(l.dir); err != nil {
			return fmt.Errorf("commitlog: retain: %w", err)
		}
	}
	return nil
}

// dropOldest forgets the oldest segment if nothing at or above from is in it.
func (l *Log) dropOldest(from Offset) (oldest Offset, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.mu.segments) < 2 || l.mu.segments[1] > from {
		return 0, false
	}
	oldest = l.mu.segments[0]
	l.mu.segments = l.mu.segments[1:]
	return oldest, true
}

func indexName(min Offset) string { return fmt.Sprintf("%0*d%s", offsetDigits, min, indexSuffix) }
