package commitlog

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/stdbgo/spacetime/internal/vfs"
)

const (
	checkpointSuffix = ".checkpoint"
	badSuffix        = ".bad" // appended to the name of a checkpoint that was rejected
)

// Checkpoints are the states of a database at some offsets, each in one file,
// beside its log. The checkpoint at an offset holds the effect of exactly the
// transactions below it, so that recovery is: read it, then replay from its
// offset.
//
// A checkpoint must not be ahead of the log: Write only what is durable. Its
// offset should come from [Log.Cut]. All methods may be called from any
// goroutine.
type Checkpoints struct {
	fs  vfs.FS
	dir string
	log *slog.Logger
	mu  sync.Mutex // held by what changes the directory
}

// OpenCheckpoints opens the checkpoints in a directory, creating it if needed,
// and removes what an interrupted Write left. A nil logger logs nothing.
func OpenCheckpoints(fsys vfs.FS, dir string, logger *slog.Logger) (*Checkpoints, error) {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	err := fsys.MkdirAll(dir)
	if err == nil {
		err = removeTemps(fsys, dir)
	}
	if err != nil {
		return nil, fmt.Errorf("commitlog: open checkpoints: %w", err)
	}
	return &Checkpoints{fs: fsys, dir: dir, log: logger}, nil
}

func (c *Checkpoints) path(off Offset) string {
	return filepath.Join(c.dir, fmt.Sprintf("%0*d%s", offsetDigits, off, checkpointSuffix))
}

// Write stores what fn writes as the checkpoint at an offset: compressed, with
// checksums, durable on return, and whole or not there at all after a crash.
func (c *Checkpoints) Write(off Offset, fn func(w io.Writer) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	path := c.path(off)
	temp := path + vfs.TempSuffix
	err := c.writeTemp(temp, off, fn)
	if err == nil {
		err = c.fs.Rename(temp, path)
	}
	if err == nil {
		err = c.fs.SyncDir(c.dir)
	}
	if err == nil {
		return nil
	}
	if removeErr := c.fs.Remove(temp); removeErr != nil && !errors.Is(removeErr, fs.ErrNotExist) {
		err = errors.Join(err, removeErr)
	}
	return fmt.Errorf("commitlog: write checkpoint %d: %w", off, err)
}

func (c *Checkpoints) writeTemp(temp string, off Offset, fn func(w io.Writer) error) error {
	f, err := c.fs.Create(temp)
	if err != nil {
		return err
	}
	err = func() error {
		w, err := newCheckpointWriter(f, off)
		if err != nil {
			return err
		}
		defer w.release()
		if err := fn(w); err != nil {
			return err
		}
		if err := w.finish(); err != nil {
			return err
		}
		return f.Sync()
	}()
	return errors.Join(err, f.Close())
}

// List returns the offsets of all checkpoints, ascending. None was verified.
func (c *Checkpoints) List() ([]Offset, error) {
	list, err := listOffsets(c.fs, c.dir, checkpointSuffix)
	if err != nil {
		return nil, fmt.Errorf("commitlog: list checkpoints: %w", err)
	}
	return list, nil
}

// Newest returns the newest good checkpoint at or below a limit, which is the
// log's next offset, after verifying every checksum in it. ok is false if there
// is none.
//
// Damaged ones are renamed out of the way, and so are those above the limit: the
// log will reach their offsets with other transactions. One that cannot be read
// because the disk fails stays, and an older one is taken.
func (c *Checkpoints) Newest(limit Offset) (off Offset, ok bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	list, err := c.List()
	if err != nil {
		return 0, false, err
	}
	for _, off := range slices.Backward(list) {
		if off > limit {
			err = fmt.Errorf("it is ahead of the log, which ends at %d", limit)
		} else if err = c.Check(off); err == nil {
			return off, true, nil
		}
		c.log.Warn("a checkpoint is passed over", slog.Uint64("offset", uint64(off)), slog.Any("reason", err))
		var damaged *CorruptionError
		if off > limit || errors.As(err, &damaged) {
			if err := c.reject(off); err != nil {
				return 0, false, err
			}
		}
	}
	return 0, false, nil
}

func (c *Checkpoints) reject(off Offset) error {
	err := c.fs.Rename(c.path(off), c.path(off)+badSuffix)
	if err == nil {
		err = c.fs.SyncDir(c.dir)
	}
	if err != nil {
		return fmt.Errorf("commitlog: reject checkpoint %d: %w", off, err)
	}
	return nil
}

// Check verifies all checksums of one checkpoint without decompressing it.
func (c *Checkpoints) Check(off Offset) error {
	r, err := c.open(off)
	if err != nil {
		return err
	}
	for err == nil {
		err = r.nextBlock()
	}
	if err == io.EOF {
		err = nil
	}
	return errors.Join(err, r.Close())
}

// Open returns what was written as the checkpoint at an offset. Checksums are
// verified while reading; damage is a CorruptionError in place of the damaged
// bytes. Newest tells beforehand whether there is any.
func (c *Checkpoints) Open(off Offset) (io.ReadCloser, error) {
	r, err := c.open(off)
	if err != nil {
		return nil, err
	}
	return r, nil
}

func (c *Checkpoints) open(off Offset) (*checkpointReader, error) {
	f, err := c.fs.Open(c.path(off))
	if err != nil {
		return nil, fmt.Errorf("commitlog: open checkpoint: %w", err)
	}
	r, err := newCheckpointReader(f, c.path(off), off)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return r, nil
}

// Prune deletes all but the newest checkpoints, keep of them, and rejected ones
// older than those. It returns the oldest offset that is left: the log is needed
// from there on. ok is false if no checkpoint is left.
func (c *Checkpoints) Prune(keep int) (oldest Offset, ok bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	list, err := c.List()
	if err != nil {
		return 0, false, err
	}
	if len(list) == 0 {
		return 0, false, nil
	}
	drop := list[:max(0, len(list)-max(keep, 1))]
	oldest = list[len(drop)]
	names, err := c.rejectedBelow(oldest)
	if err != nil {
		return 0, false, err
	}
	for _, off := range drop {
		names = append(names, c.path(off))
	}
	for _, name := range names {
		if err := c.fs.Remove(name); err != nil {
			return 0, false, fmt.Errorf("commitlog: prune checkpoints: %w", err)
		}
	}
	if len(names) > 0 {
		if err := c.fs.SyncDir(c.dir); err != nil {
			return 0, false, fmt.Errorf("commitlog: prune checkpoints: %w", err)
		}
	}
	return oldest, true, nil
}

func (c *Checkpoints) rejectedBelow(limit Offset) (paths []string, err error) {
	entries, err := c.fs.ReadDir(c.dir)
	if err != nil {
		return nil, fmt.Errorf("commitlog: prune checkpoints: %w", err)
	}
	for _, e := range entries {
		name, rejected := strings.CutSuffix(e.Name(), badSuffix)
		if off, ok := parseOffsetName(name, checkpointSuffix); rejected && ok && off < limit {
			paths = append(paths, filepath.Join(c.dir, e.Name()))
		}
	}
	return paths, nil
}
