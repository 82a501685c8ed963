package vfs

import (
	"errors"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/windows"
)

var diskFullErrors = []error{windows.ERROR_DISK_FULL, windows.ERROR_HANDLE_DISK_FULL}

// ErrDiskFull is what [Mem] returns when its capacity is used up, and the system
// when a device is full.
const ErrDiskFull = windows.ERROR_DISK_FULL

// syncDir does nothing: a directory cannot be flushed here, and NTFS journals
// names in order.
func syncDir(string) error { return nil }

// The locked byte lies far behind any content, because a lock on Windows keeps
// others from reading the range, and a lock file may say who holds it.
const lockedByteHigh = 0x7fffffff

func lockFile(name string) (io.Closer, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, filePerm)
	if err != nil {
		return nil, err
	}
	err = windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY,
		0, 1, 0, &windows.Overlapped{OffsetHigh: lockedByteHigh})
	if err != nil {
		if errors.Is(err, windows.ERROR_LOCK_VIOLATION) || errors.Is(err, windows.ERROR_IO_PENDING) {
			err = ErrLocked
		}
		return nil, errors.Join(&fs.PathError{Op: "lock", Path: name, Err: err}, f.Close())
	}
	return f, nil
}
