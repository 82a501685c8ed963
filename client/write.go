package client

import (
	"context"
	"fmt"

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
// the queue is full. make is called with the lock held and registers what belongs
// to the id.
func (c *Conn) enqueue(make func(id uint32) wire.ClientMessage) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.mu.queue) >= c.opts.QueueBytes && c.mu.err == nil {
		c.mu.space.Wait()
	}
	if c.mu.err != nil {
		return fmt.Errorf("%w: %w", ErrDisconnected, c.mu.err)
	}
	c.mu.next++
	c.mu.queue = v2.AppendClient(c.mu.queue, make(c.mu.next))
	c.mu.ends = append(c.mu.ends, len(c.mu.queue))
	select {
	case c.wake <- struct{}{}:
	default:
	}
	return nil
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
			_ = c.ws.CloseNow() // the reader learns of it and says why the connection ended
			return
		}
	}
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
