package server

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/stdbgo/spacetime/internal/vfs"
)

// A logFile is the server's log on disk. At its largest size it becomes
// NAME.1.log, what was that NAME.2.log, and so on; what is older than keep files is
// removed. It is for one goroutine at a time.
type logFile struct {
	fs   vfs.FS
	path string // ends with .log
	most int64  // bytes; 0: any
	keep int

	file vfs.File
	size int64
}

func openLogFile(fsys vfs.FS, path string, most int64, keep int) (*logFile, error) {
	l := &logFile{fs: fsys, path: path, most: most, keep: keep}
	return l, l.open()
}

func (l *logFile) open() (err error) {
	if l.file, err = l.fs.OpenAppend(l.path); err != nil {
		return err
	}
	if l.size, err = l.file.Size(); err != nil {
		_ = l.file.Close()
		l.file = nil
	}
	return err
}

// Write appends a line, to a new file if it does not fit the current one.
func (l *logFile) Write(line []byte) (int, error) {
	if l.most > 0 && l.size > 0 && l.size+int64(len(line)) > l.most {
		if err := l.rotate(); err != nil {
			return 0, err
		}
	}
	if l.file == nil {
		if err := l.open(); err != nil {
			return 0, err
		}
	}
	n, err := l.file.Write(line)
	l.size += int64(n)
	return n, err
}

// rotate makes room for a new file. What stands in the way of that is tried again
// when the file has doubled: a log that goes on is better than a tidy one.
func (l *logFile) rotate() error {
	if l.file != nil {
		_ = l.file.Close() // some systems rename no open files
		l.file = nil
	}
	moved := l.shift()
	if err := l.open(); err != nil {
		return err
	}
	if moved != nil {
		l.size = 0
	}
	return nil
}

func (l *logFile) shift() error {
	if l.keep == 0 {
		return l.fs.Remove(l.path)
	}
	for n := l.keep - 1; n >= 1; n-- {
		if err := l.fs.Rename(l.numbered(n), l.numbered(n+1)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return l.fs.Rename(l.path, l.numbered(1))
}

func (l *logFile) numbered(n int) string {
	return fmt.Sprintf("%s.%d.log", strings.TrimSuffix(l.path, ".log"), n)
}

// Close closes the current file.
func (l *logFile) Close() error {
	if l.file == nil {
		return nil
	}
	return l.file.Close()
}
