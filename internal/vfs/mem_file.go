package vfs

import (
	"errors"
	"io"
	"io/fs"
	"sync"
)

// A memFile is one opening of a file of a Mem.
type memFile struct {
	m        *Mem
	name     string
	writable bool
	appends  bool

	mu struct {
		sync.Mutex
		pos    int64
		closed bool
	}

	node *memNode
}

// do runs one operation on an open file.
func (f *memFile) do(op Op, fn func() error) error {
	f.mu.Lock()
	closed := f.mu.closed
	f.mu.Unlock()
	if closed {
		return &fs.PathError{Op: string(op), Path: f.name, Err: fs.ErrClosed}
	}
	return f.m.do(op, f.name, fn)
}

func (f *memFile) Read(p []byte) (int, error) {
	f.mu.Lock()
	pos := f.mu.pos
	f.mu.Unlock()
	n, err := f.ReadAt(p, pos)
	f.mu.Lock()
	f.mu.pos = pos + int64(n)
	f.mu.Unlock()
	if n > 0 && err == io.EOF {
		err = nil
	}
	return n, err
}

func (f *memFile) ReadAt(p []byte, off int64) (n int, err error) {
	err = f.do(OpRead, func() error {
		if off < 0 {
			return fs.ErrInvalid
		}
		if off < int64(len(f.node.data)) {
			n = copy(p, f.node.data[off:])
		}
		return nil
	})
	if err == nil && n < len(p) {
		err = io.EOF
	}
	return n, err
}

func (f *memFile) Write(p []byte) (int, error) {
	f.mu.Lock()
	pos := f.mu.pos
	f.mu.Unlock()
	n, err := f.write(p, func() int64 {
		if f.appends {
			pos = int64(len(f.node.data))
		}
		return pos
	})
	f.mu.Lock()
	f.mu.pos = pos + int64(n)
	f.mu.Unlock()
	return n, err
}

func (f *memFile) WriteAt(p []byte, off int64) (int, error) {
	return f.write(p, func() int64 { return off })
}

// write writes at the position that at returns under the lock. A hook's
// ShortWrite and a full disk write a part.
func (f *memFile) write(p []byte, at func() int64) (n int, err error) {
	if !f.writable {
		return 0, &fs.PathError{Op: string(OpWrite), Path: f.name, Err: errReadOnly}
	}
	err = f.do(OpWrite, func() (err error) {
		n, err = f.m.writeLocked(f.node, p, at())
		return err
	})
	if short := (ShortWrite{}); errors.As(err, &short) {
		f.m.mu.Lock()
		n, _ = f.m.writeLocked(f.node, p[:min(short.N, len(p))], at())
		f.m.mu.Unlock()
	}
	return n, err
}

func (m *Mem) writeLocked(n *memNode, p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fs.ErrInvalid
	}
	var full error
	if grow := off + int64(len(p)) - int64(len(n.data)); grow > 0 && m.mu.capacity >= 0 {
		if room := m.mu.capacity - m.mu.used; grow > room {
			fits := max(int64(len(p))-(grow-max(room, 0)), 0)
			p, full = p[:fits], ErrDiskFull
		}
	}
	if len(p) == 0 {
		return 0, full
	}
	if end := off + int64(len(p)); end > int64(len(n.data)) {
		m.resizeLocked(n, end)
	}
	copy(n.data[off:], p)
	n.touch(off, off+int64(len(p)))
	return len(p), full
}

// resizeLocked sets a file's length; a gap reads as zeros.
func (m *Mem) resizeLocked(n *memNode, size int64) {
	old := int64(len(n.data))
	m.mu.used += size - old
	if size <= old {
		clear(n.data[size:])
		n.data = n.data[:size]
		n.touch(size, old)
		return
	}
	n.data = append(n.data, make([]byte, size-old)...)
	n.touch(old, size)
}

func (n *memNode) touch(from, to int64) {
	for block := from / blockSize; block*blockSize < to; block++ {
		n.dirty[int(block)] = struct{}{}
	}
}

func (f *memFile) Sync() error     { return f.sync() }
func (f *memFile) SyncData() error { return f.sync() }

// sync makes the dirty blocks durable. When the hook fails it, the blocks count
// as written although they were not, as on systems that drop a page after
// reporting its error once: the next sync succeeds and saves nothing.
func (f *memFile) sync() error {
	err := f.do(OpSync, func() error {
		n := f.node
		if len(n.disk) > len(n.data) {
			n.disk = n.disk[:len(n.data)]
		}
		for block := range n.dirty {
			n.disk = writeBack(n.disk, n.data, block, blockSize)
		}
		clear(n.dirty)
		return nil
	})
	if err != nil {
		f.m.mu.Lock()
		clear(f.node.dirty)
		f.m.mu.Unlock()
	}
	return err
}

func (f *memFile) Truncate(size int64) error {
	if !f.writable {
		return &fs.PathError{Op: string(OpTruncate), Path: f.name, Err: errReadOnly}
	}
	return f.do(OpTruncate, func() error {
		if size < 0 {
			return fs.ErrInvalid
		}
		f.m.resizeLocked(f.node, size)
		return nil
	})
}

func (f *memFile) Size() (size int64, err error) {
	err = f.do(OpStat, func() error {
		size = int64(len(f.node.data))
		return nil
	})
	return size, err
}

func (f *memFile) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.mu.closed {
		return &fs.PathError{Op: "close", Path: f.name, Err: fs.ErrClosed}
	}
	f.mu.closed = true
	return nil
}
