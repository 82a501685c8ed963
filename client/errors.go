package client

import (
	"errors"
	"fmt"

	"github.com/coder/websocket"
)

// ErrDisconnected is why a call's outcome is unknown: the connection ended before
// it arrived, and the call may or may not have committed. With Options.Reconnect it is
// also the error of calls that were under way when the link broke.
var ErrDisconnected = errors.New("client: the connection has ended")

// ErrReconnecting is the answer to a call that is made while the link is broken and
// being re-established: it was not sent, so making it again once Conn.State says Live
// does nothing twice. errors.Is finds ErrDisconnected in it, too.
var ErrReconnecting error = &linkError{"client: the link is broken and being re-established; nothing was sent"}

// errLinkBroke is the ErrDisconnected of what was under way on a link that is being
// re-established.
var errLinkBroke error = &linkError{"client: the link broke before the outcome was known, and is being re-established"}

// A linkError is an ErrDisconnected of a connection that goes on.
type linkError struct{ text string }

func (e *linkError) Error() string { return e.text }

// Is makes all of them ErrDisconnected.
func (e *linkError) Is(target error) bool { return target == ErrDisconnected }

// ErrInCallback is the answer to a call that waits if it is made by a callback: it
// would wait for the callback itself. Callbacks use what does not wait: Call, the
// generated Send, SubscribeAsync.
var ErrInCallback = errors.New("client: a callback must not wait for its own connection; use the methods that do not wait")

// ErrNoOutcome is the answer to waiting for a call with NoSuccessNotify, of which the
// server tells nothing.
var ErrNoOutcome = errors.New("client: the server does not tell how a call with NoSuccessNotify ends, so nobody can wait for it")

// ErrNoModule is the answer of the cache's methods on a connection that was dialled
// without a Module.
var ErrNoModule = errors.New("client: the connection was dialled without a Module and keeps no rows; use SubscribeRows")

// ErrNeedsV2 is the answer of SubscribeRows on a V1 connection that has another
// subscription, or a Module: the updates of V1 do not say which subscription they
// belong to.
var ErrNeedsV2 = errors.New("client: the server speaks V1 only, where SubscribeRows needs a connection of its own, without a Module")

// errClosed is the cause that ErrDisconnected wraps after Close.
var errClosed = errors.New("Close was called")

// A ReducerError is the error that a reducer returned.
type ReducerError struct{ Reducer, Message string }

// Error returns Message, the text that the reducer returned.
func (e *ReducerError) Error() string { return e.Message }

// A HostError says that the server could not run a call: unknown name, wrong
// arguments, a crash in the module, or no budget left. For procedures it also has
// the error that the procedure returned.
type HostError struct{ Call, Message string }

// Error returns the name of the function and what kept it from running.
func (e *HostError) Error() string { return fmt.Sprintf("%s: %s", e.Call, e.Message) }

// A SubscriptionError says why a subscription was refused or has ended.
type SubscriptionError struct {
	Queries []string // SQL of the whole set
	Message string   // the server's reason
}

// Error returns Message.
func (e *SubscriptionError) Error() string { return e.Message }

// A QueryError says why a query of QuerySQL was refused.
type QueryError struct{ Query, Message string }

// Error returns the server's reason and the query.
func (e *QueryError) Error() string { return fmt.Sprintf("%s, in the query %s", e.Message, e.Query) }

// A DialError is an answer of the server that is no connection.
type DialError struct {
	URL     string
	Status  int    // of HTTP
	Message string // the beginning of the answer, at most 1,024 bytes
}

// Error returns where the connection was sought, the status and the message.
func (e *DialError) Error() string {
	return fmt.Sprintf("client: %s answers %d: %s", e.URL, e.Status, e.Message)
}

// A PanicError is why a connection ended in which a callback panicked.
type PanicError struct {
	Value any    // what panic was given
	Stack []byte // of the goroutine that panicked
}

// Error returns the value and the stack.
func (e *PanicError) Error() string {
	return fmt.Sprintf("client: a callback panicked: %v\n\n%s", e.Value, e.Stack)
}

// ClosedByServer reports whether err, from Conn.Err, says that the server ended
// the connection in order, with a Close frame.
func ClosedByServer(err error) bool { return websocket.CloseStatus(err) >= 0 }
