package server

import (
	"crypto/tls"
	"net"
	"sync"
	"syscall"
)

// A waitTeller writes to a socket and tells when that has to wait for the peer.
type waitTeller struct {
	raw  syscall.RawConn
	tell func()
}

// tellWaits has tell called before a write to the connection has to wait. It reports
// false if the connection cannot know: then any write may. Only one goroutine at a
// time may write to the connection, or to the TLS connection on it.
func tellWaits(conn net.Conn, tell func()) bool {
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	c, ok := conn.(*limitedConn)
	if !ok || !triesWrites {
		return false
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return false
	}
	c.waits.Store(&waitTeller{raw, tell})
	return true
}

// Write writes all of b.
func (c *limitedConn) Write(b []byte) (n int, err error) {
	if w := c.waits.Load(); w != nil {
		if n, err = w.try(b); n == len(b) || err != nil {
			return n, err
		}
		w.tell()
	}
	m, err := c.TCPConn.Write(b[n:])
	return n + m, err
}

// An attempt is a write that does not wait.
type attempt struct {
	b   []byte
	n   int
	err error
	do  func(fd uintptr) bool
}

var attempts = sync.Pool{New: func() any {
	a := &attempt{}
	a.do = func(fd uintptr) bool {
		a.n, a.err = writeNow(fd, a.b)
		return true
	}
	return a
}}

// try writes what the socket takes at once.
func (w *waitTeller) try(b []byte) (int, error) {
	a := attempts.Get().(*attempt)
	a.b = b
	err := w.raw.Write(a.do)
	if err == nil {
		err = a.err
	}
	n := a.n
	a.b, a.n, a.err = nil, 0, nil
	attempts.Put(a)
	return n, err
}
