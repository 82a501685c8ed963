package cli

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"sync/atomic"

	"github.com/stdbgo/spacetime/internal/host"
	"github.com/stdbgo/spacetime/internal/vfs"
)

// A countedFS tells a progress how much of its files is read.
type countedFS struct {
	vfs.FS
	shown atomic.Pointer[progress] // nil: nobody counts
}

func (c *countedFS) Open(name string) (vfs.File, error) {
	f, err := c.FS.Open(name)
	if err != nil {
		return nil, err
	}
	return &countedFile{f, c}, nil
}

type countedFile struct {
	vfs.File
	fs *countedFS
}

func (f *countedFile) Read(b []byte) (int, error) {
	n, err := f.File.Read(b)
	f.fs.count(n)
	return n, err
}

func (f *countedFile) ReadAt(b []byte, off int64) (int, error) {
	n, err := f.File.ReadAt(b, off)
	f.fs.count(n)
	return n, err
}

func (c *countedFS) count(n int) {
	if p := c.shown.Load(); p != nil {
		p.add(n)
	}
}

// inspect verifies the files of a replica, and shows how far it is.
func (r *run) inspect(f *replicaFiles) (*host.Inspection, error) {
	defer f.reading(r.progress(fmt.Sprintf("Checking replica %d", f.ID), f.size()))()
	return f.Inspect()
}

// load reads the state of a replica, and shows how much it has read.
func (r *run) load(f *replicaFiles, in *host.Inspection, before uint64) (*host.Contents, error) {
	defer f.reading(r.progress(fmt.Sprintf("Reading replica %d", f.ID), 0))()
	return f.Load(in, before)
}

// reading lets a progress count what is read until the returned function is called,
// which ends it.
func (f *replicaFiles) reading(p *progress) func() {
	f.fs.shown.Store(p)
	return func() {
		f.fs.shown.Store(nil)
		p.end()
	}
}

// size is how many bytes the files of a replica have: each is read once to check it.
func (f *replicaFiles) size() (n int64) {
	_ = filepath.WalkDir(f.Dir, func(_ string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			if info, err := e.Info(); err == nil {
				n += info.Size()
			}
		}
		return nil // what cannot be read is reported by those who read it
	})
	return n
}

// exporting shows how much of a dump is written, unless that itself is on the screen.
func (r *run) exporting(d *dump) *progress {
	if d.output == "" && terminal(r.Stdout) {
		return &progress{}
	}
	return r.progress("Exporting", 0)
}
