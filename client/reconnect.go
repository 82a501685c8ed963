package client

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/coder/websocket"
	"github.com/stdbgo/spacetime/internal/wire"
)

// Reconnect says how to connect again when the connection breaks. The zero value does
// not: the first break ends the connection.
//
// On a new link the subscriptions are made again, and what has changed meanwhile comes
// as one transaction of the kind Resync. Calls under way end with ErrDisconnected and
// are not made again. An answer that will not change, such as 401 or 404, ends the
// connection, and so do another identity than before and rows of another type than the
// bindings say.
type Reconnect struct {
	// Initial is the wait before the first attempt; it doubles up to Max.
	Initial, Max time.Duration
	// Jitter is the part of a wait that is random, from 0 to 1.
	Jitter float64
	// GiveUp is how long after the break the connection ends; 0: never.
	GiveUp time.Duration
}

// DefaultReconnect waits one second, doubling to 30, a half of it random, and never
// gives up.
var DefaultReconnect = Reconnect{Initial: time.Second, Max: 30 * time.Second, Jitter: 0.5}

func (r *Reconnect) setDefaults() {
	r.Max = max(r.Max, r.Initial)
	r.Jitter = min(max(r.Jitter, 0), 1)
}

// A Phase is what a connection is about.
type Phase uint8

// The phases of a connection.
const (
	Connecting Phase = iota
	Live
	Waiting // for the next attempt to connect
	Closed
)

var phases = [...]string{"connecting", "live", "waiting", "closed"}

// String returns the phase in one word.
func (p Phase) String() string {
	if int(p) < len(phases) {
		return phases[p]
	}
	return "unknown"
}

// A State says how a connection is.
type State struct {
	Phase Phase
	Next  time.Time // Waiting: when the next attempt is made
	Err   error     // Waiting and Closed: why; nil after Close
}

// State returns how the connection is.
func (c *Conn) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.state
}

// setState notes and tells a state. The lock is held.
func (c *Conn) setState(s State) {
	c.mu.state = s
	c.in.push(item{state: &s})
}

// Times of reconnections.
const (
	dialTimeout = 30 * time.Second
	busyWait    = time.Second
)

// sessionBusy is how a server closes that has not let go of the last link yet (spec 05
// §4.1).
const sessionBusy websocket.StatusCode = 4000

// addSessionID draws the name under which the server knows all links of a connection.
func addSessionID(addr *url.URL) error {
	var id [16]byte
	if _, err := rand.Read(id[:]); err != nil {
		return fmt.Errorf("client: drawing a session id: %w", err)
	}
	addr.RawQuery += "&session_id=" + hex.EncodeToString(id[:])
	return nil
}

// A resume is what a new link has to answer before it is as good as the last one.
type resume struct {
	await      map[uint32]*Subscription // by query set
	generation uint32                   // V1
}

// install makes a link the connection's own. The lock is held.
func (c *Conn) install(l *link) {
	c.mu.link, c.mu.lost = l, nil
	c.session.Store(&l.session)
	l.writing.Go(func() { c.write(l) })
	c.setState(State{Phase: Live})
}

// reconnect takes leave of a link that broke for err, and returns the next one, or nil
// if the connection has ended.
func (c *Conn) reconnect(l *link, err error) *link {
	c.mu.Lock()
	gone, goOn := c.detach(err)
	if c.mu.closing {
		err = errClosed
	}
	c.mu.Unlock()
	c.in.push(item{link: l, down: err, gone: gone})
	if !goOn {
		return nil
	}
	if c.opts.Logger != nil {
		c.opts.Logger.Info("client: the connection has broken and will be made again", "cause", err)
	}
	next, err := c.connectAgain(err)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		err = c.mu.ended()
	}
	if err != nil {
		if next != nil {
			_ = next.ws.CloseNow()
		}
		c.close(err)
		return nil
	}
	c.counts.reconnects.Add(1)
	c.resume(next)
	return next
}

// detach puts the state in order when the link has broken, and reports whether another
// one shall follow. It returns the subscriptions that end with the link. The lock is
// held.
func (c *Conn) detach(err error) (gone []*Subscription, goOn bool) {
	c.mu.link, c.mu.lost = nil, err
	c.mu.queue, c.mu.ends = c.mu.queue[:0], c.mu.ends[:0]
	c.mu.space.Broadcast()
	if c.opts.Reconnect.Initial <= 0 || c.mu.ended() != nil || c.run.Err() != nil || isFinal(err) {
		c.close(err)
		return nil, false
	}
	for id, s := range c.mu.sets {
		if s.raw != nil || s.ending {
			gone = append(gone, s)
			delete(c.mu.sets, id)
		}
	}
	c.mu.state = State{Phase: Waiting, Err: err}
	return gone, true
}

// close ends the connection for err. The lock is held.
func (c *Conn) close(err error) {
	if c.mu.err == nil {
		c.mu.err = err
	}
	s := State{Phase: Closed, Err: c.mu.err}
	if c.mu.closing {
		s.Err = nil
	}
	c.setState(s)
	c.mu.space.Broadcast()
}

// isFinal reports whether connecting again cannot help.
func isFinal(err error) bool {
	var refused *DialError
	if errors.As(err, &refused) {
		return refused.Status/100 == 4 && refused.Status != http.StatusRequestTimeout && refused.Status != http.StatusTooManyRequests
	}
	var foreign *protocolError
	var misfit *misfitError
	return errors.As(err, &foreign) || errors.As(err, &misfit)
}

// connectAgain waits and connects until that succeeds or cannot any more.
func (c *Conn) connectAgain(cause error) (*link, error) {
	o := &c.opts.Reconnect
	began, delay, wait := time.Now(), o.Initial, o.jittered(o.Initial)
	if c.noBatch(cause) {
		wait = 0
	}
	for {
		if err := c.waitFor(wait, cause); err != nil {
			return nil, err
		}
		ctx, cancel := context.WithTimeout(c.run, dialTimeout)
		l, err := c.connect(ctx)
		cancel()
		if err == nil {
			if was := c.Identity(); l.session.identity != was {
				_ = l.ws.CloseNow()
				return nil, &protocolError{fmt.Sprintf("client: after reconnecting the server takes this client for %s, and before for %s", l.session.identity, was)}
			}
			return l, nil
		}
		cause = err
		if c.run.Err() != nil || isFinal(err) {
			return nil, err
		}
		if websocket.CloseStatus(err) == sessionBusy {
			wait = o.jittered(min(busyWait, o.Initial))
			continue
		}
		delay = min(2*delay, o.Max)
		wait = o.jittered(delay)
		if o.GiveUp > 0 && time.Since(began)+wait > o.GiveUp {
			return nil, fmt.Errorf("client: no connection for %s: %w", o.GiveUp, err)
		}
	}
}

func (r *Reconnect) jittered(d time.Duration) time.Duration {
	return d - time.Duration(float64(d)*r.Jitter*mathrand.Float64())
}

// waitFor waits before an attempt, telling of it.
func (c *Conn) waitFor(d time.Duration, cause error) error {
	c.mu.Lock()
	c.setState(State{Phase: Waiting, Next: time.Now().Add(d), Err: cause})
	c.mu.Unlock()
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-c.run.Done():
		return errClosed
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.setState(State{Phase: Connecting})
	return nil
}

// noBatch notes that the server does not know SubscribeBatch, if err says so for the
// first time (spec 05 §12.5).
func (c *Conn) noBatch(err error) bool {
	var closed websocket.CloseError
	if !errors.As(err, &closed) || closed.Code != websocket.StatusInternalError || !strings.Contains(closed.Reason, "unknown tag 0x5 for sum type ClientMessage") {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	first := !c.mu.noBatch
	c.mu.noBatch = true
	return first
}

// resume installs a link in place of a broken one, and asks for all subscriptions
// again under new names. The lock is held.
func (c *Conn) resume(l *link) {
	subs := make([]*Subscription, 0, len(c.mu.sets))
	for _, s := range c.mu.sets {
		subs = append(subs, s)
	}
	slices.SortFunc(subs, func(a, b *Subscription) int { return int(a.id) - int(b.id) })
	c.mu.sets = map[uint32]*Subscription{}
	up := &resume{await: map[uint32]*Subscription{}}
	for _, s := range subs {
		s.id = c.mu.freshID()
		c.mu.sets[s.id] = s
		up.await[s.id] = s
	}
	if l.session.protocol == V1 {
		up.generation = c.mu.freshID()
	}
	c.in.push(item{link: l, up: up})
	c.install(l)
	if len(subs) > 0 && !c.mu.noBatch && l.session.protocol != V1 {
		batch := &wire.SubscribeBatch{RequestID: c.mu.freshID()}
		for _, s := range subs {
			batch.Sets = append(batch.Sets, wire.SubscribeSet{QuerySetID: s.id, Queries: s.queries})
		}
		c.push(batch)
		return
	}
	for _, s := range subs {
		c.push(c.request(s))
	}
}
