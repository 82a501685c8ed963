package client

import (
	"context"
	"fmt"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
	"github.com/stdbgo/spacetime/sats"
)

// A Conn is a connection to a database; with Options.Reconnect it outlives its
// WebSockets. Its methods may be called from any goroutine. The functions handed to
// it are callbacks: they run one at a time on the goroutine that delivers, and must
// not wait for the connection (see ErrInCallback).
type Conn struct {
	opts         Options
	module       *Module
	addr         *url.URL
	subprotocols []string

	cache    *cache
	in       *inbox
	counts   counters
	session  atomic.Pointer[session]
	events   handlers[func(*Event)] // OnReducer
	delivery delivery

	run     context.Context // ends with Close, or when the connection ends for good
	stop    context.CancelFunc
	halted  atomic.Bool // Close was called, or a callback panicked: nothing more is told
	closes  sync.Once
	reading sync.WaitGroup
	done    chan struct{} // closed when everything has ended
	mu      connState
}

// A session is what the server's first message says.
type session struct {
	protocol     Protocol
	identity     sats.Identity
	connectionID sats.ConnectionID
	token        string
}

// connState is what the methods and the goroutines share.
type connState struct {
	sync.Mutex
	space   sync.Cond // queue shrank, or nothing can be queued any more
	link    *link     // nil while there is none
	queue   []byte    // encoded messages that wait to be written
	ends    []int     // where each of them ends
	args    []byte    // the arguments of the call being queued
	message callMessage
	next    uint32                   // the last request or query set id
	wrapped bool                     // next has been through all ids
	sets    map[uint32]*Subscription // by query set id: asked for, and not ended
	state   State
	noBatch bool  // the server does not know SubscribeBatch
	lost    error // why there is no link
	err     error // why the connection ended; sticky
	closing bool  // Close was called first
}

// closeTimeout bounds the closing handshake.
const closeTimeout = 2 * time.Second

// Dial connects and returns when the server has told the connection's identity.
// module describes what the connection keeps in its cache; generated packages pass
// theirs. nil keeps nothing: then rows and arguments are bytes. ctx bounds the
// dialling only.
func Dial(ctx context.Context, module *Module, o Options) (*Conn, error) {
	c, err := newConn(module, o)
	if err != nil {
		return nil, err
	}
	l, err := c.connect(ctx)
	if err != nil {
		c.stop()
		return nil, err
	}
	c.mu.Lock()
	c.install(l)
	if l.session.protocol == V1 {
		c.delivery.generation = c.mu.freshID()
	}
	c.mu.Unlock()
	c.reading.Go(func() { c.read(l) })
	if !o.Manual {
		go c.deliverAll()
	}
	return c, nil
}

func newConn(module *Module, o Options) (*Conn, error) {
	o.setDefaults()
	addr, err := o.address()
	if err != nil {
		return nil, err
	}
	c := &Conn{opts: o, module: module, addr: addr, done: make(chan struct{}), in: newInbox(o.ReceiveBytes)}
	if c.subprotocols, err = o.subprotocols(); err != nil {
		return nil, err
	}
	if c.cache, err = newCache(module); err != nil {
		return nil, err
	}
	if o.Reconnect.Initial > 0 {
		if err := addSessionID(addr); err != nil {
			return nil, err
		}
	}
	c.run, c.stop = context.WithCancel(context.Background())
	c.mu.space.L = &c.mu
	c.mu.sets = map[uint32]*Subscription{}
	c.cache.conn = c
	c.delivery.init(c)
	return c, nil
}

// Identity is who the server takes this connection for.
func (c *Conn) Identity() sats.Identity { return c.session.Load().identity }

// ConnectionID names the connection; it is another one after a reconnection.
func (c *Conn) ConnectionID() sats.ConnectionID { return c.session.Load().connectionID }

// Token is the token in use; with it a later connection keeps the identity.
func (c *Conn) Token() string { return c.session.Load().token }

// Protocol is the protocol in use.
func (c *Conn) Protocol() Protocol { return c.session.Load().protocol }

// Done is closed when the connection has ended and everything has been told.
func (c *Conn) Done() <-chan struct{} { return c.done }

// Err returns why the connection ended: nil while it lives or after Close.
func (c *Conn) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.closing {
		return nil
	}
	return c.mu.err
}

// Close ends the connection and waits for its goroutines. Calls under way fail, and
// those that wait in the queue are not sent. Subscribed rows stay in the cache. Close
// may be called again, and by a callback, which it does not wait for; it always
// returns nil.
func (c *Conn) Close() error {
	c.closes.Do(func() {
		c.mu.Lock()
		c.mu.closing = c.mu.err == nil
		l := c.mu.link
		c.mu.space.Broadcast()
		c.mu.Unlock()
		c.halted.Store(true)
		c.in.release()
		if l != nil {
			// A peer that reads nothing, or never answers, is not waited for.
			stop := time.AfterFunc(closeTimeout, func() { _ = l.ws.CloseNow() })
			_ = l.ws.Close(websocket.StatusNormalClosure, "") // an end that the server did first is an end, too
			stop.Stop()
		}
		c.stop()
	})
	c.reading.Wait()
	if c.delivery.inCallback() {
		return nil
	}
	if c.opts.Manual { // nobody else may do it
		c.delivery.mu.Lock()
		c.deliverQueued(goroutineID())
		c.delivery.mu.Unlock()
	}
	<-c.done
	return nil
}

// ended returns why nothing can be sent any more, or nil. The lock is held.
func (s *connState) ended() error {
	switch {
	case s.closing:
		return fmt.Errorf("%w: %w", ErrDisconnected, errClosed)
	case s.err != nil:
		return fmt.Errorf("%w: %w", ErrDisconnected, s.err)
	}
	return nil
}

// absent returns why nothing can be sent now, or nil. The lock is held.
func (s *connState) absent() error {
	if err := s.ended(); err != nil || s.link != nil {
		return err
	}
	return fmt.Errorf("%w: %w", ErrReconnecting, s.lost)
}

// unknown is the outcome of what was under way on a link that broke for cause. The
// lock is held.
func (c *Conn) unknown(cause error) error {
	if c.opts.Reconnect.Initial <= 0 || c.mu.ended() != nil || isFinal(cause) {
		return fmt.Errorf("%w: %w", ErrDisconnected, cause)
	}
	return fmt.Errorf("%w: %w", errLinkBroke, cause)
}

func (c *Conn) warn(msg string, args ...any) {
	if c.opts.Logger != nil {
		c.opts.Logger.Warn("client: "+msg, args...)
	}
}
