package client

import (
	"context"
	"fmt"
	"strconv"

	"github.com/stdbgo/spacetime/internal/wire"
	"github.com/stdbgo/spacetime/sats"
)

// An ask is a question to the server under way: a procedure or a one-off query.
type ask struct {
	done chan struct{}

	// Set before done is closed.
	value   []byte
	rows    wire.RowList
	failure *string
	err     error
}

// CallProcedure calls a procedure and returns the BSATN of what it returns; args
// appends the BSATN of its arguments back to back. The error is a *HostError if the
// procedure failed or could not run; else it is as with Call.Wait.
func (c *Conn) CallProcedure(ctx context.Context, procedure string, args func(b []byte) []byte) ([]byte, error) {
	a, err := c.ask(ctx, func(id uint32) wire.ClientMessage {
		if args != nil {
			c.mu.args = args(c.mu.args[:0])
		} else {
			c.mu.args = c.mu.args[:0]
		}
		m := &c.mu.message.procedure
		*m = wire.CallProcedure{RequestID: id, Procedure: procedure, Args: c.mu.args}
		return m
	})
	if err != nil {
		return nil, err
	}
	if a.failure != nil {
		return nil, &HostError{procedure, *a.failure}
	}
	return a.value, nil
}

// ProcedureResult calls a procedure as Conn.CallProcedure does, and reads what it
// returns. Generated packages use it.
func ProcedureResult[T any](ctx context.Context, c *Conn, procedure string, args func(b []byte) []byte, read func(*sats.Reader) T) (v T, err error) {
	b, err := c.CallProcedure(ctx, procedure, args)
	if err != nil {
		return v, err
	}
	r := sats.NewReader(b)
	v = read(r)
	if err := r.End(); err != nil {
		return v, fmt.Errorf("client: what the procedure %s returns does not decode, so the bindings do not fit the module: %w", procedure, err)
	}
	return v, nil
}

// A Connection is a *Conn, or what embeds it as the Conn of a generated package does.
type Connection interface{ base() *Conn }

func (c *Conn) base() *Conn { return c }

// QuerySQL asks for the rows of a SELECT once. R is a row type of a generated
// package, or a struct that package sats can decode. It changes nothing in the cache.
// It does not call a view (spec 08 §14.3): a view has rows for it while somebody is
// subscribed to it, or has read it by SQL over HTTP lately.
func QuerySQL[R any](ctx context.Context, c Connection, query string) ([]R, error) {
	read, err := readerOf[R]()
	if err != nil {
		return nil, err
	}
	list, err := c.base().QueryRows(ctx, query)
	if err != nil {
		return nil, err
	}
	rows := make([]R, list.Len())
	var r sats.Reader
	for i := range rows {
		r.Reset(list.At(i))
		read(&rows[i], &r)
		if err := r.End(); err != nil {
			return nil, fmt.Errorf("client: the rows of %s are no %T: %w", query, rows[i], err)
		}
	}
	return rows, nil
}

// QueryRows is QuerySQL for programs that work with the bytes of rows.
func (c *Conn) QueryRows(ctx context.Context, query string) (RowList, error) {
	a, err := c.ask(ctx, func(id uint32) wire.ClientMessage {
		return &wire.OneOffQuery{RequestID: id, MessageID: strconv.AppendUint(nil, uint64(id), 10), Query: query}
	})
	if err != nil {
		return RowList{}, err
	}
	if a.failure != nil {
		return RowList{}, &QueryError{query, *a.failure}
	}
	return a.rows, nil
}

// ask sends what make returns for a fresh id, and waits for the answer. make is
// called with the lock held.
func (c *Conn) ask(ctx context.Context, make func(id uint32) wire.ClientMessage) (*ask, error) {
	if err := c.mayWait(ctx); err != nil {
		return nil, err
	}
	a, id, err := c.sendAsk(ctx, make)
	if err != nil {
		return nil, err
	}
	select {
	case <-a.done:
		return a, a.err
	case <-ctx.Done():
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.mu.link != nil && c.mu.link.asks[id] == a {
			delete(c.mu.link.asks, id)
		}
		return nil, context.Cause(ctx)
	}
}

func (c *Conn) sendAsk(ctx context.Context, message func(id uint32) wire.ClientMessage) (*ask, uint32, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.waitForSpace(ctx); err != nil {
		return nil, 0, err
	}
	a := &ask{done: make(chan struct{})}
	id := c.mu.freshID()
	m := message(id)
	c.mu.link.asks[id] = a
	c.push(m)
	return a, id, nil
}

// answer hands an ask what set writes into it.
func (c *Conn) answer(l *link, id uint32, set func(*ask)) {
	c.mu.Lock()
	a := l.asks[id]
	delete(l.asks, id)
	c.mu.Unlock()
	if a == nil {
		return // nobody waits any more
	}
	set(a)
	close(a.done)
}
