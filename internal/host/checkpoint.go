package host

import (
	"errors"
	"io"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stdbgo/spacetime/internal/commitlog"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/sats"
)

// A checkpointer writes the state of a database to disk every so often, beside
// the writer, so that recovery need not replay the whole log.
type checkpointer struct {
	files *commitlog.Checkpoints // nil in memory

	// Since the last checkpoint; writer.
	tx, bytes uint64

	last    atomic.Uint64 // length of the newest file
	busy    atomic.Bool
	closing atomic.Bool
	work    sync.WaitGroup
}

// open sets the files, and how far the log is ahead of the newest.
func (c *checkpointer) open(files *commitlog.Checkpoints, r *recovery) {
	c.files, c.tx, c.bytes = files, r.tx, r.bytes
	c.last.Store(r.size)
}

// count notes a logged transaction and starts a checkpoint when it is time. It
// belongs to the writer.
func (c *checkpointer) count(db *Database, size int) {
	c.tx++
	c.bytes += uint64(size)
	o := &db.host.opts
	if c.files != nil && (c.tx >= o.CheckpointTx || c.bytes >= o.CheckpointBytes) && c.bytes >= c.last.Load() {
		c.begin(db)
	}
}

// begin pins the state as it is now and writes it on a goroutine. It belongs to the
// writer.
func (c *checkpointer) begin(db *Database) {
	if !c.busy.CompareAndSwap(false, true) {
		return
	}
	v, off := db.store.View(), db.journal.Cut()
	c.tx, c.bytes = 0, 0
	c.run(db, func() error {
		defer v.Close()
		start := db.host.opts.Clock.Now()
		err := c.write(db, v, off)
		if err == nil {
			db.meter.snapshot.observe(db.since(start))
			db.logger.Info("checkpoint", slog.Uint64("offset", uint64(off)), slog.Duration("took", db.since(start).Round(time.Millisecond)))
			err = c.prune(db)
		}
		return err
	})
}

// tidy removes what the last run would have, had it not ended. It belongs to the
// writer.
func (c *checkpointer) tidy(db *Database) {
	if c.files != nil && c.busy.CompareAndSwap(false, true) {
		c.run(db, func() error { return c.prune(db) })
	}
}

// run runs fn on a goroutine, which wait waits for; busy is set.
func (c *checkpointer) run(db *Database, fn func() error) {
	c.work.Add(1)
	go func() {
		defer c.work.Done()
		defer c.busy.Store(false)
		if err := fn(); err != nil && !errors.Is(err, errClosing) {
			db.logger.Warn("checkpoint or retention failed; nothing is lost, the next one tries again", slog.Any("error", err))
		}
	}()
}

func (c *checkpointer) write(db *Database, v *store.View, off commitlog.Offset) error {
	if off > 0 { // a checkpoint must not be ahead of the log
		if err := db.journal.WaitDurable(background, off-1); err != nil {
			return err
		}
	}
	err := c.files.Write(off, func(w io.Writer) error {
		return db.store.WriteSnapshot(v, &closableWriter{w, c})
	})
	if err != nil {
		return err
	}
	size, err := c.files.Size(off)
	if err != nil {
		return err
	}
	c.last.Store(uint64(size))
	return nil
}

// prune removes what recovery does not need any more, or archives it.
func (c *checkpointer) prune(db *Database) error {
	r := &db.host.opts.Retention
	oldest, ok, err := c.files.Prune(r.Checkpoints)
	if err != nil || !ok || r.All {
		return err
	}
	return db.journal.Retain(oldest)
}

// wait makes the checkpoint under way give up and returns when it has.
func (c *checkpointer) wait() {
	c.closing.Store(true)
	c.work.Wait()
}

var errClosing = errors.New("the database closes")

// A closableWriter fails once the database closes. After each piece it lets others
// run: where processors are few, a transaction would wait for a whole time slice.
type closableWriter struct {
	w io.Writer
	c *checkpointer
}

func (w *closableWriter) Write(p []byte) (int, error) {
	if w.c.closing.Load() {
		return 0, errClosing
	}
	runtime.Gosched()
	return w.w.Write(p)
}

// Checkpoint begins to write a checkpoint and returns; there is none to write for
// a database in memory.
func (db *Database) Checkpoint() error {
	if db.ckpt.files == nil {
		return nil
	}
	return db.exec.submit(func(sats.Timestamp) { db.ckpt.begin(db) })
}
