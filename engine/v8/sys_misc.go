//go:build v8 && cgo

package v8

// #include "shim.h"
import "C"

import (
	"github.com/stdbgo/spacetime/engine/internal/jshost"
	"github.com/stdbgo/spacetime/internal/abi"
)

func sysIdentity(c hostCall) abi.Errno {
	id := c.in.host.Identity()
	c.content(C.V8_WIDE, id[:])
	return abi.OK
}

// sysIdentityObject answers {__identity__}, as version 1 has it.
func sysIdentityObject(c hostCall) abi.Errno {
	id := c.in.host.Identity()
	c.content(C.V8_IDENTITY, id[:])
	return abi.OK
}

func sysScheduleImmediate(c hostCall) abi.Errno {
	c.in.host.ScheduleImmediate(c.str(0), c.bytes(1))
	return abi.OK
}

// sysConsoleLog logs with the place of the caller's caller: the user function that called console.log (spec 04 §10.1).
func sysConsoleLog(c hostCall) abi.Errno {
	in := c.in
	rec := abi.LogRecord{Level: abi.Level(uint8(c.u32(0))), Message: c.str(1)}
	depth := 2
	if rec.Level == abi.LogPanic {
		depth = jshost.MaxFrames
	}
	var r C.v8_result
	C.v8_stack(in.c, C.int(depth), &r)
	if frames := goFrames(&r); len(frames) > 0 {
		p := in.p.origin.Published(frames[min(1, len(frames)-1)].Position)
		rec.Filename, rec.Line, rec.HasLine = p.File, uint32(p.Line), true
		if rec.Level == abi.LogPanic {
			rec.Trace, rec.TraceAt = jshost.Trace(jshost.UserFrames(frames, &in.p.origin))
		}
	}
	in.host.Log(rec)
	return abi.OK
}

func sysTimerStart(c hostCall) abi.Errno {
	c.integer(int64(c.in.host.TimerStart(c.str(0))))
	return abi.OK
}

func sysTimerEnd(c hostCall) abi.Errno { return c.in.host.TimerEnd(c.u32(0)) }

func sysJWT(c hostCall) abi.Errno {
	source, e := c.in.host.GetJWT(c.connection(0))
	if e != abi.OK {
		return e
	}
	n := uint32(0)
	if source != 0 {
		n, _ = c.in.host.SourceRemaining(source)
		c.in.host.SourceRead(source, c.room(int(n)))
	}
	c.room(int(n))
	c.give(C.V8_BYTES, int(n))
	return abi.OK
}

// sysEnvGet answers null for an optional variable that is not set.
func sysEnvGet(c hostCall) abi.Errno {
	b, set, e := c.in.host.Env(c.str(0))
	switch {
	case e != abi.OK:
		return e
	case !set:
		c.out.kind = C.V8_NULL
	default:
		c.text(C.V8_TEXT, abi.ValidText(b))
	}
	return abi.OK
}

// sysStartTx is refused while the module's top level or its description runs (spec 04 §2.1).
func sysStartTx(c hostCall) abi.Errno {
	if c.in.host.Call().Kind == abi.KindInit {
		return abi.ErrWouldBlockTransaction
	}
	now, e := c.in.host.StartTx()
	c.out.kind, c.out.num = C.V8_BIG_INT, C.uint64_t(now)
	return e
}

// sysCommitTx throws a TypeError if a view fails, which has rolled the transaction back.
func sysCommitTx(c hostCall) abi.Errno {
	e, failed := c.in.host.CommitTx()
	switch {
	case c.in.dead != nil: // by a view
		panic(&abi.Trap{Msg: "a view ended the instance", Err: c.in.dead})
	case c.in.stop != nil:
		c.out.kind = C.V8_TERMINATE
		return abi.OK
	case failed != nil:
		c.text(C.V8_TYPE_ERROR, failed.Error())
		return abi.OK
	}
	return e
}

func sysAbortTx(c hostCall) abi.Errno { return c.in.host.AbortTx() }

// sysHTTPRequest answers [response, body]. It is refused while a transaction is open, which is always in reducers and views.
func sysHTTPRequest(c hostCall) abi.Errno {
	if c.in.host.Call().Host == nil {
		return abi.ErrWouldBlockTransaction
	}
	head, content, failed, e := c.in.host.HTTP(c.bytes(0), c.bytes(1))
	switch {
	case failed != nil:
		c.text(C.V8_ERRNO, failed.Text)
		c.out.num, c.out.own_text = C.uint64_t(abi.ErrHTTP), 1
		return abi.OK
	case e == abi.ErrBSATNDecode:
		c.text(C.V8_TYPE_ERROR, jshost.BadRequest)
		return abi.OK
	case e != abi.OK:
		return e
	}
	both := c.room(len(head) + len(content))
	copy(both[copy(both, head):], content)
	c.give(C.V8_PAIR, len(head))
	c.out.m = C.size_t(len(content))
	return abi.OK
}
