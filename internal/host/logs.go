package host

import (
	"context"
	"io"
)

// Logs opens the module log: its last tail lines, all of the current file if tail
// is negative. With follow new lines come after them until ctx ends or the
// database stops.
func (db *Database) Logs(ctx context.Context, tail int, follow bool) (io.ReadCloser, error) {
	return db.log.read(ctx, tail, follow)
}
