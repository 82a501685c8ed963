package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
	"github.com/stdbgo/spacetime/internal/wire"
	v1 "github.com/stdbgo/spacetime/internal/wire/v1"
	v2 "github.com/stdbgo/spacetime/internal/wire/v2"
	"github.com/stdbgo/spacetime/sats"
)

// A link is one WebSocket of a connection, from the first message to its end.
type link struct {
	ws      *websocket.Conn
	session session
	early   []serverMessage // came with the first message

	wake    chan struct{} // capacity 1: there is something to write
	broken  context.Context
	stop    context.CancelFunc
	writing sync.WaitGroup
	heard   atomic.Int64 // when the server was heard last, in nanoseconds
	payload []byte       // of the reading goroutine: what it has read last
	batch   []byte       // of the writing goroutine: what it is sending
	ends    []int

	// Under the lock of the connection.
	err     error // why writing or delivering failed
	calls   map[uint32]*Call
	asks    map[uint32]*ask
	unknown v1Failures
}

// connect dials and reads the server's first message.
func (c *Conn) connect(ctx context.Context) (*link, error) {
	header := http.Header{}
	token := c.opts.Token
	if s := c.session.Load(); s != nil {
		token = s.token
	}
	if token != "" {
		header.Set("Authorization", "Bearer "+token)
	}
	l := &link{wake: make(chan struct{}, 1), calls: map[uint32]*Call{}, asks: map[uint32]*ask{}}
	ws, res, err := websocket.Dial(ctx, c.addr.String(), &websocket.DialOptions{
		HTTPClient:     c.opts.HTTPClient,
		HTTPHeader:     header,
		Subprotocols:   c.subprotocols,
		OnPingReceived: func(context.Context, []byte) bool { l.hear(); return true },
		OnPongReceived: func(context.Context, []byte) { l.hear() },
	})
	if err != nil {
		return nil, c.dialError(res, err)
	}
	l.ws = ws
	ws.SetReadLimit(c.opts.MaxMessage)
	for _, p := range c.opts.Protocols {
		if p.String() == ws.Subprotocol() {
			l.session.protocol = p
		}
	}
	if l.session.protocol == 0 {
		_ = ws.CloseNow()
		return nil, &protocolError{fmt.Sprintf("client: %s speaks the subprotocol %q, which was not offered", c.addr, ws.Subprotocol())}
	}
	if err := c.hello(ctx, l); err != nil {
		_ = ws.CloseNow()
		return nil, err
	}
	l.hear()
	l.broken, l.stop = context.WithCancel(c.run)
	return l, nil
}

// A protocolError is a server that cannot be talked to, now or later.
type protocolError struct{ text string }

func (e *protocolError) Error() string { return e.text }

// dialError says what came instead of a connection. The query parameters of the
// address, with the session id, are nobody's business.
func (c *Conn) dialError(res *http.Response, err error) error {
	if res == nil || res.StatusCode == http.StatusSwitchingProtocols {
		var request *url.Error
		if errors.As(err, &request) {
			return fmt.Errorf("client: %s cannot be reached: %w; is a server running there?", c.opts.URL, request.Err)
		}
		return fmt.Errorf("client: %s: %w", c.opts.URL, err)
	}
	body, _ := io.ReadAll(io.LimitReader(res.Body, 1024))
	text := strings.TrimSpace(string(body))
	if text == "" {
		text = http.StatusText(res.StatusCode)
	}
	addr, _, _ := strings.Cut(c.addr.String(), "?")
	return &DialError{URL: addr, Status: res.StatusCode, Message: text}
}

// hello reads the server's first message. A server that accepts the connection
// and ends it before that has refused the client.
func (c *Conn) hello(ctx context.Context, l *link) error {
	messages, _, err := c.readPayload(ctx, l)
	switch {
	case err == nil && len(messages) == 0:
		return errors.New("client: the server's first message is empty")
	case err == nil:
	case ctx.Err() != nil:
		return fmt.Errorf("client: waiting for the server's first message: %w", context.Cause(ctx))
	case websocket.CloseStatus(err) >= 0 || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("client: the server ended the connection at once, as when the module refuses a client: %w", err)
	default:
		return err
	}
	s := &l.session
	switch m := messages[0].(type) {
	case *v2.InitialConnection:
		s.identity, s.connectionID, s.token = m.Identity, m.ConnectionID, m.Token
	case *v1.IdentityToken:
		s.identity, s.connectionID, s.token = m.Identity, m.ConnectionID, m.Token
	default:
		return fmt.Errorf("client: the server's first message is a %T", m)
	}
	l.early = messages[1:]
	return nil
}

func (l *link) hear() { l.heard.Store(time.Now().UnixNano()) }

// readPayload reads one payload and decodes the messages in it. With an error come
// the messages before the one that does not decode.
func (c *Conn) readPayload(ctx context.Context, l *link) (messages []serverMessage, size int, err error) {
	kind, r, err := l.ws.Reader(ctx)
	if err != nil {
		return nil, 0, err
	}
	if kind != websocket.MessageBinary {
		return nil, 0, errors.New("client: the server sent text, which the protocol does not have")
	}
	if err := l.fill(r); err != nil {
		return nil, 0, err
	}
	l.hear()
	c.counts.bytesIn.Add(uint64(len(l.payload)))
	body, err := wire.OpenEnvelope(l.payload, int(c.opts.MaxMessage))
	if err != nil {
		return nil, 0, err
	}
	if len(body) > 0 && len(body) < len(l.payload) && &body[0] == &l.payload[1] {
		body = append([]byte(nil), body...) // messages outlive the buffer
	}
	messages, err = l.decode(body)
	c.counts.messagesIn.Add(uint64(len(messages)))
	return messages, len(body), err
}

// keepBuffer is the size up to which the buffer of a payload is kept for the next.
const keepBuffer = 1 << 20

// fill reads r to its end into the buffer.
func (l *link) fill(r io.Reader) error {
	b := l.payload[:0]
	if cap(b) > keepBuffer || cap(b) == 0 {
		b = make([]byte, 0, 4096)
	}
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		l.payload = b
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (l *link) decode(body []byte) (messages []serverMessage, err error) {
	if l.session.protocol == V1 {
		m, err := v1.DecodeServer(body)
		if err != nil {
			return nil, fmt.Errorf("client: a message of the server does not decode: %w", err)
		}
		return []serverMessage{m}, nil
	}
	r := sats.NewReader(body)
	for r.Len() > 0 {
		m := v2.ReadServer(r)
		if err := r.Err(); err != nil {
			return messages, fmt.Errorf("client: a message of the server does not decode: %w", err)
		}
		messages = append(messages, m)
	}
	return messages, nil
}

// read reads link after link until the connection ends.
func (c *Conn) read(l *link) {
	defer c.in.push(item{end: true})
	defer c.stop()
	for l != nil {
		err := c.readLink(l)
		l = c.reconnect(l, err)
	}
}

// readLink reads until the link breaks, and returns why.
func (c *Conn) readLink(l *link) error {
	messages, size, err := l.early, 1, error(nil)
	for {
		if len(messages) > 0 {
			c.in.push(item{link: l, messages: messages, size: size})
		}
		if err != nil {
			break
		}
		messages, size, err = c.readPayload(c.run, l)
	}
	l.stop()
	_ = l.ws.CloseNow()
	l.writing.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	if l.err != nil && websocket.CloseStatus(err) < 0 {
		return l.err // writing failed first, and reading because of that
	}
	return err
}

// breakLink ends a link from another goroutine than the reading one.
func (c *Conn) breakLink(l *link, err error) {
	c.mu.Lock()
	if l.err == nil {
		l.err = err
	}
	c.mu.space.Broadcast()
	c.mu.Unlock()
	l.stop()
	_ = l.ws.CloseNow()
}
