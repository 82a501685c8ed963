package client

import "sync"

// A cacheLock is a readers-writer lock whose readers may lock again while they hold
// it: inside Conn.View every method of a table does. So while somebody reads, others
// may begin to; the writer, who applies transactions, comes when nobody does.
type cacheLock struct {
	mu      sync.Mutex
	free    sync.Cond
	readers int
	writing bool
	views   int // readers that are Views
	waiting bool
}

func (l *cacheLock) init() { l.free.L = &l.mu }

// rlock locks for one method of a table. If no View is open it lets a waiting writer
// go first.
func (l *cacheLock) rlock() {
	l.mu.Lock()
	for l.writing || l.waiting && l.views == 0 {
		l.free.Wait()
	}
	l.readers++
	l.mu.Unlock()
}

func (l *cacheLock) runlock() {
	l.mu.Lock()
	if l.readers--; l.readers == 0 {
		l.free.Broadcast()
	}
	l.mu.Unlock()
}

func (l *cacheLock) viewLock() {
	l.mu.Lock()
	for l.writing || l.waiting && l.views == 0 {
		l.free.Wait()
	}
	l.readers++
	l.views++
	l.mu.Unlock()
}

func (l *cacheLock) viewUnlock() {
	l.mu.Lock()
	l.views--
	if l.readers--; l.readers == 0 || l.views == 0 {
		l.free.Broadcast()
	}
	l.mu.Unlock()
}

func (l *cacheLock) lock() {
	l.mu.Lock()
	for l.writing || l.readers > 0 {
		l.waiting = true
		l.free.Wait()
	}
	l.waiting = false
	l.writing = true
	l.mu.Unlock()
}

func (l *cacheLock) unlock() {
	l.mu.Lock()
	l.writing = false
	l.free.Broadcast()
	l.mu.Unlock()
}
