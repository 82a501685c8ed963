package vfs

import (
	"errors"
	"io"
	"io/fs"
	"path"
	"sort"
	"strings"
)

// do runs one operation under the lock, after the hook had its say.
func (m *Mem) do(op Op, name string, f func() error) error {
	err := m.ask(op, name)
	if err == nil {
		m.mu.Lock()
		err = f()
		m.mu.Unlock()
	}
	if err != nil {
		return &fs.PathError{Op: string(op), Path: name, Err: err}
	}
	return nil
}

func (m *Mem) Open(name string) (File, error)   { return m.open(name, false) }
func (m *Mem) OpenRW(name string) (File, error) { return m.open(name, true) }

func (m *Mem) open(name string, write bool) (File, error) {
	f := &memFile{m: m, name: name, writable: write}
	err := m.do(OpOpen, name, func() (err error) {
		if f.node, err = m.findLocked(name); err == nil && f.node.isDir() {
			err = errIsDir
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return f, nil
}

var (
	errIsDir    = errors.New("is a directory")
	errNotDir   = errors.New("is not a directory")
	errNotEmpty = errors.New("directory is not empty")
	errReadOnly = errors.New("file is open for reading only")
)

func (m *Mem) Create(name string) (File, error)     { return m.create(name, true) }
func (m *Mem) OpenAppend(name string) (File, error) { return m.create(name, false) }

func (m *Mem) create(name string, truncate bool) (File, error) {
	f := &memFile{m: m, name: name, writable: true, appends: !truncate}
	err := m.do(OpCreate, name, func() (err error) {
		if f.node, err = m.createLocked(name); err == nil && truncate {
			m.resizeLocked(f.node, 0)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (m *Mem) createLocked(name string) (*memNode, error) {
	dir, last, err := m.parentLocked(name)
	if err != nil {
		return nil, err
	}
	n := dir.names[last]
	switch {
	case n == nil:
		n = &memNode{dirty: map[int]struct{}{}}
		dir.change(memChange{added: last, node: n})
	case n.isDir():
		return nil, errIsDir
	}
	return n, nil
}

func (m *Mem) Rename(oldName, newName string) error {
	return m.do(OpRename, oldName, func() error {
		from, oldLast, err := m.parentLocked(oldName)
		if err != nil {
			return err
		}
		to, newLast, err := m.parentLocked(newName)
		if err != nil {
			return err
		}
		n := from.names[oldLast]
		if n == nil {
			return fs.ErrNotExist
		}
		if replaced := to.names[newLast]; replaced == n {
			return nil
		} else if replaced != nil {
			if replaced.isDir() {
				return fs.ErrExist
			}
			m.mu.used -= int64(len(replaced.data))
		}
		if from == to {
			from.change(memChange{removed: oldLast, added: newLast, node: n})
			return nil
		}
		to.change(memChange{added: newLast, node: n})
		from.change(memChange{removed: oldLast})
		return nil
	})
}

func (m *Mem) Remove(name string) error {
	return m.do(OpRemove, name, func() error {
		dir, last, err := m.parentLocked(name)
		if err != nil {
			return err
		}
		n := dir.names[last]
		if n == nil {
			return fs.ErrNotExist
		}
		if len(n.names) > 0 {
			return errNotEmpty
		}
		m.mu.used -= int64(len(n.data))
		dir.change(memChange{removed: last})
		return nil
	})
}

func (m *Mem) RemoveAll(name string) error {
	return m.do(OpRemove, name, func() error {
		dir, last, err := m.parentLocked(name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		} else if err != nil {
			return err
		}
		if n := dir.names[last]; n != nil {
			m.mu.used -= n.bytes()
			dir.change(memChange{removed: last})
		}
		return nil
	})
}

func (n *memNode) bytes() int64 {
	total := int64(len(n.data))
	for _, child := range n.names {
		total += child.bytes()
	}
	return total
}

func (m *Mem) MkdirAll(name string) error {
	return m.do(OpMkdir, name, func() error {
		n := m.mu.root
		for _, elem := range clean(name) {
			child := n.names[elem]
			switch {
			case child == nil:
				child = newMemDir()
				n.change(memChange{added: elem, node: child})
				n.syncNames()
			case !child.isDir():
				return errNotDir
			}
			n = child
		}
		return nil
	})
}

func (m *Mem) ReadDir(name string) (entries []fs.DirEntry, err error) {
	err = m.do(OpReadDir, name, func() error {
		n, err := m.findLocked(name)
		if err != nil {
			return err
		}
		if !n.isDir() {
			return errNotDir
		}
		for child, node := range n.names {
			entries = append(entries, fs.FileInfoToDirEntry(node.info(child)))
		}
		return nil
	})
	sort.Slice(entries, func(i, j int) bool { return entries[i].Name() < entries[j].Name() })
	return entries, err
}

func (m *Mem) Stat(name string) (info fs.FileInfo, err error) {
	err = m.do(OpStat, name, func() error {
		n, err := m.findLocked(name)
		if err == nil {
			info = n.info(path.Base("/" + strings.Join(clean(name), "/")))
		}
		return err
	})
	return info, err
}

func (m *Mem) SyncDir(name string) error {
	return m.do(OpSyncDir, name, func() error {
		n, err := m.findLocked(name)
		if err != nil {
			return err
		}
		if !n.isDir() {
			return errNotDir
		}
		n.syncNames()
		return nil
	})
}

func (n *memNode) syncNames() {
	for _, change := range n.changes {
		change.apply(n.diskNames)
	}
	n.changes = nil
}

func (m *Mem) Lock(name string) (io.Closer, error) {
	lock := &memLock{m: m}
	err := m.do(OpLock, name, func() (err error) {
		if lock.node, err = m.createLocked(name); err != nil {
			return err
		}
		if m.mu.locks[lock.node] {
			return ErrLocked
		}
		m.mu.locks[lock.node] = true
		return nil
	})
	if err != nil {
		return nil, err
	}
	return lock, nil
}
