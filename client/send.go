package client

import (
	"context"
	"fmt"
	"time"

	"github.com/coder/websocket"
	"github.com/stdbgo/spacetime/internal/wire"
	v1 "github.com/stdbgo/spacetime/internal/wire/v1"
	v2 "github.com/stdbgo/spacetime/internal/wire/v2"
)

// maxPayload bounds how many bytes of messages are packed into one payload, and
// wire.MaxV3Messages how many messages.
const maxPayload = 256 << 10

// keepArgs is the size up to which the buffer of arguments is kept.
const keepArgs = 64 << 10

// callMessage is the message of a call, kept to be used again.
type callMessage struct {
	reducer   wire.CallReducer
	procedure wire.CallProcedure
}

// waitForSpace waits until a message may be queued, and returns why none can be. The
// lock is held, but not while it waits.
func (c *Conn) waitForSpace(ctx context.Context) error {
	full := func() bool {
		return len(c.mu.queue) >= c.opts.QueueBytes && c.mu.absent() == nil && c.mu.link.err == nil
	}
	if full() {
		defer context.AfterFunc(ctx, func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.mu.space.Broadcast()
		})()
		for full() {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			c.mu.space.Wait()
		}
	}
	if err := c.mu.absent(); err != nil {
		return err
	}
	if err := c.mu.link.err; err != nil {
		if c.opts.Reconnect.Initial > 0 {
			return fmt.Errorf("%w: %w", ErrReconnecting, err)
		}
		return fmt.Errorf("%w: %w", ErrDisconnected, err)
	}
	return nil
}

// push queues a message, whatever the queue's length. The lock is held, and there is
// a link.
func (c *Conn) push(m wire.ClientMessage) {
	if c.mu.link.session.protocol == V1 {
		c.mu.queue = v1.AppendClient(c.mu.queue, m)
	} else {
		c.mu.queue = v2.AppendClient(c.mu.queue, m)
	}
	c.mu.ends = append(c.mu.ends, len(c.mu.queue))
	select {
	case c.mu.link.wake <- struct{}{}:
	default:
	}
}

// freshID returns an id that nothing under way has.
func (s *connState) freshID() uint32 {
	for {
		s.next++
		s.wrapped = s.wrapped || s.next == 0
		if s.next == 0 {
			continue // V1 says 0 where it means none
		}
		if !s.wrapped || s.sets[s.next] == nil && (s.link == nil || s.link.calls[s.next] == nil && s.link.asks[s.next] == nil) {
			return s.next
		}
	}
}

// write sends what is queued until the link breaks.
func (c *Conn) write(l *link) {
	var idle <-chan time.Time
	if c.opts.IdleTimeout > 0 {
		t := time.NewTicker(max(c.opts.IdleTimeout/4, time.Millisecond))
		defer t.Stop()
		idle = t.C
	}
	for {
		select {
		case <-l.broken.Done():
			return
		case <-idle:
			if err := c.listen(l); err != nil {
				c.breakLink(l, err)
				return
			}
			continue
		case <-l.wake:
		}
		c.mu.Lock()
		l.batch, c.mu.queue = c.mu.queue, l.batch[:0]
		l.ends, c.mu.ends = c.mu.ends, l.ends[:0]
		c.mu.space.Broadcast()
		c.mu.Unlock()
		if err := c.writeBatch(l); err != nil {
			c.breakLink(l, err)
			return
		}
	}
}

// listen asks a silent server for a sign of life, and gives up on a dead one.
func (c *Conn) listen(l *link) error {
	silent := time.Since(time.Unix(0, l.heard.Load()))
	if silent >= c.opts.IdleTimeout {
		return fmt.Errorf("client: the server has been silent for %s", silent.Round(time.Millisecond))
	}
	if silent >= c.opts.IdleTimeout/2 {
		l.writing.Go(func() {
			ctx, cancel := context.WithTimeout(l.broken, c.opts.IdleTimeout)
			defer cancel()
			_ = l.ws.Ping(ctx) // whether the answer comes is seen by the silence
		})
	}
	return nil
}

// writeBatch sends the batch: V3 takes many messages in one payload, the others one.
func (c *Conn) writeBatch(l *link) error {
	c.counts.messagesOut.Add(uint64(len(l.ends)))
	c.counts.bytesOut.Add(uint64(len(l.batch)))
	from, last, n := 0, 0, 0
	for _, end := range l.ends {
		full := n > 0 && (end-from > maxPayload || n == wire.MaxV3Messages || l.session.protocol != V3)
		if full {
			if err := l.ws.Write(l.broken, websocket.MessageBinary, l.batch[from:last]); err != nil {
				return err
			}
			from, n = last, 0
		}
		last = end
		n++
	}
	if n == 0 {
		return nil
	}
	return l.ws.Write(l.broken, websocket.MessageBinary, l.batch[from:last])
}
