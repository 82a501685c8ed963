package abi

import (
	"errors"

	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/sats"
)

// A ViewError is why CommitTx of a ProcedureHost rolled the transaction back: a view that it concerns cannot be
// refreshed. Modules in JavaScript may catch it, for others the call ends.
type ViewError struct {
	View string
	Err  error
}

func (e *ViewError) Error() string {
	return "Error materializing view `" + e.View + "`: " + e.Err.Error()
}

func (e *ViewError) Unwrap() error { return e.Err }

// wait carries out what keeps the call waiting; that costs neither fuel nor time.
func (c *Context) wait(f func() error) error {
	c.meter.Pause()
	c.waiting++
	defer func() {
		c.waiting--
		c.meter.Resume()
	}()
	return f()
}

// stopped ends the call because what it waited for has failed.
func (c *Context) stopped(function string, err error) {
	t := &Trap{Msg: function, Err: err}
	if c.call.Done != nil && c.call.Done.Err() != nil {
		t.Reason = TrapCanceled
	}
	var inner *Trap
	if errors.As(err, &inner) {
		t.Reason = inner.Reason
	}
	panic(t)
}

// StartTx opens a procedure's transaction and returns the time at which that was. Reducers and views are inside one
// already.
func (c *Context) StartTx() (now sats.Timestamp, e Errno) {
	switch {
	case c.call.Kind == KindInit:
		Fault("procedure_start_mut_tx is not available during initialisation")
	case !c.call.MayWait():
		return 0, ErrWouldBlockTransaction
	}
	c.spend(rowOverhead)
	err := c.wait(func() (err error) {
		c.call.Tx, now, err = c.call.Host.StartTx(c.call.Done)
		return err
	})
	if err != nil {
		c.call.Tx = nil
		c.stopped("procedure_start_mut_tx", err)
	}
	c.open = true
	return now, OK
}

// CommitTx commits a procedure's transaction. With a ViewError it has been rolled back instead.
func (c *Context) CommitTx() (Errno, *ViewError) {
	if !c.open {
		return ErrTransactionNotAnonymous, nil
	}
	// Views that are refreshed now must not find the procedure's transaction to be theirs to end.
	c.call.Tx, c.open = nil, false
	err := c.wait(func() error { return c.call.Host.CommitTx(c.call.Done) })
	var view *ViewError
	switch {
	case err == nil:
	case errors.As(err, &view):
		return OK, view
	default:
		c.stopped("procedure_commit_mut_tx", err)
	}
	return OK, nil
}

// AbortTx rolls a procedure's transaction back.
func (c *Context) AbortTx() Errno {
	if !c.open {
		return ErrTransactionNotAnonymous
	}
	c.call.Tx, c.open = nil, false
	c.call.Host.AbortTx()
	return OK
}

// abortDangling rolls back what a procedure has left open (spec 03 §10.3).
func (c *Context) abortDangling() {
	name := c.call.Function
	c.AbortTx()
	c.svc.Log(LogRecord{Level: LogError, Time: c.svc.Now(), Target: hostTarget, Filename: hostTarget,
		Message: "aborting dangling anonymous transaction in procedure " + name})
}

// hostTarget marks log records that the host writes itself (spec 03 §14).
const hostTarget = "__spacetimedb__"

// SleepUntil suspends a procedure and returns the time of waking up; in other calls, and in a transaction, it traps.
func (c *Context) SleepUntil(t sats.Timestamp) (now sats.Timestamp) {
	const name = "procedure_sleep_until"
	c.procedureOnly(name)
	if c.call.Tx != nil {
		Fault("%s is not available while a transaction is open", name)
	}
	c.spend(rowOverhead)
	if now = c.svc.Now(); t <= now {
		return now
	}
	err := c.wait(func() (err error) {
		now, err = c.call.Host.SleepUntil(c.call.Done, t)
		return err
	})
	if err != nil {
		c.stopped(name, err)
	}
	return now
}

func (c *Context) procedureOnly(function string) {
	if c.call.Host == nil {
		Fault("%s is only available in procedures and HTTP handlers", function)
	}
}

// requestType is that of spec 03 §11.1, as far as validity goes.
var requestType = func() *sats.Walker {
	method := make([]sats.Element, 0, 10)
	for _, name := range [...]string{"Get", "Head", "Post", "Put", "Delete", "Connect", "Options", "Trace", "Patch"} {
		method = append(method, sats.E(name, sats.Unit))
	}
	method = append(method, sats.E("Extension", sats.String))
	var version []sats.Element
	for _, name := range [...]string{"Http09", "Http10", "Http11", "Http2", "Http3"} {
		version = append(version, sats.E(name, sats.Unit))
	}
	header := sats.Product(sats.E("name", sats.String), sats.E("value", sats.Array(sats.U8)))
	return sats.NewWalker(sats.Product(
		sats.E("method", sats.Sum(method...)),
		sats.E("headers", sats.Product(sats.E("entries", sats.Array(header)))),
		sats.E("timeout", sats.Option(sats.I64)),
		sats.E("uri", sats.String),
		sats.E("version", sats.Sum(version...))))
}()

// HTTPRequest carries out a procedure's HTTP request and opens sources with the response and its body. With ErrHTTP the
// first has the BSATN of a string that says what went wrong. In calls that may not wait by their nature it traps.
func (c *Context) HTTPRequest(request, body []byte) (response, responseBody uint32, e Errno) {
	head, content, failed, e := c.HTTP(request, body)
	switch {
	case e == ErrHTTP:
		return c.ownSource(sats.AppendString(nil, failed.Text)), 0, e
	case e != OK:
		return 0, 0, e
	}
	return c.ownSource(head), c.ownSource(content), OK
}

// HTTP is HTTPRequest for engines that need no sources. What it returns is the caller's. The checks stand in the order of
// spec 03 §11.2.
func (c *Context) HTTP(request, body []byte) (response, responseBody []byte, failed *HTTPError, e Errno) {
	const name = "procedure_http_request"
	c.procedureOnly(name)
	c.spend(rowOverhead + uint64(len(request)+len(body))/unitsPerByte)
	n, err := requestType.Validate(request)
	switch {
	case err != nil:
		return nil, nil, nil, ErrBSATNDecode
	case !c.call.Host.HTTPEnabled():
		return nil, nil, &HTTPError{HTTPDisabledText}, ErrHTTP
	case c.call.Tx != nil:
		return nil, nil, nil, ErrWouldBlockTransaction
	}
	err = c.wait(func() (err error) {
		response, responseBody, err = c.call.Host.HTTP(c.call.Done, request[:n], body)
		return err
	})
	var refused *store.Error
	switch {
	case err == nil:
		c.spend(uint64(len(response)+len(responseBody)) / unitsPerByte)
		return response, responseBody, nil, OK
	case errors.As(err, &failed):
		return nil, nil, failed, ErrHTTP
	case errors.As(err, &refused) && refused.Code != 0:
		return nil, nil, nil, Errno(refused.Code)
	}
	c.stopped(name, err)
	return nil, nil, nil, OK
}
