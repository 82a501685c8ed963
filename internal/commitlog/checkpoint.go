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
	fs      vfs.FS
	dir     string
	log     *slog.Logger
	archive string
	mu      sync.Mutex      // held by what changes the directory
	good    map[Offset]bool // those written or read whole since the opening; under mu
}

// CheckpointOptions say where checkpoints live; FS and Dir are required.
type CheckpointOptions struct {
	FS      vfs.FS
	Dir     string
	Logger  *slog.Logger // default: nobody
	Archive string       // where Prune moves what it would delete; empty: nowhere
}

// OpenCheckpoints opens the checkpoints in a directory, creating it if needed,
// and removes what an interrupted Write left.
func OpenCheckpoints(o CheckpointOptions) (*Checkpoints, error) {
	c := ReadCheckpoints(o)
	err := c.fs.MkdirAll(c.dir)
	if err == nil {
		err = removeTemps(c.fs, c.dir)
	}
	if err != nil {
		return nil, fmt.Errorf("commitlog: open checkpoints: %w", err)
	}
	return c, nil
}

// ReadCheckpoints is OpenCheckpoints for those who only look: nothing is created
// or removed. Of the result's methods they may use List, Check and Open.
func ReadCheckpoints(o CheckpointOptions) *Checkpoints {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Checkpoints{fs: o.FS, dir: o.Dir, log: o.Logger, archive: o.Archive, good: map[Offset]bool{}}
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
		c.good[off] = true
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

// ErrAhead means that a checkpoint holds transactions that the log should.
var ErrAhead = errors.New("a checkpoint is ahead of the log")

// Restore hands the newest good checkpoint at or below a limit, which is the
// log's next offset, to load. ok is false if there is none. load reads what was
// written; when it is done the rest of the file is verified. After any failure the
// next older one is tried, and load begins anew.
//
// Damaged ones are renamed out of the way. One that the disk does not give or that
// load refuses stays where it is. failures says why those newer than the result
// were passed over. A good one above the limit is an error, ErrAhead: it was
// written when the log reached that far, so a part of the log is lost.
func (c *Checkpoints) Restore(limit Offset, load func(off Offset, r io.Reader) error) (off Offset, ok bool, failures, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	list, err := c.List()
	if err != nil {
		return 0, false, nil, err
	}
	var passed []error
	for _, off := range slices.Backward(list) {
		if off > limit {
			if err = c.Check(off); err == nil {
				return 0, false, nil, fmt.Errorf("commitlog: %w: %s holds the transactions before %d, and the log ends at %d; "+
					"restore the rest of the log from a copy, or remove the checkpoint to go back to there", ErrAhead, c.path(off), off, limit)
			}
		} else if err = c.restore(off, load); err == nil {
			c.good[off] = true
			return off, true, errors.Join(passed...), nil
		}
		c.log.Warn("a checkpoint is passed over", slog.Uint64("offset", uint64(off)), slog.Any("reason", err))
		passed = append(passed, err)
		var damaged *CorruptionError
		if errors.As(err, &damaged) {
			if err := c.reject(off); err != nil {
				return 0, false, nil, err
			}
		}
	}
	return 0, false, errors.Join(passed...), nil
}

func (c *Checkpoints) restore(off Offset, load func(off Offset, r io.Reader) error) error {
	f, err := c.open(off)
	if err != nil {
		return err
	}
	r := readAhead(f)
	if err = load(off, r); err == nil {
		_, err = io.Copy(io.Discard, r)
	}
	if bad := r.stop(); bad != nil {
		err = bad // whatever load made of it
	}
	return errors.Join(err, f.Close())
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
// bytes.
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

// Prune removes all that are older than the newest good checkpoints, keep of them,
// and returns the offset of the oldest of these: the log is needed from there on.
// ok is false while fewer than keep are good: the log in front of them must stay, to
// fall back on. Each is verified once, so that a file that rots or cannot be read
// never takes the place of one that can.
func (c *Checkpoints) Prune(keep int) (oldest Offset, ok bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	list, err := c.List()
	if err != nil {
		return 0, false, err
	}
	// What is found is not durable yet if whoever wrote it died or failed between
	// the renaming and the sync.
	if err := c.fs.SyncDir(c.dir); err != nil {
		return 0, false, fmt.Errorf("commitlog: prune checkpoints: %w", err)
	}
	found := 0
	for i, off := range slices.Backward(list) {
		if !c.verified(off) {
			continue
		}
		if found++; found >= keep {
			return off, true, c.removeBelow(off, list[:i])
		}
	}
	return 0, false, nil
}

// verified reports whether a checkpoint is known to be good, or turns out to be.
func (c *Checkpoints) verified(off Offset) bool {
	if c.good[off] {
		return true
	}
	if err := c.Check(off); err != nil {
		c.log.Warn("a checkpoint does not count", slog.Uint64("offset", uint64(off)), slog.Any("reason", err))
		return false
	}
	c.good[off] = true
	return true
}

// removeBelow removes the checkpoints of a list, and deletes rejected ones below an
// offset.
func (c *Checkpoints) removeBelow(oldest Offset, list []Offset) error {
	var err error
	for _, off := range list {
		if err == nil {
			err = remove(c.fs, c.path(off), c.archive)
		}
	}
	rejected, listErr := c.rejectedBelow(oldest)
	for _, path := range rejected {
		err = errors.Join(err, ignoreMissing(c.fs.Remove(path)))
	}
	if err = errors.Join(err, listErr); err != nil {
		return fmt.Errorf("commitlog: prune checkpoints: %w", err)
	}
	return nil
}

func (c *Checkpoints) rejectedBelow(limit Offset) (paths []string, err error) {
	entries, err := c.fs.ReadDir(c.dir)
	for _, e := range entries {
		name, rejected := strings.CutSuffix(e.Name(), badSuffix)
		if off, ok := parseOffsetName(name, checkpointSuffix); rejected && ok && off < limit {
			paths = append(paths, filepath.Join(c.dir, e.Name()))
		}
	}
	return paths, err
}

// Size returns the length of a checkpoint's file in bytes.
func (c *Checkpoints) Size(off Offset) (int64, error) {
	info, err := c.fs.Stat(c.path(off))
	if err != nil {
		return 0, fmt.Errorf("commitlog: %w", err)
	}
	return info.Size(), nil
}
