package vfs

import "fmt"

// An Op names one kind of operation of a [Mem], as its hook sees it.
type Op string

// The operations. Create stands for OpenAppend too, Remove for RemoveAll, Stat
// for File.Size, and Sync for SyncData; closing is not shown.
const (
	OpOpen     Op = "open"
	OpCreate   Op = "create"
	OpRead     Op = "read"
	OpWrite    Op = "write"
	OpSync     Op = "sync"
	OpTruncate Op = "truncate"
	OpRename   Op = "rename"
	OpRemove   Op = "remove"
	OpMkdir    Op = "mkdir"
	OpReadDir  Op = "readdir"
	OpStat     Op = "stat"
	OpSyncDir  Op = "syncdir"
	OpLock     Op = "lock"
)

// Changes reports whether the operation can change what is on disk.
func (op Op) Changes() bool {
	switch op {
	case OpOpen, OpRead, OpReadDir, OpStat:
		return false
	}
	return true
}

// A Hook is asked before each operation of a [Mem]; an error from it fails the
// operation. It may use the file system: calls are not serialized by a lock.
type Hook func(op Op, name string) error

// A ShortWrite, returned or wrapped by a hook, lets N bytes of a write through
// before it fails with Err. It means nothing for other operations.
type ShortWrite struct {
	N   int
	Err error
}

func (e ShortWrite) Error() string { return fmt.Sprintf("short write of %d bytes: %v", e.N, e.Err) }
func (e ShortWrite) Unwrap() error { return e.Err }

// SetHook installs a hook; nil removes it.
func (m *Mem) SetHook(h Hook) {
	m.hookMu.Lock()
	defer m.hookMu.Unlock()
	m.hook = h
}

func (m *Mem) ask(op Op, name string) error {
	m.hookMu.Lock()
	h := m.hook
	m.hookMu.Unlock()
	if h == nil {
		return nil
	}
	return h(op, name)
}
