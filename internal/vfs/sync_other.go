//go:build !linux

package vfs

import "os"

// syncData is a full sync here: on macOS only that (F_FULLFSYNC) reaches the
// medium, and Windows has nothing less.
func syncData(f *os.File) error { return f.Sync() }
