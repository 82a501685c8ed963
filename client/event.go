package client

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/stdbgo/spacetime/sats"
)

// An EventKind says why rows change.
type EventKind uint8

// The kinds of events.
const (
	Applied     EventKind = iota // the initial rows of a subscription
	Unapplied                    // the rows that only an ending subscription had
	Reducer                      // a reducer call: one of this connection, or on V1 of anybody
	Transaction                  // a transaction of which the server does not say who made it
	Resync                       // what changed while the connection was interrupted
)

var eventKinds = [...]string{"applied", "unapplied", "reducer", "transaction", "resync"}

// String returns the kind in one word.
func (k EventKind) String() string {
	if int(k) < len(eventKinds) {
		return eventKinds[k]
	}
	return "unknown"
}

// An Event says what changed rows. It is complete only for reducer calls.
type Event struct {
	Kind EventKind
	// Reducer has the arguments of the reducer as the type that the generated package
	// has for them, such as chat.SetNameArgs; nil if they are unknown.
	Reducer     any
	ReducerName string         // canonical
	Timestamp   sats.Timestamp // when the call began, by the server's clock
	// Caller and ConnectionID say who called; on V2 and V3 known for own calls only.
	Caller       sats.Identity
	ConnectionID sats.ConnectionID
	// Energy is what the call has used, on V1.
	Energy sats.U128
	// Err is how the call failed, for OnReducer; nil if it committed.
	Err error

	conn *Conn
}

// Context returns a context that ends with the connection. Calls that wait refuse it
// with ErrInCallback, because callbacks must not wait.
func (e *Event) Context() context.Context { return e.conn.delivery.context }

// callbackMark is the key of the connection in the context of its callbacks.
type callbackMark struct{}

// handlers are the callbacks for one kind of event. They may be added and cancelled
// at any time, also by themselves.
type handlers[F any] struct {
	mu   sync.Mutex
	list atomic.Pointer[[]*handler[F]]
}

type handler[F any] struct {
	f    F
	gone atomic.Bool
}

// add adds a callback, and returns the function that cancels it: when that has
// returned the callback is not called again, except that one call may be under way on
// another goroutine.
func (h *handlers[F]) add(f F) (cancel func()) {
	n := &handler[F]{f: f}
	h.mu.Lock()
	defer h.mu.Unlock()
	list := append(slices.Clone(h.all()), n)
	h.list.Store(&list)
	return func() {
		n.gone.Store(true)
		h.mu.Lock()
		defer h.mu.Unlock()
		list := slices.DeleteFunc(slices.Clone(h.all()), func(o *handler[F]) bool { return o == n })
		h.list.Store(&list)
	}
}

func (h *handlers[F]) all() []*handler[F] {
	if p := h.list.Load(); p != nil {
		return *p
	}
	return nil
}

// OnReducer tells of reducer calls: on V1 of those that the server tells of, among
// them those of other clients whose changes concern this one, on V2 and V3 of the
// calls of this connection. It runs after the callbacks for the rows. The returned
// function ends it.
func (c *Conn) OnReducer(f func(*Event)) (cancel func()) { return c.events.add(f) }

func (c *Conn) tellReducer(ev *Event) {
	for _, h := range c.events.all() {
		if !h.gone.Load() {
			c.guard(func() { h.f(ev) })
		}
	}
}

// decodeReducer fills in the arguments of an event.
func (c *Conn) decodeReducer(ev *Event, args []byte) {
	i, ok := c.cache.reducers[ev.ReducerName]
	if !ok {
		return
	}
	r := sats.NewReader(args)
	if v := c.module.Reducers[i].Decode(r); r.End() == nil {
		ev.Reducer = v
	}
}
