package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/coder/websocket"

	"github.com/stdbgo/spacetime/client"
	"github.com/stdbgo/spacetime/internal/wire"
	v1 "github.com/stdbgo/spacetime/internal/wire/v1"
	v2 "github.com/stdbgo/spacetime/internal/wire/v2"
	"github.com/stdbgo/spacetime/sats"
)

// pause waits between from and to milliseconds. It reports whether there is more to do.
func pause(ctx context.Context, from, to int) bool {
	t := time.NewTimer(time.Duration(from+rand.IntN(to-from)) * time.Millisecond)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

func item(id uint32, text string) []byte { return sats.AppendString(sats.AppendU32(nil, id), text) }

// text is short or, now and then, longer than what is compressed.
func text() string {
	if rand.IntN(10) == 0 {
		return strings.Repeat("a long text ", 200+rand.IntN(200))
	}
	return fmt.Sprint("short ", rand.Uint32())
}

// dial connects with our own client.
func (w *world) dial(ctx context.Context) *client.Conn {
	for {
		c, err := client.Dial(ctx, nil, client.Options{URL: w.url, Database: w.db, ConfirmedReads: client.ConfirmedNo})
		if err == nil {
			w.dials.Add(1)
			return c
		}
		if ctx.Err() != nil {
			return nil
		}
		w.fail(err)
		if !pause(ctx, 500, 1000) {
			return nil
		}
	}
}

// caller works on an item of its own that it is subscribed to.
func (w *world) caller(ctx context.Context, id uint32) {
	c := w.dial(ctx)
	if c == nil {
		return
	}
	defer func() { _ = c.Close() }()
	call := func(reducer string, args []byte) bool {
		err := c.Call(reducer, args).Wait(ctx)
		if err == nil {
			w.calls.Add(1)
		} else if ctx.Err() == nil {
			w.fail(err)
		}
		return err == nil
	}
	query := fmt.Sprintf("SELECT * FROM item WHERE id = %d", id)
	for {
		s, err := c.SubscribeRows(ctx, func(client.Rows) {}, query)
		if err != nil {
			if ctx.Err() == nil {
				w.fail(err)
			}
			return
		}
		for range 5 {
			if !call("put", item(id, text())) || !pause(ctx, 100, 400) {
				return
			}
		}
		if !call("drop", sats.AppendU32(nil, id)) {
			return
		}
		_, err = c.QueryRows(ctx, "SELECT * FROM item WHERE id < 10")
		if err == nil {
			_, err = c.CallProcedure(ctx, "sum", func(b []byte) []byte { return sats.AppendU32(sats.AppendU32(b, id), 1) })
		}
		if err != nil {
			if ctx.Err() == nil {
				w.fail(err)
			}
			return
		}
		if err := s.Unsubscribe(ctx); err != nil {
			return
		}
	}
}

// socket connects with a library of another make.
func (w *world) socket(ctx context.Context, p wire.Protocol, query string) *websocket.Conn {
	addr := "ws" + strings.TrimPrefix(w.url, "http") + "/v1/database/" + url.PathEscape(w.db) + "/subscribe?confirmed=false&" + query
	c, _, err := websocket.Dial(ctx, addr, &websocket.DialOptions{Subprotocols: []string{p.String()}})
	if err != nil {
		if ctx.Err() == nil {
			w.fail(err)
		}
		return nil
	}
	w.dials.Add(1)
	c.SetReadLimit(64 << 20)
	return c
}

// watcher hears of every change, compressed by brotli.
func (w *world) watcher(ctx context.Context, id uint32) {
	c := w.socket(ctx, wire.V2, "compression=Brotli")
	if c == nil {
		return
	}
	defer func() { _ = c.CloseNow() }()
	q := v2.AppendClient(nil, &wire.SubscribeSet{QuerySetID: 1, Queries: []string{"SELECT * FROM item"}})
	if err := c.Write(ctx, websocket.MessageBinary, q); err != nil {
		return
	}
	for {
		_, payload, err := c.Read(ctx)
		if err != nil {
			if ctx.Err() == nil {
				w.fail(fmt.Errorf("watcher %d: %w", id, err))
			}
			return
		}
		body, err := wire.OpenEnvelope(payload, 64<<20)
		if err == nil {
			r := sats.NewReader(body)
			v2.ReadServer(r)
			err = r.Err()
		}
		if err != nil {
			w.fail(err)
			return
		}
		w.rows.Add(1)
	}
}

// idle answers pings and hears of one item.
func (w *world) idle(ctx context.Context, id uint32) {
	c := w.socket(ctx, wire.V1Binary, "compression=Gzip&light=true")
	if c == nil {
		return
	}
	defer func() { _ = c.CloseNow() }()
	q := v1.AppendClient(nil, &wire.SubscribeMulti{QueryID: 1, Queries: []string{fmt.Sprintf("SELECT * FROM item WHERE id = %d", 1_000_000+id)}})
	if err := c.Write(ctx, websocket.MessageBinary, q); err != nil {
		return
	}
	for {
		if _, _, err := c.Read(ctx); err != nil {
			if ctx.Err() == nil {
				w.fail(fmt.Errorf("idle client %d: %w", id, err))
			}
			return
		}
	}
}

// jsonClient asks now and then, in text.
func (w *world) jsonClient(ctx context.Context, id uint32) {
	c := w.socket(ctx, wire.V1JSON, "")
	if c == nil {
		return
	}
	defer func() { _ = c.CloseNow() }()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			if _, _, err := c.Read(ctx); err != nil {
				return
			}
		}
	}()
	for n := 0; ; n++ {
		for _, m := range []string{
			fmt.Sprintf(`{"SubscribeMulti":{"query_strings":["SELECT * FROM item WHERE id < %d"],"request_id":%d,"query_id":{"id":%d}}}`, id%50, n, n),
			fmt.Sprintf(`{"OneOffQuery":{"message_id":"0a","query_string":"SELECT * FROM item WHERE id = %d"}}`, id),
			fmt.Sprintf(`{"CallReducer":{"reducer":"put","args":"[%d,\"by text\"]","request_id":%d,"flags":1}}`, id, n),
			`{"CallReducer":{"reducer":"nonsense","args":"[]","request_id":1,"flags":0}}`,
			fmt.Sprintf(`{"UnsubscribeMulti":{"request_id":%d,"query_id":{"id":%d}}}`, n, n),
		} {
			if err := c.Write(ctx, websocket.MessageText, []byte(m)); err != nil {
				if ctx.Err() == nil {
					w.fail(fmt.Errorf("text client %d: %w", id, err))
				}
				return
			}
			if !pause(ctx, 50, 300) {
				_ = c.CloseNow()
				<-ended
				return
			}
		}
	}
}

// churner comes and goes, in order or not.
func (w *world) churner(ctx context.Context, id uint32) {
	for pause(ctx, 50, 500) {
		c := w.dial(ctx)
		if c == nil {
			return
		}
		_, _ = c.SubscribeRows(ctx, func(client.Rows) {}, fmt.Sprintf("SELECT * FROM item WHERE id < %d", id%100))
		_ = c.Call("put", item(id, text()))
		_ = c.Close()
	}
}

// rude does what nobody should.
func (w *world) rude(ctx context.Context, id uint32) {
	for n := 0; pause(ctx, 50, 400); n++ {
		c, err := w.handshake(ctx, fmt.Sprintf("session_id=%032x", id%7+1))
		if err != nil {
			continue
		}
		_ = c.SetDeadline(time.Now().Add(10 * time.Second))
		all := v2.AppendClient(nil, &wire.SubscribeSet{QuerySetID: 1, Queries: []string{"SELECT * FROM item"}})
		switch n % 6 {
		case 0: // nonsense
			_, _ = c.Write([]byte{0x82, 0x83, 0, 0, 0, 0, 9, 9, 9})
		case 1: // no mask
			_, _ = c.Write([]byte{0x82, 0x01, 9})
		case 2: // half a message, and gone
			_, _ = c.Write([]byte{0x02, 0xfe, 0x10, 0, 0, 0, 0, 0, 1, 2, 3})
		case 3: // asks for everything and does not read
			_, _ = c.Write(append([]byte{0x82, 0x80 | byte(len(all)), 0, 0, 0, 0}, all...))
			pause(ctx, 1000, 3000)
		case 4: // a length that is never sent
			_, _ = c.Write([]byte{0x82, 0xff, 0, 0, 0, 0, 1, 0xff, 0, 0, 0, 0, 0, 0})
			pause(ctx, 100, 500)
		case 5: // many pings
			for range 200 {
				_, _ = c.Write([]byte{0x89, 0x84, 0, 0, 0, 0, 'p', 'i', 'n', 'g'})
			}
		}
		_ = c.Close()
	}
}

// handshake is a connection without a library.
func (w *world) handshake(ctx context.Context, query string) (net.Conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		return nil, err
	}
	w.dials.Add(1)
	req, _ := http.NewRequestWithContext(ctx, http.MethodGet, w.url+"/v1/database/"+w.db+"/subscribe?"+query, nil)
	req.Header = http.Header{"Connection": {"upgrade"}, "Upgrade": {"websocket"}, "Sec-WebSocket-Version": {"13"},
		"Sec-WebSocket-Key": {"x"}, "Sec-WebSocket-Protocol": {wire.V2.String()}}
	if err := req.Write(c); err != nil {
		_ = c.Close()
		return nil, err
	}
	return c, nil
}
