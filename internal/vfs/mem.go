package vfs

import (
	"io"
	"io/fs"
	"math/rand/v2"
	"path"
	"sort"
	"strings"
	"sync"
	"time"
)

// Mem is a file system in memory that remembers what has been synced. It starts
// with an empty root directory.
//
// Its model of a disk: a write is visible at once and durable, in blocks of 512
// bytes, after a sync of the file; a name is durable after a sync of its
// directory; names change in order. [Mem.CrashClone] shows what a power cut may
// leave behind.
type Mem struct {
	hookMu sync.Mutex
	hook   Hook

	mu struct {
		sync.Mutex
		root     *memNode
		capacity int64 // bytes of file content; negative means no limit
		used     int64
		locks    map[*memNode]bool
	}
}

var _ FS = (*Mem)(nil)

// blockSize is what the imagined disk writes at once.
const blockSize = 512

// A memNode is a file or a directory. Mem.mu guards all of it.
type memNode struct {
	// Of a file: what readers see, what the disk holds, and the blocks in which
	// the two may differ.
	data, disk []byte
	dirty      map[int]struct{}

	// Of a directory: names as seen and as on disk, and the changes between, in
	// order.
	names, diskNames map[string]*memNode
	changes          []memChange
}

// A memChange gives one name a new meaning; a rename inside a directory is one
// change of two names and survives whole or not at all.
type memChange struct {
	removed string // "" for none
	added   string // "" for none
	node    *memNode
}

func newMemDir() *memNode {
	return &memNode{names: map[string]*memNode{}, diskNames: map[string]*memNode{}}
}

func (n *memNode) isDir() bool { return n.names != nil }

// NewMem returns an empty file system without a size limit.
func NewMem() *Mem {
	m := &Mem{}
	m.mu.root = newMemDir()
	m.mu.capacity = -1
	m.mu.locks = map[*memNode]bool{}
	return m
}

// SetCapacity limits the bytes of file content; a write beyond writes what fits
// and fails with ErrDiskFull. A negative value removes the limit.
func (m *Mem) SetCapacity(bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mu.capacity = bytes
}

// Used returns the bytes of file content.
func (m *Mem) Used() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mu.used
}

// CrashClone returns the file system as it may be found after a power cut at
// this moment. Every block not yet synced is kept, lost or torn, and some number
// of the last changes of names in each directory is lost, as rng decides; nil
// loses everything that was not synced. The clone has no hook, no limit and no
// locks; m goes on unaffected.
func (m *Mem) CrashClone(rng *rand.Rand) *Mem {
	m.mu.Lock()
	defer m.mu.Unlock()
	clone := NewMem()
	c := crash{rng: rng, seen: map[*memNode]*memNode{}}
	clone.mu.root = c.node(m.mu.root)
	for _, n := range c.seen {
		clone.mu.used += int64(len(n.data))
	}
	return clone
}

type crash struct {
	rng  *rand.Rand
	seen map[*memNode]*memNode // a file may have two names after a lost removal
}

func (c *crash) node(n *memNode) *memNode {
	if done, ok := c.seen[n]; ok {
		return done
	}
	var survivor *memNode
	if n.isDir() {
		survivor = c.dir(n)
	} else {
		survivor = c.file(n)
	}
	c.seen[n] = survivor
	return survivor
}

func (c *crash) dir(n *memNode) *memNode {
	names := make(map[string]*memNode, len(n.diskNames))
	for name, child := range n.diskNames {
		names[name] = child
	}
	if c.rng != nil {
		for _, change := range n.changes[:c.rng.IntN(len(n.changes)+1)] {
			change.apply(names)
		}
	}
	order := make([]string, 0, len(names))
	for name := range names {
		order = append(order, name)
	}
	sort.Strings(order) // so that one seed gives one result
	survivor := newMemDir()
	for _, name := range order {
		child := c.node(names[name])
		survivor.names[name], survivor.diskNames[name] = child, child
	}
	return survivor
}

func (c *crash) file(n *memNode) *memNode {
	disk := append([]byte(nil), n.disk...)
	if c.rng != nil {
		blocks := make([]int, 0, len(n.dirty))
		for block := range n.dirty {
			blocks = append(blocks, block)
		}
		sort.Ints(blocks)
		for _, block := range blocks {
			switch c.rng.IntN(5) {
			case 0, 1:
				disk = writeBack(disk, n.data, block, blockSize)
			case 2:
				disk = writeBack(disk, n.data, block, c.rng.IntN(blockSize)) // torn
			}
		}
	}
	return &memNode{data: disk, disk: append([]byte(nil), disk...), dirty: map[int]struct{}{}}
}

// writeBack copies the first n bytes of a block from data to disk, which grows
// as needed.
func writeBack(disk, data []byte, block, n int) []byte {
	from := block * blockSize
	to := min(from+n, len(data))
	if from >= to {
		return disk
	}
	if len(disk) < to {
		disk = append(disk, make([]byte, to-len(disk))...)
	}
	copy(disk[from:to], data[from:to])
	return disk
}

func (change memChange) apply(names map[string]*memNode) {
	if change.removed != "" {
		delete(names, change.removed)
	}
	if change.added != "" {
		names[change.added] = change.node
	}
}

func (n *memNode) change(change memChange) {
	change.apply(n.names)
	n.changes = append(n.changes, change)
}

// clean returns the elements of a name. Both separators count, because paths are
// joined with the one of the system that the test runs on.
func clean(name string) []string {
	name = path.Clean("/" + strings.ReplaceAll(name, "\\", "/"))
	if name == "/" {
		return nil
	}
	return strings.Split(name[1:], "/")
}

func (m *Mem) findLocked(name string) (*memNode, error) {
	n := m.mu.root
	for _, elem := range clean(name) {
		if n = n.names[elem]; n == nil {
			return nil, fs.ErrNotExist
		}
	}
	return n, nil
}

// parentLocked returns the directory that holds name, and the last element.
func (m *Mem) parentLocked(name string) (*memNode, string, error) {
	elems := clean(name)
	if len(elems) == 0 {
		return nil, "", fs.ErrInvalid
	}
	n := m.mu.root
	for _, elem := range elems[:len(elems)-1] {
		if n = n.names[elem]; n == nil {
			return nil, "", fs.ErrNotExist
		}
	}
	if !n.isDir() {
		return nil, "", fs.ErrInvalid
	}
	return n, elems[len(elems)-1], nil
}

type memInfo struct {
	name string
	size int64
	dir  bool
}

func (i memInfo) Name() string       { return i.name }
func (i memInfo) Size() int64        { return i.size }
func (i memInfo) IsDir() bool        { return i.dir }
func (i memInfo) ModTime() time.Time { return time.Time{} }
func (i memInfo) Sys() any           { return nil }
func (i memInfo) Mode() fs.FileMode {
	if i.dir {
		return fs.ModeDir | dirPerm
	}
	return filePerm
}

func (n *memNode) info(name string) memInfo {
	return memInfo{name: name, size: int64(len(n.data)), dir: n.isDir()}
}

type memLock struct {
	m    *Mem
	node *memNode
}

func (l *memLock) Close() error {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	if !l.m.mu.locks[l.node] {
		return fs.ErrClosed
	}
	delete(l.m.mu.locks, l.node)
	return nil
}

var _ io.Closer = (*memLock)(nil)
