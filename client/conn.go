package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
	"github.com/stdbgo/spacetime/internal/wire"
	v2 "github.com/stdbgo/spacetime/internal/wire/v2"
	"github.com/stdbgo/spacetime/sats"
)

// A Conn is one connection. Its methods may be called from any goroutine; the
// functions handed to it run on its reading goroutine, one at a time, and must
// not wait for the connection.
type Conn struct {
	opts     Options
	ws       *websocket.Conn
	protocol wire.Protocol

	identity     sats.Identity
	connectionID sats.ConnectionID
	token        string

	stop   context.CancelFunc
	closes sync.Once
	wg     sync.WaitGroup
	done   chan struct{} // closed when the connection has ended and every call with it
	wake   chan struct{} // capacity 1: there is something to write
	mu     connState
	writer writer
}

// connState is what the methods and the two goroutines share.
type connState struct {
	sync.Mutex
	space   *sync.Cond // queue shrank, or nothing can be queued any more
	queue   []byte     // encoded messages that wait to be written
	ends    []int      // where each of them ends
	next    uint32     // the last request or query set id
	wrapped bool       // next has been through all ids
	calls   map[uint32]*Call
	subs    map[uint32]*Subscription // by query set id
	err     error                    // why the connection ended; sticky
	closing bool                     // Close was called first
}

// closeTimeout bounds the closing handshake.
const closeTimeout = 2 * time.Second

// Dial connects and returns when the server has told the connection's identity.
// ctx bounds the dialling only.
func Dial(ctx context.Context, o Options) (*Conn, error) {
	addr, err := o.address()
	if err != nil {
		return nil, err
	}
	o.MaxMessage = min(o.MaxMessage, math.MaxInt-1) // one more is read to see that it is too long
	if o.MaxMessage <= 0 {
		o.MaxMessage = defaultMaxMessage
	}
	if o.QueueBytes <= 0 {
		o.QueueBytes = defaultQueueBytes
	}
	header := http.Header{}
	if o.Token != "" {
		header.Set("Authorization", "Bearer "+o.Token)
	}
	ws, res, err := websocket.Dial(ctx, addr, &websocket.DialOptions{
		HTTPClient:   o.HTTPClient,
		HTTPHeader:   header,
		Subprotocols: []string{wire.V3.String(), wire.V2.String()},
	})
	if err != nil {
		return nil, dialError(addr, res, err)
	}
	ws.SetReadLimit(o.MaxMessage)
	run, stop := context.WithCancel(context.Background())
	c := &Conn{opts: o, ws: ws, stop: stop, done: make(chan struct{}), wake: make(chan struct{}, 1)}
	c.mu.space = sync.NewCond(&c.mu)
	c.mu.calls, c.mu.subs = map[uint32]*Call{}, map[uint32]*Subscription{}
	switch ws.Subprotocol() {
	case wire.V3.String():
		c.protocol = wire.V3
	case wire.V2.String():
		c.protocol = wire.V2
	default:
		stop()
		_ = ws.CloseNow()
		return nil, fmt.Errorf("client: %s speaks the subprotocol %q, which was not offered", addr, ws.Subprotocol())
	}
	if err := c.hello(ctx); err != nil {
		stop()
		_ = ws.CloseNow()
		return nil, err
	}
	c.wg.Add(2)
	go c.readLoop(run)
	go c.writeLoop(run)
	return c, nil
}

func dialError(addr string, res *http.Response, err error) error {
	if res == nil || res.StatusCode == http.StatusSwitchingProtocols {
		return fmt.Errorf("client: %w", err)
	}
	body, _ := io.ReadAll(io.LimitReader(res.Body, 1024))
	text := strings.TrimSpace(string(body))
	if text == "" {
		text = http.StatusText(res.StatusCode)
	}
	return &DialError{URL: addr, Status: res.StatusCode, Message: text}
}

// hello reads the server's first message. A server that accepts the connection
// and ends it before that has refused the client.
func (c *Conn) hello(ctx context.Context) error {
	var first *v2.InitialConnection
	err := c.read(ctx, func(m v2.ServerMessage) error {
		if first != nil {
			return c.dispatch(m)
		}
		var ok bool
		if first, ok = m.(*v2.InitialConnection); !ok {
			return fmt.Errorf("client: the server's first message is a %T", m)
		}
		return nil
	})
	switch {
	case err == nil && first == nil:
		return errors.New("client: the server's first message is empty")
	case err == nil:
	case ctx.Err() != nil:
		return fmt.Errorf("client: waiting for the server's first message: %w", context.Cause(ctx))
	case websocket.CloseStatus(err) >= 0 || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("client: the server ended the connection at once, as when the module refuses a client: %w", err)
	default:
		return err
	}
	c.identity, c.connectionID, c.token = first.Identity, first.ConnectionID, first.Token
	return nil
}

// Identity is who the server takes this connection for.
func (c *Conn) Identity() sats.Identity { return c.identity }

// ConnectionID names this connection.
func (c *Conn) ConnectionID() sats.ConnectionID { return c.connectionID }

// Token is the token in use; with it a later connection keeps the identity.
func (c *Conn) Token() string { return c.token }

// Protocol is the subprotocol in use.
func (c *Conn) Protocol() string { return c.protocol.String() }

// Done is closed when the connection has ended.
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

// ClosedByServer reports whether err, from Conn.Err, says that the server ended
// the connection in order, with a Close frame.
func ClosedByServer(err error) bool { return websocket.CloseStatus(err) >= 0 }

// Close ends the connection and waits for its goroutines; it must not be called by
// a function that was handed to the connection. Calls under way fail, and those
// that wait in the queue are not sent. It may be called again, and always returns
// nil.
func (c *Conn) Close() error {
	c.closes.Do(func() {
		c.mu.Lock()
		c.mu.closing = c.mu.err == nil
		first := c.mu.closing
		c.mu.space.Broadcast()
		c.mu.Unlock()
		if first {
			// A peer that reads nothing, or never answers, is not waited for.
			defer time.AfterFunc(closeTimeout, c.stop).Stop()
			_ = c.ws.Close(websocket.StatusNormalClosure, "") // an end that the server did first is an end, too
		}
	})
	c.stop()
	c.wg.Wait()
	return nil
}

func (c *Conn) readLoop(ctx context.Context) {
	defer c.wg.Done()
	var err error
	for err == nil {
		err = c.read(ctx, c.dispatch)
	}
	c.fail(err)
}

// read reads one payload and hands over the messages in it.
func (c *Conn) read(ctx context.Context, handle func(v2.ServerMessage) error) error {
	kind, payload, err := c.ws.Read(ctx)
	if err != nil {
		return err
	}
	if kind != websocket.MessageBinary {
		return errors.New("client: the server sent text, which the protocol does not have")
	}
	body, err := wire.OpenEnvelope(payload, int(c.opts.MaxMessage))
	if err != nil {
		return err
	}
	r := sats.NewReader(body)
	for r.Len() > 0 {
		m := v2.ReadServer(r)
		if err := r.Err(); err != nil {
			return fmt.Errorf("client: a message of the server does not decode: %w", err)
		}
		if err := handle(m); err != nil {
			return err
		}
	}
	return nil
}

// fail ends the connection for err, why reading ended, and every call and
// subscription with it.
func (c *Conn) fail(err error) {
	c.stop()
	_ = c.ws.CloseNow()
	c.mu.Lock()
	if c.mu.err == nil || websocket.CloseStatus(err) >= 0 {
		c.mu.err = err // else writing failed first, and reading because of that
	}
	end := c.mu.ended()
	calls, subs := c.mu.calls, c.mu.subs
	c.mu.calls, c.mu.subs = map[uint32]*Call{}, map[uint32]*Subscription{}
	c.mu.space.Broadcast()
	c.mu.Unlock()

	for _, call := range calls {
		call.finish(end)
	}
	for _, s := range subs {
		s.end(end)
	}
	close(c.done)
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
