package client

import (
	"context"

	"github.com/coder/websocket"
	"github.com/stdbgo/spacetime/internal/wire"
	v2 "github.com/stdbgo/spacetime/internal/wire/v2"
)

// maxPayload bounds how many messages are packed into one payload.
const maxPayload = 256 << 10

// writer is the writing goroutine's own state: the batch it is sending.
type writer struct {
	batch []byte
	ends  []int
}

// enqueue encodes what make returns for a fresh id and queues it. It waits while
// the queue is full, until ctx ends. make is called with the lock held and
// registers what belongs to the id.
func (c *Conn) enqueue(ctx context.Context, make func(id uint32) wire.ClientMessage) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.waitForSpace(ctx); err != nil {
		return err
	}
	c.push(make)
	return nil
}

// waitForSpace waits until a message may be queued. The lock is held, but not
// while it waits.
func (c *Conn) waitForSpace(ctx context.Context) error {
	full := func() bool { return len(c.mu.queue) >= c.opts.QueueBytes && c.mu.ended() == nil }
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
	return c.mu.ended()
}

// push queues a message whatever the queue's length. The lock is held.
func (c *Conn) push(make func(id uint32) wire.ClientMessage) {
	c.mu.queue = v2.AppendClient(c.mu.queue, make(c.mu.freshID()))
	c.mu.ends = append(c.mu.ends, len(c.mu.queue))
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// freshID returns an id that no call under way and no subscription has.
func (s *connState) freshID() uint32 {
	for {
		s.next++
		s.wrapped = s.wrapped || s.next == 0
		if !s.wrapped || s.calls[s.next] == nil && s.subs[s.next] == nil {
			return s.next
		}
	}
}

func (c *Conn) writeLoop(ctx context.Context) {
	defer c.wg.Done()
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.wake:
		}
		c.mu.Lock()
		w := &c.writer
		w.batch, c.mu.queue = c.mu.queue, w.batch[:0]
		w.ends, c.mu.ends = c.mu.ends, w.ends[:0]
		c.mu.space.Broadcast()
		c.mu.Unlock()
		if err := c.writeBatch(ctx); err != nil {
			c.writeFailed(err)
			return
		}
	}
}

// writeFailed ends the connection. The reading goroutine tells everybody; it may
// be waiting for space itself, so it is woken here.
func (c *Conn) writeFailed(err error) {
	c.mu.Lock()
	if c.mu.err == nil {
		c.mu.err = err
	}
	c.mu.space.Broadcast()
	c.mu.Unlock()
	_ = c.ws.CloseNow()
}

// writeBatch sends the batch: v3 takes many messages in one payload, v2 one.
func (c *Conn) writeBatch(ctx context.Context) error {
	w := &c.writer
	from, last := 0, 0
	for i, end := range w.ends {
		full := end-from > maxPayload && last > from
		if c.protocol == wire.V2 {
			full = last > from
		}
		if full {
			if err := c.ws.Write(ctx, websocket.MessageBinary, w.batch[from:last]); err != nil {
				return err
			}
			from = last
		}
		last = end
		if i == len(w.ends)-1 {
			return c.ws.Write(ctx, websocket.MessageBinary, w.batch[from:last])
		}
	}
	return nil
}
