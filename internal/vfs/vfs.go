// Package vfs is the few file operations the database uses, behind one small
// interface.
//
// It owns [FS] and [File], the operating system's implementation ([OS]), one in
// memory ([Mem]) with which a test tears, drops and fails writes at will, and the
// two idioms built on them: replacing a file atomically and locking one.
//
// Promise: nothing is durable before [File.Sync], and no name before
// [FS.SyncDir]; Mem takes both literally. All implementations are safe for
// concurrent use. The package knows nothing of what the bytes mean.
package vfs

import (
	"errors"
	"io"
	"io/fs"
)

// ErrLocked is returned by [FS.Lock] when another holder has the lock.
var ErrLocked = errors.New("file is locked by another process")

// An FS is a file system. Names are paths in the form the operating system
// uses; [Mem] takes slashes on every system. Errors are [*fs.PathError] or wrap
// one, so that errors.Is with fs.ErrNotExist and fs.ErrExist works.
//
// Files are created readable and writable by their owner only, directories
// likewise: a data directory holds rows and keys.
type FS interface {
	// Open opens an existing file for reading.
	Open(name string) (File, error)
	// OpenRW opens an existing file for reading and writing.
	OpenRW(name string) (File, error)
	// Create opens a file for reading and writing, and empties it if it exists.
	Create(name string) (File, error)
	// OpenAppend opens a file, creating it if needed; each Write goes to its end.
	OpenAppend(name string) (File, error)

	// Rename moves a file; an existing newName is replaced.
	Rename(oldName, newName string) error
	// Remove deletes a file or an empty directory.
	Remove(name string) error
	// RemoveAll deletes name and everything below; a missing name is no error.
	RemoveAll(name string) error
	// MkdirAll creates a directory and its parents, and makes their names
	// durable; existing ones are no error.
	MkdirAll(name string) error
	// ReadDir lists a directory, sorted by name.
	ReadDir(name string) ([]fs.DirEntry, error)
	Stat(name string) (fs.FileInfo, error)

	// SyncDir makes the names in a directory durable: creations, renames and
	// removals. Where the system has no such call it does nothing.
	SyncDir(name string) error

	// Lock takes the exclusive advisory lock on a file, creating it if needed,
	// and holds it until the result is closed or the process ends; the file
	// stays. It does not wait: a lock held elsewhere is ErrLocked.
	Lock(name string) (io.Closer, error)
}

// A File is an open file. ReadAt and WriteAt may be called concurrently.
type File interface {
	io.Reader
	io.Writer
	io.ReaderAt
	io.WriterAt
	io.Closer

	// Sync makes content and metadata durable. After a failure the content is
	// undefined: the system may have dropped it and report success next time.
	Sync() error
	// SyncData is Sync without the metadata that reading does not need, such as
	// the modification time; the length is included.
	SyncData() error
	// Truncate sets the length; a longer file reads as zeros in the new part.
	Truncate(size int64) error
	// Size returns the current length in bytes.
	Size() (int64, error)
}

// IsDiskFull reports whether err says that the device or a quota is full.
func IsDiskFull(err error) bool {
	for _, full := range diskFullErrors {
		if errors.Is(err, full) {
			return true
		}
	}
	return false
}

// ReadFile returns the whole content of a file.
func ReadFile(fsys FS, name string) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(f)
	return data, errors.Join(err, f.Close())
}
