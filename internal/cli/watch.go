package cli

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

// A fileWatcher tells when files below some directories change.
type fileWatcher struct {
	changed chan struct{} // holds one token: something has changed since it was last taken
	roots   []string
	ignore  *ignorer
}

// Times of watching: how long nothing must happen before a change counts as over,
// and how often files are looked at where the system tells nothing.
const (
	settleTime = 300 * time.Millisecond
	pollEvery  = 500 * time.Millisecond
)

// watchFiles begins to watch directories until ctx ends. The system tells of changes;
// where it cannot, because watches are used up or the file system knows none, files
// are looked at again and again.
func watchFiles(ctx context.Context, roots []string, ignore *ignorer) *fileWatcher {
	w := &fileWatcher{changed: make(chan struct{}, 1), roots: roots, ignore: ignore}
	if n, err := fsnotify.NewWatcher(); err == nil {
		if w.addAll(n) == nil {
			go w.notified(ctx, n)
			return w
		}
		_ = n.Close()
	}
	go w.poll(ctx, w.snapshot())
	return w
}

func (w *fileWatcher) mark() {
	select {
	case w.changed <- struct{}{}:
	default: // one is waiting already
	}
}

// settled waits for a change and then until none has come for settleTime. It
// reports false if ctx ends before.
func (w *fileWatcher) settled(ctx context.Context) bool {
	select {
	case <-w.changed:
	case <-ctx.Done():
		return false
	}
	for {
		select {
		case <-w.changed:
		case <-time.After(settleTime):
			return true
		case <-ctx.Done():
			return false
		}
	}
}

// walk visits what is not ignored. Files that vanish meanwhile are passed over.
func (w *fileWatcher) walk(top, root string, visit func(path string, d fs.DirEntry) error) error {
	return filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			if path == root {
				return err
			}
			return nil
		}
		if w.ignore.ignored(root, path, d.IsDir()) {
			if d.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		return visit(path, d)
	})
}

func (w *fileWatcher) addAll(n *fsnotify.Watcher) error {
	for _, root := range w.roots {
		err := w.walk(root, root, func(path string, d fs.DirEntry) error {
			if d.IsDir() {
				return n.Add(path)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// rootOf is the watched directory that a path lies in.
func (w *fileWatcher) rootOf(path string) string {
	best := ""
	for _, root := range w.roots {
		if rel, err := filepath.Rel(root, path); err == nil && filepath.IsLocal(rel) && len(root) > len(best) {
			best = root
		}
	}
	return best
}

func (w *fileWatcher) notified(ctx context.Context, n *fsnotify.Watcher) {
	defer n.Close()
	for {
		select {
		case <-ctx.Done():
			return
		case e, ok := <-n.Events:
			if !ok {
				return
			}
			w.event(n, e)
		case _, ok := <-n.Errors:
			if !ok {
				return
			}
			_ = w.addAll(n) // events are lost: perhaps those of new directories
			w.mark()
		}
	}
}

func (w *fileWatcher) event(n *fsnotify.Watcher, e fsnotify.Event) {
	if e.Op&(fsnotify.Create|fsnotify.Write|fsnotify.Remove|fsnotify.Rename) == 0 {
		return
	}
	root := w.rootOf(e.Name)
	if root == "" {
		return
	}
	st, err := os.Stat(e.Name)
	dir := err == nil && st.IsDir()
	if w.ignore.ignored(root, e.Name, dir) {
		return
	}
	if dir {
		if e.Op&fsnotify.Create == 0 {
			return
		}
		_ = w.walk(e.Name, root, func(path string, d fs.DirEntry) error {
			if d.IsDir() {
				return n.Add(path)
			}
			return nil
		})
	}
	w.mark()
}

// A stamp is what a poll compares of a file.
type stamp struct {
	time time.Time
	size int64
}

func (w *fileWatcher) snapshot() map[string]stamp {
	all := map[string]stamp{}
	for _, root := range w.roots {
		_ = w.walk(root, root, func(path string, d fs.DirEntry) error {
			if st, err := d.Info(); err == nil && !d.IsDir() {
				all[path] = stamp{st.ModTime(), st.Size()}
			}
			return nil
		})
	}
	return all
}

func (w *fileWatcher) poll(ctx context.Context, before map[string]stamp) {
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now := w.snapshot()
		same := len(now) == len(before)
		for path, s := range now {
			same = same && before[path] == s
		}
		if !same {
			w.mark()
		}
		before = now
	}
}
