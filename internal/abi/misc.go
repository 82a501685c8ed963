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
