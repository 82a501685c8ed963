package cli

import (
	"errors"

	"github.com/stdbgo/spacetime/internal/vfs"
)

// inUse reports whether a running server holds the lock of a data directory.
func inUse(pidFile string) bool {
	lock, err := vfs.OS{}.Lock(pidFile)
	if err != nil {
		return errors.Is(err, vfs.ErrLocked)
	}
	_ = lock.Close()
	return false
}
