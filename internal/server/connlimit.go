package server

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
)

// A limitedListener counts connections. Those beyond a limit are accepted, so that
// they can be told why, and their requests are refused; when refused ones are
// many, too, they are closed at once.
type limitedListener struct {
	*net.TCPListener
	limits  Limits
	proxies *Proxies

	mu      sync.Mutex
	total   int
	refused int
	from    counts[netip.Addr]
}

// maxRefused is how many connections may be open only to be told that they are
// too many.
const maxRefused = 1024

// A limitedConn is a connection that is counted.
type limitedConn struct {
	*net.TCPConn
	refusal error // the answer to its requests; nil: it is served
	once    sync.Once
	done    func()
	waits   atomic.Pointer[waitTeller]
}

// NetConn is the connection itself.
func (c *limitedConn) NetConn() net.Conn { return c.TCPConn }

// Close closes the connection and counts it no longer.
func (c *limitedConn) Close() error {
	err := c.TCPConn.Close()
	c.once.Do(c.done)
	return err
}

// Accept waits for a connection.
func (l *limitedListener) Accept() (net.Conn, error) {
	for {
		c, err := l.AcceptTCP()
		if err != nil {
			return nil, err
		}
		if counted := l.admit(c); counted != nil {
			return counted, nil
		}
		_ = c.Close()
	}
}

// admit counts a connection; nil: it has to be closed.
func (l *limitedListener) admit(c *net.TCPConn) *limitedConn {
	var at netip.Addr
	if a, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		at = plainAddr(a.AddrPort().Addr())
	}
	local, _ := c.LocalAddr().(*net.TCPAddr)
	own := local != nil && plainAddr(local.AddrPort().Addr()) == at
	bounded := !exempt(at) && !own && !l.proxies.trust(at)
	at = network(at)
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.limits.Connections > 0 && l.total >= l.limits.Connections:
		return l.refuse(c, &httpError{
			status: http.StatusServiceUnavailable, retry: 10,
			body: "The server has as many connections as it may: try again later, or ask its operator to raise [limits] connections in config.toml",
		})
	case bounded && !l.from.add(at, l.limits.ConnectionsPerAddress):
		return l.refuse(c, tooMany("connections from your address", sessionRetry))
	}
	l.total++
	return &limitedConn{TCPConn: c, done: func() {
		if bounded {
			l.from.remove(at)
		}
		l.mu.Lock()
		l.total--
		l.mu.Unlock()
	}}
}

func (l *limitedListener) refuse(c *net.TCPConn, answer error) *limitedConn {
	if l.refused >= maxRefused {
		return nil
	}
	l.refused++
	return &limitedConn{TCPConn: c, refusal: answer, done: func() {
		l.mu.Lock()
		l.refused--
		l.mu.Unlock()
	}}
}

type refusalKey struct{}

// connContext lets the handler find out what is to become of a connection.
func connContext(ctx context.Context, c net.Conn) context.Context {
	if secure, ok := c.(*tls.Conn); ok {
		c = secure.NetConn()
	}
	if counted, ok := c.(*limitedConn); ok && counted.refusal != nil {
		return context.WithValue(ctx, refusalKey{}, counted.refusal)
	}
	return ctx
}

// refusal is the answer to a request on a connection that is one too many.
func refusal(r *http.Request) error {
	err, _ := r.Context().Value(refusalKey{}).(error)
	return err
}

// isRefusal reports whether an answer turns a client away that does too much: what
// it still sends is not read.
func isRefusal(err error) bool {
	var e *httpError
	return errors.As(err, &e) && e.retry > 0
}
