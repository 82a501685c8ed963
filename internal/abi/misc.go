package abi

import "github.com/stdbgo/spacetime/sats"

// Identity is the identity of the database.
func (c *Context) Identity() sats.Identity { return c.svc.DatabaseIdentity() }

// ScheduleImmediate queues a call of fn, whatever becomes of the transaction. It takes a copy of args.
func (c *Context) ScheduleImmediate(fn string, args []byte) {
	if c.call.Kind == KindInit {
		Fault("volatile_nonatomic_schedule_immediate is not available during initialisation")
	}
	c.spend(rowOverhead + uint64(len(args))/unitsPerByte)
	c.svc.ScheduleImmediate(fn, append([]byte(nil), args...))
}

// GetJWT opens a source with the claims of a connection, or gives 0 if there are none.
func (c *Context) GetJWT(conn sats.ConnectionID) (src uint32, e Errno) {
	tx, e := c.reading()
	if e != OK {
		return 0, e
	}
	claims, ok := c.svc.JWT(tx, conn)
	if !ok {
		return 0, OK
	}
	return c.AddSource(claims), OK
}

// MaxEnvKey is the longest key of an environment variable. A longer or empty key is answered with ErrHostCallFailure
// before it is looked at.
const MaxEnvKey = 256

// EnvGet opens a source with the value of an environment variable. The checks stand in the order of spec 03 §5.19. No
// database gives its module an environment so far, hence no key is a declared one.
func (c *Context) EnvGet(key string) (src uint32, e Errno) {
	if !validEnvKey(key) {
		return 0, ErrHostCallFailure
	}
	if c.call.Kind == KindInit {
		Fault("env_get is not available while no function runs")
	}
	tx, e := c.reading()
	if e != OK {
		return 0, e
	}
	tx.ReadTable(hiddenTable) // a view depends on all of them, set or not (spec 08 §14.3)
	panic(&Trap{Msg: "the module does not declare the environment variable " + key})
}

func validEnvKey(key string) bool {
	if len(key) == 0 || len(key) > MaxEnvKey || '0' <= key[0] && key[0] <= '9' {
		return false
	}
	for i := range len(key) {
		switch b := key[i]; {
		case 'A' <= b && b <= 'Z', 'a' <= b && b <= 'z', '0' <= b && b <= '9', b == '_':
		default:
			return false
		}
	}
	return true
}

// StartTx opens a procedure's transaction. Reducers and views are inside one already.
func (c *Context) StartTx() (sats.Timestamp, Errno) {
	if c.call.Kind == KindInit {
		Fault("procedure_start_mut_tx is not available during initialisation")
	}
	return 0, ErrWouldBlockTransaction
}

// CommitTx commits a procedure's transaction.
func (c *Context) CommitTx() Errno { return ErrTransactionNotAnonymous }

// AbortTx rolls a procedure's transaction back.
func (c *Context) AbortTx() Errno { return ErrTransactionNotAnonymous }

// SleepUntil suspends a procedure; in other calls it traps.
func (c *Context) SleepUntil(sats.Timestamp) sats.Timestamp {
	panic(&Trap{Msg: "procedure_sleep_until is only available in procedures and HTTP handlers"})
}

// HTTPRequest performs a request for a procedure; in other calls it traps.
func (c *Context) HTTPRequest(request, body []byte) (response, responseBody uint32, e Errno) {
	panic(&Trap{Msg: "procedure_http_request is only available in procedures and HTTP handlers"})
}
